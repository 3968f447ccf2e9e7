"""Layers of a report that are made by hand, from the events of their neurons."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuroact import LayerActivity, SignalKind


def layer(name: str = "lif", *events: int, observations: int = 10, **more: Any) -> LayerActivity:
    """A layer, binary unless `more` says otherwise, whose neurons have these events."""
    given: dict[str, Any] = {
        "framework": "toy",
        "layer_type": "Toy",
        "kind": SignalKind.BINARY,
        "sequences": 1,
        "events": np.array(events or (0, 5, 10, 5), dtype=np.int64),
    }
    return LayerActivity(name=name, observations=observations, **(given | more))


def analog(name: str, values: Any) -> LayerActivity:
    """A layer whose neurons emitted these real values, in one step of one sample."""
    total = np.asarray(values, dtype=float)
    events = (total != 0).astype(int)
    return layer(name, events=events, observations=1, kind=SignalKind.ANALOG, total=total)
