"""Out-of-distribution detection by a score: the numbers, by scikit-learn, and the interval of the AUROC. No torch."""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

RESAMPLES = 1000
LEVEL = 0.95

Scores = NDArray[np.float64]


def measures(inside: Scores, outside: Scores) -> dict[str, float]:
    """Return auroc, aupr and fpr95 of scores (n,) of in- and (m,) of out-of-distribution images, which are lower.

    All in [0, 1]. In-distribution is the positive class; fpr95 is the share of the others above the threshold that at
    least 95 % of the in-distribution images reach.
    """
    labels, scores = np.repeat([1, 0], [len(inside), len(outside)]), np.concatenate([inside, outside])
    false, true, _ = roc_curve(labels, scores)
    return {
        "auroc": float(roc_auc_score(labels, scores)),
        "aupr": float(average_precision_score(labels, scores)),
        "fpr95": float(false[true >= 0.95].min()),
    }


def interval(inside: Scores, outside: Scores, seed: int = 0) -> tuple[float, float]:
    """Return a 95 % interval of the AUROC: its quantiles over resamples, of in- and out-of-distribution images apart.

    Where it is 1, all resamples are, too, and the interval is exact instead: of k pairs of images that share none, all
    are in order, so that with a smaller chance than 0.025^(1/k) of each, that had a probability below 0.025. Likewise
    where it is 0.
    """
    order = np.sign(inside[:, None] - outside[None, :]) / 2 + 0.5  # 1, 1/2 or 0 of each pair
    auroc, pairs = order.mean(), min(order.shape)
    if auroc in (0, 1):
        bound = ((1 - LEVEL) / 2) ** (1 / pairs)
        return (bound, 1.0) if auroc == 1 else (0.0, 1 - bound)
    random = np.random.default_rng(seed)
    weights = [random.multinomial(n, np.full(n, 1 / n), RESAMPLES) / n for n in order.shape]
    resampled = ((weights[0] @ order) * weights[1]).sum(1)
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
