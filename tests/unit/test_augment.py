"""Augmentation against Pillow, torchvision's functions and classic transforms, and the distributions it promises."""

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import TypeAdapter, ValidationError
from scipy import stats
from torch import Tensor
from torchvision import transforms as classic
from torchvision.transforms import functional as TF
from torchvision.transforms import v2

from atebm.config.augment import Augment
from atebm.data.augment import augment
from atebm.utils.random import generator

KEY = (0, 1, 5)
CIFAR_MEAN = (0.4914, 0.4822, 0.4465)  # no multiples of 1/255: no pixel of an image is by chance a filled one
NONE = {"name": "none"}
CROP_FLIP = {"name": "crop_flip"}
RESIZED = {"name": "resized_crop_flip", "probability": 0.5, "scale": (0.3, 0.7), "ratio": (0.75, 4 / 3)}
AUTO = {"name": "autoaugment_cutout", "fill": CIFAR_MEAN}
AUTO_GREY = {"name": "autoaugment_cutout", "fill": (0.2857,)}
RANDOM = [CROP_FLIP, RESIZED, AUTO]
ONE_LEVEL = 1.001 / 255
P_MIN = 1e-3  # below it a fixed seed's draws contradict a distribution


def noise(*shape: int) -> Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def whole(images: Tensor, how: dict, key: tuple[int, ...] = KEY) -> Tensor:
    return augment(images, how, key, range(len(images)), len(images))


def name(how: dict) -> str:
    return how["name"]


@pytest.mark.parametrize("how", [NONE, *RANDOM], ids=name)
def test_parts_are_slices_of_the_whole(how):
    """Two, three or twelve processes, with neighbouring or interleaved images, make one process's bytes."""
    images = noise(12, 3, 32, 32)
    expected = whole(images, how)
    for world in (2, 3, 12):
        for rank in range(world):
            for rows in (range(rank * 12 // world, (rank + 1) * 12 // world), range(rank, 12, world)):
                part = augment(images[list(rows)], how, KEY, rows, 12)
                assert torch.equal(part, expected[list(rows)])


@pytest.mark.parametrize("how", RANDOM, ids=name)
def test_randomness_is_a_function_of_key_and_position_alone(how):
    images = noise(1, 3, 32, 32).expand(12, -1, -1, -1)
    torch.manual_seed(1)
    first = whole(images, how)
    torch.manual_seed(2)
    state = torch.random.get_rng_state()
    assert torch.equal(whole(images, how), first)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert not torch.equal(whole(images, how, (0, 1, 6)), first)
    assert len(first.unique(dim=0)) > 6  # RESIZED leaves about half alone
    longer = torch.cat([images, images])
    if how is not CROP_FLIP:  # which draws for all of a batch at once
        assert torch.equal(whole(longer, how)[:12], first)


def test_the_first_image_shares_no_numbers_with_the_order_of_the_set():
    """NumPy's seed sequences of (a, b, c) and (a, b, c, 0) are the same, and those of three seed the permutations."""
    drawn = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(v2, "RandomHorizontalFlip", lambda: lambda image: drawn.append(torch.rand(3)) or image)
        whole(noise(1, 1, 8, 8), RESIZED | {"probability": 0.0})
    after_one = torch.rand(4, generator=generator(*KEY))[1:]  # RandomApply drew one
    assert not torch.equal(drawn[0], after_one)


@pytest.mark.parametrize("how", [NONE, *RANDOM, AUTO_GREY], ids=name)
def test_floats_are_laid_out_as_the_networks_want_them(how):
    images = noise(6, 1 if how is AUTO_GREY else 3, 16, 16)
    augmented = whole(images, how)
    assert augmented.shape == images.shape and augmented.dtype == torch.float32
    assert augmented.is_contiguous(memory_format=torch.channels_last)
    assert augmented.min() >= 0 and augmented.max() <= 1


def test_none_only_scales():
    images = noise(5, 3, 8, 8)
    assert np.array_equal(whole(images, NONE), images.numpy() / np.float32(255))


def test_crop_flip_is_torchvisions_at_every_offset_equally_often():
    """Each result is one of the 2 x 25 mirrored windows of the zero-padded image; chi-square over them."""
    image = noise(3, 16, 16)
    padded = TF.pad(image, 2)
    windows = [TF.crop(padded, top, left, 16, 16) for top in range(5) for left in range(5)]
    candidates = torch.stack(windows + [TF.hflip(window) for window in windows]).flatten(1) / 255
    augmented = whole(image.expand(3000, -1, -1, -1), CROP_FLIP).flatten(1)
    distances = torch.cdist(augmented, candidates, p=1)
    found = distances.argmin(1)
    assert torch.equal(augmented, candidates[found])
    assert stats.chisquare(found.bincount(minlength=50)).pvalue > P_MIN


def test_crop_flip_shifts_32_pixels_by_up_to_4_and_each_image_by_itself():
    images = noise(40, 3, 32, 32)
    found = set()
    for image, augmented in zip(images, whole(images, CROP_FLIP), strict=True):
        padded = TF.pad(image, 4)
        windows = {(y, x): TF.crop(padded, y, x, 32, 32) / 255 for y in range(9) for x in range(9)}
        places = [
            (place, mirrored)
            for place, window in windows.items()
            for mirrored in (False, True)
            if torch.equal(TF.hflip(window) if mirrored else window, augmented)
        ]
        assert len(places) == 1
        found.add(places[0])
    assert len(found) > 20


def ramps(side: int) -> Tensor:
    """An image (3, side, side) whose red is its column, green its row and blue noise, so that windows can be read."""
    column = torch.arange(side, dtype=torch.uint8).expand(side, side)
    return torch.stack([column, column.T, noise(side, side)])


def window(augmented: Tensor, side: int) -> tuple[int, int, int, int, bool]:
    """Top, left, height, width and whether mirrored, of the window of `ramps` that was resized to the whole.

    Bilinear interpolation keeps a ramp: pixel j of the result has the value left + (j + 1/2) * width / side - 1/2.
    """
    centres = (np.arange(side) + 0.5)[8:-8]  # the ramp is flat within half a source pixel of the border
    red, green = (augmented[:2] * 255).numpy().astype(float)
    slope_x, start_x = np.polyfit(centres, red.mean(0)[8:-8], 1)
    slope_y, start_y = np.polyfit(centres, green.mean(1)[8:-8], 1)
    width, height = round(abs(slope_x) * side), round(slope_y * side)
    left = start_x + 0.5 - (width if slope_x < 0 else 0)
    return round(start_y + 0.5), round(left), height, width, bool(slope_x < 0)


def test_resized_crops_are_pillows_with_the_promised_statistics():
    """Windows read off the results, each compared with Pillow's; areas, ratios and places by Kolmogorov-Smirnov.

    With these ranges every drawn window fits, so the distributions are exactly uniform, but for rounding to pixels.
    Where torch resizes bytes without floats, as on x86, it is Pillow to the bit; else one grey level is rounding.
    """
    side, n = 256, 300
    image = ramps(side)
    picture = TF.to_pil_image(image)
    areas, ratios, tops, lefts, mirrored = [], [], [], [], []
    for augmented in whole(image.expand(n, -1, -1, -1), RESIZED | {"probability": 1.0}):
        top, left, height, width, mirror = window(augmented, side)
        expected = TF.resized_crop(picture, top, left, height, width, [side, side])
        expected = TF.to_tensor(TF.hflip(expected) if mirror else expected)
        assert (expected - augmented).abs().max() <= ONE_LEVEL
        areas.append(height * width / side**2)
        ratios.append(np.log(width / height))
        tops.append((top + 0.5) / (side - height + 1))
        lefts.append((left + 0.5) / (side - width + 1))
        mirrored.append(mirror)
    assert 0.298 < min(areas) < 0.31 and 0.69 < max(areas) < 0.702
    assert -np.log(4 / 3) - 0.01 < min(ratios) < -0.27 and 0.27 < max(ratios) < np.log(4 / 3) + 0.01
    uniform = [(np.array(areas) - 0.3) / 0.4, (np.array(ratios) / np.log(4 / 3) + 1) / 2, tops, lefts]
    for values in uniform:
        assert stats.kstest(values, "uniform").pvalue > P_MIN
    assert stats.binomtest(sum(mirrored), n, 0.5).pvalue > P_MIN


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_a_share_of_images_is_cropped_and_half_of_all_are_mirrored(probability):
    image = noise(1, 16, 16)
    augmented = whole(image.expand(1000, -1, -1, -1), RESIZED | {"probability": probability})
    same, flipped = ((augmented == TF.hflip(image) / 255).flatten(1).all(1) for image in (TF.hflip(image), image))
    cropped = int((~(same | flipped)).sum())
    assert stats.binomtest(cropped, 1000, probability).pvalue > P_MIN
    if probability < 1:
        assert stats.binomtest(int(same.sum()), 1000 - cropped, 0.5).pvalue > P_MIN


def test_a_window_that_never_fits_is_the_central_one():
    """Pillow's resizing of the central half, within rounding: twice as wide as high and of all the area is too wide."""
    image = noise(3, 32, 32)
    (augmented,) = whole(image[None], RESIZED | {"probability": 1.0, "scale": (1.0, 1.0), "ratio": (2.0, 2.0)})
    picture = Image.fromarray(image.permute(1, 2, 0).numpy()).crop((0, 8, 32, 24))
    resized = np.asarray(picture.resize((32, 32), Image.Resampling.BILINEAR))
    result = augmented.permute(1, 2, 0).numpy()
    assert min(np.abs(result - expected / 255).max() for expected in (resized, resized[:, ::-1])) <= ONE_LEVEL


@pytest.mark.parametrize(("how", "side"), [(AUTO, 32), (AUTO_GREY, 16)], ids=["colour", "grey"])
def test_autoaugment_is_torchvisions_of_the_cropped_and_mirrored_image(how, side):
    """Outside its hole; each image has its own random state, which crop, mirroring and policy draw from in turn."""
    images = noise(200, len(how["fill"]), side, side)
    fill = tuple(round(255 * value) for value in how["fill"])
    crop_flip = classic.Compose(
        [classic.RandomCrop(side, padding=side // 8, fill=fill), classic.RandomHorizontalFlip()]
    )
    policy = v2.AutoAugment(v2.AutoAugmentPolicy.CIFAR10, fill=list(fill))
    changed = 0
    for i, augmented in enumerate(whole(images, how)):
        torch.random.set_rng_state(generator(*KEY, i + 1).get_state())
        picture = images[i].permute(1, 2, 0).squeeze(2).numpy()
        cropped = TF.pil_to_tensor(crop_flip(Image.fromarray(picture)))  # Pillow's padding and mirroring
        expected = policy(cropped)
        changed += not torch.equal(expected, cropped)
        outside = ~hole(augmented, how["fill"])
        assert torch.equal(augmented[:, outside], (expected / 255)[:, outside])
    assert changed > 100


def hole(augmented: Tensor, fill: tuple[float, ...]) -> Tensor:
    """Where (H, W) an image has exactly the fill, which no byte / 255 is."""
    return (augmented == torch.tensor(fill)[:, None, None]).all(0)


def test_holes_are_squares_about_every_pixel_clipped_at_borders():
    """From a hole's four borders follows its centre, whose coordinates are uniform by chi-square."""
    side, n = 16, 800
    centres: tuple[list[int], list[int]] = ([], [])
    for augmented in whole(noise(n, 1, side, side), AUTO_GREY):
        mask = hole(augmented, AUTO_GREY["fill"])
        extents = []
        for axis in (1, 0):
            inside = mask.any(axis).nonzero().flatten()
            start, stop = int(inside[0]), int(inside[-1]) + 1
            centre = start + 4 if start > 0 else stop - 4
            assert (start, stop) == (max(centre - 4, 0), min(centre + 4, side))
            centres[1 - axis].append(centre)
            extents.append(stop - start)
        assert mask.sum() == extents[0] * extents[1]
    for coordinates in centres:
        assert stats.chisquare(np.bincount(coordinates, minlength=side)).pvalue > P_MIN
    assert stats.pearsonr(*centres).pvalue > P_MIN


def test_cifars_hole_has_16_pixels_a_side():
    sizes = [int(hole(augmented, CIFAR_MEAN).sum()) for augmented in whole(noise(60, 3, 32, 32), AUTO)]
    assert max(sizes) == 16**2 and min(sizes) >= 8**2


def test_what_cannot_be_augmented_is_refused():
    images = noise(4, 1, 8, 8)
    with pytest.raises(ValueError, match="there is no augmentation 'mixup'"):
        whole(images, {"name": "mixup"})
    with pytest.raises(ValueError, match="4 images do not fit 3 positions"):
        augment(images, CROP_FLIP, KEY, range(3), 4)
    with pytest.raises(ValueError, match="fill has 3 values for images of 1 channels"):
        whole(images, AUTO)


@pytest.mark.parametrize("how", [NONE, CROP_FLIP, RESIZED, AUTO, AUTO_GREY], ids=name)
def test_configurations_are_what_augment_takes(how):
    typed = TypeAdapter(Augment).validate_python(how)
    assert typed.paper.where and typed.model_dump() == how


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "mixup"},
        CROP_FLIP | {"padding": 4},
        RESIZED | {"probability": 1.1},
        RESIZED | {"scale": (0.9, 0.8)},
        RESIZED | {"scale": (0.0, 0.8)},
        RESIZED | {"scale": (0.8, 1.2)},
        RESIZED | {"ratio": (1.1, 0.9)},
        RESIZED | {"ratio": (0.9, 1.0, 1.1)},
        AUTO | {"fill": (125.0, 123.0, 114.0)},
    ],
    ids=str,
)
def test_impossible_configurations_are_refused(wrong):
    with pytest.raises(ValidationError):
        TypeAdapter(Augment).validate_python(wrong)
