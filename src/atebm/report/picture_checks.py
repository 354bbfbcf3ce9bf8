"""What pictures of restoration, translation and samples suggest, put to tests that were stated before any run."""

from pathlib import Path

import numpy as np
import pandas as pd

from ..artifacts import TASKS_256
from ..job import record_of
from ..metrics.intervals import t_half_width
from .ascents import damage, gain
from .generation import STANDIN
from .needs import Needs
from .neighbours import compared, ratios
from .tabulating import write_table

TASKS = ("cifar10", *TASKS_256)
LEAST = 1e-3  # of a ratio of distances: that of a sample that is a training image


def picture_checks(plan: str, out: str) -> pd.DataFrame:
    """Decide each check by a 95 % interval over images, and write them to `out` (.csv) and .md; return the frame.

    A check holds where its whole interval is on the one side of its bound, fails where it is on the other, and is
    undecided otherwise. The models are those of one seed: the interval says nothing of other seeds.
    """
    needs = Needs.read(plan)
    ascents = needs.folder("ascent")
    rows = [restored(folder) for folder in ascents if record_of(folder)["start"]["name"] != "images"]
    rows += [translated(needs, folder) for folder in ascents if record_of(folder)["distances"]]
    for folder in needs.folder("neighbours"):
        rows += memorised(folder, needs.settings["margin"])
    frame = pd.DataFrame(rows)
    frame["verdict"] = [verdict(row) for row in frame.itertuples()]
    frame["scale"] = needs.scale
    counts = frame["verdict"].value_counts()
    found = ", ".join(f"{counts.get(verdict, 0)} {verdict}" for verdict in ("holds", "fails", "undecided"))
    words = [
        f"Checks of the pictures at scale {needs.scale}, seed {record_of(ascents[0])['seed']}: {found}. A check holds "
        "where its 95 % interval, over images, is above its bound. Of nearest neighbours, the same sample is compared "
        "with as many training as held-out images: below 1, samples are nearer to what was trained on.",
        *(f"{task['title']}: {task['played_by']}." for task in map(needs.task, TASKS)),
    ]
    if any(record["extractor"]["kind"] != "inception" for record in needs.records("neighbours")):
        words.append(STANDIN)
    shown = frame[["check", "run", "what", "bound", "verdict"]].copy()
    measured = [f"{row.value:.3g} [{row.low:.3g}, {row.high:.3g}]" for row in frame.itertuples()]
    shown.insert(3, "measured", measured)
    write_table(frame, shown, Path(out), " ".join(words))
    return frame


def restored(folder: Path) -> dict[str, object]:
    """PSNR of restored over damaged images."""
    record, gains = record_of(folder), gain(pd.read_csv(folder / "path.csv"))
    half = t_half_width(gains.tolist())
    way = "denoising" if record["start"]["name"] == "noisy" else "inpainting"
    return {
        "check": f"{way} raises PSNR over the damaged image",
        "run": record["run"],
        "what": f"rise of PSNR in dB; {damage(record)}",
        "value": gains.mean(),
        "low": gains.mean() - half,
        "high": gains.mean() + half,
        "bound": 0.0,
        "images": len(gains),
    }


def translated(needs: Needs, folder: Path) -> dict[str, object]:
    """Distance to the target before translation over that after it; its interval by the delta method on blocks."""
    record, distances = record_of(folder), pd.read_csv(folder / "distances.csv")
    before, after = distances.iloc[0], distances.iloc[-1]
    value = before["distance"] / after["distance"]
    half = value * np.hypot(before["ci95"] / before["distance"], after["ci95"] / after["distance"])
    target = needs.task(record["run"])["p_data"]
    return {
        "check": f"translated {record['set']} is closer to {target} than {record['set']} was",
        "run": record["run"],
        "what": f"distance to {target} of {record['set']} over that of its translation",
        "value": value,
        "low": value - half,
        "high": value + half,
        "bound": 1.0,
        "images": int(after["n"]),
    }


def memorised(folder: Path, margin: float) -> list[dict[str, object]]:
    """Geometric mean over samples of nearest training over nearest held-out distance; none where none are held out."""
    record, rows = record_of(folder), []
    for space, own in compared(pd.read_csv(folder / "neighbours.csv")).groupby("space", sort=False):
        logs = np.log(ratios(own).clip(lower=LEAST))
        half = t_half_width(logs.tolist())
        rows.append(
            {
                "check": f"samples are no closer to training images than to held-out ones, in {space}",
                "run": record["run"],
                "what": "nearest training over nearest held-out distance, geometric mean",
                "value": np.exp(logs.mean()),
                "low": np.exp(logs.mean() - half),
                "high": np.exp(logs.mean() + half),
                "bound": 1 - margin,
                "images": len(own),
            }
        )
    return rows


def verdict(row: object) -> str:
    if row.low > row.bound:  # type: ignore[attr-defined]
        return "holds"
    return "fails" if row.high < row.bound else "undecided"  # type: ignore[attr-defined]
