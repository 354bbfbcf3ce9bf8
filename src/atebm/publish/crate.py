"""Write ro-crate-metadata.json: the results, and the run that made them, as a Workflow Run RO-Crate.

The crate is the whole checkout, not just results/, because a crate contains the workflow and inputs that it describes.
It follows the profiles Process, Workflow and Provenance Run Crate 0.5 and Workflow RO-Crate 1.0, on RO-Crate 1.1. It is
made from results/manifest.json and files of the checkout only, not from a clock or the machine, so equal results give a
crate of equal bytes. It leaves out facts that those files do not contain: who ran the workflow, and when.
"""

import csv
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from ..archives.catalogue import Source, files_of, find, sources
from ..config.sets import SETS, Images
from ..pipeline.artifacts import ARTIFACTS, PAPER_WORDS
from ..pipeline.kept import RESULTS
from ..pipeline.kinds import KINDS
from ..pipeline.staleness import MANIFEST, PAGE, SITE
from ..provenance.verify import results_findings
from ..utils.errors import ResultError
from ..utils.files import of_checkout, write_text
from ..utils.hashing import canonical, sha256

if TYPE_CHECKING:
    from rocrate.rocrate import ROCrate

PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/ro/wfrun/provenance/0.5": "Provenance Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
# Terms that the context of RO-Crate 1.1 lacks; stating them here avoids a reference to the profiles' own context.
TERMS = {
    "sha256": "https://w3id.org/ro/terms/workflow-run#sha256",
    "resourceUsage": "https://w3id.org/ro/terms/workflow-run#resourceUsage",
}
BIOSCHEMAS = "https://bioschemas.org/profiles/{}/1.0-RELEASE"
BENCHMARK = "https://snakemake.readthedocs.io/en/stable/snakefiles/rules.html#benchmark-rules"  # seconds, wall clock
SECOND = "http://qudt.org/vocab/unit/SEC"
CRATE_FILE = "ro-crate-metadata.json"
WORKFLOW = "workflow/Snakefile"
CONFIGURATION = "config.yaml"
PARAMETERS = {"configuration": CONFIGURATION, "manifest": "results/manifest.json"}  # parameters that are files
DESCRIBED = (  # files that the crate lists with their sha256; it lists all others by name only
    "results/manifest.json",
    "results/index.html",
    "CITATION.cff",
    "data/sources.yaml",
    "data/embedded/*.csv",
    "data/embedded/fashion-mnist/SHA256SUMS",
    "data/embedded/extractors/*",
)
RUN_BY = ("workflow/rules/*.smk", "workflow/envs/*.yaml", "notebooks/*.ipynb", "data/published/*.csv")
TEXTS = ("README.md", "LICENSE", "CITATION.cff", "requirements.lock")
FASHION = "data/embedded/fashion-mnist"
EXTRACTORS = "data/embedded/extractors"
# A fixed list, because the machine's `mimetypes` differ between machines.
FORMATS = {
    ".cff": "application/yaml",
    ".csv": "text/csv",
    ".gif": "image/gif",
    ".gz": "application/gzip",
    ".html": "text/html",
    ".ipynb": "application/x-ipynb+json",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".md": "text/markdown",
    ".npz": "application/zip",
    ".png": "image/png",
    ".py": "text/x-python",
    ".safetensors": "application/octet-stream",
    ".svg": "image/svg+xml",
    ".yaml": "application/yaml",
}

Entities = list[dict[str, str]]  # references, {"@id": ...}


def write_crate(root: Path) -> None:
    """Write ro-crate-metadata.json of the checkout at `root`; results/ must be complete.

    Raises ConfigError if `root` is not a checkout, and ResultError if results/manifest.json is missing, or if a file
    that it lists is missing or altered.
    """
    manifest = root / "results/manifest.json"
    of_checkout(root / "config.yaml")
    if not manifest.exists():
        raise ResultError("the crate needs results/manifest.json, which is missing; make it: snakemake --cores all")
    if findings := list(results_findings(root / RESULTS, root)):
        raise ResultError(f"{CRATE_FILE} cannot describe results/, which are incomplete or altered. {findings[0]}")
    write_text(root / CRATE_FILE, canonical(crate_of(root).metadata.generate()))


def crate_of(root: Path) -> "ROCrate":
    from rocrate.rocrate import ROCrate

    citation = yaml.safe_load(of_checkout(root / "CITATION.cff"))
    manifest = json.loads(of_checkout(root / "results/manifest.json"))
    crate = ROCrate(version="1.1")
    crate.metadata.extra_terms.update(TERMS)
    add_files(crate, root, manifest)
    add_workflow(crate, manifest, citation)
    actions = [*step_actions(crate, root, manifest), *rendering_actions(crate, manifest)]
    add_run(crate, manifest, actions)
    add_root(crate, manifest, citation, actions)
    return crate


def add(crate: "ROCrate", id: str, type: str | list[str], **properties: Any) -> dict[str, str]:
    """Add an entity that is not a file of the crate, unless its id exists already; return a reference to it."""
    from rocrate.model.contextentity import ContextEntity

    if not crate.get(id):
        crate.add(ContextEntity(crate, id, properties={"@type": type, **compact(properties)}))
    return {"@id": id}


def compact(properties: dict[str, Any]) -> dict[str, Any]:
    """Leave out properties that are None or empty, and unpack lists of one, as RO-Crate requires."""
    known = {key: value for key, value in properties.items() if value not in (None, [], "")}
    return {key: value[0] if isinstance(value, list) and len(value) == 1 else value for key, value in known.items()}


def refer(ids: Any) -> Entities:
    return [{"@id": id} for id in ids]


# --- the files --------------------------------------------------------------------------------------------------------


def add_files(crate: "ROCrate", root: Path, manifest: dict[str, Any]) -> None:
    """Add all files of the crate except the workflow itself."""
    made_from = {name: sha256(root / name) for name in matching(root, DESCRIBED)}
    for name, digest in made_from.items():
        add_file(crate, root, name, sha256=digest)
    for name in [*TEXTS, CONFIGURATION, f"workflow/scales/{manifest['scale']}.yaml", *matching(root, RUN_BY)]:
        if name not in made_from:
            add_file(crate, root, name)
    crate.add_dataset(dest_path="src/atebm", properties={"name": "src/atebm", "description": "all Python of the run"})
    licence = {"@id": f"{FASHION}/LICENSE"}
    (terms,) = {source.terms for source in find("fashion_mnist")}
    add_file(crate, root, licence["@id"], name=f"licence of Fashion-MNIST: {terms}")
    for name, digest in fashion(root).items():
        add_file(crate, root, name, sha256=digest, license=licence)
    for artifact, entry in manifest["artifacts"].items():
        about = ARTIFACTS[artifact].titled(PAPER_WORDS)
        for file, digest in entry["files"].items():
            add_result(crate, root, file, digest, about)
    for file, digest in manifest["summary"].items():
        add_result(crate, root, file, digest, "numbers that DVC compares between commits")
    for file, digest in manifest.get("numbers", {}).items():
        add_result(crate, root, file, digest, "numbers that the results are drawn from")
    crate.get("README.md")["about"] = {"@id": "./"}
    for name, path in PARAMETERS.items():
        crate.get(path)["exampleOfWork"] = {"@id": f"#parameter-{name}"}


def fashion(root: Path) -> dict[str, str]:
    """Return the embedded images of Fashion-MNIST: file -> sha256."""
    lines = (root / FASHION / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    return {f"{FASHION}/{file}": digest for digest, file in map(str.split, lines)}


def matching(root: Path, patterns: Iterable[str]) -> list[str]:
    """Return the files of a checkout that match some patterns, pattern by pattern."""
    return [str(path.relative_to(root)) for pattern in patterns for path in sorted(root.glob(pattern))]


def add_file(crate: "ROCrate", root: Path, path: str, **properties: Any) -> None:
    if not (root / path).is_file():
        raise ResultError(
            f"the crate describes {path}, which is missing: restore it, or draw results/ again: snakemake --cores all"
        )
    known = {"name": path, "encodingFormat": FORMATS.get(Path(path).suffix, "text/plain")}
    crate.add_file(dest_path=path, properties=compact(known | properties))


def add_result(crate: "ROCrate", root: Path, file: str, digest: str, about: str) -> None:
    name = f"results/{file}"
    size = str((root / name).stat().st_size) if (root / name).is_file() else ""  # add_file refuses it
    add_file(crate, root, name, sha256=digest, contentSize=size, description=about)


# --- the workflow -----------------------------------------------------------------------------------------------------


def add_workflow(crate: "ROCrate", manifest: dict[str, Any], citation: dict[str, Any]) -> None:
    """Add the Snakefile, its requirements, and a tool and a step for each kind of step and each verb that draws."""
    engine = manifest["packages"].get("snakemake")
    verbs = tools_of(manifest)
    for verb in verbs:
        add(crate, tool(verb)["@id"], "SoftwareApplication", name=command(verb), softwareVersion=citation["version"])
        position = str(verbs.index(verb) + 1)
        add(crate, f"#step-{verb}", "HowToStep", name=verb, position=position, workExample=tool(verb))
    packages = {"python": manifest["python"], **manifest["packages"]}
    for package, version in packages.items():
        url = "https://www.python.org/" if package == "python" else f"https://pypi.org/project/{package}/"
        add(crate, f"#{package}", "SoftwareApplication", name=package, softwareVersion=version, url=url)
    scale = add_parameter(crate, "scale", "Text", "#scale")
    configuration, made = (add_parameter(crate, name, "File", path) for name, path in PARAMETERS.items())
    add(crate, "#scale", "PropertyValue", name="scale", value=manifest["scale"], exampleOfWork=scale)
    properties = {
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
        "name": citation["title"],
        "encodingFormat": "text/plain",
        "version": manifest["commit"] or citation["version"],
        "conformsTo": {"@id": BIOSCHEMAS.format("ComputationalWorkflow")},
        "input": [scale, configuration],
        "output": made,
        "hasPart": [tool(verb) for verb in verbs],
        "step": refer(f"#step-{verb}" for verb in verbs),
        "softwareRequirements": refer(f"#{package}" for package in packages),
    }
    crate.add_workflow(dest_path=WORKFLOW, main=True, lang="snakemake", lang_version=engine, properties=properties)


def add_parameter(crate: "ROCrate", name: str, type: str, example: str) -> dict[str, str]:
    """Add an input or output of the workflow, with its value in this run, and return a reference to it."""
    properties = {"additionalType": type, "workExample": {"@id": example}}
    properties["conformsTo"] = {"@id": BIOSCHEMAS.format("FormalParameter")}
    return add(crate, f"#parameter-{name}", "FormalParameter", name=name, **properties)


def tools_of(manifest: dict[str, Any]) -> list[str]:
    """Return the kinds of step and the verbs that made these results, in the order of a run."""
    kinds = {step.partition("/")[0] for step in manifest["steps"]}
    return [*(kind for kind in KINDS if kind in kinds), "render", MANIFEST, SITE]


def command(verb: str) -> str:
    """Return the command that a tool stands for: one verb computes the steps of all kinds."""
    return f"python -m atebm {f'step, of kind {verb}' if verb in KINDS else verb}"


def tool(verb: str) -> dict[str, str]:
    return {"@id": f"#atebm-{verb}"}


# --- actions ----------------------------------------------------------------------------------------------------------


def step_actions(crate: "ROCrate", root: Path, manifest: dict[str, Any]) -> Iterator[str]:
    """Add an action for each step, with its seconds and device, and yield the actions' ids.

    The files of a step in work/ are not part of the crate; they are only named, with their sha256.
    """
    for step, entry in manifest["steps"].items():
        verb = step.partition("/")[0]
        used = [left(parent["step"]) for parent in entry["parents"].values()]
        used += [read_from(crate, source) for source in archives_read(entry["settings"])]
        used += embedded(crate, root, entry["settings"])
        if entry["device"]:
            name = entry["device"]
            used.append(add(crate, f"#device-{name}", "PropertyValue", name="device", value=name))
        files = [f"{name} sha256:{digest}" for name, digest in entry["files"].items()]
        add(crate, left(step)["@id"], "CreativeWork", name=f"work/{step}", identifier=files)
        usage = None
        if entry["seconds"] is not None:
            properties = {"name": "seconds", "propertyID": BENCHMARK, "unitCode": SECOND, "value": entry["seconds"]}
            usage = add(crate, f"#seconds/{step}", "PropertyValue", **properties)
        yield act(crate, step, verb, used, [left(step)], resourceUsage=usage)


def left(step: str) -> dict[str, str]:
    """Return a reference to the files that a step left in its folder."""
    return {"@id": f"#work/{step}"}


def archives_read(settings: dict[str, Any]) -> list[Source]:
    """Return the files of public archives that a step with these settings reads."""
    read: tuple[tuple[str, str | None], ...] = ()
    if spec := set_of(settings):
        read = spec.archives
    elif settings.get("kind") == "inception":
        read = (("inception", None),)
    elif "archive" in settings:
        read = ((settings["archive"], None),)
    names = [name for archive, split in read for name in files_of(archive, split)]
    released = [source for source in sources() if source.sha256 and source.sha256 == settings.get("weights")]
    return [*(source for name in names for source in find(name)), *released]


def set_of(settings: dict[str, Any]) -> Images | None:
    """Return the image set that a step with these settings makes, if it makes one."""
    return SETS[settings["reader"]].model_construct(**settings) if "reader" in settings else None


def read_from(crate: "ROCrate", source: Source) -> dict[str, str]:
    """Add a file of a public archive, under its publisher's terms; the crate does not contain it."""
    properties = {"license": source.terms, "contentUrl": source.url, "sha256": source.sha256}
    md5 = f"md5:{source.md5}" if source.md5 else None
    return add(crate, f"#archive/{source.file}", "CreativeWork", name=source.title, identifier=md5, **properties)


def embedded(crate: "ROCrate", root: Path, settings: dict[str, Any]) -> Entities:
    """Return the files that a step with these settings reads from data/embedded/, or from a package listed there."""
    if settings.get("kind") == "embedded":  # an extractor, and the record of its training
        return refer(f"{EXTRACTORS}/{Path(settings['file']).stem}{suffix}" for suffix in (".json", ".safetensors"))
    spec = set_of(settings)
    if spec is None or not spec.embedded:
        return []
    place = root / "data/embedded" / spec.embedded
    if place.suffix != ".csv":
        return refer(fashion(root))
    with place.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["name"] in spec.listed]
    return [packaged(crate, place.stem, row) if row["package"] else adapted(crate, root, row) for row in rows]


def adapted(crate: "ROCrate", root: Path, row: dict[str, str]) -> dict[str, str]:
    """Add a file of data/embedded/ that was made from another author's work, under its licence."""
    path = f"data/embedded/{row['file']}"
    if not crate.get(path):
        licence = add(crate, row["licence_url"], "CreativeWork", name=row["licence"], url=row["licence_url"])
        about = f"“{row['title']}” by {row['author']}, {row['year']}; {row['changes']}"
        add_file(crate, root, path, description=about, author=row["author"], license=licence, sha256=row["sha256"])
    return {"@id": path}


def packaged(crate: "ROCrate", kind: str, row: dict[str, str]) -> dict[str, str]:
    """Add a file that a package contains, under the licence that it states; the crate does not contain it."""
    place = f"{row['file']} of {row['distribution']} {row['version']}"
    properties = {"name": row["name"], "description": place, "license": row["licence"], "sha256": row["sha256"]}
    return add(crate, f"#{kind}/{row['name']}", "CreativeWork", **properties)


def rendering_actions(crate: "ROCrate", manifest: dict[str, Any]) -> Iterator[str]:
    """Add an action for each artifact, the manifest and the page, and yield the actions' ids."""
    for artifact, entry in manifest["artifacts"].items():
        used = [*map(left, (folder.removeprefix("work/") for folder in entry["steps"]))]
        used += refer([f"notebooks/{artifact}.ipynb"])
        made = refer(f"results/{file}" for file in entry["files"])
        yield act(crate, f"render/{artifact}", "render", used, made, what=entry["title"])
    summary = ["results/manifest.json", *(f"results/{file}" for file in manifest["summary"])]
    requests = refer(f"results/provenance/{artifact}.json" for artifact in manifest["artifacts"])
    yield act(crate, MANIFEST, MANIFEST, requests, refer(summary))
    yield act(crate, SITE, SITE, refer(["results/manifest.json"]), refer([f"{RESULTS}/{PAGE}"]))


def act(
    crate: "ROCrate", name: str, verb: str, used: Entities, made: Entities, what: str = "", **properties: Any
) -> str:
    """Add a run of a tool; returns its id."""
    properties |= {"name": what or name, "description": f"{command(verb)}, for {what or name}"}
    add(crate, f"#{name}", "CreateAction", instrument=tool(verb), object=used, result=made, **properties)
    return f"#{name}"


def add_run(crate: "ROCrate", manifest: dict[str, Any], actions: list[str]) -> None:
    """Add the run as a whole: its inputs, its results, and the engine that ran the tools step by step."""
    from rocrate.utils import as_list

    inputs = [CONFIGURATION, f"workflow/scales/{manifest['scale']}.yaml", "#scale"]
    used = {entity.id for id in actions for entity in as_list(crate.get(id).get("object", []))}
    inputs += [entity.id for entity in crate.get_entities() if entity.get("license") and entity.id in used]  # data
    files = [file for entry in manifest["artifacts"].values() for file in entry["files"]] + [*manifest["summary"]]
    results = [f"results/{file}" for file in (*files, "manifest.json", "index.html")]
    name = f"Snakemake, scale {manifest['scale']}"
    properties = {"object": refer(inputs), "result": refer(results), "description": "snakemake --cores all"}
    add(crate, "#run", "CreateAction", name=name, instrument={"@id": WORKFLOW}, **properties)
    controls = []
    for verb in tools_of(manifest):
        mine = [id for id in actions if crate.get(id)["instrument"].id == tool(verb)["@id"]]
        step = {"@id": f"#step-{verb}"}
        controls.append(add(crate, f"#control-{verb}", "ControlAction", name=verb, instrument=step, object=refer(mine)))
    engine = {"@id": "#snakemake"}
    orchestrated: dict[str, Any] = {"instrument": engine, "object": controls, "result": {"@id": "#run"}}
    add(crate, "#orchestration", "OrganizeAction", name="orchestration by Snakemake", **orchestrated)


# --- the crate --------------------------------------------------------------------------------------------------------


def add_root(crate: "ROCrate", manifest: dict[str, Any], citation: dict[str, Any], actions: list[str]) -> None:
    paper = citation["preferred-citation"]
    authors = [f"{author['given-names']} {author['family-names']}" for author in paper["authors"]]
    arxiv = next(entry["value"] for entry in paper["identifiers"] if entry["value"].startswith("arXiv:"))
    url = f"https://arxiv.org/abs/{arxiv.removeprefix('arXiv:')}"
    licence = f"https://spdx.org/licenses/{citation['license']}"
    developers = [add(crate, "#developers", "Organization", name=author["name"]) for author in citation["authors"]]
    for profile, name in PROFILES.items():
        add(crate, profile, "CreativeWork", name=name, version=profile.rpartition("/")[2])
    root = {
        "name": citation["title"],
        "description": f"Every figure and table of the paper at the {manifest['scale']} scale, with their provenance.",
        "datePublished": citation["date-released"].isoformat(),
        "license": add(crate, licence, "CreativeWork", name=citation["license"], url=licence),
        "author": developers,
        "publisher": developers,
        "citation": add(crate, url, "ScholarlyArticle", name=paper["title"], author=authors),
        "conformsTo": refer(PROFILES),
        "mentions": refer(["#run", "#orchestration", *actions]),
    }
    for key, value in compact(root).items():
        crate.root_dataset[key] = value
