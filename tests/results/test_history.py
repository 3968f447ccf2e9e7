"""When layers died, came back or saturated: sentences about a list of reports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from neuroact import ActivityReport, LayerActivity, SignalKind
from neuroact.results.history import Entry, Steps, courses

NEURONS, SEEN = 10, 100


def layer(name: str, fired: int, *, kind: SignalKind = SignalKind.BINARY) -> LayerActivity:
    """A layer in which so many of ten neurons fired, at half of all steps."""
    events = np.where(np.arange(NEURONS) < fired, SEEN // 2, 0)
    return LayerActivity(
        name=name,
        framework="test",
        layer_type="Neuron",
        kind=kind,
        observations=SEEN,
        sequences=1,
        events=events,
        total=None if kind is SignalKind.BINARY else events.astype(float),
    )


def entries(
    steps: Sequence[Steps | None] | None = None, /, **layers: Sequence[int | None]
) -> list[Entry[ActivityReport]]:
    """A report a place: how many neurons of each layer fired; None where it is not in a report."""
    number = len(next(iter(layers.values())))
    reports = [
        ActivityReport([layer(n, f) for n, all_ in layers.items() if (f := all_[at]) is not None])
        for at in range(number)
    ]
    known = [None] * number if steps is None else steps
    return [Entry(at, r, s) for at, (r, s) in enumerate(zip(reports, known, strict=True))]


def told(found: Sequence[Entry[ActivityReport]], **thresholds: float) -> list[str]:
    return [str(course) for course in courses(found, thresholds)]


@pytest.mark.parametrize(
    ("fired", "sentence"),
    [
        ((10, 10, 0, 0), "a went silent in epoch 2"),
        ((0, 0, 0, 0), "a was silent from the start to the end"),
        ((0, 0, 10, 10), "a was silent from the start and came back in epoch 2"),
        ((10, 0, 0, 10), "a went silent in epoch 1 and came back in epoch 3"),
        ((10, 0, 10, 0), "a was silent in 2 of 4 reports: first in epoch 1, and at the end, since "
         "epoch 3"),
        ((0, 10, 0, 10), "a was silent in 2 of 4 reports: first in epoch 0, last in epoch 2"),
        ((10, None, None, 0), "a went silent in epoch 3"),
        ((10, 0, None, 0), "a went silent in epoch 1"),
        ((10, 2, 2, 2), "a has had many dead neurons since epoch 1"),
        ((2, 2, 2, 2), "a had many dead neurons from the start to the end"),
        ((10, 2, 10, 10), "a had many dead neurons in epoch 1"),
        ((10, 2, 2, 10), "a had many dead neurons from epoch 1 to epoch 2"),
        ((2, 2, 10, 10), "a had many dead neurons from the start to epoch 1"),
    ],
)  # fmt: skip
def test_when_a_layer_had_a_verdict_is_one_sentence(
    fired: Sequence[int | None], sentence: str
) -> None:
    assert told(entries(a=fired)) == [sentence]


def test_a_history_without_a_verdict_or_report_has_nothing_to_tell() -> None:
    assert told(entries(a=(10, 10))) == []
    assert courses([]) == ()


def steps(first: int, last: int, **fired: tuple[int, int]) -> Steps:
    return Steps(first, last, fired)


def test_silence_is_told_by_the_step_in_which_a_layer_fired_last_and_again() -> None:
    known = [steps(0, 90, a=(0, 90)), steps(100, 190, a=(100, 140)), steps(200, 290)]
    assert told(entries(known, a=(10, 10, 0))) == ["a went silent after step 140 (epoch 1)"]
    (course,) = courses(entries([*known, steps(300, 390, a=(350, 390))], a=(10, 10, 0, 10)))
    assert str(course) == (
        "a went silent after step 140 (epoch 1) and came back at step 350 (epoch 3)"
    )
    assert (course.labels, course.step, course.now) == ((2,), 140, False)


def test_silence_that_begins_within_the_last_report_is_told() -> None:
    known = [steps(0, 90, a=(0, 90)), steps(100, 190, a=(100, 140))]
    (course,) = courses(entries(known, a=(10, 10)))
    assert str(course) == "a went silent after step 140 (epoch 1)"
    assert (course.labels, course.step, course.now) == ((1,), 140, True)
    late = [steps(0, 90), steps(100, 190, a=(100, 140))]
    assert told(entries(late, a=(0, 10))) == [
        "a was silent in 2 of 2 reports: first in epoch 0, and at the end, since step 140 (epoch 1)"
    ]


def test_real_values_that_end_at_zero_are_not_silent() -> None:
    report = ActivityReport([layer("a", 10, kind=SignalKind.ANALOG)])
    assert courses([Entry(0, report, steps(0, 90, a=(0, 40)))]) == ()


def test_layers_that_fell_silent_at_once_share_a_sentence_and_the_first_to_fall_comes_first() -> (
    None
):
    fired: Mapping[str, Sequence[int]] = {
        "a": (10, 10, 0), "b": (10, 0, 0), "c": (10, 0, 0), "d": (10, 0, 0), "e": (10, 0, 0),
        "f": (10, 0, 0),
    }  # fmt: skip
    assert told(entries(**fired)) == [
        "b, c, d and 2 more layers went silent in epoch 1",
        "a went silent in epoch 2",
    ]
    found = courses(entries(**fired))
    assert found[0].layers == ("b", "c", "d", "e", "f")


def test_own_thresholds_decide_and_a_wrong_one_is_an_error() -> None:
    found = entries(a=(10, 8))
    assert told(found) == []
    assert told(found, dead=0.1) == ["a has had many dead neurons since epoch 1"]
    with pytest.raises(ValueError, match="dead=3"):
        told(found, dead=3)


def test_steps_of_two_parts_are_those_of_the_whole() -> None:
    first, second = steps(0, 10, a=(0, 10), b=(5, 5)), steps(20, 30, a=(20, 20), c=(30, 30))
    assert first.and_then(second) == steps(0, 30, a=(0, 20), b=(5, 5), c=(30, 30))
