"""Starts real `torchrun` processes on this machine, and returns what each rank left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

WORK = Path(__file__).with_name("rank_work.py")
# Long enough for a busy machine; it ends what hangs.
PATIENCE = 900


@dataclass(frozen=True)
class Launch:
    """The results of one `torchrun`."""

    size: int
    folder: Path
    status: int
    output: str

    def bytes_of(self, case: str) -> list[bytes]:
        """The merged recording of each rank, as it stored it."""
        return [self._file(f"{case}.{rank}.nact").read_bytes() for rank in range(self.size)]

    def values_of(self, case: str) -> list[Any]:
        """What each rank's part of a case returned."""
        return [self.value_of(case, rank) for rank in range(self.size)]

    def value_of(self, case: str, rank: int) -> Any:
        """What one rank's part of a case returned."""
        return json.loads(self._file(f"{case}.{rank}.json").read_text())

    def _file(self, name: str) -> Path:
        path = self.folder / name
        assert path.exists(), f"no {name}; torchrun ended with {self.status}:\n{self.output}"
        return path


def torchrun(size: int, script: Path, *arguments: str, cwd: Path) -> tuple[int, str]:
    """Run a script on that many ranks; gives its exit status, and what all of them printed."""
    command = [
        sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={size}",
        # Port 0: whoever listens takes the first free port, so nobody else can take it.
        "--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0", "--local-addr=127.0.0.1",
        str(script), *arguments,
    ]  # fmt: skip
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        command, cwd=cwd, env=environment, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        output, _ = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.terminate()  # torchrun then ends the processes that it started
        output, _ = process.communicate()
        raise AssertionError(f"torchrun took longer than {PATIENCE} s:\n{output}") from None
    return process.returncode, output


def launch(size: int, folder: Path, *cases: str) -> Launch:
    """Run cases of `rank_work` one after another on that many ranks."""
    status, output = torchrun(size, WORK, str(folder), *cases, cwd=folder)
    return Launch(size, folder, status, output)
