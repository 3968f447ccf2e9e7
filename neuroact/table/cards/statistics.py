"""Cards of the results of statistics."""

from __future__ import annotations

import inspect
from dataclasses import fields
from functools import cached_property

import numpy as np

from neuroact.card import Card, brief, card_of, some
from neuroact.results.statistic_figures import OF_LAYER, OF_NEURONS, figures_of, medians_of
from neuroact.statistics.firing import FiringResult
from neuroact.statistics.results import LayerResult
from neuroact.table.text import number_text


@card_of.register
def _(result: FiringResult) -> Card:
    faults = [n for n in ("nonfinite", "not_binary") if getattr(result, n)]
    return Card(
        f"FiringResult: events of {result.events.size:,} neurons",
        {
            "events": f"{int(result.events.sum()):,} in all; {brief(result.events)}",
            "total": f"{float(result.total.sum()):,.6g} in all; {brief(result.total)}",
            "observed": f"{result.observations:,} steps, {result.sequences:,} sequences",
            "unreliable": ", ".join(faults),
            "more": ".dead(rate), .saturated(rate)",
        },
    )


@card_of.register
def _(result: LayerResult) -> Card:
    name = type(result).__name__.removesuffix("Result")
    figures = {n: _number(value) for n, value in figures_of(name, result) if value is not None}
    medians = {n: number_text(median) for n, median, _ in medians_of(name, result)}
    known = {*OF_LAYER.get(name, ()), *OF_NEURONS.get(name, ())}
    arrays = [f.name for f in fields(result) if isinstance(getattr(result, f.name), np.ndarray)]
    return Card(
        f"{type(result).__name__}: result of {name}",
        {
            "unreliable": result.unreliable or "",
            **_lines(figures),
            "medians": some((f"{n} {value}" for n, value in medians.items()), most=8),
            "arrays": some(f"{n} {list(getattr(result, n).shape)}" for n in arrays),
            "more": some(f".{n}" for n in _asked(type(result)) if n not in known),
        },
    )


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else number_text(value)


def _lines(figures: dict[str, str]) -> dict[str, str]:
    """The figures, five in a line."""
    said = [f"{name} {value}" for name, value in figures.items()]
    parts = [", ".join(said[at : at + 5]) for at in range(0, len(said), 5)]
    return {"figures" if not at else " " * at: part for at, part in enumerate(parts)}


def _asked(cls: type) -> list[str]:
    """Names of what the class computes once asked."""
    return [
        name
        for base in reversed(cls.__mro__)
        for name, member in vars(base).items()
        if not name.startswith("_")
        and (isinstance(member, property | cached_property) or inspect.isfunction(member))
        and name != "real_arrays"
    ]
