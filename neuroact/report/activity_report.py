"""What was measured: frozen, numpy only, the same whether live or read from a file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Self

from neuroact.errors import MissingOperationsError
from neuroact.printable import printable
from neuroact.report.operations_report import OperationsReport
from neuroact.results.layer_activity import LayerActivity
from neuroact.results.layers import Layers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from neuroact.files.columns import Per
    from neuroact.results.diagnosis import Verdict

__all__ = ["ActivityReport", "LayerActivity"]


class ActivityReport(Layers):
    """Figures of every recorded layer, by name, in the model's order.

    Printing it gives a table. Two reports are equal when their layers' counts are; the layers'
    order, and where and when they were made, does not count.

    Args:
        layers: the layers' figures.
        origin: where they come from: versions, model, time (see `neuroact.provenance`).
        not_called: recorded layers that were never called, so have no figures.
        operations: synaptic operations; None where they were not recorded.

    Raises:
        LayerNameError: two layers of one name.

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

    def _repr_html_(self) -> str:
        from neuroact.table import table_html

        return table_html(self)

    def __repr__(self) -> str:
        names = ", ".join(map(printable, self))
        return f"<neuroact.ActivityReport of {len(self)} layers: {names}>"

    @property
    def operations(self) -> OperationsReport:
        """Synaptic operations of the layers that take the spikes in, by name.

        Raises:
            MissingOperationsError: they were not recorded; says how.
        """
        if self.recorded_operations is None:
            raise MissingOperationsError
        return OperationsReport.of(self.recorded_operations)

    def diagnose(self, **thresholds: float) -> tuple[Verdict, ...]:
        """What is wrong with the layers: see `neuroact.results.diagnosis.diagnose`.

        Args:
            thresholds: `dead`, `saturated`, `fading`, `busy` or `bimodal`, where the default is
                not wanted.

        Raises:
            TypeError: a threshold of another name.
            ValueError: a threshold outside its range: shares are in [0, 1].
        """
        from neuroact.results.diagnosis import diagnose

        return diagnose(self, **thresholds)

    def to_dict(self) -> dict[str, Any]:
        """The report as plain JSON values; `from_dict` reads it back, to the bit.

        Results of the user's own statistics are not in it: only their author knows their form.
        """
        from neuroact.files.report_document import to_document

        return to_document(self)

    @classmethod
    def of(cls, layers: Layers) -> Self:
        """A report of layers that were read or found; a subclass gives one of its own kind."""
        return cls(
            layers.values(),
            origin=layers.origin,
            not_called=layers.not_called,
            operations=layers.recorded_operations,
        )

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Self:
        """The report that `to_dict` described.

        Raises:
            ReportFileError: the mapping is damaged, foreign, or of a newer schema.
        """
        from neuroact.files.report_reader import from_document

        return cls.of(from_document(document))

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """The report as JSON text; also written to `path`, whole or not at all, where given."""
        from neuroact.files.report_document import write

        return write(self.to_dict(), path)

    @classmethod
    def from_json(cls, source: str | os.PathLike[str]) -> Self:
        """The report in a file, or in a text that begins with `{`.

        Raises:
            ReportFileError: it is damaged, foreign, or of a newer schema.
        """
        from neuroact.files.json_document import read
        from neuroact.files.report_reader import from_document

        return cls.of(read(source, from_document))

    def to_html(self, path: str | os.PathLike[str] | None = None) -> str:
        """The report as one self-contained web page; also written to `path` where given.

        Verdicts first, then the table, which sorts and filters, plots (with the extra `plots`),
        each layer's details, definitions and origin. It fetches nothing. The file is written whole
        or not at all.
        """
        from neuroact.atomic_file import write_text
        from neuroact.html import report_page

        page = report_page(self)
        if path is not None:
            write_text(path, page)
        return page

    def to_frame(self, *, per: Per = "layer") -> Any:
        """One row a layer, or a neuron: a pandas data frame, or polars where pandas is missing.

        `neuroact.files.columns.columns_of` says which columns there are.

        Args:
            per: "layer" or "neuron".

        Raises:
            MissingExtraError: neither is installed; the extra `frames` brings pandas.
            ValueError: another `per`.
        """
        from neuroact.files.columns import to_frame

        return to_frame(self, per)

    def to_csv(self, path: str | os.PathLike[str] | None = None, *, per: Per = "layer") -> str:
        """The columns of `to_frame` as CSV text; also written to `path`, whole or not at all.

        Numbers are read back the same to the bit; what is NaN is an empty cell. A text that a
        spreadsheet would take for a formula gets a `'` before it.
        """
        from neuroact.atomic_file import write_text
        from neuroact.files.export import csv_text

        text = csv_text(self, per)
        if path is not None:
            write_text(path, text)
        return text

    def to_parquet(self, path: str | os.PathLike[str], *, per: Per = "layer") -> None:
        """The columns of `to_frame` as a Parquet file, written whole or not at all.

        What is NaN is a null. The file's metadata hold the report's origin as JSON, under the key
        `neuroact`.

        Raises:
            MissingExtraError: pyarrow is not installed; the extra `parquet` brings it.
        """
        from neuroact.files.export import write_parquet

        write_parquet(self, path, per)

    def plot(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        kind: str = "box",
        layer: str | None = None,
        ax: Axes | None = None,
    ) -> Axes:
        """Draw a picture of the report; needs the extra `plots`.

        ===========  =============================================================================
        kind         shows
        ===========  =============================================================================
        `box`        a box per layer of its neurons' average activity
        `violin`     a silhouette per layer: how many neurons have which activity
        `curve`      a curve per layer: its neurons' activity, the most active first
        `time`       activity at each time step, with its spread; needs `TimeCourse`
        `intervals`  a silhouette per layer of interspike intervals; needs `InterspikeIntervals`
        `neurons`    every neuron of one layer, where it is
        `raster`     the spikes of a sample in one layer; needs `Raster`
        ===========  =============================================================================

        Each is a function of `neuroact.plots`, where its definition and its options are.

        Args:
            path: image file to write, its format told by the ending; None to write none.
            kind: which picture.
            layer: name of the only layer to show; `neurons` and `raster` show one.
            ax: axes to draw into; None makes a figure of its own.

        Returns:
            The axes drawn into. Nothing is shown on a screen.

        Raises:
            ValueError: another kind, or another ending of the path.
            UnknownLayerError: the report has no such layer.
            MissingStatisticError: the picture needs a statistic that was not recorded; says how.
            MissingExtraError: matplotlib is not installed.
        """
        from neuroact.plots import draw, save_figure

        axes = draw(self, kind, layer=layer, ax=ax)
        if path is not None:
            save_figure(axes, path)
        return axes
