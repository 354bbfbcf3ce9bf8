"""What pictures of restoration, translation and samples suggest, in numbers, beside what trivial means do."""

from pathlib import Path

import numpy as np
import pandas as pd

from ..evaluation.intervals import t_half_width
from ..pipeline.job import record_of
from ..pipeline.tasks import PAPER_TASKS
from .ascents import baselines, damage, gain
from .captions import STANDIN
from .needs import Needs
from .neighbours import compared, ratios
from .pictures import images_of
from .tabulating import write_table

LEAST = 1e-3  # of a ratio of distances: that of a sample that is a training image


def picture_checks(plan: str, out: str) -> pd.DataFrame:
    """Write what pictures suggest, as numbers with intervals over images, to `out` (.csv) and .md; return the frame.

    The models are those of one seed and the intervals are not adjusted for their number, so there is no verdict: beside
    each number stands what a trivial filter does, or how far ordinary samples of the same model are.
    """
    needs = Needs.read(plan)
    ascents, data = needs.folder("ascent"), {record_of(folder)["set"]: folder for folder in needs.folder("data")}
    rows = [
        restored(needs, folder, images_of(data[record_of(folder)["set"]]))
        for folder in ascents
        if record_of(folder)["start"]["name"] != "images"
    ]
    rows += [translated(needs, folder) for folder in ascents if record_of(folder)["distances"]]
    for folder in needs.folder("neighbours"):
        rows += nearness(needs, folder)
    frame = pd.DataFrame(rows).assign(scale=needs.scale)
    words = [
        f"What the pictures show, in numbers, at scale {needs.scale}, seed {record_of(ascents[0])['seed']}: values of "
        "one model each, with 95 % intervals over images. One seed decides nothing, so no row has a verdict.",
        "Of nearest neighbours, each sample is compared with as many training as held-out images: below 1, samples are "
        "nearer to what was trained on.",
        needs.introduction(*PAPER_TASKS),
    ]
    if any(record["extractor"]["kind"] != "inception" for record in needs.records("neighbours")):
        words.append(STANDIN)
    shown = frame[["what", "data"]].copy()
    shown["measured [95 % interval]"] = [
        f"{row.value:.3g} [{row.low:.3g}, {row.high:.3g}]" for row in frame.itertuples()
    ]
    shown["in comparison"] = frame["comparison"]
    write_table(frame, shown, Path(out), " ".join(words))
    return frame


def restored(needs: Needs, folder: Path, originals: np.ndarray) -> dict[str, object]:
    """Return how much PSNR rises from damaged to restored images, and what trivial filters do."""
    record, gains = record_of(folder), gain(pd.read_csv(folder / "path.csv"))
    half, trivial = t_half_width(gains.tolist()), baselines(folder, originals)
    worse = float((gains < 0).mean())
    way = "Denoising" if record["start"]["name"] == "noisy" else "Inpainting"
    return {
        "what": f"{way}: rise of PSNR over the damaged image, in dB. {damage(record)}",
        "data": needs.name(record["run"]),
        "value": gains.mean(),
        "low": gains.mean() - half,
        "high": gains.mean() + half,
        "images": len(gains),
        "worse": worse,
        "comparison": f"{100 * worse:.0f} % of the images get worse; "
        + ", ".join(f"{name} {rise:+.2f} dB" for name, rise in trivial.items()),
    }


def translated(needs: Needs, folder: Path) -> dict[str, object]:
    """Return the distance to the target before translation over that after it, and that of ordinary samples.

    The interval is by the delta method on blocks of images.
    """
    record, distances = record_of(folder), pd.read_csv(folder / "distances.csv")
    before, after = distances.iloc[0], distances.iloc[-1]
    value = before["distance"] / after["distance"]
    half = value * np.hypot(before["ci95"] / before["distance"], after["ci95"] / after["distance"])
    (samples,) = (metric for metric in needs.records("metric") if metric["images"]["run"] == record["run"])
    return {
        "what": "Translation: distance to the target's images before it over that after it",
        "data": f"{needs.name_of(record['set'])} to {needs.name(record['run'])}",
        "value": value,
        "low": value - half,
        "high": value + half,
        "images": int(after["n"]),
        "comparison": f"translated images are {after['distance']:.3g} away from the target's, ordinary samples of the "
        f"same model {samples['value']:.3g}: {after['distance'] / samples['value']:.1f} times as far",
    }


def nearness(needs: Needs, folder: Path) -> list[dict[str, object]]:
    """Return the geometric mean over samples of nearest training over nearest held-out distance, in each space.

    There is none where no image is held out.
    """
    record, rows = record_of(folder), []
    for space, own in compared(pd.read_csv(folder / "neighbours.csv")).groupby("space", sort=False):
        shares = ratios(own).clip(lower=LEAST)
        logs = np.log(shares)
        half = t_half_width(logs.tolist())
        high = np.exp(logs.mean() + half)
        side = "; the interval lies below 1: samples are nearer to training images" if high < 1 else ""
        rows.append(
            {
                "what": f"Memorisation: nearest training over nearest held-out distance, in {space}, geometric mean",
                "data": needs.name(record["run"]),
                "value": np.exp(logs.mean()),
                "low": np.exp(logs.mean() - half),
                "high": high,
                "images": len(own),
                "comparison": f"{(shares < 1).sum()} of {len(own)} samples are nearer to a training image{side}",
            }
        )
    return rows
