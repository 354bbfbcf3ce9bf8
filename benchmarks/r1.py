"""R1 in forward mode beside R1 by differentiating twice: `python benchmarks/r1.py`.

What is timed is the gradient of an iteration's loss and R1 by all parameters, on images of p_data alone: `twice` as
`losses.r1` has it, `forward mode` as `losses.with_slope` does, with grad_x f found before as by a step of the attack.
Three networks, as runs of the paper's scale and of scale demo have them. That both give the same gradients is asserted
before anything is timed. On a CPU one thread is used, and times are those that the process ran for; on a GPU both are
CUDA graphs, in fp32 and bf16, with cuDNN's deterministic algorithms, as in training.
"""

import time
from collections.abc import Callable
from functools import partial

import torch
from engine import CASES, ROOT
from torch import Tensor
from torch.nn.functional import softplus
from turns import Findings, Times, in_turns, options_of, preamble, quartiles, ratios

from atebm.attacks.pgd import gradient
from atebm.config import load
from atebm.device.cuda_graph import Captured
from atebm.device.malloc import keep_memory
from atebm.device.precision import autocast, set_precision
from atebm.models.energy import Energy
from atebm.models.folding import frozen
from atebm.training.losses import r1, with_slope

TWICE, FORWARD = "twice", "forward mode"
TOLERANCE = {"fp32": 5e-2, "bf16": 0.3}  # of gradients, relative to their length: see engine.py
NETWORKS = ("small", "ResNet50", "discriminator256")


def loss_of(f: Tensor) -> Tensor:
    return softplus(-f).mean()


def twice(model: Energy, x: Tensor, weight: float) -> tuple[Tensor, ...]:
    x = x.detach().requires_grad_()
    f = model.forward(x)
    return torch.autograd.grad(loss_of(f) + weight * r1(f, x), list(model.parameters()))


def in_forward_mode(model: Energy, x: Tensor, weight: float) -> tuple[Tensor, ...]:
    def f(x: Tensor) -> tuple[Tensor, tuple[Tensor]]:
        logits = model.forward(x)
        return logits, (loss_of(logits),)

    with frozen(model):
        g = gradient(model, x)
    _, slopes, (loss,) = with_slope(f, x, g)
    return torch.autograd.grad(loss + weight * slopes.mean(), list(model.parameters()))


def seconds(work: Callable[[Tensor], tuple[Tensor, ...]], x: Tensor) -> float:
    clock = time.process_time if x.device.type == "cpu" else time.perf_counter
    start = clock()
    work(x)[-1].flatten()[0].item()  # waits for the device
    return clock() - start


def measured(name: str, precision: str, device: torch.device, rounds: int) -> Times:
    case = CASES[name]
    run = load.load(ROOT, [f"scale={case.scale}"])[0].runs[case.run]
    set_precision(precision)
    torch.manual_seed(0)
    model = Energy(run.network.model_dump(), case.shape).on(device, precision)
    x = torch.rand(case.iteration_batch[device.type], *case.shape, device=device)
    x = x.contiguous(memory_format=torch.channels_last)
    peers = {TWICE: partial(twice, model, weight=run.r1 or 0.1), FORWARD: None}
    peers[FORWARD] = partial(in_forward_mode, model, weight=run.r1 or 0.1)
    with autocast(precision, device):
        one, other = (torch.cat([g.flatten() for g in peer(x)]) for peer in peers.values())
        apart = float((one - other).norm() / one.norm())
        print(f"\n{name}, {precision}, batch {len(x)}: gradients are apart by {apart:.1e} of their length.")
        if not apart <= TOLERANCE[precision]:
            raise SystemExit(f"{FORWARD} gives other gradients than {TWICE}.")
        if device.type == "cuda":
            graphs = {name: Captured(lambda _, x, peer=peer: peer(x)) for name, peer in peers.items()}
            peers = {name: partial(graph, 0) for name, graph in graphs.items()}
            for peer in (*peers.values(), *peers.values()):  # the second call captures
                peer(x)
        return in_turns({name: partial(seconds, peer, x) for name, peer in peers.items()}, rounds)


def main() -> None:
    parser = options_of(__doc__, 5)
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--networks", nargs="+", default=NETWORKS, choices=NETWORKS)
    options, findings = parser.parse_args(), Findings()
    device = torch.device(options.device)
    torch.set_num_threads(1)
    keep_memory()
    preamble(device)
    print(f"- {options.rounds} rounds")
    for name in options.networks:
        for precision in ("fp32", "bf16") if device.type == "cuda" else ("fp32",):
            what = f"{name}, loss and R1, {precision}"
            times = measured(name, precision, device, options.rounds)
            print(f"\n| {what} | median ms (quartiles) | time / time of `{TWICE}` (quartiles) |\n|---|---|---|")
            for peer, values in findings.keep(what, times, TWICE).items():
                milliseconds = quartiles([1000 * s for s in values], "%.4g")
                print(f"| {peer} | {milliseconds} | {quartiles(ratios(times, peer, TWICE), '%.2f')} |", flush=True)
    findings.write(options.json)


if __name__ == "__main__":
    main()
