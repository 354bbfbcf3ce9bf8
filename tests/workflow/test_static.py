"""What can be checked of the workflow without running it."""

import inspect
import json
import re
from importlib import import_module, metadata

import nbformat
import pytest
import yaml
from conftest import REPOSITORY, checkout, planned, snakemake
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from atebm.cost.disk import COUNTS
from atebm.pipeline.artifacts import ARTIFACTS, USUAL
from atebm.pipeline.kinds import FILES, KINDS

NOTEBOOKS = [REPOSITORY / f"notebooks/{name}.ipynb" for name in ARTIFACTS]  # 00_paper.ipynb has a test of its own


SECTIONS = [
    "What the paper claims",
    "What is tested here",
    "How it is computed",
    "Result",
    "Checks",
    "What follows, and what does not",
    "Try it",
]
BOARDS = ("claims", "controls")  # these are boards, so they show no rows of one


def cells_by_section(notebook: nbformat.NotebookNode) -> dict[str, list[nbformat.NotebookNode]]:
    """The code cells of a notebook below each of its headings; "" those before the first."""
    found: dict[str, list[nbformat.NotebookNode]] = {"": []}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            found |= {heading: [] for heading in re.findall(r"^## (.+)$", cell.source, re.MULTILINE)}
        else:
            list(found.values())[-1].append(cell)
    return found


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_a_document_without_outputs(path):
    """A heading, seven sections in their order, an equation, tags that are known, and links to files that are here."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    text = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert re.findall(r"^# .+$", text, re.MULTILINE) == [notebook.cells[0].source.splitlines()[0]]
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    assert re.search(r"\$[^$]+\$", text), "no equation"
    tags = [tag for cell in notebook.cells for tag in cell.metadata.get("tags", [])]
    assert tags == ["parameters", "try", "provenance"]
    addresses = re.findall(r"\]\((\.\./[^)#]*)", text)
    missing = [address for address in addresses if not (path.parent / address).exists()]
    assert addresses and all(address.startswith("../fig") for address in missing), missing  # an animation is drawn


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebooks_cells_stand_where_a_reader_looks_for_them(path):
    """Settings, a computation before the result, checks that can be false, the board's rows, a cell to try."""
    cells = cells_by_section(nbformat.read(path, as_version=4))
    parameters, beginning = cells["What is tested here"]
    names: dict[str, str] = {}
    exec(parameters.source, names)
    assert parameters.metadata.tags == ["parameters"]
    apart, folder = (".board", "scales/board/") if path.stem in BOARDS else ("", "")
    assert names["request"] == f"../work/specs/artifact{apart}/{path.stem}.json"
    assert names["out"].startswith(f"../results/{folder}{path.stem}.")
    assert "document = Document(request, out)" in beginning.source
    assert cells["How it is computed"] and cells["Result"][0].source == "document.show()"
    checks = [cell.source for cell in cells["Checks"]]
    assert any(re.search(r"\bcheck\((?!True)", source) for source in checks)
    (board,) = cells["What follows, and what does not"]
    assert "document.claims()" in board.source or path.stem in BOARDS
    tried, made = cells["Try it"]
    assert tried.metadata.tags == ["try"] and "torch" not in tried.source
    assert made.metadata.tags == ["provenance"] and made.source == "document.made()"


def test_the_lock_is_exact_and_names_no_index():
    lines = (REPOSITORY / "requirements.lock").read_text().splitlines()
    assert all(str(Requirement(line).specifier).startswith("==") for line in lines)
    assert all(Requirement(line).url is None for line in lines)


@pytest.mark.parametrize("python", ["3.11.2", "3.12.0"])  # Debian 12's, and the oldest of the next
def test_every_pin_takes_the_pythons_that_are_promised(python):
    lines = (REPOSITORY / "requirements.lock").read_text().splitlines()
    names = [r.name for r in map(Requirement, lines) if r.marker is None or r.marker.evaluate()]
    wanted = {name: metadata.metadata(name).get("Requires-Python") for name in names}
    assert [name for name, spec in wanted.items() if spec and not SpecifierSet(spec).contains(python)] == []


def test_the_stages_of_dvc_keep_every_kind_of_step_and_depend_on_their_plans():
    """What an unlisted kind of step leaves would be in no remote, and a stage without its plan would never be stale."""
    stages = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["stages"]
    plans = stages.pop("plan")
    assert plans["always_changed"] and plans["outs"] == [f"work/plan/{name}.json" for name in stages]
    assert all(f"work/plan/{name}.json" in stage["deps"] for name, stage in stages.items())
    for name, stage in stages.items():
        kept = {folder: options for out in stage["outs"] for folder, options in out.items()}
        assert kept.keys() == {f"work/{kind.name}" for kind in KINDS.values() if kind.stage == name}, name
        assert all(options["persist"] for options in kept.values()), "DVC would remove what Snakemake owns"


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_a_kind_is_what_its_function_takes(kind):
    """Its rule and its verb go by what is declared: an argument more or less would show when a job runs."""
    parameters = inspect.signature(kind.function()).parameters
    others = {"archives"}  # which tests alone give
    declared = {"job", *kind.takes, *(("shard", "out") if kind.joins else ())}
    assert next(iter(parameters)) == "job" and parameters.keys() - others == declared
    assert not kind.joins or list(inspect.signature(kind.join()).parameters) == ["job", "shards"]
    assert next(reversed(kind.files)).endswith(".json"), "the record is written last"
    assert (kind.bytes == 0) == (kind.name in COUNTS), "either small, or counted by cost/disk.py"


def test_on_slurm_the_kinds_that_grow_with_the_scale_have_resources_of_their_own():
    profile = yaml.safe_load(page("workflow/profiles/slurm/config.yaml"))
    assert profile["set-resources"].keys() == {kind.name for kind in KINDS.values() if not kind.bytes}


def test_every_kind_of_step_has_a_rule(tmp_path):
    """By a dry run of one step of each; test_own_images.py has what is made of your own images alone."""
    one = {kind: step.record for (kind, _), step in planned("paper").known.items()}
    assert set(FILES) - set(one) == {"overview"}
    dry = snakemake(checkout(tmp_path), *one.values(), "--dry-run", "--quiet", "all", "--config", "scale=paper")
    assert dry.returncode == 0, dry.stdout + dry.stderr


@pytest.mark.parametrize("scale", ["smoke", "demo", "fashion", "miniature", "paper"])
def test_every_scale_has_a_plan_of_every_artifact(scale):
    plan = planned(scale)
    assert all(steps or ARTIFACTS[name].settings for name, steps in plan.artifacts.items())


@pytest.mark.parametrize("name", ARTIFACTS)
def test_every_artifact_is_complete(name):
    """A title, a notebook, a function that draws it, files, numbers, words, and a run in miniature."""
    artifact = ARTIFACTS[name]
    number, _, what = artifact.title.partition(": ")
    assert number and what
    module, _, function = artifact.draws.rpartition(".")
    assert callable(getattr(import_module(f"atebm.report.{module}"), function))
    assert (REPOSITORY / f"notebooks/{name}.ipynb").exists()
    assert name in planned("miniature").artifacts, "tests/miniature draws all of these"
    results = REPOSITORY / ("results/scales/board" if artifact.on_request else "results")
    if artifact.on_request and not (results / f"provenance/{name}.json").exists():
        pytest.skip("it is drawn with the rest of scale board")
    for suffix in artifact.suffixes:
        assert (results / f"{name}.{suffix}").stat().st_size > 0
    assert len((results / f"{name}.csv").read_text().splitlines()) > 1, "no numbers"
    words = json.loads((results / f"provenance/{name}.json").read_text())
    assert words["caption"] and words["headline"]


def test_all_of_the_paper_is_drawn():
    """7 figures, 4 tables, the stability analysis, 21 figures and 8 tables of the supplement."""
    paper = [f"fig{i}" for i in range(1, 8)] + [f"table{i}" for i in range(1, 5)] + ["stability"]
    paper += [f"figS{i}" for i in range(1, 22)] + [f"tableS{i}" for i in range(1, 9)]
    assert len(paper) == 41 and set(paper) <= set(USUAL)


def test_prepared_asks_for_every_set_of_the_paper(tmp_path):
    """By a dry run, which reads no archive."""
    dry = snakemake(checkout(tmp_path), "prepared", "--dry-run", "--config", "scale=paper")
    assert dry.returncode == 0, dry.stdout + dry.stderr
    plan, asked = (
        planned("paper"),
        set(re.findall(r"Job \d+: (?:data|index) (\S+): ", dry.stdout + dry.stderr)),
    )
    assert asked == {id for _, id in plan.sets}
    names = {id.rsplit("-", 1)[0] for id in asked}
    assert {"imagenet", "places365_32", "church256", "imagenet256_sources", "svhn_test_256", "noise_32"} <= names


def page(name: str) -> str:
    return (REPOSITORY / name).read_text()


def test_the_documentation_shows_the_committed_results(results):
    from atebm.maintenance import evidence_pages as pages
    from atebm.maintenance.docs import artifact_table
    from atebm.maintenance.review_page import review

    report, negative = page("docs/explanation/report.md"), page("docs/explanation/negative.md")
    assert artifact_table(results) in page("docs/reference/artifacts.md"), "run: make docs"
    assert pages.verdicts(results) in page("README.md"), "run: make docs"
    assert pages.negative(results) in negative, "run: make docs"
    for text in (pages.scope(results), pages.outcomes(results), pages.design(), pages.verdicts(results)):
        assert text in report, "run: make docs"
    assert pages.reproduction() in page("docs/reference/reproduction.md"), "run: make docs"
    assert review(results) in page("docs/howto/artifact-review.md"), "run: make docs"


def test_the_documentation_shows_what_to_expect():
    from atebm.maintenance.docs import EXPECTED, expectation, hours_by_scale

    assert expectation(REPOSITORY / EXPECTED) in page("docs/reference/scales.md"), "run: make docs"
    assert hours_by_scale(REPOSITORY) in page("docs/howto/from_nothing.md"), "run: make docs"


def test_the_documentation_shows_the_rules(tmp_path, monkeypatch):
    from atebm.maintenance.docs import rule_table

    monkeypatch.chdir(checkout(tmp_path))
    assert rule_table() in page("docs/explanation/workflow.md"), "run: make docs"


def test_the_documentation_shows_the_pictures_and_the_citation():
    from atebm.maintenance.docs import pictures
    from atebm.publish.page import citation

    assert {file: page(file) for file in pictures(REPOSITORY)} == pictures(REPOSITORY), "run: make docs"
    assert f"```bibtex\n{citation()}\n```" in page("README.md"), "run: make docs"


def test_every_claim_with_a_test_has_a_command_on_the_page_for_reviewers(results):
    from atebm.maintenance.evidence_pages import board_of
    from atebm.maintenance.review_page import review

    frame, text = board_of(results), review(results)
    tested = frame[frame["test"] != ""]
    rows = [line.split(" | ")[0].removeprefix("| ") for line in text.splitlines() if line.startswith("| ")]
    assert sorted(row for row in rows if row != "claim") == sorted(tested["claim"]) and len(tested) > 80
    commands = re.findall(r"`snakemake --cores all ([^`\s]+)", text)
    assert len(commands) == text.count("### ") and {"results/table2.csv", "results/fig4.png"} < set(commands)


def test_on_slurm_trainings_are_tried_for_longer_than_the_longest_takes():
    """On the GPU that hours are known of, and half as long again for others."""
    from atebm.maintenance.docs import EXPECTED

    profile = yaml.safe_load(page("workflow/profiles/slurm/config.yaml"))
    longest = max(step["hours"] for step in json.loads(page(EXPECTED))["costliest"])
    for rule in (kind.name for kind in KINDS.values() if kind.retried):
        minutes = profile["set-resources"][rule]["runtime"]
        assert (1 + profile["retries"]) * minutes / 60 >= 1.5 * longest


@pytest.mark.parametrize("folder", sorted((REPOSITORY / "results/scales").glob("*")), ids=lambda folder: folder.name)
def test_committed_results_of_a_scale_are_what_their_manifest_says(folder):
    """A folder has a manifest when all of its scale is drawn; before, the board's claims may be alone there."""
    from atebm.provenance.verify import folder_findings

    manifest = folder / "manifest.json"
    assert not manifest.exists() or json.loads(manifest.read_text())["scale"] == folder.name
    assert folder_findings(folder, REPOSITORY)[0] == []


def test_committed_results_are_what_their_manifest_says(results):
    from atebm.utils.hashing import sha256

    manifest = json.loads((results / "manifest.json").read_text())
    assert manifest["scale"] == "demo"
    for artifact in manifest["artifacts"].values():
        for name, digest in artifact["files"].items():
            assert sha256(results / name) == digest, name
    assert set(manifest["steps"]) == {f"{kind}/{id}" for kind, id in planned("demo").steps}, "run: make demo"


def test_committed_results_stay_small(results):
    sizes = {path: path.stat().st_size for path in results.rglob("*") if path.is_file()}
    assert sum(sizes.values()) <= 22e6 and max(sizes.values()) <= 1e6
