"""What five kinds of people want to know is answered by a short script of theirs."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch

from neuroact import ActivityReport, History

USERS = Path(__file__).parents[1] / "examples/users"


@pytest.fixture(autouse=True)
def random_state() -> Any:
    with torch.random.fork_rng(devices=[]):
        yield


def run(user: str, *arguments: Any, **options: Any) -> None:
    sys.path.insert(0, str(USERS))
    try:
        import_module(user).main(*arguments, **options)
    finally:
        sys.path.remove(str(USERS))


def starts(path: Path, begins: bytes) -> bool:
    return path.read_bytes().startswith(begins)


def test_a_student_sees_what_training_changed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("student", tmp_path, epochs=1)
    table, *_ = capsys.readouterr().out.split("\n\n")
    assert [line.split()[0] for line in table.splitlines()[2:4]] == ["lif1", "lif2"]
    report = ActivityReport.from_json(tmp_path / "activity.json")
    assert report["lif1"].observations == 1797 * 15
    assert starts(tmp_path / "activity.png", b"\x89PNG")
    assert starts(tmp_path / "activity.html", b"<!DOCTYPE html>")


def test_a_neurobench_user_reads_the_saved_results_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("neurobench_user", tmp_path)
    assert "the same as the results in memory: True" in capsys.readouterr().out
    assert starts(tmp_path / "activity.png", b"\x89PNG")


def test_a_lightning_user_is_told_when_a_layer_dies(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("lightning_user", tmp_path)
    out = capsys.readouterr().out
    history = History.from_json(tmp_path / "history.json")
    assert len(history) == 4
    dead = [name for name, layer in history[-1][1].items() if layer.dead == layer.neurons]
    assert dead == ["net.3"]
    assert "net.3 is silent" in out.split("epoch ")[0]
    assert "net.3 went silent after step" in out
    assert starts(tmp_path / "history.png", b"\x89PNG")


def test_a_neuroscientist_gets_rates_intervals_and_a_psth(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("neuroscientist", tmp_path)
    out = capsys.readouterr().out
    assert "40 neurons, 20 trials, 2 never fired" in out
    # A gamma of shape 4 and scale 5 ms is highest 15 ms after the stimulus at 200 ms.
    assert any(f"highest in bin {number}," in out for number in (21, 22))
    assert starts(tmp_path / "raster.png", b"\x89PNG")


def test_an_adapters_author_is_told_of_a_mistake_and_that_the_rest_is_right(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run("adapter_author")
    out = capsys.readouterr().out
    assert out.startswith("Forgetful, one layer: the check 'sequence_starts'")
    assert out.rstrip().endswith("checks are as they should be")
