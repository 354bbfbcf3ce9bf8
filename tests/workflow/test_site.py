"""The pages of the results: their parts against other ways to the same numbers, then all of them in a real Chromium.

They are built here from the committed results/, so that nothing need be computed; once as these are, and once with a
made-up board that has every verdict.
"""

import json
import re
import shutil
from html.parser import HTMLParser
from itertools import cycle, pairwise
from math import inf, isnan
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
import pandas as pd
import pytest
from conftest import REPOSITORY
from PIL import Image, ImageSequence

from atebm.pipeline.artifacts import ARTIFACTS, USUAL
from atebm.pipeline.staleness import neighbours, page_record
from atebm.provenance.verify import page_findings
from atebm.publish.artifact_page import as_html, facts_of
from atebm.publish.board import Claim, Part, claims_in, panel_of, panels_of, parts_of, tally, thinned, tick_values
from atebm.publish.gallery import groups_of
from atebm.publish.lists import training
from atebm.publish.notebook import kept_beside
from atebm.publish.page import citation, pages_of, write_site
from atebm.publish.pictures import FRAMES, IMAGES, WIDTH, write_pictures
from atebm.report.verdicts import VERDICTS

RESULTS = REPOSITORY / "results"
ELSEWHERE = {"https://arxiv.org/abs/2012.06568"}  # links that need a network, for those who follow them
LARGEST_PAGE = 300_000  # bytes of the overview
LARGEST = 1_000_000  # with its pictures and the pages behind it
MOST_SCREENS = 6
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A checkout's folder with results/, and pages that were built from them."""
    root = checkout(tmp_path_factory.mktemp("site"))
    build(root / "results")
    return root


@pytest.fixture(scope="module")
def decided(tmp_path_factory) -> Path:
    """The same with a board at scale board, in which every claim that has a test has a made-up verdict."""
    root = checkout(tmp_path_factory.mktemp("decided"))
    board(root / "results")
    build(root / "results")
    return root


def checkout(root: Path) -> Path:
    shutil.copytree(RESULTS, root / "results")
    for name in ("src", "data", "docs", "notebooks", "README.md", "LICENSE", "ro-crate-metadata.json"):
        (root / name).symlink_to(REPOSITORY / name)
    return root


def build(results: Path) -> None:
    """Write the overview, what lies behind it, and the artifacts' pages from their notebooks."""
    manifest = manifest_of(results)
    shutil.rmtree(results / "site")
    write_pictures(results, manifest["artifacts"])
    for name, html in pages_of(results).items():
        (results / name).write_text(html, encoding="utf-8")
    for name in drawn(results):
        (results / f"notebooks/{name}.html").write_text(page_of(name, results), encoding="utf-8")


def page_of(name: str, results: Path) -> str:
    """The page of an artifact, from its committed notebook and what it was drawn for."""
    words = json.loads((results / f"provenance/{name}.json").read_text())
    request = {"claims": [], "neighbours": neighbours(name, drawn(results))} | words["request"]
    suffix = ARTIFACTS[name].suffixes[0]
    facts = facts_of(request, words, kept_beside(results / f"{name}.{suffix}"))
    return as_html(results / f"notebooks/{name}.ipynb", facts)


def drawn(results: Path) -> list[str]:
    return [name for name in ARTIFACTS if (results / f"provenance/{name}.json").exists()]


def manifest_of(results: Path) -> dict[str, Any]:
    return json.loads((results / "manifest.json").read_text())


def board(results: Path) -> None:
    """Write a board at scale board, of which nothing was measured."""
    folder = results / "scales/board"
    frame = pd.read_csv(folder / "claims.csv", dtype=str, keep_default_na=False)
    verdicts = cycle(VERDICTS)
    for row in frame.index[frame["above"] != ""]:
        parts = frame.loc[row, "above"].count(";") + 1
        effects = [f"part {part}: {1 + part / 8:g} [{1 - part / 9:g}, 1.9]" for part in range(parts)]
        frame.loc[row, ["effect", "verdict", "seeds"]] = ["; ".join(effects), next(verdicts), "12"]
    frame.to_csv(folder / "claims.csv", index=False)
    (folder / "manifest.json").write_text(json.dumps(manifest_of(results) | {"scale": "board", "artifacts": {}}))


@pytest.fixture(scope="module")
def html(decided) -> str:
    return (decided / "results/index.html").read_text(encoding="utf-8")


# --- its parts --------------------------------------------------------------------------------------------------------


def test_the_committed_pages_are_of_the_committed_results(built):
    """And of the present templates: whoever changes one of them runs snakemake and commits results/."""
    manifest, record = manifest_of(RESULTS), page_record(RESULTS)
    if manifest["scale"] != "demo":
        pytest.skip("results/ is not as committed")
    assert record is not None and record["manifest"] == manifest["seal"]
    shown = {f"site/{path.name}" for path in (RESULTS / "site").iterdir()}
    assert record["files"].keys() == {"index.html", *shown}
    for name, present in pages_of(RESULTS, record["request"]["claims_present"]).items():
        assert (RESULTS / name).read_text(encoding="utf-8") == present, "run: snakemake, and commit results/"
    for name in drawn(RESULTS):
        committed = (RESULTS / f"notebooks/{name}.html").read_text(encoding="utf-8")
        assert committed == page_of(name, RESULTS), "run: snakemake, and commit results/"
    assert (RESULTS / "index.html").stat().st_size < LARGEST_PAGE
    assert sum((RESULTS / name).stat().st_size for name in record["files"]) < LARGEST


def test_an_altered_board_of_claims_is_found(tmp_path):
    """No manifest answers for it, since it is drawn on request: the page that shows it does."""
    if manifest_of(RESULTS)["scale"] != "demo":
        pytest.skip("results/ is not as committed")
    shutil.copytree(RESULTS, tmp_path / "results")
    findings, checked = page_findings(tmp_path / "results", tmp_path)
    record = page_record(RESULTS)
    assert record is not None and findings == [] and "scales/board/claims.csv" in record["board"]
    assert checked == 1 + len(record["files"]) + len(record["board"])
    for name in (*record["board"], "index.html"):
        path = tmp_path / "results" / name
        original = path.read_bytes()
        path.write_bytes(original.replace(b"0.", b"1.", 1))
        (finding,) = page_findings(tmp_path / "results", tmp_path)[0]
        assert finding.startswith(f"altered  results/{name}: ")
        path.write_bytes(original)


def test_the_board_counts_what_the_csv_holds(decided):
    board = RESULTS / "scales/board"
    frame = pd.read_csv(board / "claims.csv", keep_default_na=False)
    claims = claims_in(board, "board")
    named = frame["verdict"].where(~frame["verdict"].str.startswith("inside in"), "values only")
    assert {name: count for name, count in tally(claims).items() if count} == dict(named.value_counts())
    assert [claim.text for claim in claims] == list(frame["claim"])
    (diverse,) = (claim for claim in claims if claim.text.startswith("The most diverse of three p_0"))
    assert diverse.artifacts == ["fig3"]
    assert claims_in(board, "paper") == [], "of another scale"
    assert sum(tally(claims_in(decided / "results/scales/board", "board"))[each] for each in VERDICTS) == sum(
        frame["above"] != ""
    )


def row(effect: str, above: str = "1", below: str = "inf") -> dict[str, str]:
    return {"effect": effect, "above": above, "below": below}


def test_effects_are_read_as_they_are_written():
    assert parts_of(row("1.5 [0.8, 3]")) == [Part(1.5, 0.8, 3.0, 1.0, inf)]
    several = row("digits: for SVHN: -1e-05 [-2e+03, inf]; b [c]: 2 [1, 4]", "-inf; 0", "1.1; inf")
    assert parts_of(several) == [Part(-1e-5, -2e3, inf, -inf, 1.1), Part(2.0, 1.0, 4.0, 0.0, inf)]
    assert parts_of(row("a: 1 [1, 1]; given that it learnt: 9 [8, 10]", "1; 5", "inf; inf")) == [Part(1, 1, 1, 1, inf)]
    (nothing,) = parts_of(row("nan [nan, nan]"))
    assert isnan(nothing.mid)


def claim(unit: str, *parts: Part, verdict: str = "holds") -> Claim:
    return Claim("a", "b", "", "theory", [], "", unit, "", verdict, "", "", "", 12, list(parts))


BOUNDS = ((1, inf), (-inf, 1))
EFFECTS = [Part(mid, mid * 0.9, mid * 1.2, *bounds) for mid in (0.8, 1.5, 3.0) for bounds in BOUNDS]


@pytest.mark.parametrize("unit", ["ratio", "points of AUROC"])
def test_dots_lie_on_the_side_of_the_bound_that_their_effects_do(unit):
    panel = panel_of(unit, [claim(unit, part) for part in EFFECTS])
    assert panel.logarithmic is (unit == "ratio")
    for (of, (mark,)), part in zip(panel.rows, EFFECTS, strict=True):
        assert of.parts == [part] and 0 <= mark.low < mark.mid < mark.high <= 100
        assert (mark.left < mark.mid < mark.left + mark.width) is (part.above < part.mid < part.below)
        assert mark.bounds == [panel.rows[0][1][0].bounds[0]], "one axis"
    places = {part.mid: mark.mid for (_, (mark,)), part in zip(panel.rows, EFFECTS, strict=True)}
    assert sorted(places.values()) == [places[mid] for mid in sorted(places)]


def test_what_has_no_place_on_an_axis_lies_at_its_end():
    (marks,) = (marks for _, marks in panel_of("ratio", [claim("ratio", Part(1, -1, inf), Part(2, 0.5, 4))]).rows)
    assert (marks[0].low, marks[0].high) == (0, 100) and 0 < marks[0].mid < marks[1].mid < 100
    assert [mark.y for mark in marks] == [25, 75]
    nowhere = panel_of("ratio", [claim("ratio", Part(float("nan"), float("nan"), float("nan")))])
    assert nowhere.rows[0][1] == []


def test_failures_stand_first_and_so_do_units_that_have_some():
    verdicts = ("holds", "too easy here", "undecided", "fails", "no difference that matters", "values only")
    part = Part(2, 1, 3)
    claims = [*(claim("ratio", part) for _ in range(9)), *(claim("dB", part, verdict=each) for each in verdicts)]
    first, second = panels_of(claims)
    assert (first.unit, second.unit) == ("dB", "ratio") and len(second.rows) == 9
    order = ["fails", "no difference that matters", "undecided", "values only", "holds", "too easy here"]
    assert [each.verdict for each, _ in first.rows] == order


@pytest.mark.parametrize("ends", [(0.8, 7.1), (1.0, 1.0), (1e-3, 6e9), (-25.0, 80.0), (0.0, 0.0), (99.4, 99.6)])
def test_ticks_are_few_round_and_reach_both_ends(ends):
    for logarithmic in (False, True):
        if logarithmic and ends[0] <= 0:
            continue
        ticks = tick_values(*ends, logarithmic)
        assert ticks == sorted(ticks) and ticks[0] <= ends[0] and ticks[-1] >= ends[1]
        assert all(float(f"{tick:.4g}") == pytest.approx(tick) for tick in ticks)
        shown = thinned([(100 * place / (len(ticks) - 1), f"{tick:g}") for place, tick in enumerate(ticks)])
        assert 2 <= len(shown) <= 7 and (shown[0][0], shown[-1][0]) == (0, 100)


def test_every_artifact_has_one_card_below_its_data(built):
    groups = groups_of(built / "results", manifest_of(built / "results"), [])
    where = {card.id: data for data, cards in groups.items() for card in cards}
    assert sorted(where) == sorted(ARTIFACTS) == sorted(card.id for cards in groups.values() for card in cards)
    assert where["figS4"] == where["fig2"] == "tops of Fashion-MNIST 16x16 (for CelebA-HQ 256)"
    assert where["fig4"] == where["table4"] == "Fashion-MNIST 16x16 (for CIFAR-10)"
    assert where["fig1"] == where["tableS1"] == "points in the plane"
    assert (where["fig6"], where["tableS3"], where["figS21"]) == ("several of these", "settings only", "source images")


def test_thumbnails_are_small_and_the_climb_is_that_of_the_animation(built):
    figures = [name for name in USUAL if not ARTIFACTS[name].is_table]
    for name in figures:
        small, whole = (Image.open(built / "results" / file) for file in (f"site/{name}.png", f"{name}.png"))
        with small, whole:
            assert small.width == WIDTH and abs(small.height - whole.height * WIDTH / whole.width) <= 1
    with Image.open(RESULTS / "figS2.gif") as motion:
        frames = [np.asarray(frame.convert("RGB")) for frame in ImageSequence.Iterator(motion)]
    climb = np.asarray(Image.open(built / "results/site/climb.png"))
    side = frames[0].shape[0]
    assert climb.shape == (IMAGES * side, FRAMES * side, 3)
    for image in range(IMAGES):
        rows, of_frame = slice(side * image, side * (image + 1)), slice(side * image, side * (image + 1))
        assert np.array_equal(climb[rows, :side], frames[0][:, of_frame])
        assert np.array_equal(climb[rows, -side:], frames[-1][:, of_frame])


def test_the_paper_is_cited_as_citation_cff_has_it():
    text = (REPOSITORY / "CITATION.cff").read_text()
    found = dict(re.findall(r"^  (\w+) = \{(.*)\},$", citation(), re.MULTILINE))
    assert found["title"] in text and found["author"].split(" and ")[0] == "Yin, Xuwang" and found["year"] == "2022"
    assert "arXiv:2012.06568" in found["note"]


def test_names_that_are_code_stay_text(decided, tmp_path):
    """In a claim, a headline, a title, a file's name, a setting: wherever somebody's words get onto a page."""
    evil = "<script>alert(1)</script>"
    results = Path(shutil.copytree(decided / "results", tmp_path / "results"))
    claims = pd.read_csv(results / "scales/board/claims.csv", dtype=str, keep_default_na=False)
    for column in ("claim", "data", "place", "test", "unit", "fragile", "reason", "family"):
        claims[column] = claims[column] + evil
    claims.to_csv(results / "scales/board/claims.csv", index=False)
    manifest = manifest_of(results)
    manifest["commit"] = evil
    next(iter(manifest["steps"].values()))["settings"]["name"] = evil
    (results / "manifest.json").write_text(json.dumps(manifest))
    words = json.loads((results / "provenance/table2.json").read_text())
    words["headline"] = words["request"]["title"] = f"Table 2: {evil}"
    (results / "provenance/table2.json").write_text(json.dumps(words))
    shutil.copy(results / "training/cifar10.0.csv", results / "training/<b>.0.csv")
    pages = pages_of(results) | {"table2": page_of("table2", results)}
    escaped = "&lt;script&gt;alert(1)&lt;/script&gt;"
    for name, page in pages.items():
        assert "<script" not in page and "<b>.0.csv" not in page, name
        assert escaped in page or name == "site/trainings.html"
        assert "script-src 'none'" in page
    assert pages["index.html"].count(escaped) > 100


def test_what_was_not_run_is_said(decided, tmp_path):
    """Here with a board beside the page, of its own scale, and then without one."""
    results = Path(shutil.copytree(decided / "results", tmp_path / "results"))
    frame = pd.read_csv(results / "scales/board/claims.csv", dtype=str, keep_default_na=False)
    frame.assign(scale="demo").to_csv(results / "claims.csv", index=False)
    shutil.rmtree(results / "scales/board")
    assert "changed since this board was drawn" in pages_of(results, claims_present=False)["index.html"]
    assert "changed since this board was drawn" not in pages_of(results)["index.html"]
    for path in (*results.glob("claims.*"), *results.glob("provenance/claims.*")):
        path.unlink()
    page = pages_of(results)["index.html"]
    assert "No test has been run at the demo scale yet" in page and "No claim has been decided yet" in page
    assert page.count("<td>not run</td>") == 6 and "What fails" not in page
    assert "none is confirmed here" in page
    assert not re.search(r'class="chip (?:holds|fails)"', page), "without a board that decides, no word is a verdict"


def test_the_first_screen_counts_what_the_board_holds(html, decided):
    frame = pd.read_csv(decided / "results/scales/board/claims.csv", keep_default_na=False)
    opening = html[html.index('<div class="cards">') : html.index("The claims, one by one")]
    assert f'<strong class="number">{len(frame)}</strong> sentences:' in opening
    assert f"{(frame['verdict'] != 'not testable here').sum()} of them have a test" in opening
    assert f'<strong class="number">{frame["verdict"].isin(VERDICTS).sum()}</strong> claims have a verdict' in opening
    assert "from up to 12 seeds" in opening and "the <strong>board</strong> scale" in opening
    for verdict, words in (("holds", "hold"), ("fails", "fail"), ("undecided", "are undecided")):
        assert re.search(rf">[^<]*</span> {(frame['verdict'] == verdict).sum()} {words}</span>", opening), verdict
    published = len(pd.read_csv(REPOSITORY / "data/published/reproduced.csv"))
    assert f"None of {published}</strong> published numbers" in opening
    failing = frame.loc[frame["verdict"] == "fails", "claim"]
    assert opening.count("<li ") == len(failing) > 5 and all(text.replace("'", "&#39;") in opening for text in failing)


def test_the_claims_of_scale_board_are_shown_where_they_are(decided):
    """In place of those that lie beside the page; a board that is one of results/scales/ shows its own."""
    html = (decided / "results/index.html").read_text()
    assert 'href="scales/board/claims.csv"' in html and "sentences without numbers at the board scale" in html
    own = pages_of(decided / "results/scales/board")["index.html"]
    assert (
        "the <strong>board</strong> scale" in own and 'href="../../../README.md"' in own and "fashion</th>" not in own
    )


def test_the_page_of_a_computed_checkout_is_whole(computed, tmp_path):
    """As the rule writes it; here a second time, to the same bytes, and without what nothing shows any more."""
    root = Path(shutil.copytree(computed, tmp_path / "checkout"))
    page = (root / "results/index.html").read_bytes()
    site = {path.name: path.read_bytes() for path in (root / "results/site").iterdir()}
    assert {"steps.html", "trainings.html", "climb.png", "fig1.png"} <= site.keys()
    (root / "results/index.html").unlink()
    (root / "results/site/old.png").write_bytes(b"")
    write_site(root / "results", root / "work/specs/artifact/site.json")
    assert (root / "results/index.html").read_bytes() == page
    assert {path.name: path.read_bytes() for path in (root / "results/site").iterdir()} == site
    for name in USUAL:
        links = map(urlsplit, Found((root / f"results/notebooks/{name}.html").read_text()).links)
        ours = [link.path for link in links if not link.scheme and "docs/" not in link.path]
        assert not [link for link in ours if not (root / "results/notebooks" / unquote(link)).exists()], name


def test_a_training_that_was_too_short_to_be_logged_has_no_row(tmp_path):
    log = tmp_path / "cifar10.0.csv"
    log.write_text("iteration,K,auc\n")
    assert training(log) is None
    log.write_text("iteration,K,auc\n20,1,0.5\n40,2,0.75\n")
    row = training(log) or {}
    assert (row["run"], row["seed"], row["iterations"], row["K"], row["auc"]) == ("cifar10", "0", 40, 2, 0.75)


class Found(HTMLParser):
    """Ids, links, images and headings of a page, without a browser."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.headings: list[int] = []
        self.names: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.names.append(tag)
        if attributes.get("id"):
            self.ids.append(str(attributes["id"]))
        if tag == "a":
            self.links.append(str(attributes["href"]))
        if tag == "img":
            self.images.append(attributes)
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))


def pages_in(results: Path) -> list[Path]:
    return [results / "index.html", *sorted(results.glob("site/*.html")), *sorted(results.glob("notebooks/*.html"))]


def test_every_link_and_picture_is_there(built, decided):
    for page in [*pages_in(built / "results"), decided / "results/index.html"]:
        found = Found(page.read_text())
        assert len(found.ids) == len(set(found.ids)), page
        for link in found.links:
            parts = urlsplit(link)
            if parts.scheme:
                assert link in ELSEWHERE, page
            elif parts.path:
                assert (page.parent / unquote(parts.path)).exists(), (page, link)
            else:
                assert unquote(parts.fragment) in found.ids, (page, link)
        for image in found.images:
            source = str(image["src"])
            assert source.startswith("data:") or (page.parent / source).exists(), (page, image)
            # a card's words are those of its link
            assert len(str(image["alt"]).strip()) > 10 or source.startswith("site/"), (page, image)


def test_the_overview_leads_to_every_page(built):
    links = Found((built / "results/index.html").read_text()).links
    assert {f"notebooks/{name}.html" for name in drawn(built / "results")} <= set(links)
    for name in USUAL:
        own = Found((built / f"results/notebooks/{name}.html").read_text()).links
        assert "../index.html" in own and f"../{name}.csv" in own and f"../provenance/{name}.json" in own


def test_pages_have_landmarks_and_headings_in_order(built, decided):
    for page in [*pages_in(built / "results"), decided / "results/index.html"]:
        found = Found(page.read_text())
        assert [found.names.count(name) for name in ("main", "header", "footer", "nav", "title")] == [1] * 5, page
        assert found.headings[0] == 1 and found.headings.count(1) == 1, page
        assert all(after <= before + 1 for before, after in pairwise(found.headings)), page
        assert "script" not in found.names and "prefers-color-scheme: dark" in page.read_text()


def test_the_overview_is_small(html):
    assert len(html.encode()) < LARGEST_PAGE


# --- in a browser -----------------------------------------------------------------------------------------------------


SHOWN = ("index.html", "site/steps.html", "site/trainings.html", "notebooks/fig2.html", "notebooks/table4.html")


@pytest.mark.parametrize("name", SHOWN)
def test_a_page_loads_in_silence_and_from_files_alone(browser, decided, name):
    """Every picture is there, and has the shape that was set aside for it."""
    with browser.new_context(viewport=WIDE) as context:
        page = context.new_page()
        said, asked = [], []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.on("requestfailed", lambda request: said.append(f"failed: {request.url}"))
        page.goto((decided / "results" / name).as_uri())
        page.evaluate("document.querySelectorAll('img').forEach((image) => { image.loading = 'eager'; })")
        page.wait_for_function("[...document.images].every((image) => image.complete)")
        assert said == [] and {urlsplit(url).scheme for url in asked} <= {"file", "data"}
        wrong = page.evaluate(
            "[...document.images].filter((i) => !i.naturalWidth || (i.hasAttribute('height') &&"
            " +i.getAttribute('height') !== i.naturalHeight)).map((i) => i.src)"
        )
        assert wrong == []


def test_the_overview_fits_few_screens_and_the_cards_the_first(browser, decided):
    """With a board in which every claim with a test has a verdict, and a fifth of them fail."""
    with browser.new_context(viewport=WIDE) as context:
        page = context.new_page()
        page.goto((decided / "results/index.html").as_uri())
        assert page.evaluate("document.documentElement.scrollHeight") <= MOST_SCREENS * WIDE["height"]
        assert page.evaluate("document.querySelector('.cards').getBoundingClientRect().bottom") < WIDE["height"]
        assert page.evaluate("document.querySelector('.failures li').getBoundingClientRect().bottom") < WIDE["height"]
        heights = page.evaluate("[...document.querySelectorAll('li.row')].map((row) => row.offsetHeight)")
        assert len(heights) > 80 and max(heights) <= 24
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the results"


def test_a_page_reads_the_same_without_scripts(browser, decided):
    texts = []
    for scripts in (True, False):
        with browser.new_context(viewport=WIDE, java_script_enabled=scripts) as context:
            page = context.new_page()
            page.goto((decided / "results/index.html").as_uri())
            texts.append(page.locator("body").inner_text())
    assert texts[0] == texts[1] and "Not measured" in texts[1]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", SHOWN)
def test_everybody_can_read_a_page(browser, decided, name, scheme):
    """By axe, with all that folds open, on a screen by day and on a telephone by night."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    with browser.new_context(viewport=WIDE if scheme == "light" else NARROW, color_scheme=scheme) as context:
        page = context.new_page()
        page.goto((decided / "results" / name).as_uri())
        page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
        found = axe.run(page).response["violations"]
        assert [each["id"] for each in found if each["impact"] in ("serious", "critical")] == []


CONTRASTS = """() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const channel = (value) => { const s = value / 255; return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4; };
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const colour = parts(getComputedStyle(node).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  document.querySelectorAll("details").forEach((part) => { part.open = true; });
  const found = new Map();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !node.offsetParent) continue;
    const colours = [parts(getComputedStyle(node).color), behind(node)];
    const [low, high] = colours.map(light).sort((a, b) => a - b);
    found.set(JSON.stringify(colours), (high + 0.05) / (low + 0.05));
  }
  return [...found];
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", SHOWN)
def test_it_is_readable_and_fits_a_telephone(browser, decided, name, scheme):
    """No wider than 360 pixels, with all that folds open; and text has contrast of at least 4.5, as WCAG's AA wants."""
    with browser.new_context(viewport=NARROW, color_scheme=scheme) as context:
        page = context.new_page()
        page.goto((decided / "results" / name).as_uri())
        contrasts = page.evaluate(CONTRASTS)
        assert len(contrasts) >= 4 and [pair for pair in contrasts if pair[1] < 4.5] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert page.evaluate("document.body.scrollWidth") <= 360
