"""The results of statistics beside `Firing` in a layer, as a page shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from neuroact.printable import printable
from neuroact.results.definitions import definition, headline
from neuroact.results.statistic_figures import OF_LAYER, figures_of, medians_of
from neuroact.statistics.results import LayerResult
from neuroact.table import number_text

_MOST_TEXT = 400


@dataclass(frozen=True, slots=True)
class Fact:
    """A value with its name, and its definition if there is one."""

    name: str
    text: str
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class ResultBlock:
    """The result of one statistic."""

    title: str
    meaning: str
    facts: tuple[Fact, ...]


def result_blocks(results: Mapping[str, Any]) -> tuple[ResultBlock, ...]:
    """A block for each statistic. The result of a user's own statistic is shown as its `repr`."""
    return tuple(_block(name, result) for name, result in results.items())


def _block(name: str, result: Any) -> ResultBlock:
    if name not in OF_LAYER or not isinstance(result, LayerResult):
        text = repr(result)
        shown = text if len(text) <= _MOST_TEXT else text[:_MOST_TEXT] + "…"
        return ResultBlock(printable(name), "", (Fact("result", printable(shown)),))
    cls = type(result)
    facts = [Fact(n, _text(value), definition(n, cls)) for n, value in figures_of(name, result)]
    for metric, median, known in medians_of(name, result):
        meaning = f"Median over the {known:,} neurons that have one. {definition(metric, cls)}"
        facts.append(Fact(f"{metric}, median", number_text(median), meaning))
    return ResultBlock(name, headline(cls), tuple(facts))


def _text(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else number_text(value)
