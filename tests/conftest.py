"""Hypothesis profiles, NEUROACT_HYPOTHESIS picks one; an import that must not fail; the kernel."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest
import torch
from filelock import FileLock
from hypothesis import HealthCheck, settings

from neuroact import kernel
from neuroact.kernel.build import build

collect_ignore = ["benchmarks"]  # programs, which find each other by being run: `make bench`

# No folder: the kernel that whoever runs the tests has built is not found, and none is put there.
os.environ[kernel.FOLDER_VARIABLE] = os.devnull

# Times do not repeat on shared machines, so no example fails for being slow.
_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}

settings.register_profile("dev", max_examples=50, **_COMMON)
settings.register_profile("ci", max_examples=100, derandomize=True, **_COMMON)
settings.register_profile("nightly", max_examples=2000, **_COMMON)
settings.load_profile(
    os.environ.get("NEUROACT_HYPOTHESIS", "ci" if os.environ.get("CI") else "dev")
)


def _missing_operators() -> torch.library.Library | None:
    """Lets torchvision be imported beside a torch without CUDA: torchmetrics does, for Lightning.

    PyPI's torchvision for Linux is built for CUDA. Without CUDA's libraries its operators cannot be
    loaded, which it bears, but for these, which it looks up while it is imported.
    """
    spec = find_spec("torchvision")
    if spec is None or spec.origin is None:
        return None
    try:
        for library in Path(spec.origin).parent.glob("_C*.so"):
            torch.ops.load_library(str(library))
    except OSError:
        operators = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
        for name in ("nms", "qnms"):
            operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        return operators
    return None


_KEPT = _missing_operators()  # an operator lasts as long as its library


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kernel", action="store_true", help="run each test with the kernel")


@pytest.fixture(autouse=True)
def _kernel_where_asked_for(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--kernel"):
        request.getfixturevalue("built_kernel")


@pytest.fixture(scope="session")
def kernel_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the kernel is, compiled once for all of pytest-xdist's workers."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / "kernel"
    with FileLock(shared / "kernel.lock"), pytest.MonkeyPatch.context() as patch:
        patch.setenv(kernel.FOLDER_VARIABLE, str(folder))
        build()  # nothing to do for the second one
    kernel.forget()
    return folder


@pytest.fixture
def built_kernel(kernel_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The kernel, which recordings find while the test lasts."""
    monkeypatch.setenv(kernel.FOLDER_VARIABLE, str(kernel_folder))
    kernel.forget()
    found = kernel.kernel()
    assert found is not None
    yield found
    kernel.forget()
