"""`neuroact adapters`: list the adapters, or check one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from neuroact.cli.reports import print_json
from neuroact.printable import printable

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

    why = why_missing()
    state = "there" if why is None else f"missing, recording is slower: {why}"
    typer.echo(printable(f"compiled core: {state}"))


def _print_table(statuses: Sequence[AdapterStatus]) -> None:
    from neuroact.table.columns import TableColumn
    from neuroact.table.layout import ShownTable, print_rendered

    columns = {
        "framework": [status.framework for status in statuses],
        "installed": [status.version or "-" for status in statuses],
        "tested": [" to ".join(dict.fromkeys(status.tested or ("-",))) for status in statuses],
        "status": [status.verdict for status in statuses],
        "adapter": [status.source for status in statuses],
    }
    table = [
        TableColumn(head, tuple(map(printable, cells)), left=True, apart=head == "adapter")
        for head, cells in columns.items()
    ]
    # What is not installed has no problem of its own.
    problems = {s.framework: s.problem for s in statuses if s.problem and s.version}
    print_rendered(ShownTable(table, problems))


def _check(framework: str) -> None:
    from neuroact.cli.application import FOUND
    from neuroact.testing.installed import check_installed_adapter

    report = check_installed_adapter(framework)
    typer.echo(str(report))
    if not report.ok:
        raise typer.Exit(FOUND)
