"""Ascents that are looked at, and the search for neighbours: by closed forms, other paths to the same, brute force."""

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import compute_step, configuration, planned, write_specs
from scipy.spatial.distance import cdist

from atebm.config.messages import resolve
from atebm.config.roles import AS_MANY, UNSEEN
from atebm.data.hole import hole
from atebm.evaluation.neighbours import nearest
from atebm.pipeline.job import Job, record_of
from atebm.pipeline.plan import Plan
from atebm.pipeline.step import Step
from atebm.report.needs import Needs, Result
from atebm.report.neighbours import nearest_of_as_many, ratios
from atebm.report.picture_checks import nearness
from atebm.report.trivial import blurred, filled, gain, median, psnr, trivial_gains
from atebm.sampling.ascent import begin_ascent
from atebm.utils.errors import ConfigError


def computed(root, step: Step):
    """The folder of a step, which is computed with all its ancestors unless it is there."""
    write_specs(root, step)
    for each in step.ancestry():
        job = Job(root / each.spec_file)
        if not job.done:
            compute_step(job)
    return root / step.folder


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("ascents")


def plan_with(batch_size: int = 25, **changes) -> Plan:
    """A plan whose samples are made in batches of this size.

    On some CPUs an image is rounded differently in a batch of another size, and truncation can then turn a byte into
    its neighbour. So images that a test expects to be equal are made in batches of the same size.
    """
    return planned("smoke", samplers={"celebahq256": {"steps": 4, "batch_size": batch_size}}, **changes)


def path_of(folder) -> pd.DataFrame:
    return pd.read_csv(folder / "path.csv")


def test_the_last_frame_of_a_trajectory_is_the_sample(root):
    plan = plan_with(batch_size=4)
    ascent, sample = plan.ascent("celebahq256_trajectory", 0), plan.sample("celebahq256", 0, "best")
    assert ascent.settings["steps"] == [0, 1, 2, 4] or ascent.settings["steps"] == (0, 1, 2, 4)
    folder, samples = computed(root, ascent), np.load(computed(root, sample) / "images.npy")
    frames, motion = np.load(folder / "frames.npy"), np.load(folder / "motion.npy")
    sources = np.load(root / sample.parents["sources"].folder / "images.npy")
    assert np.array_equal(frames[:, 0], sources[:4]) and np.array_equal(frames[:, -1], samples[:4])
    assert not np.array_equal(frames[:, 1], frames[:, 2])
    assert motion.shape[:2] == (2, 5) and np.array_equal(motion[:, [0, 1, 2, 4]], frames[:2])
    path, paths = path_of(folder), pd.read_csv(root / sample.folder / "paths.csv")
    last = path[path["steps"] == 4]
    assert last["logit"].tolist() == paths["logit_sample"].head(4).tolist()
    assert last["moved"].tolist() == paths["moved"].head(4).tolist()
    assert (path["moved"] <= 0.5 * path["steps"] + 1e-4).all()


def test_distances_on_the_way_are_those_of_samples_of_that_length(root):
    """By another path: samples, their features, and the metric step."""
    plan = plan_with(batch_size=60, metrics={"n": 60})
    found = pd.read_csv(computed(root, plan.ascent("celebahq256_trajectory", 0)) / "distances.csv").set_index("steps")
    metric = record_of(computed(root, plan.quality("celebahq256", 0)))
    assert metric["images"]["steps"] == 4
    assert found["distance"][4] == pytest.approx(metric["value"], rel=1e-5)  # distances.csv has six digits
    assert found["ci95"][4] == pytest.approx(metric["ci95"], rel=1e-5) and found["n"][4] == 60
    raw = plan.metric("frechet", plan.data("photographs_test"), "tops")
    assert found["distance"][0] == pytest.approx(record_of(computed(root, raw))["value"], rel=1e-5)


def test_composing_adds_the_logits_of_both_models(root):
    plan = plan_with()
    path = path_of(computed(root, plan.ascent("celebahq256_and_afhqcat256", 0)))
    total = path["logit_celebahq256"] + path["logit_afhqcat256"]
    assert path["logit"].to_numpy() == pytest.approx(total.to_numpy(), abs=1e-4)
    rise = path.pivot(index="image", columns="steps", values="logit")
    assert (rise[2] > rise[0]).all()


def test_composing_one_energy_is_plain_sampling(root):
    """Added to itself, f has the same normalised gradient."""
    alone = plan_with(ascents={"celebahq256_and_afhqcat256": {"n": 4, "others": []}})
    twice = plan_with(ascents={"celebahq256_and_afhqcat256": {"n": 4, "others": ["celebahq256"]}})
    folders = [computed(root, plan.ascent("celebahq256_and_afhqcat256", 0)) for plan in (alone, twice)]
    one, two = (np.load(folder / "frames.npy").astype(int) for folder in folders)
    sampled = np.load(computed(root, plan_with().ascent("celebahq256_trajectory", 0)) / "frames.npy")
    assert np.array_equal(one[:, 1], sampled[:, 2]) and np.abs(one - two).max() <= 1


def test_inpainting_leaves_known_pixels_bit_for_bit(root):
    plan = plan_with(ascents={"celebahq256_inpainting": {"steps": [0, 5]}})
    ascent = plan.ascent("celebahq256_inpainting", 0)
    frames = np.load(computed(root, ascent) / "frames.npy")
    originals = np.load(root / ascent.parents["images"].folder / "images.npy")[: len(frames)]
    unknown = np.zeros((8, 8), dtype=bool)
    unknown[hole((8, 8), 0.375)] = True
    assert unknown.sum() == 9
    for frame in (0, -1):
        assert np.array_equal(frames[:, frame][:, ~unknown], originals[:, ~unknown])
    assert (frames[:, 0][:, unknown] == 128).all()
    painted = (frames[:, -1][:, unknown] != frames[:, 0][:, unknown]).any(axis=(1, 2))
    assert painted.mean() > 0.5  # in some holes, flat and grey, this weak model has no gradient


def test_fidelity_is_to_the_undamaged_image(root):
    plan = plan_with()
    ascent = plan.ascent("celebahq256_denoising", 0)
    folder = computed(root, ascent)
    frames = np.load(folder / "frames.npy").astype(float)
    originals = np.load(root / ascent.parents["images"].folder / "images.npy")[: len(frames)].astype(float)
    path = path_of(folder)
    for steps, frame in ((0, 0), (1, 1)):
        mse = ((frames[:, frame] - originals) ** 2).mean(axis=(1, 2, 3))
        mine = path.loc[path["steps"] == steps]
        assert mine["psnr"].to_numpy() == pytest.approx(10 * np.log10(255**2 / mse), rel=1e-5)
        assert (mine["ssim"] < 1).all()
    assert gain(path).mean() == pytest.approx(
        path.loc[path["steps"] == 1, "psnr"].mean() - path.loc[path["steps"] == 0, "psnr"].mean(), abs=1e-6
    )


def test_starts():
    images = torch.rand(4, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    blends, mask = begin_ascent(images, {"name": "blends", "count": 5}, 0)
    assert mask is None and blends.shape == (10, 1, 6, 6)
    for pair in range(2):
        first, second = images[2 * pair], images[2 * pair + 1]
        for step in range(5):
            torch.testing.assert_close(blends[5 * pair + step], (4 - step) / 4 * first + step / 4 * second)
    grey = torch.full((50, 1, 20, 20), 0.5)
    noisy, _ = begin_ascent(grey, {"name": "noisy", "sigma": 0.1}, 0)
    again, _ = begin_ascent(grey, {"name": "noisy", "sigma": 0.1}, 0)
    other, _ = begin_ascent(grey, {"name": "noisy", "sigma": 0.1}, 1)
    assert (noisy - grey).std() == pytest.approx(0.1, rel=0.02) and abs((noisy - grey).mean()) < 1e-3
    assert torch.equal(noisy, again) and not torch.equal(noisy, other)
    bright, _ = begin_ascent(torch.ones(5, 1, 20, 20), {"name": "noisy", "sigma": 0.1}, 0)
    assert bright.max() == 1
    assert torch.equal(begin_ascent(images, {"name": "images"}, 0)[0], images)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"steps": [4, 2]}, "celebahq256_trajectory.steps = [4, 2]: write at least two numbers that ascend from 0"),
        ({"start": {"name": "blends", "count": 3}, "n": 3, "distances": None}, "n = 3 is odd"),
        ({"start": {"name": "noisy", "sigma": 0.1}}, "distances = 60, but start.name is noisy"),
        ({"distances": 101}, "ascents.celebahq256_trajectory.distances = 101, but set photographs_test has 100 images"),
        ({"motion": 5}, "motion = 5, but only n = 4 images are kept"),
        ({"run": "celebahq"}, "ascents.celebahq256_trajectory.run names 'celebahq'"),
        ({"others": ["afhq"]}, "others names 'afhq'"),
    ],
)
def test_mistakes_are_one_sentence(change, sentence):
    with pytest.raises(ConfigError) as error:
        resolve(configuration("smoke", ascents={"celebahq256_trajectory": change}))
    assert sentence in str(error.value)


# --- neighbours -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_the_search_equals_brute_force(dtype):
    """More images than a block, near ties, and queries that are images themselves."""
    rng = np.random.default_rng(0)
    if dtype is np.uint8:
        images = rng.integers(256, size=(2500, 5, 5, 1), dtype=np.uint8)
        queries = np.concatenate([images[[7, 2400]], rng.integers(256, size=(20, 5, 5, 1), dtype=np.uint8)])
    else:
        images = rng.normal(100, 1, size=(2500, 40)).astype(np.float32)  # far from 0: float32 products cancel
        images[1000:1100] = images[0] + rng.normal(0, 1e-3, size=(100, 40)).astype(np.float32)
        queries = np.concatenate([images[[0, 2400]], rng.normal(100, 1, size=(20, 40)).astype(np.float32)])
    scale = 255 if dtype is np.uint8 else 1
    expected = cdist(queries.reshape(22, -1) / float(scale), images.reshape(2500, -1) / float(scale))
    indices, distances = nearest(queries, images, 4)
    assert np.array_equal(indices, np.argsort(expected, axis=1, kind="stable")[:, :4])
    assert distances == pytest.approx(np.sort(expected, axis=1)[:, :4], abs=1e-6)
    assert (distances[:2, 0] == 0).all()


def test_as_many_training_as_held_out_images_are_searched(root):
    plan = plan_with()
    folder = computed(root, plan.neighbours("celebahq256", 0))
    frame = pd.read_csv(folder / "neighbours.csv")
    spec = plan.neighbours("celebahq256", 0)
    counts = frame.groupby(["space", "among"]).size().unstack()
    assert (counts["train"] == 60).all() and (counts[AS_MANY] == 20).all() and (counts[UNSEEN] == 20).all()
    images = {
        role: np.load(root / spec.parents[role].folder / "images.npy") for role in ("samples", "train", "held_out")
    }
    flat = {role: array.reshape(len(array), -1) / 255 for role, array in images.items()}
    pixels = frame[frame["space"] == "pixels"]
    for among, role in ((AS_MANY, "train"), (UNSEEN, "held_out")):
        mine = pixels[pixels["among"] == among]
        distances = np.linalg.norm(flat["samples"][mine["sample"]] - flat[role][mine["index"]], axis=1)
        assert mine["distance"].to_numpy() == pytest.approx(distances, rel=1e-4)
    held = pixels[pixels["among"] == UNSEEN]["distance"].to_numpy()
    assert held == pytest.approx(cdist(flat["samples"][:20], flat["held_out"]).min(axis=1), rel=1e-4)  # all 69 of them
    whole, part = (pixels[(pixels["among"] == a) & (pixels["rank"] == 1)]["distance"] for a in ("train", AS_MANY))
    assert (whole.to_numpy() <= part.to_numpy() + 1e-9).all()


@pytest.mark.parametrize(("factor", "nearer"), [(1.0, False), (0.5, True), (1.5, False)])
def test_samples_that_are_training_images_are_found_out(tmp_path, factor, nearer):
    rng = np.random.default_rng(0)
    held = rng.uniform(1, 2, 200)
    noise = np.exp(rng.normal(0, 0.05, 200))
    rows = [
        pd.DataFrame(
            {"sample": range(200), "space": "pixels", "among": among, "rank": 1, "index": 0, "distance": values}
        )
        for among, values in ((AS_MANY, factor * held * noise / np.exp(np.log(noise).mean())), (UNSEEN, held))
    ]
    folder = tmp_path / "neighbours/x-1"
    folder.mkdir(parents=True)
    pd.concat(rows).to_csv(folder / "neighbours.csv")
    (folder / "neighbours.json").write_text('{"run": "cifar10"}')
    needs = Needs({"tasks": {"cifar10": {"title": "CIFAR-10", "p_data": "a"}}, "sets": {"a": "digits"}}, {})
    (row,) = nearness(needs, Result(folder))
    assert row["value"] == pytest.approx(factor) and row["images"] == 200
    assert ("samples are nearer to training images" in row["comparison"]) is nearer
    assert ratios(nearest_of_as_many(pd.concat(rows))).median() == pytest.approx(factor, rel=0.05)


# --- what trivial filters restore -------------------------------------------------------------------------------------


def test_a_hole_is_filled_by_laplaces_equation():
    """A linear image solves it, so the filling is exact; a hole of one pixel is the mean of the four around it."""
    y, x = np.mgrid[0:12, 0:9]
    linear = np.stack([10 * y + 5 * x, 3 * x + 20])[..., None].astype(np.uint8)
    rows, columns = hole((12, 9), 0.375)
    damaged = linear.copy()
    damaged[:, rows, columns] = 128
    assert filled(damaged, rows, columns) == pytest.approx(linear, abs=1e-9)
    images = np.random.default_rng(0).integers(256, size=(3, 5, 5, 2), dtype=np.uint8)
    around = images[:, [1, 3, 2, 2], [2, 2, 1, 3]].mean(axis=1)
    assert filled(images, slice(2, 3), slice(2, 3))[:, 2, 2] == pytest.approx(around)


def test_trivial_filters_leave_what_is_flat_and_remove_single_pixels():
    flat = np.full((2, 8, 8, 1), 77, np.uint8)
    assert blurred(flat) == pytest.approx(77) and median(flat) == pytest.approx(77)
    speckled = flat.copy()
    speckled[:, 4, 4] = 255
    assert median(speckled) == pytest.approx(77)
    gains = trivial_gains({"name": "noisy", "sigma": 0.1}, speckled, flat)
    assert gains["3x3 median"] == pytest.approx([np.inf, np.inf]) and (gains["Gaussian blur of 0.5 px"] > 0).all()
    assert list(trivial_gains({"name": "occluded", "side": 0.25}, speckled, flat)) == ["Laplace filling"]


def test_psnr_is_scikit_images():
    from skimage.metrics import peak_signal_noise_ratio

    a, b = np.random.default_rng(1).integers(256, size=(2, 4, 6, 6, 3), dtype=np.uint8)
    assert psnr(a, b) == pytest.approx(
        [peak_signal_noise_ratio(x, y, data_range=255) for x, y in zip(b, a, strict=True)]
    )
