"""Miniature archives in the true formats, of random pixels or of what is drawn: for `atebm rehearse`, and for tests.

Not for who judges the readers: tests/public_forms.py writes the same formats from public descriptions alone.
"""

import colorsys
import gzip
import io
import pickle
import struct
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import lmdb
import numpy as np
import scipy.io
from numpy.typing import NDArray
from PIL import Image, ImageDraw

RANDOM = np.random.default_rng(0)
Pixels = NDArray[np.uint8]


def pixels(*shape: int) -> Pixels:
    """Return random pixels."""
    return RANDOM.integers(0, 256, shape, dtype=np.uint8)


Draw = Callable[[int, int, int], Pixels]  # class, height and width to pixels (height, width, 3)


def noise(label: int, height: int, width: int) -> Pixels:
    return pixels(height, width, 3)


def coloured_shape(label: int, height: int, width: int) -> Pixels:
    """Return what a network could learn: a class has its colour and its shape, on a background that fades."""
    side = min(height, width)
    above, below = RANDOM.integers(30, 226, (2, 3))
    fading = np.linspace(above, below, height).astype(np.uint8)
    picture = Image.fromarray(np.repeat(fading[:, None], width, axis=1))
    left, top = RANDOM.integers(0, (width - side // 2, height - side // 2), endpoint=True).tolist()
    colour = tuple(round(255 * part) for part in colorsys.hsv_to_rgb(label * 0.618 % 1, 1, 1))
    sides = (60, 3, 4)[label % 3]  # a disc, a triangle, a square
    ImageDraw.Draw(picture).regular_polygon((left + side // 4, top + side // 4, side // 4), sides, fill=colour)
    return np.array(picture)


def encoded(format: str = "JPEG", mode: str = "RGB", image: Pixels | None = None) -> bytes:
    """Return an image file, of 12 x 10 random pixels unless told."""
    file = io.BytesIO()
    Image.fromarray(pixels(10, 12, 3) if image is None else image).convert(mode).save(file, format)
    return file.getvalue()


def tar(path: Path, contents: dict[str, bytes], mode: Literal["w", "w:gz"] = "w") -> Path:
    with tarfile.open(path, mode) as file:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            file.addfile(member, io.BytesIO(content))
    return path


def zipped(path: Path, contents: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in contents.items():
            file.writestr(name, content)
    return path


def lmdb_zip(path: Path, contents: dict[str, bytes]) -> Path:
    """Write LSUN's form: a zip of one folder, named as it is, of data.mdb and lock.mdb."""
    with tempfile.TemporaryDirectory() as folder:
        with lmdb.open(folder, map_size=2**26) as environment, environment.begin(write=True) as transaction:
            for key, value in contents.items():
                transaction.put(key.encode(), value)
        return zipped(path, {f"{path.stem}/{file.name}": file.read_bytes() for file in Path(folder).iterdir()})


def idx(path: Path, array: Pixels) -> Path:
    """Write a gzipped IDX file of bytes, the format of MNIST."""
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    path.write_bytes(gzip.compress(header + array.tobytes()))
    return path


def inception_weights(path: Path, seed: int = 0) -> Path:
    """Write random weights in the layout of the 2015-12-05 Inception's file: torchvision's names, 1,008 outputs."""
    import torch
    from torchvision.models import inception_v3

    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = inception_v3(num_classes=1008, aux_logits=False, init_weights=False)
        for layer in network.modules():  # PyTorch's own initial weights would let differences of images fade
            if isinstance(layer, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        torch.nn.init.normal_(network.fc.weight)  # or all images would have the same probabilities, and a score of 1
        torch.save(network.state_dict(), path)
    return path


Pickler: Any = vars(pickle)["_Pickler"]  # the one in Python, whose parts can be replaced


class Python2Pickler(Pickler):
    """As Python 2 wrote the archives of CIFAR: text and bytes are the same, `str`."""

    dispatch = Pickler.dispatch.copy()

    def save_str(self, value: str | bytes) -> None:
        content = value.encode("latin1") if isinstance(value, str) else value
        self.write(b"T" + struct.pack("<i", len(content)) + content)
        self.memoize(value)

    dispatch[str] = dispatch[bytes] = save_str


def python2(value: Any) -> bytes:
    file = io.BytesIO()
    Python2Pickler(file, protocol=2).dump(value)
    return file.getvalue().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")  # as NumPy 1 had it


def python3(value: Any, protocol: int = 4) -> bytes:
    return pickle.dumps(value, protocol=protocol)


def cifar(
    path: Path,
    kind: int,
    n: int = 3,
    dump: Callable[[Any], bytes] = python2,
    draw: Draw = noise,
    held_out: int | None = None,
    **replaced: bytes,
) -> Path:
    """Write CIFAR-10's or CIFAR-100's archive, with n images a batch, and n held-out ones unless told."""

    def batch(n: int) -> bytes:
        labels = RANDOM.integers(kind, size=n).tolist()
        rows = np.stack([draw(label, 32, 32) for label in labels]).transpose(0, 3, 1, 2).reshape(n, 3072)
        data = {"data": rows, "filenames": ["a.png"] * n, "batch_label": "of 5"}
        if kind == 10:
            return dump(data | {"labels": labels})
        return dump(data | {"fine_labels": labels, "coarse_labels": [label // 5 for label in labels]})

    classes = [f"class {i}" for i in range(kind)]
    if kind == 10:
        contents = {f"data_batch_{i}": batch(n) for i in range(1, 6)}
        contents |= {"test_batch": batch(held_out or n), "readme.html": b"<p>"}
        contents["batches.meta"] = dump({"label_names": classes, "num_vis": 3072})
    else:
        contents = {"train": batch(n), "test": batch(held_out or n)}
        contents["meta"] = dump({"fine_label_names": classes, "coarse_label_names": classes[:20]})
    folder = {10: "cifar-10-batches-py", 100: "cifar-100-python"}[kind]
    return tar(path, {f"{folder}/{name}": content for name, content in (contents | replaced).items()}, "w:gz")


def svhn(path: Path, n: int, draw: Draw = noise) -> Path:
    """Write SVHN's train_32x32.mat or test_32x32.mat; its label of the digit 0 is 10."""
    labels = RANDOM.integers(1, 11, size=n)
    images = np.stack([draw(label, 32, 32) for label in labels.tolist()], axis=3)
    scipy.io.savemat(path, {"X": images, "y": labels[:, None].astype(np.uint8)}, do_compression=True)
    return path


def imagenet_train(
    folder: Path, wnids: tuple[str, ...] = ("n02", "n01", "n03"), n: int = 3, draw: Draw = noise, side: int = 10
) -> Path:
    """Write ILSVRC2012_img_train.tar with n images a class: a tar of tars, members and tars in no order."""
    inner = {}
    for label, wnid in enumerate(wnids):
        names = [f"{wnid}_{i}.JPEG" for i in (10, *range(1, n))]
        contents = {name: encoded(image=draw(label, side, side + side // 5)) for name in names}
        inner[f"{wnid}.tar"] = tar(folder / "inner", contents).read_bytes()
    (folder / "inner").unlink()
    return tar(folder / "ILSVRC2012_img_train.tar", inner)


def imagenet_val(folder: Path, n: int = 4, draw: Draw = noise, side: int = 10) -> Path:
    """Write ILSVRC2012_img_val.tar, in no order; an image is drawn by its number, from 1."""
    contents = {
        f"ILSVRC2012_val_{i:08}.JPEG": encoded(image=draw(i, side, side + side // 5)) for i in reversed(range(1, n + 1))
    }
    return tar(folder / "ILSVRC2012_img_val.tar", contents)


def imagenet_devkit(folder: Path, truth: tuple[int, ...] = (1, 3, 2, 1)) -> Path:
    """Write ILSVRC2012_devkit_t12.tar.gz: n03, n01, n02 are its classes 1, 2 and 3; `truth` has the images'."""
    kinds = [("ILSVRC2012_ID", "f8"), ("WNID", "O"), ("words", "O"), ("gloss", "O"), ("num_children", "f8")]
    rows = [(1, "n03", "c", "", 0), (2, "n01", "a, b", "", 0), (3, "n02", "d", "", 0), (4, "n09", "all", "", 3)]
    mat = io.BytesIO()
    scipy.io.savemat(mat, {"synsets": np.array(rows, kinds)[:, None]}, do_compression=True)
    lines = "".join(f"{number}\n" for number in truth).encode()
    contents = {"meta.mat": mat.getvalue(), "ILSVRC2012_validation_ground_truth.txt": lines}
    contents = {f"ILSVRC2012_devkit_t12/data/{name}": content for name, content in contents.items()}
    return tar(folder / "ILSVRC2012_devkit_t12.tar.gz", contents, "w:gz")
