"""Data frames, CSV and Parquet hold the report's numbers to the bit."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from pyarrow import parquet

import neuroact
from neuroact import ActivityReport, LayerActivity, Recording, SignalKind, atomic_file
from neuroact.errors import MissingExtraError
from neuroact.files.layout import METRICS

HOSTILE = 'a,"b"\r\n=cmd();<script>'


@pytest.fixture
def report() -> ActivityReport:
    """Layers of several shapes and kinds: one has no figures, one has a hostile name."""
    rng = np.random.default_rng(0)
    recording = Recording(statistics=[neuroact.SpikeCounts, neuroact.InterspikeIntervals], dt=0.001)
    recording.observe("conv", rng.random((9, 2, 2, 3)) < 0.4)
    recording.observe(HOSTILE, rng.random((9, 2)) < 0.7, axes="TB")
    recording.observe("graded", rng.choice([0.0, -0.5, 3.0], (9, 2, 4)), kind="graded")
    layers = list(recording.report().values())
    layers.append(
        LayerActivity(
            name="broken",
            framework="toy",
            layer_type="Relu",
            kind=SignalKind.ANALOG,
            observations=3,
            sequences=1,
            events=np.array([2, 3]),
            total=np.array([1.0, np.nan]),
            nonfinite=True,
        )
    )
    return ActivityReport(layers, origin={"model": "nets.Net", "versions": {"torch": "2"}})


def test_the_other_statistics_have_columns_with_their_name_in_front() -> None:
    recording = Recording(statistics=["InterspikeIntervals", "SpikeCounts", "Synchrony"])
    recording.observe("lif", np.random.default_rng(0).random((40, 3, 5)) < 0.3)
    report = recording.report()
    layer, row = report["lif"], report.to_frame().iloc[0]
    for column, value in {
        "synchrony_chi": layer[neuroact.Synchrony].chi,
        "spike_counts_mean": layer[neuroact.SpikeCounts].mean,
        "spike_counts_fano_factor_median": np.median(layer[neuroact.SpikeCounts].fano_factor),
        "interspike_intervals_cv_median": np.median(layer[neuroact.InterspikeIntervals].cv),
    }.items():
        assert row[column] == value, column
    assert "spike_counts_window" not in row
    assert "interspike_intervals_mean_ms" not in row


def expected(report: ActivityReport) -> list[dict[str, Any]]:
    """A row for each neuron, taken from the layers one by one."""
    rows = []
    for layer in report.values():
        for number, place in enumerate(np.ndindex(layer.shape)):
            row = {
                "layer": layer.name,
                "neuron": number,
                "position": ",".join(map(str, place)),
                "events": layer.events[place],
                "total": layer.total[place],
                "activity": layer.activity[place],
            }
            for statistic, metrics in (
                ("SpikeCounts", ["fano_factor"]),
                ("InterspikeIntervals", ["mean_interval", "cv", "cv2", "lv"]),
            ):
                for metric in metrics:
                    has = statistic in layer.results
                    row[metric] = getattr(layer[statistic], metric)[place] if has else np.nan
            rows.append(row)
    return rows


def test_a_frame_has_a_row_a_layer_with_every_metric(report: ActivityReport) -> None:
    frame = report.to_frame()
    assert frame["layer"].tolist() == list(report)
    for metric in (*METRICS, "neurons", "sequences", "observations"):
        wanted = [
            getattr(layer, metric) if layer.has_meaning(metric) else np.nan
            for layer in report.values()
        ]
        np.testing.assert_array_equal(frame[metric], wanted)
    assert frame["shape"].tolist() == ["2x3", "", "4", "2"]
    assert frame["dt"].tolist()[:3] == [0.001] * 3
    assert frame["unreliable"].tolist()[-1] == report["broken"].unreliable


def test_a_frame_has_a_row_a_neuron(report: ActivityReport) -> None:
    pd.testing.assert_frame_equal(report.to_frame(per="neuron"), pd.DataFrame(expected(report)))


@pytest.mark.parametrize("per", ["layer", "neuron"])
def test_polars_gives_the_same_frame_where_pandas_is_missing(
    per: Any, report: ActivityReport, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = report.to_frame(per=per)
    monkeypatch.setitem(sys.modules, "pandas", None)
    frame = report.to_frame(per=per)
    assert isinstance(frame, pl.DataFrame)
    assert frame.columns == list(wanted.columns)
    for name in frame.columns:
        mine, theirs = frame[name].to_list(), wanted[name].tolist()
        for a, b in zip(mine, theirs, strict=True):
            assert a == b or (pd.isna(b) and (a is None or np.isnan(a)))


@pytest.mark.parametrize("per", ["layer", "neuron"])
def test_csv_is_read_back_to_the_bit(per: Any, report: ActivityReport, tmp_path: Path) -> None:
    path = tmp_path / "activity.csv"
    text = report.to_csv(path, per=per)
    assert path.read_bytes().decode() == text
    wanted = report.to_frame(per=per)
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [row["layer"] for row in rows] == wanted["layer"].tolist()
    for name in wanted.columns:
        for row, value in zip(rows, wanted[name].tolist(), strict=True):
            kind = type(value)
            assert (row[name] == "") if pd.isna(value) or value == "" else kind(row[name]) == value
    frame = pd.read_csv(path)
    np.testing.assert_array_equal(
        frame.select_dtypes("number"), wanted[frame.select_dtypes("number").columns]
    )


@pytest.mark.parametrize("per", ["layer", "neuron"])
@pytest.mark.parametrize("name", ["=1+1", "+x", "-x", "@x", "\tx", "\rx", "\nx", '=A1&"x"'])
def test_no_text_is_a_formula_for_a_spreadsheet_and_no_number_is_a_text(
    name: str, per: Any
) -> None:
    layer = LayerActivity(
        name, "toy", "Toy", SignalKind.GRADED, 2, 1, events=np.array([1]), total=np.array([-1.0])
    )
    report = ActivityReport([layer])
    [row] = csv.DictReader(io.StringIO(report.to_csv(per=per), newline=""))
    assert row["layer"] == f"'{name}"
    assert row["mean" if per == "layer" else "activity"] == "-0.5"
    assert report.to_frame(per=per)["layer"].tolist() == [name]


@pytest.mark.parametrize("per", ["layer", "neuron"])
def test_parquet_is_read_back_to_the_bit_with_its_origin(
    per: Any, report: ActivityReport, tmp_path: Path
) -> None:
    path = tmp_path / "activity.parquet"
    report.to_parquet(path, per=per)
    wanted = report.to_frame(per=per)
    pd.testing.assert_frame_equal(pd.read_parquet(path), wanted, check_dtype=False)
    assert pl.read_parquet(path)["layer"].to_list() == wanted["layer"].tolist()
    table = parquet.read_table(path)
    assert json.loads(table.schema.metadata[b"neuroact"]) == report.to_dict()["origin"]
    floats = [name for name in table.column_names if str(table[name].type) == "double"]
    assert all(table[name].null_count == int(wanted[name].isna().sum()) for name in floats)


def test_nothing_recorded_and_no_neurons_give_heads_without_rows() -> None:
    assert (
        ActivityReport([]).to_csv(per="neuron") == "layer,neuron,position,events,total,activity\n"
    )
    assert len(ActivityReport([]).to_frame()) == 0


def test_another_row_than_a_layer_or_a_neuron_is_an_error(report: ActivityReport) -> None:
    with pytest.raises(ValueError, match='"layer" or "neuron", came \'row\''):
        report.to_csv(per="row")  # type: ignore[arg-type]


def test_files_are_written_whole_or_not_at_all(
    report: ActivityReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(atomic_file.os, "fsync", full)
    for write in (report.to_csv, report.to_parquet, report.to_html, report.to_json):
        path = tmp_path / "out"
        path.write_text("old")
        with pytest.raises(OSError, match="disk full"):
            write(path)
        assert [p.name for p in tmp_path.iterdir()] == ["out"]
        assert path.read_text() == "old"


def test_without_pyarrow_the_extra_is_named(
    report: ActivityReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r'pip install "neuroact\[parquet\]"'):
        report.to_parquet(tmp_path / "activity.parquet")


def test_a_million_neurons_are_written(tmp_path: Path) -> None:
    recording = Recording()
    recording.observe("big", torch.rand(1, 1, 1000, 1000) < 0.1)
    report = recording.report()
    report.to_parquet(tmp_path / "big.parquet", per="neuron")
    read = parquet.read_table(tmp_path / "big.parquet")
    np.testing.assert_array_equal(read["events"].to_numpy(), report["big"].events.ravel())
    assert read["position"][-1].as_py() == "999,999"
