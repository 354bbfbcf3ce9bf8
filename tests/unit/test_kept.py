"""results/numbers/: what is read of a step is kept, no more of it, and what is drawn from it has the same bytes."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import REPOSITORY, planned, request_for, typed

from atebm.pipeline.artifacts import ARTIFACTS
from atebm.pipeline.kept import is_kept, listing_in
from atebm.pipeline.staleness import DRAWN, ELSEWHERE, STALE, drawn_steps, has_numbers, provenance, renderings, states
from atebm.provenance.explain import number_of, spec_of
from atebm.provenance.verify import numbers_findings
from atebm.report import draw
from atebm.report.kept import keep, prune_numbers
from atebm.report.needs import Needs, Result
from atebm.utils.errors import ResultError
from atebm.utils.excerpts import Stored, ranges, rows_of
from atebm.utils.files import write_text
from atebm.utils.hashing import canonical, sealed, sha256

N = 40
SOURCES = typed("demo").tasks["celebahq256"].sources
SPEC = canonical({"kind": "data", "name": "set", "settings": {"n": N}, "parents": {}})
STEP = f"data/set-{hashlib.sha256(SPEC.encode()).hexdigest()[:8]}"


def step(root: Path, shift: int = 0) -> Path:
    """Leave a set of 40 images as the workflow would; returns its folder. `shift` makes it another computation."""
    folder = root / "work" / STEP
    folder.mkdir(parents=True, exist_ok=True)
    images = (np.arange(N * 16, dtype=np.uint8).reshape(N, 4, 4, 1) + shift).astype(np.uint8)
    np.save(folder / "images.npy", images)
    np.save(folder / "labels.npy", np.arange(N) % 3)
    files = {name: sha256(folder / name) for name in ("images.npy", "labels.npy")}
    facts = {"step": STEP, "classes": ["a", "b", "c"], "set": SOURCES, "files": files, "parents": {}}
    write_text(folder / "set.json", sealed(facts))
    write_text(root / f"work/specs/{STEP}.json", SPEC)
    return folder


def read(root: Path, *rows: int, results: str = "results") -> Result:
    """Read rows of the images, and keep what was read."""
    result = Result(root / "work" / STEP, root / results / "numbers" / STEP)
    assert result.images[list(rows)].shape == (len(rows), 4, 4, 1)
    keep([result])
    return result


def kept(root: Path, results: str = "results") -> dict[str, bytes]:
    folder = root / results / "numbers" / STEP
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize(("rows", "text"), [([], ""), ([7], "7"), ([0, 1, 2, 9, 11, 12], "0-2 9 11-12")])
def test_rows_in_short_are_the_rows(rows, text):
    assert ranges(rows) == text and rows_of(text) == set(rows)


@pytest.mark.parametrize("key", [3, slice(2, 9), [5, 1, 5], (slice(4), 0), (2, 1), (slice(None, 3), slice(1), ..., 0)])
def test_an_excerpt_reads_as_the_array_does(tmp_path, key):
    """And the rows that were read are just those that it needs."""
    whole = np.load(step(tmp_path) / "images.npy")
    stored = Stored.whole(tmp_path / "work" / STEP / "images.npy", set())
    assert stored.shape == whole.shape and len(stored) == N and not stored.read
    assert np.array_equal(stored[key], whole[key])
    read(tmp_path, *stored.read)
    excerpt = Stored.excerpt(tmp_path / "results/numbers" / STEP / "images.rows.npz", set())
    assert np.array_equal(excerpt[key], whole[key]) and excerpt.shape == whole.shape
    assert excerpt.rows is not None and set(excerpt.rows.tolist()) == stored.read == excerpt.read


def test_a_row_that_is_not_kept_is_one_sentence(tmp_path):
    shutil.rmtree((step(tmp_path), read(tmp_path, 1, 2))[0])
    result = Result(tmp_path / "work" / STEP, tmp_path / "results/numbers" / STEP)
    assert result.images[[2, 1]][:, 0, 0, 0].tolist() == [32, 16]
    with pytest.raises(ResultError, match="lacks row 0, which is needed now: compute"):
        result.images[:4]
    with pytest.raises(ResultError, match=r"labels.rows.npz is needed but was not kept"):
        result.array("labels.npy")


def test_renderings_add_to_what_is_kept_in_any_order(tmp_path):
    step(tmp_path)
    read(tmp_path, 5, 6), read(tmp_path, 1, 5)
    read(tmp_path, 1, 5, results="other"), read(tmp_path, 5, 6, results="other")
    assert kept(tmp_path) == kept(tmp_path, "other")
    files = json.loads(kept(tmp_path)["excerpts.json"])["files"]
    assert files["images.npy"]["rows"] == "1 5-6"
    assert files["images.npy"]["of"] == sha256(tmp_path / "work" / STEP / "images.npy")


def test_what_was_computed_anew_is_kept_anew(tmp_path):
    """All of it: no file stays that is of another computation than the record."""
    step(tmp_path)
    read(tmp_path, 5, 6)
    step(tmp_path, shift=1)
    result = read(tmp_path, 1)
    stored = Stored.excerpt(tmp_path / "results/numbers" / STEP / "images.rows.npz", set())
    assert np.array_equal(stored[[1, 5, 6]], result.images[[1, 5, 6]]) and stored[1].max() == 32
    findings, files = numbers_findings(tmp_path / "results", tmp_path)
    assert not findings and len(files) == 4


def test_what_nothing_is_drawn_from_any_more_goes(tmp_path):
    step(tmp_path)
    result = read(tmp_path, 0, 1, 2, 30)
    result.array("labels.npy")[:4]
    keep([result])
    other = tmp_path / "results/numbers/metric/gone-00000000"
    write_text(other / "metric.json", "{}")
    listing = {STEP: {"images.npy": "1-2"}}
    write_text(tmp_path / "results/provenance/fig6.json", canonical({"request": {}, "numbers": listing}))
    requests = tmp_path / "work/specs/artifact"
    write_text(requests / "manifest.json", canonical({"request": {"requests": {}}}))
    write_text(requests / "figS4.json", canonical({"request": {"needs": {"sources": f"work/{STEP}"}}}))
    before = kept(tmp_path)
    prune_numbers(tmp_path / "results", requests, {})
    assert kept(tmp_path) == before and not other.exists(), "figS4 is to be drawn, and says then what it reads"
    draft = {STEP: {"images.npy": "30"}}
    write_text(tmp_path / "results/provenance/figS4.json", canonical({"numbers": draft}))
    prune_numbers(tmp_path / "results", requests, {})
    assert set(kept(tmp_path)) == {"excerpts.json", "images.rows.npz", "set.json", "spec.json"}
    assert json.loads(kept(tmp_path)["excerpts.json"])["files"]["images.npy"]["rows"] == "1-2 30"
    findings, files = numbers_findings(tmp_path / "results", tmp_path)
    assert not findings and len(files) == 4
    before = kept(tmp_path)
    prune_numbers(tmp_path / "results", requests, {})
    assert kept(tmp_path) == before
    write_text(tmp_path / "results/provenance/figS4.json", canonical({"numbers": {}}))
    prune_numbers(tmp_path / "results", requests, {})
    assert Stored.excerpt(tmp_path / "results/numbers" / STEP / "images.rows.npz", set()).rows.tolist() == [1, 2]


def damaged(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"a", b"b") + b" ")


@pytest.mark.parametrize(
    ("name", "harm", "finding"),
    [
        ("set.json", damaged, "altered  {}/set.json: it has changed since it was written"),
        ("spec.json", damaged, "altered  {}/spec.json: its digest is not the one in the step's name"),
        ("images.rows.npz", damaged, "altered  {}/images.rows.npz: its sha256 is not the recorded one"),
        ("excerpts.json", damaged, "altered  {}/excerpts.json: it has changed since it was written"),
        ("images.rows.npz", Path.unlink, "missing  {}/images.rows.npz"),
        ("set.json", Path.unlink, "missing  {}/set.json"),
        ("more.csv", Path.touch, "altered  {}/more.csv"),
    ],
)
def test_verify_finds_what_is_missing_or_altered(tmp_path, name, harm, finding):
    step(tmp_path)
    read(tmp_path, 3)
    listing = {STEP: {"images.npy": "3"}}
    write_text(tmp_path / "results/provenance/fig6.json", canonical({"request": {}, "numbers": listing}))
    findings, files = numbers_findings(tmp_path / "results", tmp_path)
    assert not findings and len(files) == 4
    harm(tmp_path / "results/numbers" / STEP / name)
    findings, _ = numbers_findings(tmp_path / "results", tmp_path)
    assert findings and findings[0].startswith(finding.format(f"results/numbers/{STEP}"))


def test_verify_finds_an_excerpt_of_another_computation(tmp_path):
    step(tmp_path)
    read(tmp_path, 3)
    other = tmp_path / "other"
    step(other, shift=1)
    read(other, 3)
    for name in ("images.rows.npz", "excerpts.json"):
        shutil.copyfile(other / "results/numbers" / STEP / name, tmp_path / "results/numbers" / STEP / name)
    ((finding,), _) = numbers_findings(tmp_path / "results", tmp_path)
    assert "images.rows.npz: taken from another images.npy than the recorded one" in finding


def test_a_figure_is_drawn_from_what_is_kept_to_the_same_bytes(tmp_path):
    step(tmp_path)
    request = request_for(tmp_path, "figS21", {"sources": f"work/{STEP}"}, title="Fig. S21")
    out = tmp_path / "results/figS21.png"
    draw(request, str(out))
    suffixes = ARTIFACTS["figS21"].suffixes
    first = {suffix: out.with_suffix(f".{suffix}").read_bytes() for suffix in suffixes}
    words = json.loads((tmp_path / "work/drawn/figS21.json").read_text())
    assert words["numbers"] == {STEP: {"images.npy": "0-39", "labels.npy": "0-39"}}
    write_text(tmp_path / "results/provenance/figS21.json", canonical(json.loads(Path(request).read_text()) | words))
    before = kept(tmp_path)
    shutil.rmtree(tmp_path / "work/data")
    out.unlink()
    draw(request, str(out))
    assert {suffix: out.with_suffix(f".{suffix}").read_bytes() for suffix in suffixes} == first
    assert json.loads((tmp_path / "work/drawn/figS21.json").read_text()) == words and kept(tmp_path) == before
    needs = Needs.kept("figS21", tmp_path / "results")
    assert needs["sources"].settings == {"n": N} and needs["sources"].images[2].max() == 47


@pytest.fixture
def bare(tmp_path) -> Path:
    """A checkout with nothing computed."""
    for name in ("src", "notebooks", "data", "workflow", "config.yaml"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    return tmp_path


def provenance_of(root: Path, plan, artifact: str) -> None:
    """Leave a rendering of the present plan, and the records that it is drawn from, in its folder alone."""
    listing = {f"{step.kind}/{step.id}": {} for step in plan.artifacts[artifact]}
    for step in plan.artifacts[artifact]:
        folder = root / plan.results / "numbers" / step.kind / step.id
        record = {"value": 4.25, "name": "distance", "images": {}, "files": {}, "parents": {}}
        write_text(folder / Path(step.record).name, sealed(record))
        write_text(folder / "spec.json", canonical(step.spec))
    contents = {"request": renderings(plan, root)[artifact], "numbers": listing}
    write_text(root / plan.results / provenance(artifact), canonical(contents))


def test_what_is_kept_is_enough_where_the_configuration_says_so(bare):
    """A rendering of the present steps asks for none of them, whether its words are the present ones or not."""
    kept_plan, plan = planned("demo", numbers="kept"), planned("demo")
    provenance_of(bare, kept_plan, "table2")
    assert not drawn_steps(kept_plan, "table2", bare) and drawn_steps(plan, "table2", bare)
    assert states(kept_plan, bare)["table2"] == DRAWN and states(plan, bare)["table2"] == ELSEWHERE
    assert number_of(plan.artifacts["table2"][0], bare, "results").startswith("4.25"), "explain answers from it"
    assert spec_of(plan.artifacts["table2"][0], bare, "results").startswith("results/numbers/metric/")
    file = bare / "results" / provenance("table2")
    contents = json.loads(file.read_text())
    contents["request"]["drawing"] = {}
    write_text(file, canonical(contents))
    assert states(kept_plan, bare)["table2"] == STALE and not drawn_steps(kept_plan, "table2", bare)
    others = planned("demo", numbers="kept", seed=7)
    assert drawn_steps(others, "table2", bare) == others.artifacts["table2"], "those of other steps are no use"
    first = next((bare / "results/numbers/metric").glob("*/metric.json"))
    first.unlink()
    assert drawn_steps(kept_plan, "table2", bare) == plan.artifacts["table2"], "some are missing"
    assert not has_numbers(kept_plan, "table2", bare)
    assert not is_kept(bare / "results", listing_in(file)) and listing_in(bare / "nowhere.json") is None


def test_numbers_that_went_missing_are_written_again(bare):
    """Where the steps are here, the rendering is stale without them, so that it is drawn again."""
    plan = planned("demo")
    provenance_of(bare, plan, "table1")
    for step in plan.artifacts["table1"]:
        write_text(bare / step.record, "{}")
    assert states(plan, bare)["table1"] == DRAWN
    shutil.rmtree(bare / "results/numbers")
    assert states(plan, bare)["table1"] == STALE


def test_a_table_is_kept_byte_for_byte(tmp_path):
    folder = tmp_path / "work/toy/relu-00000000"
    write_text(folder / "toy.csv", "seed,state\n0,final\n")
    write_text(folder / "toy.json", sealed({"files": {"toy.csv": sha256(folder / "toy.csv")}, "parents": {}}))
    result = Result(folder, tmp_path / "results/numbers/toy/relu-00000000")
    assert isinstance(result.table("toy.csv"), pd.DataFrame)
    keep([result])
    assert (result.kept / "toy.csv").read_bytes() == (folder / "toy.csv").read_bytes()
    assert result.read == {"toy.csv": None}
