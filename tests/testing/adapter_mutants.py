"""Adapters that are wrong on purpose, each in one way, with the check that has to catch them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import torch
from right_adapter import (
    Doubled,
    Holding,
    PatternedAdapter,
    Potential,
    RightAdapter,
    Spike,
    Stepwise,
    Ternary,
)
from torch import Tensor, nn

from neuroact import LayerCall, SignalKind, SpikeChunk
from neuroact.layers.call_pattern import CallPattern
from neuroact.layers.state_trace import StateTrace

MUTANTS: dict[type[RightAdapter], str] = {}


def caught_by(check: str) -> Any:
    """Say which check has to be the first to fail."""

    def add(mutant: type[RightAdapter]) -> type[RightAdapter]:
        MUTANTS[mutant] = check
        return mutant

    return add


@caught_by("interface")
class FrameworkIsNoImportName(RightAdapter):
    framework = "my framework"


@caught_by("layers_found")
class WrapperCountedToo(RightAdapter):
    def kind(self, module: nn.Module) -> SignalKind | None:
        return SignalKind.BINARY if isinstance(module, Doubled) else super().kind(module)


@caught_by("layers_found")
class InnerPartCountedToo(RightAdapter):
    def kind(self, module: nn.Module) -> SignalKind | None:
        return SignalKind.BINARY if isinstance(module, Spike) else super().kind(module)


@caught_by("layers_found")
class LayerMissed(RightAdapter):
    def kind(self, module: nn.Module) -> SignalKind | None:
        return None if isinstance(module, Holding) else super().kind(module)


@caught_by("layers_found")
class PotentialTakenForSpikes(RightAdapter):
    def kind(self, module: nn.Module) -> SignalKind | None:
        return SignalKind.GRADED if isinstance(module, Potential) else super().kind(module)


@caught_by("other_modules")
class LinearTakenForALayer(RightAdapter):
    def kind(self, module: nn.Module) -> SignalKind | None:
        return SignalKind.ANALOG if isinstance(module, nn.Linear) else super().kind(module)


@caught_by("axes")
class TimeAndBatchSwapped(RightAdapter):
    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        if isinstance(module, Ternary):
            return SpikeChunk.of_sequence(call.output, SignalKind.GRADED, starts_sequence=True)
        return super().read(module, call)


@caught_by("axes")
class LastSampleDropped(RightAdapter):
    def spikes(self, module: nn.Module, call: LayerCall) -> Tensor:
        return super().spikes(module, call)[:-1]


@caught_by("axes")
class NeuronsFlattened(RightAdapter):
    def spikes(self, module: nn.Module, call: LayerCall) -> Tensor:
        return super().spikes(module, call).flatten()


@caught_by("axes")
class StepsOfASequenceDropped(RightAdapter):
    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        chunk = super().read(module, call)
        return SpikeChunk(chunk.values[-1:], chunk.kind, chunk.starts_sequence)


@caught_by("axes")
class ReadsNothing(RightAdapter):
    def read(self, module: nn.Module, call: LayerCall) -> Any:
        return None


@caught_by("values")
class SecondMemberOfTheTuple(RightAdapter):
    def spikes(self, module: nn.Module, call: LayerCall) -> Tensor:
        second: Tensor = call.output[1] if isinstance(module, Stepwise) else call.output
        return second


@caught_by("values")
class PotentialForSpikes(RightAdapter):
    def spikes(self, module: nn.Module, call: LayerCall) -> Tensor:
        if isinstance(module, Holding):
            assert module.mem is not None
            return module.mem
        return super().spikes(module, call)


@caught_by("values")
class SignLost(RightAdapter):
    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        chunk = super().read(module, call)
        values = chunk.values.abs() if isinstance(module, Ternary) else chunk.values
        return SpikeChunk(values, chunk.kind, chunk.starts_sequence)


@caught_by("values")
class SamplesReversed(RightAdapter):
    def spikes(self, module: nn.Module, call: LayerCall) -> Tensor:
        return super().spikes(module, call).flip(0)


@caught_by("kind")
class ChunksOfTheWrongKind(RightAdapter):
    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        chunk = super().read(module, call)
        return SpikeChunk(chunk.values, SignalKind.BINARY, chunk.starts_sequence)


@caught_by("kind")
class WrongKind(RightAdapter):
    def kind(self, module: nn.Module) -> SignalKind | None:
        return SignalKind.BINARY if isinstance(module, Ternary) else super().kind(module)


@caught_by("sequence_starts")
class StateIgnored(RightAdapter):
    def starts(self, module: nn.Module, call: LayerCall) -> bool:
        return True


@caught_by("sequence_starts")
class NeverStarts(RightAdapter):
    def starts(self, module: nn.Module, call: LayerCall) -> bool:
        return False


@caught_by("sequence_starts")
class OnlyTheFirstCallStarts(RightAdapter):
    def starts(self, module: nn.Module, call: LayerCall) -> bool:
        fresh = not call.trace.has_state
        super().starts(module, call)
        return fresh


@caught_by("sequence_starts")
class StateSeenAfterTheCall(RightAdapter):
    """Takes the state after a call for the state before it."""

    def starts(self, module: nn.Module, call: LayerCall) -> bool:
        if isinstance(module, Holding):
            return call.starts_sequence(given=module.mem, left=module.mem)
        return super().starts(module, call)


@caught_by("sequence_starts")
class OneTraceForAllLayers(RightAdapter):
    def __init__(self) -> None:
        self.trace = StateTrace()

    def starts(self, module: nn.Module, call: LayerCall) -> bool:
        return super().starts(
            module, LayerCall(call.args, call.kwargs, call.output, call.state, self.trace)
        )


@caught_by("many_models")
class OneTraceForAllModels(RightAdapter):
    def __init__(self) -> None:
        self.traces: dict[object, StateTrace] = {}
        self.last: object = None

    def starts(self, module: nn.Module, call: LayerCall) -> bool:
        trace = self.traces.setdefault(call.args[0].shape[1:], StateTrace())
        return super().starts(
            module, LayerCall(call.args, call.kwargs, call.output, call.state, trace)
        )


@caught_by("carried_state")
class EachRunStarts(RightAdapter):
    """Counts steps: takes every seventh or eighth call for the first call of a batch."""

    def __init__(self) -> None:
        self.calls: WeakKeyDictionary[nn.Module, int] = WeakKeyDictionary()

    def starts(self, module: nn.Module, call: LayerCall) -> bool:
        number = self.calls[module] = self.calls.get(module, -1) + 1
        return number in (0, 7) or number % 15 == 0


@caught_by("detached_state")
class ADetachedStateStarts(RightAdapter):
    """Recognises a state only by its object."""

    def __init__(self) -> None:
        self.left: WeakKeyDictionary[nn.Module, int] = WeakKeyDictionary()

    def starts(self, module: nn.Module, call: LayerCall) -> bool:
        given = call.argument(1, "mem") if isinstance(module, Stepwise) else call.state
        same = self.left.get(module) == id(given)
        left = call.output[1] if isinstance(module, Stepwise) else module.mem
        self.left[module] = id(left)
        return not same


@caught_by("changed_batch")
class AnyStateGoesOn(RightAdapter):
    def starts(self, module: nn.Module, call: LayerCall) -> bool:
        if isinstance(module, Holding):
            return call.state is None
        return super().starts(module, call)


@caught_by("one_step")
class SequencesOfOneStepAreUnbatched(RightAdapter):
    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        if isinstance(module, Ternary) and call.output.shape[1] == 1:
            return SpikeChunk.of_step(
                call.output.squeeze(1)[0], SignalKind.GRADED, starts_sequence=True
            )
        return super().read(module, call)


@caught_by("one_sample")
class ABatchOfOneIsSqueezed(RightAdapter):
    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        if isinstance(module, Ternary) and len(call.output) == 1:
            values = call.output.squeeze(0)
            return SpikeChunk.of_step(values, SignalKind.GRADED, starts_sequence=True)
        return super().read(module, call)


@caught_by("no_sample")
class NoEmptyBatches(RightAdapter):
    def spikes(self, module: nn.Module, call: LayerCall) -> Tensor:
        spikes = super().spikes(module, call)
        return spikes.reshape(len(spikes), -1)


@caught_by("wrong_output")
class ErrorsAreSilent(RightAdapter):
    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        try:
            return super().read(module, call)
        except Exception:
            return SpikeChunk(torch.zeros(1, 1, 5), SignalKind.BINARY, starts_sequence=True)


@caught_by("input_axes")
class WrongInputAxes(RightAdapter):
    def input_axes(self, module: nn.Module) -> str:
        return "TBN" if isinstance(module, Ternary | Potential) else "BN"


@caught_by("view")
class OutputCopied(RightAdapter):
    def spikes(self, module: nn.Module, call: LayerCall) -> Tensor:
        return super().spikes(module, call).clone()


@caught_by("view")
class OutputMadeContiguous(RightAdapter):
    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        chunk = super().read(module, call)
        return SpikeChunk(chunk.values.contiguous(), chunk.kind, chunk.starts_sequence)


@caught_by("view")
class OutputWidened(RightAdapter):
    def spikes(self, module: nn.Module, call: LayerCall) -> Tensor:
        spikes = super().spikes(module, call)
        return spikes if spikes.is_complex() else spikes.double()


@caught_by("no_host_sync")
class SyncsPerStep(RightAdapter):
    def spikes(self, module: nn.Module, call: LayerCall) -> Tensor:
        spikes = super().spikes(module, call)
        if spikes.isnan().any():
            raise ValueError("expected spikes, came NaN")
        return spikes


@caught_by("no_host_sync")
class ReadsByNumpy(RightAdapter):
    def spikes(self, module: nn.Module, call: LayerCall) -> Tensor:
        return torch.from_numpy(super().spikes(module, call).detach().numpy())


@caught_by("no_host_sync")
class LooksAtTheState(RightAdapter):
    def state(self, module: nn.Module) -> object:
        state = super().state(module)
        if isinstance(state, Tensor) and not state.count_nonzero().tolist():
            return state
        return state


@caught_by("outputs_unchanged")
class WritesToTheState(RightAdapter):
    def state(self, module: nn.Module) -> object:
        state = super().state(module)
        if isinstance(state, Tensor):
            state.detach().mul_(1.5)
        return state


@caught_by("gradients_unchanged")
class GradientDoubled(RightAdapter):
    def spikes(self, module: nn.Module, call: LayerCall) -> Tensor:
        spikes = super().spikes(module, call)
        if spikes.requires_grad:
            spikes.register_hook(lambda grad: grad * 2)
        return spikes


@caught_by("random_state_unchanged")
class DrawsARandomNumber(RightAdapter):
    def spikes(self, module: nn.Module, call: LayerCall) -> Tensor:
        torch.rand(1)
        return super().spikes(module, call)


@caught_by("attributes_unchanged")
class HookLeftBehind(RightAdapter):
    def kind(self, module: nn.Module) -> SignalKind | None:
        if isinstance(module, Holding) and not module._forward_hooks:
            module.register_forward_hook(lambda *args: None)
        return super().kind(module)


@caught_by("attributes_unchanged")
class AttributeLeftBehind(RightAdapter):
    def spikes(self, module: nn.Module, call: LayerCall) -> Tensor:
        module.spikes_seen = True
        return super().spikes(module, call)


@caught_by("attributes_unchanged")
class SwitchesToEval(RightAdapter):
    def kind(self, module: nn.Module) -> SignalKind | None:
        kind = super().kind(module)
        if kind is not None:
            module.eval()
        return kind


@caught_by("nothing_kept")
class GraphKept(RightAdapter):
    """Keeps the last output, and so its graph."""

    def spikes(self, module: nn.Module, call: LayerCall) -> Tensor:
        self.last = super().spikes(module, call)
        return self.last


@caught_by("nothing_kept")
class ModelKept(RightAdapter):
    def __init__(self) -> None:
        self.kinds: dict[nn.Module, SignalKind | None] = {}

    def kind(self, module: nn.Module) -> SignalKind | None:
        kind = super().kind(module)
        if kind is not None:
            self.kinds[module] = kind
        return kind


@caught_by("train_and_eval")
class TrainingOnly(RightAdapter):
    def spikes(self, module: nn.Module, call: LayerCall) -> Tensor:
        spikes = super().spikes(module, call)
        return spikes if module.training else torch.zeros_like(spikes)


@caught_by("no_grad")
class NeedsGradients(RightAdapter):
    def spikes(self, module: nn.Module, call: LayerCall) -> Tensor:
        spikes = super().spikes(module, call)
        if not spikes.requires_grad and not torch.is_grad_enabled():
            raise ValueError("expected spikes of a differentiable layer")
        return spikes


@caught_by("inference_mode")
class CountsVersions(RightAdapter):
    def spikes(self, module: nn.Module, call: LayerCall) -> Tensor:
        spikes = super().spikes(module, call)
        assert spikes._version >= 0
        return spikes


@caught_by("autocast")
class FloatAlone(RightAdapter):
    def spikes(self, module: nn.Module, call: LayerCall) -> Tensor:
        spikes = super().spikes(module, call)
        if spikes.dtype is not torch.float32:
            raise ValueError(f"expected float32, came {spikes.dtype}")
        return spikes


@caught_by("float64")
class NoDoubles(RightAdapter):
    def spikes(self, module: nn.Module, call: LayerCall) -> Tensor:
        spikes = super().spikes(module, call)
        if spikes.dtype is torch.float64:
            raise ValueError("expected float32 or less, came float64")
        return spikes


@caught_by("pattern")
class PatternOfThePotential(PatternedAdapter):
    def pattern(self, module: nn.Module) -> CallPattern:
        right = super().pattern(module)
        if isinstance(module, Stepwise):
            return replace(right, values=lambda output: output[1])
        return right


@caught_by("pattern")
class PatternThatNeverGoesOn(PatternedAdapter):
    def given(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> tuple[Any, ...]:
        return ()


@caught_by("pattern")
class PatternOfASwappedSequence(PatternedAdapter):
    def turned(self, output: Tensor) -> Tensor:
        return output
