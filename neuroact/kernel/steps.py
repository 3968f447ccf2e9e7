"""What steps.cpp gives, in Python's words: how a kernel that reads and counts steps is used.

The kernel decides nothing. Whoever counts steps in Python lends it what they go into: `Firing` its
window, `PackedSteps` its words, `StateTrace` what it knows of the state. Each takes it back before
it does anything itself, so that there is one count at all times, whoever asks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor


class Steps(Protocol):
    """Runs a layer's calls; those that are one more step of the sequence under way, it counts.

    Made with two functions that do in Python what it does not: `in_full(forward, args, kwargs)`
    runs a call and reads it, `finish(args, kwargs, output, given)` reads one that has run.
    """

    def __call__(
        self, forward: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any], /
    ) -> Any:
        """Run `forward`, return what it does."""

    def pattern(
        self,
        given: Callable[[tuple[Any, ...], Mapping[str, Any]], Sequence[Any]],
        values: Callable[[Any], Tensor],
        left: Callable[[Any], Sequence[Any]],
        holds: Callable[[], bool] | None,
        /,
    ) -> None:
        """Find a call's values and state so, as `CallPattern` does; no step is under way."""

    def add_into(self, window: Tensor, step: Tensor, /) -> None:
        """Add each step to this window.

        Args:
            window: float32 `[batch, *neurons]`, or `[1, *neurons]` for the sum of the samples;
                contiguous, on the CPU.
            step: one like those that come.
        """

    def pack_into(
        self,
        shape: tuple[int, ...],
        words: Tensor,
        sums: Tensor,
        full: Callable[[], None],
        filled: int,
        /,
    ) -> None:
        """Write each step as a bit of each word; see `PackedBlock`.

        Args:
            shape: of a step, `[batch, *neurons]`.
            words: int32 `[2, batch, neurons]`, taken for unsigned.
            sums: int32 `[64, batch]`.
            full: called when there is no room for another step; it calls `take`.
            filled: steps that are in the words already.
        """

    def begin(self, step: Tensor, left: Sequence[Tensor], most: int, /) -> bool:
        """Steps like this one may come, so many, that go on from the state that it left.

        Returns:
            False where it can read no such step, or know no such state; then none may come.
        """

    def stop(self) -> None:
        """Have the next call read in full."""

    def take(self) -> tuple[int, bool]:
        """Steps that were counted since the last `take`, and whether a value was neither 0 nor 1.

        Where steps are packed such a step is not counted, and read in full.
        """

    def give_back(self) -> None:
        """Stop, and keep nothing of what steps go into."""

    def state(self) -> list[tuple[Tensor | None, torch.UntypedStorage | None, int]]:
        """Stop; the state that the last step left: each tensor, its memory, and its place there.

        None for what is gone by now.
        """


class Compiled(Protocol):
    """The compiled module."""

    @staticmethod
    def Steps(in_full: Callable[..., Any], finish: Callable[..., None], /) -> Steps:  # noqa: N802
        """Make one, which runs each call by `in_full` until it is told a pattern and begun."""

    @staticmethod
    def stand_in(
        cls: type, is_compiling: Callable[[], bool], is_capturing: Callable[[], bool] | None, /
    ) -> None:
        """Have objects of that class call `Steps` at once, past the class's `__call__`.

        That is called as before where `Steps` is not ready; and, since it treats them apart, where
        a call is traced, captured, or in the midst of a backward pass.

        Args:
            cls: has the slots `call`, which may be a `Steps`, and `original`, what it is to run.
            is_compiling: `torch.compiler.is_compiling`.
            is_capturing: whether a CUDA graph is being captured; None where none can be.
        """


@runtime_checkable
class Lender(Protocol):
    """What can have the kernel count its steps."""

    def lend(self, steps: Steps, step: Tensor, /) -> bool:
        """Have `steps` count where `advance` would; nothing else is told until it is taken back.

        Args:
            steps: counts, from now on.
            step: the last step that came, `[batch, *neurons]`, already counted.

        Returns:
            Whether it may.
        """

    def take_back(self) -> None:
        """Have it count no more, and keep nothing of it; nothing where it does not count."""
