"""What Table 4 rests on, in pictures: AUROC against the radius, logits, and images under attack."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from ..config.roles import CLEAN, HELD_OUT, IN, PUBLISHED, WORST
from ..pipeline.job import record_of
from .detection import LABELS, LANGEVIN, budget, detections, diverged, rows_of
from .drawing import STYLES, canvas, draw_strips, saved, title
from .needs import Needs

# --- OOD curves -------------------------------------------------------------------------------------------------------


def ood_curves(plan: str, out: str) -> pd.DataFrame:
    """Draw the AUROC of each detector against the radius of Auto-PGD, a panel per set, to `out` (.png), .svg and .csv.

    Returns the frame: a row per run, set and radius, 0 for clean images, with the interval by resampling images.
    """
    needs = Needs.read(plan)
    found = detections(needs)
    frame = found[found["attack"].isin([CLEAN, PUBLISHED]) & (found["in"] == IN)]
    frame = frame.drop_duplicates(["run", "row", "radius"]).sort_values(["run", "row", "radius"], ignore_index=True)
    frame = frame[["run", "row", "set", "radius", "auroc", "low", "high", "n_in", "n_out", "seed"]]
    frame.insert(1, "label", frame["run"].map(LABELS))
    rows, radii = rows_of(needs), sorted(frame["radius"].unique())
    auto = record_of(needs.folder("detection")[0])["settings"]["auto_pgd"]
    figure = canvas(11, 7)
    axes = figure.subplots(2, -(-len(rows) // 2), sharex=True, sharey=True)
    for axis, (row, name) in zip(axes.flat, rows.items(), strict=False):
        for style, (run, label) in zip(STYLES, LABELS.items(), strict=True):
            mine = frame[(frame["run"] == run) & (frame["row"] == row)]
            x = [radii.index(radius) for radius in mine["radius"]]
            axis.plot(x, mine["auroc"], label=label + diverged(needs) * (run == LANGEVIN), markersize=4, **style)
            axis.fill_between(x, mine["low"], mine["high"], color=style["color"], alpha=0.1, linewidth=0)
        axis.axhline(0.5, color="0.4", linewidth=0.8)
        axis.set_title(name, fontsize=10)
        axis.set_xticks(range(len(radii)), ["clean", *(f"{radius:g}" for radius in radii[1:])])
        axis.grid(alpha=0.3)
    for axis in axes[-1]:
        axis.set_xlabel("radius of the attack, L2 in [0, 1] pixels")
    for axis in axes[:, 0]:
        axis.set_ylabel("AUROC")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    title(
        figure,
        f"In distribution: {needs.introduction('cifar10')}\nAuto-PGD with {budget(auto)}, {of_seed(frame)}; bands: 95 "
        "% intervals by resampling images.",
    )
    return saved(figure, with_labels(frame, rows), out)


def with_labels(frame: pd.DataFrame, rows: Mapping[str, str]) -> pd.DataFrame:
    """Return a frame whose column `row` has the labels of the rows out of distribution."""
    return frame.assign(row=frame["row"].map(lambda row: rows.get(row, row)))


def of_seed(frame: pd.DataFrame) -> str:
    return f"seed {', '.join(map(str, sorted(set(frame['seed']))))}"


# --- OOD scores and images --------------------------------------------------------------------------------------------


def ood_scores(plan: str, out: str) -> pd.DataFrame:
    """Draw histograms of logits, a row of panels per model and a panel per set, to `out` (.png), .svg and .csv.

    Returns the frame behind it: a row per model and image, clean and in the worst case of all attacks.
    """
    needs = Needs.read(plan)
    rows = rows_of(needs)
    frame = pd.concat([scores(folder) for folder in needs.folder("attack")], ignore_index=True)
    figure = canvas(12, 5.6)
    runs = [run for run in LABELS if run in set(frame["run"])]
    axes = figure.subplots(len(runs), len(rows), squeeze=False)
    for line, run in zip(axes, runs, strict=True):
        mine = frame[frame["run"] == run]
        edges = np.histogram_bin_edges(mine[[CLEAN, WORST]].to_numpy(float)[np.isfinite(mine[[CLEAN, WORST]])], 40)
        for axis, (row, label) in zip(line, rows.items(), strict=True):
            outside = mine[mine["row"] == row]
            drawn = ((mine.loc[mine["row"] == IN, CLEAN], "in distribution"), (outside[CLEAN], "out, clean"))
            for style, (values, name) in zip(STYLES, (*drawn, (outside[WORST], "out, attacked")), strict=False):
                axis.hist(values, edges, density=True, alpha=0.5, color=style["color"], label=name)
            axis.set_yticks([])
            axis.xaxis.set_major_locator(MaxNLocator(5))
            axis.set_title(f"{label}:\n{LABELS[run]}", fontsize=9)
    for axis in axes[-1]:
        axis.set_xlabel("logit f", fontsize=9)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    title(
        figure,
        f"In distribution: {needs.introduction('cifar10')}\nAttacked: worst of all attacks, {of_radius(frame)}; "
        f"{of_seed(frame)}.",
    )
    return saved(figure, with_labels(frame, rows), out)


def scores(folder: Path) -> pd.DataFrame:
    """Logits of an attack step, with its run and seed."""
    record = record_of(folder)
    frame = pd.read_csv(folder / "scores.csv")
    frame.insert(0, "run", record["run"])
    frame.insert(1, "label", LABELS[record["run"]])
    frame.insert(2, "seed", record["seed"])
    return frame


def of_radius(frame: pd.DataFrame) -> str:
    return f"radius {frame['radius'].max():g}"


def ood_attacked(plan: str, out: str) -> pd.DataFrame:
    """Draw the first images of each set, clean and as the worst attacks on two models leave them, to `out` (.png), .svg
    and .csv; return the frame, a row per model and image, with its logits and how far it was moved."""
    needs = Needs.read(plan)
    sets = {record_of(folder)["set"]: folder for folder in needs.folder("data")}
    rows = rows_of(needs)
    folders = {record_of(folder)["run"]: folder for folder in needs.folder("attack")}
    kept = {run: kept_of(folders[run]) for run in LABELS if run in folders}
    frame = pd.concat([frame for frame, _ in kept.values()], ignore_index=True)
    figure = canvas(9, 2.1 * len(rows))
    of_row = needs.task("cifar10")["out_of_distribution"]
    for axis, (row, label) in zip(np.atleast_1d(figure.subplots(len(rows), 1)), rows.items(), strict=True):
        first = next(iter(kept.values()))[0]
        numbers = first.loc[first["row"] == row, "image"].to_numpy()
        strips = {"clean": np.load(sets[of_row[row]] / "images.npy", mmap_mode="r")[numbers]}
        for run, (mine, images) in kept.items():
            here = mine["row"] == row
            moved = f"{mine.loc[here, CLEAN].mean():.1f} to {mine.loc[here, WORST].mean():.1f}"
            strips[f"{LABELS[run]}\nf from {moved}"] = np.round(255 * images[here]).astype(np.uint8)
        draw_strips(axis, strips)
        axis.set_title(label, fontsize=10)
    title(
        figure,
        f"The models learnt: {needs.introduction('cifar10')}\nThe first images of each set, and what the strongest "
        f"attack on each model makes of them, {of_radius(frame)}, {of_seed(frame)}; f: mean logit of these.",
    )
    return saved(figure, with_labels(frame, rows), out)


def kept_of(folder: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """Of an attack step, the images whose worst case was kept: their scores, and these, floats (k, H, W, C)."""
    images = np.load(folder / "images.npy")
    frame = scores(folder)
    first = frame[~frame["row"].isin([IN, HELD_OUT]) & (frame["radius"] == record_of(folder)["settings"]["radii"][0])]
    each = len(images) // first["row"].nunique()
    return first.groupby("row", sort=False).head(each).reset_index(drop=True), images
