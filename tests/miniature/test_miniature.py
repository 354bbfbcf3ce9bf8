"""The paper's own DAG, from nothing to its figures and tables, on miniatures of its archives that a server has.

Downloads, readers, networks, Inception and rules are those of scale paper; workflow/scales/miniature.yaml only counts
less. What the numbers of a prepared set have to be is tested in tests/unit; here, that everything fits together.
"""

import hashlib
import json
import subprocess
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import conftest
import numpy as np
import pandas as pd
import pytest
from conftest import REPOSITORY, checkout
from miniatures import GIVEN, INCEPTION, STATISTICS, Server, build_archives, miniature_sources, served

from atebm.config.load import load
from atebm.data import writers
from atebm.pipeline.plan import Plan
from atebm.pipeline.step import Step, ancestors
from atebm.report.tabulating import HERE
from atebm.utils.hashing import sha256

SCALE = "scale=miniature"
NEEDED = (  # by the artifacts whose archives can all be downloaded
    "cifar-10-python.tar.gz",
    "cifar-100-python.tar.gz",
    "train_32x32.mat",
    "train_256_places365standard.tar",
    "val_256.tar",
    INCEPTION,
    STATISTICS,
)
CHURCHES = ("church_outdoor_train_lmdb.zip", "church_outdoor_val_lmdb.zip")
# whose sets no one can download
BY_HAND = ("data512x512.zip", "ILSVRC2012_img_train.tar", "ILSVRC2012_img_val.tar", *CHURCHES)
PREPARED = (
    "cifar-10-python.tar.gz",
    "cifar-100-python.tar.gz",
    "train_32x32.mat",
    "test_32x32.mat",
    "train_256_places365standard.tar",
    "val_256.tar",
    "afhq.zip",
)


@dataclass
class Made:
    """A checkout, the archives that its data/sources.yaml describes, and the server that has them."""

    folder: Path
    archives: Path
    server: Server
    plan: Plan
    scale: str = SCALE

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return conftest.snakemake(self.folder, *arguments, "--config", self.scale, NO_PROXY="127.0.0.1")

    def atebm(self, *arguments: str) -> str:
        finished = conftest.run(self.folder, "python", "-m", "atebm", *arguments, PYTHONPATH=f"{self.folder}/src")
        assert finished.returncode == 0, said(finished)
        return finished.stdout

    def record(self, step: Step) -> dict[str, Any]:
        return json.loads((self.folder / step.record).read_text())

    def md5(self, file: str) -> str:
        return hashlib.md5((self.archives / file).read_bytes()).hexdigest()


def said(finished: subprocess.CompletedProcess[str]) -> str:
    return finished.stdout + finished.stderr


@pytest.fixture(scope="module", params=[pytest.param("all archives", marks=pytest.mark.slow)])
def empty(tmp_path_factory) -> Iterator[Made]:
    """A checkout that knows the server, before anything is done in it."""
    archives = tmp_path_factory.mktemp("served")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writers, "RANDOM", np.random.default_rng(0))
        build_archives(archives)
    folder = checkout(tmp_path_factory.mktemp("miniature") / "checkout")
    with served(archives) as server:
        documented = (REPOSITORY / "data/sources.yaml").read_text()
        (folder / "data/sources.yaml").write_text(miniature_sources(documented, archives, server))
        yield Made(folder, archives, server, Plan(load(folder, [SCALE])[0]))


@pytest.fixture(scope="module")
def made(empty: Made) -> Made:
    """After the command that makes all artifacts of 32 pixels."""
    finished = empty.snakemake(*[f"results/{artifact}.csv" for artifact in downloadable(empty.plan)])
    assert finished.returncode == 0, said(finished)
    assert empty.server.asked == Counter(NEEDED), "each file once, and no other"
    return empty


@pytest.fixture(scope="module")
def prepared(made: Made) -> Made:
    """After `prepared`, first without what no program may download, then with it."""
    alone = made.snakemake("--keep-going", "prepared")
    assert alone.returncode != 0 and "Traceback" not in said(alone)
    for file in BY_HAND:
        assert f"{file} (" in said(alone) and f"python -m atebm fetch {file} --from FILE" in said(alone)
    left = {step.name for step in made.plan.sets.values() if not (made.folder / step.record).exists()}
    given = {"celebahq256", "church256", "church256_val"}
    assert left == {name for name in names(made.plan) if "imagenet" in name} | given
    assert made.server.asked == Counter({*NEEDED, *PREPARED}), "what was here already was asked for again"
    for archive in GIVEN:
        made.atebm("fetch", archive, "--from", str(made.archives))
    finished = made.snakemake("prepared")
    assert finished.returncode == 0, said(finished)
    return made


@pytest.fixture(scope="module")
def everything(prepared: Made) -> Made:
    """After the commands that make all artifacts, those of 256 pixels too; the claims board is drawn at scale smoke."""
    finished = prepared.snakemake("all")
    assert finished.returncode == 0, said(finished)
    return prepared


def downloadable(plan: Plan) -> list[str]:
    """Artifacts that want no archive which no program may download."""
    archives = {name: {file for step in behind(plan, [name]) for file in step.archives} for name in plan.usual}
    return [name for name, files in archives.items() if not files & {*BY_HAND}]


def names(plan: Plan) -> set[str]:
    return {step.name for step in plan.sets.values()}


def of_kind(plan: Plan, kind: str) -> list[Step]:
    """Steps of the artifacts of 32 pixels."""
    return [step for step in behind(plan, downloadable(plan)) if step.kind == kind]


def behind(plan: Plan, artifacts: Iterable[str]) -> list[Step]:
    return list(ancestors(step for name in artifacts for step in plan.artifacts[name]).values())


def test_everything_is_there_and_fits_together(everything):
    for artifact in everything.plan.usual:
        assert list((everything.folder / "results").glob(f"{artifact}.*")), artifact
    assert "nothing to report" in everything.atebm("verify", "-C", SCALE)


def test_again_there_is_nothing_to_do(everything):
    again = everything.snakemake("all")
    assert again.returncode == 0 and "Nothing to be done" in said(again)


def test_the_scale_cuts_counts_and_changes_nothing_else():
    """Networks, readers, extractor, recipes are the paper's; all rivals run, and OOD masking's transfer."""
    paper, miniature = (load(REPOSITORY, [scale])[0].model_dump() for scale in ("scale=paper", SCALE))
    counts = {"count", "n", "seeds", "iterations", "epochs", "batch_size", "every", "steps", "m"}
    counts |= {"K", "K_start", "K_max", "epochs_per_K", "outer", "inner", "batch", "images", "repeats", "min_accuracy"}
    counts |= {"restarts", "queries", "radii", "step_sizes", "motion", "distances", "k", "buffer"}
    beyond = {"scale", "rivals", "transfer"}  # and titles, which no dump has
    assert set(differences(paper, miniature)) - counts == beyond


def differences(one: Any, other: Any, key: str = "") -> Iterator[str]:
    """The innermost keys under which two configurations differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in one.keys() | other.keys():
            yield from differences(one.get(name), other.get(name), name)
    elif one != other:
        yield key


def test_table_2_says_fid_and_how_many_images(made):
    table = pd.read_csv(made.folder / "results/table2.csv").set_index("approach")
    ours = table.loc[HERE]
    assert ours["data"] == "drawn shapes (for CIFAR-10)" and ours["weights"] == "trained here"
    assert ours["metric"] == "IS; FID of 10; KID" and ours["n_samples"] == 10 and ours["scale"] == "miniature"
    page = (made.folder / "results/table2.md").read_text()
    assert "FID of 10" in page and "a stand-in for CIFAR-10" in page and "neither FID nor IS" not in page
    extractor = sha256(made.folder / made.plan.extractor().files[0])
    assert ours["extractor"] == f"inception {extractor[:12]}"


def test_every_number_leads_back_to_the_archives(made):
    inception = made.record(made.plan.extractor())
    assert inception["archive"]["md5"] == made.md5(INCEPTION)
    for step in of_kind(made.plan, "metric"):
        extractor = made.record(step)["extractor"]
        assert (
            extractor["archive"] == inception["archive"]
            and extractor["sha256"] == inception["files"]["model.safetensors"]
        )
    sets = [made.record(step) for step in of_kind(made.plan, "data") if step.settings["reader"] == "archive"]
    read = {file: checksum for record in sets for file, checksum in record["archives"].items()}
    assert read == {file: {"md5": made.md5(file)} for file in NEEDED if file not in (INCEPTION, STATISTICS)}


def test_the_published_statistics_agree_with_ours(made):
    """They were computed of the same images by torch-fidelity alone."""
    (agreement,) = made.plan.agreement("cifar10")
    record = made.record(agreement)
    assert 0 <= record["value"] < 1e-3 and record["within"]
    assert record["archive"][STATISTICS] == {"md5": made.md5(STATISTICS)}
    assert "below 0.1: images and features are" in (made.folder / f"logs/metric/{agreement.id}.log").read_text()


def test_every_set_of_the_paper_is_prepared(prepared):
    for step in prepared.plan.sets.values():
        record = prepared.record(step)
        assert record["n"] == prepared.plan.config.sets[step.name].images
        if step.kind == "data":
            side = step.settings["size"]
            images = np.load(prepared.folder / step.files[0], mmap_mode="r")
            assert images.shape == (record["n"], side, side, 3) and images.std() > 10
    assert prepared.server.asked == Counter({*NEEDED, *PREPARED})


def test_a_256_pixel_run_trains_on_a_stream_of_imagenet(everything):
    run = everything.plan.train("celebahq256_scratch", 0)
    assert run.parents["p_0"].kind == "index"
    record = everything.record(run)
    assert record["iterations"] == 2 and np.isfinite(record["best"]["distance"])


def test_church_is_scored_at_two_resolutions(everything):
    table = pd.read_csv(everything.folder / "results/table3.csv", keep_default_na=False).set_index("approach")
    for approach in (HERE, f"{HERE}, all shrunk to 64x64"):
        row = table[table["dataset"] == "drawn shapes (for LSUN-Church 256)"].loc[approach]
        assert row["metric"] == "FID of 10" and float(row["measured_distance"]) > 0
