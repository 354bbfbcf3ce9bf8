"""Image quality: the tables of IS and FID, published beside measured."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean, median

import pandas as pd

from .needs import Needs
from .published import published
from .tabulating import Record, Row, compared, differences, extractor_of, of, with_intervals, write_table

RAW, REAL = "p_0: source images as they are", "p_data: held-out real images"
# Of Table 3, per run: the data set, and our rows at the run's resolution and at the task's also_at, as published.
TABLE3 = {
    "celebahq256": ("CelebA-HQ 256", "Ours", ""),
    "afhqcat256": ("AFHQ-CAT", "Ours (256x256)", ""),
    "church256": ("LSUN Church", "Ours (256x256)", "Ours (64x64)"),
}
TABLES7 = {"CIFAR-10": "cifar10", "CelebA-HQ 256": "celebahq256"}
STANDIN = (
    "The extractor is a stand-in, a small classifier trained on the same labels: its numbers rank the measured rows "
    "and are neither FID nor IS, so they do not compare with the published columns."
)
SELECTED = "Checkpoint and sampler length were chosen on validation sources."
INTERVAL = "± is half of a 95 % interval."


# --- Table 2 ------------------------------------------------------------------------------------------------------


def table2(plan: str, out: str) -> pd.DataFrame:
    """Table 2: published IS and FID beside what was measured, and the two ends of the ruler it was measured with.

    Measured columns hold the mean over seeds and half of a 95 % interval: over seeds where there are several, else
    over disjoint blocks of images (distances) and splits (score). With Inception there is KID as well, and the distance
    of a set with another number of images than our samples, another metric than theirs, has columns of its own.
    Writes `out` (.csv) and the same as .md.
    """
    needs = Needs.read(plan)
    task, metrics = needs.task("cifar10"), needs.records("metric")
    images = {
        ("Ours", "AT-based"): of(metrics, run="cifar10", checkpoint="best"),
        ("Ours, last iteration", "AT-based"): of(metrics, run="cifar10", checkpoint="last"),
        (RAW, "reference"): of(metrics, set=task["sources"]),
        (REAL, "reference"): of(metrics, set=task["held_out"]),
    }
    rows = [
        Row({"approach": approach, "group": group}, records, task["played_by"])
        for (approach, group), records in images.items()
    ]
    frame = published("table2").rename(columns={"is": "published_is", "fid": "published_fid"})
    frame = compared(frame, rows, needs.scale, scores=True)
    write_table(frame, table2_shown(frame), Path(out), table2_caption(needs, metrics))
    return frame


def table2_shown(frame: pd.DataFrame) -> pd.DataFrame:
    """Table 2 for a page: values with their intervals; what the caption says of all measured rows is left out."""
    shown = frame[["approach", "group", "published_is", "published_fid"]]
    shown.columns = ["approach", "group", "IS, published", "FID, published"]
    return shown.join(with_intervals(frame))


def table2_caption(needs: Needs, metrics: Sequence[Record]) -> str:
    """What the measured columns mean, in words, with the ratios and class shares behind them."""
    task = needs.task("cifar10")
    best = of(metrics, run="cifar10", checkpoint="best")
    ours = sorted(of(best, "frechet"), key=lambda record: record["images"]["seed"])
    (raw,) = of(metrics, "frechet", set=task["sources"])
    words = [
        f"Table 2 at scale {needs.scale}. {task['title']} is played by: {task['played_by']}.",
        f"Measured: {' and '.join(sorted({r['name'] for r in metrics if r['metric'] != 'class_shares'}))}, "
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
    shares = of(best, "class_shares")
    if shares:
        smallest = min(shares, key=lambda record: record["value"])
        name = min(smallest["shares"], key=smallest["shares"].get)
        words.append(f"Rarest class among our samples by that classifier: {name}, {100 * smallest['value']:.1f} %.")
    return " ".join([*words, SELECTED, INTERVAL])


# --- Table 3 ------------------------------------------------------------------------------------------------------


def table3(plan: str, out: str) -> pd.DataFrame:
    """Table 3: published FID beside measured distances on the three 256x256 tasks, with the ends of each one's ruler.

    Columns and intervals are those of Table 2. Writes `out` (.csv) and the same as .md.
    """
    needs = Needs.read(plan)
    metrics = needs.records("metric")
    frame = published("table3").rename(columns={"fid": "published_fid"})
    datasets = list(frame["dataset"].unique())
    frame = compared(frame, list(table3_rows(needs, metrics)), needs.scale)
    frame = frame.sort_values("dataset", key=lambda column: column.map(datasets.index), kind="stable")
    shown = frame[["dataset", "approach", "published_fid"]]
    shown.columns = ["data set", "approach", "FID, published"]
    shown = shown.join(with_intervals(frame)).join(differences(frame))
    write_table(frame, shown, Path(out), table3_caption(needs, metrics))
    return frame


def table3_rows(needs: Needs, metrics: Sequence[Record]) -> Iterator[Row]:
    """The measured rows: samples, raw sources and real images of each task, also shrunk where it says so."""
    for run, (dataset, whole, shrunk) in TABLE3.items():
        task = needs.task(run)
        for size, ours in ((None, whole), (task["also_at"], shrunk)):
            if not ours or (ours == shrunk and not size):
                continue
            suffix = f", all shrunk to {size}x{size}" if size else ""
            images = {ours: of(metrics, run=run, size=size)}
            for name, source in ((RAW, task["sources"]), (REAL, task["held_out"])):
                images[f"{name}{suffix}"] = to_set(task["p_data"], of(metrics, set=source, size=size))
            for approach, records in images.items():
                if records:
                    yield Row({"dataset": dataset, "approach": approach}, records, f"{task['played_by']}{suffix}")


def to_set(reference: str, metrics: Sequence[Record]) -> list[Record]:
    """The distances to one set among those to several."""
    return [record for record in metrics if record["reference"]["set"] == reference]


def table3_caption(needs: Needs, metrics: Sequence[Record]) -> str:
    words = [f"Table 3 at scale {needs.scale}."]
    for run, (dataset, _, _) in TABLE3.items():
        task = needs.task(run)
        ours = of(metrics, run=run, size=None)
        (raw,) = to_set(task["p_data"], of(metrics, set=task["sources"], size=None))
        ratio = raw["value"] / mean(record["value"] for record in ours)
        words.append(
            f"{dataset} is played by: {task['played_by']}; {ours[0]['n_samples']} samples are scored against "
            f"{ours[0]['n_reference']} training images, and are {ratio:.2f} times nearer to them than their sources."
        )
    words.append(f"Measured: {metrics[0]['name']}, extractor {extractor_of(metrics[0])}.")
    if metrics[0]["standin"]:
        words.append(STANDIN)
    return " ".join([*words, SELECTED, INTERVAL])


# --- Table S7 -----------------------------------------------------------------------------------------------------


def tableS7(plan: str, out: str) -> pd.DataFrame:
    """Table S7: published FID beside distances of samples of the same model, by steps and step size at equal product.

    Columns and intervals are those of Table 2; measured_sampler says the steps and the step size that were used here.
    Writes `out` (.csv) and the same as .md.
    """
    needs = Needs.read(plan)
    metrics = needs.records("metric")
    frame = published("tableS7").rename(columns={"sampler": "published_sampler", "fid": "published_fid"})
    rows = []
    for dataset, run in TABLES7.items():
        mine, task = of(metrics, run=run), needs.task(run)
        lengths = sorted({record["images"]["steps"] for record in mine}, reverse=True)  # published in this order too
        theirs = frame.loc[frame["dataset"] == dataset, "published_sampler"]
        for sampler, steps in zip(theirs, lengths, strict=True):
            names = {"dataset": dataset, "published_sampler": sampler}
            rows.append(Row(names, of(mine, steps=steps), task["played_by"]))
    frame = compared(frame, rows, needs.scale)
    used = [f"{row.records[0]['images']['steps']} x {row.records[0]['images']['step_size']:g}" for row in rows]
    frame.insert(list(frame).index("measured_distance"), "measured_sampler", used)
    shown = frame[["dataset", "published_sampler", "published_fid", "measured_sampler"]]
    shown.columns = ["data set", "steps x size, published", "FID, published", "steps x size, measured"]
    shown = shown.join(with_intervals(frame)).join(differences(frame))
    write_table(frame, shown, Path(out), tableS7_caption(needs, metrics))
    return frame


def tableS7_caption(needs: Needs, metrics: Sequence[Record]) -> str:
    words = [f"Table S7 at scale {needs.scale}."]
    for dataset, run in TABLES7.items():
        values = [record["value"] for record in of(metrics, run=run)]
        words.append(
            f"{dataset} is played by: {needs.task(run)['played_by']}; the largest distance over the smallest is "
            f"{max(values) / min(values):.2f}."
        )
    words.append(f"Measured: {metrics[0]['name']} of {metrics[0]['n_samples']}, extractor {extractor_of(metrics[0])}.")
    if metrics[0]["standin"]:
        words.append(STANDIN)
    return " ".join([*words, "The checkpoint was chosen on validation sources.", INTERVAL])
