"""Draw the tables of image quality, IS and FID: published beside measured."""

from collections.abc import Iterator, Sequence
from statistics import mean, median

import pandas as pd

from ..evaluation.agreement import agreement_in_words
from .captions import STANDIN
from .drawn import Drawn
from .needs import Needs, Result
from .published import published
from .records import LEARNT, Record, extractor_of, has_learnt, of
from .tabulating import HERE, IN_WORDS, Row, compared, differences, with_intervals

# The rivals that are trained here: approach and group, in the words of the published table
RIVALS = {
    "cifar10_ebm": ("EBM with a buffer of samples, trained here", "Explicit EBMs"),
    "cifar10_gan": ("small GAN, trained here", "GANs"),
}
SOURCES, REAL = "source images, unchanged", "held-out real images"  # references: before any step, and real data
# Table 3, per run: the data set, and the published names of the method's rows at the run's size and at also_at.
TABLE3 = {
    "celebahq256": ("CelebA-HQ 256", "Ours", ""),
    "afhqcat256": ("AFHQ-CAT", "Ours (256x256)", ""),
    "church256": ("LSUN Church", "Ours (256x256)", "Ours (64x64)"),
}
TABLES7 = {"CIFAR-10": "cifar10", "CelebA-HQ 256": "celebahq256"}


# --- Table 2 ------------------------------------------------------------------------------------------------------


def table2(needs: Needs) -> Drawn:
    """Return Table 2: published IS and FID beside measured ones, with two references, source images and real images.

    Measured columns hold the mean over seeds and half of a 95 % interval: over seeds if there are several, else over
    disjoint blocks of images (distances) and splits (score). With Inception there is KID as well. The distance of a set
    with another number of images than the samples is another metric and has columns of its own. On stand-in data the
    measured rows are not joined to the published row "Ours".
    """
    paper = published("table2")
    frame = paper.rename(columns={"is": "published_is", "fid": "published_fid"})
    frame = compared(frame, list(table2_rows(needs)), needs.scale, scores=True)
    theirs = paper.set_index("approach").loc["Ours"]
    return Drawn(
        frame,
        table2_caption(needs),
        table2_headline(frame),
        f"IS {theirs['is']}, FID {theirs['fid']}",
        shown=table2_shown(needs, frame),
    )


def table2_rows(needs: Needs) -> Iterator[Row]:
    """Yield the measured rows: samples of the best and the last checkpoint, rivals, source and held-out images."""
    task, ours = needs.task("cifar10"), HERE if needs.is_standin("cifar10") else "Ours"
    for approach, row in ((ours, "best"), (f"{ours}, last iteration", "last")):
        if records := needs.records(f"metric/{row}"):
            names = {"approach": approach, "group": "AT-based"}
            yield Row(names, records, needs.name("cifar10"), weights(needs.under(f"model/{row}")))
    for rival, (approach, group) in RIVALS.items():
        if (records := needs.records(f"metric/rivals/{rival}")) and has_learnt(
            records, needs.records("metric/sources")
        ):
            names = {"approach": approach, "group": group}
            yield Row(names, records, needs.name("cifar10"), "trained here")
    for approach, row in ((f"{SOURCES} ({needs.set_title(task['sources'])})", "sources"), (REAL, "held_out")):
        names = {"approach": approach, "group": "reference"}
        yield Row(names, needs.records(f"metric/{row}"), needs.name("cifar10"))


def unlearnt(needs: Needs) -> list[str]:
    """Name, for a caption, the rivals that have no row because they have not learnt."""
    sources = needs.records("metric/sources")
    names = [
        approach
        for rival, (approach, _) in RIVALS.items()
        if (records := needs.records(f"metric/rivals/{rival}")) and not has_learnt(records, sources)
    ]
    why = f"its samples are more than {LEARNT:g} times as far from the data as their source images"
    return [f"The {name.removesuffix(', trained here')} has no row: {why}." for name in names]


def table2_headline(frame: pd.DataFrame) -> str:
    """Say the distance of the samples, of their source images, of the last checkpoint's samples, and of real images."""
    mine, *last = (row for _, row in frame[frame["weights"] != ""].iterrows())
    raw = frame.loc[frame["approach"].str.startswith(SOURCES), "measured_distance"].item()
    real = frame.loc[frame["approach"].str.startswith(REAL) & (frame["measured_distance"] != ""), "measured_distance"]
    others = [f"last iteration {row['measured_distance']}" for row in last[:1]]
    others += [f"held-out real images {distance}" for distance in real]
    beside = f"; {', '.join(others)}" if others else ""
    if "stand-in" in mine["metric"]:
        distance = f"stand-in distance {mine['measured_distance']} (source images {raw})"
        return f"{mine['data']}: {distance}, not comparable with FID{beside}"
    return f"IS {mine['measured_is']}, FID {mine['measured_distance']} (source images {raw}){beside}"


def weights(models: dict[str, Result]) -> str:
    """Return who trained the models behind a row."""
    return "; ".join(dict.fromkeys(model.weights for model in models.values()))


def table2_shown(needs: Needs, frame: pd.DataFrame) -> pd.DataFrame:
    """Return Table 2 for a page; on stand-in data the measured rows come above the published ones."""
    shown = frame[["approach", "group", "published_is", "published_fid"]]
    title = needs.task("cifar10")["title"]
    shown.columns = ["approach", "group", f"IS on {title}, published", f"FID on {title}, published"]
    shown.insert(2, "data, measured", frame["data"])
    shown = shown.join(with_intervals(frame)).join(differences(frame)).join(weights_shown(frame))
    return measured_first(shown, frame) if needs.is_standin("cifar10") else shown


def weights_shown(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the column of weights for a page; no column if all were trained here, since the caption says so."""
    shown = frame[["weights"]].rename(columns={"weights": "weights, measured"})
    return shown if set(frame["weights"]) - {"", "trained here"} else shown[[]]


def measured_first(shown: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a page with the measured ones above those that are only published."""
    return shown.loc[(frame["data"] == "").sort_values(kind="stable").index]


def table2_caption(needs: Needs) -> str:
    """Say what the measured columns hold, with the ratios and class shares behind them."""
    metrics = needs.records("metric")
    ours, (raw,) = of(needs.records("metric/best"), "frechet"), of(needs.records("metric/sources"), "frechet")
    names = " and ".join(sorted({record["name"] for record in metrics if record["metric"] not in IN_WORDS}))
    words = [
        f"Table 2 at the {needs.scale} scale. {needs.introduction('cifar10')}",
        f"Measured: {names}, with extractor {extractor_of(ours[0])}.",
        f"Each distance compares {ours[0]['n_samples']} images with {ours[0]['n_reference']} training images; for half "
        f"as many samples it is {mean(record['value_at_half'] for record in ours):.4g}.",
    ]
    if raw["n_samples"] == ours[0]["n_samples"]:
        ratios = [raw["value"] / record["value"] for record in ours]
        seeds = [f"{ratio:.2f} (seed {record['images']['seed']})" for ratio, record in zip(ratios, ours, strict=True)]
        words.append(
            "The distance of the source images, divided by that of the samples: "
            f"{', '.join(seeds)}; median {median(ratios):.2f}."
        )
    if ours[0]["standin"]:
        words.append(STANDIN)
    words += [*unlearnt(needs), *map(agreement_in_words, needs.records("agreement"))]
    if shares := of(needs.records("metric/best"), "class_shares"):
        smallest = min(shares, key=lambda record: record["value"])
        name = min(smallest["shares"], key=smallest["shares"].get)
        words.append(
            f"By that classifier, the rarest class among the samples is {name}, with {100 * smallest['value']:.1f} %."
        )
    chosen = selection(needs.under("model/best"), needs.under("samples/best"))
    return " ".join([*words, *chosen, interval_of(ours)])


def selection(models: dict[str, Result], samples: dict[str, Result]) -> list[str]:
    """Say what training selected on validation sources; for imported weights, say that nothing was selected.

    `samples` are those whose number of steps training may have selected; empty if the configuration gives it.
    """
    if any(model.is_imported for model in models.values()):
        return ["A column names the weights that were not trained here; nothing was selected for them."]
    if not all(model.settings["monitor"] for model in models.values()):
        return []
    lengths = {sample.settings["steps"] for sample in samples.values()} == {"selected"}
    chosen = "The checkpoint and the number of PGD steps were" if lengths else "The checkpoint was"
    return [
        f"All models were trained here. {chosen} selected on validation sources; the numbers come from other sources."
    ]


def interval_of(records: Sequence[Record]) -> str:
    """Say, for a caption, what ± means."""
    if len({record["images"]["seed"] for record in records}) > 1:
        return "± is half of a 95 % interval of the mean over seeds."
    return (
        "± is half of a 95 % interval over blocks of images of one model: it covers the sampling of images. Other "
        "seeds and machines differ by more."
    )


# --- Table 3 ------------------------------------------------------------------------------------------------------


def table3(needs: Needs) -> Drawn:
    """Return Table 3: published FID beside measured distances on three tasks, with both references for each.

    Columns, rows and intervals are as in `table2`.
    """
    paper = published("table3")
    frame = paper.rename(columns={"fid": "published_fid"})
    frame = compared(frame, list(table3_rows(needs)), needs.scale)
    asked = asked_for(needs)
    order = [
        name
        for run, (dataset, *_) in TABLE3.items()
        for name in dict.fromkeys((*([needs.name(run)] if run in asked else []), dataset))
    ]
    frame = frame.sort_values("dataset", key=lambda column: column.map(order.index), kind="stable", ignore_index=True)
    shown = frame[["dataset", "approach", "published_fid"]]
    shown.columns = ["data set", "approach", "FID, published"]
    shown = shown.join(with_intervals(frame)).join(differences(frame)).join(weights_shown(frame))
    mine = frame.loc[frame["weights"] != "", "measured_distance"]
    theirs = paper.loc[paper["approach"].str.startswith("Ours"), "fid"]
    return Drawn(
        frame,
        table3_caption(needs),
        f"{distances_of(needs)} {', '.join(mine)}",
        f"FID {', '.join(theirs)}",
        shown=shown,
    )


def asked_for(needs: Needs) -> list[str]:
    """Return the tasks of Table 3 that are measured here; the others keep their published rows alone."""
    return [run for run in TABLE3 if needs.records(f"metric/{run}/samples")]


def distances_of(needs: Needs) -> str:
    """Return the name of the distances in a headline."""
    return "stand-in distances" if needs.records("metric")[0]["standin"] else "FID"


def table3_rows(needs: Needs) -> Iterator[Row]:
    """Yield the measured rows: samples, sources and held-out images of each task, also shrunk if the task says so."""
    for run in asked_for(needs):
        dataset, whole, shrunk = TABLE3[run]
        task, standin = needs.task(run), needs.is_standin(run)
        for size, role, ours in ((None, "metric", whole), (task["also_at"], "shrunk", shrunk)):
            suffix = f", all shrunk to {size}x{size}" if size else ""
            names = {
                "samples": f"{HERE}{suffix}" if standin else ours,
                "sources": f"{SOURCES} ({needs.set_title(task['sources'])}){suffix}",
                "held_out": f"{REAL}{suffix}",
            }
            for row, approach in names.items():
                if records := needs.records(f"{role}/{run}/{row}"):
                    row_names = {"dataset": needs.name(run) if standin else dataset, "approach": approach}
                    whose = weights(needs.under(f"model/{run}/samples")) if row == "samples" else ""
                    yield Row(row_names, records, f"{needs.name(run)}{suffix}", whose)


def table3_caption(needs: Needs) -> str:
    """Say what was measured, on which data, and how much smaller the samples' distance is than their sources'."""
    words = [f"Table 3 at the {needs.scale} scale."]
    every: list[Record] = []
    for run in asked_for(needs):
        ours, (raw,) = needs.records(f"metric/{run}/samples"), needs.records(f"metric/{run}/sources")
        ratio = raw["value"] / mean(record["value"] for record in ours)
        words.append(
            f"{needs.introduction(run)} The distance of {ours[0]['n_samples']} samples to {ours[0]['n_reference']} "
            f"training images is {ratio:.2f} times smaller than that of the source images."
        )
        every += ours
    words.append(f"Measured: {every[0]['name']}, with extractor {extractor_of(every[0])}.")
    if every[0]["standin"]:
        words.append(STANDIN)
    return " ".join([*words, *selection(needs.under("model"), needs.under("samples")), interval_of(every)])


# --- Table S7 -----------------------------------------------------------------------------------------------------


def tableS7(needs: Needs) -> Drawn:
    """Return Table S7: published FID and measured distances of a model's samples, by steps and step size.

    All samplers of a model have the same product of steps and step size. Columns, rows and intervals are as in
    `table2`; the column `sampler` holds the steps and step size of a row.
    """
    paper = published("tableS7")
    frame = compared(paper.rename(columns={"fid": "published_fid"}), list(tableS7_rows(needs)), needs.scale)
    shown = frame[["dataset", "sampler", "published_fid"]]
    shown.columns = ["data set", "steps x size", "FID, published"]
    shown = shown.join(with_intervals(frame)).join(differences(frame)).join(weights_shown(frame))
    mine = frame[frame["weights"] != ""].groupby("dataset", sort=False)["measured_distance"].agg(", ".join)
    theirs = paper.groupby("dataset", sort=False)["fid"].agg(", ".join)
    return Drawn(
        frame,
        tableS7_caption(needs),
        f"{distances_of(needs)} {'; '.join(mine)}",
        f"FID {'; '.join(theirs)}",
        shown=measured_first(shown, frame),
    )


def tableS7_rows(needs: Needs) -> Iterator[Row]:
    """Yield a row per model and sampler, ordered as published: the sampler with the most steps first."""
    for dataset, run in TABLES7.items():
        samplers = {role.split("/")[0] for role in needs.under(f"metric/{run}")}
        rows = {sampler: needs.records(f"metric/{run}/{sampler}") for sampler in samplers}
        name = needs.name(run) if needs.is_standin(run) else dataset
        for sampler, records in sorted(rows.items(), key=lambda row: -row[1][0]["images"]["steps"]):
            images = records[0]["images"]
            names = {"dataset": name, "sampler": f"{images['steps']} x {float(images['step_size'])}"}
            yield Row(names, records, needs.name(run), weights(needs.under(f"model/{run}/{sampler}")))


def tableS7_caption(needs: Needs) -> str:
    """Say what was measured, and how much the samplers of a model differ."""
    words, every = [f"Table S7 at the {needs.scale} scale."], needs.records("metric")
    for run in TABLES7.values():
        values = [record["value"] for record in needs.records(f"metric/{run}")]
        words.append(
            f"{needs.introduction(run)} The largest distance is {max(values) / min(values):.2f} times the smallest. "
            f"{products(needs, run)}"
        )
    words.append(
        f"Measured: {every[0]['name']} of {every[0]['n_samples']} samples, with extractor {extractor_of(every[0])}."
    )
    if every[0]["standin"]:
        words.append(STANDIN)
    return " ".join([*words, *selection(needs.under("model"), {}), interval_of(every)])


def products(needs: Needs, run: str) -> str:
    """Say which product of steps and step size a model's samplers share, and that of the sampler training selected."""
    shared = {record["images"]["steps"] * record["images"]["step_size"] for record in needs.records(f"metric/{run}")}
    words = f"Steps times step size is {' or '.join(f'{product:.4g}' for product in sorted(shared))}"
    models = [model for model in needs.under(f"model/{run}").values() if not model.is_imported]
    chosen = {
        model.record["best"]["steps"] * model.settings["monitor"]["step_size"]
        for model in models
        if model.settings["monitor"] and model.record["best"]
    }
    if not chosen:
        return f"{words}."
    selected = " or ".join(f"{each:.4g}" for each in sorted(chosen))
    return f"{words}; for the sampler that training selected it is {selected}."
