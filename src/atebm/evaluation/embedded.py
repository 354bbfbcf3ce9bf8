"""Stand-in extractors that were trained once and stored in data/embedded/extractors/: the same on all machines.

Their distances rank images of the sets on which they were trained; they are not FIDs.
"""

from pathlib import Path
from typing import Any

from torch import Tensor

from ..archives.extractors import EXTRACTORS, read_embedded
from ..archives.tensors import load_tensors
from ..models.energy import Classifier
from ..models.weights import save_weights
from ..pipeline.job import Job
from ..utils.errors import DataError
from ..utils.hashing import sha256

# fields that are copied to the step's record
KEPT = ("network", "shape", "classes", "accuracy", "trained_on", "recipe", "torch")


def write_embedded(job: Job, folder: Path = EXTRACTORS) -> None:
    """Make the `extractor` step of kind embedded: verify the weights by the record, and copy them.

    Raises DataError if the record or the weights are missing or altered, or do not fit the network.
    """
    record, weights = read_embedded(job.settings["file"], job.settings["sha256"], folder)
    if not weights.exists() or sha256(weights) != record["sha256"]:
        raise DataError(
            f"{weights} is missing or damaged (its sha256 is not {record['sha256'][:12]}...): restore it with "
            f"'git checkout -- {weights.name}' in data/embedded/extractors."
        )
    try:
        model = load_embedded(record, weights)
    except RuntimeError as error:  # names or shapes
        raise DataError(f"{weights} does not fit its record: {' '.join(str(error).split())}") from None
    save_weights(model.state_dict(), job.folder / "model.safetensors")
    job.finish({"extractor": job.spec["name"], "kind": "embedded", **{key: record[key] for key in KEPT}})


def load_embedded(record: dict[str, Any], weights: Path) -> Classifier:
    """Return the classifier of a record. Raises RuntimeError if the weights do not fit it."""
    model = Classifier(record["network"], record["shape"], len(record["classes"]))
    model.load_state_dict(load_tensors(weights))
    return model.eval().requires_grad_(False)


def rounded(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights rounded to 16 bits, as they are embedded: half the bytes. The extractor is this network."""
    return {name: tensor.half() if name.startswith("network.") else tensor for name, tensor in weights.items()}
