"""What the author of an adapter or of a statistic tests with.

Two doors each. `check_adapter` is a plain function that runs named checks, raises at the first
that does not hold, or returns a report of all; `AdapterContract` is a class to subclass in a
pytest suite, one test a check. An adapter's author gives models, how they are run, and what is
true of them by hand; the checks hold the adapter against an independent recorder of raw outputs.

Needs `pip install "neuroact[testing]"` (pytest and hypothesis); `check_adapter` needs neither.
"""

from neuroact.testing.adapter import ADAPTER_CHECKS, AdapterContract, check_adapter
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

__all__ = [
    "ADAPTER_CHECKS",
    "AdapterContract",
    "AdapterExample",
    "Check",
    "CheckReport",
    "ExpectedLayer",
    "Limit",
    "Outcome",
    "RawRecorder",
    "call_each_step",
    "call_once",
    "check_adapter",
    "pass_state",
    "pass_state_each_step",
]
