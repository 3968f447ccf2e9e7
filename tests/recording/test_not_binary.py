"""A binary layer's value other than 0 and 1 is reported in every form, except in padding."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from emitting import (
    BINARY,
    Emitting,
    EmittingAdapter,
    Way,
    counted,
    each_way,
    some_or_all,
    spikes,
)
from torch import Tensor, nn

import neuroact
from neuroact import CallPattern, LayerActivity, LayerCall, Recording, SpikeChunk

NOT_BINARY = [2.0, -1.0, 0.5, float("nan"), float("inf")]
STEPS, BATCH = 70, 3  # more steps than a block holds
LENGTHS = [STEPS, 66, 2]

each_value = pytest.mark.parametrize("value", NOT_BINARY)

LOOKS: dict[str, Callable[[Tensor], Tensor]] = {
    "float32": lambda values: values,
    "float16": lambda values: values.half(),
    "bfloat16": lambda values: values.bfloat16(),
    "batch last": lambda values: values.movedim(-3, -1).contiguous().movedim(-1, -3),
    "half, every second": lambda values: values.half().repeat_interleave(2, -1)[..., ::2],
}
each_look = pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS.keys())

MASKS: dict[str, Any] = {
    "no mask": np.ones((STEPS, BATCH), bool),
    "lengths": np.arange(STEPS)[:, None] < np.array(LENGTHS),
    "steps": np.arange(STEPS * BATCH).reshape(STEPS, BATCH) % 5 != 0,
    "samples": np.broadcast_to([True, False, True], (STEPS, BATCH)),
}
each_mask = pytest.mark.parametrize("mask", MASKS)


def told(recording: Recording, mask: str) -> contextlib.AbstractContextManager[None]:
    """Says of the recording's next steps which are valid."""
    if mask == "no mask":
        return contextlib.nullcontext()
    if mask == "lengths":
        return recording.batch(lengths=LENGTHS)
    return recording.batch(valid=MASKS[mask][0] if mask == "samples" else MASKS[mask])


class Sequences(nn.Module):
    """Emits the sequence `[time, batch, *neurons]` that it is given."""

    def forward(self, values: Tensor) -> Tensor:
        return values


class SequenceAdapter:
    """Reads it."""

    framework = "synthetic"

    def kind(self, module: nn.Module) -> Any:
        return BINARY if isinstance(module, Sequences) else None

    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        return SpikeChunk.of_sequence(call.output, BINARY, starts_sequence=True)

    def pattern(self, module: nn.Module) -> CallPattern:
        return CallPattern(BINARY, True, lambda output: output, lambda *_: (), lambda _: ())


Runs = Callable[[list[Tensor], str, Any, Any], list[LayerActivity]]


def by_steps(cases: list[Tensor], mask: str, statistics: Any, wrap: Any) -> list[LayerActivity]:
    """What is reported of a layer that emits these, each step by step from nothing counted."""
    layer = Emitting()
    call, reports = wrap(layer), []
    adapters = [EmittingAdapter()]
    with neuroact.record(layer, statistics=statistics, adapters=adapters) as recording:
        for values in cases:
            recording.reset()
            state = torch.zeros(values.shape[1:])
            with told(recording, mask):
                for step in values:
                    _, state = call(step, state)
            reports.append(of(recording))
    return reports


def by_sequence(cases: list[Tensor], mask: str, statistics: Any, wrap: Any) -> list[LayerActivity]:
    """The same, each emitted in one call."""
    layer = Sequences()
    call, reports = wrap(layer), []
    adapters = [SequenceAdapter()]
    with neuroact.record(layer, statistics=statistics, adapters=adapters) as recording:
        for values in cases:
            recording.reset()
            with told(recording, mask):
                call(values)
            reports.append(of(recording))
    return reports


def of(recording: Recording) -> LayerActivity:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is unreliable
        layer: LayerActivity = counted(recording)
    return layer


each_run = pytest.mark.parametrize("run", [by_steps, by_sequence])


def raw(mask: str, *, padding: bool) -> list[Tensor]:
    """Spikes with one bad value each, early to late, in padding or in valid steps."""
    found, cases = np.argwhere(MASKS[mask] != padding), []
    for number, value in enumerate(NOT_BINARY if len(found) else []):
        step, sample = found[number * (len(found) - 1) // (len(NOT_BINARY) - 1)]
        values = torch.stack([spikes(BATCH, seed) for seed in range(STEPS)])
        values[step, sample, number % 3, number % 2] = value
        cases.append(values)
    return cases


def check(layer: LayerActivity, values: Tensor, mask: str, *, exact: bool = True) -> None:
    """The layer's counts are what NumPy finds in the valid values."""
    valid = values.double().numpy()[MASKS[mask]]
    finite = np.isfinite(valid)
    nonfinite, not_binary = (
        bool((~finite).any()),
        bool((finite & (valid != 0) & (valid != 1)).any()),
    )
    assert layer.observations == MASKS[mask].sum()
    assert layer.sequences == MASKS[mask].any(0).sum()
    assert (layer.unreliable is not None) == np.isnan(layer.mean) == (nonfinite or not_binary)
    if exact:
        assert layer.events.tolist() == (valid != 0).sum(0).tolist()
        assert (layer.nonfinite, layer.not_binary) == (nonfinite, not_binary)


@each_way
@some_or_all
@each_run
@each_mask
@each_look
def test_a_value_that_is_not_binary_makes_the_layer_unreliable_unless_it_is_padding(
    way: Way, statistics: Any, run: Runs, mask: str, look: Any
) -> None:
    bad, padded = raw(mask, padding=False), raw(mask, padding=True)
    with way():
        layers = run([look(values) for values in bad + padded], mask, statistics, as_it_is)
    for layer, values in zip(layers, bad + padded, strict=True):
        check(layer, values, mask)
    assert [layer.unreliable is None for layer in layers] == [False] * len(bad) + [True] * len(
        padded
    )


@pytest.mark.usefixtures("fresh_compiler")
@pytest.mark.filterwarnings("ignore", "error::neuroact.errors.NeuroactWarning")  # the compiler's
@each_way
@some_or_all
@each_run
@each_mask
def test_a_value_that_is_not_binary_makes_a_compiled_layer_unreliable_unless_it_is_padding(
    way: Way, statistics: Any, run: Runs, mask: str
) -> None:
    bad, padded = raw(mask, padding=False), raw(mask, padding=True)[::3]
    look = LOOKS["half, every second"]
    with way(), torch.no_grad():
        layers = run([look(values) for values in bad + padded], mask, statistics, compiled)
    # A window tells a NaN as a value other than 0 and 1, which it is, and counts none of its place.
    in_window = mask == "no mask" and statistics == () and run is by_steps
    for layer, values in zip(layers, bad + padded, strict=True):
        check(layer, values, mask, exact=not in_window)
    assert [layer.unreliable is None for layer in layers] == [False] * len(bad) + [True] * len(
        padded
    )


def as_it_is(layer: nn.Module) -> Any:
    return layer


def compiled(layer: nn.Module) -> Any:
    return torch.compile(layer, backend="aot_eager")
