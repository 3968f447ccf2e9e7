"""`neuroact merge` adds up the files of several jobs, without the model or its framework."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from command import PROGRAM
from command import neuroact as command
from printed import printed
from toy import Net, ToyAdapter

import neuroact
from neuroact import InterspikeIntervals, Recording, SpikeCounts

FRAMEWORKS = ("toy", "neuroact_adapters", "snntorch", "norse", "spikingjelly", "sinabs")
# What a shell runs, where importing any of them fails.
ALONE = f"import sys; sys.modules.update(dict.fromkeys({FRAMEWORKS}));{PROGRAM}"


def recorded(*numbers: int) -> Recording:
    """The recording of one job over these batches."""
    torch.manual_seed(0)
    net, batches = Net(), torch.randn(4, 9, 2, 5)
    options: Any = {"statistics": [SpikeCounts, InterspikeIntervals], "dt": 0.001}
    with neuroact.record(net, adapters=[ToyAdapter()], **options) as recording:
        for number in numbers:
            net(batches[number])
    return recording


def observed(neurons: int) -> Recording:
    recording = Recording()
    recording.observe("lif", torch.ones(2, 3, neurons))
    return recording


def alone(*arguments: object, cwd: Path) -> str:
    words = [sys.executable, "-c", ALONE, *map(str, arguments)]
    return subprocess.run(words, cwd=cwd, check=True, capture_output=True, text=True).stdout


def test_parts_are_added_up_and_shown_without_the_model_or_its_framework(tmp_path: Path) -> None:
    parts = [tmp_path / f"part-{number}.nact" for number in range(4)]
    for number, part in enumerate(parts):
        recorded(number).save(part)
    alone("merge", *parts, "-o", "all.nact", cwd=tmp_path)
    whole = recorded(0, 1, 2, 3).report()
    report = Recording.load(tmp_path / "all.nact").report()
    assert report == whole
    assert {n: dict(x.results) for n, x in report.items()} == {
        n: dict(x.results) for n, x in whole.items()
    }
    assert alone("show", "all.nact", cwd=tmp_path).strip() == printed(report).strip()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (("three", "four"), r'four.nact: layer "lif" .*shape \[4\] to .*shape \[3\]'),
        (("three", "three"), "three.nact is named twice"),
        (("three", "all"), "all.nact is named twice"),
        (("three", "linked"), "linked.nact is named twice, or is another file by another name"),
        (("three", "symbolic"), "symbolic.nact is named twice"),
        (("linked", "symbolic"), "symbolic.nact is named twice"),
        (("three", "all_linked"), "all.nact is named twice"),
        (("three", "damaged"), "damaged.nact: "),
        (("three", "none"), "none.nact"),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else "",
)
def test_what_cannot_be_added_up_is_bad_use_and_leaves_the_old_sum(
    files: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, neurons in (("three", 3), ("four", 4), ("all", 3)):
        observed(neurons).save(f"{name}.nact")
    Path("linked.nact").hardlink_to("three.nact")
    Path("all_linked.nact").hardlink_to("all.nact")
    Path("symbolic.nact").symlink_to("three.nact")
    before = Path("all.nact").read_bytes()
    Path("damaged.nact").write_bytes(before[:-1])
    result = command("merge", *(f"{name}.nact" for name in files), "-o", "all.nact")
    assert result.code == 2
    assert re.search(message, " ".join(result.err.split())), result.err
    assert Path("all.nact").read_bytes() == before


def test_what_is_not_a_recording_is_named(tmp_path: Path) -> None:
    report = observed(3).report()
    report.to_json(tmp_path / "report.json")
    neuroact.compare(report, report).to_json(tmp_path / "comparison.json")
    neuroact.History([(0, report)]).to_json(tmp_path / "history.json")
    (tmp_path / "page.html").write_text("<html>")
    for name, what in {
        "report.json": "a report",
        "comparison.json": "a comparison of 2 reports",
        "history.json": "the history of a training, of 1 report",
        "page.html": "another file",
    }.items():
        result = command("merge", tmp_path / name, "-o", tmp_path / "sum.nact")
        assert (result.code, result.out) == (2, "")
        assert f"{name} is {what}, not a recording. neuroact run writes" in result.err
