"""The one unit of activity in a page."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from neuroact.plots.figure import in_hertz, per_unit, unit_of
from neuroact.results.layer_activity import LayerActivity
from neuroact.table import number_text


@dataclass(frozen=True, slots=True)
class Unit:
    """The unit of activity: Hz if every layer is binary and has a `dt`, else per step.

    Attributes:
        hertz: whether it is Hz.
        text: in words.
    """

    hertz: bool
    text: str

    @classmethod
    def of(cls, layers: Iterable[LayerActivity], *, rates: bool = True) -> Unit:
        """The unit for these layers; never Hz without `rates`."""
        found = list(layers)
        hertz = rates and in_hertz(found)
        return cls(hertz, "Hz" if hertz else f"{unit_of(found)} per step")

    def factor(self, layer: LayerActivity) -> float:
        """From a layer's activity to the number shown."""
        return per_unit(layer, self.hertz)

    def number(self, value: float) -> str:
        """A number of this unit, in few characters.

        >>> from neuroact.html.unit import Unit
        >>> [Unit(True, "Hz").number(x) for x in (0.0, 0.12345, 352.8, 1000.0, 12345.6)]
        ['0', '0.1235', '352.8', '1,000', '12,346']
        """
        if not self.hertz:
            return number_text(value)
        return f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
