"""The `attack` step: a model's logits on in- and out-of-distribution images, clean and attacked, in shards."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..attacks.pgd import Logit, norms
from ..config.detection import attacks_of, columns_of
from ..config.roles import CLEAN, HELD_OUT, IN, WORST
from ..data.stored import Stored, cuts, dealt, to_float
from ..data.subsets import draw
from ..device.out_of_memory import work_in_halves
from ..device.select import device_name
from ..models.folding import frozen
from ..models.weights import load_model
from ..pipeline.job import Job
from ..utils.errors import ResultError
from ..utils.files import atomic
from ..utils.progress import progress

KEPT = 8  # images per set whose worst cases are kept for figures
TOLERANCE = 1e-5  # share of the radius that rounding may add; 3e-6 was found for images of 196,608 pixels
MODELS = ("model", "surrogate")  # roles of parents that are not sets


@dataclass(frozen=True)
class Batch:
    """A batch of the images that an attack step takes from a set."""

    role: str  # the set's role: in distribution, or a row of a table
    positions: slice  # positions among the drawn images
    numbers: np.ndarray  # the images' numbers in the set


def batches(job: Job) -> list[Batch]:
    """Return the images drawn from each set, in batches that have batch_size images once attacks have copied them."""
    settings, found = job.settings, []
    most = max(attack.copies for attack in attacks_of(settings).values())
    for role in roles(job):
        stored = Stored(job.parent(role))
        numbers = draw(len(stored), settings["n"], settings["seed"])
        size = max(1, settings["batch_size"] // (1 if role in (IN, HELD_OUT) else most))
        found += [Batch(role, part, numbers[part]) for part in cuts(len(numbers), size)]
    return found


def roles(job: Job) -> list[str]:
    """Return the roles of the sets of an attack step, in-distribution sets first."""
    parents = [role for role in job.spec["parents"] if role not in MODELS]
    return sorted(parents, key=lambda role: (role not in (IN, HELD_OUT), role))


def attack_shard(job: Job, shard: str, out: Path, device: torch.device) -> None:
    """Write the logits of shard "i-of-k" as .npz, with an array per column, and the first worst cases (k, H, W, C).

    Raises ResultError if an attack left its ball or the range of pixels.
    """
    model = load_model(job, device)
    f = load_model(job, device, "surrogate") if "surrogate" in job.spec["parents"] else model
    mine, settings = dealt(batches(job), shard), job.settings
    columns, images = [], []
    with frozen(model), frozen(f), progress(f"attack {job.spec['name']}", len(mine)) as report:
        for done, batch in enumerate(mine, start=1):
            x = to_float(Stored(job.parent(batch.role), device)[torch.from_numpy(batch.numbers)])
            for table, worst in scored(model, f, x, batch, settings):
                columns.append(table)
                images.append(worst.permute(0, 2, 3, 1).cpu().numpy())
            report(done)
    whole = {name: np.concatenate([table[name] for table in columns]) for name in columns[0]} if columns else {}
    kept = {"images": np.concatenate(images)} if images else {}
    with atomic(out) as temporary:
        np.savez(temporary, allow_pickle=False, device=np.array(device_name(device)), **whole, **kept)


def scored(
    model: Logit, f: Logit, x: Tensor, batch: Batch, settings: dict[str, Any]
) -> Iterator[tuple[dict[str, np.ndarray], Tensor]]:
    """Yield the columns of a batch, and its worst cases to keep, for each radius (only 0 in distribution)."""
    attacked = batch.role not in (IN, HELD_OUT)
    clean = value(model, x)
    fixed = {"row": np.array([batch.role] * len(x)), "image": batch.numbers}
    for radius in settings["radii"] if attacked else [0.0]:
        found = attacked_images(f, x, radius, settings, batch.numbers) if attacked else {}
        values = dict.fromkeys(columns_of(settings), clean)
        values |= {name: value(model, images) for name, images in found.items()}
        together = torch.stack([clean, *values.values()])
        winner = together.nan_to_num(nan=torch.inf).argmax(0)
        worst = torch.stack([x, *found.values()])[winner, torch.arange(len(x), device=x.device)]
        distance = norms(worst - x).flatten()
        guard(found, x, radius)
        columns = {CLEAN: clean, **values, WORST: together.max(0).values, "distance": distance}
        numbers = {name: column.cpu().numpy() for name, column in columns.items()}
        first = attacked and radius == settings["radii"][0]
        count = max(0, KEPT - batch.positions.start) if first else 0
        yield {**fixed, "radius": np.full(len(x), radius), **numbers}, worst[:count]


def attacked_images(
    f: Logit, x: Tensor, radius: float, settings: dict[str, Any], numbers: np.ndarray
) -> dict[str, Tensor]:
    """Return the images of all `attacks`, computed in parts that fit into memory."""

    def work(rows: slice) -> list[Tensor]:
        return list(attacks(f, x[rows], radius, settings, numbers[rows].tolist()).values())

    return dict(zip(columns_of(settings), work_in_halves("attacks", work, slice(0, len(x))), strict=True))


def attacks(f: Logit, x: Tensor, radius: float, settings: dict[str, Any], numbers: list[int]) -> dict[str, Tensor]:
    """Return the attacked images (b, C, H, W) for each column of scores.csv; `numbers` are those of the images x."""
    return {
        column: resolve_name(attack.function)(f, x, radius, settings["seed"], numbers, **keywords)
        for name, attack in attacks_of(settings).items()
        for column, keywords in attack.columns(name).items()
    }


@torch.inference_mode()
def value(model: Logit, x: Tensor) -> Tensor:
    return model(x)


def guard(found: dict[str, Tensor], x: Tensor, radius: float) -> None:
    """Raise ResultError if images are farther than `radius` from x, or outside [0, 1]."""
    for name, images in found.items():
        far, low, high = norms(images.double() - x.double()).max(), images.min(), images.max()
        if far > radius * (1 + TOLERANCE) or low < 0 or high > 1:
            raise ResultError(
                f"attack {name} moved an image by {far:.8g}, with radius {radius:g}, to pixels in [{low:g}, {high:g}]."
            )
