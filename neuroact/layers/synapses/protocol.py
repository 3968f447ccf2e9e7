"""What has to be known of a module's weights to count its synaptic operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias, runtime_checkable

from torch import Tensor, nn

from neuroact.layers.fan_out import FanOut
from neuroact.layers.weights import Zeros


class Synapses(Protocol):
    """How some weights of one module work on what arrives at them.

    The module has to be linear in what arrives: each element that is not zero is multiplied by the
    weights that it meets, and the products are added up. An object holds its module, and nothing
    about a recording.

    Attributes:
        weights: names of the module's parameters that it speaks for, biases included. A parameter
            that nobody speaks for is named as not counted.
        dims: how many of the last dimensions of `arrivals` are the elements of one input.
    """

    weights: tuple[str, ...]
    dims: int

    def given(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """What of a call's arguments arrives: tensors, in tuples and lists or alone.

        Asked before the call runs. The tensors are copied, since the call may change them.
        """

    def arrivals(self, given: Any, output: Any) -> Tensor:
        """What arrived in a call, `[*repetitions, *elements]`.

        Repetitions are whatever the weights are applied to again: time, batch, tokens, places. A
        coalesced sparse tensor, `[repetitions, *elements]`, may have more elements than memory
        could hold densely.

        Args:
            given: what `given` returned, copied.
            output: what the call returned.

        Raises:
            ValueError: the call is not as this object expects it; says what came. The layer is
                then named as not counted, with this text.
        """

    def nonzero(self) -> tuple[Zeros, ...]:
        """Which weights are not zero now; see `neuroact.layers.weights.nonzero_of`.

        Raises:
            ValueError: a weight cannot be read.
        """

    def fan_out(self, shape: tuple[int, ...], nonzero: tuple[Zeros, ...]) -> FanOut:
        """The fan-out of each element of one input.

        Args:
            shape: of the elements.
            nonzero: which weights are not zero, as `nonzero` returns them.
        """

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...] | None:
        """Shape of what one input of this shape gives; None where that is not one tensor."""

    def bias_additions(self, shape: tuple[int, ...]) -> int:
        """How many biases are added for one input of this shape; 0 without a bias."""

    def parameters(self) -> int:
        """How many numbers the weights and biases are."""


SynapsesByPart: TypeAlias = Mapping[str, Synapses | str]
"""What is known of a module's weights: the part "" is the module itself; others have a name that
follows the module's, such as "query". In place of synapses may stand a text that says why the
operations of that part are not counted."""


@runtime_checkable
class SynapsesAdapter(Protocol):
    """An adapter that knows how some modules of its framework use weights of their own."""

    def synapses(self, module: nn.Module) -> SynapsesByPart | None:
        """What is known of the module's weights; None leaves it to what neuroact knows itself.

        It is asked once, when recording begins. It must not change the module.
        """


def real(value: object, what: str = "its input") -> Tensor:
    """The value, which has to be a dense tensor of real numbers.

    Raises:
        ValueError: it is not.
    """
    if not isinstance(value, Tensor) or value.is_nested or value.is_complex():
        raise ValueError(f"{what} was not one tensor of real numbers")
    return value.dequantize() if value.is_quantized else value.to_dense()
