"""The page of a report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from neuroact.card import several
from neuroact.html.drawings import scales
from neuroact.html.of_layer import layer_pictures
from neuroact.html.operations import operations_section
from neuroact.html.page import facts_of, rendered
from neuroact.html.pictures import report_pictures
from neuroact.html.results import Term
from neuroact.html.rows import PageRow, columns, layer_terms, row_of
from neuroact.html.unit import Unit
from neuroact.printable import printable
from neuroact.results.diagnosis import Diagnosis, Verdict, diagnose
from neuroact.results.verdict_kinds import SEVERITIES
from neuroact.results.verdict_words import bound_text, percent
from neuroact.table import Totals, notes
from neuroact.table.text import count_text

if TYPE_CHECKING:
    from neuroact.energy import OperationCosts
    from neuroact.results.layers import Layers

_MOST_DRAWN = 100
# Notes below a terminal's table that the page says in another place, or that are of its columns.
_SAID = (
    *("activity", "dead", "Hz", "histogram", "mean to max", "model", "saturated", "sequences"),
    *("sparsity", "steps", "verdicts", "versions"),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong.

    Attributes:
        layer: where; of several layers the first.
        target: the place in the page that says more.
        severity: how bad it is.
        sentence: what was found.
        kind: the verdict, with its threshold.
    """

    layer: str
    target: str
    severity: str
    sentence: str
    kind: str = ""


def report_page(
    report: Layers, costs: OperationCosts | None = None, title: str | None = None
) -> str:
    """The report as a self-contained page of HTML.

    It has, in this order: a list of contents; verdicts, the most severe first; a table that sorts
    and filters; plots; synaptic operations, if they were recorded, and an estimate of their energy,
    if there are costs; each layer's details; definitions; the origin. Activity has one unit
    throughout: Hz if every layer is binary and has a `dt`, else values per step. The page fetches
    nothing. Everything from a model or a file, such as names, is shown as text.

    Args:
        report: what to show.
        costs: what an operation costs.
        title: the page's title; None: the model's name, if the report has one.

    Raises:
        MissingOperationsError: there are costs and no operations.
        TypeError: the costs are no `OperationCosts`.
    """
    operations = operations_section(report, costs)
    layers, found = list(report.values()), diagnose(report)
    unit, verdicts = Unit.of(layers), _by_layer(found)
    ends = scales(layers, unit)
    drawn = set(
        sorted(range(len(layers)), key=lambda at: layers[at].name not in verdicts)[:_MOST_DRAWN]
    )
    rows = [
        row_of(
            layer,
            at,
            verdicts.get(layer.name, ()),
            ends,
            unit,
            layer_pictures(layer, unit) if at in drawn else (),
        )
        for at, layer in enumerate(layers)
    ]
    sick = list(_findings(report, rows, found))
    marked = {name: ", ".join(_names(of)) for name, of in verdicts.items()}
    heads = columns(rows, layers, unit)
    return rendered(
        "report.html.j2",
        title=printable(_title(report) if title is None else title),
        facts=_line(report, unit),
        headline=_headline(sick, report, found),
        checked=_checked(report, found),
        sick=sick,
        severities=SEVERITIES,
        advice={_name(v): v.advice for v in found if v.advice},
        rows=rows,
        columns=heads,
        totals=_totals(report),
        scale_note=_scale_note(ends, unit),
        pictures=list(report_pictures(report, unit, marked)),
        about_pictures="" if len(layers) <= _MOST_DRAWN else _ABOUT_DRAWN,
        operations=operations,
        terms=[*layer_terms(unit, heads), *_terms(rows)],
        notes={k: v for k, v in notes(report).items() if k not in _SAID and k[:2] != "! "},
        origin=facts_of(report.origin),
    )


_ABOUT_DRAWN = (
    f"{_MOST_DRAWN} layers have pictures among their details: those with a verdict, then the first."
)


def _by_layer(verdicts: Iterable[Verdict]) -> dict[str, list[Verdict]]:
    found: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        for name in verdict.layers:
            found.setdefault(name, []).append(verdict)
    return found


def _name(verdict: Verdict) -> str:
    return verdict.name.replace("_", " ")


def _names(verdicts: Iterable[Verdict]) -> Iterator[str]:
    return (_name(verdict) for verdict in verdicts)


def _terms(rows: Iterable[PageRow]) -> list[Term]:
    """What the figures of statistics mean, each once."""
    return list({term.key: term for row in rows for term in row.terms}.values())


def _title(report: Layers) -> str:
    model = report.origin.get("model")
    return model if isinstance(model, str) and model else "Activity report"


def _line(report: Layers, unit: Unit) -> list[str]:
    layers = list(report.values())
    created = report.origin.get("created")
    return [
        several(len(layers), "layer"),
        several(sum(layer.neurons for layer in layers), "neuron"),
        several(max((layer.sequences for layer in layers), default=0), "sequence"),
        several(max((layer.observations for layer in layers), default=0), "step"),
        f"activity in {unit.text}",
        *([printable(created)] if isinstance(created, str) else []),
    ]


def _headline(sick: Sequence[Finding], report: Layers, found: Diagnosis) -> str:
    layers = len(report) + len(report.not_called)
    if not layers:
        return "No layer was recorded"
    if not sick:
        return "No threshold was passed"
    ill = {name for verdict in found for name in verdict.layers}
    ill |= {name for name, layer in report.items() if layer.problem is not None}
    number = len(ill) + len(report.not_called)
    return f"{number} of {layers} layer{'s' * (layers > 1)} need{'s' * (number == 1)} a look"


def _checked(report: Layers, found: Diagnosis) -> str:
    said = found.nothing.partition("; ")[2]
    return f"{said[:1].upper()}{said[1:]}." if said and len(report) else ""


def _findings(report: Layers, rows: Sequence[PageRow], found: Diagnosis) -> Iterator[Finding]:
    """What is wrong, the most severe first; layers without figures before all else."""
    targets = {name: row.target for name, row in zip(report, rows, strict=True)}
    for name, layer in report.items():
        if (reason := layer.problem) is not None:
            yield Finding(printable(name), targets[name], "severe", f"No figures: {reason}")
    for name in report.not_called:
        said = "Never called: it was recorded, and has no figures"
        yield Finding(printable(name), "definitions", "severe", said)
    for verdict in found:
        bound = "" if verdict.name == "silent" else f", threshold {bound_text(verdict.threshold)}"
        name, kind = printable(verdict.layer), _name(verdict) + bound
        yield Finding(name, targets[verdict.layer], verdict.severity, verdict.sentence, kind)


def _totals(report: Layers) -> dict[str, str]:
    totals = Totals.of(list(report.values()))
    counts = {name: count_text(getattr(totals, name)) for name in ("neurons", "dead", "saturated")}
    return counts | {"sparsity": "-" if totals.sparsity is None else percent(totals.sparsity)}


def _scale_note(ends: Mapping[Any, tuple[float, float]], unit: Unit) -> str:
    scale = "; ".join(
        f"{kind.value} layers from {unit.number(low)} to {unit.number(high)} {unit.text}"
        for kind, (low, high) in ends.items()
    )
    return (
        f"The drawn activity has the same scale in all layers of a kind: {scale}." if scale else ""
    )
