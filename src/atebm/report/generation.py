"""Image quality: the tables of IS and FID, published beside measured."""

from collections.abc import Sequence
from pathlib import Path
from statistics import mean, median
from typing import Any

import pandas as pd

from .needs import Needs
from .published import published
from .tabulating import Record, extractor_of, interval, of, write_table

TABLE2_MEASURED = [
    "measured_is",
    "measured_is_ci95",
    "measured_distance",
    "measured_distance_ci95",
    "metric",
    "extractor",
    "data",
    "scale",
    "n_samples",
    "seeds",
]


def table2(plan: str, out: str) -> pd.DataFrame:
    """Table 2: published IS and FID beside what was measured, and the two ends of the ruler it was measured with.

    Measured columns hold the mean over seeds and half of a 95 % interval: over seeds where there are several, else
    over disjoint blocks of images (distances) and splits (score). With Inception there is KID as well, and the distance
    of a set with another number of images than our samples, another metric than theirs, has columns of its own.
    Writes `out` (.csv) and the same as .md.
    """
    needs = Needs.read(plan)
    task, metrics = needs.task("cifar10"), needs.records("metric")
    frame = published("table2").rename(columns={"is": "published_is", "fid": "published_fid"})
    frame = frame.reindex(columns=[*frame.columns, *TABLE2_MEASURED])
    rows = {
        "Ours": ("AT-based", of(metrics, run="cifar10", checkpoint="best")),
        "Ours, last iteration": ("AT-based", of(metrics, run="cifar10", checkpoint="last")),
        "p_0: source images as they are": ("reference", of(metrics, set=task["sources"])),
        "p_data: held-out real images": ("reference", of(metrics, set=task["held_out"])),
    }
    frame = frame.astype(object).set_index("approach")
    (n,) = {record["n_samples"] for record in of(metrics, "frechet", run="cifar10")}
    for approach, (group, records) in rows.items():
        frame.loc[approach, "group"] = group
        for column, value in measured(records, n).items():
            frame.loc[approach, column] = value
        frame.loc[approach, ["data", "scale"]] = [task["played_by"], needs.scale]
    frame = frame.reset_index().fillna("")
    write_table(frame, table2_shown(frame), Path(out), table2_caption(needs, metrics))
    return frame


def table2_shown(frame: pd.DataFrame) -> pd.DataFrame:
    """Table 2 for a page: values with their intervals; what the caption says of all measured rows is left out."""
    shown = frame[["approach", "group", "published_is", "published_fid"]].copy()
    known = ["measured_is", "measured_distance"]
    extra = [name for name in frame.columns if f"{name}_ci95" in frame.columns and name not in known]
    for column in (*known, *extra):
        intervals = " ± " + frame[f"{column}_ci95"]
        shown[column] = frame[column] + intervals.where(frame[column] != "", "")
    extra = [name.removeprefix("measured_").replace("kid", "KID").replace("_", " ") for name in extra]
    measured = [f"{name}, measured" for name in ("score", "distance", *extra)]
    shown.columns = ["approach", "group", "IS, published", "FID, published", *measured]
    return shown


def measured(records: Sequence[Record], n: int) -> dict[str, Any]:
    """The measured columns of one row, from its records (some metrics for each seed); `n` images are our samples."""
    scores, distances, kids = (of(records, metric) for metric in ("inception_score", "frechet", "kid"))
    images = distances[0]["n_samples"]
    distance = "measured_distance" if images == n else f"measured_distance_of_{images}_images"
    columns = {"measured_is": scores, distance: distances, "measured_kid": kids}
    values = {}
    for column, found in columns.items():
        if found:
            values[column] = f"{mean(record['value'] for record in found):.4g}"
            values[f"{column}_ci95"] = f"{interval(found):.2g}"
    return {
        **values,
        "metric": "; ".join(found[0]["name"] for found in columns.values() if found),
        "extractor": extractor_of(distances[0]),
        "n_samples": images,
        "seeds": len(distances),
    }


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
        words.append(
            "The extractor is a stand-in, a small classifier trained on the same labels: its numbers rank the measured "
            "rows and are neither FID nor IS, so they do not compare with the published columns."
        )
    shares = of(best, "class_shares")
    if shares:
        smallest = min(shares, key=lambda record: record["value"])
        name = min(smallest["shares"], key=smallest["shares"].get)
        words.append(f"Rarest class among our samples by that classifier: {name}, {100 * smallest['value']:.1f} %.")
    words.append("Checkpoint and sampler length were chosen on validation sources. ± is half of a 95 % interval.")
    return " ".join(words)
