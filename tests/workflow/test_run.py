"""The workflow as a user runs it, at scale smoke, in a copy of the checkout."""

import json
import re
import shutil
import subprocess
from itertools import chain
from pathlib import Path

import pandas as pd
import pytest
from conftest import checkout, snakemake

from atebm.artifacts import titled

TABLE2 = (
    "approach,group,published_is,published_fid,measured_is,measured_is_ci95,measured_distance,measured_distance_ci95,"
    "metric,extractor,data,scale,n_samples,seeds"
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
    for figure in ("fig1", "figS1", "figS2"):
        assert {f"results/{figure}.{suffix}" for suffix in ("png", "svg", "csv")} <= names
    assert {"results/table2.csv", "results/table2.md", "results/manifest.json"} <= names
    for table in ("table1", "tableS1", "tableS2", "tableS3", "tableS4", "tableS5", "tableS6"):
        assert {f"results/{table}.csv", f"results/{table}.md"} <= names
    for artifact in ("fig1", "figS1", "figS2", "table2"):
        assert {f"results/notebooks/{artifact}.{suffix}" for suffix in ("ipynb", "html")} <= names
    left_over = [path for path in smoke.rglob(".*") if path.name.split(".")[1].isdigit()]
    assert not left_over, "temporary files remain"


def test_again_there_is_nothing_to_do(smoke):
    assert "Nothing to be done" in output(snakemake(smoke, "--config", "scale=smoke"))


def test_table2_says_what_was_measured(smoke):
    text = (smoke / "results/table2.csv").read_text()
    assert text.splitlines()[0] == TABLE2
    frame = pd.read_csv(smoke / "results/table2.csv", keep_default_na=False, dtype=str).set_index("approach")
    published = pd.read_csv(smoke / "data/published/table2.csv", keep_default_na=False, dtype=str)
    assert list(frame.index[:22]) == list(published["approach"]) and len(frame) == 25
    assert frame.loc["Ours", "published_fid"] == "13.21" and frame.loc["Ours", "scale"] == "smoke"
    assert "stand-in" in frame.loc["Ours", "metric"] and "smoke test" in frame.loc["Ours", "data"]
    measured = frame[frame["measured_distance"] != ""]
    assert list(measured.index) == [
        "Ours",
        "Ours, last iteration",
        "p_0: source images as they are",
        "p_data: held-out real images",
    ]
    assert (measured["published_fid"].drop("Ours") == "").all()
    (metric,) = (
        record
        for path in (smoke / "work/metric").glob("cifar10.best.frechet-*/metric.json")
        if (record := json.loads(path.read_text()))["images"]["seed"] == 0
    )
    assert float(measured.loc["Ours", "measured_distance"]) == pytest.approx(metric["value"], rel=1e-3)
    assert "neither FID nor IS" in (smoke / "results/table2.md").read_text()


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
    from atebm.files import sha256

    manifest = json.loads((smoke / "results/manifest.json").read_text())
    assert manifest["scale"] == "smoke"
    for artifact in manifest["artifacts"].values():
        for name, digest in artifact["files"].items():
            assert sha256(smoke / "results" / name) == digest
    for step, entry in manifest["steps"].items():
        for name, digest in entry["files"].items():
            assert sha256(smoke / "work" / step / name) == digest
        assert entry["seconds"] > 0 or step.startswith("sample")
    assert sum(step.startswith("train/") for step in manifest["steps"]) == 1


def test_training_curves_are_those_of_the_plan(smoke, tmp_path):
    """One per run and seed, a row per logged iteration; a curve of a seed that left the plan leaves too."""
    curve = smoke / "results/training/cifar10.0.csv"
    folder = next((smoke / "work/train").glob("cifar10-*"))
    assert curve.read_text() == (folder / "log.csv").read_text()  # smoke logs less than is shown
    folder = Path(shutil.copytree(smoke, tmp_path / "checkout"))
    shutil.copy(curve, folder / "results/training/cifar10.1.csv")
    (folder / "results/manifest.json").unlink()
    assert snakemake(folder).returncode == 0
    assert [path.name for path in (folder / "results/training").iterdir()] == ["cifar10.0.csv"]


def test_rendered_twice_is_byte_identical(smoke):
    before = results(smoke)
    shutil.rmtree(smoke / "results")
    assert snakemake(smoke, "--config", "scale=smoke").returncode == 0
    after = results(smoke)
    assert [name for name in before if before[name] != after.get(name)] == []


def test_computed_twice_is_byte_identical(smoke, tmp_path):
    """Training, sampling, scoring and drawing from nothing; only the manifest holds seconds."""
    again = checkout(tmp_path / "with a space")
    run = snakemake(again, "--config", "scale=smoke", "shards=3")
    assert run.returncode == 0, output(run)
    before, after = results(smoke), results(again)
    assert [name for name in before if before[name] != after.get(name)] == ["results/manifest.json"]


def test_the_literal_command_works_without_conda(smoke):
    run = snakemake(smoke, "--use-conda", "results/table2.csv", "--config", "scale=smoke")
    assert run.returncode == 0, output(run)
    if shutil.which("conda") is None:
        assert output(run).count("no conda on this machine") == 1
    (smoke / "results/table2.csv").unlink()
    run = snakemake(smoke, "--use-conda", "results/table2.csv", "--config", "scale=smoke")
    assert run.returncode == 0 and (smoke / "results/table2.csv").exists()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("scale=huge", "error: there is no scale 'huge'; choose one of demo, fashion, miniature, paper, smoke."),
        ('runs={"cifar10":{"stpe_size":1}}', "unknown key runs.cifar10.stpe_size. Did you mean step_size?"),
        ('runs={"cifar10":{"step_size":-1}}', "runs.cifar10.step_size = '-1': input should be greater than 0."),
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
    for target in ("all", "models", "numbers", "results/table2.csv", "results/fig1.png", "results/figS2.svg"):
        run = snakemake(smoke, "-n", target, "--config", f"scale={scale}")
        assert run.returncode == 0, output(run)


def test_the_report_is_one_file_with_captions_and_categories(smoke, tmp_path):
    """What a reader of `snakemake --report` gets, without a network: everything lies in the page."""
    made = snakemake(smoke, "--report", str(tmp_path / "report.html"))
    assert made.returncode == 0, output(made)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not re.findall(r"<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=[\"']?(?:https?:)?//", page)
    assert "reproduced at scale" in page  # workflow.rst

    def embedded(name: str) -> dict:
        found = re.search(rf"var {name} = (\{{.*?\}});\s*</script>", page[page.index(f'<script id="{name}">') :], re.S)
        assert found
        return json.loads(found[1])

    shown = {category: set(chain(*files.values())) for category, files in embedded("categories").items()}
    assert shown == {
        "Tables": {"results/table2.csv", "results/notebooks/table2.html"},
        "Figures": {
            f"results/{file}" for id in ("fig1", "figS1", "figS2") for file in (f"{id}.png", f"notebooks/{id}.html")
        },
    }
    for path, result in embedded("results").items():
        assert titled(Path(path).stem) in result["caption"] and "scale smoke" in result["caption"]
        assert result["data_uri"].startswith("data:")


def test_a_training_on_two_processes_is_the_same_up_to_rounding(smoke, tmp_path):
    folder = Path(shutil.copytree(smoke, tmp_path / "checkout"))
    (trained,) = (folder / "work/train").glob("cifar10-*")
    shutil.rmtree(trained)
    shutil.rmtree(folder / "work/checkpoints/train")
    made = snakemake(folder, "models", "--config", "gpus_per_run=2")
    assert made.returncode == 0 and "train cifar10" in output(made), output(made)
    logs = [pd.read_csv(where / "work/train" / trained.name / "log.csv") for where in (folder, smoke)]
    pd.testing.assert_frame_equal(*logs, rtol=1e-3)
    assert "nproc" in snakemake(folder, "-n", "-p", "-F", "models", "--config", "gpus_per_run=2").stdout
