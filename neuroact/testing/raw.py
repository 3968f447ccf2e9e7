"""An oracle: keeps what layers return. It shares no code with a recording or an adapter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from neuroact.testing.example import ExpectedLayer
from neuroact.testing.watching import see_calls


@dataclass(frozen=True)
class RawCall:
    """One call of one layer, copied.

    Attributes:
        run: number of its run, from 0.
        args: its positional arguments, as they were before it.
        kwargs: its keyword arguments, as they were before it.
        output: what it returned; or what `ExpectedLayer.kept` found on the module.
    """

    run: int
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    output: Any


class RawRecorder:
    """Keeps copies of what the named layers are given and return, by means of its own.

    Args:
        model: the model.
        layers: layers by reported name, "model" for the model itself; or a dict from the names to
            what is true of each layer.

    >>> import torch
    >>> from neuroact.testing import RawRecorder
    >>> net = torch.nn.Sequential(torch.nn.ReLU())
    >>> with RawRecorder(net, ["0"]) as raw:
    ...     _ = net(torch.tensor([[-1.0, 2.0]]))
    >>> raw.calls["0"][0].output
    tensor([[0., 2.]])
    """

    def __init__(
        self, model: nn.Module, layers: Iterable[str] | Mapping[str, ExpectedLayer]
    ) -> None:
        expected = layers if isinstance(layers, Mapping) else dict.fromkeys(layers, ExpectedLayer())
        self.calls: dict[str, list[RawCall]] = {name: [] for name in expected}
        self.run = 0
        self._ends = [
            self._see(module_of(model, name), name, layer) for name, layer in expected.items()
        ]

    def _see(self, module: nn.Module, name: str, layer: ExpectedLayer) -> Callable[[], None]:
        given: list[tuple[Any, Any]] = []

        def before(args: Any, kwargs: Any) -> None:  # the call may write to them
            given.append((copy_of(args), copy_of(kwargs)))

        def keep(args: Any, kwargs: Any, output: Any) -> None:
            emitted = copy_of(layer.emitted(module, output))
            self.calls[name].append(RawCall(self.run, *given.pop(), emitted))

        return see_calls(module, before, keep)

    def __enter__(self) -> RawRecorder:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """See no further calls."""
        for end in self._ends:
            end()
        self._ends.clear()


def module_of(model: nn.Module, name: str) -> nn.Module:
    """The module reported under `name`."""
    return model.get_submodule("" if name == "model" else name)


def true_values(layer: ExpectedLayer, output: Any) -> NDArray[np.float64]:
    """A call's spikes as `[time, batch, *neurons]`."""
    return in_order(layer.spikes(output), layer.axes)


def in_order(values: Tensor, axes: str) -> NDArray[np.float64]:
    """A tensor of these axes as NumPy's `[time, batch, *neurons]`; a missing axis has size 1.

    >>> import torch
    >>> from neuroact.testing.raw import in_order
    >>> in_order(torch.zeros(3, 4, 5, 7), "BNT").shape
    (7, 3, 4, 5)
    """
    dense = values.detach().to_dense() if values.is_sparse else values.detach()
    array: NDArray[np.float64] = dense.double().cpu().numpy()
    if array.ndim < len(axes) - 1:
        raise ValueError(f"spikes= gave a tensor of shape {array.shape}, not of axes {axes!r}")
    behind = len(axes) - axes.index("N") - 1
    at = {axis: i if i < axes.index("N") else i - len(axes) for i, axis in enumerate(axes)}
    neurons = range(axes.index("N"), array.ndim - behind)
    front = [at[axis] % array.ndim for axis in "TB" if axis in axes]
    ordered = array.transpose(*front, *neurons)
    if "B" not in axes:
        ordered = np.expand_dims(ordered, 1 if "T" in axes else 0)
    return ordered if "T" in axes else np.expand_dims(ordered, 0)


def copy_of(value: Any) -> Any:
    """A copy of any nesting of tensors, detached from the autograd graph."""
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(copy_of(part) for part in value))
    if isinstance(value, tuple | list):
        return type(value)(copy_of(part) for part in value)
    if isinstance(value, dict):
        return {key: copy_of(part) for key, part in value.items()}
    return value


def tensors_in(value: Any) -> list[Tensor]:
    """Every tensor of a nesting of tuples, lists and dicts, in order."""
    if isinstance(value, Tensor):
        return [value]
    parts = value.values() if isinstance(value, dict) else value
    if isinstance(value, dict | tuple | list):
        return [tensor for part in parts for tensor in tensors_in(part)]
    return []
