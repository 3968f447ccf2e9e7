"""neuroact says whether there is a core and, in one line, why there is none."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from neuroact import native


@pytest.fixture(autouse=True)
def _looked_for_anew() -> Iterator[None]:
    native._found.cache_clear()
    yield
    native._found.cache_clear()


@pytest.fixture
def _a_torch_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.Tensor, "__dlpack_c_exchange_api__", object(), raising=False)
    monkeypatch.delenv("NEUROACT_NATIVE", raising=False)


def imported(result: Any) -> Any:
    """A function in place of `import_module`."""

    def load(name: str) -> ModuleType:
        assert name == "neuroact.native._core"
        if isinstance(result, Exception):
            raise result
        assert isinstance(result, ModuleType)
        return result

    return load


@pytest.mark.usefixtures("_a_torch_that_has_it")
def test_a_core_that_can_be_loaded_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("_core")
    monkeypatch.setattr(native, "import_module", imported(module))
    assert native.core() is module
    assert native.why_missing() is None


@pytest.mark.usefixtures("_a_torch_that_has_it")
def test_it_can_be_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEUROACT_NATIVE", "0")
    assert native.core() is None
    assert native.why_missing() == "NEUROACT_NATIVE=0 hides it"


def test_an_older_torch_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NEUROACT_NATIVE", raising=False)
    monkeypatch.delattr(torch.Tensor, "__dlpack_c_exchange_api__", raising=False)
    monkeypatch.setattr(torch, "__version__", "2.9.1")
    assert native.core() is None
    assert native.why_missing() == "it needs PyTorch 2.10 or newer; this is 2.9.1"


@pytest.mark.usefixtures("_a_torch_that_has_it")
def test_the_reason_that_the_build_gave_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(native, "import_module", imported(ModuleNotFoundError("no _core")))
    monkeypatch.setattr(native, "_REASON", tmp_path / "_missing.txt")
    assert native.why_missing() == ("it was not compiled for this Python; install neuroact again")
    (tmp_path / "_missing.txt").write_text("there was\n  no compiler\n", encoding="utf-8")
    native._found.cache_clear()
    assert native.core() is None
    assert native.why_missing() == "there was no compiler"


@pytest.mark.usefixtures("_a_torch_that_has_it")
def test_a_library_that_cannot_be_loaded_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    cause = ImportError("/lib/libc.so.6: version `GLIBC_2.99'\nnot found")
    monkeypatch.setattr(native, "import_module", imported(cause))
    assert native.core() is None
    assert native.why_missing() == "/lib/libc.so.6: version `GLIBC_2.99' not found"


# Collects tests in a process whose PyTorch is too old for the core.
WITHOUT = """
import sys
import pytest
import torch
if hasattr(torch.Tensor, "__dlpack_c_exchange_api__"):
    del torch.Tensor.__dlpack_c_exchange_api__
sys.exit(pytest.main(["--collect-only", "--quiet", "-p", "no:cacheprovider", sys.argv[1]]))
"""


@pytest.mark.parametrize(
    ("environment", "refused"),
    [({"CI": "true"}, True), ({"CI": "true", "NEUROACT_NATIVE": "0"}, False), ({}, False)],
    ids=["in CI", "hidden in CI", "at a desk"],
)
def test_tests_without_a_core_are_refused_in_ci_and_say_why(
    environment: dict[str, str], refused: bool
) -> None:
    kept = {name: os.environ[name] for name in os.environ.keys() - {"CI", "NEUROACT_NATIVE"}}
    tests = Path(__file__).parents[1] / "statistics/test_synchrony.py"
    command = [sys.executable, "-c", WITHOUT, str(tests)]
    run = subprocess.run(
        command, env=kept | environment, capture_output=True, text=True, check=False
    )
    said = "is to be tested, and is missing: it needs PyTorch 2.10 or newer"
    assert (run.returncode, said in run.stderr) == (4 * refused, refused), run.stderr
