"""Statistics in bins and windows of many steps: `TimeCourse`, `SpikeCounts` and `Synchrony`."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from neuroact import (
    ActivityReport,
    Recording,
    SignalKind,
    SpikeChunk,
    SpikeCounts,
    Synchrony,
    TimeCourse,
)
from neuroact.errors import MergeError
from neuroact.statistics.states import check_state
from neuroact.testing import StatisticContract
from neuroact.testing.statistic_checks import STATISTIC_CHECKS
from neuroact.testing.statistic_checks.case import StatisticCase
from neuroact.testing.strategies import Stream, streams

BINARY, GRADED = SignalKind.BINARY, SignalKind.GRADED
LEVELS = {BINARY: (0.0, 1.0), GRADED: (0.0, -1.0, 3.0, 0.5)}
BINNED: list[Callable[..., Any]] = [TimeCourse, Synchrony, SpikeCounts]
widths = st.integers(1, 9)


def built(cls: Any, width: int) -> Any:
    return cls(window=width) if cls is SpikeCounts else cls(bin_width=width)


def flat(sample: NDArray[np.float64]) -> NDArray[np.float64]:
    return sample.reshape(len(sample), math.prod(sample.shape[1:]))


def in_windows(stream: Stream, width: int) -> NDArray[np.int64]:
    """Each neuron's events in the full windows of all samples, `[windows, neurons]`, by NumPy."""
    neurons = math.prod(stream.neurons)
    found = [np.zeros((0, neurons), dtype=np.int64)]
    for sample in stream.of_samples:
        full = len(sample) // width
        events = (flat(sample) != 0)[: full * width]
        found.append(events.reshape(full, width, neurons).sum(1))
    return np.concatenate(found)


def of_time(stream: Stream, width: int) -> dict[str, Any]:
    """What `TimeCourse` should find, by NumPy on each sample and bin."""
    samples = [flat(s) for s in stream.of_samples if len(s)]
    bins = max((-(-len(s) // width) for s in samples), default=0)
    names = ("events", "observations", "first_spikes", "squares", "samples")
    found: dict[str, Any] = {name: [0] * bins for name in names} | {"total": [0.0] * bins}
    never = 0
    for sample in samples:
        fired = np.zeros(sample.shape[1], dtype=bool)
        for place, start in enumerate(range(0, len(sample), width)):
            part = sample[start : start + width]
            events, new = int((part != 0).sum()), (part != 0).any(0) & ~fired
            fired |= new
            came = (events, len(part), int(new.sum()), events**2, 1)
            for name, number in zip(names, came, strict=True):
                found[name][place] += number
            found["total"][place] += float(part.sum())
        never += int((~fired).sum())
    return found | {"never": never}


def of_counts(stream: Stream, width: int) -> dict[str, Any]:
    counts = in_windows(stream, width)
    return {
        "histogram": np.bincount(counts.ravel()) if counts.size else [],
        "sums": counts.sum(0).reshape(stream.neurons),
        "squares": (counts**2).sum(0).reshape(stream.neurons),
        "sequences": len(counts),
        "window": width,
    }


def of_population(stream: Stream, width: int) -> dict[str, Any]:
    counts = in_windows(stream, width)
    return {
        "histogram": np.bincount(counts.sum(1)) if len(counts) else [],
        "events": counts.sum(0).reshape(stream.neurons),
        "squares": (counts**2).sum(0).reshape(stream.neurons),
        "observations": len(counts),
        "bin_width": width,
    }


class TestTimeCourseInBins(StatisticContract):
    statistic = partial(TimeCourse, bin_width=3)

    @staticmethod
    def expected(stream: Stream, kind: SignalKind) -> dict[str, Any]:
        return of_time(stream, 3)


class TestSpikeCountsInWindows(StatisticContract):
    statistic = partial(SpikeCounts, window=3)

    @staticmethod
    def expected(stream: Stream, kind: SignalKind) -> dict[str, Any]:
        return of_counts(stream, 3)


class TestSynchronyInBins(StatisticContract):
    statistic = partial(Synchrony, bin_width=3)

    @staticmethod
    def expected(stream: Stream, kind: SignalKind) -> dict[str, Any]:
        return of_population(stream, 3)


@pytest.mark.parametrize("width", [2, 7, 64, 65, 100])
@pytest.mark.parametrize("cls", BINNED)
def test_blocks_leave_the_state_of_chunks_whatever_the_width(cls: Any, width: int) -> None:
    STATISTIC_CHECKS["blocks"].run(StatisticCase(partial(built, cls, width)))


@given(st.data(), widths)
def test_a_course_in_bins_is_the_sum_of_the_course_in_steps(
    data: st.DataObject, width: int
) -> None:
    kind = data.draw(st.sampled_from(list(LEVELS)))
    stream = data.draw(streams(LEVELS[kind]))
    single, binned = (fed(TimeCourse(bin_width=n), stream, kind) for n in (1, width))
    for name in ("events", "total", "observations", "first_spikes"):
        steps = getattr(single, name)
        padded = np.pad(steps, (0, -len(steps) % width)).reshape(-1, width).sum(1)
        np.testing.assert_array_equal(getattr(binned, name), padded)
    assert binned.never == single.never
    assert (binned.bin_width, binned.bins) == (width, -(-single.bins // width))


def fed(statistic: Any, stream: Stream, kind: SignalKind = BINARY) -> Any:
    for sequence in stream.sequences:
        statistic.update(SpikeChunk(torch.from_numpy(sequence), kind, starts_sequence=True))
    return statistic.result()


def test_the_spread_in_bins_is_that_of_the_samples_shares() -> None:
    spikes = (np.random.default_rng(0).random((60, 7, 5)) < 0.3) * 1.0
    result = fed(TimeCourse(bin_width=20), Stream((spikes,), (5,)))
    shares = spikes.reshape(3, 20, 7, 5).mean((1, 3))
    np.testing.assert_allclose(result.activity, shares.mean(1), rtol=1e-14)
    np.testing.assert_allclose(result.active_share_std, shares.std(1), rtol=1e-12)
    single = fed(TimeCourse(), Stream((spikes,), (5,)))
    assert result.active_share_std.max() < single.active_share_std.min()


def test_times_and_latencies_in_bins_are_those_of_the_bins_first_steps() -> None:
    spikes = np.zeros((10, 1, 3))
    spikes[4, 0, 0] = spikes[9, 0, 1] = 1
    result = fed(TimeCourse(bin_width=4), Stream((spikes,), (3,)))
    assert result.times.tolist() == [0, 4, 8]
    assert (result.onset, result.latency_mean, result.latency_quantile(1.0)) == (4, 6.0, 8.0)
    assert result.activity.tolist() == [0, 1 / 12, 1 / 6]  # the last bin has two steps


@given(st.data(), widths)
def test_fano_factors_in_windows_are_numpys(data: st.DataObject, width: int) -> None:
    stream = data.draw(streams(most_steps=20))
    counts = in_windows(stream, width)
    result = fed(SpikeCounts(window=width), stream)
    for neuron, fano in enumerate(result.fano_factor.ravel()):
        own = counts[:, neuron]
        if len(own) < 2 or not own.any():
            assert math.isnan(fano)
        else:
            assert fano == pytest.approx(own.var() / own.mean(), rel=1e-12)


@given(st.data(), widths)
def test_chi_in_bins_is_numpys(data: st.DataObject, width: int) -> None:
    stream = data.draw(streams(most_steps=20))
    counts = in_windows(stream, width)
    chi = fed(Synchrony(bin_width=width), stream).chi
    varies = counts.var(0).mean() if counts.size else 0
    if varies > 0:
        assert chi == pytest.approx(math.sqrt(counts.mean(1).var() / varies), rel=1e-9, abs=1e-7)
        assert 0 <= chi <= 1
    else:
        assert math.isnan(chi)


def test_neurons_that_fire_within_a_bin_but_at_other_steps_are_synchronous_in_bins() -> None:
    spikes = np.zeros((400, 1, 4))
    for neuron in range(4):
        spikes[neuron::20, 0, neuron] = 1  # one after the other, then a pause
    stream = Stream((spikes,), (4,))
    assert fed(Synchrony(), stream).chi < 0.5
    assert fed(Synchrony(bin_width=10), stream).chi == 1


@pytest.mark.parametrize("width", [0, -1, 2.0, True, "10"])
@pytest.mark.parametrize("cls", BINNED)
def test_a_width_that_is_no_number_of_steps_is_refused(cls: Any, width: Any) -> None:
    with pytest.raises(ValueError, match=r"expected (bin_width|window)= to be a number of steps"):
        built(cls, width)


def test_a_bin_of_one_step_is_the_statistic_without_bins_and_a_window_is_not() -> None:
    for cls in (TimeCourse, Synchrony):
        ours, theirs = cls(bin_width=1), cls()
        ours.update(SpikeChunk(torch.ones(3, 1, 2), BINARY, True))
        theirs.merge(ours)
        assert "bin_width" not in theirs.state_dict()
    assert fed(SpikeCounts(window=1), Stream((np.ones((3, 1, 2)),), (2,))).sequences == 3


@pytest.mark.parametrize("cls", BINNED)
def test_two_widths_are_not_merged_and_the_error_says_which(cls: Any) -> None:
    ours, theirs = (Recording(statistics=built(cls, width)) for width in (2, 5))
    for recording in (ours, theirs):
        recording.observe("v1", torch.ones(12, 1, 3))
    before = ours.report()
    with pytest.raises(MergeError, match=rf"v1.*{cls.__name__}\(\w+=5\).*{cls.__name__}\(\w+=2\)"):
        ours.merge(theirs)
    assert ours.report() == before


@pytest.mark.parametrize("cls", BINNED)
def test_a_saved_recording_keeps_its_width_and_goes_on_within_a_bin(
    cls: Any, tmp_path: Path
) -> None:
    spikes = (np.random.default_rng(0).random((90, 3, 4)) < 0.3) * 1.0
    whole, part = (Recording(statistics=built(cls, 20), dt=0.001) for _ in "ab")
    whole.observe("v1", spikes)
    part.observe("v1", spikes[:33])
    part.save(tmp_path / "part.nact")
    again = Recording(statistics=built(cls, 20), dt=0.001)
    again.merge(Recording.load(tmp_path / "part.nact"))
    again.observe("v1", spikes[33:], starts_sequence=False)
    assert again.report()["v1"] == whole.report()["v1"]
    assert again.report()["v1"][cls] == whole.report()["v1"][cls]


def test_layers_that_a_file_lacks_are_added_to_it_where_the_width_is_said() -> None:
    ours, theirs = (Recording(statistics=TimeCourse(bin_width=10)) for _ in "ab")
    ours.observe("v1", torch.ones(20, 1, 2))
    theirs.observe("v2", torch.ones(20, 1, 2))
    with pytest.raises(MergeError, match=r"v2.*TimeCourse\(bin_width=10\).*TimeCourse\(\)"):
        Recording.from_bytes(ours.to_bytes()).merge(theirs)
    both = Recording.from_bytes(ours.to_bytes(), statistics=[TimeCourse(bin_width=10)])
    both.merge(theirs)
    assert [layer[TimeCourse].bin_width for layer in both.report().values()] == [10, 10]


@pytest.mark.parametrize("cls", BINNED)
def test_a_report_in_bins_is_read_from_json_as_it_was(cls: Any) -> None:
    recording = Recording(statistics=built(cls, 4), dt=0.001)
    recording.observe("v1", (np.random.default_rng(0).random((90, 3, 4)) < 0.3) * 1.0)
    report = recording.report()
    again = ActivityReport.from_json(report.to_json())
    assert again == report
    assert again["v1"][cls] == report["v1"][cls]


def test_a_report_of_before_there_were_bins_is_read() -> None:
    recording = Recording(statistics=[SpikeCounts, Synchrony, TimeCourse])
    recording.observe("v1", (np.random.default_rng(0).random((9, 3, 4)) < 0.3) * 1.0)
    document = json.loads(recording.report().to_json())
    for entry in document["layers"][0]["results"].values():
        entry.pop("bin_width", None)
    assert ActivityReport.from_json(json.dumps(document)) == recording.report()


@pytest.mark.parametrize(
    "damage",
    [
        {"bin_width": torch.tensor(0)},
        {"bin_width": torch.tensor(-2)},
        {"bin_width": torch.tensor(2.0)},
        {"bin_width": torch.tensor([2])},
        {"open_in_bin": torch.tensor([19])},  # two neurons, nine steps
        {"open_in_bin": torch.tensor([1, 1])},
    ],
)
def test_a_state_with_an_impossible_width_or_bin_is_refused(damage: dict[str, Any]) -> None:
    course = TimeCourse(bin_width=20)
    course.update(SpikeChunk(torch.ones(9, 1, 2), BINARY, True))
    state, neurons = course.state_dict(), torch.Size([2])
    check_state(course, state, neurons)
    with pytest.raises(ValueError, match=r"expected|holds more"):
        check_state(course, state | damage, neurons)


def test_a_course_in_bins_takes_memory_for_its_bins_alone() -> None:
    recording = Recording(statistics=TimeCourse(bin_width=100_000), dt=1 / 30_000)
    recording.observe_events("unit", [0.5, 59.0], [0, 1], neurons=2, duration=60.0)
    (layer,) = recording._layers.values()
    with layer.at_rest() as (_, course):
        assert all(tensor.numel() <= 18 for tensor in course.state_dict().values())
        kept = [tensor.numel() for tensor in course._totals.values()]  # type: ignore[attr-defined]
        assert max(kept) <= 32
    assert recording.report()["unit"][TimeCourse].events.tolist() == [1, *[0] * 16, 1]
