"""The order of axes that a user states, and a module's input read in it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from neuroact.layers.adapter import LayerCall
from neuroact.stream.chunk import SignalKind, SpikeChunk, dense

DEFAULT_AXES = "BN"

# Time and batch in one dimension: the first named varies slower, and one of them has its size.
_FLAT = re.compile(r"\(([TB])(?:=(\d+))? ?([TB])(?:=(\d+))?\)")


class Axes:
    """The order of a tensor's dimensions, as a user states it.

    `T` is time, `B` the batch, `N` all dimensions of the neurons together; each at most once.
    Without `T` the tensor is one step. Without `B` it is a batch of one, as is a tensor that has
    one dimension less than the axes. Without `N` it is a single neuron, whose shape is `()`.

    Time and batch in one dimension are written `(T=16 B)` or `(B T=16)`: the slower one first, and
    the size of one of them, since the tensor's shape does not say how to split the dimension.

    Raises:
        ValueError: `stated` is not such an order.

    >>> import torch
    >>> Axes("(T=2 B)N").ordered(torch.zeros(6, 3)).shape
    torch.Size([2, 3, 3])
    """

    def __init__(self, stated: str) -> None:
        self.stated = stated
        self._axes, self._flat = _parsed(stated)

    def ordered(self, values: Tensor) -> Tensor:
        """The tensor as `[time, batch, *neurons]`, without a copy where a view is possible.

        Raises:
            ValueError: its shape does not fit these axes.
        """
        if self._flat is not None:
            values = self._unflattened(values, *self._flat)
        # One dimension short: the tensor has no batch, so it is a batch of one.
        unbatched = values.ndim == len(self._axes) - 1
        axes = self._axes.replace("B", "") if unbatched else self._axes
        if values.ndim < len(axes) - 1 or ("N" not in axes and values.ndim != len(axes)):
            raise self._misfit(values)
        return _to_protocol(values, axes)

    def _unflattened(self, values: Tensor, position: int, sizes: tuple[int, int]) -> Tensor:
        # Counted from the end where the neurons' dimensions come first.
        at = position if position <= self._axes.find("N") else position - len(self._axes) + 1
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


class ArgumentReader:
    """Reads a module's input: the first argument in the signature of its `forward`.

    It is copied before the call, since the module may change it in place. Each call is a sequence
    of its own, unless `recording.new_sequence()` marks the starts.

    Args:
        axes: the order of the argument's dimensions, see `Axes`; None means "BN".
        kind: what the values mean; GRADED takes zero to mean no spike.

    Attributes:
        axes_assumed: whether `axes` was left out.

    Raises:
        ValueError: `axes` is not such an order.

    >>> import torch
    >>> from neuroact.layers.adapter import LayerCall
    >>> relu, x = torch.nn.ReLU(inplace=True), torch.tensor([[-1.0, 2.0]])
    >>> reader = ArgumentReader()
    >>> before = reader.given(relu, (x,), {})
    >>> reader.read(relu, LayerCall((x,), {}, relu(x), before)).values
    tensor([[[-1.,  2.]]])
    """

    framework = "torch"
    advice = "say the order of its dimensions, with axes="

    def __init__(self, axes: str | None = None, kind: SignalKind = SignalKind.GRADED) -> None:
        self.axes_assumed = axes is None
        self._axes = Axes(DEFAULT_AXES if axes is None else axes)
        self._kind = kind

    def kind(self, module: nn.Module) -> SignalKind:
        """The kind that was given, whatever the module."""
        return self._kind

    def given(self, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """A copy of the argument before the call. If it is not a tensor, `read` refuses it."""
        value = args[0] if args else first_by_name(module, kwargs)
        return value.detach().clone() if isinstance(value, Tensor) else value

    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        """The argument with its axes in the order `[time, batch, *neurons]`.

        Raises:
            TypeError: the argument is not one tensor.
            ValueError: its shape does not fit the axes.
        """
        value = call.state
        if not isinstance(value, Tensor):
            raise TypeError(
                "expected the module's input to be one tensor, came "
                f"{type(value).__name__}; write an adapter for it and pass it as adapters="
            )
        values = self._axes.ordered(dense(value.detach()))
        return SpikeChunk(values, self.kind(module), starts_sequence=True)


def parameters_of(module: nn.Module) -> list[inspect.Parameter] | None:
    """The parameters of a module's `forward`; None if Python cannot read them."""
    try:
        return list(inspect.signature(module.forward).parameters.values())
    except (TypeError, ValueError):
        return None


def first_by_name(module: nn.Module, kwargs: Mapping[str, Any]) -> Any:
    """The first argument of a call that has only keyword arguments; all of them if unclear."""
    for parameter in parameters_of(module) or ():
        if parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            return kwargs.get(parameter.name)
    return next(iter(kwargs.values())) if len(kwargs) == 1 else kwargs


def _parsed(stated: str) -> tuple[str, tuple[int, tuple[int, int]] | None]:
    """The axes without parentheses; and what stood in them: its position and its two sizes.

    The second is None if there are no parentheses. The size that is not stated is -1.
    """
    if not isinstance(stated, str):
        raise TypeError(f'expected axes= to be a text such as "TBN" or "BN", came {stated!r}')
    flat, axes = None, stated
    if found := _FLAT.search(stated):
        slow, slow_size, fast, fast_size = found.groups()
        if (slow_size is None) is (fast_size is None):
            raise ValueError(
                f"expected the size of either time or batch in axes={stated!r}, such as "
                f"{stated.replace(found.group(), '(T=16 B)')!r}: the tensor's shape does not say "
                "how to split them"
            )
        sizes = int(slow_size or -1), int(fast_size or -1)
        flat, axes = (found.start(), sizes), stated.replace(found.group(), slow + fast)
    once = len(set(axes)) == len(axes) > 0
    if not once or not set(axes) <= set("TBN") or (flat and 0 in flat[1]):
        raise ValueError(
            "expected axes= to hold T (time), B (batch) and N (the neurons), each at most once, "
            f'such as "TBN", "BTN", "BN" or "(T=16 B)N", came {stated!r}'
        )
    return axes, flat


def _to_protocol(values: Tensor, axes: str) -> Tensor:
    """Reorder `values` from `axes` to `[time, batch, *neurons]`; missing axes get size 1."""
    neuron_dims = values.ndim - (len(axes) - 1)
    where: dict[str, list[int]] = {"T": [], "B": [], "N": []}
    position = 0
    for axis in axes:
        width = neuron_dims if axis == "N" else 1
        where[axis] = list(range(position, position + width))
        position += width
    ordered = values.permute(*where["T"], *where["B"], *where["N"])
    if not where["B"]:
        ordered = ordered.unsqueeze(len(where["T"]))
    return ordered if where["T"] else ordered.unsqueeze(0)
