"""What makes the method work, and how stable it is: Figs. 2 to 5 and Sec. 5.3."""

from collections.abc import Mapping
from statistics import mean
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

from .drawing import STYLES, canvas, line, saved, title
from .needs import Needs
from .records import WINDOW, checks, extractor_of, gaps, interval, of

FIG3 = ("cifar10", "cifar10_p0_narrower", "cifar10_p0_narrowest")
GROWN = 1  # a gap between logits below this one is far from an overflow


# --- Figs. 2 and 5: in the course of training ---------------------------------------------------------------------


def fig2(plan: str, out: str) -> pd.DataFrame:
    """Draw Fig. 2, distances in the course of training with and without R1 and pre-training, to `out` (.png), .svg and
    .csv; return the frame of `checks`."""
    needs = Needs.read(plan)
    frame = checks(needs)
    labels = {
        run: f"R1 {spec['settings']['r1']:g}, {'pre-trained' if 'init' in spec['parents'] else 'from scratch'}"
        for run, spec in needs.trainings().items()
    }
    frame.insert(1, "label", frame["run"].map(labels))
    figure = canvas(8, 4.6)
    axis = figure.subplots()
    draw_curves(axis, frame, "iteration", labels)
    axis.set(xlabel="iteration", ylabel=distance_name(needs))
    axis.legend(fontsize=9)
    title(figure, caption_of_curves(needs, "celebahq256", frame))
    return saved(figure, frame, out)


def fig5(plan: str, out: str) -> pd.DataFrame:
    """Draw Fig. 5, progressive training and fixed K against iterations and against their cost, to `out` (.png), .svg
    and .csv; return the frame of `checks`."""
    needs = Needs.read(plan)
    frame = checks(needs)
    labels = {run: of_schedule(spec["settings"]["schedule"]) for run, spec in needs.trainings().items()}
    frame.insert(1, "label", frame["run"].map(labels))
    figure = canvas(11, 4.6)
    axes = figure.subplots(1, 2, sharey=True)
    draw_curves(axes[0], frame, "iteration", labels)
    draw_curves(axes[1], frame, "gradient_steps", labels)
    axes[0].set(xlabel="iteration", ylabel=distance_name(needs))
    axes[1].set(xlabel="gradient steps of all attacks, each of one batch")
    axes[0].legend(fontsize=9)
    title(figure, caption_of_curves(needs, "cifar10", frame))
    return saved(figure, frame, out)


def draw_curves(axis: Axes, frame: pd.DataFrame, x: str, labels: Mapping[str, str]) -> None:
    """The distances of `checks` against its column `x`, a line per run; a ring where weights were kept."""
    for style, (run, label) in zip(STYLES, labels.items(), strict=False):
        mine = frame[frame["run"] == run]
        if mine.empty:
            continue
        line(axis, mine, x, "distance", label, style)
        kept = mine[mine["kept"]]
        axis.plot(kept[x], kept["distance"], "o", markersize=10, markerfacecolor="none", color=style["color"])
    axis.set_yscale("log")
    for formatted in (axis.yaxis.set_major_formatter, axis.yaxis.set_minor_formatter):
        formatted(LogFormatter(minor_thresholds=(2, 0.4)))  # 60, not 6 x 10^1
    axis.grid(alpha=0.3, which="both")


def of_schedule(schedule: Mapping[str, Any]) -> str:
    first, last = schedule["K_start"], schedule["K_max"]
    return f"K = {last}" if first == last else f"K = {first}, {first + 1}, ..., {last}"


def distance_name(needs: Needs) -> str:
    """What the monitors of the trainings measured."""
    (extractor,) = needs.records("extractor")
    n = {spec["settings"]["monitor"]["n"] for spec in needs.trainings().values() if spec["settings"].get("monitor")}
    name = "FID" if extractor["kind"] == "inception" else "Frechet distance (stand-in)"
    return f"{name} of {'/'.join(map(str, sorted(n)))} samples"


def caption_of_curves(needs: Needs, task: str, frame: pd.DataFrame) -> str:
    seeds = sorted(set(frame["seed"]))
    band = f"mean and range over {len(seeds)} seeds" if len(seeds) > 1 else f"seed {', '.join(map(str, seeds))}"
    return (
        f"{needs.introduction(task)}\nSamples from validation sources, at the best of the sampler's lengths, {band}. "
        "Ring: the checkpoint that is kept."
    )


# --- Figs. 3 and 4: samples of trained models ---------------------------------------------------------------------


def fig3(plan: str, out: str) -> pd.DataFrame:
    """Draw Fig. 3, the distances of samples with three p_0, to `out` (.png), .svg and .csv; return the frame of
    `qualities`."""
    needs = Needs.read(plan)
    frame = qualities(needs)
    frame.insert(1, "label", [f"p_0: {needs.p_0(run)}" for run in frame["run"]])
    figure = canvas(8, 3)
    axis = figure.subplots()
    for y, run in enumerate(FIG3):
        records = of(needs.records("metric"), run=run)
        distance, half = mean(record["value"] for record in records), interval(records)
        axis.barh(y, distance, xerr=half, color=STYLES[y]["color"], alpha=0.75, height=0.6, capsize=4)
        axis.plot([record["value"] for record in records], [y] * len(records), "k.", markersize=5)
        axis.annotate(f"{distance:.4g}", (distance + half, y), (6, 0), textcoords="offset points", va="center")
    axis.set_yticks(range(len(FIG3)), [f"$p_0$: {needs.p_0(run)}" for run in FIG3])
    axis.invert_yaxis()
    axis.set_xlim(right=1.15 * axis.get_xlim()[1])  # room for the numbers
    axis.set(xlabel=measure(needs))
    axis.grid(alpha=0.3, axis="x")
    title(figure, f"{needs.introduction('cifar10')}\n{of_samples(needs)} {of_lengths(frame)}")
    return saved(figure, frame, out)


def of_lengths(frame: pd.DataFrame) -> str:
    """Say by which samplers the models of `qualities` were sampled."""
    lengths = {f"{row.sampler_steps} x {row.step_size:g}" for row in frame.itertuples()}
    if len(lengths) == 1:
        return f"All by the same sampler, {lengths.pop()}."
    each = "; ".join(f"{row.label}: {row.sampler_steps} x {row.step_size:g}" for row in frame.itertuples())
    return f"Each by the length that training chose for it ({each}), where the paper has one sampler for all."


def fig4(plan: str, out: str) -> pd.DataFrame:
    """Draw Fig. 4, the distances of samples with fixed K, to `out` (.png), .svg and .csv; return the frame of
    `qualities`."""
    needs = Needs.read(plan)
    frame = qualities(needs)
    frame.insert(1, "label", "K = " + frame["K"])
    frame = frame.sort_values(["K", "seed"], key=pd.to_numeric, ignore_index=True)
    of_K = {spec["settings"]["schedule"]["K_max"]: run for run, spec in needs.trainings().items()}
    groups = {K: of(needs.records("metric"), run=of_K[K]) for K in sorted(of_K)}
    means = [mean(record["value"] for record in records) for records in groups.values()]
    figure = canvas(7, 4.2)
    axis = figure.subplots()
    axis.errorbar(list(groups), means, [interval(records) for records in groups.values()], capsize=4, **STYLES[0])
    for K, records in groups.items():
        axis.plot([K] * len(records), [record["value"] for record in records], "k.", markersize=5)
    axis.set(xlabel="K, steps of the PGD attack in training", ylabel=measure(needs), xticks=list(groups))
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.3)
    title(figure, f"{needs.introduction('cifar10')}\nAlgorithm 1, K fixed. {of_samples(needs)} {of_lengths(frame)}")
    return saved(figure, frame, out)


def qualities(needs: Needs) -> pd.DataFrame:
    """One row per run and seed: its K, what its training cost, and the distance of its samples, with its interval."""
    trained = {(record["run"], record["seed"]): record for record in needs.records("train")}
    specs = needs.trainings()
    rows = []
    for record in needs.records("metric"):
        images = record["images"]
        run, seed = images["run"], images["seed"]
        rows.append(
            {
                "run": run,
                "K": of_schedule(specs[run]["settings"]["schedule"]).removeprefix("K = ") if run in specs else "",
                "seed": seed,
                "iterations": trained[run, seed]["iterations"],
                "gradient_steps": trained[run, seed]["gradient_steps"],
                "sampler_steps": images["steps"],
                "step_size": images["step_size"],
                "distance": record["value"],
                "ci95": record["ci95"],
                "metric": record["name"],
                "n_samples": record["n_samples"],
                "extractor": extractor_of(record),
            }
        )
    return pd.DataFrame(rows).sort_values(["run", "seed"], ignore_index=True)


def measure(needs: Needs) -> str:
    """What the numbers of samples are."""
    record = needs.records("metric")[0]
    return f"{record['name']} of {record['n_samples']} samples"


def of_samples(needs: Needs) -> str:
    seeds = {record["images"]["seed"] for record in needs.records("metric")}
    spread = f"mean of {len(seeds)} seeds" if len(seeds) > 1 else f"seed {min(seeds)}, interval from blocks of images"
    return f"Samples from the same source images; {spread}; bars: 95 % intervals."


# --- Sec. 5.3 -----------------------------------------------------------------------------------------------------


def stability(plan: str, out: str) -> pd.DataFrame:
    """Draw the gap between logits of data and of contrastive samples (Sec. 5.3) to `out` (.png), .svg and .csv.

    Returns the frame: a row per run, seed and logged iteration, with the gap of that batch and the median gap of the
    batches logged in the last WINDOW iterations; numbers that overflowed are inf or empty.
    """
    needs = Needs.read(plan)
    frame = pd.concat([gaps(needs, folder) for folder in needs.folder("train")], ignore_index=True)
    columns = ["lr", "objective", "contrastive", "seed", "iteration"]
    frame = frame.sort_values(columns, ascending=[False, False, False, True, True], ignore_index=True)
    figure = draw_stability(frame, f"{needs.introduction('cifar10')} {of_batches(needs, frame)}")
    return saved(figure, frame, out)


def draw_stability(frame: pd.DataFrame, caption: str) -> Figure:
    """Draw the median gap of `stability` against the iteration, a line per run, on a scale that is linear around 0."""
    median = f"median_gap_{WINDOW}"
    figure = canvas(9, 5.2)
    axis = figure.subplots()
    for style, (_, mine) in zip(STYLES, frame.groupby("run", sort=False), strict=False):
        first = mine.iloc[0]
        finite = mine[np.isfinite(mine[median])]
        label = f"{first['objective']}, {first['contrastive']}, LR {first['lr']:g}: {last_gap(mine, median)}"
        line(axis, finite, "iteration", median, label, style)
    axis.set_yscale("symlog", linthresh=1e-3)
    axis.axhline(0, color="0.4", linewidth=0.8)
    gap = "logit of data minus logit of contrastive samples"
    axis.set(xlabel="iteration", ylabel=f"{gap},\nmedian of {WINDOW} iterations")
    axis.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    title(figure, caption)
    return figure


def last_gap(frame: pd.DataFrame, median: str) -> str:
    """The end of a line, in words: over seeds, their median; and at which iteration numbers overflowed."""
    last = frame.groupby("seed").last()
    ended = frame.groupby("seed")["iteration"].max()[last["overflowed"]]
    if len(ended):
        return f"overflow at iteration {', '.join(map(str, ended))}"
    return f"{frame[frame['iteration'] == frame['iteration'].max()][median].median():.3g}"


def of_batches(needs: Needs, frame: pd.DataFrame) -> str:
    """Say, for the caption, which seeds and K were run, what else differs from Eq. 2, and what was not reached."""
    seeds = sorted(set(frame["seed"]))
    band = f"Mean and range over {len(seeds)} seeds" if len(seeds) > 1 else f"Seed {seeds[0]}"
    least, most = frame["K"].min(), frame["K"].max()
    words = [f"{band}; {f'K = {most}' if least == most else f'K from {least} to {most}'}."]
    if any(spec["settings"]["in_attack"] for spec in needs.trainings().values()):
        words.append("Images of p_data are attacked downhill before each update, a step that Eq. 2 does not have.")
    words += [
        f"At LR {lr:g} the gap under Eq. 2 with PGD was still below {GROWN} after {mine['iteration'].max()} "
        "iterations: the overflow that the paper reports was not reached."
        for lr, mine in frame[(frame["objective"] == "Eq. 2") & (frame["contrastive"] == "PGD")].groupby("lr")
        if not mine["overflowed"].any() and mine.groupby("seed")[f"median_gap_{WINDOW}"].last().max() < GROWN
    ]
    return " ".join([*words, "After each label: where its line ends."])
