"""The page of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from neuroact.errors import MissingExtraError
from neuroact.html.drawings import quantity, scales
from neuroact.html.operations import operations_section
from neuroact.html.page import facts_of, rendered
from neuroact.html.pictures import Picture, layer_pictures, report_pictures
from neuroact.html.rows import PageRow, columns, row_of, value_text
from neuroact.printable import printable
from neuroact.results.diagnosis import Verdict, diagnose
from neuroact.table import Totals, notes, number_text
from neuroact.table.text import count_text, share_text

if TYPE_CHECKING:
    from neuroact.energy import OperationCosts
    from neuroact.results.layers import Layers

_CHECKED = "Every layer has figures, and none has a verdict."
_MOST_DRAWN = 12  # each takes a tenth of a second
_ORIGIN_NOTES = ("model", "versions")  # they are in the origin already


@dataclass(frozen=True, slots=True)
class Line:
    """A verdict in words."""

    what: str
    measured: str
    bound: str = ""


@dataclass(frozen=True, slots=True)
class SickLayer:
    """A layer that needs a look, and why."""

    layer: str
    target: str
    mark: str
    lines: tuple[Line, ...]


def report_page(report: Layers, costs: OperationCosts | None = None) -> str:
    """The report as a self-contained page of HTML.

    It has, in this order: verdicts; a table that sorts and filters; plots; synaptic operations, if
    they were recorded, and an estimate of their energy, if there are costs; each layer's details;
    definitions; the origin. The page fetches nothing. Everything from a model or a file, such as
    names, is shown as text. Without matplotlib the page has no plots, and says so; the small
    drawings in its table are still there.

    Raises:
        MissingOperationsError: there are costs and no operations.
        TypeError: the costs are no `OperationCosts`.
    """
    operations = operations_section(report, costs)
    verdicts: dict[str, list[Verdict]] = {}
    for verdict in diagnose(report):
        for name in verdict.layers:
            verdicts.setdefault(name, []).append(verdict)
    layers = list(report.values())
    ends = scales(layers)
    drawn, drawn_each, about = _pictures(report, verdicts)
    rows = [
        row_of(layer, at, verdicts.get(layer.name, ()), ends, drawn_each.get(at, ()))
        for at, layer in enumerate(layers)
    ]
    sick = _sick(report, rows, verdicts)
    return rendered(
        "report.html.j2",
        title=printable(_title(report)),
        facts=_line(report),
        headline=_headline(sick, len(rows) + len(report.not_called)),
        checked=_CHECKED if rows else "",
        sick=sick,
        advice={v.name: v.advice for found in verdicts.values() for v in found if v.advice},
        rows=rows,
        columns=columns(rows, layers),
        totals=_totals(report),
        scale_note=_scale_note(ends),
        pictures=drawn,
        about_pictures=about,
        operations=operations,
        notes={k: v for k, v in notes(report).items() if k not in _ORIGIN_NOTES},
        origin=facts_of(report.origin),
    )


def _title(report: Layers) -> str:
    model = report.origin.get("model")
    return model if isinstance(model, str) and model else "Activity report"


def _line(report: Layers) -> list[str]:
    layers = list(report.values())
    created = report.origin.get("created")
    return [
        quantity(len(layers), "layer"),
        quantity(sum(layer.neurons for layer in layers), "neuron"),
        quantity(max((layer.sequences for layer in layers), default=0), "sequence"),
        quantity(max((layer.observations for layer in layers), default=0), "step"),
        *([printable(created)] if isinstance(created, str) else []),
    ]


def _headline(sick: Sequence[SickLayer], layers: int) -> str:
    if not layers:
        return "No layer was recorded"
    if not sick:
        return f"All {layers} layers look well" if layers > 1 else "The layer looks well"
    return f"{len(sick)} of {layers} layers need{'s' if len(sick) == 1 else ''} a look"


def _sick(
    report: Layers, rows: Sequence[PageRow], verdicts: Mapping[str, Sequence[Verdict]]
) -> list[SickLayer]:
    found = []
    for row, layer in zip(rows, report.values(), strict=True):
        lines = [_line_of(verdict) for verdict in verdicts.get(layer.name, ())]
        if not lines and (reason := layer.problem):
            lines = [Line("no figures", reason)]
        if lines:
            found.append(SickLayer(row.name, row.target, row.mark, tuple(lines)))
    never = Line("never called", "recorded, but without figures")
    return found + [
        SickLayer(printable(name), "definitions", "no-figures", (never,))
        for name in report.not_called
    ]


def _line_of(verdict: Verdict) -> Line:
    value, threshold = value_text(verdict), value_text(verdict, verdict.threshold)
    figure = "" if verdict.figure == verdict.name else f"{verdict.figure} "
    return Line(verdict.name, f"{figure}{value}", f"threshold {threshold}")


def _totals(report: Layers) -> dict[str, str]:
    totals = Totals.of(list(report.values()))
    counts = {name: count_text(getattr(totals, name)) for name in ("neurons", "dead", "saturated")}
    return counts | {"sparsity": share_text(totals.sparsity)}


def _scale_note(ends: Mapping[Any, tuple[float, float]]) -> str:
    scale = "; ".join(
        f"{kind.value} layers from {number_text(low)} to {number_text(high)}"
        for kind, (low, high) in ends.items()
    )
    return (
        f"The drawn activity has the same scale in all layers of a kind: {scale}." if scale else ""
    )


def _pictures(
    report: Layers, verdicts: Mapping[str, Sequence[Verdict]]
) -> tuple[tuple[Picture, ...], dict[int, tuple[Picture, ...]], str]:
    """Plots of all layers, plots of single layers by number, and a note on them."""
    numbers = sorted(range(len(report)), key=lambda at: list(report)[at] not in verdicts)
    chosen = dict(sorted((at, list(report.values())[at]) for at in numbers[:_MOST_DRAWN]))
    try:
        of_all, of_each = report_pictures(report), layer_pictures(chosen)
    except MissingExtraError as missing:
        return (), {}, f"No plots: {missing}"
    some = f"At most {_MOST_DRAWN} layers have plots among their details, "
    some += "those with a verdict first."
    return of_all, of_each, some if len(report) > _MOST_DRAWN else ""
