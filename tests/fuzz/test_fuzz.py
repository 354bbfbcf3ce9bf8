"""Whatever comes from outside is read, or refused in a sentence: no other exception, no crash, nothing executed.

Each example ends within the bounds of `bounded`, on time and on memory; what it needs more counts as a failure. Files
that were made to need more, each for its own reason, are those of tests/faults/test_hostile_files.py.

Sound input of each target is damaged at random (of files their bytes, of the configuration its values) by Hypothesis,
the same way each time unless FUZZ_EXAMPLES says how many; `make soak` tries 10,000 per target.
"""

import gzip
import os
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import torch
import yaml
from bounds import bounded
from conftest import configuration
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from atebm.archives.catalogue import TABLE, records
from atebm.archives.tensors import load_tensors
from atebm.config.messages import resolve
from atebm.data import writers as build
from atebm.data.readers.arrays import excluded_ids, npy_images, npz_arrays, read_idx, svhn_mat
from atebm.data.readers.images import decode, imagenet_devkit, imagenet_train, tar_pictures, zip_pictures
from atebm.data.readers.pickles import cifar_pickles, imagenet32_zips
from atebm.inference.score import read_image as read_image
from atebm.models.released import read as read_checkpoint
from atebm.models.weights import save_weights
from atebm.training.checkpoint import load_state, save_state
from atebm.utils.errors import ConfigError, DataError
from atebm.utils.hashing import is_sealed, sealed

MANY = os.environ.get("FUZZ_EXAMPLES")
fuzzed = settings(
    max_examples=int(MANY or 60),
    derandomize=MANY is None,  # or else a suite of tests is another one each time
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)

# (where, how many bytes go, what takes their place); places and lengths are shares of the file's
Edit = tuple[float, float, bytes]
LARGE = [
    b"\xff" * 4,
    b"\xff" * 8,
    b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\x80" + bytes(7),
    b"-0000001",
    b"99999999",
]
edits = st.lists(
    st.tuples(
        st.floats(0, 1),
        st.sampled_from([0, 0, 0, 0.01, 0.2, 1]),
        st.binary(max_size=8) | st.sampled_from(LARGE),  # of numbers, those that are large or negative
    ),
    min_size=1,
    max_size=6,
)


def damaged(content: bytes, changes: list[Edit]) -> bytes:
    for where, gone, new in changes:
        start = int(where * len(content))
        content = content[:start] + new + content[start + max(len(new), int(gone * len(content))) :]
    return content


# --- files ------------------------------------------------------------------------------------------------------------


def npy(path: Path) -> Path:
    np.save(path, build.pixels(3, 32, 32, 3))
    return path


def idx(path: Path) -> Path:
    return build.idx(path, build.pixels(3, 4, 4))


def npz(path: Path) -> Path:
    np.savez(path, mu=np.zeros(4), sigma=np.eye(4))
    return path


def mat(path: Path) -> Path:
    scipy.io.savemat(path, {"X": build.pixels(32, 32, 3, 3), "y": np.ones((3, 1), np.uint8)})
    return path


def tar_of_tars(path: Path) -> Path:
    return build.imagenet_train(path.parent).replace(path)


def devkit(path: Path) -> Path:
    return unpacked(lambda path: build.imagenet_devkit(path.parent))(path)


def tar_of_lists(path: Path) -> Path:
    return build.tar(path, {"00M": b"1\n20\n", "01M": b"3\n", "l" * 120: b"4\n"})


def checkpoint(path: Path) -> Path:
    torch.save(CHECKPOINT, path)
    return path


def old_checkpoint(path: Path) -> Path:
    torch.save(CHECKPOINT, path, _use_new_zipfile_serialization=False)
    return path


def safetensors(path: Path) -> Path:
    save_weights({"weight": torch.ones(3, 2)}, path)
    return path


CHECKPOINT = {"state_dict": {"weight": torch.ones(3, 2), "bias": torch.zeros(3)}, "epoch": 3}


def state(path: Path) -> Path:
    save_state({"iteration": 3, "model": {"weight": torch.ones(3)}}, path.parent)
    return path


def picture(path: Path) -> Path:
    Image.fromarray(build.pixels(9, 7, 3)).save(path)
    return path


def pictures(path: Path) -> Path:
    contents = {f"a/{i}.png": build.encoded("PNG") for i in range(2)}
    return build.tar(path, contents) if path.suffix == ".tar" else build.zipped(path, contents)


def gzipped(read: Callable[[Path], Any]) -> Callable[[Path], Any]:
    """What damages the content of a .gz instead of the .gz, which is refused as a whole."""

    def of_content(path: Path) -> Any:
        path.write_bytes(gzip.compress(path.read_bytes(), 1))
        return read(path)

    return of_content


def cifar(path: Path) -> Path:
    return build.cifar(path, 10)


def unpacked(make: Callable[[Path], Path]) -> Callable[[Path], Path]:
    def made(path: Path) -> Path:
        path.write_bytes(gzip.decompress(make(path).read_bytes()))
        return path

    return made


FILES: dict[str, tuple[str, Callable[[Path], Any], Callable[[Path], Any]]] = {  # name, sound file, reader
    "CIFAR's tar.gz": ("cifar-10-python.tar.gz", cifar, lambda path: cifar_pickles(path, "held_out", 3)),
    "CIFAR's pickles": ("c.tar.gz", unpacked(cifar), gzipped(lambda path: cifar_pickles(path, "held_out", 3))),
    "ImageNet-32's zip": (
        "val.zip",
        lambda path: build.zipped(path, {"val_data": build.python3({"data": build.pixels(2, 3072), "labels": [1, 2]})}),
        lambda path: list(imagenet32_zips(path, 2)),
    ),
    "SVHN's mat": ("test_32x32.mat", lambda path: build.svhn(path, 3), lambda path: svhn_mat(path, 3)),
    "SVHN's mat, unpacked": ("test_32x32.mat", mat, lambda path: svhn_mat(path, 3)),
    "npz": ("statistics.npz", npz, lambda path: npz_arrays(path, {"mu": (4,), "sigma": (4, 4)})),
    "npy": ("images.npy", npy, lambda path: np.array(npy_images(path, 3))),
    "idx": ("i.gz", unpacked(idx), gzipped(read_idx)),
    "zip of images": ("i.zip", pictures, lambda path: list(zip_pictures(path, "*", 2).named())),
    "tar of images": ("i.tar", pictures, lambda path: list(tar_pictures(path, "*", 2).named())),
    "ImageNet's tar of tars": ("train.tar", tar_of_tars, lambda path: list(imagenet_train(path, 9).named())),
    "ImageNet's devkit": ("ILSVRC2012_devkit_t12.tar.gz", devkit, gzipped(lambda path: imagenet_devkit(path, 4))),
    "tar of lists": ("exclude_cifar.tar", tar_of_lists, lambda path: excluded_ids({path: 0}, 1000)),
    "image of an archive": ("i.png", picture, lambda path: decode(path.read_bytes(), path, "i")),
    "image of a user": ("i.png", picture, lambda path: read_image(path, 3, 8)),
    "JPEG of a user": ("i.jpg", picture, lambda path: read_image(path, 1, 8)),
    "GIF of a user": ("i.gif", picture, lambda path: read_image(path, 3, 8)),
    "TIFF of a user": ("i.tiff", picture, lambda path: read_image(path, 3, 8)),
    "checkpoint of others": ("model.pth", checkpoint, read_checkpoint),
    "old checkpoint of others": ("model.pth", old_checkpoint, read_checkpoint),
    "weights of a run": ("best.safetensors", safetensors, load_tensors),
    "state of a training": ("state.pt", state, lambda path: load_state(path.parent, torch.device("cpu"))),
}


@pytest.mark.filterwarnings("ignore")  # of libraries, about what is damaged
@pytest.mark.parametrize("target", FILES)
def test_a_damaged_file_is_read_or_refused_in_a_sentence(target, tmp_path):
    name, make, read = FILES[target]
    sound = make(tmp_path / name).read_bytes()

    @fuzzed
    @given(edits)
    def refused_or_read(changes: list[Edit]) -> None:
        path = tmp_path / name
        path.write_bytes(damaged(sound, changes))
        try:
            with bounded():
                read(path)
        except DataError as error:
            assert name in str(error) or str(tmp_path) in str(error), "where it is"
            assert "\n" not in str(error)

    refused_or_read()


# --- text -------------------------------------------------------------------------------------------------------------


@fuzzed
@given(edits)
def test_records_of_sources_are_read_or_refused_in_a_sentence(changes):
    text = damaged(TABLE.read_bytes()[:6000], changes).decode(errors="replace")
    try:
        with bounded():
            records(text)
    except DataError as error:
        assert "data/sources.yaml" in str(error)


@fuzzed
@given(edits)
def test_only_an_untouched_record_is_sealed(changes):
    record = sealed({"n": 3, "files": {"images.npy": "0" * 64}})
    text = damaged(record.encode(), changes).decode(errors="replace")
    with bounded():
        assert is_sealed(text) == (text == record)


# --- the configuration ------------------------------------------------------------------------------------------------

CONFIGURATION = configuration("smoke")
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["cifar10", ".."]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=4,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, inner in below for place in places(inner, (*path, key)))]


PLACES = places(CONFIGURATION)[1:]


@fuzzed
@given(st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from(["set", "delete", "add"]), values), max_size=3))
def test_any_configuration_is_accepted_or_refused_in_sentences(changes):
    config = deepcopy(CONFIGURATION)
    for (*parents, key), how, value in changes:
        at: Any = config
        for parent in parents:
            at = at[parent] if isinstance(at, dict) and parent in at else None
        if not isinstance(at, dict) or key not in at:
            continue
        if how == "delete":
            del at[key]
        else:
            at[key if how == "set" else f"{key}x"] = value
    try:
        with bounded():
            resolve(config)
    except ConfigError as error:
        assert str(error)


def test_the_sound_input_of_each_target_is_read(tmp_path):
    """Or else every mutant would be refused for the same fault."""
    for name, make, read in FILES.values():
        path = tmp_path / name
        make(path)
        read(path)
    records(TABLE.read_text(encoding="utf-8"))
    resolve(deepcopy(CONFIGURATION))
    assert yaml.safe_load(TABLE.read_bytes()[:6000]), "the part that is damaged is YAML"
