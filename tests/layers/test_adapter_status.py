"""`neuroact adapters`: which adapters are installed and whether they work."""

from __future__ import annotations

from importlib.metadata import EntryPoint

import pytest
import toy

import neuroact.layers.adapter
import neuroact.layers.adapter_status
from neuroact.layers.adapter_status import AdapterStatus, adapter_statuses


def test_a_broken_adapter_is_reported_with_its_cause_and_hurts_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = {"numpy": "nowhere:Adapter", "torch": "toy:ToyAdapter", "absent": "toy:ToyAdapter"}
    points = [EntryPoint(name, value, "neuroact.adapters") for name, value in values.items()]
    monkeypatch.setattr(neuroact.layers.adapter, "entry_points", lambda group: points)
    absent, numpy, torch = adapter_statuses()
    assert (absent.framework, absent.verdict) == ("absent", "framework not installed")
    assert numpy.verdict == "broken"
    assert "No module named 'nowhere'" in str(numpy.problem)
    assert (torch.verdict, torch.problem, torch.source) == ("works", None, "toy:ToyAdapter")
    assert torch.version is not None


def test_a_version_outside_the_tested_range_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("numpy", "toy:ToyAdapter", "neuroact.adapters")
    monkeypatch.setattr(neuroact.layers.adapter, "entry_points", lambda group: [point])
    monkeypatch.setattr(toy.ToyAdapter, "tested", ("0.9", "1.0.3"), raising=False)
    for version, verdict in {
        "0.9": "works",
        "1.0.3": "works",
        "1.0.3+cpu": "works",
        "1.0.10": "works, untested version",
        "0.8.9": "works, untested version",
        "1.0.3.post1": "works",
    }.items():
        monkeypatch.setattr(
            neuroact.layers.adapter_status, "installed_version", lambda _, v=version: v
        )
        assert [status.verdict for status in adapter_statuses()] == [verdict], version


def test_our_own_adapters_work_and_say_what_they_were_tested_with() -> None:
    ours = [s for s in adapter_statuses() if s.source.startswith("neuroact_adapters.")]
    installed: list[AdapterStatus] = [s for s in ours if s.version is not None]
    assert {s.framework for s in installed} >= {"snntorch", "norse", "spikingjelly", "torch"}
    assert all(s.problem is None for s in installed)
    assert all(s.tested is not None for s in installed)
    assert {s.verdict for s in installed} == {"works"}
