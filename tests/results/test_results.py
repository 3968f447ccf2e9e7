"""Results of statistics on a layer: by class, by name, in a file and back."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

import neuroact
from neuroact import (
    ActivityReport,
    Firing,
    LayerActivity,
    Raster,
    Recording,
    SignalKind,
    TimeCourse,
)
from neuroact import statistics as ours
from neuroact.errors import (
    MissingStatisticError,
    NoTimeStepError,
    ReportFileError,
    StatisticKindError,
)
from neuroact.files.layout import RESULTS
from neuroact.statistics.results import LayerResult
from neuroact.testing.strategies import Stream, streams

OWN = [getattr(ours, name) for name in RESULTS]
LEVELS = {SignalKind.BINARY: (0.0, 1.0), SignalKind.GRADED: (0.0, -0.5, 1.0, 3.0)}
V1 = Path(__file__).parents[1] / "data/report-v1.json"


class Chunks(Firing):
    """A user's own statistic: counts chunks."""

    def result(self) -> Any:
        return "many"


def report_on(
    stream: Stream, kind: SignalKind = SignalKind.BINARY, dt: float | None = None
) -> ActivityReport:
    recording = Recording(statistics=[*OWN, Chunks], dt=dt)
    for sequence in stream.sequences:
        recording.observe("lif", torch.from_numpy(sequence), axes=stream.axes, kind=kind)
    return recording.report()


def test_every_statistic_of_neuroacts_own_is_written_to_files() -> None:
    named = {name for name in ours.__all__ if name + "Result" in ours.__all__}
    assert set(RESULTS) == named - {"Firing"}  # whose counts are the layer's own


@given(st.data(), st.sampled_from(list(LEVELS)), st.sampled_from([None, 0.001]))
def test_results_come_back_from_json_to_the_bit(
    data: st.DataObject, kind: SignalKind, dt: float | None
) -> None:
    report = report_on(data.draw(streams(LEVELS[kind])), kind, dt)
    again = ActivityReport.from_json(report.to_json())
    assert again == report
    assert again["lif"].results.keys() == RESULTS.keys()
    for name, result in again["lif"].results.items():
        for field, value in vars(report["lif"].results[name]).items():
            read = getattr(result, field)
            np.testing.assert_array_equal(read, value)
            if isinstance(value, np.ndarray):
                assert (read.dtype, read.shape) == (value.dtype, value.shape)


def test_reports_of_other_results_are_not_equal() -> None:
    one, two, three = (
        report_on(Stream((np.array(values)[:, None] * 1.0,), (2,)))
        for values in ([[1, 0], [0, 1]], [[1, 0], [0, 1]], [[1, 1], [0, 0]])
    )
    assert one == two
    assert one != three  # the same events per neuron, at other steps


def test_results_are_had_by_class_and_by_name() -> None:
    layer = report_on(Stream((np.ones((3, 2, 4)),), (4,)))["lif"]
    for cls in OWN:
        assert isinstance(layer[cls], RESULTS[cls.__name__])
        assert layer[cls.__name__] is layer[cls]
    assert layer["Chunks"] == layer[Chunks] == "many"
    assert layer[TimeCourse].events.tolist() == [8, 8, 8]
    assert layer[Firing].events.tolist() == layer.events.tolist() == [6, 6, 6, 6]


def test_a_result_that_was_not_recorded_is_an_error_that_says_what_was() -> None:
    recording = Recording(statistics=[TimeCourse])
    recording.observe("lif", torch.ones(2, 1, 3))
    layer = recording.report()["lif"]
    message = r'of Synchrony, which the layer "lif" has not; it has Firing, TimeCourse\. Record'
    with pytest.raises(MissingStatisticError, match=message) as caught:
        layer["Synchrony"]
    assert isinstance(caught.value, KeyError)
    assert (caught.value.layer, caught.value.statistic) == ("lif", "Synchrony")


class Mine:
    """A user's own statistic that was not recorded."""

    def update(self, chunk: object) -> None: ...


@pytest.mark.parametrize(
    ("asked", "advice"),
    [
        (
            TimeCourse,
            r"Record them: .*statistics=\[neuroact\.TimeCourse\]\)",
        ),
        ("TimeCourse", r"statistics=\[neuroact\.TimeCourse\]"),
        ("SpikeCount", r"No statistic of neuroact is called so\. Did you mean 'SpikeCounts'"),
        ("timecourse", r"called so\. Did you mean 'TimeCourse'\?"),
        (RESULTS["TimeCourse"], r"called so\. Did you mean 'TimeCourse'"),
        ("xyz", r"called so\.$"),
        (Mine, r"statistics=\[Mine\]"),
        ("ClassActivity", r"Record them: neuroact\.record\(model, .*neuroact\.ClassActivity\]\)$"),
    ],
)
def test_a_result_that_is_not_there_is_answered_with_names_that_exist(
    asked: Any, advice: str
) -> None:
    recording = Recording()
    recording.observe("lif", torch.ones(2, 1, 3))
    with pytest.raises(MissingStatisticError, match=advice):
        recording.report()["lif"][asked]


@pytest.mark.parametrize("asked", [Raster(3), 3, None])
def test_what_is_neither_class_nor_name_of_a_statistic_is_refused_in_one_sentence(
    asked: Any,
) -> None:
    recording = Recording(statistics=[Raster(3)])
    recording.observe("lif", torch.ones(2, 1, 3))
    with pytest.raises(TypeError, match=r'^layer "lif": results are had by .* class, .*; came '):
        recording.report()["lif"][asked]


def test_a_result_knows_the_time_step_and_why_not_to_trust_the_layer() -> None:
    recording = Recording(statistics=OWN, dt=0.5)
    recording.observe("lif", torch.ones(2, 1, 3))
    assert recording.report()["lif"][TimeCourse].rate.tolist() == [2, 2]
    recording.observe("lif", torch.full((2, 1, 3), math.nan))
    with pytest.warns(UserWarning, match="NaN"):
        report = recording.report()
    for layer in (report["lif"], ActivityReport.from_json(report.to_json())["lif"]):
        for result in layer.results.values():
            assert not isinstance(result, LayerResult) or result.unreliable == layer.unreliable
        assert np.isnan(layer[TimeCourse].rate).all()


@pytest.mark.parametrize(
    "damage",
    [
        {"SpikeCounts": {}},
        {"SpikeCounts": {"histogram": [1], "sums": [0], "squares": [0], "sequences": -1}},
        {"SpikeCounts": {"histogram": [1], "sums": [0], "squares": [0, 1], "sequences": 1}},
        {"SpikeCounts": {"histogram": [0.5], "sums": [0], "squares": [0], "sequences": 1}},
        {"Unheard": {}},
        [],
    ],
)
def test_damaged_results_are_refused(damage: Any) -> None:
    document = report_on(Stream((np.ones((3, 2, 1)),), (1,))).to_dict()
    document["layers"][0]["results"] = damage
    with pytest.raises(ReportFileError, match="damaged"):
        ActivityReport.from_json(json.dumps(document))


def test_a_file_of_schema_version_1_still_loads() -> None:
    assert json.loads(V1.read_text())["schema_version"] == 1
    report = ActivityReport.from_json(V1)
    assert len(report)
    assert all(layer.results == {} for layer in report.values())
    assert ActivityReport.from_json(report.to_json()) == report


def layer_of(events: list[int], **more: Any) -> LayerActivity:
    counts = {"observations": 10, "sequences": 1, **more}
    return LayerActivity("lif", "toy", "N", SignalKind.BINARY, events=np.array(events), **counts)


def test_dead_and_saturated_by_rate_and_by_count() -> None:
    firing = layer_of([0, 1, 3, 7, 10])[Firing]
    assert firing.dead().tolist() == [True, False, False, False, False]
    assert firing.dead(0.3).tolist() == [True, True, True, False, False]
    assert firing.dead(count=1).tolist() == [True, True, False, False, False]
    assert firing.saturated().tolist() == [False, False, False, False, True]
    assert firing.saturated(0.7).tolist() == [False, False, False, True, True]
    assert firing.saturated(count=3).sum() == 3
    with pytest.raises(ValueError, match=r"lie in \[0, 1\], came 3; .*count="):
        firing.dead(3)


@pytest.mark.parametrize("more", [{"observations": 0}, {"nonfinite": True}, {"not_binary": True}])
def test_no_neuron_is_dead_or_saturated_where_nothing_is_known(more: Any) -> None:
    firing = layer_of([0, 0], **more)[Firing]
    assert not firing.dead().any()
    assert not firing.saturated().any()


@pytest.mark.parametrize("cls", [cls for cls in OWN if hasattr(cls, "kinds")])
def test_a_layer_of_real_values_is_refused_by_name_before_anything_is_hooked(cls: Any) -> None:
    net = nn.Sequential(nn.ReLU())
    message = f'{cls.__name__} applies to binary and graded layers; layer "0" is analog. Real'
    with pytest.raises(StatisticKindError, match=message) as caught:
        neuroact.record(net, layers="0", statistics=[cls])
    assert (caught.value.layer, caught.value.statistic) == ("0", cls.__name__)
    assert not net[0]._forward_hooks


def test_a_layer_that_turns_out_to_emit_real_values_is_refused_and_nothing_is_counted() -> None:
    recording = Recording(statistics=[TimeCourse])
    recording.observe("lif", torch.ones(2, 1, 3))
    before = recording.report()
    with pytest.raises(StatisticKindError, match='layer "lif" is analog'):
        recording.observe("lif", torch.ones(2, 1, 3), kind="analog")
    with pytest.raises(StatisticKindError, match='layer "new" is analog'):
        recording.observe("new", torch.ones(2, 1, 3), kind="analog")
    assert recording.report() == before


@pytest.mark.parametrize("kind", SignalKind)
def test_rates_in_hertz_count_spikes_and_need_the_time_step(kind: SignalKind) -> None:
    recording = Recording(dt=0.001)
    recording.observe("lif", torch.tensor([[[0.0, 1.0]], [[1.0, 1.0]]]), kind=kind)
    layer = recording.report()["lif"]
    if kind is SignalKind.ANALOG:
        assert np.isnan(layer.rate).all()
    else:
        assert layer.rate.tolist() == [500, 1000]
    assert np.isnan(replace(layer, observations=0).rate).all()
    with pytest.raises(NoTimeStepError, match=r"rate is in ms or Hz.*dt=0\.001"):
        _ = replace(layer, dt=None).rate
