"""Columns as CSV or Parquet: for spreadsheets, R, SQL and other programs that read no JSON."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Mapping
from typing import Any

from neuroact.atomic_file import write_bytes
from neuroact.errors import MissingExtraError
from neuroact.files.columns import Columns

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
ORIGIN_KEY = b"neuroact"
"""The key of the report's origin, as JSON, in the metadata of a Parquet file."""


def csv_text(columns: Columns) -> str:
    """Columns of equal length as CSV: a header line, commas, the quotes of RFC 4180.

    Numbers are written in full: reading gives the same bits. NaN and None are empty cells.

    A spreadsheet takes a text for a formula if it begins with `=`, `+`, `-`, `@`, a tab or the end
    of a line. Such a text gets a `'` in front, because names may come from a stranger's file.
    """
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


def write_parquet(
    columns: Columns,
    path: str | os.PathLike[str],
    *,
    purpose: str,
    origin: Mapping[str, Any] | None = None,
) -> None:
    """Write columns of equal length as a Parquet file. NaN and None are nulls.

    Args:
        columns: what to write.
        path: the file, written whole or not at all.
        purpose: what needs pyarrow, for the error.
        origin: plain JSON values for the file's metadata, under `ORIGIN_KEY`; None for none.

    Raises:
        MissingExtraError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ModuleNotFoundError as cause:
        raise MissingExtraError("pyarrow", extra="parquet", purpose=purpose) from cause

    def array(values: Any) -> Any:
        try:
            return pa.array(values, from_pandas=True)  # it makes NaN a null, like None
        except OverflowError:  # a whole number that leaves int64
            return pa.array(values, pa.decimal256(76))

    table = pa.table({name: array(values) for name, values in columns.items()})
    if origin is not None:
        table = table.replace_schema_metadata({ORIGIN_KEY: json.dumps(origin).encode()})
    file = io.BytesIO()
    parquet.write_table(table, file)
    write_bytes(path, file.getvalue())


def _plain(values: Any) -> list[Any]:
    return values if isinstance(values, list) else values.tolist()


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        return f"'{value}" if value.startswith(_FORMULA) else value
    return None if isinstance(value, float) and math.isnan(value) else value
