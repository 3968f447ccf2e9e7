"""Readers of event sources, each against the real package."""

from __future__ import annotations

import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import elephant.conversion
import neo
import numpy as np
import pynwb
import pytest
import quantities as pq
import spikeinterface
import tonic.transforms
from framework_table import stored
from neo.core.spiketrainlist import SpikeTrainList
from numpy.typing import NDArray
from source_rows import rows

import neuroact
from neuroact import Recording, SpikeCounts, TimeCourse
from neuroact.errors import ChunkError, EventError, UnreliableLayerWarning


def read(source: Any, **options: Any) -> neuroact.LayerActivity:
    recording = Recording(statistics=[SpikeCounts, TimeCourse], dt=options.pop("dt", None))
    recording.observe_events("a", source, **options)
    return recording.report()["a"]


def trains(count: int = 4, seed: int = 0) -> list[Any]:
    """Spike trains in seconds and in milliseconds; the last one is silent."""
    rng, found = np.random.default_rng(seed), []
    for number in range(count):
        steps = np.sort(rng.choice(500, size=20 * (number < count - 1), replace=False))
        times = steps * 0.002 + 0.001
        unit = pq.ms if number % 2 else pq.s
        options = {"t_start": 0 * pq.s, "t_stop": 1000 * pq.ms}
        found.append(neo.SpikeTrain((times * pq.s).rescale(unit), **options))
    return found


@pytest.mark.filterwarnings("ignore:The 'copy' argument in Quantity")  # elephant's
def test_neos_trains_of_mixed_units_count_as_elephant_bins_them() -> None:
    made = trains()
    layer = read(made, dt=0.002)
    theirs = elephant.conversion.BinnedSpikeTrain(
        [train.rescale("s") for train in made],
        bin_size=2 * pq.ms,
        t_start=0 * pq.s,
        t_stop=1 * pq.s,
    ).to_array()
    assert layer.events.tolist() == theirs.sum(1).tolist()
    assert layer[TimeCourse].events.tolist() == theirs.sum(0).tolist()
    assert (layer.observations, layer.dead, layer.framework) == (500, 1, "neo")


@pytest.mark.parametrize("as_list", [False, True])
def test_neos_segments_are_samples(as_list: bool) -> None:
    block = neo.Block()
    for seed in range(3):
        segment = neo.Segment()
        segment.spiketrains.extend(trains(seed=seed))
        block.segments.append(segment)
    layer = read(block, dt=0.002)
    assert (layer.sequences, layer.observations, layer.neurons) == (3, 1500, 4)
    alone = [read(list(s.spiketrains) if as_list else s, dt=0.002) for s in block.segments]
    assert layer.events.tolist() == sum(each.events for each in alone).tolist()


def test_a_spike_of_neo_at_t_stop_is_refused_and_read_where_steps_are_closed_on_the_right() -> None:
    train = neo.SpikeTrain([0.01, 0.1] * pq.s, t_stop=0.1 * pq.s)
    with pytest.raises(EventError, match="1 of 2 events lie outside"):
        read(train, dt=0.01)
    assert read(train, dt=0.01, closed="right").events.tolist() == [2]


def test_trains_of_neo_that_start_at_different_times_are_refused() -> None:
    late = neo.SpikeTrain([0.5] * pq.s, t_start=0.1 * pq.s, t_stop=1 * pq.s)
    with pytest.raises(EventError, match="start and end at the same times"):
        read([*trains(), late], dt=0.002)


def test_times_with_a_unit_are_rescaled_and_without_one_of_time_are_refused() -> None:
    options: dict[str, Any] = {"neurons": 1, "duration": 1 * pq.s}
    recording = Recording(dt=0.001)
    recording.observe_events("a", np.array([1.0, 500.0]) * pq.ms, [0, 0], **options)
    assert recording.report()["a"].events.tolist() == [2]
    with pytest.raises(EventError, match="no unit of time"):
        recording.observe_events("a", np.array([1.0, 500.0]) * pq.mV, [0, 0], **options)
    mixed = [1.0 * pq.ms, 0.5 * pq.s]
    recording.observe_events("a", mixed, [0, 0], **options)
    recording.observe_events("late", [1.4], [0], **options, start=500 * pq.ms)
    with pytest.raises(EventError, match="1 of 1 events lie outside"):
        recording.observe_events("late", [1.4], [0], **options, start=500 * pq.s)
    with pytest.raises(EventError, match="start have no unit of time"):
        recording.observe_events("late", [1.4], [0], **options, start=500 * pq.mV)
    with pytest.raises(EventError, match="some of the times have a unit and others none"):
        recording.observe_events("a", [1.0 * pq.ms, 0.5], [0, 0], **options)


def test_neos_list_of_trains_reads_alike_as_it_is_and_multiplexed_from_its_own_start() -> None:
    span = {"t_start": 1 * pq.s, "t_stop": 2 * pq.s}
    made = SpikeTrainList(
        [neo.SpikeTrain([1.1, 1.2] * pq.s, **span), neo.SpikeTrain([1350.0] * pq.ms, **span)]
    )
    indices, times = made.multiplexed
    recording = Recording(statistics=TimeCourse, dt=0.01)
    recording.observe_events("own", made)
    recording.observe_events("both", times, indices, neurons=2, start=1.0, duration=1.0)
    own, both = recording.report().values()
    assert own.events.tolist() == both.events.tolist() == [2, 1]
    steps = [np.flatnonzero(layer[TimeCourse].events).tolist() for layer in (own, both)]
    assert steps == [[10, 20, 35], [10, 20, 35]]


@pytest.mark.filterwarnings("ignore:The 'copy' argument in Quantity")  # elephant's
def test_elephants_bins_are_counts_and_refused_as_they_are() -> None:
    train = neo.SpikeTrain([0.01, 0.02, 0.35] * pq.s, t_stop=0.4 * pq.s)
    made = elephant.conversion.BinnedSpikeTrain(train, bin_size=100 * pq.ms)
    for values in (made.to_array(), made.sparse_matrix):
        recording = Recording()
        recording.observe("a", values, axes="NT", kind="graded")
        layer = recording.report()["a"]
        assert (layer.total.tolist(), layer.events.tolist(), layer.observations) == ([3], [2], 4)
    recording = Recording()
    with pytest.raises(ChunkError, match='"a": came BinnedSpikeTrain, which cannot be read'):
        recording.observe("a", made, axes="NT")
    with pytest.raises(EventError, match="no reader knows a elephant"):
        recording.observe_events("a", made, dt=0.1)
    recording.observe("a", made.to_array(), axes="NT")
    with pytest.warns(UnreliableLayerWarning, match="values other than 0 and 1"):
        assert np.isnan(recording.report()["a"].mean)


def nwb(intervals: Any = None) -> pynwb.NWBFile:
    """A file with three units: the second is silent."""
    start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    file = pynwb.NWBFile("made by a test", "1", start)
    for times in ([1.0005, 1.2, 5.1], [], [5.3]):
        file.add_unit(
            spike_times=np.array(times),
            **({} if intervals is None else {"obs_intervals": intervals}),
        )
    return file


@pytest.mark.parametrize("whole", [True, False])
def test_nwbs_intervals_are_samples_and_units_without_spikes_count(whole: bool) -> None:
    file = nwb([[1.0, 2.0], [5.0, 5.5]])
    layer = read(file if whole else file.units, dt=0.001)
    assert layer.events.tolist() == [3, 0, 1]
    assert (layer.observations, layer.sequences, layer.framework) == (1500, 2, "pynwb")


def test_a_file_of_nwb_on_disk_is_read_in_the_order_of_its_table_whatever_the_ids(
    tmp_path: Path,
) -> None:
    file = nwb([[1.0, 2.0], [5.0, 5.5]])
    file.add_unit(id=99, spike_times=np.array([1.5]), obs_intervals=[[1.0, 2.0], [5.0, 5.5]])
    with pynwb.NWBHDF5IO(tmp_path / "a.nwb", "w") as io:
        io.write(file)
    with pynwb.NWBHDF5IO(tmp_path / "a.nwb", "r") as io:
        assert read(io.read(), dt=0.001).events.tolist() == [3, 0, 1, 1]


def test_a_file_of_nwb_that_does_not_say_how_long_it_observed_needs_a_duration() -> None:
    with pytest.raises(EventError, match="duration="):
        read(nwb(), dt=0.001)
    assert read(nwb(), dt=0.001, duration=6.0).observations == 6000
    assert read(nwb(), dt=0.001, duration=5.0, start=1.0).observations == 5000


def test_spikes_of_nwb_outside_of_its_intervals_and_overlapping_ones_are_refused() -> None:
    with pytest.raises(EventError, match="1 of 4 spikes lie outside of obs_intervals"):
        read(nwb([[1.0, 2.0], [5.2, 5.5]]), dt=0.001)
    with pytest.raises(EventError, match="do not overlap"):
        read(nwb([[1.0, 5.2], [5.0, 5.5]]), dt=0.001)


def sorting(segments: int = 2) -> Any:
    units = np.array(["b", "a", "c"])
    made = [
        {"b": np.array([10, 20, 900]), "a": np.array([15]), "c": np.array([], int)}
        for _ in range(segments)
    ]
    return spikeinterface.NumpySorting.from_unit_dict(made, sampling_frequency=30_000.0), units


def test_spikeinterfaces_units_and_segments_are_neurons_and_samples() -> None:
    made, units = sorting()
    shape = [np.zeros((3000, 1), np.float32), np.zeros((6000, 1), np.float32)]
    made.register_recording(spikeinterface.NumpyRecording(shape, 30_000.0))
    layer = read(made, dt=0.001, several="clip")
    assert list(made.unit_ids) == list(units)
    assert layer.events.tolist() == [4, 2, 0]  # 10 and 20 lie in one millisecond
    assert (layer.sequences, layer.observations) == (2, 100 + 200)


def test_a_sorting_without_a_recording_needs_a_duration() -> None:
    made, _ = sorting(segments=1)
    with pytest.raises(EventError, match="duration="):
        read(made, dt=0.001, several="clip")
    with pytest.raises(ValueError, match="events need dt="):  # not a step of 1 / 30,000 s unasked
        read(made, several="clip", duration=0.1)
    assert read(made, dt=0.001, several="count", duration=0.1).total.tolist() == [3, 1, 0]


def camera() -> NDArray[Any]:
    """Events of a camera of 4 x 3 pixels in 10 milliseconds."""
    rng = np.random.default_rng(0)
    kinds = np.dtype([("x", int), ("y", int), ("t", int), ("p", int)])
    made = np.zeros(60, kinds)
    made["x"], made["y"], made["p"] = rng.integers(0, [[4], [3], [2]], (3, 60))
    made["t"] = np.sort(rng.integers(0, 10_000, 60))
    return made


def test_tonics_events_count_as_its_own_frames_do() -> None:
    events = camera()
    frames = tonic.transforms.ToFrame(sensor_size=(4, 3, 2), time_window=1000)(events)
    start = events["t"][0] * 1e-6  # where Tonic's first window begins
    layer = read(events, dt=0.001, shape=(2, 3, 4), start=start, duration=0.01, several="count")
    assert layer.shape == (2, 3, 4)
    whole = len(frames)  # it cuts the last part of a window
    by_frame = frames.reshape(whole, -1)
    counts = layer[TimeCourse]
    assert counts.total[:whole].tolist() == by_frame.sum(1).tolist()
    assert layer.total.sum() == len(events)
    recording = Recording()
    recording.observe("frames", frames, axes="TN", kind="graded")
    framed = recording.report()["frames"]
    assert (framed.shape, framed.observations) == ((2, 3, 4), whole)
    assert framed.total.tolist() == frames.sum(0).tolist()
    assert frames.max() > 1  # so they are no 0 and 1


def test_times_of_an_array_that_are_no_whole_microseconds_are_refused() -> None:
    floats = camera().astype([("x", int), ("y", int), ("t", float), ("p", int)])
    with pytest.raises(EventError, match="t in whole microseconds, as Tonic has it, came float64"):
        read(floats, dt=0.001, shape=(2, 3, 4), duration=0.01)


def test_an_array_of_tonic_needs_the_sensors_shape_and_a_duration() -> None:
    with pytest.raises(EventError, match="shape="):
        read(camera(), dt=0.001, duration=0.01)
    with pytest.raises(EventError, match="duration="):
        read(camera(), dt=0.001, shape=(2, 3, 4))
    with pytest.raises(EventError, match="no reader knows"):
        read(np.zeros(3), dt=0.001)


@pytest.mark.parametrize("package", ["neo", "pynwb", "spikeinterface", "tonic"])
def test_the_table_of_sources_says_what_their_readers_do(package: str) -> None:
    assert stored(package)[version(package)] == rows(package)
