"""What has to be known of SpikingJelly's classes, of both generations, 0.0.0.0.14 and 2.0.

Classes are told by the names in their MRO: SpikingJelly is never imported here, and a class that
one release lacks is simply never met.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from neuroact.stream import SignalKind

# Where neurons and layers live. What the framework builds from them, exports to chips
# (lynxi_exchange) or trains them with (learning) is no layer, though some of its names are theirs.
_LAYERS = tuple(
    f"spikingjelly.activation_based.{part}" for part in ("layer", "encoding", "ann2snn")
)
_PLACES = (
    *_LAYERS,
    *(f"spikingjelly.activation_based.{part}" for part in ("base", "neuron", "rnn")),
    *("spikingjelly.clock_driven.neuron", "spikingjelly.clock_driven.layer"),
)

CONTAINERS = {
    *("MultiStepContainer", "TLastMultiStepContainer", "StepModeContainer"),
    *("SeqToANNContainer", "TLastSeqToANNContainer"),
    *("ElementWiseRecurrentContainer", "LinearRecurrentContainer"),
}


def names_of(cls: type) -> set[str]:
    """Names of those of the class's bases, itself included, that are SpikingJelly's layers."""
    return {base.__name__ for base in cls.__mro__ if base.__module__.startswith(_PLACES)}


def as_returned(output: Any) -> Any:
    """The values of a layer that returns nothing else."""
    return output


def _without_trace(output: Any) -> Any:
    return output[0] if isinstance(output, list) else output


def _without_state(output: Any) -> Any:
    return output[0] if isinstance(output, tuple) else output


def _over_time(output: Any) -> Any:
    """A list with an entry a step as one tensor; a sequence decoded to one value as one step."""
    if isinstance(output, list):
        return torch.stack([membrane.detach() for membrane in output])
    return output.unsqueeze(0)


def memories_of(module: Any) -> object:
    """What the module remembers; its membrane alone where it is called `v`.

    Other memories come and go in the middle of a sequence, such as a training step's trace or the
    membrane's record. Of a queue, which grows, the last entry stands for all.
    """
    memories = vars(module).get("_memories", {})
    if isinstance(memories.get("v"), Tensor):
        return memories["v"]
    return [m[-1:] if isinstance(m, list) else m for m in memories.values()]


def _queue(module: Any) -> object:
    """The last entry of a queue that only single steps read and fill."""
    return module.queue[-1:] if module.step_mode == "s" else None


def surrogate_function(module: Any) -> Any:
    """What a neuron fires by; None where it has none."""
    return getattr(module, "surrogate_function", None)


def _gates(module: Any) -> Any:
    return module.surrogate_function1


def _of_cells(module: Any) -> Any:
    cell = module.cells[0]
    return surrogate_function(cell) or _gates(cell)


def never(module: Any) -> bool:
    """No module is so."""
    return False


def _always(module: Any) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Layer:
    """What has to be known of one class.

    Attributes:
        levels: what it emits where it spikes.
        real: tells an instance that emits real values whatever its surrogate function does.
        surrogate: finds its surrogate function.
        one_step: a call is one step if no `step_mode` says otherwise; else a whole sequence.
        spikes: finds its values in what a call returns.
        held: finds the state that the module holds.
        passed: name of its second argument, where state is passed and returned, not held.
        writes_input: it changes its input in place.
        by_request: it is no neuron, and recorded only when named.
    """

    levels: SignalKind = SignalKind.BINARY
    real: Callable[[Any], bool] = never
    surrogate: Callable[[Any], Any] = surrogate_function
    one_step: bool = False
    spikes: Callable[[Any], Any] = as_returned
    held: Callable[[Any], object] = memories_of
    passed: str | None = None
    writes_input: bool = False
    by_request: bool = False


_BINARY = Layer()
_GRADED = Layer(SignalKind.GRADED)
_MEMBRANE = Layer(real=_always, spikes=_over_time)
_ENCODER = Layer(by_request=True)
_BY_REQUEST = Layer(real=_always, by_request=True)

# By class name. Where a class derives from another one here, the derived one counts.
NEURONS = {
    # Those of 0.0.0.0.14's clock_driven have no step_mode: single steps, but for MultiStep*.
    "BaseNode": Layer(one_step=True),
    "MultiStepIFNode": _BINARY,
    "MultiStepLIFNode": _BINARY,
    "MultiStepParametricLIFNode": _BINARY,
    "MultiStepEIFNode": _BINARY,
    "MultiStepGeneralNode": _BINARY,
    "SimpleBaseNode": _BINARY,
    "ActivationAwareIFNode": _BINARY,
    "GatedLIFNode": _BINARY,
    "PSN": _BINARY,
    "MaskedPSN": Layer(held=_queue),
    "SlidingPSN": Layer(held=_queue),
    "ILCBaseNode": Layer(writes_input=True),
    "NoisyBaseNode": Layer(real=lambda module: module.is_training),
    "OTTTLIFNode": Layer(spikes=_without_trace),
    # Many steps at once run plain LIF's loop, which knows nothing of its activation.
    "LIAFNode": Layer(
        real=lambda m: getattr(m, "step_mode", "s") == "s" or m.store_v_seq, one_step=True
    ),
    "ILIFNode": _GRADED,
    "TernaryIFNode": _GRADED,
    "TernaryLIFNode": _GRADED,
    "DSRIFNode": _GRADED,
    "DSRLIFNode": _GRADED,
    "STBIFNode": _GRADED,
    "FlexSN": _GRADED,
    "_STASpikeEncoder": _GRADED,
    "FewSpikeNode": Layer(SignalKind.GRADED, real=lambda module: module.step_mode == "s"),
    "NonSpikingBaseNode": _MEMBRANE,
    "NoisyNonSpikingBaseNode": _MEMBRANE,
    "PoissonEncoder": _ENCODER,
    "LatencyEncoder": _ENCODER,
    "WeightedPhaseEncoder": _ENCODER,
    "SpikingRNNBase": Layer(surrogate=_of_cells, spikes=_without_state, passed="states"),
    "SpikingVanillaRNNCell": Layer(one_step=True, passed="h"),
    "SpikingGRUCell": Layer(surrogate=_gates, one_step=True, passed="h"),
    "SpikingLSTMCell": Layer(surrogate=_gates, one_step=True, spikes=_without_state, passed="hc"),
}


def layer_of(module: nn.Module) -> Layer | None:
    """What is known of the module's class; None for a container and for what is no layer."""
    names = names_of(type(module))
    if names & CONTAINERS:
        return None
    for base in type(module).__mro__:
        if base.__name__ in names and base.__name__ in NEURONS:
            return NEURONS[base.__name__]
    if not _has_steps(module) or any(_has_steps(m) for m in module.modules() if m is not module):
        return None
    if surrogate_function(module) is not None:
        return _BINARY  # a neuron of the user's own, or one of a newer release
    own = any(base.__module__.startswith(_LAYERS) for base in type(module).__mro__)
    return _BY_REQUEST if own else None


def is_sequence(module: nn.Module, layer: Layer) -> bool:
    """Whether a call is a whole sequence rather than one step."""
    mode = getattr(module, "step_mode", None)
    return not layer.one_step if mode is None else mode == "m"


def emits(module: nn.Module, layer: Layer) -> SignalKind:
    """What the module's values mean, as it is set now."""
    surrogate = layer.surrogate(module)
    if layer.real(module):
        return SignalKind.ANALOG
    if not getattr(surrogate, "spiking", True) and not _fires_by_itself(module):
        return SignalKind.ANALOG
    many = type(surrogate).__name__ == "MultiLevelSpikeCount"
    return SignalKind.GRADED if many else layer.levels


def _has_steps(module: nn.Module) -> bool:
    return "StepModule" in names_of(type(module)) and hasattr(module, "step_mode")


def _fires_by_itself(module: Any) -> bool:
    """Whether it compares with its threshold without its surrogate function, as some in eval."""
    if module.training:
        return False
    names = names_of(type(module))
    if "_OnlineLIFNode" in names:
        return bool(module.step_mode == "s")
    # Backends could be chosen in 0.0.0.0.14 only, whose IF and LIF alone do so.
    return not names.isdisjoint({"IFNode", "LIFNode"}) and hasattr(module, "supported_backends")
