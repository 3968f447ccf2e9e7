"""Names and numbers as short text."""

from __future__ import annotations

import math
import re

import numpy as np
from numpy.typing import NDArray

from neuroact.results.binning import binned

Part = tuple[int, int]
"""How many, and among how many."""

BLOCKS = "▁▂▃▄▅▆▇█"
PLAIN_BLOCKS = "_.:-=+*#"
"""The same in ASCII, for encodings that lack the others."""


def shape_text(shape: tuple[int, ...]) -> str:
    """A shape as text: `2x3`, or `()` for one neuron without dimensions."""
    return "x".join(map(str, shape)) or "()"


def number_text(value: float) -> str:
    """A number in few characters: four decimals; `0` and `1` only if exact.

    >>> from neuroact.table import number_text
    >>> [number_text(x) for x in (0.0, 0.25, 2e-5, 0.99999, 1.0, 12345.6)]
    ['0', '0.2500', '2.0e-05', '>0.9999', '1', '1.235e+04']
    """
    if value in (0.0, 1.0):
        return str(int(value))
    if 0.99995 <= value < 1:
        return ">0.9999"
    if 0.001 <= abs(value) < 10_000 or math.isnan(value):
        return f"{value:.4f}"
    return f"{value:.1e}" if abs(value) < 1 else f"{value:.3e}"


def ratio_text(ratio: float) -> str:
    """A ratio as `number_text`; a dash if it is NaN, because there is none."""
    return "-" if math.isnan(ratio) else number_text(ratio)


def count_text(count: int | None) -> str:
    """A count with commas; a dash if it is None, because it would say nothing."""
    return "-" if count is None else f"{count:,}"


def percent_text(share: float) -> str:
    """A share in whole percent; `0 %` and `100 %` only if exact.

    >>> from neuroact.table.text import percent_text
    >>> [percent_text(x) for x in (0.0, 0.001, 0.07, 0.999, 1.0)]
    ['0 %', '<1 %', '7 %', '>99 %', '100 %']
    """
    if 0 < share < 0.01:
        return "<1 %"
    return ">99 %" if 0.99 < share < 1 else f"{100 * share:.0f} %"


def part_text(part: Part | None) -> str:
    """A count with its share; without the share if nothing is counted.

    It is a dash if the part is None, because it would say nothing.

    >>> from neuroact.table.text import part_text
    >>> [part_text(part) for part in ((9, 128), (0, 128), None)]
    ['9 (7 %)', '0', '-']
    """
    if part is None:
        return "-"
    count, among = part
    return f"{count:,} ({percent_text(count / among)})" if count else "0"


def share_text(share: float | None) -> str:
    """A share as `number_text`; a dash if it is None, because it would say nothing."""
    return "-" if share is None else number_text(share)


def folded(text: str, width: int) -> list[str]:
    """The text as lines of at most `width` cells, broken after dots if possible.

    >>> from neuroact.table import folded
    >>> folded("encoder.block1.lif", 10)
    ['encoder.', 'block1.lif']
    """
    from rich.cells import cell_len, chop_cells

    lines = [""]
    for part in re.split(r"(?<=\.)", text):
        if cell_len(lines[-1] + part) <= width:
            lines[-1] += part
        else:
            lines += chop_cells(part, width)
    return [line for line in lines if line] or [""]


def histogram_text(
    values: NDArray[np.float64], counts: NDArray[np.int64], blocks: str = PLAIN_BLOCKS
) -> str:
    """A histogram of eight characters, one for each bin from the smallest value to the largest.

    The fullest bin has the highest character. Only an empty bin has the lowest. One value alone is
    a full bin in the middle. Without values the text is a dash.

    Args:
        values: distinct values, ascending.
        counts: how often each occurs.
        blocks: eight characters, from empty to full.

    >>> import numpy as np
    >>> from neuroact.table.text import histogram_text
    >>> histogram_text(np.array([0.0, 0.1, 1.0]), np.array([90, 20, 1]))
    '#______.'
    """
    if len(values) == 0:
        return "-"
    bins = binned(values, 8, weights=counts)[0]
    heights = np.ceil(bins * (len(blocks) - 1) / bins.max()).astype(int)
    return "".join(blocks[height] for height in heights)
