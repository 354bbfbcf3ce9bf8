"""Golden numbers: red when what a kind of step computes moves and the kind's `revision` does not.

Equal digests promise equal results, but code enters a digest only by way of a revision: a change of code that nobody
declares leaves old results in place as if they were new. So a small chain of steps of every kind runs here, and
`tests/golden/<kind>.json` holds what it gave: numbers that a change of any part shows in, to a tolerance that other
CPUs and other versions of torch keep. A step's id stands there too. Same id and other numbers: the promise is broken.
"""

import csv
import json
import math
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import REPOSITORY, compute_step, planned, write_specs
from PIL import Image
from safetensors.numpy import load_file

from atebm.data.index import write_index
from atebm.pipeline.job import Job
from atebm.pipeline.kinds import FILES, REVISION
from atebm.pipeline.step import Step
from atebm.utils.files import write_text

GOLDEN = REPOSITORY / "tests/golden"
WRITE = "`pytest tests/unit/test_golden.py --write-golden`"

# Relative to the largest number of each quantity, by step and quantity; the first pattern counts. In brackets, the
# largest deviation found among: ATen without AVX2, oneDNN and OpenBLAS down to SSE4, 1 and 2 threads, torch 2.9, 2.13
# and 2.14, Pillow 11 and 13, and 30 chains whose networks saw inputs off by about two units in the last place.
TOLERANCE: dict[str, float] = {
    "data/*": 1e-7,  # bytes, computed in integers (0)
    "index/*": 1e-7,
    "extractor/*": 5e-6,  # (9e-7)
    "pretrain/*": 5e-6,
    "toy/*": 2e-5,  # (2e-6); toy.csv has six digits
    "minimax/* minimax.csv d_above_half": 1e-3,  # one point of the grid
    "minimax/*": 2e-5,
    # Samples become bytes by truncation, so that rounding can turn a byte into its neighbour, and that shows in all
    # that is computed of it. In brackets, with one byte per batch turned on purpose. The same code on sets is held
    # tight.
    "train/* distance": 5e-4,  # (6e-5, which rounding does too)
    "train/*.distance": 5e-4,
    "gan/* images.npy": 1e-3,  # as samples
    "gan/*": 1e-4,  # not measured: wider than a run's, since each player multiplies the other's rounding
    "sample/* images.npy": 1e-3,  # (2e-4)
    "features/cifar10.*": 5e-3,  # (2e-3)
    "metric/cifar10.*": 2e-3,  # (3e-4)
    "train/*": 1e-5,  # (2e-6)
    "sample/*": 2e-5,  # (2e-6); paths.csv has six digits
    "ascent/* frames.npy": 1e-3,  # as samples
    "ascent/* motion.npy": 1e-3,
    "ascent/* distance": 5e-4,  # as in training
    "ascent/* ci95": 5e-3,
    "ascent/* psnr": 1e-3,
    "ascent/* ssim": 1e-3,
    "ascent/*": 2e-5,
    "neighbours/* index": 1e-7,
    "neighbours/*": 5e-3,  # of samples' features
    "features/*": 5e-6,  # (6e-7)
    "metric/*": 2e-5,  # (2e-6)
    "attack/*": 1e-4,  # Auto-PGD halves steps where f rose in few of its iterations, and rounding decides ties
    "detection/*": 2e-3,  # one pair of images that changes places
    "network/*": 0,  # whole numbers
    "check/* gradient.eq*": math.inf,  # rounding itself; tests/unit/test_checks.py bounds it
    "check/* contrastive_data.pgd_step_error": math.inf,
    "check/*": 1e-7,  # double precision
    "timing/* seconds": math.inf,  # a measurement
    "timing/* *_second*": math.inf,
    "timing/* threads": math.inf,
    "timing/*": 0,
    "overview/*.png": 1e-3,  # as samples
    "overview/*": 2e-3,  # as detection
}

# --- the chain --------------------------------------------------------------------------------------------------

# Scale smoke, shorter still: every iteration multiplies what rounding differs by.
SHORT: dict[str, Any] = {
    "runs": {
        "cifar10": {
            "schedule": {"epochs_per_K": 0.1, "iterations": 20},
            "optimizer": {"lr": 0.005},
            "monitor": {"every": 5, "steps": [1, 2, 4]},
        }
    },
    "toy": {"lr": 0.02, "iterations": 15},
}
# What smoke leaves out. auc_advance acts after 100 batches; so many want a small learning rate, for the same reason.
OPTIONS: dict[str, Any] = {
    "runs": {
        "cifar10": {
            "schedule": {"K_start": 1, "epochs_per_K": 10, "iterations": 104, "auc_advance": 0.01},
            "in_attack": {"steps": 2, "step_size": 0.1, "eps": 0.15},
            "eps": 0.5,
            "init": "imagenet",
            "optimizer": {"lr": 1e-5},
            "average": None,
            "r1": 0.5,
            "augment": {"p_data": {"name": "crop_flip"}, "p_0": {"name": "crop_flip"}},
            "monitor": {"every": 104, "steps": [3]},
        }
    },
    "samplers": {"cifar10": {"steps": 1}},  # one, since this weak model has a source next to a kink of its ReLUs
}


LANGEVIN: dict[str, Any] = {
    "runs": {
        "cifar10": {
            "schedule": {"K_start": 2, "iterations": 20},
            "langevin": {"step_size": 0.01},
            "optimizer": {"lr": 1e-5},
            "monitor": {"steps": [1]},
        }
    }
}


BUFFER: dict[str, Any] = {"runs": {"cifar10_ebm": {"optimizer": {"lr": 1e-5}, "monitor": {"steps": [1]}}}}


def chain() -> list[Step]:
    """Steps of every kind, with every option of each; parents first.

    Of the plan, what Fig. 1, Table 2 and Fig. S2 are drawn from and the steps behind Tables 1 and S1 to S6; the model
    of Table 4, what it detects, and a classifier beside it; a set of classes, scored at half its size; a run by
    Langevin dynamics, and one whose chains go on from a buffer; a GAN; samples of a run with the options that it does
    not use; and other sets.
    """
    plan = planned("smoke", **SHORT)
    drawn = ("fig1", "table2", "figS2", "table1", "tableS1", "tableS2", "tableS6")
    wanted = [step for artifact in drawn for step in plan.artifacts[artifact]]
    wanted.append(plan.metric("frechet", plan.data("bags_held_out"), "bags", size=4))
    wanted.append(planned("smoke", **LANGEVIN).train("cifar10", 0))
    wanted.append(planned("smoke", **OPTIONS).sample("cifar10", 1, "last"))
    ways = [f"celebahq256_{way}" for way in ("and_afhqcat256", "interpolation", "denoising", "inpainting")]
    wanted += [plan.ascent(name, 0) for name in (*ways, "cifar10_trajectory", "church256_from_afhqcat256")]
    wanted.append(plan.neighbours("cifar10", 0))
    wanted += [plan.worst_case("cifar10_ood", 0), plan.train("cifar10_ood_ratio", 0)]
    wanted.append(plan.gan("cifar10_gan", 0))
    wanted.append(planned("smoke", **BUFFER).train("cifar10_ebm", 0))
    wanted.append(plan.overview("cifar10", 0))
    noise = Step("data", "noise", {"reader": "noise", "n": 30, "seed": 1, "size": 8, "channels": 3})
    settings = {"reader": "drawn", "of": "noise", "n": 20, "seed": 1, "skip": 2, "size": 8, "crop": None}
    wanted.append(Step("data", "drawn", settings, {"of": noise}))
    wanted.append(Step("index", "imagenet", {"reader": "index", "archive": "imagenet", "split": "train", "count": 9}))
    return list({(step.kind, step.id): step for want in wanted for step in want.ancestry()}.values())


def index(job: Job) -> None:
    """Of files that are no images: an index doesn't look."""
    archives = job.work / "archives"
    for i in range(9):
        path = archives / f"ILSVRC2012_img_train/n{i % 3}{'-' * (i % 2)}/{100 * i}.JPEG"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(i + 1))
    write_index(job, archives)


# --- characteristic numbers -------------------------------------------------------------------------------------

Numbers = dict[str, Any]  # by quantity: a number, a list of numbers, or a summary of an array


def numbers_of(folder: Path, files: tuple[str, ...]) -> Numbers:
    """What a step left, as few numbers: the record's, and a summary of every array, tensor and column."""
    return {f"{name} {key}".strip(): value for name in files for key, value in quantities(folder / name)}


def quantities(path: Path) -> Iterator[tuple[str, Any]]:
    if path.suffix == ".json":
        yield from record_numbers(json.loads(path.read_text()))
    elif path.suffix == ".csv":
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        for name in rows[0] if rows else ():  # a run without a monitor has no rows
            with suppress(ValueError):  # words
                yield name, summary(np.array([float(row[name]) for row in rows]))
    elif path.suffix == ".npy":
        array = np.load(path)
        for name in array.dtype.names or [""]:
            column = np.ascontiguousarray(array[name] if name else array)
            yield name, summary(column.view(np.uint8) if column.dtype.kind == "S" else column)
    elif path.suffix == ".png":
        with Image.open(path) as picture:
            yield "", summary(np.asarray(picture))
    else:
        arrays = load_file(path) if path.suffix == ".safetensors" else np.load(path)
        for name in sorted(arrays):
            yield name, summary(arrays[name])


def record_numbers(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name in value:
            yield from record_numbers(value[name], f"{key}.{name}".lstrip("."))
    elif isinstance(value, list) and value and all(is_number(item) for item in value):
        yield key, [digits(item) for item in value]
    elif is_number(value):
        yield key, digits(value)


def summary(array: np.ndarray) -> Any:
    """Few numbers that a change of any entry, or of the entries' order, shows in."""
    values = array.astype(np.float64).ravel()
    if values.size <= 8:
        return [digits(value) for value in values]
    wave = values @ np.cos(np.arange(values.size)) / math.sqrt(values.size)  # as large as an entry, and sees the order
    entries = values[np.linspace(0, values.size - 1, 8).astype(int)]
    return {
        "shape": "x".join(map(str, array.shape)),
        "mean": digits(values.mean()),
        "std": digits(values.std()),
        "wave": digits(wave),
        "entries": [digits(entry) for entry in entries],
    }


def digits(value: float) -> float:
    return float(f"{value:.8g}")


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


# --- comparing --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Move:
    """One number that is not what it was. The deviation is relative to the largest number of its quantity."""

    where: str
    before: Any
    now: Any
    deviation: float
    tolerance: float

    def __str__(self) -> str:
        return f"{self.where}: {self.before} -> {self.now} (by {self.deviation:.0e}, tolerance {self.tolerance:.0e})"


def tolerance_of(place: str) -> float:
    return next(tolerance for pattern, tolerance in TOLERANCE.items() if fnmatchcase(place, pattern))


def moves(step: str, before: Numbers, now: Numbers) -> list[Move]:
    """What moved of a step, <kind>/<id>, by more than its tolerance."""
    found = []
    for quantity in before | now:
        tolerance = tolerance_of(f"{step} {quantity}")
        old, new = (dict(flat(numbers.get(quantity))) for numbers in (before, now))
        scale = max((abs(value) for value in old.values() if is_number(value)), default=0) or 1
        for part in old | new:
            a, b = old.get(part), new.get(part)
            both = is_number(a) and is_number(b)
            deviation = abs(a - b) / scale if both else 0 if a == b else math.inf
            if deviation > tolerance:
                found.append(Move(f"{step} {quantity} {part}".strip(), a, b, deviation, tolerance))
    return found


def flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """The numbers of one quantity, each with its place in it."""
    if isinstance(value, dict):
        for name in value:
            yield from flat(value[name], name)
    elif isinstance(value, list):
        for i, item in enumerate(value):
            yield f"{key}[{i}]", item
    elif value is not None:
        yield key, value


# --- golden files -----------------------------------------------------------------------------------------------

State = dict[str, dict[str, Any]]  # by kind: what its golden file holds


def state_of(steps: list[Step], root: Path) -> State:
    """By kind: the revisions in its digests, and of each step, by id, where its numbers come from, and the numbers."""
    state: State = {}
    for kind in FILES:
        mine = [step for step in steps if step.kind == kind]
        lineage = {ancestor.kind for step in mine for ancestor in step.ancestry()}
        state[kind] = {
            "revisions": {name: REVISION[name] for name in FILES if name in lineage},
            "made_with": {name: version(name) for name in ("torch", "numpy", "scipy", "pillow")},
            "steps": {
                step.id: {
                    "settings": json.loads(json.dumps(step.settings)),
                    "parents": step.spec["parents"],
                    "numbers": numbers_of(root / step.folder, FILES[kind]),
                }
                for step in mine
            },
        }
    return state


def page(value: Any, depth: int = 0) -> str:
    """JSON to be read and to be compared in a diff: one line per quantity and per setting."""
    if not isinstance(value, dict) or depth == 4:
        return json.dumps(value, allow_nan=False)
    start = "\n" + " " * depth
    return "{" + ",".join(f"{start} {json.dumps(key)}: {page(value[key], depth + 1)}" for key in value) + start + "}"


# --- verdicts ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verdict:
    """What is wrong, and whether writing the golden file anew is all that it takes."""

    sentence: str
    may_write: bool


def judge(kind: str, golden: State, now: State) -> Verdict | None:
    """None where the numbers of a kind are what its golden file says, for the very steps that it has."""
    if kind not in golden:
        return Verdict(f"`{kind}` has no golden numbers yet: run {WRITE}.", True)
    broken = {step: found for step, found in moved(golden, now).items() if step.startswith(f"{kind}/")}
    if broken:
        return Verdict(reproach(kind, broken, golden, now), False)
    old, new = golden[kind], now[kind]
    if old["steps"].keys() == new["steps"].keys():
        return None
    revised = [
        f"`{name}` at revision {old['revisions'].get(name)}, now {revision}"
        for name, revision in new["revisions"].items()
        if old["revisions"].get(name) != revision
    ]
    reason = " and ".join(revised) or f"other settings of {names(changed_settings(kind, golden, now))}"
    return Verdict(f"the golden numbers of `{kind}` were written with {reason}: run {WRITE}.", True)


def moved(golden: State, now: State) -> dict[str, list[Move]]:
    """By <kind>/<id>: what moved of the steps whose id did not change, so that nothing should have."""
    return {
        f"{kind}/{step}": found
        for kind in golden.keys() & now.keys()
        for step in golden[kind]["steps"].keys() & now[kind]["steps"].keys()
        if (found := moves(f"{kind}/{step}", *(state[kind]["steps"][step]["numbers"] for state in (golden, now))))
    }


def ancestors(step: str, state: State) -> set[str]:
    """All that a step <kind>/<id> descends from."""
    kind, id = step.split("/")
    parents = state[kind]["steps"][id]["parents"].values()
    return {*parents, *(ancestor for parent in parents for ancestor in ancestors(parent, state))}


def reproach(kind: str, broken: dict[str, list[Move]], golden: State, now: State) -> str:
    """What to say of numbers that moved although no digest did: whose fault it is, and what to do."""
    suspects = moved(golden, now).keys()
    own = [step for step in broken if not ancestors(step, now) & suspects]
    if not own:
        culprits = {step for child in broken for step in ancestors(child, now) & suspects}
        first = {step.split("/")[0] for step in culprits if not ancestors(step, now) & suspects}
        return f"the numbers of `{kind}` moved because those of {names(first)} did: see there."
    found = sorted((move for step in own for move in broken[step]), key=lambda move: -move.deviation)
    lines = [f"the numbers of `{kind}` moved, {len(found)} of them by more than their tolerance, such as"]
    lines += [f"  {move}" for move in found[:5]]
    lines += [f"If that is meant, bump the `revision` of `{kind}` in src/atebm/pipeline/kinds.py, then run {WRITE}."]
    then, here = golden[kind]["made_with"], now[kind]["made_with"]
    others = [f"{name} {then[name]}, now {here[name]}" for name in here if then[name] != here[name]]
    return "\n".join([*lines, *([f"They were written with {', '.join(others)}."] if others else [])])


def changed_settings(kind: str, golden: State, now: State) -> list[str]:
    """The kinds, of this one and those that it descends from, whose settings are not what they were."""

    def settings(state: State, name: str) -> list[Any]:
        return [step["settings"] for step in state[name]["steps"].values()] if name in state else []

    return [name for name in now[kind]["revisions"] if settings(golden, name) != settings(now, name)] or [kind]


def names(kinds: Iterable[str]) -> str:
    return " and ".join(f"`{kind}`" for kind in FILES if kind in kinds)


# --- tests ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def states(tmp_path_factory: pytest.TempPathFactory) -> tuple[State, State]:
    """What the golden files hold, and what the chain gives now."""
    torch.set_num_threads(1)
    golden = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in GOLDEN.glob("*.json")}
    root, steps = tmp_path_factory.mktemp("golden"), chain()
    write_specs(root, *steps)
    for step in steps:
        job = Job(root / step.spec_file)
        if step.kind == "index":
            index(job)
        else:
            compute_step(job, shards=2)
    return golden, state_of(steps, root)


@pytest.mark.parametrize("kind", FILES)
def test_numbers_move_only_with_their_revision(kind: str, states: tuple[State, State], request: pytest.FixtureRequest):
    golden, now = states
    verdict, writing = judge(kind, golden, now), request.config.getoption("--write-golden")
    if verdict and verdict.may_write and writing:
        write_text(GOLDEN / f"{kind}.json", page(now[kind]) + "\n")
    elif verdict:
        refused = "refused to write: " if writing else ""
        pytest.fail(refused + verdict.sentence, pytrace=False)


def test_every_kind_is_watched():
    """A new kind wants a line in TOLERANCE, a step in the chain, and a golden file."""
    kinds = set(FILES)
    assert {step.kind for step in chain()} == {key.partition("/")[0] for key in TOLERANCE} == kinds
    assert {path.stem for path in GOLDEN.glob("*.json")} == kinds, f"run {WRITE}, and delete files of kinds that left"


def made_up(data: float = 1, train: float = 1, other: float = 1, revisions: dict | None = None, size: int = 8) -> State:
    """The state of a `data` step, a `train` step on it and one on nothing, each of which computes one number."""
    revision = {"data": 1, "train": 1} | (revisions or {})
    versions = dict.fromkeys(("torch", "numpy"), "1.0")

    def step(number: float, **parents: str) -> dict[str, Any]:
        return {"settings": {"size": size} if not parents else {}, "parents": parents, "numbers": {"x": number}}

    source = f"{size} {revision['data']}"  # as an id, it follows settings, revision and parents
    trains = {f"{source} {revision['train']}": step(train, p_data=f"data/{source}")}
    trains[f"other {revision['train']}"] = step(other)
    return {
        "data": {"revisions": {"data": revision["data"]}, "made_with": versions, "steps": {source: step(data)}},
        "train": {"revisions": revision, "made_with": versions, "steps": trains},
    }


WRITABLE, REFUSED = True, False


@pytest.mark.parametrize(
    ("now", "data", "train"),
    [
        (made_up(data=1 + 1e-9, train=1 + 1e-9), None, None),
        (made_up(train=1.1), None, (REFUSED, "of `train` in src")),
        (made_up(1.1, 1.1), (REFUSED, "of `data` in src"), (REFUSED, "because those of `data` did")),
        (made_up(1.1, 1.1, 1.1), (REFUSED, "of `data` in src"), (REFUSED, "of `train` in src")),
        (made_up(1, 1.1, 1.1, {"train": 2}), None, (WRITABLE, "`train` at revision 1, now 2")),
        (made_up(1.1, 1.1, 1, {"data": 2}), (WRITABLE, "revision 1, now 2"), (WRITABLE, "`data` at revision 1, now 2")),
        (
            made_up(1.1, 1.1, 1.1, {"data": 2}),
            (WRITABLE, "revision 1, now 2"),
            (REFUSED, "of `train` in src"),
        ),
        (made_up(1.1, 1.1, 1, size=16), (WRITABLE, "other settings of `data`"), (WRITABLE, "other settings of `data`")),
    ],
    ids=["rounding", "train", "data", "both", "train revised", "data revised", "only data revised", "settings of data"],
)
def test_verdicts(now: State, data: tuple[bool, str] | None, train: tuple[bool, str] | None):
    """Each expectation: None, or whether the file may be written anew, and words of the sentence."""
    for kind, expected in (("data", data), ("train", train)):
        verdict = judge(kind, made_up(), now)
        assert (verdict is None) == (expected is None)
        if verdict and expected:
            assert verdict.may_write == expected[0] and expected[1] in verdict.sentence


def test_a_kind_without_numbers_may_get_them():
    verdict = judge("train", {}, made_up())
    assert verdict and verdict.may_write and "has no golden numbers yet" in verdict.sentence


def test_a_summary_shows_every_entry_and_their_order():
    array = np.random.default_rng(0).normal(size=(20, 30))
    swapped, moved = array.copy(), array.copy()
    swapped[3, [4, 5]] = array[3, [5, 4]]
    moved[7, 7] += 0.01
    for other in (swapped, moved, array.T):
        assert moves("train/x", {"a": summary(array)}, {"a": summary(other)})
    assert not moves("train/x", {"a": summary(array)}, {"a": summary(array * (1 + 1e-7))})
    assert [move.deviation for move in moves("train/x", {}, {"a": 1.0})] == [math.inf]
