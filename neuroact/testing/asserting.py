"""Assertions about one call that an adapter read. Their messages say where to look."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from neuroact.testing.example import AdapterExample, ExpectedLayer, Limit
from neuroact.testing.playing import Player, ReadCall, Run


def assert_axes(call: ReadCall, layer: ExpectedLayer) -> None:
    """The chunk has the shape `[time, batch, *neurons]` of the layer's spikes."""
    expected, came = call.truth.shape, tuple(call.chunk.values.shape)
    if came == expected:
        return
    swapped = " The sizes are right and their order is not." * (sorted(came) == sorted(expected))
    raise AssertionError(
        f"{call}: expected values of shape [time, batch, *neurons] = {list(expected)}, came "
        f"{list(came)}.{swapped} Look at `read`: SpikeChunk.of_step takes [batch, *neurons], "
        "SpikeChunk.of_sequence takes [time, batch, *neurons], or [batch, time, *neurons] with "
        f"batch_first=True; the example says that the layer emits {layer.axes!r}."
    )


def assert_values(call: ReadCall, layer: ExpectedLayer) -> None:
    """The chunk holds each of the layer's spikes, to the bit."""
    assert_axes(call, layer)
    assert call.values is not None
    differ = ~((call.values == call.truth) | (np.isnan(call.values) & np.isnan(call.truth)))
    if not differ.any():
        return
    at = tuple(int(i) for i in np.argwhere(differ)[0])
    raise AssertionError(
        f"{call}: {np.count_nonzero(differ)} of {differ.size} values are not the layer's spikes; "
        f"at [time, batch, *neurons] = {list(at)} expected {call.truth[at]}, came "
        f"{call.values[at]}. Look at `read`: which member of the output holds the spikes, and "
        "whether it changes them."
    )


def assert_start(call: ReadCall, example: AdapterExample) -> None:
    """The chunk says correctly whether it begins a sequence."""
    expected, came = starts(call, example), call.chunk.starts_sequence
    if bool(came) is expected:
        return
    why = _why(call, example, expected=expected)
    raise AssertionError(
        f"{call}: expected starts_sequence={expected}, since {why}; came {came}. Look at `read`: "
        "call.starts_sequence(given=..., left=...) takes the state that this call was given (an "
        "argument, or call.state if the adapter has a method `state`) and the one that it left."
    )


def starts(call: ReadCall, example: AdapterExample) -> bool:
    """Whether a call begins a sequence, according to the run."""
    if Limit.STATE in example.limits:
        return True
    return call.number == 0 and not call.run.continues


def assert_read_truly(player: Player, runs: Iterable[Run]) -> Sequence[ReadCall]:
    """Every call of the runs is read right: shape, values and where sequences start."""
    calls = player.watch().play(runs)
    example = player.case.example
    assert calls, "no declared layer was called; look at the example's `run` and `layers`"
    for call in calls:
        assert_values(call, example.layers[call.layer])
        assert_start(call, example)
    return calls


def assert_runs_by_itself(player: Player, runs: Iterable[Run], limit: Limit) -> None:
    """The model runs when nothing watches it."""
    try:
        player.play(runs)
    except Exception as error:
        raise AssertionError(
            f"the model itself raised {type(error).__name__}: {error}, unwatched. If it "
            f"cannot {limit.value}, say so: limits={{Limit.{limit.name}}}."
        ) from error


def _why(call: ReadCall, example: AdapterExample, *, expected: bool) -> str:
    if expected and Limit.STATE in example.limits:
        return "the example says that the model has no state"
    if expected:
        return "it is the first one after a reset"
    if call.number:
        return "it is given the state that the call before it left"
    return f"the run continues from the state of the run before{_cut(call)}"


def _cut(call: ReadCall) -> str:
    return ", detached" if call.run.detached else ""


def described(value: Any) -> str:
    """A value in a few words."""
    return f"{type(value).__name__} {value!r}"[:80]
