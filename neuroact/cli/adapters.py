"""`neuroact adapters`: list the adapters, or check one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from neuroact.cli.reports import print_json

if TYPE_CHECKING:
    from neuroact.layers.adapter_status import AdapterStatus

EXAMPLES = """
neuroact adapters
neuroact adapters --json
neuroact adapters --check norse
"""


def adapters(
    check: Annotated[
        str | None,
        typer.Option(
            "--check",
            metavar="NAME",
            help="Run the checks of neuroact.testing on the adapter of this framework, with the "
            "examples of the adapter's package. Exit code 1 if a check fails.",
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the list as JSON instead of a table.")
    ] = False,
) -> None:
    """List the installed adapters, and say whether they work.

    The last line says whether the compiled core, which counts on a CPU, is there, and if not, why.

    The version of an adapter's framework is listed too. One outside the tested range may still
    work. A broken adapter does not affect the others.
    """
    if check is not None:
        _check(check)
        return
    from neuroact.layers.adapter_status import adapter_statuses

    statuses = adapter_statuses()
    if as_json:
        print_json([{**asdict(status), "status": status.verdict} for status in statuses])
        return
    _print_table(statuses)
    _print_core()


def _print_core() -> None:
    from neuroact.native import why_missing
    from neuroact.printable import printable

    why = why_missing()
    state = "there" if why is None else f"missing, recording is slower: {why}"
    typer.echo(printable(f"compiled core: {state}"))


def _print_table(statuses: Iterable[AdapterStatus]) -> None:
    from neuroact.printable import printable

    rows = [("framework", "installed", "tested", "adapter", "status")]
    for status in statuses:
        tested = " to ".join(dict.fromkeys(status.tested or ("-",)))
        rows.append(
            (status.framework, status.version or "-", tested, status.source, status.verdict)
        )
        if status.problem is not None and status.version is not None:
            rows.append(("", "", "", "", status.problem))
    widths = [max(len(row[at]) for row in rows) for at in range(4)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        typer.echo(printable("  ".join([*cells, row[4]]).rstrip()))


def _check(framework: str) -> None:
    from neuroact.cli.application import FOUND
    from neuroact.testing.installed import check_installed_adapter

    report = check_installed_adapter(framework)
    typer.echo(str(report))
    if not report.ok:
        raise typer.Exit(FOUND)
