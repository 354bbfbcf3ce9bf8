"""Takes the place of src/atebm/cli/app.py where conda is tested: jobs that write their files, and compute nothing.

It imports nothing but the standard library and what of `atebm` does likewise, so that its environments can be light:
each holds one witness, a package that only this one was given. Every job appends to jobs.log where it ran.
"""

import importlib.util
import json
import os
import sys
from pathlib import Path

from atebm.pipeline.job import Job
from atebm.pipeline.kinds import FILES
from atebm.utils.files import write_text
from atebm.utils.hashing import canonical

WITNESSES = ("tabulate", "wcwidth")


def main() -> None:
    verb, *arguments = sys.argv[1:]
    spec, *others = map(Path, arguments)
    if verb == "render":
        render(spec, others[-1])
    elif "--out" in arguments:
        write_text(others[-1], "a shard\n")
    else:
        job = Job(spec)
        for name in FILES[job.spec["kind"]][:-1]:
            write_text(job.folder / name, f"{name} of {spec.parent.name}\n")
        job.finish({})
    where = {
        "verb": verb,
        "of": spec.parent.name,
        "executable": sys.executable,
        "prefix": sys.prefix,
        "pythonpath": os.environ.get("PYTHONPATH"),
        "device": os.environ.get("ATEBM_DEVICE"),
        "witnesses": [name for name in WITNESSES if importlib.util.find_spec(name)],
    }
    with Path("jobs.log").open("a") as log:
        print(json.dumps(where), file=log)


def render(request: Path, out: Path) -> None:
    artifact, results = request.stem, out.parent
    for path in (
        out,
        out.with_suffix(".md"),
        results / f"notebooks/{artifact}.ipynb",
        results / f"notebooks/{artifact}.html",
    ):
        write_text(path, f"{path.name} of render\n")
    contents = json.loads(request.read_text())["request"]
    write_text(results / f"provenance/{artifact}.json", canonical({"request": contents, "numbers": {}}))
