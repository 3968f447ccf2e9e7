"""Reports from which pages are made."""

from __future__ import annotations

from typing import Any

import numpy as np

import neuroact
from neuroact import ActivityReport, LayerActivity, SignalKind
from neuroact.statistics import BUILT_IN

SCRIPT = "<script>alert(1)</script>"
HOSTILE = (
    SCRIPT,
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "</title></style></textarea><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt;&amp;",
    "$x^2$ \\alpha",
    "javascript:alert(1)",
)
LONG = "model.encoder.blocks.11.attention.projection.spiking_activation." + "x" * 16


def layer(name: str, events: Any, **changes: Any) -> LayerActivity:
    """A layer of 100 observations."""
    given: dict[str, Any] = {
        "framework": "snntorch",
        "layer_type": "Leaky",
        "kind": SignalKind.BINARY,
        "observations": 100,
        "sequences": 4,
        "events": np.array(events),
    }
    return LayerActivity(name=name, **(given | changes))


def of_layers(count: int, prefix: str = "backbone.stage") -> ActivityReport:
    """Many layers; in the last but one most neurons are dead."""
    rng = np.random.default_rng(count)
    layers = [
        layer(f"{prefix}{at // 4}.lif{at}", rng.integers(1, 60, (4, 8, 8))) for at in range(count)
    ]
    dead = np.where(rng.random((4, 8, 8)) < 0.9, 0, 7)
    layers[-2] = layer(layers[-2].name, dead)
    return ActivityReport(layers, origin={"model": "nets.Deep", "versions": {"torch": "2.13.0"}})


def with_results() -> ActivityReport:
    """Layers recorded with every statistic; in one of them most neurons are dead."""
    recording = neuroact.Recording(statistics=BUILT_IN.values(), dt=0.001)
    rng = np.random.default_rng(0)
    with recording.batch(labels=[0, 1, 1, 2]):
        recording.observe("conv", rng.random((20, 4, 2, 5, 5)) < 0.2)
        recording.observe("fc", rng.random((20, 4, 30)) < np.where(np.arange(30) < 22, 0, 0.3))
    return recording.report()


def mixed() -> ActivityReport:
    """Layers: healthy, dead, saturated, without figures, and never called."""
    return ActivityReport(
        [
            layer("encoder.lif1", [10, 20, 30, 40], aliases=("shared",), dt=0.001),
            layer("encoder.lif2", [0, 0, 0, 5]),
            layer("encoder.lif10", [100, 100, 100, 3]),
            layer("readout", [1, 2], kind=SignalKind.ANALOG, total=np.zeros(2), nonfinite=True),
            layer("head", 30, kind=SignalKind.GRADED, total=np.array(2.5), framework="norse"),
        ],
        origin={"model": "nets.Mixed", "created": "2026-11-25T01:22:50+00:00"},
        not_called=["unused"],
    )


def hostile() -> ActivityReport:
    """Names from a model or a file that is made to do harm."""
    layers = [layer(name, [0, 0, 0, 1], layer_type=name, aliases=(name + "2",)) for name in HOSTILE]
    layers.append(layer("x\x1b[31m\u202eexe.png", [1], framework=SCRIPT))
    origin = {"model": SCRIPT, "created": SCRIPT, SCRIPT: {SCRIPT: [SCRIPT, {SCRIPT: 1}]}}
    return ActivityReport(layers, origin=origin, not_called=[SCRIPT + "3"])
