"""Define the losses that training minimises, and the AUC of a batch."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def binary_at_loss(data: Tensor, contrastive: Tensor) -> Tensor:
    """Return the negative of Eq. 11: binary cross-entropy, averaged over the 2m logits as in the authors' code.

    `data` are the m logits of p_data images, `contrastive` the m logits of attacked p_0 images.
    """
    logits = torch.cat([data, contrastive])
    targets = torch.cat([torch.ones_like(data), torch.zeros_like(contrastive)])
    return F.binary_cross_entropy_with_logits(logits, targets)


def max_likelihood_loss(data: Tensor, contrastive: Tensor) -> Tensor:
    """Return the negative objective of energy-based models, whose gradient is that of Eq. 2 times -1.

    `data` are logits of p_data images, `contrastive` those of samples by Langevin dynamics (Eq. 3) or, as in Sec. 5.3,
    by PGD. It has no lower bound and falls forever if f can grow.
    """
    return contrastive.mean() - data.mean()


def energy_l2(data: Tensor, contrastive: Tensor) -> Tensor:
    """Return the sum of the mean squares of energies on p_data and samples, against drift (Du and Mordatch 2019)."""
    return data.square().mean() + contrastive.square().mean()


OBJECTIVES = {"binary_at": binary_at_loss, "max_likelihood": max_likelihood_loss}  # take f on p_data and on x*


def log_likelihood(logits: Tensor, labels: Tensor) -> Tensor:
    """Return log p(label), (B,), for class logits (B, K); an attack on a classifier's data descends it."""
    return -F.cross_entropy(logits, labels, reduction="none")


def distance_to_uniform(logits: Tensor) -> Tensor:
    """Return the cross-entropy (B,) between equal probabilities of all classes and those of logits (B, K).

    OE minimises it on outliers, and RATIO's attack on outliers ascends it. It is at least log K.
    """
    return -logits.log_softmax(1).mean(1)


def outlier_exposure_loss(data: Tensor, labels: Tensor, contrastive: Tensor, weight: float = 1) -> Tensor:
    """Return the loss of OE (Hendrycks et al. 2019): classify p_data, and be uncertain on p_0.

    `data` and `contrastive` are class logits (m, K), `labels` (m,).

    With images that were attacked before, it is the objective of RATIO (Augustin et al. 2020), whose `weight` of
    outliers is 1. OE's authors use 0.5 and twice as many outliers as images; no run here does.
    """
    return F.cross_entropy(data, labels) + weight * distance_to_uniform(contrastive).mean()


def r1(logits: Tensor, x: Tensor) -> Tensor:
    """Return the R1 regulariser, 0.5 * mean over images of ||grad_x f(x)||_2^2, differentiable in f's parameters.

    `logits` (B,) are f(x) of images x (B, ...) that require a gradient; pass those of the loss, to avoid a second pass.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return r1_of(gradient)


def r1_of(gradient: Tensor) -> Tensor:
    """Return R1, (), from the gradients grad_x f(x), (B, ...)."""
    return 0.5 * gradient.square().flatten(1).sum(1).mean()


def with_slope(
    f: Callable[[Tensor], tuple[Tensor, tuple[Tensor, ...]]], x: Tensor, gradient: Tensor
) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
    """Return f(x), (B,), its slopes (B,) along a constant `gradient` (B, ...), and the other outputs of f.

    Along grad_x f(x), the slope is ||grad_x f(x)||^2. With the direction fixed, its derivative with respect to f's
    parameters is that of half the squared norm, so the mean slope has exactly the gradient of `r1`. It takes one pass
    in forward mode, which autograd differentiates once. Differentiating twice is slow with cuDNN's convolutions, and
    torch.compile does not support it.
    """
    found: Any = torch.func.jvp(f, (x,), (gradient,), has_aux=True)
    value, slopes, more = found
    return value, slopes, more


def auc(positive: Tensor, negative: Tensor) -> Tensor:
    """Return the area under the ROC curve of two batches of logits: P(positive > negative), ties count half."""
    difference = positive[:, None] - negative[None, :]
    return ((difference > 0).float() + 0.5 * (difference == 0).float()).mean()
