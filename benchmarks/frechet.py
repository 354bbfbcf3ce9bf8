"""The Frechet step at Inception's 2,048 dimensions beside torch-fidelity's: `python benchmarks/frechet.py`.

Both get the same two sets of features and make statistics and a distance of them, in turns within each round; reported
are medians and quartiles over the rounds, of times that the process ran for and of ratios within a round. Then the
memory in which one process scores 50,000 samples. Last run: frechet.md.
"""

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np
import torch
from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric

from atebm.metrics.frechet import Gaussian, frechet_distance

D, N = 2048, 5000
SAMPLES = 50_000  # of the memory's measurement: the paper's
WANTED = 2.0  # times faster, at least


def features(seed: int, n: int) -> np.ndarray:
    """Non-negative and correlated, as Inception's are: (n, D) float32."""
    random = np.random.default_rng(seed)
    mixing = random.normal(size=(D, D)).astype(np.float32) / D**0.5
    return np.maximum(random.standard_normal((n, D), np.float32) @ mixing + 0.2 * seed, 0)


def theirs(a: np.ndarray, b: np.ndarray) -> float:
    both = [fid_features_to_statistics(torch.from_numpy(x)) for x in (a, b)]  # float32, as its own command
    return fid_statistics_to_metric(*both, verbose=False)[KEY_METRIC_FID]


def ours(a: np.ndarray, b: np.ndarray) -> float:
    return frechet_distance(Gaussian.of(a), Gaussian.of(b))


def timed(step: Callable[[], float]) -> tuple[float, float]:
    start = time.process_time()
    value = step()
    return time.process_time() - start, value


def quartiles(values: list[float], unit: str = "") -> str:
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{middle:.2f}{unit} ({low:.2f} to {high:.2f})"


def score_samples() -> None:
    """In a process of its own: the distance of SAMPLES features from a file, and the most memory it took."""
    a = np.load(sys.argv[2], mmap_mode="r")
    reference = Gaussian.of(a[: SAMPLES // 2])
    blocks = [frechet_distance(Gaussian.of(block), reference) for block in np.array_split(a, 5)]
    assert all(np.isfinite(blocks))
    print(f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    a, b = features(1, N), features(2, N)
    reference = Gaussian.of(b)
    times: dict[str, list[float]] = {"torch-fidelity": [], "ours": [], "ours, one reference for many": []}
    for _ in range(rounds):
        seconds, expected = timed(lambda: theirs(a, b))
        times["torch-fidelity"].append(seconds)
        seconds, value = timed(lambda: ours(a, b))
        times["ours"].append(seconds)
        times["ours, one reference for many"].append(timed(lambda: frechet_distance(Gaussian.of(a), reference))[0])
    print(
        f"{platform.machine()}, {os.environ.get('OMP_NUM_THREADS', 'all')} threads, {rounds} rounds of {N} features\n"
    )
    print("| | seconds, median (quartiles) | torch-fidelity's time over it |\n|---|---|---|")
    for name, seconds in times.items():
        ratios = [slow / fast for slow, fast in zip(times["torch-fidelity"], seconds, strict=True)]
        print(f"| {name} | {quartiles(seconds)} | {quartiles(ratios)} |")
    ratio = statistics.median(x / y for x, y in zip(times["torch-fidelity"], times["ours"], strict=True))
    print(f"\nWanted: {WANTED} times; {'reached' if ratio >= WANTED else 'missed'}.")
    print(f"Relative difference of the distances: {abs(value / expected - 1):.1e}.")
    with tempfile.NamedTemporaryFile(suffix=".npy") as file:
        np.save(file, np.concatenate([a] * (SAMPLES // N)))
        file.flush()
        command = [sys.executable, __file__, "--memory", file.name]
        peak = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    print(f"Peak memory of a process that scores {SAMPLES:,} samples in 5 blocks: {peak} GiB.")


if __name__ == "__main__":
    score_samples() if sys.argv[1:2] == ["--memory"] else main()
