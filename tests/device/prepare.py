"""Fetches what `run.py` needs besides PyTorch and NumPy, for a machine without a network.

`python tests/device/prepare.py` fills `tests/device/wheels/`, which goes along with the checkout:
the frameworks, what they and the checks import, without PyTorch, which is there, and without what
they only name as needed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
WHEELS = HERE / "wheels"
CONSTRAINTS = HERE.parents[1] / ".ci/constraints.txt"
PURE = ("snntorch", "norse", "nir", "nirtorch", "spikingjelly", "loguru")
COMPILED = ("h5py", "safetensors")  # imported by nir, and by neuroact to read a recording
GLIBC = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default="3.12", help="the version that the machine has")
    asked = parser.parse_args()
    WHEELS.mkdir(exist_ok=True)
    for wheel in WHEELS.glob("*.whl"):
        wheel.unlink()
    # `wheel` builds a wheel if a release has none.
    _pip("wheel", "--wheel-dir", *pinned(PURE))
    platforms = [part for name in GLIBC for part in ("--platform", name)]
    python = ["--python-version", asked.python, "--implementation", "cp"]
    _pip("download", "--dest", *pinned(COMPILED), "--only-binary=:all:", *python, *platforms)
    for wheel in sorted(WHEELS.glob("*.whl")):
        print(f"{wheel.stat().st_size:10,}  {wheel.name}")


def pinned(names: tuple[str, ...]) -> list[str]:
    """Fill the folder with the packages, in the versions that the tests run with."""
    lines = CONSTRAINTS.read_text(encoding="utf-8").splitlines()
    pins = {line.partition("==")[0]: line for line in lines}
    return [str(WHEELS), *(pins[name] for name in names)]


def _pip(verb: str, *arguments: str) -> None:
    command = [sys.executable, "-m", "pip", verb, "--quiet", "--disable-pip-version-check"]
    subprocess.run([*command, "--no-deps", *arguments], check=True)


if __name__ == "__main__":
    main()
