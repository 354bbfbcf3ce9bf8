"""The PGD attack as equations (Eqs. 6 to 8)."""

from itertools import pairwise

import pytest
import torch
from scipy.stats import kstest

from atebm.attacks.pgd import pgd, pgd_beside, pgd_step, project, random_start, summed, trajectory
from atebm.models.energy import Energy

SMALL = {"name": "small", "width": 4, "mean": [0.3], "std": [0.35]}


@pytest.fixture
def f() -> Energy:
    torch.manual_seed(0)
    return Energy(SMALL, (1, 8, 8)).double()


@pytest.fixture
def x() -> torch.Tensor:
    return torch.rand(5, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def mask() -> torch.Tensor:
    """One for all images and channels: the left half may move."""
    return (torch.arange(8) < 4).to(torch.float64).expand(1, 8, 8)


def lengths(x: torch.Tensor) -> torch.Tensor:
    return x.flatten(1).norm(dim=1)


@pytest.mark.parametrize("step_size", [0.3, -0.3])
@pytest.mark.parametrize("masked", [False, True])
def test_each_unclamped_step_moves_each_image_by_step_size(f, x, mask, masked, step_size):
    """Eq. 8, and Sec. 4.3: K steps move an image by no more than K * step_size."""
    states = [x for _, x in trajectory(f, x, range(6), step_size, clamp=False, mask=mask if masked else None)]
    for before, after in pairwise(states):
        torch.testing.assert_close(lengths(after - before), torch.full((5,), 0.3, dtype=x.dtype), rtol=1e-7, atol=0)
    assert (lengths(states[-1] - x) <= 5 * 0.3).all()


def test_masked_pixels_stay_and_the_others_move_along_their_part_of_the_gradient(f, x, mask):
    image = x.clone().requires_grad_()
    f(image).sum().backward()
    visible = image.grad[..., :4]
    moved = pgd(f, x, 1, 0.1, clamp=False, mask=mask)
    torch.testing.assert_close(moved[..., :4] - x[..., :4], 0.1 * visible / lengths(visible).view(-1, 1, 1, 1))
    for options in ({}, {"eps": 0.2}):
        assert torch.equal(pgd(f, x, 5, 0.1, mask=mask, **options)[..., 4:], x[..., 4:])


def test_a_mask_may_differ_between_images(f, x):
    free = torch.tensor([True, False, True, False, False]).view(5, 1, 1, 1)
    moved = pgd(f, x, 3, 0.1, mask=free)
    torch.testing.assert_close(moved, torch.where(free, pgd(f, x, 3, 0.1), x), rtol=0, atol=0)


def test_ascends_a_linear_logit_in_a_straight_line():
    direction = torch.tensor([3.0, 4.0], dtype=torch.float64)
    start = torch.zeros(1, 2, dtype=torch.float64)
    end = pgd(lambda x: x @ direction, start, K=4, step_size=0.1)
    torch.testing.assert_close(end, 0.4 * direction[None] / 5)


def test_descends_with_a_negative_step_size(f, x):
    assert (f(pgd(f, x, 3, -0.05)) < f(x)).all()
    assert (f(pgd(f, x, 3, 0.05)) > f(x)).all()


@pytest.mark.parametrize("eps", [None, 0.25])
def test_descent_on_log_one_minus_D_is_ascent_on_f(f, x, eps):
    """Eq. 6 and Eq. 7 give the same trajectory, also where the projection acts: after the third step."""

    def log_one_minus_D(image: torch.Tensor) -> torch.Tensor:
        return torch.log(1 - torch.sigmoid(f(image)))

    by_f = dict(trajectory(f, x, range(9), 0.1, eps=eps))
    by_D = dict(trajectory(log_one_minus_D, x, range(9), -0.1, eps=eps))
    for steps in range(9):
        torch.testing.assert_close(by_D[steps], by_f[steps], rtol=0, atol=1e-7)
    assert eps is None or (lengths(pgd_step(f, by_f[3], 0.1) - x) > eps).all()


def test_stays_in_pixel_range_and_ball(f, x):
    attacked = pgd(f, x, K=10, step_size=0.5, eps=0.7)
    assert attacked.min() >= 0 and attacked.max() <= 1
    assert (attacked - x).flatten(1).norm(dim=1).max() <= 0.7 + 1e-12


def test_the_ball_lies_around_its_centre(f, x):
    start = random_start(x, 0.7, torch.Generator().manual_seed(2))
    attacked = pgd(f, start, 10, 0.5, eps=0.7, centre=x)
    assert lengths(attacked - x).max() <= 0.7 + 1e-12
    assert lengths(pgd(f, start, 10, 0.5, eps=0.7) - x).max() > 0.7


def test_a_random_start_is_uniform_in_the_ball():
    """In 3 dimensions, (r / eps)^3 is uniform on [0, 1] and, by Archimedes, each axis' cosine on [-1, 1]."""
    x = torch.rand(1, 3, 1, 1, dtype=torch.float64).expand(20_000, 3, 1, 1)
    offset = (random_start(x, 0.7, torch.Generator().manual_seed(0)) - x).flatten(1)
    radius = lengths(offset)
    assert radius.max() <= 0.7
    samples = [(radius / 0.7) ** 3, *((1 + offset.T / radius) / 2)]
    assert min(kstest(sample.numpy(), "uniform").pvalue for sample in samples) > 0.01  # each 99 % of seeds pass


def test_a_random_start_is_that_of_its_generator(x):
    starts = [random_start(x, 0.7, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert torch.equal(starts[0], starts[1]) and not torch.equal(starts[0], starts[2])


@pytest.mark.parametrize("weights", [None, [2.0, 0.5]])
def test_a_composition_is_the_product_of_densities(weights):
    """Of N(m, 1/3)^w and N(n, 1)^v: a Gaussian of the precision 3w + v around their mean, weighted by precision."""
    m, n = torch.tensor([[0.0, 0.2], [0.8, 1.0]], dtype=torch.float64)
    energies = [lambda x: -3 / 2 * (x - m).square().sum(1), lambda x: -1 / 2 * (x - n).square().sum(1)]
    w, v = weights or (1.0, 1.0)
    mode = ((3 * w * m + v * n) / (3 * w + v))[None]
    f, x = summed(energies, weights), torch.rand(4, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(f(x) - f(mode), -(3 * w + v) / 2 * (x - mode).square().sum(1))
    assert lengths(pgd(f, x, 200, 0.01) - mode).max() <= 0.01  # at last, steps go back and forth across the mode


def test_a_composition_wants_a_weight_for_each_energy(f):
    with pytest.raises(ValueError):
        summed([f, f], [1.0])


def test_projection_is_onto_the_ball():
    centre = torch.zeros(2, 3)
    outside, inside = torch.tensor([[3.0, 0, 4.0], [0.1, 0.2, 0.2]])
    projected = project(torch.stack([outside, inside]), centre, eps=1.0)
    torch.testing.assert_close(projected, torch.stack([torch.tensor([0.6, 0, 0.8]), inside]), rtol=1e-5, atol=1e-6)


def test_no_steps_return_the_start_and_no_gradient_reaches_parameters(f, x):
    assert pgd(f, x, 0, 0.1) is x
    assert not pgd(f, x.clone().requires_grad_(), 2, 0.1).requires_grad
    assert all(parameter.grad is None for parameter in f.parameters())


@pytest.mark.parametrize("options", [{}, {"eps": 0.3}])
def test_no_step_waits_for_the_device(f, x, mask, options):
    """Tensors of the device `meta` hold no numbers: what asked for one would raise."""
    x = x.to("meta")
    assert pgd(f.to("meta"), x, 2, 0.1, mask=mask.to("meta"), centre=x.clone(), **options).is_meta


def test_trajectory_passes_through_shorter_ascents(f, x):
    states = dict(trajectory(f, x, [5, 2, 0, 2], 0.2))
    assert list(states) == [0, 2, 5] and states[0] is x
    for steps, state in states.items():
        assert torch.equal(state, pgd(f, x, steps, 0.2))
    assert list(trajectory(f, x, [], 0.2)) == []


@pytest.mark.parametrize("label", [0, 1], ids=["ascent", "descent"])
@pytest.mark.parametrize("masked", [False, True])
def test_agrees_with_the_adversarial_robustness_toolbox(f, masked, label):
    """A network with the logits (0, f) has the cross-entropy softplus(f) at label 0, and softplus(-f) at label 1: their
    gradients have the directions of f's and of -f's.

    The toolbox clips to [0, 1] before it projects; here the ball comes first. Both keep what the other has reached,
    since the ball's centre is in [0, 1]: the orders differ only for a step that leaves ball and range. None does here.
    """
    pytest.importorskip("art", reason="the dev dependency adversarial-robustness-toolbox is the reference")
    from art.attacks.evasion import ProjectedGradientDescentPyTorch
    from art.estimators.classification import PyTorchClassifier

    f = f.float()  # the toolbox computes in float32
    generator = torch.Generator().manual_seed(3)
    x = torch.rand(8, 1, 8, 8, generator=generator)
    x[:4] = 0.4 + 0.2 * x[:4]  # grey: these reach the ball's edge
    x[4:] = x[4:].round()  # black and white: many pixels cannot move, so that these do not
    mask = (torch.rand(8, 1, 8, 8, generator=generator) < 0.6).float() if masked else None
    K, step_size, eps = 10, 0.1, 0.89

    class TwoLogits(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.f = f

        def forward(self, image):
            logit = self.f(image)
            return torch.stack([torch.zeros_like(logit), logit], dim=1)

    classifier = PyTorchClassifier(
        TwoLogits(), torch.nn.CrossEntropyLoss(), (1, 8, 8), 2, clip_values=(0, 1), device_type="cpu"
    )
    attack = ProjectedGradientDescentPyTorch(
        classifier, norm=2, eps=eps, eps_step=step_size, max_iter=K, num_random_init=0, verbose=False
    )
    options = {} if mask is None else {"mask": mask.numpy()}
    expected = torch.from_numpy(attack.generate(x.numpy(), y=torch.full((8,), label).numpy(), **options))

    sign = 1 - 2 * label
    states = [x for _, x in trajectory(f, x, range(K + 1), sign * step_size, eps=eps, mask=mask)]
    steps = [pgd_step(f, state, sign * step_size, mask) for state in states[:-1]]
    leaves_ball = torch.stack([lengths(step - x) > eps for step in steps])
    leaves_range = torch.stack([((step < 0) | (step > 1)).flatten(1).any(1) for step in steps])
    assert not (leaves_ball & leaves_range).any()
    assert leaves_range.any()
    assert leaves_ball.any() and not leaves_ball.any(0).all()
    torch.testing.assert_close(states[-1], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("K", [0, 2, 3, 5])
def test_attacks_beside_each_other_are_those_alone(f, x, K):
    """One descends in a ball for 3 steps, the other climbs K, so that either may end first; to rounding in float64."""
    down, up = pgd_beside(f, (x, x[:2]), (3, K), (-0.2, 0.3), (0.25, None))
    torch.testing.assert_close(down, pgd(f, x, 3, -0.2, eps=0.25), rtol=0, atol=1e-12)
    torch.testing.assert_close(up, pgd(f, x[:2], K, 0.3), rtol=0, atol=1e-12)
