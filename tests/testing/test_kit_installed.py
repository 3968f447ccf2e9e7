"""Checks of installed adapters: `neuroact adapters --check NAME`, and the tutorial's framework."""

from __future__ import annotations

import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import tidepool.adapter
from command import neuroact
from tidepool.examples import EXAMPLES

import neuroact.layers.adapter as adapter_module
from neuroact.testing import AdapterContract, installed

ROOT = Path(__file__).parents[2]


class TestTidepoolAdapter(AdapterContract):
    adapter = tidepool.adapter.TidepoolAdapter()
    examples = EXAMPLES


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A right adapter, a wrong one, one without examples, and two without their framework."""
    adapters = {
        "tidepool": "tidepool.adapter:TidepoolAdapter",
        "wrong": "adapter_mutants:OutputCopied",
        "bare": "tidepool.adapter:TidepoolAdapter",
        "absent": "tidepool.adapter:TidepoolAdapter",
        "late": "tidepool.adapter:TidepoolAdapter",
    }
    examples = {
        "tidepool": "tidepool.examples:EXAMPLES",
        "wrong": "right_adapter:QUICK",
        "absent": "nowhere:EXAMPLES",
        "late": "right_adapter:LATE",
    }
    groups = {"neuroact.adapters": adapters, "neuroact.adapter_examples": examples}

    def entry_points(group: str) -> list[EntryPoint]:
        return [EntryPoint(name, value, group) for name, value in groups[group].items()]

    for module in (adapter_module, installed):
        monkeypatch.setattr(module, "entry_points", entry_points)


@pytest.mark.usefixtures("packages")
def test_the_command_prints_every_check_of_an_installed_adapter() -> None:
    ended = neuroact("adapters", "--check", "tidepool")
    assert ended.code == 0, ended.out
    lines = ended.out.splitlines()
    assert lines[0].split() == ["case", "check", "verdict"]
    assert ["two", "tides", "axes", "passed"] in [line.split() for line in lines]
    assert lines[-1].startswith("TidepoolAdapter: all ")


@pytest.mark.usefixtures("packages")
def test_the_command_ends_with_1_where_a_check_fails_and_tells_why() -> None:
    ended = neuroact("adapters", "--check", "wrong")
    assert ended.code == 1
    assert "states held: view: " in ended.out
    assert "lie in memory of their own" in ended.out


@pytest.mark.usefixtures("packages")
@pytest.mark.parametrize(
    ("name", "why"),
    [
        (
            "tidpool",
            'no adapter for "tidpool" is installed; there are: absent, bare, late, tidepool',
        ),
        ("bare", "brings no examples to check it with"),
        ("absent", "cannot be checked without its framework: No module named 'nowhere'"),
        ("late", "cannot be checked without its framework: No module named 'nowhere'"),
    ],
)
def test_what_cannot_be_checked_is_told_in_one_line(name: str, why: str) -> None:
    ended = neuroact("adapters", "--check", name)
    assert (ended.code, ended.out) == (2, "")
    assert why in ended.err
    assert len(ended.err.splitlines()) == 1


def test_each_adapter_of_ours_brings_examples() -> None:
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    assert points["neuroact.adapters"].keys() == points["neuroact.adapter_examples"].keys()


def test_the_tutorial_shows_the_entry_points_of_the_package() -> None:
    package = ROOT / "examples/custom_framework"
    tutorial = (ROOT / "docs/tutorial/your-own-adapter.md").read_text()
    block = tutorial.partition("```toml\n")[2].partition("```")[0]
    assert block in (package / "pyproject.toml").read_text()
