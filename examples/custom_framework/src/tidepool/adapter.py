"""The adapter: how neuroact reads tidepool's neurons."""

from __future__ import annotations

from torch import nn

from neuroact import CallPattern, LayerCall, SignalKind, SpikeChunk
from tidepool import Tide, Wave


class TidepoolAdapter:
    """Reads every `Tide`. An `Echo` repeats the spikes of a `Tide`, so it is not a layer."""

    framework = "tidepool"
    tested = ("0.1.0", "0.1.0")

    def kind(self, module: nn.Module) -> SignalKind | None:
        """BINARY for a `Tide`; None for everything else."""
        return SignalKind.BINARY if isinstance(module, Tide) else None

    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        """The pulses, with the time axis in front; a view."""
        wave: Wave = call.output
        starts = call.starts_sequence(given=call.argument(1, "level"), left=wave.level)
        return SpikeChunk(wave.pulses.movedim(-1, 0), SignalKind.BINARY, starts)

    def pattern(self, module: nn.Module) -> CallPattern:
        """The same for all calls at once, so that `torch.compile` can trace them."""
        return CallPattern(
            SignalKind.BINARY,
            sequence=True,
            values=lambda wave: wave.pulses.movedim(-1, 0),
            given=lambda args, kwargs: args[1:2] or (kwargs.get("level"),),
            left=lambda wave: (wave.level,),
        )

    def input_axes(self, module: nn.Module) -> str:
        """Currents have the same order as pulses: time last."""
        return "BNT"
