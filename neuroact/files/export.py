"""A report as CSV or Parquet: for spreadsheets, R, SQL and other programs that read no JSON."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from typing import TYPE_CHECKING, Any

from neuroact.atomic_file import write_bytes
from neuroact.errors import MissingExtraError
from neuroact.files.columns import Per, columns_of
from neuroact.files.report_document import to_document

if TYPE_CHECKING:
    from neuroact.results.layers import Layers

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
ORIGIN_KEY = b"neuroact"
"""The key of the report's origin, as JSON, in the metadata of a Parquet file."""


def csv_text(report: Layers, per: Per = "layer") -> str:
    """The columns of `columns_of` as CSV: a header line, commas, the quotes of RFC 4180.

    Numbers are written in full: reading gives the same bits. NaN and None are empty cells.

    A spreadsheet takes a text for a formula if it begins with `=`, `+`, `-`, `@`, a tab or the end
    of a line. Such a text gets a `'` in front, because names may come from a stranger's file.
    """
    columns = columns_of(report, per)
    text = io.StringIO()
    plain, quoted = (
        csv.writer(text, lineterminator="\n", quoting=quoting)
        for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL)
    )
    plain.writerow(columns)
    for row in zip(*(map(_cell, _plain(values)) for values in columns.values()), strict=True):
        # With a lineterminator of \n, Python before 3.13 does not quote a \r inside a cell.
        ends = any(isinstance(cell, str) and "\r" in cell for cell in row)
        (quoted if ends else plain).writerow(row)
    return text.getvalue()


def write_parquet(report: Layers, path: str | os.PathLike[str], per: Per = "layer") -> None:
    """Write the columns of `columns_of` as a Parquet file. NaN and None are nulls.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ModuleNotFoundError as cause:
        raise MissingExtraError(
            "pyarrow", extra="parquet", purpose="ActivityReport.to_parquet()"
        ) from cause

    # from_pandas makes NaN a null, like None.
    columns = columns_of(report, per)
    table = pa.table({name: pa.array(x, from_pandas=True) for name, x in columns.items()})
    origin = json.dumps(to_document(report)["origin"])
    file = io.BytesIO()
    parquet.write_table(table.replace_schema_metadata({ORIGIN_KEY: origin.encode()}), file)
    write_bytes(path, file.getvalue())


def _plain(values: Any) -> list[Any]:
    return values if isinstance(values, list) else values.tolist()


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return None if isinstance(value, float) and math.isnan(value) else value
