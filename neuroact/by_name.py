"""Mappings by name that are also read by position: `report["lif"]`, `report[0]`."""

from __future__ import annotations

from collections.abc import Mapping
from operator import index
from typing import Any, SupportsIndex, TypeVar, overload

from neuroact.card import Carded, some
from neuroact.errors import UnknownLayerError

Value = TypeVar("Value", covariant=True)
Other = TypeVar("Other")


class ByName(Carded, Mapping[str, Value]):
    """A mapping by name, whose values are also had by position: the first at 0, the last at -1.

    Names are texts and positions are whole numbers: `report["0"]` is the layer that is named "0",
    `report[0]` the first one. Positions are for square brackets alone. Keys are names, so `in`,
    `get` and loops know names only.

    >>> from neuroact import Recording
    >>> recording = Recording()
    >>> recording.observe("lif", [[[1, 0]]])
    >>> recording.observe("out", [[[1, 1, 1]]])
    >>> report = recording.report()
    >>> report[0].name, report[-1].name, 0 in report, report.get(0)
    ('lif', 'out', False, None)
    """

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and super().__contains__(name)

    @overload
    def get(self, name: str, /) -> Value | None: ...
    @overload
    def get(self, name: str, /, default: Value | Other) -> Value | Other: ...
    def get(self, name: str, /, default: Any = None) -> Any:
        """The value of that name; the default if there is none."""
        return self[name] if name in self else default  # noqa: SIM401  # that would be itself

    def _name_of(self, key: str | SupportsIndex) -> str:
        """The name that is asked for, itself or by its position.

        Raises:
            IndexError: there is no such position.
            TypeError: it is neither a name nor a position; says what to write.
        """
        if isinstance(key, str):
            return key
        names = tuple(self)
        if isinstance(key, bool) or not hasattr(key, "__index__"):
            first = f'["{names[0]}"]' if names else '["name"]'
            raise TypeError(
                f"a layer is had by its name or its position, such as {first} or [0]; several by "
                f"list(report.values())[:2]; came {key!r:.100}"
            )
        at = index(key)
        if not -len(names) <= at < len(names):
            raise UnknownPositionError(at, names)
        return names[at]


class UnknownPositionError(UnknownLayerError, IndexError):
    """There is no layer at the position that was asked for."""

    def __init__(self, at: int, names: tuple[str, ...]) -> None:
        there = f"positions 0 to {len(names) - 1}: {some(names)}" if names else "no layers"
        super().__init__(f"there is no layer at position {at}; there are {there}")
