"""Operations as CSV and Parquet are the report's whole numbers."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

import pytest
from made_operations import FIGURES, connection, counted
from pyarrow import parquet

from neuroact.errors import MissingExtraError
from neuroact.files.columns import operation_columns
from neuroact.report.operations_report import OperationsReport

BEYOND = 2**70  # leaves int64


def test_csv_has_a_row_for_each_layer_with_every_column(tmp_path: Path) -> None:
    operations = counted().operations
    text = operations.to_csv(tmp_path / "operations.csv")
    assert (tmp_path / "operations.csv").read_bytes().decode() == text
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    columns = operation_columns(operations)
    assert list(rows[0]) == list(columns)
    for row, (name, figures) in zip(rows, FIGURES.items(), strict=True):
        assert row["layer"] == name
        assert {figure: int(row[figure]) for figure in figures} == figures
        assert float(row["density"]) == operations[name].density


def test_csv_holds_a_number_of_any_size_and_no_formula() -> None:
    text = OperationsReport([connection("=cmd()", dense=BEYOND)]).to_csv()
    (row,) = csv.DictReader(io.StringIO(text))
    assert int(row["dense"]) == BEYOND
    assert row["layer"] == "'=cmd()"
    assert row["weighted"] == ""


@pytest.mark.parametrize("dense", [1000, BEYOND])
def test_parquet_holds_the_numbers_exactly(dense: int, tmp_path: Path) -> None:
    operations = OperationsReport([connection("a", dense=dense, macs=5), connection("b")])
    operations.to_parquet(tmp_path / "operations.parquet")
    rows = parquet.read_table(tmp_path / "operations.parquet").to_pylist()
    assert [row["dense"] for row in rows] == [dense, 0]
    assert [row["macs"] for row in rows] == [5, 0]
    assert rows[1]["share"] is None


def test_without_pyarrow_parquet_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"operations.to_parquet\(\) needs .*pyarrow"):
        OperationsReport([connection()]).to_parquet(tmp_path / "a.parquet")
