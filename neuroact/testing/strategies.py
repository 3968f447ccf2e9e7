"""Hypothesis strategies for spikes, for ways to cut a stream, and for counted values.

They need hypothesis: `pip install "neuroact[testing]"`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
import torch
from hypothesis import strategies as st
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Pattern = Literal["mixed", "silent", "saturated", "sparse", "bursting"]

BINARY_LEVELS = (0.0, 1.0)
TERNARY_LEVELS = (0.0, 1.0, -1.0)
GRADED_LEVELS = (0.0, -0.5, 1.0, 3.0)
"""Values that a layer may emit; multiples of a power of two, so that their sums are exact."""

PATTERNS: tuple[Pattern, ...] = ("mixed", "silent", "saturated", "sparse", "bursting")
"""How neurons fire: each at a firing rate of its own, never, always, seldom, or in bursts."""

SPIKE_DTYPES = (
    torch.bool,
    torch.uint8,
    torch.int8,
    torch.int16,
    torch.int32,
    torch.int64,
    torch.uint16,
    torch.uint32,
    torch.uint64,
    torch.float16,
    torch.bfloat16,
    torch.float32,
    torch.float64,
    torch.float8_e4m3fn,
    torch.float8_e5m2,
)
"""Dtypes that spikes of 0 and 1 may have."""

# Floats alone would hardly give ties or zeros; small whole numbers make them likely.
finite = st.one_of(
    st.integers(-3, 3).map(float),
    st.just(-0.0),
    st.floats(allow_nan=False, allow_infinity=False),
)
"""Values to be counted: finite floats, among which ties and zeros of both signs are likely."""

extended = st.one_of(finite, st.sampled_from([float("inf"), float("-inf")]))
"""Like `finite`, with infinities."""

# k / m makes levels that fall exactly on an order statistic, or miss it by a rounding error.
levels = st.one_of(
    st.floats(0, 1),
    st.tuples(st.integers(0, 40), st.integers(1, 40)).map(lambda pair: min(pair) / max(pair)),
)
"""Levels of quantiles; levels that fall on an order statistic are likely."""

some_levels = st.lists(levels, min_size=1, max_size=8)
"""A few levels of quantiles."""

neuron_shapes = st.lists(st.integers(1, 4), max_size=3).map(tuple)
"""Shapes of a layer's neurons; `()` is a single neuron."""


def samples(elements: st.SearchStrategy[float]) -> st.SearchStrategy[list[float]]:
    """One to thirty values."""
    return st.lists(elements, min_size=1, max_size=30)


def histograms(
    values: st.SearchStrategy[float], most: int = 5
) -> st.SearchStrategy[list[tuple[float, int]]]:
    """Counted values: pairs of value and count.

    Some counts may be zero, but not all. The values are in no order, and may come twice.
    """
    pairs = st.lists(st.tuples(values, st.integers(0, most)), min_size=1, max_size=10)
    return pairs.filter(lambda found: any(count for _, count in found))


@dataclass(frozen=True)
class Stream:
    """Sequences of one layer, in order.

    Attributes:
        sequences: what each emitted, float64 `[time, batch, *neurons]`.
        neurons: shape of the neurons.
    """

    sequences: tuple[Floats, ...]
    neurons: tuple[int, ...]

    @property
    def axes(self) -> str:
        """The order of their dimensions, as `Recording.observe` takes it."""
        return "TBN" if self.neurons else "TB"

    @property
    def flat(self) -> Floats:
        """The values of every (time step, sample) pair, `[observations, *neurons]`."""
        return np.concatenate([s.reshape(-1, *self.neurons) for s in self.sequences])

    @property
    def of_samples(self) -> list[Floats]:
        """Each sample's sequence, `[time, *neurons]`."""
        return [s[:, sample] for s in self.sequences for sample in range(s.shape[1])]


@st.composite
def spikes(
    draw: st.DrawFn,
    steps: int,
    batch: int,
    neurons: tuple[int, ...],
    *,
    levels: Sequence[float] = BINARY_LEVELS,
    patterns: Sequence[Pattern] = PATTERNS,
) -> Floats:
    """One sequence, float64 `[time, batch, *neurons]`.

    Args:
        draw: given by Hypothesis.
        steps: time steps; may be 0.
        batch: samples; may be 0.
        neurons: shape of the neurons.
        levels: the possible values, 0 among them.
        patterns: how neurons may fire; one pattern is drawn.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    fires = _fires(rng, draw(st.sampled_from(patterns)), (steps, batch, *neurons))
    size = rng.choice([level for level in levels if level], size=fires.shape)
    return np.where(fires, size, 0.0)


def _fires(rng: np.random.Generator, pattern: Pattern, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    if pattern == "bursting":  # each neuron of each sample fires from some step to another
        first, last = np.sort(rng.integers(0, shape[0] + 1, (2, *shape[1:])), axis=0)
        step = np.arange(shape[0]).reshape(-1, *(1 for _ in shape[1:]))
        return np.asarray((first <= step) & (step < last))
    rates = {"silent": [0.0], "saturated": [1.0], "sparse": [0.02, 0.1]}
    rate = rng.choice(rates.get(pattern, [0.0, 0.2, 0.8, 1.0]), size=shape[2:])
    return np.asarray(rng.random(shape) < rate)


@st.composite
def streams(
    draw: st.DrawFn,
    levels: Sequence[float] = BINARY_LEVELS,
    most_steps: int = 6,
    patterns: Sequence[Pattern] = PATTERNS,
    neurons: st.SearchStrategy[tuple[int, ...]] = neuron_shapes,
) -> Stream:
    """A few sequences of unequal length and batch size; some may be empty or of one step."""
    shape = draw(neurons)
    sizes = st.tuples(st.integers(0, most_steps), st.integers(0, 4))
    sequences = [
        draw(spikes(steps, batch, shape, levels=levels, patterns=patterns))
        for steps, batch in draw(st.lists(sizes, min_size=1, max_size=4))
    ]
    return Stream(tuple(sequences), shape)


@st.composite
def cuts(draw: st.DrawFn, steps: int, most: int | None = None) -> list[slice]:
    """A way to cut `steps` time steps into consecutive pieces of at most `most` steps.

    There is at least one piece, which is empty if there is no step.
    """
    edges = draw(st.sets(st.integers(1, max(1, steps - 1)), max_size=4))
    if most is not None:
        edges |= set(range(most, steps, most))
    edges = {edge for edge in edges if edge < steps}
    return [slice(a, b) for a, b in pairwise([0, *sorted(edges), steps])]


@st.composite
def ends(draw: st.DrawFn, values: Floats) -> NDArray[np.int64]:
    """How many steps of each sample come before its padding, int64 `[batch]`."""
    steps, batch = values.shape[:2]
    drawn = draw(st.lists(st.integers(0, steps), min_size=batch, max_size=batch))
    return np.array(drawn, dtype=np.int64)


@st.composite
def paddings(draw: st.DrawFn, steps: int, batch: int) -> tuple[NDArray[np.int64], int]:
    """Where each sample's steps are in a padded batch, int64 `[steps, batch]`; and its length.

    Padding may be before, between and behind a sample's steps.
    """
    length = steps + draw(st.integers(0, 4))
    places = st.permutations(range(length)).map(lambda order: sorted(order[:steps]))
    columns = [draw(places) for _ in range(batch)]
    return np.array(columns, dtype=np.int64).reshape(batch, steps).T, length


def padded(
    values: Floats, places: NDArray[np.int64], length: int, filler: float
) -> tuple[Floats, NDArray[np.bool_]]:
    """The values `[time, batch, *neurons]` at their places among padding, and the mask."""
    batch = values.shape[1]
    wide = np.full((length, batch, *values.shape[2:]), filler)
    mask = np.zeros((length, batch), dtype=bool)
    for sample in range(batch):
        wide[places[:, sample], sample] = values[:, sample]
        mask[places[:, sample], sample] = True
    return wide, mask


@dataclass(frozen=True)
class Ragged:
    """Sequences of unequal length in one batch.

    Attributes:
        values: float64 `[time, batch, *neurons]`; padded steps hold a filler.
        valid: bool `[time, batch]`, False where a step is padding.
        samples: each sample's own steps, `[time, *neurons]`.
    """

    values: Floats
    valid: NDArray[np.bool_]
    samples: tuple[Floats, ...]


@st.composite
def ragged(
    draw: st.DrawFn,
    neurons: tuple[int, ...],
    *,
    levels: Sequence[float] = BINARY_LEVELS,
    filler: float = float("nan"),
    most_steps: int = 6,
) -> Ragged:
    """A batch of sequences of unequal length, padded anywhere with `filler`."""
    lengths = draw(st.lists(st.integers(0, most_steps), max_size=4))
    longest = max(lengths, default=0)
    whole = draw(spikes(longest, len(lengths), neurons, levels=levels))
    places, length = draw(paddings(longest, len(lengths)))
    values, valid = padded(whole, places, length, filler)
    for sample, own in enumerate(lengths):
        values[places[own:, sample], sample] = filler
        valid[places[own:, sample], sample] = False
    return Ragged(values, valid, tuple(whole[:own, n] for n, own in enumerate(lengths)))
