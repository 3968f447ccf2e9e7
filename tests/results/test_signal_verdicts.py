"""Real values get verdicts of their own, and no words of spikes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgba
from torch import nn

import neuroact
from neuroact import ActivityReport, LayerActivity, Recording, Signal
from neuroact.plots import neuron_map
from neuroact.results.diagnosis import diagnose
from neuroact.table import table_text

RNG = np.random.default_rng(0)


def recorded(values: Any, of: str = "output", threshold: float | None = None) -> LayerActivity:
    recording = Recording(statistics=Signal(threshold))
    recording.observe("layer", np.asarray(values), kind="analog")
    return replace(recording.report()["layer"], of=of)


def gradients(*sizes: float) -> list[LayerActivity]:
    """Layers whose gradients have these sizes, in the model's order."""
    values = RNG.standard_normal((4, 2, 9))
    return [
        replace(recorded(size * values, "grad"), name=f"g{number}")
        for number, size in enumerate(sizes)
    ]


def found(*layers: LayerActivity, **thresholds: float) -> list[tuple[str, str]]:
    return [(v.layer, v.name) for v in ActivityReport(layers).diagnose(**thresholds)]


@pytest.mark.parametrize(("dead", "verdicts"), [(3, []), (4, [("layer", "dead")])])
def test_a_relu_is_dead_if_too_many_units_are_always_zero(dead: int, verdicts: Any) -> None:
    values = np.abs(RNG.standard_normal((4, 3, 5)))
    values[..., :dead] = 0
    assert found(recorded(values)) == verdicts
    assert found(recorded(values), dead=0.8) == []
    assert found(recorded(-values)) == []  # not rectified: what its zeros mean is not known


def test_a_recorded_relu_without_signal_is_judged_by_its_class() -> None:
    net = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Tanh())
    with torch.no_grad():
        net[0].bias[:5] = -99
    with neuroact.record(net, layers=["1", "2"]) as recording:
        net(torch.randn(20, 4))
    report = recording.report()
    assert [(v.layer, v.name) for v in report.diagnose()] == [("1", "dead")]
    assert "leaky ReLU" in report.diagnose()[0].advice
    assert (report["1"].rectified, report["2"].rectified) == (True, False)


@pytest.mark.parametrize(("far", "verdicts"), [(0.4, []), (0.6, [("layer", "saturating")])])
def test_a_membrane_is_saturating_if_most_values_are_far_from_the_threshold(
    far: float, verdicts: Any
) -> None:
    values = np.full((10, 1, 1), 0.9)
    values[: int(10 * far)] = -9.5
    assert found(recorded(values, "mem", threshold=1.0)) == verdicts
    assert found(recorded(values, "mem", threshold=1.0), saturating=0.7) == []
    assert found(recorded(values, "mem")) == []  # without a threshold nothing is far from it
    assert found(recorded(values, "mem", threshold=0.0)) == []  # nor from one without a size


def test_gradients_vanish_and_explode_against_the_last_layer() -> None:
    assert found(*gradients(0.01, 0.1, 1)) == []
    assert found(*gradients(1e-4, 0.1, 1)) == [("g0", "vanishing")]
    assert found(*gradients(1e4, 0.1, 1)) == [("g0", "exploding")]
    assert found(*gradients(0, 1)) == [("g0", "vanishing")]
    assert found(*gradients(1e-4, 1), vanishing=1e-5) == []
    assert found(*gradients(10, 1), exploding=5) == [("g0", "exploding")]
    assert found(*gradients(1e-9), *gradients(1)[:0]) == []  # one layer has none to compare with
    assert found(*gradients(1, 0)) == []  # nor have layers before one without a gradient
    verdict = diagnose(gradients(1e-4, 1))[0]
    assert verdict.value == pytest.approx(1e-4, rel=1e-9)
    assert verdict.threshold == 1e-3


def test_gradients_that_vanish_in_a_row_have_one_verdict_which_names_the_one_nearest_the_loss() -> (
    None
):
    (verdict,) = diagnose(gradients(1e-7, 1e-6, 1e-4, 0.1, 1))
    assert (verdict.layer, verdict.layers) == ("g2", ("g0", "g1", "g2"))
    assert verdict.value == pytest.approx(1e-4, rel=1e-9)
    assert "g2 and the 2 layers before it: at g2 its norm is 0.0001 times" in verdict.sentence
    assert found(*gradients(1e-4, 1e4, 1)) == [("g1", "exploding"), ("g0", "vanishing")]


def test_activations_of_the_same_sizes_are_no_gradients() -> None:
    assert found(*(replace(g, of="output") for g in gradients(1e-9, 1e9, 1))) == []


@pytest.mark.parametrize(
    ("name", "value"), [("exploding", 0.5), ("vanishing", 2), ("saturating", -1)]
)
def test_a_threshold_out_of_its_range_is_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name}=.*: expected"):
        found(**{name: value})


def test_tables_frames_and_pages_have_a_dash_where_a_word_of_spikes_would_say_nothing() -> None:
    voltage = replace(recorded(RNG.standard_normal((5, 2, 3))), name="voltage")
    relu = replace(recorded(np.maximum(RNG.standard_normal((5, 2, 3)), 0)), name="relu")
    report = ActivityReport([voltage, relu])
    cells = {line.split()[0]: line.split()[-3:] for line in table_text(report).splitlines() if line}
    assert cells["voltage"] == ["-", "-", "-"]
    assert cells["relu"] == [f"{relu.sparsity:.4f}", "0", "-"]
    assert cells["total"] == cells["relu"]
    assert table_text(ActivityReport([voltage])).count(" - ") >= 1
    assert "fired" not in table_text(report)
    assert "if binary" not in table_text(report)
    frame = report.to_frame().set_index("layer")
    assert frame.loc["voltage", ["sparsity", "dead", "saturated"]].isna().all()
    assert frame.loc["relu", ["sparsity", "dead"]].tolist() == [relu.sparsity, 0]
    figures = report.to_dict()["layers"][0]["figures"]
    assert (figures["sparsity"], figures["dead"], figures["saturated"]) == (None, None, None)
    page = report.to_html()
    assert "saturated neurons" not in page
    assert "they never fired" not in page
    assert "who fires" not in page


def test_what_was_recorded_comes_back_from_json() -> None:
    report = ActivityReport(gradients(1, 2))
    assert ActivityReport.from_json(report.to_json()) == report
    assert ActivityReport.from_json(report.to_json())["g0"].of == "grad"
    document = report.to_dict()
    del document["layers"][0]["of"]
    assert ActivityReport.from_dict(document)["g0"].of == "output"


def test_maps_and_comparisons_have_no_words_of_spikes_for_real_values() -> None:
    voltage = replace(recorded(RNG.standard_normal((5, 2, 9))), name="layer")
    relu = recorded(np.maximum(RNG.standard_normal((5, 2, 9)), 0) * (np.arange(9) > 2))
    pink = to_rgba("#CC79A7")
    for layer, words in ((voltage, ""), (relu, "dead (orange): 3")):
        axes = neuron_map(layer)
        assert axes.get_xlabel() == words
        (image,) = axes.images
        pixels = np.asarray(image.get_array()).reshape(-1, 4)
        assert not np.isclose(pixels, pink).all(axis=1).any()
    reports = [ActivityReport([voltage]), ActivityReport([replace(voltage, observations=11)])]
    comparison = neuroact.compare(*reports)
    difference = next(iter(comparison["layer"].differences.values()))
    assert np.isnan([difference.sparsity, difference.dead_share, difference.saturated_share]).all()
    assert (difference.dead, difference.saturated) == (None, None)
    rows = [line.split() for line in str(comparison).splitlines() if line.strip()]
    assert rows[2][-3:] == ["-", "-", "-"]  # the first report has no distance
    assert rows[3][-4:-1] == ["-", "-", "-"]
