"""Put pictures of restoration, translation and samples in numbers, beside trivial baselines."""

import numpy as np
import pandas as pd

from ..evaluation.intervals import t_half_width
from ..pipeline.tasks import PAPER_TASKS
from .captions import STANDIN
from .drawn import Drawn
from .needs import Needs, Result
from .neighbours import nearest_of_as_many, ratios
from .trivial import damage, gain, restored_trivially

LEAST = 1e-3  # replaces a ratio of distances of 0, that of a sample which is itself a training image


def picture_checks(needs: Needs) -> Drawn:
    """Return what pictures suggest as numbers, with intervals over images.

    The models have one seed and the intervals are not adjusted for their number, so there is no verdict. Beside each
    number stands a trivial filter's, or the distance of ordinary samples of the same model.
    """
    ascents = needs.under("ascent").values()
    damaged = [ascent for ascent in ascents if ascent.record["start"]["name"] != "images"]
    rows = [row for ascent in damaged for row in restored(needs, ascent)]
    rows += [translated(needs, ascent) for ascent in ascents if ascent.record["distances"]]
    for search in needs.under("neighbours").values():
        rows += nearness(needs, search)
    frame = pd.DataFrame(rows).assign(scale=needs.scale)
    words = [
        f"Numbers for what the pictures show, at the {needs.scale} scale, seed "
        f"{next(iter(ascents)).record['seed']}: each value is of one model, with a 95 % interval over images. One seed "
        "decides nothing, so no row has a verdict.",
        "For memorisation, each sample is compared with equally many training and held-out images; below 1, samples "
        "are nearer to training images.",
        needs.introduction(*PAPER_TASKS),
    ]
    if any(record["extractor"]["kind"] != "inception" for record in needs.records("neighbours")):
        words.append(STANDIN)
    shown = frame[["what", "data"]].copy()
    shown["measured [95 % interval]"] = [
        f"{row.value:.3g} [{row.low:.3g}, {row.high:.3g}]" for row in frame.itertuples()
    ]
    shown["for comparison"] = frame["comparison"]
    headline = f"{len(frame)} values of one model each, beside trivial baselines"
    return Drawn(frame, " ".join(words), headline, shown=shown)


def restored(needs: Needs, ascent: Result) -> list[dict[str, object]]:
    """Return how much PSNR rises from damaged to restored images: a row for PGD and one for each trivial filter."""
    record = ascent.record
    way = "Denoising" if record["start"]["name"] == "noisy" else "Inpainting"
    damaged, undamaged = ascent.array("frames.npy")[:, 0], needs[f"undamaged/{record['run']}"]
    filtered = restored_trivially(record["start"], damaged, undamaged.images[: len(damaged)])
    gains = {"by PGD on f": gain(ascent.table("path.csv")).to_numpy()}
    gains |= {f"by a {name}, without a model": found.gains for name, found in filtered.items()}
    rows: list[dict[str, object]] = []
    for by, rises in gains.items():
        half, worse = t_half_width(rises.tolist()), float((rises < 0).mean())
        rows.append(
            {
                "what": f"{way} {by}: rise in PSNR over the damaged image, in dB. {damage(record)}",
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
    """Return the ratio of distances to the target before and after translation, beside ordinary samples' distance.

    The interval comes from the delta method on blocks of images.
    """
    record, distances = ascent.record, ascent.table("distances.csv")
    before, after = distances.iloc[0], distances.iloc[-1]
    value = before["distance"] / after["distance"]
    half = value * np.hypot(before["ci95"] / before["distance"], after["ci95"] / after["distance"])
    samples = needs[f"distance/{record['run']}"].record["value"]
    return {
        "what": "Translation: distance to the target's images before translation, divided by that after it",
        "data": f"{needs.name_of(record['set'])} to {needs.name(record['run'])}",
        "value": value,
        "low": value - half,
        "high": value + half,
        "images": int(after["n"]),
        "comparison": f"the distance of translated images is {after['distance']:.3g}, that of ordinary samples of the "
        f"same model {samples:.3g}: {after['distance'] / samples:.1f} times as far",
    }


def nearness(needs: Needs, search: Result) -> list[dict[str, object]]:
    """Return, for each space, how much nearer samples are to training images than to held-out ones.

    It is the geometric mean over samples of the ratio of nearest distances. Without held-out images there is none.
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
                "what": "Memorisation: distance to the nearest training image, divided by that to the nearest held-out "
                f"image, in {space} (geometric mean)",
                "data": needs.name(search.record["run"]),
                "value": np.exp(logs.mean()),
                "low": np.exp(logs.mean() - half),
                "high": high,
                "images": len(mine),
                "comparison": f"{(shares < 1).sum()} of {len(mine)} samples are nearer to a training image{side}",
            }
        )
    return rows
