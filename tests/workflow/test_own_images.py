"""Your own images, in miniature: three commands, then the Python API on what they made."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from conftest import checkout, made, run, snakemake
from PIL import Image
from snakemake.utils import update_config

import atebm
from atebm.pipeline.job import record_of
from atebm.utils.errors import ConfigError, DataError


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(folder, "python", "-m", "atebm", *arguments, PYTHONPATH=f"{folder}/src")


def short(name: str) -> dict[str, Any]:
    """What lets a scale that `atebm own` wrote take seconds: few crops, iterations and attacks."""
    few = {"photographs": 300, "photographs_held_out": 60, "photographs_validation": 60, "photographs_test": 60}
    run = {
        "schedule": {"iterations": 24, "K_max": 2},
        "monitor": {"every": 12, "start": 12, "n": 60, "steps": [1, 2]},
    }
    return {
        "sets": {images: {"n": n} for images, n in few.items()},
        "runs": {name: run},
        "samplers": {name: {"n": 60}},
        "metrics": {"n": 60},
        "extractors": {"crops": {"min_accuracy": 0}},
        "detection": {name: {"auto_pgd": {"steps": 3, "restarts": 1}, "square": {"queries": 2}}},
    }


def shorten(path: Path) -> None:
    """Change the scale's file, as a user may."""
    first, _, text = path.read_text().partition("\n")
    scale = yaml.safe_load(text)
    update_config(scale, short(path.stem))
    path.write_text(first + "\n" + yaml.safe_dump(scale, sort_keys=False))


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """120 bags of Fashion-MNIST."""
    images, labels, classes = made({"reader": "fashion_mnist", "split": "train", "held_out": 1, "size": 16})
    folder = tmp_path_factory.mktemp("bags")
    for number, image in enumerate(images[labels == classes.index("bag")][:120]):
        Image.fromarray(image[..., 0]).save(folder / f"{number:03}.png")
    return folder


@pytest.fixture(scope="module")
def trained(photos, tmp_path_factory) -> Path:
    """A checkout in which the documented commands were given."""
    folder = checkout(tmp_path_factory.mktemp("own"))
    own = command(folder, "own", str(photos), "--name", "bags_own", "--size", "16")
    assert own.returncode == 0, own.stderr
    shorten(folder / "workflow/scales/bags_own.yaml")
    made = snakemake(folder, "--config", "scale=bags_own")
    assert made.returncode == 0, made.stdout + made.stderr
    return folder


def test_the_workflow_makes_model_samples_picture_and_aurocs(trained):
    (overview,) = (trained / "work/overview").glob("bags_own-*")
    with Image.open(overview / "samples.png") as picture:
        assert picture.size == (10 * 50 + 2, 9 * 50 + 2) and picture.mode == "L"
        tiles = np.asarray(picture)
    (sample,) = (trained / "work/sample").glob("bags_own.best-*")
    third = np.load(sample / "images.npy")[0, ..., 0]
    assert np.array_equal(tiles[102:150, 2:50][::3, ::3], third), "the first sample stands below its source"
    auroc = record_of(overview)["auroc"]
    assert set(auroc) == {"photographs", "textures", "noise"}
    assert all(0 <= row["worst"] <= row["clean"] <= 1 for row in auroc.values())
    again = snakemake(trained, "--config", "scale=bags_own")
    assert "Nothing to be done" in again.stdout + again.stderr
    verified = command(trained, "verify", "-C", "scale=bags_own")
    assert verified.returncode == 0, verified.stdout
    listed = json.loads(command(trained, "status", "runs", "-C", "scale=bags_own", "--json").stdout)["runs"]
    assert [(row["run"], row["state"]) for row in listed] == [("bags_own", "trained")]


def test_images_are_scored_from_python_as_by_the_command(trained, photos):
    found = command(trained, "score", str(photos), "--run", "bags_own", "-C", "scale=bags_own", "--json")
    assert found.returncode == 0, found.stderr
    rows = json.loads(found.stdout)
    text = command(trained, "score", str(photos), "--run", "bags_own", "-C", "scale=bags_own").stdout.splitlines()
    shown = [line.split("\t") for line in text[1:]]
    assert [(word, image) for _, _, word, image in shown] == [(row["word"], row["image"]) for row in rows]
    energies = [(float(energy), float(percentile)) for energy, percentile, _, _ in shown]
    assert np.allclose(energies, [(row["energy"], row["percentile"]) for row in rows], rtol=1e-3, atol=0.05)
    model = atebm.load("bags_own", trained, "bags_own", device="cpu")
    assert model.energy(photos) == pytest.approx([row["energy"] for row in rows], abs=1e-5)
    assert model.score(photos) == pytest.approx([row["percentile"] for row in rows])


@pytest.fixture(scope="module")
def model(trained) -> atebm.Model:
    return atebm.load("bags_own", trained, "bags_own", device="cpu")


@pytest.fixture(scope="module")
def images(photos) -> np.ndarray:
    """Read by Pillow alone, (n, H, W, C)."""
    return np.stack([np.asarray(Image.open(path))[..., None] for path in sorted(photos.iterdir())[:5]])


def test_the_energy_is_minus_the_logit_however_images_are_given(model, images, photos, trained):
    """By the networks own layers, from the file of its weights."""
    from safetensors.torch import load_file

    (folder,) = (trained / "work/train").glob("bags_own-*")
    weights = load_file(folder / "best.safetensors")
    x = torch.from_numpy(images).permute(0, 3, 1, 2).double() / 255
    y = (x - weights["mean"]) / weights["std"]
    conv, relu = torch.nn.functional.conv2d, torch.relu

    def w(name: str) -> torch.Tensor:
        return weights[f"network.{name}"].double()

    y = conv(y, w("stem.weight"), w("stem.bias"), padding=1)
    for block in range(2):
        part = f"blocks.{block}."
        inner = conv(relu(y), w(f"{part}conv1.weight"), w(f"{part}conv1.bias"), padding=1)
        inner = torch.nn.functional.avg_pool2d(inner, 2)
        inner = conv(relu(inner), w(f"{part}conv2.weight"), w(f"{part}conv2.bias"), padding=1)
        y = inner + conv(torch.nn.functional.avg_pool2d(y, 2), w(f"{part}shortcut.weight"))
    features = relu(conv(relu(y), w("last.weight"), w("last.bias"))).flatten(1)
    energy = -(features @ w("head.weight").T + w("head.bias"))[:, 0].numpy()
    for given in (images, x.float(), x.float().numpy(), [str(path) for path in sorted(photos.iterdir())[:5]]):
        assert model.energy(given) == pytest.approx(energy, abs=1e-4)


def test_samples_are_those_of_the_command(model, trained, photos):
    paths = sorted(photos.iterdir())[:3]
    arguments = ["--run", "bags_own", "-C", "scale=bags_own", "-o", "OUT"]
    made = command(trained, "apply", "sample", *map(str, paths), *arguments)
    assert made.returncode == 0, made.stderr
    written = [np.asarray(Image.open(trained / f"OUT/{path.name}"))[..., None] for path in paths]
    assert np.array_equal(model.sample(paths), written)
    assert np.array_equal(model.sample(np.stack([np.asarray(Image.open(p))[..., None] for p in paths])), written)


@pytest.mark.parametrize("method", ["auto_pgd", "pgd"])
def test_attacks_climb_and_stay_in_their_ball(model, images, method):
    attacked = model.attack(images, 0.7, method, steps=10).numpy()
    x = images.transpose(0, 3, 1, 2) / 255
    moved = np.linalg.norm((attacked - x).reshape(len(x), -1), axis=1)
    assert (moved <= 0.7 * (1 + 1e-5)).all() and (moved > 0.1).all() and 0 <= attacked.min() <= attacked.max() <= 1
    assert (model.energy(attacked) < model.energy(images)).all()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (np.zeros((2, 8, 8, 1), np.uint8), r"bags_own needs uint8 \(n, H, W, C\)"),
        (np.zeros((2, 16, 16, 1), np.float32), "needs uint8"),
        (np.full((2, 1, 16, 16), 255.0), r"floats in \[0, 1\]: divide by 255"),
        (np.zeros((2, 1, 16, 16), np.int64), "uint8 from 0 to 255"),
        (["nowhere.png"], "nowhere.png"),
    ],
)
def test_images_of_another_kind_are_sentences(model, given, sentence):
    with pytest.raises(DataError, match=sentence):
        model.energy(given)


@pytest.mark.slow
def test_training_from_python_is_what_the_commands_do(trained, photos, model):
    """Another name and the same settings: the same bytes, and the same errors."""
    config = [f"{section}={json.dumps(value)}" for section, value in short("bags_again").items()]
    again = atebm.train(photos, "bags_again", trained, size=16, config=config, cores=2, device="cpu")
    assert again.name == "bags_again" and np.array_equal(again.energy(photos), model.energy(photos))
    with pytest.raises(ConfigError, match=r"bags_again\.yaml exists already"):
        atebm.train(photos, "bags_again", trained)


def test_what_cannot_be_loaded_is_a_sentence(trained, tmp_path):
    with pytest.raises(ConfigError, match="there is no run 'cats'"):
        atebm.load("cats", trained, "bags_own")
    with pytest.raises(ConfigError, match="train bags_own has not been computed yet"):
        atebm.load("bags_own", trained, "bags_own", config=["seed=7"])
    with pytest.raises(ConfigError, match="run this in the folder of the checkout"):
        atebm.load("cifar10", tmp_path)
    with pytest.raises(AttributeError, match="no attribute 'laod'"):
        atebm.laod  # noqa: B018


def test_images_that_were_added_stop_the_workflow_until_they_are_meant(trained, photos, tmp_path):
    """After --replace the run is another one, and trained anew."""
    folder = Path(shutil.copytree(trained, tmp_path / "checkout"))
    mine = Path(shutil.copytree(photos, tmp_path / "photos"))
    path = folder / "workflow/scales/bags_own.yaml"
    path.write_text(path.read_text().replace(str(photos), str(mine)))
    Image.new("L", (16, 16)).save(mine / "new.png")
    stopped = snakemake(folder, "--config", "scale=bags_own")
    assert stopped.returncode != 0 and "has 121 images" in stopped.stderr and "--replace" in stopped.stderr
    assert "Traceback" not in stopped.stdout + stopped.stderr
    assert command(folder, "verify", "-C", "scale=bags_own").returncode == 1
    own = command(folder, "own", str(mine), "--name", "bags_own", "--size", "16", "--replace")
    assert own.returncode == 0, own.stderr
    dry = snakemake(folder, "-n", "--config", "scale=bags_own")
    assert dry.returncode == 0 and re.search(r"^train +1$", dry.stdout, re.MULTILINE), dry.stdout + dry.stderr
    assert list((folder / "work/train").glob("bags_own-*/run.json")), "what was trained before stays"
