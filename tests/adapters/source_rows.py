"""Rows of the sources of events and of arrays on docs/reference/frameworks.md, found by reading.

Each source is made with the real package. What its reader says, and leaves to be said, is the row.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from neuroact.layers.event_sources import events_of
from neuroact.stream import as_tensor

Row = dict[str, str]
TIME, BATCH, NEURONS = 6, 3, 5


class Source(NamedTuple):
    """What hands out spikes, how to make it, and the test that compares its figures."""

    name: str
    build: Callable[[], Any]
    test: str


def neo_block() -> Any:
    """Two segments of one train."""
    import neo
    import quantities

    block = neo.Block()
    for _ in range(2):
        segment = neo.Segment()
        segment.spiketrains.append(neo.SpikeTrain([1.0] * quantities.ms, t_stop=5.0))
        block.segments.append(segment)
    return block


def nwb_units() -> Any:
    """A unit that was observed in two intervals."""
    import pynwb

    units = pynwb.misc.Units(name="units")
    units.add_unit(spike_times=np.array([0.5]), obs_intervals=[[0.0, 1.0], [2.0, 3.0]])
    return units


def sorting(*, recorded: bool) -> Any:
    """A unit in two segments."""
    import spikeinterface

    units = [{"a": np.array([3])}] * 2
    made = spikeinterface.NumpySorting.from_unit_dict(units, sampling_frequency=30_000.0)
    if recorded:
        traces = [np.zeros((30, 1), np.float32)] * 2
        made.register_recording(spikeinterface.NumpyRecording(traces, 30_000.0))
    return made


def tonic_events() -> Any:
    """An event of a camera."""
    import tonic.io

    return tonic.io.make_structured_array([1], [2], [3], [0])


def brian2_monitor() -> Any:
    """Of a group that ran for a step."""
    import brian2

    brian2.prefs.codegen.target = "numpy"
    group = brian2.NeuronGroup(3, "v : 1", threshold="v > 1", reset="v = 0")
    monitor = brian2.SpikeMonitor(group)
    brian2.Network(group, monitor).run(brian2.defaultclock.dt)
    return monitor


def nest_recorder() -> Any:
    """Of a neuron, for a millisecond."""
    import nest

    nest.ResetKernel()
    nest.verbosity = nest.VerbosityLevel.ERROR
    recorder = nest.Create("spike_recorder")
    nest.Connect(nest.Create("iaf_psc_alpha"), recorder)
    nest.Simulate(1.0)
    return recorder


def pynn_block() -> Any:
    """Of PyNN's own simulator that is none."""
    import pyNN.mock as sim

    sim.setup()
    population = sim.Population(3, sim.IF_curr_exp())
    population.record("spikes")
    for _ in range(2):
        sim.run(100.0)
        sim.reset()
    return population.get_data("spikes")


def spyx_run(*, batch_major: bool) -> Any:
    """The spikes of a layer."""
    import jax.numpy as jnp
    import spyx.nn
    from flax import nnx

    net = spyx.nn.Sequential(spyx.nn.LIF((NEURONS,), beta=0.9, rngs=nnx.Rngs(0)))
    sizes = (BATCH, TIME) if batch_major else (TIME, BATCH)
    return spyx.nn.run(net, jnp.ones((*sizes, NEURONS)), batch_major=batch_major)[0]


def brainstate_loop(*batch: int) -> Any:
    """What a step returned, stacked."""
    import brainstate
    import jax.numpy as jnp

    state = brainstate.HiddenState(jnp.zeros((*batch, NEURONS)))
    return brainstate.transform.for_loop(lambda _: state.value > 0, jnp.arange(TIME))


def jax_array(dtype: str) -> Any:
    """Spikes of a scan over a batch."""
    import jax
    import jax.numpy as jnp

    inputs = jnp.ones((TIME, BATCH, NEURONS), dtype)
    return jax.lax.scan(lambda state, x: (state, x), None, inputs)[1]


MAIN, APART = "test_event_sources.py::test_", "apart/test_"
EVENTS: dict[str, list[Source]] = {
    "brian2": [
        Source(
            "SpikeMonitor",
            brian2_monitor,
            f"{APART}brian2.py::test_each_spike_is_in_the_step_in_which_brian_fired_it",
        )
    ],
    "nest": [
        Source(
            "spike_recorder",
            nest_recorder,
            f"{APART}nest.py::test_nests_recorder_counts_its_own_neurons_silent_ones_too",
        )
    ],
    "pynn": [
        Source(
            "Block",
            pynn_block,
            f"{APART}pynn.py::"
            "test_a_block_of_pynn_is_read_with_its_silent_neurons_and_its_runs_as_samples",
        )
    ],
    "neo": [
        Source("Block", neo_block, f"{MAIN}neos_segments_are_samples"),
        Source(
            "Segment",
            lambda: neo_block().segments[0],
            f"{MAIN}neos_trains_of_mixed_units_count_as_elephant_bins_them",
        ),
    ],
    "pynwb": [
        Source(
            "Units",
            nwb_units,
            f"{MAIN}nwbs_intervals_are_samples_and_units_without_spikes_count",
        )
    ],
    "spikeinterface": [
        Source(
            "sorting with a recording",
            lambda: sorting(recorded=True),
            f"{MAIN}spikeinterfaces_units_and_segments_are_neurons_and_samples",
        ),
        Source(
            "sorting",
            lambda: sorting(recorded=False),
            f"{MAIN}a_sorting_without_a_recording_needs_a_duration",
        ),
    ],
    "tonic": [
        Source("structured array", tonic_events, f"{MAIN}tonics_events_count_as_its_own_frames_do")
    ],
}
SPYX = f"{APART}jax.py::test_a_run_of_spyx_is_read_in_both_orders_as_numpy_counts_it"
LOOP = f"{APART}jax.py::test_a_batched_run_of_brainstate_is_read_as_numpy_counts_it"
LIES = f"{APART}jax.py::test_arrays_are_read_where_they_lie_without_a_warning"
PAGE = f"{APART}jax.py::test_the_pages_snippets_run_and_print_what_stands_below_them"
COPY = f"{APART}jax.py::test_dtypes_that_torch_lacks_are_copied"
ARRAYS: dict[str, list[Source]] = {
    "jax": [
        *(
            Source("lax.scan", partial(jax_array, dtype), LIES)
            for dtype in ("float32", "float16", "bfloat16", "bool", "int8", "float8_e4m3fn")
        ),
        Source("lax.scan", partial(jax_array, "int4"), COPY),
    ],
    "spyx": [
        Source("nn.run", lambda: spyx_run(batch_major=False), SPYX),
        Source("nn.run(batch_major=True)", lambda: spyx_run(batch_major=True), SPYX),
    ],
    "brainstate": [
        Source("transform.for_loop", brainstate_loop, PAGE),
        Source("transform.for_loop, of a batch", lambda: brainstate_loop(BATCH), LOOP),
    ],
}


def rows(package: str) -> list[Row]:
    """Those of a package that is installed."""
    if package in EVENTS:
        return [events_row(source) for source in EVENTS[package]]
    return [array_row(source) for source in ARRAYS[package]]


def events_row(source: Source) -> Row:
    """What the list of events, as its reader makes it, says by itself."""
    found = events_of(source.build())
    return {
        "source": source.name,
        "neurons": "say `shape=`" if found.shape is None else "its own",
        "samples": "its own" if found.batch > 1 else "one",
        "time observed": "say `duration=`" if found.duration is None else "its own",
        "time step": "say `dt=`" if found.dt is None else "its own",
        "a time": "ends its step" if found.closed == "right" else "lies in its step",
        "test": source.test,
    }


def array_row(source: Source) -> Row:
    """How a run's array is read. The sizes of its dimensions tell their order."""
    values = source.build()
    axes = "".join({TIME: "T", BATCH: "B", NEURONS: "N"}[size] for size in values.shape)
    lies = as_tensor(values).data_ptr() == values.unsafe_buffer_pointer()
    return {
        "source": source.name,
        "axes": axes,
        "say": "nothing" if axes == "TBN" else f'`axes="{axes}"`',
        "dtype": str(values.dtype),
        "read": "where it lies" if lies else "as a copy",
        "test": source.test,
    }
