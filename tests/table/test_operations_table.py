"""The table and the columns of synaptic operations say what the operations are."""

from __future__ import annotations

from typing import Any

import pytest

from neuroact.files.columns import operation_columns
from neuroact.report.operations_report import OperationsReport
from neuroact.results.operations import LayerOperations, Operations
from neuroact.table.operations import operations_text


def connection(name: str, **more: Any) -> LayerOperations:
    figures: dict[str, Any] = {
        "framework": "torch",
        "layer_type": "Linear",
        "shape": (2, 3),
        "observations": 10,
        "events": 15,
        "connections": 18,
        "dense": 2000,
        "unpruned": 60,
        "acs": 40,
        "macs": 10,
        "weighted": None,
    }
    return LayerOperations(name=name, **(figures | more))


def rows(text: str) -> dict[str, list[str]]:
    """The cells of the table by the name in front."""
    lines = text.split("\n\n")[0].splitlines()
    return {line.split()[0]: line.split()[1:] for line in lines if not line.startswith("-")}


def test_a_row_has_a_layers_figures_and_the_last_one_their_sums() -> None:
    operations = OperationsReport([connection("a"), connection("b", acs=0, macs=0, shape=(6,))])
    found = rows(str(operations))
    assert found["a"] == [
        "Linear",
        "2x3",
        "3.0000",
        "0.2500",
        "2,000",
        "10",
        "40",
        "2.50",
        "100.00",
    ]
    assert found["b"] == ["Linear", "6", "3.0000", "0.2500", "2,000", "0", "0", "0.00", "0.00"]
    assert found["total"] == ["4,000", "10", "40", "1.25"]


@pytest.mark.parametrize("width", [40, 70, 200])
def test_what_is_not_counted_stands_below_whatever_the_width(width: int) -> None:
    operations = Operations([connection("fc")], not_counted={"cell": "nobody knows"})
    text = " ".join(operations_text(operations, width).split())
    assert "! cell not counted: nobody knows" in text
    assert "2,000" in text
    assert max(map(len, operations_text(operations, width).splitlines())) <= width


def test_names_cannot_steer_a_terminal() -> None:
    text = str(OperationsReport([connection("a\x1b[2J")], not_counted={"b\x1b[2J": "why"}))
    assert "\x1b" not in text


def test_without_layers_there_is_a_table_of_none() -> None:
    assert rows(str(OperationsReport([])))["total"][:3] == ["0", "0", "0"]


def test_columns_have_a_row_for_each_layer() -> None:
    columns = operation_columns(Operations([connection("a"), connection("b", weighted=70)]))
    assert columns["layer"] == ["a", "b"]
    assert columns["effective"] == [50, 50]
    assert columns["share"] == [0.025, 0.025]
    assert columns["weighted"] == [None, 70]
    assert columns["shape"] == ["2x3", "2x3"]
    assert {len(column) for column in columns.values()} == {2}


def test_a_frame_is_of_the_columns() -> None:
    frame = OperationsReport([connection("a")]).to_frame()
    assert frame["dense"].tolist() == [2000]
