"""sinabs: the state that stays on the layer tells where a sequence starts."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
import sinabs
import sinabs.layers as sl
import torch
from sinabs.activation import MembraneReset
from torch import Tensor, nn

import neuroact

STEPS, BATCH, NEURONS = 5, 3, 4

LAYERS: dict[str, Callable[[], Any]] = {
    "IAF": sl.IAF,
    "IAFRecurrent": lambda: sl.IAFRecurrent(nn.Linear(NEURONS, NEURONS)),
    "LIF": lambda: sl.LIF(5.0),
    "LIF with synapses": lambda: sl.LIF(5.0, tau_syn=3.0),
    "LIF with a lower bound": lambda: sl.LIF(5.0, min_v_mem=-1.0),
    "LIF reset to zero": lambda: sl.LIF(5.0, reset_fn=MembraneReset()),
    "LIF that records its states": lambda: sl.LIF(5.0, record_states=True),
    "LIFRecurrent": lambda: sl.LIFRecurrent(5.0, nn.Linear(NEURONS, NEURONS)),
    "ALIF": lambda: sl.ALIF(5.0, 9.0),
    "ALIF with synapses": lambda: sl.ALIF(5.0, 9.0, tau_syn=3.0),
    "ALIFRecurrent": lambda: sl.ALIFRecurrent(5.0, 9.0, nn.Linear(NEURONS, NEURONS)),
    "ExpLeak": lambda: sl.ExpLeak(5.0),
    "shape given beforehand": lambda: sl.IAF(shape=(BATCH, NEURONS)),
}
every_layer = pytest.mark.parametrize("build", LAYERS.values(), ids=LAYERS.keys())
every_mode = pytest.mark.parametrize(
    "mode", [torch.enable_grad, torch.no_grad, torch.inference_mode], ids=lambda m: m.__name__
)


def x(batch: int = BATCH) -> Tensor:
    return torch.rand(batch, STEPS, NEURONS) + 0.1


def begun(layer: nn.Module, *between: Callable[[Any], Any], batch: int = BATCH) -> int:
    """Number of sequences that a call begins after `between` was done to the layer."""
    with neuroact.record(nn.Sequential(layer), layers="0") as recording:
        layer(x())
        for change in between:
            change(layer)
        layer(x(batch))
    return recording.report()["0"].sequences - BATCH


@every_mode
@every_layer
def test_a_call_goes_on_until_the_states_are_reset(
    build: Callable[[], Any], mode: Callable[[], AbstractContextManager[None]]
) -> None:
    with mode():
        layer, counted = build(), []
        with neuroact.record(nn.Sequential(layer), layers="0") as recording:
            for reset in (False, False, True, False, True, True):
                if reset:
                    layer.reset_states()
                layer(x())
                counted.append(recording.report()["0"].sequences // BATCH)
    assert counted == [1, 1, 2, 2, 3, 4]


def test_a_reset_writes_to_the_very_memory_that_the_last_call_left() -> None:
    """So the memory alone does not tell whether a state is the one that was left."""
    layer = sl.IAF()
    layer(x())
    left = layer.v_mem.data_ptr()
    layer.reset_states()
    assert layer.v_mem.data_ptr() == left
    assert not layer.v_mem.any()


@pytest.mark.parametrize(
    "reset",
    [
        lambda layer: layer.reset_states(randomize=True),
        lambda layer: sinabs.reset_states(nn.Sequential(layer)),
        lambda layer: layer.init_state_with_shape((BATCH, NEURONS)),
        lambda layer: layer.load_state_dict(layer.state_dict()),
        lambda layer: setattr(layer, "v_mem", torch.zeros(BATCH, NEURONS)),
    ],
    ids=["at random", "the whole model", "made anew", "loaded", "replaced"],
)
def test_other_resets_are_seen_too(reset: Callable[[Any], Any]) -> None:
    assert begun(sl.IAF(), reset) == BATCH


@pytest.mark.parametrize(
    "detach",
    [
        lambda layer: layer.zero_grad(),
        lambda layer: layer.v_mem.detach_(),
        lambda layer: setattr(layer, "v_mem", layer.v_mem.detach()),
        lambda layer: layer.v_mem.sum().backward(),
        lambda layer: None,
    ],
    ids=["zero_grad", "detach_", "detach", "backward", "nothing"],
)
def test_a_detached_state_goes_on(detach: Callable[[Any], Any]) -> None:
    """Truncated backpropagation through time; the time constant is what is trained."""
    assert begun(sl.LIF(5.0), detach) == 0


@pytest.mark.parametrize("batch", [1, 2, 5])
@every_layer
def test_a_batch_of_another_size_starts_a_sequence(build: Callable[[], Any], batch: int) -> None:
    assert begun(build(), batch=batch) == batch


def test_sinabs_hands_a_smaller_batch_the_states_of_random_samples() -> None:
    """Its sequence does not continue: a sample gets the state of another."""
    layer, origins = sl.IAF(), set()
    for _ in range(50):
        layer.reset_states()
        layer(torch.tensor([[[0.25]], [[0.5]]]))
        layer(torch.zeros(1, 1, 1))
        origins.add(layer.v_mem.item())
    assert origins == {0.25, 0.5}


def test_flattened_layers_go_on_as_others_do() -> None:
    layer = sl.IAFSqueeze(batch_size=BATCH)
    with neuroact.record(layer) as recording:
        layer(x().flatten(0, 1))
        layer(x().flatten(0, 1))
        layer.reset_states()
        layer(x().flatten(0, 1))
    assert recording.report()["model"].sequences == 2 * BATCH


def test_in_inference_mode_a_state_left_all_zero_counts_as_reset() -> None:
    """A tensor made there has no version; a reset shows only in its zeros."""
    with torch.inference_mode():
        layer = sl.IAF()
        with neuroact.record(layer) as recording:
            for _ in range(3):
                layer(torch.ones(BATCH, STEPS, NEURONS))  # each 1 fires and leaves 0
    assert recording.report()["model"].sequences == 3 * BATCH


def test_a_state_left_all_zero_goes_on_elsewhere() -> None:
    layer = sl.IAF()
    with torch.no_grad(), neuroact.record(layer) as recording:
        for _ in range(3):
            layer(torch.ones(BATCH, STEPS, NEURONS))
    assert recording.report()["model"].sequences == BATCH
