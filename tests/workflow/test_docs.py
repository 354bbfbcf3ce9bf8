"""The documentation: its commands run or at least exist, links lead somewhere, the site builds and asks no network."""

import re
import shlex
import shutil
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from html.parser import HTMLParser
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from conftest import REPOSITORY, checkout, planned, run, snakemake
from markdown.extensions.toc import slugify
from mkdocs.exceptions import PluginError

from atebm.cli.app import app
from atebm.config.training import Adam, Run
from atebm.maintenance.kind_table import kind_table

DOCS = REPOSITORY / "docs"
PAGES = [REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "data/README.md")] + sorted(DOCS.rglob("*.md"))
FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
BLOCK = re.compile(r"^(?:<!-- not run: (.+?) -->\n)?```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# programs whose arguments are theirs
OTHERS = ("apt-get", "cd", "conda", "git", "jupyter", "ln", "pip", "python3", "rm", "sed", "source", ".", "tail")


@dataclass(frozen=True)
class Block:
    page: str
    number: int
    not_run: str | None  # why
    language: str
    text: str

    @property
    def id(self) -> str:
        return f"{self.page}:{self.number}"


def blocks() -> Iterator[Block]:
    """The fenced blocks of all pages: commands, and Python."""
    for path in PAGES:
        for number, (why, language, text) in enumerate(BLOCK.findall(path.read_text()), 1):
            yield Block(str(path.relative_to(REPOSITORY)), number, why or None, language, text)


BLOCKS = list(blocks())
COMMANDS = [block for block in BLOCKS if block.language == "console"]


# --- what runs --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=[pytest.param("demonstrated", marks=pytest.mark.slow)])
def demonstrated(tmp_path_factory) -> Path:
    """A checkout at scale smoke with a trained run, and with what commands name of the committed results."""
    folder = checkout(tmp_path_factory.mktemp("docs"))
    config = folder / "config.yaml"
    config.write_text(config.read_text().replace("scale: demo", "scale: smoke", 1))
    (folder / "results").mkdir()
    shutil.copy(REPOSITORY / "results/figS2.png", folder / "results")
    shutil.copytree(REPOSITORY / "models", folder / "models")
    made = snakemake(folder, planned("smoke").train("cifar10", 0).record)
    assert made.returncode == 0, made.stdout + made.stderr
    return folder


ELSEWHERE = "docs/first-hour.md"  # test_tutorial.py runs it from top to bottom
NO_PROGRAM = ("bibtex", "pycon")  # test_examples.py has the latter
RUN = [block for block in BLOCKS if not block.not_run and block.language not in NO_PROGRAM and block.page != ELSEWHERE]


@pytest.mark.parametrize("block", RUN, ids=lambda block: block.id)
def test_a_block_that_is_not_said_not_to_runs(demonstrated, block):
    program = {"console": ("bash", "-euo", "pipefail", "-c"), "python": ("python", "-W", "error::UserWarning", "-c")}
    ran = run(demonstrated, *program[block.language], block.text)
    assert ran.returncode == 0, f"{block.text}\n{ran.stdout}\n{ran.stderr}"


def test_most_pages_of_commands_have_some_that_run():
    """So that no slip of the pattern above lets everything pass."""
    assert {"README.md", "docs/howto/review.md", "docs/howto/own-images.md"} <= {block.page for block in RUN}
    fences = sum(len(re.findall(r"^```\w", path.read_text(), re.MULTILINE)) for path in PAGES)
    assert len(BLOCKS) == fences


# --- what is there ----------------------------------------------------------------------------------------------------


def commands(text: str) -> Iterator[list[str]]:
    """The simple commands of shell lines, as words; comments are none."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.shlex(line, posix=True, punctuation_chars=";&|")
        words.whitespace_split = True
        command: list[str] = []
        for word in words:
            if set(word) <= set(";&|"):
                yield command
                command = []
            else:
                command.append(word)
        if command:
            yield command


def check(words: list[str], whole: bool) -> list[str]:
    """Raise AssertionError where a command has a verb, an option or a target that is not there, or where, if it is a
    `whole` one, an argument is missing; returns Snakemake's targets."""
    if words[:3] == ["python", "-m", "atebm"]:
        words = ["atebm", *words[3:]]
    program, *arguments = words
    if program == "atebm":
        return check_atebm(arguments, whole)
    if program == "snakemake":
        return snakemake_parser().parse_args(arguments).targets or []
    if program == "make":
        missing = [word for word in arguments if "=" not in word and word not in make_targets()]
        assert not missing, f"no target of the Makefile: {missing}"
    elif program == "dvc":
        dvc_parser().parse_args(arguments)
    else:
        assert program in OTHERS or (program.isupper() and not whole), f"unknown program {program}"
    return []


def check_atebm(arguments: list[str], whole: bool) -> list[str]:
    command: Any = typer.main.get_command(app)
    while hasattr(command, "commands") and arguments and not arguments[0].startswith("-"):
        name, *arguments = arguments
        assert name in command.commands, f"no verb {name}"
        command = command.commands[name]
    if command.name == "warm":
        return check(arguments, whole)
    if arguments in (["--help"], ["-h"]):
        return []
    with command.context_class(command) as context:
        given, rest, _ = command.make_parser(context).parse_args(list(arguments))
        assert not rest, f"{command.name} takes no {rest}"
        lacks = [one.name for one in command.params if one.required and given.get(one.name) in (None, (), [])]
        assert not whole or not lacks, f"{command.name} lacks {lacks}"
    return []


@cache
def snakemake_parser() -> Any:
    from snakemake.cli import get_argument_parser

    return get_argument_parser()


@cache
def dvc_parser() -> Any:
    from dvc.cli.parser import get_main_parser

    return get_main_parser()


@cache
def make_targets() -> set[str]:
    return set(re.findall(r"^([\w-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))


def targets_of(text: str, whole: bool) -> list[str]:
    found = []
    for words in commands(text):
        try:
            found += check(words, whole)
        except (Exception, SystemExit) as error:
            raise AssertionError(f"{shlex.join(words)}: {type(error).__name__} {error}") from error
    return found


def mentioned() -> Iterator[tuple[str, str]]:
    """Page, and a command in a line of its text."""
    for path in PAGES:
        for code in re.findall(r"`([^`]+)`", FENCED.sub("", path.read_text())):
            if re.match(r"(python -m atebm|atebm|make|snakemake|dvc) \S", code):
                yield str(path.relative_to(REPOSITORY)), " ".join(code.split())


def test_commands_exist_with_their_options_and_targets(tmp_path):
    targets = [target for block in COMMANDS for target in targets_of(block.text, whole=True)]
    targets += [target for _, code in mentioned() for target in targets_of(code, whole=False)]
    named = {target for target in targets if not target.isupper() and target != "..."}  # TARGET is the reader's
    assert {"results/table2.csv", "prepared", "results/claims.csv"} <= named
    folder, by_scale = checkout(tmp_path), defaultdict[str, set[str]](set)
    for target in named:
        scale = re.match("results/scales/([a-z]+)/", target)
        by_scale[scale[1] if scale else "demo"].add(target)
    assert {"demo", "board", "released", "weekend"} <= by_scale.keys()
    for scale, asked in by_scale.items():
        dry = snakemake(folder, *sorted(asked), "--dry-run", "--quiet", "all", "--config", f"scale={scale}")
        assert dry.returncode == 0, dry.stdout + dry.stderr


@pytest.mark.parametrize(
    "command",
    [
        "atebm sing",
        "python -m atebm explain",
        "atebm verify --loudly",
        "atebm apply inpaint --run cifar10",
        "atebm warm make nothing",
        "make nothing",
        "snakemake --coers all",
        "dvc pul",
        "snakmake --cores all",
    ],
)
def test_a_slip_in_a_command_is_seen(command):
    with pytest.raises(AssertionError):
        targets_of(command, whole=True)


# --- links ------------------------------------------------------------------------------------------------------------


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", path.read_text()), re.MULTILINE)
    return {slugify(re.sub(r"`", "", heading), "-") for heading in headings}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_links_lead_somewhere(path):
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text()) if not re.match("https?:", link)]
    assert [link for link in links if not leads(path, link)] == []


def leads(path: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = (path.parent / name).resolve() if name else path
    return target.exists() and (not anchor or target.suffix != ".md" or anchor in anchors(target))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_files_that_are_named_are_there(path):
    """In backticks, from the top of the checkout; <name> and * stand for anything."""
    named = re.findall(
        r"`((?:src|tests|workflow|notebooks|benchmarks|docs)/[\w./<>*-]*)`", FENCED.sub("", path.read_text())
    )
    missing = {name for name in named if not any(REPOSITORY.glob(re.sub("<[^>]+>", "*", name)))}
    assert missing <= OF_EXAMPLES


# What a command of a page writes, and what the throw-away examples of docs/howto/extend.md added.
OF_EXAMPLES = {
    "workflow/scales/cats.yaml",
    "notebooks/figS22.ipynb",
    "src/atebm/attacks/fgsm.py",
    "src/atebm/models/linear.py",
    "src/atebm/evaluation/spread.py",
    "src/atebm/data/stripes.py",
    "src/atebm/data/invert.py",
}


def test_the_tree_has_every_package():
    text = (DOCS / "explanation/workflow.md").read_text()
    tree = re.search(r"^src/atebm/ .*?^notebooks/", text, re.DOTALL | re.MULTILINE)
    assert tree
    packages = {path.parent.name for path in (REPOSITORY / "src/atebm").glob("*/__init__.py")}
    assert set(re.findall(r"^  (\w+)/ ", tree[0], re.MULTILINE)) == packages


def test_the_map_has_every_page():
    links = set(re.findall(r"\]\(([^)#]+)", (DOCS / "index.md").read_text()))
    assert {str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md")} - {"index.md"} <= links


def test_the_readme_takes_a_minute():
    """At 320 words a minute, without code, what is generated, and addresses."""
    text = re.sub(
        r"<!-- (\w+): begin.*?<!-- \1: end -->|<!--.*?-->", "", FENCED.sub("", PAGES[0].read_text()), flags=re.DOTALL
    )
    assert len(re.sub(r"\]\([^)]+\)|[*#`|]", " ", text).split()) <= 320


def test_the_glossary_has_the_words_that_pages_lean_on():
    words = re.findall(r"^\| (.+?) \|", (DOCS / "reference/glossary.md").read_text(), re.MULTILINE)
    bold = {word for cell in words for part in re.findall(r"\*\*(.+?)\*\*", cell) for word in part.split(", ")}
    wanted = (
        "scale run task set step plan spec artifact record digest p_0 logit R1 stand-in seed verdict stale rival effect"
    )
    assert set(wanted.split()) <= bold


def test_the_kinds_of_step_and_their_files_are_described():
    assert kind_table() in (DOCS / "reference/files.md").read_text(), "run: make docs"


# --- the site ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    built = run(REPOSITORY, "mkdocs", "build", "--strict", "--site-dir", str(folder), NO_MKDOCS_2_WARNING="1")
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


class Loaded(HTMLParser):
    """What a browser fetches to show a page."""

    def __init__(self, page: Path):
        super().__init__()
        self.found: list[str] = []
        self.feed(page.read_text())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = dict(attributes)
        if values.get("src"):
            self.found.append(str(values["src"]))
        if tag == "link" and values.get("rel") in ("stylesheet", "icon", "preconnect", "preload"):
            self.found.append(str(values["href"]))


def test_the_site_shows_every_page_and_asks_no_network(site):
    for page in DOCS.rglob("*.md"):
        made = site / page.relative_to(DOCS).with_suffix(".html")
        loaded = Loaded(made).found
        assert loaded and not [url for url in loaded if re.match(r"(https?:)?//", url)], made
        missing = [url for url in loaded if not url.startswith("data:") and not (made.parent / url).resolve().exists()]
        assert not [url for url in missing if "results/" not in url], made  # pictures lie beside the site


def test_the_home_is_the_readme_with_all_pages_below(site):
    home = (site / "index.html").read_text()
    heads = re.findall(r'<h[12] id="([\w-]+)"', home)
    assert heads[0].startswith("atebm") and heads[-1] == "all-pages" and "three-uses" in heads
    assert 'href="first-hour.html"' in home and 'href="#all-pages"' in home and 'src="../results/figS2.png"' in home


@pytest.mark.parametrize("name", ["index.html", "first-hour.html", "howto/review.html"])
def test_the_navigation_leads_to_the_results_beside_the_site(site, name):
    (link,) = set(
        re.findall(
            r'href="([^"]+)" class="md-nav__link">\s*<span class="md-ellipsis">\s*Results', (site / name).read_text()
        )
    )
    lies = (REPOSITORY / "site" / name).parent / link
    assert lies.resolve() == REPOSITORY / "results/index.html"


def test_on_the_site_a_notebook_is_its_page(site):
    text = (site / "reference/artifacts.html").read_text()
    assert "results/notebooks/fig1.html" in text and ".ipynb" not in text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[a](index.md)", []),
        ("[a](../README.md#cite) ![b](first-hour.png) [c](https://example.org) [d](#here)", []),
        ("[a](gone.md)", ["gone.md"]),
        ("[a](../src/gone.py)", ["../src/gone.py"]),
        ("```\n[a](gone.md)\n```", []),
    ],
)
def test_a_link_that_leads_nowhere_ends_the_build(text, found):
    hooks = load_hooks()
    page = SimpleNamespace(meta={}, file=SimpleNamespace(src_uri="x.md", abs_src_path=str(DOCS / "x.md")))
    if not found:
        assert hooks.on_page_markdown(text, page) == text
        return
    with pytest.raises(PluginError, match=re.escape(", ".join(found))):
        hooks.on_page_markdown(text, page)


@cache
def load_hooks() -> Any:
    spec = spec_from_file_location("hooks", DOCS / "hooks.py")
    assert spec and spec.loader
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_equations_are_mathml(site):
    method = (site / "explanation/method.html").read_text()
    math = re.findall(r"<math.*?</math>", method, re.DOTALL)
    assert len(math) == (DOCS / "explanation/method.md").read_text().count("$$") / 2
    assert "arithmatex" not in method and not [one for one in math if "\\" in one]


def verbs(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    yield name, command
    for verb, below in getattr(command, "commands", {}).items():
        if not below.hidden:
            yield from verbs(below, f"{name} {verb}")


def test_the_reference_has_every_verb_and_option(site):
    text = (site / "reference/cli.html").read_text()
    for name, command in verbs(typer.main.get_command(app), "atebm"):
        assert name == "atebm" or f"<code>{name}</code>" in text, name
        named = [one for parameter in command.params for one in (parameter.opts if parameter.opts[0][0] == "-" else [])]
        assert not [one for one in named if one not in text], name


def test_the_reference_has_every_key(site):
    text = (site / "reference/configuration.html").read_text()
    for model in (Run, Adam):
        part = re.search(rf'<h[34] id="{model.__name__}">.*?(?=<h[34]|</article>)', text, re.DOTALL)
        assert part, model
        keys = re.findall(r'<tr>\s*<td data-label="key"><code>(\w+)</code></td>', part[0])
        assert keys == list(model.model_fields)
    headings = [re.sub("<[^>]+>", "", head) for head in re.findall(r"<h[34] id=.*?>(.*?)<a ", text, re.DOTALL)]
    assert {"runs.&lt;name&gt;", "schedule", "sets.&lt;name&gt;, reader: archive", "network, name: small"} <= set(
        headings
    )
    assert len(headings) == len(set(headings)), "each section has a name of its own"
    assert "entry of pretrainings whose weights, with its logit 0 as f, the training starts from" in text
    assert "number ≥ 0" in text and "<code>binary_at</code> or <code>max_likelihood</code>" in text


# --- in a browser -----------------------------------------------------------------------------------------------------

SHOWN = (
    "index",
    "first-hour",
    "howto/artifact-review",
    "reference/glossary",
    "reference/configuration",
    "reference/cli",
)
SCREENS = {"light": {"width": 1440, "height": 900}, "dark": {"width": 390, "height": 800}}
CODE = "[...document.querySelectorAll('.md-content pre > code')]"
CUT = f"{CODE}.filter((code) => code.scrollWidth > code.clientWidth + 1).length"


@pytest.mark.parametrize("scheme", SCREENS)
@pytest.mark.parametrize("name", [*SHOWN, "explanation/workflow", "reference/api"])
def test_everybody_can_read_a_page_of_the_manual(browser, site, name, scheme):
    """By axe, on a screen by day and on a telephone by night; no code is cut off, and nothing is wider than the page.

    And nothing is asked of a network.
    """
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    with browser.new_context(viewport=SCREENS[scheme], color_scheme=scheme) as context:
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto((site / f"{name}.html").as_uri())
        found = axe.run(page).response["violations"]
        told = {each["id"]: each["nodes"][0]["html"] for each in found if each["impact"] in ("serious", "critical")}
        assert told == {}
        assert page.evaluate(CUT) == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= SCREENS[scheme]["width"]
        assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


def test_the_search_finds_a_word_in_pages_that_are_opened_as_files(browser, site):
    with browser.new_context(viewport=SCREENS["light"]) as context:
        page = context.new_page()
        page.goto((site / "index.html").as_uri())
        page.get_by_placeholder("Search").first.fill("contrastive sample")
        page.wait_for_selector(".md-search-result__link", timeout=20_000)
        links = page.eval_on_selector_all(".md-search-result__link", "(links) => links.map((link) => link.href)")
        assert [link for link in links if "reference/glossary.html" in link]
