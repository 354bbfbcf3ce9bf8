"""Run Algorithm 3 in two dimensions, the simulation behind Fig. S1 (supplement 2): the players' order is that of a GAN.

m particles, drawn once from p_0, are p_T. D is trained on them and on m points of p_data, then every particle takes one
normalised step up D, and so on: min over p_T of max over D, whereas Algorithm 1 plays max over D of min over p_T.
p_data, p_0 and the networks are those of Algorithm 1; all networks (settings x seeds) play at once, along a leading
axis of N.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import median_low

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..config.toy2d import MinimaxStep
from ..pipeline.job import Job
from ..utils.files import atomic
from ..utils.progress import progress
from .maximin import (
    DATA_STD,
    GRID_SIZE,
    P_0_BOUNDS,
    Networks,
    Sampler,
    ascend,
    improve,
    initial_networks,
    off_support,
    on_grid,
    payoff,
    picture,
    stream_of_network,
)
from .two_sample import energy_test, energy_to_gaussian

LEVEL = 0.05
"""Level of the two-sample test, fixed before any run."""
SHIFT = 0.25
"""Shift of p_data along x_1, in its standard deviations, to show the test's power."""
PERMUTATIONS = 499
"""Permutations of a test, so no p-value is below 1/500."""

SHOWN = (0.0, 0.1, 0.2, 1.0)  # shares of all moves after which the figure shows D and the particles
CURVE = 50  # points of the curve of energy distance over moves, without its start

Watch = Callable[[int, Networks, Tensor], object]


def step_size_of(move: int, settings: MinimaxStep) -> float:
    """Return the step size of a move (0-based), decaying from step_size towards 0 (our choice; not in the paper)."""
    return settings.step_size * (1 - move / settings.outer) ** settings.decay


def play(
    networks: Networks, x_data: Tensor, x_star: Tensor, settings: MinimaxStep, seeds: list[int], watch: Watch
) -> Tensor:
    """Play Algorithm 3 between networks, trained in place, and particles that start at x_star; return their end.

    All points are (N, m, 2); x_star itself is not changed. `watch(moves, networks, particles)` is called before the
    first move and after each. "Until converge" (line 3) means `inner` Adam steps on random points of both, the same
    points for all networks of a seed; D and Adam's moments carry over from move to move. Particles stay in the square,
    like the points of Algorithm 1.
    """
    parameters = [tensor.requires_grad_() for tensor in (*networks.weights, *networks.biases)]
    optimiser = torch.optim.Adam(
        parameters, lr=settings.lr, betas=(0.0, 0.99), fused=True
    )  # independent of other networks
    streams = [stream_of_network(seed, 3) for seed in seeds]
    rows = torch.arange(len(seeds))[:, None]
    watch(0, networks, x_star)
    for move in range(settings.outer):
        for _ in range(settings.inner):
            of_batch = torch.stack([torch.randint(settings.m, (settings.batch,), generator=each) for each in streams])
            improve(networks, optimiser, x_data[rows, of_batch], x_star[rows, of_batch])
        x_star = ascend(networks, x_star, 1, step_size_of(move, settings))
        watch(move + 1, networks, x_star)
    for tensor in parameters:
        tensor.requires_grad_(False)
    return x_star


def energies(x: Tensor) -> list[float]:
    """Return the energy distance to p_data of each of N clouds of particles (N, m, 2)."""
    return [energy_to_gaussian(each, DATA_STD) for each in x.double().numpy()]


@torch.no_grad()
def measure(f: Networks, x_data: Tensor, x_star: Tensor, fresh: Tensor, seeds: list[int]) -> dict[str, np.ndarray]:
    """Return the measures of N networks and their particles, each (N,), with a fresh draw of p_data (N, m, 2).

    d_on_support: mean D on the fresh draw; d_off_support_max: greatest D on the grid off the support; d_above_half:
    share of that grid where D > 1/2; u: U of the supplement's Eq. 7 on the points of both players. p_value: tests the
    hypothesis that particles and fresh draw have the same distribution; p_value_shifted: the same with the draw shifted
    by SHIFT; p_value_data: the fresh draw against the points of p_data that the particles should match.
    """
    off = on_grid(f, len(fresh))[:, off_support(GRID_SIZE)]
    shift = torch.tensor([SHIFT * DATA_STD, 0.0])

    def p_values(x: Tensor, y: Tensor) -> np.ndarray:
        pairs = zip(x.double().numpy(), y.double().numpy(), seeds, strict=True)
        return np.array([energy_test(a, b, PERMUTATIONS, seed) for a, b, seed in pairs])

    return {
        "d_on_support": f.logit(fresh).sigmoid().double().mean(dim=1).numpy(),
        "d_off_support_max": off.sigmoid().double().amax(dim=1).numpy(),
        "d_above_half": (off > 0).double().mean(dim=1).numpy(),
        "u": payoff(f, x_data, x_star).numpy(),
        "p_value": p_values(x_star, fresh),
        "p_value_shifted": p_values(x_star, fresh + shift),
        "p_value_data": p_values(x_data, fresh),
    }


def simulate(
    settings: MinimaxStep, report: Callable[[int], object] = lambda move: None
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, np.ndarray]]:
    """Play Algorithm 3 in both settings on every seed, and measure the result (Fig. S1).

    Seeds are settings.seed, settings.seed + 1, ...; both settings of a seed share network, p_data and random points.
    `report(move)` is called after each move. The caller sets Torch's number of threads.

    Returns the measures, one row per setting x seed (columns setting, seed, energy_initial and energy_final of the
    particles, and those of `measure`); the energy distances during the game (setting, seed, moves, energy); and for one
    seed the arrays of `maximin.picture`, with particles as p_0, under "<setting>.<moves>.<name>". A rule selects this
    seed, so the picture is not hand-picked: it has the median d_above_half with corner p_0. Its number is under "seed",
    and the moves that are shown are under "moves". Raises ValueError if the activation is unknown.
    """
    keys = [(setting, settings.seed + k) for setting in P_0_BOUNDS for k in range(settings.seeds)]
    seeds = [seed for _, seed in keys]
    bounds = torch.tensor([P_0_BOUNDS[setting] for setting, _ in keys])
    networks = initial_networks(seeds, settings.width, settings.first_layer_gain, settings.activation)
    x_0, x_data = Sampler(bounds, seeds, purpose=1).draw(settings.m)
    fresh = Sampler(bounds, seeds, purpose=2).draw(settings.m)[1]
    of_curve = set(np.linspace(0, settings.outer, CURVE + 1).round().astype(int).tolist())
    shown = [round(fraction * settings.outer) for fraction in SHOWN]
    curve: list[pd.DataFrame] = []
    pictures: dict[tuple[str, int], dict[str, np.ndarray]] = {key: {} for key in keys}

    def watch(moves: int, f: Networks, x: Tensor) -> None:
        if moves in of_curve:
            curve.append(pd.DataFrame(keys, columns=["setting", "seed"]).assign(moves=moves, energy=energies(x)))
        if moves in shown:
            for index, (setting, seed) in enumerate(keys):
                drawn = picture(f, x, x_data, index)
                pictures[setting, seed] |= {f"{setting}.{moves}.{name}": array for name, array in drawn.items()}
        if moves:
            report(moves)

    x_star = play(networks, x_data, x_0, settings, seeds, watch)
    frame = pd.DataFrame(keys, columns=["setting", "seed"])
    frame = frame.assign(energy_initial=curve[0]["energy"], energy_final=curve[-1]["energy"])
    frame = frame.assign(**measure(networks, x_data, x_star, fresh, seeds))
    above = frame.loc[frame["setting"] == "corner", "d_above_half"].tolist()
    seed = settings.seed + above.index(median_low(above))
    fields = {"seed": np.array(seed), "moves": np.array(shown)}
    for setting in P_0_BOUNDS:
        fields |= pictures[setting, seed]
    return frame, pd.concat(curve, ignore_index=True), fields


def write_minimax(job: Job) -> None:
    """Compute the `minimax` step: write minimax.csv, energy.csv and fields.npz."""
    settings = MinimaxStep(**job.settings)
    with progress(f"minimax {settings.activation}", settings.outer) as report:
        frame, curve, fields = simulate(settings, report)
    for name, table in (("minimax.csv", frame), ("energy.csv", curve)):
        with atomic(job.folder / name) as temporary:
            table.to_csv(temporary, index=False, float_format="%.6g")
    with atomic(job.folder / "fields.npz") as temporary:
        np.savez(temporary, allow_pickle=False, **fields)
    test = {"test": "energy distance, permutations", "level": LEVEL, "shift": SHIFT, "permutations": PERMUTATIONS}
    of_sample = DATA_STD * math.pi**0.5 / settings.m  # mean energy distance of m points of p_data to p_data
    job.finish(
        {"activation": settings.activation, "device": "cpu", "m": settings.m, "energy_of_sample": of_sample, **test}
    )
