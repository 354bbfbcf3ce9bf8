"""The paper's archives in small, written from public descriptions of their formats and not by what our readers want.

Independent of atebm.data.writers: pickles opcode by opcode, MAT files byte by byte, tars and zips with the clutter that
the true ones have. Sources: the publishers' format pages, MathWorks' MAT-File Format, pickletools, the schema that the
package `datasets` writes, and what public scripts say lies in the archives.
"""

import hashlib
import io
import json
import struct
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path

import lmdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.io
from PIL import Image

Random = np.random.Generator
WNIDS = ("n01440764", "n02106662", "n03888257")


def scene(random: Random, width: int, height: int) -> Image.Image:
    """A gradient with a box in it: what compresses as a photograph does."""
    rows, columns = np.mgrid[:height, :width]
    corner, colour, other = random.integers(0, 128, 2), random.integers(0, 256, 3), random.integers(0, 256, 3)
    share = ((rows / height + columns / width) / 2)[..., None]
    pixels = colour * share + other * (1 - share)
    box = slice(corner[0] * height // 256, None), slice(corner[1] * width // 256, width * 3 // 4)
    pixels[box] = random.integers(0, 256, 3)
    return Image.fromarray(pixels.astype(np.uint8))


def file_of(image: Image.Image, format: str = "JPEG", mode: str = "RGB") -> bytes:
    file = io.BytesIO()
    image.convert(mode).save(file, format)
    return file.getvalue()


def small(random: Random, n: int) -> np.ndarray:
    """(n, 32, 32, 3)."""
    return np.stack([np.asarray(scene(random, 32, 32)) for _ in range(n)])


# --- pickles of Python 2 ----------------------------------------------------------------------------------------------


def op_text(value: bytes) -> bytes:
    return b"U" + bytes([len(value)]) + value if len(value) < 256 else b"T" + struct.pack("<i", len(value)) + value


def op_number(value: int) -> bytes:
    return b"K" + bytes([value]) if value < 256 else b"M" + struct.pack("<H", value)


def op_list(items: list[bytes]) -> bytes:
    return b"](" + b"".join(items) + b"e"


def op_rows(rows: np.ndarray) -> bytes:
    """An array of bytes as NumPy 1 had Python 2 pickle it."""
    n, width = rows.shape
    made = b"cnumpy.core.multiarray\n_reconstruct\n" + b"cnumpy\nndarray\n" + b"K\x00\x85" + op_text(b"b") + b"\x87R"
    dtype = b"cnumpy\ndtype\n" + op_text(b"u1") + b"K\x00K\x01\x87R(K\x03" + op_text(b"|")
    dtype += b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    state = b"(K\x01" + op_number(n) + op_number(width) + b"\x86" + dtype + b"\x89" + op_text(rows.tobytes()) + b"tb"
    return made + state


def op_dict(items: dict[bytes, bytes]) -> bytes:
    return b"\x80\x02}(" + b"".join(op_text(key) + value for key, value in items.items()) + b"u."


def cifar10(path: Path, random: Random, n: int) -> np.ndarray:
    """cifar-10-python.tar.gz of n images a batch, members as the true one orders them; returns the test images."""

    def batch(label: bytes) -> tuple[bytes, np.ndarray]:
        images = small(random, n)
        rows = images.transpose(0, 3, 1, 2).reshape(n, 3072)
        names = [op_text(b"camion_s_%06d.png" % i) for i in range(n)]
        labels = [op_number(int(i)) for i in random.integers(0, 10, n)]
        items = {b"data": op_rows(rows), b"labels": op_list(labels), b"batch_label": op_text(label)}
        return op_dict(items | {b"filenames": op_list(names)}), images

    classes = b"airplane automobile bird cat deer dog frog horse ship truck".split()
    meta = {b"num_cases_per_batch": op_number(10000), b"label_names": op_list([op_text(name) for name in classes])}
    contents = {"data_batch_4": batch(b"training batch 4 of 5")[0], "readme.html": b'<meta HTTP-EQUIV="REFRESH">'}
    test, images = batch(b"testing batch 1 of 1")
    contents |= {"test_batch": test, "data_batch_3": batch(b"training batch 3 of 5")[0]}
    contents["batches.meta"] = op_dict(meta | {b"num_vis": op_number(3072)})
    contents |= {f"data_batch_{i}": batch(b"training batch %d of 5" % i)[0] for i in (2, 5, 1)}
    tar(path, {"cifar-10-batches-py": None} | {f"cifar-10-batches-py/{name}": data for name, data in contents.items()})
    return images


def cifar100(path: Path, random: Random, n: int) -> None:
    def part(label: bytes) -> bytes:
        rows = small(random, n).transpose(0, 3, 1, 2).reshape(n, 3072)
        fine, coarse = random.integers(0, 100, n), random.integers(0, 20, n)
        items = {b"filenames": op_list([op_text(b"bos_taurus_s_%06d.png" % i) for i in range(n)])}
        items |= {b"batch_label": op_text(label), b"fine_labels": op_list([op_number(int(i)) for i in fine])}
        return op_dict(items | {b"coarse_labels": op_list([op_number(int(i)) for i in coarse]), b"data": op_rows(rows)})

    names = {
        b"fine_label_names": op_list([op_text(b"fine%d" % i) for i in range(100)]),
        b"coarse_label_names": op_list([op_text(b"coarse%d" % i) for i in range(20)]),
    }
    contents = {"meta": op_dict(names), "file.txt~": b"", "train": part(b"training batch 1 of 1"), "test": part(b"t")}
    tar(path, {"cifar-100-python": None} | {f"cifar-100-python/{name}": data for name, data in contents.items()})


# --- MAT 5 ------------------------------------------------------------------------------------------------------------


def svhn(path: Path, random: Random, n: int) -> None:
    """X (32, 32, 3, n) and y (n, 1), each compressed by itself, as MATLAB on Linux saves them; the digit 0 is 10."""
    labels = random.integers(1, 11, n).astype(np.uint8)
    labels[0] = 10
    text = b"MATLAB 5.0 MAT-file, Platform: GLNXA64, Created on: Mon Dec  5 21:18:15 2011".ljust(124)
    parts = [text + struct.pack("<H", 0x0100) + b"IM"]
    for name, array in ((b"X", small(random, n).transpose(1, 2, 3, 0)), (b"y", labels[:, None])):
        dims = struct.pack(f"<{array.ndim}i", *array.shape)
        body = struct.pack("<IIII", 6, 8, 9, 0) + element(5, dims)
        body += struct.pack("<HH", 1, len(name)) + name.ljust(4, b"\0")  # a small element
        body += element(2, array.tobytes(order="F"))
        packed = zlib.compress(struct.pack("<II", 14, len(body)) + body)
        parts.append(struct.pack("<II", 15, len(packed)) + packed)
    path.write_bytes(b"".join(parts))


def element(kind: int, data: bytes) -> bytes:
    return struct.pack("<II", kind, len(data)) + data + bytes(-len(data) % 8)


# --- tars and zips ----------------------------------------------------------------------------------------------------


def tar(path: Path, contents: dict[str, bytes | None]) -> None:
    """A GNU tar with owners and, where there is no content, folders; gzipped by its name."""
    mode = "w:gz" if path.suffix == ".gz" else "w"
    with tarfile.open(path, mode, format=tarfile.GNU_FORMAT) as file:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.uid, member.gid, member.uname, member.gname, member.mtime = 1000, 1000, "kriz", "users", 1244000000
            member.type, member.mode = (tarfile.DIRTYPE, 0o755) if content is None else (tarfile.REGTYPE, 0o644)
            member.size = len(content or b"")
            file.addfile(member, io.BytesIO(content or b""))


def zipped(path: Path, contents: dict[str, bytes], deflated: bool = False) -> None:
    """A zip as Info-ZIP makes one: folders have entries, and members rights of Unix."""
    kind = zipfile.ZIP_DEFLATED if deflated else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "w", kind) as file:
        folders = {str(parent) + "/" for name in contents for parent in Path(name).parents if str(parent) != "."}
        for folder in sorted(folders):
            file.writestr(zipfile.ZipInfo(folder), b"")
        for name, content in contents.items():
            member = zipfile.ZipInfo(name, (2018, 5, 8, 12, 0, 0))
            member.external_attr, member.compress_type = 0o100644 << 16, kind
            file.writestr(member, content)


def places365(folder: Path, random: Random, n: int, n_val: int) -> None:
    """The resized images of Places365-Standard: folders by first letter, nested classes, some images grey."""
    places = ("a/airfield", "a/apartment_building/outdoor", "y/youth_hostel")
    contents: dict[str, bytes | None] = {"data_256": None, "data_256/a": None, "data_256/a/airfield": None}
    for place in places:
        for i in range(1, n // 3 + 1):
            mode = "L" if i == 2 else "RGB"
            contents[f"data_256/{place}/{i:08}.jpg"] = file_of(scene(random, 256, 256), mode=mode)
    tar(folder / "train_256_places365standard.tar", contents)
    val = {f"val_256/Places365_val_{i:08}.jpg": file_of(scene(random, 256, 256)) for i in range(1, n_val + 1)}
    tar(folder / "val_256.tar", {"val_256": None} | val)


def afhq(path: Path, random: Random, n: int, n_val: int) -> None:
    """AFHQ v1: deflated on a Mac, with its shadows of files."""
    contents = {"afhq/.DS_Store": b"\0\0\0\1Bud1"}
    for split, count in (("train", n), ("val", n_val)):
        for animal, prefix in (("cat", "flickr_cat"), ("dog", "pixabay_dog"), ("wild", "flickr_wild")):
            for i in range(count if animal == "cat" else 2):
                name = f"afhq/{split}/{animal}/{prefix}_{i:06}.jpg"
                contents[name] = file_of(scene(random, 512, 512))
                shadow = Path("__MACOSX") / Path(name).parent / f"._{Path(name).name}"
                contents[str(shadow)] = b"\0\5\x16\7" + bytes(60)
    zipped(path, contents, deflated=True)


def celebahq(path: Path, random: Random, n: int) -> None:
    zipped(path, {f"data512x512/{i:05}.jpg": file_of(scene(random, 512, 512)) for i in range(1, n + 1)})


def celebamask_hq(path: Path, random: Random, n: int) -> None:
    """Photographs of 1024 pixels, masks of 512, and tables."""
    folder = "CelebAMask-HQ"
    contents = {f"{folder}/CelebA-HQ-img/{i}.jpg": file_of(scene(random, 1024, 1024)) for i in range(n)}
    for i in range(n):
        for part in ("hair", "l_brow", "skin"):
            mask = file_of(scene(random, 512, 512), "PNG", "L")
            contents[f"{folder}/CelebAMask-HQ-mask-anno/0/{i:05}_{part}.png"] = mask
    contents[f"{folder}/CelebA-HQ-to-CelebA-mapping.txt"] = b"idx orig_idx orig_file\n"
    zipped(path, contents, deflated=True)


def celebahq_stargan(path: Path, random: Random, n: int) -> None:
    contents = {}
    for i in range(n):
        part = f"{'val' if i >= n - 2 else 'train'}/{('female', 'male')[i % 2]}"
        contents[f"celeba_hq/{part}/{i:06}.jpg"] = file_of(scene(random, 256, 256))
    zipped(path, contents)


def church(path: Path, random: Random, n: int) -> dict[str, bytes]:
    """LSUN: a database of webp files, keyed by 40 hexadecimal digits; returns it."""
    images = {hashlib.sha1(random.bytes(8)).hexdigest(): scene(random, 341 - i, 256 + i) for i in range(n)}
    contents = {key: file_of(image, "WEBP") for key, image in images.items()}
    with tempfile.TemporaryDirectory() as folder:
        with lmdb.open(folder, map_size=2**26) as environment, environment.begin(write=True) as transaction:
            for key, value in contents.items():
                transaction.put(key.encode(), value)
        zipped(path, {f"{path.stem}/{file.name}": file.read_bytes() for file in sorted(Path(folder).iterdir())})
    return contents


def imagenet(folder: Path, random: Random, n: int, n_val: int) -> None:
    """Training images of three classes, validation images in no order, and the development kit, which numbers anew."""
    inner: dict[str, bytes | None] = {}
    for wnid in reversed(WNIDS):
        images = {f"{wnid}_{i}.JPEG": file_of(scene(random, 500, 375)) for i in random.permutation(n).tolist()}
        images[f"{wnid}_0.JPEG"] = file_of(scene(random, 300, 280), "PNG" if wnid == WNIDS[1] else "JPEG")
        images[f"{wnid}_1.JPEG"] = file_of(scene(random, 300, 280), mode="CMYK" if wnid == WNIDS[0] else "L")
        tar(folder / "inner.tar", dict(images))
        inner[f"{wnid}.tar"] = (folder / "inner.tar").read_bytes()
    (folder / "inner.tar").unlink()
    tar(folder / "ILSVRC2012_img_train.tar", inner)
    numbers = (random.permutation(n_val) + 1).tolist()
    val = {f"ILSVRC2012_val_{i:08}.JPEG": file_of(scene(random, 500, 333)) for i in numbers}
    tar(folder / "ILSVRC2012_img_val.tar", dict(val))
    fields = ["ILSVRC2012_ID", "WNID", "words", "gloss", "num_children", "children", "wordnet_height"]
    rows = [(float(i + 1), wnid, "a, b", "gloss", 0.0, np.zeros((1, 0)), 3.0, n) for i, wnid in enumerate(WNIDS[::-1])]
    rows.append((1001.0, "n00001740", "entity", "all", 3.0, np.array([[1.0, 2.0, 3.0]]), 18.0, 0.0))
    synsets = np.array(rows, [(name, object) for name in (*fields, "num_train_images")])[:, None]
    mat = io.BytesIO()
    scipy.io.savemat(mat, {"synsets": synsets}, do_compression=True)
    truth = b"".join(b"%d\n" % i for i in random.integers(1, 4, n_val))
    kit = {"COPYING": b"", "readme.txt": b"", "evaluation": None, "data": None, "data/meta.mat": mat.getvalue()}
    kit["data/ILSVRC2012_validation_ground_truth.txt"] = truth
    named = {f"ILSVRC2012_devkit_t12/{name}": content for name, content in kit.items()}
    tar(folder / "ILSVRC2012_devkit_t12.tar.gz", {"ILSVRC2012_devkit_t12": None} | named)


# --- the Hugging Face Hub ---------------------------------------------------------------------------------------------


def shard(path: Path, images: list[bytes], labels: list[int] | None = None, names: tuple[str, ...] = ()) -> Path:
    """A shard as the package `datasets` pushes it to the Hub: struct<bytes, path>, few rows a group, features told."""
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    values = [{"bytes": data, "path": f"{i:05}.png"} for i, data in enumerate(images)]
    columns, features = {"image": pa.array(values, kind)}, {"image": {"_type": "Image"}}
    if labels is not None:
        columns["label"] = pa.array(labels, pa.int64())
        features["label"] = {"names": list(names), "_type": "ClassLabel"}
    table = pa.table(columns)
    told = json.dumps({"info": {"features": features}})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.replace_schema_metadata({"huggingface": told}), path, row_group_size=3)
    return path
