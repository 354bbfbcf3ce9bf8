"""Tables 1 and S1 to S6: the network, the checks, the measurement, and settings beside the published ones."""

import json
import math
import statistics
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from conftest import REPOSITORY, planned, typed, write_specs
from torch import nn

from atebm.models.discriminator256 import Block, Discriminator256
from atebm.models.energy import Energy
from atebm.models.layer_table import write_network
from atebm.models.weights import save_weights
from atebm.pipeline.artifacts import ARTIFACTS
from atebm.pipeline.job import Job, record_of
from atebm.pipeline.plan import Plan
from atebm.pipeline.staleness import renderings
from atebm.pipeline.step import Step
from atebm.provenance.explain import describe_evidence, explain
from atebm.report import draw
from atebm.report.hyperparameters import thousands
from atebm.sampling import timing
from atebm.training import gradient_check as module
from atebm.training.gradient_check import gradient_check, step_check, write_check
from atebm.utils.errors import ResultError
from atebm.utils.files import write_text
from atebm.utils.hashing import canonical, sealed

SMALL = {"name": "small", "width": 4, "mean": [0.3], "std": [0.35]}


def drawn(root: Path, name: str, plan: Plan) -> tuple[pd.DataFrame, str]:
    """An artifact of `plan` drawn in `root`: its .csv as text, and the page."""
    request = root / f"work/specs/artifact/{name}.json"
    write_text(request, canonical({"request": renderings(plan, REPOSITORY)[name]}))
    draw(str(request), str(root / f"{name}.csv"))
    return pd.read_csv(root / f"{name}.csv", dtype=str, keep_default_na=False), (root / f"{name}.md").read_text()


def job_of_step(root: Path, step: Step) -> Job:
    write_specs(root, step)
    return Job(root / step.spec_file)


def write_images(root: Path, step: Step, n: int) -> None:
    """A `data` step's folder with n grey images of 8x8."""
    folder = root / step.folder
    folder.mkdir(parents=True, exist_ok=True)
    images = np.random.default_rng(len(step.id) + n).integers(256, size=(n, 8, 8, 1), dtype=np.uint8)
    np.save(folder / "images.npy", images)
    (folder / "set.json").write_text(sealed({"set": step.name}))


# --- Table S2 ---------------------------------------------------------------------------------------------------


def test_table_s2_is_the_published_network_but_for_its_stem(tmp_path):
    """Layers and shapes against the paper's, parameters against the released weights'."""
    plan = planned("demo")
    for step in plan.artifacts["tableS2"]:
        write_network(job_of_step(tmp_path, step))
    frame, page = drawn(tmp_path, "tableS2", plan)
    differing = [
        (column, i)
        for column in ("layer", "resample", "output_shape")
        for i in range(len(frame))
        if frame[column][i] != frame[f"published_{column}"][i]
    ]
    assert differing == [("layer", 0)] and frame["layer"][0] == "Conv3 × 3"
    assert (frame["stem1_layer"] == frame["published_layer"]).all()
    assert frame["parameters"].astype(int).sum() == 20_851_777
    assert frame["stem1_parameters"].astype(int).sum() == 20_851_777 - 8 * 3 * 64
    assert "Conv1 × 1 → **Conv3 × 3**" in page and page.count("→ **") == 2  # the caption explains the arrow
    assert "| all " in page and "20,851,777" in page and "Fashion-MNIST 16x16 (for CIFAR-10): small" in page


def test_the_layers_are_read_off_the_network(tmp_path, monkeypatch):
    """Another network gives another table: an activation that goes and a pooling that becomes a maximum show."""
    monkeypatch.setattr(Discriminator256, "features", lambda self, x: self.last(self.blocks(self.stem(x))).flatten(1))
    job = job_of_step(tmp_path, planned("demo").network(3))
    write_network(job)
    layers = pd.read_csv(job.folder / "layers.csv")["layer"].tolist()
    assert layers == ["Conv3 × 3", *["ResBlock"] * 6, "Conv4 × 4", "Reshape", "Linear"]
    monkeypatch.undo()
    monkeypatch.setattr(Block, "forward", lambda self, x: self.conv2(F.max_pool2d(x, 2)))
    write_network(job)
    assert "AvgPool" not in set(pd.read_csv(job.folder / "layers.csv")["resample"])


# --- Tables S3, S4 and S5 ---------------------------------------------------------------------------------------


def test_at_the_papers_scale_nothing_differs_from_the_paper(tmp_path):
    """config.yaml against the paper's tables, typed in from its text."""
    plan = planned("paper")
    training, page = drawn(tmp_path, "tableS3", plan)
    assert set(training["differs"]) == {"False"} and (training["published"] != "").sum() == 9 * 4
    sampling, _ = drawn(tmp_path, "tableS4", plan)
    for column in ("step_size", "steps"):
        assert (sampling[column] == sampling[f"published_{column}"]).all()
    updates, _ = drawn(tmp_path, "tableS5", plan)
    assert (updates["Ours, published"] == updates["here"]).all()
    assert page.index("CIFAR-10") < page.index("CelebA-HQ") < page.index("AFHQ") < page.index("LSUN")


def test_differences_of_a_scale_are_marked(tmp_path):
    plan, cifar10 = planned("demo"), "Fashion-MNIST 16x16 (for CIFAR-10)"
    training, page = drawn(tmp_path, "tableS3", plan)
    rows = training.set_index(["task", "setting"])
    assert tuple(rows.loc[(cifar10, "Batch size")]) == ("32", "64", "True")
    assert rows.loc[(cifar10, "Learning rate"), "differs"] == "False"
    assert rows.loc[(cifar10, "Decay of averaged weights")].tolist() == ["", "0.98", "False"]
    assert "| 172K → **720**" in page and "All of these tasks are trained at this scale." in page


def test_of_selected_lengths_the_one_that_was_used_is_shown(tmp_path):
    plan = planned("demo")
    lengths = {"cifar10": 20, "celebahq256": 32, "afhqcat256": 24, "church256": 28}
    for role, step in plan.needs["tableS4"].items():
        if not role.startswith("samples/"):
            continue
        run = step.parents["model"].name
        write_specs(tmp_path, step)
        write_text(tmp_path / step.record, sealed({"run": run, "steps": lengths[run]}))
    frame, page = drawn(tmp_path, "tableS4", plan)
    assert frame["steps"].tolist() == ["20", "32", "24", "28"] and frame["task"][0].endswith("(for CIFAR-10)")
    assert "0.2 → **0.5**" in page and "32 → **20**" in page and "crops of 7 other photographs" in page
    assert "(for CIFAR-10): 20, from 4 to 32." in page and "(for CelebA-HQ 256): 32, from 4 to 32, at the edge;" in page
    frame, page = drawn(tmp_path, "tableS5", plan)
    assert frame["here"].tolist() == ["16", "20", "16", "32"]
    assert frame["VAEBM"].tolist() == ["6 (PCD)", "16", "6 (PCD)", "24"]
    assert "25 → **16**" in page and "VAEBM, published (on the paper's data)" in page


def test_a_released_model_was_not_trained_with_these_settings(tmp_path):
    plan = planned("paper", runs={"cifar10": {"weights": "released"}})
    rows = drawn(tmp_path, "tableS3", plan)[0].set_index(["task", "setting"])
    assert rows.loc[("CIFAR-10", "Initial weights"), "configured"] == "not trained here"
    assert rows.loc[("CelebA-HQ 256", "Initial weights"), "configured"] == "imagenet"


@pytest.mark.parametrize(
    ("change", "stale"),
    [
        ({"runs": {"celebahq256": {"r1": 31}}}, {"tableS3"}),
        ({"runs": {"celebahq256": {"schedule": {"K_max": 41}}}}, {"tableS3", "tableS5"}),
        ({"runs": {"celebahq256": {"compile": True}}}, set()),
        ({"samplers": {"church256": {"step_size": 7}}}, {"tableS4"}),
        ({"samplers": {"celebahq256": {"steps": 7}}}, {"tableS4", "tableS5"}),
        ({"runs": {"celebahq256": {"network": {"width": 8}, "init": None}}}, {"tableS3"}),
    ],
)
def test_a_changed_key_makes_the_tables_stale_that_show_it(change, stale):
    before, after = (renderings(planned("demo", **changes), REPOSITORY) for changes in ({}, change))
    shown = [name for name, artifact in ARTIFACTS.items() if artifact.settings]
    assert {name for name in shown if before[name]["settings"] != after[name]["settings"]} == stale


@pytest.mark.parametrize("scale", ["smoke", "demo", "paper"])
def test_requests_are_equal_to_what_is_read_back(scale):
    """Else every rendering would be stale for ever."""
    wanted = renderings(planned(scale), REPOSITORY)
    assert json.loads(canonical(wanted)) == wanted


def test_explain_says_where_a_table_of_settings_comes_from():
    said = list(describe_evidence(explain("tableS3", planned("demo"), {}, REPOSITORY)))
    assert said[0].startswith("Table S3") and said[-1].endswith(
        "hyperparameters in src/atebm/pipeline/table_settings.py selects them."
    )


def test_numbers_are_in_the_papers_formats():
    assert [thousands(n) for n in (172_000, 1_600, 720, None)] == ["172K", "1.6K", "720", "by epochs"]


# --- Table 1 ----------------------------------------------------------------------------------------------------


@pytest.fixture
def energy() -> Energy:
    torch.manual_seed(3)
    return Energy(SMALL, (1, 8, 8)).double()


def images(n: int, seed: int) -> torch.Tensor:
    return torch.rand(n, 1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def test_the_gradients_of_table1_are_those_of_the_objectives(energy):
    result = gradient_check(energy, images(5, 0), images(5, 1))
    assert result["eq14_difference"] < 1e-12 and result["eq2_difference"] < 1e-12
    assert result["parameters"] == sum(parameter.numel() for parameter in energy.parameters())


def test_another_objective_fails_the_gradient_check(energy, monkeypatch):
    monkeypatch.setattr(
        module, "binary_at_loss", lambda data, contrastive: F.softplus(contrastive).mean() - data.mean()
    )
    monkeypatch.setattr(module, "max_likelihood_loss", lambda data, contrastive: contrastive.mean() - 2 * data.mean())
    result = gradient_check(energy, images(5, 0), images(5, 1))
    assert result["eq14_difference"] > 0.1 and result["eq2_difference"] > 0.1


class Plane(nn.Module):
    """f(x) = 3 x_1: its gradient has length 3 everywhere."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 3 * x.flatten(1)[:, 0]


def test_steps_on_a_plane_have_their_closed_forms():
    result = step_check(Plane(), torch.full((4, 1, 2, 2), 0.5, dtype=torch.float64), 3, 0.25, seed=0)
    assert result["pgd_step_error"] < 1e-9 and result["pgd_reach"] == pytest.approx(1)
    assert result["pgd_reach_clamped"] == pytest.approx(0.5 / 0.75)  # the pixel stops at 1
    assert result["pgd_steeper"] == pytest.approx(1) and result["langevin_steeper"] == pytest.approx(10)
    noise = torch.randn(4, 1, 2, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert result["langevin_noise"] == pytest.approx(noise.flatten(1).norm(dim=1).mean().item() / 2)


def test_table1_says_what_was_checked(tmp_path):
    plan = planned("smoke")
    (step,) = plan.artifacts["table1"]
    job = job_of_step(tmp_path, step)
    for role in ("p_data", "p_0"):
        write_images(tmp_path, step.parents[role], 70)
    write_check(job)
    check = record_of(job.folder)
    assert check["images"] == 64 and check["K"] == 2 and check["contrastive_data"]["pgd_reach"] <= 1 + 1e-9
    pairs = np.load(job.parent("p_0") / "images.npy")[:64].reshape(64, -1) / 255
    distances = np.linalg.norm(pairs[:, None] - pairs[None], axis=2)[np.triu_indices(64, 1)]
    assert check["p_0"]["between_p_0"] == pytest.approx(distances.mean())
    frame, page = drawn(tmp_path, "table1", plan)
    assert json.loads(frame["numbers"][0]) == check["gradient"] and len(frame) == 3
    assert f"{check['gradient']['eq14_difference']:.1e}" in page and "p_0: crops of 3 photographs" in page


# --- Table S1 ---------------------------------------------------------------------------------------------------


def test_table_s1_shows_the_median_over_seeds_of_both_games(tmp_path):
    """The records are made up: at the optimum U is -log 4, and there D(x*) = 1/2."""
    plan = planned("smoke")
    minimax, toy = plan.artifacts["tableS1"]
    settings = ["uniform"] * 3 + ["corner"] * 3
    played = {"setting": settings, "seed": [0, 1, 2] * 2, "energy_initial": 8.0, "energy_final": [2, 4, 1, 8, 8, 8]}
    played |= {"d_on_support": 0.5, "d_off_support_max": [0.6, 0.7, 0.9, 0.5, 0.5, 0.5], "d_above_half": 0.25}
    played |= {"u": -math.log(4), "p_value": [0.01, 0.05, 0.06, 0.3, 0.2, 0.1]}
    other = {"setting": settings, "seed": [0, 1, 2] * 2, "d_on_support": 0.5, "d_off_support_max": 0.49}
    final = pd.DataFrame(other | {"state": "final", "u": -math.log(4)})
    initial = pd.DataFrame(other | {"state": "initial", "u": -9.0})
    for step, frame in ((minimax, pd.DataFrame(played)), (toy, pd.concat([initial, final]))):
        (tmp_path / step.folder).mkdir(parents=True)
        frame.to_csv(tmp_path / step.folder / f"{step.kind}.csv", index=False)
    write_text(tmp_path / minimax.record, sealed({"activation": "relu", "level": 0.05}))
    frame, page = drawn(tmp_path, "tableS1", plan)
    rows = frame.set_index("measured")
    assert rows.loc["U", "minimax_theory"] == rows.loc["U", "maximin_theory"] == "-log(4)"
    fall, outside = rows.iloc[0], rows.loc["greatest D outside"]
    assert (fall["minimax_uniform"], fall["minimax_corner"], fall["maximin_corner"]) == ("4 [2, 8]", "1 [1, 1]", "")
    assert outside["minimax_uniform"] == "0.7000 [0.6000, 0.9000]"
    assert outside["maximin_uniform"] == "0.4900 [0.4900, 0.4900]"
    assert rows.loc["D(x*), computed from U", "maximin_corner"] == "0.5000 [0.5000, 0.5000]"
    assert rows.loc["U", "maximin_uniform"] == "-1.3863 [-1.3863, -1.3863]"
    assert page.count("`p_g* = p_data`") == 1 and "(3 seeds)" in page


# --- Table S6 ---------------------------------------------------------------------------------------------------


def timing_job(root: Path, sources: int) -> tuple[Plan, Job]:
    """A `timing` step beside a model that nobody trained."""
    plan = planned("smoke")
    (step,) = plan.artifacts["tableS6"]
    job = job_of_step(root, step)
    write_images(root, step.parents["sources"], sources)
    network = typed("smoke").runs["cifar10"].network.model_dump()
    save_weights(Energy(network, (1, 8, 8)).state_dict(), job.parent("model") / "best.safetensors")
    run = {"run": "cifar10", "seed": 0, "network": network, "shape": [1, 8, 8]}
    write_text(job.parent("model") / "run.json", sealed(run))
    return plan, job


def test_table_s6_shows_the_median_of_the_repeats(tmp_path, monkeypatch):
    plan, job = timing_job(tmp_path, 60)
    spent = iter([9.0, 0.2, 0.4, 0.5, 0.3, 0.7, 0.6, 0.1])  # one of warm-up, seven repeats
    monkeypatch.setattr(timing, "once", lambda draw: draw().shape == (50, 1, 8, 8) and next(spent))
    timing.write_timing(job, torch.device("cpu"))
    frame, page = drawn(tmp_path, "tableS6", plan)
    ours = frame.iloc[-1]
    assert (ours["time"], ours["quartiles_seconds"], ours["repeats"]) == ("0.4 seconds", "0.25 to 0.55", "7")
    assert float(ours["samples_per_second"]) == 50 / 0.4 and ours["device"].endswith("1 thread")
    assert frame["time"].tolist()[:3] == ["107.9 seconds", "8.79 seconds", "2.34 seconds"]
    assert (frame["samples_per_second"][:3] == "").all() and "a stand-in for CIFAR-10" in page


def test_time_is_really_measured(tmp_path):
    _, job = timing_job(tmp_path, 60)
    timing.write_timing(job, torch.device("cpu"))
    record = record_of(job.folder)
    assert len(record["seconds"]) == 7 and min(record["seconds"]) > 0
    assert record["median_seconds"] == statistics.median(record["seconds"])


def test_timing_wants_as_many_source_images_as_samples(tmp_path):
    _, job = timing_job(tmp_path, 49)
    with pytest.raises(ResultError, match=r"must draw 50 samples, but .* has only 49 source images"):
        timing.write_timing(job, torch.device("cpu"))
