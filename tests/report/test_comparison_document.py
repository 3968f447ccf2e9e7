"""A comparison's JSON is read back as written; a damaged one is refused with the place named."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neuroact
from neuroact import ActivityReport, Comparison, LayerActivity, Recording, SignalKind
from neuroact.errors import ReportFileError


def report(dead: int, **names: str) -> ActivityReport:
    recording = Recording(statistics=[neuroact.SpikeCounts, neuroact.TimeCourse], dt=0.001)
    spikes = np.random.default_rng(dead).random((20, 3, 8)) < 0.3
    spikes[..., :dead] = False
    recording.observe(names.get("lif", "lif"), spikes)
    recording.observe("readout", spikes * 0.1 + 0.2, kind="graded")
    recording.observe(f"only in {dead}", spikes)
    return recording.report()


@pytest.fixture
def comparison() -> Comparison:
    reports = report(0), report(2, lif="LIF"), report(5)
    labels = ("before", "between", "<after>")
    return neuroact.compare(*reports, labels=labels, layers={"lif": ("LIF", "lif")})


def test_read_back_it_is_equal_and_prints_draws_and_makes_the_same_page(
    comparison: Comparison, tmp_path: Path
) -> None:
    text = comparison.to_json(tmp_path / "comparison.json")
    assert (tmp_path / "comparison.json").read_text() == text
    for again in (
        Comparison.from_json(tmp_path / "comparison.json"),
        Comparison.from_json(text),
        Comparison.from_dict(comparison.to_dict()),
    ):
        assert again == comparison
        assert again.to_json() == text
        assert str(again) == str(comparison)
        assert again._repr_html_() == comparison._repr_html_()
        assert again.to_html() == comparison.to_html()
        assert again.to_frame().equals(comparison.to_frame())
        assert again.labels == comparison.labels
        assert again.unmatched == comparison.unmatched
        assert {label: dict(r.origin) for label, r in again.reports.items()} == {
            label: dict(r.origin) for label, r in comparison.reports.items()
        }
        again.plot(tmp_path / "again.png")
        comparison.plot(tmp_path / "expected.png")
        assert (tmp_path / "again.png").read_bytes() == (tmp_path / "expected.png").read_bytes()


def test_what_is_not_a_number_comes_back_as_such() -> None:
    sick = LayerActivity(
        name="lif",
        framework="toy",
        layer_type="Toy",
        kind=SignalKind.GRADED,
        observations=3,
        sequences=1,
        events=np.array([1]),
        total=np.array([np.nan]),
        nonfinite=True,
    )
    found = neuroact.compare(ActivityReport([sick]), ActivityReport([sick]))
    again = Comparison.from_json(found.to_json())
    assert again == found
    assert np.isnan(again["lif"].differences["2"].mean)


def test_a_subclass_reads_one_of_its_own_kind(comparison: Comparison) -> None:
    class Ours(Comparison):
        pass

    again = Ours.from_json(comparison.to_json())
    assert type(again) is type(Ours.from_dict(comparison.to_dict())) is Ours
    assert {type(report) for report in again.reports.values()} == {ActivityReport}


def test_comparisons_of_other_reports_labels_orders_or_matches_are_not_equal() -> None:
    reports = report(0), report(2), report(5)
    found = neuroact.compare(*reports)
    assert found == neuroact.compare(*reports)
    assert found != neuroact.compare(*reports[:2])
    assert found != neuroact.compare(*reports, labels=list("abc"))
    assert found != neuroact.compare(*reports[::-1], labels=list("321"))
    assert found != neuroact.compare(*reports, layers={"readout": ("lif", "readout")})
    assert found != "comparison"


def test_a_file_of_version_1_holds_no_reports_and_says_to_compare_anew() -> None:
    old = {"schema": "neuroact.comparison", "schema_version": 1, "labels": ["1", "2"], "layers": []}
    with pytest.raises(ReportFileError, match=r"version 1, .* from 2 on: make it again"):
        Comparison.from_dict(old)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d: d.update(schema="neuroact.report"), 'expected a document with "schema": "neuro'),
        (lambda d: d.update(schema_version=3), "schema version 3, this neuroact reads up to 2"),
        (lambda d: d.update(schema_version=True), "schema_version: expected `int`, came True"),
        (lambda d: d.pop("reports"), "object missing required field `reports`"),
        (lambda d: d.update(reports=d["reports"][:1]), "reports: expected `array` of length >= 2"),
        (lambda d: d.update(layers=[]), "layers: expected `array` of length >= 1, came []"),
        (lambda d: d["reports"][1].update(label="before"), "two of its reports have the same"),
        (lambda d: d["layers"].append(d["layers"][0]), "a layer of the first report comes twice"),
        (lambda d: d["layers"][0].update(name="x"), "the layer 'x' has another name in the first"),
        (lambda d: d["layers"][0]["names"].pop("before"), "'lif' has another name in the first"),
        (
            lambda d: d["layers"][0]["names"].update(between="gone"),
            "no report 'between' with a layer 'gone' is in it",
        ),
        (lambda d: d["layers"][0]["names"].update(never="lif"), "no report 'never' with a layer"),
        (lambda d: d["layers"][0].update(names={"before": "lif"}), "`object` of length >= 2"),
        (
            lambda d: d["reports"][1]["report"]["layers"][0]["events"].append(-1),
            'report 1 of the comparison: the report is damaged: layer "LIF": events[8]: expected '
            "`int` >= 0, came -1",
        ),
    ],
)
def test_a_damaged_file_says_what_is_wrong_and_where(
    change: Any, message: str, comparison: Comparison, tmp_path: Path
) -> None:
    document = json.loads(comparison.to_json())
    change(document)
    path = tmp_path / "comparison.json"
    path.write_text(json.dumps(document))
    with pytest.raises(ReportFileError) as error:
        Comparison.from_json(path)
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)
    assert len(str(error.value)) < 500


def test_a_file_cut_short_or_with_a_key_twice_is_an_error(comparison: Comparison) -> None:
    text = comparison.to_json()
    for damaged in (text[:-3], text[: len(text) // 2], text.replace('"unmatched"', '"layers"')):
        with pytest.raises(ReportFileError, match="not JSON, or cut short"):
            Comparison.from_json(damaged)


def test_a_billion_neurons_that_are_only_promised_take_no_memory(comparison: Comparison) -> None:
    document = comparison.to_dict()
    document["reports"][2]["report"]["layers"][0]["shape"] = [2**30]
    text = json.dumps(document)
    tracemalloc.start()
    with pytest.raises(ReportFileError, match="do not make the shape"):
        Comparison.from_json(text)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
