"""Takes the place of src/atebm/cli/app.py where a test is about which steps run, not about what they compute.

A step's value is a hash of its settings, its revision and its parents' values, read from the parents' records as real
steps read them; a rendering shows its plan and the values it was drawn from. So a stale number shows as a wrong value.
Every job adds a line "kind/name" to the file that RAN names. A step that FAIL names does only that, and fails. KILL,
such as "train/cifar10 half", kills the whole workflow, as a machine does that loses power, before that job, half-way,
or right after it.
"""

import hashlib
import json
import os
import signal
import sys
from pathlib import Path

from atebm.pipeline.job import Job, record_of
from atebm.pipeline.kinds import FILES
from atebm.utils.files import write_text
from atebm.utils.hashing import canonical, sealed

FIGURE, TABLE = (".svg", ".csv"), (".md",)


def value_of(kind: str, settings: dict, revision: int, parents: dict[str, str]) -> str:
    return hashlib.sha256(canonical([kind, settings, revision, parents]).encode()).hexdigest()


def fetch(file: str) -> None:
    write_text(Path("data/archives") / file, file)
    ran(f"fetch/{file}")


def step(spec: Path) -> None:
    job = Job(spec)
    kind, parents = job.spec["kind"], {role: record_of(job.parent(role))["value"] for role in job.spec["parents"]}
    value = value_of(kind, job.settings, job.spec["revision"], parents)
    name = f"{kind}/{job.spec['name']}"
    if name in os.environ.get("FAIL", "").split():
        ran(name)
        sys.exit("it fails")
    kill(f"{name} before")
    for file in FILES[kind][:-1]:
        write_text(job.folder / file, value)
        kill(f"{name} half")
    job.finish({"value": value})
    ran(name)
    kill(f"{name} after")


def render(request: Path, out: Path) -> None:
    contents = json.loads(request.read_text())["request"]
    values = {folder: record_of(Path(folder))["value"] for folder in contents["needs"].values()}
    others = FIGURE if out.suffix == ".png" else TABLE
    notebook = out.parent / "notebooks" / out.stem
    kill(f"render/{out.stem} before")
    for path in (out, *map(out.with_suffix, others), notebook.with_suffix(".ipynb"), notebook.with_suffix(".html")):
        write_text(path, canonical({"request": contents, "values": values}))
        kill(f"render/{out.stem} half")
    write_text(out.parent / f"provenance/{out.stem}.json", canonical({"request": contents, "numbers": {}}))
    ran(f"render/{out.stem}")
    kill(f"render/{out.stem} after")


def stages() -> None:
    from atebm.config.load import load  # the configuration's types, which other jobs need not wait for
    from atebm.pipeline.plan import Plan
    from atebm.pipeline.stages import write_stages

    write_stages(Plan(load(Path(), ())[0]), Path())


def manifest(results: Path, request: Path) -> None:
    requests = json.loads(request.read_text())["request"]["requests"]
    write_text(results / "manifest.json", sealed({"requests": requests, "artifacts": {}, "summary": {}, "steps": {}}))
    write_text(results / "metrics.json", canonical({}))
    for record in Path("work/train").glob("*/run.json"):
        spec = Path(f"work/specs/train/{record.parent.name}.json")
        if not spec.exists():  # in a clone, of another plan than the only one that it was asked for
            continue
        training = json.loads(spec.read_text())
        curve = results / f"training/{training['name']}.{training['settings']['seed']}.csv"
        write_text(curve, "iteration,K,auc\n10,1,0.9\n20,2,0.8\n")
    ran("render/manifest")


def site(results: Path, request: Path) -> None:
    seal = json.loads((results / "manifest.json").read_text())["seal"]
    made = {"request": json.loads(request.read_text())["request"], "manifest": seal, "files": {}}
    write_text(results / "index.html", "a page\n")
    write_text(results / "provenance/site.json", sealed(made))
    ran("render/site")


def ran(what: str) -> None:
    with Path(os.environ["RAN"]).open("a") as file:
        file.write(f"{what}\n")


def kill(moment: str) -> None:
    if os.environ.get("KILL") == moment:
        os.killpg(0, signal.SIGKILL)


def main() -> None:
    verb, *arguments = sys.argv[1:]
    paths = [Path(argument) for argument in arguments]
    if verb == "render":
        render(paths[0], paths[3])
    elif verb == "manifest":
        manifest(*paths)
    elif verb == "site":
        site(*paths)
    elif verb == "stages":
        stages()
    elif verb == "fetch":
        fetch(*arguments)
    elif "--out" in arguments:
        write_text(paths[arguments.index("--out") + 1], "shard")
    else:
        step(paths[0])
