"""Image quality: the tables of IS and FID, published beside measured."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean, median

import pandas as pd

from ..evaluation.agreement import agreement_in_words
from .captions import STANDIN
from .needs import Needs
from .published import published
from .records import Record, extractor_of, of
from .tabulating import HERE, Row, compared, differences, with_intervals, write_table

SOURCES, REAL = "source images, unchanged", "held-out real images"  # the two ends of the ruler
# Of Table 3, per run: the data set, and our rows at the run's resolution and at the task's also_at, as published.
TABLE3 = {
    "celebahq256": ("CelebA-HQ 256", "Ours", ""),
    "afhqcat256": ("AFHQ-CAT", "Ours (256x256)", ""),
    "church256": ("LSUN Church", "Ours (256x256)", "Ours (64x64)"),
}
CHECKS = ("class_shares", "agreement")  # what Table 2 says in its caption
TABLES7 = {"CIFAR-10": "cifar10", "CelebA-HQ 256": "celebahq256"}


# --- Table 2 ------------------------------------------------------------------------------------------------------


def table2(plan: str, out: str) -> pd.DataFrame:
    """Write Table 2, published IS and FID beside what was measured, and both ends of the ruler; return the frame.

    Measured columns hold the mean over seeds and half of a 95 % interval: over seeds where there are several, else
    over disjoint blocks of images (distances) and splits (score). With Inception there is KID as well, and the distance
    of a set with another number of images than our samples, another metric than theirs, has columns of its own.
    Measured on other data than the paper's, our rows are not the published row "Ours". Writes `out` (.csv) and .md.
    """
    needs = Needs.read(plan)
    metrics = needs.records("metric")
    frame = published("table2").rename(columns={"is": "published_is", "fid": "published_fid"})
    frame = compared(frame, list(table2_rows(needs, metrics)), needs.scale, scores=True)
    write_table(frame, table2_shown(needs, frame), Path(out), table2_caption(needs, metrics))
    return frame


def table2_rows(needs: Needs, metrics: Sequence[Record]) -> Iterator[Row]:
    """Yield the measured rows: samples of the best and the last checkpoint, source images, and held-out images."""
    task, ours = needs.task("cifar10"), HERE if needs.is_standin("cifar10") else "Ours"
    samples = {ours: of(metrics, run="cifar10", checkpoint="best")}
    samples[f"{ours}, last iteration"] = of(metrics, run="cifar10", checkpoint="last")
    for approach, records in samples.items():
        if records:
            yield Row(
                {"approach": approach, "group": "AT-based"}, records, needs.name("cifar10"), weights(needs, records)
            )
    sources = f"{SOURCES} ({needs.set_title(task['sources'])})"
    for approach, name in ((sources, task["sources"]), (REAL, task["held_out"])):
        yield Row({"approach": approach, "group": "reference"}, of(metrics, set=name), needs.name("cifar10"))


def weights(needs: Needs, records: Sequence[Record]) -> str:
    """Return whose weights the models behind a row have."""
    return "; ".join(dict.fromkeys(needs.weights(record) for record in records))


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


def table2_caption(needs: Needs, metrics: Sequence[Record]) -> str:
    """Say what the measured columns mean, with the ratios and class shares behind them."""
    task = needs.task("cifar10")
    best = of(metrics, run="cifar10", checkpoint="best")
    ours = sorted(of(best, "frechet"), key=lambda record: record["images"]["seed"])
    (raw,) = of(metrics, "frechet", set=task["sources"])
    words = [
        f"Table 2 at scale {needs.scale}. {needs.introduction('cifar10')}",
        f"Measured: {' and '.join(sorted({r['name'] for r in metrics if r['metric'] not in CHECKS}))}, "
        f"extractor {extractor_of(ours[0])}.",
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
    words += map(agreement_in_words, of(metrics, "agreement"))
    shares = of(best, "class_shares")
    if shares:
        smallest = min(shares, key=lambda record: record["value"])
        name = min(smallest["shares"], key=smallest["shares"].get)
        words.append(f"Rarest class among our samples by that classifier: {name}, {100 * smallest['value']:.1f} %.")
    return " ".join([*words, *selection(needs, best), interval_of(ours)])


def selection(needs: Needs, records: Sequence[Record], lengths: bool = True) -> list[str]:
    """Say what training chose on validation sources; nothing of weights that were not trained here.

    `lengths`: whether the samplers' lengths were chosen too, where the configuration lets training choose them.
    """
    specs = [needs.spec(needs.model(needs.work / record["step"]))["settings"] for record in records]
    if any("weights" in settings for settings in specs):
        return ["Weights that were not trained here are named in a column; nothing was chosen for them here."]
    if not all(settings["monitor"] for settings in specs):
        return []
    chosen = (
        "Checkpoint and sampler length were" if lengths and chosen_lengths(needs, records) else "The checkpoint was"
    )
    return [
        f"All models were trained here. {chosen} chosen on validation sources, and the numbers are of other sources."
    ]


def chosen_lengths(needs: Needs, records: Sequence[Record]) -> bool:
    """Return whether training chose how many steps each of the samplers takes."""
    return all(sampler_of(needs, record)["steps"] == "selected" for record in records)


def sampler_of(needs: Needs, record: Record) -> dict[str, object]:
    """Return the settings of the `sample` step behind a metric."""
    features = needs.spec(needs.work / needs.spec(needs.work / record["step"])["parents"]["features"])
    return needs.spec(needs.work / features["parents"]["images"])["settings"]


def interval_of(records: Sequence[Record]) -> str:
    """Say what ± is."""
    if len({record["images"]["seed"] for record in records}) > 1:
        return "± is half of a 95 % interval of the mean over seeds."
    return (
        "± is half of a 95 % interval over blocks of images of one model: of its sampling, not of other seeds and "
        "machines, which differ by more."
    )


# --- Table 3 ------------------------------------------------------------------------------------------------------


def table3(plan: str, out: str) -> pd.DataFrame:
    """Write Table 3, published FID beside measured distances on three tasks, and the ends of each one's ruler.

    Columns, rows and intervals are as in `table2`. Writes `out` (.csv) and the same as .md; returns the frame.
    """
    needs = Needs.read(plan)
    metrics = needs.records("metric")
    frame = published("table3").rename(columns={"fid": "published_fid"})
    frame = compared(frame, list(table3_rows(needs, metrics)), needs.scale)
    order = [name for run, (dataset, *_) in TABLE3.items() for name in dict.fromkeys((needs.name(run), dataset))]
    frame = frame.sort_values("dataset", key=lambda column: column.map(order.index), kind="stable", ignore_index=True)
    shown = frame[["dataset", "approach", "published_fid"]]
    shown.columns = ["data set", "approach", "FID, published"]
    shown = shown.join(with_intervals(frame)).join(differences(frame)).join(weights_shown(frame))
    write_table(frame, shown, Path(out), table3_caption(needs, metrics))
    return frame


def table3_rows(needs: Needs, metrics: Sequence[Record]) -> Iterator[Row]:
    """Yield the measured rows: samples, sources and held-out images of each task, also shrunk where it says so."""
    for run, (dataset, whole, shrunk) in TABLE3.items():
        task, standin = needs.task(run), needs.is_standin(run)
        sources = f"{SOURCES} ({needs.set_title(task['sources'])})"
        for size, ours in ((None, whole), (task["also_at"], shrunk)):
            if not ours or (ours == shrunk and not size):
                continue
            suffix = f", all shrunk to {size}x{size}" if size else ""
            mine = of(metrics, run=run, size=size)
            images = {f"{HERE}{suffix}" if standin else ours: mine}
            for name, source in ((sources, task["sources"]), (REAL, task["held_out"])):
                images[f"{name}{suffix}"] = to_set(task["p_data"], of(metrics, set=source, size=size))
            for approach, records in images.items():
                if records:
                    names = {"dataset": needs.name(run) if standin else dataset, "approach": approach}
                    whose = weights(needs, records) if records == mine else ""
                    yield Row(names, records, f"{needs.name(run)}{suffix}", whose)


def to_set(reference: str, metrics: Sequence[Record]) -> list[Record]:
    """Return the distances to one set among those to several."""
    return [record for record in metrics if record["reference"]["set"] == reference]


def table3_caption(needs: Needs, metrics: Sequence[Record]) -> str:
    words = [f"Table 3 at scale {needs.scale}."]
    every = []
    for run in TABLE3:
        task, ours = needs.task(run), of(metrics, run=run, size=None)
        (raw,) = to_set(task["p_data"], of(metrics, set=task["sources"], size=None))
        ratio = raw["value"] / mean(record["value"] for record in ours)
        words.append(
            f"{needs.introduction(run)} {ours[0]['n_samples']} samples are scored against {ours[0]['n_reference']} "
            f"training images; their distance is {ratio:.2f} times smaller than the sources'."
        )
        every += ours
    words.append(f"Measured: {metrics[0]['name']}, extractor {extractor_of(metrics[0])}.")
    if metrics[0]["standin"]:
        words.append(STANDIN)
    return " ".join([*words, *selection(needs, every), interval_of(every)])


# --- Table S7 -----------------------------------------------------------------------------------------------------


def tableS7(plan: str, out: str) -> pd.DataFrame:
    """Write Table S7, published FID and measured distances of one model's samples, by steps and step size.

    The samplers of a model have the same product of steps and step size. Columns, rows and intervals are as in
    `table2`; `sampler` says which steps and step size a row has. Writes `out` (.csv) and .md; returns the frame.
    """
    needs = Needs.read(plan)
    metrics = needs.records("metric")
    frame = published("tableS7").rename(columns={"fid": "published_fid"})
    rows = []
    for dataset, run in TABLES7.items():
        by_sampler: dict[str, list[Record]] = {}
        for record in of(metrics, run=run):
            steps, size = record["images"]["steps"], record["images"]["step_size"]
            by_sampler.setdefault(f"{steps} x {float(size)}", []).append(record)
        name = needs.name(run) if needs.is_standin(run) else dataset
        for sampler in sorted(by_sampler, key=lambda sampler: -int(sampler.split()[0])):  # published in this order too
            records = by_sampler[sampler]
            rows.append(Row({"dataset": name, "sampler": sampler}, records, needs.name(run), weights(needs, records)))
    frame = compared(frame, rows, needs.scale)
    shown = frame[["dataset", "sampler", "published_fid"]]
    shown.columns = ["data set", "steps x size", "FID, published"]
    shown = shown.join(with_intervals(frame)).join(differences(frame)).join(weights_shown(frame))
    write_table(frame, measured_first(shown, frame), Path(out), tableS7_caption(needs, metrics))
    return frame


def tableS7_caption(needs: Needs, metrics: Sequence[Record]) -> str:
    words = [f"Table S7 at scale {needs.scale}."]
    for run in TABLES7.values():
        values = [record["value"] for record in of(metrics, run=run)]
        words.append(
            f"{needs.introduction(run)} The largest distance is {max(values) / min(values):.2f} times the smallest."
        )
    words.append(f"Measured: {metrics[0]['name']} of {metrics[0]['n_samples']}, extractor {extractor_of(metrics[0])}.")
    if metrics[0]["standin"]:
        words.append(STANDIN)
    ours = [record for run in TABLES7.values() for record in of(metrics, run=run)]
    return " ".join([*words, *selection(needs, ours, lengths=False), interval_of(ours)])
