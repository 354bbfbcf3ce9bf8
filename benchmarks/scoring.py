"""Scoring by Inception beside torch-fidelity's own: `python benchmarks/scoring.py`.

Random weights in torch-fidelity's format, since the official ones are not in the repository: the same arithmetic. Peers
take turns within each round; reported are medians and quartiles over the rounds, of times that processes ran for, with
one thread each, and of ratios within a round.

- whole command: `fidelity --fid --isc` on two folders of PNGs beside our steps `features` and `metric` on the same
  images as prepared sets, each peer in a process of its own, start included. Both numbers must agree to 1e-3 first. Of
  the few images that a benchmark can afford, a Frechet distance in 2,048 dimensions takes a share that it has not of
  50,000;
- features: hence the network alone, by batches of each peer's own size, in one process;
- Frechet step: and the statistics and the distance alone, of 5,000 features.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from steps import made, step
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric
from turns import Findings, Times, in_turns, options_of, preamble, quartiles, ratios

from atebm.data.stored import Stored
from atebm.evaluation.features import extract, load_extractor, write_features
from atebm.evaluation.frechet import Gaussian, frechet_distance
from atebm.evaluation.metrics import write_metric
from atebm.models.released import read
from atebm.models.weights import save_weights

TESTS = Path(__file__).resolve().parents[1] / "tests"
CPU = torch.device("cpu")
IMAGES, SPLITS = 48, 4  # of each of the two sets; and of the Inception Score
FEW = 32  # images of the features' comparison
DIMENSIONS, FEATURES = 2048, 5000  # of the Frechet step's
OURS, THEIRS, LIBRARY = "ours", "fidelity command", "torch-fidelity"
AGREE = 1e-3
WANTED = {
    "whole command": (THEIRS, 1.0),
    "Frechet step": (LIBRARY, 2.0),
}  # so many times as fast; features: one network


# --- the whole command --------------------------------------------------------------------------------------------


def write_inputs(root: Path) -> Path:
    """Two sets, flat colours with little noise and nothing but noise, as PNGs and prepared; and the weights' file.

    So far apart that the distance has digits: torch-fidelity's is a sum of roots of rounding errors, too.
    """
    sys.path.insert(0, str(TESTS))
    from archive_builders import inception_weights

    random = np.random.default_rng(0)
    flat = random.integers(226, size=(IMAGES, 1, 1, 3)) + random.integers(30, size=(IMAGES, 32, 32, 3))
    for name, array in (("flat", flat), ("noise", random.integers(256, size=(IMAGES, 32, 32, 3)))):
        prepared = made(root / "work", "data", name, {"set": name, "n": IMAGES})
        np.save(prepared / "images.npy", array.astype(np.uint8))
        (root / name).mkdir()
        for number, image in enumerate(array.astype(np.uint8)):
            Image.fromarray(image).save(root / name / f"{number:03}.png")
    weights = inception_weights(root / "inception.pth")
    record = {"extractor": "inception", "kind": "inception", "classes": [], "files": {"model.safetensors": ""}}
    save_weights(read(weights), made(root / "work", "extractor", "inception", record) / "model.safetensors")
    return weights


def theirs(root: Path, weights: Path) -> dict[str, float]:
    command = [str(Path(sys.executable).with_name("fidelity")), "--fid", "--isc", "--isc-splits", str(SPLITS)]
    command += ["--input1", str(root / "flat"), "--input2", str(root / "noise"), "--cpu", "--json", "--silent"]
    command += ["--feature-extractor-weights-path", str(weights), "--no-samples-shuffle"]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {"FID": found["frechet_inception_distance"], "IS": found["inception_score_mean"]}


def ours(root: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--score", str(root / "work")]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def score(work: Path) -> dict[str, float]:
    """Our steps, in a process of their own."""
    torch.set_num_threads(1)
    folders = []
    for name in ("flat", "noise"):
        parents = {"extractor": work / "extractor/inception-00000000", "images": work / f"data/{name}-00000000"}
        job = step(work, "features", name, {"n": IMAGES, "size": None}, **parents)
        write_features(job, CPU)
        folders.append(job.folder)
    found = {}
    settings: dict[str, Any] = {"n": IMAGES, "blocks": 2, "splits": SPLITS}
    for name, metric in (("FID", "frechet"), ("IS", "inception_score")):
        parents = {"features": folders[0], "reference": folders[1]}
        job = step(work, "metric", name, settings | {"metric": metric}, **parents)
        write_metric(job)
        found[name] = json.loads((job.folder / "metric.json").read_text())["value"]
    return found


def of_children(call: Callable[[], object]) -> float:
    """Seconds that the processes which a call starts ran for."""

    def used() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    start = used()
    call()
    return used() - start


def whole(root: Path, weights: Path, rounds: int) -> Times:
    peers = {OURS: partial(ours, root), THEIRS: partial(theirs, root, weights)}
    found = {name: call() for name, call in peers.items()}
    for metric in ("FID", "IS"):
        mine, other = found[OURS][metric], found[THEIRS][metric]
        print(f"- {metric}: ours {mine:.7g}, of the fidelity command {other:.7g}")
        if not abs(mine / other - 1) <= AGREE:
            raise SystemExit(f"{metric}: not the same work.")
    return in_turns({name: partial(of_children, call) for name, call in peers.items()}, rounds)


# --- its parts ----------------------------------------------------------------------------------------------------


def network(root: Path, weights: Path, rounds: int) -> Times:
    stored = Stored(root / "work/data/noise-00000000", n=FEW)
    extractor = load_extractor(root / "work/extractor/inception-00000000", CPU)
    library = FeatureExtractorInceptionV3("inception-v3-compat", ["2048", "logits_unbiased"], str(weights))

    def by_library() -> np.ndarray:
        with torch.inference_mode():
            return torch.cat([library(batch)[0] for batch in stored.batches(64)]).numpy()  # its command's batch

    def by_us() -> np.ndarray:
        return extract(extractor, stored.batches(extractor.batch))[0]

    difference = float(np.abs(by_us() - by_library()).max() / by_library().max())
    print(f"\nLargest difference of features: {difference:.1e} of the largest.")
    if not difference <= AGREE:
        raise SystemExit("features: not the same work.")
    return in_turns({OURS: partial(ran, by_us), LIBRARY: partial(ran, by_library)}, rounds)


def features(seed: int, n: int) -> np.ndarray:
    """Non-negative and correlated, as Inception's are: (n, DIMENSIONS) float32."""
    random = np.random.default_rng(seed)
    mixing = random.normal(size=(DIMENSIONS, DIMENSIONS)).astype(np.float32) / DIMENSIONS**0.5
    return np.maximum(random.standard_normal((n, DIMENSIONS), np.float32) @ mixing + 0.2 * seed, 0)


def their_distance(a: np.ndarray, b: np.ndarray) -> float:
    both = [fid_features_to_statistics(torch.from_numpy(x)) for x in (a, b)]  # float32, as its own command
    return fid_statistics_to_metric(*both, verbose=False)[KEY_METRIC_FID]


def our_distance(a: np.ndarray, b: np.ndarray) -> float:
    return frechet_distance(Gaussian.of(a), Gaussian.of(b))


def distance(rounds: int) -> Times:
    a, b = features(1, FEATURES), features(2, FEATURES)
    reference = Gaussian.of(b)
    peers = {
        OURS: partial(our_distance, a, b),
        f"{OURS}, one reference for many": lambda: frechet_distance(Gaussian.of(a), reference),
        LIBRARY: partial(their_distance, a, b),
    }
    difference = abs(peers[OURS]() / peers[LIBRARY]() - 1)
    print(f"\nRelative difference of the distances: {difference:.1e}.")
    if not difference <= AGREE:
        raise SystemExit("Frechet distance: not the same work.")
    return in_turns({name: partial(ran, call) for name, call in peers.items()}, rounds)


def ran(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def report(what: str, times: Times, findings: Findings) -> None:
    print(f"\n| {what} | seconds, median (quartiles) | time / time of ours (quartiles) |\n|---|---|---|")
    for name, values in findings.keep(what, times, OURS).items():
        print(f"| {name} | {quartiles(values, '%.2f')} | {quartiles(ratios(times, name, OURS), '%.2f')} |")
    print()
    if what in WANTED:
        other, least = WANTED[what]
        findings.at_least(what, times, other, OURS, least)


def main() -> None:
    options, findings = options_of(__doc__, 3).parse_args(), Findings()
    torch.set_num_threads(1)
    preamble(CPU)
    print(f"- {options.rounds} rounds; {IMAGES} images in each of two sets, features of {FEW} of them")
    print(f"- Frechet step: {FEATURES:,} x {DIMENSIONS:,} features\n")
    with tempfile.TemporaryDirectory() as folder:
        weights = write_inputs(Path(folder))
        report("whole command", whole(Path(folder), weights, options.rounds), findings)
        report("features", network(Path(folder), weights, options.rounds), findings)
    report("Frechet step", distance(options.rounds), findings)
    findings.write(options.json)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--score"]:
        print(json.dumps(score(Path(sys.argv[2]))))
    else:
        main()
