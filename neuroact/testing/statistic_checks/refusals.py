"""The checks of a statistic: what it refuses, and what its result is made of."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import numpy as np
from torch import Tensor

from neuroact.errors import MergeError, NeuroactError
from neuroact.stream.chunk import SignalKind
from neuroact.testing.same import assert_same_state, difference
from neuroact.testing.statistic_checks.case import StatisticCase, chunk, statistic_check


@statistic_check()
def other_neurons(case: StatisticCase) -> None:
    """A layer of other neurons is refused, in update and in merge, and nothing is counted."""
    kind = case.kinds[0]
    statistic, other = case.fed([np.ones((2, 1, 3))], kind), case.fed([np.ones((2, 1, 4))], kind)
    untouched = case.resumed(statistic)
    attempts = {
        "update": (lambda: statistic.update(chunk(np.ones((2, 1, 4)), kind)), ValueError),
        "merge": (lambda: statistic.merge(other), MergeError),
    }
    for name, (attempt, error) in attempts.items():
        _assert_raises(error, attempt, f"`{name}` with neurons of shape [4] after [3]")
        assert_same_state(statistic, untouched, f"after a refused {name} and before it")


@statistic_check(applies=lambda case: len(case.kinds) < len(SignalKind))
def other_kinds(case: StatisticCase) -> None:
    """A kind that it does not apply to is refused, and nothing is counted."""
    statistic = case.fed([np.ones((2, 1, 3))], case.kinds[0])
    untouched = case.resumed(statistic)
    for kind in SignalKind:
        if kind not in case.kinds:
            piece = chunk(np.ones((2, 1, 3)), kind)
            _assert_raises(
                NeuroactError, lambda p=piece: statistic.update(p), f"a chunk of kind {kind.value}"
            )
            assert_same_state(statistic, untouched, "after a refused chunk and before it")


def _assert_raises(error: type[Exception], attempt: Any, what: str) -> None:
    try:
        attempt()
    except error:
        return
    except Exception as other:
        raise AssertionError(
            f"{what}: expected {error.__name__}, came {type(other).__name__}: {other}"
        ) from other
    raise AssertionError(f"{what}: expected {error.__name__}, but it was accepted")


@statistic_check()
def free_of_torch(case: StatisticCase) -> None:
    """A result has no tensors, and does not change when the statistic counts more."""
    for kind in case.kinds:
        statistic = case.fed([np.ones((2, 1, 3))], kind)
        result = statistic.result()
        tensors = _tensors_of(result)
        assert not tensors, f"the result holds a tensor in {tensors[0]}"
        before = copy.deepcopy(result)
        statistic.update(chunk(np.ones((2, 1, 3)), kind))
        statistic.result()
        assert not difference(result, before), (
            "a result changed when the statistic counted more: copy it"
        )


def _tensors_of(result: Any, name: str = "it") -> list[str]:
    if isinstance(result, Tensor):
        return [name]
    if dataclasses.is_dataclass(result) and not isinstance(result, type):
        result = vars(result)
    if isinstance(result, dict):
        return [found for key in result for found in _tensors_of(result[key], str(key))]
    if isinstance(result, tuple | list):
        return [found for part in result for found in _tensors_of(part, name)]
    return []


CHECKS = (other_neurons, other_kinds, free_of_torch)
