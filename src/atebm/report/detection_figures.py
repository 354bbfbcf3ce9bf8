"""Draw the results behind Table 4: AUROC against the radius, logits, and images under attack."""

from collections.abc import Mapping
from math import ceil

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..config.roles import CLEAN, HELD_OUT, IN, PUBLISHED, WORST
from .detection import LABELS, budget, detections, rows_of
from .drawing import LINE, STYLES, canvas, draw_strips, height_of
from .drawn import Drawn
from .needs import Needs, Result

AMPLIFIED = 4  # the factor by which changes of images by an attack are shown larger

# --- OOD curves -------------------------------------------------------------------------------------------------------


def ood_curves(needs: Needs) -> Drawn:
    """Draw the AUROC of each detector against the radius of Auto-PGD, a panel per set.

    The frame has a row per run, set and radius (0 for clean images), with an interval by resampling images.
    """
    results = [*needs.under("detection").values(), *needs.under("radii").values()]
    found = detections(results)
    frame = found[found["attack"].isin([CLEAN, PUBLISHED]) & (found["in"] == IN)]
    frame = frame.drop_duplicates(["run", "row", "radius"]).sort_values(["run", "row", "radius"], ignore_index=True)
    frame = frame[["run", "row", "set", "radius", "auroc", "low", "high", "n_in", "n_out", "seed"]]
    frame.insert(1, "label", frame["run"].map(LABELS))
    rows = rows_of(needs)
    figure = draw_curves(needs, frame, rows)
    caption = (
        f"In distribution: {needs.introduction('cifar10')}\nAuto-PGD with "
        f"{budget(results[0].record['settings']['auto_pgd'])}, {of_seed(frame)}; bands: 95 % intervals by resampling "
        "images."
    )
    means = frame[frame["run"] == "cifar10_ood"].groupby("radius")["auroc"].mean()
    parts = ", ".join(f"{auroc:.3f} at {radius:g}" for radius, auroc in means.items())
    headline = f"mean AUROC over sets by adversarial training: {parts}"
    return Drawn(with_labels(frame, rows), caption, headline, figure=figure)


def draw_curves(needs: Needs, frame: pd.DataFrame, rows: Mapping[str, str]) -> Figure:
    """Draw a panel per set, with a line and a band of intervals per run."""
    radii = sorted(frame["radius"].unique())
    figure = canvas(11, 7)
    axes = figure.subplots(2, -(-len(rows) // 2), sharex=True, sharey=True)
    for axis, (row, name) in zip(axes.flat, rows.items(), strict=False):
        for style, (run, label) in zip(STYLES, LABELS.items(), strict=True):
            mine = frame[(frame["run"] == run) & (frame["row"] == row)]
            if mine.empty:
                continue
            x = [radii.index(radius) for radius in mine["radius"]]
            axis.plot(x, mine["auroc"], label=label, markersize=4, **style)
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
    return figure


def with_labels(frame: pd.DataFrame, rows: Mapping[str, str]) -> pd.DataFrame:
    """Replace each out-of-distribution set in the column `row` by its label."""
    return frame.assign(row=frame["row"].map(lambda row: rows.get(row, row)))


def of_seed(frame: pd.DataFrame) -> str:
    """Say which seeds a frame holds."""
    return f"seed {', '.join(map(str, sorted(set(frame['seed']))))}"


# --- OOD scores and images --------------------------------------------------------------------------------------------


def ood_scores(needs: Needs) -> Drawn:
    """Draw histograms of logits, a row of panels per model and a panel per set.

    The frame has a row per model and image: its logit, clean and in the worst case of all attacks.
    """
    rows = rows_of(needs)
    frame = pd.concat(map(scores, needs.under("attack").values()), ignore_index=True)
    caption = (
        f"In distribution: {needs.introduction('cifar10')}\nAttacked: each image in the worst case of all attacks, "
        f"{of_radius(frame)}; {of_seed(frame)}."
    )
    images = len(frame) // frame["run"].nunique()
    headline = f"logits of {images} images by {frame['run'].nunique()} models, clean and attacked"
    return Drawn(with_labels(frame, rows), caption, headline, figure=draw_histograms(frame, rows))


def draw_histograms(frame: pd.DataFrame, rows: Mapping[str, str]) -> Figure:
    """Draw the histograms of `ood_scores` as outlines; all panels share both axes."""
    figure = canvas(12, 6.2)
    runs = [run for run in LABELS if run in set(frame["run"])]
    axes = figure.subplots(len(runs), len(rows), squeeze=False, sharex=True, sharey=True)
    logits = frame[[CLEAN, WORST]].to_numpy(float)
    edges = np.histogram_bin_edges(logits[np.isfinite(logits)], 40)
    for line, run in zip(axes, runs, strict=True):
        mine = frame[frame["run"] == run]
        for axis, (row, label) in zip(line, rows.items(), strict=True):
            outside = mine[mine["row"] == row]
            drawn = ((mine.loc[mine["row"] == IN, CLEAN], "in distribution"), (outside[CLEAN], "out, clean"))
            for style, (values, name) in zip(STYLES, (*drawn, (outside[WORST], "out, attacked")), strict=False):
                shares = np.histogram(values, edges)[0] / len(values)
                axis.stairs(100 * shares, edges, color=style["color"], linestyle=style["linestyle"], lw=1.6, label=name)
            axis.xaxis.set_major_locator(MaxNLocator(5))
            axis.grid(alpha=0.3)
            axis.set_title(f"{label}:\n{LABELS[run]}", fontsize=9)
        line[0].set_ylabel("% of the images", fontsize=9)
    for axis in axes[-1]:
        axis.set_xlabel("logit f", fontsize=9)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    return figure


def scores(attack: Result) -> pd.DataFrame:
    """Return the logits that an attack step computed, with its run and seed."""
    record, frame = attack.record, attack.table("scores.csv")
    frame.insert(0, "run", record["run"])
    frame.insert(1, "label", LABELS[record["run"]])
    frame.insert(2, "seed", record["seed"])
    return frame


def of_radius(frame: pd.DataFrame) -> str:
    """Say the radius of the attack."""
    return f"radius {frame['radius'].max():g}"


def ood_attacked(needs: Needs) -> Drawn:
    """Draw the first images of each set, clean and under the strongest attack on each of two models.

    The frame has a row per model and image, with its logits and how far the attack moved it.
    """
    rows = rows_of(needs)
    attacks = needs.under("attack")
    kept = {run: kept_of(attacks[run]) for run in LABELS if run in attacks}
    frame = pd.concat([frame for frame, _ in kept.values()], ignore_index=True)
    figure = canvas(12, 4 * LINE + (2 * LINE + height_of(1 + 2 * len(kept), 8, 5.9)) * ceil(len(rows) / 2))
    panels = figure.subplots(ceil(len(rows) / 2), 2, squeeze=False).flat
    for axis, (row, label) in zip(panels, rows.items(), strict=False):
        first = next(iter(kept.values()))[0]
        numbers = first.loc[first["row"] == row, "image"].to_numpy()
        clean = needs[f"images/{row}"].images[numbers]
        strips = {"clean": clean}
        for run, (mine, images) in kept.items():
            here = mine["row"] == row
            moved = f"{mine.loc[here, CLEAN].mean():.1f} to {mine.loc[here, WORST].mean():.1f}"
            attacked = 255 * images[here]
            strips[f"{LABELS[run]}\nf from {moved}"] = np.round(attacked).astype(np.uint8)
            changes = 127.5 + AMPLIFIED * (attacked - clean)
            strips[f"{LABELS[run]}:\nchange, {AMPLIFIED} times"] = np.round(changes).clip(0, 255).astype(np.uint8)
        draw_strips(axis, strips)
        axis.set_title(label, fontsize=10)
    caption = (
        f"In distribution: {needs.introduction('cifar10')}\nThe first images of each set, clean and after the "
        f"strongest attack on each model, {of_radius(frame)}, {of_seed(frame)}. f: mean logit of the images shown. In "
        "the strips of changes, grey means no change."
    )
    rises = (frame[WORST] - frame[CLEAN]).groupby(frame["label"]).mean()
    headline = f"the attack raises f by {', '.join(f'{rise:.1f} ({label})' for label, rise in rises.items())}"
    return Drawn(with_labels(frame, rows), caption, headline, figure=figure)


def kept_of(attack: Result) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the scores of the images whose attacked versions an attack step kept, and these images (k, H, W, C)."""
    images, frame = attack.array("images.npy")[:], scores(attack)
    radius = attack.record["settings"]["radii"][0]
    first = frame[~frame["row"].isin([IN, HELD_OUT]) & (frame["radius"] == radius)]
    each = len(images) // first["row"].nunique()
    return first.groupby("row", sort=False).head(each).reset_index(drop=True), images
