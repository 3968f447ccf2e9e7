"""The checks of an adapter: what it reads of a call."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuroact.stream.chunk import SignalKind
from neuroact.testing.adapter_checks.check import adapter_check
from neuroact.testing.asserting import assert_axes, assert_values
from neuroact.testing.playing import AdapterCase, Player, usual_runs
from neuroact.testing.raw import module_of

FEW_LEVELS = 64


@adapter_check()
def axes(case: AdapterCase) -> None:
    """Time, batch and neurons are in the order [time, batch, *neurons]."""
    for call in Player(case).watch().play(usual_runs(case.example)):
        assert_axes(call, case.example.layers[call.layer])


@adapter_check()
def values(case: AdapterCase) -> None:
    """Chunks hold the layer's spikes, compared with an independent recorder."""
    for call in Player(case).watch().play(usual_runs(case.example)):
        assert_values(call, case.example.layers[call.layer])


@adapter_check()
def kind(case: AdapterCase) -> None:
    """`kind` and the chunks say what the values are: 0 and 1, few levels, or real."""
    player = Player(case).watch()
    calls = player.play(usual_runs(case.example))
    for name, layer in case.example.layers.items():
        seen = np.unique(np.concatenate([c.truth.ravel() for c in calls if c.layer == name]))
        _assert_kind_fits(name, layer.kind, seen)
        said = case.adapter.kind(module_of(player.model, name))
        wanted = SignalKind.ANALOG if layer.recorded_by_request else layer.kind
        assert said is wanted, (
            f'layer "{name}": expected {wanted} from `kind`, came {said}. Its values are '
            f"{_shown(seen)}."
        )
    for call in calls:
        expected = case.example.layers[call.layer].kind
        assert call.chunk.kind is expected, (
            f"{call}: expected a chunk of kind {expected}, came {call.chunk.kind}. Look at the "
            "kind that `read` gives its chunks."
        )


def _assert_kind_fits(name: str, kind: SignalKind, seen: np.ndarray[Any, Any]) -> None:
    binary = bool(np.isin(seen, (0.0, 1.0)).all())
    assert binary or kind is not SignalKind.BINARY, (
        f'layer "{name}" is declared BINARY, and its values are {_shown(seen)}: it is GRADED '
        "where zero means silent, else ANALOG"
    )
    assert len(seen) <= FEW_LEVELS or kind is not SignalKind.GRADED, (
        f'layer "{name}" is declared GRADED, and emits {len(seen)} different values, '
        f"{_shown(seen)}: that is ANALOG"
    )
    assert kind is not SignalKind.ANALOG or not binary or len(seen) < 2, (
        f'layer "{name}" is declared ANALOG, and all its values are 0 or 1: that is BINARY. If it '
        "is recorded only when named, say by_request=True."
    )


def _shown(seen: np.ndarray[Any, Any]) -> str:
    few = ", ".join(f"{value:g}" for value in seen[:5])
    return few if len(seen) <= 5 else f"{few} and {len(seen) - 5} more"


CHECKS = (axes, values, kind)
