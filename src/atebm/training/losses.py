"""What training minimises."""

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def binary_at_loss(data: Tensor, contrastive: Tensor) -> Tensor:
    """Eq. 11 with its sign turned: binary cross-entropy, averaged over the 2m logits as in the authors' code.

    `data` are the m logits of p_data images, `contrastive` the m logits of attacked p_0 images.
    """
    logits = torch.cat([data, contrastive])
    targets = torch.cat([torch.ones_like(data), torch.zeros_like(contrastive)])
    return F.binary_cross_entropy_with_logits(logits, targets)


def max_likelihood_loss(data: Tensor, contrastive: Tensor) -> Tensor:
    """Return the objective of energy-based models with its sign turned: its gradient is that of Eq. 2, times -1.

    `data` are logits of p_data images, `contrastive` those of samples: Langevin's (Eq. 3), or PGD's as in Sec. 5.3.
    It has no lower bound: it falls for ever where f can grow.
    """
    return contrastive.mean() - data.mean()


def energy_l2(data: Tensor, contrastive: Tensor) -> Tensor:
    """Return the sum of the mean squares of energies on p_data and samples (Du and Mordatch 2019), lest they drift."""
    return data.square().mean() + contrastive.square().mean()


OBJECTIVES = {"binary_at": binary_at_loss, "max_likelihood": max_likelihood_loss}  # of f on p_data and on x*


def log_likelihood(logits: Tensor, labels: Tensor) -> Tensor:
    """Return log p(label), (B,), of class logits (B, K): what an attack on a classifier's data descends."""
    return -F.cross_entropy(logits, labels, reduction="none")


def distance_to_uniform(logits: Tensor) -> Tensor:
    """Return cross-entropy (B,) between equal probabilities of all classes and those of logits (B, K).

    What OE minimises on outliers, and what RATIO's attack on them ascends. At least log K.
    """
    return -logits.log_softmax(1).mean(1)


def outlier_exposure_loss(data: Tensor, labels: Tensor, contrastive: Tensor, weight: float = 1) -> Tensor:
    """Return OE (Hendrycks et al. 2019): classify p_data, and be unsure of p_0.

    Class logits (m, K) of both, labels (m,).

    Where both sides were attacked before, the objective of RATIO (Augustin et al. 2020), whose `weight` of outliers is
    1. OE's authors have 0.5, and twice as many outliers as images, which no run here has.
    """
    return F.cross_entropy(data, labels) + weight * distance_to_uniform(contrastive).mean()


def r1(logits: Tensor, x: Tensor) -> Tensor:
    """Return R1 regulariser: 0.5 * mean over images of ||grad_x f(x)||_2^2, differentiable in f's parameters.

    `logits` (B,) are f(x) of the images x (B, ...), which require a gradient: those of the loss, not computed again.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return r1_of(gradient)


def r1_of(gradient: Tensor) -> Tensor:
    """R1, (), of the gradients grad_x f(x), (B, ...)."""
    return 0.5 * gradient.square().flatten(1).sum(1).mean()


def with_slope(
    f: Callable[[Tensor], tuple[Tensor, tuple[Tensor, ...]]], x: Tensor, gradient: Tensor
) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
    """f(x), (B,), its slopes (B,) along `gradient`, (B, ...), which is a constant, and what else f returns.

    Along grad_x f(x) the slope is ||grad_x f(x)||^2, and its derivative by f's parameters, the direction being fixed,
    that of half of it: so the mean slope has the gradient of `r1`, exactly, by a pass in forward mode, which autograd
    differentiates once. Twice is slow where convolutions run by cuDNN, and more than torch.compile can do.
    """
    found: Any = torch.func.jvp(f, (x,), (gradient,), has_aux=True)
    value, slopes, more = found
    return value, slopes, more


def auc(positive: Tensor, negative: Tensor) -> Tensor:
    """Return the area under the ROC curve of two batches of logits: P(positive > negative), ties count half."""
    difference = positive[:, None] - negative[None, :]
    return ((difference > 0).float() + 0.5 * (difference == 0).float()).mean()
