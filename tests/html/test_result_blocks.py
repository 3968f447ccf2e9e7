"""The results of statistics on a page: which figures are shown, and in which unit."""

from __future__ import annotations

import numpy as np

from neuroact import InterspikeIntervals, Recording, SpikeCounts, TimeCourse
from neuroact.html.results import result_blocks


def facts(dt: float | None) -> dict[str, dict[str, str]]:
    kept = [InterspikeIntervals, SpikeCounts(window=5), TimeCourse(bin_width=4)]
    recording = Recording(statistics=kept, dt=dt)
    spikes = np.zeros((20, 1, 2))
    spikes[[6, 12, 18]] = 1
    recording.observe("v1", spikes)
    blocks = result_blocks(recording.report()["v1"].results)
    return {block.title: {fact.name: fact.text for fact in block.facts} for block in blocks}


def test_intervals_and_latencies_are_in_ms_where_the_time_step_is_known() -> None:
    timed = facts(0.002)
    assert timed["InterspikeIntervals"]["mean_ms"] == "12.0000"
    assert timed["InterspikeIntervals"]["mean_interval_ms, median"] == "12.0000"
    assert timed["TimeCourse"]["latency_mean_ms"] == "8.0000"
    plain = facts(None)
    for title, figures in timed.items():
        assert {name for name in figures if "_ms" not in name} == plain[title].keys()


def test_bins_and_windows_are_said() -> None:
    found = facts(None)
    assert (found["TimeCourse"]["bins"], found["TimeCourse"]["bin_width"]) == ("5", "4")
    assert found["SpikeCounts"]["window"] == "5"
