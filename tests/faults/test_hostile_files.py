"""Small files that say large things: each is refused in a sentence, within seconds and within some memory.

What a file says of a length, a count, a shape or a place decides nothing before it is compared with a bound. Forms of
damage that are no bombs: test_bad_archives.py; random damage: tests/fuzz.
"""

import gzip
import io
import json
import math
import pickle
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from bounds import bounded
from PIL import Image

from atebm.archives.catalogue import records
from atebm.archives.tensors import load_tensors
from atebm.data import writers as build
from atebm.data.folder import image_files, pixels
from atebm.data.readers.arrays import excluded_ids, npy_images, npz_arrays, read_idx, svhn_mat
from atebm.data.readers.images import decode, imagenet_devkit, imagenet_train, tar_pictures, zip_pictures
from atebm.data.readers.pickles import cifar_pickles, imagenet32_zips
from atebm.models.released import read as read_checkpoint
from atebm.utils.errors import DataError
from atebm.utils.hashing import is_sealed


@dataclass(frozen=True)
class Bomb:
    file: str
    make: Callable[[Path], object]
    read: Callable[[Path], object]
    sentence: str


# --- tars -------------------------------------------------------------------------------------------------------

END = bytes(1024)


def header(name: str, size: bytes, kind: bytes = tarfile.REGTYPE) -> bytes:
    """A tar header whose size field is anything, with the checksum that it should have."""
    member = tarfile.TarInfo(name)
    member.type = kind
    block = bytearray(member.tobuf(tarfile.GNU_FORMAT))
    block[124:136] = size.ljust(12, b"\0")
    block[148:156] = b"%06o\0 " % tarfile.calc_chksums(bytes(block))[0]
    return bytes(block)


def base256(size: int) -> bytes:
    """As GNU tar writes sizes that octal digits have no room for."""
    return bytes([0o200 if size >= 0 else 0o377]) + (size % 256**11).to_bytes(11, "big")


def told(kind: bytes, content: bytes, size: int | None = None) -> bytes:
    """A header about the next member, and its content, whatever size it states."""
    blocks = content + bytes(-len(content) % 512)
    return header("told", b"%011o" % (len(content) if size is None else size), kind) + blocks


def record(key: str, value: str) -> bytes:
    rest = f" {key}={value}\n".encode()
    length = next(n for n in range(len(rest), len(rest) + 9) if n == len(str(n)) + len(rest))
    return str(length).encode() + rest


IMAGE = header("a/1.jpg", b"%011o" % 4) + b"jpeg" + bytes(508)
SPARSE = [record("GNU.sparse.major", "1"), record("GNU.sparse.minor", "0"), record("GNU.sparse.name", "a/1.jpg")]
TARS = {
    "a negative size": (header("a/1.jpg", base256(-512)) + END, "a size of -512 bytes"),
    "a negative size that leads to the start": (header("a/1.jpg", base256(-1024)) + END, "a size of -1024 bytes"),
    "a negative size in octal": (header("a/1.jpg", b"-0000001000") + END, "a size of -512 bytes"),
    "a negative size of a folder": (header("a", base256(-512), tarfile.DIRTYPE) + END, "a size of -512 bytes"),
    "a negative size of a long name": (
        header("a", base256(-512), tarfile.GNUTYPE_LONGNAME) + IMAGE + END,
        "a size of -512 bytes",
    ),
    "a negative size that pax tells": (
        told(tarfile.XHDTYPE, record("size", "-1024")) + IMAGE + END,
        "a size of -1024 bytes",
    ),
    "a size that no number in pax is": (told(tarfile.XHDTYPE, record("size", "9" * 5000)) + IMAGE + END, "cannot be"),
    "a size of 2**80": (header("a/1.jpg", base256(2**80)) + END, "truncated or damaged after the start"),
    "a pax header of 8 GB": (told(tarfile.XHDTYPE, b"", 2**33 - 1) + IMAGE + END, "describe the next member"),
    "a long name of 8 GB": (told(tarfile.GNUTYPE_LONGNAME, b"", 2**33 - 1) + IMAGE + END, "describe the next"),
    "a comment of 8 GB": (told(tarfile.XGLTYPE, b"", 2**33 - 1) + IMAGE + END, "describe the next member"),
    "a pax header of digits": (told(tarfile.XHDTYPE, b"1" * 2**20) + IMAGE + END, "describe the next member"),
    "a short pax header of digits": (told(tarfile.XHDTYPE, b"1" * 2**13) + IMAGE + END, "a pax record has no end"),
    "pax records of no length": (told(tarfile.XHDTYPE, b"0 a=b\n") + IMAGE + END, "a pax record has no end"),
    "pax records that go back": (told(tarfile.XHDTYPE, b"-9 a=b\n") + IMAGE + END, "a pax record has no end"),
    "a map of a sparse file": (
        told(tarfile.XHDTYPE, b"".join(SPARSE)) + header("a", b"%011o" % 512) + b"9" * 15 + b"\n0\n" * 165 + END,
        "it is sparse",
    ),
    "a chain of maps": (
        header("a/1.jpg", b"0", tarfile.GNUTYPE_SPARSE) + bytes(512) + END,
        "'a/1.jpg' is a link, a device or sparse",
    ),
    "a name of 10,000 characters": (told(tarfile.GNUTYPE_LONGNAME, b"a" * 10000) + IMAGE + END, "10000 characters"),
    "a name without a member": (told(tarfile.GNUTYPE_LONGNAME, b"a") + END, "truncated or damaged"),
}


def in_a_tar(content: bytes) -> bytes:
    return header("n01.tar", b"%011o" % len(content)) + content + bytes(-len(content) % 512) + END


TAR_READERS: dict[str, tuple[str, Callable[[bytes], bytes], Callable[[Path], object]]] = {
    "a tar of images": ("set.tar", bytes, lambda path: tar_pictures(path, "*", 1)),
    "a tar of tars": ("train.tar", in_a_tar, lambda path: imagenet_train(path, 1)),
    "a tar of pickles": (
        "cifar.tar.gz",
        lambda tar: gzip.compress(tar, 1),
        lambda path: cifar_pickles(path, "train", 1),
    ),
    "the devkit": ("devkit.tar.gz", lambda tar: gzip.compress(tar, 1), lambda path: imagenet_devkit(path, 1)),
    "a tar of lists": ("exclude_cifar.tar", bytes, lambda path: excluded_ids({path: 0}, 10)),
}


@pytest.mark.parametrize("reader", TAR_READERS)
@pytest.mark.parametrize("tar", TARS)
def test_no_header_of_a_tar_makes_a_reader_loop(tmp_path, tar, reader):
    (content, sentence), (name, packed, read) = TARS[tar], TAR_READERS[reader]
    (tmp_path / name).write_bytes(packed(content))
    assert_refused(tmp_path / name, read, sentence)


# --- zips -------------------------------------------------------------------------------------------------------


def lying(content: bytes, size: int) -> Callable[[Path], None]:
    """A zip of one image, that states another size in its directory and in the member's own header."""

    def make(path: Path) -> None:
        build.zipped(path, {"a/1.jpg": content})
        raw = path.read_bytes()
        for signature, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
            where = raw.rfind(signature) + place
            raw = raw[:where] + struct.pack("<I", size) + raw[where + 4 :]
        path.write_bytes(raw)

    return make


def overlapping(path: Path) -> None:
    """A hundred members that are all the same bytes."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a/0.jpg", bytes(2**16))
        for number in range(1, 100):
            member = file.infolist()[0].__class__(f"a/{number}.jpg")
            for field in ("CRC", "compress_size", "file_size", "header_offset", "compress_type"):
                setattr(member, field, getattr(file.infolist()[0], field))
            file.filelist.append(member)


def packed_by(method: int) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w", method) as file:
            file.writestr("a/1.jpg", bytes(2**26))

    return make


def with_directory(size: int, there: int) -> Callable[[Path], None]:
    """A zip whose end says that its directory has so many bytes; zeros are there."""

    def make(path: Path) -> None:
        path.write_bytes(bytes(there) + struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 9, 9, size, 0, 0))

    return make


def many_members(path: Path) -> None:
    entry = struct.pack("<4s4B4HL2L5H2L", b"PK\x01\x02", 20, 3, 20, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0)
    size = 2**18 * (len(entry) + 9)
    directory = b"".join(entry + f"a/{number:05x}.j".encode()[:9] for number in range(2**18)) + entry
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, size, 0, 0)
    path.write_bytes(directory[:size] + end)


def read_all(path: Path) -> None:
    list(zip_pictures(path, "*", 1).named())


ZIPS = {
    "a size that is too small": Bomb("set.zip", lying(bytes(2**27), 1000), read_all, "a/1.jpg' cannot be read"),
    "a size that is too large": Bomb("set.zip", lying(b"jpeg", 2**32 - 2), read_all, "is too large"),
    "zeros": Bomb("set.zip", lying(bytes(2**25), 2**25), read_all, r"too large \(.* bytes unpack to 33554432"),
    "one member many times": Bomb("set.zip", overlapping, read_all, "its members overlap at byte"),
    "bzip2": Bomb("set.zip", packed_by(zipfile.ZIP_BZIP2), read_all, "compressed by an unsupported method"),
    "lzma": Bomb("set.zip", packed_by(zipfile.ZIP_LZMA), read_all, "compressed by an unsupported method"),
    "a directory that is not there": Bomb("set.zip", with_directory(5000, 0), read_all, "its directory cannot be read"),
    "a directory of 70 MB": Bomb("set.zip", with_directory(70_000_000, 1_000), read_all, "more than 67108864 bytes"),
    "a long name": Bomb(
        "set.zip", lambda path: build.zipped(path, {"a" * 60_000: b""}), read_all, "60000 characters, more than 255"
    ),
}

# --- pickles ----------------------------------------------------------------------------------------------------


def nested(depth: int, make: Callable[[Any], Any] = lambda inner: [inner, inner]) -> Any:
    """Of 2**depth parts for whoever takes them one by one, and of `depth` in a file and in memory."""
    value: Any = [1]
    for _ in range(depth):
        value = make(value)
    return value


def batch(**changes: Any) -> bytes:
    return pickle.dumps({"data": build.pixels(3, 3072), "labels": [1, 2, 3], **changes}, 4)


def array_of(raw: bytes, code: bytes = b"\x8c\x02u1", shape: bytes = b"K\x03M\x00\x0c\x86") -> bytes:
    """The opcodes of an array, with the opcodes of its type's name, of its shape and of its bytes."""
    dtype = b"cnumpy\ndtype\n" + code + b"K\x00K\x01\x87R(K\x03\x8c\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    start = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R(K\x01"
    return start + shape + dtype + b"\x89" + raw + b"tb"


def of_parts(data: bytes, labels: bytes = b"]") -> bytes:
    """The pickle of a batch, of opcodes."""
    return b"\x80\x04}(\x8c\x04data" + data + b"\x8c\x06labels" + labels + b"u."


LIST_BOMB = pickle.dumps(nested(40), 2)[2:-1]  # their opcodes alone
TUPLE_BOMB = pickle.dumps(nested(40, lambda inner: (inner, inner)), 2)[2:-1].replace(b"]q\x00K\x01a", b")q\x00")
STRING = b"B" + struct.pack("<I", 2**20) + bytes(2**20)
PICKLES = {
    "labels in labels": (batch(labels=nested(25)), "labels are not a list of whole numbers"),
    "labels in labels, as tuples": (
        batch(labels=nested(25, lambda inner: (inner, inner))),
        "not a list of whole numbers",
    ),
    "labels that are texts": (batch(labels=["1", "2", "3"]), "labels are not a list of whole numbers"),
    "labels of 2**70": (batch(labels=[2**70] * 3), "too large to convert|too big"),
    "pixels in pixels": (batch(data=nested(25)), "data is not an array"),
    "a type of types": (of_parts(array_of(STRING, code=LIST_BOMB)), "no dtype"),
    "a shape of shapes": (of_parts(array_of(STRING, shape=TUPLE_BOMB)), "not an array of numbers"),
    "a key of tuples": (b"\x80\x04}" + TUPLE_BOMB + b"K\x01s.", "a key of a dict is neither text nor a number"),
    "keys of tuples": (b"\x80\x04}(" + TUPLE_BOMB + b"K\x01u.", "a key of a dict is neither text nor a number"),
    "a dict of keys of tuples": (b"\x80\x04(" + TUPLE_BOMB + b"K\x01d.", "a key of a dict is neither text nor a"),
    "a set of tuples": (b"\x80\x04\x8f(" + TUPLE_BOMB + b"\x90.", "opcode 143 does not belong there"),
    "a place in the memo": (b"\x80\x04]r\xff\xff\xff\x7f.", "not a dict"),
    "a text of 2**60 bytes": (b"\x80\x04\x8e" + struct.pack("<Q", 2**60), "1152921504606846976 bytes where"),
    "a frame of 2**60 bytes": (b"\x80\x04\x95" + struct.pack("<Q", 2**60), "1152921504606846976 bytes where"),
    "bytes that can be changed": (b"\x80\x05\x96" + struct.pack("<Q", 2**40), "opcode 150 does not belong there"),
    "an object of a class": (b"(i__main__\nPath\n.", "opcode 105 does not belong there"),
    "a number of 100,000 digits": (b"I" + b"9" * 100_000 + b"\n.", "Exceeds the limit"),
    "millions of lists": (b"\x80\x04" + b"]" * 2**22, "it has more than 1048576 objects|is too large"),
    "a name of a megabyte": (b"c" + b"a" * 2**20 + b"\nb\n.", r"it would run a+\.\.\.;"),
}


def in_cifar(content: bytes) -> Callable[[Path], object]:
    return lambda path: build.cifar(path, 10, test_batch=content)


def in_imagenet32(content: bytes) -> Callable[[Path], object]:
    return lambda path: build.zipped(path, {"val_data": content})


# The name of an archive, what makes one around some content, and what reads it.
Reader = tuple[str, Callable[[bytes], Any], Callable[[Path], object]]
PICKLE_READERS: dict[str, Reader] = {
    "CIFAR": ("cifar-10-python.tar.gz", in_cifar, lambda path: cifar_pickles(path, "held_out", 3)),
    "ImageNet-32": ("val.zip", in_imagenet32, lambda path: list(imagenet32_zips(path, 3))),
}


def assert_refused_inside(folder: Path, bomb: tuple[bytes, str], reader: Reader) -> None:
    """A bomb inside an archive of the reader's kind is refused in its sentence."""
    (content, sentence), (name, make, read) = bomb, reader
    make(content)(folder / name)
    assert_refused(folder / name, read, sentence)


@pytest.mark.parametrize("reader", PICKLE_READERS)
@pytest.mark.parametrize("bomb", PICKLES)
def test_no_pickle_fills_the_memory_or_takes_for_ever(tmp_path, bomb, reader):
    assert_refused_inside(tmp_path, PICKLES[bomb], PICKLE_READERS[reader])


def test_a_hundred_arrays_of_one_string_are_not_made(tmp_path):
    """Each would be a copy of it; only the array that is asked for becomes one."""
    letters = build.pixels(2**22).tobytes().hex().encode()  # which a zip may pack so little
    text = b"X" + struct.pack("<I", len(letters)) + letters + b"q\x00"
    arrays = b"".join(b"\x8c\x02%02d" % n + array_of(b"h\x00") for n in range(100))
    data = array_of(b"B" + struct.pack("<I", 3 * 3072) + bytes(3 * 3072))
    content = (
        b"\x80\x04}(\x8c\x05first" + text + arrays + b"\x8c\x04data" + data + b"\x8c\x06labels](K\x01K\x02K\x03eu."
    )
    path = build.zipped(tmp_path / "val.zip", {"val_data": content})
    with bounded():
        ((images, labels),) = imagenet32_zips(path, 3)
    assert images.shape == (3, 32, 32, 3) and labels.tolist() == [0, 1, 2]


def test_names_in_names_are_refused(tmp_path):
    path = build.cifar(tmp_path / "cifar.tar.gz", 10, **{"batches.meta": pickle.dumps({"label_names": nested(25)})})
    assert_refused(path, lambda path: cifar_pickles(path, "held_out", 3), "label_names is not a list of names")


# --- arrays -----------------------------------------------------------------------------------------------------


def element(kind: int, content: bytes) -> bytes:
    return struct.pack("<II", kind, len(content)) + content + bytes(-len(content) % 8)


def matrix(kind: int, shape: tuple[int, ...], *parts: bytes, name: bytes = b"X") -> bytes:
    start = element(6, struct.pack("<II", kind, 0)) + element(5, struct.pack(f"<{len(shape)}i", *shape))
    return element(14, start + element(1, name) + b"".join(parts))


def mat(*variables: bytes) -> bytes:
    return b"MATLAB 5.0 MAT-file".ljust(116) + bytes(8) + b"\0\1IM" + b"".join(variables)


def squeezed(content: bytes) -> bytes:
    packed = zlib.compress(content, 9)
    return struct.pack("<II", 15, len(packed)) + packed


def deep_cells(depth: int) -> bytes:
    inner = matrix(6, (1, 1), element(9, bytes(8)), name=b"")
    for _ in range(depth):
        inner = matrix(1, (1, 1), inner, name=b"")
    return inner


MATS = {
    "2**30 cells": (mat(matrix(1, (32, 32, 3, 2**20))), "a matrix has 0 parts instead of"),
    "2**31 structs": (
        mat(matrix(2, (2**16, 2**15), element(5, struct.pack("<i", 8)), element(1, b"a".ljust(8)))),
        "a matrix has 0 parts instead of",
    ),
    "2**31 letters": (mat(matrix(4, (2**16, 2**15), element(1, b""))), "items has 0 bytes"),
    "2**31 numbers": (mat(matrix(9, (2**16, 2**15), element(2, b""))), "items has 0 bytes"),
    "a negative shape": (mat(matrix(9, (-1, 1), element(2, b""))), "a shape is negative"),
    "2**27 zeros": (mat(squeezed(matrix(9, (2**27, 1), element(2, bytes(2**27))))), "it unpacks to more than"),
    "a name of 2**27 zeros": (mat(squeezed(matrix(9, (1, 1), name=bytes(2**27)))), "it unpacks to more than"),
    "a thousand cells in each other": (mat(deep_cells(1000)), "does not belong there"),
    "an element of 4 GB": (mat(struct.pack("<II", 14, 2**32 - 8)), "an element is truncated"),
    "an object": (mat(matrix(17, (1, 1))), "neither numbers nor characters"),
    "another version": (mat()[:124] + b"\0\2IM", "not a MATLAB file of version 5"),
}


def in_devkit(content: bytes) -> Callable[[Path], object]:
    truth = "ILSVRC2012_validation_ground_truth.txt"
    return lambda path: build.tar(path, {"data/meta.mat": content, f"data/{truth}": b"1\n"}, "w:gz")


MAT_READERS: dict[str, Reader] = {
    "SVHN": ("test_32x32.mat", lambda content: lambda path: path.write_bytes(content), lambda path: svhn_mat(path, 3)),
    "the devkit": ("devkit.tar.gz", in_devkit, lambda path: imagenet_devkit(path, 1)),
}


@pytest.mark.parametrize("reader", MAT_READERS)
@pytest.mark.parametrize("bomb", MATS)
def test_no_shape_in_a_mat_fills_the_memory(tmp_path, bomb, reader):
    assert_refused_inside(tmp_path, MATS[bomb], MAT_READERS[reader])


def npy(shape: str, kind: str = "|u1") -> Callable[[Path], object]:
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return lambda path: path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text)


def idx(*sides: int) -> Callable[[Path], object]:
    content = struct.pack(f">BBBB{len(sides)}I", 0, 0, 8, len(sides), *sides)
    return lambda path: path.write_bytes(gzip.compress(content))


def npz(path: Path) -> None:
    member = io.BytesIO()
    np.lib.format.write_array_header_1_0(member, {"descr": "<f8", "fortran_order": False, "shape": (2**40,)})
    build.zipped(path, {"mu.npy": member.getvalue(), "sigma.npy": b""})


def read_npy(path: Path) -> object:
    return npy_images(path, 3)


def read_npz(path: Path) -> object:
    return npz_arrays(path, {"mu": (4,), "sigma": (4, 4)})


def listed(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def read_list(path: Path) -> object:
    return excluded_ids({path: 0}, 1000)


ARRAYS = {
    "a .npy of 2**40 images": Bomb(
        "i.npy", npy(f"({2**40}, 32, 32, 3)"), read_npy, "1099511627776 images instead of 3"
    ),
    "a .npy of 10**100 images": Bomb("i.npy", npy(f"({10**100}, 32, 32, 3)"), read_npy, "0000 images instead of 3"),
    "a .npy of brackets": Bomb("i.npy", npy("(" * 9000 + ")" * 9000), read_npy, "its array cannot be read"),
    "a .npy of fewer bytes": Bomb("i.npy", npy("(3, 32, 32, 3)"), read_npy, "its array cannot be read"),
    "a .npz of 2**40 numbers": Bomb("s.npz", npz, read_npz, "instead of floats of shape"),
    "an IDX of 2**96 bytes": Bomb("i.gz", idx(2**32 - 1, 2**32 - 1, 2**32 - 1), read_idx, "its array cannot be read"),
    "an IDX of 255 sides": Bomb("i.gz", idx(*[1] * 255), read_idx, "its array cannot be read"),
    "a .gz of zeros": Bomb(
        "i.gz", lambda path: path.write_bytes(gzip.compress(bytes(2**27))), read_idx, "it unpacks to more than"
    ),
    "many .gz in one": Bomb(
        "i.gz", lambda path: path.write_bytes(gzip.compress(bytes(2**22)) * 30), read_idx, "it unpacks to more than"
    ),
    "a list without a line": Bomb("list", listed(b"1" * 10**7), read_list, "a word is too long for a number"),
    "a list of all but one": Bomb(
        "list", listed(b"\n".join(b"%d" % n for n in range(999))), read_list, "the lists exclude 999 of 1000"
    ),
}

# --- tensors ----------------------------------------------------------------------------------------------------


def saved(value: Any) -> dict[str, bytes]:
    """Members of a file of torch.save."""
    file = io.BytesIO()
    torch.save(value, file)
    with zipfile.ZipFile(file) as archive:
        return {member.filename: archive.read(member) for member in archive.infolist()}


def checkpoint(
    change: Callable[[dict[str, bytes]], object], method: int = zipfile.ZIP_STORED
) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        members = saved({"weight": torch.ones(300)})
        change(members)
        with zipfile.ZipFile(path, "w", method) as archive:
            for name, content in members.items():
                archive.writestr(name, content)

    return make


def contents(pickled: bytes) -> Callable[[dict[str, bytes]], object]:
    return lambda members: members.update({"archive/data.pkl": pickled})


def more_numbers(members: dict[str, bytes]) -> None:
    """In the place of each 300, as a BININT2, of the storage and of the tensor."""
    pickled = members["archive/data.pkl"]
    assert pickled.count(b"M,\x01") == 2
    members["archive/data.pkl"] = pickled.replace(b"M,\x01", b"J\x00\x00\x00\x7f")


def expanded(path: Path) -> None:
    torch.save({"weight": torch.ones(1).expand(2**40)}, path)


def disguised(path: Path) -> None:
    """A tar whose name begins as the old files of torch do, with a member that leads back to itself."""
    path.write_bytes(header("a", base256(-512)) + END)


REFUSED = "damaged, or not a PyTorch checkpoint of tensors only"
CHECKPOINTS = {
    "a tensor that is one number": Bomb("m.pth", expanded, read_checkpoint, REFUSED),
    "a storage of more numbers": Bomb("m.pth", checkpoint(more_numbers), read_checkpoint, REFUSED),
    "a packed storage": Bomb("m.pth", checkpoint(lambda members: None, zipfile.ZIP_DEFLATED), read_checkpoint, REFUSED),
    "a key of tuples": Bomb(
        "m.pth", checkpoint(contents(b"\x80\x02}" + TUPLE_BOMB + b"K\x01s.")), read_checkpoint, REFUSED
    ),
    "a function of tuples": Bomb(
        "m.pth", checkpoint(contents(b"\x80\x02" + TUPLE_BOMB + b")R.")), read_checkpoint, REFUSED
    ),
    "bytes that can be changed": Bomb(
        "m.pth",
        checkpoint(contents(b"\x80\x02c__builtin__\nbytearray\nJ\xff\xff\xff\x7f\x85R.")),
        read_checkpoint,
        REFUSED,
    ),
    "a tar": Bomb("m.pth", disguised, read_checkpoint, REFUSED),
    "an old file of 2**40 numbers": Bomb(
        "m.pth",
        lambda path: torch.save({"w": torch.ones(1).expand(2**40)}, path, _use_new_zipfile_serialization=False),
        read_checkpoint,
        REFUSED,
    ),
    "a .safetensors of a long header": Bomb(
        "m.safetensors", listed(struct.pack("<Q", 2**60)), load_tensors, "its header is too long"
    ),
    "a .safetensors of 2**40 numbers": Bomb(
        "m.safetensors",
        lambda path: path.write_bytes(
            struct.pack("<Q", 128)
            + json.dumps({"w": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}).ljust(128).encode()
        ),
        load_tensors,
        "cannot be read as tensors",
    ),
}

# --- images -----------------------------------------------------------------------------------------------------


def png(width: int, height: int) -> bytes:
    """A grey PNG of zeros, which decodes to whatever size it states."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    stated = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + stated + chunk(b"IDAT", zlib.compress(bytes(2**20))) + chunk(b"IEND", b"")


def tiff(path: Path) -> None:
    """Of 8x8 pixels in one tile of 2**30, as TIFF's deflate packs it."""
    data = zlib.compress(bytes(2**20), 9)
    tags = [(256, 8), (257, 8), (258, 8), (259, 8), (262, 1), (277, 1), (322, 2**15), (323, 2**15), (324, 8)]
    tags.append((325, len(data)))
    table = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    path.write_bytes(
        b"II*\0" + struct.pack("<I", 8 + len(data)) + data + struct.pack("<H", len(tags)) + table + bytes(4)
    )


def of_kind(kind: str, **options: Any) -> Callable[[Path], None]:
    return lambda path: Image.new("RGB", (8, 8)).save(path, kind, **options)


def read_user(path: Path) -> object:
    return pixels(path, 3, 8)


def read_member(path: Path) -> object:
    return decode(path.read_bytes(), path, "a/1.png")


def scans(path: Path) -> None:
    """A progressive JPEG whose last scan comes ten thousand times."""
    Image.new("L", (4000, 4000), 128).save(path, "JPEG", progressive=True, quality=50)
    content = path.read_bytes()
    last = content[content.rindex(b"\xff\xda") : -2]
    path.write_bytes(content[:-2] + 10_000 * last + content[-2:])


def runs(path: Path) -> None:
    """A BMP of one line of 60 million pixels: one is there, and the end of the line."""
    data, start = b"\1\0" + b"\0\0" + b"\0\1", 14 + 40 + 1024
    stated = struct.pack("<IiiHHIIiiII", 40, 60_000_000, 1, 1, 8, 1, len(data), 0, 0, 256, 0)
    path.write_bytes(b"BM" + struct.pack("<IHHI", start + len(data), 0, 0, start) + stated + bytes(1024) + data)


NO_IMAGE = "cannot be read as an image"
IMAGES = {
    "70 million pixels": Bomb(
        "i.png", listed(png(7000, 10_000)), read_user, "7000x10000 is more than 67 million pixels"
    ),
    "100 million in a line": Bomb("i.png", listed(png(100_000_000, 1)), read_user, "is more than 67 million pixels"),
    "a billion pixels": Bomb("i.png", listed(png(100_000, 10_000)), read_user, "has more than 67 million pixels: make"),
    "a billion in an archive": Bomb("i.png", listed(png(100_000, 10_000)), read_member, "more than 67 million pixels"),
    "a tile of a billion": Bomb("i.tiff", tiff, read_user, "32768x32768 is more than 67 million pixels"),
    "ten thousand scans": Bomb("i.jpg", scans, read_user, "it has more than 100 scans"),
    "ten thousand scans in an archive": Bomb("i.jpg", scans, read_member, "it has more than 100 scans"),
    "a line of run lengths": Bomb("i.bmp", runs, read_user, "60000000x1 is more than 4 million pixels"),
    "PostScript": Bomb("i.eps", of_kind("EPS"), read_user, NO_IMAGE),
    "PostScript as a PNG": Bomb("i.png", of_kind("EPS"), read_user, NO_IMAGE),
    "a PDF": Bomb("i.pdf", of_kind("PDF"), read_user, NO_IMAGE),
    "an icon": Bomb("i.ico", of_kind("ICO"), read_user, NO_IMAGE),
}

BOMBS = {**ZIPS, **ARRAYS, **CHECKPOINTS, **IMAGES}


def assert_refused(path: Path, read: Callable[[Path], object], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence) as raised, bounded():
        read(path)
    assert path.name in str(raised.value), "where it is"
    assert "\n" not in str(raised.value) and len(str(raised.value)) < 1000


@pytest.mark.filterwarnings("ignore")  # of libraries, about what is damaged
@pytest.mark.parametrize("bomb", BOMBS)
def test_what_a_file_says_decides_neither_time_nor_memory(tmp_path, bomb):
    assert len(BOMBS) == len(ZIPS) + len(ARRAYS) + len(CHECKPOINTS) + len(IMAGES)
    path = tmp_path / BOMBS[bomb].file
    BOMBS[bomb].make(path)
    assert path.stat().st_size < 2**25
    assert_refused(path, BOMBS[bomb].read, BOMBS[bomb].sentence)


def test_only_formats_that_are_read_count_as_images(tmp_path):
    for name in ("a.eps", "a.ps", "a.pdf", "a.mpg", "a.psd", "a.wmf", "a.ico", "a.jpg", "a.PNG", "a.tif", "a.webp"):
        (tmp_path / name).touch()
    assert [path.name for path in image_files(tmp_path)] == ["a.PNG", "a.jpg", "a.tif", "a.webp"]


def test_the_largest_image_takes_a_bounded_memory(tmp_path):
    """Of 64 million pixels, RGBA and on its side: 4 bytes a pixel, and as many for what is made of it."""
    picture = Image.new("RGBA", (8000, 8000))
    exif = picture.getexif()
    exif[0x0112] = 6
    picture.save(tmp_path / "i.png", exif=exif, compress_level=1)
    del picture
    with bounded(60, 2 * 4 * 8000**2 + 2**26):
        assert pixels(tmp_path / "i.png", 3, 8).shape == (8, 8, 3)


# --- text -------------------------------------------------------------------------------------------------------


def test_names_in_yaml_that_stand_for_others_are_refused():
    text = "a: &a [1, 1]\n" + "\n".join(
        f"b{n}: &b{n} [*{a}, *{a}]" for n, a in enumerate(["a", *(f"b{n}" for n in range(30))])
    )
    with pytest.raises(DataError, match=r"data/sources.yaml: not YAML: the alias \*a is not allowed"), bounded():
        records(text)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000])
def test_brackets_in_brackets_are_no_record(text):
    with bounded():
        assert not is_sealed(text)
        with pytest.raises(DataError, match=r"data/sources.yaml"):
            records(text)


def test_the_bounds_themselves_fail():
    """Or else nothing above would show anything."""
    with pytest.raises(pytest.fail.Exception, match=r"more than 0.2 s"), bounded(0.2):
        while True:
            math.sqrt(2)
    with pytest.raises(MemoryError), bounded():
        bytearray(2**34)  # more than what earlier tests have left to this process
    with bounded():
        bytearray(2**20)
