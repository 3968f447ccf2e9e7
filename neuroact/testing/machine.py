"""A Hypothesis state machine that drives a recording, and compares it with a simple model."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
)
from torch import Tensor, nn

import neuroact
from neuroact.errors import LayerNotCalledWarning, NothingRecordedError
from neuroact.layers.adapter import LayerCall
from neuroact.recording.recording import Recording
from neuroact.statistics import ClassActivity, InterspikeIntervals, SpikeCounts
from neuroact.stream.chunk import SignalKind, SpikeChunk
from neuroact.testing.naive import NaiveLayer
from neuroact.testing.raw import RawRecorder, in_order
from neuroact.testing.strategies import ragged, spikes

NEURONS, CLASSES = (3,), 3
seeds = st.integers(0, 2**31)
steps_and_batches = st.tuples(st.integers(0, 5), st.integers(0, 3))
Model = dict[str, NaiveLayer]


class Held(nn.Module):
    """Integrate and fire, one step a call; the module keeps the membrane potential."""

    def __init__(self) -> None:
        super().__init__()
        self.mem: Tensor | None = None

    def forward(self, current: Tensor) -> Tensor:
        """One step."""
        spikes, self.mem = _fired(current, self.mem)
        return spikes


class Passed(nn.Module):
    """Integrate and fire, one step a call; the membrane potential is passed and returned."""

    def forward(self, current: Tensor, mem: Tensor | None) -> tuple[Tensor, Tensor]:
        """One step."""
        return _fired(current, mem)


def _fired(current: Tensor, mem: Tensor | None) -> tuple[Tensor, Tensor]:
    before = torch.zeros_like(current) if mem is None or mem.shape != current.shape else mem
    after = before * 0.75 + current
    fired = (after > 1).to(current.dtype)
    return fired, after - fired


class TwoLayers(nn.Module):
    """One layer that keeps its state, and one whose state is passed."""

    def __init__(self) -> None:
        super().__init__()
        self.held, self.passed = Held(), Passed()

    def forward(self, current: Tensor, mem: Tensor | None) -> tuple[Tensor, Tensor]:
        """One step of both."""
        self.held(current)
        spikes, mem = self.passed(current.flip(-1), mem)
        return spikes, mem


class TwoLayersAdapter:
    """Reads both layers."""

    framework = "neuroact"

    def kind(self, module: nn.Module) -> SignalKind | None:
        """BINARY for both."""
        return SignalKind.BINARY if isinstance(module, Held | Passed) else None

    def state(self, module: nn.Module) -> object:
        """The membrane potential that `Held` keeps."""
        return module.mem if isinstance(module, Held) else None

    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        """The spikes of one step."""
        if isinstance(module, Held):
            values, given, left = call.output, call.state, module.mem
        else:
            (values, left), given = call.output, call.argument(1, "mem")
        starts = call.starts_sequence(given=given, left=left)
        return SpikeChunk.of_step(values, SignalKind.BINARY, starts_sequence=starts)


def by_class() -> ClassActivity:
    """Activity per class, of all classes that may come."""
    return ClassActivity(CLASSES)


def record(model: nn.Module) -> Recording:
    """Record both layers."""
    statistics = (SpikeCounts, InterspikeIntervals, by_class)
    return neuroact.record(model, adapters=[TwoLayersAdapter()], statistics=statistics)


class Runner:
    """A model and its state. Running it gives the raw spikes, from an oracle."""

    def __init__(self) -> None:
        self.net, self.mem = TwoLayers(), None
        self.batch: int | None = None

    def run(self, steps: int, batch: int, *, fresh: bool, seed: int) -> dict[str, list[Any]]:
        """Run some steps, and return each layer's raw spikes, `[1, batch, neurons]` a step."""
        if fresh:
            self.net.held.mem = self.mem = None
        currents = torch.rand(steps, batch, *NEURONS, generator=torch.Generator().manual_seed(seed))
        with RawRecorder(self.net, ["held", "passed"]) as raw:
            for current in currents:
                _, self.mem = self.net(current, self.mem)
        if steps:
            self.batch = batch
        return {
            "held": [in_order(call.output, "BN") for call in raw.calls["held"]],
            "passed": [in_order(call.output[0], "BN") for call in raw.calls["passed"]],
        }


class RecordingMachine(RuleBasedStateMachine):
    """Calls all methods of a recording in random order, and compares it with a naive model.

    Two layers of a model are recorded: one keeps its state, the other's state is passed. A third
    layer is fed by hand. After each call the figures of all layers are those that NumPy computes
    from everything kept. `RecordingMachine.TestCase` is the test; pytest finds it under any name.
    """

    recordings = Bundle("recordings")

    def __init__(self) -> None:
        super().__init__()
        self.runner = Runner()
        self.recording = record(self.runner.net)
        self.model: Model = {}
        self.paused = False
        self.marked: set[str] = set()
        self.continues = False  # whether a run from the present state continues the last one

    @initialize(target=recordings)
    def none(self) -> Any:
        """At first there is no other recording."""
        return multiple()

    @rule(size=steps_and_batches, fresh=st.booleans(), seed=seeds, data=st.data())
    def run(self, size: tuple[int, int], fresh: bool, seed: int, data: st.DataObject) -> None:
        """Run the model, from a reset or from its present state; some steps may be padding."""
        steps, batch = size
        before = self.runner.batch
        mask = None
        if data.draw(st.booleans()):
            drawn = st.lists(st.booleans(), min_size=steps * batch, max_size=steps * batch)
            mask = np.array(data.draw(drawn), dtype=bool).reshape(steps, batch)
        with nullcontext() if mask is None else self.recording.batch(valid=mask):
            emitted = self.runner.run(steps, batch, fresh=fresh, seed=seed)
        if fresh:
            self.continues = False
        if not steps or self.paused:
            self.continues = self.continues and not steps
            return
        starts = not self.continues or before != batch
        for name, values in emitted.items():
            for at, step in enumerate(values):
                padding = None if mask is None else mask[at : at + 1]
                self._take(name, step, starts=starts and at == 0, valid=padding)
        self.continues = True

    @rule(data=st.data(), size=steps_and_batches, starts=st.booleans(), labelled=st.booleans())
    def observe(
        self, data: st.DataObject, size: tuple[int, int], starts: bool, labelled: bool
    ) -> None:
        """Feed spikes by hand; the classes of the samples may be known."""
        values = data.draw(spikes(*size, NEURONS))
        labels = None
        if labelled:
            drawn = st.lists(st.integers(0, CLASSES - 1), min_size=size[1], max_size=size[1])
            labels = np.array(data.draw(drawn), dtype=np.int64)
        with nullcontext() if labels is None else self.recording.batch(labels=labels):
            self.recording.observe("chip", torch.from_numpy(values), starts_sequence=starts)
        self._take("chip", values, starts=starts, labels=labels)

    @rule(data=st.data(), starts=st.booleans())
    def observe_padded(self, data: st.DataObject, starts: bool) -> None:
        """Feed a batch of sequences of unequal length."""
        batch = data.draw(ragged(NEURONS))
        self.recording.observe(
            "chip", torch.from_numpy(batch.values), starts_sequence=starts, valid=batch.valid
        )
        self._take("chip", batch.values, starts=starts, valid=batch.valid)

    @rule()
    def new_sequence(self) -> None:
        """Mark that a sequence starts."""
        self.recording.new_sequence()
        self.marked = {"held", "passed", "chip"} & set(self.recording.layers)

    @rule()
    def pause(self) -> None:
        """Stop watching."""
        self.recording.pause()
        self.paused = True

    @rule()
    def resume(self) -> None:
        """Watch again."""
        self.recording.resume()
        self.paused = False

    @rule()
    def reset(self) -> None:
        """Forget everything."""
        self.recording.reset()
        self.model = {}
        self.continues = False

    @rule(target=recordings, size=steps_and_batches, seed=seeds, data=st.data())
    def record_another(self, size: tuple[int, int], seed: int, data: st.DataObject) -> Any:
        """Record another model, and keep that recording for a later merge."""
        other, runner = NaiveLayer(), Runner()
        model: Model = {}
        with record(runner.net) as recording:
            for name, values in runner.run(*size, fresh=True, seed=seed).items():
                for at, step in enumerate(values):
                    model.setdefault(name, NaiveLayer()).take(step, starts=at == 0)
            if data.draw(st.booleans()):
                fed = data.draw(spikes(*size, NEURONS))
                recording.observe("chip", torch.from_numpy(fed))
                other.take(fed, starts=True)
                model["chip"] = other
        return recording, model

    @rule(target=recordings)
    def save_and_load(self) -> Any:
        """Save to a file, load it, and keep the loaded recording for a later merge."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "recording.nact"
            self.recording.save(path)
            loaded = Recording.load(path)
        model = {name: layer.copy() for name, layer in self.model.items()}
        _assert_same(loaded, model, "loaded")
        return loaded, model

    @rule(other=recordings)
    def merge(self, other: tuple[Recording, Model]) -> None:
        """Merge a recording that was kept; it must not change."""
        recording, model = other
        self.recording.merge(recording)
        for name, layer in model.items():
            self.model.setdefault(name, NaiveLayer()).merge(layer)
        _assert_same(recording, model, "merged in")

    @rule()
    def close_and_record_anew(self) -> None:
        """Close; record the same model anew, and merge the closed recording."""
        self.recording.close()
        closed = self.recording
        self.recording = record(self.runner.net)
        self.recording.merge(closed)
        self.paused, self.continues, self.marked = False, False, set()

    @invariant()
    def figures_are_those_of_the_naive_model(self) -> None:
        """The figures of every layer are what NumPy computes from everything kept."""
        _assert_same(self.recording, self.model, "driven")

    def teardown(self) -> None:
        """Stop recording."""
        self.recording.close()

    def _take(self, name: str, values: Any, *, starts: bool, **known: Any) -> None:
        starts = starts or name in self.marked
        self.marked.discard(name)
        self.model.setdefault(name, NaiveLayer()).take(values, starts=starts, **known)


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", LayerNotCalledWarning)
        yield


def _assert_same(recording: Recording, model: Model, which: str) -> None:
    with _quiet():
        try:
            report: Any = recording.report()
        except NothingRecordedError:
            report = {}
    assert set(report) == set(model), f"the {which} recording reports {set(report)}"
    for name, naive in model.items():
        figures, flat = report[name], naive.flat
        for what, came, expected in (
            ("events", figures.events, np.count_nonzero(flat, axis=0)),
            ("total", figures.total, flat.sum(0)),
            ("observations", figures.observations, len(flat)),
            ("sequences", figures.sequences, naive.begun),
            ("spike counts", figures[SpikeCounts].histogram, naive.spike_counts),
            ("intervals", figures[InterspikeIntervals].histogram, naive.intervals),
        ):
            assert np.array_equal(came, expected), (
                f'the {which} recording: layer "{name}": expected {what} {expected}, came {came}'
            )
        _assert_same_classes(figures, naive, which)


def _assert_same_classes(figures: Any, naive: NaiveLayer, which: str) -> None:
    found = figures[ClassActivity]
    for label in range(CLASSES):
        flat = naive.of_class(label)
        events = np.count_nonzero(flat, axis=0)
        same = found.class_observations[label] == len(flat)
        same &= np.array_equal(found.class_events[label], events)
        assert same, (
            f"the {which} recording: class {label}: expected events {events} in {len(flat)}, came "
            f"{found.class_events[label]} in {found.class_observations[label]}"
        )
