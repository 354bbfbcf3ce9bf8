"""Objectives as equations (Eqs. 2, 11, 12 and 14, Proposition 1, R1)."""

import numpy as np
import pytest
import torch
from scipy.optimize import linprog, minimize
from sklearn.metrics import roc_auc_score
from torch.func import functional_call, grad, vmap

from atebm.attacks.pgd import gradient
from atebm.models import folding
from atebm.models.energy import Energy
from atebm.models.folding import frozen
from atebm.training.losses import (
    auc,
    binary_at_loss,
    distance_to_uniform,
    log_likelihood,
    max_likelihood_loss,
    outlier_exposure_loss,
    r1,
    r1_of,
    with_slope,
)

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


def network(m: int) -> tuple[Energy, torch.Tensor, torch.Tensor]:
    """An untrained network, m images for p_data and m for contrastive ones; float64."""
    torch.manual_seed(0)
    f = Energy({"name": "small", "width": 4, "mean": [0.3], "std": [0.35]}, (1, 8, 8)).double()
    with torch.no_grad():  # untrained logits are alike; so sigma(f) goes from 0.2 to 0.8
        f.network.head.weight *= 100
    images = torch.rand(2, m, 1, 8, 8, dtype=torch.float64)
    return f, images[0], images[1]


def per_image_gradients(f: Energy, x: torch.Tensor) -> torch.Tensor:
    """grad_theta f_theta(x) of each image, (m, number of parameters)."""
    parameters = {name: parameter.detach() for name, parameter in f.named_parameters()}

    def logit(parameters: dict[str, torch.Tensor], image: torch.Tensor) -> torch.Tensor:
        return functional_call(f, parameters, image[None])[0]

    gradients = vmap(grad(logit), in_dims=(None, 0))(parameters, x)
    return torch.cat([gradients[name].flatten(1) for name in parameters], dim=1)


def loss_gradient(loss, f: Energy, data: torch.Tensor, contrastive: torch.Tensor) -> torch.Tensor:
    f.zero_grad()
    loss(f(data), f(contrastive)).backward()
    return torch.cat([parameter.grad.flatten() for parameter in f.parameters()])


def test_parameter_gradients_of_a_network_are_those_of_equations_14_and_2():
    """Eq. 14 has the terms of Eq. 2, each image's scaled by 1 - sigma(f) or sigma(f)."""
    f, data, contrastive = network(m=6)
    D_data, D_contrastive = (torch.sigmoid(f(x)).detach()[:, None] for x in (data, contrastive))
    assert D_data.max() - D_data.min() > 0.1 and D_contrastive.max() - D_contrastive.min() > 0.1
    by_data, by_contrastive = per_image_gradients(f, data), per_image_gradients(f, contrastive)
    equation_14 = ((1 - D_data) * by_data).mean(0) - (D_contrastive * by_contrastive).mean(0)
    equation_2 = by_data.mean(0) - by_contrastive.mean(0)
    for loss, expected in ((binary_at_loss, -equation_14 / 2), (max_likelihood_loss, -equation_2)):
        error = loss_gradient(loss, f, data, contrastive) - expected
        assert error.norm() < 1e-10 * expected.norm()


def test_max_likelihood_loss_is_minus_the_difference_of_means():
    data, contrastive = LOGITS
    assert max_likelihood_loss(data, contrastive).item() == pytest.approx(-(1.5 / 3 - -1.8 / 3))


# p_data of Proposition 1, on a space of 7 points: 3/5, 1/5 and 1/5 on three of them, as a batch of five
SPACE, BATCH = 7, torch.tensor([0, 0, 0, 2, 3])


def U(logits: torch.Tensor, p_T: torch.Tensor) -> float:
    """Eq. 12, the value of a p_T being its mean over point masses."""
    values = torch.stack([-2 * binary_at_loss(logits[BATCH], logit.expand(len(BATCH))) for logit in logits])
    return (p_T @ values).item()


def test_the_worst_p_T_sits_where_D_is_largest():
    """Eq. 10 as a linear program over all distributions on the space, for some D."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(10):
        logits = 3 * torch.randn(SPACE, dtype=torch.float64, generator=generator)
        D = torch.sigmoid(logits).numpy()
        program = linprog(np.log(1 - D), A_eq=np.ones((1, SPACE)), b_eq=[1])
        expected = np.log(D[BATCH]).mean() + program.fun
        assert U(logits, torch.from_numpy(program.x)) == pytest.approx(expected, abs=1e-9)
        assert -2 * binary_at_loss(logits[BATCH], logits.max().expand(5)).item() == pytest.approx(expected, abs=1e-9)
        assert expected < -np.log(4)  # no D does better than that of Proposition 1


def test_proposition_1_on_a_finite_space():
    """max_D min_p_T U(D, p_T) is -log 4, with D = 1/2 on the support of p_data and D <= 1/2 elsewhere.

    The inner minimum is U at the largest D, a maximum over points: as a smooth convex program, minimise the loss at a
    bound s of all logits over both. The solver starts at D in (0.1, 0.9).
    """

    def loss(logits_and_bound: np.ndarray) -> tuple[float, np.ndarray]:
        point = torch.tensor(logits_and_bound, requires_grad=True)
        value = 2 * binary_at_loss(point[BATCH], point[-1].expand(len(BATCH)))
        value.backward()
        return value.item(), point.grad.numpy()

    bound_minus_logits = np.hstack([-np.eye(SPACE), np.ones((SPACE, 1))])
    constraint = {"type": "ineq", "fun": lambda p: bound_minus_logits @ p, "jac": lambda p: bound_minus_logits}
    start = np.append(np.linspace(2, -2, SPACE), 2)
    solution = minimize(loss, start, jac=True, method="SLSQP", constraints=[constraint], options={"ftol": 1e-14})
    D = 1 / (1 + np.exp(-solution.x[:-1]))
    assert solution.success and -solution.fun == pytest.approx(-np.log(4), abs=1e-6)
    # U is flat at its top, where an error of 1e-6 in U is one of 4e-4 in D
    np.testing.assert_allclose(D[[0, 2, 3]], 0.5, atol=1e-3)
    assert D.max() <= 0.5 + 1e-3 and D[[1, 4, 5, 6]].min() < 0.4


def test_r1_of_a_quadratic_energy():
    """f(x) = -x'Ax / 2 + b'x has the gradient g = b - Sx, S = (A + A') / 2: R1 = E||g||^2 / 2, its derivatives are E g
    by b and minus the symmetric part of E g x' by A.
    """
    generator = torch.Generator().manual_seed(0)
    A = torch.randn(4, 4, dtype=torch.float64, generator=generator).requires_grad_()
    b = torch.randn(4, dtype=torch.float64, generator=generator).requires_grad_()
    x = torch.rand(3, 1, 2, 2, dtype=torch.float64, generator=generator)

    def f(image: torch.Tensor) -> torch.Tensor:
        flat = image.flatten(1)
        return -((flat @ A) * flat).sum(1) / 2 + flat @ b

    x.requires_grad_()
    penalty = r1(f(x), x)
    penalty.backward()
    points, S = x.detach().flatten(1).numpy(), (A + A.T).detach().numpy() / 2
    g = b.detach().numpy() - points @ S
    assert penalty.item() == pytest.approx((g**2).sum(1).mean() / 2, rel=1e-12)
    np.testing.assert_allclose(b.grad, g.mean(0), rtol=1e-12)
    by_S = -g.T @ points / 3
    np.testing.assert_allclose(A.grad, (by_S + by_S.T) / 2, rtol=1e-12)


NORMALISED = {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.25]}
NETWORKS = {
    "small": ({"name": "small", "width": 4, **NORMALISED}, (3, 16, 16)),
    "resnet50": ({"name": "resnet50", **NORMALISED}, (3, 32, 32)),
    "discriminator256": ({"name": "discriminator256", "stem": 3, **NORMALISED}, (3, 256, 256)),
}


SLOW = {"discriminator256": pytest.mark.slow}


@pytest.mark.parametrize(
    ("network", "shape"), [pytest.param(*NETWORKS[name], marks=SLOW.get(name, ()), id=name) for name in NETWORKS]
)
def test_r1_in_forward_mode_is_r1_differentiated_twice(network, shape):
    """Value and derivatives of all parameters, beside those of a loss, to 1e-10 in float64."""
    torch.manual_seed(0)
    f = Energy(network, shape).double()
    x = torch.rand(2 if shape[1] < 32 else 1, *shape, dtype=torch.float64)
    parameters, twice = list(f.parameters()), x.clone().requires_grad_()
    logits = f(twice)
    penalty = r1(logits, twice)
    expected = torch.autograd.grad(logits.exp().mean() + 30 * penalty, parameters)
    with frozen(f):
        g = gradient(f, x)
    same, slopes, (loss,) = with_slope(lambda x: (f(x), (f(x).exp().mean(),)), x, g)
    found = torch.autograd.grad(loss + 30 * slopes.mean(), parameters)
    close = {"rtol": 1e-10, "atol": 1e-10}
    torch.testing.assert_close(same, logits, **close)
    torch.testing.assert_close(r1_of(g), penalty, **close)
    for a, b in zip(found, expected, strict=True):
        assert (a - b).norm() <= 1e-10 * b.norm()


@pytest.mark.parametrize("name", ["small", "resnet50"])
def test_a_padded_stem_is_the_stem(name, monkeypatch):
    """f, its gradient by the image and its derivatives in forward mode, as on a GPU in bfloat16; here in float64."""
    torch.manual_seed(0)
    network, shape = NETWORKS[name]
    f, x = Energy(network, shape).double(), torch.rand(1, *shape, dtype=torch.float64)
    found, widths = [], []
    convolve = torch.nn.functional.conv2d
    for padded in (False, True):
        monkeypatch.setattr(folding, "narrow", lambda x, padded=padded: padded and x.shape[1] < 8)
        monkeypatch.setattr(
            torch.nn.functional,
            "conv2d",
            lambda x, *more, **how: widths.append(x.shape[1]) or convolve(x, *more, **how),
        )
        with frozen(f):
            g = gradient(f, x)
        value, slopes, _ = with_slope(lambda x: (f(x), ()), x, g)
        found.append([g, value, *torch.autograd.grad(slopes.mean() + value.mean(), list(f.parameters()))])
    assert 3 in widths[: len(widths) // 2] and 8 in widths[len(widths) // 2 :] and 3 not in widths[len(widths) // 2 :]
    for plain, beside in zip(*found, strict=True):
        torch.testing.assert_close(beside, plain, rtol=1e-10, atol=1e-10)


def test_auc_is_scikit_learns():
    data, contrastive = LOGITS  # with a tie
    expected = roc_auc_score([1] * 3 + [0] * 3, torch.cat(LOGITS).numpy())
    assert auc(data, contrastive).item() == pytest.approx(expected)


def test_outlier_exposure_is_its_published_formula():
    """Cross-entropy of the labels, and that of p_0's class probabilities to equal ones (Hendrycks et al. 2019)."""
    generator = torch.Generator().manual_seed(0)
    data, outliers = (torch.randn(5, 4, generator=generator) for _ in range(2))
    labels = torch.tensor([0, 3, 1, 1, 2])
    p, q = data.softmax(1), outliers.softmax(1)
    expected = -p[torch.arange(5), labels].log().mean() - (q.log() / 4).sum(1).mean()
    torch.testing.assert_close(outlier_exposure_loss(data, labels, outliers), expected)
    half = -p[torch.arange(5), labels].log().mean() - 0.5 * (q.log() / 4).sum(1).mean()
    torch.testing.assert_close(outlier_exposure_loss(data, labels, outliers, 0.5), half)
    torch.testing.assert_close(log_likelihood(data, labels), p[torch.arange(5), labels].log())
    equal = torch.zeros(1, 4)
    torch.testing.assert_close(distance_to_uniform(equal), torch.tensor([4.0]).log())
    assert (distance_to_uniform(outliers) > distance_to_uniform(equal)).all()
