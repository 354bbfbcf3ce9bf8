"""Batches from sets of every size: the same bytes from device and disk, torchvision's own crops from image files."""

import io
import itertools
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import configuration, job_of, planned, run
from PIL import Image
from safetensors.torch import load_file
from snakemake.utils import update_config
from torchvision.transforms import v2

from atebm.config.augment import ResizedCropFlip
from atebm.config.messages import resolve
from atebm.data import stream as streams
from atebm.data.augment import EACH
from atebm.data.readers.images import tar_pictures
from atebm.data.stored import Stored, batch_indices, cuts
from atebm.data.stream import (
    Augmented,
    Indexed,
    Mapped,
    Recipe,
    Resident,
    Streamed,
    iterate_set,
    open_stream,
    workers_of,
)
from atebm.data.writers import pixels, tar
from atebm.pipeline.job import Job, record_of
from atebm.training import loop
from atebm.training.batches import batches
from atebm.training.checkpoint import load_state
from atebm.training.classifier import train_classifier
from atebm.training.distributed import ALONE, Group
from atebm.utils.errors import ConfigError, DataError
from atebm.utils.random import generator

CPU = torch.device("cpu")
CROP: dict[str, Any] = {"name": "resized_crop_flip", "probability": 1, "scale": [0.08, 1], "ratio": [0.75, 1.3333]}
ARRAYS = [
    {"name": "none"},
    {"name": "crop_flip"},
    CROP | {"probability": 0.5},
    {"name": "autoaugment_cutout", "fill": [0.5, 0.5, 0.5]},
]
N, BATCH = 22, 6  # three batches an epoch, and images that are left


def recipe(how: dict, rows: range = range(BATCH)) -> Recipe:
    return Recipe(how, BATCH, rows, seed=3, stream=2)


def prepared(root: Path, n: int = N, size: int = 8) -> Path:
    """The folder of a `data` step: noise."""
    folder = root / "work/data/noise-0"
    folder.mkdir(parents=True)
    np.save(folder / "images.npy", pixels(n, size, size, 3))
    np.save(folder / "labels.npy", np.arange(n) % 2)
    (folder / "set.json").write_text(json.dumps({"set": "noise", "n": n, "classes": ["even", "odd"]}))
    return folder


def pictures(n: int = N) -> dict[str, bytes]:
    """Image files of many sizes."""
    contents = {}
    for i in range(n):
        file = io.BytesIO()
        Image.fromarray(pixels(9 + i, 30 - i, 3)).save(file, "JPEG")
        contents[f"n{i % 2}/{i:02}.JPEG"] = file.getvalue()
    return dict(sorted(contents.items()))


def index(root: Path, contents: dict[str, bytes], unpacked: bool = False) -> Path:
    """The folder of an `index` step: of a tar, or of the folder that it unpacks to."""
    folder, archive = root / "work/index/files-0", root / "archives/files.tar"
    folder.mkdir(parents=True)
    archive.parent.mkdir(exist_ok=True)
    entries = tar_pictures(tar(archive, contents), "*", len(contents)).entries
    if unpacked:
        archive.unlink()
        archive = archive.with_suffix("")
        for name, content in contents.items():
            (archive / name).parent.mkdir(parents=True, exist_ok=True)
            (archive / name).write_bytes(content)
        entries["offset"] = 0
    np.save(folder / "entries.npy", entries)
    np.save(folder / "labels.npy", np.array([int(name[1]) for name in contents]))
    record = {"set": "files", "n": len(contents), "classes": ["n0", "n1"], "archive": str(archive.relative_to(root))}
    (folder / "set.json").write_text(json.dumps(record))
    return folder


def first(count: int, source: streams.Stream, start: int = 0) -> list[torch.Tensor]:
    found = [source.batch(iteration) for iteration in range(start, start + count)]
    source.close()
    return [torch.cat(parts) for parts in zip(*found, strict=True)]


def by_hand(contents: dict[str, bytes], iterations: int) -> torch.Tensor:
    """What torchvision makes of each image on its own, the random state set before."""
    crop = v2.RandomResizedCrop((12, 12), CROP["scale"], CROP["ratio"])
    transform = v2.Compose([v2.RandomApply([crop], 1.0), v2.RandomHorizontalFlip(), v2.PILToTensor()])
    made, files = [], list(contents.values())
    for iteration in range(iterations):
        for row, i in enumerate(batch_indices(N, BATCH, iteration, 3, 2).tolist()):
            torch.set_rng_state(generator(3, 2, iteration, row + 1).get_state())
            made.append(transform(Image.open(io.BytesIO(files[i]))))
    return torch.stack(made).float() / 255


# --- the three ways ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("how", ARRAYS, ids=lambda how: how["name"])
def test_from_disk_come_the_bytes_that_come_from_the_device(tmp_path, how, workers):
    stored = Stored(prepared(tmp_path))
    expected = first(5, Resident(stored.resident(), recipe(how)))
    found = first(5, Streamed(Mapped(stored, recipe(how)), CPU, workers))
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    assert found[0].shape == (5 * BATCH, 3, 8, 8) and len(found[0].unique(dim=0)) > N / 2


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("how", [how for how in ARRAYS if how["name"] in EACH], ids=lambda how: how["name"])
def test_workers_augment_to_the_bytes_that_come_from_the_device(tmp_path, how, workers):
    stored = Stored(prepared(tmp_path))
    expected = first(5, Resident(stored.resident(), recipe(how)))
    found = first(5, Streamed(Augmented(stored, recipe(how)), CPU, workers))
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    assert found[0].dtype == torch.float32 and found[0].is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("device", "cores", "made"), [("cuda", 2, Augmented), ("cuda", 1, Resident), ("cpu", 2, Resident)]
)
def test_a_gpu_waits_for_no_augmentation_image_by_image(tmp_path, monkeypatch, device, cores, made):
    """But where a single core would only take turns. What is augmented at once stays on the device."""
    monkeypatch.setattr(streams, "cores", lambda: cores)
    monkeypatch.setattr(streams, "memory_of", lambda device: 10**9)
    monkeypatch.setattr(Stored, "resident", lambda stored: torch.empty(0))
    folder = prepared(tmp_path)
    for how in ARRAYS:
        opened = open_stream(folder, recipe(how), torch.device(device), 1)
        expected = made if how["name"] in EACH else Resident
        assert type(getattr(opened, "batches", opened)) is expected, how


@pytest.mark.parametrize("unpacked", [False, True], ids=["tar", "folder"])
@pytest.mark.parametrize("workers", [0, 1, 3])
def test_image_files_are_cropped_as_torchvision_crops_them(tmp_path, workers, unpacked):
    contents = pictures()
    folder, expected = index(tmp_path, contents, unpacked), by_hand(contents, 5)
    state = torch.get_rng_state()
    for world in (1, 2):
        parts = []
        for rank in range(world):
            indexed = Indexed(folder, recipe(CROP, Group(rank, world).rows(BATCH)), (3, 12, 12))
            images, indices = first(5, Streamed(indexed, CPU, workers))
            parts.append(images.unflatten(0, (5, -1)))
            assert torch.equal(batch_indices(N, BATCH, 0, 3, 2)[indexed.recipe.rows], indices[: BATCH // world])
        found = torch.cat(parts, 1).flatten(0, 1)
        assert torch.equal(found, expected)
        assert images.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(torch.get_rng_state(), state), "streaming read or changed the global random state"


@pytest.mark.parametrize("workers", [0, 2])
def test_a_stream_can_start_and_go_back_anywhere(tmp_path, workers):
    folder = index(tmp_path, pictures())
    opened = Streamed(Indexed(folder, recipe(CROP), (3, 12, 12)), CPU, workers)
    expected = first(9, opened)
    for start in (4, 7, 2):  # in one that has been closed, and in one that is elsewhere
        for one in (opened, Streamed(Indexed(folder, recipe(CROP), (3, 12, 12)), CPU, workers)):
            found = first(2, one, start)
            assert torch.equal(found[0], expected[0][start * BATCH : (start + 2) * BATCH])
    assert [opened.batch(5)[1].tolist(), opened.batch(3)[1].tolist()] == [
        expected[1][5 * BATCH : 6 * BATCH].tolist(),
        expected[1][3 * BATCH : 4 * BATCH].tolist(),
    ]
    opened.close()
    assert not multiprocessing.active_children()


def test_a_whole_set_comes_in_its_order(tmp_path):
    """Of an array its images, of an index its files as Pillow stretches them."""
    folder, contents = prepared(tmp_path), pictures()
    images = torch.cat(list(iterate_set(folder, CPU, 5, 0)))
    assert np.array_equal(images.permute(0, 2, 3, 1), np.load(folder / "images.npy"))
    found = torch.cat(list(iterate_set(index(tmp_path, contents), CPU, 5, 16)))
    for image, file in zip(found, contents.values(), strict=True):
        squashed = Image.open(io.BytesIO(file)).resize((16, 16), Image.Resampling.BILINEAR)
        assert np.array_equal(image.permute(1, 2, 0), np.asarray(squashed))
    assert [(part.start, part.stop) for part in cuts(11, 5)] == [(0, 5), (5, 10), (10, 11)]


def test_what_fits_stays_and_the_log_says_so(tmp_path, monkeypatch, capsys):
    folder = prepared(tmp_path)
    bytes_of = N * 8 * 8 * 3
    for memory, kind, words in ((4 * bytes_of, Resident, "stay on"), (4 * bytes_of - 1, Streamed, "stream to")):
        monkeypatch.setattr(streams, "memory_of", lambda device, memory=memory: memory)
        assert isinstance(open_stream(folder, recipe(ARRAYS[0]), CPU, 1), kind)
        said = capsys.readouterr().out
        assert f"noise: 22 images, 0.0 MB, {words} cpu (at most 25% of its" in said
    assert os.sysconf("SC_PHYS_PAGES") > 0 and streams.RESIDENT_SHARE == 0.25


def test_workers_share_the_cores_that_this_process_may_use(monkeypatch):
    for available, processes, expected in ((1, 1, 0), (2, 1, 2), (64, 1, 8), (64, 16, 4), (4, 8, 0)):
        monkeypatch.setattr(streams, "cores", lambda available=available: available)
        assert workers_of(processes) == expected


# --- what goes wrong --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 2])
def test_a_damaged_image_is_one_sentence(tmp_path, workers):
    contents = pictures()
    contents["n1/07.JPEG"] = contents["n1/07.JPEG"][:200]
    opened = Streamed(Indexed(index(tmp_path, contents), recipe(CROP), (3, 12, 12)), CPU, workers)
    with pytest.raises(DataError) as caught:
        first(12, opened)
    assert str(caught.value).count("\n") == 0 and "member 'n1/07.JPEG' cannot be read" in str(caught.value)
    del caught
    opened.close()
    assert not multiprocessing.active_children()


def test_a_missing_archive_is_one_sentence(tmp_path):
    folder = index(tmp_path, pictures())
    shutil.rmtree(tmp_path / "archives")
    with pytest.raises(DataError, match=r"files.tar is missing, but the set files is an index of it: put it back."):
        open_stream(folder, recipe(CROP), CPU, 1, (3, 12, 12))


def test_a_killed_worker_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "cores", lambda: 2)
    opening = batches(index(tmp_path, pictures()), ResizedCropFlip(**CROP), BATCH, (3, 2), CPU, ALONE, (3, 12, 12))
    with pytest.raises(DataError, match=r"was killed \("), opening as opened:
        opened.batch(0)
        os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)  # one: torch reports each, whenever it may be
        for iteration in itertools.count(1):
            opened.batch(iteration)
    assert not multiprocessing.active_children()


def test_workers_outlive_the_signals_that_their_parent_gets(tmp_path):
    """Ctrl-C as often as you like; a second SIGTERM ends them, for it may be the parent's own."""
    opened = Streamed(Indexed(index(tmp_path, pictures()), recipe(CROP), (3, 12, 12)), CPU, 2)
    for iteration in range(2):  # one of each worker, which is then past its start
        opened.batch(iteration)
    workers = multiprocessing.active_children()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGINT):
        for worker in workers:
            os.kill(worker.pid, number)
    for iteration in range(2, 10):
        opened.batch(iteration)
    assert [worker.is_alive() for worker in workers] == [True, True]
    with pytest.raises((RuntimeError, ConnectionError, EOFError)):  # as `watched` has them
        os.kill(workers[0].pid, signal.SIGTERM)
        for iteration in itertools.count(10):
            opened.batch(iteration)
    opened.close()


def test_other_augmentations_make_no_batches_of_image_files(tmp_path):
    folder = index(tmp_path, pictures())
    for how in ARRAYS:
        with pytest.raises(ValueError, match="does not bring image files"):
            Indexed(folder, recipe(how), (3, 12, 12))
    with pytest.raises(ValueError, match="need a shape"):
        open_stream(folder, recipe(CROP), CPU, 1)


NO_CROP = {"name": "none", "probability": None, "scale": None, "ratio": None}
MISTAKES = {
    "runs.celebahq256.augment.p_0: none, but imagenet is an index": {
        "runs": {"celebahq256": {"augment": {"p_0": NO_CROP}}}
    },
    "pretrainings.imagenet.augment: probability 0.5, but imagenet is an index": {
        "pretrainings": {"imagenet": {"augment": {"probability": 0.5}}}
    },
    "pretrainings.imagenet.size is missing, but the images of an index differ in size": {
        "pretrainings": {"imagenet": {"size": None}}
    },
    "tasks.celebahq256.sources = 'imagenet', which is an index of image files: draw a set from it": {
        "tasks": {"celebahq256": {"sources": "imagenet"}}
    },
}


@pytest.mark.parametrize("sentence", MISTAKES)
def test_image_files_in_the_wrong_place_are_a_mistake_in_the_configuration(sentence):
    config = json.loads(json.dumps(configuration("paper")))  # an anchor's entries are one object in what YAML reads
    update_config(config, MISTAKES[sentence])
    with pytest.raises(ConfigError) as caught:
        resolve(config)
    assert f"config.yaml: {sentence}" in str(caught.value)


# --- whole trainings --------------------------------------------------------------------------------------------


def spec_with(smoke: tuple[Path, Any], root: Path, kind: str, parents: dict[str, str], **changes: Any) -> Job:
    """A spec of smoke's under `root`, with other parents, of which the test has written the folders."""
    step = job_of(smoke).spec if kind == "train" else planned("smoke").pretrain("imagenet").spec
    spec = {**step, "parents": parents, "settings": {**step["settings"], **changes}}
    file = root / f"work/specs/{kind}/mine-0.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(spec))
    return Job(file)


NETWORK = {"name": "small", "width": 4, "mean": [0.5] * 3, "std": [0.3] * 3}


def training(smoke: tuple[Path, Any], root: Path, contents: dict[str, bytes], iterations: int) -> Job:
    """A run whose p_0 is an index."""
    folders = {"p_data": prepared(root), "p_0": index(root, contents)}
    parents = {role: f"{folder.parent.name}/{folder.name}" for role, folder in folders.items()}
    settings = job_of(smoke).settings
    changes = {
        "augment": {"p_data": {"name": "crop_flip"}, "p_0": CROP},
        "schedule": {**settings["schedule"], "iterations": iterations},
    }
    return spec_with(smoke, root, "train", parents, network=NETWORK, monitor=None, **changes)


def test_a_run_on_image_files_that_is_stopped_and_resumed_equals_an_uninterrupted_one(smoke, tmp_path):
    """SIGTERM goes to the whole process group, workers included, as schedulers send it."""
    job = training(smoke, tmp_path / "whole", pictures(), 120)
    other = shutil.copytree(tmp_path / "whole", tmp_path / "stopped") / job.spec_file.relative_to(tmp_path / "whole")
    jobs = [job, Job(other)]
    loop.train(jobs[0], CPU)
    command = (sys.executable, "-u", "-m", "atebm", "step", str(jobs[1].spec_file), "--device", "cpu")
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )
    assert process.stdout is not None
    heard = list(itertools.takewhile(lambda line: "train cifar10 seed 0:" not in line, process.stdout))
    os.killpg(process.pid, signal.SIGTERM)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM, "".join(heard) + rest
    assert "stopped at iteration" in rest and "Traceback" not in rest and "worker" not in rest
    stopped = (load_state(jobs[1].checkpoints, CPU) or {"iteration": 0})["iteration"]
    assert 0 < stopped < 120
    loop.train(jobs[1], CPU)
    one, two = (load_file(job.folder / "last.safetensors") for job in jobs)
    assert one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)
    assert record_of(jobs[0].folder)["shape"] == [3, 8, 8]


def test_a_damaged_image_ends_a_run_with_one_sentence(smoke, tmp_path):
    contents = pictures()
    contents["n0/04.JPEG"] = b"no image"
    job = training(smoke, tmp_path, contents, 20)
    finished = run(tmp_path, "python", "-m", "atebm", "step", str(job.spec_file), "--device", "cpu")
    assert finished.returncode == 1
    (line,) = finished.stderr.splitlines()
    assert line.startswith("error: ") and "member 'n0/04.JPEG' cannot be read" in line


def test_a_pretraining_on_image_files_sees_them_at_its_size(smoke, tmp_path):
    folder = index(tmp_path, pictures())
    parents = dict.fromkeys(("p_data", "held_out"), f"index/{folder.name}")
    options = {"network": NETWORK, "augment": CROP, "size": 16, "batch_size": BATCH, "min_accuracy": 0.01}
    job = spec_with(smoke, tmp_path, "pretrain", parents, **options)
    train_classifier(job, CPU)
    record = record_of(job.folder)
    assert record["shape"] == [3, 16, 16] and record["classes"] == ["n0", "n1"]
    assert round(record["accuracy"] * N) == pytest.approx(record["accuracy"] * N)


# --- memory -----------------------------------------------------------------------------------------------------

LIMIT = 1.5e9  # bytes, of a process and its workers together


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells how much of its memory a process shares")
def test_a_large_index_and_a_large_array_stream_in_little_memory(tmp_path):
    """60,000 image files for 200 batches, then an array of 2 GB, in a process of their own."""
    script = Path(__file__).with_name("streaming.py")
    finished = run(tmp_path, "python", str(script), str(tmp_path))
    assert finished.returncode == 0, finished.stdout + finished.stderr
    memory = json.loads(finished.stdout)
    assert 1e8 < memory["index"] < LIMIT and memory["peak"] < LIMIT, memory
    assert memory["array"] < 3e8, memory  # three copies of 250 images are 0.15 GB
