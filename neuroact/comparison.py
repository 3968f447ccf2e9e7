"""What a comparison of reports comes to: frozen, from the reports' own figures."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from neuroact.activity import LayerActivity
from neuroact.distance import wasserstein
from neuroact.errors import UnknownLayerError
from neuroact.naming import nearest
from neuroact.printable import printable
from neuroact.report import ActivityReport
from neuroact.table import why_no_figures

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SCHEMA = "neuroact.comparison"
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class Difference:
    """A layer's figures in a report, less its figures in the first report.

    NaN, and None for counts of neurons, where the layer has no figures in one of the two.

    Attributes:
        mean: of the mean activity, in spikes (or values) per neuron and step.
        std: of the standard deviation over neurons.
        q1: of the first quartile.
        median: of the median.
        q3: of the third quartile.
        sparsity: of the share of zeros.
        dead: of the number of dead neurons.
        saturated: of the number of saturated neurons.
        dead_share: of the share of neurons that are dead; for layers of unequal size.
        saturated_share: of the share of neurons that are saturated.
        distance: 1-Wasserstein distance between the distributions of the neurons' activity, see
            `neuroact.distance.wasserstein`; 0 only where they are the same.
    """

    mean: float
    std: float
    q1: float
    median: float
    q3: float
    sparsity: float
    dead: int | None
    saturated: int | None
    dead_share: float
    saturated_share: float
    distance: float

    @classmethod
    def between(cls, first: LayerActivity, other: LayerActivity) -> Difference:
        """The other's figures less the first's."""
        figures = ("mean", "std", "q1", "median", "q3", "sparsity")
        less = {name: getattr(other, name) - getattr(first, name) for name in figures}
        measured = why_no_figures(first) is None is why_no_figures(other)
        counts: dict[str, Any] = {}
        for name in ("dead", "saturated"):
            here, there = getattr(first, name), getattr(other, name)
            counts[name] = there - here if measured else None
            counts[f"{name}_share"] = (
                there / other.neurons - here / first.neurons if measured else math.nan
            )
        apart = wasserstein(*first.activity_counts, *other.activity_counts)
        return cls(**less, **counts, distance=apart)


FIGURES = tuple(field.name for field in fields(Difference))


@dataclass(frozen=True)
class LayerComparison:
    """One layer in the reports that have it.

    Attributes:
        name: in the first report.
        layers: the layer's figures by the report's label; the first report's come first.
    """

    name: str
    layers: Mapping[str, LayerActivity]

    @property
    def first(self) -> LayerActivity:
        """The layer in the first report."""
        return next(iter(self.layers.values()))

    @cached_property
    def differences(self) -> Mapping[str, Difference]:
        """The differences from the first report, by the other report's label."""
        _, *others = self.layers.items()
        return MappingProxyType(
            {label: Difference.between(self.first, layer) for label, layer in others}
        )


class Comparison(Mapping[str, LayerComparison]):
    """Reports compared with the first of them, by the layer's name in it.

    Made by `neuroact.compare`. Printing it gives a table.

    Args:
        reports: by label, the first one first.
        layers: what was matched.
    """

    def __init__(
        self, reports: Mapping[str, ActivityReport], layers: Iterable[LayerComparison]
    ) -> None:
        self.reports: Mapping[str, ActivityReport] = MappingProxyType(dict(reports))
        self._layers = {layer.name: layer for layer in layers}

    @property
    def labels(self) -> tuple[str, ...]:
        """The reports' labels, the first report's first."""
        return tuple(self.reports)

    @cached_property
    def unmatched(self) -> Mapping[str, tuple[str, ...]]:
        """Layers that were matched with none, by the label of their report; none left out.

        Of the first report those that no other has.
        """
        matched: dict[str, set[str]] = {label: set() for label in self.reports}
        for entry in self._layers.values():
            for label, layer in entry.layers.items():
                matched[label].add(layer.name)
        return MappingProxyType(
            {
                label: alone
                for label, report in self.reports.items()
                if (alone := tuple(name for name in report if name not in matched[label]))
            }
        )

    def __getitem__(self, name: str) -> LayerComparison:
        """The layer of that name in the first report.

        Raises:
            KeyError: none was matched; the message shows the nearest names.
        """
        try:
            return self._layers[name]
        except KeyError:
            raise UnmatchedLayerError(name, tuple(self._layers)) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._layers)

    def __len__(self) -> int:
        return len(self._layers)

    def __str__(self) -> str:
        from neuroact.table.comparison import comparison_text

        return comparison_text(self)

    def _repr_html_(self) -> str:
        from neuroact.table.comparison import comparison_html

        return comparison_html(self)

    def __repr__(self) -> str:
        labels = ", ".join(map(printable, self.labels))
        return f"<neuroact.Comparison of {len(self)} layers in {labels}>"

    def to_dict(self) -> dict[str, Any]:
        """The comparison as plain JSON values; what is not a number is None."""
        return {
            "schema": SCHEMA,
            "schema_version": SCHEMA_VERSION,
            "labels": list(self.labels),
            "unmatched": {label: list(names) for label, names in self.unmatched.items()},
            "not_called": {
                label: list(report.not_called)
                for label, report in self.reports.items()
                if report.not_called
            },
            "layers": [
                {
                    "name": entry.name,
                    "names": {label: layer.name for label, layer in entry.layers.items()},
                    "differences": {
                        label: {name: _number(value) for name, value in asdict(less).items()}
                        for label, less in entry.differences.items()
                    },
                }
                for entry in self._layers.values()
            ],
        }

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """The comparison as JSON text; also written to `path`, whole or not at all."""
        from neuroact.files import write_text

        text = json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n"
        if path is not None:
            write_text(path, text)
        return text

    def to_html(self, path: str | os.PathLike[str] | None = None) -> str:
        """The comparison as one self-contained web page; also written to `path` where given.

        What differs most first, then a table that sorts and filters, the picture (with the extra
        `plots`), definitions, and the origin of each report. It fetches nothing. The file is
        written whole or not at all.
        """
        from neuroact.files import write_text
        from neuroact.html import comparison_page

        page = comparison_page(self)
        if path is not None:
            write_text(path, page)
        return page

    def to_frame(self) -> Any:
        """One row for each layer and report after the first; pandas, or polars without pandas.

        Columns: `layer`, its name in the first report; `first` and `report`, the labels; `name`,
        its name in that report; the fields of `Difference`.

        Raises:
            MissingExtraError: neither is installed.
        """
        from neuroact.frame import data_frame

        rows = [
            (entry.name, self.labels[0], label, entry.layers[label].name, *_values(less))
            for entry in self._layers.values()
            for label, less in entry.differences.items()
        ]
        heads = ("layer", "first", "report", "name", *FIGURES)
        columns = {head: [row[at] for row in rows] for at, head in enumerate(heads)}
        return data_frame(columns, purpose="Comparison.to_frame()")

    def plot(self, path: str | os.PathLike[str] | None = None, *, ax: Axes | None = None) -> Axes:
        """Boxes of each layer's neurons in each report; needs the extra `plots`.

        Args:
            path: image file to write, its format told by the ending; None to write none.
            ax: axes to draw into; None makes a figure of its own.

        Returns:
            The axes drawn into. Nothing is shown on a screen.
        """
        from neuroact.plots import comparison_plot, save_figure

        axes = comparison_plot(self, ax=ax)
        if path is not None:
            save_figure(axes, path)
        return axes


class UnmatchedLayerError(UnknownLayerError, KeyError):
    """A comparison was asked for a layer that it has not."""

    def __init__(self, name: str, names: tuple[str, ...]) -> None:
        found = ", ".join(names)
        super().__init__(
            f"no layer {name!r} of the first report was matched.{nearest(name, names)} "
            f"There are: {found}",
            layer=name,
        )

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would show the message quoted


def _values(difference: Difference) -> tuple[Any, ...]:
    return tuple(getattr(difference, name) for name in FIGURES)


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
