"""The workflow as a user runs it, at scale smoke, in a copy of the checkout."""

import hashlib
import json
import re
import shutil
import subprocess
from contextlib import nullcontext
from itertools import chain
from pathlib import Path

import conftest
import numpy as np
import pandas as pd
import pytest
from conftest import checkout, planned, seldom, snakemake
from PIL import Image

from atebm.cli import fork_server
from atebm.cli.fork_server import SERVER
from atebm.pipeline.artifacts import ARTIFACTS, USUAL, target
from atebm.publish.crate import crate_of
from atebm.report.claims.registry import registry
from atebm.report.tabulating import HERE

TABLE2 = (
    "approach,group,published_is,published_fid,measured_is,measured_is_ci95,measured_distance,measured_distance_ci95,"
    "difference,metric,extractor,weights,data,scale,n_samples,seeds"
)


def output(run: subprocess.CompletedProcess[str]) -> str:
    return run.stdout + run.stderr


@pytest.fixture(scope="module")
def smoke(computed, tmp_path_factory) -> Path:
    """A checkout in which everything was run once; the tests here leave it so."""
    return Path(shutil.copytree(computed, tmp_path_factory.mktemp("run") / "checkout"))


def results(folder: Path) -> dict[str, bytes]:
    paths = (path for path in (folder / "results").rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_everything_is_there(smoke):
    names = set(results(smoke))
    assert {"results/manifest.json", "results/index.html"} <= names
    for artifact in USUAL:
        suffixes = ARTIFACTS[artifact].suffixes
        assert {f"results/{artifact}.{suffix}" for suffix in suffixes} <= names
        assert {f"results/notebooks/{artifact}.{suffix}" for suffix in ("ipynb", "html")} <= names
    left_over = [path for path in smoke.rglob(".*") if path.name.split(".")[1].isdigit()]
    assert not left_over, "temporary files remain"


@pytest.mark.slow
def test_claims_are_drawn_on_request_and_one_seed_decides_nothing(smoke):
    """After everything else; what is left are steps that claims alone ask for."""
    made = snakemake(smoke, "results/claims.csv", "--config", "scale=smoke")
    assert made.returncode == 0, output(made)
    frame = pd.read_csv(smoke / "results/claims.csv", keep_default_na=False, dtype=str)
    assert len(frame) == len(registry()) and set(frame["p_holds"]) == {""}
    inside = {f"inside in {some} of {seeds}" for seeds in (1, 2) for some in range(seeds + 1)}  # two in the plane
    assert set(frame["verdict"]) - inside == {"not run", "not testable here"}
    assert set(frame["seeds"]) == {"0", "1", "2"} and set(frame["scale"]) == {"smoke"}
    assert (frame.loc[frame["seeds"] == "0", "reason"] != "").all()
    assert "with values but too few seeds for a verdict." in (smoke / "results/claims.md").read_text()
    shown = snakemake(smoke, "--config", "scale=smoke")  # the page, which has the board now, and nothing else
    assert set(re.findall(r"\(Rule: (\w+)\)", output(shown))) == {"site", "all"}
    assert "sentences without numbers at the smoke scale" in (smoke / "results/index.html").read_text()


def test_again_there_is_nothing_to_do(smoke):
    assert "Nothing to be done" in output(snakemake(smoke, "--config", "scale=smoke"))


def test_the_crate_describes_this_run(smoke):
    graph = {entity.id: entity.properties() for entity in crate_of(smoke).get_entities()}
    assert graph["#scale"]["value"] == "smoke" and graph["#run"]["instrument"] == {"@id": "workflow/Snakefile"}
    shown = {f"results/{id}.csv" for id in USUAL}
    assert shown <= {file["@id"] for file in graph["#run"]["result"]}
    for name in shown:
        assert hashlib.sha256((smoke / name).read_bytes()).hexdigest() == graph[name]["sha256"]


def test_table2_says_what_was_measured(smoke):
    text = (smoke / "results/table2.csv").read_text()
    assert text.splitlines()[0] == TABLE2
    frame = pd.read_csv(smoke / "results/table2.csv", keep_default_na=False, dtype=str).set_index("approach")
    published = pd.read_csv(smoke / "data/published/table2.csv", keep_default_na=False, dtype=str)
    assert list(frame.index[:22]) == list(published["approach"]) and len(frame) == 26
    assert frame.loc["Ours", "published_fid"] == "13.21" and frame.loc["Ours", "measured_distance"] == ""
    ours = frame.loc[HERE]
    assert "stand-in" in ours["metric"] and ours["data"] == "Fashion-MNIST 8x8 (for CIFAR-10)"
    assert (ours["scale"], ours["weights"]) == ("smoke", "trained here")
    measured = frame[frame["measured_distance"] != ""]
    assert list(measured.index) == [
        HERE,
        f"{HERE}, last iteration",
        "source images, unchanged (crops of another photograph)",
        "held-out real images",
    ]
    assert (measured["published_fid"] == "").all()
    (path,) = (smoke / "work/metric").glob("cifar10.best.frechet-*/metric.json")
    metric = json.loads(path.read_text())
    assert float(ours["measured_distance"]) == pytest.approx(metric["value"], rel=1e-3)
    assert "neither FID nor IS" in (smoke / "results/table2.md").read_text()


def test_the_numbers_of_every_artifact_are_those_of_its_metrics(smoke):
    """From results/*.csv back to the records, by the steps' names."""
    metrics = json.loads((smoke / "results/metrics.json").read_text())
    table3 = pd.read_csv(smoke / "results/table3.csv").set_index(["dataset", "approach"])
    distances = table3.filter(regex=r"^measured_distance(_of_\d+_images)?$").max(axis=1)  # each row has one of these
    bags = "bags of Fashion-MNIST 8x8 (for LSUN-Church 256)"
    sources = "source images, unchanged (crops of another photograph), all shrunk to 4x4"
    ours = {
        ("tops of Fashion-MNIST 8x8 (for CelebA-HQ 256)", HERE): "celebahq256.best.seed0",
        (bags, HERE): "church256.best.seed0",
        (bags, f"{HERE}, all shrunk to 4x4"): "church256.best.4px.seed0",
        (bags, sources): "photographs_test.4px.to_bags",
        ("footwear of Fashion-MNIST 8x8 (for AFHQ-CAT 256)", "held-out real images"): "footwear_held_out.to_footwear",
    }
    for row, name in ours.items():
        assert distances[row] == pytest.approx(metrics[name]["frechet"], rel=1e-3)
    tableS7 = pd.read_csv(smoke / "results/tableS7.csv")
    ways = [f"{run}_{way}_steps" for run in ("cifar10", "celebahq256") for way in ("small", "middle", "large")]
    distances = tableS7["measured_distance"].dropna()
    for value, name in zip(distances, [f"{way}.best.seed0" for way in ways], strict=True):
        assert value == pytest.approx(metrics[name]["frechet"], rel=1e-3)
    for figure in ("fig3", "fig4"):
        frame = pd.read_csv(smoke / f"results/{figure}.csv").set_index("run")["distance"]
        same = {"cifar10": "cifar10_middle_steps"} if figure == "fig3" else {}  # one sampler for all three p_0
        for run, value in frame.items():
            assert value == pytest.approx(metrics[f"{same.get(run, run)}.best.seed0"]["frechet"])
    for figure, n in (("fig2", 4), ("fig5", 3)):
        frame = pd.read_csv(smoke / f"results/{figure}.csv")
        assert frame["run"].nunique() == n and frame.groupby("run")["kept"].sum().eq(1).all()
        for run, mine in frame.groupby("run"):
            (path,) = (smoke / "work/train").glob(f"{run}-*/run.json")
            best = json.loads(path.read_text())["best"]
            assert mine.loc[mine["kept"], "distance"].item() == pytest.approx(best["distance"])
    gaps = pd.read_csv(smoke / "results/stability.csv")
    assert gaps.groupby(["objective", "contrastive", "lr"]).ngroups == gaps["run"].nunique() == 5


def test_pictures_have_their_numbers_and_animations(smoke):
    for figure in ("figS2", "figS14", "figS15", "figS16"):
        with Image.open(smoke / f"results/{figure}.gif") as animation:
            assert animation.n_frames > 2 and animation.height >= 48
    for name, frames in (("figS11", 2), ("figS18", 2), ("fig7", 2), ("figS14", 4)):
        frame = pd.read_csv(smoke / f"results/{name}.csv")
        climbed = frame[frame["steps"].notna()]  # the others are by filters that know no f
        assert climbed["steps"].nunique() == frames and climbed["logit"].notna().all(), name
    (path,) = (smoke / "work/ascent").glob("celebahq256_trajectory-*/distances.csv")
    drawn = pd.read_csv(smoke / "results/figS14.csv").groupby("steps")["distance"].first()
    assert drawn.to_dict() == pd.read_csv(path).set_index("steps")["distance"].to_dict()
    checks = pd.read_csv(smoke / "results/picture_checks.csv")
    assert "verdict" not in checks and len(checks) == 2 * 5 + 3 + 2 * 4  # by f and by filters, translated, neighbours
    assert checks["comparison"].str.len().gt(0).all()


def test_own_images_go_through_every_way(smoke, tmp_path):
    """Of another size and format; what is not asked for is as in the figures, and nothing is overwritten."""

    def apply(*arguments: str, code: int = 0) -> str:
        command = ("python", "-m", "atebm", "apply", *arguments, "-o", "OUT", "-C", "scale=smoke")
        finished = conftest.run(smoke, *command, PYTHONPATH=f"{smoke}/src")
        assert finished.returncode == code, output(finished)
        return output(finished)

    def made(name: str) -> np.ndarray:
        return np.asarray(Image.open(smoke / f"OUT/{name}"))

    images = np.random.default_rng(0).integers(256, size=(2, 24, 32, 3), dtype=np.uint8)
    for name, image in zip("ab", images, strict=True):
        Image.fromarray(image).save(tmp_path / f"{name}.jpg")
    a, b = (str(tmp_path / f"{name}.jpg") for name in "ab")
    tiny = np.random.default_rng(1).integers(256, size=(8, 8), dtype=np.uint8)
    Image.fromarray(tiny).save(tmp_path / "tiny.png")
    mask = np.zeros((8, 8), np.uint8)
    mask[:4] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    try:
        said = apply("sample", a, b, "--run", "celebahq256")
        assert "2 images squashed to 8x8" in said and "a.jpg of 32x24" in said and made("a.png").shape == (8, 8)
        refused = apply("translate", a, "--run", "celebahq256", "--steps", "10000", code=1)  # before the work
        assert "OUT/a.png exists: name another folder" in refused
        apply("inpaint", str(tmp_path / "tiny.png"), "--run", "celebahq256", "--mask", str(tmp_path / "mask.png"))
        assert np.array_equal(made("tiny.png")[4:], tiny[4:]) and not np.array_equal(made("tiny.png")[:4], tiny[:4])
        apply("interpolate", a, b, "--run", "celebahq256", "--count", "3")
        assert {path.name for path in (smoke / "OUT").glob("a_to_b*")} == {f"a_to_b_{i:02}.png" for i in range(3)}
        assert np.abs(made("a_to_b_00.png").astype(int) - made("a.png")).max() <= 1
        (smoke / "OUT/a.png").unlink()
        apply("trajectory", a, "--run", "celebahq256", "--steps", "3")
        assert sum(path.name.startswith("a_0") for path in (smoke / "OUT").iterdir()) == 4
        with Image.open(smoke / "OUT/a.gif") as animation:
            assert animation.n_frames == 4
        apply("sample", a, "--run", "celebahq256", "--steps", "3")
        assert np.array_equal(made("a.png"), made("a_003.png"))
        apply("compose", str(tmp_path / "mask.png"), "--run", "celebahq256", "--and", "church256")
        assert made("mask.png").shape == (8, 8)
    finally:
        shutil.rmtree(smoke / "OUT", ignore_errors=True)


def test_fig1_numbers(smoke):
    frame = pd.read_csv(smoke / "results/fig1.csv")
    columns = [
        "setting",
        "state",
        "activation",
        "seed",
        "d_on_support",
        "d_off_support_max",
        "local_maxima",
        "u",
        "reach",
    ]
    assert list(frame) == columns
    rows = frame.groupby(["setting", "state", "activation"])["seed"].apply(list).to_dict()
    assert rows == {
        (setting, state, activation): [0, 1]
        for setting in ("uniform", "corner")
        for state in ("initial", "final")
        for activation in ("relu", "tanh")
    }


def test_the_manifest_names_every_file_and_step(smoke):
    from atebm.utils.hashing import sha256

    manifest = json.loads((smoke / "results/manifest.json").read_text())
    assert manifest["scale"] == "smoke"
    for artifact in manifest["artifacts"].values():
        for name, digest in artifact["files"].items():
            assert sha256(smoke / "results" / name) == digest
    for step, entry in manifest["steps"].items():
        for name, digest in entry["files"].items():
            assert sha256(smoke / "work" / step / name) == digest
        assert entry["seconds"] > 0 or step.startswith("sample")
    assert {tuple(step.split("/")) for step in manifest["steps"]} == set(planned("smoke").steps)


def test_training_curves_are_those_of_the_plan(smoke, tmp_path):
    """One per run and seed, a row per logged iteration; a curve of a seed that left the plan leaves too."""
    curve = smoke / "results/training/cifar10.0.csv"
    (folder,) = (smoke / "work/train").glob("cifar10-*")
    assert curve.read_text() == (folder / "log.csv").read_text()  # smoke logs less than is shown
    folder = Path(shutil.copytree(smoke, tmp_path / "checkout"))
    shutil.copy(curve, folder / "results/training/cifar10.1.csv")
    (folder / "results/manifest.json").unlink()
    assert snakemake(folder).returncode == 0
    runs = {f"{run}.{seed}.csv" for run, seed in planned("smoke").trainings()}
    assert {path.name for path in (folder / "results/training").iterdir()} == runs


ONE_PER_MODULE = ("table1", "table2", "tableS3", "fig1", "figS1", "figS2", "figS14", "figS18", "table4")
ONE_PER_MODULE += ("picture_checks", "claims")  # of the modules that draw
AGAIN = {"a table and a figure": ("table2", "figS2"), "one per module": ONE_PER_MODULE}


@pytest.mark.parametrize("again", seldom(AGAIN, often=["a table and a figure"]))
def test_rendered_twice_is_byte_identical(smoke, again):
    """By forks of one process, then by jobs on their own or, where these are many, by forks of another process."""
    targets = [target(name) for name in again]
    if "claims" in again:
        assert snakemake(smoke, "results/claims.csv", "--config", "scale=smoke").returncode == 0
    before = results(smoke)
    for path in (smoke / "results").rglob("*"):
        if path.parent.name != "site" and path.name.split(".")[0] in again:
            path.unlink()
    with fork_server.serving() if again == ONE_PER_MODULE else nullcontext({SERVER: ""}) as jobs:
        assert snakemake(smoke, *targets, "--config", "scale=smoke", **jobs).returncode == 0
    after = results(smoke)
    assert [name for name in before if before[name] != after.get(name)] == []


FROM_NOTHING = {"sampled": ("results/figS2.png",)}
FROM_NOTHING["scored"] = ("results/table2.csv", "results/figS2.png", "results/fig1.png", "results/stability.png")


@pytest.mark.parametrize("targets", seldom(FROM_NOTHING, often=["sampled"]))
def test_computed_twice_is_byte_identical(smoke, tmp_path, targets):
    """From nothing, in another folder and with other shards; but what other artifacts read of the steps is not kept."""
    again = checkout(tmp_path / "with a space")
    run = snakemake(again, *targets, "--config", "scale=smoke", "shards=3")
    assert run.returncode == 0, output(run)
    before, after = results(smoke), results(again)
    assert {*targets} < after.keys()
    excerpts = (".rows.npz", "excerpts.json")
    assert [name for name in after if before[name] != after[name] and not name.endswith(excerpts)] == []


@pytest.mark.slow
def test_the_literal_command_works_without_conda(smoke):
    run = snakemake(smoke, "--use-conda", "results/table2.csv", "--config", "scale=smoke")
    assert run.returncode == 0, output(run)
    if shutil.which("conda") is None:
        assert output(run).count("this machine has no conda") == 1
    (smoke / "results/table2.csv").unlink()
    run = snakemake(smoke, "--use-conda", "results/table2.csv", "--config", "scale=smoke")
    assert run.returncode == 0 and (smoke / "results/table2.csv").exists()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            "scale=huge",
            "error: there is no scale 'huge'; choose one of board, demo, fashion, miniature, paper, released, smoke, "
            "weekend.",
        ),
        (
            'runs={"cifar10":{"stpe_size":1}}',
            "error: --config: unknown key runs.cifar10.stpe_size. Did you mean step_size?",
        ),
        (
            'runs={"cifar10":{"step_size":-1}}',
            "error: --config: runs.cifar10.step_size = '-1': write a number greater than 0.",
        ),
    ],
)
def test_mistakes_stop_before_any_work(smoke, change, sentence):
    before = results(smoke)
    run = snakemake(smoke, "--config", "scale=smoke", change)
    assert run.returncode != 0 and sentence in run.stderr
    assert "Traceback" not in output(run) and "Job stats" not in output(run)
    assert results(smoke) == before


def test_a_damaged_file_is_one_sentence_and_loses_nothing(tmp_path):
    folder = checkout(tmp_path)
    (folder / "results").mkdir()
    (folder / "results/table2.csv").write_text("an older result\n")
    path = folder / "data/embedded/fashion-mnist/t10k-images-idx3-ubyte.gz"
    content = bytearray(path.read_bytes())
    content[12345] ^= 1
    path.write_bytes(content)
    run = snakemake(folder, "results/table2.csv", "--config", "scale=smoke")
    assert run.returncode != 0
    assert "error: " in output(run) and "t10k-images-idx3-ubyte.gz is damaged" in output(run)
    assert "Traceback" not in output(run)
    assert (folder / "results/table2.csv").read_text() == "an older result\n"
    assert not list(folder.glob("work/data/fashion*/*"))


@pytest.mark.parametrize("scale", ["smoke", "demo", "fashion", "paper"])
def test_every_target_has_a_plan_at_every_scale(smoke, scale):
    """All of them in one dry run: what one target lacks would stop it, and so does every other."""
    drawn = [target(artifact) for artifact in ARTIFACTS]
    run = snakemake(smoke, "-n", "all", "models", "numbers", *drawn, "--config", f"scale={scale}")
    assert run.returncode == 0, output(run)


@pytest.mark.slow
def test_the_report_is_one_file_with_captions_and_categories(smoke, tmp_path):
    """What a reader of `snakemake --report` gets, without a network: everything lies in the page."""
    made = snakemake(smoke, "--report", str(tmp_path / "report.html"))
    assert made.returncode == 0, output(made)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not re.findall(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=[\"']?(?:https?:)?//", page)
    assert "reproduced at the" in page  # workflow.rst

    def embedded(name: str) -> dict:
        found = re.search(rf"var {name} = (\{{.*?\}});\s*</script>", page[page.index(f'<script id="{name}">') :], re.S)
        assert found
        return json.loads(found[1])

    shown = {category: set(chain(*files.values())) for category, files in embedded("categories").items()}
    tables, figures = ([id for id in USUAL if ARTIFACTS[id].is_table == table] for table in (True, False))
    assert shown == {
        "Tables": {f"results/{file}" for id in tables for file in (f"{id}.csv", f"notebooks/{id}.html")},
        "Figures": {f"results/{file}" for id in figures for file in (f"{id}.png", f"notebooks/{id}.html")},
    }
    for path, result in embedded("results").items():
        assert planned("smoke").title(Path(path).stem) in result["caption"] and "smoke scale" in result["caption"]
        assert result["data_uri"].startswith("data:")


@pytest.mark.slow
def test_a_training_on_two_processes_is_the_same_up_to_rounding(smoke, tmp_path):
    folder = Path(shutil.copytree(smoke, tmp_path / "checkout"))
    (trained,) = (folder / "work/train").glob("cifar10-*")
    shutil.rmtree(trained)
    made = snakemake(folder, "models", "--config", "gpus_per_run=2")
    assert made.returncode == 0 and "train cifar10" in output(made), output(made)
    logs = [pd.read_csv(where / "work/train" / trained.name / "log.csv") for where in (folder, smoke)]
    pd.testing.assert_frame_equal(*logs, rtol=1e-3)
    assert "nproc" in snakemake(folder, "-n", "-p", "-F", "models", "--config", "gpus_per_run=2").stdout
