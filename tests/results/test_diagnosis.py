"""A layer gets a verdict if its rule holds, and only then."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neuroact import ActivityReport, LayerActivity, Recording, SignalKind
from neuroact.results.diagnosis import Verdict, diagnose, event_rate, separation

STEPS = 1000


def layer(
    name: str, rates: Any, kind: SignalKind = SignalKind.BINARY, **more: Any
) -> LayerActivity:
    events = np.rint(np.asarray(rates, dtype=float) * STEPS).astype(np.int64)
    options = {"observations": STEPS, "sequences": 1, "total": events * 1.0, **more}
    return LayerActivity(name, "toy", "Neuron", kind, events=events, **options)


def found(*layers: LayerActivity, **thresholds: float) -> list[tuple[str, str]]:
    return [(v.layer, v.name) for v in ActivityReport(layers).diagnose(**thresholds)]


def spread(rate: float, neurons: int = 10) -> Any:
    """Evenly spread rates around one: clearly not two groups."""
    return rate * np.linspace(0.9, 1.1, neurons)


def test_a_healthy_report_has_no_verdict() -> None:
    assert found(*(layer(f"lif{n}", spread(0.1)) for n in range(6))) == []


def test_a_layer_without_an_event_is_silent_and_not_dead_besides() -> None:
    assert found(layer("lif", np.zeros(4))) == [("lif", "silent")]


@pytest.mark.parametrize(("share", "verdicts"), [(0.4, []), (0.5, [("lif", "dead")])])
def test_a_layer_is_dead_above_the_threshold_and_not_at_it(share: float, verdicts: Any) -> None:
    assert found(layer("lif", [0.0] * int(10 * share) + [0.1] * int(10 - 10 * share))) == verdicts


def test_thresholds_are_arguments() -> None:
    sick = layer("lif", [0.0] * 5 + [0.1] * 4 + [1.0])
    assert found(sick) == [("lif", "dead"), ("lif", "saturated")]
    assert found(sick, dead=0.5, saturated=0.1) == []
    with pytest.raises(TypeError, match="deaf"):
        found(sick, deaf=0.5)


@pytest.mark.parametrize("share", ["dead", "saturated", "fading", "bimodal"])
@pytest.mark.parametrize("value", [30, 1.0001, -0.1, np.float32(40), float("nan"), "0.3", True])
def test_a_share_that_no_layer_could_reach_is_refused(share: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^{share}=.*: expected a share in \[0, 1\]"):
        found(layer("lif", [0.0, 0.1]), **{share: value})
    for end in (0, 1, 0.5, np.float32(0.5)):
        found(layer("lif", [0.0, 0.1]), **{share: end})


def test_a_percentage_is_told_what_it_may_have_meant() -> None:
    with pytest.raises(ValueError, match=r"^dead=30: .*; did you mean dead=0\.3\?$"):
        found(layer("lif", [0.0, 0.1]), dead=30)


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf")])
def test_a_number_of_ranges_is_finite_and_not_negative(value: float) -> None:
    with pytest.raises(ValueError, match=r"^busy=.*: expected a number of 0 or more$"):
        found(layer("lif", [0.0, 0.1]), busy=value)


def test_a_verdict_names_layer_figure_threshold_and_what_people_do() -> None:
    (verdict,) = diagnose([layer("lif", [0.0] * 3 + [0.1])])
    said = "75 % of lif never fired: 3 of its 4 neurons"
    assert verdict == Verdict("lif", "dead", said, "dead", 0.75, 0.4, verdict.advice, ("lif",))
    assert str(verdict).startswith(f"{said} (dead, threshold 40 %). Lower the learning rate")
    assert len(verdict.advice) > 50


@pytest.mark.parametrize(
    ("rates", "first"),
    [
        ([0.3, 0.2, 0.1], None),
        ([0.3, 0.1, 0.01], "lif2"),
        ([0.3, 0.02, 0.01], "lif1"),
        ([0.3, 0.02, 0.2], None),  # it comes back
        ([0.1, 0.5, 0.02], "lif2"),  # against the busiest before, not the first
        ([0.3, 0.01], None),  # two layers have no depth
    ],
)
def test_fading_is_said_of_the_first_layer_from_which_on_all_are_quiet(
    rates: list[float], first: str | None
) -> None:
    layers = [layer(f"lif{n}", spread(rate)) for n, rate in enumerate(rates)]
    expected = [] if first is None else [(first, "fading")]
    assert [v for v in found(*layers) if v[1] == "fading"] == expected


def test_a_layer_far_out_of_the_others_is_busy() -> None:
    others = [layer(f"lif{n}", spread(0.1 + n / 100)) for n in range(5)]
    assert found(*others, layer("much", spread(0.4))) == [("much", "busy")]
    assert found(*others, layer("more", spread(0.15))) == []
    assert found(*others[:3], layer("much", spread(0.4))) == []  # too few to tell


def busy(*rates: float) -> list[int]:
    layers = [layer(f"lif{n}", spread(rate)) for n, rate in enumerate(rates)]
    return [int(name[3:]) for name, verdict in found(*layers) if verdict == "busy"]


def test_silent_layers_are_no_measure_of_a_busy_one() -> None:
    assert busy(0, 0, 0, 0, 0, 0.6) == []
    assert busy(0, 0, 0.1, 0.11, 0.12, 0.13, 0.5) == [6]


@pytest.mark.parametrize("loudest", [0.006, 0.06])
def test_a_layer_sparser_than_93_percent_is_not_busy(loudest: float) -> None:
    assert busy(*[0.001] * 5, loudest) == []


def test_layers_nearly_alike_are_not_busy() -> None:
    assert busy(*[0.2] * 5, 0.21) == []
    assert busy(*[0.2] * 5, 0.41) == [5]


@pytest.mark.parametrize("firing", [1, 4])
def test_a_dead_layer_is_not_busy_besides(firing: int) -> None:
    others = [layer(f"lif{n}", spread(0.01 + n / 1000)) for n in range(5)]
    sick = layer("sick", [0.0] * (10 - firing) + [0.9] * firing)
    assert found(*others, sick) == [("sick", "dead")]
    alive = layer("alive", [0.0] * 4 + [0.9] * 6)
    assert found(*others, alive) == [("alive", "busy")]


def test_a_layer_of_two_groups_is_bimodal_and_one_of_few_neurons_is_not_judged() -> None:
    two = np.concatenate([spread(0.05, 30), spread(0.6, 30)])
    assert found(layer("lif", two)) == [("lif", "bimodal")]
    assert found(layer("lif", two[25:35])) == []
    outlier = np.concatenate([spread(0.05, 59), [0.9]])
    assert found(layer("lif", outlier)) == []


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("law", ["normal", "uniform", "exponential"])
def test_layers_of_one_group_are_not_bimodal(law: str, seed: int) -> None:
    draw = getattr(np.random.default_rng(seed), law)
    rates = np.clip(draw(size=100) * 0.05 + 0.3, 0.01, 0.9)
    assert found(layer("lif", rates)) == []


@given(st.lists(st.integers(0, 20), min_size=2, max_size=40), st.floats(0.05, 0.4))
def test_separation_is_the_best_of_all_splits(values: list[int], least: float) -> None:
    ordered = np.sort(values) * 1.0
    n = len(ordered)
    best = 0.0
    for k in range(1, n):
        low, high = ordered[:k], ordered[k:]
        if ordered[k - 1] < ordered[k] and min(k, n - k) >= least * n:
            between = k * (n - k) / n**2 * (high.mean() - low.mean()) ** 2
            best = max(best, between / ordered.var())
    assert separation(values, least) == pytest.approx(best, rel=1e-9)


def test_real_values_and_layers_without_figures_are_not_judged() -> None:
    assert found(layer("mem", np.zeros(4), SignalKind.ANALOG)) == []
    assert found(layer("lif", np.zeros(4), nonfinite=True)) == []
    assert found(layer("lif", np.zeros(4), observations=0)) == []
    assert found(layer("lif", np.zeros(0))) == []


def test_graded_layers_are_judged_by_their_events() -> None:
    graded = layer("sum", [0.0, 0.0, 0.0, 0.1], SignalKind.GRADED, total=np.full(4, -3.0))
    assert event_rate(graded) == 0.025
    assert found(graded) == [("sum", "dead")]


def test_a_recorded_network_is_diagnosed_and_the_table_marks_it() -> None:
    recording = Recording()
    recording.observe("ok", torch.eye(3).unsqueeze(1))
    recording.observe("off", torch.zeros(5, 2, 3))
    report = recording.report()
    assert [(v.layer, v.name) for v in report.diagnose()] == [("off", "silent")]
    line = next(line for line in str(report).splitlines() if line.startswith("off"))
    assert "silent" in line
