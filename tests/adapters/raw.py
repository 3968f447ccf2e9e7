"""An oracle that shares no code with the adapters: raw outputs from a hook, figures by NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from neuroact import LayerActivity

Floats = NDArray[np.float64]


class RawCalls:
    """Keeps a copy of what a module returned in each call, whatever it is made of."""

    def __init__(self, module: nn.Module) -> None:
        self.outputs: list[Any] = []
        self._handle = module.register_forward_hook(self._keep)

    def _keep(self, module: nn.Module, args: Any, output: Any) -> None:
        self.outputs.append(_copied(output))

    def values(self, spikes: Callable[[Any], Tensor], *, sequence: bool = False) -> Floats:
        """All values `[observations, *neurons]`; `spikes` picks them out of one call's output.

        Args:
            spikes: from one call's output to `[batch, *neurons]`, or `[time, batch, *neurons]`
                where `sequence`.
            sequence: each call is a whole sequence.
        """
        self._handle.remove()
        arrays = [spikes(output).double().numpy() for output in self.outputs]
        if sequence:
            arrays = [array.reshape(-1, *array.shape[2:]) for array in arrays]
        return np.concatenate(arrays)


def assert_true_figures(layer: LayerActivity, values: Floats, sequences: int) -> None:
    """Every figure of a layer is what NumPy computes from its raw values, to the bit."""
    assert layer.observations == len(values)
    assert layer.sequences == sequences
    assert layer.shape == values.shape[1:]
    np.testing.assert_array_equal(layer.events, np.count_nonzero(values, axis=0))
    np.testing.assert_array_equal(layer.total, values.sum(0))
    if not len(values):
        return
    activity = values.sum(0) / len(values)
    np.testing.assert_array_equal(layer.activity, activity)
    assert layer.min == activity.min()
    assert layer.max == activity.max()
    assert layer.mean == activity.mean()
    assert layer.std == activity.std(ddof=0)
    for q in (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0):
        assert layer.quantile(q) == np.quantile(activity, q)
    assert layer.sparsity == np.count_nonzero(values == 0) / values.size
    assert layer.dead == np.count_nonzero(~values.any(axis=0))
    assert layer.saturated == np.count_nonzero(values.all(axis=0))


def _copied(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().clone()
    if isinstance(value, tuple):
        return tuple(_copied(part) for part in value)
    return value
