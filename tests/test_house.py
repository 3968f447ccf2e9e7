"""The house: which file imports which, what `import neuroact` loads, and what is public."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
import textwrap
from graphlib import CycleError, TopologicalSorter
from importlib import import_module
from pathlib import Path

import pytest

import neuroact
from neuroact import errors

CORE = Path(inspect.getfile(neuroact)).parent
FRAMEWORKS = {"snntorch", "norse", "spikingjelly", "sinabs", "neurobench", "neuroact_adapters"}


def imported(code: str) -> set[str]:
    """Top-level packages in memory after running `code` in a fresh interpreter."""
    return set(
        run(f"{code}\nimport sys; print(*{{n.partition('.')[0] for n in sys.modules}})").split()
    )


def run(program: str) -> str:
    """What a program prints in a fresh interpreter."""
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_import_neuroact_brings_nothing_until_a_name_is_asked_for() -> None:
    assert not imported("import neuroact") & {"torch", "numpy", "typer"}


def test_the_public_names_bring_torch_and_numpy_and_little_else() -> None:
    extra = imported("import neuroact; neuroact.record") - imported("import torch, numpy")
    packages = {name for name in extra if name not in sys.stdlib_module_names}
    assert packages <= {"neuroact"}


def imports_of(path: Path) -> set[str]:
    """All modules that a file imports, also within a function or only for a type."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert not node.level, f"{path} imports from its own folder by dots"
            within = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (within & MODULES.keys()) or {node.module}
    return found


def name_of(path: Path) -> str:
    """The name of a file's module."""
    parts = path.relative_to(CORE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in sorted(CORE.rglob("*.py"))}
IMPORTS = {name: imports_of(path) for name, path in MODULES.items()}
FOLDERS = {path.name for path in CORE.iterdir() if (path / "__init__.py").exists()}

# The house, from the ground up: a file imports from its own folder and from those below it.
ORDER = (
    "the ground",
    "stream",
    "layers",
    "native",
    "statistics",
    "results",
    "files",
    "table",
    "plots",
    "html",
    "report",
    "recording",
    "distributed",
    "training",
    "testing",
    "cli",
)
# They import everything. Only the folders in `USERS`, which use neuroact as users do, import them.
OUTSIDE = {"neuroact", "neuroact.__main__", "neuroact.public"}
USERS = ("testing", "cli")


def floor_of(module: str) -> int:
    """The number of the folder that a module lies in; 0 for a file outside all folders."""
    folder = module.split(".")[1]
    return ORDER.index(folder) if folder in FOLDERS else 0


def test_every_folder_has_its_floor() -> None:
    assert set(ORDER[1:]) == FOLDERS


@pytest.mark.parametrize("module", sorted(MODULES.keys() - OUTSIDE))
def test_no_file_imports_one_of_a_higher_folder(module: str) -> None:
    known = {name for name in IMPORTS[module] if name in MODULES}
    if ORDER[floor_of(module)] in USERS:
        known.discard("neuroact")
    assert not known & OUTSIDE
    assert [name for name in known if floor_of(name) > floor_of(module)] == []


def test_no_files_import_each_other_in_a_circle() -> None:
    # Python loads `neuroact/__init__.py` before any file in it, so that is no import of the file's.
    graph = {name: IMPORTS[name] & MODULES.keys() for name in MODULES.keys() - OUTSIDE}
    try:
        TopologicalSorter({name: known - OUTSIDE for name, known in graph.items()}).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


@pytest.mark.parametrize("module", MODULES)
def test_the_core_imports_no_framework(module: str) -> None:
    assert not {name.partition(".")[0] for name in IMPORTS[module]} & FRAMEWORKS


def test_no_module_is_hidden_by_a_function_of_its_name() -> None:
    for module in sorted(MODULES.keys() - OUTSIDE):
        package, _, name = module.rpartition(".")
        found = import_module(module)
        assert getattr(import_module(package), name) is found, module


def test_tests_lie_in_folders_of_the_names_of_the_core() -> None:
    folders = {path.name for path in Path(__file__).parent.iterdir() if path.is_dir()}
    others = {"adapters", "benchmarks", "data", "device", "shared", "__pycache__"}
    assert folders - others == FOLDERS


def test_the_public_names_are_there_however_they_are_asked_for() -> None:
    program = """
        import neuroact
        assert not hasattr(neuroact, "__wrapped__") and "record" not in vars(neuroact)
        from neuroact import *
        assert record is neuroact.record and set(neuroact.__all__) < set(dir(neuroact))
        assert neuroact.errors and neuroact.__version__
        try:
            neuroact.recrod
        except AttributeError as error:
            assert str(error) == "module 'neuroact' has no attribute 'recrod'"
        print("ended")
    """
    assert run(textwrap.dedent(program)) == "ended"


def test_the_public_names_are_these() -> None:
    assert sorted(neuroact.__all__) == [
        "ActivityReport",
        "Adapter",
        "CallPattern",
        "ClassActivity",
        "Comparison",
        "Firing",
        "History",
        "InterspikeIntervals",
        "LayerActivity",
        "LayerCall",
        "LayerInfo",
        "PatternAdapter",
        "Raster",
        "Reading",
        "Recording",
        "Signal",
        "SignalKind",
        "SpikeChunk",
        "SpikeCounts",
        "SpikeSink",
        "StatefulAdapter",
        "Statistic",
        "SynapticProduct",
        "Synchrony",
        "TimeCourse",
        "compare",
        "distributed",
        "energy",
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
