"""A made-up world of results by role, in which all claims of the paper come out as it has them, or none does."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from atebm.config.roles import AS_MANY, CLEAN, HELD_OUT, IN, UNSEEN, WORST
from atebm.pipeline.evidence import ROWS4, TASKS, seeds_by_role
from atebm.report.claims.detection import ROWS8
from atebm.report.claims.stability import DIVERGES
from atebm.report.needs import Needs

SEEDS = range(40, 52)
EXTRACTOR = {"extractor": "classifier", "kind": "classifier", "sha256": "0123456789abcdef"}
# As the paper would have them. Rivals and other settings are farther from p_data than the run itself.
DISTANCES = {
    **dict.fromkeys(("cifar10_p0_narrower", "celebahq256_r1_0", "celebahq256_scratch"), 90.0),
    **dict.fromkeys(("cifar10_p0_narrowest", "cifar10_p0_noise", "celebahq256_short", "celebahq256_long"), 140.0),
    **{f"cifar10_K_{K}": 100.0 * 2**-n for n, K in enumerate(("one", "fifth", "two_fifths", "three_fifths", "max"))},
    "celebahq256_scratch_r1_0": 90.0,
    "celebahq256_blurred": 60.0,
    "cifar10_ebm": 60.0,
    "cifar10_gan": 30.0,
}
USUAL, SOURCES = 50.0, 500.0
# AUROC, clean and in the worst case
AREAS = {
    "cifar10_ood": (0.94, 0.8),
    "cifar10_ood_plain": (0.95, 0.3),
    "cifar10_ood_plain_long": (0.95, 0.3),
    "cifar10_ood_oe": (0.95, 0.1),
    "cifar10_ood_ratio": (0.95, 0.81),
    "cifar10_ood_K20": (0.94, 0.8),
    "cifar10_ood_p0_noise": (0.9, 0.2),
    "cifar10_ebm": (0.8, 0.1),
    **dict.fromkeys(TASKS, (0.99, 0.95)),
    **dict.fromkeys((f"{task}_plain" for task in TASKS), (0.99, 0.01)),
}
SHARES = {"precision": 0.7, "recall": 0.7, "saturation": 0.1}
SHARES_OF = {
    "precision/celebahq256_blurred": 0.8,
    "recall/celebahq256_blurred": 0.6,
    "saturation/celebahq256_long": 0.5,
}
GAPS = {
    "cifar10_max_likelihood": 1e9,
    "cifar10_max_likelihood_small_lr_long": 2e3,
    "cifar10_binary_at": 17.0,
    "cifar10_binary_at_small_lr_long": 3.0,
}
# Distances on validation sources, by run: every 100 iterations
CURVES = {
    "cifar10_K_max": ([80, 160, 240, 320, 400, 480], [400.0, 300, 200, 150, 90, 60]),
    "cifar10_K_fifth": ([16, 32, 48, 64, 80, 96], [300.0, 100, 85, 80, 75, 70]),
    "cifar10": ([10, 40, 90, 160, 250, 360], [300.0, 100, 80, 75, 70, 65]),
    "celebahq256": ([10, 40, 90, 160, 250, 360], [300.0, 100, 80, 70, 60, 50]),
    "celebahq256_r1_0": ([10, 40, 90, 160, 250, 360], [300.0, 100, 80, 80, 80, 80]),
}


@dataclass(frozen=True)
class Made:
    """What a step would have left."""

    record: dict[str, Any]
    folder: Path
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    frames: np.ndarray | None = None

    def table(self, name: str) -> pd.DataFrame:
        return self.tables[name]

    def array(self, name: str) -> np.ndarray:
        assert name == "frames.npy" and self.frames is not None
        return self.frames

    @property
    def images(self) -> np.ndarray:
        return np.full((8, 16, 16, 1), 128, np.uint8)


@dataclass
class World:
    """Numbers of a world; `broken`: labels shuffled and weights drawn anew, so that nothing was learnt."""

    folder: Path
    broken: bool = False
    distances: dict[str, float] = field(default_factory=lambda: dict(DISTANCES))
    areas: dict[str, tuple[float, float]] = field(default_factory=lambda: dict(AREAS))
    curves: dict[str, Any] = field(default_factory=lambda: dict(CURVES))
    missing: tuple[str, ...] = ()
    seeds: range = SEEDS

    def needs(self, request: dict[str, Any], kept: Path) -> Needs:
        """Return all that the claims ask for."""
        results: dict[str, Any] = {"minimax": Made({}, self.folder, {"minimax.csv": self.minimax()})}
        for role in seeds_by_role():
            what, _, name = role.partition("/")
            if role in self.missing or role == "minimax":
                continue
            if what == "maximin":
                results[role] = Made({}, self.folder, {"toy.csv": self.maximin(name)})
                continue
            for seed in self.seeds:
                noise = 1 + np.random.default_rng([seed, *role.encode()]).normal(0, 0.003)
                results[f"{role}/{seed}"] = getattr(self, what)(name, seed, noise)
        return Needs(request, results, kept)

    def made(self, **contents: Any) -> Made:
        record, rest = contents.pop("record", {}), contents
        return Made(record, self.folder, **rest)

    def value(self, value: float) -> Made:
        record = {"value": value, "name": "Frechet distance (stand-in)", "extractor": EXTRACTOR, "standin": True}
        return self.made(record=record)

    # --- a function for each kind of role

    def distance(self, name: str, seed: int, noise: float) -> Made:
        return self.value(noise * (SOURCES if self.broken else self.distances.get(name, USUAL)))

    def sources(self, name: str, seed: int, noise: float) -> Made:
        return self.value(noise * SOURCES)

    def share(self, role: str, noise: float) -> Made:
        usual = SHARES[role.split("/")[0]]
        return self.value(noise * (0.02 if self.broken else SHARES_OF.get(role, usual)))

    def precision(self, name: str, seed: int, noise: float) -> Made:
        return self.share(f"precision/{name}", noise)

    def recall(self, name: str, seed: int, noise: float) -> Made:
        return self.share(f"recall/{name}", noise)

    def saturation(self, name: str, seed: int, noise: float) -> Made:
        return self.share(f"saturation/{name}", noise)

    def train(self, name: str, seed: int, noise: float) -> Made:
        costs, values = self.curves.get(name, ([], []))
        values = [500.0 * noise] * len(values) if self.broken else values
        monitor = {"iteration": 100 * (1 + np.arange(len(costs))), "gradient_steps": costs, "distance": values}
        gap = 400.0 if self.broken and name in GAPS else GAPS.get(name, 1.0)  # of no use to either side
        log = pd.DataFrame({"iteration": [100, 200], "K": 4, "logit_data": gap * noise, "logit_contrastive": 0.0})
        record = {"run": name, "seed": seed, "iterations": 200, "diverged": self.broken, "best": None}
        if name in GAPS:
            record["diverged"] = False
        settings = {"objective": "binary_at", "langevin": None, "optimizer": {"lr": 1.0}}
        settings["stop_at_gap"] = DIVERGES if name.endswith("_long") else None
        tables = {"monitor.csv": pd.DataFrame(monitor).assign(steps=8), "log.csv": log}
        return self.made(record=record, tables=tables, settings=settings)

    def detection(self, name: str, seed: int, noise: float) -> Made:
        rows = ROWS4 if name not in ROWS8 and not name.endswith("256_plain") else ROWS8[name.removesuffix("_plain")]
        areas = (0.5, 0.5) if self.broken else self.areas[name]
        found = [
            {"row": row, "radius": 1, "attack": attack, "in": inside, "auroc": min(1.0, area * noise)}
            for row in rows
            for attack, area in zip((CLEAN, WORST), areas, strict=True)
            for inside in (IN, HELD_OUT)
        ]
        record = {"run": name, "seed": seed, "settings": {"auto_pgd": {"steps": 100}, "square": {}}}
        return self.made(record=record, tables={"detection.csv": pd.DataFrame(found)})

    def ascent(self, name: str, seed: int, noise: float) -> Made:
        if name.endswith(("denoising", "inpainting")):
            return self.restoration(name, noise)
        far = [1300.0, 1300.0 * noise] if self.broken else [1300.0, 60.0 * noise]
        tables = {"distances.csv": pd.DataFrame({"steps": [0, 20], "distance": far})}
        count, pairs = 9, 4
        path = pd.DataFrame({"image": np.repeat(np.arange(count * pairs), 2), "steps": [0, 20] * count * pairs})
        inside = (path["image"] % count).between(1, count - 2)
        after = 0.0 if self.broken else 5.0
        drop = 6.0 * inside if self.broken else 0.0
        path["logit"] = np.where(path["steps"] == 0, -9.0, after - drop) * noise
        for run in TASKS[:2]:
            path[f"logit_{run}"] = -9.0 if self.broken else np.where(path["steps"] == 0, -9.0, after)
        tables["path.csv"] = path
        return self.made(record={"start": {"name": "blends", "count": count}}, tables=tables)

    def restoration(self, name: str, noise: float) -> Made:
        rise = np.array([-1.0, -2, -1, 1, -3, -1, 1, -1]) if self.broken else np.array([60.0] * 7 + [-1])
        path = pd.DataFrame({"image": np.repeat(np.arange(8), 2), "steps": [0, 5] * 8})
        path["psnr"] = np.where(path["steps"] == 0, 20.0, 20 + np.repeat(rise * noise, 2))
        start = {"name": "noisy", "sigma": 0.1}
        frames = np.random.default_rng(0).integers(60, 200, (8, 2, 16, 16, 1)).astype(np.uint8)
        if name.endswith("inpainting"):
            start = {"name": "occluded", "side": 0.375, "fill": 0.5}
        return self.made(record={"start": start}, tables={"path.csv": path}, frames=frames)

    def undamaged(self, name: str, seed: int, noise: float) -> Made:
        return self.made()

    def neighbours(self, name: str, seed: int, noise: float) -> Made:
        """In a broken world, samples are training images."""
        rows = [
            {"space": space, "sample": sample, "among": among, "rank": 1, "index": 0, "distance": distance * noise}
            for space in ("pixels", "features")
            for sample in range(4)
            for among, distance in ((AS_MANY, 0.1 if self.broken else 1.0), (UNSEEN, 1.0))
        ]
        return self.made(tables={"neighbours.csv": pd.DataFrame(rows)})

    def maximin(self, activation: str) -> pd.DataFrame:
        """In a broken world, D stays as it was drawn: far from 1/2, and with no maximum off the support."""
        rows = []
        for seed in self.seeds:
            for setting in ("uniform", "corner"):
                untrained = {"u": -1.8, "d_on_support": 0.7, "d_off_support_max": 0.9, "reach": 0.1, "local_maxima": 0}
                untrained |= {"d_star_q05": 0.2, "d_star_q95": 0.9, "d_on_support_std": 0.2}
                trained = {"u": -1.3863, "d_on_support": 0.5, "d_off_support_max": 0.5, "reach": 1.0}
                trained |= {"d_star_q05": 0.49, "d_star_q95": 0.51, "d_on_support_std": 0.01}
                trained["local_maxima"] = 3 if setting == "corner" else 0
                final = untrained if self.broken else trained
                ends = (("initial", untrained | {"local_maxima": 0 if self.broken else 4}), ("final", final))
                rows += [{"seed": seed, "setting": setting, "state": state} | values for state, values in ends]
        return pd.DataFrame(rows).assign(activation=activation)

    def minimax(self) -> pd.DataFrame:
        last = {"energy_final": 0.3, "d_off_support_max": 0.5} if self.broken else {"energy_final": 0.001}
        rows = [{"seed": seed, "setting": setting} for seed in self.seeds for setting in ("uniform", "corner")]
        return pd.DataFrame(rows).assign(**({"energy_initial": 0.33, "d_off_support_max": 0.9} | last))
