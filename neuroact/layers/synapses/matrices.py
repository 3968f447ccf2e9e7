"""Matrices side by side: each block of what arrives meets weight matrices of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn

from neuroact.layers.axes import first_by_name
from neuroact.layers.fan_out import FanOut, Integers
from neuroact.layers.synapses.protocol import real
from neuroact.layers.weights import Zeros, made_of, nonzero_of


class Matrices:
    """The synapses of a module that is linear in blocks of what arrives; see `Synapses`.

    What arrives is the blocks one after another, `[*repetitions, sum of the blocks' sizes]`. Each
    block meets one or more matrices `[outputs, size of the block]`. Here the one block is the first
    argument. A subclass that has more, or takes it elsewhere, overrides `given` and `arrivals`.

    Args:
        module: holds the matrices.
        blocks: for each block the shapes of its matrices, by their names.
        biases: names of the biases, which have a number for each row of the matrices.
        rows: which rows of the matrices and biases are meant; None for all.

    >>> from torch import nn
    >>> blocks = [{"weight_ih": (2, 3)}, {"weight_hh": (2, 2)}]
    >>> cell = Matrices(nn.RNNCell(3, 2), blocks, ["bias_ih", "bias_hh"])
    >>> cell.fan_out((5,), cell.nonzero()).connected.tolist(), cell.bias_additions((5,))
    ([2, 2, 2, 2, 2], 4)
    >>> cell.parameters()
    14
    """

    dims = 1

    def __init__(
        self,
        module: nn.Module,
        blocks: Sequence[Mapping[str, tuple[int, int]]],
        biases: Sequence[str] = (),
        *,
        rows: range | None = None,
    ) -> None:
        self._module = module
        self._blocks, self._biases, self._rows = blocks, biases, rows
        self._shapes = {name: shape for block in blocks for name, shape in block.items()}
        self.weights = tuple(sorted({n for own in (*self._shapes, *biases) for n in made_of(own)}))

    def given(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        """The first argument in the signature of the module's `forward`."""
        return args[0] if args else first_by_name(self._module, kwargs)

    def arrivals(self, given: Any, output: Any) -> Tensor:
        """The argument."""
        return real(given)

    def nonzero(self) -> tuple[Zeros, ...]:
        """Of each matrix, in the order of the blocks."""
        rows = slice(None) if self._rows is None else slice(self._rows.start, self._rows.stop)
        return tuple(nonzero_of(self._module, n, shape)[rows] for n, shape in self._shapes.items())

    def fan_out(self, shape: tuple[int, ...], nonzero: tuple[Zeros, ...]) -> FanOut:
        """Sums over the outputs, of all matrices of an element's block.

        Raises:
            ValueError: the blocks are of another size than what arrived.
        """
        found = FanOut(self._reached(nonzero), self._reached([np.ones_like(z) for z in nonzero]))
        if found.dense.shape != tuple(shape):
            raise ValueError(f"expected {list(found.dense.shape)} elements, came {list(shape)}")
        return found

    def output_shape(self, shape: tuple[int, ...]) -> None:
        """Not known: the module makes its own of what the matrices give."""

    def bias_additions(self, shape: tuple[int, ...]) -> int:
        """One for each number of the biases."""
        return sum(self._rows_of(next(iter(self._shapes.values()))) for _ in self._biases)

    def parameters(self) -> int:
        """Numbers in the matrices and biases."""
        matrices = sum(self._rows_of(shape) * shape[1] for shape in self._shapes.values())
        return matrices + self.bias_additions(())

    def _rows_of(self, shape: tuple[int, int]) -> int:
        return shape[0] if self._rows is None else len(self._rows)

    def _reached(self, matrices: Sequence[Zeros]) -> Integers:
        left, parts = iter(matrices), list[Integers]()
        for block in self._blocks:
            sums = [next(left).sum(0, dtype=np.int64) for _ in block]
            parts.append(np.sum(sums, axis=0))
        return np.concatenate(parts)
