"""Every object that a user may meet shows itself in a few lines, and never its arrays."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from made_layers import layer
from made_operations import connection

import neuroact
from neuroact import ActivityReport, Recording, SignalKind, SpikeChunk
from neuroact.card import Card, Carded, card_of
from neuroact.energy import HOROWITZ_45NM_FP32
from neuroact.layers.adapter import LayerCall
from neuroact.layers.call_pattern import CallPattern
from neuroact.report.operations_report import OperationsReport

HOSTILE = "<script>alert(1)</script>\x1b[31m\n" + "x" * 300


def recorded(neurons: int, name: str = "net.lif") -> Recording:
    """A recording of all statistics, whose layer has this many neurons."""
    statistics = ["TimeCourse", "InterspikeIntervals", "SpikeCounts", "Synchrony", "Raster"]
    recording = Recording(statistics=[*statistics, "ClassActivity", "Signal"], dt=0.001)
    spikes = torch.zeros(3, 2, neurons)
    spikes[::2, :, ::3] = 1
    with recording.batch(labels=torch.tensor([0, 1])):
        recording.observe(name, spikes)
    return recording


def shown(recording: Recording) -> Iterator[Any]:
    """All that a user meets on the way from a recording to a figure."""
    report = recording.report()
    compared = neuroact.compare(report, report, labels=("before", "after"))
    (entry,) = compared.values()
    yield from (recording, recording.layers, recording.layers[0], report, report[0])
    yield from (*report[0].results.values(), report[0]["Firing"])
    yield from (compared, entry, entry.differences["after"])


def inputs() -> Iterator[Any]:
    values = torch.zeros(40, 50, 60)
    yield SpikeChunk(values, SignalKind.BINARY, True, torch.ones(40, 50, dtype=torch.bool))
    yield neuroact.SynapticProduct(values, values.mT)
    yield LayerCall((values,), {"mem": values}, (values, values), [values])
    yield CallPattern(SignalKind.BINARY, False, lambda x: x, lambda *_: (), lambda _: ())
    yield neuroact.Reading(axes="TBN", kind="binary", state={1: "mem"}, places=2)
    yield from (neuroact.Raster(3), neuroact.ClassActivity(), neuroact.Signal(1.0))
    yield from (neuroact.Firing(), neuroact.TimeCourse(bin_width=2), SignalKind.BINARY)


def operations() -> Iterator[Any]:
    counted = OperationsReport([connection("fc")], samples={"lif": 1}, steps={"lif": 5})
    report = ActivityReport([layer()], operations=counted)
    compared = neuroact.compare(report, report).operations
    energy = counted.energy(HOROWITZ_45NM_FP32)
    yield from (counted, counted[0], counted.total, counted.total.memory, energy, energy.costs)
    yield from (counted.per_sample, compared, compared[0], report.operations.neurons["lif"])
    yield neuroact.energy.OperationCosts(name="x" * 500, ac=1, mac=1, source="y" * 500)


def odd_layers() -> Iterator[Any]:
    yield layer(events=np.arange(10**6) % 10)
    yield layer(observations=0)
    yield layer(nonfinite=True)
    yield layer(events=np.zeros((2, 0), np.int64))
    yield layer("x", total=np.array([np.nan, 0, 0, 0]), kind=SignalKind.ANALOG, of="mem")
    yield ActivityReport([])
    yield ActivityReport([layer(f"net.{n}.{'deep' * 20}") for n in range(60)])
    yield Recording()
    yield Recording().layers


def what_is_wrong(name: str) -> Iterator[Any]:
    history = neuroact.History([(0, ActivityReport([layer(name, *[0] * 99, 1)]))])
    verdict, course = history[0][1].diagnose()[0], history.diagnose()[0]
    yield from (history, history.entries[0], verdict, course)


EVERYTHING = [
    *shown(recorded(1)),
    *shown(recorded(10**5)),
    *shown(recorded(4, HOSTILE)),
    *inputs(),
    *operations(),
    *odd_layers(),
    *what_is_wrong("lif"),
    *what_is_wrong(HOSTILE),
]


@pytest.mark.parametrize("thing", EVERYTHING, ids=lambda thing: type(thing).__name__)
def test_an_object_shows_itself_in_a_few_lines_without_its_arrays(thing: Any) -> None:
    text = repr(thing)
    assert len(text) < 1500
    assert len(text.splitlines()) <= 20
    assert not re.search(r"array\(|tensor\(| object at 0x", text)
    assert all(line.isprintable() for line in text.splitlines())
    assert "x" * 120 not in text


@pytest.mark.parametrize(
    "thing", [t for t in EVERYTHING if isinstance(t, Carded)], ids=lambda t: type(t).__name__
)
def test_a_card_begins_with_the_class_and_is_the_same_in_a_notebook(thing: Any) -> None:
    assert repr(thing).startswith(type(thing).__name__)
    card = card_of(thing)
    html = card._repr_html_()
    assert "<script" not in html + thing._repr_html_()
    assert "\x1b" not in html
    cells = re.findall("<td[^>]*>(.*?)</td>", html)
    assert len(cells) == 2 * (len(repr(card).splitlines()) - 1)


def test_what_is_wrong_is_a_line_for_each_verdict_at_a_prompt_and_in_a_notebook() -> None:
    found = ActivityReport([layer("a", 0), layer("<b>", *[0] * 8, 1)]).diagnose()
    assert repr(found).splitlines() == [f"{verdict.severity}: {verdict}" for verdict in found]
    assert found._repr_html_().count("<li>") == len(found) == 2
    assert "<b>" not in found._repr_html_()
    assert repr(found[1]).splitlines()[:3] == [
        'Verdict, warning: 89 % of layer "<b>" never fired: 8 of its 9 neurons',
        "  dead     0.8889, threshold 70 %",
        f"  meaning  {found[1].meaning[:91]}...",
    ]


def test_a_layers_card_has_its_figures_its_verdicts_and_what_else_can_be_asked() -> None:
    found = layer("net.lif", *[0] * 80, *[5] * 20, observations=10)
    assert repr(found).splitlines() == [
        'LayerActivity "net.lif": 100 neurons, binary, toy Toy',
        "  activity   mean 0.1000, std 0.2000, min 0, q1 0, median 0, q3 0, max 0.5000",
        "  sparsity   0.9000",
        "  dead       80 of 100 (80 %)",
        "  saturated  0 of 100",
        "  observed   10 steps, 1 sequence",
        "  verdicts   dead; report.diagnose() compares the layers",
        '  more       .activity, .rate, .quantile(0.9), .histogram(), .dead_neurons, ["Firing"]',
    ]


def test_a_reports_card_names_layers_verdicts_and_statistics() -> None:
    text = repr(recorded(30).report())
    assert text.startswith("ActivityReport: 1 layer, 30 neurons\n  layers     net.lif\n")
    assert "\n  dead       20 of 30 (67 %)\n" in text
    assert "\n  verdicts   bimodal" in text
    assert '\n  also       report["layer"][...] of TimeCourse, InterspikeIntervals, ' in text


def test_a_result_shows_its_figures_and_names_its_arrays() -> None:
    intervals = recorded(30).report()[0]["InterspikeIntervals"]
    text = repr(intervals)
    assert f"mean {intervals.mean:.4f}" in text
    assert "medians  mean_interval 2.0000" in text
    assert "histogram [3], intervals [30]" in text


def test_what_a_layer_without_figures_lacks_is_said_in_their_place() -> None:
    text = repr(layer(nonfinite=True))
    assert "no figures  NaN or infinite values were emitted" in text
    assert "activity" not in text.splitlines()[1]


def test_a_long_card_is_cut_and_says_so() -> None:
    card = Card("t" * 500, {str(n): "y" * 500 for n in range(50)})
    assert repr(card).splitlines()[0].endswith("ttt...")
    assert all(len(line) < 110 for line in repr(card).splitlines())
