"""All archives of the paper in small: their formats are the true ones, their pictures are drawn, and a server has them.

Nothing in the product knows of them: a checkout's data/sources.yaml is replaced by one that has their checksums and the
server's addresses.
"""

import hashlib
import pickle
import tarfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import archive_builders as build
import numpy as np
import torch
import yaml
from archive_builders import coloured_shape, encoded, tar, zipped
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.metric_fid import fid_features_to_statistics

TRUTH = (1, 3, 2) * 2  # of ImageNet's validation images, by the devkit's numbers
WNIDS = ("n02", "n01", "n03")  # of coloured_shape's classes 0, 1 and 2
GIVEN = ("celebahq", "imagenet", "lsun_church")  # archives that no program may download
INCEPTION, STATISTICS = "weights-inception-2015-12-05-6726825d.pth", "fid_stats_cifar10_train.npz"


def build_archives(folder: Path) -> None:
    """Every archive that scale miniature reads, in `folder`; workflow/scales/miniature.yaml has their counts."""
    build.cifar(folder / "cifar-10-python.tar.gz", 10, 4, draw=coloured_shape, held_out=10)
    build.cifar(folder / "cifar-100-python.tar.gz", 100, 20, draw=coloured_shape)
    build.svhn(folder / "train_32x32.mat", 20, coloured_shape)
    build.svhn(folder / "test_32x32.mat", 10, coloured_shape)
    places365(folder)
    celebahq_and_afhq(folder)
    churches(folder)
    build.imagenet_train(folder, WNIDS, 4, coloured_shape, 280)
    build.imagenet_val(folder, len(TRUTH), validation_image, 240)
    build.imagenet_devkit(folder, TRUTH)
    build.inception_weights(folder / INCEPTION)
    np.savez(folder / STATISTICS, **statistics(folder))


def validation_image(number: int, height: int, width: int) -> np.ndarray:
    wnid = {1: "n03", 2: "n01", 3: "n02"}[TRUTH[number - 1]]  # as imagenet_devkit has them
    return coloured_shape(WNIDS.index(wnid), height, width)


def places365(folder: Path) -> None:
    train = {
        f"data_256/a/{place}/{i:08}.jpg": encoded(image=coloured_shape(label, 256, 256))
        for label, place in enumerate(("airfield", "attic", "apartment_building/outdoor"))
        for i in range(1, 21)
    }
    tar(folder / "train_256_places365standard.tar", train)
    val = {f"val_256/Places365_val_{i:08}.jpg": encoded(image=coloured_shape(i, 256, 256)) for i in range(1, 21)}
    tar(folder / "val_256.tar", val)


def celebahq_and_afhq(folder: Path) -> None:
    faces = {f"data512x512/{i:05}.jpg": encoded(image=coloured_shape(0, 512, 512)) for i in range(10)}
    zipped(folder / "data512x512.zip", faces)
    animals = {
        f"afhq/{split}/{animal}/{i:05}.jpg": encoded(image=coloured_shape(label, 512, 512))
        for split, n in (("train", 6), ("val", 10))
        for label, animal in enumerate(("cat", "dog", "wild"))
        for i in range(n if animal == "cat" else 1)
    }
    zipped(folder / "afhq.zip", animals)


def churches(folder: Path) -> None:
    for part, n in (("train", 6), ("val", 10)):
        contents = {
            hashlib.sha1(bytes([i])).hexdigest(): encoded("WEBP", image=coloured_shape(i, 256, 300)) for i in range(n)
        }
        build.lmdb_zip(folder / f"church_outdoor_{part}_lmdb.zip", contents)


def statistics(folder: Path) -> dict[str, np.ndarray]:
    """What TTUR published of CIFAR-10's training images, of the miniature's: by pickle and torch-fidelity alone."""
    with tarfile.open(folder / "cifar-10-python.tar.gz") as archive:
        files = [archive.extractfile(f"cifar-10-batches-py/data_batch_{i}") for i in range(1, 6)]
        rows = np.concatenate([pickle.load(file, encoding="bytes")[b"data"] for file in files if file])
    extractor = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], str(folder / INCEPTION))
    with torch.inference_mode():
        batches = torch.from_numpy(rows).reshape(-1, 3, 32, 32).split(50)
        return fid_features_to_statistics(torch.cat([extractor(batch)[0] for batch in batches]))


# --- where they come from ---------------------------------------------------------------------------------------


class Server(ThreadingHTTPServer):
    """Serves a folder at 127.0.0.1, and counts."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self.asked: Counter[str] = Counter()  # by name of the file

    def url(self, file: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{file}"


class Handler(SimpleHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked[self.path.lstrip("/")] += 1
        super().do_GET()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[Server]:
    with Server(folder) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:  # or else pytest would never end
            server.shutdown()
            thread.join()


def miniature_sources(documented: str, archives: Path, server: Server) -> str:
    """data/sources.yaml with the miniatures' sizes and checksums, and the server's addresses instead of the world's."""
    records = yaml.safe_load(documented)
    for record in records.values():
        for file in record["files"]:
            path = archives / file["file"]
            for known in ("url", "mirrors", "bytes", "md5", "sha256", "sha256_begins"):
                file.pop(known, None)
            if path.exists():
                content = path.read_bytes()
                file |= {"bytes": len(content), "md5": hashlib.md5(content).hexdigest()}
            if record["access"] == "open":
                file["url"] = server.url(file["file"])
    return yaml.safe_dump(records, sort_keys=False)
