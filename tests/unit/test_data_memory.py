"""How much memory preparing takes, of the process and of its workers, on many small files."""

import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from conftest import write_specs

from atebm.data.writers import encoded
from atebm.pipeline.step import Step

CLASSES, EACH, DRAWN, WORKERS = 60, 1000, 600, 2

CODE = """
import json, resource, sys
from pathlib import Path
from atebm.data import index, prepare
from atebm.pipeline.job import Job
def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
if __name__ == "__main__":
    archives, indexed, drawn = Path(sys.argv[1]), Job(Path(sys.argv[2])), Job(Path(sys.argv[3]))
    workers = int(sys.argv[4])
    index.verify_file = lambda path: {"md5": "of the test"}
    index.write_index(indexed, archives)
    after_index = peak()
    prepare.write_set(drawn, archives, workers)
    print(json.dumps([after_index, peak(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss]))
"""


def imagenet(path: Path) -> None:
    """A tar of tars of one image, 60,000 times."""
    jpeg = encoded()
    padded = jpeg + bytes(-len(jpeg) % 512)
    with path.open("wb") as file:
        for number in range(CLASSES):
            inner = bytearray()
            for i in range(EACH):
                member = tarfile.TarInfo(f"n{number:08}_{i}.JPEG")
                member.size = len(jpeg)
                inner += member.tobuf() + padded
            inner += bytes(1024)
            member = tarfile.TarInfo(f"n{number:08}.tar")
            member.size = len(inner)
            file.write(member.tobuf() + inner)
        file.write(bytes(1024))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peaks are read from Linux's /proc")
def test_an_index_of_60000_images_and_a_draw_of_it_take_little_memory(tmp_path):
    """Peaks in kB: of the process not its ru_maxrss, which it inherits from pytest; of its workers the largest one's.

    Most of those at the end is torch, whose libraries processes share: it draws the windows of the crops.
    """
    archives = tmp_path / "archives"
    archives.mkdir()
    imagenet(archives / "ILSVRC2012_img_train.tar")
    settings = {"reader": "index", "archive": "imagenet", "split": "train", "count": CLASSES * EACH}
    of = Step("index", "imagenet", settings)
    crop = {"name": "resized_crop_flip", "probability": 1, "scale": [0.08, 1], "ratio": [0.75, 1.3333333]}
    settings = {"reader": "drawn", "of": "imagenet", "n": DRAWN, "seed": 0, "skip": 0, "size": 64, "crop": crop}
    drawn = Step("data", "drawn", settings, {"of": of})
    write_specs(tmp_path, drawn)
    (tmp_path / "run.py").write_text(CODE)
    specs = [tmp_path / step.spec_file for step in (of, drawn)]
    command = [sys.executable, tmp_path / "run.py", archives, *specs, str(WORKERS)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    after_index, own, worker = json.loads(output.splitlines()[-1])
    print(f"after the index {after_index / 1e3:.0f} MB, at the end {own / 1e3:.0f} MB, a worker {worker / 1e3:.0f} MB")
    assert after_index < 300_000
    assert max(own, worker) < 1_500_000
