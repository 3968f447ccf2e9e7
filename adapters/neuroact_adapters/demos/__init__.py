"""What `neuroact demo` runs: the same small training in each framework.

A demo is a function in the entry-point group `neuroact.demos`, under its framework's import name.
It takes a seed, a number of epochs and a function that is called with the progress. It returns a
`DemoResult`. `digits` is the part without a framework; each framework's module adds the network.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from neuroact import ActivityReport

Progress = Callable[[int, int, str], object]
"""Called as `progress(epochs done, epochs in all, loss and accuracy as text)`."""


@dataclass(frozen=True, slots=True)
class DemoResult:
    """The result of a demo.

    Attributes:
        accuracy: share of the test samples classified correctly.
        samples: number of test samples.
        report: the activity of the network over all of them, with its synaptic operations.
    """

    accuracy: float
    samples: int
    report: ActivityReport
