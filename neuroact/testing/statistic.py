"""Two ways to run the checks of a statistic: a plain function, and a class for pytest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from neuroact.statistics import Statistic
from neuroact.testing.outcomes import CheckReport, refuse_unknown, run_checks
from neuroact.testing.statistic_checks import STATISTIC_CHECKS
from neuroact.testing.statistic_checks.case import Expected, StatisticCase
from neuroact.testing.suites import CheckSuite, Task


def check_statistic(
    statistic: Callable[[], Statistic],
    *,
    expected: Expected | None = None,
    expected_failures: Mapping[str, str] | None = None,
    stop: bool = True,
) -> CheckReport:
    """Run all checks of a statistic on streams that Hypothesis draws; needs no pytest.

    Args:
        statistic: the class, or a function that builds one without arguments.
        expected: `expected(stream, kind)` returns what attributes of `result()` have to be, by
            name. It computes them with NumPy from the raw values of a
            `neuroact.testing.strategies.Stream`.
        expected_failures: reasons by name of check, for checks that the statistic is known to fail.
            If such a check passes after all, that is a failure.
        stop: raise at the first failure; otherwise run all checks and return the report.

    Returns:
        The outcome of each check; its `str` is a table.

    Raises:
        CheckFailedError: with `stop`, names the check, what was expected and what came, with the
            smallest stream that shows it.
        ValueError: `expected_failures` names no check that runs.

    >>> import torch
    >>> from neuroact import Firing
    >>> from neuroact.errors import CheckFailedError
    >>> from neuroact.testing import check_statistic
    >>> class Eager(Firing):
    ...     def state_dict(self):
    ...         return {"version": torch.ones(1), **super().state_dict()}
    >>> try:
    ...     report = check_statistic(Eager)
    ... except CheckFailedError as error:
    ...     print(error.check)
    nothing_yet
    """
    name = getattr(statistic, "__name__", repr(statistic))
    tasks = statistic_tasks(StatisticCase(statistic, expected), name, expected_failures or {})
    return run_checks("check_statistic", tasks, stop=stop)


def statistic_tasks(
    case: StatisticCase, name: str, expected_failures: Mapping[str, str]
) -> Sequence[Task]:
    """Every check that applies."""
    checks = [check for check in STATISTIC_CHECKS.values() if check.applies(case)]
    refuse_unknown(expected_failures, checks)
    return [(check, case, name, expected_failures) for check in checks]


class StatisticContract(CheckSuite):
    """A pytest suite of all checks of a statistic: subclass it in a test file.

    Each check is a test. A check in `expected_failures` shows as xfailed; if it passes after all,
    the test fails.

    Attributes:
        statistic: the class, or a static method that builds one.
        expected: a static method, like `expected` in `check_statistic`; or None.
        expected_failures: as in `check_statistic`.
    """

    statistic: ClassVar[Callable[[], Any]]
    expected: ClassVar[Expected | None] = None
    expected_failures: ClassVar[Mapping[str, str]] = {}

    @classmethod
    def tasks(cls) -> Sequence[Task]:
        """Every check that applies."""
        name = getattr(cls.statistic, "__name__", cls.__name__)
        case = StatisticCase(cls.statistic, cls.expected)
        return statistic_tasks(case, name, cls.expected_failures)

    def test_statistic(self, neuroact_check: Any) -> None:
        """A named check of the statistic holds."""
        self.run(neuroact_check)
