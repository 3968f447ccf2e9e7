"""Brian 2's monitors; in an environment of their own, since it needs an older NumPy than others."""

from __future__ import annotations

from typing import Any

import brian2
import numpy as np
import pytest

from neuroact import LayerActivity, Recording, TimeCourse
from neuroact.errors import EventError

brian2.prefs.codegen.target = "numpy"


def six_neurons(dt: float = 0.1) -> Any:
    """Of which the first is silent."""
    brian2.start_scope()
    brian2.defaultclock.dt = dt * brian2.ms
    group = brian2.NeuronGroup(
        6,
        "dv/dt = (drive - v) / (10*ms) : 1\ndrive : 1",
        threshold="v > 1",
        reset="v = 0",
        method="exact",
    )
    group.drive = [0, 1.5, 2, 3, 4, 5]
    return group


def run(dt: float = 0.1, **options: Any) -> Any:
    """A monitor of six neurons after two runs of 100 ms."""
    group = six_neurons(dt)
    monitor = brian2.SpikeMonitor(group, **options)
    network = brian2.Network(group, monitor)
    for _ in range(2):
        network.run(100 * brian2.ms)
    return monitor


def read(source: Any, **options: Any) -> LayerActivity:
    recording = Recording(statistics=TimeCourse)
    recording.observe_events("a", source, **options)
    return recording.report()["a"]


def test_a_monitors_spikes_are_counted_with_silent_neurons_and_all_of_the_time() -> None:
    monitor = run()
    layer = read(monitor)
    assert layer.events.tolist() == np.asarray(monitor.count).tolist()
    assert (layer.observations, layer.dead) == (2000, 1)
    assert (layer.framework, layer.layer_type) == ("brian2", "NeuronGroup")


@pytest.mark.parametrize("dt", [0.1, 0.3, 1.0])
def test_each_spike_is_in_the_step_in_which_brian_fired_it(dt: float) -> None:
    monitor = run(dt)
    steps = np.rint(np.asarray(monitor.t_) / (dt * 1e-3)).astype(int)  # times are whole steps
    layer = read(monitor)
    expected = np.bincount(steps, minlength=layer.observations)
    assert layer[TimeCourse].events.tolist() == expected.tolist()


def test_times_with_brians_units_are_seconds_and_other_units_are_refused() -> None:
    monitor = run()
    recording = Recording(dt=0.0001)
    options: dict[str, Any] = {"neurons": 6, "duration": 200 * brian2.ms}
    recording.observe_events("a", monitor.t[:], monitor.i[:], **options)
    assert recording.report()["a"].events.tolist() == np.asarray(monitor.count).tolist()
    with pytest.raises(EventError, match="no unit of time"):
        recording.observe_events("a", [1.0] * brian2.mV, [0], **options)


def test_a_late_monitor_of_a_part_of_a_group_counts_its_own_neurons_from_then_on() -> None:
    group = six_neurons()
    network = brian2.Network(group)
    network.run(50 * brian2.ms)
    monitor = brian2.SpikeMonitor(group[2:5])
    network.add(monitor)
    network.run(100 * brian2.ms)
    layer = read(monitor, start=50 * brian2.ms)  # before, it saw nothing
    assert layer.events.tolist() == np.asarray(monitor.count).tolist()
    assert (layer.neurons, layer.observations, layer.dead) == (3, 1000, 0)


def test_a_monitor_that_has_only_counts_is_refused() -> None:
    with pytest.raises(EventError, match="record=True"):
        read(run(record=False))
