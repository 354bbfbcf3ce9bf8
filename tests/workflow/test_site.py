"""The page of the results: its parts against other ways to the same numbers, then all of it in a real Chromium.

It is built here from the committed results/, so that nothing need be computed.
"""

import json
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from io import StringIO
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
import pandas as pd
import pytest
from conftest import REPOSITORY
from PIL import Image, ImageSequence

from atebm.pipeline.artifacts import USUAL
from atebm.pipeline.staleness import page_record
from atebm.provenance.verify import page_findings
from atebm.publish.board import claims_in, strip, strips, tally
from atebm.publish.page import page_of, training, write_site
from atebm.publish.pictures import COLUMNS, LARGEST, grid
from atebm.publish.tables import inline, key, kind, number, of_markdown
from atebm.utils.errors import ResultError

RESULTS = REPOSITORY / "results"
ELSEWHERE = {"https://arxiv.org/abs/2012.06568"}  # links that need a network, for those who follow them
LARGEST_PAGE = 1_000_000  # bytes, with all that it alone shows
WIDE, NARROW = {"width": 1440, "height": 1000}, {"width": 360, "height": 740}


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A checkout's folder with results/, and in it a page that was built from them."""
    root = tmp_path_factory.mktemp("site")
    shutil.copytree(RESULTS, root / "results")
    for name in ("src", "data", "README.md", "LICENSE", "ro-crate-metadata.json"):
        (root / name).symlink_to(REPOSITORY / name)
    (root / "results/index.html").write_text(page_of(root / "results"), encoding="utf-8")
    return root


@pytest.fixture(scope="module")
def html(built) -> str:
    return (built / "results/index.html").read_text(encoding="utf-8")


# --- its parts --------------------------------------------------------------------------------------------------------


def test_the_committed_page_is_of_the_committed_results(built):
    """And of the present templates: whoever changes one of them runs snakemake and commits results/."""
    manifest, record = json.loads((RESULTS / "manifest.json").read_text()), page_record(RESULTS)
    if manifest["scale"] != "demo":
        pytest.skip("results/ is not as committed")
    assert record is not None and record["manifest"] == manifest["seal"]
    shown = {f"site/{path.name}" for path in (RESULTS / "site").iterdir()}
    assert record["files"].keys() == {"index.html", *shown}
    present = page_of(built / "results", record["request"]["claims_present"])
    assert (RESULTS / "index.html").read_text(encoding="utf-8") == present, "run: snakemake, and commit results/"
    sizes = [path.stat().st_size for path in [RESULTS / "index.html", *(RESULTS / "site").iterdir()]]
    assert sum(sizes) < LARGEST_PAGE


def test_an_altered_board_of_claims_is_found(tmp_path):
    """No manifest answers for it, since it is drawn on request: the page that shows it does."""
    if json.loads((RESULTS / "manifest.json").read_text())["scale"] != "demo":
        pytest.skip("results/ is not as committed")
    shutil.copytree(RESULTS, tmp_path / "results")
    findings, checked = page_findings(tmp_path / "results", tmp_path)
    record = page_record(RESULTS)
    assert record and findings == [] and checked == 1 + len(record["files"]) + len(record["board"])
    for name in (*record["board"], "index.html"):
        path = tmp_path / "results" / name
        original = path.read_bytes()
        path.write_bytes(original.replace(b"0.", b"1.", 1))
        (finding,) = page_findings(tmp_path / "results", tmp_path)[0]
        assert finding.startswith(f"altered  results/{name}: ")
        path.write_bytes(original)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("59.51 ± 6.9", 59.51),
        ("81.25 [77.40, 84.73]", 81.25),
        ("1,792", 1792.0),
        ("**0.5**", 0.5),
        ("-1.28e-05", -1.28e-5),
        ("", None),
        ("Adam", None),
        ("not finite", None),
    ],
)
def test_a_cell_is_sorted_by_the_number_that_it_begins_with(text, value):
    assert number(text) == value
    assert key(text) == (text.lower() if value is None else repr(value))


def test_columns_say_whose_their_numbers_are():
    names = ("FID, published", "distance of fewer images, measured", "published_fid", "approach", "unpublished")
    assert [kind(name) for name in names] == ["published", "measured", "published", "", ""]


def test_text_is_escaped_and_its_marks_are_not():
    found = inline("`a<b` **x&y** <i> as Fig. S3 and Table 9, Sec. 5.3", ["figS3", "stability"])
    assert found == (
        "<code>a&lt;b</code> <strong>x&amp;y</strong> &lt;i&gt; as "
        '<a href="#figS3">Fig. S3</a> and Table 9, <a href="#stability">Sec. 5.3</a>'
    )


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.md")), ids=lambda path: path.stem)
def test_a_table_has_the_cells_of_its_markdown(path):
    """Here by pandas' reader of separated values."""
    caption, table = of_markdown(path)
    lines = path.read_text().split("\n\n", 1)[1].strip().splitlines()
    frame = pd.read_csv(
        StringIO("\n".join([lines[0], *lines[2:]])), sep="|", dtype=str, keep_default_na=False, header=None
    ).iloc[:, 1:-1]
    cells = frame.map(str.strip).to_numpy().tolist()
    plain = [[re.sub(r"[*`]", "", cell) for cell in row] for row in cells]
    assert [column.name for column in table.columns] == cells[0]
    assert [[re.sub(r"[*`]", "", cell.html.striptags()) for cell in row] for row in table.rows] == [
        [" ".join(cell.split()) for cell in row] for row in plain[1:]
    ]
    assert path.read_text().startswith(f"{caption}\n\n")


def test_a_table_with_a_bar_in_a_cell_is_refused(tmp_path):
    (tmp_path / "table2.md").write_text("caption\n\n| a | b |\n|---|---|\n| 1 | 2 | 3 |\n")
    with pytest.raises(ResultError, match=r"table2\.md: a cell holds a '\|'"):
        of_markdown(tmp_path / "table2.md")


def test_the_board_counts_what_the_csv_holds():
    board = RESULTS / "scales/board"
    frame = pd.read_csv(board / "claims.csv", keep_default_na=False)
    claims = claims_in(board, "board", ["fig3"])
    named = frame["verdict"].where(~frame["verdict"].str.startswith("inside in"), "values only")
    for verdict, rows in frame.groupby(named):
        assert tally(claims)[str(verdict)] == (len(rows), int((rows["fragile"] != "").sum()))
    assert sum(count for count, _ in tally(claims).values()) == len(frame)
    assert [claim.text for claim in claims] == list(frame["claim"])
    (diverse,) = (claim for claim in claims if claim.text.startswith("The most diverse of three p_0"))
    assert diverse.where == 'Sec. 4.4, <a href="#fig3">Fig. 3</a>'
    assert claims_in(board, "paper", []) == [], "of another scale"


SEEDS = [1.2, 0.8, 1.5, 3.0]


@pytest.mark.parametrize(
    ("values", "above", "below", "logarithmic"),
    [
        (SEEDS, 1.0, inf, True),
        (SEEDS, -inf, 1.1, True),
        ([-4.0, 2.5, 9.0], 0.0, inf, False),
        ([12.0, 70], -inf, 50.0, False),
    ],
)
def test_dots_lie_on_the_side_of_the_bound_that_their_seeds_do(values, above, below, logarithmic):
    drawn = strip(values, above, below, logarithmic)
    assert drawn is not None
    for value, dot in zip(values, drawn.dots, strict=True):
        assert (drawn.left < dot < drawn.right) == (above < value < below)
    in_order = [dot for _, dot in sorted(zip(values, drawn.dots, strict=True))]
    assert in_order == sorted(in_order) and in_order[0] < in_order[-1]


def test_what_has_no_place_on_an_axis_is_not_drawn():
    assert strip([1.0, -0.1], 1.0, inf) is None and strip([inf, 2.0], 1.0, inf) is None
    assert strip([1.0, -0.1], 0.0, inf, logarithmic=False) is not None


def test_each_part_of_a_claim_has_a_drawing():
    row = {"effect_by_seed": "one, high: 1 2; given that it learnt: 3 4", "above": "-inf; 2", "below": "1.1; inf"}
    assert [len(drawing.dots) for drawing in strips(row | {"unit": "ratio"})] == [2, 2]
    assert list(strips(dict.fromkeys(("effect_by_seed", "above", "below", "unit"), ""))) == [], "not run"


def test_grids_hold_the_images_in_their_order():
    images = np.random.default_rng(0).integers(0, 256, (11, 5, 5, 1), dtype=np.uint8)
    found = grid(images, COLUMNS)
    assert found.shape == (11, 6 * COLUMNS - 1, 1)
    for place, image in enumerate(images):
        row, column = divmod(place, COLUMNS)
        assert (found[6 * row : 6 * row + 5, 6 * column : 6 * column + 5] == image).all()
    assert (found[5] == 255).all() and (found[6:, 18:] == 255).all()
    large = np.repeat(np.repeat(images[:1], 2 * LARGEST // 5 + 1, 1), 2 * LARGEST // 5 + 1, 2)
    assert grid(large, 1).shape == (LARGEST, LARGEST, 1)


def test_stills_are_first_frames():
    for still in RESULTS.glob("site/*.still.png"):
        with Image.open(RESULTS / f"{still.name.split('.')[0]}.gif") as motion:
            first = next(ImageSequence.Iterator(motion)).convert("RGB")
        assert np.array_equal(np.asarray(Image.open(still).convert("RGB")), np.asarray(first)), still.name


def test_names_that_are_code_stay_text(built, tmp_path):
    """In a table, a claim, a file's name, a setting, a pair's title: wherever somebody's words get onto the page."""
    evil = "<script>alert(1)</script>"
    results = Path(shutil.copytree(built / "results", tmp_path / "results"))
    evil_places = {"scales/board/claims.csv": "The largest K", "table2.md": "| CEM ", "site/pairs.json": "CIFAR-10"}
    for name, old in evil_places.items():
        text = (results / name).read_text()
        assert old in text
        (results / name).write_text(text.replace(old, f"{old[:2]}{evil}"))
    manifest = json.loads((results / "manifest.json").read_text())
    manifest["commit"] = evil
    next(iter(manifest["steps"].values()))["settings"]["name"] = evil
    (results / "manifest.json").write_text(json.dumps(manifest))
    shutil.copy(results / "training/cifar10.0.csv", results / "training/<b>.0.csv")
    page = page_of(results)
    assert evil not in page and "<b>.0.csv" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") > 5


def test_what_was_not_run_is_said(built, tmp_path):
    results = Path(shutil.copytree(built / "results", tmp_path / "results"))
    shutil.rmtree(results / "scales/board")
    page = page_of(results)
    assert page.count('<span class="none">not run</span>') == 4 and "No claims were tested" in page
    frame = pd.read_csv(RESULTS / "scales/board/claims.csv", keep_default_na=False)
    frame.assign(scale="demo").to_csv(results / "claims.csv", index=False)
    shutil.copy(RESULTS / "scales/board/provenance/claims.json", results / "provenance/claims.json")
    assert "drawn from an earlier state" in page_of(results, claims_present=False)
    assert "drawn from an earlier state" not in page_of(results)


def test_the_claims_of_scale_board_are_shown_where_they_are(built, tmp_path):
    """In place of those that lie beside the page, with the scale and the number of seeds, and with what drew them."""
    results = Path(shutil.copytree(built / "results", tmp_path / "results"))
    board = results / "scales/board"
    frame = pd.read_csv(board / "claims.csv", dtype=str, keep_default_na=False)
    frame.assign(seeds="12").to_csv(board / "claims.csv", index=False)
    manifest = json.loads((results / "manifest.json").read_text())
    (board / "manifest.json").write_text(json.dumps(manifest | {"scale": "board", "artifacts": {}}))
    request = {"request": {"scale": "board", "needs": {"a": "work/a", "b": "work/b"}}}
    (board / "provenance/claims.json").write_text(json.dumps(request))
    page = page_of(results)
    assert "tested at scale board with up to 12 seeds each" in page
    assert "Claims at scale board" in page and "Claims at scale demo" not in page
    assert "snakemake --cores all results/scales/board/claims.csv --config scale=board" in page
    assert 'href="scales/board/claims.csv"' in page and 'href="scales/board/provenance/claims.json"' in page
    assert all((results / link).exists() for link in Found(page).links if link.startswith("scales/board/prov"))
    own = page_of(board)
    assert "tested at scale board" in own and 'href="../../../README.md"' in own and "scale fashion" not in own


def test_the_page_of_a_computed_checkout_has_its_pictures(computed, tmp_path):
    """As the rule writes it; here a second time, to the same bytes, and without what nothing shows any more."""
    root = Path(shutil.copytree(computed, tmp_path / "checkout"))
    page = (root / "results/index.html").read_bytes()
    pictures = {path.name: path.read_bytes() for path in (root / "results/site").iterdir()}
    (root / "results/index.html").unlink()
    (root / "results/site/old.png").write_bytes(b"")
    write_site(root / "results", root / "work/specs/artifact/site.json")
    assert (root / "results/index.html").read_bytes() == page
    assert {path.name: path.read_bytes() for path in (root / "results/site").iterdir()} == pictures
    (ascent,) = root.glob("work/ascent/afhqcat256_from_celebahq256-*/frames.npy")
    frames = np.load(ascent)
    side = frames.shape[2]
    for state, frame in (("before", 0), ("after", -1)):
        shown = np.asarray(Image.open(root / f"results/site/ascent.afhqcat256_from_celebahq256.{state}.png"))
        assert np.array_equal(shown[:side, :side], frames[0, frame, ..., 0])
        assert np.array_equal(shown[:side, side + 1 : 2 * side + 1], frames[1, frame, ..., 0])


# --- in a browser -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[pytest.param("Chromium", marks=pytest.mark.slow)])
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    with playwright.sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--headless"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def page(browser, built) -> Iterator[Any]:
    """The page, wide and light, with what it said and asked for while it was loaded and every picture was shown."""
    with browser.new_context(viewport=WIDE, color_scheme="light") as context:
        page = context.new_page()
        page.said, page.asked = [], []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("dialog", lambda dialog: page.said.append(dialog.message))
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("requestfailed", lambda request: page.said.append(f"failed: {request.url}"))
        page.goto((built / "results/index.html").as_uri())
        page.evaluate("document.querySelectorAll('img').forEach((image) => { image.loading = 'eager'; })")
        page.wait_for_function("[...document.images].every((image) => image.complete)")
        yield page


def test_it_loads_in_silence_and_from_files_alone(page):
    assert page.said == []
    assert {urlsplit(url).scheme for url in page.asked} <= {"file", "data"} and len(page.asked) > 50
    assert (
        page.evaluate("[...document.images].filter((image) => image.naturalWidth === 0).map((image) => image.src)")
        == []
    )


def test_pictures_keep_their_shape(page):
    """The size that is set aside for them before they are there is that which they have."""
    wrong = page.evaluate(
        "[...document.images].filter((i) => +i.getAttribute('width') !== i.naturalWidth"
        " || +i.getAttribute('height') !== i.naturalHeight).map((i) => i.src)"
    )
    assert wrong == []


class Found(HTMLParser):
    """Ids, links, images and headings of a page, without a browser."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.headings: list[int] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        if attributes.get("id"):
            self.ids.append(str(attributes["id"]))
        if tag == "a":
            self.links.append(str(attributes["href"]))
        if tag == "img":
            self.images.append(attributes)
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))


def test_every_link_and_picture_is_there(html, built):
    found = Found(html)
    assert len(found.ids) == len(set(found.ids)) and len(found.links) > 500
    for link in found.links:
        parts = urlsplit(link)
        if parts.scheme:
            assert link in ELSEWHERE
        elif parts.path:
            assert (built / "results" / unquote(parts.path)).exists(), link
        else:
            assert unquote(parts.fragment) in found.ids, link
    for image in found.images:
        assert (built / "results" / str(image["src"])).exists(), image
        assert len(str(image["alt"]).strip()) > 10, image
        for also in ("data-motion", "data-still"):
            assert also not in image or (built / "results" / str(image[also])).exists(), image


def test_every_artifact_has_its_place_and_its_making(html):
    ids = Found(html).ids
    assert set(USUAL) <= set(ids) and "claims" in ids
    for artifact in USUAL:
        suffix = "csv" if artifact.startswith("table") or artifact in ("ood_masking", "picture_checks") else "png"
        assert f"<code>snakemake --cores all results/{artifact}.{suffix}</code>" in html
        assert f'href="provenance/{artifact}.json"' in html and f'href="notebooks/{artifact}.html"' in html


def test_code_is_in_the_files_that_are_named(html):
    named = re.findall(r'<a href="\.\./(src/[\w/]+\.py)">(\w+) in [\w/.]+</a>', html)
    assert len(named) > 90
    for file, name in named:
        assert re.search(rf'\ndef {name}\(|\n    "{name}": Artifact\(', (REPOSITORY / file).read_text()), (file, name)


def test_headings_are_in_order_and_landmarks_are_single(html, page):
    levels = Found(html).headings
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    for landmark in ("main", "body > header", "nav", "footer"):
        assert page.locator(landmark).count() == 1
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the results"


def column(page: Any, artifact: str, name: str) -> tuple[Any, int]:
    """The head of a column, and its number."""
    heads = page.locator(f"#{artifact} table.sortable thead th")
    names = [text.split("\n")[0].strip() for text in heads.all_inner_texts()]
    place = [re.sub(r"\s+", " ", text) for text in names].index(name)
    return heads.nth(place), place


def cells(page: Any, artifact: str, place: int) -> list[str]:
    return page.evaluate(
        "([id, place]) => [...document.querySelectorAll(`#${id} table.sortable tbody tr`)]"
        ".map((row) => row.cells[place].textContent.trim())",
        [artifact, place],
    )


def test_sorting_sorts_numbers_as_numbers_and_leaves_the_empty_last(page):
    frame = pd.read_csv(RESULTS / "table2.csv")
    wanted = sorted(frame["published_fid"].dropna())
    empty = int(frame["published_fid"].isna().sum())
    head, place = column(page, "table2", "FID on CIFAR-10, published")
    assert [cell for cell in cells(page, "table2", place) if cell] != [f"{value:g}" for value in wanted]
    for order, values in (("ascending", wanted), ("descending", wanted[::-1])):
        head.locator("button").click()
        assert head.get_attribute("aria-sort") == order
        found = cells(page, "table2", place)
        assert [float(cell) for cell in found[: len(values)]] == values and found[len(values) :] == [""] * empty
    distances, place = column(page, "table2", "stand-in distance, measured")  # with intervals: "59.51 ± 6.9"
    distances.locator("button").click()
    assert head.get_attribute("aria-sort") is None and distances.get_attribute("aria-sort") == "ascending"
    found = [float(cell.split()[0]) for cell in cells(page, "table2", place) if cell]
    assert found == sorted(frame["measured_distance"].dropna())


def test_sorting_by_keyboard_sorts_words(page):
    head, place = column(page, "claims", "claim")
    before = cells(page, "claims", place)
    head.locator("button").focus()
    page.keyboard.press("Enter")
    after = cells(page, "claims", place)
    assert head.get_attribute("aria-sort") == "ascending" and after != before
    assert after == sorted(before, key=str.lower)
    verdicts, place = column(page, "claims", "verdict")
    verdicts.locator("button").press("Space")
    words = [" ".join(cell.split()[1:2]) for cell in cells(page, "claims", place)]
    assert words == sorted(words) and len(words) == len(before)


def test_the_filter_leaves_what_has_all_words(page):
    shown = "[...document.querySelectorAll('article.artifact')].filter((a) => a.offsetParent).map((a) => a.id)"
    every = page.evaluate(shown)
    page.locator("#filter").fill("Interpolation")
    assert set(page.evaluate(shown)) == {"figS11", "figS12", "figS13"}
    assert (
        page.locator(".contents [data-of='figS12']").is_visible()
        and page.locator(".contents [data-of='fig6']").is_hidden()
    )
    assert page.locator(".contents a", has_text="Supplement").is_visible()
    assert page.locator(".contents a", has_text="Beyond the paper").is_hidden()
    assert page.locator("#found").inner_text() == f"3 of {len(every)} shown"
    page.locator("#filter").fill("no such thing")
    assert page.evaluate(shown) == [] and page.locator("h2", has_text="Supplement").is_hidden()
    page.locator(".contents a[href='#table4']").evaluate("(link) => link.click()")  # a link to what is filtered away
    page.wait_for_function("document.querySelector('#table4').offsetParent")
    assert page.evaluate(shown) == every and page.locator("#filter").input_value() == ""


def test_the_slider_moves_the_cut(page):
    box = page.locator("#fig7 .compare").first
    box.scroll_into_view_if_needed()
    after, handle = box.locator("img.after"), box.locator("input")
    seen = {}
    for press, cut in (("Home", "0%"), ("End", "100%")):
        handle.press(press)
        assert after.evaluate("(image) => getComputedStyle(image).clipPath") == f"inset(0px 0px 0px {cut})"
        handle.evaluate("(input) => { input.style.opacity = 0; }")
        seen[press] = box.screenshot()
    assert seen["Home"] != seen["End"]
    place = box.bounding_box()
    page.mouse.click(place["x"] + 0.25 * place["width"], place["y"] + place["height"] / 2)
    assert 20 <= int(handle.input_value()) <= 30
    assert after.evaluate("(image) => image.style.clipPath + image.parentElement.style.cssText").count("%") == 1


def test_animations_wait_for_their_button(page):
    figure = page.locator("#figS2 .motion")
    image, button = figure.locator("img"), figure.locator("button")
    assert image.get_attribute("src") == "site/figS2.still.png" and button.get_attribute("aria-pressed") == "false"
    button.click()
    assert image.get_attribute("src") == "figS2.gif" and button.get_attribute("aria-pressed") == "true"
    assert button.inner_text().startswith("Stop")
    button.click()
    assert image.get_attribute("src") == "site/figS2.still.png"


def test_a_link_to_a_step_opens_its_line(page):
    (step,) = set(re.findall(r"step-train-cifar10-[0-9a-f]{8}", page.content()))
    line = page.locator(f"#{step}")
    assert line.is_hidden()
    page.evaluate(f"location.hash = '{step}'")
    page.wait_for_function(f"document.getElementById('{step}').offsetParent !== null")
    assert "schedule.K_max" in line.inner_text()


BACKGROUND = "getComputedStyle(document.body).backgroundColor"


def test_the_theme_is_the_systems_until_it_is_chosen(browser, built):
    seen = {}
    for scheme in ("light", "dark"):
        with browser.new_context(viewport=WIDE, color_scheme=scheme) as context:
            page = context.new_page()
            page.goto((built / "results/index.html").as_uri())
            seen[scheme] = page.evaluate(BACKGROUND)
            page.locator("#theme").click()
            seen[f"{scheme}, switched"] = page.evaluate(BACKGROUND)
            page.reload()
            assert page.evaluate(BACKGROUND) == seen[f"{scheme}, switched"], "forgotten"
    assert seen["light"] == seen["dark, switched"] != seen["dark"] == seen["light, switched"]


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
def test_it_is_readable_and_fits_a_telephone(browser, built, scheme):
    """No wider than 360 pixels, with all that folds open; and text has contrast of at least 4.5, as WCAG's AA wants."""
    with browser.new_context(viewport=NARROW, color_scheme=scheme) as context:
        page = context.new_page()
        page.goto((built / "results/index.html").as_uri())
        contrasts = page.evaluate(CONTRASTS)
        assert len(contrasts) > 8 and [pair for pair in contrasts if pair[1] < 4.5] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        assert page.evaluate("document.body.scrollWidth") <= 360


def test_a_training_that_was_too_short_to_be_logged_has_no_row(tmp_path):
    log = tmp_path / "cifar10.0.csv"
    log.write_text("iteration,K,auc\n")
    assert training(log) is None
    log.write_text("iteration,K,auc\n20,1,0.5\n40,2,0.75\n")
    row = training(log) or {}
    assert (row["run"], row["seed"], row["iterations"], row["K"], row["auc"]) == ("cifar10", "0", 40, 2, 0.75)
