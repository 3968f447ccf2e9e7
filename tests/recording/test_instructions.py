"""The hot path does not grow: callgrind counts the instructions that recording adds to a step.

Times vary on a busy machine; instructions vary by a few percent. Without valgrind the test is
skipped; `.ci/run` installs it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import recorded_steps
from recorded_steps import HOOK, STEPS, WAYS

# Instructions added to a step of a layer of 100 neurons that is read by its pattern.
# MEASURED on x86-64 with torch 2.13 and Python 3.11; ROOM is for other versions.
MEASURED = {
    HOOK: 12_200,
    "default": 12_600,
    "counts and time course": 18_600,
    "all": 26_800,
    "default, without the core": 66_600,
}
ROOM = 1.15


@pytest.mark.skipif(
    shutil.which("valgrind") is None and not os.environ.get("CI"),
    reason="valgrind is not installed; in CI that is a failure",
)
def test_a_recorded_step_takes_no_more_instructions_than_it_did(tmp_path: Path) -> None:
    dumps, pipes = tmp_path / "callgrind", f"--vgdb-prefix={tmp_path}/vgdb"
    command = [
        *("valgrind", "--tool=callgrind", "--instr-atstart=no", "--dump-before=getloadavg"),
        *(f"--callgrind-out-file={dumps}", pipes),
        *(sys.executable, "-W", "ignore", str(Path(recorded_steps.__file__))),
        pipes,
    ]
    environment = {**os.environ, "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    # Dumps are numbered. Every second one, from 2 on, ends with the steps to be compared.
    numbers = range(2, 2 * len(WAYS) + 3, 2)
    bare, *recorded = (_instructions(Path(f"{dumps}.{number}")) / STEPS for number in numbers)
    added = {way: steps - bare for way, steps in zip(WAYS, recorded, strict=True)}
    print(f"instructions added to a step of {bare:,.0f}: {added}")
    assert {way: 0 < more < MEASURED[way] * ROOM for way, more in added.items()} == dict.fromkeys(
        WAYS, True
    )


def _instructions(dump: Path) -> int:
    found = re.search(r"^totals: (\d+)$", dump.read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])
