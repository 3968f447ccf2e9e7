"""The example gives the same figures however many processes it runs in."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from torchrun import torchrun

from neuroact import ActivityReport, Recording

EXAMPLE = Path(__file__).parents[2] / "examples/distributed.py"


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> ActivityReport:
    folder = tmp_path_factory.mktemp("alone")
    subprocess.run([sys.executable, str(EXAMPLE)], cwd=folder, check=True, timeout=900)
    return Recording.load(folder / "activity.nact").report()


def test_a_process_alone_counts_each_sample_once(alone: ActivityReport) -> None:
    assert list(alone) == ["1", "3"]
    for layer in alone.values():
        assert (layer.sequences, layer.observations) == (203, 203 * 25)
        assert 0 < layer.mean < 1


@pytest.mark.parametrize("ranks", [2, 4])
def test_many_processes_give_what_one_gives(
    alone: ActivityReport, ranks: int, tmp_path: Path
) -> None:
    status, output = torchrun(ranks, EXAMPLE, cwd=tmp_path)
    assert status == 0, output
    report = Recording.load(tmp_path / "activity.nact").report()
    assert report == alone
    assert report.origin["model"] == alone.origin["model"]
    assert str(report) in output
