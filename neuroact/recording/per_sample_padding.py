"""Which repetitions in the calls of connections are padding."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from copy import copy
from typing import Protocol, TypeAlias

import torch
from torch import Tensor

from neuroact.layers.sample_axis import Order, order_among, where_steps_are
from neuroact.stream.padding import Validity

AskOrder: TypeAlias = Callable[[], Order | None]


class Refusing(Protocol):
    """A connection whose operations can turn out to be wrong."""

    def refuse(self, why: str, /) -> None:
        """Have its operations not counted, for this reason."""


class PaddedBatch:
    """The batch under way, of which the user said which steps are padding.

    The first connections are called before the recorded layers are. So a call's steps are found
    by their number: they go on from the last call of the same connection in this batch. When the
    batch is over, `check` says whether that was right.

    Args:
        validity: which steps are valid.
        orders: ask for the order of time and batch in the calls of each recorded layer.
    """

    def __init__(self, validity: Validity, orders: Sequence[AskOrder]) -> None:
        # Copies, since each keeps its mask on the device where it was asked for last.
        self._validity, self._on_host = copy(validity), copy(validity)
        self._order = order_among(ask() for ask in orders)
        self._came: dict[Refusing, int] = {}  # steps of each connection
        self._taken: dict[Hashable, int] = {}  # steps of each recorded layer
        self._told = 0  # steps that `samples` told of

    def valid(self, connection: Refusing, leading: tuple[int, ...], device: torch.device) -> Tensor:
        """Which repetitions of the connection's next call are valid, bool `[1, repetitions]`.

        Args:
            connection: what is called.
            leading: the dimensions of its input before those of one input.
            device: where to put the mask.

        Raises:
            ValueError: it is not clear which dimension is the batch, or there are more steps than
                were said to be valid or not.
        """
        batch = self._validity.batch
        shape, time, sample = where_steps_are(leading, batch, self._order)
        steps = 1 if time is None else shape[time]
        first = self._came.get(connection, 0)
        valid = self._validity.of(steps=steps, batch=batch, first=first, device=device)
        self._came[connection] = first + steps
        sizes = [1] * len(shape)
        sizes[sample] = batch
        if time is not None:
            sizes[time] = steps
            valid = valid if time < sample else valid.T
        return valid.reshape(sizes).expand(shape).reshape(1, -1)

    def take(self, layer: Hashable, steps: int) -> None:
        """Note that a recorded layer took so many steps."""
        self._taken[layer] = self._taken.get(layer, 0) + steps

    def samples(self) -> Tensor:
        """Which samples have a valid step among those since the last question, bool `[batch]`.

        On the CPU.
        """
        first, self._told = self._told, max(self._taken.values(), default=0)
        steps, batch = self._told - first, self._on_host.batch
        return self._on_host.of(steps=steps, batch=batch, first=first, device="cpu").any(0)

    def check(self) -> None:
        """Refuse connections that did not take the steps that the recorded layers took."""
        expected = set(self._taken.values())
        layers = " or ".join(map(str, sorted(expected))) or "none"
        for connection, came in self._came.items():
            if {came} != expected:
                connection.refuse(
                    f"padding could not be left out: it took {came} steps of a padded batch, the "
                    f"recorded spiking layers {layers}"
                )
