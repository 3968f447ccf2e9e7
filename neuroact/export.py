"""A report as CSV or Parquet: for spreadsheets, R, SQL and whatever reads no JSON."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from typing import TYPE_CHECKING, Any

from neuroact.errors import MissingExtraError
from neuroact.files import write_bytes
from neuroact.frame import Per, columns_of

if TYPE_CHECKING:
    from neuroact.report import ActivityReport

ORIGIN_KEY = b"neuroact"
"""Under it a Parquet file's metadata hold the report's origin, as JSON."""


def csv_text(report: ActivityReport, per: Per = "layer") -> str:
    """The columns of `columns_of` as CSV: a head, a comma between cells, RFC 4180's quotes.

    Numbers are written so that they are read back the same, to the bit. What is NaN or None is an
    empty cell.
    """
    columns = columns_of(report, per)
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(columns)
    rows.writerows(zip(*(map(_cell, _plain(values)) for values in columns.values()), strict=True))
    return text.getvalue()


def write_parquet(report: ActivityReport, path: str | os.PathLike[str], per: Per = "layer") -> None:
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
    origin = json.dumps(report.to_dict()["origin"])
    file = io.BytesIO()
    parquet.write_table(table.replace_schema_metadata({ORIGIN_KEY: origin.encode()}), file)
    write_bytes(path, file.getvalue())


def _plain(values: Any) -> list[Any]:
    return values if isinstance(values, list) else values.tolist()


def _cell(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value
