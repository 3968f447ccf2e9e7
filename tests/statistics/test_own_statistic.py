"""The example of a user's own statistic runs and prints what it promises."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples/own_statistic.py"


def test_the_example_passes_all_checks_and_finds_the_silences() -> None:
    run = subprocess.run([sys.executable, EXAMPLE], capture_output=True, text=True, check=True)
    assert "checks are as they should be" in run.stdout
    # One spike in 2, 3 and 100 steps of 120.
    assert "longest silences: [ 1  2 99]" in run.stdout
