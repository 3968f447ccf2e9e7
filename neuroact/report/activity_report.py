"""The report: what was measured in all layers. Live or read from a file, it is the same."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from neuroact.errors import MissingOperationsError
from neuroact.report.operations_report import OperationsReport
from neuroact.results.layer_activity import LayerActivity
from neuroact.results.layers import Layers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from neuroact.energy import OperationCosts
    from neuroact.files.columns import Per
    from neuroact.results.diagnosis import Diagnosis
    from neuroact.table import ReportTable

__all__ = ["ActivityReport", "LayerActivity"]


class ActivityReport(Layers):
    """What every recorded layer did, by the layer's name or position, in the model's order.

    Printing it gives a table. `report["lif"]` is the layer of that name, `report[0]` the first one,
    `report[-1]` the last. Keys are names: so are what `in`, `get` and loops know.

    Two reports are equal if their layers' counts are equal. The order of the layers and the origin
    do not matter.

    Args:
        layers: the layers.
        origin: where they come from: versions, model, time (see `neuroact.report.provenance`).
        not_called: names of recorded layers that were never called, and so have no figures.
        operations: synaptic operations; None if they were not recorded.

    Raises:
        LayerNameError: two layers have the same name.

    >>> import torch
    >>> from neuroact import Recording
    >>> recording = Recording()
    >>> recording.observe("lif", torch.tensor([[[1, 0, 1]], [[1, 0, 0]]]))
    >>> report = recording.report()
    >>> list(report), report["lif"].activity.tolist(), report["lif"].dead
    (['lif'], [1.0, 0.0, 0.5], 1)
    """

    def __str__(self) -> str:
        from neuroact.table import table_text

        return table_text(self)

    def table(self, *, fold: bool | None = None, legend: bool = False) -> ReportTable:
        """The table that printing the report gives, with other options.

        Args:
            fold: True for a row per module, False for a row per layer. None: more than 24 layers
                are folded by module.
            legend: whether the notes below also explain the table's words.

        Returns:
            The table. It shows itself: printed, at a prompt, or in a notebook.
        """
        from neuroact.table import ReportTable, terminal_blocks

        return ReportTable(self, fold=fold, legend=legend, blocks=terminal_blocks())

    def _repr_html_(self) -> str:
        from neuroact.table import table_html

        return table_html(self)

    @property
    def operations(self) -> OperationsReport:
        """Synaptic operations of the layers that take the spikes in, by name.

        Raises:
            MissingOperationsError: they were not recorded; says how.
        """
        if self.recorded_operations is None:
            raise MissingOperationsError
        return OperationsReport.of(self.recorded_operations)

    def diagnose(self, **thresholds: float) -> Diagnosis:
        """What is wrong with the layers; see `neuroact.results.diagnosis.diagnose`.

        Args:
            thresholds: your own thresholds for `dead`, `saturated`, `fading`, `busy`, `bimodal`,
                `dead_channels`, `saturating`, `vanishing` or `exploding`.

        Returns:
            The verdicts, the most severe first. Printed, it is a line for each; without one, it
            says which layer came closest to being dead. docs/reference/verdicts.md has the rule of
            each, and what to do.

        Raises:
            TypeError: there is no threshold of that name.
            ThresholdError: a ValueError; a threshold is out of its range. Shares are in [0, 1].
        """
        from neuroact.results.diagnosis import diagnose

        return diagnose(self, **thresholds)

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON values. `from_dict` reads it back to the bit.

        It leaves out results of a user's own statistics: only their author knows their form.
        """
        from neuroact.files.report_document import to_document

        return to_document(self)

    @classmethod
    def of(cls, layers: Layers) -> Self:
        """A report of the given layers; of a subclass, if called on one."""
        return cls(
            layers.values(),
            origin=layers.origin,
            not_called=layers.not_called,
            operations=layers.recorded_operations,
        )

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """Read back what `to_dict` gave.

        Raises:
            ReportFileError: the mapping is damaged, not a report, or of a newer schema version.
        """
        from neuroact.files.report_reader import from_document

        return cls.of(from_document(document))

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """The report as JSON text. With a `path`, also write it there, whole or not at all."""
        from neuroact.files.report_document import write

        return write(self.to_dict(), path)

    @classmethod
    def from_json(cls, source: str | os.PathLike[str]) -> Self:
        """Read a report from a JSON file, or from a JSON text that begins with `{`.

        Raises:
            ReportFileError: it is damaged, not a report, or of a newer schema version.
        """
        from neuroact.files.json_document import read
        from neuroact.files.report_reader import from_document

        return cls.of(read(source, from_document))

    def to_html(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        costs: OperationCosts | None = None,
        title: str | None = None,
    ) -> str:
        """The report as one self-contained web page. With a `path`, also write it there.

        The page has verdicts, a table that sorts and filters, plots, synaptic operations if they
        were recorded, each layer's details, definitions and the origin. It fetches nothing and
        needs no extra. The file is written whole or not at all.

        Args:
            path: the file to write; None to write none.
            costs: what an operation costs, to add an estimate of energy; see `neuroact.energy`.
            title: the page's title. None: the model's name.

        Raises:
            MissingOperationsError: `costs` are given, and operations were not recorded.
            TypeError: the costs are no `OperationCosts`.
        """
        from neuroact.atomic_file import write_text
        from neuroact.html import report_page

        page = report_page(self, costs, title)
        if path is not None:
            write_text(path, page)
        return page

    def to_frame(self, *, per: Per = "layer") -> Any:
        """A data frame with one row per layer or neuron: pandas, or polars without pandas.

        `neuroact.files.columns.columns_of` lists the columns.

        Args:
            per: "layer" or "neuron".

        Raises:
            MissingExtraError: neither pandas nor polars is installed. The extra `frames` installs
                pandas.
            ValueError: `per` is neither "layer" nor "neuron".
        """
        from neuroact.files.columns import to_frame

        return to_frame(self, per)

    def to_csv(self, path: str | os.PathLike[str] | None = None, *, per: Per = "layer") -> str:
        """The columns of `to_frame` as CSV text. With a `path`, also write it there.

        The file is written whole or not at all. Numbers are read back to the bit. NaN is an empty
        cell. A text that a spreadsheet would take for a formula gets a `'` in front.
        """
        from neuroact.atomic_file import write_text
        from neuroact.files.columns import columns_of
        from neuroact.files.export import csv_text

        text = csv_text(columns_of(self, per))
        if path is not None:
            write_text(path, text)
        return text

    def to_parquet(self, path: str | os.PathLike[str], *, per: Per = "layer") -> None:
        """Write the columns of `to_frame` as a Parquet file, whole or not at all.

        NaN is a null. The file's metadata hold the report's origin as JSON under the key
        `neuroact`.

        Raises:
            MissingExtraError: pyarrow is not installed. The extra `parquet` installs it.
        """
        from neuroact.files.columns import columns_of
        from neuroact.files.export import write_parquet

        write_parquet(
            columns_of(self, per),
            path,
            purpose="ActivityReport.to_parquet()",
            origin=self.to_dict()["origin"],
        )

    def plot(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        kind: str = "box",
        layer: str | None = None,
        layers: str | Sequence[str] | None = None,
        order: str = "model",
        colors: str | Sequence[str] | Mapping[str, str] | None = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Draw a picture of the report. It needs the extra `plots`.

        =============  ===========================================================================
        kind           shows
        =============  ===========================================================================
        `box`          a box per layer of its neurons' average activity
        `violin`       a silhouette per layer: how many neurons have which activity
        `curve`        a curve per layer: its neurons' activity, the most active first
        `time`         activity at each time step, with its spread; needs `TimeCourse`
        `intervals`    a silhouette per layer of interspike intervals; needs `InterspikeIntervals`
        `signal`       a silhouette per layer of all its values; needs `Signal`
        `signal-time`  the mean value at each time step, with its spread; needs `Signal`
        `neurons`      every neuron of one layer at its place
        `raster`       the spikes of one sequence in one layer; needs `Raster`
        `classes`      what each neuron of one layer does for each class; needs `ClassActivity`
        `operations`   a bar per layer of its synaptic operations; needs `operations=True`
        =============  ===========================================================================

        Each is also a function of `neuroact.plots`, with its definition and more options.

        Args:
            path: image file to write, in the format of its ending; None to write none.
            kind: which picture.
            layer: name of the only layer to show. `neurons`, `raster` and `classes` show one layer.
                For `operations`, of a layer that the spikes go into.
            layers: names or globs of the layers to show, such as `"encoder.*"` or a list of them.
                None: all.
            order: of the layers: "model"; "name"; or a figure such as "mean" or "dead", the largest
                first.
            colors: a colour for all layers, one for each layer drawn, or some by name or glob, as
                `{"encoder.*": "orange"}`. Only where a colour stands for a layer.
            ax: axes to draw into; None makes a figure of its own.

        Returns:
            The axes drawn into. Nothing is shown on a screen.

        Raises:
            ValueError: there is no such kind, format or order; a picture of one layer is asked of
                several; or colours fit neither the kind nor the layers.
            UnknownLayerError: the report has no such layer.
            MissingStatisticError: the picture needs a statistic that was not recorded. The message
                says how to record it.
            MissingOperationsError: the same for operations.
            MissingExtraError: matplotlib is not installed.
        """
        from neuroact.plots import draw, save_figure

        axes = draw(self, kind, layer=layer, layers=layers, order=order, colors=colors, ax=ax)
        if path is not None:
            save_figure(axes, path)
        return axes
