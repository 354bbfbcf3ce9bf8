"""The tables of settings, architecture and cost: published beside what is here."""

from pathlib import Path
from typing import Any

import pandas as pd

from ..pipeline.job import record_of
from ..pipeline.tasks import PAPER_TASKS
from .needs import Needs
from .published import published
from .tabulating import scientific, write_table

DIFFERS = "A cell holds the published value; where ours is another: published → **ours**."


def beside(paper: str, ours: str) -> str:
    """A cell of two values: one where they agree, as marked by DIFFERS where not."""
    return ours if paper in ("", ours) else f"{paper} → **{ours}**"


def tableS2(plan: str, out: str) -> pd.DataFrame:
    """Table S2: the layers of the network with the authors' stem and with the published one, beside the paper's.

    Writes `out` (.csv) and .md; returns the frame, a row per layer. Raises ValueError where the network has not as many
    layers as the paper lists.
    """
    needs = Needs.read(plan)
    stems = {record_of(folder)["stem"]: folder for folder in needs.folder("network")}
    ours, theirs = (pd.read_csv(stems[stem] / "layers.csv", dtype={"output_shape": str}) for stem in (3, 1))
    paper = published("tableS2")
    if not len(ours) == len(theirs) == len(paper):
        raise ValueError(f"the network has {len(ours)} layers, Table S2 {len(paper)}.")
    frame = paper.add_prefix("published_").join(ours)
    frame["stem1_layer"], frame["stem1_parameters"] = theirs["layer"], theirs["parameters"]
    columns = {"layer": "layer", "resample": "resample", "output_shape": "output shape"}
    shown = pd.DataFrame(
        {
            title: [beside(*cells) for cells in zip(frame[f"published_{name}"], frame[name], strict=True)]
            for name, title in columns.items()
        }
    )
    totals = {stem: record_of(folder)["parameters"] for stem, folder in stems.items()}
    for stem, column in ((3, "parameters"), (1, "stem1_parameters")):
        shown[f"parameters, {stem}x{stem} stem"] = [f"{count:,}" for count in frame[column]]
    shown.loc[len(shown)] = ["all", "", "", *(f"{totals[stem]:,}" for stem in (3, 1))]
    networks = ", ".join(f"{needs.name(task)}: {needs.settings[task]}" for task in PAPER_TASKS)
    caption = (
        f"Table S2: the network `discriminator256`, read off the network itself. {DIFFERS} Ours has the 3x3 stem of "
        "the authors' code, whose released weights fit no other; the last column is with the published 1x1 stem. "
        f"Networks of the tasks at scale {needs.scale}: {networks}."
    )
    write_table(frame, shown, Path(out), caption)
    return frame


def tableS3(plan: str, out: str) -> pd.DataFrame:
    """Table S3: hyperparameters of each task's run, published beside configured.

    Writes `out` (.csv), a row per setting and task, and .md, a column per task; returns the frame. The last rows are
    settings that the paper's table does not have.
    """
    needs = Needs.read(plan)
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
    caption = f"Table S3 beside the configuration of scale {needs.scale}. {DIFFERS} {trained_here(needs)}"
    write_table(frame, shown, Path(out), caption)
    return frame


def hyperparameters(run: dict[str, Any]) -> dict[str, str]:
    """A run of config.yaml in the words and number formats of Table S3, then what that table leaves out."""
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
        "Initial weights": (run["init"] or "random") if run["weights"] == "trained" else "not trained here",
        "Attack on p_data": f"{attack['steps']} x {attack['step_size']:g}" if attack else "none",
        "AUC at which K grows early": "none" if schedule["auc_advance"] is None else f"{schedule['auc_advance']:g}",
        "Decay of averaged weights": "none" if run["average"] is None else f"{run['average']:g}",
        "Augmentation of p_data; p_0": "; ".join(run["augment"][side]["name"] for side in ("p_data", "p_0")),
    }


def thousands(iterations: int | None) -> str:
    """172000 as the paper prints it, 172K."""
    if iterations is None:
        return "by epochs"
    return f"{iterations / 1000:g}K" if iterations >= 1000 else str(iterations)


def trained_here(needs: Needs) -> str:
    """Which of the paper's tasks have a trained model behind the results of this scale."""
    titles = [needs.name(task) for task in needs.settings["trained"]]
    if len(titles) == len(PAPER_TASKS):
        return "All of these tasks are trained at this scale."
    return (
        f"Trained at this scale: {', '.join(titles) or 'none'}. The other tasks stand as they are configured; no "
        "result of this scale is drawn from a model of theirs."
    )


def tableS4(plan: str, out: str) -> pd.DataFrame:
    """Table S4: how samples are generated, published beside configured. Writes `out` (.csv) and .md."""
    needs = Needs.read(plan)
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
    paper = published("tableS4").add_prefix("published_")
    frame = paper.merge(pd.DataFrame(rows), on="published_task", validate="one_to_one")
    shown = pd.DataFrame({"task": frame["task"]})
    shown["p_0 of the paper, published"] = frame["published_p_0"]
    shown["source images here"] = frame["sources"]
    for column, title in (("step_size", "PGD step size"), ("steps", "PGD steps")):
        shown[title] = [beside(*pair) for pair in zip(frame[f"published_{column}"], frame[column], strict=True)]
    shown["samples here"] = frame["samples"]
    caption = (
        f"Table S4 beside the configuration of scale {needs.scale}. {DIFFERS} {selected(needs)} {trained_here(needs)}"
    )
    write_table(frame, shown, Path(out), caption)
    return frame


def length(needs: Needs, task: str, steps: int | str) -> str:
    """Return the number of steps of a task's sampler; where training selects it, what it selected."""
    if steps != "selected":
        return str(steps)
    return str(next(record["steps"] for record in needs.records("sample") if record["run"] == task))


def selected(needs: Needs) -> str:
    """Say among which numbers of steps training selected those that are shown, and which lie at the edge of these."""
    words = []
    for folder in needs.folder("sample"):
        record = record_of(folder)
        offered = needs.spec(needs.model(folder))["settings"]["monitor"]["steps"]
        edge = ", the edge" if record["steps"] in (min(offered), max(offered)) else ""
        words.append(f"{needs.name(record['run'])} {record['steps']} of {min(offered)} to {max(offered)}{edge}")
    return f"Training selected the number of steps on validation sources: {'; '.join(words)}." if words else ""


def tableS5(plan: str, out: str) -> pd.DataFrame:
    """Table S5: update steps, ours published beside configured, and other methods'. Writes `out` (.csv) and .md."""
    needs = Needs.read(plan)
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
        f"Table S5: number of update steps, ours beside the configuration of scale {needs.scale}. {DIFFERS} In "
        f"training: the last K. {selected(needs)} PCD: a persistent sampling chain. {trained_here(needs)}"
    )
    frame = frame.rename(columns={"Ours": "Ours, published", "task": "published_task"})
    write_table(frame.assign(task=frame["published_task"].map(names)), shown, Path(out), caption)
    return frame


def tableS6(plan: str, out: str) -> pd.DataFrame:
    """Table S6: published times beside what was measured here. Writes `out` (.csv) and .md; returns the frame."""
    needs = Needs.read(plan)
    (timing,) = needs.records("timing")
    lower, upper = timing["quartiles_seconds"]
    threads = "" if timing["device"] != "cpu" else f", {timing['threads']} thread" + "s" * (timing["threads"] > 1)
    frame = published("tableS6")
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
    frame = pd.concat([frame, pd.DataFrame([ours])], ignore_index=True).astype(object).fillna("")
    shown = frame[["model", "steps", "time", "quartiles_seconds", "samples_per_second", "network", "images", "device"]]
    shown = shown.set_axis(
        ["model", "steps", "wall-clock time", "quartiles, s", "samples/s", "network", "images (C x H x W)", "device"],
        axis=1,
    )
    caption = (
        f"Table S6 at scale {needs.scale}: time to generate {timing['images']} samples. Measured: "
        f"{needs.introduction('cifar10')} Published: on the paper's data. The measured row is the median of "
        f"{len(timing['seconds'])} repeats after a warm-up, with the network, image size and device that it names: "
        "where these are not the paper's, its time does not compare with the published ones. A time is no function of "
        "the settings: measured again, it has other digits."
    )
    write_table(frame, shown, Path(out), caption)
    return frame
