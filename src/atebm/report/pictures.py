"""The figures that are pictures: samples, and what they started from."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..job import record_of
from .drawing import canvas, save, strip, write_numbers
from .needs import Needs

COLUMNS, PAIRS = 20, 4  # of Fig. S2: rows of samples, each below the row of its sources


def figS2(plan: str, out: str) -> pd.DataFrame:
    """Draw Fig. S2, the first samples of the run below their sources, to `out` (.png), .svg and .csv; return the frame.

    One row a sample: the source's label (its photograph, where the sources are crops), the extractor's class of the
    sample, f before and after the ascent, and the L2 distance moved, in [0, 1] pixel units.
    """
    needs = Needs.read(plan)
    (sample,), (sources,), (features,) = (needs.folder(kind) for kind in ("sample", "data", "features"))
    n = min(COLUMNS * PAIRS, record_of(sample)["n"])
    frame = pd.read_csv(sample / "paths.csv").head(n)
    labels, of_sources = np.load(sources / "labels.npy")[:n], record_of(sources)["classes"]
    predicted, classes = np.load(features / "logits.npy")[:n].argmax(1), record_of(features)["extractor"]["classes"]
    frame.insert(1, "source", [of_sources[label] for label in labels])
    frame.insert(2, "predicted_class", [classes[label] for label in predicted])
    above, below = (np.load(folder / "images.npy", mmap_mode="r")[:n] for folder in (sources, sample))
    save(draw_figS2(above, below, caption_figS2(needs, record_of(sample))), Path(out))
    write_numbers(frame, Path(out))
    return frame


def draw_figS2(sources: np.ndarray, samples: np.ndarray, caption: str) -> Figure:
    """Draw uint8 images (n, H, W, C) in pairs of rows, sources above samples."""
    figure = canvas(12, 5.6)
    figure.suptitle(caption, fontsize=9)
    pairs = -(-len(samples) // COLUMNS)
    rows = figure.subplots(pairs, 1, squeeze=False)[:, 0]
    for pair, axis in enumerate(rows):
        part = slice(pair * COLUMNS, (pair + 1) * COLUMNS)
        axis.imshow(
            np.concatenate([strip(sources[part], COLUMNS), strip(samples[part], COLUMNS)]),
            cmap="gray",
            vmin=0,
            vmax=255,
        )
        height = sources.shape[1] + 1
        axis.set_yticks([height / 2, 1.5 * height], ["source", "sample"], fontsize=9)
        axis.set_xticks([])
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
    return figure


def caption_figS2(needs: Needs, sample: dict[str, Any]) -> str:
    task = needs.task("cifar10")
    weights = f"checkpoint of iteration {sample['iteration']}, chosen on validation sources."
    if sample["iteration"] is None:
        weights = "the authors' released weights."
    return (
        f"{task['title']} at scale {needs.scale}, played by {task['played_by']}. Uncurated: the first samples of seed "
        f"{sample['seed']}.\n{sample['steps']} PGD steps of {sample['step_size']} from sources that no training saw; "
        f"{weights}"
    )
