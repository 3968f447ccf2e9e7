"""What arrives at each element of a layer's input: what its synaptic operations follow from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from neuroact.errors import MergeError
from neuroact.statistics.counting.parts import differs, parts_of
from neuroact.statistics.results import Integers, LayerResult
from neuroact.stream.chunk import SpikeChunk
from neuroact.stream.sparse import SparseChunk

# Beyond it float32 skips whole numbers, and a sum of many values could leave int64.
_LARGEST_WHOLE = 2**24


@dataclass(frozen=True, eq=False)
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
        self._counts: dict[str, Tensor] = {}

    def update(self, chunk: SpikeChunk) -> None:
        """Count the next chunk.

        Raises:
            ValueError: the chunk's elements have another shape than those before.
        """
        counts = self._admit(chunk.neurons, chunk.values.device)
        if isinstance(chunk, SparseChunk):
            assert chunk.entries is not None
            _add_entries(counts, chunk.entries)
        for part in () if isinstance(chunk, SparseChunk) else parts_of(chunk):
            values = part.values
            # Not in half precision: its arithmetic is slow on a CPU, and its range is small.
            exact = torch.float32 if values.is_floating_point() else torch.float64
            sizes = values.to(torch.promote_types(values.dtype, exact)).abs()
            flags = differs(sizes, 0)
            events = _summed(flags)
            ones = _summed(torch.eq(sizes, 1, out=flags))
            counts["ones"].add_(ones)
            counts["others"].add_(events - ones)
            if sizes.numel():
                largest, broken = sizes.amax(), torch.frac(sizes, out=flags).amax()
                not_whole = broken.ne(0) | largest.gt(_LARGEST_WHOLE)
                nonfinite = largest.isfinite().logical_not()
                counts["unreliable"].logical_or_(torch.stack([not_whole, nonfinite]))
            del flags  # the sum below takes a copy in float64
            counts["magnitude"].add_(sizes.sum((0, 1), dtype=torch.float64).to(torch.int64))
        seen = chunk.steps * chunk.batch if chunk.valid is None else chunk.valid.sum()
        counts["observations"].add_(seen)

    def merge(self, other: Arrivals) -> None:
        """Add another's counts, exact in any order.

        Raises:
            MergeError: the two counted inputs of different shapes.
        """
        theirs = other._counts
        if not theirs:
            return
        if not self._counts:
            self._make(theirs["ones"].shape, theirs["ones"].device)
        ours = self._counts
        if ours["ones"].shape != theirs["ones"].shape:
            raise MergeError(
                f"cannot add counts of an input of shape {list(theirs['ones'].shape)} to counts "
                f"of an input of shape {list(ours['ones'].shape)}"
            )
        for name, counts in ours.items():
            added = theirs[name].to(counts.device)
            counts.logical_or_(added) if name == "unreliable" else counts.add_(added)

    def state_dict(self) -> dict[str, Tensor]:
        """The counts as new tensors on the layer's device; empty before the first chunk.

        Keys: `ones`, `others` and `magnitude` int64 `[*elements]`; `observations` int64 `[]`;
        `unreliable` bool `[2]`, not whole and nonfinite.
        """
        state = {name: tensor.clone() for name, tensor in self._counts.items()}
        if state:
            state["magnitude"].masked_fill_(state["unreliable"][0], 0)
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Replace the counts by those that `state_dict` returned."""
        with torch.inference_mode(False):
            self._counts = {name: tensor.clone() for name, tensor in state.items()}

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

    def _admit(self, elements: torch.Size, device: torch.device) -> dict[str, Tensor]:
        if not self._counts:
            self._make(elements, device)
        came = self._counts["ones"]
        if came.shape != elements:
            raise ValueError(
                f"expected an input of shape {list(came.shape)}, came {list(elements)}"
            )
        if came.device != device:
            self.load_state_dict({name: t.to(device) for name, t in self._counts.items()})
        return self._counts

    def _make(self, elements: torch.Size, device: torch.device) -> None:
        # Outside inference mode, else they could not be added to outside of it.
        with torch.inference_mode(False):
            ones = torch.zeros(elements, dtype=torch.int64, device=device)
            self._counts = {
                "ones": ones,
                "others": ones.clone(),
                "magnitude": ones.clone(),
                "observations": ones.new_zeros(()),
                "unreliable": torch.zeros(2, dtype=torch.bool, device=device),
            }


def _summed(flags: Tensor) -> Tensor:
    """Sum of values 0 and 1 over the first two dimensions, of which a part has few enough."""
    return flags.sum((0, 1), dtype=torch.float32).to(torch.int64)


def _add_entries(counts: Mapping[str, Tensor], entries: Tensor) -> None:
    """Count the stored values of a coalesced sparse tensor `[repetitions, *elements]`."""
    places, sizes = entries.indices()[1:], entries.values().to(torch.float64).abs()
    strides = [math.prod(entries.shape[at + 1 :]) for at in range(1, entries.ndim)]
    at = (places * places.new_tensor(strides).unsqueeze(1)).sum(0)
    whole = sizes.frac().eq(0) & sizes.le(_LARGEST_WHOLE)
    ones, events = sizes.eq(1), sizes.ne(0)
    for name, values in (("ones", ones), ("others", events & ~ones), ("magnitude", sizes)):
        counts[name].view(-1).index_add_(0, at, values.to(torch.int64))
    unreliable = torch.stack([whole.logical_not().any(), sizes.isfinite().logical_not().any()])
    counts["unreliable"].logical_or_(unreliable)
