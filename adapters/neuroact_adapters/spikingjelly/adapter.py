"""The adapter: which modules are layers, and how their calls are read."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from neuroact.layers.adapter import LayerCall
from neuroact.layers.call_pattern import CallPattern
from neuroact.layers.state_reader import of_sequence, of_step
from neuroact.layers.synapses import PRODUCTS, SynapsesByPart
from neuroact.stream import SignalKind, SpikeChunk
from neuroact.stream.product import SynapticProduct
from neuroact_adapters.spikingjelly.calls import holder, same_options
from neuroact_adapters.spikingjelly.layers import (
    ATTENTION,
    Layer,
    as_returned,
    emits,
    is_sequence,
    layer_of,
    memories_in,
    names_of,
)
from neuroact_adapters.spikingjelly.places import Surroundings
from neuroact_adapters.spikingjelly.products import neurons_that_show, products_of


class SpikingJellyAdapter:
    """Reads every neuron class of SpikingJelly, and your own subclasses of them.

    A neuron in step mode `s` emits one step a call, `[batch, *neurons]`. In step mode `m`, or
    without a step mode, it emits a whole sequence, `[time, batch, *neurons]`. Without a batch it
    emits `[neurons]` and `[time, neurons]`, which is read as a batch of one. SpikingJelly's layers
    and encoders (`layer.Linear`, `layer.Conv2d`, `encoding.PoissonEncoder`, …) are read in the same
    way, but only when named.

    State stays on the module between calls, in both step modes. A call starts a sequence after
    `functional.reset_net`, and if SpikingJelly makes the state anew because the input's shape
    changed. After `detach_net` the sequence continues. Modules that have no state, or make it anew
    in each call, start a sequence with each call. A SpikingRNN, SpikingLSTM or SpikingGRU continues
    its sequence if it is passed the states that its last call returned.

    Containers repeat what their modules emit. They are not layers; the modules inside are. A
    recurrent module (SpikingLSTM, …) is read as one layer, its last one. It does not return the
    outputs of its inner layers, so those are not recorded.

    A node of a NIR graph (`nir_exchange.import_from_nir`) runs its neuron without calling it. So
    the node is the layer, in both step modes. Its state is passed: a call continues the last one if
    it is given the state that the last one returned.

    Some things cannot be seen. A neuron in step mode `s` that is given a whole sequence takes the
    time axis for the batch, and is recorded so. The same holds for a module that
    `functional.seq_to_ann_forward` calls without a container. `base.to_functional_forward` of a
    neuron runs no hook, nor does `memopt.checkpoint_module` around one; the report then says which
    layers were not called.

    Raises:
        ValueError: from `read`, for a module in a container that removes its time axis
            (`SeqToANNContainer`) or confuses it with another one; and in `torch.vmap`.
        TypeError: from `read`, for an output that is not one tensor, such as that of a `FlexSN`
            whose core returns several.
        ChunkError: from `read`, for a tensor that is not of these shapes.
    """

    framework = "spikingjelly"
    tested = ("0.0.0.0.12", "2.0.0")

    def __init__(self) -> None:
        # What a module is, and which container is around it, is found out once and remembered.
        self._known: WeakKeyDictionary[nn.Module, Layer] = WeakKeyDictionary()
        self._surroundings = Surroundings()

    def kind(self, module: nn.Module) -> SignalKind | None:
        """The kind of the module's output, with its present options.

        - ANALOG for `NonSpiking*` nodes; for surrogate functions with `spiking=False` (except nodes
          that fire without them in eval mode: IF and LIF of 0.0.0.0.14, OTTT and SLTT); for
          `Noisy*` nodes while `is_training`; for `LIAFNode` and `FewSpikeNode` in step mode `s`.
          Also for layers and encoders, whatever the kind of their chunks, so that they are recorded
          only when named.
        - GRADED if spikes have other levels than 0 and 1: `ILIFNode`, `Ternary*`, `DSR*`,
          `STBIFNode`, `FewSpikeNode` in step mode `m`, `FlexSN`, and with the surrogate function
          `MultiLevelSpikeCount`.
        - BINARY for other neurons, also for your own module with a step mode and a
          `surrogate_function`.
        - None for containers, surrogate functions, and everything else.
        """
        self._surroundings.meet(module)
        layer = layer_of(module)
        if layer is None or self._surroundings.run_unseen(module):
            return None
        if layer.passed and self._surroundings.are_recurrent(module):
            return None
        self._known[module] = layer
        return SignalKind.ANALOG if layer.by_request else emits(module, layer)

    def synapses(self, module: nn.Module) -> SynapsesByPart | None:
        """Names the products of spikes within attention; all weights are in modules of torch.

        Those that `products` reads take their place.
        """
        return {"products": PRODUCTS} if names_of(type(module)) & ATTENTION else None

    def products_at(self, module: nn.Module) -> nn.Module | None:
        """The neurons within a `SpikingSelfAttention`; None for other classes."""
        return neurons_that_show(module)

    def products(self, module: nn.Module, call: LayerCall) -> dict[str, SynapticProduct]:
        """Values by keys, and the result of that by queries."""
        return products_of(module, call.output)

    def state(self, module: nn.Module) -> object:
        """The state that the module holds; None if its state is passed."""
        layer = self._look_up(module)
        return None if layer.passed else layer.held(module)

    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        """The module's output: a view, except for nodes that return a list of steps."""
        layer = self._look_up(module)
        kind, sequence = emits(module, layer), is_sequence(module, layer)
        self._surroundings.check(module, sequence=sequence, spikes=not layer.by_request)
        values = _one_tensor(layer.spikes(call.output))
        if layer.passed:
            left = call.output if layer.one_step else call.output[1]
            starts = call.starts_sequence(
                given=_flat(call.argument(1, layer.passed)), left=_flat(left)
            )
        else:
            starts = call.starts_sequence(given=call.state, left=layer.held(module))
        make = SpikeChunk.of_sequence if sequence else SpikeChunk.of_step
        return make(values, kind, starts_sequence=starts)

    def pattern(self, module: nn.Module) -> CallPattern | None:
        """The module's calls, read as `read` does; None if the module's state is passed."""
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

    def states(self, module: nn.Module) -> tuple[str, ...]:
        """What the neuron remembers, such as "v", its membrane potential."""
        layer = self._look_up(module)
        neuron = layer.neuron(module)
        kept = (name for name in memories_in(neuron) if not name.endswith("_seq"))
        passed = layer.passed and neuron is module
        return () if passed or layer.by_request else tuple(kept)

    def read_state(self, module: nn.Module, call: LayerCall, name: str) -> Tensor:
        """A state after each step; that of a whole sequence as `store_v_seq=True` keeps it.

        Raises:
            ValueError: the neuron keeps only the last step of a sequence.
        """
        layer = self._look_up(module)
        if not is_sequence(module, layer):
            if layer.passed:
                state = dict(zip(memories_in(layer.neuron(module)), call.output[1], strict=True))
                return of_step(state[name], name)
            return of_step(getattr(module, name, None), name)
        if layer.passed or not getattr(module, f"store_{name}_seq", False):
            may_keep = name == "v" and not layer.passed
            raise ValueError(
                f'in step mode "m" it keeps only the last step of its state "{name}"'
                + ("; to keep all, make it with store_v_seq=True" if may_keep else "")
                + '. In step mode "s" each step is seen'
            )
        return of_sequence(getattr(module, f"{name}_seq", None), name)

    def input_axes(self, module: nn.Module) -> str:
        """`TBN` if a call takes a whole sequence, `BN` if it takes one step.

        Raises:
            ValueError: the module changes its input in place, so the original input is lost; or it
                is in a container that removes its time axis or confuses it with another one.
        """
        layer = self._look_up(module)
        if layer.writes_input:
            raise ValueError(
                f"a {type(module).__name__} adds to its input in place, so the original input is "
                "gone when its call is over; record the output of the layer before it"
            )
        sequence = is_sequence(module, layer)
        self._surroundings.check(module, sequence=sequence, spikes=not layer.by_request)
        return "TBN" if sequence else "BN"

    def _look_up(self, module: nn.Module) -> Layer:
        layer = self._known.get(module)
        if layer is None:
            layer = layer_of(module)
            if layer is None:
                raise TypeError(f"{type(module).__name__} is not a layer of SpikingJelly")
            self._known[module] = layer
        return layer


def _one_tensor(values: Any) -> Tensor:
    if not isinstance(values, Tensor):
        raise TypeError(
            f"expected it to return one tensor, came {type(values).__name__}; pass an adapter of "
            "your own that says where the spikes are, as adapters="
        )
    if torch._C._functorch.is_batchedtensor(values):
        raise ValueError(
            "it is called inside torch.vmap, as by a TLastSeqToANNContainer, which hides an axis "
            'from it; record the container itself by its name, with axes="BNT"'
        )
    return values


def _flat(state: Any) -> Any:
    """Each tensor of a state as one dimension.

    SpikingLSTM of 0.0.0.0.14 returns states with one dimension more in front than it accepts.
    """
    if isinstance(state, tuple):
        return [_flat(part) for part in state]
    return state.detach().flatten() if isinstance(state, Tensor) else state
