"""Provide images to start from: the held-out sources of a run's own samples."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..config.load import configured
from ..data.content import Places, content_of
from ..data.stored import Stored
from ..pipeline.plan import Plan
from ..utils.bounds import MOST_SOURCES, whole_number
from ..utils.errors import ConfigError, DataError
from .trained import Committed, Trained, missing


def held_out_sources(trained: Trained, count: int) -> Tensor:
    """Return `count` images (n, C, H, W), uint8, of p_0 that the training of a model has not seen.

    They are the first images of the set that its task names as `sources`. If the set is not prepared in work/ but needs
    only data/embedded/, it is made here. Raises ConfigError if neither is possible, and DataError if the set has fewer
    images.
    """
    whole_number("count", count, 1, MOST_SOURCES)
    plan, root, run = origin(trained) if isinstance(trained, Committed) else (trained.plan, trained.root, trained.run)
    step = plan.data(plan.task(run).sources)
    if (root / step.record).exists():
        stored = Stored(root / step.folder)
        images = stored[slice(min(count, len(stored)))]
    elif step.parents or step.archives or "folder" in step.settings:
        raise ConfigError(missing(plan, step))
    else:
        content = content_of(step.settings, Places(embedded=root / "data/embedded"))
        made = np.concatenate(list(content.images(0, 1)))[:count]
        images = torch.from_numpy(made).permute(0, 3, 1, 2)
    if len(images) < count:
        raise DataError(
            f"you asked for {count:,} images, but {trained.name} has only {len(images):,} held-out sources: ask for "
            "fewer."
        )
    return images


def origin(model: Committed) -> tuple[Plan, Path, str]:
    """Return the plan, the checkout and the run that a model in models/ comes from."""
    root = model.folder.resolve().parents[2]
    if not (root / "config.yaml").exists():
        raise ConfigError(
            f"{model.name} does not lie in a checkout, whose config.yaml would name its sources: name images instead."
        )
    scale = [f"scale={model.record['scale']}"]
    return Plan(configured(root, scale), scale), root, str(model.record["run"])
