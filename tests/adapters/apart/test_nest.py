"""NEST's spike recorders, in a process of their own.

NEST and what PyTorch compiles bring OpenMP libraries that crash in one process.
"""

from __future__ import annotations

from typing import Any

import nest
import numpy as np
import pytest

from neuroact import LayerActivity, Recording, TimeCourse
from neuroact.errors import EventError


def read(source: Any, **options: Any) -> LayerActivity:
    recording = Recording(statistics=TimeCourse)
    recording.observe_events("a", source, **options)
    report = recording.report()
    assert report.origin["versions"]["nest"] == nest.__version__
    return report["a"]


@pytest.fixture
def kernel() -> Any:
    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.resolution = 0.1
    return nest


@pytest.mark.parametrize("in_steps", [False, True])
def test_nests_recorder_counts_its_own_neurons_silent_ones_too(kernel: Any, in_steps: bool) -> None:
    nest.Create("iaf_psc_alpha", 7)
    firing = nest.Create("iaf_psc_alpha", 5, params={"I_e": [376.0, 400.0, 450.0, 500.0, 600.0]})
    silent = nest.Create("iaf_psc_alpha", 2)
    recorder = nest.Create("spike_recorder", params={"time_in_steps": in_steps})
    nest.Connect(firing + silent, recorder)
    for _ in range(2):
        nest.Simulate(60.0)
    layer = read(recorder)
    senders = recorder.events["senders"]
    expected = [int((senders == k).sum()) for k in (firing + silent).tolist()]
    assert layer.events.tolist() == expected
    assert (layer.observations, layer.dead, layer.framework) == (1200, 2, "nest")
    times = np.asarray(recorder.events["times"], float) / (1 if in_steps else nest.resolution)
    steps = np.rint(times).astype(int) - 1  # a time is the end of its step
    course = np.bincount(steps, minlength=1200)
    assert layer[TimeCourse].events.tolist() == course.tolist()


def test_nests_precise_times_are_taken_as_they_are(kernel: Any) -> None:
    neurons = nest.Create("iaf_psc_alpha_ps", 3, params={"I_e": 500.0})
    recorder = nest.Create("spike_recorder")
    nest.Connect(neurons, recorder)
    nest.Simulate(100.0)
    layer = read(recorder)
    times = recorder.events["times"]
    assert len(times) > 0
    steps = np.ceil(np.asarray(times) / 0.1).astype(int) - 1
    assert np.flatnonzero(layer[TimeCourse].events).tolist() == np.unique(steps).tolist()


def test_a_recorder_observes_from_its_own_start_to_its_own_stop(kernel: Any) -> None:
    neurons = nest.Create("iaf_psc_alpha", 2, params={"I_e": 600.0})
    options = {"origin": 10.0, "start": 20.0, "stop": 60.0}
    recorder = nest.Create("spike_recorder", params=options)
    nest.Connect(neurons, recorder)
    nest.Simulate(100.0)
    layer = read(recorder)
    assert layer.observations == 400
    assert layer.events.sum() == len(recorder.events["times"]) > 0


def test_a_recorder_that_was_emptied_is_read_from_then_on(kernel: Any) -> None:
    neurons = nest.Create("iaf_psc_alpha", 2, params={"I_e": 600.0})
    recorder = nest.Create("spike_recorder")
    nest.Connect(neurons, recorder)
    nest.Simulate(50.0)
    recorder.n_events = 0
    nest.Simulate(70.0)
    layer = read(recorder, start=0.05)
    assert layer.observations == 700
    assert layer.events.sum() == len(recorder.events["times"]) > 0


def test_what_of_nest_has_no_neurons_or_is_no_recorder_is_refused(kernel: Any) -> None:
    with pytest.raises(EventError, match="no neuron is connected"):
        read(nest.Create("spike_recorder"))
    with pytest.raises(EventError, match="no reader knows"):
        read(nest.Create("iaf_psc_alpha"))
    with pytest.raises(EventError, match="one spike_recorder, came 2"):
        read(nest.Create("spike_recorder", 2))
