"""Reading modules that no adapter knows: plain tensors in an order of axes that the user states."""

from __future__ import annotations

from typing import Any, Literal

from torch import Tensor, nn

from neuroact.adapter import LayerCall
from neuroact.stream import SignalKind, SpikeChunk

Side = Literal["output", "input"]
DEFAULT_AXES = "BN"


class TensorAdapter:
    """Reads a module's output, or what goes into it, as a tensor of the stated axes.

    Such a module has no state that would say where a sequence starts, so each call is a sequence
    of its own.

    Args:
        axes: the order of the tensor's dimensions: `T` time, `B` batch, `N` all the neurons'
            dimensions together, each at most once, `N` always. Without `T` a call is one step,
            without `B` a batch of one. "BN" where None: one step, batch first.
        of: "output" reads what the module returns, "input" its first argument.

    Raises:
        ValueError: axes that are none.
    """

    framework = "torch"

    def __init__(self, axes: str | None = None, of: Side = "output") -> None:
        self.axes = DEFAULT_AXES if axes is None else axes
        self.of = of
        if sorted(self.axes) not in ([*"N"], [*"BN"], [*"NT"], [*"BNT"]):
            raise ValueError(
                "expected axes= to hold N (the neurons) and at most one T (time) and one B "
                f'(batch), such as "TBN", "BTN" or "BN", came {axes!r}'
            )

    def kind(self, module: nn.Module) -> SignalKind:
        """ANALOG for an output; GRADED for an input, where zero is taken to mean silent."""
        return SignalKind.GRADED if self.of == "input" else SignalKind.ANALOG

    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        """The tensor with its axes in the protocol's order."""
        values = self._tensor(call)
        ordered = _to_protocol(values, self.axes)
        return SpikeChunk(ordered, self.kind(module), starts_sequence=True)

    def _tensor(self, call: LayerCall) -> Tensor:
        value: Any = call.output
        if self.of == "input":
            value = call.args[0] if call.args else next(iter(call.kwargs.values()), None)
        if not isinstance(value, Tensor):
            raise TypeError(
                f"expected the module's {self.of} to be one tensor, came {type(value).__name__}; "
                "write an adapter for it and pass it as adapters="
            )
        return value.detach()


def _to_protocol(values: Tensor, axes: str) -> Tensor:
    """Reorder `values` from `axes` to `[time, batch, *neurons]`, adding the axes that lack."""
    neuron_dims = values.ndim - (len(axes) - 1)
    if neuron_dims < 0:
        raise ValueError(f"expected the axes {axes!r}, came a tensor of shape {list(values.shape)}")
    where: dict[str, list[int]] = {"T": [], "B": []}
    position = 0
    for axis in axes:
        width = neuron_dims if axis == "N" else 1
        where[axis] = list(range(position, position + width))
        position += width
    ordered = values.permute(*where["T"], *where["B"], *where["N"])
    if not where["B"]:
        ordered = ordered.unsqueeze(len(where["T"]))
    return ordered if where["T"] else ordered.unsqueeze(0)
