"""Whether the figures of two recordings can be added: they have to mean the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from neuroact.errors import MergeError

if TYPE_CHECKING:
    from neuroact.recorder import Recording


def check_fits(ours: Recording, theirs: Recording) -> None:
    """Refuse a recording whose counts cannot be added to another's.

    Raises:
        MergeError: names the first layer at fault, what it was recorded with, and what was
            expected.
    """
    if ours is theirs:
        raise MergeError("a recording merged into itself would count everything twice")
    for option, expected, came in _options(ours, theirs):
        if expected != came:
            _refuse(theirs, f"{option}={came}", f"{option}={expected}")
    for name, layer in list(theirs._layers.items()):
        if name in ours._layers:
            ours._layers[name].check_fits(layer)


def _options(ours: Recording, theirs: Recording) -> Iterator[tuple[str, Any, Any]]:
    yield "dt", ours.dt, theirs.dt
    if ours._factories != theirs._factories:  # other functions may build the same classes
        yield "statistics", _statistics(ours), _statistics(theirs)
    sides = _side(ours), _side(theirs)
    if None not in sides:  # what is fed by hand is of no side
        yield "of", *sides


def _statistics(recording: Recording) -> str:
    return f"[{', '.join(type(build()).__name__ for build in recording._factories)}]"


def _side(recording: Recording) -> str | None:
    options = (recording._origin or {}).get("options")
    side = options.get("of") if isinstance(options, dict) else None
    return side if isinstance(side, str) else None


def _refuse(theirs: Recording, came: str, expected: str) -> None:
    layer = next((layer.info for layer in theirs._layers.values()), None)
    raise MergeError(
        f"{layer or 'a recording'}: cannot add figures recorded with {came} to figures recorded "
        f"with {expected}",
        layer=None if layer is None else layer.name,
    )
