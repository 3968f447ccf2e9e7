"""What a newcomer passes by mistake is answered with a sentence, not with an error from inside."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import neuroact
from neuroact import ActivityReport, Recording
from neuroact.errors import NothingRecordedError

NET = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
BATCH = torch.ones(2, 4)


def measured(batches: Any = (BATCH,), **options: Any) -> ActivityReport:
    return neuroact.measure(NET, batches, **({"layers": "1"} | options))


def statistics(chosen: Any) -> set[str]:
    recording = Recording(statistics=chosen)
    recording.observe("lif", torch.ones(2, 1, 3))
    return set(recording.report()["lif"].results)


@pytest.mark.parametrize(
    "chosen", ["TimeCourse", ["TimeCourse"], neuroact.TimeCourse, neuroact.TimeCourse()]
)
def test_a_statistic_alone_or_listed_is_taken_by_name_class_and_instance(chosen: Any) -> None:
    assert statistics(chosen) == {"TimeCourse"}


@pytest.mark.parametrize(
    "batches", [[], iter(()), DataLoader(TensorDataset(torch.empty(0, 4)), batch_size=2)]
)
def test_no_batch_is_said_to_be_none_with_its_likely_causes(batches: Any) -> None:
    with pytest.raises(NothingRecordedError, match=r"there was no batch.*drop_last=True"):
        measured(batches)


def test_a_model_that_refuses_a_batch_is_said_how_it_was_called() -> None:
    with pytest.raises(TypeError) as caught:
        measured([{"input": BATCH}])
    assert "model(batch) with a dict" in "".join(caught.value.__notes__)
    with pytest.raises(RuntimeError) as caught:
        measured([torch.ones(2, 5)])
    assert not hasattr(caught.value, "__notes__")


REPORT = measured()
WRONG: list[tuple[Callable[[], Any], str]] = [
    (lambda: measured(dt="1ms"), r"dt= to be a number of seconds, came '1ms'; .* dt=0\.001"),
    (lambda: measured(None), "batches= takes a DataLoader, .* came None"),
    (lambda: measured({"x": BATCH}), "batches= takes a DataLoader, .* came a dict"),
    (lambda: measured([()]), "a batch is empty"),
    (lambda: measured(run=3), r"run= takes a function run\(model, batch\), came 3"),
    (lambda: measured(run=lambda batch: None), r"called as run\(model, batch\).* does not take"),
    (lambda: measured(statistic="Raster"), "no option statistic=. Did you mean 'statistics'"),
    (lambda: measured(statistics=[nn.Linear]), "statistics= takes names .* which gives none"),
    (lambda: measured(statistics={"a": 1}), "statistics= takes names"),
    (lambda: measured(adapters=3), "adapters= takes a list of adapters, came 3"),
    (lambda: measured(kind=["binary"]), r'kind= to be "binary".* came \[\'binary\'\]'),
    (lambda: neuroact.Raster("a"), "whole numbers of 1 or more"),  # type: ignore[arg-type]
    (lambda: neuroact.ClassActivity("10"), "whole number from 0"),  # type: ignore[arg-type]
    (lambda: neuroact.Signal("1"), "to be a finite number, came '1'"),  # type: ignore[arg-type]
    (lambda: Recording().observe(BATCH, "a"), "name of a layer and then values"),  # type: ignore[arg-type]
    (lambda: Recording().merge(REPORT), "a recording to add, came ActivityReport"),  # type: ignore[arg-type]
    (lambda: neuroact.compare("a.json", "b.json"), r"ActivityReport\.from_json\(path\)"),  # type: ignore[arg-type]
    (lambda: neuroact.compare([REPORT, REPORT]), r"compare\(\*reports\)"),  # type: ignore[arg-type]
    (lambda: neuroact.compare({"a": REPORT}), r"labels=list\(reports\)"),  # type: ignore[arg-type]
    (lambda: neuroact.compare(Recording()), r"recording\.report\(\) makes one"),  # type: ignore[arg-type]
    (lambda: neuroact.compare(REPORT[0]), "look up the layer in the comparison"),  # type: ignore[arg-type]
    (lambda: neuroact.compare(REPORT, REPORT, labels="ab"), "labels= takes a list of texts"),
    (lambda: neuroact.compare(REPORT, REPORT, labels=[1, 2]), "labels= takes a list"),  # type: ignore[list-item]
    (lambda: neuroact.compare(REPORT, REPORT, layers=["1"]), "layers= takes a mapping"),  # type: ignore[arg-type]
    (lambda: neuroact.compare(REPORT, REPORT, layers={"1": 3}), "takes a name, or a list"),  # type: ignore[dict-item]
    (lambda: REPORT[0]["mean"], r"a figure of the layer: write layer\.mean"),
]


@pytest.mark.parametrize(("wrong", "sentence"), WRONG)
def test_a_wrong_argument_gets_a_sentence(wrong: Callable[[], Any], sentence: str) -> None:
    with pytest.raises((TypeError, ValueError, KeyError), match=sentence) as caught:
        wrong()
    assert "array(" not in str(caught.value)
    assert "tensor(" not in str(caught.value)


def test_numbers_of_numpy_are_numbers() -> None:
    assert repr(neuroact.Raster(np.int64(2))).startswith("Raster(2")  # type: ignore[arg-type]
    assert repr(neuroact.Signal(np.float32(1))) == "Signal(threshold=1.0)"  # type: ignore[arg-type]
    assert repr(neuroact.ClassActivity(np.int64(2))) == "ClassActivity(2)"  # type: ignore[arg-type]
