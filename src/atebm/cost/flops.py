"""The operations of a network on one image, counted on meta tensors: nothing is computed or allocated."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from ..attacks.pgd import value_and_gradient
from ..evaluation.efficientnet import architecture
from ..models.energy import Classifier
from ..models.folding import frozen
from ..training.losses import r1, with_slope
from .passes import BY_IMAGE, BY_WEIGHTS, EFFICIENTNET, FORWARD, INCEPTION, WITH_R1, Network


@dataclass(frozen=True)
class Facts:
    """Sizes of a network."""

    network: Network
    tensors: int  # tensors in its state
    bytes: int  # bytes of these tensors
    width: int  # features before the last layer

    @cached_property
    def flops(self) -> dict[str, int]:
        """Return the operations on one image by the kind of work. Counting them takes longer than the rest."""
        model, x = on_meta(self.network), torch.empty(1, *self.network.shape, device="meta")
        counts = {}
        for what, work in WORK.items():
            if what == FORWARD or not looks_only(self.network):
                with Flops() as counter:
                    work(model, x)
                counts[what] = counter.total
        return counts


class Flops(TorchDispatchMode):
    """A counter of the multiplications and additions in convolutions and matrix products.

    It also works in autograd.grad, in which FlopCounterMode fails.
    """

    total = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func._overloadpacket not in flop_registry:
            with self:  # in inference mode, linear layers and convolutions arrive undecomposed
                parts = func.decompose(*args, **kwargs)
            return func(*args, **kwargs) if parts is NotImplemented else parts
        result = func(*args, **kwargs)
        self.total += flop_registry[func._overloadpacket](*args, **kwargs, out_val=result)
        return result


HEADS = {INCEPTION: "fc", EFFICIENTNET: "_fc"}  # the last layers of third-party networks


@cache
def facts(network: Network) -> Facts:
    model = on_meta(network)
    state = model.state_dict().values()
    head = cast(nn.Linear, model.get_submodule(HEADS.get(network.options["name"], "network.head")))
    return Facts(network, len(state), sum(t.numel() * t.element_size() for t in state), head.in_features)


def on_meta(network: Network) -> nn.Module:
    with torch.device("meta"):
        return built(network)


def looks_only(network: Network) -> bool:
    """Return whether the network is used only forward, without gradients."""
    return network.options["name"] in HEADS


def built(network: Network) -> nn.Module:
    """Return the network with random weights.

    Inception is torchvision's, which has the same convolutions as torch-fidelity's. Raises DataError for
    EfficientNet-Lite0 if its package is not installed.
    """
    if not looks_only(network):
        return Classifier(network.options, network.shape, network.outputs)
    if network.options["name"] == EFFICIENTNET:
        return architecture(network.shape[-1])
    from torchvision.models import inception_v3

    return inception_v3(num_classes=network.outputs, aux_logits=False, init_weights=False).eval()


def constants(model: nn.Module, what: str) -> AbstractContextManager[None]:
    """Hold parameters constant for the kinds of work in which attacks and samplers do so."""
    return frozen(model) if what in (FORWARD, BY_IMAGE) else nullcontext()


# --- kinds of work on images x (B, C, H, W) -----------------------------------------------------------------------


def forward(model: nn.Module, x: Tensor) -> tuple[Tensor, ...]:
    with torch.inference_mode():
        return (model(x),)


def by_image(model: nn.Module, x: Tensor) -> tuple[Tensor, ...]:
    return value_and_gradient(lambda x: model(x)[:, 0], x)


def by_weights(model: nn.Module, x: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(model(x)[:, 0].sum(), list(model.parameters()))


def with_r1(model: nn.Module, x: Tensor) -> tuple[Tensor, ...]:
    x = x.detach().requires_grad_()
    f = model(x)[:, 0]
    return torch.autograd.grad(f.sum() + r1(f, x), list(model.parameters()))


def with_r1_forward(model: nn.Module, x: Tensor) -> tuple[Tensor, ...]:
    """Do the work of `with_r1` with forward-mode differentiation, as training does on a GPU."""
    with frozen(model):
        _, g = by_image(model, x)

    def f(x: Tensor) -> tuple[Tensor, tuple[Tensor]]:
        logits = model(x)[:, 0]
        return logits, (logits.sum(),)

    _, slopes, (total,) = with_slope(f, x, g)
    return torch.autograd.grad(total + slopes.mean(), list(model.parameters()))


WORK: dict[str, Callable[[nn.Module, Tensor], tuple[Tensor, ...]]] = {
    FORWARD: forward,
    BY_IMAGE: by_image,
    BY_WEIGHTS: by_weights,
    WITH_R1: with_r1,
}
