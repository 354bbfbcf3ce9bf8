"""The figures of PGD from other images: intermediate results, interpolation, translation, composition, restoration."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ..evaluation.intervals import t_half_width
from ..pipeline.job import record_of
from ..utils.pictures import animate
from .drawing import STYLES, canvas, draw_matrix, draw_strips, heading, log_scale, saved, title
from .needs import Needs
from .pictures import checkpoint, how, images_of
from .trivial import trivial_gains

SHOWN = {"fig7": 10, "figS20": 18}  # images of a translation
RESTORED, COMPOSED = 14, 12  # images of a restoration and of a composition


def trajectory(plan: str, out: str) -> pd.DataFrame:
    """Draw Figs. S14 to S16, images after several numbers of steps, energy and distance, to `out` (.png) and .svg.

    Writes the numbers as .csv and the whole way as .gif; returns the frame, a row per image and number of steps: f, its
    negative (the energy), the way moved, and the distance of many images after as many steps.
    """
    needs = Needs.read(plan)
    (folder,) = needs.folder("ascent")
    record, frames = record_of(folder), np.load(folder / "frames.npy")
    frame, distances = with_energy(folder), pd.read_csv(folder / "distances.csv")
    figure = canvas(12, 6.6)
    axes = figure.subplot_mosaic([["images", "energy"], ["images", "distance"]], width_ratios=[2.1, 1])
    draw_matrix(axes["images"], frames, [str(steps) for steps in record["steps"]])
    axes["images"].set_xlabel("PGD steps", fontsize=9)
    axes["images"].xaxis.set_label_position("top")
    draw_energies(axes["energy"], [("", frame)], "steps", "PGD steps")
    style = STYLES[1]
    axes["distance"].errorbar(
        distances["steps"], distances["distance"], distances["ci95"], markersize=4, capsize=3, **style
    )
    axes["distance"].set(xlabel="PGD steps", ylabel=f"{distance_name(needs, folder)}\nof {distances['n'].max()} images")
    log_scale(axes["distance"].yaxis)
    lowest = distances.sort_values("distance").iloc[0]
    title(
        figure,
        f"{needs.introduction(record['run'])}\nThe first {len(frames)} source images on their way, steps of "
        f"{record['step_size']:g}, seed {record['seed']}, {checkpoint(needs, record)}. Of these "
        f"numbers of steps, {lowest['steps']:.0f} have the lowest distance. Bars: 95 % intervals.",
    )
    animate(np.load(folder / "motion.npy"), Path(out).with_suffix(".gif"))
    return saved(figure, frame.merge(distances, on="steps", how="left"), out)


figS14 = figS15 = figS16 = trajectory


def interpolation(plan: str, out: str) -> pd.DataFrame:
    """Draw Figs. S11 to S13, samples from blends of two sources below these, to `out` (.png), .svg and .csv.

    Returns the frame: a row per blend, before and after the ascent: pair, share of the second source, f and energy.
    """
    needs = Needs.read(plan)
    (folder,) = needs.folder("ascent")
    record, frames = record_of(folder), np.load(folder / "frames.npy")
    count = record["start"]["count"]
    frame = with_energy(folder)
    frame.insert(1, "pair", frame["image"] // count)
    frame.insert(2, "share", frame["image"] % count / (count - 1))
    pairs = len(frames) // count
    rows = frames.reshape(pairs, count, *frames.shape[1:])
    strips = {}
    for pair in range(pairs):
        for name, index in (("blend", 0), ("sample", -1)):
            strips[f"{name} {pair + 1}"] = rows[pair, :, index]
    figure = canvas(12, 8.4)
    axes = figure.subplot_mosaic([["images", "energy"]], width_ratios=[1.7, 1])
    draw_strips(axes["images"], strips)
    ends = [(name, frame[frame["steps"] == steps]) for name, steps in (("blends", 0), ("samples", record["steps"][-1]))]
    draw_energies(axes["energy"], ends, "share", "share of the second source")
    title(
        figure,
        f"{needs.introduction(record['run'])}\nPGD from linear blends of two source images, the first of the set in "
        f"pairs. {how(needs, record)} Seed {record['seed']}. Energy: median and quartiles of {pairs} pairs.",
    )
    return saved(figure, frame, out)


figS11 = figS12 = figS13 = interpolation


def translation(plan: str, out: str) -> pd.DataFrame:
    """Draw Figs. 7 and S20, images of one task translated by another's model, to `out` (.png), .svg and .csv.

    Returns the frame: a row per direction, image and number of steps, with f, and the distance to the target's p_data
    of many images after as many steps.
    """
    needs = Needs.read(plan)
    shown = SHOWN[needs.contents["artifact"]]
    folders = needs.folder("ascent")
    figure = canvas(12, 0.4 + (0.6 + 26 / shown) * len(folders))
    frames = []
    for axis, folder in zip(figure.subplots(len(folders), 1), folders, strict=True):
        record, images = record_of(folder), np.load(folder / "frames.npy")[:shown]
        draw_strips(axis, {"image": images[:, 0], "translated": images[:, -1]})
        distances = pd.read_csv(folder / "distances.csv")
        before, after = (f"{row.distance:.4g} ± {row.ci95:.2g}" for row in distances.iloc[[0, -1]].itertuples())
        direction = f"{needs.name_of(record['set'])} to {needs.name(record['run'])}"
        heading(
            axis,
            f"{direction[0].upper()}{direction[1:]}. {how(needs, record)} {distance_name(needs, folder)} to the "
            f"latter: {before} before, {after} after.",
        )
        path = pd.read_csv(folder / "path.csv").merge(distances, on="steps", how="left")
        frames.append(path.assign(translation=direction))
    title(
        figure,
        f"Translation at scale {needs.scale}: PGD with a model that never saw images of the other task. The first "
        f"images of each set, none chosen; seed {record['seed']}; ± is half of a 95 % interval.",
    )
    return saved(figure, pd.concat(frames, ignore_index=True), out)


fig7 = figS20 = translation


def figS17(plan: str, out: str) -> pd.DataFrame:
    """Draw Fig. S17, samples of two models and of the sum of their f from the same sources, to `out` (.png) and .svg.

    Writes the numbers as .csv and returns them: a row per image and number of steps, with the sum and both f.
    """
    needs = Needs.read(plan)
    (folder,) = needs.folder("ascent")
    record, frames = record_of(folder), np.load(folder / "frames.npy")[:COMPOSED]
    runs = [record["run"], *record["others"]]
    alone = {record_of(sample)["run"]: sample for sample in needs.folder("sample")}
    strips = {"source": frames[:, 0]}
    strips |= {f"{needs.name(run)}, alone".replace(" (", "\n("): images_of(alone[run])[: len(frames)] for run in runs}
    strips["sum of both f"] = frames[:, -1]
    frame = pd.read_csv(folder / "path.csv")
    figure = canvas(12, 5)
    draw_strips(figure.subplots(), strips)
    medians = [
        f"{needs.name(run)} {before:.1f} to {after:.1f}"
        for run in runs
        for before, after in [frame.groupby("steps")[f"logit_{run}"].median().iloc[[0, -1]]]
    ]
    title(
        figure,
        f"Composition at scale {needs.scale}: {' and '.join(needs.name(run) for run in runs)}.\n"
        f"{how(needs, record)} Seed {record['seed']}. Median f of the {len(set(frame['image']))} images below the sum, "
        f"from source to sample: {', '.join(medians)}.",
    )
    return saved(figure, frame, out)


def restoration(plan: str, out: str) -> pd.DataFrame:
    """Draw Figs. S18 and S19, denoised and inpainted images between damaged and undamaged ones, to `out` (.png), .svg.

    Writes the numbers as .csv and returns them: a row per way, image and number of steps (0: as damaged), with PSNR in
    dB and SSIM to the undamaged image.
    """
    needs = Needs.read(plan)
    (originals,) = needs.folder("data")
    figure = canvas(12, 6)
    frames = []
    for axis, folder in zip(figure.subplots(2, 1), needs.folder("ascent"), strict=True):
        record, images = record_of(folder), np.load(folder / "frames.npy")[:RESTORED]
        damaged, mended = ("noisy", "denoised") if record["start"]["name"] == "noisy" else ("occluded", "inpainted")
        strips = {damaged: images[:, 0], mended: images[:, -1]}
        draw_strips(axis, {"undamaged": images_of(originals)[: len(images)], **strips})
        frame = pd.read_csv(folder / "path.csv")
        gains, before = gain(frame), frame[frame["steps"] == 0]
        heading(
            axis,
            f"{damage(record)}. {how(needs, record)} PSNR of {len(gains)} images: {before['psnr'].mean():.2f} dB "
            f"{damaged}, {gains.mean():+.2f} ± {t_half_width(gains.tolist()):.2f} dB when {mended}; "
            f"{100 * (gains < 0).mean():.0f} % of the images get worse. {in_comparison(folder, images_of(originals))}",
        )
        frames.append(frame.assign(way=mended))
    task = needs.task(record["run"])
    unseen = "unseen in training, " if record["set"] == task["held_out"] != task["p_data"] else ""
    title(
        figure,
        f"{needs.introduction(record['run'])}\nThe first images of the set, {unseen}none chosen; seed "
        f"{record['seed']}; ± is half of a 95 % interval of the mean.",
    )
    return saved(figure, pd.concat(frames, ignore_index=True), out)


figS18 = figS19 = restoration


# --- what they share --------------------------------------------------------------------------------------------------


def gain(frame: pd.DataFrame) -> pd.Series:
    """Of path.csv of a restoration, how much PSNR (dB) of each image rose from the damaged to the last one."""
    by_steps = frame.pivot(index="image", columns="steps", values="psnr")
    return by_steps.iloc[:, -1] - by_steps.iloc[:, 0]


def baselines(folder: Path, originals: np.ndarray) -> dict[str, float]:
    """Return the mean rise of PSNR in dB by trivial filters on the damaged images of a restoration, by filter."""
    damaged = np.load(folder / "frames.npy", mmap_mode="r")[:, 0]
    gains = trivial_gains(record_of(folder)["start"], damaged, originals[: len(damaged)])
    return {name: float(rises.mean()) for name, rises in gains.items()}


def in_comparison(folder: Path, originals: np.ndarray) -> str:
    """Say what trivial filters do on the same images."""
    return f"{', '.join(f'{name}: {rise:+.2f} dB' for name, rise in baselines(folder, originals).items())}."


def damage(record: dict[str, Any]) -> str:
    start = record["start"]
    if start["name"] == "noisy":
        return f"Gaussian noise of {start['sigma']:g}"
    return f"A hole of {100 * start['side']:.3g} % of the side, filled with {start['fill']:g}; known pixels stay"


def with_energy(folder: Path) -> pd.DataFrame:
    frame = pd.read_csv(folder / "path.csv")
    frame.insert(3, "energy", -frame["logit"])
    return frame


def draw_energies(axis: Axes, parts: Iterable[tuple[str, pd.DataFrame]], x: str, label: str) -> None:
    """Median of the energy against a column, in the band of its quartiles."""
    for style, (name, frame) in zip(STYLES, parts, strict=False):
        energies = frame.groupby(x)["energy"]
        axis.plot(energies.median(), label=name, markersize=4, **style)
        axis.fill_between(
            energies.median().index, energies.quantile(0.25), energies.quantile(0.75), color=style["color"], alpha=0.2
        )
        if name:
            axis.legend(frameon=False, fontsize=9)
    axis.set(xlabel=label, ylabel="energy -f")


def distance_name(needs: Needs, folder: Path) -> str:
    """Of a Frechet distance by the extractor of an ascent."""
    extractor = needs.folders[0].parents[1] / needs.spec(folder)["parents"]["extractor"]
    return "FID" if record_of(extractor)["kind"] == "inception" else "Frechet distance (stand-in)"
