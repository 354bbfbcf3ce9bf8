"""Draw the tables of settings, architecture and cost: published values beside those used here."""

from typing import Any

import pandas as pd

from ..pipeline.tasks import PAPER_TASKS
from .drawn import Drawn
from .needs import Needs
from .published import published
from .tabulating import scientific

DIFFERS = "A cell holds the published value; where this project uses another: published → **used here**."


def beside(paper: str, ours: str) -> str:
    """Return a cell for two values: one value if they agree, else both in the notation of DIFFERS."""
    return ours if paper in ("", ours) else f"{paper} → **{ours}**"


def tableS2(needs: Needs) -> Drawn:
    """Return Table S2: a row per layer of the network, with the authors' stem and with the published one.

    Raises ValueError if the network has another number of layers than the paper lists.
    """
    ours, theirs = (needs[f"stem/{side}"].table("layers.csv").astype({"output_shape": str}) for side in (3, 1))
    paper = published("tableS2")
    if not len(ours) == len(theirs) == len(paper):
        raise ValueError(f"the network has {len(ours)} layers, but Table S2 lists {len(paper)}.")
    frame = paper.add_prefix("published_").join(ours)
    frame["stem1_layer"], frame["stem1_parameters"] = theirs["layer"], theirs["parameters"]
    columns = {"layer": "layer", "resample": "resample", "output_shape": "output shape"}
    shown = pd.DataFrame(
        {
            title: [beside(*cells) for cells in zip(frame[f"published_{name}"], frame[name], strict=True)]
            for name, title in columns.items()
        }
    )
    totals = {side: needs[f"stem/{side}"].record["parameters"] for side in (3, 1)}
    for stem, column in ((3, "parameters"), (1, "stem1_parameters")):
        shown[f"parameters, {stem}x{stem} stem"] = [f"{count:,}" for count in frame[column]]
    shown.loc[len(shown)] = ["all", "", "", *(f"{totals[stem]:,}" for stem in (3, 1))]
    networks = ", ".join(f"{needs.name(task)}: {needs.settings[task]}" for task in PAPER_TASKS)
    caption = (
        f"Table S2: the layers of the network `discriminator256`, read from the network itself. {DIFFERS} The network "
        "here has the 3x3 stem of the authors' code, because their released weights fit no other; the last column "
        f"counts parameters with the published 1x1 stem. Networks of the tasks at the {needs.scale} scale: {networks}."
    )
    headline = f"{frame['layer'][0]} stem, {frame['parameters'].sum():,} parameters"
    return Drawn(frame, caption, headline, f"{paper['layer'][0]} stem", shown=shown)


def tableS3(needs: Needs) -> Drawn:
    """Return Table S3: hyperparameters of each task's run, published beside configured.

    The frame has a row per setting and task, the page has a column per task. The last rows hold settings that the
    paper's table lacks.
    """
    runs, paper = needs.settings["runs"], published("tableS3").set_index("setting")
    rows = [
        {
            "setting": setting,
            "task": needs.name(task),
            "published": paper[needs.task(task)["title"]].get(setting, ""),
            "configured": value,
        }
        for task in PAPER_TASKS
        for setting, value in hyperparameters(runs[task]).items()
    ]
    frame = pd.DataFrame(rows)
    frame["differs"] = (frame["published"] != "") & (frame["published"] != frame["configured"])
    cells = frame.assign(cell=[beside(*pair) for pair in zip(frame["published"], frame["configured"], strict=True)])
    shown = cells.pivot_table("cell", "setting", "task", aggfunc="first", sort=False).reset_index()
    printed = shown["setting"].isin(paper.index)
    shown["setting"] = shown["setting"].where(printed, shown["setting"] + " (not in Table S3)")
    caption = f"Table S3 beside the configuration of the {needs.scale} scale. {DIFFERS} {trained_here(needs)}"
    headline = f"{frame['differs'].sum()} of {(frame['published'] != '').sum()} settings differ"
    return Drawn(frame, caption, headline, f"{len(PAPER_TASKS)} tasks", shown=shown)


def hyperparameters(run: dict[str, Any]) -> dict[str, str]:
    """Return a run of config.yaml in the words and formats of Table S3, then the settings which that table lacks."""
    schedule, optimizer, attack = run["schedule"], run["optimizer"], run["in_attack"]
    names = {"adam": "Adam", "sgd": "SGD"}
    first, last = schedule["K_start"], schedule["K_max"]
    return {
        "Batch size": str(run["batch_size"]),
        "Training iterations": thousands(schedule["iterations"]),
        "Optimizer": names[optimizer["name"]],
        "Learning rate": scientific(optimizer["lr"]),
        "K": f"{first},...,{last}" if first < last else str(last),
        "Epochs per K": f"{schedule['epochs_per_K']:g}",
        "PGD attack step-size": str(run["step_size"]),
        "R_1 regularization": f"{run['r1']:g}",
        "β_1, β_2 (caption)": ", ".join(map(str, optimizer.get("betas", ()))) or "none",
        "Network": run["network"]["name"],
        "Initial weights": (run["init"] or "random") if "weights" not in run else "not trained here",
        "Attack on p_data": f"{attack['steps']} x {attack['step_size']:g}" if attack else "none",
        "AUC at which K grows early": "none" if schedule["auc_advance"] is None else f"{schedule['auc_advance']:g}",
        "Decay of averaged weights": "none" if run["average"] is None else f"{run['average']:g}",
        "Augmentation of p_data and p_0": "; ".join(run["augment"][side]["name"] for side in ("p_data", "p_0")),
    }


def thousands(iterations: int | None) -> str:
    """Return a number of iterations as the paper prints it: 172000 is 172K."""
    if iterations is None:
        return "by epochs"
    return f"{iterations / 1000:g}K" if iterations >= 1000 else str(iterations)


def trained_here(needs: Needs) -> str:
    """Say which of the paper's tasks have a trained model behind the results of this scale."""
    titles = [needs.name(task) for task in needs.settings["trained"]]
    if len(titles) == len(PAPER_TASKS):
        return "All of these tasks are trained at this scale."
    return (
        f"Trained at this scale: {', '.join(titles) or 'none'}. The other columns show the configuration only: no "
        "result of this scale comes from a model of those tasks."
    )


def tableS4(needs: Needs) -> Drawn:
    """Return Table S4: how samples are generated, published beside configured."""
    rows = [
        {
            "published_task": needs.task(task)["title"],
            "task": needs.name(task),
            "sources": needs.set_title(needs.task(task)["sources"]),
            "step_size": str(entry["step_size"]),
            "steps": length(needs, task, entry["steps"]),
            "samples": f"{entry['n']:,}",
        }
        for task, entry in needs.settings["tasks"].items()
    ]
    paper = published("tableS4")
    frame = paper.add_prefix("published_").merge(pd.DataFrame(rows), on="published_task", validate="one_to_one")
    shown = pd.DataFrame({"task": frame["task"]})
    shown["p_0 of the paper, published"] = frame["published_p_0"]
    shown["source images here"] = frame["sources"]
    for column, title in (("step_size", "PGD step size"), ("steps", "PGD steps")):
        shown[title] = [beside(*pair) for pair in zip(frame[f"published_{column}"], frame[column], strict=True)]
    shown["samples here"] = frame["samples"]
    caption = (
        f"Table S4 beside the configuration of the {needs.scale} scale. {DIFFERS} {selected(needs)} "
        f"{trained_here(needs)}"
    )
    first, theirs = frame.iloc[0], paper.iloc[0]
    return Drawn(
        frame,
        caption,
        f"{first['task']}: {first['steps']} steps of {first['step_size']}",
        f"{theirs['task']}: {theirs['steps']} steps of {theirs['step_size']}",
        shown=shown,
    )


def length(needs: Needs, task: str, steps: int | str) -> str:
    """Return the number of steps of a task's sampler, as configured or as training selected it."""
    if steps != "selected":
        return str(steps)
    return str(needs[f"samples/{task}"].record["steps"])


def selected(needs: Needs) -> str:
    """Say which numbers of steps training selected, from which range, and which of them lie at its edge."""
    words = []
    for run, sample in needs.under("samples").items():
        offered, steps = needs[f"model/{run}"].settings["monitor"]["steps"], sample.record["steps"]
        edge = ", at the edge" if steps in (min(offered), max(offered)) else ""
        words.append(f"{needs.name(run)}: {steps}, from {min(offered)} to {max(offered)}{edge}")
    return f"Training selected the number of steps on validation sources: {'; '.join(words)}." if words else ""


def tableS5(needs: Needs) -> Drawn:
    """Return Table S5: update steps of the paper's method, published beside configured, and of other methods."""
    ours, names = {}, {}
    for task, phases in needs.settings["tasks"].items():
        for phase, steps in phases.items():
            title = f"{needs.task(task)['title']} ({phase})"
            ours[title], names[title] = length(needs, task, steps), f"{needs.name(task)}, {phase}"
    frame = published("tableS5")
    frame.insert(2, "here", frame["task"].map(ours))
    shown = frame.drop(columns="here")
    shown["Ours"] = [beside(*pair) for pair in zip(frame["Ours"], frame["here"], strict=True)]
    others = {name: f"{name}, published (on the paper's data)" for name in list(frame)[3:]}
    shown = shown.assign(task=shown["task"].map(names)).rename(columns=others | {"Ours": "paper's method"})
    caption = (
        f"Table S5: numbers of update steps, those of the paper's method beside the configuration of the "
        f"{needs.scale} scale. {DIFFERS} The number in training is the last K. {selected(needs)} PCD means a "
        f"persistent sampling chain. {trained_here(needs)}"
    )
    frame = frame.rename(columns={"Ours": "Ours, published", "task": "published_task"})
    frame = frame.assign(task=frame["published_task"].map(names))
    headline = "; ".join(f"{row.task}: {row.here}" for row in frame.head(2).itertuples())
    theirs = dict(zip(frame["published_task"], frame["Ours, published"], strict=True))
    paper = "; ".join(f"{task}: {steps}" for task, steps in list(theirs.items())[:2])
    return Drawn(frame, caption, headline, paper, shown=shown)


def tableS6(needs: Needs) -> Drawn:
    """Return Table S6: published times beside the time measured here."""
    timing = needs["timing"].record
    lower, upper = timing["quartiles_seconds"]
    threads = "" if timing["device"] != "cpu" else f", {timing['threads']} thread" + "s" * (timing["threads"] > 1)
    paper = published("tableS6")
    ours = {
        "model": f"AT-EBM on {needs.name('cifar10')}, measured here",
        "steps": str(timing["steps"]),
        "time": f"{timing['median_seconds']:.3g} seconds",
        "device": f"{timing['hardware']}{threads}",
        "quartiles_seconds": f"{lower:.3g} to {upper:.3g}",
        "repeats": str(len(timing["seconds"])),
        "samples_per_second": f"{timing['samples_per_second']:.4g}",
        "network": timing["network"]["name"],
        "images": "x".join(map(str, timing["shape"])),
        "scale": needs.scale,
    }
    frame = pd.concat([paper, pd.DataFrame([ours])], ignore_index=True).astype(object).fillna("")
    shown = frame[["model", "steps", "time", "quartiles_seconds", "samples_per_second", "network", "images", "device"]]
    shown = shown.set_axis(
        ["model", "steps", "wall-clock time", "quartiles, s", "samples/s", "network", "images (C x H x W)", "device"],
        axis=1,
    )
    caption = (
        f"Table S6 at the {needs.scale} scale: time to generate {timing['images']} samples. Measured on: "
        f"{needs.introduction('cifar10')} The published times are for the paper's data. The measured row is the median "
        f"of {len(timing['seconds'])} repeats after a warm-up and names its network, image size and device; if these "
        "are not the paper's, the times cannot be compared. Times vary: another measurement gives slightly different "
        "numbers."
    )
    headline = f"{ours['time']}, {ours['device']} ({ours['network']} network, {ours['images']} images)"
    theirs = paper.set_index("model").loc["Ours"]
    return Drawn(frame, caption, headline, f"{theirs['time']}, {theirs['device']}", shown=shown)
