"""What PyNN records is read as neo's, here of a run on NEST."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neuroact import Recording, TimeCourse

# PyNN calls what NEST has deprecated, and misses NEST's compiler.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def recorded() -> Any:
    """Four neurons, the first silent, in two runs with a reset between them."""
    import pyNN.nest as sim

    sim.setup(timestep=0.1, verbosity="error", t_flush=200.0)
    population = sim.Population(4, sim.IF_curr_exp(i_offset=[0.0, 0.9, 1.1, 1.5]))
    population.record("spikes")
    sim.run(100.0)
    sim.reset()
    sim.run(100.0)
    yield population.get_data("spikes")
    sim.end()


def test_a_block_of_pynn_is_read_with_its_silent_neurons_and_its_runs_as_samples(
    recorded: Any,
) -> None:
    trains = [segment.spiketrains for segment in recorded.segments]
    times = np.concatenate([train.rescale("ms").magnitude for run in trains for train in run])
    assert np.abs(times - np.round(times, 1)).max() > 0.01  # off NEST's grid
    recording = Recording(statistics=TimeCourse, dt=0.0001)
    recording.observe_events("a", recorded)
    layer = recording.report()["a"]
    assert layer.events.tolist() == [sum(len(run[k]) for run in trains) for k in range(4)]
    assert (layer.dead, layer.sequences, layer.observations) == (1, 2, 2000)
    steps = np.bincount(np.floor(times / 0.1 + 1e-6).astype(int), minlength=1000)
    assert layer[TimeCourse].events.tolist() == steps.tolist()
