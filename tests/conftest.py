"""Hypothesis profiles (NEUROACT_HYPOTHESIS picks one), a fixture, what must be there."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

from neuroact.native import why_missing

# Programs, which find each other by being run.
collect_ignore = ["benchmarks", "device"]

# Times do not repeat on shared machines, so no example fails for being slow.
_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}

settings.register_profile("dev", max_examples=50, **_COMMON)
settings.register_profile("ci", max_examples=40, derandomize=True, **_COMMON)
settings.register_profile("nightly", max_examples=2000, **_COMMON)
settings.load_profile(
    os.environ.get("NEUROACT_HYPOTHESIS", "ci" if os.environ.get("CI") else "dev")
)


def pytest_configure() -> None:
    """In CI a core that is missing is an error, where elsewhere the tests of it are skipped."""
    missing = why_missing()
    if missing and os.environ.get("CI") and os.environ.get("NEUROACT_NATIVE") != "0":
        raise pytest.UsageError(
            f"the compiled core is to be tested, and is missing: {missing}; NEUROACT_NATIVE=0 "
            "leaves its tests out"
        )


def pytest_collection_finish() -> None:
    """Hide what was imported from garbage collection, for which many tests ask: it stays anyway."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def fresh_compiler() -> Iterator[None]:
    """Nothing is compiled before the test, and nothing counted."""
    from torch._dynamo.utils import counters

    torch._dynamo.reset()
    counters.clear()
    yield
    torch._dynamo.reset()


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
