"""Written by hand: how to build, feed and read every snnTorch neuron class."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import snntorch as snn
import torch
from snntorch._neurons.leakykernel import LeakyKernel
from torch import Tensor, nn

STEPS = 6


@dataclass(frozen=True)
class StepCase:
    """A class whose call is one step.

    Attributes:
        cls: the class's name.
        build: makes one from `init_hidden` and `output`.
        inputs: shape of an input without its batch.
        neurons: shape of the spikes without their batch.
        names: the forward's names of its states.
        passed: from a call's output to the states to pass to the next.
        forgets: snnTorch forgets its state at every call.
        tuple_always: returns a tuple even with `init_hidden=True`.
    """

    cls: str
    build: Callable[..., nn.Module]
    inputs: tuple[int, ...] = (5,)
    neurons: tuple[int, ...] = (5,)
    names: tuple[str, ...] = ("mem",)
    passed: Callable[[Any], tuple[Any, ...]] = lambda output: tuple(output[1:])
    forgets: bool = False
    tuple_always: bool = False

    def spikes(self, hidden: bool, output: bool) -> Callable[[Any], Tensor]:
        """The spikes in what a call returns."""
        alone = hidden and not output and not self.tuple_always
        return (lambda returned: returned) if alone else (lambda returned: returned[0])


@dataclass(frozen=True)
class SequenceCase:
    """A class whose call is a whole sequence, fed and returned as `[time, batch, *neurons]`."""

    cls: str
    build: Callable[[], nn.Module]
    neurons: int
    spikes: Callable[[Any], Tensor]
    inputs: int = 5


SYN, ALPHA = ("syn", "mem"), ("syn_exc", "syn_inh", "mem")
R, RSYN = ("spk", "mem"), ("spk", "syn", "mem")

_STEP_CASES = {
    "Leaky": StepCase("Leaky", lambda **o: snn.Leaky(0.9, **o)),
    "Leaky-conv": StepCase("Leaky", lambda **o: snn.Leaky(0.9, **o), (2, 3, 4), (2, 3, 4)),
    "Leaky-no-delay": StepCase("Leaky", lambda **o: snn.Leaky(0.9, reset_delay=False, **o)),
    "Leaky-per-neuron": StepCase(
        "Leaky", lambda **o: snn.Leaky(torch.linspace(0.1, 0.9, 5), torch.rand(5) + 0.5, **o)
    ),
    "Lapicque": StepCase("Lapicque", lambda **o: snn.Lapicque(R=1.0, C=1.4, time_step=1.0, **o)),
    "Synaptic": StepCase("Synaptic", lambda **o: snn.Synaptic(0.5, 0.6, 2.0, **o), names=SYN),
    "Synaptic-conv": StepCase(
        "Synaptic", lambda **o: snn.Synaptic(0.5, 0.6, 2.0, **o), (2, 3, 3), (2, 3, 3), SYN
    ),
    "Alpha": StepCase("Alpha", lambda **o: snn.Alpha(0.9, 0.8, 0.5, **o), names=ALPHA),
    "RLeaky-linear": StepCase(
        "RLeaky", lambda **o: snn.RLeaky(0.9, linear_features=5, **o), names=R, passed=tuple
    ),
    "RLeaky-one-to-one": StepCase(
        "RLeaky", lambda **o: snn.RLeaky(0.9, V=0.5, all_to_all=False, **o), names=R, passed=tuple
    ),
    "RLeaky-conv": StepCase(
        "RLeaky",
        lambda **o: snn.RLeaky(0.9, conv2d_channels=2, kernel_size=3, **o),
        (2, 3, 4),
        (2, 3, 4),
        R,
        passed=tuple,
    ),
    "RSynaptic": StepCase(
        "RSynaptic",
        lambda **o: snn.RSynaptic(0.5, 0.6, threshold=2.0, linear_features=5, **o),
        names=RSYN,
        passed=tuple,
    ),
    "SLSTM": StepCase("SLSTM", lambda **o: snn.SLSTM(5, 5, threshold=0.05, **o), names=SYN),
    "SLSTM-unequal": StepCase(
        "SLSTM",
        lambda **o: snn.SLSTM(5, 4, threshold=0.05, **o),
        neurons=(4,),
        names=SYN,
        forgets=True,
    ),
    "SConv2dLSTM": StepCase(
        "SConv2dLSTM",
        lambda **o: snn.SConv2dLSTM(1, 2, 3, threshold=0.05, **o),
        (1, 4, 4),
        (2, 4, 4),
        SYN,
    ),
    "SConv2dLSTM-max-pool": StepCase(
        "SConv2dLSTM",
        lambda **o: snn.SConv2dLSTM(1, 2, 3, max_pool=2, threshold=0.05, **o),
        (1, 6, 4),
        (2, 3, 2),
        SYN,
    ),
    "SConv2dLSTM-avg-pool": StepCase(
        "SConv2dLSTM",
        lambda **o: snn.SConv2dLSTM(1, 2, 3, avg_pool=2, threshold=0.02, **o),
        (1, 6, 4),
        (2, 3, 2),
        SYN,
    ),
    "DeltaLeaky": StepCase(
        "DeltaLeaky", lambda **o: snn.DeltaLeaky(beta=0.9, **o), tuple_always=True
    ),
}

_SEQUENCE_CASES = {
    "LeakyParallel": SequenceCase(
        "LeakyParallel", lambda: snn.LeakyParallel(5, 4, threshold=0.3), 4, lambda out: out
    ),
    "LeakyKernel": SequenceCase(
        "LeakyKernel", lambda: LeakyKernel(5, 4, threshold=0.3), 4, lambda out: out
    ),
    "StateLeaky": SequenceCase(
        "StateLeaky", lambda: snn.StateLeaky(0.5, channels=5), 5, lambda out: out[0]
    ),
    "LinearLeaky": SequenceCase(
        "LinearLeaky",
        lambda: snn.LinearLeaky(0.5, in_features=5, out_features=4, threshold=0.2),
        4,
        lambda out: out[0],
    ),
    "AssociativeLeaky": SequenceCase(
        "AssociativeLeaky", lambda: _associative(), 6, lambda out: out
    ),
}


def _associative() -> nn.Module:
    module = snn.AssociativeLeaky(5, 3, 2, 6, use_q_projection=False)
    module.threshold.fill_(0.1)
    return module


def _known(cls: str) -> bool:
    return hasattr(snn, cls) or cls == "LeakyKernel"  # which no release exports


STEP_CASES = {name: case for name, case in _STEP_CASES.items() if _known(case.cls)}
SEQUENCE_CASES = {name: case for name, case in _SEQUENCE_CASES.items() if _known(case.cls)}


def currents(case: StepCase, batch: int) -> Iterator[Tensor]:
    """Inputs of one batch, step by step, that make about half of the neurons fire."""
    for _ in range(STEPS):
        yield torch.randn(batch, *case.inputs) + 0.5
