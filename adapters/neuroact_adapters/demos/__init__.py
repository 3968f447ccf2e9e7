"""The same small job in each framework: what `neuroact demo` runs.

A demo is a function of the entry-point group `neuroact.demos`, by its framework's import name. It
takes a seed, a number of epochs and a function to tell its progress, and gives a `DemoResult`.
`digits` is the job without a framework; a framework's module adds the network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from neuroact import ActivityReport

Progress = Callable[[int, int, str], object]
"""Called as `progress(epochs done, epochs in all, what they came to)`."""


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What a demo came to.

    Attributes:
        accuracy: share of the test samples classified correctly.
        samples: number of test samples.
        report: the activity of the network over all of them.
    """

    accuracy: float
    samples: int
    report: ActivityReport
