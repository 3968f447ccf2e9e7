"""Finds the reader of a source of events: a simulator's monitor, a recording, a sorting."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any, Protocol, runtime_checkable

from neuroact.errors import EventError
from neuroact.layers.adapter import packages_of
from neuroact.stream.events import EventList

ENTRY_POINT_GROUP = "neuroact.event_sources"


@runtime_checkable
class EventReader(Protocol):
    """Reads the sources of one package.

    A package offers its reader by an entry point of the group `neuroact.event_sources`. The entry
    point's name is the package's import name; its value is a class that takes no arguments.
    """

    def read(self, source: Any) -> EventList | None:
        """The source's events; None if it is not a source of this package.

        Args:
            source: an object of a class of the package, or a list of such objects.
        """


def events_of(source: Any) -> EventList:
    """The events of a source, read by the reader of the package that its class comes from.

    Raises:
        EventError: no installed reader knows it; lists those there are.
    """
    first = source[0] if isinstance(source, list | tuple) and source else source
    installed = {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
    for package in packages_of(type(first)):
        if package in installed:
            found: EventList | None = installed[package].load()().read(source)
            if found is not None:
                return found
    cls = type(first)
    raise EventError(
        f"no reader knows a {cls.__module__}.{cls.__qualname__}; there are readers for: "
        f"{', '.join(sorted(installed)) or 'none'}. Give the times and the neurons of its events: "
        "recording.observe_events(name, times, indices, neurons=…, duration=…)"
    )
