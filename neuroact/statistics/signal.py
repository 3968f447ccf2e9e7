"""What a layer's real values are: membranes, currents, gradients, activations."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuroact.errors import MergeError
from neuroact.statistics.counting.exact_sums import (
    LEAST_TOP,
    MOST_VALUES,
    SQUARE_DIGITS,
    SUM_DIGITS,
    digits,
    mean_and_std,
    risen,
    scale,
    squares_of,
    top_of,
)
from neuroact.statistics.counting.open_sequences import OpenSequences
from neuroact.statistics.counting.parts import Part, parts_of, per_sample
from neuroact.statistics.counting.real_bins import BINS, bins_of
from neuroact.statistics.results import NONFINITE
from neuroact.statistics.signal_result import SignalResult
from neuroact.stream.chunk import SpikeChunk

_SHORT = (torch.float32, torch.float16, torch.bfloat16, torch.uint8, torch.int8, torch.int16)
"""Dtypes whose values have at most 26 significant bits."""
_OF_NEURONS = ("min", "max", "zeros", "above", "sums", "squares")
_OF_STEPS = ("step_observations", "step_sums", "step_squares")
# How many places sums of digits rise where `top` rises by one.
_RISES = {"sums": 1, "squares": 2, "step_sums": 1, "step_squares": 2}
_COMBINED = {"min": torch.minimum, "max": torch.maximum, "nonfinite": torch.logical_or}


class Signal:
    """Real values per neuron and per step, and a histogram of all of them.

    Applies to layers of every kind. It is made for real values: membrane potentials, currents,
    gradients, and the activations of an ANN.

    Values are added as whole digits (`neuroact.statistics.counting.exact_sums`), so any split,
    order and merge gives the same to the bit. With `m` the layer's largest magnitude, each value is
    rounded by at most `m · 2^-100`, and its square by at most `m² · 2^-98`. So a mean is wrong by
    at most `m · 2^-100`, and a standard deviation by at most `m · 2^-48`, besides the rounding of
    the result to float64. Both are exact if no value is rounded: float32 values of `m · 2^-25` or
    more are not, nor is 0. Whole numbers beyond 2^53 are rounded to float64 first. Beyond 2^43
    values of a neuron or a step, its mean and standard deviation are NaN.

    If a value is NaN or infinite, every figure of the layer is NaN, and `unreliable` says so.

    Memory: 16 numbers of 8 bytes for each neuron, one more with a threshold; 14 for each step of
    the longest sequence; 256 KiB for the histogram. Meanwhile some float64 copies of up to 2^19
    values on a CPU, 2^20 elsewhere.

    With zero spikes, of a layer that spikes, all values are 0. Before any chunk there is no result.

    Args:
        threshold: a firing threshold. The result then says how far from it values are, and how many
            reach it.

    Raises:
        ValueError: the threshold is not a finite number.

    >>> import torch
    >>> from neuroact import Signal, SignalKind, SpikeChunk
    >>> signal = Signal(threshold=1.0)
    >>> membrane = torch.tensor([[[0.0, 0.5]], [[0.5, 1.5]]])            # 2 steps of 2 neurons
    >>> signal.update(SpikeChunk(membrane, SignalKind.ANALOG, starts_sequence=True))
    >>> result = signal.result()
    >>> result.mean_per_neuron.tolist(), result.mean_by_step.tolist(), result.above_share
    ([0.25, 1.0], [0.25, 1.0], 0.25)
    """

    def __init__(self, threshold: float | None = None) -> None:
        known = threshold is None or (isinstance(threshold, Real) and math.isfinite(threshold))
        if not known:
            raise ValueError(f"expected threshold= to be a finite number, came {threshold!r}")
        self._threshold = None if threshold is None else float(threshold)
        self.reset()

    def __repr__(self) -> str:
        return f"Signal({'' if self._threshold is None else f'threshold={self._threshold}'})"

    def reset(self) -> None:
        """Forget everything counted, the neurons' shape included."""
        self._shape: torch.Size | None = None
        self._counts: dict[str, Tensor] = {}
        self._sequences = OpenSequences()

    def update(self, chunk: SpikeChunk) -> None:
        """Count the next chunk.

        Raises:
            ValueError: the chunk's neurons have another shape than those before.
        """
        steps, batch, valid = chunk.steps, chunk.batch, chunk.valid
        device = chunk.values.device
        self._admit(chunk.neurons, device)
        if self._sequences.starts(chunk.starts_sequence, batch):
            self._sequences.start(batch)
        places = self._sequences.places(steps, valid, device)
        self._sequences.step(steps, None if valid is None else valid.sum(0))
        self._make_room(self._sequences.steps)
        seen = torch.ones_like(places) if valid is None else valid.to(torch.int64)
        self._counts["step_observations"].index_add_(0, places.reshape(-1), seen.reshape(-1))
        if chunk.neurons.numel():
            for part in parts_of(chunk):
                self._add(part, places[part.steps, part.samples].reshape(-1))

    def merge(self, other: Signal) -> None:
        """Add another's counts, exact in any order. Its open sequences count as ended.

        Raises:
            MergeError: the two counted layers whose neurons have different shapes, or have
                different thresholds.
        """
        if other._shape is None:
            return
        if self._shape not in (None, other._shape) or self._threshold != other._threshold:
            came, here = (
                f"neurons of shape {list(x._shape or ())} with threshold={x._threshold}"
                for x in (other, self)
            )
            raise MergeError(f"cannot add counts of {came} to counts of {here}")
        if self._shape is None:
            self._prepare(other._shape, other._counts["top"].device)
        counts = self._counts
        theirs = {name: tensor.to(counts["top"].device) for name, tensor in other._counts.items()}
        top = torch.maximum(counts["top"], theirs["top"])
        _raise(counts, top)
        _raise(theirs, top)
        self._make_room(len(theirs["step_observations"]))
        for name, tensor in theirs.items():
            if name in _OF_STEPS:
                counts[name][..., : tensor.shape[-1]].add_(tensor)
            elif name in _COMBINED:
                counts[name].copy_(_COMBINED[name](counts[name], tensor))
            elif name != "top":
                counts[name].add_(tensor)

    def state_dict(self) -> dict[str, Tensor]:
        """The counts as new tensors on the layer's device; empty before the first chunk.

        Keys: `shape` int64; `min` and `max` float64 `[*neurons]`; `zeros` int64 `[*neurons]`;
        `sums` and `squares`, digits, int64 `[6, *neurons]` and `[7, *neurons]`; `top` int64 `[]`;
        `bins` and `bin_counts` int64 `[used]`, the bins that hold a value; `step_observations`
        int64 `[steps]`; `step_sums` and `step_squares` int64 `[6, steps]` and `[7, steps]`;
        `nonfinite` bool `[]`. With a threshold also
        `threshold` float64 `[]` and `above` int64 `[*neurons]`. While sequences are open also
        `open_clock` int64 `[batch]`, each sample's steps so far.

        After a NaN or an infinity, all numbers that depend on values are 0.
        """
        if self._shape is None:
            return {}
        nonfinite, device = self._counts["nonfinite"], self._counts["top"].device
        seen = self._counts["step_observations"].nonzero()
        steps = int(seen[-1]) + 1 if len(seen) else 0
        state = {"shape": torch.tensor(self._shape, dtype=torch.int64, device=device)}
        for name, tensor in self._counts.items():
            if name in _OF_STEPS:
                tensor = tensor[..., :steps]
            elif name in _OF_NEURONS:
                tensor = tensor.reshape((*tensor.shape[:-1], *self._shape))
            if name in ("min", "max"):
                tensor = tensor + 0.0  # so that it does not matter whether 0.0 or -0.0 came first
            known = name in ("step_observations", "nonfinite")
            state[name] = tensor.clone() if known else tensor.masked_fill(nonfinite, 0)
        used = state["bins"].nonzero().squeeze(1)  # few of them are: a file would hold mostly zeros
        state |= {"bins": used, "bin_counts": state["bins"][used]}
        if self._threshold is not None:
            state["threshold"] = torch.tensor(self._threshold, dtype=torch.float64, device=device)
        if self._sequences.batch is not None:
            state["open_clock"] = self._sequences.clocks(device).clone()
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Replace the counts, and the threshold, by those that `state_dict` returned."""
        self.reset()
        if not state:
            return
        self._threshold = float(state["threshold"]) if "threshold" in state else None
        self._prepare(torch.Size(state["shape"].tolist()), state["shape"].device)
        self._make_room(len(state["step_observations"]))
        self._counts["bins"].index_copy_(0, state["bins"], state["bin_counts"])
        for name, tensor in self._counts.items():
            if name != "bins":
                kept = tensor[..., : state[name].shape[-1]] if name in _OF_STEPS else tensor
                kept.copy_(state[name].reshape(kept.shape))
        if "open_clock" in state:
            self._sequences.resume(state["open_clock"])

    def result(self) -> SignalResult | None:
        """The figures so far; None before the first chunk."""
        state: dict[str, Any] = {n: t.cpu().numpy() for n, t in self.state_dict().items()}
        if self._shape is None:
            return None
        top, seen = int(state["top"]), state["step_observations"]
        observations, neurons = int(seen.sum()), self._shape.numel()
        mean, std = mean_and_std(state["sums"], state["squares"], top, _countable([observations]))
        mean_by_step, std_by_step = mean_and_std(
            state["step_sums"],
            state["step_squares"],
            top,
            _countable(n * neurons for n in seen.tolist()),
        )
        known = np.nan if observations == 0 else 0.0
        return SignalResult(
            mean_per_neuron=mean,
            # Exact where all values are equal, however the digits beyond the last were rounded.
            std_per_neuron=np.where(state["min"] == state["max"], known, std),
            min_per_neuron=np.asarray(state["min"] + known),  # NumPy may give a scalar
            max_per_neuron=np.asarray(state["max"] + known),
            zeros=state["zeros"],
            above=state.get("above", np.zeros_like(state["zeros"])),
            step_observations=seen,
            mean_by_step=mean_by_step,
            std_by_step=std_by_step,
            bins=state["bins"],
            bin_counts=state["bin_counts"],
            threshold=self._threshold,
            unreliable=NONFINITE if state["nonfinite"] else None,
        )

    def _add(self, part: Part, places: Tensor) -> None:
        """Count values. `places` are their steps in the samples' sequences, `[steps · samples]`."""
        counts, pairs = self._counts, (0, 1)
        values = per_sample(part.values).to(torch.float64, copy=True)
        there = None if part.valid is None else part.valid.unsqueeze(2)
        padding = None if there is None else there.logical_not()
        low, high = (
            values if padding is None else values.masked_fill(padding, end)
            for end in (math.inf, -math.inf)
        )
        torch.minimum(counts["min"], low.amin(pairs), out=counts["min"])
        torch.maximum(counts["max"], high.amax(pairs), out=counts["max"])
        # What is padding is 0 here.
        padded = 0 if padding is None else padding.sum()
        counts["zeros"].add_(values.eq(0).sum(pairs) - padded)
        if self._threshold is not None:
            reach = values.ge(self._threshold)
            reach = reach if there is None else reach.logical_and_(there)
            counts["above"].add_(reach.sum(pairs))
        number = places.new_ones(1) if there is None else there.to(torch.int64)
        bins = bins_of(values)
        counts["bins"].scatter_add_(0, bins.reshape(-1), number.expand(bins.shape).reshape(-1))
        del bins
        least, most = values.aminmax()  # NaN if one is NaN
        counts["nonfinite"].logical_or_((least.isfinite() & most.isfinite()).logical_not())
        _raise(counts, torch.maximum(counts["top"], top_of(torch.maximum(-least, most))))
        scale(values, counts["top"])
        for squared in squares_of(values, wide=part.values.dtype not in _SHORT):
            self._add_digits("squares", squared, places)
        self._add_digits("sums", values, places)

    def _add_digits(self, name: str, scaled: Tensor, places: Tensor) -> None:
        of_neurons, of_steps = self._counts[name], self._counts[f"step_{name}"]
        for place, digit in enumerate(digits(scaled, len(of_neurons))):
            of_neurons[place].add_(digit.sum((0, 1)).to(torch.int64))
            of_steps[place].index_add_(0, places, digit.sum(2).reshape(-1).to(torch.int64))

    def _admit(self, neurons: torch.Size, device: torch.device) -> None:
        if self._shape is None:
            self._prepare(neurons, device)
        elif self._shape != neurons:
            raise ValueError(f"expected neurons of shape {list(self._shape)}, came {list(neurons)}")
        elif self._counts["top"].device != device:
            self.load_state_dict({name: t.to(device) for name, t in self.state_dict().items()})

    def _prepare(self, shape: torch.Size, device: torch.device) -> None:
        self._shape, neurons = shape, shape.numel()

        def counts(*size: int) -> Tensor:
            return torch.zeros(size, dtype=torch.int64, device=device)

        # A tensor made in inference mode could not be updated outside it.
        with torch.inference_mode(False):
            reals = torch.full((2, neurons), math.inf, dtype=torch.float64, device=device)
            self._counts = {
                "min": reals[0],
                "max": -reals[1],
                "zeros": counts(neurons),
                "sums": counts(SUM_DIGITS, neurons),
                "squares": counts(SQUARE_DIGITS, neurons),
                "top": counts().fill_(LEAST_TOP),
                "bins": counts(BINS),
                "step_observations": counts(0),
                "step_sums": counts(SUM_DIGITS, 0),
                "step_squares": counts(SQUARE_DIGITS, 0),
                "nonfinite": torch.zeros((), dtype=torch.bool, device=device),
            }
            if self._threshold is not None:
                self._counts["above"] = counts(neurons)

    def _make_room(self, steps: int) -> None:
        """Make the totals of steps long enough; if they are not, at least twice as long."""
        for name in _OF_STEPS:
            total = self._counts[name]
            length = total.shape[-1]
            if length < steps:
                with torch.inference_mode(False):
                    longer = total.new_zeros(*total.shape[:-1], max(steps, 2 * length, 16))
                    longer[..., :length].copy_(total)
                    self._counts[name] = longer


def _raise(counts: dict[str, Tensor], top: Tensor) -> None:
    """Make the sums of digits those of a higher top. The tensors are replaced."""
    by = top - counts["top"]
    with torch.inference_mode(False):
        for name, places in _RISES.items():
            counts[name] = risen(counts[name], by * places)
        counts["top"] = top.clone()


def _countable(numbers: Iterable[int]) -> NDArray[np.object_]:
    """Numbers of values; 0 in place of one that is too large for the sum of their digits."""
    return np.array([n if n <= MOST_VALUES else 0 for n in numbers], dtype=object)
