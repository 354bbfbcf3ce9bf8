"""The paper's tables from archives that were written from public descriptions, apart from our builders and readers.

CelebA-HQ comes from the Hub here, by the one key of config.yaml that chooses it.
"""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import conftest
import numpy as np
import pandas as pd
import public_forms as forms
import pytest
import torch
from conftest import REPOSITORY, checkout, typed
from hub_server import hub_of
from miniatures import INCEPTION, STATISTICS, miniature_sources, served

from atebm.data import writers
from atebm.report.tabulating import HERE

# Nothing but what the three tables want: rivals have rows of their own, and trainings.
COUNTS = {  # images that `write_archives` writes, where scale miniature has others
    "cifar10": 60,
    "cifar10_test": 12,
    "cifar10_test_256": 12,
    "afhqcat256": 8,
    "church256": 8,
    "imagenet": 24,
    "imagenet_val": 12,
}
SETS = {name: {"count": count} for name, count in COUNTS.items()} | {"celebahq256": {"like": "celebahq256_hub"}}
CONFIG = ("scale=miniature", f"sets={json.dumps(SETS)}", "rivals=[]")
TABLES = ("results/table2.csv", "results/table3.csv", "results/table4.csv")
GIVEN = ("imagenet", "lsun_church")


def write_archives(folder: Path) -> None:
    """Everything that the three tables read at scale miniature, but the Hub's faces."""
    random = np.random.default_rng(27)
    forms.cifar10(folder / "cifar-10-python.tar.gz", random, 12)
    forms.cifar100(folder / "cifar-100-python.tar.gz", random, 20)
    forms.svhn(folder / "train_32x32.mat", random, 20)
    forms.svhn(folder / "test_32x32.mat", random, 10)
    forms.places365(folder, random, 60, 20)
    forms.afhq(folder / "afhq.zip", random, 8, 10)
    forms.church(folder / "church_outdoor_train_lmdb.zip", random, 8)
    forms.church(folder / "church_outdoor_val_lmdb.zip", random, 10)
    forms.imagenet(folder, random, 8, 12)
    writers.inception_weights(folder / "new.pth")  # torch's own layout; saved as in 2019
    torch.save(torch.load(folder / "new.pth"), folder / INCEPTION, _use_new_zipfile_serialization=False)
    (folder / "new.pth").unlink()
    np.savez(folder / STATISTICS, mu=np.zeros(2048), sigma=np.eye(2048))  # of other images: Table 2 has to say so


def write_faces(folder: Path) -> None:
    random = np.random.default_rng(28)
    for split, n in (("train-00000-of-00002", 5), ("train-00001-of-00002", 3), ("validation-00000-of-00001", 2)):
        faces = [forms.file_of(forms.scene(random, 256, 256), "PNG") for _ in range(n)]
        forms.shard(folder / f"data/{split}.parquet", faces, [i % 2 for i in range(n)], ("female", "male"))


@pytest.fixture(scope="module", params=[pytest.param("public forms", marks=pytest.mark.slow)])
def drawn(tmp_path_factory) -> Iterator[Path]:
    """A checkout after the sets were prepared and the three tables drawn."""
    archives, faces = tmp_path_factory.mktemp("served"), tmp_path_factory.mktemp("faces")
    write_archives(archives)
    write_faces(faces)
    folder = checkout(tmp_path_factory.mktemp("public") / "checkout")
    hub = typed("paper").sets["celebahq256_hub"]
    with served(archives) as server, hub_of(faces, hub.repository, hub.revision) as running:
        documented = (REPOSITORY / "data/sources.yaml").read_text()
        (folder / "data/sources.yaml").write_text(miniature_sources(documented, archives, server))
        atebm(folder, "fetch", hub.listing, "--url", running.url)
        for archive in GIVEN:
            atebm(folder, "fetch", archive, "--from", str(archives))
        finished = conftest.snakemake(folder, "prepared", *TABLES, "--config", *CONFIG, NO_PROXY="127.0.0.1")
        assert finished.returncode == 0, finished.stdout + finished.stderr
        yield folder


def atebm(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    finished = conftest.run(
        folder, "python", "-m", "atebm", *arguments, PYTHONPATH=f"{folder}/src", NO_PROXY="127.0.0.1"
    )
    assert finished.returncode == 0, finished.stdout + finished.stderr
    return finished


def test_table_2_says_that_the_statistics_are_of_other_images(drawn):
    table = pd.read_csv(drawn / "results/table2.csv").set_index("approach")
    assert table.loc[HERE]["n_samples"] == 10 and "FID of 10" in table.loc[HERE]["metric"]
    (agreement,) = (path for path in (drawn / "work/metric").glob("*.agreement-*/metric.json"))
    assert '"within": false' in agreement.read_text()


def test_table_3_names_the_faces_of_the_hub(drawn):
    table = pd.read_csv(drawn / "results/table3.csv", keep_default_na=False)
    ours = table[table["approach"] == HERE]
    assert len(ours) == 3 and all(float(value) > 0 for value in ours["measured_distance"])
    (record,) = (path.read_text() for path in (drawn / "work/data").glob("celebahq256-*/set.json"))
    assert record.count(".parquet") == 3 and '"n": 10' in record and "unverified" not in record


def test_table_4_has_measured_rows(drawn):
    table = pd.read_csv(drawn / "results/table4.csv", keep_default_na=False)
    measured = set(table[table["measured_auroc"] != ""]["dataset"])
    assert all(any(name in row for row in measured) for name in ("SVHN", "CIFAR-100", "ImageNet", "Uniform Noise"))
