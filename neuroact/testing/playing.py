"""Runs an example while an adapter reads it directly, without a recording in between."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from neuroact.layers.adapter import Adapter, LayerCall
from neuroact.layers.state_trace import StateTrace
from neuroact.stream.chunk import SpikeChunk
from neuroact.testing.example import AdapterExample, ExpectedLayer, Limit
from neuroact.testing.raw import RawRecorder, module_of, true_values
from neuroact.testing.syncs import HostSyncs
from neuroact.testing.watching import see_calls

Context = Callable[[], AbstractContextManager[object]]


@dataclass(frozen=True)
class AdapterCase:
    """An adapter and one of its examples: what each check gets."""

    adapter: Adapter
    example: AdapterExample

    def without(self, *limits: Limit) -> bool:
        """Whether the example has none of these limits."""
        return not self.example.limits & set(limits)

    @property
    def spiking(self) -> list[str]:
        """Names of the layers that are recorded without being named."""
        layers = self.example.layers.items()
        return [name for name, layer in layers if not layer.recorded_by_request]


@dataclass(frozen=True)
class Run:
    """One run of an example, from a fresh state or from the state of the run before.

    Attributes:
        steps: time steps.
        batch: samples.
        continues: it continues from the state of the run before.
        detached: that state is detached first.
    """

    steps: int
    batch: int
    continues: bool = False
    detached: bool = False

    def __str__(self) -> str:
        begun = "that continues the one before" if self.continues else "from a fresh state"
        cut = ", detached" if self.detached else ""
        return f"a run of {self.steps} steps and {self.batch} samples {begun}{cut}"


@dataclass(frozen=True)
class ReadCall:
    """One call of a layer: what the adapter read, and what is true.

    Attributes:
        layer: the layer's name.
        number: number of the layer's earlier calls in the same run.
        run: the run that the call belongs to.
        read: what the adapter returned, or the exception that it raised.
        values: a copy of the values at that time, if it read a chunk.
        truth: what it should have read, `[time, batch, *neurons]`.
        shares: whether the chunk's values share the memory of the layer's spikes.
        syncs: names of functions that the adapter called and that wait for a device.
    """

    layer: str
    number: int
    run: Run
    read: SpikeChunk | Exception | object
    values: NDArray[np.float64] | None
    truth: NDArray[np.float64]
    shares: bool
    syncs: tuple[str, ...]

    @property
    def chunk(self) -> SpikeChunk:
        """The chunk that was read.

        Raises:
            AssertionError: the adapter raised an error, or returned something else.
        """
        if isinstance(self.read, SpikeChunk):
            return self.read
        if isinstance(self.read, Exception):
            raise AssertionError(
                f"{self}: read raised {type(self.read).__name__}: {self.read}"
            ) from self.read
        raise AssertionError(f"{self}: read gave {type(self.read).__name__}, not a SpikeChunk")

    def __str__(self) -> str:
        return f'layer "{self.layer}", call {self.number + 1} of {self.run}'


@dataclass
class Player:
    """Builds an example's model and runs it, while the adapter reads each call of each layer.

    It sees calls by means of its own, and uses no recording.

    Attributes:
        case: the adapter and the example.
        around: a context that is entered around each run.
        dtype: dtype of the model and its input; None leaves them as they are.
        seed: draws the model; seed + 1 draws the input of each run.
        model: the model.
        called: what is run: the model, or a wrapper of it.
        calls: the calls that were read.
        last: the last call of each layer, and its module.
        output: what the last run gave.
        state: the state that the last run left.
    """

    case: AdapterCase
    around: Context = nullcontext
    dtype: torch.dtype | None = None
    seed: int = 0
    model: nn.Module = field(init=False)
    called: Any = field(init=False)
    calls: list[ReadCall] = field(init=False, default_factory=list)
    last: dict[str, tuple[nn.Module, LayerCall]] = field(init=False, default_factory=dict)
    output: Any = field(init=False, default=None)
    state: Any = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.model = self.case.example.build(self.seed)
        if self.dtype is not None:
            self.model.to(self.dtype)
        self.called = self.model
        self._run = Run(0, 0)
        self._made: dict[str, int] = {}

    def watch(self) -> Player:
        """Have the adapter read every call from now on."""
        for name, layer in self.case.example.layers.items():
            self._watch(name, layer)
        return self

    def play(self, runs: Iterable[Run], raw: RawRecorder | None = None) -> list[ReadCall]:
        """Run the model, and return the calls that were read. `raw` gets each run's number."""
        for number, run in enumerate(runs):
            if raw is not None:
                raw.run = number
            self.run(run)
        return self.calls

    def run(self, run: Run) -> Any:
        """Run once, and return the output."""
        example = self.case.example
        self._run, self._made = run, {}
        torch.manual_seed(self.seed + 1)
        x = example.inputs(run.steps, run.batch)
        if self.dtype is not None and x.is_floating_point():
            x = x.to(self.dtype)
        with self.around():
            if not run.continues:
                example.reset(self.model)
                self.state = None
            elif run.detached:
                example.detach(self.model)
                self.state = _detached(self.state)
            self.output, self.state = example.run(self.called, x, self.state)
        return self.output

    def _watch(self, name: str, layer: ExpectedLayer) -> None:
        module, adapter, trace = module_of(self.model, name), self.case.adapter, StateTrace()
        adapter.kind(module)
        seen: list[object] = []
        waits: list[str] = []

        def before(args: Any, kwargs: Any) -> None:
            with HostSyncs() as syncs:
                seen.append(state_of(adapter, module))
            waits.extend(syncs.found)

        def after(args: Any, kwargs: Any, output: Any) -> None:
            call = LayerCall(args, kwargs, output, seen.pop(), trace)
            self.last[name] = (module, call)
            self.calls.append(self._read(name, layer, module, call, waits))
            waits.clear()

        see_calls(module, before, after)

    def _read(
        self,
        name: str,
        layer: ExpectedLayer,
        module: nn.Module,
        call: LayerCall,
        waits: list[str],
    ) -> ReadCall:
        number = self._made.get(name, 0)
        self._made[name] = number + 1
        emitted = layer.emitted(module, call.output)
        truth = true_values(layer, emitted).copy()
        read: SpikeChunk | Exception | object
        with HostSyncs() as syncs:
            try:
                read = self.case.adapter.read(module, call)
            except Exception as error:
                read = error
        values = None
        if isinstance(read, SpikeChunk):
            values = read.values.detach().to_dense().double().cpu().numpy().copy()
        shares = isinstance(read, SpikeChunk) and _share(read.values, layer.spikes(emitted))
        waited = (*waits, *syncs.found)
        return ReadCall(name, number, self._run, read, values, truth, shares, waited)


def state_of(adapter: Adapter, module: nn.Module) -> object:
    """The state that the adapter finds on the module; None without one."""
    state = getattr(adapter, "state", None)
    return None if state is None else state(module)


def usual_runs(example: AdapterExample) -> Sequence[Run]:
    """Two fresh sequences. The second is one step longer and has one sample more."""
    longer = 0 if Limit.OTHER_LENGTHS in example.limits else 1
    more = 0 if example.limits & {Limit.BATCH, Limit.OTHER_BATCHES} else 1
    return (
        Run(example.steps, example.samples),
        Run(example.steps + longer, example.samples + more),
    )


def _share(ours: Tensor, theirs: Tensor) -> bool:
    if ours.numel() == 0:
        return True
    ours, theirs = (t._values() if t.is_sparse else t for t in (ours, theirs))
    return ours.untyped_storage().data_ptr() == theirs.untyped_storage().data_ptr()


def _detached(state: Any) -> Any:
    if isinstance(state, Tensor):
        return state.detach()
    if isinstance(state, tuple) and hasattr(state, "_fields"):
        return type(state)(*(_detached(part) for part in state))
    if isinstance(state, tuple | list):
        return type(state)(_detached(part) for part in state)
    if isinstance(state, dict):
        return {key: _detached(part) for key, part in state.items()}
    return state
