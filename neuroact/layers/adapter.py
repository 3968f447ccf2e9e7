"""What an adapter is, how installed adapters are found, and which one reads a module.

A package offers its adapter by an entry point of the group `neuroact.adapters`. The entry point's
name is the framework's import name; its value is a class that takes no arguments. Only the adapters
of frameworks that the model's classes come from are loaded, so `import neuroact` imports no
framework.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from neuroact.card import Carded
from neuroact.errors import BrokenAdapterWarning
from neuroact.layers.state_trace import StateTrace
from neuroact.stream.chunk import SignalKind, SpikeChunk

ENTRY_POINT_GROUP = "neuroact.adapters"


@dataclass(slots=True, repr=False)
class LayerCall(Carded):
    """One call of one layer, as its adapter sees it.

    Attributes:
        args: positional arguments of the call.
        kwargs: keyword arguments of the call.
        output: what the call returned.
        state: what the adapter's `state` or `given` returned before the call; None if the
            adapter has neither method.
        trace: remembers the state that the layer's last call left. With a new trace, the call is
            the layer's first.
    """

    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    output: Any
    state: object = None
    trace: StateTrace = field(default_factory=StateTrace)

    def starts_sequence(self, *, given: object, left: object) -> bool:
        """Whether the call begins a new sequence: `given` is not the state that the last call left.

        Args:
            given: the state this call started from (an argument of the call, or `self.state`).
            left: the state this call left (a part of the output, or what the module holds now).
        """
        return not self.trace.continues(given, left)

    def argument(self, position: int, name: str) -> Any:
        """The argument passed at `position` or as `name=`; None if it was not passed."""
        return argument(self.args, self.kwargs, position, name)


def argument(args: tuple[Any, ...], kwargs: Mapping[str, Any], position: int, name: str) -> Any:
    """The argument of a call passed at `position` or as `name=`; None if it was left out."""
    return args[position] if len(args) > position else kwargs.get(name)


@runtime_checkable
class Adapter(Protocol):
    """Reads the layers of one framework.

    An adapter stores nothing about a model or a recording: one object serves every layer. If the
    framework keeps state on the module, the adapter is a `StatefulAdapter`.
    """

    framework: str
    """Import name of the framework: "snntorch"."""

    def kind(self, module: nn.Module) -> SignalKind | None:
        """What the module's values mean; None if it is not a layer of this framework.

        A wrapper that only repeats its child's spikes is not a layer.
        """

    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        """What the module emitted in one call, without a copy where a view is possible."""


@runtime_checkable
class StatefulAdapter(Adapter, Protocol):
    """An adapter whose framework keeps state on the module between calls."""

    def state(self, module: nn.Module) -> object:
        """The state that the module holds now: tensors in any nesting, or None.

        Called before each call of the module; `read` gets the result as `call.state`. Must not
        change the module.
        """


@runtime_checkable
class ArgumentAdapter(Adapter, Protocol):
    """An adapter that reads a module's arguments, which the call may change in place."""

    def given(self, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> object:
        """What to keep of the arguments before the call runs; `read` gets it as `call.state`."""


@runtime_checkable
class InputAdapter(Adapter, Protocol):
    """An adapter that knows the order of axes of its layers' input."""

    def input_axes(self, module: nn.Module) -> str:
        """Axes of the first argument of a call, written as for `neuroact.record(axes=)`."""


@runtime_checkable
class StateReadingAdapter(Adapter, Protocol):
    """An adapter that can read its layers' state after each step, such as membrane potentials."""

    def states(self, module: nn.Module) -> Sequence[str] | None:
        """Names of the states that the module has; None if only a call shows them."""

    def read_state(self, module: nn.Module, call: LayerCall, name: str) -> Tensor:
        """That state after each step of a call, as `[time, batch, *neurons]`.

        Raises:
            ValueError: it has no such state, or kept only the last step; says what keeps all.
        """


class AdapterRegistry:
    """The adapters of one recording. An installed one is loaded when a module needs it.

    Args:
        given: adapters passed by the user. They are asked about every module, whatever its class,
            in this order and before the installed ones.
    """

    def __init__(self, given: Sequence[Adapter] | None = None) -> None:
        if isinstance(given, Adapter):
            raise TypeError(f"adapters= takes a list of adapters, came one alone: [{given!r}]")
        if not isinstance(given, Iterable | None):
            raise TypeError(f"adapters= takes a list of adapters, came {given!r:.100}")
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
        """Names of the frameworks that have an installed adapter, sorted."""
        return tuple(sorted(self._installed))

    @property
    def broken(self) -> tuple[str, ...]:
        """Names of the frameworks whose adapter was needed and could not be loaded, sorted."""
        return tuple(sorted(name for name, adapter in self._loaded.items() if adapter is None))

    def owner(self, module: nn.Module) -> tuple[Adapter, SignalKind] | None:
        """The first adapter that knows the module, and the kind that it says; None if none does.

        The given adapters are asked first. The installed ones follow in the order in which their
        frameworks appear in the class's MRO: a user's subclass belongs to its base's framework.
        Last come those whose framework is a part of a package's name, as of a copy.
        """
        for adapter in self.candidates(module):
            kind = adapter.kind(module)
            if kind is not None:
                return adapter, kind
        return None

    def candidates(self, module: nn.Module) -> Iterator[Adapter]:
        """The adapters to ask about a module, in order, whether they know it or not."""
        yield from self._given
        paths = [base.__module__ for base in type(module).__mro__]
        inner = (part for path in paths for part in path.split(".")[1:])
        for package in dict.fromkeys((*packages_of(type(module)), *inner)):
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
    """Entry points of all installed adapters, by framework name. Loads none."""
    return {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}


def load_adapter(point: EntryPoint) -> Adapter | None:
    """The adapter of an entry point; None, with a warning that names the cause, if it is broken.

    Any exception of the third party's code is caught: a broken adapter must not hurt the others.
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


def module_within(cls: type, framework: str) -> str:
    """The module that a class is from, as its framework names it; "" if it is of no framework's.

    A copy of the framework in another package counts as the framework. So an adapter that compares
    the whole result with the names of its framework's modules also reads copies, and nothing else.

    >>> from neuroact.layers.adapter import module_within
    >>> class LIFNode:
    ...     __module__ = "src.spikingjelly.activation_based.neuron"
    >>> module_within(LIFNode, "spikingjelly")
    'spikingjelly.activation_based.neuron'
    >>> module_within(LIFNode, "snntorch")
    ''
    """
    path = f".{cls.__module__}."
    at = path.find(f".{framework}.")
    return "" if at < 0 else path[at + 1 : -1]


def names_within(cls: type, framework: str, modules: str | tuple[str, ...]) -> set[str]:
    """Names of the class and its bases that are from some modules of a framework, or of its copy.

    Args:
        cls: the class.
        framework: import name of the framework.
        modules: what the names of these modules begin with, as the framework has them.

    >>> from torch import nn
    >>> sorted(names_within(nn.ReLU6, "torch", "torch.nn.modules.activation"))
    ['Hardtanh', 'ReLU6']
    """
    return {b.__name__ for b in cls.__mro__ if module_within(b, framework).startswith(modules)}


def packages_in(modules: Iterable[nn.Module]) -> tuple[str, ...]:
    """Top-level packages that the modules' classes come from, in order, each once."""
    return tuple(dict.fromkeys(p for module in modules for p in packages_of(type(module))))
