"""verify, prune, explain and status, on a checkout in which everything was really computed."""

import json
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import run, snakemake

from atebm.config.base import Paper, Section
from atebm.config.load import load
from atebm.pipeline.artifacts import USUAL
from atebm.pipeline.kinds import FILES
from atebm.pipeline.plan import Plan
from atebm.provenance.prune import leftovers
from atebm.provenance.verify import verify
from atebm.utils.hashing import sealed


@pytest.fixture
def folder(computed, tmp_path) -> Path:
    return Path(shutil.copytree(computed, tmp_path / "checkout"))


def present(folder: Path, *overrides: str) -> Plan:
    return Plan(load(folder, overrides)[0])


def atebm(folder: Path, *arguments: str) -> tuple[int, str]:
    finished = run(folder, "python", "-m", "atebm", *arguments)
    return finished.returncode, finished.stdout + finished.stderr


def test_verify_finds_every_changed_byte_and_nothing_else(computed, folder):
    """20 changes of one byte anywhere in what was computed: 20 findings, each of its file; before and after, none."""
    plan = present(folder)
    assert verify(plan, folder)[0] == []
    # of steps that are here; there are others, which only a request makes
    specs = [
        path for path in folder.glob("work/specs/*/*") if (folder / "work" / path.parent.name / path.stem).exists()
    ]
    steps = [path for kind in FILES for path in folder.glob(f"work/{kind}/*/*")]
    results = [path for path in folder.rglob("results/**/*") if path.is_file() and not path.name.startswith(".")]
    places = random.Random(0)
    for path in places.choices(sorted(specs), k=4) + places.choices(sorted(steps), k=8) + places.choices(results, k=8):
        original = path.read_bytes()
        changed = bytearray(original)
        changed[places.randrange(len(changed))] ^= 1 << places.randrange(8)
        path.write_bytes(changed)
        findings, _ = verify(plan, folder)
        name = str(path.relative_to(folder))
        assert any(finding.startswith("altered") and name in finding for finding in findings), name
        path.write_bytes(original)
    findings, checked = verify(plan, folder)
    assert findings == []
    assert checked == len(steps) + len(results)


def test_verify_names_what_is_missing(folder):
    (folder / "results/fig1.svg").unlink()
    (sample,) = folder.glob("work/sample/cifar10.best-*")
    (sample / "images.npy").unlink()
    shutil.rmtree(next(folder.glob("work/train/cifar10-*")))
    code, output = atebm(folder, "verify")
    assert code == 1
    missing = [line.split(":")[0].split()[1] for line in output.splitlines() if line.startswith("missing")]
    train = present(folder).train("cifar10", 0)
    assert sorted(set(missing)) == sorted({"results/fig1.svg", f"work/sample/{sample.name}/images.npy", train.record})


def test_verify_names_what_is_stale(folder):
    """A parent that was computed again with another result, as a GPU may do under one digest."""
    (extractor,) = folder.glob("work/extractor/*/extractor.json")
    record = json.loads(extractor.read_text())
    record.pop("seal")
    extractor.write_text(sealed({**record, "accuracy": 0.5}))
    findings, _ = verify(present(folder), folder)
    children = {step.folder for step in present(folder).steps.values() if "extractor" in step.parents}
    assert {finding.split()[1].rstrip(":") for finding in findings} == children
    assert all(finding.startswith("stale") for finding in findings)


def test_verify_names_results_of_another_plan(computed):
    findings, _ = verify(present(computed, "metrics={splits: 5}"), computed)
    assert [finding.split(" (")[0] for finding in findings] == [
        "stale    results/table2: not drawn from the present plan",
        "stale    results/manifest: not drawn from the present plan",
        "stale    results/site: not drawn from the present plan",
    ]


def test_prune_keeps_what_a_plan_names(folder):
    plan = present(folder)
    config = folder / "workflow/scales/smoke.yaml"
    config.write_text(config.read_text().replace("cifar10: { steps: selected, ", "cifar10: { steps: 1, "))
    old = {f"{kind}/{id}" for kind, id in plan.known.keys() - present(folder).known.keys()}
    computed = {step for step in old if (folder / "work" / step).exists()}
    assert any("cifar10.best" in step for step in computed)
    assert computed < old, "of what only claims ask for, there are specs alone"
    code, output = atebm(folder, "prune")
    assert code == 0 and set(re.findall(r"^ *[\d.,]+ \w+  (\S+)$", output, re.MULTILINE)) == old
    assert all((folder / "work" / step).exists() for step in computed), "listing removes nothing"
    before = set(folder.rglob("work/*/*"))
    code, output = atebm(folder, "prune", "--yes")
    gone = before - set(folder.rglob("work/*/*"))
    assert code == 0 and {str(path.relative_to(folder / "work")) for path in gone} == computed
    assert not [path for path in (folder / "work").rglob("*") if any(step.split("/")[1] in str(path) for step in old)]
    assert re.findall(r"MB  (.*)", atebm(folder, "prune")[1]) == []


def test_prune_leaves_alone_what_is_being_computed(folder):
    plan = present(folder, "seed=5")
    held = next(folder.glob("work/locks/train/*.lock"))
    before = {found.step for found in leftovers([plan], folder)}
    with locked_by_another(held):
        assert before - {found.step for found in leftovers([plan], folder)} == {f"train/{held.stem}"}


@contextmanager
def locked_by_another(path: Path) -> Iterator[None]:
    """The lock, held by another process: a process never waits for its own."""
    code = """
import pathlib, sys
from atebm.utils.locks import locked

with locked(pathlib.Path(sys.argv[1])):
    input("held")
"""
    command = [sys.executable, "-uc", code, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout and holder.stdout.read(4) == "held"
        yield
        holder.communicate("\n")


def test_a_scale_is_drawn_beside_another(folder):
    """With requests, numbers and records of its own; neither becomes stale."""
    before, asked = contents(folder / "results"), folder / "work/specs/artifact/fig1.json"
    age, apart = asked.stat().st_mtime_ns, "results=results/scales/mine"
    made = snakemake(folder, "results/scales/mine/fig1.png", "--config", apart)
    assert made.returncode == 0, made.stdout + made.stderr
    after = contents(folder / "results")
    beside = {name.removeprefix("scales/mine/"): after.pop(name) for name in list(after) if name.startswith("scales/")}
    assert after == before and asked.stat().st_mtime_ns == age
    shown = {name for name in beside if not name.startswith(("notebooks/", "numbers/"))}
    assert shown == {"fig1.csv", "fig1.png", "fig1.svg", "provenance/fig1.json"}
    assert {name: before[name] for name in shown} == {name: beside[name] for name in shown}
    assert {name.rpartition("/")[2] for name in beside if name.startswith("numbers/")} == {
        "toy.json",
        "toy.csv",
        "spec.json",
        "fields.npz",
    }
    (folder / "results/scales/mine/notebooks/fig1.html").unlink()  # as in a clone
    for plan in (present(folder), present(folder, apart)):
        assert verify(plan, folder)[0] == []
    damaged = folder / "results/scales/mine/numbers" / next(name for name in beside if name.endswith("toy.csv"))[8:]
    damaged.write_text("other\n")
    ((finding, *_), _) = verify(present(folder), folder)
    assert finding.startswith(f"altered  {damaged.relative_to(folder)}")


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_explain_leads_to_the_line_and_the_paper(computed):
    code, output = atebm(computed, "explain", "table2")
    assert code == 0 and output.startswith(
        "Table 2: stand-in score and stand-in distance on Fashion-MNIST 8x8 (for CIFAR-10)"
    )
    (metric,) = computed.glob("work/metric/cifar10.best.frechet-*/metric.json")
    value = json.loads(metric.read_text())["value"]
    assert f"{value:.4g}" in output and str(metric.relative_to(computed)) in output
    rows = re.findall(r"^  (\S+) +(.*?) +(\S+\.yaml):(\d+)  \[(.+)\]$", output, re.MULTILINE)
    assert len(rows) > 80
    for name, _, file, line, paper in rows:
        text = (computed / file).read_text().splitlines()[int(line) - 1]
        assert name.split(".")[-1] in text, f"{name} does not stand in {file}:{line}: {text}"
        assert paper
    assert ("step_size", "Eq. 8; Table S3") in [(name, paper) for name, *_, paper in rows]
    assert ("r1", "0.01", "workflow/scales/smoke.yaml") in [row[:3] for row in rows]
    assert ("optimizer.lr", "0.0005", "config.yaml") in [row[:3] for row in rows]


def test_explain_names_the_command_line(computed):
    training = present(computed, "seed=4").train("cifar10", 4)
    code, output = atebm(computed, "explain", f"train/{training.id}", "-C", "seed=4")
    assert code == 0 and re.search(r"seed +4 +--config", output)
    code, output = atebm(computed, "explain", "tabel2")
    assert code == 1 and "error: the plan of the smoke scale has no 'tabel2'" in output and "Traceback" not in output


def test_every_section_names_its_source():
    def sections(section):
        for below in section.__subclasses__():
            yield below
            yield from sections(below)

    for section in filter(lambda section: section.model_fields, sections(Section)):
        assert isinstance(section.paper, Paper) and section.paper.where


def test_status_says_what_is_here(folder):
    code, output = atebm(folder, "status")
    steps, artifacts = len(present(folder).steps), len(USUAL)
    expected = (
        f"smoke scale: {steps} of {steps} steps done, {artifacts} of {artifacts} artifacts drawn from the present plan"
    )
    assert code == 0 and output.splitlines()[0].startswith(expected)
    code, output = atebm(folder, "status", "--todo", "-C", "scale=paper")
    assert re.search(r"^to do +train/cifar10-[0-9a-f]{8}$", output, re.MULTILINE)
    shared = present(folder).steps.keys() & present(folder, "scale=paper").steps.keys()  # layers of Table S2's network
    assert {kind for kind, _ in shared} == {"network"}
    assert f"paper scale: {len(shared)} of" in output.splitlines()[0]
    (next(folder.glob("work/train/cifar10-*")) / "run.json").unlink()
    assert re.search(r"^unfinished +train/cifar10-", atebm(folder, "status", "--todo")[1], re.MULTILINE)
