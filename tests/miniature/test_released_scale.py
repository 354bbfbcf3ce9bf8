"""Scale released from nothing to its page: checkpoints in the true layout, on miniatures of the archives."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import yaml
from checkpoints import write_checkpoints
from conftest import REPOSITORY, checkout
from miniatures import GIVEN, build_archives, miniature_sources, served
from snakemake.utils import update_config
from test_miniature import Made, said

from atebm.config.load import load
from atebm.pipeline.plan import Plan
from atebm.publish.page import pages_of
from atebm.report.tabulating import HERE
from atebm.utils.hashing import sha256

SCALE = "released_miniature"
RESULTS = "results/scales/released"
ON_REQUEST = "tableS7"
# One for each kind of step that weights decide; test_miniature.py computes the others, with weights that it trains.
ASKED = ["table2", "table3", "table4", "fig6"]


def write_scale(folder: Path) -> None:
    """Scale released, laid over what scale miniature counts less."""
    scales, config = folder / "workflow/scales", {}
    for name in ("miniature", "released"):
        update_config(config, yaml.safe_load((scales / f"{name}.yaml").read_text()))
    (scales / f"{SCALE}.yaml").write_text(yaml.safe_dump(config | {"like": "paper", "artifacts": ASKED}))


def release(folder: Path, checkpoints: dict[str, Path]) -> None:
    """Let a checkout know of these files as of those that the authors released."""
    table = folder / "data/published/released_weights.csv"
    rows = list(csv.DictReader(table.read_text().splitlines()))
    for row in rows:
        file = checkpoints[row["task"]]
        row |= {"sha256": sha256(file), "bytes": str(file.stat().st_size)}
    with table.open("w", newline="") as opened:
        writer = csv.DictWriter(opened, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="module", params=[pytest.param("all", marks=pytest.mark.slow)])
def made(tmp_path_factory) -> Iterator[Made]:
    """A checkout in which the weights were imported and what is asked for was drawn."""
    archives, checkpoints = (tmp_path_factory.mktemp(name) for name in ("served", "checkpoints"))
    build_archives(archives)
    files = write_checkpoints(checkpoints)
    folder = checkout(tmp_path_factory.mktemp("released") / "checkout")
    write_scale(folder)
    release(folder, files)
    with served(archives) as server:
        documented = (REPOSITORY / "data/sources.yaml").read_text()
        (folder / "data/sources.yaml").write_text(miniature_sources(documented, archives, server))
        scale = f"scale={SCALE}"
        made = Made(folder, archives, server, Plan(load(folder, [scale])[0]), scale)
        for archive in GIVEN:
            made.atebm("fetch", archive, "--from", str(archives))
        for task, file in files.items():
            assert "verified" in made.atebm("import-weights", str(file), "--task", task)
        finished = made.snakemake("all")
        assert finished.returncode == 0, said(finished)
        yield made


def test_nothing_is_trained(made):
    kinds = {path.parent.parent.name for path in (made.folder / "work").glob("*/*/*.json")}
    assert "pretrain" not in kinds and "gan" not in kinds
    runs = [json.loads(path.read_text()) for path in (made.folder / "work/train").glob("*/run.json")]
    assert {run["run"] for run in runs} == {"cifar10", "cifar10_ood", "celebahq256", "afhqcat256", "church256"}
    assert all(run["iterations"] is None and run["released"]["verified"] for run in runs)


def test_each_row_says_whose_weights_it_is_about(made):
    table = pd.read_csv(made.folder / RESULTS / "table2.csv", keep_default_na=False).set_index("approach")
    assert "authors" in table.loc[HERE]["weights"] and table.loc[HERE]["n_samples"] == "10"
    table = pd.read_csv(made.folder / RESULTS / "table3.csv", keep_default_na=False)
    ours = table[table["approach"] == HERE]
    assert len(ours) == 3 and all("authors" in weights for weights in ours["weights"])
    assert all(float(value) > 0 for value in ours["measured_distance"])


def test_table_4_has_the_authors_own_column_alone(made):
    table = pd.read_csv(made.folder / RESULTS / "table4.csv", keep_default_na=False)
    assert set(table[table["measured_auroc"] != ""]["approach"]) == {"Ours"}
    assert set(table[table["approach"] == "RATIO"]["measured_auroc"]) == {""}
    page = (made.folder / RESULTS / "table4.md").read_text()
    assert "None" not in page and "how long each was trained" not in page, "nobody knows"
    assert made.plan.title("table4").endswith("standard and worst case")


def test_the_page_shows_what_was_drawn_and_no_more(made):
    page = (made.folder / RESULTS / "index.html").read_text()
    assert "table3.html" in page and "fig2.html" not in page and "{distance}" not in page
    for artifact in made.plan.usual:
        assert list((made.folder / RESULTS).glob(f"{artifact}.*")), artifact
    assert not list((made.folder / RESULTS).glob("fig2.*"))
    assert "nothing to report" in made.atebm("verify", "-C", made.scale)


def test_again_there_is_nothing_to_do(made):
    again = made.snakemake("all")
    assert again.returncode == 0 and "Nothing to be done" in said(again)


def test_another_table_is_drawn_on_request(made):
    assert ON_REQUEST not in made.plan.usual
    finished = made.snakemake(f"{RESULTS}/{ON_REQUEST}.csv")
    assert finished.returncode == 0, said(finished)
    assert f"{ON_REQUEST}.html" in pages_of(made.folder / RESULTS)["index.html"]
    table = pd.read_csv(made.folder / RESULTS / f"{ON_REQUEST}.csv", keep_default_na=False)
    assert all("authors" in weights for weights in table["weights"] if weights)
