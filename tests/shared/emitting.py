"""A layer that emits what it is given, read by a pattern, with the core and without it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import neuroact
from neuroact import (
    ClassActivity,
    InterspikeIntervals,
    LayerCall,
    Recording,
    SignalKind,
    SpikeChunk,
    SpikeCounts,
    Synchrony,
    TimeCourse,
)
from neuroact.layers.call_pattern import CallPattern, always
from neuroact.native import without_core
from neuroact.recording.call_reader import CallReader

BINARY = SignalKind.BINARY
ALL = (SpikeCounts, TimeCourse, InterspikeIntervals, Synchrony, ClassActivity)
NEURONS = (3, 2)


class Emitting(nn.Module):
    """Emits what it is given; its state is passed and returned."""

    def __init__(self) -> None:
        super().__init__()
        self.before: Callable[[], object] = lambda: None

    def forward(self, spikes: Tensor, state: Tensor | None = None) -> Any:
        self.before()
        fits = state is not None and state.shape == spikes.shape
        return spikes, (state if fits else torch.zeros_like(spikes)) + 1


class EmittingAdapter:
    """Reads it. `find` finds its values; `holds` says whether the pattern is still valid."""

    framework = "synthetic"

    def __init__(
        self,
        find: Callable[[Any], Any] = lambda output: output[0],
        holds: Callable[[], bool] = always,
        states: int = 1,
    ) -> None:
        self.find, self.holds, self.states = find, holds, states

    def kind(self, module: nn.Module) -> SignalKind | None:
        return BINARY if isinstance(module, Emitting) else None

    def read(self, module: Any, call: LayerCall) -> SpikeChunk:
        starts = call.starts_sequence(given=call.argument(1, "state"), left=call.output[1])
        return SpikeChunk.of_step(self.find(call.output), BINARY, starts_sequence=starts)

    def pattern(self, module: Any) -> CallPattern:
        def given(args: Any, kwargs: Any) -> Any:
            state = args[1] if len(args) > 1 else kwargs.get("state")
            return () if state is None else (state,) * self.states

        return CallPattern(
            BINARY, False, self.find, given, lambda output: output[1:] * self.states, self.holds
        )


def spikes(batch: int = 4, seed: int = 0, rate: float = 0.3) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(batch, *NEURONS, generator=generator) < rate).float()


def as_it_comes(values: Tensor, look: str) -> Tensor:
    """The same values in another dtype or layout."""
    if look == "strided":
        return values.transpose(-1, -2).contiguous().transpose(-1, -2)
    if look == "expanded":
        return values[:1].expand_as(values)
    if look == "grad":
        return values.requires_grad_()
    types = {"float64": torch.float64, "bool": torch.bool, "float16": torch.float16}
    return values.to(types.get(look, torch.float32))


def recorded(layer: nn.Module, statistics: Any = (), **options: Any) -> Recording:
    return neuroact.record(layer, statistics=statistics, adapters=[EmittingAdapter(**options)])


def counted(recording: Recording) -> Any:
    (only,) = recording.report().values()
    return only


def states_of(recording: Recording) -> list[dict[str, Tensor]]:
    """The state of each statistic of the only layer, when every call is counted."""
    (layer,) = recording._layers.values()
    with layer.settled() as statistics:
        return [statistic.state_dict() for statistic in statistics]


def same(ours: list[dict[str, Tensor]], theirs: list[dict[str, Tensor]]) -> bool:
    """Whether the states are the same, to the bit."""
    return all(
        a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)
        for a, b in zip(ours, theirs, strict=True)
    )


Way = Callable[[], AbstractContextManager[None]]
WAYS: tuple[Way, ...] = (contextlib.nullcontext, without_core)
"""As it is installed, and as where there is no core: the figures must not differ."""
each_way = pytest.mark.parametrize("way", WAYS, ids=["core", "no core"])
some_or_all = pytest.mark.parametrize("statistics", [(), ALL], ids=["alone", "together"])


@contextmanager
def calls_in_full() -> Iterator[list[Tensor]]:
    """What the calls that were read in full returned."""
    found: list[Tensor] = []
    read = CallReader._read

    def noted(self: CallReader, args: Any, kwargs: Any, output: Any, given: Any) -> None:
        found.append(output)
        read(self, args, kwargs, output, given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CallReader, "_read", noted)
        yield found
