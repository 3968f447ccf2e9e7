"""Hypothesis strategies, all in one file."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from hypothesis import strategies as st
from numpy.typing import NDArray

# Small whole numbers make ties and zeros of both signs likely, as floats alone hardly do.
finite = st.one_of(
    st.integers(-3, 3).map(float),
    st.just(-0.0),
    st.floats(allow_nan=False, allow_infinity=False),
)
extended = st.one_of(finite, st.sampled_from([float("inf"), float("-inf")]))


def samples(elements: st.SearchStrategy[float]) -> st.SearchStrategy[list[float]]:
    """At least one value, and seldom the same number of them."""
    return st.lists(elements, min_size=1, max_size=30)


def histograms(
    values: st.SearchStrategy[float], most: int = 5
) -> st.SearchStrategy[list[tuple[float, int]]]:
    """Values with counts, some zero but not all; in no order, and a value may come twice."""
    pairs = st.lists(st.tuples(values, st.integers(0, most)), min_size=1, max_size=10)
    return pairs.filter(lambda found: any(count for _, count in found))


# k / m makes levels that fall exactly on an order statistic, or next to it by a rounding.
levels = st.one_of(
    st.floats(0, 1),
    st.tuples(st.integers(0, 40), st.integers(1, 40)).map(lambda pair: min(pair) / max(pair)),
)
some_levels = st.lists(levels, min_size=1, max_size=8)
eighths = st.integers(0, 8).map(lambda count: count / 8)


SPIKE_DTYPES = (
    torch.bool,
    torch.uint8,
    torch.int64,
    torch.float16,
    torch.bfloat16,
    torch.float32,
    torch.float64,
)
neuron_shapes = st.lists(st.integers(1, 4), max_size=3).map(tuple)


@dataclass(frozen=True)
class Stream:
    """Sequences of one layer, in order: what each emitted, `[time, batch, *neurons]`."""

    sequences: tuple[NDArray[np.float64], ...]
    neurons: tuple[int, ...]

    @property
    def flat(self) -> NDArray[np.float64]:
        """Every (time step, sample) pair, `[observations, *neurons]`."""
        return np.concatenate([s.reshape(-1, *self.neurons) for s in self.sequences])


@st.composite
def streams(draw: st.DrawFn, levels: tuple[float, ...] = (0.0, 1.0), most_steps: int = 6) -> Stream:
    """A few sequences of unequal length and batch size, silent and saturated neurons likely."""
    neurons = draw(neuron_shapes)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    rates = rng.choice([0.0, 0.2, 0.8, 1.0], size=neurons)
    sizes = draw(
        st.lists(st.tuples(st.integers(0, most_steps), st.integers(0, 4)), min_size=1, max_size=4)
    )
    sequences = []
    for steps, batch in sizes:
        fires = rng.random((steps, batch, *neurons)) < rates
        size = rng.choice([x for x in levels if x], size=fires.shape)
        sequences.append(np.where(fires, size, 0.0))
    return Stream(tuple(sequences), neurons)


@st.composite
def cuts(draw: st.DrawFn, steps: int) -> list[slice]:
    """A way to cut `steps` time steps into consecutive pieces."""
    edges = sorted(draw(st.sets(st.integers(1, max(1, steps - 1)), max_size=4)))
    edges = [edge for edge in edges if edge < steps]
    return [slice(a, b) for a, b in pairwise([0, *edges, steps])]


@st.composite
def paddings(draw: st.DrawFn, steps: int, batch: int) -> tuple[NDArray[np.int64], int]:
    """Where each sample's steps go in a padded batch, int64 `[steps, batch]`, and its length.

    Padding may come before, between and behind a sample's steps.
    """
    length = steps + draw(st.integers(0, 4))
    places = st.permutations(range(length)).map(lambda order: sorted(order[:steps]))
    columns = [draw(places) for _ in range(batch)]
    return np.array(columns, dtype=np.int64).reshape(batch, steps).T, length


def padded(
    values: NDArray[np.float64], places: NDArray[np.int64], length: int, filler: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """The values `[time, batch, *neurons]` at their places among the filler, and the mask."""
    batch = values.shape[1]
    wide = np.full((length, batch, *values.shape[2:]), filler)
    mask = np.zeros((length, batch), dtype=bool)
    for sample in range(batch):
        wide[places[:, sample], sample] = values[:, sample]
        mask[places[:, sample], sample] = True
    return wide, mask
