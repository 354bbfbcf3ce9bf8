"""One step of a rehearsal, in a process of its own: `python -m atebm.cost.rehearsed SPEC OUT DEVICE [MICRO_BATCH]`.

In the folder of the rehearsal, whose data/sources.yaml describes the archives there. Writes to OUT, as JSON, how long
it took, how far it was when, and how much memory it took.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

from ..archives import catalogue
from ..pipeline.job import Job
from ..pipeline.kinds import KINDS, Kind
from ..utils import progress
from ..utils.errors import UserError, sentence

SHARD = "0-of-1"
FAILED = 3  # the exit status where OUT says in a sentence why


def main(spec: str, out: str, device: str, micro_batch: str = "") -> int:
    """Compute a step, write what it took, and return the exit status."""
    catalogue.TABLE = Path("data/sources.yaml")
    job = Job(Path(spec))
    try:
        found = taken(job, device, int(micro_batch or 0))
    except Exception as error:
        said = str(error) if isinstance(error, UserError) else sentence(error)
        if said is None:
            raise
        Path(out).write_text(json.dumps({"said": said}), encoding="utf-8")
        return FAILED
    Path(out).write_text(json.dumps(found), encoding="utf-8")
    return 0


def taken(job: Job, device: str, micro_batch: int) -> dict[str, Any]:
    """Compute a step, and return what it took: seconds, marks {what, seconds, done, total}, bytes of memory."""
    import torch

    from ..device.select import pick_device

    kind, chosen = KINDS[job.spec["kind"]], pick_device(device)
    function, gpu = kind.function(), chosen.type == "cuda"
    marks: list[dict[str, Any]] = []
    before, began = memory("VmRSS"), time.perf_counter()

    def watch(what: str, done: int, total: int) -> None:
        if gpu:  # which is behind Python
            torch.cuda.synchronize()
        marks.append({"what": what, "seconds": time.perf_counter() - began, "done": done, "total": total})

    progress.WATCHERS.append(watch)
    with job.lock():
        compute(job, kind, function, {"device": chosen} if "device" in kind.takes else {}, micro_batch)
    seconds = time.perf_counter() - began
    return {
        "seconds": seconds,
        "marks": marks,
        "before": before,
        "peak": memory("VmHWM"),
        "gpu_peak": torch.cuda.max_memory_reserved(chosen) if gpu else None,
        "gpu_total": torch.cuda.mem_get_info(chosen)[1] if gpu else None,
    }


def compute(job: Job, kind: Kind, function: Any, given: dict[str, Any], micro_batch: int) -> None:
    """Compute a step of any kind; one that comes in shards as a single one."""
    if micro_batch and "micro_batch" in kind.takes:
        given = given | {"micro_batch": micro_batch}
    if not kind.joins:
        function(job, **given)
        return
    part = job.work / f"{job.spec_file.stem}.npz"
    function(job, shard=SHARD, out=part, **given)
    kind.join()(job, [part])
    part.unlink()


def memory(what: str) -> int:
    """Return bytes of memory of this process: VmRSS now, VmHWM at most so far; 0 where the system does not say."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((1024 * int(line.split()[1]) for line in lines if line.startswith(f"{what}:")), 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
