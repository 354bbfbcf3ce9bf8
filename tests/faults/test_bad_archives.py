"""Faults of data: each ends in a sentence that says what is wrong and what to do, and leaves no file that looks whole.

| fault | a download: tests/unit/test_fetch.py | the step that reads the archive: here |
|---|---|---|
| 404 | test_404_is_final | |
| 500, then success | test_a_busy_server_is_asked_again | |
| connection cut, then resumed | test_a_cut_download_goes_on_where_it_was_cut | |
| wrong checksum | test_a_wrong_checksum_leaves_nothing | wrong checksum |
| HTML instead of a zip | test_a_web_page_is_no_archive | HTML instead of a zip |
| truncated archive | test_a_wrong_size_leaves_nothing | truncated .tar.gz, zip, tar, tar of tars |
| `../` entries | | `../` in a zip, in a tar |
| link entry | | link in a zip, in a tar |
| pickle with a payload | | payload in a pickle |
| disk full | test_the_disk_is_full_in_the_middle | disk full |
| wrong image count | | wrong count of a tar.gz, of a zip, of an index |
| corrupt JPEG in the middle | | corrupt JPEG in a zip, in a tar |
| missing registration set | test_what_no_program_may_download_is_explained... | missing form set, missing gone set |

Readers by themselves, with more forms of damage: tests/unit/test_readers.py. A job of the workflow that fails to
download: tests/miniature.
"""

import errno
import os
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import write_specs
from pydantic import TypeAdapter

from atebm.config.sets import ImageSet
from atebm.data import writers as build
from atebm.data.index import write_index
from atebm.data.prepare import write_set
from atebm.data.writers import encoded, pixels, tar, zipped
from atebm.pipeline.job import Job
from atebm.pipeline.step import Step
from atebm.utils.errors import DataError

CIFAR, CELEBA, PLACES, IMAGENET = (
    "cifar-10-python.tar.gz",
    "data512x512.zip",
    "val_256.tar",
    "ILSVRC2012_img_train.tar",
)
SETS: dict[str, dict[str, Any]] = {  # read from each of them, as config.yaml would have them
    CIFAR: {"reader": "archive", "archive": "cifar10", "split": "held_out", "size": 32, "count": 3},
    CELEBA: {"reader": "archive", "archive": "celebahq", "split": "train", "size": 32, "count": 3},
    PLACES: {"reader": "archive", "archive": "places365_small", "split": "held_out", "size": 32, "count": 3},
    IMAGENET: {"reader": "index", "archive": "imagenet", "split": "train", "count": 9},
}


def sound(path: Path) -> None:
    """The archive that belongs at `path`, of so many images as its set has."""
    if path.name == CIFAR:
        build.cifar(path, 10)
    elif path.name == IMAGENET:
        build.imagenet_train(path.parent)
    else:
        (zipped if path.suffix == ".zip" else tar)(path, faces())


def faces() -> dict[str, bytes]:
    return {f"a/{i}.jpg": encoded(image=pixels(64, 64, 3)) for i in range(3)}


# --- what is wrong with it --------------------------------------------------------------------------------------


def truncated(path: Path) -> None:
    sound(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def climbing(path: Path) -> None:
    (zipped if path.suffix == ".zip" else tar)(path, faces() | {"../evil.jpg": encoded()})


def linking(path: Path) -> None:
    if path.suffix == ".zip":
        zipped(path, faces())
        member = zipfile.ZipInfo("a/link.jpg")
        member.external_attr = 0o120777 << 16
        with zipfile.ZipFile(path, "a") as file:
            file.writestr(member, "/etc/passwd")
        return
    member = tarfile.TarInfo("a/link.jpg")
    member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with tarfile.open(path, "w") as file:
        file.addfile(member)


class Payload:
    """Unpickling it makes a folder."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("evil.jpg",)


def with_payload(path: Path) -> None:
    build.cifar(path, 10, test_batch=build.python3({"data": Payload(), "labels": [1]}))


def without_one(path: Path) -> None:
    if path.name == CIFAR:
        build.cifar(path, 10, 2)
    elif path.name == IMAGENET:
        build.imagenet_train(path.parent, n=2)
    else:
        zipped(path, dict(list(faces().items())[:2]))


def corrupt(path: Path) -> None:
    contents = faces()
    contents["a/1.jpg"] = contents["a/1.jpg"][:400]
    (zipped if path.suffix == ".zip" else tar)(path, contents)


def web_page(path: Path) -> None:
    path.write_bytes(b"<!DOCTYPE html><title>Google Drive - Quota exceeded</title>")


def another(path: Path) -> None:
    """Of the size that is documented, but not the file."""
    sound(path)
    content = bytearray(path.read_bytes())
    content[-20] ^= 1
    path.write_bytes(content)


def missing(path: Path) -> None:
    pass


@dataclass(frozen=True)
class Fault:
    file: str
    make: Callable[[Path], None]
    sentence: str
    known: bool = True  # whether size and checksum are those documented, so that only the contents can tell


FAULTS = {
    "wrong checksum": Fault(PLACES, another, r"is not the expected file: its md5 is .* Remove it, then: python", False),
    "HTML instead of a zip": Fault(CELEBA, web_page, r"it is a web page \(such as a log-in, quota or error page\)"),
    "truncated .tar.gz": Fault(CIFAR, truncated, r"cannot be read \(.*\); download it again from its official source"),
    "truncated zip": Fault(CELEBA, truncated, r"its directory cannot be read \(.*\); download it again"),
    "truncated tar": Fault(PLACES, truncated, "it is truncated or damaged after 'a/[01].jpg'; download it again"),
    "truncated tar of tars": Fault(IMAGENET, truncated, "it is truncated or damaged after .*; download it again"),
    "../ in a zip": Fault(CELEBA, climbing, "member '../evil.jpg' points outside the archive; download"),
    "../ in a tar": Fault(PLACES, climbing, "member '../evil.jpg' points outside the archive; download"),
    "link in a zip": Fault(CELEBA, linking, "member 'a/link.jpg' is a link or a device; download"),
    "link in a tar": Fault(PLACES, linking, "member 'a/link.jpg' is a link, a device or sparse; download"),
    "payload in a pickle": Fault(CIFAR, with_payload, r"member .*test_batch cannot be read \(.*run posix.mkdir"),
    "wrong count of a .tar.gz": Fault(CIFAR, without_one, "it holds 2 images instead of 3; download it again"),
    "wrong count of a zip": Fault(CELEBA, without_one, "it holds 2 images instead of 3; download it again"),
    "wrong count of an index": Fault(IMAGENET, without_one, "it holds 6 images instead of 9; download it again"),
    "corrupt JPEG in a zip": Fault(CELEBA, corrupt, r"member 'a/1.jpg' cannot be read \(.*\); download it again"),
    "corrupt JPEG in a tar": Fault(PLACES, corrupt, r"member 'a/1.jpg' cannot be read \(.*\); download it again"),
    "missing form set": Fault(IMAGENET, missing, r"is missing: .*Register at https://image-net.org.*fetch .* --from"),
    "missing gone set": Fault(CELEBA, missing, r"is missing: .*was deleted .*python -m atebm fetch .* --from"),
    "missing open set": Fault(CIFAR, missing, r"is missing: python -m atebm fetch cifar-10-python.tar.gz$"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_a_fault_of_an_archive_is_one_sentence_and_leaves_nothing(folder, documented, monkeypatch, fault):
    monkeypatch.chdir(folder.parent)  # where ../evil.jpg and the payload would go
    path = folder / fault.file
    if not fault.known:
        sound(path)
        documented(path)
    fault.make(path)
    if fault.known and path.exists():
        documented(path)
    before = everything(folder)
    assert_refused(folder, fault.file, rf"^set mine: .*{fault.sentence}")
    assert everything(folder) == before, "the archive itself was touched, or something lies beside it"
    assert not list(folder.parent.rglob("evil*"))


def test_a_full_disk_is_one_sentence_and_leaves_nothing(folder, documented, monkeypatch):
    sound(folder / CIFAR)
    documented(folder / CIFAR)

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np, "ascontiguousarray", full)  # of what is written next
        assert_refused(folder, CIFAR, r"^set mine: the disk of .* is full: images.npy needs 9,216 bytes. Make room")
    job = job_of(folder, CIFAR)
    write_set(job, folder)
    assert len(np.load(job.folder / "images.npy")) == 3


def job_of(folder: Path, file: str) -> Job:
    settings = SETS[file]
    checked = TypeAdapter[Any](ImageSet).validate_python(settings).model_dump()
    step = Step("index" if settings["reader"] == "index" else "data", "mine", checked)
    write_specs(folder.parent, step)
    return Job(folder.parent / step.spec_file)


def assert_refused(folder: Path, file: str, sentence: str) -> None:
    """The step ends in the sentence, a single line, and its folder, if there is one, is empty."""
    job = job_of(folder, file)
    with pytest.raises(DataError, match=sentence) as raised:
        (write_index if job.spec["kind"] == "index" else write_set)(job, folder)
    assert "\n" not in str(raised.value)
    assert everything(job.folder) == {}
    assert not [path for path in job.checkpoints.glob("*") if not path.name.startswith("images-")]


def everything(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
