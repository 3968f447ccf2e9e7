"""The page of definitions is what the docstrings say, and every figure has its definition."""

from __future__ import annotations

import inspect
from functools import cached_property

import pytest

from definition_page import PAGE, TOLD, page
from neuroact import LayerActivity, SignalKind
from neuroact import statistics as stats
from neuroact.statistics.class_activity import ClassActivityResult
from neuroact.statistics.counted import CountedResult

RESULTS = [*(getattr(stats, f"{name}Result") for name in TOLD), ClassActivityResult]
FIGURES = {
    f"{cls.__name__}.{name}": member
    for cls in (LayerActivity, CountedResult, *RESULTS)
    for name, member in vars(cls).items()
    if not name.startswith("_") and isinstance(member, property | cached_property)
}


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python tests/definition_page.py"


def test_every_statistic_is_on_the_page() -> None:
    named = {name for name in stats.__all__ if f"{name}Result" in stats.__all__}
    assert named == set(TOLD)


@pytest.mark.parametrize("name", [name for name in TOLD if name != "Raster"])
def test_a_statistic_says_its_memory_its_kinds_and_what_no_spikes_give(name: str) -> None:
    text = " ".join((inspect.getdoc(getattr(stats, name)) or "").split())
    said = "With zero spikes", "before any chunk there is no result", "O(neurons)", "Memory:"
    assert said[0] in text
    assert said[1] in text
    assert said[2] in text or said[3] in text
    refused = frozenset(SignalKind) - getattr(getattr(stats, name), "kinds", frozenset(SignalKind))
    assert not refused or "Applies to binary and graded layers" in text


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_has_a_definition(name: str) -> None:
    text = inspect.getdoc(FIGURES[name]) or ""
    assert len(text) > 20
    assert text.split("\n")[0].endswith((".", ",")) or "\n" in text


DIVIDES = [name for name, member in FIGURES.items() if " / " in (inspect.getdoc(member) or "")]


@pytest.mark.parametrize("name", DIVIDES)
def test_a_figure_that_divides_says_when_it_is_nan(name: str) -> None:
    cls = next(
        c for c in (LayerActivity, CountedResult, *RESULTS) if c.__name__ == name.split(".")[0]
    )
    assert "NaN" in (inspect.getdoc(FIGURES[name]) or "") + (inspect.getdoc(cls) or "")
