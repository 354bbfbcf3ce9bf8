"""The pictures of the workflow: what they show is the plan's, and can be read."""

import re
import xml.etree.ElementTree as ET
from itertools import combinations
from typing import NamedTuple

import pytest
from conftest import planned

from atebm.maintenance.diagrams import (
    WIDTH,
    drawn,
    kinds_of,
    kinds_picture,
    named,
    needed,
    rows_of,
    together,
    way_picture,
)
from atebm.pipeline.kinds import FILES

SVG = "{http://www.w3.org/2000/svg}"


class Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float
    lines: tuple[str, ...]


def boxes(picture: str) -> list[Box]:
    """The boxes of an SVG, each with the lines that lie in it."""
    root = ET.fromstring(picture)
    texts = [(float(text.attrib["x"]), float(text.attrib["y"]), str(text.text)) for text in root.iter(f"{SVG}text")]
    found = []
    for rect in root.iter(f"{SVG}rect"):
        if rect.attrib["class"] == "box":
            left, top, width, height = (float(rect.attrib[name]) for name in ("x", "y", "width", "height"))
            lines = [said for x, y, said in texts if left < x < left + width and top < y < top + height]
            found.append(Box(left, top, left + width, top + height, tuple(lines)))
    return found


@pytest.fixture(scope="module")
def plan():
    return planned("paper")


def test_every_kind_of_step_is_in_a_box(plan):
    shown = [line for box in boxes(kinds_picture(plan)) for line in box.lines]
    assert set(shown) == {named(step) for step in plan.steps.values()} | {"archives", "notebooks", "results/"}
    assert len(shown) == len(set(shown))


def test_the_way_names_the_files_of_every_kind_behind_the_table(plan):
    behind = {step.kind for needed in plan.artifacts["table2"] for step in needed.ancestry()}
    shown = {box.lines[0]: box.lines[1:] for box in boxes(way_picture(plan, "table2"))}
    assert {f"work/{kind}/": FILES[kind] for kind in behind}.items() <= shown.items()
    assert {"archives", "results/numbers/", "notebooks/table2.ipynb", "results/table2.csv"} <= set(shown)


@pytest.mark.parametrize("draw", [kinds_picture, lambda plan: way_picture(plan, "table2")], ids=["kinds", "way"])
def test_boxes_lie_apart_within_the_picture_and_are_wide_enough_for_their_words(plan, draw):
    found = boxes(draw(plan))
    assert all(box.left >= 0 and box.right <= WIDTH for box in found)
    assert not [
        (a.lines, b.lines)
        for a, b in combinations(found, 2)
        if a.left < b.right and b.left < a.right and a.top < b.bottom and b.top < a.bottom
    ]
    assert all(box.right - box.left >= 6 * max(map(len, box.lines)) for box in found)


def test_a_picture_has_a_dark_ground_a_name_and_nothing_from_elsewhere(plan):
    picture = kinds_picture(plan)
    assert "prefers-color-scheme: dark" in picture and "<title>Kinds of step" in picture
    assert re.findall(r"https?://[^\"]+", picture) == ["http://www.w3.org/2000/svg"]


# --- graphs -----------------------------------------------------------------------------------------------------------

CHAIN = {"a": set(), "b": {"a"}, "c": {"a", "b"}, "d": {"a", "c"}}


def test_what_follows_from_the_rest_is_left_out():
    assert needed(CHAIN) == {"a": set(), "b": {"a"}, "c": {"b"}, "d": {"c"}}


def test_what_is_read_alike_is_one_box():
    graph = {"a": set(), "b": {"a"}, "c": {"a"}, "d": {"b", "c"}, "e": {"a"}}
    assert together(graph) == (
        {"a": set(), "b": {"a"}, "d": {"b"}, "e": {"a"}},
        {"a": ("a",), "b": ("b", "c"), "d": ("d",), "e": ("e",)},
    )


def test_a_box_lies_below_all_that_it_reads_and_long_arrows_bend_in_each_row():
    graph = {"a": set(), "b": {"a"}, "c": {"b"}, "d": {"c", "a"}}
    rows, bent = rows_of(graph)
    place = {box: number for number, row in enumerate(rows) for box in row}
    assert all(place[box] == place[read] + 1 for box, reads in bent.items() for read in reads)
    assert [len(row) for row in rows] == [1, 2, 2, 1]


def test_an_arrow_crosses_no_other_that_it_need_not():
    graph = {"a": set(), "b": set(), "c": {"b"}, "d": {"a"}}
    (above, below), _ = rows_of(graph)
    assert [above.index("a") < above.index("b")] == [below.index("d") < below.index("c")]


def test_a_word_that_svg_would_read_is_written_out():
    assert "a &lt; b" in drawn({"a < b": set()}, {}, "x")


def test_steps_that_read_archives_lie_below_them(plan):
    graph = kinds_of(plan.steps.values())
    assert "archives" in graph["data"] and "archives" not in graph["train"] and graph["archives"] == set()
    assert "archives" not in kinds_of(planned("demo").steps.values())
