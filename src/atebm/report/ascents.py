"""Draw PGD from other images: intermediate results, interpolation, translation, composition, restoration."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ..evaluation.intervals import t_half_width
from .drawing import LINE, STYLES, canvas, draw_matrix, draw_strips, heading, height_of, log_scale
from .drawn import Drawn
from .needs import Needs, Result
from .pictures import checkpoint, how_made
from .published import published
from .trivial import Restored, damage, gain, restored_trivially, trivial_filters

RESTORED, COMPOSED, TRANSLATED = 14, 12, 10  # images shown of a restoration, of a composition, and in Fig. 7
LIGHTEST = 250  # of 255: grey levels from here on are shown as white


def trajectory(needs: Needs) -> Drawn:
    """Draw Figs. S14 to S16: images after several numbers of steps, with their energy and distance; and an animation.

    The frame has a row per image and number of steps: f, its negative (the energy), how far the image has moved, and
    the distance of many images after as many steps.
    """
    ((name, ascent),) = needs.under("ascent").items()
    record, frames = ascent.record, ascent.array("frames.npy")[:]
    frame, distances = with_energy(ascent), ascent.table("distances.csv")
    figure = canvas(12, 4 * LINE + height_of(len(frames), frames.shape[1], 8.2))
    axes = figure.subplot_mosaic([["images", "energy"], ["images", "distance"]], width_ratios=[2.1, 1])
    draw_matrix(axes["images"], frames, [str(steps) for steps in record["steps"]])
    axes["images"].set_xlabel("PGD steps", fontsize=9)
    axes["images"].xaxis.set_label_position("top")
    draw_energies(axes["energy"], frame, "steps", "PGD steps", STYLES[0])
    style = STYLES[1]
    axes["distance"].errorbar(
        distances["steps"], distances["distance"], distances["ci95"], markersize=4, capsize=3, **style
    )
    axes["distance"].set(xlabel="PGD steps", ylabel=f"{distance_name(needs)}\nof {distances['n'].max()} images")
    log_scale(axes["distance"].yaxis)
    lowest = distances.sort_values("distance").iloc[0]
    edge = ", the edge of the grid" if lowest["steps"] in (distances["steps"].min(), distances["steps"].max()) else ""
    caption = (
        f"{needs.introduction(record['run'])}\nThe first {len(frames)} source images under PGD with steps of "
        f"{record['step_size']:g}, seed {record['seed']}, {checkpoint(ascent, needs[f'model/{name}'])}. The distance "
        f"is smallest after {lowest['steps']:.0f} steps{edge}. Energy: median and quartiles of the {len(frames)} "
        f"images. Bars: 95 % intervals. {saturation(frames)}"
    )
    return Drawn(
        frame.merge(distances, on="steps", how="left"),
        caption,
        f"the distance is smallest after {lowest['steps']:.0f} steps: {lowest['distance']:.4g}",
        best_number(needs.task(record["run"])["title"]),
        figure=figure,
        animation=ascent.array("motion.npy")[:],
    )


def best_number(task: str) -> str:
    """Say which number of steps the paper found best for a task; return "" if it gives none."""
    steps = published("tableS4").set_index("task")["steps"]
    return f"the FID is best after {steps[task]} steps" if task in steps else ""


def interpolation(needs: Needs) -> Drawn:
    """Draw Figs. S11 to S13: blends of two sources, and below them the samples that PGD makes of them.

    The frame has a row per blend, before and after the ascent: pair, share of the second source, f and energy.
    """
    ((name, ascent),) = needs.under("ascent").items()
    record, frames = ascent.record, ascent.array("frames.npy")[:]
    count = record["start"]["count"]
    frame = with_energy(ascent)
    frame.insert(1, "pair", frame["image"] // count)
    frame.insert(2, "share", frame["image"] % count / (count - 1))
    pairs = len(frames) // count
    rows = frames.reshape(pairs, count, *frames.shape[1:])
    strips = {}
    for pair in range(pairs):
        for label, index in (("blend", 0), ("sample", -1)):
            strips[f"{label} {pair + 1}"] = rows[pair, :, index]
    figure = canvas(12, 4 * LINE + height_of(len(strips), count, 7.3))
    axes = figure.subplot_mosaic([["images", "blends"], ["images", "samples"]], width_ratios=[1.6, 1])
    draw_strips(axes["images"], strips)
    for style, (label, at) in zip(STYLES, (("blends", 0), ("samples", record["steps"][-1])), strict=False):
        draw_energies(axes[label], frame[frame["steps"] == at], "share", "share of the second source", style)
        axes[label].set_title(label, fontsize=9)
    caption = (
        f"{needs.introduction(record['run'])}\nPGD from linear blends of two source images; the first images of the "
        f"set form the pairs. {how_made(ascent, needs[f'model/{name}'])} Seed {record['seed']}. Energy: median and "
        f"quartiles of {pairs} pairs; the two axes differ in scale."
    )
    energies = frame[frame["steps"] > 0].groupby("share")["energy"].median()
    headline = (
        f"median energy of samples from the sources themselves {energies.iloc[[0, -1]].mean():.3g}, from blends "
        f"{energies.iloc[1:-1].mean():.3g}"
    )
    return Drawn(frame, caption, headline, figure=figure)


def fig7(needs: Needs) -> Drawn:
    """Draw Fig. 7: images of two tasks, each translated by the other's model."""
    return translation(needs, slice(TRANSLATED))


def figS20(needs: Needs) -> Drawn:
    """Draw Fig. S20, translation in three directions: the last images that are kept, while Fig. 7 shows the first."""
    return translation(needs, slice(-18, None))


def translation(needs: Needs, shown: slice) -> Drawn:
    """Draw some images of one task translated by another's model, a strip for each direction.

    The frame has a row per direction, image and number of steps: f, and the distance of many images to the target's
    p_data after as many steps.
    """
    ascents = needs.under("ascent")
    first, last, _ = shown.indices(min(len(ascent.array("frames.npy")) for ascent in ascents.values()))
    each = height_of(2, last - first, 12) + 3 * LINE  # a heading has two lines
    figure = canvas(12, 3 * LINE + each * len(ascents))
    frames, parts = [], []
    for axis, (name, ascent) in zip(figure.subplots(len(ascents), 1), ascents.items(), strict=True):
        record, images = ascent.record, ascent.array("frames.npy")[first:last]
        draw_strips(axis, {"image": images[:, 0], "translated": images[:, -1]})
        distances = ascent.table("distances.csv")
        ends = list(distances.iloc[[0, -1]].itertuples())
        before, after = (f"{row.distance:.4g} ± {row.ci95:.2g}" for row in ends)
        direction = f"{needs.name_of(record['set'])} to {needs.name(record['run'])}"
        heading(
            axis,
            f"{direction[0].upper()}{direction[1:]}. {how_made(ascent, needs[f'model/{name}'])} {distance_name(needs)} "
            f"to the target: {before} before, {after} after. {saturation(images)}",
        )
        frames.append(ascent.table("path.csv").merge(distances, on="steps", how="left").assign(translation=direction))
        parts.append(f"{direction} {ends[0].distance:.4g} to {ends[-1].distance:.4g}")
    caption = (
        f"Translation at the {needs.scale} scale: PGD with a model that never saw images of the other task. Images "
        f"{first + 1} to {last} of each set, not hand-picked; seed {record['seed']}; ± is half of a 95 % interval."
    )
    frame = pd.concat(frames, ignore_index=True)
    return Drawn(frame, caption, f"distance: {', '.join(parts)}", figure=figure)


def composition(needs: Needs) -> Drawn:
    """Draw Fig. S17: from the same sources, samples of two models and of the sum of their f.

    The frame has a row per image and number of steps, with the sum and both f.
    """
    ((name, ascent),) = needs.under("ascent").items()
    record, frames = ascent.record, ascent.array("frames.npy")[:COMPOSED]
    runs = [record["run"], *record["others"]]
    strips = {"source": frames[:, 0]}
    for run in runs:
        strips[f"{needs.name(run)}, alone".replace(" (", "\n(")] = needs[f"samples/{run}"].images[: len(frames)]
    strips["sum of both f"] = frames[:, -1]
    frame = ascent.table("path.csv")
    figure = canvas(12, 5)
    draw_strips(figure.subplots(), strips)
    medians = [
        f"{needs.name(run)} {before:.1f} to {after:.1f}"
        for run in runs
        for before, after in [frame.groupby("steps")[f"logit_{run}"].median().iloc[[0, -1]]]
    ]
    caption = (
        f"Composition at the {needs.scale} scale: {' and '.join(needs.name(run) for run in runs)}.\n"
        f"{how_made(ascent, needs[f'model/{name}'])} Seed {record['seed']}. Each model's median f over "
        f"{len(set(frame['image']))} images, from source to sample under PGD on the sum: {', '.join(medians)}."
    )
    return Drawn(frame, caption, f"median f under PGD on the sum: {', '.join(medians)}", figure=figure)


def restoration(needs: Needs) -> Drawn:
    """Draw Figs. S18 and S19: undamaged, damaged and restored images, and those that trivial filters restore.

    The frame has a row per restoration, image and number of steps (0: the damaged image), with PSNR in dB and SSIM to
    the undamaged image; and a row per trivial filter and image, with its PSNR.
    """
    ((run, undamaged),) = needs.under("undamaged").items()
    ascents = needs.under("ascent")
    figure = canvas(12, 3 * LINE + sum(height_of(strips_of(it), RESTORED, 12) + 3.5 * LINE for it in ascents.values()))
    heights = [strips_of(ascent) + 0.8 for ascent in ascents.values()]
    frames, parts = [], []
    for axis, (name, ascent) in zip(figure.subplots(2, 1, height_ratios=heights), ascents.items(), strict=True):
        record, images = ascent.record, ascent.array("frames.npy")[:]
        damaged, mended = ("noisy", "denoised") if record["start"]["name"] == "noisy" else ("occluded", "inpainted")
        filtered = restored_trivially(record["start"], images[:, 0], undamaged.images[: len(images)])
        strips = {"undamaged": undamaged.images[:RESTORED], damaged: images[:RESTORED, 0]}
        strips[f"{mended} by PGD"] = images[:RESTORED, -1]
        strips |= {way.replace(" of", "\nof"): found.images[:RESTORED] for way, found in filtered.items()}
        draw_strips(axis, strips)
        frame = ascent.table("path.csv")
        gains, before = gain(frame), frame.loc[frame["steps"] == 0, "psnr"].mean()
        heading(
            axis,
            f"{damage(record)}. {how_made(ascent, needs[f'model/{name}'])} PSNR of {len(gains)} images: {before:.2f} "
            f"dB {damaged}; PGD on f changes it by {rise(gains)}, {trivial_rises(filtered)}.",
        )
        frames += [frame.assign(way=mended), *(found.rows.assign(way=way) for way, found in filtered.items())]
        beside = ", ".join(f"{way} {found.gains.mean():+.2f}" for way, found in filtered.items())
        parts.append(f"{mended} by PGD {gains.mean():+.2f} ({beside})")
    task = needs.task(run)
    unseen = "not seen in training, " if record["set"] == task["held_out"] != task["p_data"] else ""
    caption = (
        f"{needs.introduction(run)}\nThe first images of the set, {unseen}not hand-picked; seed {record['seed']}; ± is "
        "half of a 95 % interval of the mean."
    )
    frame = pd.concat(frames, ignore_index=True)
    return Drawn(frame, caption, f"change of PSNR in dB: {'; '.join(parts)}", figure=figure)


def strips_of(ascent: Result) -> int:
    """Return how many strips show a restoration: undamaged, damaged, restored, and one per trivial filter."""
    return 3 + len(trivial_filters(ascent.record["start"]))


# --- shared by the figures --------------------------------------------------------------------------------------------


def saturation(frames: np.ndarray) -> str:
    """Say what share of the pixels of images (n, steps, H, W, C) is white before and after an ascent."""
    before, after = (100 * (frames[:, at] >= LIGHTEST).mean() for at in (0, -1))
    return f"White pixels: {before:.0f} % before, {after:.0f} % after."


def rise(gains: pd.Series | np.ndarray) -> str:
    """Say by how many dB PSNR rises on average over images, and what share of them gets worse."""
    half = t_half_width([float(each) for each in gains])
    return f"{np.mean(gains):+.2f} ± {half:.2f} dB ({100 * np.mean(gains < 0):.0f} % of the images get worse)"


def trivial_rises(filtered: Mapping[str, Restored]) -> str:
    """Say by how much each trivial filter changes the PSNR of damaged images."""
    return ", ".join(f"a {name} by {rise(found.gains)}" for name, found in filtered.items())


def with_energy(ascent: Result) -> pd.DataFrame:
    """Return an ascent's path.csv with a column of the energy, -f."""
    frame = ascent.table("path.csv")
    frame.insert(3, "energy", -frame["logit"])
    return frame


def draw_energies(axis: Axes, frame: pd.DataFrame, x: str, label: str, style: Mapping[str, Any]) -> None:
    """Draw the median energy against a column, with a band between the quartiles."""
    energies = frame.groupby(x)["energy"]
    medians = energies.median()
    axis.plot(medians, markersize=4, **style)
    low, high = energies.quantile(0.25), energies.quantile(0.75)
    axis.fill_between(medians.index, low, high, color=style["color"], alpha=0.2)
    axis.set(xlabel=label, ylabel="energy -f")
    axis.grid(alpha=0.3)


def distance_name(needs: Needs) -> str:
    """Return the name of the distance that an ascent's extractor gives."""
    return "FID" if needs["extractor"].record["kind"] == "inception" else "Frechet distance (stand-in)"
