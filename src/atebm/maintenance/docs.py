"""What of the documentation is generated and kept in git: verdicts and the artifact table, from the committed results/,
what scale paper is expected to cost, and the rules. What the site alone has, docs/hooks.py makes as it is built."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from ..pipeline.artifacts import USUAL, label, target
from ..report.neighbours import compared, ratios
from ..report.published import published
from ..report.verdicts import FAILS, UNDECIDED, counted
from ..utils.errors import ConfigError
from ..utils.files import of_checkout, write_between

EXPECTED = "data/expected/paper_h100.json"  # what `python -m atebm cost -C scale=paper --json` printed on that GPU
SHOWN = 1.0  # hours that an artifact must add to those before it to have a line of its own


def write_docs(root: Path) -> None:
    """Replace the generated parts of the README and of docs/ in a checkout; from its folder."""
    results = root / "results"
    for page in ("README.md", "docs/explanation/results.md"):
        write_between(root / page, "verdicts", verdicts(results))
    write_between(root / "docs/reference/artifacts.md", "artifacts", artifact_table(results))
    write_between(root / "docs/reference/scales.md", "expected", expectation(root / EXPECTED))
    write_between(root / "docs/explanation/workflow.md", "rules", rule_table())


def verdicts(results: Path) -> str:
    """Markdown: how many claims of each family have which verdict, and in words what fails and what was not seen."""
    frame = pd.read_csv(results / "claims.csv", keep_default_na=False)
    lines = [
        f"- **{family}**, {len(claims)} claims: {counted(claims)};"
        for family, claims in frame.groupby("family", sort=False)
    ]
    for verdict, words in ((FAILS, "fails"), (UNDECIDED, "undecided")):
        named = "; ".join(frame.loc[frame["verdict"] == verdict, "claim"])
        lines += [f"- **{words}**: {named};"] if named else []
    unseen = frame[frame["verdict"].str.startswith("not reached")]
    lines += [f"- **{row.verdict}**: {row.claim};" for row in unseen.itertuples()]
    return "\n".join(lines).removesuffix(";") + "."


def rule_table() -> str:
    """Markdown: Snakemake's rules, each with those whose outputs it reads; from the checkout's folder."""
    command = ["snakemake", "--rulegraph", "mermaid-js", "--forceall"]
    graph = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    names = dict(re.findall(r"(id\d+)\[(\w+)\]", graph))
    # By name and sorted, since Snakemake numbers and orders them anew in each call.
    parents: dict[str, set[str]] = {name: set() for name in sorted(names.values())}
    for parent, child in re.findall(r"(id\d+) --> (id\d+)", graph):
        parents[names[child]].add(names[parent])
    rows = [{"rule": f"`{rule}`", "reads what these make": ", ".join(sorted(read))} for rule, read in parents.items()]
    return pd.DataFrame(rows).to_markdown(index=False)


UP = "../../"  # from a page in a folder of docs/ to the repository's root


def artifact_table(results: Path) -> str:
    """Markdown: item, target, notebook, minutes of computation, the paper's headline and ours."""
    manifest = json.loads(of_checkout(results / "manifest.json"))
    rows = []
    for artifact in USUAL:
        file, (theirs, ours) = target(artifact), HEADLINES[artifact]
        rows.append(
            {
                "item": label(artifact),
                "target": f"[`{file}`]({UP}{file})",
                "notebook": f"[rendered]({UP}results/notebooks/{artifact}.ipynb)",
                "minutes": f"{minutes(manifest, artifact):.1f}",
                "published, on the paper's data": theirs,
                f"measured at scale {manifest['scale']}, on stand-in data": ours(results),
            }
        )
    return pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)


def headline(artifact: str, results: Path) -> str:
    """Return one line on an artifact: what was measured, from the files in `results`, and what was published.

    Raises ConfigError for an unknown artifact, and where it is not drawn there.
    """
    if artifact not in HEADLINES:
        raise ConfigError(f"there is no artifact {artifact!r}; there are: {', '.join(HEADLINES)}.")
    theirs, ours = HEADLINES[artifact]
    try:
        return f"{label(artifact)}, measured here: {ours(results)}; published, on the paper's data: {theirs}."
    except FileNotFoundError as error:
        raise ConfigError(f"{error.filename} is missing: snakemake --cores all {target(artifact)}") from None


def minutes(manifest: dict[str, Any], artifact: str) -> float:
    """Minutes of computation of all steps behind an artifact, as if run one after the other."""
    return sum(manifest["steps"][step]["seconds"] or 0 for step in ancestry(manifest, artifact)) / 60


def ancestry(manifest: dict[str, Any], artifact: str) -> set[str]:
    """All steps behind an artifact, "kind/id"."""
    todo, seen = list(manifest["artifacts"][artifact]["steps"]), set()
    while todo:
        step = todo.pop().removeprefix("work/")
        if step not in seen:
            seen.add(step)
            todo += [parent["step"] for parent in manifest["steps"][step]["parents"].values()]
    return seen


def expectation(path: Path) -> str:
    """Markdown: hours and disk of scale paper, as the file at `path` has them, or that they were not measured."""
    if not path.exists():
        return "Not measured yet: `python -m atebm cost -C scale=paper` says it of the machine that it runs on."
    found = json.loads(path.read_text(encoding="utf-8"))
    total, archives = found["total"], found["archives"]["gigabytes"]
    shown = [row for row in found["artifacts"] if row["adds"]["hours"] >= SHOWN]
    rest = [row["adds"] for row in found["artifacts"] if row not in shown]
    hours, gigabytes = (sum(adds[key] for adds in rest) for key in ("hours", "gigabytes"))
    lines = [(row["title"].split(":")[0], *both(row), *both(row["adds"])) for row in shown]
    lines.append((f"the {len(rest)} others", "", "", f"{hours:,.1f}", f"{gigabytes:,.1f}"))
    columns = ["item", "hours, if alone", "GB, if alone", "hours more than the lines above", "GB more"]
    return "\n".join(
        [
            f"By floating point operations and the measured speed of one {found['device']} (torch {found['torch']}):",
            f"{total['hours']:,.0f} GPU-hours in all, {total['at_most']:,.0f} if K grows as early as `auc_advance` may",
            f"let it, and {total['floor']:,.0f} at the speed of a large product of matrices;",
            f"{total['gigabytes']:,.0f} GB in `work/`, and at least {archives:,.0f} GB of archives.",
            f"Models per run: {found['seeds']}.",
            "",
            pd.DataFrame(lines, columns=columns).to_markdown(index=False, disable_numparse=True),
        ]
    )


def both(cost: dict[str, Any]) -> tuple[str, str]:
    """Hours and GB of a row of `atebm cost`."""
    return f"{cost['hours']:,.0f}", f"{cost['gigabytes']:,.1f}"


def ours_fig1(results: Path) -> str:
    frame = pd.read_csv(results / "fig1.csv").query("activation == 'relu' and state == 'final'")
    medians = frame.groupby("setting")[["reach", "local_maxima"]].median()
    parts = [f"{setting} p_0: {row.reach:.2f}, {row.local_maxima:.0f}" for setting, row in medians.iterrows()][::-1]
    return f"median reach and local maxima, {'; '.join(parts)}"


def ours_figS1(results: Path) -> str:
    frame = pd.read_csv(results / "figS1.csv").query("algorithm == 3")
    fall = frame["energy_initial"] / frame["energy_final"]
    rejected = [int((frame[name] <= 0.05).sum()) for name in ("p_value", "p_value_shifted")]
    above = frame.groupby("setting")["d_above_half"].median()
    return (
        f"energy distance falls at least {fall.min():.0f}-fold; two-sample test rejects {rejected[0]} of {len(frame)}, "
        f"shifted by 0.25 std {rejected[1]}; share off support with D > 1/2, median, uniform p_0 "
        f"{above['uniform']:.2f}, corner p_0 {above['corner']:.2f}"
    )


def ours_table2(results: Path) -> str:
    frame = pd.read_csv(results / "table2.csv", dtype=str, keep_default_na=False)
    mine = frame[frame["weights"] != ""].iloc[0]
    raw = frame.loc[frame["approach"].str.startswith("source images"), "measured_distance"].item()
    if "stand-in" in mine["metric"]:
        distance = f"stand-in distance {mine['measured_distance']} (source images {raw})"
        return f"{mine['data']}: {distance}, not comparable with FID"
    return f"IS {mine['measured_is']}, FID {mine['measured_distance']} (source images {raw})"


def ours_table1(results: Path) -> str:
    numbers = json.loads(pd.read_csv(results / "table1.csv")["numbers"].iloc[0])
    return (
        f"Eq. 11's gradient is Eq. 14 to {numbers['eq14_difference']:.0e}, Eq. 2's to {numbers['eq2_difference']:.0e}"
    )


def ours_tableS1(results: Path) -> str:
    u = pd.read_csv(results / "tableS1.csv").set_index("measured").loc["U"]
    return f"median [range], uniform p_0: minimax {u['minimax_uniform']}, maximin {u['maximin_uniform']}"


def ours_tableS2(results: Path) -> str:
    frame = pd.read_csv(results / "tableS2.csv")
    return f"{frame['layer'][0]} stem, {frame['parameters'].sum():,} parameters"


def ours_tableS3(results: Path) -> str:
    frame = pd.read_csv(results / "tableS3.csv", keep_default_na=False)
    return f"{frame['differs'].sum()} of {(frame['published'] != '').sum()} settings differ"


def ours_tableS4(results: Path) -> str:
    row = pd.read_csv(results / "tableS4.csv", dtype=str).iloc[0]
    return f"{row['task']}: {row['steps']} steps of {row['step_size']}"


def ours_tableS5(results: Path) -> str:
    rows = pd.read_csv(results / "tableS5.csv", dtype=str).head(2)
    return "; ".join(f"{row.task}: {row.here}" for row in rows.itertuples())


def ours_tableS6(results: Path) -> str:
    row = pd.read_csv(results / "tableS6.csv", dtype=str).iloc[-1]
    return f"{row['time']}, {row['device']} ({row['network']} network, {row['images']} images)"


def ours_curves(artifact: str) -> Callable[[Path], str]:
    """Of a figure of distances in the course of training: each run's at the checkpoint that is kept, over seeds."""

    def ours(results: Path) -> str:
        frame = pd.read_csv(results / f"{artifact}.csv").query("kept")
        return f"distance on validation sources: {by_run(frame)}"

    return ours


def ours_qualities(artifact: str) -> Callable[[Path], str]:
    """Of a figure of distances of samples: each run's, over seeds."""
    return lambda results: f"distance: {by_run(pd.read_csv(results / f'{artifact}.csv'))}"


def by_run(frame: pd.DataFrame) -> str:
    """Each run's mean distance, by its label."""
    means = frame.groupby("label", sort=False)["distance"].mean()
    return "; ".join(f"{label} {mean:.4g}" for label, mean in means.items())


def ours_stability(results: Path) -> str:
    frame = pd.read_csv(results / "stability.csv")
    last = frame.groupby(["lr", "objective", "contrastive", "seed"], sort=False).last()
    parts = [
        f"LR {lr:g}, {objective} with {attack}: "
        f"{'overflow' if rows['overflowed'].any() else format(rows[GAP].median(), '.3g')}"
        for (lr, objective, attack), rows in last.groupby(["lr", "objective", "contrastive"], sort=False)
    ]
    return f"median gap after {frame['iteration'].max()} iterations, K = {frame['K'].max()}: {'; '.join(parts)}"


def ours_table3(results: Path) -> str:
    frame = pd.read_csv(results / "table3.csv", dtype=str).dropna(subset=["measured_distance"])
    mine = frame[frame["weights"].notna()]
    return f"stand-in distances {', '.join(mine['measured_distance'])}"


def ours_tableS7(results: Path) -> str:
    frame = pd.read_csv(results / "tableS7.csv", dtype=str).dropna(subset=["measured_distance"])
    parts = frame.groupby("dataset", sort=False)["measured_distance"].agg(", ".join)
    return f"stand-in distances {'; '.join(parts)}"


def ours_detection(artifact: str) -> Callable[[Path], str]:
    """Of a table of AUROCs: those of each approach in the worst case, by Auto-PGD, over its sets."""

    def ours(results: Path) -> str:
        frame = pd.read_csv(results / f"{artifact}.csv", dtype=str, keep_default_na=False)
        frame = frame[(frame["setting"] == "Worst-case") & (frame["measured_auroc"] != "")]
        parts = [
            f"{approach} {', '.join(frame.loc[frame['approach'] == approach, 'measured_auroc'])}"
            for approach in frame["approach"].unique()
        ]
        return f"worst case: {'; '.join(parts)}"

    return ours


def ours_ood_curves(results: Path) -> str:
    frame = pd.read_csv(results / "ood_curves.csv").query("run == 'cifar10_ood'")
    means = frame.groupby("radius")["auroc"].mean()
    parts = ", ".join(f"{auroc:.3f} at {radius:g}" for radius, auroc in means.items())
    return f"mean over sets, adversarial training: {parts}"


def ours_ood_scores(results: Path) -> str:
    frame = pd.read_csv(results / "ood_scores.csv")
    return f"{len(frame)} logits of {frame['run'].nunique()} models"


def ours_ood_attacked(results: Path) -> str:
    frame = pd.read_csv(results / "ood_attacked.csv")
    rises = (frame["worst"] - frame["clean"]).groupby(frame["label"]).mean()
    return f"f rises by {', '.join(f'{rise:.1f} ({label})' for label, rise in rises.items())}"


def ours_ood_masking(results: Path) -> str:
    met = pd.read_csv(results / "ood_masking.csv")["met"]
    return f"{(met == 'yes').sum()} of {len(met)} checks met"


def ours_rows(artifact: str, what: str) -> Callable[[Path], str]:
    """Of a figure with a row per image."""
    return lambda results: f"{len(pd.read_csv(results / f'{artifact}.csv'))} {what}"


def ours_neighbours(artifact: str) -> Callable[[Path], str]:
    """Of a figure of nearest training images: how much nearer they are than held-out ones."""

    def ours(results: Path) -> str:
        own = compared(pd.read_csv(results / f"{artifact}.csv"))
        if own.empty:
            return "nothing held out"
        medians = ratios(own).groupby(own["space"], sort=False).median()
        parts = [f"{space} {median:.2f}" for space, median in medians.items()]
        return f"nearest training over nearest held-out image, median: {', '.join(parts)}"

    return ours


def ours_interpolation(artifact: str) -> Callable[[Path], str]:
    """Of a figure of interpolations: the energy of samples at the ends and in the middle."""

    def ours(results: Path) -> str:
        frame = pd.read_csv(results / f"{artifact}.csv")
        energies = frame[frame["steps"] > 0].groupby("share")["energy"].median()
        return (
            f"median energy at the ends {energies.iloc[[0, -1]].mean():.3g}, between {energies.iloc[1:-1].mean():.3g}"
        )

    return ours


def ours_trajectory(artifact: str) -> Callable[[Path], str]:
    """Of a figure of intermediate results: the number of steps with the lowest distance."""

    def ours(results: Path) -> str:
        frame = pd.read_csv(results / f"{artifact}.csv").drop_duplicates("steps").sort_values("distance")
        best = frame.iloc[0]
        return f"of these numbers of steps, {best['steps']:.0f} have the lowest distance, {best['distance']:.4g}"

    return ours


def ours_translation(artifact: str) -> Callable[[Path], str]:
    """Of a figure of translations: the distance to the target before and after."""

    def ours(results: Path) -> str:
        frame = pd.read_csv(results / f"{artifact}.csv")
        parts = [
            f"{name} {rows['distance'].iloc[0]:.4g} to {rows['distance'].iloc[-1]:.4g}"
            for name, rows in frame.groupby("translation", sort=False)
        ]
        return f"distance: {', '.join(parts)}"

    return ours


def ours_restoration(artifact: str) -> Callable[[Path], str]:
    """Of a figure of restorations: PSNR before and after."""

    def ours(results: Path) -> str:
        means = pd.read_csv(results / f"{artifact}.csv").groupby(["way", "steps"], sort=False)["psnr"].mean()
        parts = [f"{way} {rows.iloc[0]:.2f} to {rows.iloc[-1]:.2f}" for way, rows in means.groupby("way", sort=False)]
        return f"PSNR in dB: {', '.join(parts)}"

    return ours


def ours_picture_checks(results: Path) -> str:
    return f"{len(pd.read_csv(results / 'picture_checks.csv'))} values of one model each, beside trivial means"


GAP = "median_gap_100"
_PAPER = published("table2").set_index("approach").loc["Ours"]
_STEM = published("tableS2")["layer"][0]
_SAMPLERS = published("tableS4").set_index("task")
_SAMPLER = _SAMPLERS.loc["CIFAR-10"]
_STEPS = published("tableS5").set_index("task")["Ours"]
_TIME = published("tableS6").set_index("model").loc["Ours"]
_TABLE4, _TABLES8 = (
    published(table).query("setting == 'Worst-case'").replace("N/A", "") for table in ("table4", "tableS8")
)
_TASKS = list(_TABLES8.columns[2:])


def _cells(task: str) -> str:
    return f"{task} {', '.join(filter(None, _TABLES8[task]))}"


def _best(task: str) -> str:
    return f"{_SAMPLERS['steps'][task]} steps have the best FID"


_TABLE3, _TABLES7 = published("table3"), published("tableS7")
HEADLINES: dict[str, tuple[str, Callable[[Path], str]]] = {
    "fig1": ("picture", ours_fig1),
    "fig2": ("curves", ours_curves("fig2")),
    "fig3": ("picture", ours_qualities("fig3")),
    "fig4": ("picture", ours_qualities("fig4")),
    "fig5": ("curves", ours_curves("fig5")),
    "table2": (f"IS {_PAPER['is']}, FID {_PAPER['fid']}", ours_table2),
    "table3": (f"FID {', '.join(_TABLE3.loc[_TABLE3['approach'].str.startswith('Ours'), 'fid'])}", ours_table3),
    "table4": (
        f"worst case: Ours {', '.join(_TABLE4['Ours'])}; RATIO {', '.join(_TABLE4['RATIO'])}",
        ours_detection("table4"),
    ),
    "tableS8": (
        f"worst case: {'; '.join(map(_cells, _TASKS))}",
        ours_detection("tableS8"),
    ),
    "ood_curves": ("beyond the paper", ours_ood_curves),
    "ood_scores": ("beyond the paper", ours_ood_scores),
    "ood_attacked": ("beyond the paper", ours_ood_attacked),
    "ood_masking": ("beyond the paper", ours_ood_masking),
    "stability": ("LR 1e-6: Eq. 2 overflows, Eq. 11 does not", ours_stability),
    "figS1": ("picture", ours_figS1),
    "fig6": ("picture", ours_rows("fig6", "samples")),
    "fig7": ("picture", ours_translation("fig7")),
    "figS2": ("picture", ours_rows("figS2", "samples")),
    **{name: ("picture", ours_neighbours(name)) for name in ("figS3", "figS8", "figS9", "figS10")},
    **{name: ("picture", ours_rows(name, "samples")) for name in ("figS4", "figS5", "figS6", "figS7")},
    **{name: ("picture", ours_interpolation(name)) for name in ("figS11", "figS12", "figS13")},
    "figS14": (_best("CelebA-HQ 256"), ours_trajectory("figS14")),
    "figS15": (_best("AFHQ-CAT 256"), ours_trajectory("figS15")),
    "figS16": (_best("LSUN-Church 256"), ours_trajectory("figS16")),
    "figS17": ("picture", ours_rows("figS17", "rows: f of both models before and after")),
    **{name: ("picture", ours_restoration(name)) for name in ("figS18", "figS19")},
    "figS20": ("picture", ours_translation("figS20")),
    "figS21": ("picture", ours_rows("figS21", "images")),
    "picture_checks": ("beyond the paper", ours_picture_checks),
    "table1": ("theory", ours_table1),
    "tableS1": ("U = -log 4 = -1.3863", ours_tableS1),
    "tableS2": (f"{_STEM} stem", ours_tableS2),
    "tableS3": ("4 tasks", ours_tableS3),
    "tableS4": (f"CIFAR-10: {_SAMPLER['steps']} steps of {_SAMPLER['step_size']}", ours_tableS4),
    "tableS5": (f"CIFAR-10: {_STEPS.iloc[0]} in training, {_STEPS.iloc[1]} in sampling", ours_tableS5),
    "tableS6": (f"{_TIME['time']}, {_TIME['device']}", ours_tableS6),
    "tableS7": (f"FID {'; '.join(_TABLES7.groupby('dataset', sort=False)['fid'].agg(', '.join))}", ours_tableS7),
}
