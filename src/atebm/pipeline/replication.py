"""Make whole replications, in which more than the training is drawn again for each seed.

With `replication: whole`, a seed also deals the photographs, draws the crops, sources and noise, pre-trains the network
that runs start from, and selects the images under attack. So an effect that appears in all seeds depends on none of
these.
"""

import hashlib

from ..config.schema import Config
from ..config.sets import ImageSet, Photographs

APART = 1000  # difference between the seeds of a set in two replications; config.yaml's own seeds are smaller


def replicated(config: Config, seed: int) -> Config:
    """Return a configuration whose sets, pre-trainings, ascents and attacks are those of a seed."""
    dealt = dealing(config.dealt, seed)
    sets = {name: replicated_set(spec, seed, dealt) for name, spec in config.sets.items()}
    own = {"seed": seed}
    return config.model_copy(
        update={
            "replication": "training",
            "sets": sets,
            "pretrainings": {name: spec.model_copy(update=own) for name, spec in config.pretrainings.items()},
            "ascents": {name: spec.model_copy(update=own) for name, spec in config.ascents.items()},
            "detection": {name: spec.model_copy(update=own) for name, spec in config.detection.items()},
            "neighbours": config.neighbours.model_copy(update=own),
        }
    )


def dealing(photographs: tuple[str, ...], seed: int) -> dict[str, str]:
    """Return which photograph replaces which: a permutation that depends only on the seed."""
    order = sorted(photographs, key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest())
    return dict(zip(photographs, order, strict=True))


def replicated_set(spec: ImageSet, seed: int, dealt: dict[str, str]) -> ImageSet:
    """Return a set of a replication: with its own seed, and the photographs that were dealt to it."""
    changes: dict[str, object] = {}
    if "seed" in type(spec).model_fields:
        changes["seed"] = getattr(spec, "seed") + APART * (seed + 1)  # noqa: B009  # only some sets have one
    if isinstance(spec, Photographs):
        changes["photographs"] = tuple(dealt.get(name, name) for name in spec.photographs)
    return spec.model_copy(update=changes) if changes else spec
