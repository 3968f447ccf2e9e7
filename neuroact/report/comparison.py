"""Compare reports layer by layer."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from neuroact.card import came
from neuroact.errors import ComparisonError, MissingOperationsError
from neuroact.report.activity_report import ActivityReport
from neuroact.report.history import History
from neuroact.results.compared_layers import (
    DIFFERENCES,
    ComparedLayers,
    Difference,
    LayerComparison,
)
from neuroact.results.compared_operations import ComparedOperations, OperationsComparison
from neuroact.results.layer_activity import LayerActivity
from neuroact.results.layers import Layers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from neuroact.table.comparison import ComparisonTable

LayerMap = Mapping[str, str | Sequence[str]]


class _Named(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def aliases(self) -> tuple[str, ...]: ...


Entry = TypeVar("Entry", bound=_Named)


class Comparison(ComparedLayers):
    """Reports compared with the first of them, by the layer's name in the first.

    `neuroact.compare` makes it. Printing it gives a table. `comparison["lif"]` is the layer of that
    name, `comparison[0]` the first one.

    Args:
        reports: the reports by label, the first one first.
        layers: the matched layers.
        operations: the reports' synaptic operations; None if they are not compared.
    """

    def __str__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def table(self, *, legend: bool = False) -> ComparisonTable:
        """The table that printing the comparison gives; with `legend`, its words are explained.

        It shows itself: printed, at a prompt, or in a notebook.
        """
        from neuroact.table.comparison import ComparisonTable

        return ComparisonTable(self, legend=legend)

    @property
    def operations(self) -> ComparedOperations:
        """Synaptic operations of the reports that have them, by the layer's name in the first.

        Raises:
            MissingOperationsError: the first report, or every other one, was made without them.
        """
        if self.recorded_operations is None:
            raise MissingOperationsError
        return self.recorded_operations

    def to_dict(self) -> dict[str, Any]:
        """The comparison with its reports as plain JSON values. `from_dict` reads it back.

        It leaves out results of a user's own statistics: only their author knows their form.
        """
        from neuroact.files.labelled_reports import comparison_document

        return comparison_document(self)

    @classmethod
    def from_dict(cls, document: Any) -> Self:
        """Read back what `to_dict` gave.

        Raises:
            ReportFileError: the mapping is damaged, not a comparison, or of an unreadable schema
                version.
        """
        from neuroact.files.labelled_reports import comparison_from

        found = comparison_from(document)
        reports = {label: ActivityReport.of(report) for label, report in found.reports.items()}
        return cls(reports, found.values(), found.recorded_operations)

    def to_json(self, path: str | os.PathLike[str] | None = None) -> str:
        """The comparison as JSON text. With a `path`, also write it there, whole or not at all."""
        from neuroact.files.report_document import write

        return write(self.to_dict(), path)

    @classmethod
    def from_json(cls, source: str | os.PathLike[str]) -> Self:
        """Read a comparison from a JSON file, or from a JSON text that begins with `{`.

        Raises:
            ReportFileError: it is damaged, not a comparison, or of an unreadable schema version.
        """
        from neuroact.files.json_document import read

        return read(source, cls.from_dict)

    def to_html(
        self, path: str | os.PathLike[str] | None = None, *, title: str | None = None
    ) -> str:
        """The comparison as one self-contained web page. With a `path`, also write it there.

        The page has the layers that differ most, a table that sorts and filters, the picture,
        definitions, and the origin of each report. It fetches nothing and needs no extra. The file
        is written whole or not at all.

        Args:
            path: the file to write; None to write none.
            title: the page's title. None: the reports' labels.
        """
        from neuroact.atomic_file import write_text
        from neuroact.html import comparison_page

        page = comparison_page(self, title)
        if path is not None:
            write_text(path, page)
        return page

    def to_frame(self) -> Any:
        """A data frame with one row for each layer and report after the first.

        It is a pandas data frame, or a polars one without pandas. Its columns:

        - `layer`, the layer's name in the first report;
        - `first` and `report`, the labels of the two reports;
        - `name`, the layer's name in the other report;
        - the fields of `Difference`.

        Raises:
            MissingExtraError: neither pandas nor polars is installed.
        """
        from neuroact.files.columns import data_frame

        rows = [
            (entry.name, self.labels[0], label, entry.layers[label].name, *_values(difference))
            for entry in self._layers.values()
            for label, difference in entry.differences.items()
        ]
        heads = ("layer", "first", "report", "name", *DIFFERENCES)
        columns = {head: [row[at] for row in rows] for at, head in enumerate(heads)}
        return data_frame(columns, purpose="Comparison.to_frame()")

    def plot(self, path: str | os.PathLike[str] | None = None, *, ax: Axes | None = None) -> Axes:
        """Draw a box of each layer's neurons for each report. It needs the extra `plots`.

        Args:
            path: image file to write, in the format of its ending; None to write none.
            ax: axes to draw into; None makes a figure of its own.

        Returns:
            The axes drawn into. Nothing is shown on a screen.
        """
        from neuroact.plots import comparison_plot, save_figure

        axes = comparison_plot(self, ax=ax)
        if path is not None:
            save_figure(axes, path)
        return axes


def compare(
    *reports: ActivityReport | History,
    labels: Sequence[str] | None = None,
    layers: LayerMap | None = None,
) -> Comparison:
    """Compare reports with the first one, layer by layer.

    The reports may be live or loaded, and of one network or several: before and after training, an
    ANN and an SNN, two frameworks, or one epoch after another. A history alone is compared report
    by report with its first. Beside others, a history stands for its last report: so two trainings
    are compared by how they end.

    Args:
        *reports: two or more, or a history; the others are compared with the first.
        labels: a name for each report, including the first. None: "1", "2", …; of a history alone
            "epoch 0", "epoch 1", …
        layers: partners of layers, as a mapping from the name in the first report to the name in
            the others: one name for all of them, or one for each. All other layers are matched by
            name or alias; and those that are left, by names that differ only in how NIR and
            torch.fx write them: `enc.1` and `enc_1`, `1` and `_1`. Layers whose synaptic operations
            were counted may be named too.

    Returns:
        The comparison, which prints as a table. Layers without a partner are in its `unmatched`.

    Raises:
        ComparisonError: there are fewer than two reports; a history is empty; there is not one
            label for each; two labels are equal; a layer is the partner of two; or no layer has a
            partner.
        UnknownLayerError: `layers` names a layer that is not in the report.
        TypeError: an argument is of another type; says what to write.

    >>> import numpy as np
    >>> import neuroact
    >>> def report(*events):
    ...     recording = neuroact.Recording()
    ...     recording.observe("lif", np.array([[events]]))
    ...     return recording.report()
    >>> comparison = neuroact.compare(report(0, 1), report(1, 1), labels=("before", "after"))
    >>> difference = comparison["lif"].differences["after"]
    >>> difference.mean, difference.dead, difference.distance
    (0.5, -1, 0.5)
    """
    _check_reports(reports)
    if layers is not None and not isinstance(layers, Mapping):
        raise TypeError(
            "layers= takes a mapping from a layer's name in the first report to its name in the "
            f"others, came {layers!r:.100}"
        )
    found, names = _reports(reports)
    named = dict(zip(_labels(labels or names, len(found)), found, strict=True))
    first = found[0]
    counted = first.recorded_operations or ()
    # An unknown name stays, so that looking it up says which there are.
    given = {n: to for n, to in (layers or {}).items() if n in first or n not in counted}
    matched = [LayerComparison(name, found) for name, found in _matched(named, given)]
    if not matched:
        raise ComparisonError(
            "no layer of the first report has the name of one of the others. Say which is which "
            'with layers={"name in the first": "name in the other"}. '
            + "; ".join(f"{label} has {', '.join(r) or 'none'}" for label, r in named.items())
        )
    return Comparison(named, matched, _operations(named, layers or {}))


def _reports(
    given: Sequence[ActivityReport | History],
) -> tuple[list[ActivityReport], list[str] | None]:
    """The reports to compare, and names that a history gives them."""
    if not all(isinstance(each, ActivityReport) or each for each in given):
        raise ComparisonError("expected reports to compare, came a history without reports")
    if len(given) == 1 and isinstance(given[0], History):
        entries = given[0].entries
        names = [entry.name for entry in entries]
        return [entry.layers for entry in entries], names if len(set(names)) == len(names) else None
    return [each[-1][1] if isinstance(each, History) else each for each in given], None


def _operations(
    reports: Mapping[str, ActivityReport], layers: LayerMap
) -> ComparedOperations | None:
    """The operations of the first report and of the others that have them, matched."""
    found = {label: report.recorded_operations for label, report in reports.items()}
    counted = {label: each for label, each in found.items() if each is not None}
    first = next(iter(reports))
    if first not in counted or len(counted) < 2:
        return None
    # The partner in each report: those without operations are not among `counted`.
    places = [at for at, label in enumerate(list(reports)[1:]) if label in counted]
    given = {
        ours: [_at(ours, to, place) for place in places]
        for ours, to in layers.items()
        if ours in counted[first]
    }
    pairs = _matched(counted, given)
    return ComparedOperations(counted, (OperationsComparison(*pair) for pair in pairs))


def _matched(
    reports: Mapping[str, Mapping[str, Entry]], layers: LayerMap
) -> list[tuple[str, dict[str, Entry]]]:
    """The layers of the first report that have partners, by name, and in each report by label."""
    (label, first), *others = reports.items()
    partners = {
        other: _partners(first, theirs, place, layers)
        for place, (other, theirs) in enumerate(others)
    }
    found = []
    for name, layer in first.items():
        matches = {other: p[name] for other, p in partners.items() if name in p}
        if matches:
            found.append((name, {label: layer, **matches}))
    return found


def _check_reports(reports: Sequence[object]) -> None:
    for report in reports:
        if not isinstance(report, Layers | History):
            raise TypeError(f"compare takes reports, came {came(report)}{_instead(report)}")


def _instead(report: object) -> str:
    """What to write instead of something that is no report."""
    if isinstance(report, str | os.PathLike):
        return ": read the file by neuroact.ActivityReport.from_json(path)"
    if isinstance(report, LayerActivity):
        return ": compare the reports, and look up the layer in the comparison"
    if isinstance(report, Mapping):
        return ": compare(*reports.values(), labels=list(reports))"
    if isinstance(report, Sequence):
        return ": compare(*reports) takes them one by one"
    return ": recording.report() makes one" if hasattr(report, "report") else ""


def _labels(labels: Sequence[str] | None, reports: int) -> list[str]:
    if reports < 2:
        raise ComparisonError(
            f"expected two reports or more to compare, came {'one' if reports else 'none'}"
        )
    texts = isinstance(labels, Sequence) and all(isinstance(label, str) for label in labels)
    if labels is not None and (isinstance(labels, str) or not texts):
        raise TypeError(f"labels= takes a list of texts, one for each report, came {labels!r:.100}")
    found = [str(n + 1) for n in range(reports)] if labels is None else list(labels)
    if len(found) != reports or len(set(found)) != reports:
        raise ComparisonError(
            f"expected labels= to be {reports} different names, one for each report, came {found}"
        )
    return found


def _partners(
    first: Mapping[str, Entry], other: Mapping[str, Entry], place: int, layers: LayerMap
) -> dict[str, Entry]:
    """The partner in the other report, for each layer of the first report that has one."""
    partners = {first[ours].name: other[_at(ours, to, place)] for ours, to in layers.items()}
    taken = [layer.name for layer in partners.values()]
    if len(set(taken)) < len(taken):
        twice = next(name for name in taken if taken.count(name) > 1)
        raise ComparisonError(f'layers= gives the layer "{twice}" to two layers', layer=twice)

    def pair(layer: Entry, partner: Entry | None) -> None:
        if partner is not None and layer.name not in partners and partner.name not in taken:
            partners[layer.name] = partner
            taken.append(partner.name)

    for ours, layer in first.items():
        pair(layer, next((p for n in (ours, *layer.aliases) if (p := other.get(n))), None))
    alike = _by_spelling(layer for layer in other.values() if layer.name not in taken)
    left = _by_spelling(layer for layer in first.values() if layer.name not in partners)
    for spelling, layer in left.items():
        pair(layer, alike.get(spelling))
    return partners


def _by_spelling(layers: Iterable[Entry]) -> dict[str, Entry]:
    """The layers by their names as NIR and torch.fx write them; without those that two have."""
    found: dict[str, list[Entry]] = {}
    for layer in layers:
        for spelling in {_as_identifier(n) for n in (layer.name, *layer.aliases)}:
            found.setdefault(spelling, []).append(layer)
    return {spelling: alone[0] for spelling, alone in found.items() if len(alone) == 1}


def _as_identifier(name: str) -> str:
    """A name without dots, which does not begin with a digit: `_2_1` for `2.1`."""
    written = name.replace(".", "_")
    return f"_{written}" if written[:1].isdigit() else written


def _at(ours: str, to: str | Sequence[str], place: int) -> str:
    if isinstance(to, str):
        return to
    if not isinstance(to, Sequence):
        raise TypeError(f'layers={{"{ours}": ...}} takes a name, or a list of names, came {to!r}')
    if place >= len(to):
        raise ComparisonError(
            f'layers= names {len(to)} partners of the layer "{ours}", expected one for each report '
            "after the first",
            layer=ours,
        )
    return to[place]


def _values(difference: Difference) -> tuple[Any, ...]:
    return tuple(getattr(difference, name) for name in DIFFERENCES)
