"""Calls are counted alike whether they are read at little cost, as most are, or in full."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import neuroact
from neuroact import LayerCall, SignalKind, SpikeChunk
from neuroact.errors import AdapterReadError
from neuroact.layers.call_pattern import CallPattern, always


class Layer(nn.Module):
    """Returns its spikes and its state; only the spikes if `keep` is true."""

    def forward(self, spikes: Tensor, state: Tensor | None, keep: bool = False) -> Any:
        left = spikes.clone() if state is None else state + spikes
        return spikes if keep else (spikes, left)


class ByRead:
    """Reads each call."""

    framework = "synthetic"

    def kind(self, module: nn.Module) -> SignalKind | None:
        return SignalKind.BINARY if isinstance(module, Layer) else None

    def read(self, module: Any, call: LayerCall) -> SpikeChunk:
        values, left = call.output if isinstance(call.output, tuple) else (call.output, None)
        starts = call.starts_sequence(given=call.argument(1, "state"), left=left)
        return SpikeChunk.of_step(values, SignalKind.BINARY, starts_sequence=starts)


class ByPattern(ByRead):
    """Says once how calls are read."""

    def pattern(self, module: Any) -> CallPattern:
        return CallPattern(
            SignalKind.BINARY,
            False,
            lambda output: output[0] if isinstance(output, tuple) else output,
            lambda args, kwargs: args[1:2],
            lambda output: output[1:] if isinstance(output, tuple) else (),
        )


@pytest.mark.parametrize("kept_at", [1, 2, 7, 19])
def test_a_call_that_returns_no_state_counts_the_same_by_pattern_and_by_read(kept_at: int) -> None:
    found = []
    for adapter in (ByRead(), ByPattern()):
        layer, state = Layer(), None
        with neuroact.record(layer, adapters=[adapter]) as recording:
            for step in range(20):
                spikes = torch.ones(2, 3)
                if step == kept_at:
                    layer(spikes, state, keep=True)
                else:
                    _, state = layer(spikes, state)
        (report,) = recording.report().values()
        found.append((report.events.tolist(), report.observations, report.sequences))
    assert found[0] == found[1]
    assert found[0][:2] == ([40, 40, 40], 40)


class Changing(ByPattern):
    """Gives another pattern, or none, each time the test changes `now`."""

    def __init__(self) -> None:
        self.now, self.asked = "", list[str]()

    def pattern(self, module: Any) -> Any:
        made = self.now
        if made == "read in full":
            return None

        def given(args: Any, kwargs: Any) -> Any:
            self.asked.append(made)
            return args[1:2]

        holds = always if made.startswith("always") else lambda: self.now == made
        return replace(super().pattern(module), given=given, holds=holds)


@pytest.mark.parametrize("recordings", [1, 2])
def test_the_state_is_asked_of_the_pattern_that_holds_now(recordings: int) -> None:
    found = []
    changing = Changing()
    names = ["always", "while it is so", "or so", "always again", "read in full", "always at last"]
    for adapter in (ByRead(), changing):
        layer, state = Layer(), None
        made = [neuroact.record(layer, adapters=[adapter]) for _ in range(recordings)]
        for name in names:
            changing.now = name
            for recording in made:
                if name != "or so":  # its change is found by `holds`
                    recording.pause()
                    recording.resume()
            for _ in range(5):
                _, state = layer(torch.ones(2, 3), state)
        for recording in made:
            (report,) = recording.report().values()
            found.append((report.events.tolist(), report.observations, report.sequences))
            recording.close()
        layer(torch.ones(2, 3), state)
    assert changing.asked == [
        n for n in names if n != "read in full" for _ in range(5 * recordings)
    ]
    assert found == [([60] * 3, 60, 2)] * 2 * recordings


class Nesting(ByRead):
    """Makes a chunk of a nested tensor."""

    def read(self, module: Any, call: LayerCall) -> SpikeChunk:
        nested = torch.nested.nested_tensor([torch.ones(2, 3)], layout=torch.jagged)
        return SpikeChunk(nested, SignalKind.BINARY, starts_sequence=True)


def test_a_nested_tensor_from_a_users_adapter_is_refused_with_the_layers_name() -> None:
    net = nn.Sequential(Layer())
    with (
        neuroact.record(net, adapters=[Nesting()]),
        pytest.raises(
            AdapterReadError, match=r'layer "0".*Nesting: came a nested tensor'
        ) as caught,
    ):
        net[0](torch.ones(2, 3), None)
    assert caught.value.layer == "0"
