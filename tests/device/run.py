"""Everything that only a GPU can show, in one run and one table: `python tests/device/run.py`.

Needs PyTorch and what `prepare.py` put into `wheels/`; no network, and nothing installed. With
`--device cpu` or `--device pretended` it runs what means something there, small, so that the checks
are known to work before a GPU is at hand. Exits with 1 where a check fails, or none was made. The
table is also written to `$OUT/device.md`, if that is set.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import traceback
import warnings
import zipfile
from contextlib import nullcontext
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
WHEELS = HERE / "wheels"
SECONDS = 330


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu", "pretended"])
    parser.add_argument("--only", default="", help="checks whose name has this in it")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="no check begins after")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as folder:
        _find_packages(Path(folder))
        rows = _rows(asked.device, asked.only, asked.seconds)
    print(_text(rows))
    if os.environ.get("OUT"):
        Path(os.environ["OUT"], "device.md").write_text(_markdown(rows), encoding="utf-8")
    results = {result for _, result, _ in rows}
    return int("FAILED" in results or "ok" not in results)


Row = tuple[str, str, str]


def _find_packages(folder: Path) -> None:
    """Let imports find the checkout first, and the fetched packages last."""
    places = ("tests/device", "tests/benchmarks", "tests/shared", "tests", "adapters", ".")
    sys.path[:0] = [str(ROOT / place) for place in places]
    for wheel in sorted(WHEELS.glob("*.whl")):
        zipfile.ZipFile(wheel).extractall(folder)
    sys.path.append(str(folder))
    os.environ.setdefault("NCCL_SOCKET_IFNAME", "lo")  # a single rank talks to no other machine


def _rows(kind: str, only: str, seconds: float) -> list[Row]:
    began = time.perf_counter()
    import torch

    if kind == "cuda" and not torch.cuda.is_available():
        return [("a GPU", "FAILED", "torch.cuda.is_available() is False")]
    missing = [name for name in ("snntorch", "norse", "spikingjelly") if find_spec(name) is None]
    if missing:
        advice = "python tests/device/prepare.py brings them"
        return [("frameworks", "FAILED", f"{', '.join(missing)} missing: {advice}")]
    import figures  # noqa: F401  # their checks
    import on_cuda  # noqa: F401
    import overhead  # noqa: F401
    import pretend
    from machine import CHECKS, Machine, cuda_no_waits

    no_waits = {"cuda": cuda_no_waits, "cpu": nullcontext, "pretended": pretend.no_waits}[kind]
    pretended = kind == "pretended"
    around = pretend.pretended_device() if pretended else nullcontext(torch.device(kind))
    rows: list[Row] = [("device", "", _about(kind))]
    with around as device:
        machine = Machine(device, no_waits)
        for check in CHECKS:
            if kind not in check.on or only not in check.name:
                continue
            if time.perf_counter() - began > seconds:
                rows.append((check.name, "left out", f"{seconds:.0f} s were over"))
                continue
            start = time.perf_counter()
            try:
                row = (check.name, "ok", check.run(machine))
            except Exception as cause:  # an error fails only this check; `main` then gives 1
                traceback.print_exc()
                row = (check.name, "FAILED", f"{type(cause).__name__}: {cause}".splitlines()[0])
            print(f"{time.perf_counter() - start:6.1f} s  {row[1]:8}  {row[0]}", flush=True)
            rows.append(row)
    rows.append(("all of it", "", f"{time.perf_counter() - began:.0f} s"))
    return rows


def _about(kind: str) -> str:
    from importlib.metadata import version

    import torch

    name = torch.cuda.get_device_name() if kind == "cuda" else kind
    python = sys.version.partition(" ")[0]
    return f"{name}; Python {python}, PyTorch {torch.__version__}, NumPy {version('numpy')}"


def _text(rows: list[Row]) -> str:
    wide = max(len(name) for name, _, _ in rows)
    return "\n".join(f"{name:{wide}}  {result:8}  {figure}" for name, result, figure in rows)


def _markdown(rows: list[Row]) -> str:
    lines = ["| check | result | figure |", "|---|---|---|"]
    return "\n".join(lines + [f"| {' | '.join(row)} |" for row in rows]) + "\n"


if __name__ == "__main__":
    sys.exit(main())
