"""What a job costs before it computes: `python benchmarks/jobs.py`.

Times are the clock's: a person waits for them. They are of an idle machine, then; peers take turns within each round
all the same.

- the command line: `python -m atebm --help`;
- a job, `network`, which computes next to nothing but needs torch: cold, as Snakemake starts it, and under `python -m
  atebm warm`, where one process has imported the libraries;
- jobs that only draw: what they import;
- Snakemake: seconds a job of a workflow of jobs that do nothing, beyond those of a workflow of one;
- planning: 40 artifacts, 3 seeds, at the paper's scale, which every process of Snakemake does anew. Beside it the time
  of a whole `import torch`, which planning must not need.
"""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
import yaml
from snakemake.utils import update_config
from steps import step
from turns import Findings, in_turns, options_of, preamble, quartiles, ratios

from atebm.cli.fork_server import SERVER, serving
from atebm.config.messages import resolve
from atebm.pipeline import artifacts
from atebm.pipeline.artifact import Artifact
from atebm.pipeline.builder import StepBuilder
from atebm.pipeline.plan import Plan
from atebm.pipeline.staleness import request
from atebm.pipeline.step import Step

ROOT = Path(__file__).resolve().parents[1]
HELP_SECONDS = 0.4  # at most, of what the project wants
ARTIFACTS, RUNS, SEEDS = 40, 12, 3
JOBS = 40  # of the larger one of two workflows
WARM, COLD = "ours, warm", "cold"
WORKFLOW = """
rule all:
    input:
        expand("{i}", i=range(int(config["jobs"]))),

rule one:
    output:
        "{i}",
    shell:
        "touch {output}"
"""
# All of atebm.report, and what renders it, in one process; then whether torch came along.
DRAWING = """
import importlib, pkgutil, sys
import atebm.report, atebm.report.render
for module in pkgutil.iter_modules(atebm.report.__path__):
    importlib.import_module(f"atebm.report.{module.name}")
print("torch" in sys.modules)
"""


def clock(command: list[str], environment: dict[str, str] | None = None) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=environment)
    return time.perf_counter() - start


def starts(rounds: int, findings: Findings) -> None:
    """The command line, a job cold and warm, and an import of torch."""
    cold = {name: value for name, value in os.environ.items() if name != SERVER}
    with tempfile.TemporaryDirectory() as folder, serving() as warm:
        settings = {"channels": 3, "size": 256, "stem": 3}
        job = [sys.executable, "-m", "atebm", "step", str(step(Path(folder), "network", "all", settings).spec_file)]
        clocks = {
            WARM: partial(clock, job, cold | warm),
            COLD: partial(clock, job, cold),
            "import torch": partial(clock, [sys.executable, "-c", "import torch"], cold),
            "--help": partial(clock, [sys.executable, "-m", "atebm", "--help"], cold),
        }
        for call in clocks.values():  # caches of files, and the server
            call()
        times = in_turns(clocks, rounds)
    print("\n| process | seconds, median (quartiles) | time / time of ours, warm (quartiles) |\n|---|---|---|")
    for name, values in times.items():
        print(f"| {name} | {quartiles(values, '%.3f')} | {quartiles(ratios(times, name, WARM), '%.2f')} |")
    print()
    findings.keep("start of a job", {name: times[name] for name in (WARM, COLD)}, WARM)
    findings.figures["seconds of import torch"] = times["import torch"]
    findings.at_most("seconds of python -m atebm --help", times["--help"], HELP_SECONDS, "%.3f")


def drawing(findings: Findings) -> None:
    said = subprocess.run([sys.executable, "-c", DRAWING], check=True, capture_output=True, text=True).stdout
    findings.holds("jobs that only draw import no torch", said.strip() == "False")


# --- Snakemake ----------------------------------------------------------------------------------------------------


def workflow(jobs: int) -> float:
    """Seconds of a workflow of so many jobs that do nothing, one after another."""
    snakemake = str(Path(sys.executable).with_name("snakemake"))
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "Snakefile").write_text(WORKFLOW)
        command = [snakemake, "--directory", folder, "--snakefile", f"{folder}/Snakefile", "--cores", "1"]
        return clock([*command, "--quiet", "all", "--config", f"jobs={jobs}"])


def overhead(rounds: int, findings: Findings) -> None:
    times = in_turns({f"{n} jobs": partial(workflow, n) for n in (1, JOBS)}, rounds)
    each = [(many - one) / (JOBS - 1) for one, many in zip(times["1 jobs"], times[f"{JOBS} jobs"], strict=True)]
    findings.figures["seconds a job of Snakemake's own"] = each
    print(f"\nSnakemake: {quartiles(times['1 jobs'], '%.2f')} s for a workflow of one job that does nothing,")
    print(f"{quartiles(each, '%.3f')} s for each further one.")


# --- planning -----------------------------------------------------------------------------------------------------


def configuration() -> dict:
    """config.yaml at scale paper, with the CIFAR-10 run in a dozen variants, as ablations have it."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    update_config(config, {"scale": "paper", "seeds": SEEDS})
    for section in ("runs", "samplers"):
        base = config[section]["cifar10"]
        config[section] |= {f"cifar10_{i}": base for i in range(RUNS)}
    return config


def table(number: int) -> Callable[[StepBuilder], dict[str, Step]]:
    """An artifact on the scale of Table 2: two metrics of six sample sets of each of three runs."""

    def needs(build: StepBuilder) -> dict[str, Step]:
        runs = [f"cifar10_{(number + i) % RUNS}" for i in range(3)]
        task = build.task("cifar10")
        images = [build.sample(run, seed, which) for run in runs for seed in build.seeds for which in ("best", "last")]
        steps = [build.metric(name, step, task.p_data) for step in images for name in ("frechet", "inception_score")]
        return {step.id: step for step in steps}

    return needs


def planning(rounds: int, findings: Findings) -> None:
    """What the Snakefile does of its own before rules are read."""
    artifacts.ARTIFACTS.clear()
    for i in range(ARTIFACTS):
        artifacts.ARTIFACTS[f"table{i}"] = Artifact(f"Table {i}", "generation.table2", table(i), is_table=True)
    config, found = configuration(), []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        shutil.copytree(ROOT / "src", root / "src")
        shutil.copytree(ROOT / "data/published", root / "data/published")
        (root / "notebooks").mkdir()
        for name in artifacts.ARTIFACTS:
            shutil.copy(ROOT / "notebooks/table2.ipynb", root / f"notebooks/{name}.ipynb")
        for _ in range(1 + rounds):
            start = time.perf_counter()
            plan = Plan(resolve(config))
            plan.write(root)
            request(plan, root)
            found.append(time.perf_counter() - start)
    first, *others = found
    findings.figures["seconds of planning"] = others
    torch_takes = statistics.median(findings.figures["seconds of import torch"])
    print(
        f"\nPlanning {len(plan.artifacts)} artifacts, {len(plan.steps)} steps, {SEEDS} seeds: {first:.2f} s the first"
    )
    print(f"time, in which specs are written, then {quartiles(others, '%.3f')} s; importing torch takes")
    print(f"{torch_takes / statistics.median(others):.1f} times as long.\n")


def main() -> None:
    options, findings = options_of(__doc__, 7).parse_args(), Findings()
    preamble(torch.device("cpu"))
    print(f"- {options.rounds} rounds")
    starts(options.rounds, findings)
    drawing(findings)
    overhead(min(options.rounds, 3), findings)
    planning(options.rounds, findings)
    findings.write(options.json)


if __name__ == "__main__":
    main()
