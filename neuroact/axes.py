"""Reading modules that no adapter knows: plain tensors in an order of axes that the user states."""

from __future__ import annotations

import re
from typing import Any, Literal

from torch import Tensor, nn

from neuroact.adapter import LayerCall
from neuroact.stream import SignalKind, SpikeChunk

Side = Literal["output", "input"]
DEFAULT_AXES = "BN"

# Time and batch lie in one dimension, the first named varying slowest; one has its size.
_FLAT = re.compile(r"\(([TB])(?:=(\d+))? ?([TB])(?:=(\d+))?\)")


class TensorAdapter:
    """Reads a module's output, or what goes into it, as a tensor of the stated axes.

    Such a module has no state that would tell where a sequence starts, so each call is a sequence
    of its own, unless `recording.new_sequence()` marks them.

    Args:
        axes: the order of the tensor's dimensions: `T` time, `B` batch, `N` all the neurons'
            dimensions together, each at most once, `N` always. Without `T` a call is one step,
            without `B` a batch of one, as is a tensor of one dimension less than the axes. "BN"
            where None: one step, batch first. Time and batch in
            one dimension are written `(T=16 B)` or `(B T=16)`, the slower one first, with the size
            of either: a tensor alone does not tell how to part them.
        of: "output" reads what the module returns, "input" its first argument.

    Raises:
        ValueError: axes that are none.

    >>> import torch
    >>> from neuroact.adapter import LayerCall
    >>> call = LayerCall((), {}, torch.zeros(6, 3))
    >>> TensorAdapter("(T=2 B)N").read(torch.nn.Identity(), call).values.shape
    torch.Size([2, 3, 3])
    """

    framework = "torch"

    def __init__(self, axes: str | None = None, of: Side = "output") -> None:
        self.stated = DEFAULT_AXES if axes is None else axes
        self.of = of
        self.axes, self._flat = _parsed(self.stated)

    def kind(self, module: nn.Module) -> SignalKind:
        """ANALOG for an output; GRADED for an input, where zero is taken to mean silent."""
        return SignalKind.GRADED if self.of == "input" else SignalKind.ANALOG

    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        """The tensor with its axes in the protocol's order.

        Raises:
            TypeError: it is not one tensor.
            ValueError: its shape is not one of these axes.
        """
        values = self._tensor(call)
        values = values.to_dense() if values.is_sparse else values
        if self._flat is not None:
            values = self._unflattened(values, *self._flat)
        # One dimension short: as for adapters, an unbatched tensor is a batch of one.
        unbatched = values.ndim == len(self.axes) - 1
        axes = self.axes.replace("B", "") if unbatched else self.axes
        if values.ndim < len(axes) - 1:
            raise self._misfit(values)
        ordered = _to_protocol(values, axes)
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

    def _unflattened(self, values: Tensor, position: int, sizes: tuple[int, int]) -> Tensor:
        # Counted from the end where the neurons' dimensions come first.
        at = position if position <= self.axes.index("N") else position - len(self.axes) + 1
        if not -values.ndim <= at < values.ndim or values.shape[at] % max(sizes):
            raise self._misfit(values)
        left = values.shape[at] // max(sizes)
        return values.reshape(
            *values.shape[:at],
            *(size if size > 0 else left for size in sizes),
            *(values.shape[at + 1 :] if at != -1 else ()),
        )

    def _misfit(self, values: Tensor) -> ValueError:
        return ValueError(
            f"expected the axes {self.stated!r}, came a tensor of shape {list(values.shape)}"
        )


def _parsed(stated: str) -> tuple[str, tuple[int, tuple[int, int]] | None]:
    """The axes without parentheses, and which of them lie in one dimension, of what sizes.

    The size that is not stated is -1.
    """
    flat, axes = None, stated
    if found := _FLAT.search(stated):
        slow, slow_size, fast, fast_size = found.groups()
        if (slow_size is None) is (fast_size is None):
            raise ValueError(
                f"expected the size of either time or batch in axes={stated!r}, such as "
                f"{stated.replace(found.group(), '(T=16 B)')!r}: the tensor alone does not tell "
                "how to part them"
            )
        sizes = int(slow_size or -1), int(fast_size or -1)
        flat, axes = (found.start(), sizes), stated.replace(found.group(), slow + fast)
    if sorted(axes) not in ([*"N"], [*"BN"], [*"NT"], [*"BNT"]) or (flat and 0 in flat[1]):
        raise ValueError(
            "expected axes= to hold N (the neurons) and at most one T (time) and one B (batch), "
            f'such as "TBN", "BTN", "BN" or "(T=16 B)N", came {stated!r}'
        )
    return axes, flat


def _to_protocol(values: Tensor, axes: str) -> Tensor:
    """Reorder `values` from `axes` to `[time, batch, *neurons]`, adding the axes that lack."""
    neuron_dims = values.ndim - (len(axes) - 1)
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
