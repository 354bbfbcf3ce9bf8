"""Run by test_stream.py: streams sets far larger than memory may grow, and prints the peak in bytes after each."""

import io
import json
import resource
import sys
import tarfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from atebm.data.loader import Stored
from atebm.data.readers.images import tar_pictures
from atebm.data.stream import Indexed, Recipe, Streamed
from atebm.training.distributed import ALONE

FILES, BATCHES, BATCH, WORKERS = 60_000, 300, 40, 2
ARRAY = (15_000, 256, 256, 3)  # 3 GB, of which a sparse file takes none
CROP = {"name": "resized_crop_flip", "probability": 1, "scale": [0.08, 1], "ratio": [0.75, 1.3333]}


def peak() -> int:
    """Bytes at most: what this process ever had, and, for each worker, what the largest one ever had."""
    own, worker = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return (own + WORKERS * worker) * (1 if sys.platform == "darwin" else 1024)


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
    for iteration in range(BATCHES):
        stream.batch(iteration)
    stream.close()
    print(peak())
    array = root / "images.npy"
    np.lib.format.open_memmap(array, mode="w+", dtype=np.uint8, shape=ARRAY)
    assert sum(len(batch) for batch in Stored(root).batches(250)) == len(Stored(root)) == ARRAY[0]
    print(peak())


main(Path(sys.argv[1]))
