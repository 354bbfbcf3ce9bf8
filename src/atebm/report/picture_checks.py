"""What pictures of restoration, translation and samples suggest, in numbers, beside what trivial means do."""

import numpy as np
import pandas as pd

from ..evaluation.intervals import t_half_width
from ..pipeline.tasks import PAPER_TASKS
from .captions import STANDIN
from .drawn import Drawn
from .needs import Needs, Result
from .neighbours import nearest_of_as_many, ratios
from .trivial import damage, gain, restored_trivially

LEAST = 1e-3  # of a ratio of distances: that of a sample that is a training image


def picture_checks(needs: Needs) -> Drawn:
    """Return what pictures suggest, as numbers with intervals over images.

    The models are those of one seed and the intervals are not adjusted for their number, so there is no verdict: beside
    each number stands what a trivial filter does, or how far ordinary samples of the same model are.
    """
    ascents = needs.under("ascent").values()
    damaged = [ascent for ascent in ascents if ascent.record["start"]["name"] != "images"]
    rows = [row for ascent in damaged for row in restored(needs, ascent)]
    rows += [translated(needs, ascent) for ascent in ascents if ascent.record["distances"]]
    for search in needs.under("neighbours").values():
        rows += nearness(needs, search)
    frame = pd.DataFrame(rows).assign(scale=needs.scale)
    words = [
        f"What the pictures show, in numbers, at scale {needs.scale}, seed {next(iter(ascents)).record['seed']}: "
        "values of one model each, with 95 % intervals over images. One seed decides nothing, so no row has a verdict.",
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
    return Drawn(frame, " ".join(words), f"{len(frame)} values of one model each, beside trivial means", shown=shown)


def restored(needs: Needs, ascent: Result) -> list[dict[str, object]]:
    """Return how much PSNR rises from damaged to restored images, a row for the ascent and for each trivial filter."""
    record = ascent.record
    way = "Denoising" if record["start"]["name"] == "noisy" else "Inpainting"
    damaged, undamaged = ascent.array("frames.npy")[:, 0], needs[f"undamaged/{record['run']}"]
    filtered = restored_trivially(record["start"], damaged, undamaged.images[: len(damaged)])
    gains = {"by PGD on f": gain(ascent.table("path.csv")).to_numpy()}
    gains |= {f"by {name}, no model": found.gains for name, found in filtered.items()}
    rows: list[dict[str, object]] = []
    for by, rises in gains.items():
        half, worse = t_half_width(rises.tolist()), float((rises < 0).mean())
        rows.append(
            {
                "what": f"{way} {by}: rise of PSNR over the damaged image, in dB. {damage(record)}",
                "data": needs.name(record["run"]),
                "value": rises.mean(),
                "low": rises.mean() - half,
                "high": rises.mean() + half,
                "images": len(rises),
                "worse": worse,
                "comparison": f"{100 * worse:.0f} % of the images get worse",
            }
        )
    return rows


def translated(needs: Needs, ascent: Result) -> dict[str, object]:
    """Return the distance to the target before translation over that after it, and that of ordinary samples.

    The interval is by the delta method on blocks of images.
    """
    record, distances = ascent.record, ascent.table("distances.csv")
    before, after = distances.iloc[0], distances.iloc[-1]
    value = before["distance"] / after["distance"]
    half = value * np.hypot(before["ci95"] / before["distance"], after["ci95"] / after["distance"])
    samples = needs[f"distance/{record['run']}"].record["value"]
    return {
        "what": "Translation: distance to the target's images before it over that after it",
        "data": f"{needs.name_of(record['set'])} to {needs.name(record['run'])}",
        "value": value,
        "low": value - half,
        "high": value + half,
        "images": int(after["n"]),
        "comparison": f"translated images are {after['distance']:.3g} away from the target's, ordinary samples of the "
        f"same model {samples:.3g}: {after['distance'] / samples:.1f} times as far",
    }


def nearness(needs: Needs, search: Result) -> list[dict[str, object]]:
    """Return the geometric mean over samples of nearest training over nearest held-out distance, in each space.

    There is none where no image is held out.
    """
    rows: list[dict[str, object]] = []
    for space, mine in nearest_of_as_many(search.table("neighbours.csv")).groupby("space", sort=False):
        shares = ratios(mine).clip(lower=LEAST)
        logs = np.log(shares)
        half = t_half_width(logs.tolist())
        high = np.exp(logs.mean() + half)
        side = "; the interval lies below 1: samples are nearer to training images" if high < 1 else ""
        rows.append(
            {
                "what": f"Memorisation: nearest training over nearest held-out distance, in {space}, geometric mean",
                "data": needs.name(search.record["run"]),
                "value": np.exp(logs.mean()),
                "low": np.exp(logs.mean() - half),
                "high": high,
                "images": len(mine),
                "comparison": f"{(shares < 1).sum()} of {len(mine)} samples are nearer to a training image{side}",
            }
        )
    return rows
