"""Whether two recordings were made alike, so that their figures mean the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from neuroact.errors import MergeError
from neuroact.recording.parts import RecordingParts


def check_options(ours: RecordingParts, theirs: RecordingParts) -> None:
    """Refuse a recording that was made with other options than the one it is to be added to.

    Raises:
        MergeError: names its first layer, what it was recorded with, and what was expected.
    """
    if ours.layers is theirs.layers:
        raise MergeError("a recording merged into itself would count everything twice")
    for option, expected, came in _options(ours, theirs):
        if expected != came:
            _refuse(theirs, f"{option}={came}", f"{option}={expected}")


def _options(ours: RecordingParts, theirs: RecordingParts) -> Iterator[tuple[str, Any, Any]]:
    yield "dt", ours.dt, theirs.dt
    if ours.factories != theirs.factories:  # other functions may build the same classes
        yield "statistics", _statistics(ours), _statistics(theirs)
    sides = _side(ours), _side(theirs)
    if None not in sides:  # what is fed by hand is of no side
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
