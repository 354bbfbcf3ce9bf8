"""Measures of out-of-distribution detection, by scikit-learn, and the interval of the AUROC. Imports no torch."""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

RESAMPLES = 1000
LEVEL = 0.95

Scores = NDArray[np.float64]


def measures(inside: Scores, outside: Scores) -> dict[str, float]:
    """Return auroc, aupr and fpr95, all in [0, 1], of scores (n,) of in- and (m,) of out-of-distribution images.

    In-distribution is the positive class, with the higher scores. fpr95 is the share of out-of-distribution images that
    reach the threshold which at least 95 % of the in-distribution images reach.
    """
    labels, scores = np.repeat([1, 0], [len(inside), len(outside)]), np.concatenate([inside, outside])
    false, true, _ = roc_curve(labels, scores)
    return {
        "auroc": float(roc_auc_score(labels, scores)),
        "aupr": float(average_precision_score(labels, scores)),
        "fpr95": float(false[true >= 0.95].min()),
    }


def interval(inside: Scores, outside: Scores, seed: int = 0) -> tuple[float, float]:
    """Return a 95 % interval of the AUROC: quantiles over resamples, drawn separately from each side's images.

    If the AUROC is 1, it is 1 in all resamples, so the interval is exact instead: k pairs that share no image are all
    in order. If each pair had a probability below 0.025^(1/k) of being in order, the probability of that would be below
    0.025. The same holds if the AUROC is 0.
    """
    order = np.sign(inside[:, None] - outside[None, :]) / 2 + 0.5  # 1, 1/2 or 0 for each pair
    auroc, pairs = order.mean(), min(order.shape)
    if auroc in (0, 1):
        bound = ((1 - LEVEL) / 2) ** (1 / pairs)
        return (bound, 1.0) if auroc == 1 else (0.0, 1 - bound)
    random = np.random.default_rng(seed)
    weights = [random.multinomial(n, np.full(n, 1 / n), RESAMPLES) / n for n in order.shape]
    resampled = ((weights[0] @ order) * weights[1]).sum(1)
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
