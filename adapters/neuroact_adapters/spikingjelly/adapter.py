"""The adapter itself: which module is a layer, and how its calls are read."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from neuroact.layers.adapter import LayerCall
from neuroact.layers.call_pattern import CallPattern
from neuroact.stream import SignalKind, SpikeChunk
from neuroact_adapters.spikingjelly.calls import holder, same_options
from neuroact_adapters.spikingjelly.layers import (
    Layer,
    as_returned,
    emits,
    is_sequence,
    layer_of,
)
from neuroact_adapters.spikingjelly.places import Surroundings


class SpikingJellyAdapter:
    """Reads every neuron class of SpikingJelly, and the user's own subclasses of them.

    A neuron in step mode `s` emits one step `[batch, *neurons]` a call, in `m` a whole sequence
    `[time, batch, *neurons]`, as do those that have no step mode. Without a batch they emit
    `[neurons]` and `[time, neurons]`, a batch of one. In the same way SpikingJelly's own layers
    and encoders (`layer.Linear`, `layer.Conv2d`, `encoding.PoissonEncoder`, …) are read, but only
    by request.

    State stays on the module between calls, in both step modes. A call starts a sequence after
    `functional.reset_net`, and where SpikingJelly makes the state anew because the input's shape
    changed; `detach_net` goes on. Neurons and layers without state, and those that make it anew in
    each call, start one with each call. A SpikingRNN, SpikingLSTM or SpikingGRU goes on where it
    is passed the states that its last call returned.

    Containers repeat what their modules emit and are no layers; the modules are. A recurrent layer
    (SpikingLSTM, …) is one layer, its last: what it holds further in is neither returned nor
    recorded.

    What cannot be seen: a neuron in step mode `s` that is given a whole sequence takes its time
    axis for the batch, and so it is recorded; the same holds for a module that is called by
    `functional.seq_to_ann_forward` without a container. `base.to_functional_forward` of a neuron
    runs no hook, nor does `memopt.checkpoint_module` around one; the report says which layers
    were not called.

    Raises:
        ValueError: from `read`, for a module in a container where its time axis is lost
            (`SeqToANNContainer`) or taken for another one; and in `torch.vmap`.
        TypeError: from `read`, for an output that is not one tensor, such as a `FlexSN`'s whose
            core returns several.
        ChunkError: from `read`, for a tensor that is not of these shapes.
    """

    framework = "spikingjelly"
    tested = ("0.0.0.0.14", "2.0.0")

    def __init__(self) -> None:
        # Memos, not records: what a module is, and what stands around it, is found out once.
        self._known: WeakKeyDictionary[nn.Module, Layer] = WeakKeyDictionary()
        self._surroundings = Surroundings()

    def kind(self, module: nn.Module) -> SignalKind | None:
        """What the module emits, as it is set now.

        ANALOG for `NonSpiking*` nodes, surrogate functions with `spiking=False` (but for nodes
        that fire without them in eval mode: IF and LIF of 0.0.0.0.14, OTTT and SLTT), `Noisy*`
        nodes while `is_training`, `LIAFNode` and `FewSpikeNode` in step mode `s`; and for layers
        and encoders, whatever their chunks say, so that they are recorded only by request.

        GRADED where spikes have other levels than 0 and 1: `ILIFNode`, `Ternary*`, `DSR*`,
        `STBIFNode`, `FewSpikeNode` in step mode `m`, `FlexSN`, and with the surrogate function
        `MultiLevelSpikeCount`. Else BINARY, also for a module of the user's own that has a step
        mode and a `surrogate_function`. None for containers, surrogate functions, and all else.
        """
        self._surroundings.meet(module)
        layer = layer_of(module)
        if layer is None or (layer.passed and self._surroundings.are_recurrent(module)):
            return None
        self._known[module] = layer
        return SignalKind.ANALOG if layer.by_request else emits(module, layer)

    def state(self, module: nn.Module) -> object:
        """The state the module holds; None where state is passed, not held."""
        layer = self._look_up(module)
        return None if layer.passed else layer.held(module)

    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        """What the module emitted: a view, but for nodes that return a list of steps."""
        layer = self._look_up(module)
        kind, sequence = emits(module, layer), is_sequence(module, layer)
        self._surroundings.check(module, sequence=sequence, spikes=not layer.by_request)
        values = _one_tensor(layer.spikes(call.output))
        if layer.passed:
            left = call.output[1] if sequence else call.output
            starts = call.starts_sequence(
                given=_flat(call.argument(1, layer.passed)), left=_flat(left)
            )
        else:
            starts = call.starts_sequence(given=call.state, left=layer.held(module))
        make = SpikeChunk.of_sequence if sequence else SpikeChunk.of_step
        return make(values, kind, starts_sequence=starts)

    def pattern(self, module: nn.Module) -> CallPattern | None:
        """How the module's calls are read: as `read` does; None where state is passed, not held."""
        layer = self._look_up(module)
        kind, sequence = emits(module, layer), is_sequence(module, layer)
        self._surroundings.check(module, sequence=sequence, spikes=not layer.by_request)
        if layer.passed:
            return None
        held, holds = holder(module, layer), same_options(module, layer)

        def converted(values: Any) -> Tensor:
            return _one_tensor(layer.spikes(values))

        found = _one_tensor if layer.spikes is as_returned else converted
        return CallPattern(kind, sequence, found, held, held, holds)

    def input_axes(self, module: nn.Module) -> str:
        """`TBN` where a call takes a whole sequence, `BN` where it takes one step.

        Raises:
            ValueError: the module changes its input in place, so that it is not what came in; or
                it stands in a container where its time axis is lost or taken for another one.
        """
        layer = self._look_up(module)
        if layer.writes_input:
            raise ValueError(
                f"a {type(module).__name__} adds to its input in place, so what came in is gone "
                "when its call is over; record the output of the layer before it"
            )
        sequence = is_sequence(module, layer)
        self._surroundings.check(module, sequence=sequence, spikes=not layer.by_request)
        return "TBN" if sequence else "BN"

    def _look_up(self, module: nn.Module) -> Layer:
        layer = self._known.get(module)
        if layer is None:
            layer = layer_of(module)
            if layer is None:
                raise TypeError(f"{type(module).__name__} is no layer of SpikingJelly")
            self._known[module] = layer
        return layer


def _one_tensor(values: Any) -> Tensor:
    if not isinstance(values, Tensor):
        raise TypeError(
            f"expected it to return one tensor, came {type(values).__name__}; pass an adapter of "
            "your own as adapters=, which says where the spikes are"
        )
    if torch._C._functorch.is_batchedtensor(values):
        raise ValueError(
            "it is called inside torch.vmap, as by a TLastSeqToANNContainer, which hides an axis "
            'from it; record the container itself by its name, with axes="BNT"'
        )
    return values


def _flat(state: Any) -> Any:
    """Each tensor of a state as one dimension.

    SpikingLSTM of 0.0.0.0.14 returns states that it takes back only without their first one.
    """
    if isinstance(state, tuple):
        return [_flat(part) for part in state]
    return state.detach().flatten() if isinstance(state, Tensor) else state
