"""The authors' released checkpoints (.pth) as weights of our networks.

Their tensor names are not all published, so tensors are matched in the order of the state dict, which is that of
construction, and checked by kind and shape.
"""

import json
import math
from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..archives.catalogue import PAGE
from ..archives.releases import releases
from ..archives.tensors import load_pickled
from ..pipeline.job import Job
from ..utils.errors import DataError
from ..utils.files import write_text
from ..utils.hashing import canonical, sha256
from .energy import Energy, load_logit_0
from .folding import EPS
from .weights import save_weights

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")  # of BatchNorm; all other tensors are learnt
LAST = {"weight": "weight", "bias": "bias", "gamma": "weight", "beta": "bias"}  # how our tensors are called in the file


def import_weights(file: Path, task: str, settings: dict[str, Any], shape: list[int], out: Path) -> dict[str, Any]:
    """Write out/<task>.safetensors, the weights of an Energy, and out/<task>.json, what they come from; return that.

    `settings` and `shape` (C, H, W) are of the network that the task has at scale paper: Config.network_of. Prints
    whether the file is the one that the authors released. Raises DataError for a file that does not fit the network.
    """
    digest = sha256(file)
    verified, sentence = provenance(file, digest, task)
    energy = Energy(settings, shape)
    load_logit_0(energy, matched(read(file), energy, file))
    print(sentence)  # not before it is known that the weights can be evaluated
    # the old record goes first: at no time does one lie beside weights that it is not about
    (out / f"{task}.json").unlink(missing_ok=True)
    save_weights(energy.state_dict(), out / f"{task}.safetensors")
    record = {
        "task": task,
        "file": file.name,
        "bytes": file.stat().st_size,
        "sha256": digest,
        "verified": verified,
        "network": settings,
        "shape": shape,
        "parameters": sum(parameter.numel() for parameter in energy.parameters()),
    }
    write_text(out / f"{task}.json", canonical(record))
    return record


def provenance(file: Path, digest: str, task: str) -> tuple[bool, str]:
    """Return whether a file of this sha256 is the one released for the task, and a sentence about it."""
    for released_for, row in releases().items():
        if row["sha256"] == digest and released_for == task:
            return True, f"verified: {file.name} is the authors' {row['file']}. To evaluate it, set weights: released."
        if row["sha256"] == digest:
            return False, f"warning: {file.name} is what the authors released for {released_for}, not {task}."
    use = f"To evaluate it all the same, set weights: {digest}."
    if task in releases():
        row = releases()[task]
        return False, (
            f"warning: {file.name} is not the authors' {row['file']} ({row['bytes']} bytes, sha256 "
            f"{row['sha256']}) but another checkpoint ({file.stat().st_size} bytes). {use}"
        )
    return False, f"warning: {file.name} can't be verified: no checksum of a release for {task} is known. {use}"


def read(file: Path) -> dict[str, Tensor]:
    """Return the state dict in a checkpoint, by itself or inside a dict such as {"state_dict": ..., "epoch": ...}.

    Nothing in the file is executed. Raises DataError for a pickle of more than tensors and plain containers, for a file
    that is none, and for one without exactly one state dict.
    """
    with file.open("rb") as opened:
        try:
            loaded = load_pickled(opened, file, torch.device("cpu"))
        except MemoryError:
            raise
        except Exception:  # of damaged bytes torch.load raises nearly anything
            opened.seek(0)
            if PAGE.match(opened.read(512)):
                raise DataError(
                    f"{file.name} is a web page, such as a log-in, a quota or an error: download the file itself again."
                ) from None
            raise DataError(
                f"{file.name}: damaged, or not a PyTorch checkpoint of tensors alone; any other pickle could run code "
                "when read, so it was not read."
            ) from None
    if is_state_dict(loaded):
        return dict(loaded)
    inside = {key: value for key, value in loaded.items() if is_state_dict(value)} if isinstance(loaded, dict) else {}
    if len(inside) != 1:
        found = f"{len(inside)} state dicts ({', '.join(map(str, inside))})" if inside else "no state dict"
        raise DataError(f"{file.name}: {found} in it, where one is wanted.")
    return dict(next(iter(inside.values())))


def is_state_dict(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(isinstance(part, Tensor) for part in value.values())


def adopt(job: Job) -> tuple[Path, dict[str, Any]]:
    """Return the imported weights that a step names by the sha256 of their file, and their record.

    Raises DataError where they were not imported, or another file was.
    """
    name, wanted = job.spec["name"], job.settings["weights"]
    weights = job.work.parent / "data/weights" / f"{name}.safetensors"
    record = weights.with_suffix(".json")
    if not record.exists():
        raise DataError(f"{name} wants released weights: python -m atebm import-weights FILE --task {name}.")
    contents = json.loads(record.read_text(encoding="utf-8"))
    if contents["sha256"] != wanted:
        raise DataError(
            f"data/weights/{name}.json is of a file with sha256 {contents['sha256']}, but {name} wants {wanted}: "
            f"import that one, or set weights to the other's sha256."
        )
    return weights, contents


def matched(tensors: Mapping[str, Tensor], energy: Energy, file: Path) -> dict[str, Tensor]:
    """Return the state dict of our Classifier, with as many outputs as the file has, for the network of `energy`.

    Statistics of a BatchNorm are folded into its affine map, exactly. Raises DataError, with the name of the tensor and
    both shapes, where the file's tensors are not the network's.
    """
    theirs = [(name, tensor) for name, tensor in tensors.items() if last(name) not in STATISTICS]
    weights: dict[str, Tensor] = {}
    layer = ""  # of the file's present BatchNorm
    for own, found in zip_longest(energy.network.named_parameters(), theirs):
        if own is None:
            raise DataError(f"{file.name}: {found[0]}, {shape_of(found[1])}, is more than the network has.")
        (name, parameter), (their_name, tensor) = own, found or ("the file's end", None)
        if tensor is None or LAST[last(name)] != last(their_name) or not fits(tensor, name, parameter):
            has = f", {shape_of(tensor)}," if tensor is not None else ""
            raise DataError(
                f"{file.name}: {their_name}{has} stands where the network has {name}, {shape_of(parameter)}."
            )
        if not tensor.isfinite().all():
            raise DataError(f"{file.name}: {their_name} holds numbers that are not finite.")
        weights[f"network.{name}"] = tensor.float()
        if last(name) == "gamma":
            layer = their_name.removesuffix("weight")
        if last(name) == "beta":
            gamma = f"network.{name.removesuffix('beta')}gamma"
            mean, variance = statistics(tensors, layer, tensor, file)
            weights[gamma], weights[f"network.{name}"] = fold(weights[gamma], tensor, mean, variance)
    return {"mean": energy.mean, "std": energy.std, **weights}


def last(name: str) -> str:
    return name.rpartition(".")[2]


def fits(tensor: Tensor, name: str, parameter: Tensor) -> bool:
    """Return whether the shapes agree; a head may have any number of rows."""
    rows = 1 if name.startswith("head.") else 0
    return tensor.ndim == parameter.ndim and tensor.shape[rows:] == parameter.shape[rows:]


def shape_of(tensor: Tensor) -> str:
    return f"of shape {tuple(tensor.shape)}"


def statistics(tensors: Mapping[str, Tensor], layer: str, like: Tensor, file: Path) -> tuple[Tensor, Tensor]:
    """Return running mean and variance of a BatchNorm of the file, each (C,) as `like`; 0 and 1 where it has none."""
    mean = tensors.get(f"{layer}running_mean", torch.zeros_like(like))
    variance = tensors.get(f"{layer}running_var", torch.ones_like(like))
    for name, tensor in (("running_mean", mean), ("running_var", variance)):
        if tensor.shape != like.shape:
            raise DataError(
                f"{file.name}: {layer}{name}, {shape_of(tensor)}, belongs to {layer}bias, {shape_of(like)}."
            )
    return mean, variance


def fold(gamma: Tensor, beta: Tensor, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """Return (gamma, beta), each (C,), that do with mean 0 and variance 1 what these do with mean and variance."""
    gamma, beta, mean, variance = (tensor.double() for tensor in (gamma, beta, mean, variance))
    scale = 1 / torch.sqrt(variance + EPS)
    return (gamma * scale * math.sqrt(1 + EPS)).float(), (beta - gamma * mean * scale).float()
