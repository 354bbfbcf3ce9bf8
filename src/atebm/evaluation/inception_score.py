"""The Inception Score, computed from class logits (Salimans et al. 2016)."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax


def split_scores(logits: NDArray[np.floating], splits: int) -> NDArray[np.float64]:
    """Return exp(mean KL(p(y|x) || p(y))) for each of `splits` consecutive parts of (N, classes) logits.

    The score is their mean. Each lies between 1 and the number of classes.
    """
    scores = []
    edges = np.arange(splits + 1) * len(logits) // splits  # rounded as in the authors' code
    for start, end in pairwise(edges):
        part = logits[start:end].astype(np.float64)
        log_p = log_softmax(part, axis=1)
        p = np.exp(log_p)
        divergence = (p * (log_p - np.log(p.mean(axis=0)))).sum(axis=1)
        scores.append(np.exp(divergence.mean()))
    return np.array(scores)
