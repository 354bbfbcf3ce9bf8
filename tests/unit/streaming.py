"""Run by test_stream.py: streams sets far larger than memory may grow, and prints how many bytes that took."""

import io
import json
import multiprocessing
import os
import sys
import tarfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from atebm.data.readers.images import tar_pictures
from atebm.data.stored import Stored
from atebm.data.stream import Indexed, Recipe, Streamed
from atebm.training.distributed import ALONE

FILES, BATCHES, BATCH, WORKERS = 60_000, 200, 40, 2
ARRAY = (10_000, 256, 256, 3)  # 2 GB, of which a sparse file takes none
CROP = {"name": "resized_crop_flip", "probability": 1, "scale": [0.08, 1], "ratio": [0.75, 1.3333]}


def memory() -> int:
    """Bytes of this process and its workers; pages that they share, such as those of torch's libraries, count once."""
    processes = [os.getpid(), *(child.pid for child in multiprocessing.active_children())]
    rollups = (Path(f"/proc/{process}/smaps_rollup").read_text() for process in processes)
    return 1024 * sum(int(line.split()[1]) for text in rollups for line in text.splitlines() if line.startswith("Pss:"))


def peak() -> int:
    """Bytes that this process ever had at once, with all pages that it shares.

    Not getrusage's, which of a process that another one started begin with what that one had.
    """
    status = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))


def write_index(root: Path) -> Path:
    folder, archive = root / "work/index/large-0", root / "large.tar"
    folder.mkdir(parents=True)
    content = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)).save(content, "JPEG")
    with tarfile.open(archive, "w") as file:
        for number in range(FILES):
            member = tarfile.TarInfo(f"n{number % 1000:08}/n{number % 1000:08}_{number}.JPEG")
            member.size = len(content.getvalue())
            file.addfile(member, io.BytesIO(content.getvalue()))
            file.members.clear()
    np.save(folder / "entries.npy", tar_pictures(archive, "*", FILES).entries)
    (folder / "set.json").write_text(json.dumps({"set": "large", "n": FILES, "classes": [], "archive": "large.tar"}))
    return folder


def main(root: Path) -> None:
    indexed = Indexed(write_index(root), Recipe(CROP, BATCH, ALONE.rows(BATCH), 0, 2), (3, 64, 64))
    stream = Streamed(indexed, torch.device("cpu"), WORKERS)
    found = []
    for iteration in range(BATCHES):
        stream.batch(iteration)
        if iteration % 20 == 0:
            assert len(multiprocessing.active_children()) == WORKERS
            found.append(memory())
    stream.close()
    before = peak()
    np.lib.format.open_memmap(root / "images.npy", mode="w+", dtype=np.uint8, shape=ARRAY)
    assert sum(len(batch) for batch in Stored(root).batches(250)) == ARRAY[0]
    print(json.dumps({"index": max(found), "array": peak() - before, "peak": peak()}))


main(Path(sys.argv[1]))
