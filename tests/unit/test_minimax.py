"""Algorithm 3 in 2D: how particles move, that networks play alone, and that particles become p_data."""

from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from atebm.toy2d import maximin, minimax

SETTINGS = SimpleNamespace(
    activation="relu",
    seed=3,
    seeds=2,
    width=16,
    first_layer_gain=4.0,
    m=30,
    outer=10,
    inner=2,
    batch=8,
    step_size=0.03,
    decay=2.0,
    lr=5e-3,
)
MEASURES = [
    "energy_initial", "energy_final", "d_on_support", "d_off_support_max", "d_above_half", "u", "p_value",
    "p_value_shifted", "p_value_data",
]  # fmt: skip


def started(seeds, settings=SETTINGS):
    networks = maximin.initial_networks(seeds, settings.width, 4.0, "relu")
    x_0, x_data = maximin.Sampler(torch.tensor([[-1.0, -0.6]] * len(seeds)), seeds, purpose=1).draw(settings.m)
    return networks, x_data, x_0


@pytest.mark.usefixtures("double_precision")
def test_each_move_is_one_step_of_every_particle_and_no_other_point_moves():
    networks, x_data, x_0 = started([0, 1])
    kept, seen = (x_data.clone(), x_0.clone()), []
    end = minimax.play(networks, x_data, x_0, SETTINGS, [0, 1], lambda moves, f, x: seen.append((moves, x.clone())))
    assert [moves for moves, _ in seen] == list(range(11))
    assert torch.equal(seen[0][1], x_0) and torch.equal(seen[-1][1], end)
    for (_, before), (move, after) in pairwise(seen):
        inside = (after.abs() < 1).all(dim=-1)  # the square stops the others
        expected = 0.03 * (1 - (move - 1) / 10) ** 2
        lengths = (after - before).norm(dim=-1)
        assert inside.float().mean() > 0.8
        torch.testing.assert_close(lengths[inside], torch.full_like(lengths[inside], expected), rtol=0, atol=1e-9)
    assert torch.equal(x_data, kept[0]) and torch.equal(x_0, kept[1])


@pytest.mark.usefixtures("double_precision")
def test_particles_move_up_the_d_that_was_trained_before():
    """With no training to speak of, a move is a step of normalised ascent on the first D."""
    networks, x_data, x_0 = started([0])
    settings = SimpleNamespace(**{**vars(SETTINGS), "outer": 1, "lr": 1e-9})
    end = minimax.play(networks, x_data, x_0, settings, [0], lambda *_: None)
    torch.testing.assert_close(end, maximin.ascend(started([0])[0], x_0, 1, 0.03), rtol=0, atol=1e-7)
    assert (networks.logit(end) > networks.logit(x_0)).float().mean() > 0.9


def test_d_is_trained_inner_times_a_move_on_points_of_both(monkeypatch):
    networks, x_data, x_0 = started([0, 1])
    batches, now = [], []
    monkeypatch.setattr(minimax, "improve", lambda f, optimiser, on_data, on_star: batches.append((on_data, on_star)))
    minimax.play(networks, x_data, x_0, SETTINGS, [0, 1], lambda moves, f, x: now.append((len(batches), x.clone())))
    assert [count for count, _ in now] == list(range(0, 21, 2))
    for number, (on_data, on_star) in enumerate(batches):
        particles = now[number // 2][1]  # as the last move left them
        for batch, points in ((on_data, x_data), (on_star, particles)):
            assert batch.shape == (2, 8, 2)
            assert (batch[:, :, None] == points[:, None]).all(-1).any(-1).all()
    assert not torch.equal(batches[0][0], batches[1][0])


@pytest.mark.usefixtures("double_precision")
def test_networks_and_particles_play_the_same_beside_others_and_alone():
    together, x_data, x_0 = started([5, 6])
    both = minimax.play(together, x_data, x_0, SETTINGS, [5, 6], lambda *_: None)
    alone, own_data, own_0 = started([6])
    one = minimax.play(alone, own_data, own_0, SETTINGS, [6], lambda *_: None)
    torch.testing.assert_close(both[1], one[0], rtol=1e-9, atol=1e-12)
    for many, single in zip(together.weights, alone.weights, strict=True):
        torch.testing.assert_close(many[1], single[0], rtol=1e-9, atol=1e-12)


def test_measures_of_a_field_whose_answers_are_known():
    """D > 1/2 right of the middle: the share of the grid is that of a half plane without half of the support."""
    field = maximin.Networks([torch.tensor([[[1.0], [0.0]]])], [torch.full((1, 1, 1), -0.01)], "relu")  # x_1 - 0.01
    x_data, fresh = (0.1 * torch.randn(1, 100, 2, generator=torch.Generator().manual_seed(k)) for k in range(2))
    measured = minimax.measure(field, x_data, x_data, fresh, [0])
    off = maximin.off_support(maximin.GRID_SIZE)
    assert measured["d_above_half"][0] == pytest.approx(off[:, 51:].sum() / off.sum())
    assert measured["d_off_support_max"][0] == pytest.approx(1 / (1 + np.exp(-0.99)))
    assert measured["d_on_support"][0] == pytest.approx((fresh[..., 0] - 0.01).sigmoid().double().mean())
    assert measured["p_value"][0] == measured["p_value_data"][0] > 0.05
    far = minimax.measure(field, x_data, x_data + 0.2, fresh, [0])
    assert far["p_value"][0] == 1 / (1 + minimax.PERMUTATIONS)


def test_simulate_is_complete_and_repeatable():
    moves = []
    frame, curve, fields = minimax.simulate(SETTINGS, moves.append)
    again, _, _ = minimax.simulate(SETTINGS)
    assert frame.equals(again) and not frame.isna().any().any()
    assert list(frame) == ["setting", "seed", *MEASURES]
    keys = [("uniform", 3), ("uniform", 4), ("corner", 3), ("corner", 4)]
    assert list(frame[["setting", "seed"]].itertuples(index=False, name=None)) == keys
    assert moves == list(range(1, 11))
    assert sorted(set(curve["moves"])) == list(range(11)) and len(curve) == 44
    assert curve.query("moves == 10")["energy"].tolist() == frame["energy_final"].tolist()
    above = frame.query("setting == 'corner'").set_index("seed")["d_above_half"]
    assert above[int(fields["seed"])] == above.min()  # the lower median of two
    assert fields["moves"].tolist() == [0, 1, 2, 10]
    for setting in ("uniform", "corner"):
        for count in fields["moves"]:
            assert fields[f"{setting}.{count}.d"].shape == (101, 101)
            assert fields[f"{setting}.{count}.p_0"].shape == (30, 2)
    assert not np.array_equal(fields["corner.2.p_0"], fields["corner.10.p_0"])


def test_particles_become_p_data_from_both_p_0():
    """A fourth of the figure's moves and particles: the energy distance falls 20-fold."""
    settings = SimpleNamespace(**{**vars(SETTINGS), "seed": 20, "width": 32, "m": 250, "outer": 80, "inner": 10})
    settings.batch, settings.step_size, settings.lr = 64, 0.06, 2e-3
    frame, _, _ = minimax.simulate(settings)
    fall = frame["energy_initial"] / frame["energy_final"]
    assert (fall > 20).all(), fall
    assert frame["u"].to_numpy() == pytest.approx(-np.log(4), abs=0.05)
