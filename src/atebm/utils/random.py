"""Random numbers that are pure functions of a key."""

import numpy as np
import torch


def generator(*key: int) -> torch.Generator:
    """Return a CPU generator that is a pure function of the key."""
    (state,) = np.random.SeedSequence(key).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state) % 2**63)
