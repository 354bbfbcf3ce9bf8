"""Checkpoints in the authors' format as weights of our networks, and what is refused."""

import json
import pickle
import re
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from checkpoints import discriminator_state, renamed, resnet50
from conftest import REPOSITORY, run, typed
from torch import Tensor
from torchvision.models.resnet import ResNet

from atebm.archives.releases import releases
from atebm.models.energy import Energy
from atebm.models.released import import_weights, provenance, read
from atebm.models.weights import load_weights
from atebm.utils.errors import ConfigError, DataError
from atebm.utils.hashing import sha256

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)  # the authors' script


@pytest.fixture(scope="module")
def resnet() -> ResNet:
    return resnet50()


def f_of(network: ResNet, x: Tensor) -> Tensor:
    """Logit 0 of a torchvision network, under the authors' normalisation, in double precision."""
    mean, std = (torch.tensor(value, dtype=torch.float64).view(1, 3, 1, 1) for value in (MEAN, STD))
    try:
        return network.double()((x.double() - mean) / std)[:, 0].detach()
    finally:
        network.float()


def imported(folder: Path, task: str) -> Energy:
    record = json.loads((folder / f"{task}.json").read_text())
    return load_weights(Energy(record["network"], record["shape"]), folder / f"{task}.safetensors")


@pytest.mark.parametrize("names", ["torchvision's", "the authors'"])
def test_a_resnet50_is_imported_exactly(resnet, names, tmp_path, capsys):
    file, state = tmp_path / "model.pth", resnet.state_dict()
    torch.save(state if names == "torchvision's" else {"state_dict": renamed(state), "epoch": 3}, file)
    import_weights(file, "cifar10", *typed("paper").network_of("cifar10"), tmp_path / "out")
    x = torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(5))
    # In double precision, all that differs is that the import rounds each folded gamma and beta to float32. Independent
    # roundings by 2^-24 of each parameter p move f by 2^-24 * sqrt(sum (p df/dp)^2), which is 4e-6 here, on any CPU.
    got = imported(tmp_path / "out", "cifar10").double()(x.double())
    torch.testing.assert_close(got, f_of(resnet, x), rtol=0, atol=1e-5)

    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["cifar10.json", "cifar10.safetensors"]
    record = json.loads((tmp_path / "out/cifar10.json").read_text())
    assert record == {
        "task": "cifar10",
        "file": "model.pth",
        "bytes": file.stat().st_size,
        "sha256": sha256(file),
        "verified": False,
        "network": {"name": "resnet50", "mean": list(MEAN), "std": list(STD)},
        "shape": [3, 32, 32],
        "parameters": 23_520_842 - 9 * 2049,
    }
    printed = capsys.readouterr().out
    assert printed.startswith("warning: model.pth is not the authors' experiments/cifar10-") and sha256(file) in printed


def discriminator(state: dict[str, Tensor], x: Tensor) -> Tensor:
    """f(x) by those tensors alone, in the authors' order; mean and deviation are float32 numbers, as in our model."""
    mean, std = (torch.tensor(value).view(1, 3, 1, 1) for value in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    h = (x - mean) / std
    h = F.conv2d(h, state["main.0.weight"], state["main.0.bias"], padding=1)
    for number in range(1, 7):
        weights = {name.removeprefix(f"main.{number}."): t for name, t in state.items() if f"main.{number}." in name}
        r = F.conv2d(F.leaky_relu(h, 0.2), weights["conv1.weight"], weights["conv1.bias"], padding=1)
        r = F.leaky_relu(F.avg_pool2d(r, 2), 0.2)
        r = F.conv2d(r, weights["conv2.weight"], weights["conv2.bias"], padding=1)
        s = F.conv2d(h, weights["conv1x1.weight"]) if "conv1x1.weight" in weights else h
        h = (F.avg_pool2d(s, 2) + r) / 2**0.5
    h = F.leaky_relu(F.conv2d(F.leaky_relu(h, 0.2), state["main.8.weight"], state["main.8.bias"]), 0.2).flatten(1)
    return (h @ state["linear.weight"].T + state["linear.bias"])[:, 0]


def test_a_pretrained_discriminator256_keeps_logit_0(tmp_path):
    state, file = discriminator_state(), tmp_path / "ckpt.pth"
    torch.save({"model": {f"module.{name}": tensor for name, tensor in state.items()}, "optimizer": {"lr": 1}}, file)
    import_weights(file, "imagenet", *typed("paper").network_of("imagenet"), tmp_path)
    x = torch.rand(1, 3, 256, 256, dtype=torch.float64, generator=torch.Generator().manual_seed(7))
    with torch.no_grad():
        wanted = discriminator({name: tensor.double() for name, tensor in state.items()}, x)
        assert wanted.abs() > 0.01
        torch.testing.assert_close(imported(tmp_path, "imagenet").double()(x), wanted, rtol=1e-9, atol=1e-12)
    assert json.loads((tmp_path / "imagenet.json").read_text())["parameters"] == 20_851_777


# --- provenance ---------------------------------------------------------------------------------------------------


def test_known_files_are_told_apart(tmp_path):
    rows = releases()
    file = tmp_path / "model.pth"
    file.write_bytes(b"x" * 10)
    told = {task: provenance(file, rows[task]["sha256"], task) for task in rows}
    assert told["celebahq256"] == (
        True,
        f"verified: model.pth is the authors' {rows['celebahq256']['file']}. To evaluate it, set weights: released.",
    )
    assert all(verified for verified, _ in told.values())
    assert provenance(file, rows["church256"]["sha256"], "celebahq256") == (
        False,
        "warning: the authors released model.pth for church256, not for celebahq256.",
    )
    verified, sentence = provenance(file, "0" * 64, "celebahq256")
    assert not verified and sentence.startswith("warning:")
    assert all(text in sentence for text in (rows["celebahq256"]["sha256"], "0" * 64, "85469528", "(10 bytes"))
    assert provenance(file, "0" * 64, "other")[1].startswith("warning: model.pth cannot be verified")


def test_the_table_of_released_files_is_that_of_the_lfs_pointers():
    """Typed once more: the first digits, and sizes that agree with the networks' parameters."""
    rows = releases()
    pointers = {
        "imagenet": ("5fe64df2", 85_467_864, 21_364_264),
        "cifar10": ("834daf11", 94_410_799, 23_520_842 + 2 * 26_560),  # and running statistics
        "cifar10_ood": ("b24fc2f4", 94_410_799, 23_520_842 + 2 * 26_560),
        "celebahq256": ("e0fff9b7", 85_469_528, 21_364_264),
        "afhqcat256": ("d954df94", 85_469_528, 21_364_264),
        "church256": ("19e7f835", 85_469_528, 21_364_264),
    }
    assert {task: (row["sha256"][:8], int(row["bytes"])) for task, row in rows.items()} == {
        task: pointer[:2] for task, pointer in pointers.items()
    }
    for digest, size, numbers in pointers.values():
        assert 0 < size - 4 * numbers < 150_000, digest
    assert all(re.fullmatch("[0-9a-f]{64}", row["sha256"]) for row in rows.values())
    assert all(typed("paper").network_of(task)[1][0] == 3 for task in rows)  # each can be imported


def test_a_task_without_a_network_is_named():
    with pytest.raises(
        ConfigError, match="no run or pre-training 'imagnet' at scale paper; choose one of afhqcat256, "
    ):
        typed("paper").network_of("imagnet")


# --- what is refused ----------------------------------------------------------------------------------------------


class Payload:
    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.mkdir, (self.path,)


@pytest.mark.parametrize("save", [torch.save, lambda value, file: file.write_bytes(pickle.dumps(value, protocol=2))])
def test_a_pickle_with_a_payload_is_refused_and_not_run(save, tmp_path):
    file, trace = tmp_path / "model.pth", tmp_path / "executed"
    save({"state_dict": {"conv1.weight": torch.zeros(1)}, "extra": Payload(trace)}, file)
    pickle.loads(pickle.dumps(Payload(trace)))
    assert trace.exists()  # the payload does work
    trace.rmdir()
    with pytest.raises(
        DataError, match=r"model.pth is damaged, or not a PyTorch checkpoint of tensors only;.*not read\."
    ):
        read(file)
    assert not trace.exists()


@pytest.mark.parametrize("contents", [b"", b"not a checkpoint", b"PK\x03\x04 a broken archive"])
def test_a_file_that_is_none_is_refused(contents, tmp_path):
    (tmp_path / "model.pth").write_bytes(contents)
    with pytest.raises(DataError, match=r"model\.pth is damaged"):
        read(tmp_path / "model.pth")


@pytest.mark.parametrize(
    ("contents", "found"),
    [
        ({"epoch": 3}, "no state dict"),
        ([torch.zeros(1)], "no state dict"),
        ({"G": {"a": torch.zeros(1)}, "D": {"a": torch.zeros(1)}}, r"2 state dicts \(G, D\)"),
    ],
)
def test_a_checkpoint_must_hold_one_state_dict(contents, found, tmp_path):
    torch.save(contents, tmp_path / "model.pth")
    with pytest.raises(DataError, match=f"contains {found}, but must contain exactly one"):
        read(tmp_path / "model.pth")


def drop_last(state: dict[str, Tensor]) -> None:
    state.popitem()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            lambda s: s.update({"layer2.0.conv2.weight": torch.zeros(128, 128, 1, 1)}),
            " has layer2.0.conv2.weight, of shape (128, 128, 1, 1), where the network has blocks.3.conv2.weight, "
            "of shape (128, 128, 3, 3).",
        ),
        (
            lambda s: s.update({"bn1.running_var": torch.zeros(3)}),
            ": bn1.running_var, of shape (3,), belongs to bn1.bias, of shape (64,).",
        ),
        (
            lambda s: s.update({"fc.weight": torch.zeros(10, 512)}),
            " has fc.weight, of shape (10, 512), where the network has head.weight, of shape (1, 2048).",
        ),
        (drop_last, " ends where the network has head.bias, of shape (1,)."),
        (
            lambda s: s.update({"aux.weight": torch.zeros(2, 2)}),
            ": the network has no tensor for aux.weight, of shape (2, 2).",
        ),
        (
            lambda s: s.update({"fc.bias": torch.full((10,), torch.nan)}),
            ": fc.bias contains numbers that are not finite.",
        ),
    ],
    ids=["convolution", "statistics", "head", "missing", "extra", "nan"],
)
def test_tensors_that_do_not_fit_are_named_with_both_shapes(resnet, change, sentence, tmp_path, monkeypatch):
    state = dict(resnet.state_dict())
    change(state)
    monkeypatch.setattr("atebm.models.released.read", lambda file: state)  # what a file holds is tested above
    (tmp_path / "model.pth").touch()
    with pytest.raises(DataError, match=re.escape(f"model.pth{sentence}")):
        import_weights(tmp_path / "model.pth", "cifar10", *typed("paper").network_of("cifar10"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command_line_has_the_verb(tmp_path):
    torch.save({"epoch": 3}, tmp_path / "model.pth")
    ended = run(REPOSITORY, "python", "-m", "atebm", "import-weights", f"{tmp_path}/model.pth", "--task", "cifar10")
    assert ended.returncode == 1 and "model.pth contains no state dict" in ended.stderr
    assert "Traceback" not in ended.stderr
