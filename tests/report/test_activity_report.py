"""A report's numbers equal NumPy's, and come back from a file to the bit."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neuroact import ActivityReport, LayerActivity, Recording, SignalKind
from neuroact.errors import LayerNameError, MissingExtraError, ReportFileError, UnknownLayerError
from neuroact.files.layout import METRICS
from neuroact.quantiles import METHODS
from neuroact.testing.strategies import Stream, streams

LEVELS = {SignalKind.BINARY: (0.0, 1.0), SignalKind.GRADED: (0.0, -0.5, 1.0, 3.0)}
kinds = st.sampled_from(sorted(LEVELS, key=lambda kind: kind.value))


def report_on(stream: Stream, kind: SignalKind = SignalKind.BINARY, **options: Any) -> Any:
    recording = Recording(**options)
    for sequence in stream.sequences:
        recording.observe("lif", torch.from_numpy(sequence), axes=stream.axes, kind=kind)
    return recording.report()


@given(st.data(), kinds)
def test_every_figure_equals_numpy_on_the_raw_values(data: st.DataObject, kind: SignalKind) -> None:
    stream = data.draw(streams(LEVELS[kind]).filter(lambda s: len(s.flat)))
    layer, raw = report_on(stream, kind)["lif"], stream.flat
    activity = raw.mean(0)
    np.testing.assert_array_equal(layer.activity, activity)
    assert layer.mean == activity.mean()
    assert layer.std == activity.std()
    for method in METHODS:
        for q in (0, 0.1, 0.25, 1 / 3, 0.5, 0.75, 1):
            assert layer.quantile(q, method) == np.quantile(activity, q, method=method)
    five = [layer.min, layer.q1, layer.median, layer.q3, layer.max]
    assert five == np.quantile(activity, [0, 0.25, 0.5, 0.75, 1]).tolist()
    assert layer.sparsity == pytest.approx((raw == 0).mean(), abs=1e-15)
    dead, saturated = (raw == 0).all(0), (raw != 0).all(0)
    assert (layer.dead, layer.saturated) == (dead.sum(), saturated.sum())
    assert layer.dead_share == dead.mean()
    assert layer.saturated_share == saturated.mean()
    np.testing.assert_array_equal(layer.dead_neurons, np.argwhere(dead))
    np.testing.assert_array_equal(layer.saturated_neurons, np.argwhere(saturated))


@given(streams().filter(lambda s: len(s.flat)), st.integers(1, 12))
def test_the_histogram_is_numpys_and_counts_each_neuron_once(stream: Stream, bins: int) -> None:
    layer = report_on(stream)["lif"]
    for edges in ({}, {"range": (0.0, 1.0)}):
        counts, at = layer.histogram(bins, **edges)
        expected = np.histogram(layer.activity, bins, **edges)
        np.testing.assert_array_equal(counts, expected[0])
        np.testing.assert_array_equal(at, expected[1])
        assert counts.sum() == layer.neurons


@given(st.data(), kinds, st.sampled_from([None, 0.001]))
def test_json_there_and_back_is_the_same_report(
    data: st.DataObject, kind: SignalKind, dt: float | None
) -> None:
    report = report_on(data.draw(streams(LEVELS[kind])), kind, dt=dt)
    again = ActivityReport.from_json(report.to_json())
    assert again == report
    assert again.to_dict() == report.to_dict()
    assert again["lif"].dt == dt


def test_the_document_shows_the_figures_to_a_reader_without_neuroact() -> None:
    recording = Recording()
    recording.observe("lif", torch.tensor([[[1, 0, 1]], [[1, 0, 0]]]))
    document = json.loads(recording.report().to_json())
    assert (document["schema"], document["schema_version"]) == ("neuroact.report", 2)
    assert {"python", "neuroact", "torch", "numpy"} <= set(document["origin"]["versions"])
    assert document["layers"][0]["events"] == [2, 0, 1]
    assert document["layers"][0]["figures"] == {
        "mean": 0.5,
        "std": np.std([1, 0, 0.5]),
        "min": 0.0,
        "q1": 0.25,
        "median": 0.5,
        "q3": 0.75,
        "max": 1.0,
        "sparsity": 0.5,
        "dead": 1,
        "saturated": 1,
    }


@pytest.mark.filterwarnings("ignore::neuroact.errors.UnreliableLayerWarning")
def test_nonfinite_values_make_valid_json_and_come_back() -> None:
    recording = Recording()
    recording.observe("a", torch.tensor([[[float("nan"), 1.0]]]), kind="analog")
    report = recording.report()
    text = report.to_json()
    json.loads(text, parse_constant=lambda constant: pytest.fail(f"{constant} is no JSON"))
    again = ActivityReport.from_json(text)
    assert again == report
    assert again["a"].nonfinite
    assert np.isnan(again["a"].mean)


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    report = report_on(Stream((np.ones((2, 1, 3)),), (3,)))
    path = tmp_path / "activity.json"
    assert report.to_json(path) == path.read_text()
    assert ActivityReport.from_json(path) == ActivityReport.from_json(str(path)) == report
    with pytest.raises(FileNotFoundError):
        report.to_json(tmp_path / "missing" / "activity.json")
    path.write_text("old")
    kill_while_writing = (
        "import os, sys\nfrom neuroact import atomic_file\n"
        "os.fsync = lambda handle: os._exit(9)\n"
        "atomic_file.write_text(sys.argv[1], 'new' * 100000)"
    )
    run = subprocess.run([sys.executable, "-c", kill_while_writing, str(path)], check=False)
    assert run.returncode == 9
    assert path.read_text() == "old"


def test_a_failed_write_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from neuroact import atomic_file

    def full(handle: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(atomic_file.os, "fsync", full)
    with pytest.raises(OSError, match="disk full"):
        atomic_file.write_text(tmp_path / "activity.json", "text")
    assert list(tmp_path.iterdir()) == []


def damaged(change: Mapping[str, Any]) -> str:
    document = report_on(Stream((np.ones((2, 1, 3)),), (3,))).to_dict()
    document["layers"][0] |= change
    return json.dumps(document)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not JSON, or cut short"),
        ("{}", 'expected a document with "schema": "neuroact.report"'),
        ('{"schema": "neuroact.report", "schema_version": 3}', "version 3.*update neuroact"),
        (
            '{"schema": "neuroact.report", "schema_version": 1}',
            "missing required field `origin`",
        ),
        ('{"a":' + "[" * 100_000, "not JSON, or cut short"),
        (damaged({"shape": [4]}), "3 values do not make the shape"),
        (damaged({"shape": [10**12]}), "3 values do not make the shape"),
        (damaged({"events": [1, 2, -1]}), "expected `int` >= 0, came -1"),
        (damaged({"events": [1, 2, 10**30]}), "expected `int` <= 9223372036854775807, came 1000"),
        (damaged({"events": [1, 2, "x"]}), "expected `int`, came 'x'"),
        (damaged({"kind": "loud"}), "kind: invalid enum value 'loud'"),
        (damaged({"name": 3}), "name: expected `str`, came 3"),
        (damaged({"dt": "x"}), r"dt: expected `float \| null`, came 'x'"),
        (damaged({"nonfinite": 0}), "nonfinite: expected `bool`, came 0"),
        (damaged({"kind": "graded"}), 'damaged: layer "lif": it has no `total`'),
    ],
)
def test_a_damaged_foreign_or_newer_file_is_a_clear_error(
    text: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "activity.json"
    path.write_text(text)
    with pytest.raises(ReportFileError, match=message) as caught:
        ActivityReport.from_json(path)
    assert str(path) in str(caught.value)


def layer(name: str = "lif", **changes: Any) -> LayerActivity:
    given: dict[str, Any] = {
        "framework": "toy",
        "layer_type": "Neuron",
        "kind": SignalKind.BINARY,
        "observations": 4,
        "sequences": 2,
        "events": np.array([0, 1, 4]),
    }
    return LayerActivity(name=name, **(given | changes))


def test_with_no_observation_figures_are_nan_and_nobody_is_dead() -> None:
    empty = layer(observations=0, sequences=0, events=np.zeros(3, int))
    assert all(np.isnan(getattr(empty, f)) for f in METRICS if f not in ("dead", "saturated"))
    assert (empty.dead, empty.saturated) == (0, 0)
    assert empty.histogram(4)[0].tolist() == [0] * 4
    with pytest.raises(ValueError, match=r"\[0, 1\]"):
        empty.quantile(1.5)


def test_without_neurons_figures_are_nan() -> None:
    empty = layer(events=np.zeros((0, 3), int))
    assert np.isnan([empty.mean, empty.std, empty.max, empty.sparsity]).all()
    assert empty.dead == 0


def test_with_no_spike_figures_are_zero_and_all_neurons_dead() -> None:
    silent = layer(events=np.zeros(3, int))
    assert (silent.mean, silent.std, silent.max, silent.sparsity, silent.dead) == (0, 0, 0, 1, 3)


def test_a_report_is_frozen() -> None:
    with pytest.raises(ValueError, match="read-only"):
        layer().events[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        layer().activity[0] = 1
    with pytest.raises(AttributeError):
        layer().observations = 3  # type: ignore[misc]


def test_a_report_keeps_no_memory_of_the_callers() -> None:
    events = np.array([0, 1, 4])
    kept = layer(events=events)
    events[:] = 0
    assert kept.events.tolist() == [0, 1, 4]


def test_a_mapping_that_helps_with_names() -> None:
    report = ActivityReport([layer("encoder.lif1"), layer("encoder.lif2")], not_called=["head"])
    assert list(report) == ["encoder.lif1", "encoder.lif2"]
    assert len(report) == 2
    assert "encoder.lif3" not in report
    with pytest.raises(UnknownLayerError, match=r"Did you mean 'encoder\.lif2' or 'encoder\.lif1'"):
        report["encoder.lif"]
    with pytest.raises(KeyError, match="never called"):
        report["head"]
    with pytest.raises(LayerNameError, match='two layers of a report are named "a"'):
        ActivityReport([layer("a"), layer("a")])


def test_reports_are_equal_when_their_counts_are() -> None:
    a = ActivityReport([layer()], origin={"created": "now"})
    assert a == ActivityReport([layer()], origin={"created": "later"})
    assert a != ActivityReport([layer(events=np.array([0, 1, 3]))])
    assert a != ActivityReport([layer(observations=5)])
    assert a != ActivityReport([layer()], not_called=["x"])
    assert a != "a"


def test_a_data_frame_has_a_row_a_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    report = ActivityReport([layer("a"), layer("b", events=np.array([4, 4, 4]))])
    frame = report.to_frame()
    assert frame["layer"].tolist() == ["a", "b"]
    assert frame["mean"].tolist() == [report["a"].mean, 1.0]
    assert frame["saturated"].tolist() == [1, 3]
    for name in ("pandas", "polars"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match="pip install"):
        report.to_frame()
