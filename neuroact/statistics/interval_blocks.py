"""Intervals between the spikes of a block of steps, read off one whole number per neuron.

A block packs up to `WIDTH` steps of a neuron into a number, bit k for step k. What lies between the
spikes inside a block depends on that number alone, so it is looked up; only the interval that
reaches into the block from before is worked out. About forty tensor operations serve twelve steps,
without a look at a value by the host, on any device.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import pairwise

import torch
from torch import Tensor

WIDTH = 12
"""Steps in a block: its tables have 2^12 rows."""

FRACTION_BITS = 44
"""Real-valued terms are counted in units of 2^-44, as whole numbers: their sum has the same bits in
any order. A term is rounded by less than one unit."""

# A neuron's terms of one block, below 11 · 3 · 2^44, must not overflow when summed over samples.
_MOST_SAMPLES = 2**13

# Columns of the table that are only ever summed.
_SUMMED = ("intervals", "sums", "squares", "pairs", "cv2_fraction", "lv_fraction")


def fixed_terms(one: Tensor, next_one: Tensor) -> tuple[Tensor, Tensor]:
    """What two adjacent intervals, int64, add to CV2 and to LV, in units of 2^-44, int64.

    `2 |a - b| / (a + b)` and `3 ((a - b) / (a + b))²`, worked out in float64. Where both are 0
    both terms are 0.
    """
    ratio = (one - next_one).abs().double().div_((one + next_one).clamp_(min=1))
    return _fixed(ratio * 2), _fixed(ratio * ratio * 3)


def count_block(
    words: Tensor,
    length: int,
    age: Tensor,
    last: Tensor,
    totals: Mapping[str, Tensor],
    inner: Tensor,
) -> None:
    """Count the intervals that end in a block.

    Args:
        words: the block, int64 `[batch, neurons]`.
        length: number of its steps, at most `WIDTH`.
        age: steps since each neuron's last spike, to the block's first step; 0 where there was no
            spike yet. Int64 `[batch, neurons]`, brought to the block's end in place.
        last: its last interval, 0 where there is none; likewise.
        totals: what is added to, by name: `histogram`, long enough, and per neuron the columns
            summed and their whole parts.
        inner: how often each word was seen, int64 `[2^WIDTH]`, added to: see `inner_histogram`.
    """
    if len(words) > _MOST_SAMPLES:
        for start in range(0, len(words), _MOST_SAMPLES):
            some = slice(start, start + _MOST_SAMPLES)
            count_block(words[some], length, age[some], last[some], totals, inner)
        return
    table = _tables(words.device)
    first, latest, first_gap, last_gap = table["ends"][words].unbind(-1)
    fired = words > 0
    crossing = (age + first).mul_(fired & (age > 0))  # the interval from before; 0: there is none
    ended = crossing > 0
    goes_on = ended & (first_gap > 0)
    follows = ended & (last > 0)
    cv2, lv = fixed_terms(crossing, first_gap)
    cv2_before, lv_before = fixed_terms(last, crossing)
    cv2 = cv2.mul_(goes_on).add_(cv2_before.mul_(follows))
    lv = lv.mul_(goes_on).add_(lv_before.mul_(follows))
    pairs = goes_on.sum(0).add_(follows.sum(0))
    found = (ended.sum(0), crossing.sum(0), crossing.square().sum(0), pairs, cv2.sum(0), lv.sum(0))
    within = table["summed"][words].sum(0)
    for number, (name, across) in enumerate(zip(_SUMMED, found, strict=True)):
        totals[name].view(-1).add_(within[:, number]).add_(across)
    carry(totals)
    ones = torch.ones(1, dtype=torch.int64, device=words.device).expand(words.numel())
    totals["histogram"].scatter_add_(0, crossing.reshape(-1), ones)
    totals["histogram"][:1].zero_()
    inner.scatter_add_(0, words.reshape(-1), ones)
    last.copy_(torch.where(last_gap > 0, last_gap, torch.where(ended, crossing, last)))
    age.copy_(torch.where(fired, length - latest, (age + length).mul_(age > 0)))


def inner_histogram(inner: Tensor) -> Tensor:
    """How often each interval, 0 to `WIDTH` - 1, lies inside the words seen, int64 `[WIDTH]`."""
    return (_tables(inner.device)["gaps"] * inner.unsqueeze(1)).sum(0)


def carry(totals: Mapping[str, Tensor]) -> None:
    """Bring whole ones from the sums' fractions to their whole parts."""
    for name in ("cv2", "lv"):
        fraction = totals[f"{name}_fraction"]
        totals[f"{name}_whole"].add_(fraction >> FRACTION_BITS)
        fraction.bitwise_and_((1 << FRACTION_BITS) - 1)


def _fixed(terms: Tensor) -> Tensor:
    return terms.mul_(2.0**FRACTION_BITS).round_().to(torch.int64)


@cache
def _tables(device: torch.device) -> dict[str, Tensor]:
    """What lies inside each word, by word.

    `ends` int64 `[2^WIDTH, 4]`: first and last spike, first and last interval, 0 where there is
    none. `summed` int64 `[2^WIDTH, 6]`: the columns of that name. `gaps` int64 `[2^WIDTH, WIDTH]`:
    how many intervals of each length.
    """
    with torch.inference_mode(False):
        ends = torch.zeros(2**WIDTH, 4, dtype=torch.int64)
        summed = torch.zeros(2**WIDTH, len(_SUMMED), dtype=torch.int64)
        gaps = torch.zeros(2**WIDTH, WIDTH, dtype=torch.int64)
        side = torch.arange(WIDTH).clamp_(min=1)
        cv2, lv = (t.tolist() for t in fixed_terms(side.unsqueeze(1), side.unsqueeze(0)))
        for word in range(1, 2**WIDTH):
            spikes = [k for k in range(WIDTH) if word >> k & 1]
            found = [b - a for a, b in pairwise(spikes)]
            ends[word] = torch.tensor(
                [spikes[0], spikes[-1], *((found or [0])[i] for i in (0, -1))]
            )
            terms = [[t[a][b] for a, b in pairwise(found)] for t in (cv2, lv)]
            row = [
                len(found),
                sum(found),
                sum(f * f for f in found),
                len(terms[0]),
                *map(sum, terms),
            ]
            summed[word] = torch.tensor(row)
            for gap in found:
                gaps[word, gap] += 1
        return {n: t.to(device) for n, t in (("ends", ends), ("summed", summed), ("gaps", gaps))}
