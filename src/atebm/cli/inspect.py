"""Commands that show what is computed, where it comes from, and what the rest would cost."""

import sys
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from .options import Device, Json, Overrides, artifact_names, key_names, named, pick_device, present_plan, show
from .verbs import INSPECT, group, verb

app = group()
command = partial(verb, app, INSPECT)


class Lists(StrEnum):
    """The lists of `status`, as choices for completion."""

    artifacts = "artifacts"
    runs = "runs"
    sets = "sets"
    scales = "scales"


@command("atebm status runs")
def status(
    lists: Annotated[
        list[Lists] | None,
        typer.Argument(help="What to list; by default a summary, with the steps by kind.", show_default=False),
    ] = None,
    config: Overrides = None,
    todo: Annotated[bool, typer.Option("--todo", help="Name each step that is not done.")] = False,
    as_json: Json = False,
) -> None:
    """Show what is computed, and what to do next.

    Can list all artifacts, runs, sets or scales, and which of them are here.
    """
    from ..provenance.status import describe_status, describe_todo, status

    show(status(present_plan(config), Path(), lists or []), describe_todo if todo else describe_status, as_json)


@command("atebm doctor")
def doctor(
    scales: Annotated[
        bool, typer.Option("--scales", help="Also show what each scale needs; takes a few seconds.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check this machine and this checkout.

    Exit code 1: something is missing; the output says what to do.
    """
    from ..maintenance.doctor import describe_machine, examine

    found = examine(Path(), scales)
    show(found, describe_machine, as_json)
    raise typer.Exit(bool(found["missing"]))


@command("atebm config runs.cifar10")
def config(
    keys: Annotated[
        list[str] | None,
        typer.Argument(
            help="Parts to show, such as runs.cifar10; by default all.", show_default=False, autocompletion=key_names
        ),
    ] = None,
    config: Overrides = None,
    different: Annotated[
        bool, typer.Option("--different", help="Show only values that differ from the paper scale.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Print the composed configuration.

    Shows each value with its file and line, and with the value of the paper scale if that differs.
    """
    from ..provenance.composed import composed, describe_composed

    show(composed(Path(), config or [], keys or [], different), describe_composed, as_json)


@command("atebm explain table2")
def explain(
    what: Annotated[str, typer.Argument(help="An artifact (table2), a step or a run (cifar10).", autocompletion=named)],
    config: Overrides = None,
    as_json: Json = False,
) -> None:
    """Trace a number to its file, its settings and the paper."""
    from ..config.load import load
    from ..pipeline.plan import Plan
    from ..provenance.explain import describe_evidence, explain

    typed, origins = load(Path(), config or [])
    show(explain(what, Plan(typed, config or []), origins, Path()), describe_evidence, as_json)


@command("atebm cost -C scale=smoke")
def cost(
    config: Overrides = None,
    device: Device = "auto",
    rates: Annotated[
        Path | None,
        typer.Option(
            help="Use the speeds in this file instead of measuring, such as data/expected/rates_h100.json.",
            exists=True,
            dir_okay=False,
            metavar="FILE",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Estimate hours and disk space before anything is computed.

    The speed of this device is measured first, which takes a minute for the paper scale.
    """
    from ..cost.rates import Rates
    from ..cost.table import costs, describe_costs
    from ..cost.throughput import Throughput

    throughput = Rates(rates) if rates else Throughput(pick_device(device))
    show(costs(present_plan(config), Path(), throughput), describe_costs, as_json)


@command("atebm rehearse fig1 -C scale=paper")
def rehearse(
    artifacts: Annotated[
        list[str] | None,
        typer.Argument(
            help="Figures and tables, such as table2; by default all that the scale draws.",
            show_default=False,
            autocompletion=artifact_names,
        ),
    ] = None,
    config: Overrides = None,
    device: Device = "auto",
    batch: Annotated[
        int | None,
        typer.Option(
            min=1, help="Images in a batch; by default all of the scale's on a GPU, and 2 on a CPU.", show_default=False
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Try all kinds of work briefly, at true shapes.

    Says hours, memory and disk of the whole, and in one sentence each what would fail. Takes minutes; computes in
    work/rehearsal/. Exit code 1: findings.
    """
    from ..cost.extrapolated import describe, rehearsal

    tell = partial(print, file=sys.stderr, flush=True)
    found = rehearsal(present_plan(config), artifacts or [], Path(), device, batch, tell)
    show(found, describe, as_json)
    raise typer.Exit(bool(found["findings"]))


@command("atebm verify")
def verify(config: Overrides = None, as_json: Json = False) -> None:
    """Check every file against the recorded checksums.

    Finds missing, altered and stale files in work/, results/ and models/. Exit code 1: there are findings.
    """
    from ..provenance.verify import describe_findings, verify

    findings, checked = verify(present_plan(config), Path(), quiet=as_json)
    kinds = [finding.split(maxsplit=1) for finding in findings]
    found = {"checked": checked, "findings": [{"kind": kind, "what": what} for kind, what in kinds]}
    show(found, describe_findings, as_json)
    raise typer.Exit(bool(findings))
