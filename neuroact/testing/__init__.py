"""What the author of an adapter or of a statistic tests with.

Two doors each. `check_adapter` and `check_statistic` are plain functions that run named checks,
raise at the first that does not hold, or return a report of all; `AdapterContract` and
`StatisticContract` are classes to subclass in a pytest suite, one test a check. An adapter's
author gives models, how they are run, and what is true of them by hand; the checks hold the
adapter against an independent recorder of raw outputs. A statistic is held against the laws of
counting, on streams that Hypothesis draws, and against figures by NumPy.

`neuroact.testing.strategies` are Hypothesis strategies for spikes, cuts and counted values;
`RecordingMachine` drives a recording by all its verbs beside a model that keeps everything.

Needs `pip install "neuroact[testing]"` (pytest and hypothesis); what is about adapters needs
neither, and what is about statistics no pytest.
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
    """What needs hypothesis is imported when it is asked for."""
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
