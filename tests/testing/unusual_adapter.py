"""Layers of unusual but valid shapes, and adapters that read them right."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from neuroact import LayerCall, SignalKind, SpikeChunk
from neuroact.testing import AdapterExample, ExpectedLayer, Limit


class TimeLast(nn.Module):
    """Bool `[batch, rows, columns, time]` in a dict; states in a dict, passed only by keyword."""

    def forward(self, *, frames: Tensor, before: dict[str, Any] | None = None) -> dict[str, Any]:
        potential = frames[..., :0].sum(-1) if before is None else before["potential"]["v"]
        spikes = []
        for step in frames.unbind(-1):
            potential = 0.5 * potential + step
            spikes.append(potential > 1)
        return {"state": {"potential": {"v": potential}}, "s": torch.stack(spikes, -1)}


class Unbatched(nn.Module):
    """A call is one step of one sample, a row of neurons; signed integers of eight bits."""

    def forward(self, x: Tensor) -> tuple[str, list[Tensor]]:
        return "unbatched", [x.round().clamp(-3, 3).to(torch.int8)]


class UnusualAdapter:
    """Reads both."""

    framework = "unusual"

    def kind(self, module: nn.Module) -> SignalKind | None:
        if isinstance(module, Unbatched):
            return SignalKind.GRADED
        return SignalKind.BINARY if isinstance(module, TimeLast) else None

    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        if isinstance(module, Unbatched):
            return SpikeChunk.of_step(call.output[1][0], SignalKind.GRADED, starts_sequence=True)
        left = call.output["state"]
        starts = call.starts_sequence(given=call.kwargs.get("before"), left=left)
        return SpikeChunk(call.output["s"].movedim(-1, 0), SignalKind.BINARY, starts)


def by_keyword(model: nn.Module, x: Tensor, state: Any) -> tuple[Any, Any]:
    output = model(frames=x, before=state)
    return output["s"], output["state"]


def row_by_row(model: nn.Module, x: Tensor, state: Any) -> tuple[Any, Any]:
    return [model(row)[1] for row in x], True


EXAMPLES = (
    AdapterExample(
        name="time last, in a dict",
        model=TimeLast,
        inputs=lambda steps, batch: torch.rand(batch, 2, 5, steps),
        layers={
            "model": ExpectedLayer("BNT", spikes=lambda output: output["s"]),
        },
        run=by_keyword,
        limits={Limit.GRADIENTS},
    ),
    AdapterExample(
        name="unbatched",
        model=lambda: nn.Sequential(Unbatched()),
        inputs=lambda steps, batch: torch.randn(steps, 5) * 2,
        layers={
            "0": ExpectedLayer("N", SignalKind.GRADED, spikes=lambda output: output[1][0]),
        },
        run=row_by_row,
        limits={Limit.BATCH, Limit.STATE, Limit.GRADIENTS},
    ),
)
