"""How each of SpikingJelly's classes is read, of 0.0.0.0.12, 0.0.0.0.14 and 2.0.

The adapter recognises classes by the names in their MRO. So it never imports SpikingJelly, and a
release may lack some of the classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from neuroact.layers.adapter import names_within
from neuroact.stream import SignalKind

# The modules with neurons and layers. SpikingJelly also has classes that it builds from them,
# exports to chips (lynxi_exchange) or trains with (learning). Some have the same names, but are not
# layers.
_LAYERS = tuple(
    f"spikingjelly.activation_based.{part}" for part in ("layer", "encoding", "ann2snn")
)
_PLACES = (
    *_LAYERS,
    *(f"spikingjelly.activation_based.{part}" for part in ("base", "neuron", "rnn")),
    "spikingjelly.activation_based.nir_exchange",
    *("spikingjelly.clock_driven.neuron", "spikingjelly.clock_driven.layer"),
)

CONTAINERS = {
    *("MultiStepContainer", "TLastMultiStepContainer", "StepModeContainer"),
    *("SeqToANNContainer", "TLastSeqToANNContainer"),
    *("ElementWiseRecurrentContainer", "LinearRecurrentContainer"),
}

NIR_NODE = "_NIRStatefulModule"
"""It runs the one neuron in it without calling it, and passes and returns that neuron's state."""

# They multiply what their own neurons emit.
ATTENTION = {"SpikingSelfAttention", "QKAttention", "SpikeDrivenSelfAttention"}


def names_of(cls: type) -> set[str]:
    """Names of the class and its bases that come from SpikingJelly's modules of layers."""
    return names_within(cls, "spikingjelly", _PLACES)


def as_returned(output: Any) -> Any:
    """The values of a layer that returns only its values."""
    return output


def _without_trace(output: Any) -> Any:
    return output[0] if isinstance(output, list) else output


def _without_state(output: Any) -> Any:
    return output[0] if isinstance(output, tuple) else output


def _over_time(output: Any) -> Any:
    """A list of steps as one tensor; a sequence that was decoded to one value as one step."""
    if isinstance(output, list):
        return torch.stack([membrane.detach() for membrane in output])
    return output.unsqueeze(0)


def memories_in(module: Any) -> dict[str, Any]:
    """What the module remembers, by name, in the order in which SpikingJelly lists it."""
    found: dict[str, Any] = vars(module).get("_memories", {})
    return found


def memories_of(module: Any) -> object:
    """What the module remembers; only its membrane potential if that is called `v`.

    Other memories appear and vanish in the middle of a sequence, such as a training step's trace or
    the record of the membrane potential. A queue grows, so only its last entry is compared.
    """
    memories = memories_in(module)
    if isinstance(memories.get("v"), Tensor):
        return memories["v"]
    return [m[-1:] if isinstance(m, list) else m for m in memories.values()]


def _itself(module: Any) -> Any:
    return module


def _in_nir_node(module: Any) -> Any:
    return module.module


def _queue(module: Any) -> object:
    """The last entry of the queue, which only single steps read and fill."""
    return module.queue[-1:] if module.step_mode == "s" else None


def surrogate_function(module: Any) -> Any:
    """The surrogate function that a neuron fires by; None without one."""
    return getattr(module, "surrogate_function", None)


def _gates(module: Any) -> Any:
    return module.surrogate_function1


def _of_cells(module: Any) -> Any:
    cell = module.cells[0]
    return surrogate_function(cell) or _gates(cell)


def never(module: Any) -> bool:
    """False for every module."""
    return False


def _always(module: Any) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Layer:
    """How one class is read.

    Attributes:
        neuron: finds the module that has the options, such as the step mode.
        levels: the kind of its spikes, if it spikes.
        real: whether an instance emits real values, whatever its surrogate function does.
        surrogate: finds its surrogate function.
        one_step: whether a call of a module without `step_mode` is one step; if not, it is a whole
            sequence.
        spikes: finds its values in what a call returns.
        held: finds the state that the module holds.
        passed: name of its second argument if state is passed and returned; None if it is held.
        writes_input: whether it changes its input in place.
        by_request: whether it is not a neuron, and is recorded only when named.
    """

    neuron: Callable[[Any], Any] = _itself
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
_GRADED = Layer(levels=SignalKind.GRADED)
_MEMBRANE = Layer(real=_always, spikes=_over_time)
_ENCODER = Layer(by_request=True)
_BY_REQUEST = Layer(real=_always, by_request=True)

# By class name. The entry of the most derived class counts.
NEURONS = {
    # Nodes of clock_driven (0.0.0.0.12 and 0.0.0.0.14) have no step_mode. They take single steps,
    # except MultiStep*.
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
    # Many steps at once run the loop of the plain LIF, which ignores the node's activation.
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
    "FewSpikeNode": Layer(levels=SignalKind.GRADED, real=lambda module: module.step_mode == "s"),
    "NonSpikingBaseNode": _MEMBRANE,
    "NoisyNonSpikingBaseNode": _MEMBRANE,
    "PoissonEncoder": _ENCODER,
    "LatencyEncoder": _ENCODER,
    "WeightedPhaseEncoder": _ENCODER,
    "SpikingRNNBase": Layer(surrogate=_of_cells, spikes=_without_state, passed="states"),
    "SpikingVanillaRNNCell": Layer(one_step=True, passed="h"),
    "SpikingGRUCell": Layer(surrogate=_gates, one_step=True, passed="h"),
    "SpikingLSTMCell": Layer(surrogate=_gates, one_step=True, spikes=_without_state, passed="hc"),
    NIR_NODE: Layer(_in_nir_node, spikes=_without_state, passed="state"),
}


def layer_of(module: nn.Module) -> Layer | None:
    """How the module's class is read; None for a container, or a module that is not a layer."""
    names = names_of(type(module))
    if names & CONTAINERS:
        return None
    for base in type(module).__mro__:
        if base.__name__ in names and base.__name__ in NEURONS:
            return NEURONS[base.__name__]
    if not _has_steps(module) or any(_has_steps(m) for m in module.modules() if m is not module):
        return None
    if surrogate_function(module) is not None:
        return _BINARY  # a user's own neuron, or one of a newer release
    return _BY_REQUEST if names_within(type(module), "spikingjelly", _LAYERS) else None


def is_sequence(module: nn.Module, layer: Layer) -> bool:
    """Whether a call is a whole sequence; if not, it is one step."""
    mode = getattr(layer.neuron(module), "step_mode", None)
    return not layer.one_step if mode is None else mode == "m"


def emits(module: nn.Module, layer: Layer) -> SignalKind:
    """The kind of the module's values, with its present options."""
    neuron = layer.neuron(module)
    surrogate = layer.surrogate(neuron)
    if layer.real(neuron):
        return SignalKind.ANALOG
    if not getattr(surrogate, "spiking", True) and not _fires_by_itself(neuron):
        return SignalKind.ANALOG
    many = type(surrogate).__name__ == "MultiLevelSpikeCount"
    return SignalKind.GRADED if many else layer.levels


def _has_steps(module: nn.Module) -> bool:
    return "StepModule" in names_of(type(module)) and hasattr(module, "step_mode")


def _fires_by_itself(module: Any) -> bool:
    """Whether it fires without its surrogate function, as some neurons do in eval mode."""
    if module.training:
        return False
    names = names_of(type(module))
    if "_OnlineLIFNode" in names:
        return bool(module.step_mode == "s")
    # Of 0.0.0.0.14 only IF and LIF do so. Only that release has `supported_backends`.
    return not names.isdisjoint({"IFNode", "LIFNode"}) and hasattr(module, "supported_backends")
