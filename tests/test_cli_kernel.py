"""`neuroact kernel`: it says what is there, compiles, and takes away."""

from __future__ import annotations

import platform
from pathlib import Path
from types import ModuleType

import pytest
import torch

from command import neuroact
from neuroact import kernel as kernels
from neuroact.kernel import build as building

VERSIONS = f"torch {torch.__version__} and Python {platform.python_version()}"


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without a kernel."""
    monkeypatch.setenv(kernels.FOLDER_VARIABLE, str(tmp_path))
    kernels.forget()
    return tmp_path


@pytest.fixture
def copied(kernel_folder: Path, empty: Path) -> Path:
    """A copy of the kernel in a folder of this test's own."""
    [file] = kernel_folder.iterdir()
    copy = empty / file.name
    copy.write_bytes(file.read_bytes())
    return copy


def test_a_kernel_that_is_there_is_told_with_its_versions_and_its_file(
    built_kernel: ModuleType,
) -> None:
    assert neuroact("kernel") == (
        0,
        f"The kernel for {VERSIONS} is there, and recordings use it:\n  {built_kernel.__file__}\n",
        "",
    )


def test_where_there_is_none_it_says_what_that_means_and_how_to_have_one(empty: Path) -> None:
    assert neuroact("kernel") == (
        0,
        f"No kernel for {VERSIONS} in {empty}\n"
        "Recordings do without it, slower, with the same figures.\n"
        "To compile it: neuroact kernel --build\n",
        "",
    )


def test_one_that_cannot_be_loaded_is_told_with_the_reason(copied: Path) -> None:
    copied.write_bytes(copied.read_bytes()[:1000])
    code, out, err = neuroact("kernel")
    assert (code, err) == (0, "")
    assert out.splitlines()[:3] == [
        f"The kernel for {VERSIONS} cannot be loaded: it was cut short, or altered",
        f"  {copied}",
        "Recordings do without it, slower, with the same figures.",
    ]


def test_it_is_compiled_where_it_is_not_there(
    empty: Path, copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = copied.read_bytes()
    copied.unlink()
    monkeypatch.setattr(building, "_compiled", lambda: data)  # `test_kernel_build` compiles
    code, out, err = neuroact("kernel", "--build")
    assert (code, err) == (0, f"Compiling the kernel for {VERSIONS}, some ten seconds.\n")
    assert out.splitlines()[1:] == [f"  {copied}"]
    assert neuroact("kernel", "--build") == (0, out, "")
    (empty / "neuroact_steps-torch-2.4.0-older").write_text("")
    code, again, err = neuroact("kernel", "--remove", "--build")
    assert (code, again) == (0, f"Files deleted from {empty}: 2\n{out}")
    assert err.startswith("Compiling")


def test_a_compiler_that_fails_is_the_users_to_mend(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CC", "CXX"):
        monkeypatch.setenv(name, "no-compiler")
    code, out, err = neuroact("kernel", "--build")
    assert (code, out) == (2, "")
    assert "Traceback" not in err
    lines = err.splitlines()[1:]
    assert all(line.startswith("neuroact: ") for line in lines)
    assert "no-compiler" in err
    assert "apt install g++" in lines[-1]


def test_what_was_built_for_other_versions_is_counted_and_removed(copied: Path) -> None:
    other = copied.with_name("neuroact_steps-torch-2.4.0-older")
    other.write_text("")
    lines = neuroact("kernel").out.splitlines()
    assert lines[2] == "Built for other versions, or left over: 1. neuroact kernel --remove"
    assert neuroact("kernel", "--remove") == (0, f"Files deleted from {copied.parent}: 2\n", "")
    assert not copied.exists()
    assert not other.exists()
