"""`--operations` and `--costs`: synaptic operations, and an estimate of what they take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from neuroact.energy import OperationCosts
    from neuroact.report.activity_report import ActivityReport
    from neuroact.report.operations_report import OperationsReport

Costs = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Add an estimate of the operations' energy, by these costs: the name of a set in "
        "neuroact.energy, such as HOROWITZ_45NM_FP32, or your own as package.module:NAME.",
    ),
]


def costs_named(name: str | None, *, as_json: bool = False) -> OperationCosts | None:
    """The costs of that name; None for None.

    Args:
        name: the value of `--costs`.
        as_json: whether the command prints JSON, which has no place for an estimate.

    Raises:
        BadParameter: there are no such costs, or the command prints JSON.
    """
    if name is None:
        return None
    if as_json:
        raise _wrong("--costs", "JSON has the operations, and no estimate: leave --json out")
    from neuroact import energy
    from neuroact.cli.target import named

    own = ":" in name
    found: Any = named(name, hint="--costs") if own else vars(energy).get(name)
    if not isinstance(found, energy.OperationCosts):
        sets = [n for n in energy.__all__ if isinstance(getattr(energy, n), energy.OperationCosts)]
        what = f"{name} is {found!r}" if own else f"neuroact.energy has no costs {name!r}"
        there_are = f"There are: {', '.join(sets)}; name your own OperationCosts as package.module"
        raise _wrong("--costs", f"{what}. {there_are}:NAME")
    return found


def operations_of(report: ActivityReport, option: str) -> OperationsReport:
    """A report's operations.

    Args:
        report: the report of the command's FILE.
        option: the option that needs them.

    Raises:
        BadParameter: it was made without them.
    """
    if report.recorded_operations is None:
        raise _wrong(
            option,
            "FILE has no synaptic operations: record them by neuroact run TARGET --operations",
        )
    return report.operations


def print_operations(
    operations: OperationsReport, costs: OperationCosts | None, *, legend: bool = False
) -> None:
    """Print the table of operations, and that of their energy if there are costs."""
    from neuroact.table.energy import EnergyTable
    from neuroact.table.layout import print_rendered
    from neuroact.table.operations import IN_COMMANDS, OperationsTable

    print_rendered(OperationsTable(operations, legend=legend, hint=IN_COMMANDS))
    if costs is not None:
        print()
        print_rendered(EnergyTable(operations.energy(costs)))


def _wrong(option: str, what: str) -> typer.BadParameter:
    return typer.BadParameter(f"{what}.", param_hint=option)
