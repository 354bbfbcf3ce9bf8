"""All archives of the paper in small: their formats are the true ones, their pictures are drawn, and a server has them.

They are those that `atebm rehearse` computes on. A checkout's data/sources.yaml is replaced by one that has their
checksums and the server's addresses.
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

import numpy as np
import torch
import yaml
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
from torch_fidelity.metric_fid import fid_features_to_statistics

from atebm.data.miniatures import undocumented, write_miniature

GIVEN = ("celebahq", "imagenet", "lsun_church")  # archives that no program may download
INCEPTION, STATISTICS = "weights-inception-2015-12-05-6726825d.pth", "fid_stats_cifar10_train.npz"


# As workflow/scales/miniature.yaml counts them.
COUNTS = {
    "cifar10": {"train": 20, "held_out": 10},
    "cifar100": {"train": 20, "held_out": 20},
    "svhn": {"train": 20, "held_out": 10},
    "places365_small": {"train": 60, "held_out": 20},
    "celebahq": {"train": 10},
    "afhq_v1_cat": {"train": 6, "held_out": 10},
    "lsun_church": {"train": 6, "held_out": 10},
    "imagenet": {"train": 12, "held_out": 6},
    "inception": {},
}


def build_archives(folder: Path) -> None:
    """Every archive that scale miniature reads, in `folder`."""
    for archive, counts in COUNTS.items():
        write_miniature(archive, folder, counts)
    np.savez(folder / STATISTICS, **statistics(folder))


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
    records = undocumented(documented)
    for record in records.values():
        for file in record["files"]:
            path = archives / file["file"]
            if path.exists():
                content = path.read_bytes()
                file |= {"bytes": len(content), "md5": hashlib.md5(content).hexdigest()}
            if record["access"] == "open":
                file["url"] = server.url(file["file"])
    return yaml.safe_dump(records, sort_keys=False)
