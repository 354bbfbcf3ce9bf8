"""Sets drawn from others: which images, in which order, and their frozen crops against torchvision's."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from conftest import configuration, planned, write_specs
from PIL import Image
from torchvision.transforms import v2

from atebm.config.messages import resolve
from atebm.data.index import write_index
from atebm.data.prepare import write_set
from atebm.data.subsets import draw
from atebm.data.writers import imagenet_devkit, imagenet_train, imagenet_val
from atebm.pipeline.job import Job, record_of
from atebm.pipeline.step import Step
from atebm.utils.errors import ConfigError, DataError
from atebm.utils.random import generator

CROP = {"name": "resized_crop_flip", "probability": 1.0, "scale": (0.08, 1.0), "ratio": (0.75, 1.3333333)}


def test_a_draw_is_without_replacement_and_of_every_image():
    order = draw(1000, 1000, 3)
    assert sorted(order.tolist()) == list(range(1000)) and order.tolist() != list(range(1000))
    assert draw(1000, 50, 3).tolist() == order[:50].tolist()  # a larger draw begins with a smaller one
    assert draw(1000, 50, 3, skip=100).tolist() == order[100:150].tolist()
    assert draw(1000, 50, 4).tolist() != order[:50].tolist()


def test_images_of_an_array_keep_their_pixels_and_labels(tmp_path):
    of = Step("data", "mine", {"reader": "noise", "n": 40, "seed": 0, "size": 8})
    settings = {"reader": "drawn", "of": "mine", "n": 10, "seed": 1, "skip": 5, "size": 8, "crop": None}
    step = Step("data", "drawn", settings, {"of": of})
    write_specs(tmp_path, step)
    write_set(Job(tmp_path / of.spec_file))
    labels = np.arange(40) % 7
    np.save(tmp_path / of.folder / "labels.npy", labels)
    write_set(Job(tmp_path / step.spec_file))
    images, drawn = (np.load(tmp_path / each.folder / "images.npy") for each in (of, step))
    where = [next(i for i, image in enumerate(images) if np.array_equal(image, other)) for other in drawn]
    assert len(set(where)) == 10 and where == draw(40, 10, 1, 5).tolist()
    assert np.load(tmp_path / step.folder / "labels.npy").tolist() == labels[where].tolist()
    assert record_of(tmp_path / step.folder)["classes"] == ["noise"]


@pytest.fixture
def imagenet(folder, documented) -> tuple[Step, list[Image.Image]]:
    """An index of nine training images, and these as RGB."""
    documented(imagenet_train(folder))
    of = Step("index", "imagenet", {"reader": "index", "archive": "imagenet", "split": "train", "count": 9})
    write_specs(folder.parent, of)
    write_index(Job(folder.parent / of.spec_file), folder)
    content = (folder / "ILSVRC2012_img_train.tar").read_bytes()
    entries = np.load(folder.parent / of.folder / "entries.npy").tolist()
    return of, [Image.open(io.BytesIO(content[start : start + size])).convert("RGB") for _, start, size in entries]


def drawn_of(of: Step, root: Path, crop: dict, n: int = 6, workers: int = 1) -> np.ndarray:
    settings = {"reader": "drawn", "of": "imagenet", "n": n, "seed": 2, "skip": 0, "size": 16, "crop": crop}
    step = Step("data", "drawn", settings, {"of": of})
    write_specs(root, step)
    write_set(Job(root / step.spec_file), workers=workers)
    return np.load(root / step.folder / "images.npy")


def test_crops_of_an_index_are_torchvisions(folder, imagenet):
    of, pictures = imagenet
    crop = v2.RandomResizedCrop((16, 16), (0.08, 1), (0.75, 1.3333333))
    flip = v2.RandomHorizontalFlip()
    images = drawn_of(of, folder.parent, CROP)
    with torch.random.fork_rng():
        for image, number in zip(images, draw(9, 6, 2), strict=True):
            torch.set_rng_state(generator(2, number + 1).get_state())
            torch.rand(1)  # whether to crop at all; the probability is 1
            assert np.array_equal(image, np.asarray(flip(crop(pictures[number]))))
    fewer = drawn_of(of, folder.parent, CROP, n=3)
    assert np.array_equal(fewer, images[:3])
    labels = np.load(next((folder.parent / "work/data").glob("drawn-*")) / "labels.npy")
    assert set(labels) <= {0, 1, 2}


def test_squashed_images_of_an_index_are_torchvisions(folder, imagenet):
    of, pictures = imagenet
    resize = torchvision.transforms.Resize((16, 16))
    expected = [np.asarray(resize(pictures[number])) for number in draw(9, 6, 2)]
    assert np.array_equal(drawn_of(of, folder.parent, {"name": "squash"}), expected)


def test_crops_touch_no_global_random_state(folder, imagenet):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    drawn_of(imagenet[0], folder.parent, CROP)
    assert torch.equal(before, torch.get_rng_state())


def test_a_removed_or_damaged_archive_is_one_sentence(folder, imagenet):
    path = folder / "ILSVRC2012_img_train.tar"
    content = path.read_bytes()
    path.write_bytes(bytes(len(content)))
    with pytest.raises(DataError, match=r"set drawn: .*train.tar: member 'n0.*JPEG' cannot be read"):
        drawn_of(imagenet[0], folder.parent, CROP)
    path.unlink()
    with pytest.raises(DataError, match=r"set drawn: .*train.tar is missing, but the set imagenet is an index of it"):
        drawn_of(imagenet[0], folder.parent, CROP)
    assert not list((folder.parent / "work/data").glob("*/*"))


def test_the_validation_sets_crops_have_the_devkits_labels(folder, documented):
    documented(imagenet_val(folder))
    documented(imagenet_devkit(folder))
    of = Step("index", "imagenet", {"reader": "index", "archive": "imagenet", "split": "held_out", "count": 4})
    write_specs(folder.parent, of)
    write_index(Job(folder.parent / of.spec_file), folder)
    drawn_of(of, folder.parent, CROP, n=4)
    (path,) = (folder.parent / "work/data").glob("drawn-*/set.json")
    record, labels = json.loads(path.read_text()), np.load(path.with_name("labels.npy"))
    truth = ["n03", "n02", "n01", "n03"]  # as `imagenet_devkit` numbers them
    assert [record["classes"][label] for label in labels] == [truth[number] for number in draw(4, 4, 2)]


def test_noise_is_uniform_in_whole_grey_levels(tmp_path):
    steps = [Step("data", "noise", {"reader": "noise", "n": n, "seed": 0, "size": 32}) for n in (200, 20)]
    write_specs(tmp_path, *steps)
    for step in steps:
        write_set(Job(tmp_path / step.spec_file))
    images, fewer = (np.load(tmp_path / step.folder / "images.npy") for step in steps)
    assert images.shape == (200, 32, 32, 3) and images.dtype == np.uint8 and np.array_equal(images[:20], fewer)
    counts = np.bincount(images.ravel(), minlength=256)
    expected = images.size / 256
    chi_squared = ((counts - expected) ** 2 / expected).sum()
    assert 255 - 5 * 22.6 < chi_squared < 255 + 5 * 22.6  # 255 degrees of freedom: deviation sqrt(510)
    assert abs(np.corrcoef(images[..., 0].ravel(), images[..., 1].ravel())[0, 1]) < 0.02


# --- config.yaml ------------------------------------------------------------------------------------------------


def test_the_papers_sources_are_50000_random_images_of_p_0():
    config = planned("paper").config
    for name in ("cifar10", "celebahq256", "afhqcat256", "church256"):
        task, run = config.tasks[name], config.runs[name]
        sources, validation = config.sets[task.sources], config.sets[task.validation_sources]
        assert sources.reader == validation.reader == "drawn"
        assert sources.of == task.p_0 and sources.n == 50_000 == config.samplers[name].n
        assert validation.n >= run.monitor.n and validation.of != sources.of
    assert config.sets["imagenet256_sources"].crop == config.runs["celebahq256"].augment.p_0


def test_the_rows_of_the_tables_have_sets():
    """Tables 4 and S8."""
    tasks = planned("paper").config.tasks
    assert list(tasks["cifar10"].out_of_distribution) == ["SVHN", "CIFAR-100", "ImageNet", "Uniform Noise"]
    common = {"Uniform noise", "SVHN", "CIFAR-10", "ImageNet validation set"}
    others = {"CelebA-HQ 256": "celebahq256", "AFHQ-CAT 256": "afhqcat256", "LSUN-Church 256": "church256"}
    for name in others.values():
        rows = tasks[name].out_of_distribution
        assert rows.keys() == common | {row for row, other in others.items() if other != name}
        assert all(tasks[others[row]].p_data == of for row, of in rows.items() if row in others)
    for scale in ("demo", "smoke", "fashion"):
        small = planned(scale).config.tasks
        for name, task in tasks.items():
            assert small[name].out_of_distribution.keys() == task.out_of_distribution.keys()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            {"of": "cifar_10"},
            r"sets.places365_32_sources.of names 'cifar_10', which is not in sets",
        ),
        ({"n": 2_000_000}, r"sets.places365_32_sources.skip \+ n = 2000000, but set places365_32 has 1803460 images"),
        ({"skip": 1_800_000}, r"skip \+ n = 1850000, but set places365_32 has 1803460 images"),
        ({"size": 64}, r"sets.places365_32_sources.size = 64, but set places365_32 has images of 32 pixels"),
        ({"of": "imagenet"}, r"sets.places365_32_sources.crop is null, but the images of an index differ in size"),
        ({"crop": {"name": "squash"}}, r"sets.places365_32_sources.crop is given, but the images of an array"),
        ({"of": "places365_32_val_sources"}, r"places365_32_sources.of = .*, which is itself drawn"),
        ({"crop": {"name": "squish"}}, r"sets.places365_32_sources.crop"),
    ],
)
def test_a_draw_that_cannot_be_is_one_sentence(change, sentence):
    config = configuration("paper")
    config["sets"]["places365_32_sources"] |= change
    with pytest.raises(ConfigError, match=f"^config.yaml: .*{sentence}"):
        resolve(config)


def test_a_row_of_an_unknown_set_is_one_sentence():
    config = configuration("paper")
    config["tasks"]["cifar10"]["out_of_distribution"]["SVHN"] = "svhn_tset"
    with pytest.raises(ConfigError, match=r"tasks.cifar10.out_of_distribution.SVHN names 'svhn_tset'.*mean svhn_test"):
        resolve(config)


def test_every_set_of_the_trained_tasks_is_planned_to_be_prepared():
    plan = planned("paper")
    names = {name for _, id in plan.sets for name in [id.rsplit("-", 1)[0]]}
    tasks = {run.task for run in plan.config.runs.values()}
    assert {name for task in tasks for name in plan.config.tasks[task].sets} <= names
    assert {"places365_32", "imagenet", "imagenet_val", "places365_32_val"} <= names  # what others are drawn of
    assert plan.step("index", plan.data("imagenet").id) == plan.data("imagenet")
