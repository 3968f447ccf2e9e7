"""`--fail-on`: end a command with exit code 1 if there are certain verdicts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neuroact.cli.application import FOUND
from neuroact.printable import printable

if TYPE_CHECKING:
    from neuroact.report.activity_report import ActivityReport
    from neuroact.results.diagnosis import Verdict

_ANY = "any"

FailOn = Annotated[
    list[str] | None,
    typer.Option(
        metavar="VERDICT",
        help="End with exit code 1 if a layer has this verdict: dead, saturated, silent, fading, "
        "busy, bimodal, dead_channels, saturating, vanishing, exploding, or any. A number is your "
        "own threshold: dead=0.3 means 30 % of a layer or more. May be given several times.",
    ),
]
AsJson = Annotated[
    bool,
    typer.Option("--json", help="Print the report and its verdicts as JSON instead of a table."),
]


def conditions(options: Sequence[str] | None) -> dict[str, float | None]:
    """What `--fail-on` asks for: names of verdicts, and their thresholds if given.

    Raises:
        BadParameter: an unknown verdict, or a threshold out of range.
    """
    return dict(_condition(option) for option in options or ())


def verdicts(
    report: ActivityReport, asked: Mapping[str, float | None] | None = None
) -> list[Verdict]:
    """What is wrong with a report, by the thresholds asked for or else the default ones.

    Unlike in `diagnose`, a value equal to an asked threshold gives the verdict: dead=0.3 means 30 %
    or more.
    """
    from neuroact.results.diagnosis import judge
    from neuroact.results.verdict_kinds import THRESHOLDS

    given = {name: value for name, value in (asked or {}).items() if value is not None}
    # The next number below, for fading and vanishing above. 0 stays, to mean more than none.
    nearest = {
        name: math.nextafter(value, math.inf if name in ("fading", "vanishing") else 0.0)
        for name, value in given.items()
    }
    return [
        replace(verdict, threshold=given[verdict.name])
        # For a busy layer, the threshold is an event rate that follows from the given number.
        if verdict.name in given and verdict.name != "busy"
        else verdict
        for verdict in judge(report, {**THRESHOLDS, **nearest})
    ]


def document(report: ActivityReport, asked: Mapping[str, float | None]) -> dict[str, Any]:
    """A report's JSON with its verdicts beside the layers. Reading the report ignores them."""
    found = [verdict.to_dict() for verdict in verdicts(report, asked)]
    return {**report.to_dict(), "verdicts": found}


def end_by_verdicts(report: ActivityReport, asked: Mapping[str, float | None]) -> None:
    """End with exit code 1 if a layer has a verdict asked for, or cannot be judged.

    A layer without figures cannot be judged. Analog layers are not judged, and pass.
    """
    if not asked:
        return
    # A layer whose neurons are all dead is called silent, but it is also dead.
    names = set(asked) | ({"silent"} if "dead" in asked else set())
    lines = [str(v) for v in verdicts(report, asked) if _ANY in names or v.name in names]
    lines += _unjudged(report)
    for line in lines:
        typer.echo(printable(line), err=True)
    if lines:
        raise typer.Exit(FOUND)


def _unjudged(report: ActivityReport) -> list[str]:
    from neuroact.stream.chunk import SignalKind

    spiking = [layer for layer in report.values() if layer.kind is not SignalKind.ANALOG]
    reasons = {layer.name: reason for layer in spiking if (reason := layer.problem)}
    reasons |= dict.fromkeys(report.not_called, "it was recorded but never called")
    return [f'layer "{name}" cannot be judged: {reason}.' for name, reason in reasons.items()]


def _condition(option: str) -> tuple[str, float | None]:
    from neuroact.results.verdict_kinds import KINDS, THRESHOLDS, check_threshold

    name, equals, text = option.partition("=")
    known = (*KINDS, _ANY)
    if name not in known:
        raise _wrong(f"there is no verdict {name!r}. There are: {', '.join(known)}")
    if not equals:
        return name, None
    if name not in THRESHOLDS:
        raise _wrong(f"{name} takes no number, came {option!r}")
    try:
        value = float(text)
    except ValueError:
        raise _wrong(f"expected a number after {name}=, came {text!r}") from None
    try:
        check_threshold(name, value)
    except ValueError as problem:
        raise typer.BadParameter(str(problem), param_hint="--fail-on") from None
    return name, value


def _wrong(what: str) -> typer.BadParameter:
    return typer.BadParameter(f"{what}.", param_hint="--fail-on")
