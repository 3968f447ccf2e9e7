"""What SpikingJelly's containers do to the time axis of the modules inside them."""

from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary, ref

from torch import nn

from neuroact_adapters.spikingjelly.layers import CONTAINERS, NIR_NODE, names_of

_RECURRENT = {"SpikingRNNBase"}
_ONLINE = {"OTTTSequential", "GradwithTrace", "SpikeTraceOp"}


class Surroundings:
    """Which container each module of a model is in. It keeps neither of them alive.

    A module does not know what is around it. So a container has to be met before its modules: a
    model's modules are looked at from the outside in.
    """

    def __init__(self) -> None:
        self._around: WeakKeyDictionary[nn.Module, ref[nn.Module]] = WeakKeyDictionary()

    def meet(self, module: nn.Module) -> None:
        """Remember the inner modules of a container; do nothing for any other module."""
        if names_of(type(module)).isdisjoint(CONTAINERS | _RECURRENT | _ONLINE | {NIR_NODE}):
            return
        here = ref(module)
        for inner in module.modules():
            if inner is not module:
                self._around[inner] = here

    def are_recurrent(self, module: nn.Module) -> bool:
        """Whether the module is a part of a SpikingRNN, SpikingLSTM or SpikingGRU."""
        around = self._of(module)
        return around is not None and not names_of(type(around)).isdisjoint(_RECURRENT)

    def run_unseen(self, module: nn.Module) -> bool:
        """Whether the module is the neuron in a node of a NIR graph, which does not call it."""
        around = self._of(module)
        return around is not None and NIR_NODE in names_of(type(around))

    def check(self, module: nn.Module, *, sequence: bool, spikes: bool) -> None:
        """Refuse a container in which the time axis of a call is not where the module has it.

        Args:
            module: the module.
            sequence: whether it takes a whole sequence a call.
            spikes: whether it is a neuron.

        Raises:
            ValueError: says what the container does, and what to do.
        """
        around = self._of(module)
        if around is None:
            return
        container, names = type(around).__name__, names_of(type(around))
        if not names.isdisjoint(_ONLINE):
            if around.training and not spikes:
                raise ValueError(
                    f"the {container} around it calls it twice a step in training, once with "
                    "spikes and once with their traces; record it in eval mode"
                )
        elif sequence:
            if any(child is module for child in around.children()):
                raise ValueError(
                    f"the {container} around it runs what takes one step a call, but it takes "
                    "whole sequences, so it takes samples for time steps; set its step_mode to 's' "
                    "(functional.set_step_mode of SpikingJelly 0.0.0.0.14 made it 'm')"
                )
        elif _takes_time(around, names):
            axes = "BNT" if container.startswith("TLast") else "TBN"
            raise ValueError(
                f"the {container} around it takes the time axis away from it, so its steps and "
                "samples cannot be told apart, and a neuron there treats each step as one more "
                f"sample; take it out and set its step_mode to 'm', or record the {container} "
                f'by its name, with axes="{axes}"'
            )

    def _of(self, module: nn.Module) -> nn.Module | None:
        around = self._around.get(module)
        return None if around is None else around()


def _takes_time(container: Any, names: set[str]) -> bool:
    if "StepModeContainer" in names:
        return container.step_mode == "m" and not container.stateful
    return not names.isdisjoint({"SeqToANNContainer", "TLastSeqToANNContainer"})
