"""Archives that the paper's sets are read from, in small: as many drawn pictures, in the true formats, as are asked."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ..archives.catalogue import find
from ..archives.hub import folder_of, shards_in, write_shards
from ..utils.errors import DataError
from ..utils.hub import hub_of
from . import writers
from .writers import Pixels, coloured_shape, encoded, tar, zipped

WNIDS = ("n02", "n01", "n03")  # of coloured_shape's classes 0, 1 and 2
TRUTH = (1, 3, 2)  # of ImageNet's validation images, again and again, by the devkit's numbers
WNID_OF = {1: "n03", 2: "n01", 3: "n02"}  # as writers.imagenet_devkit has them
KNOWN = ("url", "mirrors", "bytes", "md5", "sha256", "unpacked_sha256")  # of a file that a miniature is not

Counts = Mapping[str, int]  # images by split, train and held_out; a miniature without one has FEW
FEW = 10
MULTIPLE = 30  # of which the numbers of images are multiples: of batches, and of classes


def write_miniature(archive: str, folder: Path, counts: Counts) -> None:
    """Write the files of an archive into `folder`. Raises DataError for an archive that is known in no small form."""
    train, held_out = counts.get("train", FEW), counts.get("held_out", FEW)
    if hub_of(archive):
        parquet(folder / archive, train)
        return
    if archive not in MINIATURES:
        raise DataError(f"archive {archive} can't be imitated; these can: {', '.join(MINIATURES)}.")
    MINIATURES[archive](folder, train, held_out)


def undocumented(text: str) -> dict[str, Any]:
    """Return data/sources.yaml without what is known of the true files: addresses, sizes and checksums."""
    records: dict[str, Any] = yaml.safe_load(text)
    for record in records.values():
        record["files"] = [{key: file[key] for key in file if key not in KNOWN} for file in record["files"]]
    return records


# --- one function per archive: its folder, training images, and held-out ones ---------------------------------------


def cifar10(folder: Path, train: int, held_out: int) -> None:
    writers.cifar(folder / "cifar-10-python.tar.gz", 10, train // 5, draw=coloured_shape, held_out=held_out)


def cifar100(folder: Path, train: int, held_out: int) -> None:
    writers.cifar(folder / "cifar-100-python.tar.gz", 100, train, draw=coloured_shape, held_out=held_out)


def svhn(folder: Path, train: int, held_out: int) -> None:
    writers.svhn(folder / "train_32x32.mat", train, coloured_shape)
    writers.svhn(folder / "test_32x32.mat", held_out, coloured_shape)


def places365(folder: Path, train: int, held_out: int) -> None:
    places = ("airfield", "attic", "apartment_building/outdoor")
    images = {
        f"data_256/a/{place}/{i:08}.jpg": encoded(image=coloured_shape(label, 256, 256))
        for label, place in enumerate(places)
        for i in range(1, train // len(places) + 1)
    }
    tar(folder / "train_256_places365standard.tar", images)
    val = {f"val_256/Places365_val_{i:08}.jpg": encoded(image=coloured_shape(i, 256, 256)) for i in range(held_out)}
    tar(folder / "val_256.tar", val)


def face(side: int) -> bytes:
    return encoded(image=coloured_shape(0, side, side))


def celebahq(folder: Path, train: int, _: int) -> None:
    zipped(folder / "data512x512.zip", {f"data512x512/{i:05}.jpg": face(512) for i in range(train)})


def celebamask_hq(folder: Path, train: int, _: int) -> None:
    images = {f"CelebAMask-HQ/CelebA-HQ-img/{i}.jpg": face(1024) for i in range(train)}
    mask = {"CelebAMask-HQ/CelebAMask-HQ-mask-anno/0/00000_skin.png": encoded("PNG", "L")}
    zipped(folder / "CelebAMask-HQ.zip", images | mask)


def celebahq_stargan(folder: Path, train: int, _: int) -> None:
    parts = [f"{split}/{kind}" for split in ("train", "val") for kind in ("female", "male")]
    zipped(folder / "celeba_hq.zip", {f"celeba_hq/{parts[i % len(parts)]}/{i:06}.jpg": face(256) for i in range(train)})


def afhq(folder: Path, train: int, held_out: int) -> None:
    images = {
        f"afhq/{split}/{animal}/{i:05}.jpg": encoded(image=coloured_shape(label, 512, 512))
        for split, n in (("train", train), ("val", held_out))
        for label, animal in enumerate(("cat", "dog", "wild"))
        for i in range(n if animal == "cat" else 1)
    }
    zipped(folder / "afhq.zip", images)


def lsun_church(folder: Path, train: int, held_out: int) -> None:
    for part, n in (("train", train), ("val", held_out)):
        keys = (hashlib.sha256(f"{i}".encode()).hexdigest()[:40] for i in range(n))
        images = {key: encoded("WEBP", image=coloured_shape(i, 256, 300)) for i, key in enumerate(keys)}
        writers.lmdb_zip(folder / f"church_outdoor_{part}_lmdb.zip", images)


def imagenet(folder: Path, train: int, held_out: int) -> None:
    truth = tuple(TRUTH[i % len(TRUTH)] for i in range(held_out))

    def validation_image(number: int, height: int, width: int) -> Pixels:
        return coloured_shape(WNIDS.index(WNID_OF[truth[number - 1]]), height, width)

    writers.imagenet_train(folder, WNIDS, train // len(WNIDS), coloured_shape, 280)
    writers.imagenet_val(folder, held_out, validation_image, 240)
    writers.imagenet_devkit(folder, truth)


def random_images_300k(folder: Path, train: int, _: int) -> None:
    np.save(folder / "300K_random_images.npy", np.stack([coloured_shape(i, 32, 32) for i in range(train)]))


def fashion_mnist(folder: Path, train: int, held_out: int) -> None:
    """Write all classes in turn."""
    for part, n in (("train", train), ("t10k", held_out)):
        images = np.stack([coloured_shape(i, 28, 28)[..., 0] for i in range(n)])
        writers.idx(folder / f"{part}-images-idx3-ubyte.gz", images)
        writers.idx(folder / f"{part}-labels-idx1-ubyte.gz", (np.arange(n) % 10).astype(np.uint8))


def inception(folder: Path, *_: int) -> None:
    (source,) = find("inception")
    writers.inception_weights(folder / source.file)


def cifar10_fid_statistics(folder: Path, *_: int) -> None:
    """Write statistics that nothing agrees with: Table 2 then says so."""
    (source,) = find("cifar10_fid_statistics")
    np.savez(folder / source.file, mu=np.zeros(2048), sigma=np.eye(2048))


MINIATURES: dict[str, Callable[..., None]] = {
    "cifar10": cifar10,
    "cifar100": cifar100,
    "svhn": svhn,
    "places365_small": places365,
    "celebahq": celebahq,
    "celebamask_hq": celebamask_hq,
    "celebahq_stargan": celebahq_stargan,
    "afhq_v1_cat": afhq,
    "lsun_church": lsun_church,
    "imagenet": imagenet,
    "random_images_300k": random_images_300k,
    "fashion_mnist": fashion_mnist,
    "inception": inception,
    "cifar10_fid_statistics": cifar10_fid_statistics,
}


def parquet(listing: Path, n: int) -> None:
    """Write shards as the package `datasets` does, and the list of them."""
    import pyarrow as pa
    from pyarrow import parquet as pq

    images = [{"bytes": face(256), "path": f"{i:05}.jpg"} for i in range(n)]
    columns = {"image": pa.array(images), "label": pa.array([i % 2 for i in range(n)], pa.int64())}
    features = {"image": {"_type": "Image"}, "label": {"names": ["female", "male"], "_type": "ClassLabel"}}
    told = {"huggingface": json.dumps({"info": {"features": features}})}
    shard = folder_of(listing) / "data/train-00000-of-00001.parquet"
    shard.parent.mkdir(parents=True)
    pq.write_table(pa.table(columns).replace_schema_metadata(told), shard)
    write_shards(listing, shards_in(folder_of(listing), listing.name))
