"""The checks of a statistic: its methods, and its results compared with NumPy."""

from __future__ import annotations

from neuroact.statistics import Statistic
from neuroact.stream.chunk import SignalKind
from neuroact.testing.same import difference
from neuroact.testing.statistic_checks.case import (
    StatisticCase,
    hold,
    kinds_and_streams,
    statistic_check,
)
from neuroact.testing.strategies import Stream


@statistic_check()
def interface(case: StatisticCase) -> None:
    """It has the methods of `Statistic`, and is built without arguments."""
    statistic = case.build()
    assert isinstance(statistic, Statistic), (
        f"{type(statistic).__name__} lacks one of update, merge, reset, state_dict, "
        "load_state_dict, result"
    )
    assert case.kinds, "`kinds` is empty: it applies to no layer"


@statistic_check()
def nothing_yet(case: StatisticCase) -> None:
    """Before the first chunk the state is empty, and can be merged and loaded."""
    statistic = case.build()
    assert statistic.state_dict() == {}, (
        f"expected an empty state_dict before the first chunk, came {[*statistic.state_dict()]}"
    )
    statistic.result()
    statistic.merge(case.build())
    assert case.resumed(statistic).state_dict() == {}, "merging nothing made something"


@statistic_check(applies=lambda case: case.expected is not None)
def figures(case: StatisticCase) -> None:
    """The result is what NumPy computes from the raw values."""

    @hold(kinds_and_streams(case))
    def _(drawn: tuple[SignalKind, Stream]) -> None:
        kind, stream = drawn
        assert case.expected is not None
        result = case.fed(stream.sequences, kind).result()
        for name, value in case.expected(stream, kind).items():
            differs = difference(getattr(result, name), value)
            assert not differs, f"{name} is not what NumPy computes from the raw values: {differs}"


CHECKS = (interface, nothing_yet, figures)
