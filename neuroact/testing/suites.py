"""What both contracts share: one pytest test for each named check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from neuroact.testing.outcomes import Check, failure_of, outcome_of

Task = tuple[Check[Any], Any, str, Mapping[str, str]]
PARAMETER = "neuroact_check"


class CheckSuite:
    """Base class of the contracts. Importing it needs no pytest."""

    __test__: ClassVar[bool] = False

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        # The contracts themselves have nothing to check; their subclasses outside neuroact do.
        cls.__test__ = not cls.__module__.startswith("neuroact.testing")

    @classmethod
    def tasks(cls) -> Sequence[Task]:
        """`(check, case, name of the case, expected failures)` of each test."""
        raise NotImplementedError

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """Pytest's hook: make one test of each task."""
        if PARAMETER in metafunc.fixturenames:
            tasks = self.tasks()
            ids = [f"{name}-{check.name}" for check, _, name, _ in tasks]
            metafunc.parametrize(PARAMETER, tasks, ids=ids)

    def run(self, task: Task) -> None:
        """Run one check."""
        import pytest

        check, case, name, expected = task
        outcome = outcome_of(check, case, name=name, expected=expected)
        if outcome.verdict == "expected failure":
            pytest.xfail(outcome.message)
        if outcome.verdict == "not checked":
            pytest.skip(outcome.message)
        if not outcome.ok:
            raise failure_of(type(self).__name__, outcome)
