"""How long the Snakefile takes to plan: 40 artifacts, 3 seeds, at the paper's scale; `python benchmarks/plan.py`.

Every cluster job plans again, so this is paid thousands of times. Beside it the time of a whole `import torch`, which
planning must not need, as a ratio of the same run.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml
from snakemake.utils import update_config

from atebm import artifacts
from atebm.config import resolve
from atebm.freshness import request
from atebm.plan import Plan, Step

ROOT = Path(__file__).resolve().parents[1]
ARTIFACTS, RUNS, SEEDS = 40, 12, 3


def configuration() -> dict:
    """config.yaml at scale paper, with the CIFAR-10 run in a dozen variants, as ablations have it."""
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    update_config(config, {"scale": "paper", "seeds": SEEDS})
    for section in ("runs", "samplers"):
        base = config[section]["cifar10"]
        config[section] |= {f"cifar10_{i}": base for i in range(RUNS)}
    return config


def table(number: int):
    """An artifact on the scale of Table 2: two metrics of six sample sets of each of three runs."""

    def needs(plan: Plan) -> list[Step]:
        runs = [f"cifar10_{(number + i) % RUNS}" for i in range(3)]
        task = plan.task("cifar10")
        images = [plan.sample(run, seed, which) for run in runs for seed in plan.seeds for which in ("best", "last")]
        return [plan.metric(name, step, task.p_data) for step in images for name in ("frechet", "inception_score")]

    return needs


def seconds(repeats: int = 5) -> list[float]:
    """Of each repetition: what the Snakefile does of its own before rules are read."""
    artifacts.ARTIFACTS.clear()
    artifacts.ARTIFACTS.update({f"table{i}": table(i) for i in range(ARTIFACTS)})
    config, found = configuration(), []
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        shutil.copytree(ROOT / "src", root / "src")
        shutil.copytree(ROOT / "data/published", root / "data/published")
        (root / "notebooks").mkdir()
        for name in artifacts.ARTIFACTS:
            shutil.copy(ROOT / "notebooks/table2.ipynb", root / f"notebooks/{name}.ipynb")
        for _ in range(repeats):
            start = time.perf_counter()
            plan = Plan(resolve(config))
            plan.write(root)
            request(plan, root)
            found.append(time.perf_counter() - start)
    print(f"{len(plan.artifacts)} artifacts, {len(plan.steps)} steps, {SEEDS} seeds")
    return found


def main() -> None:
    first, *others = seconds()
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import torch"], check=True)
    torch = time.perf_counter() - start
    print(f"plan: {first:.2f} s the first time (specs are written), then {', '.join(f'{s:.2f}' for s in others)} s")
    print(f"importing torch: {torch:.2f} s, {torch / min(others):.1f} times as long")


if __name__ == "__main__":
    main()
