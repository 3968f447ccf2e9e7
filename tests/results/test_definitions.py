"""The pages of definitions have the text of the docstrings, and every metric has a definition."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import pytest
import torch
from definition_page import FOLDER, INDEX, pages

from neuroact import LayerActivity, Recording, SignalKind
from neuroact import statistics as stats
from neuroact.energy import OperationCosts
from neuroact.results.beside_operations import MemoryAccesses, NeuronUpdates
from neuroact.results.energy import Energy
from neuroact.results.operations import LayerOperations, OperationCounts, Operations
from neuroact.statistics import BUILT_IN
from neuroact.statistics.results import CountedResult

RESULTS = [getattr(stats, f"{name}Result") for name in BUILT_IN]
BESIDE = (NeuronUpdates, MemoryAccesses, Energy)
OPERATIONS = (OperationCounts, LayerOperations, Operations, *BESIDE)
METRICS = {
    f"{cls.__name__}.{name}": member
    for cls in (LayerActivity, CountedResult, *RESULTS, *OPERATIONS)
    for name, member in vars(cls).items()
    if not name.startswith("_") and isinstance(member, property | cached_property)
}


def test_the_pages_are_up_to_date() -> None:
    written = {path: path.read_text(encoding="utf-8") for path in (INDEX, *FOLDER.iterdir())}
    assert written == pages(), "run: python tests/shared/definition_page.py"


def test_every_statistic_is_on_a_page() -> None:
    named = {name for name in stats.__all__ if f"{name}Result" in stats.__all__}
    assert named == set(BUILT_IN)


@pytest.mark.parametrize("name", [name for name in BUILT_IN if name != "Raster"])
def test_a_statistic_says_its_memory_its_kinds_and_what_no_spikes_give(name: str) -> None:
    text = " ".join((inspect.getdoc(getattr(stats, name)) or "").split())
    said = "With zero spikes", "Before any chunk there is no result", "O(neurons)", "Memory:"
    assert said[0] in text
    assert said[1] in text
    assert said[2] in text or said[3] in text
    refused = frozenset(SignalKind) - getattr(getattr(stats, name), "kinds", frozenset(SignalKind))
    assert not refused or "Applies to binary and graded layers" in text


@pytest.mark.parametrize("name", METRICS)
def test_every_figure_has_a_definition(name: str) -> None:
    text = inspect.getdoc(METRICS[name]) or ""
    assert len(text) > 20
    assert text.split("\n")[0].endswith((".", ",")) or "\n" in text


COUNTED = [cls for cls in (*OPERATIONS, OperationCosts) if dataclasses.is_dataclass(cls)]


@pytest.mark.parametrize("cls", COUNTED)
def test_every_count_and_cost_is_defined_on_a_page(cls: type) -> None:
    text = "".join(pages().values())
    for field in dataclasses.fields(cls):
        assert f"- `{field.name}`: " in text


DIVIDES = [name for name, member in METRICS.items() if " / " in (inspect.getdoc(member) or "")]


@pytest.mark.parametrize("name", DIVIDES)
def test_a_figure_that_divides_says_when_it_is_nan(name: str) -> None:
    cls = next(
        c
        for c in (LayerActivity, CountedResult, *RESULTS, *OPERATIONS)
        if c.__name__ == name.split(".")[0]
    )
    assert "NaN" in (inspect.getdoc(METRICS[name]) or "") + (inspect.getdoc(cls) or "")


def train(*spikes: int) -> torch.Tensor:
    """One neuron's spikes in six steps of one sample."""
    return torch.zeros(6, 1, 1).index_fill(0, torch.tensor(spikes, dtype=torch.int64), 1.0)


NOTHING_TO_SEE = {
    "no spike": torch.zeros(5, 2, 3),
    "one spike": train(2),
    "one interval": train(1, 4),
    "every spike": torch.ones(5, 2, 3),
    "one step": torch.ones(1, 2, 3),
    "no sample": torch.zeros(5, 0, 3),
    "no step": torch.zeros(0, 2, 3),
    "no neuron": torch.zeros(5, 2, 0),
}


@pytest.mark.parametrize("case", NOTHING_TO_SEE)
def test_a_figure_that_is_nan_says_when_and_is_no_warning(case: str) -> None:
    spikes = NOTHING_TO_SEE[case]
    recording = Recording(statistics=BUILT_IN.values(), dt=0.001)
    with recording.batch(labels=torch.arange(spikes.shape[1]) % 2):
        recording.observe("lif", spikes)
    layer = recording.report()["lif"]
    unsaid, undefined = [], 0
    for found in (layer, *layer.results.values()):
        for name, value in numbers_of(found):
            if np.isnan(value).any():
                undefined += 1
                if "NaN" not in docstrings(type(found), name):
                    unsaid.append(f"{type(found).__name__}.{name}")
    assert unsaid == []
    assert undefined or case == "every spike"


LEVELS = ("quantile", "quantile_ms", "latency_quantile", "latency_quantile_ms")


def numbers_of(found: object) -> Iterator[tuple[str, Any]]:
    """Every metric that is a number or an array, and the median from each quantile function."""
    for name in dir(type(found)):
        if name in LEVELS:
            value = getattr(found, name)(0.5)
        elif isinstance(inspect.getattr_static(type(found), name), property | cached_property):
            value = getattr(found, name)
        else:
            continue
        if isinstance(value, float | np.ndarray):
            yield name, value


def docstrings(cls: type, name: str) -> str:
    """The docstrings of a metric and of the class that defines it."""
    defines = next(each for each in cls.__mro__ if name in vars(each))
    return f"{inspect.getdoc(vars(defines)[name])} {inspect.getdoc(defines)}"
