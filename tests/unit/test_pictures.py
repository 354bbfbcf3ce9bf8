"""How figures are written: their pixels and colours, and what captions say of the images that they show."""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from atebm.report.ascents import rise, saturation
from atebm.report.drawing import DPI, canvas, draw_strips, height_of, save, typeset
from atebm.report.pictures import edge, how_made
from atebm.report.trivial import restored_trivially


def written(folder, images: np.ndarray) -> Image.Image:
    """Write a figure of one strip and return its .png."""
    figure = canvas(6, 0.5 + height_of(1, len(images), 6))
    draw_strips(figure.subplots(), {"images": images})
    save(figure, folder / "figure.png")
    return Image.open(folder / "figure.png")


def noise(n: int, side: int, channels: int) -> np.ndarray:
    return np.random.default_rng(0).integers(256, size=(n, side, side, channels), dtype=np.uint8)


def test_grey_images_have_a_palette_and_colour_images_all_of_their_colours(tmp_path):
    assert written(tmp_path, noise(4, 16, 1)).mode == "P"
    colour = noise(4, 64, 3)
    found = written(tmp_path, colour)
    assert found.mode == "RGB" and len(set(found.getdata())) > 10000 and found.width == 6 * DPI


def test_a_figure_has_no_fewer_pixels_than_the_images_in_it(tmp_path):
    """Every second row and column is white: with fewer pixels, some would be lost."""
    images = np.zeros((6, 256, 256, 3), np.uint8)
    images[:, :, ::2] = 255
    found = written(tmp_path, images)
    assert found.width > 6 * 257
    middle = np.asarray(found)[found.height * 2 // 3, :, 0].astype(int)
    dark_edges = np.count_nonzero((middle[:-1] >= 128) & (middle[1:] < 128))
    assert dark_edges >= 6 * 128, "each dark column of each image is there"


def test_p_0_and_p_data_are_typeset_as_words_only():
    assert typeset("p_0 and p_data; p_0: x") == r"$p_\mathrm{0}$ and $p_\mathrm{data}$; $p_\mathrm{0}$: x"
    assert typeset("clip_0 p_02") == "clip_0 p_02"


@pytest.mark.parametrize(
    ("steps", "said"), [(12, "the smallest of 12 to 32"), (20, ""), (32, "the largest of 12 to 32")]
)
def test_a_length_at_the_edge_of_its_grid_says_so(steps, said):
    model = SimpleNamespace(settings={"monitor": {"steps": [12, 20, 32]}})
    assert said in edge(steps, model) and bool(edge(steps, model)) == bool(said)
    record = {"steps": steps, "step_size": 0.5, "iteration": 7}
    chosen, given = (SimpleNamespace(record=record, settings={"steps": way}) for way in ("selected", steps))
    assert said in how_made(chosen, model) and "selected" not in how_made(given, model)


def test_the_share_of_white_pixels_is_that_of_the_first_and_of_the_last_images():
    frames = np.zeros((2, 3, 4, 4, 1), np.uint8)
    frames[:, 1:, :2] = 255
    frames[0, -1] = 250
    assert saturation(frames) == "White pixels: 0 % before, 75 % after."


def test_each_way_of_restoration_has_the_share_of_images_that_it_makes_worse():
    flat = np.full((4, 8, 8, 1), 77, np.uint8)
    striped = flat.copy()
    striped[2:, :, ::2] = 177  # what a filter smooths although it is no damage
    damaged = np.concatenate([flat[:2], striped[2:]])
    damaged[:2, 4, 4] = 255
    found = restored_trivially({"name": "noisy", "sigma": 0.1}, damaged, np.concatenate([flat[:2], striped[2:]]))
    blurred = found["Gaussian blur of 0.5 px"]
    assert (blurred.gains[:2] > 0).all() and (blurred.gains[2:] < 0).all()
    assert blurred.images.dtype == np.uint8 and blurred.rows["image"].tolist() == [0, 1, 2, 3]
    assert "(25 % of the images get worse)" in rise(np.array([1.0, 2.0, -1.0, 0.5]))
