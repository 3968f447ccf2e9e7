"""`Recording.observe_events`: lists of events count as the array of the same events does."""

from __future__ import annotations

from dataclasses import fields
from importlib.metadata import version
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import neuroact
from neuroact import (
    ClassActivity,
    InterspikeIntervals,
    LayerActivity,
    Raster,
    Recording,
    SpikeCounts,
    Synchrony,
    TimeCourse,
)
from neuroact.errors import EventError, LayerShapeError, StatisticKindError
from neuroact.stream.events import EventList

STATISTICS = [InterspikeIntervals, Raster(3), SpikeCounts, Synchrony, TimeCourse]
BINNED = [SpikeCounts(window=7), Synchrony(bin_width=70), TimeCourse(bin_width=9)]
DT = 0.001


def events_in(dense: NDArray[Any]) -> dict[str, Any]:
    """The events of `[time, batch, neurons]`, at the middle of their steps, in any order."""
    step, sample, neuron = np.nonzero(dense)
    times = dense[step, sample, neuron].astype(int)
    order = np.random.default_rng(0).permutation(int(times.sum()))
    step, sample, neuron = (np.repeat(each, times)[order] for each in (step, sample, neuron))
    return {
        "times": (step + 0.5) * DT,
        "indices": neuron,
        "samples": sample,
        "batch": dense.shape[1],
        "neurons": dense.shape[2],
        "duration": dense.shape[0] * DT,
    }


def states(recording: Recording) -> list[dict[str, Any]]:
    (layer,) = recording._layers.values()
    with layer.at_rest() as statistics:
        kept = [statistic.state_dict() for statistic in statistics]
    return [{name: (t.dtype, t.tolist()) for name, t in state.items()} for state in kept]


def figures(layer: LayerActivity) -> list[Any]:
    """Everything that was found of a layer, to compare."""
    found = [layer.events, layer.observations, layer.sequences]
    for result in layer.results.values():
        found += [getattr(result, f.name) for f in fields(result) if f.name != "dt"]
    return [each.tolist() if isinstance(each, np.ndarray) else each for each in found]


@st.composite
def arrays(draw: st.DrawFn, most: int = 1) -> NDArray[np.int64]:
    """Counts of events in cells, `[time, batch, neurons]`, of more than one block at times."""
    sizes = draw(st.tuples(st.integers(1, 140), st.integers(1, 3), st.integers(1, 4)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    found: NDArray[np.int64] = rng.integers(0, most + 1, sizes)
    return found * (rng.random(sizes) < draw(st.sampled_from([0.0, 0.05, 0.5, 1.0])))


@pytest.mark.parametrize(
    "statistics", [None, STATISTICS, BINNED], ids=["default", "all", "in bins"]
)
@given(dense=arrays())
def test_events_leave_the_state_of_the_dense_array_to_the_bit(statistics: Any, dense: Any) -> None:
    by_events, by_array = (Recording(statistics=statistics, dt=DT) for _ in range(2))
    by_events.observe_events("a", **events_in(dense))
    by_array.observe("a", dense.astype(np.float32), framework="observed", layer_type="events")
    assert states(by_events) == states(by_array)


@given(dense=arrays(most=3))
def test_counted_cells_leave_the_state_of_a_graded_array(dense: Any) -> None:
    by_events, by_array = (Recording(statistics=[SpikeCounts, TimeCourse], dt=DT) for _ in "ab")
    by_events.observe_events("a", **events_in(dense), several="count")
    by_array.observe("a", dense.astype(np.float32), kind="graded")
    assert states(by_events) == states(by_array)


@pytest.mark.parametrize("statistics", [STATISTICS, BINNED], ids=["all", "in bins"])
@given(dense=arrays(), data=st.data())
def test_samples_of_different_durations_count_as_padded_ones(
    statistics: Any, dense: Any, data: Any
) -> None:
    steps, batch, _ = dense.shape
    lengths = data.draw(st.lists(st.integers(1, steps), min_size=batch, max_size=batch))
    valid = np.arange(steps)[:, None] < np.array(lengths)
    dense = dense * valid[..., None]
    by_events, by_array = (Recording(statistics=statistics, dt=DT) for _ in "ab")
    events = events_in(dense) | {"duration": np.array(lengths) * DT}
    by_events.observe_events("a", **events)
    by_array.observe("a", dense[: max(lengths)].astype(np.float32), valid=valid[: max(lengths)])
    ours, theirs = by_events.report()["a"], by_array.report()["a"]
    assert ours.observations == sum(lengths)
    assert figures(ours) == figures(theirs)


def test_without_the_core_the_figures_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    dense = (np.random.default_rng(1).random((130, 2, 5)) < 0.2).astype(int)
    with_core = Recording(statistics=STATISTICS, dt=DT)
    with_core.observe_events("a", **events_in(dense))
    monkeypatch.setattr("neuroact.native.core", lambda: None)
    monkeypatch.setattr("neuroact.recording.event_blocks.core", lambda: None)
    without = Recording(statistics=STATISTICS, dt=DT)
    without.observe_events("a", **events_in(dense))
    assert states(with_core) == states(without)


def test_two_recordings_of_parts_merge_to_the_whole() -> None:
    dense = (np.random.default_rng(1).random((130, 4, 5)) < 0.2).astype(int)
    whole, one, two = (Recording(statistics=SpikeCounts, dt=DT) for _ in range(3))
    whole.observe_events("a", **events_in(dense))
    one.observe_events("a", **events_in(dense[:, :1]))
    two.observe_events("a", **events_in(dense[:, 1:]))
    one.merge(two)
    assert figures(one.report()["a"]) == figures(whole.report()["a"])


def test_neurons_and_silence_without_events_count() -> None:
    recording = Recording(dt=DT)
    recording.observe_events("a", [], [], shape=(2, 3), duration=0.5)
    layer = recording.report()["a"]
    assert (layer.shape, layer.observations, layer.dead) == ((2, 3), 500, 6)


@pytest.mark.parametrize(
    ("time", "closed", "step"),
    [
        (0.3, "left", 3),  # 0.3 / 0.1 is a little below 3
        (0.3, "right", 2),
        (0.35, "left", 3),
        (0.35, "right", 3),
        (0.0, "left", 0),
        (0.1 * 3 - 1e-12, "left", 3),
        (np.float32(0.7), "left", 7),  # of float32, a little below 0.7
    ],
)
def test_a_time_a_rounding_error_below_a_step_belongs_to_it(
    time: float, closed: Any, step: int
) -> None:
    recording = Recording(statistics=TimeCourse, dt=0.1)
    times = np.array([time])
    recording.observe_events("a", times, [0], neurons=1, duration=1.0, closed=closed)
    events = recording.report()["a"][TimeCourse].events
    assert np.flatnonzero(events).tolist() == [step]


def test_all_steps_of_a_long_run_are_found_from_their_times() -> None:
    steps = np.arange(0, 1_000_000, 7)
    recording = Recording(statistics=TimeCourse, dt=0.0001)
    zeros = np.zeros_like(steps)
    recording.observe_events("a", steps * 0.0001, zeros, neurons=1, duration=100.0)
    events = recording.report()["a"][TimeCourse].events
    assert (np.flatnonzero(events) == steps).all()


def test_ids_are_mapped_in_the_order_given() -> None:
    recording = Recording(dt=DT)
    recording.observe_events(
        "a", [0.0, 0.001, 0.002], [30, 10, 30], neurons=3, ids=[10, 20, 30], duration=0.003
    )
    assert recording.report()["a"].events.tolist() == [1, 0, 2]


GOOD: dict[str, Any] = {
    "times": [0.0, 0.001],
    "indices": [0, 1],
    "neurons": 2,
    "duration": 0.002,
}


class WithUnit:
    """Times as a package for units has them that neuroact does not know."""

    def __init__(self, unit: str) -> None:
        self.unit = unit

    def __array__(self, *_: Any, **__: Any) -> NDArray[np.float64]:
        return np.array([0.0, 0.001])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"times": [0.0, 0.002]}, "1 of 2 events lie outside .* first at 0.002 s"),
        ({"times": [-0.001, 0.001]}, "1 of 2 events lie outside"),
        ({"times": [0.0, np.nan]}, "1 of 2 times are NaN or infinite"),
        ({"times": [0.0, np.inf]}, "1 of 2 times are NaN or infinite"),
        ({"times": np.array([0, 1])}, "in seconds, as floats, came whole numbers"),
        ({"times": [[0.0, 0.001]]}, "in one dimension"),
        ({"times": WithUnit("ms")}, "no unit of time that can be read, but ms: give them as"),
        ({"times": ["0", "1"]}, "expected times to be floats"),
        ({"times": [0.0]}, "of one length, came 1, 2"),
        ({"indices": [0, 2]}, "1 of 2 events are of neurons that are not there, the first of 2"),
        ({"indices": [-1, 0]}, "1 of 2 events are of neurons that are not there, the first of -1"),
        ({"indices": [0.0, 1.0]}, "expected indices to be whole numbers"),
        ({"ids": [5, 6]}, "2 of 2 events are of neurons .* expected ids"),
        ({"ids": [5, 5]}, "expected ids= to hold 2 different ids"),
        ({"times": [0.001, 0.0012], "indices": [1, 1]}, '1 of 2 events come after .*"clip"'),
        ({"duration": 0.0}, "in seconds, above 0, came 0.0"),
        ({"duration": np.nan}, "in seconds, above 0, came nan"),
        ({"duration": 1e18}, r"came 1e\+18; fewer than 2\^62 steps"),
        ({"times": np.ma.array([0.0, 0.001], mask=[False, True])}, "times came as a masked array"),
        ({"indices": np.ma.array([0, 1], mask=[False, True])}, "indices came as a masked array"),
        ({"neurons": None, "shape": 3}, "to hold numbers of neurons .* came 3"),
        ({"indices": ([0, 1], [0, 0])}, "indices of 1 dimensions"),
        ({"neurons": None}, "how many neurons there are is not known"),
        ({"duration": None}, "how long was observed is not known"),
        ({"start": np.nan}, "expected start= to be one number of seconds, came nan"),
        ({"start": np.array([0, 1])}, "expected start in seconds, as floats, came whole numbers"),
        ({"start": WithUnit("mV")}, "start have no unit of time that can be read, but mV"),
        ({"duration": [0.002, 0.002]}, "one duration, or one for each of 1 samples"),
        ({"samples": [0, 1], "batch": 1}, "1 of 2 events are of samples that are not there"),
        ({"neurons": 0}, "numbers of neurons from 1 on"),
        ({"times": np.array([0, 1e6], np.float32), "duration": 2e6}, "cannot tell steps"),
    ],
)
def test_what_would_be_lost_or_misread_is_refused_whole_by_the_layers_name(
    change: dict[str, Any], says: str
) -> None:
    recording = Recording(dt=DT)
    with pytest.raises(EventError, match=rf'^layer "a": .*{says}') as caught:
        recording.observe_events("a", **GOOD | change)
    assert caught.value.layer == "a"
    assert not recording.layers


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"shape": (2,)}, "neurons= or shape=, came both"),
        ({"samples": [0, 0]}, "samples= and batch= together"),
        ({"batch": 2}, "samples= and batch= together"),
    ],
)
def test_arguments_that_do_not_fit_together_are_refused(change: dict[str, Any], says: str) -> None:
    with pytest.raises(TypeError, match=says):
        Recording(dt=DT).observe_events("a", **GOOD | change)


def test_several_events_in_a_step_are_clipped_or_counted_if_that_is_asked_for() -> None:
    found = {}
    for several in ("clip", "count"):
        recording = Recording(dt=DT)
        recording.observe_events(
            "a", [0.0, 0.0001, 0.0002], [0, 0, 0], neurons=1, duration=0.002, several=several
        )
        layer = recording.report()["a"]
        found[several] = (layer.events.tolist(), layer.total.tolist(), layer.kind.value)
    assert found == {"clip": ([1], [1], "binary"), "count": ([1], [3], "graded")}


def test_a_time_step_is_needed_and_is_the_recordings() -> None:
    with pytest.raises(ValueError, match="events need dt="):
        Recording().observe_events("a", **GOOD)
    with pytest.raises(ValueError, match=r"expected the dt=0.001 s of the recording, came 0.01"):
        Recording(dt=DT).observe_events("a", **GOOD, dt=0.01)
    recording = Recording()
    recording.observe_events("a", **GOOD, dt=DT)
    assert recording.report()["a"].observations == 2


def test_the_last_step_may_be_observed_in_part() -> None:
    recording = Recording(dt=DT)
    recording.observe_events("a", **GOOD | {"duration": 0.0025, "times": [0.0, 0.0024]})
    assert recording.report()["a"].observations == 3


def test_tensors_are_taken_as_arrays_are() -> None:
    recording = Recording(dt=DT)
    times, durations = torch.tensor([0.0, 0.0015], dtype=torch.float64), torch.tensor([0.002])
    recording.observe_events("a", times, torch.tensor([0, 1]), neurons=2, duration=durations)
    assert recording.report()["a"].events.tolist() == [1, 1]


def test_what_is_said_holds_in_place_of_what_the_source_says_also_if_it_is_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = EventList(
        times=[0.001], indices=[0], shape=(1,), duration=0.002, start=0.001, closed="right"
    )
    monkeypatch.setattr("neuroact.recording.observed.events_of", lambda _: source)
    recording = Recording(statistics=Raster(1), dt=DT)
    with pytest.raises(EventError, match="1 of 1 events lie outside"):
        recording.observe_events("a", object())  # (0.001, 0.003], as the source says
    recording.observe_events("a", object(), start=0.0)  # (0, 0.002]
    recording.observe_events("b", object(), start=0.0, closed="left")  # [0, 0.002)
    report = recording.report()
    found = {name: report[name][Raster].step.tolist() for name in report}
    assert found == {"a": [0], "b": [1]}


def test_a_start_said_alone_leaves_the_sources_end_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = EventList(times=[0.004], indices=[0], shape=(1,), duration=0.005, start=0.001)
    monkeypatch.setattr("neuroact.recording.observed.events_of", lambda _: source)
    recording = Recording(dt=DT)
    recording.observe_events("a", object())
    recording.observe_events("late", object(), start=0.004)
    recording.observe_events("both", object(), start=0.004, duration=0.005)
    report = recording.report()
    assert [report[name].observations for name in report] == [5, 2, 5]
    with pytest.raises(EventError, match=r"in seconds, above 0, came -0\.001"):
        recording.observe_events("never", object(), start=0.007)


def test_places_are_taken_for_each_dimension() -> None:
    recording = Recording(dt=DT)
    recording.observe_events("a", [0.0, 0.0], ([1, 0], [2, 0]), shape=(2, 3), duration=DT)
    assert recording.report()["a"].events.tolist() == [[1, 0, 0], [0, 0, 1]]
    with pytest.raises(EventError, match=r"expected indices below \[2, 3\]"):
        recording.observe_events("a", [0.0], ([2], [0]), shape=(2, 3), duration=DT)


def test_a_layer_keeps_its_neurons_and_its_kinds() -> None:
    recording = Recording(statistics=ClassActivity, dt=DT)
    recording.observe_events("a", **GOOD)
    with pytest.raises(LayerShapeError):
        recording.observe_events("a", **GOOD | {"neurons": 3})
    with (
        recording.batch(labels=[0]),
        pytest.raises(EventError, match=r"not fed within recording.batch"),
    ):
        recording.observe_events("a", **GOOD)
    assert recording.report()["a"].observations == 2


class Binary(neuroact.Firing):
    """A user's statistic for binary layers alone."""

    kinds = frozenset({neuroact.SignalKind.BINARY})


def test_a_statistic_that_does_not_apply_refuses_counts_before_anything_is_counted() -> None:
    recording = Recording(statistics=Binary, dt=DT)
    with pytest.raises(StatisticKindError):
        recording.observe_events("a", **GOOD | {"indices": [0, 0], "several": "count"})


def test_the_report_says_where_events_come_from() -> None:
    recording = Recording(dt=DT)
    recording.observe_events("a", **GOOD, framework="brian2", layer_type="NeuronGroup")
    recording.observe("b", torch.ones(1, 1, 2), framework="lava", layer_type="LIF")
    recording.observe_events("c", **GOOD, framework="quantities")
    report = recording.report()
    assert report.origin["versions"]["quantities"] == version("quantities")
    assert (report["a"].framework, report["a"].layer_type) == ("brian2", "NeuronGroup")
    assert (report["b"].framework, report["b"].layer_type) == ("lava", "LIF")


def test_a_source_that_no_reader_knows_is_refused_by_its_class() -> None:
    with pytest.raises(EventError, match=r'layer "a": no reader knows a builtins\.dict'):
        Recording(dt=DT).observe_events("a", {"times": []})
