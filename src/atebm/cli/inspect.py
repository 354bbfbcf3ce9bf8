"""What is here, where it comes from, and what the rest would cost."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from .options import (
    INSPECT,
    Device,
    Json,
    Overrides,
    artifact_names,
    named,
    pick_device,
    present_plan,
    show,
    verb,
)

app = typer.Typer()
command = partial(verb, app, INSPECT)


@command("atebm doctor")
def doctor(as_json: Json = False) -> None:
    """Say what this machine and this folder have, and what each scale would need. Exit code 1: something is missing."""
    from ..maintenance.doctor import describe_machine, examine

    found = examine(Path())
    show(found, describe_machine, as_json)
    raise typer.Exit(bool(found["missing"]))


@command("atebm headline table2")
def headline(
    artifacts: Annotated[list[str], typer.Argument(help="such as table2", autocompletion=artifact_names)],
    config: Overrides = None,
) -> None:
    """Say in one line what an artifact found, and what the paper published."""
    from ..maintenance.docs import headline

    plan = present_plan(config)
    for name in artifacts:
        print(headline(name, plan, Path()))


@command("atebm status -C scale=paper")
def status(
    lists: Annotated[
        list[str] | None,
        typer.Argument(help="artifacts, runs, sets or scales; by default steps and artifacts", show_default=False),
    ] = None,
    config: Overrides = None,
    as_json: Json = False,
) -> None:
    """List steps and artifacts, or runs, sets or scales, and what of them is here: done, drawn, trained, prepared."""
    from ..provenance.status import describe_status, status

    show(status(present_plan(config), Path(), lists or []), describe_status, as_json)


@command("atebm cost -C scale=paper")
def cost(
    config: Overrides = None,
    device: Device = "auto",
    rates: Annotated[
        Path | None,
        typer.Option(
            help="a file of another device's speeds, such as data/expected/rates_h100.json: nothing is measured here",
            exists=True,
            dir_okay=False,
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what each artifact costs before it is computed: hours on this device, whose speed is measured, and disk."""
    from ..cost.rates import Rates
    from ..cost.table import costs, describe_costs
    from ..cost.throughput import Throughput

    throughput = Rates(rates) if rates else Throughput(pick_device(device))
    show(costs(present_plan(config), Path(), throughput), describe_costs, as_json)


@command("atebm explain table2")
def explain(
    what: Annotated[str, typer.Argument(help="an artifact (table2), a step or a run (cifar10)", autocompletion=named)],
    config: Overrides = None,
    as_json: Json = False,
) -> None:
    """Trace numbers to files, specs, lines of the configuration, and the paper."""
    from ..config.load import load
    from ..pipeline.plan import Plan
    from ..provenance.explain import describe_evidence, explain

    typed, origins = load(Path(), config or [])
    show(explain(what, Plan(typed, config or []), origins, Path()), describe_evidence, as_json)


@command("atebm verify")
def verify(config: Overrides = None, as_json: Json = False) -> None:
    """Check files in work/, results/ and models/ by the records: missing, altered, stale. Exit code 1: findings."""
    from ..provenance.verify import describe_findings, verify

    findings, checked = verify(present_plan(config), Path(), quiet=as_json)
    kinds = [finding.split(maxsplit=1) for finding in findings]
    found = {"checked": checked, "findings": [{"kind": kind, "what": what} for kind, what in kinds]}
    show(found, describe_findings, as_json)
    raise typer.Exit(bool(findings))
