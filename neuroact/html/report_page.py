"""The page of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from neuroact.errors import MissingExtraError
from neuroact.html.drawings import counted, scales
from neuroact.html.page import facts_of, rendered
from neuroact.html.pictures import Picture, layer_pictures, report_pictures
from neuroact.html.rows import PageRow, columns, row_of, value_text
from neuroact.printable import printable
from neuroact.results.diagnosis import Verdict, diagnose
from neuroact.table import Totals, notes, number_text

if TYPE_CHECKING:
    from neuroact.results.layers import Layers

_CHECKED = "Every layer has figures, and none of them gave a verdict."
_MOST_DRAWN = 12  # a tenth of a second each
_ORIGIN_NOTES = ("model", "versions")  # in the provenance already


@dataclass(frozen=True, slots=True)
class Line:
    """A verdict in words."""

    what: str
    figures: str
    bound: str = ""


@dataclass(frozen=True, slots=True)
class Sick:
    """A layer that needs a look, and why."""

    layer: str
    target: str
    mark: str
    lines: tuple[Line, ...]


def report_page(report: Layers) -> str:
    """The report as a self-contained page of HTML.

    Verdicts come first; then the table, which sorts and filters; the plots; each layer's details;
    what the figures mean; where they come from. The page fetches nothing. Names and whatever else
    came from a model or a file are shown as text. Where matplotlib is missing the page has no
    plots, and says so; the drawings in its table are there all the same.
    """
    verdicts: dict[str, list[Verdict]] = {}
    for verdict in diagnose(report):
        verdicts.setdefault(verdict.layer, []).append(verdict)
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
        counted(len(layers), "layer"),
        counted(sum(layer.neurons for layer in layers), "neuron"),
        counted(max((layer.sequences for layer in layers), default=0), "sequence"),
        counted(max((layer.observations for layer in layers), default=0), "step"),
        *([printable(created)] if isinstance(created, str) else []),
    ]


def _headline(sick: Sequence[Sick], layers: int) -> str:
    if not layers:
        return "No layer was recorded"
    if not sick:
        return f"All {layers} layers look well" if layers > 1 else "The layer looks well"
    return f"{len(sick)} of {layers} layers need{'s' if len(sick) == 1 else ''} a look"


def _sick(
    report: Layers, rows: Sequence[PageRow], verdicts: Mapping[str, Sequence[Verdict]]
) -> list[Sick]:
    found = []
    for row, layer in zip(rows, report.values(), strict=True):
        lines = [_line_of(verdict) for verdict in verdicts.get(layer.name, ())]
        if not lines and (reason := layer.problem):
            lines = [Line("no figures", reason)]
        if lines:
            found.append(Sick(row.name, row.target, row.mark, tuple(lines)))
    never = Line("never called", "recorded, but without figures")
    return found + [
        Sick(printable(name), "definitions", "fault", (never,)) for name in report.not_called
    ]


def _line_of(verdict: Verdict) -> Line:
    value, threshold = value_text(verdict), value_text(verdict, verdict.threshold)
    figure = "" if verdict.figure == verdict.name else f"{verdict.figure} "
    return Line(verdict.name, f"{figure}{value}", f"threshold {threshold}")


def _totals(report: Layers) -> dict[str, str]:
    totals = Totals.of(list(report.values()))
    counts = {name: f"{getattr(totals, name):,}" for name in ("neurons", "dead", "saturated")}
    return counts | {"sparsity": number_text(totals.sparsity)}


def _scale_note(ends: Mapping[Any, tuple[float, float]]) -> str:
    scale = "; ".join(
        f"{kind.value} layers from {number_text(low)} to {number_text(high)}"
        for kind, (low, high) in ends.items()
    )
    return f"The drawn activity has one scale for all layers of a kind: {scale}." if scale else ""


def _pictures(
    report: Layers, verdicts: Mapping[str, Sequence[Verdict]]
) -> tuple[tuple[Picture, ...], dict[int, tuple[Picture, ...]], str]:
    """The plots of all layers, those of single ones by number, and what there is to say of them."""
    numbers = sorted(range(len(report)), key=lambda at: list(report)[at] not in verdicts)
    chosen = dict(sorted((at, list(report.values())[at]) for at in numbers[:_MOST_DRAWN]))
    try:
        of_all, of_each = report_pictures(report), layer_pictures(chosen)
    except MissingExtraError as missing:
        return (), {}, f"No plots: {missing}"
    some = f"Plots of single layers, among their details, are of {_MOST_DRAWN} layers at most, "
    some += "of those with a verdict first."
    return of_all, of_each, some if len(report) > _MOST_DRAWN else ""
