"""Reads a layer's state after each step, such as its membrane potential."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from neuroact.errors import NoSuchStateError
from neuroact.layers.adapter import (
    Adapter,
    ArgumentAdapter,
    LayerCall,
    StatefulAdapter,
    StateReadingAdapter,
)
from neuroact.layers.axes import DEFAULT_AXES, Axes
from neuroact.layers.reading import Reading
from neuroact.layers.stated import StatedAdapter
from neuroact.stream.chunk import SignalKind, SpikeChunk, as_stream, dense


class StateReader:
    """Reads one state of a framework's layers; sequences start where those of its spikes do.

    Args:
        adapter: reads the layers.
        name: of the state, as the framework names it: "mem", "v", "v_mem".
    """

    advice = "record its output"

    def __init__(self, adapter: StateReadingAdapter, name: str) -> None:
        self.framework = adapter.framework
        self._adapter = adapter
        self._name = name

    def kind(self, module: nn.Module) -> SignalKind:
        """ANALOG, whatever the layer."""
        return SignalKind.ANALOG

    def given(self, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> object:
        """What the adapter wants to know of a call before it runs."""
        if isinstance(self._adapter, ArgumentAdapter):
            return self._adapter.given(module, args, kwargs)
        return self._adapter.state(module) if isinstance(self._adapter, StatefulAdapter) else None

    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        """The state after each step of the call."""
        starts = self._adapter.read(module, call).starts_sequence
        values = self._adapter.read_state(module, call, self._name)
        return SpikeChunk(values, SignalKind.ANALOG, starts)


class AttributeReader:
    """Reads an attribute of a module that no adapter knows, after each call.

    Args:
        name: of the attribute.
        reading: the order of its dimensions; and what shows where sequences start, if it says so.

    >>> import torch
    >>> from torch import nn
    >>> from neuroact.layers.adapter import LayerCall
    >>> from neuroact.layers.reading import Reading
    >>> from neuroact.layers.state_reader import AttributeReader
    >>> module = nn.Identity()
    >>> module.mem = torch.tensor([[0.5, 0.25]])
    >>> AttributeReader("mem", Reading()).read(module, LayerCall((), {}, None)).values
    tensor([[[0.5000, 0.2500]]])
    """

    framework = "torch"
    advice = "say how to read it, with axes="

    def __init__(self, name: str, reading: Reading) -> None:
        self._name = name
        self._axes = Axes(DEFAULT_AXES if reading.axes is None else reading.axes)
        self._stated = None if reading.state is None else StatedAdapter(reading)

    def kind(self, module: nn.Module) -> SignalKind:
        """ANALOG, whatever the module."""
        return SignalKind.ANALOG

    def given(self, module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> object:
        """The state that the call goes on from, if the module keeps it."""
        return None if self._stated is None else self._stated.state(module)

    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        """The attribute with its axes in the order `[time, batch, *neurons]`.

        Raises:
            TypeError: it is not one tensor.
            ValueError: its shape does not fit the axes.
        """
        value = getattr(module, self._name, None)
        if not isinstance(value, Tensor):
            raise TypeError(
                f"expected its attribute {self._name!r} to be a tensor after a call, came "
                f"{type(value).__name__}"
            )
        starts = self._stated is None or self._stated.starts_sequence(module, call)
        values = self._axes.ordered(dense(value.detach()))
        return SpikeChunk(values, SignalKind.ANALOG, starts)


def state_reader(
    module: nn.Module, layer: str, adapter: Adapter | None, name: str, reading: Reading
) -> Adapter:
    """The reader of that state of a module.

    Args:
        module: the module.
        layer: its name, for errors.
        adapter: the adapter that knows it; None if none does.
        name: of the state.
        reading: how a module is read that no adapter knows.

    Raises:
        NoSuchStateError: the module has no such state, or its adapter cannot read states.
    """
    if adapter is None:
        return AttributeReader(name, reading)
    if not isinstance(adapter, StateReadingAdapter):
        raise NoSuchStateError(
            f'the adapter of "{layer}" ({adapter.framework}) reads no states, so of="{name}" is '
            "nothing that it knows: record the output, or give the adapter `states` and "
            "`read_state`",
            layer=layer,
        )
    names = adapter.states(module)
    if names is not None and name not in names:
        raise NoSuchStateError(
            f'"{layer}" ({adapter.framework} {type(module).__name__}) has no state "{name}"; it '
            f"has: {', '.join(names) or 'none that can be read after each step'}",
            layer=layer,
        )
    return StateReader(adapter, name)


def of_step(state: Any, name: str) -> Tensor:
    """A state after one step, as `[1, batch, *neurons]`.

    Raises:
        ValueError: it is no tensor.
    """
    return _stream(state, name, sequence=False)


def of_sequence(states: Any, name: str) -> Tensor:
    """A state after each of several steps, as `[time, batch, *neurons]`.

    Raises:
        ValueError: they are no tensor.
    """
    return _stream(states, name, sequence=True)


def _stream(state: Any, name: str, *, sequence: bool) -> Tensor:
    if not isinstance(state, Tensor):
        raise ValueError(
            f'expected its state "{name}" to be a tensor after a call, came {type(state).__name__}'
        )
    return as_stream(dense(state.detach()), sequence=sequence)
