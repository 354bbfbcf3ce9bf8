"""Preparation in several processes, and after an interruption: the bytes of one process that ran through."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import write_specs

from atebm.config.sets import Archive
from atebm.data import archive_sets, prepare
from atebm.data.parallel import make_in_order
from atebm.data.readers import images
from atebm.data.readers.transforms import area
from atebm.data.writers import encoded, tar, zipped
from atebm.pipeline.job import Job
from atebm.pipeline.step import Step
from atebm.utils.errors import DataError

N = 200  # pictures: a part for each of four workers


def plain(picture, number):
    return area(picture, 8)


@pytest.fixture(scope="module")
def contents() -> dict[str, bytes]:
    return {f"val_256/{i:04}.jpg": encoded() for i in range(N)}


@pytest.mark.parametrize(("make", "read"), [(tar, images.tar_pictures), (zipped, images.zip_pictures)])
@pytest.mark.parametrize("start", [0, 70])
def test_any_number_of_processes_makes_the_same_images_in_the_same_order(tmp_path, contents, make, read, start):
    pictures = read(make(tmp_path / "set", contents), "*", N)
    one, three = (
        np.concatenate(list(make_in_order(pictures, np.arange(N), plain, start, workers))) for workers in (1, 3)
    )
    assert len(one) == N - start and np.array_equal(one, three)
    expected = [plain(picture, 0) for _, picture in pictures.named()][start:]
    assert np.array_equal(one, expected)


def test_a_damaged_image_is_the_same_sentence_from_another_process(tmp_path, contents):
    pictures = images.tar_pictures(tar(tmp_path / "set", contents | {"val_256/0150.jpg": b"<html>"}), "*", N)
    found = make_in_order(pictures, np.arange(N), plain, 0, 2)
    assert sum(len(next(found)) for _ in range(2)) == 128
    with pytest.raises(DataError, match=r"set: member 'val_256/0150.jpg' cannot be read"):
        list(found)


def die(picture, number):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_the_system_ends_is_one_sentence(tmp_path, contents):
    pictures = images.tar_pictures(tar(tmp_path / "set", contents), "*", N)
    with pytest.raises(DataError, match="was killed, most often because memory ran out"):
        list(make_in_order(pictures, np.arange(N), die, 0, 2))


# --- interruptions ----------------------------------------------------------------------------------------------


def job_of(folder: Path, count: int = N, size: int = 32) -> Job:
    settings = {"reader": "archive", "archive": "places365_small", "split": "held_out", "size": size, "count": count}
    step = Step("data", "mine", Archive(**settings).model_dump())
    write_specs(folder.parent, step)
    return Job(folder.parent / step.spec_file)


def files_of(job: Job) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(job.folder.iterdir())}


class Killed(BaseException):
    """As a signal, it's not caught by anything."""


@pytest.fixture
def archive(folder, documented, contents) -> Path:
    return documented(tar(folder / "val_256.tar", contents))


def cut_short(monkeypatch, after: int) -> list[int]:
    """Let `make_in_order` be killed after so many images; returns where each call starts."""
    starts: list[int] = []

    def stopped(pictures, numbers, transform, start, workers):
        starts.append(start)
        for done, image in enumerate(make_in_order(pictures, numbers, transform, start, workers)):
            if len(starts) == 1 and done == after:
                raise Killed
            yield image

    monkeypatch.setattr(archive_sets, "make_in_order", stopped)
    return starts


@pytest.mark.parametrize("torn", [0, 1, 3071])
def test_a_killed_preparation_goes_on_and_ends_with_the_same_bytes(folder, archive, monkeypatch, torn):
    whole = job_of(folder)
    prepare.write_set(whole, folder)
    expected = files_of(whole)
    for path in whole.folder.iterdir():
        path.unlink()
    starts = cut_short(monkeypatch, 130)
    with pytest.raises(Killed):
        prepare.write_set(whole, folder)
    assert not list(whole.folder.iterdir())
    (part,) = whole.checkpoints.iterdir()
    with part.open("ab") as file:
        file.write(bytes(torn))
    prepare.write_set(whole, folder)
    assert starts == [0, 130]
    assert files_of(whole) == expected
    assert not whole.checkpoints.exists()


def test_what_an_interruption_left_of_another_archive_is_not_used(folder, archive, documented, monkeypatch):
    starts = cut_short(monkeypatch, 130)
    with pytest.raises(Killed):
        prepare.write_set(job_of(folder), folder)
    documented(tar(archive, {f"val_256/{i:04}.jpg": encoded() for i in range(N)}))
    prepare.write_set(job_of(folder), folder)
    assert starts == [0, 0]
    job = job_of(folder)
    expected = [area(picture, 32) for _, picture in images.tar_pictures(archive, "*", N).named()]
    assert np.array_equal(np.load(job.folder / "images.npy"), expected) and not job.checkpoints.exists()


CODE = """
import sys, time
from pathlib import Path
from atebm.data import archive_sets, prepare
from atebm.pipeline.job import Job
if __name__ == "__main__":
    archive_sets.verify_file = lambda path: {"md5": "of the test"}
    prepare.write_set(Job(Path(sys.argv[1])), Path(sys.argv[2]), workers=2)
"""


def test_sigkill_leaves_no_process_and_no_half_file(tmp_path, contents):
    """Of the parent alone, as the kernel does it for want of memory: its workers end by themselves."""
    folder = tmp_path / "archives"
    folder.mkdir()
    n = 2000
    tar(folder / "val_256.tar", {f"val_256/{i:05}.jpg": contents[f"val_256/{i % N:04}.jpg"] for i in range(n)})
    job = job_of(folder, n, 64)
    (tmp_path / "run.py").write_text(CODE)
    command = [sys.executable, tmp_path / "run.py", job.spec_file, folder]
    running = subprocess.Popen(command, stdout=subprocess.PIPE)
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children")
    while not any(path.stat().st_size > 10**6 for path in job.checkpoints.glob("*.npy")):
        assert running.poll() is None
        time.sleep(0.01)
    workers = [Path(f"/proc/{pid}") for pid in children.read_text().split()]
    running.kill()
    running.wait()
    assert not list(job.folder.iterdir()) and len(workers) >= 2
    (part,) = job.checkpoints.iterdir()
    assert 0 < part.stat().st_size < n * 64 * 64 * 3
    for _ in range(1000):
        if not any(worker.exists() for worker in workers):
            break
        time.sleep(0.01)
    alive = [worker for worker in workers if worker.exists()]
    for worker in alive:
        os.kill(int(worker.name), signal.SIGKILL)
    assert not alive
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    read = np.load(job.folder / "images.npy", mmap_mode="r")
    expected = [area(picture, 64) for _, picture in images.tar_pictures(folder / "val_256.tar", "*", n).named()]
    assert np.array_equal(read, expected) and json.loads((job.folder / "set.json").read_text())["n"] == n
