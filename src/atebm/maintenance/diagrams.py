"""Two pictures of docs/explanation/workflow.md, drawn from a plan: its kinds of step, and the way of a table's data.

A box lies below all that it reads. An arrow that others imply is left out. An SVG has its own ground, light or dark,
and is as wide as a telephone.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from html import escape
from itertools import pairwise
from statistics import mean

from ..pipeline.artifacts import target
from ..pipeline.kinds import FILES
from ..pipeline.plan import Plan
from ..pipeline.step import Step

Graph = dict[str, set[str]]  # a box, and the boxes that it reads
WIDTH, LINE, BETWEEN, CHARACTER = 440, 15, 26, 7.0  # in pixels: of a picture, of a line, of two rows, of a letter
APART = 10  # pixels between two boxes of a row
STYLE = """<style>
text { font: 12px system-ui, sans-serif; fill: #1b2430; text-anchor: middle }
.head { font-weight: 600 }
.ground { fill: #fff } .box { fill: #e9eff8; stroke: #4a68a0 }
.way { fill: none; stroke: #5b6675 } .tip { fill: #5b6675 }
@media (prefers-color-scheme: dark) {
text { fill: #e6eaf0 } .ground { fill: #1b1f27 } .box { fill: #26344d; stroke: #8aa5d6 }
.way { stroke: #aab4c2 } .tip { fill: #aab4c2 }
}
</style>
<marker id="tip" viewBox="0 0 6 6" refX="5" refY="3" markerWidth="7" markerHeight="7" orient="auto">
<path class="tip" d="M0 0 6 3 0 6z"/></marker>"""


def kinds_picture(plan: Plan) -> str:
    """Return an SVG of every kind of step of a plan, from the archives to the results."""
    graph = kinds_of(plan.steps.values())
    graph["notebooks"] = {named(step) for steps in plan.artifacts.values() for step in steps}
    graph["results/"] = {"notebooks"}
    boxes, words = together(needed(graph))
    return drawn(boxes, words, "Kinds of step, and which reads the files of which")


def way_picture(plan: Plan, artifact: str) -> str:
    """Return an SVG of the files through which an artifact's numbers come, kind by kind."""
    behind = {step for needed in plan.artifacts[artifact] for step in needed.ancestry()}
    graph = kinds_of(behind)
    words = {named(step): (f"work/{step.kind}/", *FILES[step.kind]) for step in behind}
    kept, notebook, result = "results/numbers/", f"notebooks/{artifact}.ipynb", target(artifact)
    graph |= {kept: {named(step) for step in plan.artifacts[artifact]}, notebook: {kept}, result: {notebook}}
    return drawn(needed(graph), words, f"The files through which the numbers of {artifact} come", heads=True)


def named(step: Step) -> str:
    """Return the box of a step: its kind, and for features of what, since training reads those of data."""
    if step.kind != "features":
        return step.kind
    return f"features of {'samples' if any(read.kind == 'sample' for read in step.parents.values()) else 'data'}"


def kinds_of(steps: Iterable[Step]) -> Graph:
    """Return the boxes of some steps, and of the archives where some read these."""
    graph: Graph = {}
    for step in steps:
        reads = graph.setdefault(named(step), set())
        reads.update({named(parent) for parent in step.parents.values()} - {named(step)})
        reads.update({"archives"} if step.archives else ())
    return graph | ({"archives": set()} if any("archives" in reads for reads in graph.values()) else {})


def needed(graph: Graph) -> Graph:
    """Return a graph without what follows from the rest: an arrow beside a longer way. Raises KeyError for no box."""

    @cache
    def above(box: str) -> frozenset[str]:
        return frozenset(graph[box]).union(*map(above, graph[box]))

    return {
        box: {read for read in reads if not any(read in above(other) for other in reads)}
        for box, reads in graph.items()
    }


def together(graph: Graph) -> tuple[Graph, dict[str, tuple[str, ...]]]:
    """Return a graph in which boxes that read the same, and are read by the same, are one, with the words of each."""
    alike: dict[tuple[frozenset[str], frozenset[str]], list[str]] = {}
    for box, reads in sorted(graph.items()):
        readers = frozenset(other for other in graph if box in graph[other])
        alike.setdefault((frozenset(reads), readers), []).append(box)
    of = {box: boxes[0] for boxes in alike.values() for box in boxes}
    words = {boxes[0]: tuple(boxes) for boxes in alike.values()}
    return {box: {of[read] for read in graph[box]} for box in words}, words


# --- where boxes lie --------------------------------------------------------------------------------------------------


def rows_of(graph: Graph) -> tuple[list[list[str]], Graph]:
    """Return the boxes in rows, top row first, and the graph with a bend in each row that an arrow passes."""

    @cache
    def height(box: str) -> int:
        return max((1 + height(other) for other in graph if box in graph[other]), default=0)

    bent: Graph = {box: set() for box in sorted(graph)}
    heights = {box: height(box) for box in graph}
    for box, reads in sorted(graph.items()):
        for read in sorted(reads):
            way = [read, *(f"{read}>{box}>{row}" for row in range(height(read) - 1, height(box), -1)), box]
            heights |= {bend: int(bend.rpartition(">")[2]) for bend in way[1:-1]}
            for upper, lower in pairwise(way):
                bent.setdefault(lower, set()).add(upper)
    rows = [sorted(box for box in heights if heights[box] == row) for row in range(max(heights.values()), -1, -1)]
    return untangled(rows, bent), bent


def untangled(rows: list[list[str]], graph: Graph) -> list[list[str]]:
    """Return rows in which each box is near those that it has arrows from or to, by sweeps down and up."""
    readers = {box: {other for other in graph if box in graph[other]} for box in graph}
    for beside in (graph, readers) * 6:
        place = {box: (index + 0.5) / len(row) for row in rows for index, box in enumerate(row)}
        for row in rows if beside is graph else reversed(rows):
            middle = {box: sum(sorted(place[each] for each in beside[box])) / max(len(beside[box]), 1) for box in row}
            row.sort(key=lambda box: middle[box] if beside[box] else place[box])
            place |= {box: (index + 0.5) / len(row) for index, box in enumerate(row)}
    return rows


def middles(rows: list[list[str]], graph: Graph, sizes: Mapping[str, float]) -> dict[str, float]:
    """Return where the middle of each box lies from the left: near those that it has arrows from and to."""
    beside = {box: sorted({*graph[box], *(other for other in graph if box in graph[other])}) for box in graph}
    middle = dict.fromkeys(graph, WIDTH / 2)
    for _ in range(40):
        for row in rows:
            near = [mean([middle[other] for other in beside[box]] or [WIDTH / 2]) for box in row]
            widths = [sizes[box] for box in row]
            both = map(mean, zip(apart(near, widths), mirrored(near, widths), strict=True))
            middle |= dict(zip(row, mirrored(apart(list(both), widths), widths), strict=True))
    edges = [middle[box] + side * sizes[box] / 2 for box in graph for side in (-1, 1)]
    return {box: place + (WIDTH - min(edges) - max(edges)) / 2 for box, place in middle.items()}


def apart(places: list[float], widths: list[float]) -> list[float]:
    """Return places of a row, each moved to the right as far as it would touch the one before, or the edge."""
    moved: list[float] = []
    edge = 0.0
    for place, width in zip(places, widths, strict=True):
        moved.append(max(place, edge + APART + width / 2))
        edge = moved[-1] + width / 2
    return moved


def mirrored(places: list[float], widths: list[float]) -> list[float]:
    """Return places of a row, each moved to the left as far as it would touch the one behind, or the edge."""
    return [WIDTH - place for place in apart([WIDTH - place for place in places[::-1]], widths[::-1])][::-1]


# --- the picture ------------------------------------------------------------------------------------------------------


def drawn(graph: Graph, words: Mapping[str, tuple[str, ...]], about: str, heads: bool = False) -> str:
    """Return an SVG; `words` are the lines in a box, by default its name; with `heads` the first stands out."""
    rows, bent = rows_of(graph)
    lines = {box: words.get(box, (box,)) if box in graph else ("",) for box in bent}
    sizes = {box: max(map(len, lines[box])) * CHARACTER + 14 for box in bent}
    middle, top, bottom, high = middles(rows, bent, sizes), dict[str, float](), dict[str, float](), 12.0
    for row in rows:
        height = max(len(lines[box]) for box in row) * LINE + 10
        top |= dict.fromkeys(row, high)
        bottom |= dict.fromkeys(row, high + height)
        high += height + BETWEEN
    high += 12 - BETWEEN
    parts = [
        way((middle[read], bottom[read]), (middle[box], top[box]), box in graph)
        for box in sorted(bent)
        for read in sorted(bent[box])
    ]
    for box in bent:
        if box in graph:
            parts.append(box_of(middle[box], top[box], sizes[box], bottom[box] - top[box], lines[box], heads))
        else:
            parts.append(f'<path class="way" d="M{middle[box]:.0f} {top[box]:.0f}V{bottom[box]:.0f}"/>')
    size = f'viewBox="0 0 {WIDTH} {high:.0f}" width="{WIDTH}" height="{high:.0f}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    ground = f'<rect class="ground" width="{WIDTH}" height="{high:.0f}" rx="8"/>'
    return "\n".join([head, f"<title>{escape(about)}</title>", STYLE, ground, *parts, "</svg>", ""])


def box_of(middle: float, top: float, width: float, height: float, lines: tuple[str, ...], heads: bool) -> str:
    """Return a rectangle with its lines in the middle."""
    first = top + (height - LINE * len(lines)) / 2 + 11
    text = [
        f'<text class="{"head" if heads and not number else "line"}" x="{middle:.0f}" '
        f'y="{first + LINE * number:.0f}">{escape(line)}</text>'
        for number, line in enumerate(lines)
    ]
    place = f'x="{middle - width / 2:.0f}" y="{top:.0f}" width="{width:.0f}" height="{height:.0f}"'
    return "\n".join([f'<rect class="box" {place} rx="4"/>', *text])


def way(start: tuple[float, float], end: tuple[float, float], ends: bool) -> str:
    """Return a curve from below one box to above another, with a tip where it `ends`."""
    (x, y), (to_x, to_y) = start, end
    tip = ' marker-end="url(#tip)"' if ends else ""
    middle = (y + to_y) / 2
    curve = f"M{x:.0f} {y:.0f}C{x:.0f} {middle:.0f} {to_x:.0f} {middle:.0f} {to_x:.0f} {to_y:.0f}"
    return f'<path class="way" d="{curve}"{tip}/>'
