"""ro-crate-metadata.json, by roc-validator and without a network.

What is validated: all requirements (severity REQUIRED) of profile Provenance Run Crate 0.5 and of those that it builds
on, Workflow Run Crate 0.5, Process Run Crate 0.5, Workflow RO-Crate 1.0 and RO-Crate 1.1, files included. The one
document that the validator would fetch is the context of RO-Crate 1.1; ro-crate-1.1-context.json has those of its
terms that our crate uses, as they stand in https://w3id.org/ro/crate/1.1/context.
"""

import hashlib
import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3
import yaml
from conftest import REPOSITORY, run

from atebm.publish.crate import CRATE_FILE, crate_of, write_crate
from atebm.utils.errors import ResultError
from atebm.utils.hashing import sealed

CONTEXT = "https://w3id.org/ro/crate/1.1/context"
EXCERPT = Path(__file__).with_name("ro-crate-1.1-context.json")
LISTED = ("results", "workflow", "data", "notebooks", "src", "config.yaml")
LISTED += ("README.md", "LICENSE", "CITATION.cff", "requirements.lock")
UNKNOWN = {  # recommendations that the crate does not follow, since nothing says who ran the workflow, when, and where
    "The Action SHOULD have an endTime in ISO 8601 format",  # its page in the web is
    "The Action SHOULD have an agent that is a Person or Organization",
    "The SoftwareApplication id SHOULD be an absolute URI",
    "The Application SHOULD have a url",
    "The organization SHOULD have a URL.",
}


@pytest.fixture(scope="module")
def repository(tmp_path_factory) -> Path:
    """What the crate lists of the repository, with a crate, to be changed in copies of a copy."""
    folder = copied(REPOSITORY, tmp_path_factory.mktemp("crate") / "repository")
    write_crate(folder)
    return folder


def copied(source: Path, folder: Path) -> Path:
    for name in LISTED:
        if (source / name).is_dir():
            shutil.copytree(source / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif (source / name).exists():
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(source / name, folder / name)
    return folder


@pytest.fixture
def small(repository, tmp_path) -> Path:
    """The same with a manifest of one table and the steps behind it: quickly validated."""
    folder = copied(repository, tmp_path / "small")
    path = folder / "results/manifest.json"
    manifest = json.loads(path.read_text())
    table = manifest["artifacts"]["table1"]
    wanted = [step.removeprefix("work/") for step in table["steps"]]
    for step in wanted:
        wanted += [parent["step"] for parent in manifest["steps"][step]["parents"].values()]
    manifest |= {"artifacts": {"table1": table}, "steps": {step: manifest["steps"][step] for step in wanted}}
    del manifest["seal"]
    path.write_text(sealed(manifest))
    write_crate(folder)
    return folder


class Excerpt(requests.adapters.BaseAdapter):
    """Answers in place of w3id.org, for the one document that is to be in the validator's cache."""

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        assert request.url == CONTEXT
        headers = {"Content-Type": "application/ld+json"}
        body = urllib3.HTTPResponse(io.BytesIO(EXCERPT.read_bytes()), headers, 200, preload_content=False)
        return requests.adapters.HTTPAdapter().build_response(request, body)

    def close(self) -> None:
        pass


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> str:
    """The validator's HTTP cache, which is all that it has in its offline mode."""
    http = pytest.importorskip("rocrate_validator.utils.http", reason="roc-validator is not installed")
    path = str(tmp_path_factory.mktemp("cache") / "http")
    requester = http.HttpRequester.initialize_cache(cache_path=path)
    requester.session.mount("https://w3id.org/", Excerpt())
    assert requester.fetch_fresh(CONTEXT, headers={"Accept": "application/ld+json"}).ok
    return path


def issues(folder: Path, cache: str, severity: str = "REQUIRED") -> set[str]:
    """What the validator finds wrong."""
    from rocrate_validator.services import ValidationSettings, validate

    settings = ValidationSettings(
        rocrate_uri=str(folder),  # type: ignore[arg-type]
        profile_identifier="provenance-run-crate-0.5",
        requirement_severity=severity,
        offline=True,
        cache_path=cache,  # type: ignore[arg-type]
    )
    result = validate(settings)
    assert result.statistics.total_checks > 60
    return {str(issue.message) for issue in result.get_issues()}


@pytest.fixture
def graph(results, repository) -> dict[str, dict[str, Any]]:
    """The entities of the crate of the committed results."""
    return graph_of(repository)


def graph_of(folder: Path) -> dict[str, dict[str, Any]]:
    return {entity["@id"]: entity for entity in json.loads((folder / CRATE_FILE).read_text())["@graph"]}


@pytest.mark.slow
def test_the_crate_of_the_committed_results_is_valid_and_follows_recommendations(results, repository, cache):
    """Of severity REQUIRED there is nothing; of RECOMMENDED what nobody can know here."""
    assert issues(repository, cache, "RECOMMENDED") == UNKNOWN


def test_what_is_wrong_is_found(small, cache):
    """So that silence means something: five breaks at once, five kinds of finding."""
    path = small / CRATE_FILE
    crate = json.loads(path.read_text())
    graph = {entity["@id"]: entity for entity in crate["@graph"]}
    del graph["./"]["license"]
    del next(entity for id, entity in graph.items() if id.startswith("#check/"))["instrument"]
    graph["workflow/Snakefile"]["programmingLanguage"] = "Snakemake"
    graph["#step-render"].pop("workExample")
    path.write_text(json.dumps(crate))
    (small / "results/table1.csv").unlink()
    assert issues(small, cache) >= {
        "The Crate (Root Data Entity) must specify a license, which should be a URL but can also be a string",
        "The Action MUST have an instrument property that references the executed tool",
        "The Main Workflow must refer to its language via programmingLanguage",
        "A HowToStep must refer to its corresponding tool via workExample",
        "The RO-Crate does not include the Data Entity 'results/table1.csv' as part of its payload",
    }


def test_equal_results_have_a_crate_of_equal_bytes(results, repository, tmp_path):
    """Byte for byte, wherever and whenever it is made."""
    folder = copied(repository, tmp_path / "else where")
    environment = {"PYTHONPATH": str(folder / "src"), "PYTHONHASHSEED": "7", "TZ": "Asia/Tokyo", "LC_ALL": "C"}
    made = run(folder, "python", "-m", "atebm", "crate", **environment)
    assert made.returncode == 0, made.stderr
    assert (folder / CRATE_FILE).read_bytes() == (repository / CRATE_FILE).read_bytes()
    assert (folder / CRATE_FILE).stat().st_size < 1e6


def test_every_file_is_there_with_its_sha256_and_every_reference_leads_somewhere(graph):
    files = {id: entity for id, entity in graph.items() if "File" in entity["@type"]}
    for name, entity in files.items():
        assert (REPOSITORY / name).is_file() and entity["encodingFormat"], name
        if "sha256" in entity:
            content = (REPOSITORY / name).read_bytes()
            assert hashlib.sha256(content).hexdigest() == entity["sha256"], name
            assert entity.get("contentSize") in (None, str(len(content)))
    shown = [path for path in (REPOSITORY / "results").rglob("*") if path.is_file()]
    kept = REPOSITORY / "results/scales"
    ours = {str(path.relative_to(REPOSITORY)) for path in shown if kept not in path.parents}
    manifest = json.loads((REPOSITORY / "results/manifest.json").read_text())
    answered = {f"results/{name}" for part in manifest["artifacts"].values() for name in part["files"]}
    answered |= {
        f"results/{name}"
        for name in (*manifest["summary"], *manifest.get("numbers", {}), "manifest.json", "index.html")
    }
    assert answered <= ours and {name for name in files if name.startswith("results/")} == answered
    assert all("sha256" in files[name] for name in answered)
    for id, entity in graph.items():
        for reference in references(entity):
            assert reference in graph or reference.startswith("https://"), f"{id} refers to {reference}"


def references(value: Any) -> list[str]:
    if isinstance(value, list):
        return [reference for part in value for reference in references(part)]
    if isinstance(value, dict) and set(value) == {"@id"}:
        return [value["@id"]]
    return references(list(value.values())) if isinstance(value, dict) else []


def test_actions_are_the_steps_of_the_manifest(graph):
    manifest = json.loads((REPOSITORY / "results/manifest.json").read_text())
    made = {id[1:]: entity for id, entity in graph.items() if entity["@type"] == "CreateAction"}
    renderings = {f"render/{artifact}" for artifact in manifest["artifacts"]}
    assert set(made) == {*manifest["steps"], *renderings, "run", "manifest", "site"}
    for name, step in manifest["steps"].items():
        used = set(references(made[name].get("object", [])))
        assert {f"#work/{parent['step']}" for parent in step["parents"].values()} <= used
        assert (f"#device-{step['device']}" in used) == (step["device"] is not None)
        assert graph[made[name]["resourceUsage"]["@id"]]["value"] == step["seconds"]
        left = graph[made[name]["result"]["@id"]].get("identifier", [])
        digests = [f"{file} sha256:{digest}" for file, digest in step["files"].items()]
        assert ([left] if isinstance(left, str) else left) == digests
    for name in ("torch", "snakemake"):
        assert graph[f"#{name}"]["softwareVersion"] == manifest["packages"][name]


def test_terms_are_those_of_the_context_or_declared(results, repository):
    """A term that is in neither has no meaning, and whoever reads the crate drops it."""
    crate = json.loads((repository / CRATE_FILE).read_text())
    address, declared = crate["@context"]
    known = {*json.loads(EXCERPT.read_text())["@context"], *declared}
    used = {key for entity in crate["@graph"] for key in entity if not key.startswith("@")}
    types = [entity["@type"] for entity in crate["@graph"]]
    used |= {name for kind in types for name in ([kind] if isinstance(kind, str) else kind)}
    assert address == CONTEXT and used - known == set()


@pytest.mark.parametrize(
    ("step", "settings", "archive", "files"),
    [
        ("data/svhn-00000000", {"reader": "archive", "archive": "svhn", "split": "train"}, "svhn", ["train_32x32.mat"]),
        ("extractor/inception-00000000", {"kind": "inception"}, "inception", None),
        ("data/tiny-00000000", {"reader": "tiny_images"}, "tiny_images", None),
    ],
)
def test_public_archives_are_inputs_under_their_terms(small, step, settings, archive, files):
    """As data/sources.yaml records them; no file of theirs is in the repository."""
    path = small / "results/manifest.json"
    manifest = json.loads(path.read_text())
    manifest["steps"][step] = {"settings": settings, "files": {}, "parents": {}, "device": None, "seconds": None}
    path.write_text(json.dumps(manifest))
    graph = {entity.id: entity.properties() for entity in crate_of(small).get_entities()}
    record = yaml.safe_load((small / "data/sources.yaml").read_text())[archive]
    for file in files or [entry["file"] for entry in record["files"]]:
        entity = graph[f"#archive/{file}"]
        assert entity["license"] == record["terms"] and entity["name"] == record["title"]
        assert {"@id": f"#archive/{file}"} in graph["#run"]["object"]
        assert f"#archive/{file}" in references(graph[f"#{step}"]["object"])
    assert "resourceUsage" not in graph[f"#{step}"], "no seconds are known"


def test_embedded_data_and_photographs_are_inputs_under_their_licences(graph):
    inputs = set(references(graph["#run"]["object"]))
    images = "data/embedded/fashion-mnist/t10k-images-idx3-ubyte.gz"
    assert images in inputs and graph[graph[images]["license"]["@id"]]["name"].endswith("MIT")
    assert graph["#photographs/camera"]["license"] == "CC0 (Lav Varshney)"
    assert graph["#digits/digits"]["license"].startswith("CC BY 4.0")
    places = ("#photographs/", "data/embedded/photographs/")  # of packages, and here
    names = {Path(id).stem for id in inputs if id.startswith(places)}
    config = yaml.safe_load((REPOSITORY / "workflow/scales/demo.yaml").read_text())
    assert names == {name for spec in config["sets"].values() for name in spec.get("photographs", [])}


def test_embedded_photographs_are_files_under_their_licences(small):
    """Even those that no set of the committed results has."""
    path = small / "results/manifest.json"
    manifest = json.loads(path.read_text())
    step = "data/some-01234567"
    settings = {"reader": "photographs", "photographs": ["camera", "fig", "bridge"]}
    manifest["steps"][step] = {"settings": settings, "files": {}, "parents": {}, "device": None, "seconds": None}
    path.write_text(json.dumps(manifest))
    graph = {entity.id: entity.properties() for entity in crate_of(small).get_entities()}
    known = {("fig", "Freespace", "CC BY 4.0", "by/4.0"), ("bridge", "Klootwijk", "CC BY-SA 4.0", "by-sa/4.0")}
    for name, author, licence, address in known:
        file = f"data/embedded/photographs/{name}.jpg"
        assert graph[file]["@type"] == "File" and graph[file]["encodingFormat"] == "image/jpeg"
        assert graph[file]["sha256"] == hashlib.sha256((small / file).read_bytes()).hexdigest()
        assert author in graph[file]["author"] and "scaled down" in graph[file]["description"]
        terms = f"https://creativecommons.org/licenses/{address}/"
        assert graph[file]["license"] == {"@id": terms} and graph[terms]["name"] == licence
        assert {file, "#photographs/camera"} <= set(references(graph[f"#{step}"]["object"]))
        assert {"@id": file} in graph["#run"]["object"]


def test_a_missing_file_is_one_sentence(small):
    table, text = small / "results/table1.md", (small / "results/table1.md").read_text()
    for damage, said in ((table.unlink, "missing "), (lambda: table.write_text(text + "."), "altered ")):
        damage()
        with pytest.raises(ResultError, match=rf"^{CRATE_FILE} cannot describe .*\. {said} results/table1\.md"):
            write_crate(small)
    table.write_text(text)
    (small / "results/manifest.json").unlink()
    with pytest.raises(ResultError, match=r"the crate needs results/manifest\.json"):
        write_crate(small)
