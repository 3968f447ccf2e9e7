"""Counts interspike intervals by tensor operations, twelve steps at a time.

A word holds up to `WIDTH` steps of one neuron of one sample, bit k for step k. The intervals inside
a word depend on the word alone, so they are looked up. Only the interval that reaches into the word
from earlier steps is computed. So some sixty operations serve twelve steps, on any device, and the
host waits for none of them.

Lengths are float64, which holds whole numbers up to 2^53 exactly. Its arithmetic is several times
faster than that of int64, and than conditions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

WIDTH = 12
"""Steps of a word: the tables have 2^12 rows."""

FRACTION_BITS = 44
"""Real-valued terms are counted as whole numbers of units of 2^-44, so their sum has the same bits
in any order. Rounding changes a term by less than one unit."""

# A word's number of intervals, the sum of their squares and the number of their pairs are looked up
# as one number. Each of its three fields can hold the sum over 2^13 samples.
_FIELD = 20
_IN_FIELD = (1 << _FIELD) - 1


def terms(one: Tensor, next_one: Tensor) -> tuple[Tensor, Tensor]:
    """What two adjacent intervals add to CV2 and to LV, in units of 2^-44, whole numbers.

    The terms are `2 |a - b| / (a + b)` and `3 ((a - b) / (a + b))²`. Both are 0 where a length is
    0, since there is no pair. Float64 in and out.
    """
    ratio = (one - next_one).abs_().div_((one + next_one).clamp_(min=1))
    ratio.frac_()  # the ratio is 1 only where a length is 0
    squared = _rounded((ratio * ratio).mul_(3.0).mul_(2.0**FRACTION_BITS))
    return _rounded(ratio.mul_(2.0).mul_(2.0**FRACTION_BITS)), squared


def words_of(events: Tensor, places: Tensor) -> Tensor:
    """The words of at most `WIDTH` steps, int64 `[samples, neurons]`.

    Args:
        events: 1 or 0, float32 `[steps, samples, neurons]`.
        places: the bit of each step, int64 `[steps, samples]`; without meaning where a step is
            padding.
    """
    bits = places.clamp(0, WIDTH).to(torch.float32).exp2_().unsqueeze(2)
    words = torch.zeros_like(events[0])
    for event, bit in zip(events, bits, strict=True):
        words.addcmul_(event, bit)
    return words.to(torch.int64)


def add_words(
    words: Tensor,
    lengths: Tensor,
    age: Tensor,
    last: Tensor,
    totals: Mapping[str, Tensor],
    seen: Tensor,
) -> None:
    """Count the intervals that end in these words.

    Args:
        words: int64 `[samples, neurons]`, of at most 2^13 samples.
        lengths: steps in each sample's words, float64 `[samples]`.
        age: steps from each neuron's last spike to the words' first step; 0 if it has not fired.
            Float64 `[samples, neurons]`; updated in place to the words' end.
        last: each neuron's last interval, 0 if there is none; likewise.
        totals: the sums to add to, by name: `histogram`, long enough, and those of each neuron.
        seen: how often each word occurred, int64 `[2^WIDTH]`; added to, see `histogram_inside`.
    """
    tables, flat = _tables(words.device), words.reshape(-1)
    first, since, first_gap, last_gap, packed, cv2_inside, lv_inside = (
        table.index_select(0, flat).view(words.shape) for table in tables.words
    )
    fired, alive = words.clamp(max=1).double(), age.clamp(max=1)
    crossing = (age + first).mul_(alive).mul_(fired)  # the interval from before; 0 if none
    ended = crossing.clamp(max=1)
    pairs = (first_gap.clamp(max=1) + last.clamp(max=1)).mul_(ended)
    cv2, lv = terms(last, crossing)
    cv2_after, lv_after = terms(crossing, first_gap)
    inside = packed.sum(0)
    spans = fired.mul(WIDTH).sub_(since).sub_(first)  # from the first spike in the word to the last
    found: dict[str, tuple[Tensor | int, Tensor]] = {
        "intervals": (inside >> 2 * _FIELD, ended),
        "sums": (0, spans.add_(crossing)),
        "squares": (inside >> _FIELD & _IN_FIELD, crossing * crossing),
        "pairs": (inside & _IN_FIELD, pairs),
        # int64, since their sums may exceed 2^53.
        "cv2_fraction": (cv2_inside.sum(0), cv2.add_(cv2_after).to(torch.int64)),
        "lv_fraction": (lv_inside.sum(0), lv.add_(lv_after).to(torch.int64)),
    }
    for name, (within, across) in found.items():
        totals[name].view(-1).add_(within).add_(across.sum(0).to(torch.int64))
    ones = torch.ones(1, dtype=torch.int64, device=words.device).expand(flat.shape)
    totals["histogram"].scatter_add_(0, crossing.to(torch.int64).view(-1), ones)
    totals["histogram"][:1].zero_()
    seen.scatter_add_(0, flat, ones)
    # `last` becomes the last interval inside the word. If there is none, the one that ended in it.
    # If there is none either, it stays as it was.
    last.addcmul_(last, ended, value=-1).add_(crossing)
    last.addcmul_(last, last_gap.clamp(max=1), value=-1).add_(last_gap)
    steps = lengths.unsqueeze(1)
    age.addcmul_(alive, steps).addcmul_(age, fired, value=-1)
    age.add_(since).addcmul_(fired, steps - WIDTH)


def histogram_inside(seen: Tensor) -> Tensor:
    """How often each interval, 0 to `WIDTH` - 1, occurs inside the words seen, int64 `[WIDTH]`."""
    return (_tables(seen.device).gaps * seen.unsqueeze(1)).sum(0)


class _Tables(NamedTuple):
    """The intervals inside each word, by word; 0 where there is no such thing.

    Attributes:
        words: of each word, as float64: its first spike; the steps from its last spike to the full
            width; its first and its last interval. As int64: its intervals, their squares and their
            pairs, packed into one number; the sums of the terms of CV2 and of LV.
        gaps: number of intervals of each length, int64 `[2^WIDTH, WIDTH]`.
    """

    words: tuple[Tensor, ...]
    gaps: Tensor


@cache
def _tables(device: torch.device) -> _Tables:
    rows, gaps = [], []
    for word in range(2**WIDTH):
        spikes = [k for k in range(WIDTH) if word >> k & 1]
        found = [b - a for a, b in pairwise(spikes)]
        pairs = list(pairwise(found))
        packed = len(found) << 2 * _FIELD | sum(f * f for f in found) << _FIELD | len(pairs)
        ends = (spikes[0], WIDTH - spikes[-1]) if spikes else (0, 0)
        outer = (found[0], found[-1]) if found else (0, 0)
        ratios = [abs(a - b) / (a + b) for a, b in pairs]
        cv2, lv = _fixed(2.0 * r for r in ratios), _fixed(3.0 * (r * r) for r in ratios)
        rows.append([*ends, *outer, packed, cv2, lv])
        gaps.append([found.count(length) for length in range(WIDTH)])
    with torch.inference_mode(False):
        columns = torch.tensor(rows, device=device).T.contiguous().unbind()
        lengths = [column.double() for column in columns[:4]]
        return _Tables((*lengths, *columns[4:]), torch.tensor(gaps, device=device))


def _fixed(every: Iterable[float]) -> int:
    """The terms' sum in units of 2^-44, each term rounded as in `terms`."""
    return sum(round(term * 2.0**FRACTION_BITS) for term in every)


def _rounded(numbers: Tensor) -> Tensor:
    """Round numbers from 0 to 2^51 in place: from 2^52 on, every float64 is a whole number."""
    return numbers.add_(2.0**52).sub_(2.0**52)
