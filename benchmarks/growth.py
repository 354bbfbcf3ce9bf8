"""How cost grows: `python benchmarks/growth.py`.

- Time of the sampler against K, batch, resolution, samples and processes, of scale demo's small network (untrained).
  All sizes take turns within each round; to each round a power law is fitted by least squares of logarithms, and what
  is reported are median and quartiles of its exponent over the rounds. One thread; times are those that the process ran
  for, but for processes: there, the clock's, of a `sample` step whose shards are computed side by side, and beside
  these of one process with as many threads.
- Memory of the commands `sample`, `gather`, `features` and `metric`, each in a process of its own, of few and of many
  colour images of 32 x 32 pixels: the most that was resident. `metric` also of 2,048 features an image, which
  Inception has.
"""

import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from engine import ROOT, attack_ours
from steps import classifier, made, sampler, step
from turns import Findings, exponent, in_turns, options_of, preamble, quartiles, ratios

from atebm.config import load
from atebm.data.stored import to_float
from atebm.device.malloc import keep_memory
from atebm.models.energy import Energy
from atebm.pipeline.job import Job
from atebm.sampling.sample import sample_shard

CPU = torch.device("cpu")
SHAPE, SIZE = (1, 16, 16), 16
STEPS, BATCH, STEP_SIZE = 8, 32, 0.5
OURS = "ours, a process of 1 thread for each"
GROWTH = {  # what grows, and in what sizes; the exponent is at most so much, where the project wants something
    "K": ((4, 8, 16, 32, 64), 1.05),
    "batch": ((16, 32, 64, 128, 256), 1.05),
    "pixels a side": ((8, 16, 32, 64), None),
    "samples": ((512, 1024, 2048, 4096), 1.05),
}
FEW, MANY, CONSTANT = 500, 50_000, 1.1  # samples; and the factor of memory that still counts as constant
COLOUR, TINY = (3, 32, 32), {"name": "small", "width": 4, "mean": [0.5] * 3, "std": [0.25] * 3}
MEASURED = """
import sys
from atebm.cli.app import main
try:
    main()
finally:
    status = open("/proc/self/status").read()  # not getrusage's, which begins with what the parent had
    print("VmHWM", int(status.split("VmHWM:")[1].split()[0]))
"""


# --- time ---------------------------------------------------------------------------------------------------------


def network() -> dict:
    return load.load(ROOT, ["scale=demo"])[0].model_dump()["runs"]["cifar10"]["network"]


def images(n: int, size: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return to_float(torch.randint(256, (n, 1, size, size), dtype=torch.uint8, generator=generator))


def works(work: Path) -> dict[str, dict[int, Callable[[], object]]]:
    """What is timed, by what grows and by size."""
    energies = {size: Energy(network(), (1, size, size)).on(CPU) for size in GROWTH["pixels a side"][0]}

    def climb(size: int, n: int, K: int) -> Callable[[], object]:
        return partial(attack_ours, energies[size], images(n, size), K, STEP_SIZE)

    def step_of(n: int) -> Callable[[], object]:
        root = work / str(n)
        job = sampler(root, n, STEPS, 256, network(), SHAPE)
        return partial(quietly, job, "0-of-1", root / "0-of-1.npz")

    return {
        "K": {K: climb(SIZE, BATCH, K) for K in GROWTH["K"][0]},
        "batch": {n: climb(SIZE, n, STEPS) for n in GROWTH["batch"][0]},
        "pixels a side": {size: climb(size, BATCH, STEPS) for size in energies},
        "samples": {n: step_of(n) for n in GROWTH["samples"][0]},
    }


def quietly(job: Job, shard: str, out: Path, threads: int = 1) -> None:
    """The step, without its lines of progress."""
    torch.set_num_threads(threads)
    with redirect_stdout(io.StringIO()):
        sample_shard(job, shard, out, CPU)


def ran(call: Callable[[], object]) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def side_by_side(job: Job, count: int, folder: Path, threads: int = 1) -> float:
    """Seconds, by the clock, in which as many processes compute a shard each."""
    context = get_context("fork")
    shards = [f"{i}-of-{count}" for i in range(count)]
    processes = [context.Process(target=quietly, args=(job, s, folder / f"{s}.npz", threads)) for s in shards]
    start = time.perf_counter()
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert all(process.exitcode == 0 for process in processes)
    return time.perf_counter() - start


def report(what: str, rounds: dict[int, list[float]], most: float | None, findings: Findings) -> None:
    """The table of a growth and its exponent; `rounds` has the seconds of each round by size."""
    sizes = list(rounds)
    print(f"\n| {what} | seconds, median (quartiles) |\n|---|---|")
    for size, values in rounds.items():
        print(f"| {size:,} | {quartiles(values, '%.3g')} |")
    exponents = [exponent(sizes, seconds) for seconds in zip(*rounds.values(), strict=True)]
    findings.growth[what] = {"x": sizes, "seconds": [rounds[size] for size in sizes], "exponents": exponents}
    print(f"\ntime ~ {what} ^ {quartiles(exponents, '%.2f')}\n")
    if most is not None:
        findings.at_most(f"exponent of time against {what}", exponents, most, "%.2f")


def growth_of_time(rounds: int, findings: Findings) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for what, calls in works(Path(folder)).items():
            for call in calls.values():
                call()
            times = in_turns({str(size): partial(ran, call) for size, call in calls.items()}, rounds)
            report(what, {int(size): values for size, values in times.items()}, GROWTH[what][1], findings)
        cores = os.cpu_count() or 1
        counts = [count for count in (1, 2, 4, 8) if count <= cores]
        if len(counts) == 1:
            print("\nprocesses: not measured (one core)")
            return
        job = sampler(Path(folder) / "processes", 4096, STEPS, 256, network(), SHAPE)
        clocks = {str(count): partial(side_by_side, job, count, Path(folder)) for count in counts}
        report("processes", {int(k): v for k, v in in_turns(clocks, rounds).items()}, None, findings)
        whole = f"1 process, {counts[-1]} threads"
        clocks = {
            OURS: partial(side_by_side, job, counts[-1], Path(folder)),
            whole: partial(side_by_side, job, 1, Path(folder), counts[-1]),
        }
        times = findings.keep(f"sample step on {counts[-1]} cores", in_turns(clocks, rounds), OURS)
        print(
            f"\n| sample step on {counts[-1]} cores | seconds, median (quartiles) | time / time of ours (quartiles) |"
        )
        print("|---|---|---|")
        for name, values in times.items():
            print(f"| {name} | {quartiles(values, '%.2f')} | {quartiles(ratios(times, name, OURS), '%.2f')} |")


# --- memory -------------------------------------------------------------------------------------------------------


def peak(*arguments: str | Path) -> float:
    """GiB that `python -m atebm` with these arguments had resident at most."""
    command = [sys.executable, "-c", MEASURED, *map(str, arguments)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(done.stdout.rpartition("VmHWM")[2]) / 2**20


def peaks(work: Path, n: int) -> dict[str, float]:
    """Of the steps that lead from n sources to a distance of n samples."""
    sample, shard = sampler(work, n, 1, 500, TINY, COLOUR), work / "0-of-1.npz"
    seen = step(
        *(work, "features", "noise", {"n": n, "size": None}),
        extractor=classifier(work, TINY, COLOUR, 10),
        images=sample.folder,
    )
    scored = {"metric": "frechet", "n": n, "blocks": 5}
    score = step(work, "metric", "noise", scored, features=seen.folder, reference=seen.folder)
    return {
        "sample": peak("sample", sample.spec_file, "0-of-1", shard, "--device", "cpu"),
        "gather": peak("gather", sample.spec_file, shard),
        "features": peak("features", seen.spec_file, "--device", "cpu"),
        "metric, 32 features": peak("metric", score.spec_file),
    }


def peak_of_wide(work: Path, n: int, features: int = 2048) -> float:
    """Of a Frechet distance of n images with as many features as Inception's."""
    extractor = {"extractor": "inception", "kind": "inception", "sha256": ""}
    folders = []
    for number, name in enumerate(("samples", "reference")):
        record = {"n": n, "images": {"set": name, "size": None}, "extractor": extractor}
        folders.append(made(work, "features", name, record))
        random = np.random.default_rng(number)
        array = np.lib.format.open_memmap(folders[-1] / "features.npy", "w+", np.float32, (n, features))
        for start in range(0, n, 1000):
            array[start : start + 1000] = random.standard_normal(
                (len(array[start : start + 1000]), features), np.float32
            )
        del array
    scored = {"metric": "frechet", "n": n, "blocks": 5}
    return peak("metric", step(work, "metric", "wide", scored, features=folders[0], reference=folders[1]).spec_file)


def growth_of_memory(few: int, many: int, findings: Findings) -> None:
    found: dict[str, Sequence[float]] = {}
    for n in (few, many):
        with tempfile.TemporaryDirectory() as folder:
            found = {name: [*found.get(name, []), gib] for name, gib in peaks(Path(folder), n).items()}
    wide = []
    for n in (few * 10, many):  # fewer images than features are another computation
        with tempfile.TemporaryDirectory() as folder:
            wide.append(peak_of_wide(Path(folder), n))
    found[f"metric, 2,048 features, of {few * 10:,}"] = wide
    print(f"\n| command | GiB, {few:,} samples | GiB, {many:,} samples | ratio |\n|---|---|---|---|")
    for name, (a, b) in found.items():
        print(f"| {name} | {a:.2f} | {b:.2f} | {b / a:.2f} |")
    findings.figures["peak GiB"] = found
    print()
    for name, (a, b) in found.items():
        findings.at_most(f"memory of {name}: {many:,} samples' over few samples'", [b / a], CONSTANT, "%.2f")


def main() -> None:
    parser = options_of(__doc__, 5)
    parser.add_argument("--many", type=int, default=MANY, help="samples of the memory's measurement")
    options = parser.parse_args()
    findings = Findings()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    preamble(CPU)
    print(f"- {options.rounds} rounds")
    growth_of_memory(FEW, options.many, findings)  # first: processes of their own, which inherit nothing
    keep_memory()
    growth_of_time(options.rounds, findings)
    findings.write(options.json)


if __name__ == "__main__":
    main()
