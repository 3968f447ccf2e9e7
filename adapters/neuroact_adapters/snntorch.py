"""snnTorch's neurons, of both generations, 0.9 and 1.0.

The adapter recognises classes by the names in their MRO. So it never imports snnTorch, and a
release may lack some of the classes.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from neuroact.errors import NeuroactWarning
from neuroact.layers.adapter import LayerCall, argument, module_within
from neuroact.layers.call_pattern import CallPattern
from neuroact.layers.state_reader import of_step
from neuroact.layers.synapses import OneToOne, SynapsesByPart
from neuroact.stream import SignalKind, SpikeChunk

# A spike function with more levels than this, not all of them whole numbers, is continuous.
FEW_LEVELS = 8

State = tuple[Any, ...]


def _input_shape(module: Any, current: Tensor) -> Sequence[int]:
    return current.shape


def _convolved_shape(module: Any, current: Tensor) -> Sequence[int]:
    return (len(current), module.out_channels, *current.shape[2:])


Arguments = tuple[Any, ...]
Named = Mapping[str, Any]


def _by_argument(
    neuron: Neuron, module: Any, args: Arguments, kwargs: Named, held: State | None
) -> State | None:
    """The state that a call starts from: each part passed, or else held; None for a fresh state."""
    held = held or (None,) * len(neuron.states)
    passed = [argument(args, kwargs, at, name) for at, name in enumerate(neuron.states, start=1)]
    given = tuple([h if p is None else p for p, h in zip(passed, held, strict=True)])
    current = argument(args, kwargs, 0, "input_")
    if isinstance(current, Tensor):
        # snnTorch tests this too. It silently replaces a state of another shape by zeros.
        shape = neuron.state_shape(module, current)
        for state in given:
            if getattr(state, "shape", None) != shape:
                return None
    return given


def _as_pair(
    neuron: Neuron, module: Any, args: Arguments, kwargs: Named, held: State | None
) -> State | None:
    """The state of a DeltaLeaky: held with init_hidden, otherwise passed as (mem, mem_prev)."""
    if module.init_hidden:
        return held
    pair = argument(args, kwargs, 1, "mem")
    return None if pair is None else (pair[0],)


@dataclass(frozen=True, slots=True)
class Neuron:
    """How one class of neuron is read.

    Attributes:
        states: attributes that hold its state between calls, in the order of its arguments after
            the input. Empty if each call is a whole sequence `[time, batch, *neurons]` from a fresh
            state.
        given: finds the state that a call started from.
        state_shape: the shape of a state; snnTorch replaces states of other shapes by zeros.
        inhibits: whether it has `inhibition=True`, which ignores `graded_spikes_factor`.
        gain: how many times its spikes are multiplied by `graded_spikes_factor`.
        real: whether an instance emits real values instead of spikes.
    """

    states: tuple[str, ...] = ()
    given: Callable[[Neuron, Any, Arguments, Named, State | None], State | None] = _by_argument
    state_shape: Callable[[Any, Tensor], Sequence[int]] = _input_shape
    inhibits: bool = False
    gain: int = 1
    real: Callable[[Any], bool] = lambda module: False

    def held(self, module: Any) -> State:
        """The state that the module holds now; None for a part that does not exist yet."""
        return tuple([_attribute(module, name) for name in self.states])


# By class name. The entry of the most derived class counts.
NEURONS = {
    "Leaky": Neuron(("mem",), inhibits=True),
    "Lapicque": Neuron(("mem",), inhibits=True),
    "Synaptic": Neuron(("syn", "mem"), inhibits=True),
    "Alpha": Neuron(("syn_exc", "syn_inh", "mem"), inhibits=True),
    "RLeaky": Neuron(("spk", "mem"), inhibits=True),
    "RSynaptic": Neuron(("spk", "syn", "mem"), inhibits=True),
    "SLSTM": Neuron(("syn", "mem")),
    "SConv2dLSTM": Neuron(("syn", "mem"), state_shape=_convolved_shape),
    # snnTorch writes its second state, mem_prev, and never reads it.
    "DeltaLeaky": Neuron(("mem",), given=_as_pair, gain=0),
    "LeakyParallel": Neuron(),
    "LeakyKernel": Neuron(),
    "StateLeaky": Neuron(gain=2, real=lambda module: not module.output),
    "LinearLeaky": Neuron(gain=2, real=lambda module: not module.output),
    "AssociativeLeaky": Neuron(
        real=lambda module: module.use_q_projection or not module.output,
    ),
}
# Base classes that cannot be called themselves.
ABSTRACT = {"SpikingNeuron", "LIF"}


class SnnTorchAdapter:
    """Reads every neuron class of snnTorch, and your own subclasses of them.

    A subclass has to keep its base's order of arguments, its first output (the spikes) and its
    state attributes. Otherwise it needs an adapter of its own.

    Step classes (Leaky, Synaptic, Alpha, Lapicque, RLeaky, RSynaptic, SLSTM, SConv2dLSTM,
    DeltaLeaky) emit one step a call, `[batch, *neurons]`. An output of one dimension is a batch of
    one. A call continues the last one if the state it starts from, passed or held, is the state
    that the last call left. If that state's shape is not the input's, snnTorch replaces it by
    zeros, and a new sequence starts. This happens at every call of an SLSTM whose `input_size` is
    not its
    `hidden_size`: snnTorch compares its state with the input and forgets it each time.

    Sequence classes (LeakyParallel, LeakyKernel, StateLeaky, LinearLeaky, AssociativeLeaky) emit
    a whole sequence a call, `[time, batch, *neurons]`, and keep no state.

    Raises:
        ChunkError: from `read`, for an output that is not a tensor of these shapes.
    """

    framework = "snntorch"
    tested = ("0.9.4", "1.0.0")

    def __init__(self) -> None:
        # Finding the kind runs the layer's spike function and, on a GPU, waits for it. No call of
        # the layer may wait, so the kind is remembered here.
        self._known: WeakKeyDictionary[nn.Module, tuple[Neuron, SignalKind]] = WeakKeyDictionary()

    def kind(self, module: nn.Module) -> SignalKind | None:
        """The kind of the neuron's output: by its class, its options and a probe of `spike_grad`.

        - ANALOG if it returns a membrane potential or other real values: StateLeaky and LinearLeaky
          with `output=False`, AssociativeLeaky with its query projection, a continuous
          `spike_grad`.
        - GRADED if spikes have levels other than 0 and 1, or are scaled by a
          `graded_spikes_factor` that is learnable, per neuron, or not 1.
        - BINARY otherwise; None for a module that is not a neuron.

        Warns:
            NeuroactWarning: the class derives from `SpikingNeuron`, but from no known neuron class.
        """
        neuron = _neuron(type(module))
        if neuron is None:
            _warn_if_unknown(type(module))
            return None
        kind = _kind(neuron, module)
        self._known[module] = (neuron, kind)
        return kind

    def state(self, module: nn.Module) -> State | None:
        """The state tensors that the module holds; None for a class that keeps none."""
        neuron = self._look_up(module)[0]
        return neuron.held(module) if neuron.states else None

    def synapses(self, module: nn.Module) -> SynapsesByPart | None:
        """The factors of a `RecurrentOneToOne`, the recurrence of an RLeaky or RSynaptic.

        Its other recurrences, and the weights of SLSTM and SConv2dLSTM, are modules of torch.
        """
        if type(module).__name__ != "RecurrentOneToOne":
            return None
        return {"": OneToOne(module, "V")}

    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        """The spikes: the output, or its first member if it is a tuple. A view, not a copy."""
        neuron, kind = self._look_up(module)
        spikes = _spikes(call.output)
        if not neuron.states:
            return SpikeChunk.of_sequence(spikes, kind, starts_sequence=True)
        held = call.state if isinstance(call.state, tuple) else None
        given, left = (
            neuron.given(neuron, module, call.args, call.kwargs, held),
            neuron.held(module),
        )
        starts = call.starts_sequence(given=given, left=left)
        return SpikeChunk.of_step(spikes, kind, starts_sequence=starts)

    def pattern(self, module: nn.Module) -> CallPattern:
        """The neuron's calls, read as `read` does."""
        neuron, kind = self._look_up(module)
        if not neuron.states:
            return CallPattern(kind, True, _spikes, _no_state, _no_state)
        alone = neuron.given is _by_argument and neuron.states == ("mem",)
        given = _only_mem(module) if alone else _any_state(neuron, module)
        return CallPattern(kind, False, _spikes, given, _left(neuron, module))

    def input_axes(self, module: nn.Module) -> str:
        """`BN` for step classes, `TBN` for sequence classes."""
        return "BN" if self._look_up(module)[0].states else "TBN"

    def states(self, module: nn.Module) -> Sequence[str]:
        """Its state's attributes, such as "mem" and "syn"; none for sequence classes."""
        return self._look_up(module)[0].states

    def read_state(self, module: nn.Module, call: LayerCall, name: str) -> Tensor:
        """A state after the call's step, as snnTorch leaves it: it holds also what it returns."""
        return of_step(_attribute(module, name), name)

    def _look_up(self, module: nn.Module) -> tuple[Neuron, SignalKind]:
        known = self._known.get(module)
        if known is None:
            if self.kind(module) is None:
                raise TypeError(f"{type(module).__name__} is not a neuron of snnTorch")
            known = self._known[module]
        return known


def _spikes(output: Any) -> Any:
    return output[0] if isinstance(output, tuple) else output


def _attribute(module: Any, name: str) -> Any:
    """An attribute, or None. It is looked up in the buffers first: asking the module is slow."""
    buffers = module._buffers
    return buffers[name] if name in buffers else getattr(module, name, None)


def _left(neuron: Neuron, module: Any) -> Callable[[Any], State]:
    if len(neuron.states) > 1:
        return lambda output: neuron.held(module)
    (name,), buffers = neuron.states, module._buffers
    # One function, without a call inside, since it runs at each step.
    return lambda output: ((buffers[name] if name in buffers else getattr(module, name, None)),)


def _no_state(*_: Any) -> State:
    return ()


def _only_mem(module: Any) -> Callable[[Arguments, Named], State]:
    """`_by_argument` for a neuron whose only state is `mem`, but faster."""
    if not _broadcasts(module):
        return _passed_or_held(module)
    passed_or_held = _passed_or_held(module)

    def given(args: Arguments, kwargs: Named) -> State:
        (mem,) = passed_or_held(args, kwargs)
        current = args[0] if args else kwargs.get("input_")
        same = getattr(mem, "shape", None) == getattr(current, "shape", None)
        return (mem,) if same else ()

    return given


def _broadcasts(module: Any) -> bool:
    """Whether the output may have another shape than the input.

    If not, the state that a call leaves has the input's shape. A given state of another shape,
    which snnTorch replaces by zeros, then differs from it, so the shape need not be tested.
    """
    own = {**module._parameters, **module._buffers}
    return any(t is not None and t.numel() > 1 for name, t in own.items() if name != "mem")


def _passed_or_held(module: Any) -> Callable[[Arguments, Named], State]:
    buffers = module._buffers

    def given(args: Arguments, kwargs: Named) -> State:
        mem = args[1] if len(args) > 1 else kwargs.get("mem")
        if mem is None:
            mem = buffers["mem"] if "mem" in buffers else getattr(module, "mem", None)
        return (mem,)

    return given


def _any_state(neuron: Neuron, module: Any) -> Callable[[Arguments, Named], State]:
    def given(args: Arguments, kwargs: Named) -> State:
        return neuron.given(neuron, module, args, kwargs, neuron.held(module)) or ()

    return given


def _is_of_snntorch(cls: type) -> bool:
    return module_within(cls, "snntorch").startswith("snntorch._neurons.")


def _neuron(cls: type) -> Neuron | None:
    names = (base.__name__ for base in cls.__mro__ if _is_of_snntorch(base))
    return next((NEURONS[name] for name in names if name in NEURONS), None)


def _warn_if_unknown(cls: type) -> None:
    if _is_of_snntorch(cls) and cls.__name__ in ABSTRACT:
        return
    if any(base.__name__ == "SpikingNeuron" and _is_of_snntorch(base) for base in cls.__mro__):
        warnings.warn(
            f"{cls.__module__}.{cls.__qualname__} is a SpikingNeuron of snnTorch that neuroact "
            f"does not know, so its layers are not recorded. Known are {', '.join(NEURONS)}, "
            "and classes that derive from them. For others pass an adapter: "
            "neuroact.record(model, adapters=[...]).",
            NeuroactWarning,
            stacklevel=2,
        )


def _kind(neuron: Neuron, module: Any) -> SignalKind:
    if neuron.real(module):
        return SignalKind.ANALOG
    kind = _kind_of_levels(_probe(module))
    return SignalKind.GRADED if kind is SignalKind.BINARY and _scaled(neuron, module) else kind


def _scaled(neuron: Neuron, module: Any) -> bool:
    """Whether spikes are multiplied by something that may not be 1."""
    if neuron.gain == 0 or (neuron.inhibits and module.inhibition):
        return False
    factor: Tensor = module.graded_spikes_factor
    return isinstance(factor, nn.Parameter) or factor.numel() > 1 or bool(factor**neuron.gain != 1)


def _probe(module: Any) -> Tensor:
    """The levels that a neuron's spike function gives below, at and above threshold.

    It does not change random state, gradients or the function's own buffers. A function that cannot
    be run on its own counts as binary; its values are tested when they are recorded.
    """
    device = module.threshold.device
    # Points close to zero and far from it, so that even a steep function shows its slope.
    above = torch.logspace(-4, 1, 64, device=device)
    points = torch.cat([-above.flip(0), torch.zeros(1, device=device), above])
    others = [] if device.type == "cpu" else [device]
    try:
        with torch.no_grad(), torch.random.fork_rng(others, device_type=_backend(device)):
            fire = module.spike_grad
            if isinstance(fire, nn.Module):
                fire = copy.deepcopy(fire).forward
            levels: Tensor = torch.unique(fire(points).float())
    except Exception:
        return torch.tensor([0.0, 1.0])
    return levels


def _backend(device: torch.device) -> str:
    return "cuda" if device.type == "cpu" else device.type


def _kind_of_levels(levels: Tensor) -> SignalKind:
    if bool(((levels == 0) | (levels == 1)).all()):
        return SignalKind.BINARY
    whole = bool((levels == levels.round()).all())
    return SignalKind.GRADED if whole or len(levels) <= FEW_LEVELS else SignalKind.ANALOG
