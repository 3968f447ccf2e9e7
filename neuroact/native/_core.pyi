"""What Python can use of the compiled core.

Arrays must be C-contiguous and of exactly the stated dtype and shape; if not, a call raises a
ValueError and changes nothing. Every call holds the interpreter's lock: no other thread sees half
of it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

@final
class Bits:
    """Up to 64 steps of one shape, one bit for each value: 8 bytes for each value of a step.

    Args:
        shape: shape of a step, `[batch, *neurons]`; no size may be 0.
        room: the most steps that it holds, 1 to 64.
    """

    def __new__(cls, shape: tuple[int, ...], room: int = 64) -> Bits: ...
    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a step."""

    @property
    def steps(self) -> int:
        """Number of steps in it."""

    def add(self, values: Tensor, /) -> bool:
        """Write a step, `[batch, *neurons]`; an event is a value that is not 0.

        Returns:
            False if it is full, the shape is another one, or the values cannot be read here. Then
            nothing is changed. Values can be read of a `torch.Tensor` or a `Parameter`, not of a
            subclass, that is strided, contiguous, on the CPU, and of dtype float16, bfloat16,
            float32, float64, bool or an integer of 8 to 64 bits.
        """

    def take(self, words: NDArray[np.uint64], sums: NDArray[np.int32], /) -> tuple[int, bool, bool]:
        """Write out the steps in it, and empty it.

        Args:
            words: one for each value of a step; bit k becomes step k, the other bits 0.
            sums: `[steps or more, batch]`; set to the events of each sample at each step.

        Returns:
            The number of steps; whether a value was NaN or infinite; whether a finite value was
            neither 0 nor 1.
        """

@final
class Sums:
    """The events of each neuron, summed over steps of one shape: 4 bytes for each neuron.

    Args:
        shape: shape of a step, `[batch, *neurons]`; no size may be 0.
    """

    def __new__(cls, shape: tuple[int, ...]) -> Sums: ...
    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a step."""

    @property
    def steps(self) -> int:
        """Number of steps in it."""

    def add(self, values: Tensor, /) -> bool:
        """Add a step, as `Bits.add` does. It is full when steps · batch would pass 2^31 - 1."""

    def take(self, events: NDArray[np.int64], /) -> tuple[int, bool, bool]:
        """Add its sums to `events`, one for each neuron, and empty it.

        Returns:
            As `Bits.take`.
        """

@final
class Steps:
    """Counts a layer's calls that continue the sequence; `finish` reads all others.

    A call continues the sequence if all of this holds:

    - It starts from the state that the last call left: from the same tensors or, in the thread that
      called `begin`, from tensors of the same shapes at the same place of the same storage.
    - It leaves a state of the same shapes.
    - Its values can be added to the target.

    A state of 1 MiB or less is held until the next call, `pattern`, `begin` or `stop`. A larger
    one, or a tensor that requires gradients or is a view, is recognised by weak references. `begin`
    measures the memory of the state's storages; later calls measure only the state's values.

    Args:
        finish: `(args, kwargs, output, given)`, reads a call that has run.
    """

    def __new__(cls, finish: Callable[..., None]) -> Steps: ...
    def __call__(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any, given: Any, /
    ) -> None:
        """Count a call that has run, or let `finish` read it.

        If `values` or `left` raises, `finish` reads the call, since its error says more.

        Args:
            args: positional arguments of the call, passed on to `finish`.
            kwargs: keyword arguments of the call, likewise.
            output: what the call returned.
            given: the state that the call started from, a tuple or a list of tensors.
        """

    def pattern(
        self, values: Callable[[Any], Tensor], left: Callable[[Any], Sequence[Any]], /
    ) -> None:
        """Set how to find a call's values and the state it left, see `CallPattern`. Stops.

        `left` returns a tuple or a list of tensors.
        """

    def begin(
        self,
        target: Bits | Sums,
        full: Callable[[], object],
        state: Sequence[Tensor],
        most: int,
        /,
    ) -> bool:
        """Count up to `most` steps that continue from this state into the target.

        Args:
            target: where steps are added; held until it stops.
            full: called when a step comes and the target is full, to empty it. If it raises, the
                call raises the same.
            state: the state that the last call left.
            most: after this many steps, `finish` reads the next call.

        Returns:
            False, and stops, if the state could not be recognised when it comes again: it has no
            tensor, or one that is not a plain tensor with storage.
        """

    def stop(self) -> list[tuple[Tensor | None, torch.UntypedStorage | None, int]]:
        """Let `finish` read the next call. Release the target and the state.

        Returns:
            The state that the last step left: each tensor, its storage and its offset there; None
            for what was freed.
        """

    @property
    def left(self) -> int:
        """How many of the `most` steps may still come; 0 if stopped."""

def add_arrivals(values: Tensor, counts: Tensor, /) -> bool:
    """Count values by their magnitude, for each of n elements of a layer's input.

    Args:
        values: `[..., n]`; the n elements may have more dimensions than one.
        counts: int64 `[3 n + 3]` on the CPU. First, for each element, the values of magnitude one,
            then the other values that are not 0, then the sum of magnitudes. After these: how
            often each element came; 1 if a value was not a whole number up to 2^24; 1 if a value
            was NaN or infinite. Once a value was not whole, the magnitudes have no meaning.

    Returns:
        False, with nothing changed, if the values cannot be read (see `Bits.add`), are no multiple
        of n, or are neither 0 nor 1 and not of float32 or float64.

    Raises:
        ValueError: `counts` are no such tensor.
    """

def add_events(words: NDArray[np.uint64], events: NDArray[np.int64], /) -> None:
    """Add the set bits in each neuron's words, `[batch, neurons]`, to `events`, `[neurons]`."""

def add_counts(words: NDArray[np.uint64], counts: NDArray[np.int64], /) -> None:
    """Add the set bits in each word, `[batch, neurons]`, to `counts`, of the same shape."""

def add_first(
    words: NDArray[np.uint64],
    fired: NDArray[np.bool_ | np.uint8],
    first: NDArray[np.int64],
    clock: NDArray[np.int64],
    /,
) -> None:
    """Count the neurons' first spikes at the steps where they occur.

    Args:
        words: `[batch, neurons]`.
        fired: of the same shape, which neurons have fired before; updated.
        first: `[steps]`; a first spike adds 1 at its step, the clock plus the number of its bit.
        clock: `[batch]`, the step of bit 0 in each sample's words.

    Raises:
        ValueError: a spike lies at a step that `first` does not have.
    """

def add_steps(
    sums: NDArray[np.int32],
    clock: NDArray[np.int64],
    lengths: NDArray[np.int64],
    events: NDArray[np.int64],
    squares: NDArray[np.int64],
    observations: NDArray[np.int64],
    /,
) -> None:
    """Add each sample's sums at the steps of its sequence.

    Args:
        sums: `[steps, batch]`.
        clock: `[batch]`, the step of its sequence at which each sample's first sum lies.
        lengths: `[batch]`, how many of a sample's sums count.
        events: `[n]`, gets each sum added at its step.
        squares: `[n]`, gets the sum's square added.
        observations: `[n]`, gets 1 added.

    Raises:
        ValueError: a sum lies at a step that one of these three does not have.
    """

def add_to_histogram(
    sums: NDArray[np.int32], lengths: NDArray[np.int64], histogram: NDArray[np.int64], /
) -> None:
    """Count each sum, `[steps, batch]`, in its bin; of each sample the first `lengths` steps.

    Raises:
        ValueError: the histogram has no bin for a sum.
    """

def add_intervals(
    words: NDArray[np.uint64],
    lengths: NDArray[np.int64],
    age: NDArray[np.int64],
    last: NDArray[np.int64],
    histogram: NDArray[np.int64],
    intervals: NDArray[np.int64],
    sums: NDArray[np.int64],
    squares: NDArray[np.int64],
    pairs: NDArray[np.int64],
    cv2: NDArray[np.int64],
    lv: NDArray[np.int64],
    /,
) -> None:
    """Count the intervals that end in a block.

    Args:
        words: `[batch, neurons]`.
        lengths: steps of each sample in the block, `[batch]`; no later bit may be set.
        age: steps from each neuron's last spike to the block's first step, `[batch, neurons]`; 0
            if it has not fired. Updated to the block's end.
        last: each neuron's last interval, `[batch, neurons]`; 0 if there was none. Updated.
        histogram: how often each interval occurs; its length is the longest interval plus one.
        intervals: number of intervals of each neuron, `[neurons]`, as are all below.
        sums: sum of the intervals.
        squares: sum of their squares.
        pairs: number of intervals that follow another one.
        cv2: sum of `2 |a - b| / (a + b)` over these pairs, in units of 2^-44, each term rounded.
        lv: sum of `3 ((a - b) / (a + b))²` over these pairs, likewise.

    Raises:
        ValueError: the histogram has no bin for an interval, or another number is impossible.
    """

def instructions() -> str:
    """The set of instructions in use: "avx512", "avx2" or "baseline"."""

def use_instructions(name: str, /) -> bool:
    """Use another set, for a test; False if this processor does not have it."""
