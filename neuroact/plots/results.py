"""The statistics' results that pictures need, or an error that says how to record them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuroact.errors import MissingStatisticError
from neuroact.plots.figure import in_hertz
from neuroact.results.layer_activity import LayerActivity

if TYPE_CHECKING:
    from neuroact.results.layers import Layers


def results_of(report: Layers, statistic: str) -> dict[str, Any]:
    """Results of a statistic by the layer's name. Layers without a result are left out.

    Raises:
        MissingStatisticError: no layer has a result.
    """
    found = {name: x.results[statistic] for name, x in report.items() if statistic in x.results}
    if not found:
        raise MissingStatisticError(statistic)
    return found


def drawn_layers(report: Layers, names: Iterable[str]) -> tuple[list[LayerActivity], list[str]]:
    """The layers of these names that have figures; and the names of all others, called or not."""
    layers = [report[name] for name in names if report[name].problem is None]
    drawn = {layer.name for layer in layers}
    return layers, [name for name in (*report, *report.not_called) if name not in drawn]


def result_of(layer: LayerActivity, statistic: str) -> Any:
    """One layer's result of a statistic.

    Raises:
        MissingStatisticError: the layer has none.
    """
    if statistic not in layer.results:
        raise MissingStatisticError(statistic, layer=layer.name)
    return layer.results[statistic]


MOST_BINS = 1000
"""Largest number of bins of time drawn: about one for each pixel of a column of a paper."""


def step_bins(longest: int, width: int = 1) -> NDArray[np.int64]:
    """Edges of at most `MOST_BINS` bins of time, in steps, int64 `[bins + 1]`.

    Args:
        longest: steps to cover. The last bin may reach beyond them.
        width: of what is binned, in steps. A bin has a whole number of them.

    >>> from neuroact.plots.results import step_bins
    >>> step_bins(3).tolist(), step_bins(2500)[:3].tolist()
    ([0, 1, 2, 3], [0, 3, 6])
    """
    wide = width * max(1, -(-longest // (width * MOST_BINS)))
    return np.arange(-(-longest // wide) + 1) * wide


@dataclass(frozen=True, slots=True)
class TimeAxis:
    """A time axis: in seconds if all layers have the same `dt`, else in steps.

    Attributes:
        tick: length of a step on the axis.
        unit: of the axis: "steps", "ms" or "s".
        label: what the axis shows, with the unit.
        hertz: whether activities are shown in Hz with it.
    """

    tick: float
    unit: str
    label: str
    hertz: bool

    def length(self, steps: int) -> str:
        """So many steps in words: in ms if shorter than a second.

        >>> from neuroact.plots.results import TimeAxis
        >>> TimeAxis(0.001, "s", "time (s)", hertz=True).length(20)
        '20 ms'
        """
        long, unit = steps * self.tick, self.unit
        if unit == "s" and long < 1:
            long, unit = 1000 * long, "ms"
        return f"{long:g} {unit[:-1] if unit == 'steps' and steps == 1 else unit}"

    def binned(self, edges: NDArray[np.int64]) -> str:
        """The label, and how wide bins with these edges are if they are more than a step."""
        wide = int(edges[1]) if len(edges) > 1 else 1
        return self.label + (f", in bins of {self.length(wide)}" if wide > 1 else "")

    @classmethod
    def of(cls, layers: Sequence[LayerActivity], steps: int, what: str = "time") -> TimeAxis:
        """The axis for a number of steps of these layers. Below 1 s it shows milliseconds."""
        step = layers[0].dt if len({layer.dt for layer in layers}) == 1 else None
        if step is None:
            return cls(1.0, "steps", f"{what} (steps)", hertz=False)
        scale, unit = (1000.0, "ms") if steps * step < 1 else (1.0, "s")
        return cls(step * scale, unit, f"{what} ({unit})", hertz=in_hertz(layers))
