"""A PGD step and a training iteration beside other libraries and a plain loop: `python benchmarks/engine.py`.

Three networks, as runs of the paper's scale and of scale demo have them: CIFAR-10's ResNet50, the small one, and the
discriminator of the 256x256 tasks. All peers hold the same weights and climb the same f; that they do equal work is
asserted before anything is timed. They take turns within each round, and what is reported are medians and quartiles
over the rounds: of times, and of ratios within a round, which a busy machine moves less. On a CPU, of which one thread
is used, times are those that the process ran for, others' turns on that core left out.

- ours: `pgd` inside `frozen`, and `Trainer.step`, as training calls them. On a GPU an iteration is one CUDA graph, but
  for `ours kernel by kernel`, and both are measured compiled, too.
- torchattacks, ART, foolbox: their L2 PGD without a random start, in a ball that nothing leaves, on a classifier with
  logits (0, f), whose cross-entropy at label 0 grows with f. Of ART and foolbox only the steps are called, without the
  predictions that they add at the end.
- plain loop: `.backward()` on f(x).sum() in attacks too, so that parameters gather gradients until they are zeroed. Its
  batches are given to it already augmented, for free.
- lean loop: the same attack, with parameters that want no gradients and `torch.autograd.grad` of the image alone.

On a CPU every peer's memory is kept as `python -m atebm` keeps it, which is worth a tenth of a step to whoever does.

The peers' network is torchvision's ResNet50 with BatchNorm in eval mode, or as ours with convolution and pooling apart;
its memory is contiguous (NCHW), as people write it; for them cuDNN may choose algorithms that add in another order each
time, for ours it may not. A peer that is not installed is not measured.
"""

import copy
import importlib.util
import shutil
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import Pipe, get_context
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck, ResNet
from turns import Findings, Times, in_turns, on_device, options_of, preamble, processor, quartiles, ratios

from atebm.attacks.pgd import pgd
from atebm.config import load
from atebm.config.training import TrainStep
from atebm.cost.flops import Flops
from atebm.data.stream import Recipe, Resident, Stream
from atebm.device.malloc import keep_memory
from atebm.device.precision import autocast, set_precision
from atebm.models.energy import Energy
from atebm.models.folding import ConvAffine, ConvPool, frozen
from atebm.training import schedule
from atebm.training.loop import STREAMS
from atebm.training.trainer import Trainer

ROOT = Path(__file__).resolve().parents[1]
IMAGES = 256
FARTHEST = 1e4  # radius of a ball that nothing leaves
# Largest distance of a peer's images from those of `ours, fp32`, relative to the way these went. A ReLU that rounding
# switches changes a gradient by its whole share: hence more than the last digits. Found: 0.0013 and 0.1; other work, 1.
TOLERANCE = {"fp32": 5e-3, "tf32": 5e-2, "bf16": 0.2}
# Likewise of parameters' gradients, after an attack of 5 steps each and R1. Found: 0.008 and 0.13; after one
# of 25 steps on a GPU, 0.032 and 0.07.
GRADIENT_TOLERANCE = {"fp32": 5e-2, "tf32": 0.1, "bf16": 0.3}
OURS, PLAIN = "ours, fp32", "plain loop, fp32"
LIBRARIES = {"torchattacks": "torchattacks", "ART": "art", "foolbox": "foolbox"}  # and what they are imported as
OTHERS = tuple(f"{name}, fp32" for name in LIBRARIES)
MINIMUM = {  # what the project wants: (slower, faster, at least this many times)
    "ResNet50, PGD step": [(OTHERS, OURS, 1.4), (PLAIN, OURS, 1.8), (PLAIN, "ours, bf16", 2.5)],
    "small, PGD step": [((*OTHERS, PLAIN), OURS, 1.3)],
    "ResNet50, iteration, K = 25 and R1": [("plain loop, bf16", "ours compiled, bf16", 4.0)],  # on a GPU alone
}
ITERATION = 1.5  # likewise of every iteration: so many times as fast as the plain loop


@dataclass(frozen=True)
class Case:
    """A network as a run of some scale has it, and how much work is timed at once."""

    scale: str
    run: str
    shape: tuple[int, int, int]
    steps: int  # of one timed attack; times are per step
    batch: dict[str, int]  # of an attack, by device
    iteration_batch: dict[str, int]
    iterations: dict[str, list[tuple[int, float]]]  # by device, K and r1


CASES = {
    # The paper's batch, but of 20 in iterations on a CPU, to end in minutes. Ratios depend on it: at 32, of which a
    # layer's output has 32 MiB, torchattacks took longer per image than at 20. Not of 16 or less: there PyTorch
    # computes 1x1 convolutions otherwise if it has one thread.
    "ResNet50": Case(
        *("paper", "cifar10", (3, 32, 32), 2, {"cpu": 32, "cuda": 32}, {"cpu": 20, "cuda": 32}),
        {"cpu": [(0, 0), (5, 0.01)], "cuda": [(0, 0), (5, 0.01), (25, 0.01)]},
    ),
    "ResNet50, few images": Case(
        *("paper", "cifar10", (3, 32, 32), 4, {"cpu": 8, "cuda": 8}, {"cpu": 8, "cuda": 8}),
        {"cpu": [], "cuda": []},
    ),
    "small": Case(
        *("demo", "cifar10", (1, 16, 16), 16, {"cpu": 64, "cuda": 64}, {"cpu": 64, "cuda": 64}),
        {device: [(0, 0), (5, 0), (25, 0), (5, 0.1)] for device in ("cpu", "cuda")},
    ),
    "discriminator256": Case(
        *("paper", "celebahq256", (3, 256, 256), 1, {"cpu": 2, "cuda": 40}, {"cpu": 2, "cuda": 40}),
        {"cpu": [], "cuda": [(25, 30)]},
    ),
}


class Reference(nn.Module):
    """f by torchvision's modules, with the weights of one of our energies."""

    def __init__(self, energy: Energy):
        super().__init__()
        self.network = ResNet(Bottleneck, [3, 4, 6, 3], num_classes=10)
        self.network.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        self.network.maxpool = nn.Identity()
        self.register_buffer("mean", energy.mean.clone())
        self.register_buffer("std", energy.std.clone())
        self.eval()
        with torch.no_grad():
            for parameter, ours in zip(self.mine(), theirs(energy), strict=True):
                parameter[: len(ours)] = ours  # of the head's 10 rows, the first

    def forward(self, x: Tensor) -> Tensor:
        return self.network((x - self.mean) / self.std)[:, 0].to(x.dtype)

    def mine(self) -> list[nn.Parameter]:
        modules = list(self.modules())
        convolutions = [module for module in modules if isinstance(module, nn.Conv2d)]
        norms = [module for module in modules if isinstance(module, nn.BatchNorm2d)]
        parameters = [(c.weight, n.weight, n.bias) for c, n in zip(convolutions, norms, strict=True)]
        return [*sum(parameters, ()), self.network.fc.weight, self.network.fc.bias]


def theirs(energy: Energy) -> list[nn.Parameter]:
    """Our parameters in the order of Reference.mine."""
    folded = [module for module in energy.modules() if isinstance(module, ConvAffine)]
    parameters = [(module.weight, module.gamma, module.beta) for module in folded]
    return [*sum(parameters, ()), energy.network.head.weight, energy.network.head.bias]


def reference_of(energy: Energy) -> nn.Module:
    """f with the same weights, as people would write it."""
    if any(isinstance(module, ConvAffine) for module in energy.modules()):
        return Reference(energy).to(energy.mean.device)
    plain = copy.deepcopy(energy)
    plain.layout = torch.contiguous_format
    return apart(plain).to(memory_format=plain.layout)


def apart(module: nn.Module) -> nn.Module:
    """`module` with each of our convolutions that pool as the convolution and the pooling that people write."""
    for name, child in module.named_children():
        if isinstance(child, ConvPool):
            convolution = nn.Conv2d(child.in_channels, child.out_channels, 3, padding=1, device=child.weight.device)
            convolution.load_state_dict(child.state_dict())
            setattr(module, name, nn.Sequential(convolution, nn.AvgPool2d(2)))
        else:
            apart(child)
    return module


def parameters_of(model: nn.Module) -> list[nn.Parameter]:
    """In one order, of an energy and of its reference."""
    if isinstance(model, Reference):
        return model.mine()
    return theirs(model) if any(isinstance(m, ConvAffine) for m in model.modules()) else list(model.parameters())


class TwoClasses(nn.Module):
    """f as a classifier with logits (0, f): cross-entropy against label 0 grows with f."""

    def __init__(self, f: nn.Module):
        super().__init__()
        self.f = f

    def forward(self, x: Tensor) -> Tensor:
        f = self.f(x)
        return torch.stack([torch.zeros_like(f), f], 1)


# --- the peers ----------------------------------------------------------------------------------------------------


def attack_ours(model: Energy, x: Tensor, K: int, step_size: float) -> Tensor:
    with frozen(model):
        return pgd(model, x, K, step_size)


def attack_torchattacks(model: nn.Module, x: Tensor, K: int, step_size: float) -> Tensor:
    from torchattacks import PGDL2

    torch.backends.cudnn.deterministic = False
    classifier = TwoClasses(model).eval()  # or else it puts BatchNorm into training mode when it ends
    attack = PGDL2(classifier, eps=FARTHEST, alpha=step_size, steps=K, random_start=False)
    return attack(x, torch.zeros(len(x), dtype=torch.long, device=x.device))


def attack_art(model: nn.Module, x: Tensor, K: int, step_size: float) -> Tensor:
    from art.attacks.evasion import ProjectedGradientDescentPyTorch
    from art.estimators.classification import PyTorchClassifier

    torch.backends.cudnn.deterministic = False
    kind = "gpu" if x.is_cuda else "cpu"
    classifier = PyTorchClassifier(
        TwoClasses(model).eval(), nn.CrossEntropyLoss(), x.shape[1:], 2, clip_values=(0, 1), device_type=kind
    )
    attack = ProjectedGradientDescentPyTorch(
        classifier, norm=2, eps=FARTHEST, eps_step=step_size, max_iter=K, batch_size=len(x), verbose=False
    )
    labels = F.one_hot(torch.zeros(len(x), dtype=torch.long), 2).float()
    # Not generate(), which predicts all images before and after, for a line of its log.
    return torch.from_numpy(attack._generate_batch(x, labels, None, FARTHEST, step_size)).to(x.device)


def attack_foolbox(model: nn.Module, x: Tensor, K: int, step_size: float) -> Tensor:
    from foolbox import PyTorchModel
    from foolbox.attacks import L2ProjectedGradientDescentAttack

    torch.backends.cudnn.deterministic = False
    classifier = PyTorchModel(TwoClasses(model).eval(), bounds=(0, 1), device=x.device)
    attack = L2ProjectedGradientDescentAttack(abs_stepsize=step_size, steps=K, random_start=False)
    labels = torch.zeros(len(x), dtype=torch.long, device=x.device)
    return attack.run(classifier, x, labels, epsilon=FARTHEST)


def attack_plain(model: nn.Module, x: Tensor, K: int, step_size: float) -> Tensor:
    torch.backends.cudnn.deterministic = False
    for _ in range(K):
        x = x.detach().requires_grad_()
        model(x).sum().backward()
        gradient = x.grad
        norm = gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1) + 1e-10
        x = (x.detach() + step_size * gradient / norm).clamp(0, 1)
    model.zero_grad()
    return x.detach()


def attack_lean(model: nn.Module, x: Tensor, K: int, step_size: float) -> Tensor:
    torch.backends.cudnn.deterministic = False
    model.requires_grad_(False)
    for _ in range(K):
        x = x.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(model(x).sum(), x)
        norm = gradient.flatten(1).norm(dim=1).view(-1, 1, 1, 1) + 1e-10
        x = (x.detach() + step_size * gradient / norm).clamp(0, 1)
    model.requires_grad_(True)
    return x.detach()


def iterate_plain(
    model: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, z: Tensor, run: dict[str, Any], K: int
) -> None:
    with autocast(run["precision"], x.device):
        if run["in_attack"]:
            x = attack_plain(model, x, run["in_attack"]["steps"], -run["in_attack"]["step_size"])
        z = attack_plain(model, z, K, run["step_size"])
        x = x.detach().requires_grad_(run["r1"] > 0)
        f_x, f_z = model(x), model(z)
        labels = torch.cat([torch.ones_like(f_x), torch.zeros_like(f_z)])
        loss = F.binary_cross_entropy_with_logits(torch.cat([f_x, f_z]), labels)
        if run["r1"]:
            (gradient,) = torch.autograd.grad(f_x.sum(), x, create_graph=True)
            loss = loss + run["r1"] * 0.5 * gradient.flatten(1).square().sum(1).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


LOOPS = {"plain loop": attack_plain, "lean loop": attack_lean}

# --- measuring ----------------------------------------------------------------------------------------------------


def precisions(device: torch.device) -> list[str]:
    """Those whose products this device computes natively."""
    if device.type == "cuda":
        return ["fp32", "tf32", "bf16"] if torch.cuda.is_bf16_supported(including_emulation=False) else ["fp32"]
    native = {"avx512_bf16", "amx_bf16", "bf16"} & set(processor()[1])
    return ["fp32", "bf16"] if native else ["fp32"]


def seconds(work: Callable[[], object], device: torch.device) -> float:
    if device.type == "cpu":
        start = time.process_time()
        work()
        return time.process_time() - start
    torch.cuda.synchronize(device)
    start = time.perf_counter()
    work()
    torch.cuda.synchronize(device)
    return time.perf_counter() - start


def timed(peers: dict[str, Callable[[], object]], rounds: int, device: torch.device) -> Times:
    """Seconds of each peer in each round."""
    if device.type != "cpu":
        return in_turns({name: partial(seconds, work, device) for name, work in peers.items()}, rounds)
    with ExitStack() as stack:
        clocks = {name: stack.enter_context(own_process(name, work, device)) for name, work in peers.items()}
        return in_turns(clocks, rounds)


@contextmanager
def own_process(name: str, work: Callable[[], object], device: torch.device) -> Iterator[Callable[[], float]]:
    """Give what times a peer once, in a child of this process, so that no peer finds the memory that another left.

    Each has worked once before it is timed.
    """
    here, there = Pipe()

    def answer() -> None:
        keep_memory()
        work()
        there.send(None)
        while there.recv():
            there.send(seconds(work, device))

    def clock() -> float:
        here.send(True)
        return here.recv()

    process = get_context("fork").Process(target=answer, daemon=True)
    process.start()
    here.recv()  # its first turn is over before others begin theirs
    try:
        yield clock
    finally:  # or what it holds would stay in memory
        process.terminate()
        process.join()


def under(precision: str, device: torch.device, work: Callable[..., Any], *arguments: Any) -> Any:
    set_precision(precision)
    with autocast(precision, device):
        return work(*arguments)


def equal(name: str, found: Sequence[Tensor], expected: Sequence[Tensor], tolerance: float) -> None:
    difference = torch.cat([(a - b).flatten() for a, b in zip(found, expected, strict=True)]).norm()
    relative = float(difference / torch.cat([b.flatten() for b in expected]).norm())
    print(f"- {name}: off by {relative:.1e} (at most {tolerance:g})", flush=True)
    if not relative <= tolerance:
        raise SystemExit(f"{name} does other work than `ours, fp32`: its result is off by {relative:.1e}.")


def installed() -> dict[str, Callable[..., Tensor]]:
    """The attacks of those libraries that are here."""
    found = {"torchattacks": attack_torchattacks, "ART": attack_art, "foolbox": attack_foolbox}
    return {name: found[name] for name, module in LIBRARIES.items() if importlib.util.find_spec(module)}


def attacks(energy: Energy, case: Case, kinds: Sequence[str], step_size: float, rounds: int) -> Times:
    """Seconds of a step of ours, of libraries and of the plain loop; of libraries in fp32 alone."""
    device = energy.mean.device
    x = torch.rand(case.batch[device.type], *case.shape, device=device)
    reference = reference_of(energy)
    torch.compiler.reset()  # it compiles a function a few times only, for all models
    others = {name: (attack, reference) for name, attack in (installed() | LOOPS).items()}
    peers: dict[str, Callable[[], Tensor]] = {}
    for precision in kinds:
        own = {name: (attack_ours, model) for name, model in variants_of(energy, precision).items()}
        for name, (attack, model) in (own | others).items():
            if name not in LIBRARIES or precision == "fp32":
                arguments = (precision, device, attack, model, x, case.steps, step_size)
                peers[f"{name}, {precision}"] = partial(under, *arguments)
    print(f"\nSame images after {case.steps} PGD steps, relative to the way that they went:\n")
    moved = peers[OURS]() - x
    for name, attack in peers.items():
        equal(name, [attack() - x], [moved], TOLERANCE[name.split(", ")[1]])
    return {name: [s / case.steps for s in values] for name, values in timed(peers, rounds, device).items()}


def variants_of(energy: Energy, precision: str) -> dict[str, Energy]:
    """Copies of an energy as a training of that precision has it, and compiled."""
    ours, compiled = (copy.deepcopy(energy).on(energy.mean.device, precision) for _ in range(2))
    if energy.mean.device.type != "cuda" or not shutil.which("c++"):
        return {"ours": ours}  # on a CPU core, compiling takes longer than measuring
    compiled.compile()
    return {"ours": ours, "ours compiled": compiled}


def iterations(
    energy: Energy, case: Case, run: dict[str, Any], kinds: Sequence[str], K: int, r1: float, rounds: int
) -> Times:
    """Seconds of an iteration of ours and of the plain loop, and of a large product of matrices."""
    torch.compiler.reset()
    device, run = energy.mean.device, run | {"r1": r1}
    p_data, p_0 = resident(run, case.shape, device)
    x, z = (stream.batch(0)[0].contiguous() for stream in (p_data, p_0))
    peers: dict[str, Callable[[], None]] = {}
    gradients: dict[str, list[nn.Parameter]] = {}
    for precision in kinds:
        settings = run | {"precision": precision}
        variants = variants_of(energy, precision)
        if device.type == "cuda":
            variants["ours kernel by kernel"] = variants_of(energy, precision)["ours"]
        for name, model in variants.items():
            trainer = trainer_of(model, settings, p_data, p_0)
            if name == "ours kernel by kernel":
                trainer.update = trainer.attack_and_update
            peers[f"{name}, {precision}"] = partial(iterate_ours, trainer, K)
            gradients[f"{name}, {precision}"] = parameters_of(model)
        plain = reference_of(energy)
        optimizer = torch.optim.Adam(plain.parameters(), lr=run["optimizer"]["lr"], betas=run["optimizer"]["betas"])
        peers[f"plain loop, {precision}"] = partial(plain_under, settings, plain, optimizer, x, z, K)
        gradients[f"plain loop, {precision}"] = parameters_of(plain)
    print(f"\nSame gradients of the first iteration, {said(K, r1)}, relative to their length:\n")
    for name, work in peers.items():
        work()
        ours = gradients[OURS]
        found = [a.grad[: len(b)] for a, b in zip(gradients[name], ours, strict=True)]
        equal(name, found, [b.grad for b in ours], GRADIENT_TOLERANCE[name.split(", ")[1]])
    if device.type == "cuda":
        for work in peers.values():  # a second time, at which CUDA graphs are made
            work()
    for precision in kinds:
        peers[f"{PRODUCT}, {precision}"] = product(precision, device)
    return timed(peers, rounds, device)


def said(K: int, r1: float) -> str:
    return f"K = {K}" + (" and R1" if r1 else "")


def resident(run: dict[str, Any], shape: tuple[int, int, int], device: torch.device) -> list[Resident]:
    """p_data and p_0: noise."""
    rows = range(run["batch_size"])
    return [
        Resident(
            torch.randint(256, (IMAGES, *shape), dtype=torch.uint8, device=device),
            Recipe(run["augment"][role], len(rows), rows, run["seed"], number),
        )
        for role, number in STREAMS.items()
    ]


def trainer_of(model: Energy, run: dict[str, Any], p_data: Stream, p_0: Stream) -> Trainer:
    """Make a trainer of a model that is compiled where it shall be, without an average of its weights."""
    settings = {key: run[key] for key in TrainStep.model_fields if key in run} | {"average": None, "compile": False}
    trainer = Trainer("benchmark", TrainStep(**settings), model, IMAGES)
    trainer.p_data, trainer.p_0 = p_data, p_0
    return trainer


def iterate_ours(trainer: Trainer, K: int) -> None:
    set_precision(trainer.run.precision)
    trainer.at = schedule.Progress(K)
    trainer.step()


def plain_under(run: dict[str, Any], *arguments: Any) -> None:
    set_precision(run["precision"])
    model, optimizer, x, z, K = arguments
    iterate_plain(model, optimizer, x, z, run, K)


def size_of_product(device: torch.device) -> int:
    return 8192 if device.type == "cuda" else 2048


def product(precision: str, device: torch.device) -> Callable[[], Tensor]:
    """One large product of square matrices: what this device multiplies fastest."""
    dtype, size = torch.bfloat16 if precision == "bf16" else torch.float32, size_of_product(device)
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))

    def multiply() -> Tensor:
        set_precision(precision)
        return torch.mm(a, b)

    multiply()
    return multiply


def flops_of(energy: Energy, case: Case, run: dict[str, Any], K: int) -> int:
    """Of the convolutions and matrix products of one iteration of ours: those of a batch of 1, times the batch."""
    model, single = copy.deepcopy(energy), run | {"batch_size": 1}
    with Flops() as counter:
        trainer = trainer_of(model, single, *resident(single, case.shape, energy.mean.device))
        trainer.update = trainer.attack_and_update
        iterate_ours(trainer, K)
    return counter.total * run["batch_size"]


# --- reporting ----------------------------------------------------------------------------------------------------

PRODUCT = "product of matrices"


def report(what: str, times: Times, findings: Findings) -> None:
    print(f"\n| {what} | median ms (quartiles) | time / time of {OURS} (quartiles) |\n|---|---|---|")
    kept = {name: values for name, values in times.items() if not name.startswith(PRODUCT)}  # a speed, for report_floor
    for name, values in findings.keep(what, kept, OURS).items():
        milliseconds = quartiles([1000 * s for s in values], "%.2f" if values[0] < 0.1 else "%.1f")
        print(f"| {name} | {milliseconds} | {quartiles(ratios(times, name, OURS), '%.2f')} |")
    print()
    for slower, faster, least in MINIMUM.get(what, []):
        findings.at_least(what, times, slower, faster, least)
    if "iteration" in what:
        findings.at_least(what, times, PLAIN, OURS, ITERATION)


def report_floor(what: str, times: Times, flops: int, device: torch.device) -> None:
    """How much of an iteration is its arithmetic at the speed of the large product in the same round."""
    print(f"\n{what} of ours: {flops / 1e12:.3g} TFLOP. Floor: these at the speed of a large product of matrices.\n")
    done = 2 * size_of_product(device) ** 3
    for name in [name for name in times if name.startswith("ours")]:
        products = times[f"{PRODUCT}, {name.split(', ')[1]}"]
        floor = [flops / done * s for s in products]
        share = quartiles([100 * low / s for low, s in zip(floor, times[name], strict=True)], "%.0f")
        speed = done / statistics.median(products) / 1e9
        print(
            f"- {name}: {1000 * statistics.median(times[name]):.3g} ms, of which the floor of "
            f"{1000 * statistics.median(floor):.3g} ms ({speed:.0f} GFLOP/s) is {share} %",
            flush=True,
        )


def run_of(case: Case, batch: int) -> dict[str, Any]:
    config, _ = load.load(ROOT, [f"scale={case.scale}"])
    return config.model_dump()["runs"][case.run] | {"seed": 0, "batch_size": batch}


def main() -> None:
    parser = options_of(__doc__, 5)  # of the large networks on a CPU at most 3, to end in minutes
    parser.add_argument("--networks", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--precision", nargs="+", help="some of those that this device computes, fp32 first")
    options = on_device(parser)
    device, findings = options.device, Findings()
    kinds = options.precision or precisions(device)
    slow = device.type == "cpu"

    preamble(device)
    print(f"- {options.rounds} rounds")
    if "bf16" not in precisions(device):
        print("- bf16: not measured (this device has no such instructions)")
    for name in sorted(LIBRARIES.keys() - installed()):
        print(f"- {name}: not measured (not installed)")
    for name in options.networks:
        case = CASES[name]
        batch, own = case.batch[device.type], case.iteration_batch[device.type]
        rounds = min(3, options.rounds) if slow and name != "small" else options.rounds
        run = run_of(case, own)
        energy = Energy(run["network"], case.shape).on(device)
        print(f"\n## {name}, {' x '.join(map(str, case.shape))}, batch {batch}, of iterations {own}, {rounds} rounds")
        report(f"{name}, PGD step", attacks(energy, case, kinds, run["step_size"], rounds), findings)
        for K, r1 in case.iterations[device.type]:
            of = options.precision or (["fp32"] if slow else kinds)
            what, times = f"{name}, iteration, {said(K, r1)}", iterations(energy, case, run, of, K, r1, rounds)
            report(what, times, findings)
            if name == "ResNet50":
                report_floor(what, times, flops_of(energy, case, run | {"r1": r1}, K), device)
    findings.write(options.json)


if __name__ == "__main__":
    main()
