"""Runs this folder's tests with GCC's sanitisers: `make sanitize`.

The core is compiled into a temporary folder with the address and undefined behaviour sanitisers.
The tests run in a process that loads the sanitisers first. The first finding ends it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
FLAGS = ("-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined")
LONG = "without_vectors or could_overflow"
STOP = "-fno-sanitize-recover=all"


def main(arguments: list[str]) -> int:
    """Compile it and run the tests; the status of pytest."""
    sys.path.insert(0, str(HERE))
    from cores import VARIABLE, compiled

    with tempfile.TemporaryDirectory(prefix="neuroact-") as place:
        library = Path(place, "_core.so")
        compiled(library, *FLAGS, STOP)
        environment = {
            **os.environ,
            VARIABLE: str(library),
            "LD_PRELOAD": " ".join(map(runtime, ("libasan.so", "libubsan.so", "libstdc++.so"))),
            # Python and PyTorch keep objects until the process ends, so leaks are not reported.
            "ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1:detect_stack_use_after_return=1",
            "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
            "PYTHONMALLOC": "malloc",  # each object separately, so that use after free is seen
            "OMP_NUM_THREADS": "1",
        }
        # A sanitiser prints past Python's stderr. Two tests are long and run no other code.
        options = [
            "--quiet",
            "--capture=sys",
            "-p",
            "no:cacheprovider",
            "-k",
            f"not ({LONG})",
            f"--ignore={HERE}/test_build.py",
        ]
        command = [sys.executable, "-m", "pytest", *options, str(HERE), *arguments]
        return subprocess.run(command, env=environment, check=False).returncode


def runtime(name: str) -> str:
    """Where the compiler has a library of its own."""
    said = subprocess.run(
        ["g++", f"-print-file-name={name}"], check=True, capture_output=True, text=True
    )
    return said.stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
