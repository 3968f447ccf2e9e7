"""The package is built with the core if there is a compiler, else without it."""

from __future__ import annotations

import importlib.machinery
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[2]
SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]
LIBRARY = "_core" + (".abi3.so" if sys.version_info >= (3, 12) else SUFFIX)
ABI = "cp312-abi3" if sys.version_info >= (3, 12) else "cp311-cp311"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a shell stands in for a compiler")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the sources to build in."""
    place = tmp_path / "tree"
    left_out = shutil.ignore_patterns("__pycache__", "*.so", "_missing.txt")
    for name in ("neuroact", "adapters"):
        shutil.copytree(ROOT / name, place / name, ignore=left_out)
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, place)
    return place


@pytest.fixture
def _compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A compiler that writes one word: what the real one makes is tested elsewhere."""
    compiler = tmp_path / "compiler"
    compiler.write_text(
        '#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done\necho compiled >"$2"\n', encoding="utf-8"
    )
    compiler.chmod(compiler.stat().st_mode | stat.S_IXUSR)
    # setuptools links by CXX, or by LDCXXSHARED if that is set.
    for name in ("CC", "CXX", "LDSHARED", "LDCXXSHARED"):
        monkeypatch.setenv(name, str(compiler))
    monkeypatch.delenv("NEUROACT_BUILD_NATIVE", raising=False)


@pytest.fixture
def _no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CC", "CXX"):
        monkeypatch.setenv(name, "/no/such/compiler")
    monkeypatch.delenv("NEUROACT_BUILD_NATIVE", raising=False)


def built(tree: Path) -> Path:
    """Builds the wheel."""
    [wheel] = WheelBuilder(str(tree)).build(directory=str(tree / "dist"), versions=["standard"])
    return Path(wheel)


def install_editable(tree: Path) -> None:
    """Does what the build hook does in an editable install."""
    place, data = str(tree / "dist"), {"force_include": {}}
    [hook] = WheelBuilder(str(tree)).get_build_hooks(place).values()
    hook.initialize("editable", data)
    hook.finalize("editable", data, place)
    assert data["force_include"] == {}


def natives(wheel: Path) -> dict[str, bytes]:
    """The files in the core's folder that are not Python."""
    with zipfile.ZipFile(wheel) as archive:
        return {
            Path(name).name: archive.read(name)
            for name in archive.namelist()
            if name.startswith("neuroact/native/") and not name.endswith((".py", ".pyi"))
        }


@pytest.mark.usefixtures("_compiler")
def test_with_a_compiler_the_wheel_holds_the_core_and_its_tag_says_for_which_python(
    tree: Path,
) -> None:
    wheel = built(tree)
    assert natives(wheel) == {LIBRARY: b"compiled\n"}
    assert wheel.name.split("-", 2)[2].startswith(f"{ABI}-linux_")
    with zipfile.ZipFile(wheel) as archive:
        [said] = [archive.read(name) for name in archive.namelist() if name.endswith("/WHEEL")]
    assert b"Root-Is-Purelib: false" in said
    assert f"Tag: {ABI}-linux_".encode() in said


@pytest.mark.usefixtures("_no_compiler")
def test_without_a_compiler_the_wheel_is_python_and_says_why(tree: Path) -> None:
    wheel = built(tree)
    [(name, reason)] = natives(wheel).items()
    assert name == "_missing.txt"
    assert reason.decode().startswith("it could not be compiled when neuroact was built (")
    assert b"install a C++ compiler and Python's headers" in reason
    assert b"\n" not in reason
    assert wheel.name.endswith("-py3-none-any.whl")


@pytest.mark.usefixtures("_compiler")
def test_the_core_can_be_left_out(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROACT_BUILD_NATIVE", "0")
    reason = b"NEUROACT_BUILD_NATIVE=0 was set when neuroact was built"
    assert natives(built(tree)) == {"_missing.txt": reason}


@pytest.mark.usefixtures("_no_compiler")
def test_the_core_can_be_demanded(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROACT_BUILD_NATIVE", "1")
    with pytest.raises(Exception, match="/no/such/compiler"):
        built(tree)


@pytest.mark.usefixtures("_compiler")
def test_an_editable_install_has_it_in_the_tree(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tree / "neuroact/native"
    other = folder / "_core.cpython-39-x86_64-linux-gnu.so"
    other.touch()

    def there() -> set[str]:
        return {path.name for path in folder.iterdir() if path.suffix in {".so", ".txt"}}

    install_editable(tree)
    assert there() == {LIBRARY, other.name}
    # An earlier library is removed, since it may be of other sources.
    monkeypatch.setenv("NEUROACT_BUILD_NATIVE", "0")
    install_editable(tree)
    assert there() == {"_missing.txt", other.name}
    monkeypatch.delenv("NEUROACT_BUILD_NATIVE")
    install_editable(tree)
    assert there() == {LIBRARY, other.name}
    # A wheel does not take the library that lies in the tree.
    monkeypatch.setenv("NEUROACT_BUILD_NATIVE", "0")
    assert set(natives(built(tree))) == {"_missing.txt"}


@pytest.mark.usefixtures("_compiler")
def test_the_check_of_a_wheel_sees_whether_the_core_is_there(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def checked(wheel: Path) -> tuple[int, str]:
        command = [sys.executable, str(ROOT / ".ci/check_wheel.py"), str(wheel)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
        return run.returncode, run.stdout + run.stderr

    with_it = built(tree)
    assert checked(with_it)[0] == 0
    monkeypatch.setenv("NEUROACT_BUILD_NATIVE", "0")
    without = built(tree)
    status, said = checked(without)
    assert (status, "The compiled core is missing: NEUROACT_BUILD_NATIVE=0" in said) == (0, True)
    monkeypatch.setenv("NEUROACT_BUILD_NATIVE", "1")
    assert checked(with_it)[0] == 0
    status, said = checked(without)
    assert (status, "lacks the compiled core" in said) == (1, True)
    misnamed = with_it.with_name("neuroact-0.1.0-py3-none-any.whl")
    shutil.copy(with_it, misnamed)
    assert "expected one compiled core, named for one Python" in checked(misnamed)[1]


def test_the_workflow_builds_wheels_for_each_system_and_none_without_the_core() -> None:
    workflow: Any = yaml.safe_load((ROOT / ".github/workflows/wheels.yml").read_text("utf-8"))
    job = workflow["jobs"]["wheels"]
    systems = {name.split("-")[0] for name in job["strategy"]["matrix"]["system"]}
    assert systems == {"ubuntu", "macos", "windows"}
    assert job["env"]["CIBW_ENVIRONMENT"] == "NEUROACT_BUILD_NATIVE=1"
    assert job["env"]["CIBW_BUILD"] == "cp311-* cp312-*"
