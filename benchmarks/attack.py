"""Auto-PGD on f beside torchattacks and its authors' code: `python benchmarks/attack.py`.

CIFAR-10's ResNet50 at the paper's scale. All peers hold the same weights and attack the same images, within the same
radius, with the same numbers of steps and restarts; the others see f as a classifier with logits (0, f), whose loss at
label 0 grows with f. Their random starts differ, so that what is asserted before anything is timed is that none climbs
less than the others by more than a few percent. They take turns as in engine.py, whose clocks these are.

- ours: `auto_pgd_restarted` inside `frozen`, all restarts in one batch, as the `attack` step calls it.
- torchattacks: its APGD in best-loss mode, on torchvision's ResNet50.
- pyautoattack: APGD by the authors of Auto-PGD, in the same mode, on the same network.
"""

import statistics
from collections.abc import Callable

import torch
from engine import OURS, ROOT, Reference, TwoClasses, report, timed
from pyautoattack.autopgd_base import APGDAttack
from torch import Tensor, nn
from turns import Findings, on_device, options_of, preamble

from atebm.attacks.auto_pgd import auto_pgd_restarted, spheres
from atebm.config import load
from atebm.models.energy import Energy
from atebm.models.folding import frozen

SHAPE = (3, 32, 32)
EPS = 1.0  # of CIFAR-10's worst case
CLIMB = 0.97  # of what the best peer gains, that every peer must
LEAST = 1.4  # what the project wants: so many times as fast as the fastest of the others
OTHERS = ("torchattacks, fp32", "pyautoattack, fp32")


def ours(model: Energy, x: Tensor, steps: int, restarts: int) -> Tensor:
    with frozen(model):
        return auto_pgd_restarted(model, x, spheres(x, EPS, restarts, 0, list(range(len(x)))), EPS, steps)


def by_torchattacks(model: nn.Module, x: Tensor, steps: int, restarts: int) -> Tensor:
    from torchattacks import APGD

    attack = APGD(TwoClasses(model).eval(), norm="L2", eps=EPS, steps=steps, n_restarts=restarts, seed=0)
    return attack.perturb(x, torch.zeros(len(x), dtype=torch.long, device=x.device), best_loss=True)[1]


def by_pyautoattack(model: nn.Module, x: Tensor, steps: int, restarts: int) -> Tensor:
    attack = APGDAttack(
        TwoClasses(model).eval(), n_iter=steps, norm="L2", n_restarts=restarts, eps=EPS, seed=0, device=x.device
    )
    return attack.perturb(x, torch.zeros(len(x), dtype=torch.long, device=x.device), best_loss=True)


def peers_of(energy: Energy, x: Tensor, steps: int, restarts: int) -> dict[str, Callable[[], Tensor]]:
    reference = Reference(energy).to(x.device)
    peers: dict[str, Callable[[], Tensor]] = {OURS: lambda: ours(energy, x, steps, restarts)}
    peers["pyautoattack, fp32"] = lambda: by_pyautoattack(reference, x, steps, restarts)
    try:
        import torchattacks  # noqa: F401
    except ImportError:
        print("- torchattacks: not measured (not installed)")
    else:
        peers["torchattacks, fp32"] = lambda: by_torchattacks(reference, x, steps, restarts)
    return peers


def equally_strong(energy: Energy, x: Tensor, peers: dict[str, Callable[[], Tensor]]) -> None:
    """Raise SystemExit where a peer climbs less than the best by more than a few percent."""
    with torch.inference_mode():
        clean = energy(x)
    gains = {}
    for name, attack in peers.items():
        found = attack()
        with torch.inference_mode():
            gains[name] = float((energy(found) - clean).mean())
        farthest = float((found - x).flatten(1).norm(dim=1).max())
        print(f"- {name}: f rises by {gains[name]:.4g}, images move by at most {farthest:.6f}")
    weak = [name for name, gain in gains.items() if gain < CLIMB * max(gains.values())]
    if weak:
        raise SystemExit(f"{', '.join(weak)} climbs less than {CLIMB:g} of what the best does: not the same work.")


def main() -> None:
    parser = options_of(__doc__, 3)
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--restarts", type=int, default=2)
    options = on_device(parser)
    device, findings = options.device, Findings()
    network = load.load(ROOT, ["scale=paper"])[0].model_dump()["runs"]["cifar10_ood"]["network"]
    energy = Energy(network, SHAPE).on(device).eval()
    x = torch.rand(options.images, *SHAPE, device=device)

    preamble(device)
    print(f"- {options.images} images, radius {EPS:g}, {options.rounds} rounds")
    print(f"\nAuto-PGD, {options.steps} steps, {options.restarts} restarts, on untrained weights:\n")
    peers = peers_of(energy, x, options.steps, options.restarts)
    equally_strong(energy, x, peers)
    times = timed(peers, options.rounds, device)
    report("Auto-PGD", times, findings)
    findings.at_least("Auto-PGD", times, OTHERS, OURS, LEAST)
    print()
    for name, values in times.items():
        print(f"- {name}: {options.images / statistics.median(values):.3g} attacked images/s")
    findings.write(options.json)


if __name__ == "__main__":
    main()
