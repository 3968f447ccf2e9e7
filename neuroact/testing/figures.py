"""A layer's figures in a report, compared with NumPy on its raw outputs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neuroact.results.layer_activity import LayerActivity
from neuroact.testing.example import ExpectedLayer
from neuroact.testing.raw import RawCall, true_values


def assert_true_figures(
    figures: LayerActivity, layer: ExpectedLayer, calls: Sequence[RawCall], *, stateless: bool
) -> None:
    """Counts and activity per neuron are those of the raw outputs, to the bit.

    Args:
        figures: the layer in the report.
        layer: says how to read its raw outputs.
        calls: the raw calls. Each run of an example begins a sequence.
        stateless: whether each call is a sequence of its own.
    """
    raw = [true_values(layer, call.output) for call in calls]
    flat = np.concatenate([values.reshape(-1, *values.shape[2:]) for values in raw])
    starts = [at == 0 or stateless or calls[at - 1].run != c.run for at, c in enumerate(calls)]
    expected = {
        "observations": len(flat),
        "sequences": sum(v.shape[1] for v, first in zip(raw, starts, strict=True) if first),
        "shape": flat.shape[1:],
        "events": np.count_nonzero(flat, axis=0),
        "total": flat.sum(0),
        "activity": flat.sum(0) / len(flat),
    }
    for name, value in expected.items():
        came = getattr(figures, name)
        exact = name in ("observations", "sequences", "shape", "events")
        same = np.array_equal if exact else np.allclose
        assert same(came, value), (
            f'layer "{figures.name}": expected {name} {value}, by NumPy on the raw outputs, '
            f"came {came}. Look for calls, steps or samples that `read` leaves out or counts twice."
        )
