"""Two ways to run the checks of an adapter: a plain function, and a class for pytest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from neuroact.layers.adapter import Adapter
from neuroact.testing.adapter_checks import ADAPTER_CHECKS
from neuroact.testing.example import AdapterExample
from neuroact.testing.outcomes import CheckReport, refuse_unknown, run_checks
from neuroact.testing.playing import AdapterCase
from neuroact.testing.suites import CheckSuite, Task


def check_adapter(
    adapter: Adapter, examples: Iterable[AdapterExample], *, stop: bool = True
) -> CheckReport:
    """Run all checks of an adapter on its examples; needs neither pytest nor hypothesis.

    Args:
        adapter: the adapter.
        examples: models that it has to read, and what is true of them.
        stop: raise at the first failure; otherwise run all checks and return the report.

    Returns:
        The outcome of each check; its `str` is a table.

    Raises:
        CheckFailedError: with `stop`, names the check, what was expected, what came and where to
            look.
        ValueError: there is no example, or `expected_failures` names no check that runs.

    >>> import torch
    >>> from neuroact import SignalKind, SpikeChunk
    >>> from neuroact.testing import AdapterExample, ExpectedLayer, Limit, check_adapter
    >>> class Fire(torch.nn.Module):
    ...     def forward(self, x):
    ...         return (x > 0).float()
    >>> class FireAdapter:
    ...     framework = "fire"
    ...     def kind(self, module):
    ...         return SignalKind.BINARY if isinstance(module, Fire) else None
    ...     def read(self, module, call):
    ...         return SpikeChunk.of_sequence(
    ...             call.output, SignalKind.BINARY, starts_sequence=True, batch_first=True
    ...         )
    >>> example = AdapterExample(
    ...     name="one layer",
    ...     model=lambda: torch.nn.Sequential(torch.nn.Linear(4, 5), Fire()),
    ...     inputs=lambda steps, batch: torch.randn(steps, batch, 4),
    ...     layers={"1": ExpectedLayer("TBN")},
    ...     limits={Limit.STATE, Limit.GRADIENTS},
    ... )
    >>> report = check_adapter(FireAdapter(), [example], stop=False)
    >>> report.ok, report.failed[0]
    (False, 'axes')
    """
    tasks = adapter_tasks(adapter, examples)
    return run_checks(type(adapter).__name__, tasks, stop=stop)


def adapter_tasks(adapter: Adapter, examples: Iterable[AdapterExample]) -> Sequence[Task]:
    """Every check that applies, for every example."""
    tasks: list[Task] = []
    for example in examples:
        case = AdapterCase(adapter, example)
        checks = [check for check in ADAPTER_CHECKS.values() if check.applies(case)]
        refuse_unknown(example.expected_failures, checks)
        tasks += [(check, case, example.name, example.expected_failures) for check in checks]
    if not tasks:
        raise ValueError("expected at least one AdapterExample, came none")
    return tasks


class AdapterContract(CheckSuite):
    """A pytest suite of all checks of an adapter: subclass it in a test file.

    Each check of each example is a test, named `example-check`. A check in an example's
    `expected_failures` shows as xfailed; if it passes after all, the test fails.

    Attributes:
        adapter: the adapter.
        examples: as in `check_adapter`.
    """

    adapter: ClassVar[Adapter]
    examples: ClassVar[Sequence[AdapterExample]]

    @classmethod
    def tasks(cls) -> Sequence[Task]:
        """Every check that applies, for every example."""
        return adapter_tasks(cls.adapter, cls.examples)

    def test_adapter(self, neuroact_check: Any) -> None:
        """A named check of the adapter holds."""
        self.run(neuroact_check)
