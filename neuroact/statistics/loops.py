"""Counting as loops compiled by numba, which this module needs; `native` says when it is used.

Two kinds: those that run at each step take addresses, since handing over arrays would cost more
than the counting of a small layer; those that run once a block take arrays.
"""

# numba's own names are half typed.
# mypy: disable-error-code="untyped-decorator,no-any-return,no-untyped-call,attr-defined"

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba import types
from numba.core.errors import NumbaError
from numba.extending import intrinsic as _intrinsic
from numpy.typing import NDArray


def intrinsic(function: Callable[[Any, Any], Any]) -> Any:
    """What a compiled function calls as if it took one argument: code for the processor."""
    return _intrinsic(function)


def compiled(function: Callable[..., Any]) -> Any:
    """The function as a compiled one; what was compiled is kept on the disk for the next time."""
    try:
        return numba.njit(cache=True)(function)
    except (RuntimeError, NumbaError):  # there is no folder to keep it in
        return numba.njit(function)


@intrinsic
def _floats(typing: Any, address: Any) -> Any:
    return _pointer(types.float32, address)


@intrinsic
def _words(typing: Any, address: Any) -> Any:
    return _pointer(types.uint32, address)


@intrinsic
def _counts(typing: Any, address: Any) -> Any:
    return _pointer(types.int32, address)


def _pointer(to: Any, address: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.CPointer(to)(address), generate


@intrinsic
def _bits(typing: Any, word: Any) -> Any:
    """How many bits of a word are set."""
    return types.uint32(types.uint32), lambda _, builder, __, given: builder.ctpop(given[0])


@intrinsic
def _lowest(typing: Any, word: Any) -> Any:
    """Which is the lowest bit that is set, of a word that is not 0."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        return builder.cttz(given[0], context.get_constant(types.boolean, False))

    return types.uint64(types.uint64), generate


@compiled
def pack(values: int, words: int, sums: int, step: int, batch: int, neurons: int) -> bool:
    """Write a step as a bit of each word, and how many of each sample's values are not 0.

    Args:
        values: address of float32 `[batch, neurons]`.
        words: address of uint32 `[2, batch, neurons]`: of 32 steps, and of the 32 after.
        sums: address of int32 `[64, batch]`.
        step: number of the step, 0 to 63.
        batch: number of samples.
        neurons: number of neurons.

    Returns:
        Whether a value was neither 0 nor 1. The step is not in the words then.
    """
    come = numba.carray(_floats(values), (batch, neurons))
    kept = numba.carray(_words(words), (2, batch, neurons))[step >> 5]
    found = numba.carray(_counts(sums), (64, batch))[step]
    bit, odd = step & 31, np.int32(0)
    for sample in range(batch):
        events, ones = np.int32(0), np.int32(0)
        for neuron in range(neurons):
            value = come[sample, neuron]
            event = np.int32(value != 0)
            kept[sample, neuron] |= np.uint32(event << bit)
            events += event
            ones += np.int32(value == 1)
        found[sample] = events
        odd |= events ^ ones
    if odd != 0:
        for sample in range(batch):
            for neuron in range(neurons):
                kept[sample, neuron] &= ~np.uint32(1 << bit)
    return odd != 0


@compiled
def add_events(words: NDArray[np.uint32], events: NDArray[np.int64]) -> None:
    """Add to each neuron's events, `[neurons]`, the bits of its words, `[batch, neurons]`."""
    for sample in range(words.shape[0]):
        for neuron in range(words.shape[1]):
            events[neuron] += _bits(words[sample, neuron])


@compiled
def add_counts(words: NDArray[np.uint32], window: NDArray[np.float32]) -> None:
    """Add to each number of a window, `[batch, neurons]`, the bits of its word."""
    for sample in range(words.shape[0]):
        for neuron in range(words.shape[1]):
            window[sample, neuron] += np.float32(_bits(words[sample, neuron]))


@compiled
def add_distribution(
    window: NDArray[np.float32],
    most: int,
    histogram: NDArray[np.int64],
    sums: NDArray[np.int64],
    squares: NDArray[np.int64],
) -> None:
    """Count each number of a window, `[batch, neurons]`, up to `most`; and by neuron, squared too.

    As `stepwise.whole` makes them whole: a NaN is 0, and none is below 0 or above `most`.
    """
    for sample in range(window.shape[0]):
        for neuron in range(window.shape[1]):
            value = window[sample, neuron]
            count = np.int64(min(value, np.float32(most))) if value > 0 else np.int64(0)
            histogram[count] += 1
            sums[neuron] += count
            squares[neuron] += count * count


@compiled
def add_first(
    words: NDArray[np.uint32], fired: NDArray[np.float32], first: NDArray[np.int64]
) -> None:
    """Count who fires first at which step, int64 `[steps]`; `fired` is 1 where one did, else 0."""
    for sample in range(words.shape[0]):
        for neuron in range(words.shape[1]):
            word = words[sample, neuron]
            if word != 0 and fired[sample, neuron] == 0:
                fired[sample, neuron] = 1
                first[_lowest(word)] += 1


@compiled
def add_steps(
    sums: NDArray[np.int32], events: NDArray[np.int64], squares: NDArray[np.int64]
) -> None:
    """Add to each step's events and squares, `[steps]`, those of its samples, `[steps, batch]`."""
    for step in range(sums.shape[0]):
        for sample in range(sums.shape[1]):
            found = np.int64(sums[step, sample])
            events[step] += found
            squares[step] += found * found


@compiled
def add_to_histogram(sums: NDArray[np.int32], histogram: NDArray[np.int64]) -> None:
    """Count each number of `[steps, batch]` into the bin of its own."""
    for step in range(sums.shape[0]):
        for sample in range(sums.shape[1]):
            histogram[sums[step, sample]] += 1


_FRACTION = 2.0**44  # what a term is counted in units of, see `interval_blocks`
_SHORT = 32

_one, _next = np.arange(_SHORT)[:, None], np.arange(_SHORT)
_ratio = np.abs(_one - _next) / np.maximum(_one + _next, 1)
# What most pairs of adjacent intervals add to CV2 and to LV: to divide takes longer.
_CV2 = np.rint(_ratio * 2.0 * _FRACTION).astype(np.int64)
_LV = np.rint(_ratio * _ratio * 3.0 * _FRACTION).astype(np.int64)


@compiled
def add_intervals(
    words: NDArray[np.uint32],
    lengths: NDArray[np.float64],
    age: NDArray[np.float64],
    last: NDArray[np.float64],
    histogram: NDArray[np.int64],
    intervals: NDArray[np.int64],
    sums: NDArray[np.int64],
    squares: NDArray[np.int64],
    pairs: NDArray[np.int64],
    cv2: NDArray[np.int64],
    lv: NDArray[np.int64],
) -> None:
    """`interval_blocks.count_block`, of words of one or two planes, `[planes, batch, neurons]`."""
    for sample in range(words.shape[1]):
        length = np.int64(lengths[sample])
        for neuron in range(words.shape[2]):
            word = np.uint64(words[0, sample, neuron])
            if words.shape[0] > 1:
                word |= np.uint64(words[1, sample, neuron]) << np.uint64(32)
            since = np.int64(age[sample, neuron])
            if word == 0:
                if since > 0:
                    age[sample, neuron] = since + length
                continue
            before = np.int64(last[sample, neuron])
            spike = np.int64(-since)
            if since == 0:
                spike = np.int64(_lowest(word))
                word &= word - np.uint64(1)
            first, number, adjacent, square = spike, 0, 0, np.int64(0)
            terms, squared_terms = np.int64(0), np.int64(0)
            while word:
                next_spike = np.int64(_lowest(word))
                word &= word - np.uint64(1)
                interval = next_spike - spike
                spike = next_spike
                histogram[interval] += 1
                number += 1
                square += interval * interval
                if before > 0:
                    if before < _SHORT and interval < _SHORT:
                        terms += _CV2[before, interval]
                        squared_terms += _LV[before, interval]
                    else:
                        ratio = np.float64(abs(before - interval)) / np.float64(before + interval)
                        terms += np.int64(np.rint(ratio * 2.0 * _FRACTION))
                        squared_terms += np.int64(np.rint(ratio * ratio * 3.0 * _FRACTION))
                    adjacent += 1
                before = interval
            age[sample, neuron] = length - spike
            last[sample, neuron] = before
            intervals[neuron] += number
            sums[neuron] += spike - first
            squares[neuron] += square
            pairs[neuron] += adjacent
            cv2[neuron] += terms
            lv[neuron] += squared_terms
