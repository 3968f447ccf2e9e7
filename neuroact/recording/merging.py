"""Adds one recording's counts to another's, if both mean the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from neuroact.errors import MergeError
from neuroact.recording.layer import LayerRecorder
from neuroact.recording.parts import RecordingParts
from neuroact.statistics import Firing, Statistic, check_kind
from neuroact.statistics.counting.stepwise import StepwiseStatistic


def check_options(ours: RecordingParts, theirs: RecordingParts) -> None:
    """Refuse a recording that was made with other options than ours.

    Raises:
        MergeError: names its first layer, the option it was made with, and the one expected.
    """
    if ours.layers is theirs.layers:
        raise MergeError("a recording merged into itself would count everything twice")
    for option, expected, came in _options(ours, theirs):
        if expected != came:
            _refuse(theirs, f"{option}={came}", f"{option}={expected}")


def check_layer(ours: LayerRecorder, theirs: LayerRecorder) -> None:
    """Refuse a layer whose counts cannot be added to ours.

    Raises:
        MergeError: the layer has another class, other neurons or other statistics; or a statistic
            refuses for reasons of its own.
        StatisticKindError: a statistic does not apply to the kind of the sum.
    """
    came = _meaning(theirs)
    for what, expected in _meaning(ours).items():
        if came[what] != expected and None not in (came[what], expected):
            raise MergeError(
                f"{ours.info}: cannot add figures of {what} {came[what]} to figures of {what} "
                f"{expected}",
                layer=ours.info.name,
            )
    if not theirs.called:
        return
    with _at_rest(ours, theirs) as pairs:
        check_kind(ours.statistics, ours.general(theirs.info.kind), layer=ours.info.name)
        for mine, other in pairs:
            if type(mine).merge is Firing.merge:
                continue  # never refuses, once both layers have neurons of one shape
            if type(mine).merge is StepwiseStatistic.merge:
                with _named(ours):
                    mine.check_merge(other)
            else:
                before = mine.state_dict()
                try:
                    _add(ours, mine, other)
                finally:
                    mine.load_state_dict(before)


def merge_layer(ours: LayerRecorder, theirs: LayerRecorder) -> None:
    """Add a layer's counts to ours, which `check_layer` let pass; `theirs` stays unchanged."""
    with _at_rest(ours, theirs) as pairs:
        aliases, kind = ours.info.aliases, ours.info.kind
        if theirs.info.aliases != aliases:
            # Sorted, so that the sum of two recordings does not depend on their order.
            aliases = tuple(sorted({*aliases, *theirs.info.aliases}))
        if theirs.called or not ours.called:
            kind = ours.general(theirs.info.kind)
        ours.info = replace(ours.info, aliases=aliases, kind=kind)
        if not theirs.called:
            return
        for mine, other in pairs:
            if ours.called:
                _add(ours, mine, other)
            else:  # a merge would end the other's open sequences
                mine.load_state_dict(other.state_dict())
        ours.neurons = theirs.neurons


@contextmanager
def _at_rest(ours: LayerRecorder, theirs: LayerRecorder) -> Iterator[list[tuple[Any, Any]]]:
    """The statistics of two layers, in pairs of one class; neither layer counts meanwhile."""
    # Locked in one order, since two threads may add each to the other at once.
    one, two = sorted((ours, theirs), key=id)
    with one.lock, two.lock, theirs.at_rest() as others, ours.at_rest() as mine:
        ours.interrupt()
        yield list(zip(mine, others, strict=True))


def _add(layer: LayerRecorder, ours: Statistic, theirs: Statistic) -> None:
    with _named(layer):
        ours.merge(theirs)


@contextmanager
def _named(layer: LayerRecorder) -> Iterator[None]:
    """Name the layer in a refusal to merge."""
    try:
        yield
    except MergeError as cause:
        raise MergeError(f"{layer.info}: {cause}", layer=layer.info.name) from cause


def _meaning(layer: LayerRecorder) -> dict[str, str | None]:
    """What must be the same in two layers to add them; None if it is not known yet."""
    return {
        "the class": f"{layer.info.framework} {layer.info.layer_type}",
        "the statistics": ", ".join(type(s).__name__ for s in layer.statistics),
        "neurons of shape": None if layer.neurons is None else str(list(layer.neurons)),
    }


def _options(ours: RecordingParts, theirs: RecordingParts) -> Iterator[tuple[str, Any, Any]]:
    yield "dt", ours.dt, theirs.dt
    if ours.factories != theirs.factories:  # other functions may build the same classes
        yield "statistics", _statistics(ours), _statistics(theirs)
    if ours.layers and theirs.layers:  # what has no layers yet takes the other's over
        yield "operations", ours.connections is not None, theirs.connections is not None
    sides = _side(ours), _side(theirs)
    if None not in sides:  # spikes fed by hand are of neither side
        yield "of", *sides


def _statistics(recording: RecordingParts) -> str:
    return f"[{', '.join(type(build()).__name__ for build in recording.factories)}]"


def _side(recording: RecordingParts) -> str | None:
    options = (recording.origin or {}).get("options")
    side = options.get("of") if isinstance(options, dict) else None
    return side if isinstance(side, str) else None


def _refuse(theirs: RecordingParts, came: str, expected: str) -> None:
    layer = next((layer.info for layer in theirs.layers.values()), None)
    raise MergeError(
        f"{layer or 'a recording'}: cannot add figures recorded with {came} to figures recorded "
        f"with {expected}",
        layer=None if layer is None else layer.name,
    )
