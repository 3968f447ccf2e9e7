"""Runs of JAX, Spyx and BrainState are observed as they are, hidden layers too."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import brainstate
import brainunit
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import snippets
import spyx.nn
from flax import nnx
from jax.experimental import sparse

from neuroact import LayerActivity, Recording
from neuroact.errors import ChunkError, EventError
from neuroact.stream import as_tensor

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples/jax_network.py"


def fed(values: Any, **options: Any) -> LayerActivity:
    recording = Recording()
    recording.observe("lif", values, **options)
    return recording.report()["lif"]


@pytest.fixture(scope="module")
def spikes() -> Any:
    """Spikes `[time, batch, neurons]`."""
    return np.random.default_rng(0).random((20, 3, 5)) < 0.3


@pytest.mark.parametrize(
    "dtype",
    ["float32", "bool", "float16", "bfloat16", "int8", "uint16", "float8_e4m3fn", "float8_e5m2"],
)
def test_arrays_are_read_where_they_lie_without_a_warning(spikes: Any, dtype: str) -> None:
    array = jnp.asarray(spikes, dtype)
    assert as_tensor(array).data_ptr() == array.unsafe_buffer_pointer()
    assert fed(array).events.tolist() == spikes.sum((0, 1)).tolist()


@pytest.mark.parametrize("dtype", ["int4", "uint4", "float8_e4m3b11fnuz"])
def test_dtypes_that_torch_lacks_are_copied(spikes: Any, dtype: str) -> None:
    assert fed(jnp.asarray(spikes, dtype)).events.tolist() == spikes.sum((0, 1)).tolist()


def test_sparse_arrays_are_read_and_two_dimensions_need_axes(spikes: Any) -> None:
    one = jnp.asarray(spikes[:, 0], jnp.float32)
    layer = fed(sparse.BCOO.fromdense(one), axes="TN")
    assert layer.events.tolist() == spikes[:, 0].sum(0).tolist()
    with pytest.raises(ChunkError, match=r'"lif": .* shape \[20, 5\], without axes='):
        fed(one)


def test_a_computation_under_way_is_waited_for() -> None:
    @jax.jit
    def slow(x: Any) -> Any:
        return jax.lax.fori_loop(0, 30, lambda _, x: (jnp.sin(x @ x) > 0).astype(x.dtype), x)

    found = slow(jnp.arange(250_000.0).reshape(500, 500))
    assert fed(found, axes="TN").events.tolist() == np.asarray(found).sum(0).tolist()


def test_what_jax_traces_is_refused_by_the_layers_name(spikes: Any) -> None:
    def observing(x: Any) -> Any:
        fed(x)
        return x

    def rows(x: Any) -> Any:
        fed(list(x))
        return x

    values = jnp.asarray(spikes)
    for wrong in (jax.jit(observing), jax.vmap(observing), jax.jit(rows)):
        with pytest.raises(ChunkError, match=r'"lif": .* jax is tracing it .*debug\.callback'):
            wrong(values)


def test_values_with_a_unit_and_random_keys_are_refused() -> None:
    with pytest.raises(ChunkError, match=r'"lif": came Quantity.* Only dimensionless quantities'):
        fed(jnp.ones((2, 3)) * brainunit.mV, axes="TN", kind="analog")
    with pytest.raises(ChunkError, match='"lif": came PRNGKeyArray'):
        fed(jax.random.key(0))


def test_times_with_a_unit_of_brainunit_are_rescaled_and_others_refused() -> None:
    recording = Recording(dt=0.001)
    options: dict[str, Any] = {"neurons": 2, "duration": 10 * brainunit.ms}
    recording.observe_events("a", jnp.array([1.0, 9.5]) * brainunit.ms, [0, 1], **options)
    recording.observe_events("a", [4 * brainunit.ms, 0.005 * brainunit.second], [0, 1], **options)
    layer = recording.report()["a"]
    assert (layer.events.tolist(), layer.observations) == ([2, 2], 20)
    with pytest.raises(EventError, match='"a": times have no unit of time'):
        recording.observe_events("a", jnp.array([1.0]) * brainunit.mV, [0], **options)


def test_filled_up_lists_of_events_are_refused() -> None:
    recording = Recording(dt=0.001)
    times, indices = jnp.array([0.0011, jnp.inf]), jnp.array([2, -1])
    options: dict[str, Any] = {"neurons": 3, "duration": 0.005}
    with pytest.raises(EventError, match="1 of 2 events are of neurons that are not there"):
        recording.observe_events("a", times, indices, **options)
    with pytest.raises(EventError, match="1 of 2 times are NaN or infinite"):
        recording.observe_events("a", times, jnp.array([2, 0]), **options)
    kept = indices >= 0
    recording.observe_events("a", times[kept], indices[kept], **options)
    assert recording.report()["a"].events.tolist() == [0, 0, 1]


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_a_run_of_spyx_is_read_in_both_orders_as_numpy_counts_it(dtype: Any) -> None:
    rngs = nnx.Rngs(0)
    net = spyx.nn.Sequential(
        nnx.Linear(6, 9, rngs=rngs, dtype=dtype), spyx.nn.LIF((9,), beta=0.9, rngs=rngs)
    )
    inputs = jnp.asarray(2 * (np.random.default_rng(0).random((20, 3, 6)) < 0.5), dtype)
    state = jax.tree.map(lambda x: x.astype(dtype), net.initial_state(3))
    out = nnx.jit(spyx.nn.run)(net, inputs, state)[0].astype(dtype)
    truth = np.asarray(out, np.float32)
    assert truth.any()
    swapped = out.swapaxes(0, 1)
    for layer in (fed(out), fed(swapped, axes="BTN")):
        assert layer.events.tolist() == truth.sum((0, 1)).tolist()
        assert (layer.observations, layer.sequences) == (60, 3)


def test_a_batched_run_of_brainstate_is_read_as_numpy_counts_it() -> None:
    class Counter(brainstate.nn.Module):
        """Fires each time that its input has added up to one."""

        def __init__(self) -> None:
            super().__init__()
            self.sum = brainstate.HiddenState(jnp.zeros((3, 4)))

        def update(self, x: Any) -> Any:
            self.sum.value += x
            fired = self.sum.value >= 1
            self.sum.value -= fired
            return fired

    drive = jnp.linspace(0, 1, 12).reshape(3, 4)
    counter = Counter()
    found = brainstate.transform.for_loop(lambda _: counter.update(drive), jnp.arange(50))
    layer = fed(found)
    assert layer.events.tolist() == np.asarray(found).sum((0, 1)).tolist()
    assert (layer.observations, layer.sequences) == (150, 3)


def test_spyx_fires_on_what_the_last_step_left() -> None:
    net = spyx.nn.Sequential(spyx.nn.LIF((1,), beta=0.5, rngs=nnx.Rngs(0)))
    out = spyx.nn.run(net, jnp.full((3, 1, 1), 1.5))[0]
    assert out[:2, 0, 0].tolist() == [0, 1]


def test_a_scan_under_vmap_is_batch_first(spikes: Any) -> None:
    def run(sample: Any) -> Any:
        return jax.lax.scan(lambda state, x: (state, x), None, sample)[1]

    layer = fed(jax.vmap(run)(jnp.asarray(spikes).swapaxes(0, 1)), axes="BTN")
    assert layer.events.tolist() == spikes.sum((0, 1)).tolist()
    assert (layer.observations, layer.sequences) == (60, 3)


@pytest.mark.filterwarnings("error")
def test_the_example_compares_its_hidden_layers_before_and_after_training(
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = runpy.run_path(str(EXAMPLE))
    names["main"]()
    printed = capsys.readouterr().out
    assert "differs most" in printed
    model, (inputs, _) = names["network"](), names["patterns"](64, seed=1)
    raw, report = names["run"](model, inputs), names["observed"](model, inputs)
    assert list(report) == list(raw) == ["hidden0", "hidden1", "out"]
    for name, values in raw.items():
        assert report[name].events.tolist() == np.asarray(values).sum((0, 1)).tolist()
        assert f"{report[name].mean:.4f}" in printed


def test_the_pages_snippets_run_and_print_what_stands_below_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    snippets.run(ROOT / "docs/how-to/jax.md")
