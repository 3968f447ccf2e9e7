"""What `statistics=` takes: names, classes, configured statistics, functions; one of each name."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from stored import Largest

from neuroact import Raster, Recording, SignalKind, SpikeChunk, SpikeCounts
from neuroact.statistics import Firing

SPIKES = torch.eye(4).expand(5, 4, 4).transpose(0, 1)  # 5 samples of 4 steps


def three_rasters() -> Raster:
    return Raster(3)


@pytest.mark.parametrize(
    ("statistics", "sequences"),
    [
        ([Raster], 1),
        (Raster, 1),
        ([Raster(3)], 3),
        (Raster(3), 3),
        ((SpikeCounts, Raster(3)), 3),
        ([lambda: Raster(3)], 3),
        (three_rasters, 3),
        ([Firing, Raster(3)], 3),
        ([Firing(), Raster(3)], 3),
        ("Raster", 1),
        (["Firing", "SpikeCounts", "Raster"], 1),
        (["SpikeCounts", Raster(3)], 3),
    ],
)
def test_each_layer_has_a_statistic_of_its_own_as_it_was_configured(
    statistics: Any, sequences: int
) -> None:
    recording = Recording(statistics=statistics)
    recording.observe("a", SPIKES)
    recording.observe("b", SPIKES[:, :2])
    report = recording.report()
    assert report["a"][Raster].kept == sequences
    assert report["b"][Raster].kept == min(sequences, 2)


def test_the_counts_of_a_given_statistic_are_not_taken_over_and_it_stays_unchanged() -> None:
    given = Raster(3)
    given.update(SpikeChunk(SPIKES[:, :1], SignalKind.BINARY, starts_sequence=True))
    before = given.result()
    recording = Recording(statistics=[given])
    recording.observe("a", SPIKES[:, :2])
    assert recording.report()["a"][Raster].begun == 2
    assert given.result() == before


@pytest.mark.parametrize(
    ("statistics", "name"),
    [
        ([Raster(1), Raster(3)], "Raster"),
        ([Raster, lambda: Raster(3)], "Raster"),
        (["Raster", Raster(3)], "Raster"),
        (["Raster", "Raster"], "Raster"),
        ([type("Raster", (Largest,), {}), Raster], "Raster"),
        ([type("Firing", (Largest,), {})], "Firing"),
    ],
)
def test_two_statistics_of_one_name_are_refused(statistics: Any, name: str) -> None:
    with pytest.raises(ValueError, match=f"statistics= has two that are called {name}"):
        Recording(statistics=statistics)


@pytest.mark.parametrize(
    ("statistics", "message"),
    [
        ([dict], r"came <class 'dict'>"),
        ([3], r"came 3"),
        (3, r"came 3"),
        ([None], r"came None"),
    ],
)
def test_anything_but_a_statistic_is_refused_by_one_sentence(statistics: Any, message: str) -> None:
    with pytest.raises(TypeError, match="statistics= takes .*" + message):
        Recording(statistics=statistics)


@pytest.mark.parametrize("statistics", ["TimeCorse", ["Firing", "TimeCorse"]])
def test_a_misspelt_name_is_answered_with_those_that_exist(statistics: Any) -> None:
    with pytest.raises(
        ValueError,
        match=r"no statistic 'TimeCorse'. Did you mean 'TimeCourse' .* There are: Firing,",
    ):
        Recording(statistics=statistics)


@pytest.mark.parametrize("statistics", [[Raster(3)], [three_rasters], ["TimeCourse", Raster(3)]])
def test_a_recording_is_pickled_with_its_configured_statistics(statistics: Any) -> None:
    recording = Recording(statistics=statistics)
    recording.observe("a", SPIKES[:, :1])
    again = pickle.loads(pickle.dumps(recording))
    assert again.report() == recording.report()
    for other in (again, copy.deepcopy(recording), copy.copy(recording)):
        other.merge(recording)
        assert other.report()["a"][Raster].kept == 2


def test_a_recording_with_a_function_made_on_the_spot_is_copied_and_not_pickled() -> None:
    recording = Recording(statistics=[lambda: Raster(3)])
    recording.observe("a", SPIKES[:, :1])
    assert copy.deepcopy(recording).report() == recording.report()
    with pytest.raises(pickle.PicklingError, match=r"Raster is built by <function .*\[Raster\("):
        pickle.dumps(recording)


def test_a_file_is_read_with_the_configured_statistic_that_it_was_written_with(
    tmp_path: Any,
) -> None:
    recording = Recording(statistics=[Largest(2.0)])
    recording.observe("a", SPIKES)
    recording.save(tmp_path / "run")
    for statistics in (Largest(2.0), [Largest(2.0)]):
        again = Recording.load(tmp_path / "run", statistics=statistics)
        assert again.report() == recording.report()
        assert again.report()["a"].results == recording.report()["a"].results
