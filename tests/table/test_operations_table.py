"""The table and the columns of synaptic operations say what the operations are."""

from __future__ import annotations

import re
from typing import Any

import pytest

from neuroact.files.columns import operation_columns
from neuroact.report.operations_report import OperationsReport
from neuroact.results.beside_operations import NeuronUpdates
from neuroact.results.operations import LayerOperations, Operations
from neuroact.stream.chunk import SignalKind
from neuroact.table.operations import OperationsTable


def connection(name: str, **more: Any) -> LayerOperations:
    figures: dict[str, Any] = {
        "framework": "torch",
        "layer_type": "Linear",
        "shape": (2, 3),
        "output_shape": (4,),
        "observations": 10,
        "events": 15,
        "ones": 12,
        "connections": 18,
        "parameters": 1028,
        "dense": 2000,
        "unpruned": 60,
        "acs": 40,
        "macs": 10,
        "weighted": None,
        "bias_additions": 40,
    }
    return LayerOperations(name=name, **(figures | more))


def rows(text: str) -> dict[str, list[str]]:
    """The cells of the table by the name in front."""
    lines = text.split("\n\n")[0].splitlines()
    return {line.split()[0]: line.split()[1:] for line in lines if not line.startswith("-")}


def notes(text: str) -> dict[str, str]:
    """The notes of a table of unlimited width, by term."""
    pairs = (re.split(r"  +", line, maxsplit=1) for line in text.split("\n\n")[-1].splitlines())
    return dict(pairs)


def test_a_row_has_a_layers_figures_and_the_last_one_their_sums() -> None:
    operations = OperationsReport([connection("a"), connection("b", acs=0, macs=0, shape=(6,))])
    found = rows(str(operations))
    same = "3.0000 0.2500 2,000"
    assert found["a"] == f"Linear real 2x3 4 1,028 {same} 10 40 2.50 100.00".split()
    assert found["b"] == f"Linear real 6 4 1,028 {same} 0 0 0.00 0.00".split()
    assert found["total"] == ["2,056", "4,000", "10", "40", "1.25"]


@pytest.mark.parametrize(
    ("figures", "kind"),
    [
        ({"events": 0, "ones": 0, "weighted": 0}, "silent"),
        ({"ones": 15, "weighted": 15}, "binary"),
        ({"ones": 14, "weighted": 99}, "graded"),
        ({"ones": 14, "weighted": None}, "real"),
    ],
)
def test_the_kind_of_an_input_follows_from_what_arrived(figures: Any, kind: str) -> None:
    operations = OperationsReport([connection("a", **figures)])
    assert operations["a"].input_kind == kind
    assert rows(str(operations))["a"][1] == kind
    assert operation_columns(operations)["input_kind"] == [kind]


def test_an_output_that_is_not_one_tensor_has_no_shape() -> None:
    operations = OperationsReport([connection("a", output_shape=None)])
    assert rows(str(operations))["a"][2:4] == ["2x3", "-"]
    assert operation_columns(operations)["output_shape"] == [None]


def test_a_product_has_no_shapes_and_is_in_the_total() -> None:
    product = connection("scores", layer_type="product", shape=(0,), output_shape=None)
    operations = OperationsReport([product])
    assert rows(str(operations))["scores"][2:8] == ["-", "-", "1,028", "-", "-", "2,000"]
    assert rows(str(operations))["total"][1:] == ["2,000", "10", "40", "2.50"]
    assert notes(str(operations))["total"].endswith(
        "products of two activations that nobody observed"
    )


def test_below_the_table_stands_what_is_beside_the_operations() -> None:
    layers = [("lif", SignalKind.BINARY, 8), ("readout", SignalKind.ANALOG, 5)]
    updates = [
        NeuronUpdates(name=name, kind=kind, neurons=3, observations=10, events=events)
        for name, kind, events in layers
    ]
    known: Any = {"samples": {"lif": 2}, "steps": {"lif": 10}, "updates": updates}
    text = str(OperationsReport([connection("a")], **known))
    assert notes(text)["samples"] == "2 of 5 steps"
    assert notes(text)["bias additions"] == "40"
    assert notes(text)["neuron updates"] == (
        "60, of 6 neurons in lif, readout, which emitted 8 spikes"
    )
    assert notes(text)["memory accesses"].startswith(
        "298: 50 weight reads, 110 potential reads, 110 potential writes, 15 input reads, "
        "13 output writes; driven by events"
    )


def test_what_is_not_known_is_said_and_is_no_zero() -> None:
    told = notes(str(OperationsReport([connection("a")], samples={"a": 1, "b": 2})))
    assert told["samples"].startswith("not known: the recorded layers saw different numbers")
    for term in ("neuron updates", "memory accesses"):
        assert told[term] == "not known: what the spiking layers emit was not recorded"
    uneven: Any = {"samples": {"lif": 4}, "steps": {"lif": 10}}
    uneven = OperationsReport([connection("a")], **uneven)
    assert notes(str(uneven))["samples"] == "4 of 2.5 steps on average"


def test_a_narrow_table_has_the_layers_above_and_the_counts_below() -> None:
    above, below, *_ = OperationsTable(OperationsReport([connection("fc")])).text(80).split("\n\n")
    heads = [re.split(r"  +", table.splitlines()[0]) for table in (above, below)]
    assert heads == [
        ["layer", "type", "input", "in", "out", "params", "fan-out", "density"],
        ["layer", "dense", "MACs", "ACs", "% dense", "% total"],
    ]


@pytest.mark.parametrize("width", [40, 70, 200])
def test_what_is_not_counted_stands_below_whatever_the_width(width: int) -> None:
    operations = Operations([connection("fc")], not_counted={"cell": "nobody knows"})
    text = " ".join(OperationsTable(operations).text(width).split())
    assert "! cell not counted: nobody knows" in text
    assert "2,000" in text
    assert max(map(len, OperationsTable(operations).text(width).splitlines())) <= width


def test_names_cannot_steer_a_terminal() -> None:
    text = str(OperationsReport([connection("a\x1b[2J")], not_counted={"b\x1b[2J": "why"}))
    assert "\x1b" not in text


def test_without_layers_there_is_a_table_of_none() -> None:
    assert rows(str(OperationsReport([])))["total"] == ["0", "0", "0", "0", "-"]


def test_columns_have_a_row_for_each_layer() -> None:
    columns = operation_columns(Operations([connection("a"), connection("b", weighted=70)]))
    assert columns["layer"] == ["a", "b"]
    assert columns["effective"] == [50, 50]
    assert columns["share"] == [0.025, 0.025]
    assert columns["weighted"] == [None, 70]
    assert (columns["shape"], columns["output_shape"]) == (["2x3", "2x3"], ["4", "4"])
    assert (columns["bias_additions"], columns["parameters"]) == ([40, 40], [1028, 1028])
    assert {len(column) for column in columns.values()} == {2}


def test_a_frame_is_of_the_columns() -> None:
    frame = OperationsReport([connection("a")]).to_frame()
    assert frame["dense"].tolist() == [2000]
