"""The results of statistics beside `Firing` in a layer, in the words of a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuroact.printable import printable
from neuroact.results.definitions import definition, headline
from neuroact.results.layer_activity import SPREAD
from neuroact.results.statistic_figures import OF_LAYER, figures_of, medians_of
from neuroact.results.verdict_words import percent
from neuroact.statistics.results import LayerResult
from neuroact.table import number_text

WORDS: Mapping[str, str] = {
    "mean": "mean",
    "std": "standard deviation",
    "min": "smallest",
    "q1": "lower quartile",
    "median": "median",
    "q3": "upper quartile",
    "max": "largest",
    "above_share": "at or above the threshold",
    "begun": "sequences seen",
    "bins": "bins of time",
    "bin_width": "width of a bin",
    "chi": "synchrony index χ",
    "cv": "variation of intervals, CV",
    "cv2": "local variation, CV2",
    "density": "not zero",
    "distance_mean": "mean distance to the threshold",
    "distance_min": "smallest distance to the threshold",
    "fano_factor": "Fano factor of a neuron",
    "kept": "sequences kept",
    "l0": "values not zero at a step",
    "latency_mean": "mean time to the first spike",
    "lv": "local variation, LV",
    "mean_interval": "mean interval of a neuron",
    "mean_per_neuron": "mean of a neuron",
    "never_share": "sequences without a spike",
    "onset": "time to the first event",
    "selectivity": "class selectivity of a neuron",
    "std_per_neuron": "standard deviation of a neuron",
    "watched": "neurons watched",
    "window": "steps in a window",
    "zeros_share": "zeros",
    "zeros_share_per_neuron": "zeros of a neuron",
}
"""Names of figures. Those not listed read well as they are."""

_TITLES = {
    "ClassActivity": "Activity by class",
    "InterspikeIntervals": "Interspike intervals",
    "Raster": "Spikes of the first sequences",
    "Signal": "Values",
    "SpikeCounts": "Spikes per sequence and neuron",
    "Synchrony": "Synchrony",
    "TimeCourse": "Activity over time",
}
_IN_STEPS = {
    "InterspikeIntervals": {*SPREAD, "mean_interval"},
    "Synchrony": {"bin_width"},
    "TimeCourse": {"bin_width", "latency_mean", "onset"},
}
_SHARES = {"above_share", "density", "never_share", "zeros_share", "zeros_share_per_neuron"}
_MOST_TEXT = 400


@dataclass(frozen=True, slots=True)
class Fact:
    """A value with its name, and the term of the glossary that defines it, if there is one."""

    name: str
    text: str
    term: str = ""


@dataclass(frozen=True, slots=True)
class Term:
    """An entry of the glossary.

    Attributes:
        key: unique in a page.
        name: what it defines, as a page names it.
        meaning: the definition.
    """

    key: str
    name: str
    meaning: str


@dataclass(frozen=True, slots=True)
class ResultBlock:
    """The result of one statistic."""

    title: str
    facts: tuple[Fact, ...]
    terms: tuple[Term, ...] = ()


def words(figure: str) -> str:
    """A figure's name in words."""
    return WORDS.get(figure, figure.replace("_", " "))


def result_blocks(results: Mapping[str, Any], dt: float | None) -> tuple[ResultBlock, ...]:
    """A block for each statistic. The result of a user's own statistic is shown as its `repr`.

    Args:
        results: a layer's results.
        dt: seconds per step, if known.
    """
    return tuple(_block(name, result, dt) for name, result in results.items())


def _block(name: str, result: Any, dt: float | None) -> ResultBlock:
    if name not in OF_LAYER or not isinstance(result, LayerResult):
        text = repr(result)
        shown = text if len(text) <= _MOST_TEXT else text[:_MOST_TEXT] + "…"
        return ResultBlock(printable(name), (Fact("result", printable(shown)),))
    cls, title = type(result), _TITLES[name]
    terms = [Term(name, title, headline(cls))]
    facts = []
    for figure, value, over in _figures(name, result):
        key = f"{name}-{figure}"
        facts.append(Fact(words(figure), _text(name, figure, value, dt), key))
        terms.append(Term(key, f"{title}: {words(figure)}", over + definition(figure, cls)))
    return ResultBlock(title, tuple(facts), tuple(terms))


def _figures(name: str, result: Any) -> Iterator[tuple[str, float, str]]:
    """Figures of the layer; then of its neurons, the median of those that have one.

    Those in ms are left out: `_text` turns steps into ms.
    """
    for figure, value in figures_of(name, result):
        if value is not None and not figure.endswith("_ms"):
            yield figure, value, ""
    for figure, median, _ in medians_of(name, result):
        if not figure.endswith("_ms"):
            yield figure, median, "Here the median over the neurons that have one. "


def _text(name: str, figure: str, value: float, dt: float | None) -> str:
    """A value as text: times in ms where a step's length is known, shares in percent."""
    if np.isnan(value):
        return "-"
    if figure in _IN_STEPS.get(name, ()):
        if dt is not None:
            return f"{1000 * dt * value:.4g} ms"
        return f"{value:.4g} step{'' if value == 1 else 's'}"
    if figure in _SHARES:
        return percent(value)
    return f"{value:,}" if isinstance(value, int) else number_text(value)
