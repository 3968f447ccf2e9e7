"""Finds which of the repetitions in a call of a connection belong to which sample.

A Linear or a convolution does not care what the leading dimensions of its input are: time, batch,
both in one dimension, tokens, windows. The recorded spiking layers say how many samples there are,
and how many steps a call has. That tells the leading dimensions apart, or it does not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable
from typing import Literal

from torch import Tensor

Order = Literal["TB", "BT"]
"""Whether time or batch comes first, where a call has both."""


def sums_per_sample(
    sums: Tensor, batch: int, steps: Collection[int], order: Callable[[], Order | None]
) -> Tensor:
    """Sums over repetitions as sums over each sample's repetitions.

    Args:
        sums: one for each repetition, `[*leading dimensions of the call]`.
        batch: number of samples.
        steps: how many steps a call of each of the recorded layers has.
        order: asked only where it matters: the order of time and batch in the calls of recorded
            layers that have several steps; None if nobody knows, or they differ.

    The batch is found, in this order: in two leading dimensions `[steps, batch]`, or
    `[batch, steps]`; in a first dimension of size `steps · batch`; in the only dimension whose size
    is that of the batch. For the last, the first dimension must not be a multiple of the batch, of
    which it could be a part.

    Returns:
        The sums `[batch]`.

    Raises:
        ValueError: more than one reading is possible, or none; says which dimensions came.

    >>> import torch
    >>> from neuroact.layers.sample_axis import sums_per_sample
    >>> flat = torch.arange(6)                               # two steps of three samples
    >>> sums_per_sample(flat, 3, {2}, lambda: "TB").tolist()
    [3, 5, 7]
    >>> sums_per_sample(flat, 3, {2}, lambda: "BT").tolist()
    [1, 5, 9]
    """
    shape, axis = _read(tuple(sums.shape), batch, steps, order)
    # Sizes are spelled out, since a batch may be empty.
    others = math.prod(shape) // batch if batch else 0
    return sums.reshape(shape).movedim(axis, 0).reshape(batch, others).sum(1)


def where_steps_are(
    leading: tuple[int, ...], batch: int, order: Order | None
) -> tuple[tuple[int, ...], int | None, int]:
    """Which leading dimensions of a call are the steps and the batch, if all of it is steps.

    A call's second dimension is not tokens while its first could be steps: whoever counts the steps
    finds out.

    Args:
        leading: the dimensions.
        batch: number of samples.
        order: of time and batch in the calls of the recorded layers; None if these are called step
            by step.

    Returns:
        The leading dimensions, split where two were in one; which of them is time, None if the call
        is one step; and which is the batch.

    Raises:
        ValueError: it is not clear where the samples are.

    >>> from neuroact.layers.sample_axis import where_steps_are
    >>> where_steps_are((6, 9), batch=3, order="TB")
    ((2, 3, 9), 0, 1)
    """
    first, second = (*leading, None, None)[:2]
    rest, batch_first = leading[1:], order == "BT"
    if first is None:
        if batch == 1:
            return (1,), None, 0
    elif batch_first and first == batch and rest:
        return leading, 1, 0
    elif not batch_first and second == batch and (order == "TB" or first != batch):
        return leading, 0, 1
    elif first == batch and second != batch:
        return leading, None, 0
    elif order is not None and batch and first % batch == 0:
        steps = first // batch
        flat = ((batch, steps), 1, 0) if batch_first else ((steps, batch), 0, 1)
        return (*flat[0], *rest), flat[1], flat[2]
    raise _unclear(leading, batch)


def order_among(orders: Iterable[Order | None]) -> Order | None:
    """The one order of all layers that have one; None if there is none, or several."""
    found = set(orders) - {None}
    return found.pop() if len(found) == 1 else None


def _read(
    leading: tuple[int, ...],
    batch: int,
    steps: Collection[int],
    order: Callable[[], Order | None],
) -> tuple[tuple[int, ...], int]:
    """The leading dimensions, split where two were in one; and which of them is the batch."""
    if batch == 1:
        return (1, *leading), 0
    several = [count for count in steps if count > 1]
    if len(several) == 1 and (found := _in_sequence(leading, batch, several[0], order)):
        return found
    equal = [axis for axis, size in enumerate(leading) if size == batch]
    could_be_steps = len(leading) > 1 and batch in several
    if len(equal) == 1 and not could_be_steps and (equal[0] == 0 or leading[0] % (batch or 1)):
        return leading, equal[0]
    raise _unclear(leading, batch)


def _unclear(leading: tuple[int, ...], batch: int) -> ValueError:
    return ValueError(
        f"its input came with leading dimensions {list(leading)}, of which it is not clear where "
        f"the {batch} samples are"
    )


def _in_sequence(
    leading: tuple[int, ...], batch: int, steps: int, order: Callable[[], Order | None]
) -> tuple[tuple[int, ...], int] | None:
    """As `_read`, in a call of so many steps; None if the call is none."""
    first = leading[:2]
    if first == (steps, batch) and (steps != batch or order() == "TB"):
        return leading, 1
    if first == (batch, steps) and (steps != batch or order() == "BT"):
        return leading, 0
    if not leading or leading[0] != steps * batch:
        return None
    known, rest = order(), leading[1:]
    if known is None:
        return None
    return ((steps, batch, *rest), 1) if known == "TB" else ((batch, steps, *rest), 0)
