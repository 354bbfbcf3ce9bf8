"""Make random numbers that depend only on a key."""

import numpy as np
import torch


def generator(*key: int) -> torch.Generator:
    """Return a CPU generator that depends only on the key."""
    (state,) = np.random.SeedSequence(key).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state) % 2**63)
