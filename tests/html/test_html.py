"""The page of a report, without a browser: what it draws, and what it lacks without extras."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from page_reports import SCRIPT, hostile, layer, mixed, with_results

import neuroact
from neuroact import ActivityReport, LayerActivity, Recording, SignalKind
from neuroact.files.layout import COUNTS, METRICS
from neuroact.html.drawings import STRIP, Histogram, Shares, Strip, histogram_parts, scales
from neuroact.html.unit import Unit
from neuroact.results.definitions import definition, headline


@given(st.lists(st.integers(0, 100), min_size=1, max_size=40))
def test_a_histogram_shows_every_neuron_once_dead_and_saturated_ones_apart(
    events: list[int],
) -> None:
    of = layer("lif", events)
    counted = {"dead": 0, "saturated": 0, "firing": 0}
    for parts in histogram_parts(of):
        for kind, part in parts.items():
            counted[kind] += part
    firing = of.neurons - of.dead - of.saturated
    assert counted == {"dead": of.dead, "saturated": of.saturated, "firing": firing}
    paths = Histogram.of(of, Unit.of([of])).paths
    bars = {kind: sum(kind in parts for parts in histogram_parts(of)) for kind in counted}
    drawn = {kind: path.count("z") for kind, path in paths.items()}
    assert drawn == {kind: count for kind, count in bars.items() if count}


@given(
    st.lists(st.tuples(st.integers(0, 9), st.floats(-1e6, 1e6)), min_size=1, max_size=20),
    st.sampled_from([SignalKind.GRADED, SignalKind.ANALOG]),
)
def test_real_values_are_drawn_too(values: list[tuple[int, float]], kind: SignalKind) -> None:
    events, total = (np.array(part) for part in zip(*values, strict=True))
    of = layer("lif", events, kind=kind, total=np.where(events == 0, 0.0, total))
    bins = histogram_parts(of)
    assert sum(sum(parts.values()) for parts in bins) == of.neurons
    dead = sum(parts.get("dead", 0) for parts in bins)
    assert dead == (of.dead if kind is SignalKind.GRADED else 0)
    assert Histogram.of(of, Unit.of([of])).paths


@given(st.lists(st.integers(0, 100), min_size=1, max_size=40))
def test_shares_are_all_the_neurons_and_strips_are_in_order(events: list[int]) -> None:
    of = layer("lif", events)
    shares, unit = Shares.of(of), Unit.of([of])
    assert shares is not None
    assert sum(share for _, share in shares.parts) == pytest.approx(100)
    strip = Strip.of({n: getattr(of, n) for n in STRIP}, scales([of], unit)[of.kind])
    places = [0, strip.low, strip.q1, strip.median, strip.q3, strip.high, 120]
    assert places == sorted(places)


def test_a_layer_without_figures_has_no_shares() -> None:
    assert Shares.of(layer("lif", [0, 1], observations=0)) is None


@pytest.mark.parametrize("report", [mixed(), with_results(), ActivityReport([])])
def test_a_page_names_no_other_place_and_is_the_same_each_time(report: ActivityReport) -> None:
    page = report.to_html()
    assert not re.search(r"https?:|//[a-z]|@import|url\((?!#)", page.partition("<script>")[0])
    assert page == report.to_html()


def test_a_page_is_returned_and_written(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    assert mixed().to_html(path) == path.read_text(encoding="utf-8")


def test_a_file_gives_the_page_of_the_live_report() -> None:
    report = with_results()
    assert ActivityReport.from_json(report.to_json()).to_html() == report.to_html()


def test_the_page_needs_no_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    page = with_results().to_html()
    for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert with_results().to_html() == page
    assert page.count('<figure class="plot">') > 6


def test_nothing_of_a_name_is_markup() -> None:
    page = hostile().to_html()
    assert SCRIPT not in page
    assert page.count("<script") == 1
    assert "<img" not in page
    assert "\x1b" not in page
    assert "\u202e" not in page


class Loud:
    """A result of a user's own statistic."""

    def __repr__(self) -> str:
        return SCRIPT + "x" * 10_000


def test_a_statistic_of_the_users_own_is_shown_as_it_prints_and_escaped() -> None:
    page = ActivityReport([layer("lif", [1], results={"Own<b>": Loud()})]).to_html()
    assert "Own&lt;b&gt;" in page
    assert "&lt;script&gt;alert(1)" in page
    assert "x" * 1000 not in page


def test_every_metric_has_a_definition_and_it_is_the_docstrings() -> None:
    assert all(definition(name) for name in (*METRICS, *COUNTS))
    doc = (vars(LayerActivity)["mean"].__doc__ or "").partition("\n\n")[0].replace("`", "")
    assert definition("mean").startswith(" ".join(doc.split()))
    assert definition("observations").startswith("Number of valid (time step, sample) pairs")
    assert definition("no such figure") == ""
    assert headline(neuroact.SpikeCounts) == neuroact.SpikeCounts.__doc__.splitlines()[0]  # type: ignore[union-attr]


def test_a_recording_in_mid_sequence_has_a_page() -> None:
    recording = Recording()
    recording.observe("lif", np.ones((1, 1, 1)))
    assert "saturated 100 %" in recording.report().to_html()
