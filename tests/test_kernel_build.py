"""The kernel is compiled where it is asked for, and found by what it was compiled for alone."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from neuroact import kernel as kernels
from neuroact.errors import KernelBuildError, MissingExtraError, NeuroactWarning
from neuroact.kernel import build as building
from neuroact.kernel import file_name, folder, forget, kernel, look, without_kernel
from neuroact.kernel.build import build, built, remove

# What is built here but for the kernel itself: it takes a tenth of the time.
SMALL = """
#include <Python.h>
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, "neuroact_steps", nullptr, -1, nullptr};
PyMODINIT_FUNC PyInit_neuroact_steps() { return PyModule_Create(&definition); }
"""
PROGRAM = """
import os, signal, sys
from pathlib import Path
from neuroact import kernel
from neuroact.kernel.build import build
kernel.SOURCE = build.__globals__["SOURCE"] = Path(sys.argv[1])
"""


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A small source in place of the kernel's, and a folder for it of this test's own."""
    path = tmp_path / "steps.cpp"
    path.write_text(SMALL)
    for module in (kernels, building):
        monkeypatch.setattr(module, "SOURCE", path)
    monkeypatch.setenv(kernels.FOLDER_VARIABLE, str(tmp_path / "kept"))
    forget()
    yield path
    forget()


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What the small source is compiled to."""
    with pytest.MonkeyPatch.context() as patch:
        path = tmp_path_factory.mktemp("library") / "steps.cpp"
        path.write_text(SMALL)
        for module in (kernels, building):
            patch.setattr(module, "SOURCE", path)
        patch.setenv(kernels.FOLDER_VARIABLE, str(path.parent))
        return build().read_bytes()


@pytest.fixture
def kept(source: Path, library: bytes) -> Path:
    """A file that was built for this process."""
    folder().mkdir()
    file = folder() / file_name(library)
    file.write_bytes(library)
    return file


def another(source: Path, code: str) -> subprocess.Popen[str]:
    """A process that builds the same source into the same folder, and leads a group of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM + textwrap.dedent(code), str(source)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(source.parent)},  # where one that is killed leaves things
        start_new_session=True,
    )


def test_the_kernel_is_built_found_and_has_its_class(kernel_folder: Path) -> None:
    code = (
        "from neuroact.kernel import kernel; found = kernel(); print(found.__file__, found.Steps)"
    )
    environment = {**os.environ, kernels.FOLDER_VARIABLE: str(kernel_folder)}
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    [file] = kernel_folder.iterdir()
    assert run.stdout.split() == [str(file), "<class", "'neuroact_steps.Steps'>"]


def test_what_was_built_is_found_by_the_same_process_and_looked_for_once(source: Path) -> None:
    assert kernel() is None
    file = build()
    found = kernel()
    assert found is not None
    assert found.__file__ == str(file)
    assert folder().is_dir()
    assert list(folder().iterdir()) == [file]
    file.unlink()
    assert kernel() is found


def test_what_is_there_is_not_built_again(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(building, "_compiled", lambda: pytest.fail("it was compiled"))
    assert build() == kept


def test_inside_without_kernel_there_is_none(kept: Path) -> None:
    found = kernel()
    with without_kernel():
        assert kernel() is None
        with without_kernel():
            assert kernel() is None
        assert kernel() is None
    assert kernel() is found is not None


@pytest.mark.parametrize(
    ("owner", "name", "other"),
    [
        (torch, "__version__", "2.12.0"),
        (torch.version, "git_version", "0" * 40),
        (torch.version, "cuda", "13.0"),
        (torch, "compiled_with_cxx11_abi", lambda: not torch._C._GLIBCXX_USE_CXX11_ABI),
        (kernels, "EXTENSION_SUFFIXES", [".cpython-399-x86_64-linux-gnu.so"]),
        (os, "uname", lambda: SimpleNamespace(machine="riscv64")),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_one_for_another_torch_python_or_machine_is_not_found(
    owner: object, name: str, other: object, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert look().file == kept
    monkeypatch.setattr(owner, name, other)
    assert kernel() is None
    assert built() == [kept]


def test_one_from_another_source_is_not_found(kept: Path, source: Path) -> None:
    source.write_text(SMALL + "// and more\n")
    assert kernel() is None


@pytest.mark.parametrize("share", [0, 0.5, 0.999])
def test_a_file_that_was_cut_short_is_warned_of_once_and_built_anew(
    share: float, kept: Path, library: bytes
) -> None:
    kept.write_bytes(library[: int(share * len(library))])
    with pytest.warns(NeuroactWarning, match="cannot be loaded: it was cut short, or altered"):
        assert kernel() is None
    assert kernel() is None
    build()
    assert kernel() is not None


def test_a_file_that_is_no_library_is_warned_of_with_its_cause(source: Path) -> None:
    folder().mkdir()
    file = folder() / file_name(b"no library")
    file.write_bytes(b"no library")
    with pytest.warns(NeuroactWarning, match=f"{re.escape(str(file))} cannot be loaded: .*short"):
        assert kernel() is None


def test_of_several_the_newest_is_taken(kept: Path) -> None:
    other = folder() / file_name(b"another compiler's")
    other.write_bytes(b"another compiler's")
    os.utime(other, (0, 0))
    assert look().file == kept
    assert kernel() is not None


@pytest.mark.parametrize("missing", [True, False])
def test_a_folder_that_cannot_be_read_holds_none(missing: bool, source: Path) -> None:
    if not missing:
        folder().write_text("a file")
    assert kernel() is None
    assert built() == remove() == []


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {}, "home/.cache/neuroact"),
        ("linux", {"XDG_CACHE_HOME": "cache"}, "cache/neuroact"),
        ("darwin", {}, "home/Library/Caches/neuroact"),
        ("win32", {"LOCALAPPDATA": "local"}, "local/neuroact"),
        ("win32", {}, "home/.cache/neuroact"),
        ("linux", {"NEUROACT_KERNEL_DIR": "mine", "XDG_CACHE_HOME": "cache"}, "mine"),
    ],
)
def test_the_folder_is_the_platforms_unless_one_is_named(
    platform: str, variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NEUROACT_KERNEL_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: Path("home"))
    assert folder() == Path(expected)


def test_without_a_home_there_is_none_and_building_says_what_to_set(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (kernels.FOLDER_VARIABLE, "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)

    def no_home() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", no_home)
    assert kernel() is None
    assert built() == []
    with pytest.raises(FileNotFoundError, match="name one by NEUROACT_KERNEL_DIR"):
        build()


@pytest.mark.parametrize("how", ["fails", "is missing"])
def test_without_a_compiler_the_error_says_what_to_do_and_nothing_is_left(
    how: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CC", "CXX"):
        monkeypatch.setenv(name, str(shutil.which("false")) if how == "fails" else "no-compiler")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    Path(tempfile.tempdir).mkdir()
    with pytest.raises(KernelBuildError, match="Install a C\\+\\+ compiler") as caught:
        build()
    assert "Recording works without it, slower, with the same figures" in str(caught.value)
    assert ("false" if how == "fails" else "no-compiler") in str(caught.value)
    assert list(folder().iterdir()) == list(Path(tempfile.tempdir).iterdir()) == []
    assert kernel() is None


def test_the_error_carries_the_compilers_last_lines_and_keeps_them_all(source: Path) -> None:
    source.write_text("\n".join(["#warning early"] * 30 + ["#error what is wrong"]))
    with pytest.raises(KernelBuildError, match="error: #error what is wrong") as caught:
        build()
    assert caught.value.output.count("#warning early") > str(caught.value).count("#warning early")
    assert len(str(caught.value).splitlines()) < 25


def test_a_library_that_cannot_be_loaded_is_not_kept(source: Path) -> None:
    source.write_text("int nothing;\n")
    with pytest.raises(KernelBuildError, match="PyInit_neuroact_steps"):
        build()
    assert built() == []


def test_a_torch_changed_since_the_process_began_is_not_built_for(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.version, "git_version", "0" * 40)
    with pytest.raises(KernelBuildError, match="it was changed since the process that builds"):
        build()
    assert built() == []


def test_a_missing_setuptools_names_the_extra(
    source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "setuptools", None)
    with pytest.raises(MissingExtraError, match=r'pip install "neuroact\[kernel\]"') as caught:
        build()
    assert caught.value.extra == "kernel"


def test_processes_that_build_at_once_each_have_it_whole(source: Path) -> None:
    code = """
        print("ready", flush=True)
        sys.stdin.readline()
        print(build(), kernel.kernel() is not None)
    """
    processes = [another(source, code) for _ in range(2)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        out, err = process.communicate()
        assert (process.returncode, err) == (0, "")
        file, found = out.split()
        assert Path(file) in built()
        assert found == "True"
    assert all(file.name == file_name(file.read_bytes()) for file in folder().iterdir())
    assert kernel() is not None


def test_a_build_killed_while_it_compiles_leaves_nothing(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler, begun = tmp_path / "compiler", tmp_path / "begun"
    compiler.write_text(f"#!/bin/sh\ntouch '{begun}'\nsleep 60\n")
    compiler.chmod(0o755)
    for name in ("CC", "CXX"):
        monkeypatch.setenv(name, str(compiler))
    with another(source, "build()") as process:
        while not begun.exists() and process.poll() is None:
            time.sleep(0.01)
        assert process.poll() is None
        os.killpg(process.pid, signal.SIGKILL)
    assert built() == []
    assert kernel() is None


def test_a_build_killed_while_it_writes_leaves_nothing_that_is_loaded(source: Path) -> None:
    code = """
        Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        build()
    """
    with another(source, code) as process:
        pass
    assert process.returncode == -signal.SIGKILL
    [part] = built()
    assert part.suffix == ".part"
    assert kernel() is None
    build()
    assert kernel() is not None
    assert part in remove()
    assert list(folder().iterdir()) == []


def test_removing_deletes_every_versions_files_and_no_other(kept: Path) -> None:
    old = folder() / "neuroact_steps-torch-2.4.0-0123-4567.cpython-311-darwin.so"
    others = folder() / "notes.txt"
    for path in (old, others):
        path.write_text("")
    assert kernel() is not None
    assert remove() == sorted([kept, old])
    assert list(folder().iterdir()) == [others]
    assert kernel() is None


def test_nothing_that_compiles_is_imported_before_it_is_asked_for() -> None:
    code = """
        import sys, neuroact, neuroact.kernel.build
        neuroact.kernel.kernel()
        print(*{"setuptools", "distutils", "torch.utils.cpp_extension"} & set(sys.modules))
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    assert run.stdout == "\n"


def test_the_building_process_finds_what_this_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", ["", "relative", os.sep])
    expected = [Path.cwd(), Path.cwd() / "relative", Path(os.sep)]
    assert building._environment({})["PYTHONPATH"] == os.pathsep.join(map(str, expected))


def test_the_tools_of_each_platform_are_told_what_they_need(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not {"ARCHFLAGS", "DISTUTILS_USE_SDK"} & building._environment({}).keys()
    prompt = building._environment({"VSCMD_ARG_TGT_ARCH": "x64"})
    assert prompt["DISTUTILS_USE_SDK"] == "1"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert building._environment({})["ARCHFLAGS"] == f"-arch {os.uname().machine}"
    assert building._environment({"ARCHFLAGS": "-arch x86_64"})["ARCHFLAGS"] == "-arch x86_64"
