"""Out-of-distribution detection, clean and in the worst case: Tables 4 and S8."""

from collections.abc import Mapping
from itertools import chain
from statistics import mean
from typing import Any

import numpy as np
import pandas as pd

from ..config.roles import CLEAN, HELD_OUT, IN, PUBLISHED, WORST
from ..evaluation.intervals import t_half_width
from .detection import APPROACHES, LABELS, budget, detections, rows_of
from .drawn import Drawn
from .needs import Needs, Result
from .published import published
from .records import LEARNT, has_learnt

# Settings of the tables, the last one beyond the paper, and the attack of each.
SETTINGS = {"Standard": CLEAN, "Worst-case": PUBLISHED, "Worst case of all attacks": WORST}
TASKS = {"CelebA-HQ 256": "celebahq256", "AFHQ-CAT 256": "afhqcat256", "LSUN-Church 256": "church256"}


# --- Table 4 --------------------------------------------------------------------------------------------------------


def table4(needs: Needs) -> Drawn:
    """Return Table 4, published AUROC, in percent, beside that of detectors trained here, clean and in the worst case.

    One row per setting, set and approach. Measured columns hold the mean over seeds, and a 95 % interval: of the mean
    over seeds where there are several, else by resampling images. A rival that generates and has not learnt to is left
    out.
    """
    learnt = {run: results for run, results in needs.runs("detection").items() if run not in unlearnt(needs)}
    found, whose = detections(chain.from_iterable(learnt.values())), weights_of(needs)
    frame = (
        pd.DataFrame(
            {
                "setting": setting,
                "dataset": label,
                "approach": approach,
                "published_auroc": of_paper("table4", setting, dataset, approach),
                **measured(selected(found, run, dataset, attack), 100),
                "weights": whose.get(run or "", ""),
                "data": needs.name("cifar10") if run else "",
                "scale": needs.scale,
            }
            for setting, attack in SETTINGS.items()
            for dataset, label in rows_of(needs).items()
            for approach, run in APPROACHES.items()
        )
        .astype(object)
        .fillna("")
    )
    here = {approach: (LABELS.get(run or "", approach), approach) for approach, run in reversed(APPROACHES.items())}
    shown = beside(frame, here, needs.is_standin("cifar10"))
    shown = pd.concat([qualities(needs, list(shown.columns)), shown], ignore_index=True).fillna("")
    theirs = headline(frame[frame["approach"].isin(["Ours", "RATIO"])], "published_auroc")
    return Drawn(frame, table4_caption(needs, frame), headline(frame), theirs, shown=shown)


def headline(frame: pd.DataFrame, column: str = "measured_auroc") -> str:
    """Say for each approach its least AUROC over all sets, clean and in the worst case by Auto-PGD."""
    numbers = frame.assign(auroc=pd.to_numeric(frame[column], errors="coerce")).dropna(subset="auroc")
    least = numbers.groupby(["approach", "setting"], sort=False)["auroc"].idxmin().map(numbers[column]).unstack()
    parts = [f"{approach} {row.get('Standard')} and {row.get('Worst-case')}" for approach, row in least.iterrows()]
    return f"least AUROC over all sets, clean and in the worst case: {'; '.join(parts)}"


def table4_caption(needs: Needs, frame: pd.DataFrame) -> str:
    words = [
        f"Table 4 at scale {needs.scale}: AUROC in percent. In distribution: {needs.introduction('cifar10')}",
        protocol(needs),
        *rivals_in_words(needs),
        *imported(frame),
        *losses(needs),
    ]
    return " ".join([*words, intervals(frame), "AUPR and FPR at 95 % TPR are in the .csv."])


def weights_of(needs: Needs) -> dict[str, str]:
    """Return whose weights each run's models have."""
    return {run: trainings[0].weights for run, trainings in needs.runs("train").items()}


def imported(frame: pd.DataFrame) -> list[str]:
    """Name, for a caption, the approaches whose weights were not trained here; nothing where all were."""
    rows = frame[~frame["weights"].isin(["", "trained here"])].drop_duplicates("approach")
    named = "; ".join(f"{row.approach}: {row.weights}" for row in rows.itertuples())
    return [f"Weights that were not trained here: {named}."] if named else []


def losses(needs: Needs) -> list[str]:
    """Say how far the plain classifiers were trained; nothing where there are none."""
    ends = []
    for run, trainings in needs.runs("train").items():
        for training in trainings:
            log = training.table("log.csv")
            if run.startswith("cifar10_ood_plain") and not log.empty:  # as that of a very short run is
                ends.append((training.record["iterations"], log["loss"].tail(5).mean()))
    parts = [f"{loss:.2g} after {iterations} iterations" for iterations, loss in sorted(ends)]
    return [f"The binary classifier's loss is {', '.join(parts)} (mean of the last 5 batches logged)."] if parts else []


def unlearnt(needs: Needs) -> list[str]:
    """Return the rivals that generate and whose samples are hardly nearer to the data than their source images."""
    return [
        run
        for run, results in needs.runs("distance").items()
        if not has_learnt([result.record for result in results], needs.records(f"sources/{run}"))
    ]


def rivals_in_words(needs: Needs) -> list[str]:
    """Say, for a caption, what the detectors share, what the rivals are, and which of them are left out."""
    runs = needs.runs("detection")
    here = [found for found in needs.runs("train").values() if not found[0].is_imported]
    words = ["All detectors share network and data; the first rows say how long each was trained."] if here else []
    if {"cifar10_ood_oe", "cifar10_ood_ratio"} & set(runs):
        words.append(
            "OE and RATIO are classifiers of the labels, trained to be uncertain on p_0, clean or attacked, by this "
            "project's training loop; their score is the logit of the largest class probability."
        )
    words.append("The column of adversarial training is the paper's method.")
    words += [
        f"No column: {LABELS[run]}; its samples are more than {LEARNT:g} times as far from the data as their source "
        "images."
        for run in unlearnt(needs)
    ]
    return words


def qualities(needs: Needs, columns: list[str]) -> pd.DataFrame:
    """Return the lines above Table 4 on a page: for each approach how long it was trained, and how well it classifies.

    Of the first seed; all seeds of a run are trained alike, but the accuracy is the mean over seeds.
    """
    lines: dict[str, dict[str, str]] = {}
    for run, trainings in needs.runs("train").items():
        column = f"{LABELS[run]}, measured"
        if column not in columns or trainings[0].is_imported:  # whose length its file does not tell
            continue
        for name, value in trained(trainings).items():
            lines.setdefault(name, {"setting": "Training", "dataset": name})[column] = value
    return pd.DataFrame(list(lines.values()), columns=columns)


def trained(trainings: list[Result]) -> dict[str, str]:
    """Return how long a run's models were trained, and the accuracy of those that are classifiers of labels."""
    records = [training.record for training in trainings]
    values = {name.replace("_", " "): f"{records[0][name]}" for name in ("iterations", "gradient_steps")}
    if "accuracy" in records[0]:
        values["classes right, %"] = f"{100 * mean(record['accuracy'] for record in records):.2f}"
    return values


# --- Table S8 -------------------------------------------------------------------------------------------------------


def tableS8(needs: Needs) -> Drawn:
    """Return Table S8, published AUROC beside that of the three generative models, clean and in the worst case.

    Columns are those of Table 4, for each task; `measured_auroc_held_out` is against real images that the model never
    saw, where the paper takes training images.
    """
    found, whose = detections(needs.under("detection").values()), weights_of(needs)
    labels = needs.rows(*TASKS.values())
    rows = []
    for setting, attack in SETTINGS.items():
        for dataset in dict.fromkeys(published("tableS8")["dataset"]):
            for task, run in TASKS.items():
                mine = selected(found, run, dataset, attack)
                values = {"setting": setting, "dataset": labels[dataset], "approach": needs.name(run)}
                values["published_auroc"] = of_paper("tableS8", setting, dataset, task)
                unseen = measured(selected(found, run, dataset, attack, HELD_OUT), 1)
                values |= measured(mine, 1)
                values |= {f"{name}_held_out": unseen.get(name, "") for name in ("measured_auroc", "n_in")}
                behind = {"data": needs.name(run), "weights": whose[run]} if len(mine) else {}
                rows.append(values | behind | {"scale": needs.scale})
    frame = pd.DataFrame(rows).astype(object).fillna("")
    standin = any(map(needs.is_standin, TASKS.values()))
    names = {needs.name(run): (f"model of {needs.name(run)}", f"model of {title}") for title, run in TASKS.items()}
    shown = beside(frame, names, standin)
    titles = {needs.name(run): title for title, run in TASKS.items()}
    theirs = headline(frame.replace({"approach": titles}), "published_auroc")
    return Drawn(frame, tableS8_caption(needs, frame), headline(frame), theirs, shown=shown)


def tableS8_caption(needs: Needs, frame: pd.DataFrame) -> str:
    words = [
        f"Table S8 at scale {needs.scale}: AUROC of the models of three tasks.",
        needs.introduction(*TASKS.values()),
    ]
    words += [protocol(needs), *imported(frame), intervals(frame)]
    words.append("In distribution are training images, as in the paper; held out: real images that no training saw,")
    words.append("where a task has some.")
    return " ".join(words)


# --- what both tables share -------------------------------------------------------------------------------------------


def selected(found: pd.DataFrame, run: str | None, row: str, attack: str, inside: str = IN) -> pd.DataFrame:
    """Return of `detections` what one cell of a table shows: a line per seed, of the step with all attacks."""
    same = (found["run"] == run) & (found["row"] == row) & (found["attack"] == attack) & (found["in"] == inside)
    return found[same & found["all_attacks"]]


def measured(rows: pd.DataFrame, unit: float) -> dict[str, Any]:
    """Return the measured columns of a cell, AUROC in 1/`unit`; none where it has no rows."""
    if rows.empty:
        return {}
    values = rows["auroc"].tolist()
    low, high = rows["low"].iloc[0], rows["high"].iloc[0]
    if len(values) > 1:
        half = t_half_width(values)
        low, high = np.clip([mean(values) - half, mean(values) + half], 0, 1)
    first = rows.iloc[0]
    numbers = {
        "auroc": mean(values),
        "low": low,
        "high": high,
        "aupr": rows["aupr"].mean(),
        "fpr95": rows["fpr95"].mean(),
    }
    return {f"measured_{name}": shown(value, unit) for name, value in numbers.items()} | {
        "attack": first["attack"],
        "radius": first["radius"],
        "set": first["set"],
        "n_in": first["n_in"],
        "n_out": first["n_out"],
        "seeds": len(values),
    }


def shown(value: float, unit: float) -> str:
    """Return a value in 1/`unit`, to a hundredth of a point of the AUROC; words where it could not be computed."""
    if not np.isfinite(value):
        return "not finite"
    return f"{value * unit:.2f}" if unit > 1 else f"{value:.4f}"


def of_paper(artifact: str, setting: str, dataset: str, column: str) -> str:
    """Return a published cell; empty where the paper has none."""
    frame = published(artifact)
    cell = frame[(frame["setting"] == setting) & (frame["dataset"] == dataset)]
    value = cell[column].item() if len(cell) and column in cell else ""
    return "" if value == "N/A" else value


def beside(frame: pd.DataFrame, approaches: Mapping[str, tuple[str, str]], standin: bool) -> pd.DataFrame:
    """Return, for a page, a row per setting and set: what was measured of each approach, then what was published.

    `approaches` are those of the frame, each with its names on the page, here and as published; `standin`: whether what
    was published is of other data than the row names.
    """
    measured, theirs = {}, {}
    where = ", published (on the paper's data)" if standin else ", published"
    for approach, (name, paper) in approaches.items():
        mine = frame[frame["approach"] == approach].set_index(["setting", "dataset"])
        if (mine["measured_auroc"] != "").any():
            interval = " [" + mine["measured_low"] + ", " + mine["measured_high"] + "]"
            finite = ~mine["measured_auroc"].isin(["", "not finite"])
            measured[f"{name}, measured"] = mine["measured_auroc"] + interval.where(finite, "")
        if "measured_auroc_held_out" in mine:
            measured[f"{name}, measured, held out"] = mine["measured_auroc_held_out"]
        if (mine["published_auroc"] != "").any():
            theirs[f"{paper}{where}"] = mine["published_auroc"]
    lines = list(dict.fromkeys(zip(frame["setting"], frame["dataset"], strict=True)))
    return pd.DataFrame(measured | theirs).loc[lines].reset_index()


def protocol(needs: Needs) -> str:
    """Say how the worst cases were found."""
    how = needs.records("detection")[0]["settings"]
    radius, auto, pgd, square = (how[key] for key in ("radii", "auto_pgd", "pgd", "square"))
    return (
        f"Worst-case: each out-of-distribution image is moved in its L2 ball of radius {radius[0]:g} to where the "
        f"logit is highest, by Auto-PGD with {budget(auto)}; the "
        f"clean image is not a candidate. Worst case of all attacks: also PGD with {pgd['steps']} steps of "
        f"{', '.join(f'{share:g}' for share in pgd['step_sizes'])} of the radius, a gradient-free attack by random "
        f"squares with {square['queries']} queries, and the clean image. {how['n']} images of each set."
    )


def intervals(frame: pd.DataFrame) -> str:
    seeds = max(frame.loc[frame["seeds"] != "", "seeds"])
    if seeds > 1:
        return f"In brackets a 95 % interval of the mean over {seeds} seeds."
    return "One seed; in brackets a 95 % interval by resampling images, at 100 % an exact one."
