"""Why a number is what it is: number, file, spec, the line of the configuration, the place in the paper."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..artifacts import ARTIFACTS, is_table, titled
from ..config import Config, Section
from ..errors import ConfigError
from ..freshness import stale
from ..layers import Origin, Origins
from ..plan import Plan, Step
from ..settings import SETTINGS

# What a step of each kind computes, by the paper.
COMPUTES = {
    "data": "a data set (Sec. 5; supplement 3, datasets)",
    "index": "an index of a data set's image files (Sec. 5; supplement 3, datasets)",
    "extractor": "the features behind FID and IS (supplement 3, evaluation metrics)",
    "pretrain": "pretraining of D as a classifier (Sec. 4.4, regularization; supplement 3, training)",
    "toy": "Algorithm 1 in 2D (Sec. 4.2, Fig. 1)",
    "minimax": "Algorithm 3 in 2D (supplement 2, Fig. S1)",
    "train": "binary adversarial training (Algorithm 2; Eqs. 8 and 11)",
    "sample": "PGD from source images (Eq. 8; Table S4)",
    "ascent": "PGD from any images, and what is seen on the way (Fig. 7; Figs. S11-S20)",
    "features": "the extractor's view of images (supplement 3, evaluation metrics)",
    "metric": "one number (supplement 3, evaluation metrics)",
    "neighbours": "nearest training and held-out images of samples (Figs. S3 and S8-S10)",
    "attack": "logits, clean and attacked by Auto-PGD and others (Sec. 5.2; Tables 4 and S8)",
    "detection": "AUROC of out-of-distribution detection (Sec. 5.2; supplement 3, evaluation metrics)",
    "network": "the layers of the 256x256 network (Table S2)",
    "timing": "seconds to draw samples on this machine (Table S6)",
    "check": "the numbers behind Table 1 (Sec. 4.3; Eqs. 2, 3, 8, 11 and 14)",
}


def explain(what: str, plan: Plan, origins: Origins, root: Path) -> Iterator[str]:
    """Lines on an artifact (`table2`), a step (`train/cifar10-1a2b3c4d`, or its id) or a name (`cifar10`).

    Raises ConfigError for what the plan does not know.
    """
    if what in plan.artifacts:
        yield from artifact(what, plan, origins, root)
        return
    steps = [step for step in plan.steps.values() if what in (step.name, step.id, f"{step.kind}/{step.id}")]
    if not steps:
        raise ConfigError(
            f"the plan of scale {plan.config.scale} has no {what!r}: name an artifact ({', '.join(ARTIFACTS)}), a step "
            "or a run, as `atebm status` lists them."
        )
    for step in steps:
        yield from step_lines(step, plan.config, origins, root)


def artifact(name: str, plan: Plan, origins: Origins, root: Path) -> Iterator[str]:
    yield titled(name)
    file = f"results/{name}.{'csv' if is_table(name) else 'png'}"
    state = "not drawn from the present plan yet" if name in stale(plan, root) else "drawn from the present plan"
    yield f"{file}: {state}, by notebooks/{name}.ipynb and report.{name}"
    if name in SETTINGS:
        yield f"It shows keys of the configuration that {name} of src/atebm/settings.py selects."
    if not plan.artifacts[name]:
        return
    yield ""
    for step in plan.artifacts[name]:
        yield numbers(step, root)
        yield f"    <- {step.record} <- {step.spec_file}"
    yield ""
    yield "The steps behind it, each with its settings, where they stand, and the paper:"
    seen = {step.id: step for need in plan.artifacts[name] for step in need.ancestry()}
    for step in seen.values():
        yield ""
        yield from step_lines(step, plan.config, origins, root)


def numbers(step: Step, root: Path) -> str:
    """What a step contributes: its value where it has one."""
    path = root / step.record
    if not path.exists():
        return f"not computed yet: {step.name}"
    record = json.loads(path.read_text(encoding="utf-8"))
    if "value" not in record:
        return step.name
    interval = f" +- {record['ci95']:.4g}" if "ci95" in record else ""
    seed = f", seed {record['images']['seed']}" if "seed" in record["images"] else ""
    return f"{record['value']:.4g}{interval}  {record['name']} of {step.name}{seed}"


def step_lines(step: Step, config: Config, origins: Origins, root: Path) -> Iterator[str]:
    state = "" if (root / step.record).exists() else "  (not computed yet)"
    yield f"{step.kind}/{step.id}{state}: {COMPUTES[step.kind]}"
    rows = [("spec", step.spec_file, "")] + [
        (f"parent {role}", f"{parent.kind}/{parent.id}", "") for role, parent in step.parents.items()
    ]
    for path, value in leaves(step.settings):
        origin, paper = source(step, path, config, origins)
        rows.append((".".join(path), json.dumps(value), f"{origin}  [{paper}]"))
    width = max(len(name) for name, _, _ in rows)
    middle = min(40, max(len(value) for _, value, _ in rows))
    for name, value, rest in rows:
        yield f"  {name:{width}}  {value:{middle}}  {rest}".rstrip()


def leaves(settings: dict[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for key, value in settings.items():
        if isinstance(value, dict):
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def source(step: Step, path: tuple[str, ...], config: Config, origins: Origins) -> tuple[str, str]:
    """The line that a setting of a step comes from, and where the paper states it."""
    for full in ((*step.section, *path), path):  # `seed` and its like stand at the top
        origin = origins.get(full) or above(full, origins)
        if origin is not None:
            return f"{origin}", paper(config, full)
    return "src/atebm/artifacts.py", "the artifact's choice"


def above(path: tuple[str, ...], origins: Origins) -> Origin | None:
    """The line of a value that is given as a whole, such as `in_attack: null`."""
    return next((origins[path[:n]] for n in range(len(path) - 1, 1, -1) if path[:n] in origins), None)


def paper(config: Config, path: tuple[str, ...]) -> str:
    """Where the paper states the setting at `path`: the field's own source, else its section's."""
    holder: Any = config
    where = Config.paper.where
    for key in path:
        if isinstance(holder, dict):
            holder = holder.get(key)
            continue
        if not isinstance(holder, Section):
            break
        own = [note.where for note in type(holder).model_fields[key].metadata if isinstance(note, type(Config.paper))]
        where = own[0] if own else type(holder).paper.where
        holder = getattr(holder, key)
    return where
