"""Results of several scales lie beside each other, and none touches what another draws, asks for or checks."""

import json
from pathlib import Path

import pandas as pd
import pytest
from conftest import REPOSITORY, planned
from test_kept import provenance_of

from atebm.config.load import load
from atebm.maintenance.evidence_pages import board_of
from atebm.pipeline.artifacts import target
from atebm.pipeline.plan import Plan
from atebm.pipeline.staleness import DRAWN, MANIFEST, SITE, TO_DRAW, renderings, request, request_file, states
from atebm.provenance.explain import explain
from atebm.provenance.status import status
from atebm.provenance.verify import folder_findings, stale_renderings
from atebm.report.draw import words_file
from atebm.utils.files import write_text
from atebm.utils.hashing import canonical, sealed, sha256

BESIDE = "results/scales/board"


@pytest.fixture(scope="module")
def plans() -> tuple[Plan, Plan]:
    """A scale's plan, and the same beside it; both draw from what is kept."""
    return planned("smoke", numbers="kept"), planned("smoke", numbers="kept", results=BESIDE)


@pytest.fixture
def root(tmp_path) -> Path:
    """A checkout with nothing computed."""
    for name in ("src", "notebooks", "data", "workflow", "config.yaml"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    return tmp_path


def test_scale_board_lies_beside_demo_and_draws_its_claims_with_all_else():
    board, demo = (load(REPOSITORY, [f"scale={scale}"])[0] for scale in ("board", "demo"))
    assert (board.results, demo.results) == (BESIDE, "results") and board.replication == "whole"
    assert planned("smoke").on_request == ["claims", "controls"] and "claims" not in planned("smoke").usual
    whole = planned("smoke", replication="whole")
    assert whole.on_request == [] and "claims" in whole.usual
    assert set(whole.artifacts["claims"]) <= set(whole.steps.values())


def test_the_folder_of_results_is_in_no_digest(plans, root):
    own, beside = plans
    assert own.steps.keys() == beside.steps.keys()
    assert renderings(own, root)["table2"] == renderings(beside, root)["table2"]


def test_a_plan_asks_for_files_of_its_folder(plans, root):
    _, beside = plans
    assert target("fig1", beside.results) == "results/scales/board/fig1.png"
    assert explain("table2", beside, {}, root)["artifact"]["file"] == "results/scales/board/table2.csv"
    assert [row["file"] for row in status(beside, root)["about_all"]] == [
        f"{BESIDE}/manifest.json",
        f"{BESIDE}/index.html",
    ]


def test_who_plans_one_scale_leaves_the_requests_of_another(plans, root):
    """Else a run in the background would draw what the other one shows."""
    own, beside = plans
    request(beside, root)
    asked = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in (root / "work/specs").rglob("*.json")}
    assert set(asked) >= {root / request_file(beside, name) for name in ("table2", MANIFEST, SITE)}
    request(own, root)
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in asked} == asked
    assert (root / "work/specs/artifact/table2.json").exists()
    words = {words_file(root / request_file(plan, "table2")) for plan in plans}
    assert words == {root / "work/drawn/table2.json", root / "work/drawn.board/table2.json"}


def test_what_lies_beside_makes_nothing_stale(plans, root):
    own, beside = plans
    provenance_of(root, own, "table2")
    before = states(own, root)
    assert before["table2"] == DRAWN and states(beside, root)["table2"] == TO_DRAW
    provenance_of(root, beside, "table2")
    path = root / BESIDE / "provenance/table2.json"
    write_text(path, canonical(json.loads(path.read_text()) | {"request": {"artifact": "another"}}))
    assert states(own, root) == before and list(stale_renderings(own, root)) == []
    (finding,) = stale_renderings(beside, root)
    assert finding.startswith(f"stale    {BESIDE}/table2: ")


@pytest.mark.parametrize("folder", [BESIDE, "results"])
def test_pages_that_are_in_no_git_are_missed_in_results_alone(tmp_path, folder):
    results = tmp_path / folder
    files = {}
    for name in ("fig1.csv", "notebooks/fig1.html"):
        write_text(results / name, name)
        files[name] = sha256(results / name)
    artifact = {"title": "Fig. 1", "steps": [], "files": files}
    write_text(results / "manifest.json", sealed({"artifacts": {"fig1": artifact}, "summary": {}, "steps": {}}))
    write_text(results / "notebooks/fig1.html", "altered")
    findings, _ = folder_findings(results, tmp_path)
    assert any(found.startswith(f"altered  {folder}/notebooks/fig1.html") for found in findings)
    (results / "notebooks/fig1.html").unlink()
    findings, checked = folder_findings(results, tmp_path)
    missing = [f"missing  {folder}/{name}" for name in ("notebooks/fig1.html", "index.html")]
    assert [found.partition(":")[0] for found in findings] == (missing if folder == "results" else [])
    assert checked == (3 if folder == "results" else 2)
    (results / "fig1.csv").unlink()
    assert any(found.startswith(f"missing  {folder}/fig1.csv") for found in folder_findings(results, tmp_path)[0])


def test_documents_show_the_claims_of_scale_board_where_they_are(tmp_path):
    def write(folder: Path, scale: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        pd.DataFrame({"scale": [scale], "seeds": [3]}).to_csv(folder / "claims.csv", index=False)

    write(tmp_path, "demo")
    assert set(board_of(tmp_path)["scale"]) == {"demo"}
    write(tmp_path / "scales/board", "board")
    assert set(board_of(tmp_path)["scale"]) == {"board"}
