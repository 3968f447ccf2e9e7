"""What an import drags in, what is public, and who knows whom."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import neuroact
from neuroact import errors

CORE = Path(inspect.getfile(neuroact)).parent
FRAMEWORKS = {"snntorch", "norse", "spikingjelly", "sinabs", "neurobench", "neuroact_adapters"}


def imported(code: str) -> set[str]:
    """Top-level packages in memory after running `code` in a fresh interpreter."""
    program = f"{code}\nimport sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(run.stdout.split())


def test_import_neuroact_brings_torch_and_numpy_and_little_else() -> None:
    extra = imported("import neuroact") - imported("import torch, numpy")
    packages = {name for name in extra if name not in sys.stdlib_module_names}
    assert packages <= {"neuroact"}


@pytest.mark.parametrize("path", sorted(CORE.rglob("*.py")), ids=lambda path: path.name)
def test_the_core_imports_no_framework(path: Path) -> None:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    assert not found & FRAMEWORKS


def test_the_public_names_are_these() -> None:
    assert sorted(neuroact.__all__) == [
        "ActivityReport",
        "Adapter",
        "ClassActivity",
        "Comparison",
        "Firing",
        "InterspikeIntervals",
        "LayerActivity",
        "LayerCall",
        "Raster",
        "Recording",
        "SignalKind",
        "SpikeChunk",
        "SpikeCounts",
        "SpikeSink",
        "StatefulAdapter",
        "Statistic",
        "Synchrony",
        "TimeCourse",
        "compare",
        "distributed",
        "measure",
        "quantiles",
        "record",
    ]
    assert all(getattr(neuroact, name).__doc__ for name in neuroact.__all__)


def test_every_error_is_drawn_in_the_tree_and_is_a_builtin_too() -> None:
    drawn = (errors.__doc__ or "").split()
    for name, cls in inspect.getmembers(errors, inspect.isclass):
        assert name in drawn
        builtin = [b for b in cls.__mro__ if b.__module__ == "builtins"]
        assert name == "NeuroactError" or builtin[0] not in (Exception, BaseException, object)


def test_the_version_is_the_installed_one() -> None:
    assert neuroact.__version__.partition("+")[0].count(".") == 2
