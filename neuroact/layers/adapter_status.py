"""Which adapters are installed, which frameworks they read, and whether they work."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.metadata import EntryPoint

from neuroact.errors import BrokenAdapterWarning
from neuroact.layers.adapter import Adapter, installed_adapters, load_adapter
from neuroact.versions import installed_version


@dataclass(frozen=True, slots=True)
class AdapterStatus:
    """One installed adapter.

    Attributes:
        framework: import name of the framework it reads.
        source: its entry point's value, `module:class`.
        version: installed version of the framework; None if it is not installed.
        tested: oldest and newest version of the framework that the adapter was tested with; None
            where it does not say.
        problem: why it cannot be used; None if it can.
    """

    framework: str
    source: str
    version: str | None
    tested: tuple[str, str] | None
    problem: str | None

    @property
    def verdict(self) -> str:
        """One of "works", "works, untested version", "framework not installed", "broken"."""
        if self.version is None:
            return "framework not installed"
        if self.problem is not None:
            return "broken"
        if self.tested is None or _within(self.version, self.tested):
            return "works"
        return "works, untested version"


def adapter_statuses() -> tuple[AdapterStatus, ...]:
    """Every installed adapter, by framework. Loads each; a broken one hurts no other.

    An adapter's attribute `tested` is a pair: the oldest and the newest version it was tested with.
    """
    return tuple(_status(point) for _, point in sorted(installed_adapters().items()))


def _status(point: EntryPoint) -> AdapterStatus:
    version = installed_version(point.name)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", BrokenAdapterWarning)
        adapter: Adapter | None = load_adapter(point)
    problem = None if adapter is not None else str(caught[-1].message)
    tested = getattr(adapter, "tested", None)
    return AdapterStatus(point.name, point.value, version, tested, problem)


def _within(version: str, tested: tuple[str, str]) -> bool:
    oldest, newest = (_numbers(bound) for bound in tested)
    return oldest <= _numbers(version) <= newest


def _numbers(version: str) -> tuple[int, ...]:
    """The release numbers of a version: "2.13.0+cpu" is (2, 13, 0)."""
    release = version.partition("+")[0]
    return tuple(int(part) for part in release.split(".") if part.isdigit())
