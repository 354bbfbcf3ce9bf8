"""`atebm cost`: what is counted against independent counts and against what steps really do and leave."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import REPOSITORY, compute_step, planned, write_specs
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models.resnet import Bottleneck, ResNet
from typer.testing import CliRunner

from atebm.cli.app import app
from atebm.cost import table
from atebm.cost.disk import size
from atebm.cost.flops import Flops, facts
from atebm.cost.host import host_work, seconds
from atebm.cost.passes import (
    BY_IMAGE,
    BY_WEIGHTS,
    FORWARD,
    WITH_R1,
    Network,
    Way,
    network_of_extractor,
    network_of_run,
    passes,
    products,
    sum_of_K,
)
from atebm.cost.rates import Rates
from atebm.cost.throughput import Throughput
from atebm.data import writers as build
from atebm.evaluation.inception import network as fidelity
from atebm.maintenance.docs import expectation
from atebm.models.released import read
from atebm.pipeline.job import Job
from atebm.pipeline.plan import Plan
from atebm.pipeline.step import Step
from atebm.training import schedule
from atebm.training.loop import train
from atebm.utils.errors import UserError
from atebm.utils.hashing import canonical

CPU = torch.device("cpu")
SMALL = {"name": "small", "width": 4, "mean": [0.3], "std": [0.35]}


class Steady(Throughput):
    """A device that does all at one speed, and products at ten times that."""

    def of(self, way: Way, what: str) -> float:
        return 1e12

    def floor(self, precision: str) -> float:
        self.floors[precision] = 1e13
        return 1e13


def flops(plan: Plan, step: Step) -> int:
    return sum(n * facts(way.network).flops[what] for (way, what), n in passes(plan, step).items())


# --- of one image -----------------------------------------------------------------------------------------------------


def test_a_small_network_by_hand():
    """2 * outputs' pixels * kernel's weights of each layer, width 4 on 8x8 grey pixels, a head for one output."""
    stem, conv1, conv2, shortcut = 64 * 9 * 4, 16 * 4 * 16 * 4, 16 * 4 * 9 * 8, 16 * 4 * 8  # conv1 pools: 4x4
    last, head = 8 * 16 * 8, 8
    forward = 2 * (stem + conv1 + conv2 + shortcut + last + head)
    found = facts(Network(canonical(SMALL), (1, 8, 8), 1)).flops
    assert found[FORWARD] == forward
    assert found[BY_IMAGE] == 2 * forward  # a second product per layer, for the gradient of its input
    assert found[BY_WEIGHTS] == 3 * forward - 2 * stem  # a third for that of its weight; none for the image's
    assert found[WITH_R1] > found[BY_IMAGE] + found[BY_WEIGHTS]


def test_resnet50_is_torchvisions():
    theirs = ResNet(Bottleneck, [3, 4, 6, 3], num_classes=10)
    theirs.conv1, theirs.maxpool = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.Identity()
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        theirs.eval()(torch.zeros(1, 3, 32, 32))
    network = Network(
        network_of_run(planned("paper").config, planned("paper").train("cifar10", 0)).settings, (3, 32, 32), 10
    )
    assert facts(network).flops[FORWARD] == counter.get_total_flops()
    assert counter.get_total_flops() == pytest.approx(2 * 1.3e9, rel=0.01)  # 1.30 GMAC, as commonly stated


def test_inception_is_torch_fidelitys(tmp_path):
    weights = read(build.inception_weights(tmp_path / "weights.pth"))
    with Flops() as counter:
        fidelity(weights)(torch.zeros(1, 3, 32, 32, dtype=torch.uint8))
    found = facts(network_of_extractor(planned("paper")))
    assert (found.flops[FORWARD], found.width) == (counter.total, 2048)
    assert found.bytes == sum(tensor.numel() * tensor.element_size() for tensor in weights.values())


# --- of steps, against what they do -----------------------------------------------------------------------------------

SHORT = {"K_start": 0, "K_max": 0, "epochs_per_K": 0.04, "iterations": 5}  # of 50 iterations an epoch: 2 per K
ATTACK = {"steps": 3, "step_size": 0.1, "eps": None}
BARE: dict[str, Any] = {"schedule": SHORT, "monitor": None, "r1": 0, "average": None}
RUNS: dict[str, dict[str, Any]] = {
    "K = 0": BARE,
    "K = 2": BARE | {"schedule": SHORT | {"K_start": 2, "K_max": 2}},
    "K grows": BARE | {"schedule": SHORT | {"K_max": 2}},
    "until K_max": BARE | {"schedule": SHORT | {"K_max": 1, "iterations": None}},
    "R1": BARE | {"r1": 0.01},
    "attack on p_data": BARE | {"in_attack": ATTACK},
    "monitor": BARE | {"monitor": {"every": 2, "start": 0, "n": 30, "steps": [1, 3], "step_size": 0.5}},
    "max likelihood": BARE | {"objective": "max_likelihood", "schedule": SHORT | {"K_start": 1, "K_max": 1}},
    "Langevin": BARE | {"langevin": {"step_size": 0.01}, "schedule": SHORT | {"K_start": 2, "K_max": 2}},
    "RATIO": BARE | {"objective": "outlier_exposure", "in_attack": ATTACK, "schedule": SHORT | {"K_max": 2}},
}


def counted(work: Callable[[], object]) -> int:
    with Flops() as counter:
        work()
    return counter.total


@pytest.mark.parametrize("changes", RUNS.values(), ids=list(RUNS))
def test_a_training_does_what_is_counted(smoke, changes):
    root, _ = smoke
    plan = planned("smoke", runs={"cifar10": changes}, samplers={"cifar10": {"steps": 2}})
    step = plan.train("cifar10", 0)
    write_specs(root, step)
    assert counted(lambda: train(Job(root / step.spec_file), CPU)) == flops(plan, step) > 0


Done = dict[str, tuple[Plan, Step, int]]


@pytest.fixture(scope="module")
def done(smoke) -> tuple[Path, Done]:
    """A step of each kind that takes work, computed: its plan, itself, and the operations that it took."""
    root, _ = smoke
    plan = planned(
        "smoke",
        runs={
            "cifar10": BARE | {"average": 0.9},
            "celebahq256": BARE | {"monitor": {"every": 2, "start": 0, "n": 30, "steps": [2], "step_size": 0.5}},
            "afhqcat256": BARE,
            "cifar10_ood": BARE,
        },
        samplers={name: {"steps": 3} for name in ("cifar10", "afhqcat256")},
        pretrainings={"imagenet": {"epochs": 1}},
        detection={"cifar10": {"n": 30}},
        ascents={"celebahq256_trajectory": {"n": 60, "motion": 50}},
    )
    ascents = ("celebahq256_trajectory", "celebahq256_interpolation", "celebahq256_and_afhqcat256")
    steps = {
        "data": plan.data("photographs_test"),
        "train": plan.train("cifar10", 0),
        "monitored": plan.train("celebahq256", 0),
        "pretrain": plan.pretrain("imagenet"),
        "sample": plan.sample("cifar10", 0, "best"),
        "selected": plan.sample("celebahq256", 0, "best"),
        "features": plan.features(plan.data("photographs_test"), 50),
        "neighbours": plan.neighbours("cifar10", 0),
        "attack": plan.attack("cifar10_ood", 0),
        "transfer": plan.attack("cifar10_ood", 0, "transfer", other_seed=1, pgd=None, square=None),
        "timing": plan.timing("cifar10"),
        **{name: plan.ascent(name, 0) for name in ascents},
    }
    write_specs(root, *steps.values())
    found: Done = {}

    def compute(step: Step) -> int:
        if step.kind != "timing" and (root / step.record).exists():
            return 0
        for parent in step.parents.values():
            compute(parent)
        return counted(lambda: compute_step(Job(root / step.spec_file)))

    for name, step in steps.items():
        for parent in step.parents.values():
            compute(parent)
        (root / step.record).unlink(missing_ok=True)  # data are those of all tests
        found[name] = (plan, step, compute(step))
    return root, found


def test_steps_do_what_is_counted(done):
    _, steps = done
    for name, (plan, step, took) in steps.items():
        searched = products(plan, step, facts(network_of_extractor(plan)).width)
        assert flops(plan, step) + searched == took, name
        assert (took > 0) == (name != "data"), name


def test_steps_leave_as_much_as_is_counted(done):
    """To 5 %, but for the few kB of a record and of text, whose numbers vary in length."""
    root, steps = done
    for name, (plan, step, _) in steps.items():
        left = sum(file.stat().st_size for file in (root / step.folder).iterdir())
        assert not (root / "work/checkpoints" / step.kind / step.id).exists(), name
        assert size(plan, step) == pytest.approx(left, rel=0.05, abs=2500), name


def test_k_grows_as_in_training():
    for K_start, K_max, per_K, total in [(0, 3, 5, 12), (0, 3, 2, 12), (2, 2, 4, 9), (1, 40, 150, 700)]:
        settings = {"K_start": K_start, "K_max": K_max}
        for soon, auc in ((False, 0.0), (True, 1.0)):
            at, climbed = schedule.Progress(K_start), 0
            for _ in range(total):
                climbed += at.K
                at = schedule.advance(at, K_max, per_K, 0.8 if soon else None, auc)
            assert sum_of_K(settings, min(per_K, schedule.WINDOW) if soon else per_K, total) == climbed


def test_an_early_advance_costs_more():
    plan = planned("paper")
    early, fixed = plan.train("cifar10", 0), plan.train("cifar10_K_max", 0)
    climbed = [
        sum(n for (_, what), n in passes(plan, early, soon).items() if what == BY_IMAGE) for soon in (False, True)
    ]
    assert climbed[1] > 1.4 * climbed[0]
    assert passes(plan, fixed) == passes(plan, fixed, soon=True)


# --- of artifacts -----------------------------------------------------------------------------------------------------


def test_what_artifacts_add_is_the_total(tmp_path):
    plan = planned("paper")
    found = table.costs(plan, tmp_path, Steady(CPU))
    for key in table.Cost.__dataclass_fields__:
        assert sum(row["adds"][key] for row in found["artifacts"]) == pytest.approx(found["total"][key])
        assert all(row["adds"][key] <= row[key] * (1 + 1e-9) for row in found["artifacts"])
    total = found["total"]
    networks = sum(flops(plan, step) for step in plan.steps.values()) / 3.6e15
    assert total["hours"] == pytest.approx(networks + total["data"], rel=1e-3) and total["data"] > 100
    assert total["floor"] == pytest.approx(networks / 10, rel=1e-3) and total["left"] == pytest.approx(total["hours"])
    assert total["gigabytes"] == pytest.approx(sum(size(plan, step) for step in plan.steps.values()) / 1e9)
    rows = {row["artifact"]: row for row in found["artifacts"]}
    assert rows["tableS1"]["adds"]["gigabytes"] == 0 < rows["tableS1"]["gigabytes"]  # the steps of Fig. S1
    claims, controls = found["on_request"]
    assert (claims["artifact"], controls["artifact"]) == ("claims", "controls")
    assert claims["hours"] > claims["adds"]["hours"] > 0
    assert controls["hours"] == claims["hours"] and controls["adds"]["hours"] == 0  # drawn from the same steps
    hours = [row["hours"] for row in found["costliest"]]
    assert hours == sorted(hours, reverse=True) and len(hours) == 5
    assert "ILSVRC2012_img_train.tar" in found["archives"]["files"] and found["archives"]["gigabytes"] > 138
    assert "afhq.zip" in found["archives"]["of_unknown_size"]
    text = "\n".join(table.describe_costs(found))
    assert (
        re.search(r"^everything +[\d,.]+ ", text, re.MULTILINE) and "discriminator256, stem 3, 3x256x256, fp32" in text
    )


RATES = REPOSITORY / "data/expected/rates_h100.json"
BF16 = {
    "runs": {name: {"precision": "bf16", "compile": True} for name in ("cifar10", "celebahq256")},
    "pretrainings": {"imagenet": {"precision": "bf16", "compile": True}},
}


def test_speeds_of_a_file_say_which_are_assumed_and_from_what():
    fast, plan = Rates(RATES), planned("paper", **BF16)
    step = plan.train("cifar10", 0)
    for (way, what), n in passes(plan, step).items():
        assert n > 0 and fast.of(way, what) > 0
    (monitored,) = [timed for timed in fast.found if (timed.what, timed.batch) == (BY_IMAGE, 250)]
    assert (monitored.precision, monitored.compiled) == ("bf16", True) and "assumed" in fast.sources[monitored]
    (seen,) = [timed for timed in fast.found if str(timed.network).startswith("inception")]
    assert fast.sources[seen] == "measured" and fast.found[seen] == pytest.approx(25.357e12)
    other = Way(Network(canonical(SMALL), (1, 8, 8), 1), 32)
    slowest = min(row["tflops"] for row in fast.rows if (row["what"], row["precision"]) == (FORWARD, "fp32"))
    assert fast.of(other, FORWARD) == slowest * 1e12
    assert "assumed: the slowest" in fast.sources[fast.timed(other, FORWARD)]


def test_images_and_distances_are_counted():
    """AutoAugment of both sets is what one core needs most for, and workers make it while a GPU computes."""
    plan = planned("paper")
    ood, celeba, cifar = (plan.train(run, 0) for run in ("cifar10_ood", "celebahq256", "cifar10"))
    work = host_work(plan, ood, 2048)
    assert work.beside == pytest.approx(156_000 * 2 * 128 * seconds("autoaugment_cutout of 32 pixels"), rel=0.01)
    assert work.hours(30, gpu=True) == 30 and work.hours(1, gpu=True) == pytest.approx(work.beside / 3600 / 16)
    assert work.hours(30, gpu=False) == pytest.approx(30 + work.core_hours)
    images = seconds("decode and crop an image file to 256 pixels") + seconds("resized_crop_flip of 256 pixels")
    assert host_work(plan, celeba, 2048).beside == pytest.approx(218_000 * 40 * images)
    assert host_work(plan, cifar, 2048).alone == pytest.approx(344 * seconds("distance of 2048 features"))


def test_the_critical_path_is_what_waits_for_each_other(tmp_path):
    plan = planned("paper")
    found = table.costs(plan, tmp_path, Steady(CPU))
    names = [row["step"].rpartition("-")[0] for row in found["critical_path"]["steps"]]
    assert "pretrain/imagenet" in names and names.index("pretrain/imagenet") < names.index("train/celebahq256")
    assert found["critical_path"]["hours"] == pytest.approx(sum(r["hours"] for r in found["critical_path"]["steps"]))
    assert found["critical_path"]["hours"] < found["total"]["hours"] / 2


def test_a_step_that_is_done_costs_nothing_more(tmp_path):
    plan = planned("smoke")
    step = plan.train("cifar10", 0)
    before = table.costs(plan, tmp_path, Steady(CPU))
    (tmp_path / step.folder).mkdir(parents=True)
    (tmp_path / step.record).touch()
    after = table.costs(plan, tmp_path, Steady(CPU))
    own = flops(plan, step) / 3.6e15 + host_work(plan, step, facts(network_of_extractor(plan)).width).core_hours
    assert before["total"]["left"] - after["total"]["left"] == pytest.approx(own) and own > 0
    assert after["total"]["hours"] == before["total"]["hours"]
    was, now = ({row["artifact"]: row["left"] for row in found["artifacts"]} for found in (before, after))
    assert now["fig5"] == pytest.approx(was["fig5"] - own) and now["fig7"] == was["fig7"]


# --- of a device ------------------------------------------------------------------------------------------------------


def test_throughput_is_measured_once_and_on_few_images(monkeypatch):
    throughput, network = Throughput(CPU), Network(canonical(SMALL), (1, 8, 8), 1)
    large = [Way(network, batch, captured=captured) for batch, captured in ((10**9, False), (10**8, True))]
    monkeypatch.setattr("atebm.cost.throughput.AT_ONCE_ON_CPU", 20 * facts(network).flops[BY_IMAGE])
    speeds = [throughput.of(way, BY_IMAGE) for way in large]
    assert speeds[0] == speeds[1] > 0 and [timed.batch for timed in throughput.found] == [20]
    assert throughput.floor("fp32") > speeds[0]


def test_the_command(monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    run = CliRunner().invoke(app, ["cost", "-C", "scale=smoke", "--json", "--device", "cpu"])
    found = json.loads(run.stdout)
    assert found["scale"] == "smoke" and found["torch"] == torch.__version__ and found["threads"] == 1
    assert {row["network"] for row in found["networks"]} == {"small, width 4, 1x8x8"}
    assert np.isfinite([row["hours"] for row in found["artifacts"]]).all() and found["total"]["hours"] > 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["-C", "scale=papr"], "there is no scale 'papr'"),
        (["--device", "gpu"], "there is no device 'gpu'"),
        pytest.param(
            ["--device", "cuda"],
            "PyTorch finds no GPU here",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is one"),
        ),
    ],
)
def test_what_there_is_not_is_a_sentence(arguments, sentence, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    run = CliRunner().invoke(app, ["cost", *arguments])
    assert isinstance(run.exception, UserError) and sentence in str(run.exception)


def test_the_documentation_says_what_was_measured_elsewhere(tmp_path):
    path = tmp_path / "paper_h100.json"
    assert "Not estimated" in expectation(path)
    found = table.costs(planned("paper"), tmp_path, Steady(CPU))
    path.write_text(json.dumps(found))
    text = expectation(path)
    assert f"{found['total']['hours']:,.0f}" in text and found["device"] in text
    assert re.search(r"^\| Fig. 2 +\|", text, re.MULTILINE) and "| Table S3" not in text
    assert "`train/celebahq256" in text and "bf16" not in text
    path.with_stem("paper_h100_bf16").write_text(json.dumps(found))
    assert "With `precision: bf16`" in (text := expectation(path)) and re.search(r"[Oo]f the \d+\s+speeds", text)
