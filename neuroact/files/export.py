"""A report as CSV or Parquet: for spreadsheets, R, SQL and whatever reads no JSON."""

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
"""Under it a Parquet file's metadata hold the report's origin, as JSON."""


def csv_text(report: Layers, per: Per = "layer") -> str:
    """The columns of `columns_of` as CSV: a head, a comma between cells, RFC 4180's quotes.

    Numbers are written so that they are read back the same, to the bit. What is NaN or None is an
    empty cell. A text that a spreadsheet would take for a formula, one that begins with `=`, `+`,
    `-`, `@`, a tab or the end of a line, gets a `'` before it: names come from files of others.
    """
    columns = columns_of(report, per)
    text = io.StringIO()
    plain, quoted = (
        csv.writer(text, lineterminator="\n", quoting=quoting)
        for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL)
    )
    plain.writerow(columns)
    for row in zip(*(map(_cell, _plain(values)) for values in columns.values()), strict=True):
        # Python before 3.13 does not quote this one end of a line if the other is written.
        ends = any(isinstance(cell, str) and "\r" in cell for cell in row)
        (quoted if ends else plain).writerow(row)
    return text.getvalue()


def write_parquet(report: Layers, path: str | os.PathLike[str], per: Per = "layer") -> None:
    """The columns of `columns_of` as a Parquet file; NaN and None are nulls.

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

    # from_pandas: NaN is a null, as None is.
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
