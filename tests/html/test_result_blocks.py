"""The results of statistics on a page: which figures are shown, and in which unit."""

from __future__ import annotations

import numpy as np
from page_reports import with_results

from neuroact import InterspikeIntervals, Recording, SpikeCounts, TimeCourse
from neuroact.html.results import result_blocks


def facts(dt: float | None) -> dict[str, dict[str, str]]:
    kept = [InterspikeIntervals, SpikeCounts(window=5), TimeCourse(bin_width=4)]
    recording = Recording(statistics=kept, dt=dt)
    spikes = np.zeros((20, 1, 2))
    spikes[[6, 12, 18]] = 1
    recording.observe("v1", spikes)
    layer = recording.report()["v1"]
    blocks = result_blocks(layer.results, layer.dt)
    return {block.title: {fact.name: fact.text for fact in block.facts} for block in blocks}


def test_times_are_in_ms_where_the_time_step_is_known_and_else_in_steps() -> None:
    timed, plain = facts(0.002), facts(None)
    intervals, course = "Interspike intervals", "Activity over time"
    for name in ("mean", "median", "mean interval of a neuron"):
        assert (timed[intervals][name], plain[intervals][name]) == ("12 ms", "6 steps")
    first = "mean time to the first spike"
    assert (timed[course][first], plain[course][first]) == ("8 ms", "4 steps")
    assert {title: list(found) for title, found in timed.items()} == {
        title: list(found) for title, found in plain.items()
    }


def test_bins_and_windows_are_said() -> None:
    found = facts(None)
    course = found["Activity over time"]
    assert (course["bins of time"], course["width of a bin"]) == ("5", "4 steps")
    assert found["Spikes per sequence and neuron"]["steps in a window"] == "5"


def test_every_figure_of_a_statistic_has_words_and_a_definition() -> None:
    results = with_results()["fc"].results
    assert len(results) > 5
    for block in result_blocks(results, 0.001):
        assert block.facts
        meanings = {term.key: term.meaning for term in block.terms}
        for fact in block.facts:
            assert "_" not in fact.name
            assert meanings[fact.term]
