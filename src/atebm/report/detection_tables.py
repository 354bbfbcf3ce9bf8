"""Draw the tables of out-of-distribution detection, clean and in the worst case: Tables 4 and S8."""

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

# The settings of the tables and the attack of each; the paper does not have the last one.
SETTINGS = {"Standard": CLEAN, "Worst-case": PUBLISHED, "Worst case of all attacks": WORST}
TASKS = {"CelebA-HQ 256": "celebahq256", "AFHQ-CAT 256": "afhqcat256", "LSUN-Church 256": "church256"}


# --- Table 4 --------------------------------------------------------------------------------------------------------


def table4(needs: Needs) -> Drawn:
    """Return Table 4: published AUROC beside that of detectors trained here, clean and in the worst case, in percent.

    The frame has a row per setting, set and approach. Measured columns hold the mean over seeds and a 95 % interval of
    that mean; with one seed, the interval is by resampling images. A generative rival that has not learnt to generate
    is left out.
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
    ours = headline(frame.replace({"approach": {"Ours": LABELS["cifar10_ood"].lower()}}))
    return Drawn(frame, table4_caption(needs, frame), ours, theirs, shown=shown)


def headline(frame: pd.DataFrame, column: str = "measured_auroc") -> str:
    """Say each approach's lowest AUROC over all sets, clean and in the worst case by Auto-PGD."""
    numbers = frame.assign(auroc=pd.to_numeric(frame[column], errors="coerce")).dropna(subset="auroc")
    numbers = numbers[numbers["setting"].isin(["Standard", "Worst-case"])]
    lowest = numbers.groupby(["approach", "setting"], sort=False)["auroc"].idxmin()
    least, sets = lowest.map(numbers[column]).unstack(), set(lowest.map(numbers["dataset"]))
    parts = [f"{approach} {row.get('Standard')} and {row.get('Worst-case')}" for approach, row in least.iterrows()]
    on = f" (each time {sets.pop()})" if len(sets) == 1 else ""
    return f"lowest AUROC over all sets{on}, clean and in the worst case: {'; '.join(parts)}"


def table4_caption(needs: Needs, frame: pd.DataFrame) -> str:
    words = [
        f"Table 4 at the {needs.scale} scale: AUROC in percent. In distribution: {needs.introduction('cifar10')}",
        protocol(needs),
        *rivals_in_words(needs),
        *imported(frame),
        *losses(needs),
    ]
    return " ".join([*words, intervals(frame), "The .csv file also has AUPR and the FPR at 95 % TPR."])


def weights_of(needs: Needs) -> dict[str, str]:
    """Return, by run, who trained its models."""
    return {run: trainings[0].weights for run, trainings in needs.runs("train").items()}


def imported(frame: pd.DataFrame) -> list[str]:
    """Name, for a caption, the approaches whose weights were not trained here; return [] if there are none."""
    rows = frame[~frame["weights"].isin(["", "trained here"])].drop_duplicates("approach")
    named = "; ".join(f"{row.approach}: {row.weights}" for row in rows.itertuples())
    return [f"Weights that were not trained here: {named}."] if named else []


def losses(needs: Needs) -> list[str]:
    """Say how far the binary classifiers were trained; return [] if there are none."""
    ends = []
    for run, trainings in needs.runs("train").items():
        for training in trainings:
            log = training.table("log.csv")
            if run.startswith("cifar10_ood_plain") and not log.empty:  # the log of a very short run is empty
                ends.append((training.record["iterations"], log["loss"].tail(5).mean()))
    parts = [f"{loss:.2g} after {iterations} iterations" for iterations, loss in sorted(ends)]
    if not parts:
        return []
    return [f"The binary classifier's training loss is {', '.join(parts)} (mean of the last 5 logged batches)."]


def unlearnt(needs: Needs) -> list[str]:
    """Return the generative rivals whose samples are hardly nearer to the data than their source images."""
    return [
        run
        for run, results in needs.runs("distance").items()
        if not has_learnt([result.record for result in results], needs.records(f"sources/{run}"))
    ]


def rivals_in_words(needs: Needs) -> list[str]:
    """Say, for a caption, what the detectors share, how the rivals were trained, and which of them are left out."""
    runs = needs.runs("detection")
    words = []
    if not all(found[0].is_imported for found in needs.runs("train").values()):
        words.append("All detectors have the same network and data; the first rows show how long each was trained.")
    if {"cifar10_ood_oe", "cifar10_ood_ratio"} & set(runs):
        words.append(
            "OE and RATIO classify the labels and are trained to be uncertain on p_0: OE on clean images, RATIO on "
            "attacked ones. Both were trained with this project's code, and their score is the logit of the largest "
            "class probability."
        )
    words.append("Adversarial training is the paper's method.")
    words += [
        f"{LABELS[run]} has no column: its samples are more than {LEARNT:g} times as far from the data as their source "
        "images."
        for run in unlearnt(needs)
    ]
    return words


def qualities(needs: Needs, columns: list[str]) -> pd.DataFrame:
    """Return the first lines of Table 4 on a page: how long each approach was trained, and how well it classifies.

    Iterations and gradient steps are those of the first seed, since all seeds of a run train equally long; the accuracy
    is the mean over seeds.
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
    """Return how long a run's models were trained, and their accuracy if they classify labels."""
    records = [training.record for training in trainings]
    values = {name.replace("_", " "): f"{records[0][name]}" for name in ("iterations", "gradient_steps")}
    if "accuracy" in records[0]:
        values["accuracy on labels, %"] = f"{100 * mean(record['accuracy'] for record in records):.2f}"
    return values


# --- Table S8 -------------------------------------------------------------------------------------------------------


def tableS8(needs: Needs) -> Drawn:
    """Return Table S8: published AUROC beside that of the three generative models, clean and in the worst case.

    Each task has the columns of Table 4. `measured_auroc_held_out` takes real images that the model never saw as the
    in-distribution images; the paper takes training images.
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
        f"Table S8 at the {needs.scale} scale: AUROC of the generative models of three tasks.",
        needs.introduction(*TASKS.values()),
    ]
    words += [protocol(needs), *imported(frame), intervals(frame)]
    words.append("The in-distribution images are training images, as in the paper. Columns marked held out take real")
    words.append("images that no training saw instead, for tasks that have such images.")
    return " ".join(words)


# --- shared by both tables --------------------------------------------------------------------------------------------


def selected(found: pd.DataFrame, run: str | None, row: str, attack: str, inside: str = IN) -> pd.DataFrame:
    """Return the rows of `detections` that one cell of a table shows: one per seed, of the step with all attacks."""
    same = (found["run"] == run) & (found["row"] == row) & (found["attack"] == attack) & (found["in"] == inside)
    return found[same & found["all_attacks"]]


def measured(rows: pd.DataFrame, unit: float) -> dict[str, Any]:
    """Return the measured columns of a cell, AUROC in 1/`unit`; {} if the cell has no rows."""
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
    """Return a value in 1/`unit`, to a hundredth of a point of AUROC; "not finite" if it could not be computed."""
    if not np.isfinite(value):
        return "not finite"
    return f"{value * unit:.2f}" if unit > 1 else f"{value:.4f}"


def of_paper(artifact: str, setting: str, dataset: str, column: str) -> str:
    """Return a published cell; "" if the paper has none."""
    frame = published(artifact)
    cell = frame[(frame["setting"] == setting) & (frame["dataset"] == dataset)]
    value = cell[column].item() if len(cell) and column in cell else ""
    return "" if value == "N/A" else value


def beside(frame: pd.DataFrame, approaches: Mapping[str, tuple[str, str]], standin: bool) -> pd.DataFrame:
    """Return, for a page, a row per setting and set: the measured AUROC of each approach, then the published ones.

    `approaches` maps each approach of the frame to its names on the page, as measured and as published. `standin` says
    whether the published numbers are of other data than the row names.
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
    """Say, for a caption, which attacks found the worst cases."""
    how = needs.records("detection")[0]["settings"]
    radius, auto, pgd, square = (how[key] for key in ("radii", "auto_pgd", "pgd", "square"))
    return (
        f"Worst-case: Auto-PGD with {budget(auto)} moves each out-of-distribution image within an L2 ball of radius "
        f"{radius[0]:g} to raise its logit; the clean image is excluded from the maximum. Worst case of all attacks: "
        f"the highest logit among the clean image and those found by Auto-PGD, by PGD with {pgd['steps']} steps of "
        f"{', '.join(f'{share:g}' for share in pgd['step_sizes'])} of the radius, and by a gradient-free attack by "
        f"random squares with {square['queries']} queries. Each set has {how['n']} images."
    )


def intervals(frame: pd.DataFrame) -> str:
    seeds = max(frame.loc[frame["seeds"] != "", "seeds"])
    if seeds > 1:
        return f"Brackets hold a 95 % interval of the mean over {seeds} seeds."
    return "One seed; brackets hold a 95 % interval by resampling images (an exact one where the AUROC is 100 %)."
