"""Results of statistics that pictures need, or an error that says how to record them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neuroact.activity import LayerActivity
from neuroact.errors import MissingStatisticError

if TYPE_CHECKING:
    from neuroact.report import ActivityReport


def results_of(report: ActivityReport, statistic: str) -> dict[str, Any]:
    """Results of a statistic by the layer's name; layers without are left out.

    Raises:
        MissingStatisticError: no layer has any.
    """
    found = {name: x.results[statistic] for name, x in report.items() if statistic in x.results}
    if not found:
        raise MissingStatisticError(statistic)
    return found


def result_of(layer: LayerActivity, statistic: str) -> Any:
    """Result of a statistic of one layer.

    Raises:
        MissingStatisticError: it has none.
    """
    if statistic not in layer.results:
        raise MissingStatisticError(statistic, layer=layer.name)
    return layer.results[statistic]


def time_unit(longest: float) -> tuple[float, str]:
    """What seconds are multiplied by to be shown, and the unit's name."""
    return (1000.0, "ms") if longest < 1 else (1.0, "s")
