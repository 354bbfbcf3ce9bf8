"""Out-of-distribution detection: its numbers by other ways, attack steps in shards, tables from hand-made records."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import REPOSITORY, planned, request_for, run, write_specs
from PIL import Image
from scipy import stats
from sklearn.metrics import roc_auc_score

from atebm.config.roles import CLEAN, HELD_OUT, IN, PUBLISHED, WORST
from atebm.data.prepare import write_set
from atebm.detection.attack_step import KEPT, attack_shard, guard
from atebm.detection.auroc import RESAMPLES, interval, measures
from atebm.detection.detection_step import write_detection
from atebm.detection.gather import gather_scores
from atebm.inference.score import score_images
from atebm.inference.trained import find
from atebm.pipeline.job import Job, record_of
from atebm.report import draw
from atebm.report.masking import checks
from atebm.training.loop import train
from atebm.utils.errors import ConfigError, DataError, ResultError
from atebm.utils.files import write_text
from atebm.utils.hashing import sealed

CPU = torch.device("cpu")


def scores(n: int, m: int, shift: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.normal(shift, 1, n), random.normal(0, 1, m)


# --- numbers ------------------------------------------------------------------------------------------------------


def test_measures_are_what_their_definitions_count():
    inside, outside = scores(40, 60, 1.2)
    inside[:5] = outside[:5] = 0.25  # ties
    found = measures(inside, outside)
    assert found["auroc"] == pytest.approx(stats.mannwhitneyu(inside, outside).statistic / (40 * 60))
    threshold = np.sort(inside)[::-1][int(np.ceil(0.95 * 40)) - 1]
    assert found["fpr95"] == pytest.approx((outside >= threshold).mean())
    thresholds = np.unique(np.concatenate([inside, outside]))[::-1]
    recall = np.array([0, *((inside >= t).mean() for t in thresholds)])
    precision = np.array([(inside >= t).sum() / ((inside >= t).sum() + (outside >= t).sum()) for t in thresholds])
    assert found["aupr"] == pytest.approx((np.diff(recall) * precision).sum())


def test_the_interval_is_as_wide_as_theory_says():
    """Of two normal distributions, the standard error by Hanley and McNeil's (1982) exact moments, by simulation."""
    inside, outside = scores(200, 300, 1.0)
    low, high = interval(inside, outside)
    drawn = [measures(*scores(200, 300, 1.0, seed))["auroc"] for seed in range(1, 201)]
    assert (high - low) / (2 * 1.96) == pytest.approx(np.std(drawn), rel=0.15)
    assert low < measures(inside, outside)["auroc"] < high


def test_in_and_out_are_resampled_apart():
    """One side with a single image, and the other, too: only the side that varies is seen to."""
    inside, outside = np.array([0.5]), np.linspace(0, 1, 101)
    low, high = interval(inside, outside)
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(0.25 / 101), rel=0.15)
    random = np.random.default_rng(0)
    weights = random.multinomial(101, np.full(101, 1 / 101), RESAMPLES)
    mean = [roc_auc_score([1] + [0] * 101, [0.5, *outside], sample_weight=[1, *row]) for row in weights[:200]]
    assert np.quantile(mean, 0.025) == pytest.approx(low, abs=0.03)


@pytest.mark.parametrize(("n", "m"), [(1024, 1024), (30, 500)])
def test_at_1_the_interval_is_exact(n, m):
    """As Clopper and Pearson's for as many pairs that share no image, all in order."""
    low, high = interval(np.ones(n), np.zeros(m))
    k = min(n, m)
    exact = stats.binomtest(k, k).proportion_ci(0.95)
    assert (low, high) == (pytest.approx(exact.low), 1)
    assert interval(np.zeros(n), np.ones(m)) == (0, pytest.approx(1 - exact.low))


# --- the steps ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def detector(smoke) -> tuple[Path, object]:
    """(root, plan): run cifar10_ood of scale smoke with two seeds, trained."""
    root, _ = smoke
    plan = planned("smoke")
    write_specs(root, plan.attack("cifar10_ood", 0))
    for name in ("digits", "textures", "noise"):
        write_set(Job(root / plan.data(name).spec_file))
    for seed in (0, 1):
        step = plan.train("cifar10_ood", seed)
        write_specs(root, step)
        train(Job(root / step.spec_file), CPU)
    return root, plan


def attack(root: Path, step, shards: int = 1) -> Path:
    """The folder of an attack step, computed in that many shards."""
    write_specs(root, step)
    job, files = Job(root / step.spec_file), []
    for index in range(shards):
        files.append(root / f"{step.id}.{index}.npz")
        attack_shard(job, f"{index}-of-{shards}", files[-1], CPU)
    gather_scores(job, files)
    return job.folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_shards_change_no_byte(detector):
    root, plan = detector
    step = plan.attack("cifar10_ood", 0, "small", batch_size=8, radii=[0.5, 1.0])
    one = contents(attack(root, step))
    assert contents(attack(root, step, 5)) == one == contents(attack(root, step, 40)), "more shards than batches"


def test_the_worst_case_is_the_worst_of_all_that_was_tried(detector):
    root, plan = detector
    folder = attack(root, plan.attack("cifar10_ood", 0))
    record, frame = record_of(folder), pd.read_csv(folder / "scores.csv")
    outside, inside = frame[frame["row"] != IN], frame[frame["row"] == IN]
    assert (outside[WORST] == outside[[CLEAN, PUBLISHED, "pgd_0.5", "square"]].max(axis=1)).all()
    assert (outside["distance"] <= 1 + 1e-5).all() and outside["distance"].max() > 0.9
    assert (outside[PUBLISHED] > outside[CLEAN]).mean() > 0.9
    assert (inside[WORST] == inside[CLEAN]).all() and (inside["radius"] == 0).all() and (inside["distance"] == 0).all()
    assert record["sets"].keys() == {IN, *plan.task("cifar10_ood").out_of_distribution}
    assert frame.groupby("row").size().eq(20).all() and not frame.duplicated(["row", "image"]).any()
    kept = np.load(folder / "images.npy")
    assert kept.shape == (4 * KEPT, 8, 8, 1) and kept.min() >= 0 and kept.max() <= 1


def test_kept_images_are_those_of_the_first_scores(detector):
    """By their model, they have the worst logits."""
    from atebm.models.weights import load_model
    from atebm.report.detection_figures import kept_of
    from atebm.report.needs import Result

    root, plan = detector
    step = plan.attack("cifar10_ood", 0)
    frame, images = kept_of(Result(attack(root, step)))
    model = load_model(Job(root / step.spec_file), CPU)
    with torch.inference_mode():
        logits = model(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()
    np.testing.assert_allclose(logits, frame[WORST], atol=1e-5)
    assert len(frame) == len(images)


def test_a_transferred_attack_climbs_another_model(detector):
    """What is found on the other seed's model is scored by this one, and is no better than its own gradients."""
    root, plan = detector
    alone = {"pgd": None, "square": None}
    own = pd.read_csv(attack(root, plan.attack("cifar10_ood", 0, "alone", **alone)) / "scores.csv")
    other = attack(root, plan.attack("cifar10_ood", 0, "transfer", other_seed=1, **alone))
    assert record_of(other)["surrogate"] == f"train/{plan.train('cifar10_ood', 1).id}"
    transferred = pd.read_csv(other / "scores.csv")
    assert (transferred[CLEAN] == own[CLEAN]).all()
    out = own["row"] != IN
    assert transferred.loc[out, PUBLISHED].mean() < own.loc[out, PUBLISHED].mean()


def test_an_attack_that_leaves_its_ball_is_no_result():
    x = torch.full((2, 1, 4, 4), 0.5)
    guard({"fine": x + 0.25}, x, 1.0)
    with pytest.raises(ResultError, match="attack far moved an image by 2"):
        guard({"far": x + 0.5}, x, 1.0)
    bright = torch.tensor([[0.5, 1.1]])
    with pytest.raises(ResultError, match=r"pixels in \[0\.5, 1\.1\]"):
        guard({"bright": bright}, bright, 1.0)


def test_detection_numbers_are_those_of_the_scores(detector):
    root, plan = detector
    step = plan.worst_case("cifar10_ood", 0)
    folder = attack(root, step.parents["attack"])
    write_specs(root, step)
    write_detection(Job(root / step.spec_file))
    found = pd.read_csv(root / step.folder / "detection.csv").set_index(["row", "attack"])
    frame = pd.read_csv(folder / "scores.csv")
    inside = frame.loc[frame["row"] == IN, CLEAN]
    for row in plan.task("cifar10_ood").out_of_distribution:
        for name in (CLEAN, PUBLISHED, WORST):
            outside = frame.loc[frame["row"] == row, name]
            area = roc_auc_score([1] * 20 + [0] * 20, [*inside, *outside])
            assert found.loc[(row, name), "auroc"] == pytest.approx(area)
    assert set(found["in"]) == {IN}, "the images in distribution are the held-out ones already"


def test_training_images_are_scored_beside_held_out_ones():
    plan = planned("demo")
    parents = plan.attack("afhqcat256", 0).parents
    assert (parents[IN].name, parents[HELD_OUT].name) == ("footwear", "footwear_held_out")
    assert plan.attack("cifar10_ood", 0).parents[IN].name == "fashion_held_out"


def test_logits_that_are_not_finite_give_no_number(tmp_path):
    plan = planned("smoke")
    step = plan.worst_case("cifar10_ood", 0)
    write_specs(tmp_path, step)
    folder = tmp_path / step.parents["attack"].folder
    folder.mkdir(parents=True)
    rows = [(IN, 1.0, 1.0), (IN, 2.0, 2.0), ("SVHN", 0.0, 1.5), ("SVHN", 0.5, np.inf)]
    frame = pd.DataFrame(rows, columns=["row", CLEAN, WORST]).assign(radius=[0, 0, 1, 1], image=0, distance=0)
    frame.to_csv(folder / "scores.csv", index=False)
    record = {
        "run": "r",
        "seed": 0,
        "checkpoint": "best",
        "sets": {IN: "a", "SVHN": "b"},
        "settings": {},
        "device": "cpu",
    }
    write_text(folder / "attack.json", sealed(record))
    write_detection(Job(tmp_path / step.spec_file))
    found = pd.read_csv(tmp_path / step.folder / "detection.csv").set_index("attack")
    assert found.loc[CLEAN, "auroc"] == 1 and np.isnan(found.loc[WORST, "auroc"])


# --- tables -------------------------------------------------------------------------------------------------------


def record(root: Path, kind: str, name: str, contents: dict, **frames: pd.DataFrame) -> str:
    folder = root / "work" / kind / name
    folder.mkdir(parents=True)
    contents = {"step": f"{kind}/{name}"} | contents
    (folder / {"train": "run.json"}.get(kind, f"{kind}.json")).write_text(json.dumps(contents))
    for file, frame in frames.items():
        frame.to_csv(folder / f"{file}.csv", index=False)
    return f"work/{kind}/{name}"


HOW = {"n": 9, "radii": [1.0], "auto_pgd": {"steps": 50, "restarts": 2}, "pgd": {"steps": 50, "step_sizes": [0.1]}}
HOW["square"] = {"queries": 30}
AREAS = {CLEAN: 0.9, PUBLISHED: 0.5, "pgd_0.1": 0.6, "square": 0.8, WORST: 0.4}


def detection_of(root: Path, name: str, run: str, seed: int, rows: list[str], scale=1.0) -> dict[str, str]:
    """Write a detection step and its training, and return both by role."""
    frame = pd.DataFrame(
        {"row": row, "set": f"set of {row}", "radius": float(attack != CLEAN), "attack": attack, "in": role}
        | {"auroc": area * scale, "low": area * scale - 0.1, "high": area * scale + 0.1}
        | {"aupr": 0.7, "fpr95": 0.3, "n_in": 9, "n_out": 9}
        for row in rows
        for attack, area in AREAS.items()
        for role in (IN, HELD_OUT)
    )
    contents = {"run": run, "seed": seed, "settings": HOW, "sets": {}}
    return {
        f"detection/{run}/{seed}": record(root, "detection", name, contents, detection=frame),
        f"train/{run}/{seed}": training_of(root, f"model-{name}", run, seed, 5000 if run.endswith("oe") else 500),
    }


def training_of(root: Path, name: str, run: str, seed: int, iterations: int) -> str:
    """Write a training, and return its folder."""
    contents = {"run": run, "seed": seed, "iterations": iterations, "gradient_steps": 20 * iterations}
    contents |= {"accuracy": 0.864} if run.endswith("oe") else {}
    log = pd.DataFrame({"iteration": [20, iterations], "K": 4, "loss": [0.7, 0.1]})
    return record(root, "train", name, contents, log=log)


def drawn(root: Path, artifact: str, needs: dict[str, str]) -> pd.DataFrame:
    return draw(request_for(root, artifact, needs), str(root / f"{artifact}.csv")).frame


ROWS4 = ["SVHN", "CIFAR-100", "ImageNet", "Uniform Noise"]
DIGITS, TEXTURES = "handwritten digits (for SVHN)", "textures (for CIFAR-100)"
LABELS4 = [DIGITS, TEXTURES, "crops of 7 other photographs (for ImageNet)", "Uniform Noise"]


def trainings(root: Path) -> dict[str, str]:
    """Write the trainings of both classifiers without attack, and return them by role."""
    ends = {"cifar10_ood_plain": 500, "cifar10_ood_plain_long": 2000}
    return {f"train/{name}/0": training_of(root, name, name, 0, iterations) for name, iterations in ends.items()}


def ebm(root: Path, distance: float) -> dict[str, str]:
    """Return what Table 4 needs of the energy-based model: its samples at a distance, its sources at 100."""
    values = {"distance/cifar10_ebm/0": distance, "sources/cifar10_ebm/0": 100}
    metrics = {
        role: record(root, "metric", f"{role.split('/')[0]}{distance:g}", {"metric": "frechet", "value": value})
        for role, value in values.items()
    }
    return metrics | detection_of(root, "ebm", "cifar10_ebm", 0, ROWS4, scale=0.3)


@pytest.mark.parametrize(("distance", "counts"), [(49, True), (51, False)])
def test_a_rival_that_generates_has_a_column_where_it_learnt_to(tmp_path, distance, counts):
    needs = trainings(tmp_path) | ebm(tmp_path, distance)
    needs |= detection_of(tmp_path, "ours", "cifar10_ood", 0, ROWS4)
    frame = drawn(tmp_path, "table4", needs).set_index(["setting", "dataset", "approach"])
    name = "EBM with a buffer of samples"
    assert (frame.loc[("Standard", DIGITS, name), "measured_auroc"] != "") == counts
    page = (tmp_path / "table4.md").read_text()
    assert (f"{name}, measured" in page) == counts
    assert (f"{name} has no column: its samples are more than 0.5 times as far" in page) != counts


def test_table_4_sets_what_was_measured_beside_what_was_published(tmp_path):
    needs = trainings(tmp_path)
    for seed in (0, 1):
        needs |= detection_of(tmp_path, f"ours{seed}", "cifar10_ood", seed, ROWS4, scale=1 - seed / 10)
        needs |= detection_of(tmp_path, f"oe{seed}", "cifar10_ood_oe", seed, ROWS4, scale=0.5)
    frame = drawn(tmp_path, "table4", needs).set_index(["setting", "dataset", "approach"])
    ours = frame.loc[("Worst-case", DIGITS, "Ours")]
    assert (ours["published_auroc"], ours["measured_auroc"]) == ("83.0", "47.50")  # mean of 50 and 45
    assert float(ours["measured_low"]) == pytest.approx(47.5 - stats.t.ppf(0.975, 1) * 2.5, abs=0.01)
    assert ours["seeds"] == 2 and ours["attack"] == PUBLISHED and ours["set"] == "set of SVHN"
    assert frame.loc[("Standard", TEXTURES, "OE"), ["published_auroc", "measured_auroc"]].tolist() == [
        "91.4",
        "45.00",
    ]
    worst = frame.loc[("Worst case of all attacks", DIGITS, "Ours")]
    assert (worst["published_auroc"], worst["measured_auroc"]) == ("", "38.00")
    assert frame.loc[("Standard", DIGITS, "JEM"), ["published_auroc", "measured_auroc"]].tolist() == ["89.3", ""]
    page = (tmp_path / "table4.md").read_text()
    lines = [line for line in page.splitlines() if line.startswith("| Standard")]
    assert [line.split("|")[2].strip() for line in lines] == LABELS4, "the paper's order"
    first = [[cell.strip() for cell in line.split("|")[1:5]] for line in page.splitlines() if "| Training" in line]
    assert first == [
        ["Training", "iterations", "500", "5000"],
        ["Training", "gradient steps", "10000", "100000"],
        ["Training", "accuracy on labels, %", "", "86.40"],
    ]
    assert "50 steps and 2 restarts (published: 100 and 5;" in page
    head = [name.strip() for name in page.splitlines()[2].split("|")]
    assert head[3] == "Adversarial training, measured" and "Ours, published (on the paper's data)" in head
    assert "0.1 after 500 iterations, 0.4 after 2000" not in page


def test_table_s8_has_held_out_images_beside(tmp_path):
    tasks = planned("demo").config.tasks
    runs = ("celebahq256", "afhqcat256", "church256")
    needs = {}
    for name in runs:
        needs |= detection_of(tmp_path, name, name, 0, list(tasks[name].out_of_distribution))
    frame = drawn(tmp_path, "tableS8", needs).set_index(["setting", "dataset", "approach"])
    footwear = "footwear of Fashion-MNIST 16x16 (for AFHQ-CAT 256)"
    cell = frame.loc[("Worst-case", DIGITS, footwear)]
    assert (cell["published_auroc"], cell["measured_auroc"], cell["measured_low"]) == ("0.9880", "0.5000", "0.4000")
    assert cell["measured_auroc_held_out"] == "0.5000"
    same = frame.loc[("Standard", footwear, footwear)]
    assert (same["published_auroc"], same["measured_auroc"]) == ("", ""), "a set is not told from itself"


def masking(
    transferred: float | None = 0.7, large: float = 0.0, few: float = 0.6, square: float = 0.8
) -> dict[str, bool]:
    rows = [
        ("main", 0.0, CLEAN, 0.9, 50, False),
        ("main", 1.0, PUBLISHED, 0.5, 50, False),
        ("main", 1.0, "square", square, 50, False),
        ("main", 1.0, WORST, 0.4, 50, False),
        ("radii", 0.5, PUBLISHED, 0.7, 50, False),
        ("radii", 4.0, PUBLISHED, large, 50, False),
        ("steps", 1.0, PUBLISHED, few, 5, False),
        ("transfer", 0.0, CLEAN, 0.9, 50, True),
        ("transfer", 1.0, PUBLISHED, transferred, 50, True),
    ]
    rows = [row for row in rows if transferred is not None or not row[-1]]
    frame = pd.DataFrame(rows, columns=["step", "radius", "attack", "auroc", "steps", "transferred"])
    return {check[0]: met for check, _, met in checks(frame.assign(all_attacks=frame["step"] == "main"))}


def test_the_checks_see_a_masked_gradient():
    assert masking() == dict.fromkeys("12345", True)
    assert not masking(large=0.6)["1"] and not masking(large=0.3)["2"] and not masking(few=0.4)["3"]
    assert not masking(square=0.3)["4"] and not masking(transferred=0.3)["5"]
    assert masking(transferred=None) == dict.fromkeys("1234", True), "the second model is on request"


# --- as a tool ----------------------------------------------------------------------------------------------------


def test_any_image_gets_its_energy_and_its_place_among_data(detector, tmp_path):
    root, plan = detector
    images = np.load(root / plan.data("fashion_held_out").folder / "images.npy")[:30, :, :, 0]
    (tmp_path / "below").mkdir()
    for i, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"below/{i:02}.png")
    (tmp_path / "below/notes.txt").write_text("no image")
    noise = np.random.default_rng(0).integers(256, size=(40, 30, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.jpg")
    run = find(plan, "cifar10_ood", root)
    found = list(score_images(run, [tmp_path / "noise.jpg", tmp_path / "below"], CPU))
    assert [image.path.name for image in found] == ["noise.jpg", *(f"{i:02}.png" for i in range(30))]
    reference = pd.read_csv(attack(root, plan.attack("cifar10_ood", 0)) / "scores.csv")
    usual = np.sort(-reference.loc[reference["row"] == IN, CLEAN].to_numpy())
    for image in found:
        assert image.percentile == pytest.approx(100 * (usual > image.energy + 1e-6).mean(), abs=5)
    by_number = reference[(reference["row"] == IN) & (reference["image"] < 30)]
    for number, logit in zip(by_number["image"], by_number[CLEAN], strict=True):
        assert found[1 + number].energy == pytest.approx(-logit, abs=1e-5)
    assert found[0].percentile <= np.median([image.percentile for image in found[1:]])


def test_what_cannot_be_scored_is_one_sentence(detector, tmp_path):
    root, plan = detector
    (tmp_path / "broken.png").write_bytes(b"no picture")
    (tmp_path / "empty").mkdir()
    run = find(plan, "cifar10_ood", root)
    (broken,) = score_images(run, [tmp_path / "broken.png"], CPU)
    assert broken.energy is None and "broken.png cannot be read" in str(broken.error)
    with pytest.raises(DataError, match="contains no image"):
        list(score_images(run, [tmp_path / "empty"], CPU))
    with pytest.raises(ConfigError, match="there is no run 'cifar10_odd'"):
        find(plan, "cifar10_odd", root)
    with pytest.raises(
        ConfigError, match=r"train cifar10_ood has not been computed yet; run: snakemake --cores all work/train/cifar10"
    ):
        find(plan, "cifar10_ood", tmp_path)


def test_the_command_says_what_is_missing(tmp_path):
    finished = run(REPOSITORY, "python", "-m", "atebm", "score", "--run", "nothing", str(tmp_path))
    assert finished.returncode == 1 and finished.stderr.startswith("error: there is no run 'nothing'")


def test_a_run_without_attacks_of_its_task_is_one_sentence():
    plan = planned("smoke")
    with pytest.raises(ConfigError, match=r"cifar10_p0_narrower, the task of .* has no entry in detection"):
        plan.attack("cifar10_p0_narrower", 0)
