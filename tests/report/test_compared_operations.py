"""Operations of reports beside each other: which belong together, and their ratio for a sample."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import torch
from made_operations import FIGURES, INPUT, Net, connection, counted
from torch import nn

import neuroact
from neuroact import ActivityReport, Comparison
from neuroact.errors import MissingOperationsError, ReportFileError, UnknownLayerError
from neuroact.results.operations import LayerOperations, Operations


def report(*layers: LayerOperations, **more: Any) -> ActivityReport:
    """A report of these operations, over two samples."""
    recording = neuroact.Recording()
    recording.observe("lif", torch.ones(3, 2, 4))
    operations = Operations(layers, **more)
    return ActivityReport(recording.report().values(), operations=operations)


def effective(name: str) -> int:
    return FIGURES[name]["acs"] + FIGURES[name]["macs"]


def rows(text: str) -> list[list[str]]:
    """The cells of the table of operations: the last one of the text."""
    table = text.split("\nlayer  report  ")[-1].split("\n\n")[0]
    return [line.split() for line in table.splitlines()[2:]]


def test_the_ratio_is_that_of_a_sample_however_many_there_were() -> None:
    found = neuroact.compare(counted(), counted(times=5), counted(0.5, times=2)).operations
    assert found.ratio("1") == found.ratio("2") == found.ratio("2", "fc2") == 1
    pruned = counted(0.5).operations
    assert found.ratio("3", "fc1") == 1
    assert found.ratio("3", "fc2") == pruned["fc2"].effective / effective("fc2")
    whole = sum(map(effective, FIGURES))
    assert found.ratio("3") == pruned.total.effective / whole


def test_all_time_steps_of_a_sample_count_and_count_once() -> None:
    spiking = Net()
    with neuroact.record(spiking, layers=nn.ReLU, operations=True) as recording, torch.no_grad():
        for _ in range(2):
            recording.new_sequence()
            for _ in range(7):
                spiking(INPUT)
    steps = recording.report()
    assert steps.operations.total.effective == 14 * sum(map(effective, FIGURES))
    assert neuroact.compare(counted(), steps).operations.ratio("2") == 7


def test_layers_are_matched_by_name_or_as_told_and_those_without_partner_are_named() -> None:
    first = report(connection("a", acs=4), connection("b", acs=6), connection("only", acs=1))
    second = report(connection("a", acs=8), connection("B", acs=9), connection("new", acs=1))
    found = neuroact.compare(first, second, layers={"b": "B"}).operations
    assert {name: entry.layers["2"].name for name, entry in found.items()} == {"a": "a", "b": "B"}
    assert [found.ratio("2", name) for name in found] == [2, 1.5]
    assert dict(found.unmatched) == {"1": ("only",), "2": ("new",)}


def test_a_name_of_spiking_layers_and_one_of_connections_may_both_be_told() -> None:
    first, second = report(connection("a", acs=4)), report(connection("b", acs=1))
    found = neuroact.compare(first, second, layers={"lif": "lif", "a": "b"})
    assert list(found) == ["lif"]
    assert found.operations.ratio("2", "a") == 0.25
    with pytest.raises(UnknownLayerError, match="operations of a layer 'c'"):
        neuroact.compare(first, second, layers={"a": "c"})
    with pytest.raises(UnknownLayerError, match="the report has no layer 'x'"):
        neuroact.compare(first, second, layers={"x": "b"})


def test_each_report_may_have_a_partner_of_another_name() -> None:
    reports = [report(connection(name, acs=4)) for name in "abc"]
    found = neuroact.compare(*reports, layers={"a": ("b", "c")}).operations
    assert [layer.name for layer in found["a"].layers.values()] == ["a", "b", "c"]


def test_reports_without_operations_are_left_out_and_named() -> None:
    without = neuroact.measure(Net(), [INPUT], layers=nn.ReLU)
    found = neuroact.compare(counted(), without, counted(0.5), labels=("a", "b", "c"))
    assert list(found.operations.reports) == ["a", "c"]
    assert list(found.operations["fc1"].layers) == ["a", "c"]
    assert "no operations in b " in " ".join(str(found).split())
    for reports in ((without, counted()), (counted(), without), (without, without)):
        with pytest.raises(MissingOperationsError):
            neuroact.compare(*reports).operations  # noqa: B018
        assert "MACs" not in str(neuroact.compare(*reports))


def test_a_partner_given_for_each_report_is_that_of_its_place_though_some_have_none() -> None:
    without = ActivityReport(report().values())
    reports = report(connection("a", acs=2)), without, report(connection("c", acs=4))
    found = neuroact.compare(*reports, layers={"a": ("nothing", "c")}).operations
    assert found["a"].layers["3"].name == "c"


def test_no_operations_or_an_unknown_number_of_samples_give_no_ratio() -> None:
    idle, busy = report(connection("a", dense=9)), report(connection("a", dense=9, acs=3))
    assert math.isnan(neuroact.compare(idle, busy).operations.ratio("2", "a"))
    assert neuroact.compare(busy, idle).operations.ratio("2", "a") == 0
    recording = neuroact.Recording()
    recording.observe("lif", torch.ones(3, 2, 4))
    recording.observe("other", torch.ones(3, 5, 4))
    unknown = ActivityReport(
        recording.report().values(), operations=Operations([connection("a", acs=3)])
    )
    found = neuroact.compare(busy, unknown, labels=("x", "y"))
    assert math.isnan(found.operations.ratio("y", "a"))
    assert rows(str(found))[1][-1] == "-"
    said = " ".join(str(found).split())
    assert "! no ratio with y operations per sample are divided by" in said


def test_the_table_has_the_columns_of_operations_and_rows_of_all_reports() -> None:
    text = str(neuroact.compare(counted(), counted(0.5, times=3), labels=("all", "half")))
    head = text.split("\nlayer  report  ")[-1].splitlines()[0].split()
    for column in ("type", "dense", "MACs", "ACs", "ratio"):
        assert column in head
    found = rows(text)
    names = [["fc1", "all"], ["half", "Linear"], ["fc2", "all"], ["half", "Linear"]]
    assert [row[:2] for row in found[:4]] == names
    assert [row[0] for row in found[4:]] == ["total", "half"]
    assert [row[-1] for row in found[1::2]] == ["1", "0.5000", "0.6250"]
    for row, times in ((found[0], 1), (found[1], 3)):
        assert str(FIGURES["fc1"]["dense"] * times) in row
    assert "! own in half" in text


def test_names_and_labels_are_escaped() -> None:
    bad = report(connection("a\x1b[1m", acs=1), not_counted={"b\x1b": "c\x1b"})
    found = neuroact.compare(bad, bad, labels=("x\x1b", "y"))
    for shown in (str(found), found._repr_html_(), found.to_html(), found.to_json()):
        assert "\x1b" not in shown
    assert "operations" in found._repr_html_()


@pytest.fixture
def compared() -> Comparison:
    first = report(connection("a", dense=9, acs=4), connection("b"), not_counted={"x": "y"})
    other = report(connection("A", dense=9, acs=8), connection("b"))
    return neuroact.compare(first, other, report(connection("A")), layers={"a": "A"})


def test_read_back_it_is_equal_and_looks_the_same(compared: Comparison) -> None:
    again = Comparison.from_json(compared.to_json())
    assert again == compared
    assert again.operations == compared.operations
    assert str(again) == str(compared)
    assert again.to_html() == compared.to_html()
    assert again.to_json() == compared.to_json()
    document = compared.to_dict()["operations"]
    assert document[0]["differences"] == {"2": {"ratio": 2.0}, "3": {"ratio": 0.0}}
    assert document[1]["differences"] == {"2": {"ratio": None}}  # of no operations at all


def test_comparisons_of_other_operations_are_not_equal(compared: Comparison) -> None:
    document = compared.to_dict()
    document["operations"][0]["names"]["2"] = "b"
    assert Comparison.from_dict(document) != compared


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d["operations"][0]["names"].update({"2": "c"}), "no report '2' with a layer"),
        (lambda d: d["operations"][0].update(name="z"), "'z' has another name in the first"),
        (lambda d: d["operations"].append(d["operations"][0]), "comes twice"),
        (lambda d: d["reports"][0]["report"].pop("operations"), "operations that its reports have"),
        (lambda d: d.update(operations=[3]), "operations"),
    ],
)
def test_a_damaged_file_says_what_is_wrong(change: Any, message: str, compared: Comparison) -> None:
    document = json.loads(compared.to_json())
    change(document)
    with pytest.raises(ReportFileError, match=message):
        Comparison.from_dict(document)
