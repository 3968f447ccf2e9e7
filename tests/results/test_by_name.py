"""Layers are had by name and by position, in every mapping of layers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from made_layers import layer
from made_operations import connection

import neuroact
from neuroact import ActivityReport
from neuroact.by_name import ByName
from neuroact.energy import HOROWITZ_45NM_FP32
from neuroact.errors import UnknownLayerError
from neuroact.report.operations_report import OperationsReport


def mappings() -> list[ByName[Any]]:
    counted = OperationsReport([connection("1"), connection("0")], samples={"1": 1}, steps={"1": 5})
    report = ActivityReport([layer("1"), layer("0")], operations=counted)
    compared = neuroact.compare(report, report)
    net = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.ReLU())
    return [
        report,
        compared,
        compared.operations,
        counted,
        counted.per_sample,
        counted.energy(HOROWITZ_45NM_FP32),
        neuroact.record(net, layers=["0", "1"]).layers,
    ]


@pytest.mark.parametrize("found", mappings(), ids=lambda found: type(found).__name__)
def test_a_whole_number_is_a_position_and_a_text_is_a_name(found: ByName[Any]) -> None:
    first, last = found
    assert found[0] == found[first]
    assert found[-1] == found[1] == found[last]
    assert (0 in found, found.get(0), found.get("none", 5), first in found) == (
        *(False, None, 5),
        True,
    )
    assert found.get(first) == found[first]
    assert [] not in found
    with pytest.raises(UnknownLayerError, match="no layer at position 2; there are positions 0 to"):
        found[2]
    with pytest.raises(IndexError, match="position -3"):
        found[-3]
    with pytest.raises(KeyError):
        found["none"]


@pytest.mark.parametrize("key", [None, True, ["1"], slice(0, 1), 1.0])
def test_another_key_is_refused_with_what_to_write(key: Any) -> None:
    report = ActivityReport([layer("lif")])
    with pytest.raises(TypeError, match=r'by its name or its position, such as \["lif"\] or \[0\]'):
        report[key]


def test_a_layer_named_by_a_number_is_not_the_one_at_that_position() -> None:
    report = ActivityReport([layer("1", 1, 2), layer("0", 3, 4)])
    assert report["0"].name == "0"
    assert report[0].name == "1"
