"""List the settings behind an artifact, the paper's beside a scale's; its notebook shows them before any result.

Both columns come from the configuration: config.yaml states the paper's settings, the scale's file the differences. The
module is cheap to import, since Snakemake uses it at every start.
"""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from ..config.schema import Config
from .step import Step, ancestors
from .tasks import PAPER_TASKS

Line = list[str]  # setting, its value at the paper scale, its value at this scale
MANY = 1000  # numbers from here on have commas


def settings_beside(steps: Iterable[Step], paper: Config, here: Config) -> list[Line]:
    """Return a line per setting of the steps behind an artifact: its values at the paper scale and at another.

    Of several trainings, the first one's settings are listed; the others differ by what the artifact compares, which
    its rows or legend show.
    """
    behind = ancestors(steps)
    runs = named(behind, "train", here.runs)
    samplers = named(behind, "sample", here.samplers)
    ascents = named(behind, "ascent", here.ascents)
    checked = named(behind, "check", here.runs)
    attacked = [here.runs[run].task for run in named(behind, "attack", here.runs)]
    tasks = dict.fromkeys(here.runs[run].task for run in (*runs, *checked))
    asked: list[Callable[[Config], dict[str, str]]] = []
    asked += [partial(data_lines, task) for task in tasks if task in PAPER_TASKS]
    asked += [partial(run_lines, run) for run in runs[:1]]
    asked += [partial(check_lines, run) for run in checked[:1]]
    asked += [partial(sampler_lines, sampler) for sampler in samplers[:1]]
    asked += [partial(ascent_lines, ascent) for ascent in ascents]
    kinds = {kind for kind, _ in behind}
    asked += [extractor_lines] if "metric" in kinds else []
    asked += [partial(attack_lines, task) for task in attacked[:1]]
    asked += [toy_lines] if kinds & {"toy", "minimax"} else []
    asked += [seeds_lines] if runs else []
    return [line for lines in asked for line in of_both(lines(paper), lines(here))]


def named(behind: Iterable[tuple[str, str]], kind: str, known: Iterable[str]) -> list[str]:
    """Return the names of the steps of a kind, in the order of the configuration."""
    names = {step.rpartition("-")[0].partition(".")[0] for of, step in behind if of == kind}
    return [name for name in known if name in names]


def of_both(theirs: dict[str, str], ours: dict[str, str]) -> Iterator[Line]:
    """Yield a line per setting with its values in two configurations."""
    for name in theirs | ours:
        yield [name, theirs.get(name, ""), ours.get(name, "")]


def data_lines(task: str, config: Config) -> dict[str, str]:
    """Return the lines on a task's images."""
    spec = config.tasks[task]
    return {
        f"p_data of {task}": config.title_of(spec.p_data),
        f"image size of {task}, pixels": str(config.size_of(spec.p_data)),
        f"p_0 of {task}": config.title_of(spec.p_0),
    }


def run_lines(name: str, config: Config) -> dict[str, str]:
    """Return the lines on a model's training."""
    run = config.runs[name]
    schedule = run.schedule
    K = f"{schedule.K_start} to {schedule.K_max}" if schedule.K_start != schedule.K_max else f"{schedule.K_max}"
    length = number(schedule.iterations) if schedule.iterations else f"{schedule.epochs_per_K:g} epochs for each K"
    return {
        "network": run.network.name,
        "K, attack steps in training": K,
        "step size of the attack, L2": f"{run.step_size:g}",
        "iterations": length,
        "batch size": str(run.batch_size),
        "learning rate": f"{run.optimizer.lr:g}",
        "R1, lambda": f"{run.r1:g}",
    }


def check_lines(name: str, config: Config) -> dict[str, str]:
    """Return the lines on the attack of a run whose gradients are checked; the network is always a small one."""
    run = config.runs[name]
    return {
        "K, attack steps": str(run.schedule.K_max),
        "step size of the attack, L2": f"{run.step_size:g}",
    }


def sampler_lines(name: str, config: Config) -> dict[str, str]:
    """Return the lines on a model's sampler."""
    sampler = config.samplers[name]
    steps = "selected on validation sources" if sampler.steps == "selected" else str(sampler.steps)
    return {
        "PGD steps of the sampler": steps,
        "step size of the sampler, L2": f"{sampler.step_size:g}",
        "samples": number(sampler.n),
    }


def ascent_lines(name: str, config: Config) -> dict[str, str]:
    """Return the line on an ascent: its steps, and how its images are changed before."""
    ascent = config.ascents[name]
    how = ", ".join(f"{key} {value}" for key, value in ascent.start.model_dump().items() if key != "name")
    start = f", from {ascent.start.name}{f' ({how})' if how else ''}"
    return {name: f"{ascent.steps[-1]} steps of {ascent.step_size:g}{start}"}


def attack_lines(task: str, config: Config) -> dict[str, str]:
    """Return the lines on the attack of out-of-distribution images."""
    detection = config.detection[task]
    budget = detection.auto_pgd
    return {
        "radius of the attack, L2": f"{detection.radius:g}",
        "Auto-PGD": f"{budget.steps} steps, {budget.restarts} restarts",
        "images per set": number(detection.n),
    }


def extractor_lines(config: Config) -> dict[str, str]:
    """Return the line on the extractor that distances use."""
    return {"feature extractor": config.metrics.extractor}


def seeds_lines(config: Config) -> dict[str, str]:
    """Return the line on the number of models per run."""
    return {"seeds": str(config.seeds)}


def toy_lines(config: Config) -> dict[str, str]:
    """Return the lines on the game in the plane."""
    toy = config.toy
    return {
        "width of the network in the plane": str(toy.width),
        "batch size in the plane": str(toy.m),
        "K in the plane": str(toy.K),
        "iterations in the plane": number(toy.iterations),
        "seeds in the plane": str(toy.seeds),
    }


def number(value: int) -> str:
    return f"{value:,}" if value >= MANY else str(value)
