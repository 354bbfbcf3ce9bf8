"""Prepared sets against independent readers, and the promises that training relies on."""

import gzip
import shutil

import numpy as np
import pytest
import torch
import torchvision
from conftest import REPOSITORY, made, planned, typed, write_specs
from PIL import Image
from scipy import stats
from torchvision.transforms import v2

from atebm.data import prepare
from atebm.data.embedded import load_photograph, random_crop
from atebm.data.stored import batch_indices, resized, to_bytes
from atebm.pipeline.job import Job, record_of
from atebm.utils.errors import ConfigError, DataError

FASHION = {"reader": "fashion_mnist", "split": "train", "held_out": 2000, "size": 16}
CROPS = {
    "reader": "photographs",
    "photographs": ("astronaut", "china"),
    "n": 40,
    "seed": 0,
    "size": 16,
    "crop_min": 48,
    "crop_max": 300,
    "min_std": 16,
}


@pytest.fixture
def embedded(tmp_path):
    """A copy of data/embedded that a test may damage."""
    return shutil.copytree(REPOSITORY / "data/embedded", tmp_path / "embedded")


@pytest.fixture(scope="module")
def torchvisions(tmp_path_factory):
    """Fashion-MNIST's test split as torchvision reads it, from the same files, gunzipped."""
    root = tmp_path_factory.mktemp("torchvision")
    raw = root / "FashionMNIST/raw"
    raw.mkdir(parents=True)
    for path in (REPOSITORY / "data/embedded/fashion-mnist").glob("*.gz"):
        for split in ("t10k", "train"):  # it wants both to be there
            (raw / path.stem.replace("t10k", split)).write_bytes(gzip.decompress(path.read_bytes()))
    return torchvision.datasets.FashionMNIST(root, train=False)


def test_fashion_mnist_is_what_torchvision_reads(torchvisions):
    images, labels, classes = made(FASHION)
    assert images.shape == (8000, 16, 16, 1) and images.dtype == np.uint8
    assert np.array_equal(labels, torchvisions.targets[:8000])
    assert [name.lower() for name in classes] == [name.lower().replace("/top", "") for name in torchvisions.classes]
    for index in (0, 17, 7999):
        resized = v2.Resize([16, 16], antialias=True)(v2.Pad(2)(torchvisions.data[index][None]))
        assert np.abs(images[index, :, :, 0].astype(int) - resized[0].numpy()).max() <= 1  # rounding


def test_splits_are_disjoint_and_whole(torchvisions):
    train, held_out = (made({**FASHION, "split": split})[1] for split in ("train", "held_out"))
    assert np.array_equal(np.concatenate([train, held_out]), torchvisions.targets)


@pytest.fixture
def footwear(smoke):
    """A `data` job of some classes of a set that is there, with settings changed."""
    root, _ = smoke

    def job(**changes) -> Job:
        step = planned("smoke", sets={"footwear": changes}).data("footwear")
        write_specs(root, step)
        return Job(root / step.spec_file)

    return job


def test_a_set_of_classes_is_those_images_of_the_other_set(footwear, torchvisions):
    """By torchvision's labels: sandals, sneakers and ankle boots are 5, 7 and 9 there."""
    job = footwear()
    prepare.write_set(job)
    images, labels = (np.load(job.folder / f"{name}.npy") for name in ("images", "labels"))
    whole = np.load(job.parent("of") / "images.npy")
    theirs = torchvisions.targets[: len(whole)].numpy()
    assert np.array_equal(images, whole[np.isin(theirs, [5, 7, 9])])
    assert np.array_equal(np.array([5, 7, 9])[labels], theirs[np.isin(theirs, [5, 7, 9])])
    record = record_of(job.folder)
    assert record["classes"] == ["sandal", "sneaker", "ankle boot"] and record["n"] == 212


def test_a_set_of_classes_states_how_many_and_which(footwear):
    with pytest.raises(DataError, match=r"set footwear: 212 images were found instead of 213\."):
        prepare.write_set(footwear(count=213))
    with pytest.raises(ConfigError, match=r"sets.footwear.classes has 'boots', which set fashion does not have\."):
        prepare.write_set(footwear(classes=["sandal", "boots"]))


def test_images_are_shrunk_by_averages_and_enlarged_as_torchvision_does():
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (300, 1, 16, 16), np.uint8)
    means = images.reshape(300, 1, 8, 2, 8, 2).mean((3, 5))
    shrunk = resized(torch.from_numpy(images), 8, "area")
    assert shrunk.dtype == torch.uint8 and np.abs(shrunk.numpy() - means).max() <= 0.5
    enlarged = v2.Resize([16, 16], v2.InterpolationMode.BILINEAR, antialias=False)(shrunk.float())
    assert np.abs(resized(shrunk, 16, "bilinear").numpy() - enlarged.numpy()).max() <= 0.5 + 1e-4


def test_a_longer_set_begins_with_a_shorter_one():
    short, long = (made({**CROPS, "n": n}) for n in (10, 40))
    assert np.array_equal(short[0], long[0][:10]) and np.array_equal(short[1], long[1][:10])
    other = made({**CROPS, "seed": 1})
    assert not np.array_equal(other[0], long[0])


def test_crops_come_from_the_labelled_photograph_and_are_not_flat():
    """A set of both photographs holds, for each, the very crops of a set of it alone."""
    images, labels, names = made(CROPS)
    assert names == ["astronaut", "china"] and set(labels) == {0, 1}
    assert images.std(axis=(1, 2, 3)).min() >= 16
    picture = load_photograph(REPOSITORY / "data/embedded/photographs.csv", "china")
    for i in np.flatnonzero(labels == 1)[:3]:
        random = np.random.default_rng([0, i])
        random.integers(2)
        assert any(np.array_equal(images[i, :, :, 0], random_crop(picture, random, 16, 48, 300)) for _ in range(50))


def test_a_crop_of_a_whole_square_picture_is_its_area_average():
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8))
    crop = random_crop(picture, np.random.default_rng(3), size=16, low=64, high=64)
    blocks = np.asarray(picture, float).reshape(16, 4, 16, 4).mean(axis=(1, 3))
    assert (
        min(np.abs(crop - blocks).max(), np.abs(crop[:, ::-1] - blocks).max()) <= 1
    )  # either direction; rounded twice


def test_roles_never_share_a_photograph():
    for scale in ("smoke", "demo"):
        config = typed(scale)
        task = config.tasks["cifar10"]
        roles = [config.sets[name].photographs for name in (task.p_0, task.validation_sources, task.sources)]
        names = [name for role in roles for name in role]
        assert len(names) == len(set(names))


def test_a_flipped_byte_is_one_sentence(embedded):
    path = embedded / "fashion-mnist/t10k-labels-idx1-ubyte.gz"
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"t10k-labels.* is damaged .*: restore it with 'git checkout"):
        made(FASHION, embedded)


def test_a_missing_file_is_one_sentence(embedded):
    (embedded / "fashion-mnist/t10k-images-idx3-ubyte.gz").unlink()
    with pytest.raises(DataError, match=r"t10k-images.* is missing"):
        made(FASHION, embedded)


def test_another_version_of_a_photograph_is_one_sentence(embedded):
    index = embedded / "photographs.csv"
    index.write_text(index.read_text().replace("88431cd9653c", "000000000000"))
    with pytest.raises(DataError, match=r"astronaut.png is damaged .*: pip install --force-reinstall scikit-image=="):
        made(CROPS, embedded)


def test_an_unknown_or_flat_photograph_is_one_sentence():
    with pytest.raises(DataError, match="no photograph 'mona_lisa'"):
        made({**CROPS, "photographs": ("mona_lisa",)})
    with pytest.raises(DataError, match="has no crop with min_std = 200"):
        made({**CROPS, "min_std": 200})


def test_an_epoch_shows_each_image_once_and_drops_the_rest():
    batches = [batch_indices(10, 3, iteration, seed=0, stream=1) for iteration in range(6)]
    for epoch in (batches[:3], batches[3:]):
        assert len(set(torch.cat(epoch).tolist())) == 9
    assert not torch.equal(torch.cat(batches[:3]), torch.cat(batches[3:]))
    assert not torch.equal(batches[0], batch_indices(10, 3, 0, seed=0, stream=2))
    with pytest.raises(ValueError, match="larger than the set"):
        batch_indices(2, 3, 0, 0, 0)


def test_bytes_are_truncated_as_the_authors_did():
    assert to_bytes(torch.tensor([0.0, 0.9999 / 255, 1 / 255 + 1e-6, 254.99 / 255, 1.0])).tolist() == [
        0,
        0,
        1,
        254,
        255,
    ]


def test_digits_are_scikit_learns():
    from sklearn.datasets import load_digits

    theirs = load_digits()
    images, labels, names = made({"reader": "digits", "size": 8})
    assert images.shape == (1797, 8, 8, 1) and images.dtype == np.uint8 and names == list("0123456789")
    np.testing.assert_allclose(images[..., 0] / 255 * 16, theirs.images, atol=0.04)
    assert (labels == theirs.target).all() and labels.dtype == np.int64
    large, _, _ = made({"reader": "digits", "size": 16})
    blocks = large[..., 0].reshape(-1, 8, 2, 8, 2).mean((2, 4))
    assert np.corrcoef(blocks.ravel(), images.ravel())[0, 1] > 0.95


def test_noise_has_as_many_channels_as_asked_for():
    grey, _, _ = made({"reader": "noise", "n": 400, "seed": 0, "size": 8, "channels": 1})
    assert grey.shape == (400, 8, 8, 1)
    counts = np.bincount(grey.ravel(), minlength=256)
    assert stats.chisquare(counts).pvalue > 0.001
