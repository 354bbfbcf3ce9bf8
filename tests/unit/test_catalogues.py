"""Files by which others find and check the project: the Snakemake catalogue's, CODECHECK's, and the container's."""

import re
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import REPOSITORY
from packaging.specifiers import SpecifierSet

from atebm.maintenance.codecheck import FILE, SPECIFICATION, codecheck
from atebm.maintenance.environments import PYTHON
from atebm.pipeline.artifacts import ARTIFACTS, target


def text(name: str) -> str:
    return (REPOSITORY / name).read_text(encoding="utf-8")


# --- the catalogue of Snakemake workflows -----------------------------------------------------------------------------


def test_the_catalogue_of_snakemake_workflows_finds_what_it_looks_for():
    """By its docs/about/adding_workflows.md, for "standardized usage"."""
    assert all(word in text("README.md").lower() for word in ("snakemake", "workflow"))
    assert (REPOSITORY / "workflow/Snakefile").exists() and list((REPOSITORY / "workflow/rules").glob("*.smk"))
    assert "config.yaml" in text("config/README.md")


def test_the_catalogues_settings_are_those_that_it_reads():
    (usage,) = yaml.safe_load(text(".snakemake-workflow-catalog.yml")).values()
    assert set(usage) == {"mandatory-flags", "software-stack-deployment", "report"}
    assert set(usage["mandatory-flags"]) == {"desc", "flags"}
    ways = usage["software-stack-deployment"]
    assert set(ways) == {"conda", "singularity", "singularity+conda"}
    assert all(isinstance(way, bool) for way in [*ways.values(), usage["report"]])
    rules = "".join(path.read_text() for path in (REPOSITORY / "workflow/rules").glob("*.smk"))
    assert ways["conda"] == ("conda:" in rules) and ways["singularity"] == ("container:" in rules)
    assert usage["report"] == ("report(" in rules)


# --- CODECHECK --------------------------------------------------------------------------------------------------------


def broken_rules(contents: str, root: Path) -> list[str]:
    """The rules on authors that a codecheck.yml breaks.

    They are the CODECHECK register's for specification 1.0. Left out: rules on what a codechecker adds (CFG-008 to 013
    and 024 to 026, BUN-002 to 004), what asks a network, and a warning on ORCIDs of authors, which no file here has.
    """
    found = yaml.safe_load(contents)
    paper, manifest = found.get("paper", {}), found.get("manifest")
    authors, reference = paper.get("authors"), paper.get("reference", "")
    listed = isinstance(manifest, list) and manifest
    files = [Path(entry.get("file", "")) for entry in manifest] if listed else []
    kept = {
        "CC-CFG-002": contents.startswith("---\n"),
        "CC-CFG-004": bool(listed),
        "CC-CFG-005": all(file.name for file in files),
        "CC-CFG-006": not any(file.is_absolute() or ".." in file.parts for file in files),
        "CC-CFG-007": all(entry.get("comment") for entry in manifest or []),
        "CC-CFG-014": "version" in found,
        "CC-CFG-015": found.get("version") == SPECIFICATION,
        "CC-CFG-016": bool(paper),
        "CC-CFG-017": bool(paper.get("title")),
        "CC-CFG-018": isinstance(authors, list) and bool(authors),
        "CC-CFG-019": all(author.get("name") for author in authors or []),
        "CC-CFG-021": bool(reference),
        "CC-CFG-022": not reference.endswith(".pdf"),
        "CC-CFG-023": not re.search("FIXME|TODO|XXXXX", contents),
        "CC-CFG-027": reference.startswith("https://"),
        "CC-BUN-001": all((root / file).is_file() for file in files),
        "CC-BUN-005": (root / "LICENSE").exists(),
    }
    return [rule for rule, is_kept in kept.items() if not is_kept]


def test_codecheck_yml_keeps_the_rules_on_authors_and_lists_every_artifact_that_is_drawn():
    assert text(FILE) == codecheck(REPOSITORY), "run: make docs"
    assert broken_rules(text(FILE), REPOSITORY) == []
    listed = [entry["file"] for entry in yaml.safe_load(text(FILE))["manifest"]]
    assert listed == [file for file in map(target, ARTIFACTS) if (REPOSITORY / file).exists()] and len(listed) > 40


@pytest.mark.parametrize(
    ("changed", "rules"),
    [
        (("---\n", ""), ["CC-CFG-002"]),
        (("file: results/fig1.png", "file: /results/fig1.png"), ["CC-CFG-006", "CC-BUN-001"]),
        (("file: results/fig1.png", "file: results/fig99.png"), ["CC-BUN-001"]),
        (("abs/2012.06568", "pdf/2012.06568.pdf"), ["CC-CFG-022"]),
        (("config/1.0/", "config/0.9/"), ["CC-CFG-015"]),
        (("name: Xuwang Yin", "name: FIXME"), ["CC-CFG-023"]),
    ],
    ids=str,
)
def test_a_broken_rule_is_seen(changed, rules):
    contents = text(FILE).replace(*changed, 1)
    assert contents != text(FILE) and broken_rules(contents, REPOSITORY) == rules


# --- the container ----------------------------------------------------------------------------------------------------


def instructions() -> Iterator[tuple[str, str]]:
    """The instructions of the Dockerfile with what follows each, in their order."""
    lines = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", text("Dockerfile"), flags=re.MULTILINE))
    for line in filter(None, lines.splitlines()):
        name, _, rest = line.partition(" ")
        yield name, rest


def ignored(path: str) -> bool:
    patterns = [line for line in text(".dockerignore").splitlines() if line and not line.startswith(("#", "!"))]
    return any(fnmatch(path, pattern) for pattern in patterns)


def test_the_container_has_the_set_up_of_the_makefile_from_the_same_lock():
    steps = list(instructions())
    version = re.fullmatch(r"python:(\d+\.\d+)-slim-\w+", dict(steps)["FROM"])
    project: dict[str, Any] = tomllib.loads(text("pyproject.toml"))["project"]
    assert version and version[1] == PYTHON and SpecifierSet(project["requires-python"]).contains(version[1])
    set_up = steps.index(("RUN", "make .venv/.installed"))
    copied = {word for name, rest in steps[:set_up] if name == "COPY" for word in rest.split()[1:-1]}
    wanted = re.search(r"^\$\(VENV\)/\.installed: (.*)$", text("Makefile"), re.MULTILINE)
    assert wanted and {*wanted[1].split(), "Makefile", "src", project["readme"], *project["license-files"]} == copied
    assert not [rest for name, rest in steps if name == "RUN" and re.search(r"\b(pip|conda)\b", rest)], "one lock"
    assert not [path for path in [*copied, "workflow", "notebooks", "results/figS2.png"] if ignored(path)]
    assert ignored(".git") and ignored(".venv") and ignored("work")


def test_the_container_does_not_run_as_root_and_starts_the_demo():
    steps = list(instructions())
    assert [rest for name, rest in steps if name == "USER"] == ["1000"]
    assert all("--chown=1000" in rest for name, rest in steps if name == "COPY")
    assert steps[-1] == ("CMD", '["make", "demo"]')


def test_the_containers_file_is_linted():
    assert "\thadolint Dockerfile\n" in text("Makefile")
