"""Every BindsNET class of neurons: for docs/reference/frameworks.md."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from framework_rows import BATCH, TIME, Sample
from test_bindsnet import NEURONS, PASSING


def samples() -> Iterator[Sample]:
    figures = "apart/test_bindsnet.py::test_figures_of_a_layer_equal_numpy_on_what_its_monitor_kept"
    given = "apart/test_bindsnet.py::test_an_input_is_recorded_by_request_with_what_it_was_given"
    for cls, (options, strength) in NEURONS.items():
        yield Sample(
            cls.__name__,
            lambda cls=cls, options=options: built(cls, **options),
            lambda layer, strength=strength: fed(layer, torch.rand(TIME, BATCH, 6) * strength),
            figures,
        )
    for cls in PASSING:
        for values in (torch.rand(TIME, BATCH, 6) < 0.5, torch.rand(TIME, BATCH, 6).round()):
            yield Sample(
                cls.__name__,
                lambda cls=cls: built(cls),
                lambda layer, values=values: fed(layer, values),
                given,
            )


def built(cls: type[Any], **options: Any) -> Any:
    """A layer, as a network with batches would have made it ready."""
    layer = cls(6, **options)
    layer.compute_decays(1.0)
    layer.set_batch_size(BATCH)
    return layer


def fed(layer: Any, values: torch.Tensor) -> None:
    for step in values:
        window = getattr(layer, "res_window_size", None)
        layer.forward(x=step if window is None else step[:, None].repeat(1, int(window), 1))
