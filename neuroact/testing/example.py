"""What an adapter's author states by hand about a model. The checks compare the adapter with it."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from neuroact.stream.chunk import SignalKind

Run = Callable[[nn.Module, Tensor, Any], tuple[Any, Any]]


class Limit(enum.Enum):
    """What a framework's model cannot do, watched or not.

    Checks that need it are left out. Where it can be tried, a check makes sure that the model
    really cannot do it.
    """

    STATE = "keep or take a state: each call of a layer is a sequence of its own"
    CARRY_ON = "continue, in a second run, where the first one ended"
    BATCH = "take more than one sample"
    ONE_SAMPLE = "take a batch of one"
    NO_SAMPLE = "take an empty batch"
    OTHER_BATCHES = "take batches of different sizes"
    ONE_STEP = "take a sequence of one step"
    OTHER_LENGTHS = "take sequences of different lengths"
    GRADIENTS = "be trained: its output does not depend on what it is given in a differentiable way"
    INFERENCE = "run in torch.inference_mode"
    AUTOCAST = "run under torch.autocast in bfloat16"
    FLOAT64 = "run in float64"
    FLOAT16 = "run in float16"
    BFLOAT16 = "run in bfloat16"
    COMPILE = "run under torch.compile"


def itself(output: Any) -> Tensor:
    """The spikes are what the layer's call returned."""
    if not isinstance(output, Tensor):
        raise TypeError(
            f"the layer returned {type(output).__name__}, not a tensor: say with "
            "ExpectedLayer(spikes=...) where its spikes are"
        )
    return output


@dataclass(frozen=True)
class ExpectedLayer:
    """What is true of one layer, stated by hand and without its adapter.

    Attributes:
        axes: order of the dimensions of its spikes: `T` time, `B` batch, `N` all the neurons'
            dimensions. Without `T` a call is one step, without `B` one sample.
        kind: what its spikes mean.
        spikes: takes what one call of the layer returned, and gives the tensor of its spikes.
        kept: for a layer whose spikes are kept on the module: takes the module after a call, and
            gives what `spikes` then takes in place of what the call returned.
        takes: order of the dimensions of the layer's input; None: the same as `axes`.
        given: takes the layer's first argument, and gives the tensor that has the axes `takes`.
        by_request: whether the layer is recorded only if `layers=` names it. None means that this
            is so for kind ANALOG.
    """

    axes: str = "BN"
    kind: SignalKind = SignalKind.BINARY
    spikes: Callable[[Any], Tensor] = itself
    takes: str | None = None
    given: Callable[[Any], Tensor] = itself
    by_request: bool | None = None
    kept: Callable[[nn.Module], Any] | None = None

    def __post_init__(self) -> None:
        for axes in (self.axes, self.takes or self.axes):
            if sorted(axes) not in ([*"N"], [*"BN"], [*"NT"], [*"BNT"]):
                raise ValueError(
                    "expected axes of N (neurons) and at most one T (time) and one B (batch), "
                    f'such as "TBN", came {axes!r}; separate time from batch in spikes= and given='
                )

    def emitted(self, module: nn.Module, output: Any) -> Any:
        """What `spikes` takes, right after a call of the module that returned `output`."""
        return output if self.kept is None else self.kept(module)

    @property
    def recorded_by_request(self) -> bool:
        """Whether it is recorded only if `layers=` names it."""
        return self.kind is SignalKind.ANALOG if self.by_request is None else self.by_request


def call_once(model: nn.Module, x: Tensor, state: Any) -> tuple[Any, Any]:
    """One call takes the whole input; any state stays on the model."""
    return model(x), True


def call_each_step(model: nn.Module, x: Tensor, state: Any) -> tuple[Any, Any]:
    """One call for each time step; time is the input's first axis; state stays on the model."""
    return [model(step) for step in x], True


def pass_state(model: nn.Module, x: Tensor, state: Any) -> tuple[Any, Any]:
    """One call `model(x, state)` takes the whole input and returns `(output, state)`."""
    output, state = model(x, state)
    return output, state


def pass_state_each_step(model: nn.Module, x: Tensor, state: Any) -> tuple[Any, Any]:
    """One call `model(step, state)` for each time step, time first; returns `(output, state)`."""
    outputs = []
    for step in x:
        output, state = model(step, state)
        outputs.append(output)
    return outputs, state


def _nothing(model: nn.Module) -> None:
    """Nothing has to be done."""


@dataclass(frozen=True)
class AdapterExample:
    """A model of the framework, how to run it, and what is true of it.

    Attributes:
        name: distinguishes it from the adapter's other examples.
        model: builds the model. Two models built with the same seed compute the same.
        inputs: `inputs(steps, batch)` draws an input of so many time steps and samples. It has to
            be strong enough that neurons fire, and weak enough that they also rest.
        layers: every layer of the framework in the model, also those of kind ANALOG, by the name
            it is reported under ("model" for the model itself).
        run: `run(model, input, state)` runs the model over an input. It gives the output, and the
            state to continue from. `state` is None for a new sequence, otherwise what the run
            before gave. You can use `call_once`, `call_each_step`, `pass_state` or
            `pass_state_each_step`.
        reset: forgets the state that the model holds; called before each new sequence.
        detach: detaches the state that the model holds from the autograd graph. A state that is
            passed is detached without it.
        limits: what the model cannot do, watched or not.
        expected_failures: reasons by name of check, for checks that the adapter is known to fail.
            If such a check passes after all, that is a failure.
        steps: length of most runs.
        batch: batch size of most runs. `steps`, `batch` and the sizes of every layer's neurons
            have to differ; otherwise swapped axes would not show.
    """

    name: str
    model: Callable[[], nn.Module]
    inputs: Callable[[int, int], Tensor]
    layers: Mapping[str, ExpectedLayer]
    run: Run = call_once
    reset: Callable[[nn.Module], object] = _nothing
    detach: Callable[[nn.Module], object] = _nothing
    limits: Set[Limit] = frozenset()
    expected_failures: Mapping[str, str] = field(default_factory=dict)
    steps: int = 7
    batch: int = 3

    @property
    def samples(self) -> int:
        """The batch size of most runs; 1 if the model takes no batch."""
        return 1 if Limit.BATCH in self.limits else self.batch

    def build(self, seed: int = 0) -> nn.Module:
        """The model, drawn with this seed."""
        torch.manual_seed(seed)
        return self.model()
