"""The paper's extractor against torch-fidelity's command, on the same files."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import configuration, typed
from PIL import Image
from torch_fidelity import calculate_metrics

from atebm.archives import catalogue as records
from atebm.config.messages import resolve
from atebm.data import writers as build
from atebm.data.stored import Stored
from atebm.evaluation.features import Extractor, extract, load_extractor, write_features
from atebm.evaluation.frechet import Gaussian, frechet_distance
from atebm.evaluation.inception import write_inception
from atebm.evaluation.inception_score import split_scores
from atebm.evaluation.metrics import agreement_in_words, kernel_distance, write_metric
from atebm.pipeline.job import Job
from atebm.pipeline.plan import Plan
from atebm.pipeline.step import Step
from atebm.utils.errors import DataError
from atebm.utils.hashing import canonical, sha256

FILE = "weights-inception-2015-12-05-6726825d.pth"
CPU = torch.device("cpu")
N = 20  # images of a set: a pass of 299 x 299 pixels each on a CPU


def job(root: Path, kind: str, name: str, settings: dict, **parents: Path) -> Job:
    spec = root / f"specs/{kind}/{name}-00000000.json"
    spec.parent.mkdir(parents=True, exist_ok=True)
    steps = {role: f"{folder.parent.name}/{folder.name}" for role, folder in parents.items()}
    spec.write_text(canonical({"kind": kind, "name": name, "settings": settings, "parents": steps, "revision": 1}))
    return Job(spec)


@pytest.fixture(scope="module")
def work(tmp_path_factory) -> Path:
    """A work/ with an extractor of random weights, in a file of the true layout."""
    root = tmp_path_factory.mktemp("inception")
    path = build.inception_weights(root / FILE)
    known = records.find("inception")[0].model_copy(update={"bytes": None, "sha256": sha256(path)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "sources", lambda: (known,))
        write_inception(job(root / "work", "extractor", "inception", {"kind": "inception"}), root)
    return root / "work"


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> list[Path]:
    """Two folders of images, flat colours with little noise and nothing but noise: as PNGs, and as a prepared set.

    So far apart that torch-fidelity's distance has seven digits: it adds up the roots of 2,048 eigenvalues, of which
    all but N - 1 are noise.
    """
    random = np.random.default_rng(0)
    flat = random.integers(226, size=(N, 1, 1, 3)) + random.integers(30, size=(N, 32, 32, 3))
    folders = []
    for name, array in (("flat", flat), ("noise", random.integers(256, size=(N, 32, 32, 3)))):
        folder = tmp_path_factory.mktemp("work") / f"data/{name}-00000000"
        folder.mkdir(parents=True)
        for i, image in enumerate(array.astype(np.uint8)):
            Image.fromarray(image).save(folder / f"{i:03}.png")
        np.save(folder / "images.npy", array.astype(np.uint8))
        folders.append(folder)
    return folders


def test_fid_is_and_kid_are_those_of_torch_fidelitys_command(work, images):
    extractor = load_extractor(work / "extractor/inception-00000000", CPU)
    theirs = calculate_metrics(
        input1=str(images[0]),
        input2=str(images[1]),
        fid=True,
        isc=True,
        isc_splits=3,
        kid=True,
        kid_subsets=10,
        kid_subset_size=N // 2,
        samples_shuffle=False,
        feature_extractor="inception-v3-compat",
        feature_extractor_weights_path=str(work.parent / FILE),
        cuda=False,
        cache=False,
        verbose=False,
        batch_size=extractor.batch,  # in batches of another size, float32 features would be rounded differently
        save_cpu_ram=True,
    )
    (ours, logits), (reference, _) = (extract(extractor, Stored(folder).batches(extractor.batch)) for folder in images)
    assert ours.shape == (N, 2048) and logits.shape == (N, 1008)
    score, distance = split_scores(logits, 3).mean(), frechet_distance(Gaussian.of(ours), Gaussian.of(reference))
    kid = kernel_distance(ours, reference, 10, N // 2)
    assert theirs["inception_score_mean"] > 1.1 and theirs["kernel_inception_distance_mean"] > 0.01
    assert score == pytest.approx(theirs["inception_score_mean"], rel=1e-9)
    assert distance == pytest.approx(theirs["frechet_inception_distance"], rel=1e-6)
    assert kid == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-9)


def test_features_are_written_as_they_come_and_as_numpy_would(work, images, monkeypatch):
    """In batches that do not divide the set; the files are what np.save writes."""
    (work / "data").mkdir(exist_ok=True)
    shutil.copytree(images[0], work / "data/flat-00000000")
    (work / "data/flat-00000000/set.json").write_text(canonical({"set": "flat"}))
    brightness = Extractor(lambda x: (x.float().mean((2, 3)), x.float().amax((2, 3))), 3)
    monkeypatch.setattr("atebm.evaluation.features.load_extractor", lambda *_: brightness)
    step = job(
        work,
        "features",
        "flat",
        {"n": 8, "size": None},
        images=work / "data/flat-00000000",
        extractor=work / "extractor/inception-00000000",
    )
    write_features(step, CPU)
    pixels = torch.from_numpy(np.load(images[0] / "images.npy")[:8]).float()
    for name, expected in (("features", pixels.mean((1, 2))), ("logits", pixels.amax((1, 2)))):
        found = np.load(step.folder / f"{name}.npy")
        assert found == pytest.approx(expected.numpy(), rel=1e-6) and found.dtype == np.float32
        np.save(work / "again.npy", found)
        assert (work / "again.npy").read_bytes() == (step.folder / f"{name}.npy").read_bytes()
    record = json.loads((step.folder / "features.json").read_text())
    assert record["n"] == 8 and record["extractor"]["archive"]["sha256"] == sha256(work.parent / FILE)


def test_grey_images_are_seen_as_coloured_ones(work):
    extractor = load_extractor(work / "extractor/inception-00000000", CPU)
    grey = torch.randint(256, (2, 1, 8, 8), dtype=torch.uint8)
    assert torch.equal(extract_one(extractor, grey), extract_one(extractor, grey.repeat(1, 3, 1, 1)))


def extract_one(extractor, images: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(extract(extractor, [images])[0])


def test_a_missing_or_another_file_is_told_and_nothing_is_left(work, tmp_path):
    extractor = job(tmp_path / "work", "extractor", "inception", {"kind": "inception"})
    with pytest.raises(DataError, match=f"{FILE} is missing: python -m atebm fetch {FILE}"):
        write_inception(extractor, tmp_path)
    build.inception_weights(tmp_path / FILE)
    with pytest.raises(DataError, match=r"it has [\d,]+ bytes, not 95,628,359"):
        write_inception(extractor, tmp_path)
    assert not extractor.folder.exists()


def test_weights_of_another_network_do_not_fit(tmp_path, monkeypatch):
    torch.save({"fc.weight": torch.zeros(1000, 2048)}, tmp_path / FILE)
    known = records.find("inception")[0].model_copy(update={"bytes": None, "sha256": None})
    monkeypatch.setattr(records, "sources", lambda: (known,))
    with pytest.raises(DataError, match=r"does not fit Inception: .*Conv2d_1a_3x3.conv.weight"):
        write_inception(job(tmp_path / "work", "extractor", "inception", {"kind": "inception"}), tmp_path)


# --- agreement with published statistics ------------------------------------------------------------------------


@pytest.fixture
def agreement(tmp_path, monkeypatch):
    """A function: the `agreement` metric of features (60, 4) with statistics (mu, sigma) of a published file."""
    features = np.random.default_rng(1).normal(size=(60, 4)).astype(np.float32)
    of_features = job(tmp_path / "work", "features", "cifar10", {"n": None})
    of_features.folder.mkdir(parents=True)
    np.save(of_features.folder / "features.npy", features)
    np.save(of_features.folder / "logits.npy", features)
    extractor = {"extractor": "inception", "kind": "inception", "classes": [], "sha256": "0"}
    of_features.finish({"images": {"set": "cifar10"}, "extractor": extractor, "n": 60})
    (source,) = records.find("cifar10_fid_statistics")
    known = source.model_copy(update={"sha256": None, "bytes": None})
    monkeypatch.setattr(records, "sources", lambda: (known,))
    monkeypatch.setattr("atebm.evaluation.metrics.ARCHIVES", tmp_path)

    def compute(**statistics) -> dict:
        if statistics:
            np.savez(tmp_path / source.file, **statistics)
        settings = {"metric": "agreement", "n": 60, "archive": source.archive, "max_distance": 0.1}
        name = "cifar10.to_cifar10_fid_statistics.agreement"
        step = job(tmp_path / "work", "metric", name, settings, features=of_features.folder)
        write_metric(step)
        return json.loads((step.folder / "metric.json").read_text())

    return features, compute


@pytest.mark.parametrize(
    ("moved", "distance", "within", "words"),
    [
        (0, pytest.approx(0, abs=1e-5), True, "below 0.1: images and features are prepared as in the original."),
        (
            0.1,
            pytest.approx(4 * 0.1**2, rel=1e-3),
            True,
            "the published statistics in fid_stats_cifar10_train.npz is 0.04, below",
        ),
        (
            0.2,
            pytest.approx(4 * 0.2**2, rel=1e-3),
            False,
            "warning: The Frechet distance between our features of cifar10 and",
        ),
        (
            9,
            pytest.approx(4 * 9**2, rel=1e-3),
            False,
            "the published statistics in fid_stats_cifar10_train.npz is 324, not below",
        ),
    ],
)
def test_statistics_agree_or_do_not_and_both_are_findings(agreement, capsys, moved, distance, within, words):
    features, compute = agreement
    record = compute(mu=features.mean(0) + moved, sigma=np.cov(features, rowvar=False))
    assert (record["value"], record["max_distance"], record["within"]) == (distance, 0.1, within)
    log = capsys.readouterr().out
    assert words in log and log.count("warning") == (not within)
    assert agreement_in_words(record) == log.splitlines()[-1].removeprefix("warning: ")


@pytest.mark.parametrize(
    "change",
    [
        {"mu": np.zeros(3)},
        {"mu": np.array([0, 0, 0, np.nan])},
        {"sigma": np.full((4, 4), np.nan)},
        {"mu": np.array([None])},
    ],
)
def test_statistics_that_are_none_are_refused(agreement, change):
    _, compute = agreement
    with pytest.raises(DataError, match=r"fid_stats_cifar10_train.npz: mu or sigma cannot be read"):
        compute(**{"mu": np.zeros(4), "sigma": np.eye(4), **change})


def test_statistics_that_are_missing_are_told_with_what_can_be_done_without_them(agreement, tmp_path):
    _, compute = agreement
    with pytest.raises(DataError) as told:
        compute()
    assert str(told.value) == (
        f"{tmp_path}/fid_stats_cifar10_train.npz is missing: python -m atebm fetch fid_stats_cifar10_train.npz. "
        "To draw Table 2 without it, set extractors.inception.published to null in config.yaml."
    )


def is_agreement(step: Step) -> bool:
    return step.kind == "metric" and step.settings["metric"] == "agreement"


def test_table_2_alone_is_drawn_from_the_agreement_and_no_step_waits_for_it():
    plan = Plan(typed("paper"))
    (agreement,) = filter(is_agreement, plan.steps.values())
    assert agreement in plan.artifacts["table2"]
    for name, steps in plan.artifacts.items():
        behind = [ancestor for step in steps for ancestor in step.ancestry() if is_agreement(ancestor)]
        assert behind == ([agreement] if name == "table2" else [])


@pytest.mark.parametrize("none", [None, {}, {"cifar10": None}])
def test_without_published_statistics_there_is_one_step_less_and_no_other_change(none):
    changed = configuration("paper")
    changed["extractors"]["inception"]["published"] = none
    with_them, without = Plan(typed("paper")), Plan(resolve(changed))
    assert without.known.keys() < with_them.known.keys()
    (gone,) = with_them.known.keys() - without.known.keys()
    assert is_agreement(with_them.known[gone])
    read = {file for step in without.steps.values() for file in step.archives}
    assert "fid_stats_cifar10_train.npz" not in read
