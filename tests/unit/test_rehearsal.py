"""`atebm rehearse`: a plan in short, what its processes took, and what of days that says; and what is found by it."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections import namedtuple
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import REPOSITORY, checkout, run

from atebm.config.base import whole
from atebm.config.load import load
from atebm.cost import extrapolated, rehearsal
from atebm.cost.extrapolated import describe, judge, of_archives, of_step, of_weights, pace, seconds_of
from atebm.cost.rehearsal import Group, groups_of
from atebm.cost.short import ON_CPU, ON_GPU, shortened
from atebm.data.excerpts import excerpt
from atebm.data.miniatures import MINIATURES, undocumented, write_miniature
from atebm.data.readers.images import imagenet_train
from atebm.pipeline.plan import Plan
from atebm.utils.errors import DataError

GB = 10**9


def plan_of(*overrides: str) -> Plan:
    return Plan(load(REPOSITORY, overrides)[0], overrides)


def in_short(plan: Plan, length=ON_CPU) -> Plan:
    return Plan(shortened(plan.config, list(plan.overrides), REPOSITORY, length))


@pytest.fixture(scope="module")
def paper() -> tuple[Plan, Plan]:
    """Scale paper, and the same in short."""
    plan = plan_of("scale=paper")
    return plan, in_short(plan)


def taken(**changes: Any) -> dict[str, Any]:
    """What a process found: nothing that is known to be wrong."""
    return {"seconds": 1.0, "marks": [], "before": 0, "peak": 0, "gpu_peak": None, "gpu_total": None} | changes


def marks(*seconds: float, what: str = "train") -> list[dict[str, Any]]:
    return [{"what": what, "seconds": at, "done": done, "total": len(seconds) - 1} for done, at in enumerate(seconds)]


# --- in short -------------------------------------------------------------------------------------------------------


def differences(one: Any, other: Any, key: str = "") -> set[str]:
    """The innermost keys under which two configurations differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        return {
            found for name in one.keys() | other.keys() for found in differences(one.get(name), other.get(name), name)
        }
    return {key} if one != other else set()


def test_networks_recipes_and_sizes_are_the_scales(paper):
    """On a GPU the batches are, too."""
    counts = {"count", "n", "skip", "iterations", "epochs", "steps", "every", "K_start", "K_max", "k", "motion"}
    counts |= {"distances", "blocks", "queries", "radii", "outer", "seeds", "min_accuracy", "images"}
    plan, _ = paper
    for length, beyond in ((ON_GPU, set()), (ON_CPU, {"batch_size"})):
        short = in_short(plan, length)
        assert differences(whole(plan.config), whole(short.config)) <= counts | beyond
        assert short.config.runs["cifar10"].batch_size == (2 if beyond else 32)
        assert short.config.runs["celebahq256"].network == plan.config.runs["celebahq256"].network
    assert in_short(plan, ON_GPU).config.runs["cifar10"].schedule.K_max == 11  # the mean: K grows to 25


@pytest.mark.parametrize("scale", ["paper", "weekend", "released", "demo", "smoke"])
def test_each_kind_of_work_of_a_scale_is_rehearsed(scale, paper):
    plan, small = paper if scale == "paper" else (made := plan_of(f"scale={scale}"), in_short(made))
    groups = groups_of(plan, plan.steps.values(), small)
    assert {group.steps[0].kind for group in groups} == {kind for kind, _ in plan.steps}
    assert sum(len(group.steps) for group in groups) == len(plan.steps)
    assert [group.name for group in groups if group.short is None] == []
    assert len(groups) < 110


def test_one_kind_of_work_has_the_same_network_batch_and_recipe(paper):
    groups = groups_of(paper[0], paper[0].steps.values(), paper[1])
    of_run = {step.name: group.name for group in groups for step in group.steps if step.kind == "train"}
    assert of_run["cifar10"] == of_run["cifar10_K_max"] == of_run["cifar10_p0_narrower"]
    alone = {of_run[name] for name in ("cifar10", "celebahq256", "church256", "cifar10_ood", "cifar10_max_likelihood")}
    assert len(alone) == 5


# --- what that says of the whole --------------------------------------------------------------------------------------


def test_the_first_iterations_are_not_the_usual_pace():
    """The first two of a GPU compile and capture; the last one has a check of the monitor behind it."""
    found = taken(seconds=25, marks=marks(1, 11, 14, 15, 16, 17, 22))
    startup, working, check = pace(found, gpu=True, monitored=True)
    assert (startup, working, check) == pytest.approx((4 + 9 + 2, 6, 4))
    startup, working, check = pace(found, gpu=False, monitored=False)
    assert working == pytest.approx(6 * (3 + 1 + 1 + 1 + 5) / 5) and check == 0
    assert pace(taken(seconds=3), gpu=True, monitored=False) == (3, 0, 0)


def test_hours_of_a_training_are_its_iterations_and_its_checks(paper):
    plan, small = paper
    (group,) = (g for g in groups_of(plan, [plan.train("cifar10", 0)], small))
    group.taken = taken(seconds=10, marks=marks(0, 2, 3, 4, 8))
    iterations = [extrapolated.amount(*pair) for pair in ((plan, group.steps[0]), (small, group.short))]
    assert (
        10**6 < iterations[0] / iterations[1] < 10**7
    )  # 172,000 of 32 images and a mean K of 11, instead of 4 of 2 and 3
    seconds = seconds_of(plan, small, group, group.steps[0], gpu=False, distance=1)
    check = 1 + (3 - 1) * 10_000 / small.config.runs["cifar10"].monitor.n
    assert seconds == pytest.approx(3 + 4 * iterations[0] / iterations[1] + 344 * check, rel=1e-6)


def judged(plan: Plan, small: Plan, steps, root: Path, **found: Any) -> dict[str, Any]:
    groups = groups_of(plan, steps, small)
    for group in groups:
        group.taken = taken(**found)
    return judge(plan, small, groups, list(steps), root, gpu=False) | {"device": "a device", "seconds": 60.0}


# --- planted failures, each found in one sentence ---------------------------------------------------------------------


def test_a_missing_archive_is_found(paper, tmp_path):
    plan, _ = paper
    found = list(of_archives(plan.steps.values(), tmp_path))
    (imagenet,) = (said for said in found if "ILSVRC2012_img_train.tar" in said)
    assert imagenet.startswith("missing, with ILSVRC2012_") and "Register at https://image-net.org" in imagenet
    assert any("data512x512.zip" in said and "celebahq256_mask" in said for said in found)
    assert not any("cifar-10-python" in said for said in found), "that one is downloaded"
    table2 = list(of_archives(plan.artifacts["table2"], tmp_path))
    assert table2 == []


def test_an_archive_that_is_another_file_is_found(paper, tmp_path):
    folder = tmp_path / "data/archives"
    folder.mkdir(parents=True)
    (folder / "cifar-10-python.tar.gz").write_bytes(b"x" * 1000)
    plan, _ = paper
    (said,) = (said for said in of_archives(plan.steps.values(), tmp_path) if "cifar-10" in said)
    assert "is not what it should be: it has 1,000 bytes, not 170,498,071" in said


def test_a_large_archive_is_told_by_its_size_alone(paper, tmp_path, monkeypatch):
    """148 GB are not read for a checksum."""
    folder = tmp_path / "data/archives"
    folder.mkdir(parents=True)
    file = folder / "ILSVRC2012_img_train.tar"
    with file.open("wb") as opened:
        opened.write(b"tar")
        opened.truncate(147_897_477_120)  # a file with a hole
    monkeypatch.setattr("hashlib.file_digest", lambda *_: pytest.fail("it was read"))
    plan, _ = paper
    found = list(of_archives([plan.data("imagenet")], tmp_path))
    assert found == []
    os.truncate(file, 147_897_477_119)
    (said,) = of_archives([plan.data("imagenet")], tmp_path)
    assert "it has 147,897,477,119 bytes, not 147,897,477,120" in said


def test_released_weights_that_were_not_imported_are_found(tmp_path):
    plan = plan_of("scale=released")
    found = list(of_weights(plan.steps.values(), tmp_path))
    assert len(found) == 5
    assert "cifar10_ood needs released weights: python -m atebm import-weights FILE --task cifar10_ood." in found


def test_a_full_disk_is_found(paper, tmp_path, monkeypatch):
    plan, small = paper
    usage = namedtuple("usage", "total used free")
    for free, full in ((1000 * GB, False), (200 * GB, True)):
        monkeypatch.setattr(shutil, "disk_usage", lambda _, free=free: usage(0, 0, free))
        found = judged(plan, small, plan.steps.values(), tmp_path)
        said = [line for line in found["findings"] if line.startswith("the disk of")]
        assert len(said) == full
    assert re_gb(said[0]) and "Make room, or let work/ and data/archives/ be links" in said[0]
    assert any("finding: the disk of" in line for line in describe(found))


def re_gb(said: str) -> bool:
    return "has 200 GB left" in said and "143 GB in work/" in said


def test_too_little_memory_is_found_from_a_smaller_batch(paper, monkeypatch):
    """Two images took 1 GB beside 1 GB, so 40 would take 21."""
    plan, small = paper
    (group,) = groups_of(plan, [plan.train("celebahq256_scratch_r1_0", 0)], small)
    group.taken = taken(before=GB, peak=2 * GB)
    (step,) = group.steps
    for total, wanted in ((16, 21), (64, 27)):  # of 64 GB, CelebA-HQ's 5.9 may stay in memory
        monkeypatch.setattr(extrapolated, "total_memory", lambda total=total: total * GB)
        host, gpu = extrapolated.memory_of(plan, small, group, step, gpu=False)
        assert host == pytest.approx(wanted * GB, rel=0.01) and gpu == 0
        assert len(list(of_step(group, (host, gpu)))) == (wanted > total)
    monkeypatch.setattr(extrapolated, "total_memory", lambda: 16 * GB)
    host, gpu = extrapolated.memory_of(plan, small, group, step, gpu=False)
    (said,) = of_step(group, (host, gpu))
    assert said.startswith("train/celebahq256_scratch_r1_0 would take about 21") and "micro_batch=8" in said


def test_a_gpu_that_a_set_does_not_fit_beside_is_found(paper):
    """CelebA-HQ at 256 pixels stays on the GPU: 5.9 GB more than the few images of a rehearsal."""
    plan, small = paper
    (group,) = groups_of(plan, [plan.train("celebahq256", 0)], small)
    group.taken = taken(gpu_peak=20 * GB, gpu_total=24 * GB)
    assert extrapolated.memory_of(plan, small, group, group.steps[0], gpu=True)[1] == pytest.approx(25.9 * GB, rel=0.01)
    (said,) = of_step(group, extrapolated.memory_of(plan, small, group, group.steps[0], gpu=True))
    assert "and this GPU has 24" in said


@pytest.mark.parametrize(
    ("status", "written", "said"),
    [
        (-9, None, "the system ended it, most often for want of memory"),
        (137, None, "the system ended it, most often for want of memory"),
        (3, {"said": "set x: 3 images were found where 4 belong."}, "3 images were found where 4 belong."),
        (1, None, "RuntimeError: no compiler (work/rehearsal/logs/network.a.log has the rest)"),
    ],
)
def test_a_step_that_ends_badly_says_why(status, written, said, tmp_path, monkeypatch):
    folder = tmp_path / "work/rehearsal"
    (folder / "logs").mkdir(parents=True)
    (folder / "work").mkdir()

    def end(command, stdout, **_):
        if written:
            Path(command[4]).write_text(json.dumps(written))
        stdout.write("Traceback\nRuntimeError: no compiler\n")
        return subprocess.CompletedProcess(command, status)

    monkeypatch.setattr(rehearsal.subprocess, "run", end)
    step = SimpleNamespace(kind="network", name="a", spec_file="work/specs/network/a.json")
    group = Group([step])
    rehearsal.compute(step, folder, "cpu", None, group)
    assert said in group.said


def test_memory_that_a_machine_has_not_ends_in_a_sentence(tmp_path):
    """A step of a rehearsal in a process that may have no more than half a gigabyte beyond its libraries."""
    plan = plan_of("scale=smoke")
    step = plan.data("photographs")
    rehearsal.imitate([step], plan, tmp_path, tmp_path / "none")
    code = "import resource, sys; from atebm.cost import rehearsed; import torch; "
    code += "monkey = lambda job, **_: torch.empty(10**14); rehearsed.Kind.function = lambda self: monkey; "
    code += "sys.exit(rehearsed.main(*sys.argv[1:]))"
    out = tmp_path / "out.json"
    ended = run(tmp_path, sys.executable, "-c", code, step.spec_file, str(out), "cpu", PYTHONPATH=f"{REPOSITORY}/src")
    assert ended.returncode == rehearsal.FAILED, ended.stderr
    assert json.loads(out.read_text())["said"].startswith("this machine does not have enough memory for this step")


# --- miniatures -------------------------------------------------------------------------------------------------------


def test_every_archive_of_scale_paper_can_be_imitated(paper):
    plan, _ = paper
    from atebm.archives.catalogue import find

    files = {file for step in plan.steps.values() for file in step.archives}
    assert {source.archive for file in files for source in find(file)} <= MINIATURES.keys()


def test_nothing_is_known_of_a_miniature():
    text = (REPOSITORY / "data/sources.yaml").read_text()
    files = [file for record in undocumented(text).values() for file in record["files"]]
    assert files and not any({"md5", "sha256", "bytes", "url"} & file.keys() for file in files)
    assert any("members" in file for file in files), "what is inside is looked at all the same"


def test_an_archive_that_cannot_be_imitated_is_named(tmp_path):
    with pytest.raises(DataError, match="archive tiny_images can't be imitated; these can: cifar10, "):
        write_miniature("tiny_images", tmp_path, {})


def names_in(path: Path) -> list[str]:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as file:
            return sorted(file.namelist())
    with tarfile.open(path) as file:
        return sorted(file.getnames())


@pytest.mark.parametrize(
    ("archive", "file", "names"),
    [
        ("places365_small", "train_256_places365standard.tar", 6),
        ("places365_small", "val_256.tar", 2),
        ("celebahq", "data512x512.zip", 6),
        ("celebamask_hq", "CelebAMask-HQ.zip", 6),
        ("celebahq_stargan", "celeba_hq.zip", 6),
        ("afhq_v1_cat", "afhq.zip", 8),
        ("imagenet", "ILSVRC2012_img_train.tar", 3),
    ],
)
def test_a_true_archive_is_cut_to_its_first_images(archive, file, names, tmp_path):
    """Here a larger miniature is the true one. What is cut of it has its names and its bytes."""
    true, small = tmp_path / "true", tmp_path / "small"
    for folder, n in ((true, 30), (small, 6)):
        folder.mkdir()
        write_miniature(archive, folder, {"train": n, "held_out": n})
    drawn = (small / file).read_bytes()
    assert excerpt(true / file, small / file, {"train": 6, "held_out": 2})
    assert len(names_in(small / file)) == names and set(names_in(small / file)) <= set(names_in(true / file))
    assert (small / file).read_bytes() != drawn
    if archive == "imagenet":
        assert len(imagenet_train(small / file, 6).entries) == 6


@pytest.mark.parametrize("whole", [False, True], ids=["cut off", "of too few images"])
def test_of_an_archive_that_cannot_be_cut_the_drawn_one_stays(whole, tmp_path):
    (tmp_path / "small").mkdir()
    write_miniature("afhq_v1_cat", tmp_path, {"train": 3, "held_out": 3})
    true, small = tmp_path / "afhq.zip", tmp_path / "small/afhq.zip"
    small.write_bytes(b"drawn")
    if not whole:
        os.truncate(true, 1000)
    assert not excerpt(true, small, {"train": 5, "held_out": 2})
    assert [path.name for path in small.parent.iterdir()] == ["afhq.zip"] and small.read_bytes() == b"drawn"


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def here(tmp_path_factory) -> Path:
    return checkout(tmp_path_factory.mktemp("rehearsal") / "checkout")


def atebm(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return run(folder, sys.executable, "-m", "atebm", "rehearse", *arguments, PYTHONPATH=f"{folder}/src")


def test_the_command_finds_what_a_figure_of_scale_paper_lacks(here):
    """Its sources are ImageNet's, which are not here; in miniature the index is made, and images are cropped."""
    ended = atebm(here, "figS21", "-C", "scale=paper", "--json")
    assert ended.returncode == 1, ended.stderr
    found = json.loads(ended.stdout)
    rows = {row["step"]: row for row in found["steps"]}
    assert rows["index/imagenet"]["seconds"] > 0 and rows["data/imagenet256_sources"]["hours"] > 0
    assert all(row["said"] == "" for row in rows.values())
    assert any("missing: ILSVRC2012_img_train.tar" in said for said in found["findings"])
    assert [path.name for path in (here / "work/rehearsal").iterdir()] == ["logs"], "what was computed goes"
    assert not (here / "work/data").exists()


def test_an_artifact_that_there_is_not_is_answered(here):
    ended = atebm(here, "tabel2", "-C", "scale=smoke")
    assert ended.returncode == 1 and "there is no artifact 'tabel2'. Did you mean table2?" in ended.stderr


@pytest.mark.slow
def test_all_of_a_small_scale_is_rehearsed_and_nothing_is_found(here):
    ended = atebm(here, "-C", "scale=smoke", "--json")
    found = json.loads(ended.stdout)
    assert ended.returncode == 0 and found["findings"] == [], found["findings"]
    assert all(row["seconds"] > 0 and row["hours"] is not None for row in found["steps"])
    assert 0 < found["critical_path"]["hours"] <= found["hours"]
