"""Write index.html of a folder of results from the files there: an overview with links to everything else."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from ..pipeline.artifacts import ARTIFACTS, target
from ..pipeline.kept import RESULTS, is_beside
from ..pipeline.staleness import PAGE, SITE, provenance
from ..provenance.manifest import evidence
from ..report.claims.reproduced import rules
from ..report.published import published
from ..report.verdicts import LEAST_SEEDS, VERDICTS
from ..utils.files import of_checkout, repository, write_text
from ..utils.hashing import sealed, sha256
from .board import claims_in, panels_of, tally
from .gallery import groups_of
from .lists import lists_of
from .pictures import CLIMB, CLIMBS, FOLDER, sized, write_pictures
from .templates import environment

# A description of each scale. A page shows the scales for tests only if its results are of such a scale.
SCALES = {
    "demo": "small grey images stand in for all data; small networks; minutes of training on two CPU cores",
    "board": f"the demo scale's settings on {LEAST_SEEDS} seeds, each a complete replication: evidence for the claims",
    "fashion": "all of Fashion-MNIST at 32x32 stands in for CIFAR-10; about an hour on a CPU core",
    "released": "the authors' trained weights on the paper's own data sets, without training",
    "weekend": "the paper's own data of 32 pixels, trained in bfloat16 on one GPU in a weekend",
    "paper": "the paper's own data sets, networks and lengths of training, on GPUs",
}
GENUINE = ("released", "weekend", "paper")  # scales with the paper's own data
EXAMPLES = ("table2", "table4")  # artifacts whose headlines stand on the first screen
TESTS_ONLY = "for the project's tests: its numbers mean nothing"
BOARD_FILES = ("notebooks/claims.html", "notebooks/claims.ipynb", "claims.csv", "claims.md")


def write_site(results: Path, request: Path) -> None:
    """Write index.html, site/ and their record for a request, work/specs/artifact/site.json.

    Reads only `results`, including scales/ in it. Removes files from site/ that are no longer part of it.
    """
    asked = json.loads(request.read_text(encoding="utf-8"))["request"]
    pictures = write_pictures(results, asked["requests"])
    pages = pages_of(results, asked["claims_present"])
    for name, html in pages.items():
        write_text(results / name, html)
    for path in set((results / FOLDER).iterdir()) - {results / name for name in (*pages, *pictures)}:
        path.unlink()
    manifest = json.loads((results / "manifest.json").read_text(encoding="utf-8"))
    where = evidence(results)  # the board is drawn on request, so no manifest lists it
    board = [
        where / name for name in BOARD_FILES if (where / provenance("claims")).exists() and (where / name).exists()
    ]
    made = {
        "request": asked,
        "manifest": manifest["seal"],
        "files": {name: sha256(results / name) for name in sorted([*pages, *pictures])},
        "board": {str(path.relative_to(results)): sha256(path) for path in board},
    }
    write_text(results / provenance(SITE), sealed(made))


def pages_of(results: Path, claims_present: bool = True) -> dict[str, str]:
    """Return the pages, except those of artifacts, by their paths below `results`, from the files there only.

    `claims_present` says whether claims.csv belongs to the present plan.
    """
    manifest = json.loads((results / "manifest.json").read_text(encoding="utf-8"))
    where = evidence(results)
    scale, board_scale = manifest["scale"], manifest["scale"] if where == results else where.name
    claims = claims_in(where, board_scale)
    groups = groups_of(results, manifest, claims)
    html = (
        environment()
        .get_template("index.html.j2")
        .render(
            manifest=manifest,
            scale=scale,
            what=described(scale),
            genuine=scale in GENUINE,
            up="../../../" if is_beside(results) else "../",
            claims=claims,
            board=board_of(where, results, board_scale, claims_present),
            tally=tally(claims),
            decided=sum(tally(claims)[verdict] for verdict in VERDICTS),
            least=LEAST_SEEDS,
            published=len(rules()),
            panels=panels_of(claims),
            total=len(ARTIFACTS),
            groups=groups,
            examples=[card for cards in groups.values() for card in cards if card.id in EXAMPLES and card.page],
            climb=sized(results, CLIMB),
            climbs=CLIMBS,
            climbs_label=ARTIFACTS[CLIMBS].label,
            fid=published("table2").set_index("approach").loc["Ours", "fid"],
            scales=list(scales_of(results, scale)),
            citation=citation(),
        )
    )
    return {PAGE: html, **lists_of(results, manifest)}


def described(scale: str) -> str:
    """Return a description of a scale."""
    return SCALES.get(scale, TESTS_ONLY)


def board_of(where: Path, results: Path, scale: str, present: bool) -> dict[str, Any]:
    """Return the scale of the claims board on the page, its files, and the command that draws it again."""
    folder = "" if where == results else f"scales/{where.name}/"
    kept = [name for name in BOARD_FILES if (where / name).exists()]
    place = f"{RESULTS}/scales/{where.name}" if is_beside(where) else RESULTS
    config = f" --config scale={scale} results={place}" if is_beside(where) else ""
    return {
        "scale": scale,
        "what": described(scale),
        "files": [f"{folder}{name}" for name in kept],
        "present": present or where != results,
        "command": f"snakemake --cores all {target('claims', place)}{config}",
    }


def scales_of(results: Path, scale: str) -> Iterator[dict[str, Any]]:
    """Yield, for each scale, its claims, how many artifacts were drawn, and the kept renderings of other scales."""
    names = [scale] if is_beside(results) else list(dict.fromkeys((*SCALES, scale)))
    for name in names:
        folder = "" if name == scale else f"scales/{name}/"
        path = results / folder / "manifest.json"
        drawn = json.loads(path.read_text(encoding="utf-8"))["artifacts"] if path.exists() else {}
        yield {
            "name": name,
            "folder": folder,
            "what": described(name),
            "tally": tally(claims_in(results / folder, name)),
            "drawn": len(drawn),
            "kept": [
                (ARTIFACTS[each].label, target(each, folder[:-1])) for each in drawn if folder and each in ARTIFACTS
            ],
        }


def citation() -> str:
    """Return the paper as BibTeX, from CITATION.cff."""
    paper = yaml.safe_load(of_checkout(repository() / "CITATION.cff"))["preferred-citation"]
    authors = " and ".join(f"{each['family-names']}, {each['given-names']}" for each in paper["authors"])
    fields = {"title": paper["title"], "author": authors, "booktitle": paper["collection-title"], "year": paper["year"]}
    fields["note"] = ", ".join(each["value"] for each in paper["identifiers"])
    key = f"{paper['authors'][0]['family-names'].lower()}{paper['year']}"
    return "\n".join([f"@inproceedings{{{key},", *(f"  {name} = {{{value}}}," for name, value in fields.items()), "}"])
