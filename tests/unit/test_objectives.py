"""Objectives as equations (Eqs. 11 and 14, R1)."""

import pytest
import torch
from sklearn.metrics import roc_auc_score

from atebm.training.objectives import auc, binary_at_loss, r1

LOGITS = torch.tensor([2.0, -1.0, 0.5], dtype=torch.float64), torch.tensor([-3.0, 0.7, 0.5], dtype=torch.float64)


def test_loss_is_minus_half_of_equation_11():
    data, contrastive = LOGITS
    D = torch.sigmoid
    J = D(data).log().mean() + (1 - D(contrastive)).log().mean()
    assert binary_at_loss(data, contrastive).item() == pytest.approx(-J.item() / 2, rel=1e-12)


def test_gradient_is_minus_half_of_equation_14():
    data, contrastive = (logits.clone().requires_grad_() for logits in LOGITS)
    binary_at_loss(data, contrastive).backward()
    torch.testing.assert_close(data.grad, -0.5 * (1 - torch.sigmoid(data.detach())) / 3)
    torch.testing.assert_close(contrastive.grad, 0.5 * torch.sigmoid(contrastive.detach()) / 3)


def test_r1_of_a_quadratic_energy():
    """f(x) = a/2 ||x||^2 has gradient a x, so R1 = a^2/2 E||x||^2, and dR1/da = a E||x||^2."""
    a = torch.tensor(3.0, dtype=torch.float64, requires_grad=True)
    x = torch.rand(4, 1, 2, 2, dtype=torch.float64)
    squares = x.square().flatten(1).sum(1).mean().item()
    penalty = r1(lambda image: a / 2 * image.square().flatten(1).sum(1), x)
    penalty.backward()
    assert penalty.item() == pytest.approx(9 / 2 * squares)
    assert a.grad.item() == pytest.approx(3 * squares)


def test_auc_is_scikit_learns():
    data, contrastive = LOGITS  # with a tie
    expected = roc_auc_score([1] * 3 + [0] * 3, torch.cat(LOGITS).numpy())
    assert auc(data, contrastive).item() == pytest.approx(expected)
