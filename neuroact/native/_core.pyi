"""What the compiled core gives to Python.

Arrays are C-contiguous and of just the dtype and shape that is said; else a ValueError, and nothing
is changed. All of it runs with the interpreter's lock held: no other thread sees half of it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

@final
class Bits:
    """Up to 64 steps of one shape, a bit a value: 8 bytes a value in all.

    Args:
        shape: of a step, `[batch, *neurons]`, no size 0.
        room: steps that it holds at most, 1 to 64.
    """

    def __new__(cls, shape: tuple[int, ...], room: int = 64) -> Bits: ...
    @property
    def shape(self) -> tuple[int, ...]:
        """Of a step."""

    @property
    def steps(self) -> int:
        """Steps that are in it."""

    def add(self, values: Tensor, /) -> bool:
        """Write a step, `[batch, *neurons]`; an event is a value that is not 0.

        Returns:
            False where it is full, the shape is another one, or the values cannot be read here;
            then nothing is changed. What can: exactly a `torch.Tensor` or a `Parameter`, strided,
            contiguous, on the CPU, of dtype float16, bfloat16, float32, float64, bool or an integer
            of 8 to 64 bits.
        """

    def take(self, words: NDArray[np.uint64], sums: NDArray[np.int32], /) -> tuple[int, bool, bool]:
        """Write out what is in it, and empty it.

        Args:
            words: as many as a step has values; bit k of each becomes step k, the rest 0.
            sums: `[steps or more, batch]`; the events of each sample at each step.

        Returns:
            The steps; whether a NaN or an infinity was among the values; whether a finite value
            other than 0 and 1 was.
        """

@final
class Sums:
    """Events of each neuron over any number of steps of one shape: 4 bytes a neuron.

    Args:
        shape: of a step, `[batch, *neurons]`, no size 0.
    """

    def __new__(cls, shape: tuple[int, ...]) -> Sums: ...
    @property
    def shape(self) -> tuple[int, ...]:
        """Of a step."""

    @property
    def steps(self) -> int:
        """Steps that are in it."""

    def add(self, values: Tensor, /) -> bool:
        """Add a step, as `Bits.add`; it is full where steps · batch would pass 2^31 - 1."""

    def take(self, events: NDArray[np.int64], /) -> tuple[int, bool, bool]:
        """Add what is in it to `events`, as many as there are neurons, and empty it.

        Returns:
            As `Bits.take`.
        """

@final
class Steps:
    """Reads a layer's calls; those that are one more step of the sequence under way, it counts.

    A call is such a step where it starts from the state that the last one left (the very tensors,
    or, in the thread that began, others on the same storage at the same place, of the shapes that
    the call leaves), leaves one of the same shapes, and its values can be added to the target.

    A state of 1 MiB or less is held until the next call, `pattern`, `begin` or `stop`; a larger
    one, or a tensor that requires gradients or is a view, is known by weak references. How much
    memory it lies on is asked by `begin`; of a call's state, how much its values take.

    Args:
        finish: `(args, kwargs, output, given)`, reads a call that has run.
    """

    def __new__(cls, finish: Callable[..., None]) -> Steps: ...
    def __call__(
        self, args: tuple[Any, ...], kwargs: Mapping[str, Any], output: Any, given: Any, /
    ) -> None:
        """Count a call that has run, or have `finish` read it.

        What `values` and `left` raise is not passed on: `finish` reads the call, and says more.

        Args:
            args: what it was called with; for `finish` alone.
            kwargs: likewise.
            output: what it returned.
            given: the state that it began from, a tuple or a list of tensors.
        """

    def pattern(
        self, values: Callable[[Any], Tensor], left: Callable[[Any], Sequence[Any]], /
    ) -> None:
        """Find a call's values and the state it left so, as `CallPattern` does; stops.

        `left` gives a tuple or a list of tensors.
        """

    def begin(
        self,
        target: Bits | Sums,
        full: Callable[[], object],
        state: Sequence[Tensor],
        most: int,
        /,
    ) -> bool:
        """Count steps that go on from this state into the target, `most` at most.

        Args:
            target: kept until it stops.
            full: called when the target is full and a step comes; it takes what is in it. What it
                raises, the call raises.
            state: what the last call left.
            most: after so many steps a call goes to `finish`.

        Returns:
            False, and stopped, where such a state cannot be known again: it has no tensor, or one
            that is no plain tensor with storage.
        """

    def stop(self) -> list[tuple[Tensor | None, torch.UntypedStorage | None, int]]:
        """Have the next call go to `finish`, and let go of the target and of the state.

        Returns:
            What the last step left: each tensor, its storage, its offset in it; None: it is gone.
        """

    @property
    def left(self) -> int:
        """How many of `most` are left; 0: stopped."""

def add_events(words: NDArray[np.uint64], events: NDArray[np.int64], /) -> None:
    """Add to `events`, `[neurons]`, the bits of each neuron's words, `[batch, neurons]`."""

def add_counts(words: NDArray[np.uint64], counts: NDArray[np.int64], /) -> None:
    """Add to `counts`, `[batch, neurons]`, the bits of each word, of the same shape."""

def add_first(
    words: NDArray[np.uint64],
    fired: NDArray[np.bool_ | np.uint8],
    first: NDArray[np.int64],
    clock: NDArray[np.int64],
    /,
) -> None:
    """Count at each step, `[steps]`, who fires for the first time.

    Args:
        words: `[batch, neurons]`.
        fired: of the same shape, who did before; kept up.
        first: added to at the clock and the number of the bit.
        clock: `[batch]`, the step of bit 0 of each sample's words.

    Raises:
        ValueError: a spike lies at no step of `first`.
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
    """Add each sample's steps to those of its sequence.

    Args:
        sums: `[steps, batch]`.
        clock: `[batch]`, the step of its sequence that each sample's first one is.
        lengths: `[batch]`, how many of its steps count.
        events: `[n]`, added to at each step.
        squares: likewise, the squares.
        observations: likewise, 1.

    Raises:
        ValueError: a step lies at none of theirs.
    """

def add_to_histogram(
    sums: NDArray[np.int32], lengths: NDArray[np.int64], histogram: NDArray[np.int64], /
) -> None:
    """Count each of `[steps, batch]` in its bin; of a sample, so many steps as its length.

    Raises:
        ValueError: one is no bin of the histogram.
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
        lengths: steps of each sample in the block, `[batch]`; no bit is set beyond.
        age: steps from each neuron's last spike to the block's first step, `[batch, neurons]`; 0
            where there was none. Brought to the block's end.
        last: its last interval, 0 where there was none; likewise.
        histogram: how often there was each interval, as long as the longest and one.
        intervals: how many, of each neuron, `[neurons]`; and so the others.
        sums: of the intervals.
        squares: of their squares.
        pairs: how many intervals had one before.
        cv2: of the pairs' terms `2 |a - b| / (a + b)`, in units of 2^-44, each rounded.
        lv: of the pairs' terms `3 ((a - b) / (a + b))²`, likewise.

    Raises:
        ValueError: an interval is no bin of the histogram, or another number cannot be.
    """

def instructions() -> str:
    """What the loops use: "avx512", "avx2" or "baseline"."""

def use_instructions(name: str, /) -> bool:
    """Use others, for a test; False where this processor has them not."""
