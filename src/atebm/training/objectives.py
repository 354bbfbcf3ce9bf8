"""What training minimises."""

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
    """The objective of energy-based models with its sign turned: its gradient is that of Eq. 2, times -1.

    `data` are logits of p_data images, `contrastive` those of samples: Langevin's (Eq. 3), or PGD's as in Sec. 5.3.
    It has no lower bound: it falls for ever where f can grow.
    """
    return contrastive.mean() - data.mean()


def r1(logits: Tensor, x: Tensor) -> Tensor:
    """R1 regulariser: 0.5 * mean over images of ||grad_x f(x)||_2^2, differentiable in f's parameters.

    `logits` (B,) are f(x) of the images x (B, ...), which require a gradient: those of the loss, not computed again.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), x, create_graph=True)
    return 0.5 * gradient.square().flatten(1).sum(1).mean()


def auc(positive: Tensor, negative: Tensor) -> Tensor:
    """Area under the ROC curve of two batches of logits, on their device: P(positive > negative), ties count half."""
    difference = positive[:, None] - negative[None, :]
    return ((difference > 0).float() + 0.5 * (difference == 0).float()).mean()
