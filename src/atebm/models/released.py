"""Import the authors' released checkpoints (.pth) as weights of the networks here.

Not all of their tensor names are published. So tensors are matched in the order of the state dict, which is the order
of construction, and checked by kind and shape.
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
LAST = {"weight": "weight", "bias": "bias", "gamma": "weight", "beta": "bias"}  # names here -> names in the file


def import_weights(file: Path, task: str, settings: dict[str, Any], shape: list[int], out: Path) -> dict[str, Any]:
    """Write out/<task>.safetensors, the weights of an Energy, and out/<task>.json, their record, and return the record.

    `settings` and `shape` (C, H, W) describe the task's network at the paper scale: Config.network_of. Prints whether
    the file is the one that the authors released. Raises DataError for a file that does not fit the network.
    """
    digest = sha256(file)
    verified, sentence = provenance(file, digest, task)
    energy = Energy(settings, shape)
    load_logit_0(energy, matched(read(file), energy, file))
    print(sentence)  # only once it is known that the weights can be evaluated
    # the old record goes first, so that no record ever lies beside other weights than its own
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
            return False, f"warning: the authors released {file.name} for {released_for}, not for {task}."
    use = f"To evaluate it anyway, set weights: {digest}."
    if task in releases():
        row = releases()[task]
        return False, (
            f"warning: {file.name} is not the authors' {row['file']} ({row['bytes']} bytes, sha256 "
            f"{row['sha256']}) but another checkpoint ({file.stat().st_size} bytes). {use}"
        )
    return False, f"warning: {file.name} cannot be verified: no checksum of a release for {task} is known. {use}"


def read(file: Path) -> dict[str, Tensor]:
    """Return the state dict in a checkpoint, by itself or inside a dict such as {"state_dict": ..., "epoch": ...}.

    No code in the file is executed. Raises DataError for a pickle of more than tensors and plain containers, for a file
    that is not a checkpoint, and for one without exactly one state dict.
    """
    with file.open("rb") as opened:
        try:
            loaded = load_pickled(opened, file, torch.device("cpu"))
        except MemoryError:
            raise
        except Exception:  # torch.load raises nearly anything for damaged bytes
            opened.seek(0)
            if PAGE.match(opened.read(512)):
                raise DataError(
                    f"{file.name} is a web page, perhaps about a log-in, a quota or an error: download the file itself."
                ) from None
            raise DataError(
                f"{file.name} is damaged, or not a PyTorch checkpoint of tensors only; any other pickle could run code "
                "when it is read, so it was not read."
            ) from None
    if is_state_dict(loaded):
        return dict(loaded)
    inside = {key: value for key, value in loaded.items() if is_state_dict(value)} if isinstance(loaded, dict) else {}
    if len(inside) != 1:
        found = f"{len(inside)} state dicts ({', '.join(map(str, inside))})" if inside else "no state dict"
        raise DataError(f"{file.name} contains {found}, but must contain exactly one.")
    return dict(next(iter(inside.values())))


def is_state_dict(value: Any) -> bool:
    return isinstance(value, Mapping) and bool(value) and all(isinstance(part, Tensor) for part in value.values())


def adopt(job: Job) -> tuple[Path, dict[str, Any]]:
    """Return the imported weights that a step names by the sha256 of their file, and their record.

    Raises DataError if they were not imported, or if another file was.
    """
    name, wanted = job.spec["name"], job.settings["weights"]
    weights = job.work.parent / "data/weights" / f"{name}.safetensors"
    record = weights.with_suffix(".json")
    if not record.exists():
        raise DataError(f"{name} needs released weights: python -m atebm import-weights FILE --task {name}.")
    contents = json.loads(record.read_text(encoding="utf-8"))
    if contents["sha256"] != wanted:
        raise DataError(
            f"data/weights/{name}.json belongs to a file with sha256 {contents['sha256']}, but {name} needs {wanted}: "
            "import the file with that sha256, or set weights to the sha256 of the imported one."
        )
    return weights, contents


def matched(tensors: Mapping[str, Tensor], energy: Energy, file: Path) -> dict[str, Tensor]:
    """Return the state dict of a Classifier here, with as many outputs as the file has, for the network of `energy`.

    The statistics of a BatchNorm are folded exactly into its affine map. Raises DataError, with the name of the tensor
    and both shapes, if the file's tensors do not fit the network.
    """
    theirs = [(name, tensor) for name, tensor in tensors.items() if last(name) not in STATISTICS]
    weights: dict[str, Tensor] = {}
    layer = ""  # prefix of the present BatchNorm in the file
    for own, found in zip_longest(energy.network.named_parameters(), theirs):
        if own is None:
            raise DataError(f"{file.name}: the network has no tensor for {found[0]}, {shape_of(found[1])}.")
        name, parameter = own
        if found is None:
            raise DataError(f"{file.name} ends where the network has {name}, {shape_of(parameter)}.")
        their_name, tensor = found
        if LAST[last(name)] != last(their_name) or not fits(tensor, name, parameter):
            has = f"{their_name}, {shape_of(tensor)},"
            raise DataError(f"{file.name} has {has} where the network has {name}, {shape_of(parameter)}.")
        if not tensor.isfinite().all():
            raise DataError(f"{file.name}: {their_name} contains numbers that are not finite.")
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
    """Return running mean and variance (C,) of a BatchNorm in the file, shaped like `like`; 0 and 1 if it has none."""
    mean = tensors.get(f"{layer}running_mean", torch.zeros_like(like))
    variance = tensors.get(f"{layer}running_var", torch.ones_like(like))
    for name, tensor in (("running_mean", mean), ("running_var", variance)):
        if tensor.shape != like.shape:
            raise DataError(
                f"{file.name}: {layer}{name}, {shape_of(tensor)}, belongs to {layer}bias, {shape_of(like)}."
            )
    return mean, variance


def fold(gamma: Tensor, beta: Tensor, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
    """Return gamma and beta (C,) that have the same effect with mean 0 and variance 1 as the given four together."""
    gamma, beta, mean, variance = (tensor.double() for tensor in (gamma, beta, mean, variance))
    scale = 1 / torch.sqrt(variance + EPS)
    return (gamma * scale * math.sqrt(1 + EPS)).float(), (beta - gamma * mean * scale).float()
