"""Turns what `statistics=` takes into functions that build the statistics of a layer."""

from __future__ import annotations

import copy
import pickle
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from neuroact.layers.names import nearest
from neuroact.statistics.class_activity import ClassActivity
from neuroact.statistics.firing import Firing
from neuroact.statistics.interspike_intervals import InterspikeIntervals
from neuroact.statistics.protocol import Statistic
from neuroact.statistics.raster import Raster
from neuroact.statistics.signal import Signal
from neuroact.statistics.spike_counts import SpikeCounts
from neuroact.statistics.synchrony import Synchrony
from neuroact.statistics.time_course import TimeCourse

BUILT_IN: Mapping[str, type[Statistic]] = {
    cls.__name__: cls
    for cls in (
        Firing,
        ClassActivity,
        SpikeCounts,
        TimeCourse,
        InterspikeIntervals,
        Synchrony,
        Raster,
        Signal,
    )
}
"""neuroact's own statistics by name, in the order in which they are listed."""

StatisticFactory = Callable[[], Statistic]
# A name of neuroact's own, a class, a function without arguments, or a configured instance. Each
# layer gets a clone of an instance.
StatisticChoice = StatisticFactory | Statistic | str
StatisticSelection = StatisticChoice | Iterable[StatisticChoice] | None


_TAKES = (
    'statistics= takes names such as "TimeCourse", classes such as neuroact.TimeCourse, configured '
    "statistics such as neuroact.Raster(3), or functions that build one without arguments"
)


class Clones:
    """Builds empty statistics with the configuration of a given one."""

    def __init__(self, configured: Statistic) -> None:
        self._configured = copy.deepcopy(configured)
        self._configured.reset()

    def __call__(self) -> Statistic:
        """A new, empty statistic."""
        return copy.deepcopy(self._configured)

    def __repr__(self) -> str:
        return f"a configured {type(self._configured).__name__}"


def builders(statistics: StatisticSelection) -> tuple[StatisticFactory, ...]:
    """Functions that build a layer's statistics: `Firing` always, then those of `statistics`.

    Raises:
        TypeError: one of them is not a statistic.
        ValueError: two of them have the same name, or a name is not one of neuroact's own.

    >>> from neuroact import Raster
    >>> [type(build()).__name__ for build in builders(["SpikeCounts", Raster(3)])]
    ['Firing', 'SpikeCounts', 'Raster']
    """
    chosen = [_builder(choice) for choice in _listed(statistics)]
    found = (Firing, *(build for build in chosen if type(build()) is not Firing))
    (name, times), *_ = Counter(type(build()).__name__ for build in found).most_common(1)
    if times > 1:
        raise ValueError(
            f"statistics= has two that are called {name}, and a report holds one of each name: "
            "leave one out, or record it with another recording"
        )
    return found


def with_signal(statistics: StatisticSelection) -> tuple[StatisticFactory, ...]:
    """As `builders`, for real values: `Signal` is among them.

    >>> [type(build()).__name__ for build in with_signal("TimeCourse")]
    ['Firing', 'TimeCourse', 'Signal']
    """
    found = builders(statistics)
    return found if any(type(build()) is Signal for build in found) else (*found, Signal)


def built_in(name: str) -> type[Statistic]:
    """Neuroact's own statistic of this name.

    Raises:
        ValueError: there is none; the message lists the names and the nearest one.
    """
    if name not in BUILT_IN:
        raise ValueError(
            f"there is no statistic {name!r}.{nearest(name, BUILT_IN)} There are: "
            f"{', '.join(BUILT_IN)}"
        )
    return BUILT_IN[name]


def check_pickled(found: Iterable[StatisticFactory]) -> None:
    """Refuse builders that cannot be sent to another process.

    Raises:
        pickle.PicklingError: names the builder, and what to pass in its place.
    """
    for build in found:
        try:
            pickle.dumps(build)
        except Exception as cause:
            name = type(build()).__name__
            raise pickle.PicklingError(
                f"a recording whose {name} is built by {build!r} cannot be pickled: {cause}. Pass "
                f"the configured statistic itself, such as statistics=[{name}(...)], or a class or "
                "function of a module"
            ) from cause


def _listed(statistics: Any) -> list[Any]:
    if statistics is None:
        return []
    alone = isinstance(statistics, str | bytes | Mapping) or not isinstance(statistics, Iterable)
    return [statistics] if alone else list(statistics)


def _builder(choice: Any) -> StatisticFactory:
    if isinstance(choice, str):
        return built_in(choice)
    if isinstance(choice, Statistic) and not isinstance(choice, type):
        return Clones(choice)
    if callable(choice) and isinstance(_built(choice), Statistic):
        build: StatisticFactory = choice
        return build
    raise TypeError(f"{_TAKES}; came {choice!r:.200}")


def _built(choice: Callable[[], Any]) -> Any:
    try:
        return choice()
    except TypeError as cause:
        raise TypeError(f"{_TAKES}; came {choice!r:.200}, which gives none: {cause}") from cause
