"""What the author of an adapter or of a statistic tests with.

There are two ways to run the checks. `check_adapter` and `check_statistic` are plain functions.
They run named checks and raise at the first that fails, or return a report of all.
`AdapterContract` and `StatisticContract` are classes to subclass in a pytest suite; each check is a
test.

The author of an adapter gives models, says how they are run, and states by hand what is true of
them. The checks compare the adapter with an independent recorder of raw outputs. The checks of a
statistic test the laws of counting, on streams that Hypothesis draws, and compare its results with
NumPy's.

`neuroact.testing.strategies` has Hypothesis strategies for spikes, cuts and counted values.
`RecordingMachine` calls all methods of a recording in random order, and compares it with a model
that keeps everything.

Install `pip install "neuroact[testing]"` (pytest and hypothesis). The checks of adapters need
neither; the checks of statistics need no pytest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neuroact.errors import MissingExtraError
from neuroact.testing.adapter import AdapterContract, check_adapter
from neuroact.testing.adapter_checks import ADAPTER_CHECKS
from neuroact.testing.example import (
    AdapterExample,
    ExpectedLayer,
    Limit,
    call_each_step,
    call_once,
    pass_state,
    pass_state_each_step,
)
from neuroact.testing.outcomes import Check, CheckReport, Outcome
from neuroact.testing.raw import RawRecorder

if TYPE_CHECKING:
    from neuroact.testing.machine import RecordingMachine
    from neuroact.testing.statistic import StatisticContract, check_statistic
    from neuroact.testing.statistic_checks import STATISTIC_CHECKS

__all__ = [
    "ADAPTER_CHECKS",
    "STATISTIC_CHECKS",
    "AdapterContract",
    "AdapterExample",
    "Check",
    "CheckReport",
    "ExpectedLayer",
    "Limit",
    "Outcome",
    "RawRecorder",
    "RecordingMachine",
    "StatisticContract",
    "call_each_step",
    "call_once",
    "check_adapter",
    "check_statistic",
    "pass_state",
    "pass_state_each_step",
]

_BY_HYPOTHESIS = {
    "RecordingMachine": "machine",
    "STATISTIC_CHECKS": "statistic_checks",
    "StatisticContract": "statistic",
    "check_statistic": "statistic",
}


def __getattr__(name: str) -> Any:
    """Import what needs hypothesis only when it is asked for."""
    if name not in _BY_HYPOTHESIS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    try:
        return getattr(import_module(f"{__name__}.{_BY_HYPOTHESIS[name]}"), name)
    except ModuleNotFoundError as cause:
        if cause.name != "hypothesis":
            raise
        purpose = f"neuroact.testing.{name}"
        raise MissingExtraError("hypothesis", extra="testing", purpose=purpose) from cause
