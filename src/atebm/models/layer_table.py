"""Compute the `network` step: the layers of the 256x256 network as in supplement Table 2, read from the network."""

import pandas as pd
import torch
import torch.nn.functional as F
from torch import fx, nn
from torch.fx.passes.shape_prop import ShapeProp

from ..pipeline.job import Job
from ..utils.files import atomic
from .discriminator256 import Block, Discriminator256
from .folding import Stem


class LayerTracer(fx.Tracer):
    """Trace a network's forward pass, with each residual block as one layer."""

    def is_leaf_module(self, module: nn.Module, name: str) -> bool:
        return isinstance(module, Block | Stem) or super().is_leaf_module(module, name)


def write_network(job: Job) -> None:
    """Write layers.csv, a row per layer, and the number of parameters. Meta tensors are used: nothing is computed."""
    settings = job.settings
    with torch.device("meta"):
        network = Discriminator256(settings["channels"], settings["size"], outputs=1, stem=settings["stem"])
        frame = layers(network, torch.empty(1, settings["channels"], settings["size"], settings["size"]))
    with atomic(job.folder / "layers.csv") as temporary:
        frame.to_csv(temporary, index=False)
    job.finish({**settings, "parameters": sum(parameter.numel() for parameter in network.parameters())})


def layers(network: nn.Module, x: torch.Tensor) -> pd.DataFrame:
    """Return a row per layer that x (1, C, H, W) passes, in order: layer, resample, output_shape and parameters."""
    graph = LayerTracer().trace(network)
    ShapeProp(fx.GraphModule(network, graph)).propagate(x)
    passed = [node for node in graph.nodes if node.op not in ("placeholder", "output")]
    modules = [network.get_submodule(node.target) if node.op == "call_module" else None for node in passed]
    return pd.DataFrame(
        {
            "layer": [name_of(node, module) for node, module in zip(passed, modules, strict=True)],
            "resample": [resampling(module) for module in modules],
            "output_shape": [output_shape(node) for node in passed],
            "parameters": [sum(p.numel() for p in module.parameters()) if module else 0 for module in modules],
        }
    )


def name_of(node: fx.Node, module: nn.Module | None) -> str:
    """Return a layer's name in the paper's words; other operations keep their own names."""
    if isinstance(module, nn.Conv2d):
        return f"Conv{module.kernel_size[0]} × {module.kernel_size[1]}"
    if module is not None:
        return "ResBlock" if isinstance(module, Block) else type(module).__name__
    return {F.leaky_relu: "LeakyReLU", "flatten": "Reshape"}.get(node.target, str(node.target))


def resampling(module: nn.Module | None) -> str:
    """Return "AvgPool" if a block's own forward pass averages, else "-", as the paper prints it."""
    if not isinstance(module, Block):
        return "-"
    return "AvgPool" if any(node.target is F.avg_pool2d for node in fx.symbolic_trace(module).graph.nodes) else "-"


def output_shape(node: fx.Node) -> str:
    """Return height, width and channels of a layer's output, or its length."""
    _, channels, *sides = node.meta["tensor_meta"].shape
    return " × ".join(map(str, (*sides, channels)))
