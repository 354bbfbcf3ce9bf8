"""Draw which ingredients make the method work, and how stable training is: Figs. 2 to 5 and Sec. 5.3."""

from collections.abc import Mapping
from statistics import mean
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter

from .drawing import STYLES, canvas, line
from .drawn import Drawn
from .needs import Needs, Result
from .pictures import edge
from .records import NEAR, WINDOW, arrival, evaluations, extractor_of, gaps, interval

FIG3 = ("cifar10", "cifar10_p0_narrower", "cifar10_p0_narrowest")
GROWN = 1  # a gap between logits below this value is far from an overflow


# --- Figs. 2 and 5: distances during training ---------------------------------------------------------------------


def fig2(needs: Needs) -> Drawn:
    """Draw Fig. 2, the distance during training with and without R1 and pre-training."""
    labels = {
        run: f"R1 {training.settings['r1']:g}, {'from scratch' if from_scratch(training) else 'pre-trained'}"
        for run, training in trained(needs).items()
    }
    frame = labelled(evaluations(needs), labels)
    figure = canvas(8, 4.6)
    axis = figure.subplots()
    draw_curves(axis, frame, "iteration", labels)
    axis.set(xlabel="iteration", ylabel=distance_name(needs))
    axis.legend(fontsize=9)
    return Drawn(frame, caption_of_curves(needs, "celebahq256", frame), headline_of_curves(frame), figure=figure)


def fig5(needs: Needs) -> Drawn:
    """Draw Fig. 5, the distance with progressive training and with fixed K, against iterations and against cost."""
    labels = {run: of_schedule(training.settings["schedule"]) for run, training in trained(needs).items()}
    frame = labelled(evaluations(needs), labels)
    figure = canvas(11, 4.6)
    axes = figure.subplots(1, 2, sharey=True)
    draw_curves(axes[0], frame, "iteration", labels)
    draw_curves(axes[1], frame, "gradient_steps", labels)
    axes[0].set(xlabel="iteration", ylabel=distance_name(needs))
    axes[1].set(xlabel="gradient steps of all attacks (one step: one batch)")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize=9)
    for axis in axes:
        axis.axhline(target(frame), color="0.4", linewidth=0.8, linestyle=":")
    caption = f"{caption_of_curves(needs, 'cifar10', frame)} {costs(frame)}"
    return Drawn(frame, caption, headline_of_curves(frame), figure=figure)


def target(frame: pd.DataFrame) -> float:
    """Return the distance that training must reach: NEAR times the least, averaged over seeds."""
    return NEAR * frame.groupby("seed")["distance"].min().mean()


def costs(frame: pd.DataFrame) -> str:
    """Say how many gradient steps each run took to reach the target, or that it never did."""
    words = []
    for label, mine in frame.groupby("label", sort=False):
        ends = [arrival(curve, target(frame[frame["seed"] == seed])) for seed, curve in mine.groupby("seed")]
        each = [f"{steps:,.0f}" if arrived else f"not reached in {steps:,.0f}" for steps, arrived in ends]
        words.append(f"{label}: {', '.join(each)}")
    return (
        f"Gradient steps to reach the dotted line, which is {NEAR:g} times the smallest distance of all runs: "
        f"{'; '.join(words)}."
    )


def trained(needs: Needs) -> dict[str, Result]:
    """Return one training of each run that was trained here, by run; the trainings of a run differ only in seed."""
    return {run: found[0] for run, found in needs.runs("train").items() if not found[0].is_imported}


def from_scratch(training: Result) -> bool:
    """Return whether a training started from random weights."""
    return "init" not in training.record["parents"]


def labelled(frame: pd.DataFrame, labels: Mapping[str, str]) -> pd.DataFrame:
    """Add a column with the label of each run."""
    frame.insert(1, "label", frame["run"].map(labels))
    return frame


def headline_of_curves(frame: pd.DataFrame) -> str:
    """Say each run's mean distance at the checkpoint that is kept."""
    return f"distance of samples from validation sources: {by_label(frame[frame['kept']])}"


def by_label(frame: pd.DataFrame) -> str:
    """Return each run's mean distance, by its label."""
    means = frame.groupby("label", sort=False)["distance"].mean()
    return "; ".join(f"{label} {mean:.4g}" for label, mean in means.items())


def draw_curves(axis: Axes, frame: pd.DataFrame, x: str, labels: Mapping[str, str]) -> None:
    """Draw the distances in `frame` against its column `x`: a line per run, and a ring where weights were kept."""
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
    """Return the name of the distance that training measured, for an axis."""
    n = {training.settings["monitor"]["n"] for training in trained(needs).values() if training.settings["monitor"]}
    name = "FID" if needs["extractor"].record["kind"] == "inception" else "Frechet distance (stand-in)"
    return f"{name} of {'/'.join(map(str, sorted(n)))} samples"


def caption_of_curves(needs: Needs, task: str, frame: pd.DataFrame) -> str:
    seeds = sorted(set(frame["seed"]))
    band = f"mean and range over {len(seeds)} seeds" if len(seeds) > 1 else f"seed {', '.join(map(str, seeds))}"
    return (
        f"{needs.introduction(task)}\nEach point scores samples from validation sources, with the best number of PGD "
        f"steps at that iteration; {band}. A ring marks the checkpoint that is kept. {still_falling(frame)}"
    )


def still_falling(frame: pd.DataFrame) -> str:
    """Say how many trainings end at their smallest distance: longer training might change their order."""
    curves = [curve for _, curve in frame.groupby(["run", "seed"])]
    falling = sum(curve["distance"].idxmin() == curve["iteration"].idxmax() for curve in curves)
    return f"{falling} of {len(curves)} trainings have their smallest distance at the last check."


# --- Figs. 3 and 4: samples of trained models ---------------------------------------------------------------------


def fig3(needs: Needs) -> Drawn:
    """Draw Fig. 3, the distances of samples of models trained with three different p_0."""
    frame = qualities(needs)
    frame.insert(1, "label", [f"p_0: {needs.p_0(run)}" for run in frame["run"]])
    figure = canvas(8, 3)
    axis = figure.subplots()
    for y, run in enumerate(FIG3):
        records = needs.records(f"distance/{run}")
        distance, half = mean(record["value"] for record in records), interval(records)
        axis.barh(y, distance, xerr=half, color=STYLES[y]["color"], alpha=0.75, height=0.6, capsize=4)
        axis.plot([record["value"] for record in records], [y] * len(records), "k.", markersize=5)
        axis.annotate(f"{distance:.4g}", (distance + half, y), (6, 0), textcoords="offset points", va="center")
    axis.set_yticks(range(len(FIG3)), [f"$p_0$: {needs.p_0(run)}" for run in FIG3])
    axis.invert_yaxis()
    axis.set_xlim(right=1.15 * axis.get_xlim()[1])  # room for the numbers
    axis.set(xlabel=measure(needs))
    axis.grid(alpha=0.3, axis="x")
    caption = f"{needs.introduction('cifar10')}\n{of_samples(needs)} {of_lengths(needs, frame)}"
    return Drawn(frame, caption, f"distance: {by_label(frame)}", figure=figure)


def of_lengths(needs: Needs, frame: pd.DataFrame) -> str:
    """Say how many PGD steps sampled each model in `frame`, and which numbers lie at the edge of their grid."""
    lengths = {f"{row.sampler_steps} steps of {row.step_size:g}" for row in frame.itertuples()}
    if len(lengths) == 1:
        return f"All models use the same sampler: {lengths.pop()}."
    here, columns = trained(needs), ("run", "label", "sampler_steps", "step_size")
    each = "; ".join(
        f"{label}: {steps} steps of {size:g}{edge(steps, here.get(run))}"
        for run, label, steps, size in zip(*(frame[name] for name in columns), strict=True)
    )
    return f"Each model uses the number of steps that its training selected ({each}); the paper uses one for all."


def fig4(needs: Needs) -> Drawn:
    """Draw Fig. 4, the distances of samples of models trained with fixed K (Algorithm 1)."""
    frame = qualities(needs)
    frame.insert(1, "label", "K = " + frame["K"])
    frame = frame.sort_values(["K", "seed"], key=pd.to_numeric, ignore_index=True)
    of_K = {training.settings["schedule"]["K_max"]: run for run, training in trained(needs).items()}
    groups = {K: needs.records(f"distance/{of_K[K]}") for K in sorted(of_K)}
    means = [mean(record["value"] for record in records) for records in groups.values()]
    figure = canvas(7, 4.2)
    axis = figure.subplots()
    axis.errorbar(list(groups), means, [interval(records) for records in groups.values()], capsize=4, **STYLES[0])
    for K, records in groups.items():
        axis.plot([K] * len(records), [record["value"] for record in records], "k.", markersize=5)
    axis.set(xlabel="K, PGD steps in training", ylabel=measure(needs), xticks=list(groups))
    axis.set_ylim(bottom=0)
    axis.grid(alpha=0.3)
    caption = (
        f"{needs.introduction('cifar10')}\nTrained by Algorithm 1 with a fixed K. {of_samples(needs)} "
        f"{of_lengths(needs, frame)}"
    )
    return Drawn(frame, caption, f"distance: {by_label(frame)}", figure=figure)


def qualities(needs: Needs) -> pd.DataFrame:
    """Return a row per run and seed: its K, the cost of its training, and the distance of its samples."""
    here, rows = trained(needs), []
    for role, result in needs.under("distance").items():
        run, seed = role.split("/")
        record, training = result.record, needs[f"train/{role}"].record
        rows.append(
            {
                "run": run,
                "K": of_schedule(here[run].settings["schedule"]).removeprefix("K = ") if run in here else "",
                "seed": int(seed),
                "iterations": training["iterations"],
                "gradient_steps": training["gradient_steps"],
                "sampler_steps": record["images"]["steps"],
                "step_size": record["images"]["step_size"],
                "distance": record["value"],
                "ci95": record["ci95"],
                "metric": record["name"],
                "n_samples": record["n_samples"],
                "extractor": extractor_of(record),
            }
        )
    return pd.DataFrame(rows).sort_values(["run", "seed"], ignore_index=True)


def measure(needs: Needs) -> str:
    """Return the name of the distance of samples, for an axis."""
    record = needs.records("distance")[0]
    return f"{record['name']} of {record['n_samples']} samples"


def of_samples(needs: Needs) -> str:
    """Say, for a caption, which seeds the samples have, and what the bars are."""
    seeds = {record["images"]["seed"] for record in needs.records("distance")}
    if len(seeds) > 1:
        return f"All samples start from the same source images. Mean of {len(seeds)} seeds; bars: 95 % intervals."
    return f"All samples start from the same source images. Seed {min(seeds)}; bars: 95 % intervals over images."


# --- Sec. 5.3 -----------------------------------------------------------------------------------------------------


def stability(needs: Needs) -> Drawn:
    """Draw the gap between logits of data and of contrastive samples (Sec. 5.3).

    The frame has a row per run, seed and logged iteration: the gap of that batch, and the median gap of the batches
    logged in the last WINDOW iterations. Numbers that overflowed are inf or empty.
    """
    frame = pd.concat(map(gaps, needs.under("train").values()), ignore_index=True)
    columns = ["lr", "objective", "contrastive", "seed", "iteration"]
    frame = frame.sort_values(columns, ascending=[False, False, False, True, True], ignore_index=True)
    return Drawn(
        frame,
        f"{needs.introduction('cifar10')} {of_batches(needs, frame)}",
        stability_headline(frame),
        "LR 1e-6: Eq. 2 overflows, Eq. 11 does not",
        figure=draw_stability(frame),
    )


def stability_headline(frame: pd.DataFrame) -> str:
    """Say each run's median gap over seeds at the end of training, or that numbers overflowed."""
    last = frame.groupby(["lr", "objective", "contrastive", "seed"], sort=False).last()
    parts = [
        f"LR {lr:g}, {objective} with {attack}: "
        f"{'overflow' if rows['overflowed'].any() else format(rows[f'median_gap_{WINDOW}'].median(), '.3g')}"
        for (lr, objective, attack), rows in last.groupby(["lr", "objective", "contrastive"], sort=False)
    ]
    return f"median gap after {frame['iteration'].max()} iterations, K = {frame['K'].max()}: {'; '.join(parts)}"


def draw_stability(frame: pd.DataFrame) -> Figure:
    """Draw the median gap of `stability` against the iteration, a line per run, a panel per learning rate."""
    median = f"median_gap_{WINDOW}"
    rates = list(dict.fromkeys(frame["lr"]))
    figure = canvas(12, 5.2)
    axes = dict(zip(rates, figure.subplots(1, len(rates), squeeze=False)[0], strict=True))
    for style, (_, mine) in zip(STYLES, frame.groupby("run", sort=False), strict=False):
        first = mine.iloc[0]
        finite = mine[np.isfinite(mine[median])]
        label = f"{first['objective']}, {first['contrastive']}, LR {first['lr']:g}: {last_gap(mine, median)}"
        axis = axes[first["lr"]]
        width = 1.4 if axis.lines else 2.8  # where lines lie on each other, the later one is thinner
        line(axis, finite, "iteration", median, label, {**style, "linewidth": width})
    gap = "mean logit of data minus that of contrastive samples"
    for rate, axis in axes.items():
        scale_gaps(axis, frame.loc[frame["lr"] == rate, median])
        axis.axhline(0, color="0.4", linewidth=0.8)
        axis.set_title(f"LR {rate:g}", fontsize=10)
        axis.set(xlabel="iteration")
        axis.grid(alpha=0.3)
    axes[rates[0]].set_ylabel(f"{gap},\nmedian of {WINDOW} iterations")
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure


def scale_gaps(axis: Axes, values: pd.Series) -> None:
    """Scale an axis of gaps: linear if no gap reaches GROWN, else logarithmic beyond GROWN, up to an overflow."""
    if not (values.abs() >= GROWN).any():
        return
    axis.set_yscale("symlog", linthresh=GROWN, linscale=2)
    overflow = float(np.finfo(np.float32).max)
    axis.axhline(overflow, color="#000000", linestyle="--", linewidth=1)
    axis.annotate(
        "float32 overflows",
        (0.02, overflow),
        (0, -4),
        xycoords=("axes fraction", "data"),
        textcoords="offset points",
        va="top",
        fontsize=9,
    )
    axis.set_ylim(top=100 * overflow)


def last_gap(frame: pd.DataFrame, median: str) -> str:
    """Return the median gap over seeds at the end of training, or the iteration at which numbers overflowed."""
    last = frame.groupby("seed").last()
    ended = frame.groupby("seed")["iteration"].max()[last["overflowed"]]
    if len(ended):
        return f"overflow at iteration {', '.join(map(str, ended))}"
    return f"{frame[frame['iteration'] == frame['iteration'].max()][median].median():.3g}"


def of_batches(needs: Needs, frame: pd.DataFrame) -> str:
    """Say, for the caption, which seeds and K were run, what differs from Eq. 2, and where nothing overflowed."""
    seeds = sorted(set(frame["seed"]))
    band = f"Mean and range over {len(seeds)} seeds" if len(seeds) > 1 else f"Seed {seeds[0]}"
    least, most = frame["K"].min(), frame["K"].max()
    words = [f"{band}; {f'K = {most}' if least == most else f'K grows from {least} to {most}'}."]
    if any(training.settings["in_attack"] for training in trained(needs).values()):
        words.append("Before each update an attack lowers the logits of images of p_data; Eq. 2 has no such step.")
    words += [
        f"At learning rate {lr:g}, the gap under Eq. 2 with PGD is still below {GROWN} after "
        f"{mine['iteration'].max()} iterations: the overflow that the paper reports is not reached."
        for lr, mine in frame[(frame["objective"] == "Eq. 2") & (frame["contrastive"] == "PGD")].groupby("lr")
        if not mine["overflowed"].any() and mine.groupby("seed")[f"median_gap_{WINDOW}"].last().max() < GROWN
    ]
    return " ".join([*words, "The number after each label is the gap at the end of its line."])
