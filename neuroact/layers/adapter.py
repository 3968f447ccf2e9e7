"""What an adapter is, how installed ones are found, and which of them owns a layer.

An adapter comes in by an entry point of the group `neuroact.adapters` whose name is the
framework's import name and whose value is a class that is built without arguments. Only the
adapters of frameworks that the model's classes come from are loaded, so `import neuroact` imports
no framework.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol, runtime_checkable

from torch import nn

from neuroact.errors import BrokenAdapterWarning
from neuroact.layers.state_trace import StateTrace
from neuroact.stream.chunk import SignalKind, SpikeChunk

ENTRY_POINT_GROUP = "neuroact.adapters"


@dataclass(slots=True)
class LayerCall:
    """One call of one layer, as its adapter sees it.

    Attributes:
        args: positional arguments of the call.
        kwargs: keyword arguments of the call.
        output: what the call returned.
        state: what the adapter's `state(module)`, or `given`, gave before the call; None without
            that method.
        trace: remembers the state the layer's last call left. A fresh one is a first call.
    """

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    output: Any
    state: object = None
    trace: StateTrace = field(default_factory=StateTrace)

    def starts_sequence(self, *, given: object, left: object) -> bool:
        """Whether this call begins a new sequence: `given` is not what the last call `left`.

        Args:
            given: the state this call started from (an argument of the call, or `self.state`).
            left: the state it left behind (a part of the output, or what the module holds now).
        """
        return not self.trace.continues(given, left)

    def argument(self, position: int, name: str) -> Any:
        """The argument passed at `position` or as `name=`; None where it was left out."""
        return argument(self.args, self.kwargs, position, name)


def argument(args: tuple[Any, ...], kwargs: Mapping[str, Any], position: int, name: str) -> Any:
    """The argument of a call passed at `position` or as `name=`; None where it was left out."""
    return args[position] if len(args) > position else kwargs.get(name)


@runtime_checkable
class Adapter(Protocol):
    """Reads the layers of one framework.

    An adapter holds nothing of a model or a recording: one object serves every layer. Adapters of
    frameworks that keep state on the module are `StatefulAdapter`.
    """

    framework: str
    """Import name of the framework: "snntorch"."""

    def kind(self, module: nn.Module) -> SignalKind | None:
        """What the module emits; None where it is no layer of this framework.

        A wrapper that only repeats its child's spikes is no layer.
        """

    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        """What the module emitted in one call, as a view of it wherever a view can do."""


@runtime_checkable
class StatefulAdapter(Adapter, Protocol):
    """An adapter whose framework keeps state on the module between calls."""

    def state(self, module: nn.Module) -> object:
        """The state the module holds now; handed to `read` as `call.state`, seen before the call.

        Any nesting of tensors; None where there is none. Must not change the module.
        """


@runtime_checkable
class ArgumentAdapter(Adapter, Protocol):
    """An adapter that reads what goes into a module, which the call may change in place."""

    def given(self, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> object:
        """What to keep of a call's arguments before it runs; handed to `read` as `call.state`."""


@runtime_checkable
class InputAdapter(Adapter, Protocol):
    """An adapter that knows the order of axes of what goes into its framework's layers."""

    def input_axes(self, module: nn.Module) -> str:
        """Axes of the first argument of the module's call, as in `neuroact.record(axes=)`."""


class AdapterRegistry:
    """The adapters there are for one recording, loaded only when a layer needs them.

    Args:
        given: adapters passed by the user. They are asked before the installed ones, in order,
            about every module, whatever its class.
    """

    def __init__(self, given: Sequence[Adapter] | None = None) -> None:
        if isinstance(given, Adapter):
            raise TypeError(f"adapters= takes a list of adapters, came one alone: [{given!r}]")
        for adapter in given or ():
            if isinstance(adapter, type) or not isinstance(adapter, Adapter):
                raise TypeError(
                    "adapters= takes objects with `framework`, `kind` and `read`, "
                    f"came {adapter!r}; pass an instance, not a class"
                )
        self._given = tuple(given or ())
        self._installed = installed_adapters()
        self._loaded: dict[str, Adapter | None] = {}

    @property
    def installed(self) -> tuple[str, ...]:
        """Framework names that have an installed adapter, sorted."""
        return tuple(sorted(self._installed))

    @property
    def broken(self) -> tuple[str, ...]:
        """Framework names whose adapter was needed and could not be loaded."""
        return tuple(sorted(name for name, adapter in self._loaded.items() if adapter is None))

    def owner(self, module: nn.Module) -> tuple[Adapter, SignalKind] | None:
        """The first adapter that knows the module, and the kind it gives; None if there is none.

        Asked in order: the given adapters, then the installed ones in the order in which their
        frameworks appear in the class's MRO, so a user's subclass belongs to its base's framework.
        """
        for adapter in self._candidates(module):
            kind = adapter.kind(module)
            if kind is not None:
                return adapter, kind
        return None

    def _candidates(self, module: nn.Module) -> Iterator[Adapter]:
        yield from self._given
        for package in packages_of(type(module)):
            adapter = self._load(package)
            if adapter is not None:
                yield adapter

    def _load(self, framework: str) -> Adapter | None:
        if framework not in self._installed:
            return None
        if framework not in self._loaded:
            self._loaded[framework] = load_adapter(self._installed[framework])
        return self._loaded[framework]


def installed_adapters() -> dict[str, EntryPoint]:
    """Entry points of all installed adapters by framework name; loads none of them."""
    return {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}


def load_adapter(point: EntryPoint) -> Adapter | None:
    """Build the adapter of an entry point; warn with the cause and give None if it is broken.

    Anything the third party's code raises is caught: one broken adapter must not hurt another.
    """
    try:
        adapter = point.load()()
    except Exception as cause:
        problem = f"{type(cause).__name__}: {cause}"
    else:
        if isinstance(adapter, Adapter):
            return adapter
        problem = f"{adapter!r} lacks framework, kind or read"
    warnings.warn(
        f'The adapter for "{point.name}" ({point.value}) could not be loaded: {problem}. '
        "Layers of that framework are not recorded; update or repair the package that brings it.",
        BrokenAdapterWarning,
        stacklevel=2,
    )
    return None


def packages_of(cls: type) -> tuple[str, ...]:
    """Top-level packages of a class's MRO, in order, each once.

    >>> from torch import nn
    >>> packages_of(nn.Linear)
    ('torch', 'builtins')
    """
    return tuple(dict.fromkeys(base.__module__.partition(".")[0] for base in cls.__mro__))


def packages_in(modules: Iterable[nn.Module]) -> tuple[str, ...]:
    """Top-level packages that the modules' classes come from, in order, each once."""
    return tuple(dict.fromkeys(p for module in modules for p in packages_of(type(module))))
