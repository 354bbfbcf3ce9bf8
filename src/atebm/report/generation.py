"""Image quality: the tables of IS and FID, published beside measured."""

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

# Approach and group of the rivals that are trained here, in the words of the published table
RIVALS = {
    "cifar10_ebm": ("EBM with a buffer of samples, trained here", "Explicit EBMs"),
    "cifar10_gan": ("small GAN, trained here", "GANs"),
}
SOURCES, REAL = "source images, unchanged", "held-out real images"  # the two ends of the ruler
# Of Table 3, per run: the data set, and our rows at the run's resolution and at the task's also_at, as published.
TABLE3 = {
    "celebahq256": ("CelebA-HQ 256", "Ours", ""),
    "afhqcat256": ("AFHQ-CAT", "Ours (256x256)", ""),
    "church256": ("LSUN Church", "Ours (256x256)", "Ours (64x64)"),
}
TABLES7 = {"CIFAR-10": "cifar10", "CelebA-HQ 256": "celebahq256"}


# --- Table 2 ------------------------------------------------------------------------------------------------------


def table2(needs: Needs) -> Drawn:
    """Return Table 2, published IS and FID beside what was measured, and both ends of the ruler.

    Measured columns hold the mean over seeds and half of a 95 % interval: over seeds where there are several, else
    over disjoint blocks of images (distances) and splits (score). With Inception there is KID as well, and the distance
    of a set with another number of images than our samples, another metric than theirs, has columns of its own.
    Measured on other data than the paper's, our rows are not the published row "Ours".
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
    """Yield the measured rows: samples of the best and the last checkpoint, source images, and held-out images."""
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
    """Name, for a caption, the rivals that have no row since they have not learnt."""
    sources = needs.records("metric/sources")
    names = [
        approach
        for rival, (approach, _) in RIVALS.items()
        if (records := needs.records(f"metric/rivals/{rival}")) and not has_learnt(records, sources)
    ]
    why = f"its samples are more than {LEARNT:g} times as far from the data as their source images"
    return [f"No row: {name}; {why}." for name in names]


def table2_headline(frame: pd.DataFrame) -> str:
    """Say what was measured of our samples and of their sources."""
    mine = frame[frame["weights"] != ""].iloc[0]
    raw = frame.loc[frame["approach"].str.startswith(SOURCES), "measured_distance"].item()
    if "stand-in" in mine["metric"]:
        distance = f"stand-in distance {mine['measured_distance']} (source images {raw})"
        return f"{mine['data']}: {distance}, not comparable with FID"
    return f"IS {mine['measured_is']}, FID {mine['measured_distance']} (source images {raw})"


def weights(models: dict[str, Result]) -> str:
    """Return whose weights the models behind a row have."""
    return "; ".join(dict.fromkeys(model.weights for model in models.values()))


def table2_shown(needs: Needs, frame: pd.DataFrame) -> pd.DataFrame:
    """Return Table 2 for a page: measured rows above published ones where they are of other data than the paper's."""
    shown = frame[["approach", "group", "published_is", "published_fid"]]
    title = needs.task("cifar10")["title"]
    shown.columns = ["approach", "group", f"IS on {title}, published", f"FID on {title}, published"]
    shown.insert(2, "data, measured", frame["data"])
    shown = shown.join(with_intervals(frame)).join(differences(frame)).join(weights_shown(frame))
    return measured_first(shown, frame) if needs.is_standin("cifar10") else shown


def weights_shown(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the column of weights for a page; none where all were trained here, which the caption says."""
    shown = frame[["weights"]].rename(columns={"weights": "weights, measured"})
    return shown if set(frame["weights"]) - {"", "trained here"} else shown[[]]


def measured_first(shown: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a page with those that were measured above those that are published alone."""
    return shown.loc[(frame["data"] == "").sort_values(kind="stable").index]


def table2_caption(needs: Needs) -> str:
    """Say what the measured columns mean, with the ratios and class shares behind them."""
    metrics = needs.records("metric")
    ours, (raw,) = of(needs.records("metric/best"), "frechet"), of(needs.records("metric/sources"), "frechet")
    names = " and ".join(sorted({record["name"] for record in metrics if record["metric"] not in IN_WORDS}))
    words = [
        f"Table 2 at scale {needs.scale}. {needs.introduction('cifar10')}",
        f"Measured: {names}, extractor {extractor_of(ours[0])}.",
        f"Distances are of {ours[0]['n_samples']} images to {ours[0]['n_reference']} training images; from half of our "
        f"samples it is {mean(record['value_at_half'] for record in ours):.4g}.",
    ]
    if raw["n_samples"] == ours[0]["n_samples"]:
        ratios = [raw["value"] / record["value"] for record in ours]
        seeds = [f"{ratio:.2f} (seed {record['images']['seed']})" for ratio, record in zip(ratios, ours, strict=True)]
        words.append(
            f"Distance of the source images over that of our samples: {', '.join(seeds)}; median {median(ratios):.2f}."
        )
    if ours[0]["standin"]:
        words.append(STANDIN)
    words += [*unlearnt(needs), *map(agreement_in_words, needs.records("agreement"))]
    if shares := of(needs.records("metric/best"), "class_shares"):
        smallest = min(shares, key=lambda record: record["value"])
        name = min(smallest["shares"], key=smallest["shares"].get)
        words.append(f"Rarest class among our samples by that classifier: {name}, {100 * smallest['value']:.1f} %.")
    chosen = selection(needs.under("model/best"), needs.under("samples/best"))
    return " ".join([*words, *chosen, interval_of(ours)])


def selection(models: dict[str, Result], samples: dict[str, Result]) -> list[str]:
    """Say what training chose on validation sources; nothing of weights that were not trained here.

    `samples` are those whose lengths training may have chosen, too; none where they were given.
    """
    if any(model.is_imported for model in models.values()):
        return ["Weights that were not trained here are named in a column; nothing was chosen for them here."]
    if not all(model.settings["monitor"] for model in models.values()):
        return []
    lengths = {sample.settings["steps"] for sample in samples.values()} == {"selected"}
    chosen = "Checkpoint and sampler length were" if lengths else "The checkpoint was"
    return [
        f"All models were trained here. {chosen} chosen on validation sources, and the numbers are of other sources."
    ]


def interval_of(records: Sequence[Record]) -> str:
    """Say what ± is."""
    if len({record["images"]["seed"] for record in records}) > 1:
        return "± is half of a 95 % interval of the mean over seeds."
    return (
        "± is half of a 95 % interval over blocks of images of one model: of its sampling, not of other seeds and "
        "machines, which differ by more."
    )


# --- Table 3 ------------------------------------------------------------------------------------------------------


def table3(needs: Needs) -> Drawn:
    """Return Table 3, published FID beside measured distances on three tasks, and the ends of each one's ruler.

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
    """Say what the distances of a headline are."""
    return "stand-in distances" if needs.records("metric")[0]["standin"] else "FID"


def table3_rows(needs: Needs) -> Iterator[Row]:
    """Yield the measured rows: samples, sources and held-out images of each task, also shrunk where it says so."""
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
    """Say what was measured, on which data, and how far samples are from their sources."""
    words = [f"Table 3 at scale {needs.scale}."]
    every: list[Record] = []
    for run in asked_for(needs):
        ours, (raw,) = needs.records(f"metric/{run}/samples"), needs.records(f"metric/{run}/sources")
        ratio = raw["value"] / mean(record["value"] for record in ours)
        words.append(
            f"{needs.introduction(run)} {ours[0]['n_samples']} samples are scored against {ours[0]['n_reference']} "
            f"training images; their distance is {ratio:.2f} times smaller than the sources'."
        )
        every += ours
    words.append(f"Measured: {every[0]['name']}, extractor {extractor_of(every[0])}.")
    if every[0]["standin"]:
        words.append(STANDIN)
    return " ".join([*words, *selection(needs.under("model"), needs.under("samples")), interval_of(every)])


# --- Table S7 -----------------------------------------------------------------------------------------------------


def tableS7(needs: Needs) -> Drawn:
    """Return Table S7, published FID and measured distances of one model's samples, by steps and step size.

    The samplers of a model have the same product of steps and step size. Columns, rows and intervals are as in
    `table2`; `sampler` says which steps and step size a row has.
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
    """Yield a row per model and sampler, the one of most steps first, as published."""
    for dataset, run in TABLES7.items():
        samplers = {role.split("/")[0] for role in needs.under(f"metric/{run}")}
        rows = {sampler: needs.records(f"metric/{run}/{sampler}") for sampler in samplers}
        name = needs.name(run) if needs.is_standin(run) else dataset
        for sampler, records in sorted(rows.items(), key=lambda row: -row[1][0]["images"]["steps"]):
            images = records[0]["images"]
            names = {"dataset": name, "sampler": f"{images['steps']} x {float(images['step_size'])}"}
            yield Row(names, records, needs.name(run), weights(needs.under(f"model/{run}/{sampler}")))


def tableS7_caption(needs: Needs) -> str:
    """Say what was measured, and how far the samplers of a model differ."""
    words, every = [f"Table S7 at scale {needs.scale}."], needs.records("metric")
    for run in TABLES7.values():
        values = [record["value"] for record in needs.records(f"metric/{run}")]
        words.append(
            f"{needs.introduction(run)} The largest distance is {max(values) / min(values):.2f} times the smallest. "
            f"{products(needs, run)}"
        )
    words.append(f"Measured: {every[0]['name']} of {every[0]['n_samples']}, extractor {extractor_of(every[0])}.")
    if every[0]["standin"]:
        words.append(STANDIN)
    return " ".join([*words, *selection(needs.under("model"), {}), interval_of(every)])


def products(needs: Needs, run: str) -> str:
    """Say which product of steps and step size a model's samplers share, and that of the length training selected."""
    shared = {record["images"]["steps"] * record["images"]["step_size"] for record in needs.records(f"metric/{run}")}
    words = f"Steps x size: {' or '.join(f'{product:.4g}' for product in sorted(shared))}"
    models = [model for model in needs.under(f"model/{run}").values() if not model.is_imported]
    chosen = {
        model.record["best"]["steps"] * model.settings["monitor"]["step_size"]
        for model in models
        if model.settings["monitor"] and model.record["best"]
    }
    if not chosen:
        return f"{words}."
    return f"{words}; of the length that training selected: {' or '.join(f'{each:.4g}' for each in sorted(chosen))}."
