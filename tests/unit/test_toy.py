"""The 2D simulation: networks are independent, its hand-written gradient is right, its measures know closed forms."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from atebm.toy2d import maximin

SETTINGS = SimpleNamespace(
    activation="relu",
    seed=3,
    seeds=2,
    width=16,
    first_layer_gain=4.0,
    iterations=12,
    m=16,
    K=5,
    step_size=0.05,
    lr=5e-3,
)
MEASURES = ["d_on_support", "d_off_support_max", "local_maxima", "u", "reach"]


class Bumps:
    """f(x) = sum_i h_i exp(-|x - c_i|^2 / (2 s^2)), one field: N = 1."""

    def __init__(self, centres, heights, s):
        self.centres, self.heights, self.s = torch.tensor(centres), torch.tensor(heights), s

    def _parts(self, x):
        offset = self.centres - x[..., None, :]  # (1, m, bumps, 2)
        return offset, self.heights * torch.exp(-offset.square().sum(-1) / (2 * self.s**2))

    def logit(self, x):
        return self._parts(x)[1].sum(-1)

    def gradient(self, x):
        offset, value = self._parts(x)
        return (value[..., None] * offset).sum(-2) / self.s**2


class Constant:
    def logit(self, x):
        return torch.zeros(x.shape[:-1])

    def gradient(self, x):
        return torch.zeros_like(x)


def networks(seeds, activation="relu", width=16):
    return maximin.initial_networks(seeds, width, 4.0, activation)


def points(n, m, seed=0):
    return 2 * torch.rand(n, m, 2, generator=torch.Generator().manual_seed(seed)) - 1


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_batched_forward_is_that_of_torch_linear_layers(activation):
    both, x = networks([1, 2], activation), points(2, 50)
    a = x[1]
    for layer, (weight, bias) in enumerate(zip(both.weights, both.biases, strict=True)):
        a = torch.nn.functional.linear(a, weight[1].T, bias[1, 0])
        a = a if layer == 3 else getattr(torch, activation)(a)
    torch.testing.assert_close(both.logit(x)[1], a[:, 0], rtol=1e-9, atol=1e-12)


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_gradient_equals_autograd(activation):
    f, x = networks([0, 1, 2], activation), points(3, 200).requires_grad_()
    (expected,) = torch.autograd.grad(f.logit(x).sum(), x)
    torch.testing.assert_close(f.gradient(x), expected, rtol=1e-9, atol=1e-12)
    assert expected.abs().max() > 1e-2


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_a_network_trains_the_same_beside_others_and_alone(activation):
    settings = SimpleNamespace(**{**vars(SETTINGS), "activation": activation})
    bounds = torch.tensor([[-1.0, 1.0], [-1.0, -0.6], [-1.0, -0.6]])
    seeds = [5, 6, 7]
    together, alone, untrained = networks(seeds, activation), networks([6], activation), networks([6], activation)
    maximin.train(together, maximin.Sampler(bounds, seeds, purpose=1), settings)
    maximin.train(alone, maximin.Sampler(bounds[1:2], [6], purpose=1), settings)
    for many, one, before in zip(together.weights, alone.weights, untrained.weights, strict=True):
        torch.testing.assert_close(many[1], one[0], rtol=1e-9, atol=1e-12)
        assert (one - before).abs().max() > 1e-3


def test_initial_networks_follow_the_law_of_torch_linear():
    f, width = maximin.initial_networks([0, 1], 64, 4.0, "relu"), 64
    for layer, fan_in in enumerate((2, width, width, width)):
        bound = fan_in**-0.5 * (4.0 if layer == 0 else 1.0)
        for tensor in (f.weights[layer], f.biases[layer]):
            assert tensor.abs().max() <= bound
            if tensor.numel() >= 64:
                assert tensor.abs().max() > 0.9 * bound and abs(tensor.mean()) < 0.25 * bound
        assert not torch.equal(f.weights[layer][0], f.weights[layer][1])


def test_an_unknown_activation_is_named():
    with pytest.raises(ValueError, match="'gelu' is unknown"):
        networks([0], "gelu")


def test_samples_follow_p_0_and_p_data_and_settings_of_a_seed_share_them():
    x_0, x_data = maximin.Sampler(torch.tensor([[-1.0, 1.0], [-1.0, -0.6]]), [4, 4], purpose=2).draw(4000)
    assert (x_0[1].min(), x_0[1].max()) == (pytest.approx(-1, abs=0.01), pytest.approx(-0.6, abs=0.01))
    assert x_0[0].mean() == pytest.approx(0, abs=0.05) and x_0[0].std() == pytest.approx(3**-0.5, abs=0.02)
    assert x_data.std() == pytest.approx(0.1, abs=0.005) and x_data.mean() == pytest.approx(0, abs=0.005)
    torch.testing.assert_close(x_0[1], -1 + 0.2 * (x_0[0] + 1))
    torch.testing.assert_close(x_data[0], x_data[1])


@pytest.mark.usefixtures("double_precision")
def test_each_unclamped_pgd_step_moves_each_point_by_step_size():
    f, x, step_size = networks([0, 1], "tanh"), 0.5 * points(2, 300), 0.03
    for _ in range(5):
        following = maximin.ascend(f, x, 1, step_size)
        torch.testing.assert_close((following - x).norm(dim=-1), torch.full((2, 300), step_size), rtol=0, atol=1e-9)
        x = following


def test_pgd_climbs_stays_in_the_square_and_leaves_its_start_alone():
    f = Bumps([[3.0, 0.0]], [1.0], 1.5)  # its top is outside
    x = points(1, maximin.CHUNK + 100)
    start = x.clone()
    end = maximin.ascend(f, x, 300, 0.02)
    assert torch.equal(x, start)
    assert (f.logit(end) > f.logit(x) - 1e-6).all()
    torch.testing.assert_close(end[..., 0], torch.ones(1, maximin.CHUNK + 100))
    assert end[..., 1].abs().max() < 0.1


def test_learning_rate_is_flat_for_60_percent_then_a_line_to_1_percent():
    factors = [maximin.learning_rate_factor(i, 101) for i in range(101)]
    assert factors[:61] == [1.0] * 61 and factors[-1] == pytest.approx(0.01)
    drops = np.diff(factors[61:])
    assert np.allclose(drops, drops[0]) and drops[0] < 0


def test_local_maxima_counts_the_bumps_off_support_only():
    centres = [
        [0.0, 0.0],
        [0.3, 0.0],
        [0.6, 0.6],
        [-0.6, 0.6],
        [0.62, -0.58],
        [-1.0, -0.6],
    ]  # 2 on support, 1 on border
    logits = maximin.on_grid(Bumps(centres, [1.0, 1.0, 0.5, 2.0, 1.0, 1.0], 0.08), 1)
    rows, columns = maximin.local_maxima(logits)[0].nonzero().T
    axis = np.linspace(-1, 1, maximin.GRID_SIZE)
    found = sorted((round(axis[column], 2), round(axis[row], 2)) for row, column in zip(rows, columns, strict=True))
    assert found == [(-0.6, 0.6), (0.6, 0.6), (0.62, -0.58)]


def test_a_plateau_is_no_local_maximum():
    assert not maximin.local_maxima(maximin.on_grid(Constant(), 1)).any()


def test_reach_of_known_fields():
    assert maximin.reach(Bumps([[0.0, 0.0]], [1.0], 0.5), 1).item() == 1
    assert maximin.reach(Bumps([[0.8, 0.8]], [1.0], 0.5), 1).item() == 0
    # two equal bumps share the square along x = 0; the middle column of starts stays between them, on support or not
    half = maximin.reach(Bumps([[-0.2, 0.0], [0.8, 0.0]], [1.0, 1.0], 0.3), 1).item()
    assert half == pytest.approx(13 / 21, abs=1.5 / 21)


def test_measures_of_the_optimum_of_proposition_1():
    measured = maximin.measure(Constant(), points(1, 100), points(1, 100, 1), K=3, step_size=0.05)
    assert list(measured) == MEASURES
    assert measured["u"][0] == pytest.approx(-math.log(4), abs=1e-6)
    assert measured["d_on_support"][0] == measured["d_off_support_max"][0] == 0.5


def test_measures_of_a_single_bump():
    x_data = torch.zeros(1, 10, 2)
    measured = maximin.measure(Bumps([[0.0, 0.0]], [2.0], 0.3), points(1, 100), x_data, K=60, step_size=0.03)
    d, d_off = 1 / (1 + math.exp(-2)), 1 / (1 + math.exp(-2 * math.exp(-(0.41**2) / (2 * 0.3**2))))
    assert measured["d_on_support"][0] == pytest.approx(d, abs=1e-6)
    assert measured["d_off_support_max"][0] == pytest.approx(d_off, abs=0.01)
    assert measured["u"][0] == pytest.approx(math.log(d) + math.log(1 - d), abs=0.02)  # x* has climbed to the top
    assert measured["local_maxima"][0] == 0 and measured["reach"][0] == 1


@pytest.mark.usefixtures("double_precision")
def test_picture_holds_the_gradient_of_d():
    f = networks([0, 1], "tanh")
    drawn = maximin.picture(f, points(2, 300), points(2, 300), 1)
    x = maximin.square_grid(maximin.COARSE_SIZE).expand(2, -1, 2).clone().requires_grad_()
    (expected,) = torch.autograd.grad(f.logit(x).sigmoid().sum(), x)
    assert np.allclose(drawn["gradient"].reshape(-1, 2), expected[1], rtol=1e-9, atol=1e-12)
    assert drawn["d"][0, -1] == pytest.approx(f.logit(torch.tensor([1.0, -1.0]).expand(2, 1, 2)).sigmoid()[1].item())


def test_simulate_is_complete_and_repeatable(monkeypatch):
    monkeypatch.setattr(maximin, "N_MEASURE", 200)
    monkeypatch.setattr(maximin, "REACH_ASCENT", ((20, 0.05),))
    calls = []
    frame, fields = maximin.simulate(SETTINGS, calls.append)
    again, _ = maximin.simulate(SETTINGS)
    assert list(frame.columns) == ["setting", "state", "activation", "seed", *MEASURES]
    assert frame.equals(again) and not frame.isna().any().any()
    keys = [
        (setting, state, seed) for setting in ("uniform", "corner") for state in ("initial", "final") for seed in (3, 4)
    ]
    assert list(frame[["setting", "state", "seed"]].itertuples(index=False, name=None)) == keys
    assert calls == list(range(1, 13))
    shown = int(fields["seed"])
    initial = frame.query("setting == 'uniform' and state == 'initial'").set_index("seed").local_maxima
    assert initial[shown] == sorted(initial)[0]  # the lower median of two
    shapes = {"d": (101, 101), "gradient": (21, 21, 2), "p_0": (200, 2), "p_data": (200, 2)}
    for setting, state, _ in keys:
        for name, shape in shapes.items():
            assert fields[f"{setting}.{state}.{name}"].shape == shape
        count = frame.query("setting == @setting and state == @state and seed == @shown").local_maxima.item()
        assert fields[f"{setting}.{state}.local_maxima"].shape == (count, 2)
    assert len(fields) == 21
