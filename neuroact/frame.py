"""A report as a data frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

from neuroact.errors import MissingExtraError
from neuroact.report_file import FIGURES

if TYPE_CHECKING:
    from neuroact.report import ActivityReport

COLUMNS = ("framework", "layer_type", "neurons", "sequences", "observations", *FIGURES)


def to_frame(report: ActivityReport) -> Any:
    """One row a layer: its name, what it is, and its figures; numbers stay numbers."""
    columns: dict[str, list[Any]] = {"layer": list(report)}
    columns["kind"] = [layer.kind.value for layer in report.values()]
    columns |= {c: [getattr(layer, c) for layer in report.values()] for c in COLUMNS}
    return data_frame(columns, purpose="ActivityReport.to_frame()")


def data_frame(columns: Mapping[str, Sequence[Any]], *, purpose: str) -> Any:
    """The columns as a pandas data frame, or as a polars one where pandas is missing.

    Raises:
        MissingExtraError: neither is installed.
    """
    for package in ("pandas", "polars"):
        try:
            library = import_module(package)
        except ModuleNotFoundError:
            continue
        return library.DataFrame(columns)
    raise MissingExtraError("pandas", extra="plots", purpose=purpose)
