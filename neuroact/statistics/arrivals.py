"""What arrives at each element of a layer's input: what its synaptic operations follow from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from neuroact.errors import MergeError
from neuroact.native import core
from neuroact.statistics.counting.parts import differs, parts_of, per_sample
from neuroact.statistics.results import Integers, LayerResult
from neuroact.stream.chunk import SpikeChunk
from neuroact.stream.sparse import SparseChunk

# Beyond it float32 skips whole numbers, and a sum of many values could leave int64.
_LARGEST_WHOLE = 2**24
_OF_ELEMENTS = ("ones", "others", "magnitude")


@dataclass(frozen=True, eq=False, repr=False)
class ArrivalsResult(LayerResult):
    """Counts of one layer's input, on the host.

    Attributes:
        ones: values of magnitude one per element, int64 `[*elements]`.
        others: other values that are not zero per element, int64 `[*elements]`.
        magnitude: sum of the values' magnitudes per element, int64 `[*elements]`; zeros if not
            `whole`.
        observations: how often each element was looked at.
        whole: whether every value was a whole number up to 2^24.
        nonfinite: whether a value was NaN or infinite.
    """

    ones: Integers
    others: Integers
    magnitude: Integers
    observations: int
    whole: bool
    nonfinite: bool


class Arrivals:
    """Values of magnitude one, and other events, per element of a layer's input, exactly.

    An event is a value that is not zero, NaN included. One of magnitude one (1 or -1) makes a
    synapse add or subtract its weight; any other makes it multiply.

    Memory: three int64 for each element. Every count is an integer, so any split, order and merge
    gives the same to the bit. With zero events all counts are zeros. Before any chunk there is no
    result.

    >>> import torch
    >>> from neuroact import SignalKind, SpikeChunk
    >>> from neuroact.statistics.arrivals import Arrivals
    >>> arrivals = Arrivals()
    >>> values = torch.tensor([[[1.0, 0.0, 3.0]], [[-1.0, 0.0, 1.0]]])
    >>> arrivals.update(SpikeChunk(values, SignalKind.GRADED, starts_sequence=True))
    >>> result = arrivals.result()
    >>> result.ones.tolist(), result.others.tolist(), result.magnitude.tolist()
    ([2, 0, 1], [0, 0, 1], [2, 0, 4])
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget everything counted, the elements' shape included."""
        self._shape = torch.Size()
        # int64 `[3 n + 3]` for n elements: ones, others and magnitudes of each, then observations,
        # and what is above 0 where a value was not whole or not finite. None before any chunk.
        self._counts: Tensor | None = None

    def update(self, chunk: SpikeChunk) -> None:
        """Count the next chunk.

        Raises:
            ValueError: the chunk's elements have another shape than those before.
        """
        counts = self._admit(chunk.neurons, chunk.values.device)
        sparse = isinstance(chunk, SparseChunk)
        if not sparse and chunk.valid is None and self.add(chunk.values):
            return
        ones, others, magnitude, rest = _parts(counts)
        if isinstance(chunk, SparseChunk):
            assert chunk.entries is not None
            _add_entries(counts, chunk.entries)
        for part in () if sparse else parts_of(chunk):
            values = per_sample(part.values)
            # Not in half precision: its arithmetic is slow on a CPU, and its range is small.
            exact = torch.float32 if values.is_floating_point() else torch.float64
            sizes = values.to(torch.promote_types(values.dtype, exact)).abs()
            flags = differs(sizes, 0)
            events = _summed(flags)
            singles = _summed(torch.eq(sizes, 1, out=flags))
            ones.add_(singles)
            others.add_(events - singles)
            if sizes.numel():
                largest, broken = sizes.amax(), torch.frac(sizes, out=flags).amax()
                rest[1].add_(broken.ne(0) | largest.gt(_LARGEST_WHOLE))
                rest[2].add_(largest.isfinite().logical_not())
            del flags  # the sum below takes a copy in float64
            magnitude.add_(sizes.sum((0, 1), dtype=torch.float64).to(torch.int64))
        seen = chunk.steps * chunk.batch if chunk.valid is None else chunk.valid.sum()
        rest[0].add_(seen)

    def add(self, values: Tensor) -> bool:
        """Count values `[..., *elements]` by the compiled core, in one pass over them.

        For values of the elements that came before. No Python runs in between, so they are counted
        whole or not at all.

        Returns:
            False, with nothing counted, if there is no core or it cannot tell the values apart.
        """
        native, counts = core(), self._counts
        if (
            native is None
            or counts is None
            or counts.device.type != "cpu"
            or not self._shape.numel()
        ):
            return False
        return bool(native.add_arrivals(values.contiguous(), counts))

    def merge(self, other: Arrivals) -> None:
        """Add another's counts, exact in any order.

        Raises:
            MergeError: the two counted inputs of different shapes.
        """
        if other._counts is None:
            return
        if self._counts is None:
            self._make(other._shape, other._counts.device)
        elif self._shape != other._shape:
            raise MergeError(
                f"cannot add counts of an input of shape {list(other._shape)} to counts "
                f"of an input of shape {list(self._shape)}"
            )
        assert self._counts is not None
        self._counts.add_(other._counts.to(self._counts.device))

    def state_dict(self) -> dict[str, Tensor]:
        """The counts as new tensors on the layer's device; empty before the first chunk.

        Keys: `ones`, `others` and `magnitude` int64 `[*elements]`; `observations` int64 `[]`;
        `unreliable` bool `[2]`, not whole and nonfinite.
        """
        if self._counts is None:
            return {}
        *of_elements, rest = _parts(self._counts)
        shaped = (counts.reshape(self._shape).clone() for counts in of_elements)
        state = dict(zip(_OF_ELEMENTS, shaped, strict=True))
        state |= {"observations": rest[0].clone(), "unreliable": rest[1:].ne(0)}
        state["magnitude"].masked_fill_(state["unreliable"][0], 0)
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Replace the counts by those that `state_dict` returned."""
        self.reset()
        if state:
            self._shape = state["ones"].shape
            parts = [state[name].flatten() for name in (*_OF_ELEMENTS, "observations")]
            with torch.inference_mode(False):
                self._counts = torch.cat([*parts, state["unreliable"].to(torch.int64)])

    def result(self) -> ArrivalsResult | None:
        """The counts so far; None before the first chunk."""
        counts = {name: tensor.cpu().numpy() for name, tensor in self.state_dict().items()}
        if not counts:
            return None
        not_whole, nonfinite = counts["unreliable"].tolist()
        return ArrivalsResult(
            ones=counts["ones"],
            others=counts["others"],
            magnitude=counts["magnitude"],
            observations=int(counts["observations"]),
            whole=not not_whole,
            nonfinite=nonfinite,
        )

    def _admit(self, elements: torch.Size, device: torch.device) -> Tensor:
        if self._counts is None:
            self._make(elements, device)
        assert self._counts is not None
        if self._shape != elements:
            raise ValueError(
                f"expected an input of shape {list(self._shape)}, came {list(elements)}"
            )
        if self._counts.device != device:
            with torch.inference_mode(False):
                self._counts = self._counts.to(device)
        return self._counts

    def _make(self, elements: torch.Size, device: torch.device) -> None:
        # Outside inference mode, else they could not be added to outside of it.
        with torch.inference_mode(False):
            number = len(_OF_ELEMENTS) * elements.numel() + 3
            self._counts = torch.zeros(number, dtype=torch.int64, device=device)
        self._shape = elements


def _parts(counts: Tensor) -> tuple[Tensor, ...]:
    """Ones, others and magnitudes, `[elements]` each; then the three numbers at the end."""
    elements = (len(counts) - 3) // len(_OF_ELEMENTS)
    return torch.split(counts, [elements] * len(_OF_ELEMENTS) + [3])


def _summed(flags: Tensor) -> Tensor:
    """Sum of values 0 and 1 over the first two dimensions, of which a part has few enough."""
    return flags.sum((0, 1), dtype=torch.float32).to(torch.int64)


def _add_entries(counts: Tensor, entries: Tensor) -> None:
    """Count the stored values of a coalesced sparse tensor `[repetitions, *elements]`."""
    places, sizes = entries.indices()[1:], entries.values().to(torch.float64).abs()
    strides = [math.prod(entries.shape[at + 1 :]) for at in range(1, entries.ndim)]
    at = (places * places.new_tensor(strides).unsqueeze(1)).sum(0)
    whole = sizes.frac().eq(0) & sizes.le(_LARGEST_WHOLE)
    ones, events = sizes.eq(1), sizes.ne(0)
    *of_elements, rest = _parts(counts)
    for part, values in zip(of_elements, (ones, events & ~ones, sizes), strict=True):
        part.index_add_(0, at, values.to(torch.int64))
    rest[1].add_(whole.logical_not().any())
    rest[2].add_(sizes.isfinite().logical_not().any())
