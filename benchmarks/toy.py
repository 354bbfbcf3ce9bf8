"""An iteration of the 2D simulation beside a plain loop over its networks: `python benchmarks/toy.py`.

At the paper's scale: two settings on five seeds are ten networks, which ours trains stacked, with a backward pass that
is written out. The plain loop has each as an nn.Sequential, climbs by autograd and has an Adam for each. Both draw the
same points; that they end with the same weights is asserted before anything is timed. One thread; times are those that
the process ran for.
"""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus
from turns import Findings, Times, in_turns, options_of, preamble, quartiles, ratios

from atebm.config import load
from atebm.config.toy2d import ToyStep
from atebm.toy2d import maximin

ROOT = Path(__file__).resolve().parents[1]
ITERATIONS = 3  # of a timed call; times are per iteration
LEAST, OURS, PLAIN = 1.5, "ours", "plain loop"
CLOSE = 1e-3  # of the largest weight's change


def step_of(activation: str) -> ToyStep:
    settings = load.load(ROOT, ["scale=paper"])[0].model_dump()["toy"]
    del settings["activations"]
    return ToyStep(**settings | {"activation": activation, "iterations": ITERATIONS, "seed": 0})


def begun(settings: ToyStep) -> tuple[maximin.Networks, maximin.Sampler]:
    keys = [(setting, settings.seed + k) for setting in maximin.P_0_BOUNDS for k in range(settings.seeds)]
    seeds = [seed for _, seed in keys]
    networks = maximin.initial_networks(seeds, settings.width, settings.first_layer_gain, settings.activation)
    bounds = torch.tensor([maximin.P_0_BOUNDS[setting] for setting, _ in keys])
    return networks, maximin.Sampler(bounds, seeds, purpose=1)


def trained(settings: ToyStep) -> list[Tensor]:
    networks, sampler = begun(settings)
    maximin.train(networks, sampler, settings)
    return [*networks.weights, *networks.biases]


def plainly_trained(settings: ToyStep) -> list[Tensor]:
    networks, sampler = begun(settings)
    models = [sequential(networks, k) for k in range(len(sampler.seeds))]
    optimisers = [torch.optim.Adam(model.parameters(), lr=settings.lr, betas=(0.0, 0.99)) for model in models]
    for iteration in range(settings.iterations):
        x_0, x_data = sampler.draw(settings.m)
        for k, (model, optimiser) in enumerate(zip(models, optimisers, strict=True)):
            x = x_0[k]
            for _ in range(settings.K):
                x = x.detach().requires_grad_()
                (gradient,) = torch.autograd.grad(model(x).sum(), x)
                x = (x + settings.step_size * gradient / (gradient.norm(dim=1, keepdim=True) + 1e-10)).clamp(-1, 1)
            loss = softplus(-model(x_data[k])).mean() + softplus(model(x.detach())).mean()
            optimiser.param_groups[0]["lr"] = settings.lr * maximin.learning_rate_factor(iteration, settings.iterations)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    linear = [[module for module in model if isinstance(module, nn.Linear)] for model in models]
    weights = [torch.stack([layer.weight.T for layer in same]) for same in zip(*linear, strict=True)]
    biases = [torch.stack([layer.bias[None] for layer in same]) for same in zip(*linear, strict=True)]
    return [tensor.detach() for tensor in (*weights, *biases)]


def sequential(networks: maximin.Networks, k: int) -> nn.Sequential:
    """Network number k, as people would write it."""
    modules: list[nn.Module] = []
    for weight, bias in zip(networks.weights, networks.biases, strict=True):
        layer = nn.Linear(weight.shape[1], weight.shape[2])
        with torch.no_grad():
            layer.weight.copy_(weight[k].T)
            layer.bias.copy_(bias[k, 0])
        modules += [layer, {"relu": nn.ReLU, "tanh": nn.Tanh}[networks.activation]()]
    return nn.Sequential(*modules[:-1])


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return (time.process_time() - start) / ITERATIONS


def measured(activation: str, rounds: int) -> Times:
    settings = step_of(activation)
    start = [*begun(settings)[0].weights, *begun(settings)[0].biases]
    peers = {OURS: partial(trained, settings), PLAIN: partial(plainly_trained, settings)}
    mine, other = (peer() for peer in peers.values())
    moved = max(float((a - b).abs().max()) for a, b in zip(mine, start, strict=True))
    apart = torch.cat([(a - b).flatten() for a, b in zip(mine, other, strict=True)]).norm()
    apart = float(apart / torch.cat([(a - b).flatten() for a, b in zip(mine, start, strict=True)]).norm())
    print(f"\n{activation}: the largest weight moved by {moved:.1e}, the weights end apart by {apart:.1e} of the way.")
    if not apart <= CLOSE:
        raise SystemExit(f"{PLAIN} does other work than ours.")
    return in_turns({name: partial(seconds, peer) for name, peer in peers.items()}, rounds)


def main() -> None:
    options, findings = options_of(__doc__, 5).parse_args(), Findings()
    torch.set_num_threads(1)
    preamble(torch.device("cpu"))
    print(f"- {options.rounds} rounds of {ITERATIONS} iterations")
    for activation in ("relu", "tanh"):
        what, times = f"2D iteration, {activation}", measured(activation, options.rounds)
        print(f"\n| {what} | median ms (quartiles) | time / time of ours (quartiles) |\n|---|---|---|")
        for name, values in findings.keep(what, times, OURS).items():
            milliseconds = quartiles([1000 * s for s in values], "%.0f")
            print(f"| {name} | {milliseconds} | {quartiles(ratios(times, name, OURS), '%.2f')} |")
        print()
        findings.at_least(what, times, PLAIN, OURS, LEAST)
    findings.write(options.json)


if __name__ == "__main__":
    main()
