"""A layer gets a verdict if its rule holds, and only then."""

from __future__ import annotations

import json
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neuroact import ActivityReport, LayerActivity, Recording, SignalKind
from neuroact.errors import ThresholdError
from neuroact.results.diagnosis import Verdict, diagnose, event_rate, separation
from neuroact.results.verdict_kinds import KINDS, SEVERITIES

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


@pytest.mark.parametrize(("share", "verdicts"), [(0.7, []), (0.8, [("lif", "dead")])])
def test_a_layer_is_dead_above_the_threshold_and_not_at_it(share: float, verdicts: Any) -> None:
    assert found(layer("lif", [0.0] * int(10 * share) + [0.1] * int(10 - 10 * share))) == verdicts


def test_thresholds_are_arguments() -> None:
    sick = layer("lif", [0.0] * 8 + [0.1] + [1.0])
    assert found(sick) == [("lif", "dead"), ("lif", "saturated")]
    assert found(sick, dead=0.8, saturated=0.1) == []
    with pytest.raises(TypeError, match="deaf"):
        found(sick, deaf=0.5)


@pytest.mark.parametrize("share", ["dead", "saturated", "fading", "bimodal", "dead_channels"])
@pytest.mark.parametrize("value", [30, 1.0001, -0.1, np.float32(40), float("nan"), "0.3", True])
def test_a_share_that_no_layer_could_reach_is_refused(share: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^{share}=.*: expected a share in \[0, 1\]"):
        found(layer("lif", [0.0, 0.1]), **{share: value})
    for end in (0, 1, 0.5, np.float32(0.5)):
        found(layer("lif", [0.0, 0.1]), **{share: end})


def test_a_percentage_is_told_what_it_may_have_meant() -> None:
    with pytest.raises(ThresholdError, match=r"^dead=30: .*; did you mean dead=0\.3\?$") as raised:
        found(layer("lif", [0.0, 0.1]), dead=30)
    assert isinstance(raised.value, ValueError)
    assert raised.value.verdict == "dead"


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf")])
def test_a_number_of_ranges_is_finite_and_not_negative(value: float) -> None:
    with pytest.raises(ValueError, match=r"^busy=.*: expected a number of 0 or more$"):
        found(layer("lif", [0.0, 0.1]), busy=value)


def test_a_verdict_names_layer_figure_threshold_and_what_people_do() -> None:
    (verdict,) = diagnose([layer("lif", [0.0] * 3 + [0.1])])
    said = "75 % of lif never fired: 3 of its 4 neurons"
    assert verdict == Verdict("lif", "dead", said, "dead", 0.75, 0.7, verdict.advice, ("lif",))
    assert str(verdict).startswith(f"{said} (dead, threshold 70 %). Lower the learning rate")
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


@pytest.mark.parametrize("firing", [1, 2])
def test_a_dead_layer_is_not_busy_besides(firing: int) -> None:
    others = [layer(f"lif{n}", spread(0.01 + n / 1000)) for n in range(5)]
    sick = layer("sick", [0.0] * (10 - firing) + [0.9] * firing)
    assert found(*others, sick) == [("sick", "dead")]
    alive = layer("alive", [0.0] * 7 + [0.9] * 3)
    assert found(*others, alive) == [("alive", "busy")]


def test_nearly_silent_layers_are_no_measure_of_a_busy_one() -> None:
    nearly = [layer(f"lif{n}", [0.0] * 9 + [0.01 + n / 1000]) for n in range(5)]
    quiet = layer("quiet", spread(0.08))
    assert found(*nearly, quiet) == [(f"lif{n}", "dead") for n in range(5)]


def test_a_layer_before_those_that_fade_is_not_busy_beside_them() -> None:
    fading = [layer(f"lif{n}", spread(0.01)) for n in range(6)]
    assert found(layer("first", spread(0.2)), *fading) == [("lif0", "fading")]


def test_a_silent_layer_does_not_fade_besides() -> None:
    layers = [layer("a", spread(0.3)), layer("b", spread(0.2)), layer("c", np.zeros(4))]
    assert found(*layers) == [("c", "silent")]


def test_a_layer_that_is_dead_is_not_bimodal_besides() -> None:
    assert found(layer("lif", np.concatenate([np.zeros(40), spread(0.6, 10)]))) == [("lif", "dead")]
    alive = np.concatenate([np.zeros(15), spread(0.6, 35)])
    assert found(layer("lif", alive)) == [("lif", "bimodal")]


def test_silent_layers_in_a_row_have_one_verdict_which_names_the_first() -> None:
    blocks = [f"net.layer1.{n}.sn1" for n in range(12)]
    layers = [layer("stem", spread(0.1)), *(layer(name, np.zeros(4)) for name in blocks)]
    (verdict,) = diagnose(layers)
    assert (verdict.layer, verdict.name, verdict.layers) == (blocks[0], "silent", tuple(blocks))
    assert verdict.sentence == (
        "silence starts at net.layer1.0.sn1; the 11 layers after it are silent too"
    )
    (verdict,) = diagnose(layers[:3])
    assert verdict.sentence.endswith("net.layer1.0.sn1; the layer after it is silent too")
    apart = diagnose([*layers[:3], layers[0], layers[4]])
    assert [v.layers for v in apart] == [tuple(blocks[:2]), (blocks[3],)]
    assert apart[1].sentence == f"{blocks[3]} is silent: none of its 4 neurons fired"


def test_the_table_and_a_picture_mark_every_layer_of_a_chain() -> None:
    names = ["a", "b", "c"]
    report = ActivityReport([layer(name, np.zeros(4)) for name in names])
    rows = [line.split() for line in str(report).splitlines()]
    assert [row[:2] for row in rows if row and row[0] in names] == [[n, "silent"] for n in names]
    assert [text.get_text() for text in report.plot().texts].count("silent") == 3


def channels(dead: Any, of: int = 6, shape: tuple[int, ...] = (3, 2)) -> LayerActivity:
    rates = np.full((of, *shape), 0.1)
    rates[list(dead)] = 0
    return layer("conv", rates)


def test_a_channel_that_is_wholly_dead_is_found_and_named() -> None:
    (verdict,) = diagnose([channels([1, 4])], bimodal=1)
    assert (verdict.name, verdict.severity, verdict.value) == ("dead_channels", "note", 2 / 6)
    assert verdict.sentence == "2 of the 6 channels of conv never fired: 1, 4"
    assert found(channels([])) == []
    assert found(channels([1]), dead_channels=0.2, bimodal=1) == []
    # Two dimensions may mean anything.
    assert found(channels([1, 4], shape=(3,)), bimodal=1) == []
    assert found(channels(range(6))) == [("conv", "silent")]
    almost = channels([])
    events = almost.events.copy()
    events[1, 1:] = 0
    assert found(layer("conv", events / STEPS), bimodal=1) == []


def test_of_many_dead_channels_a_few_are_named() -> None:
    (verdict,) = diagnose([channels(range(20), of=64)], bimodal=1)
    assert verdict.sentence.endswith("never fired: 0, 1, 2, 3, 4, 5, 6, 7 and 12 more")


def test_verdicts_come_by_severity_then_kind_then_in_the_models_order() -> None:
    layers = [
        channels([2]),
        layer("hot", [1.0] * 2 + [0.1] * 8),
        layer("sick1", [0.0] * 8 + [0.1] * 2),
        layer("sick2", [0.0] * 9 + [0.1]),
        layer("off", np.zeros(4)),
    ]
    expected = [("off", "silent"), ("sick1", "dead"), ("sick2", "dead"), ("hot", "saturated")]
    assert found(*layers, fading=0, bimodal=1) == [*expected, ("conv", "dead_channels")]
    severities = [v.severity for v in diagnose(layers)]
    assert severities == sorted(severities, key=list(SEVERITIES).index)
    told = [list(SEVERITIES).index(kind.severity) for kind in KINDS.values()]
    assert told == sorted(told)


@pytest.mark.parametrize(
    ("layers", "said"),
    [
        ([layer("lif1", [0.0] * 18 + [0.1] * 82), layer("lif2", spread(0.1))], "lif1, 18 %"),
        ([layer("1", [0.0, 0.1, 0.1, 0.1])], 'layer "1", 25 %'),
        ([layer("lif", spread(0.1))], "no neuron is dead"),
    ],
)
def test_without_a_verdict_it_says_what_came_closest(layers: Any, said: str) -> None:
    diagnosis = ActivityReport(layers).diagnose(bimodal=1)
    assert diagnosis == ()
    assert said in str(diagnosis)
    assert str(diagnosis).startswith("no threshold passed; ")


def test_without_a_verdict_layers_without_figures_are_named() -> None:
    bad = layer("odd", np.zeros(4), nonfinite=True)
    said = "no threshold passed; no neuron is dead; without figures: odd"
    assert str(diagnose([layer("lif", spread(0.1)), bad])) == said
    assert str(diagnose([bad])) == "no threshold passed; without figures: odd"


def test_a_diagnosis_prints_a_line_for_each_verdict_and_can_be_copied_and_stored() -> None:
    diagnosis = diagnose([layer("lif", [0.0] * 3 + [0.1]), layer("off", np.zeros(4))])
    lines = str(diagnosis).splitlines()
    assert [line.split(":")[0] for line in lines] == ["severe", "warning"]
    assert lines == [f"{v.severity}: {v}" for v in diagnosis]
    assert lines[0].startswith(
        "severe: off is silent: none of its 4 neurons fired. Raise the layer"
    )
    assert "lif never fired: 3 of its 4 neurons (dead, threshold 70 %). Lower" in lines[1]
    again = pickle.loads(pickle.dumps(diagnosis))
    assert (again, again.nothing) == (diagnosis, diagnosis.nothing)


def test_a_verdict_is_plain_json_with_its_severity_and_page() -> None:
    (verdict,) = diagnose([layer("lif", [0.0] * 3 + [0.1])])
    entry = json.loads(json.dumps(verdict.to_dict()))
    assert (entry["severity"], entry["page"]) == ("warning", "docs/reference/verdicts.md#dead")
    assert entry["layers"] == ["lif"]
    assert entry["sentence"] == verdict.sentence


def test_what_goes_into_a_layer_is_called_its_input() -> None:
    (verdict,) = diagnose([layer("lif", [0.0] * 3 + [0.1], of="input")])
    assert verdict.sentence == "75 % of the input of lif never fired: 3 of its 4 neurons"


def test_a_name_that_reads_like_none_is_quoted_and_made_printable() -> None:
    (verdict,) = diagnose([layer("a\x1b b", np.zeros(4))])
    assert verdict.sentence.startswith('layer "a\\x1b b" is silent')


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
