"""Named checks: running them, expected failures, and the report of their outcomes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import torch

from neuroact.errors import CheckFailedError
from neuroact.printable import printable

Case = TypeVar("Case")
Verdict = Literal["passed", "failed", "expected failure", "passed unexpectedly", "not checked"]


class NotCheckedError(Exception):
    """A check lacks what it needs on this machine; the message names it."""


@dataclass(frozen=True)
class Check(Generic[Case]):
    """One named check.

    Attributes:
        name: its name in expected failures and reports.
        claim: what is true if it passes, in one sentence.
        run: raises if the claim is false.
        applies: whether the check makes sense for a case.
    """

    name: str
    claim: str
    run: Callable[[Case], None]
    applies: Callable[[Case], bool]

    def __repr__(self) -> str:
        return self.name


@dataclass(frozen=True)
class Outcome:
    """The outcome of one check on one case.

    Attributes:
        case: name of the example or statistic.
        check: name of the check.
        claim: what the check claims.
        verdict: "passed", "failed", "expected failure", "passed unexpectedly", or "not checked" if
            something is missing on this machine.
        message: why it did not pass.
    """

    case: str
    check: str
    claim: str
    verdict: Verdict
    message: str = ""

    @property
    def ok(self) -> bool:
        """Whether it passed, was expected to fail, or could not be checked."""
        return self.verdict in ("passed", "expected failure", "not checked")


@dataclass(frozen=True)
class CheckReport:
    """Outcomes of all checks, in the order in which they ran; `str` is a table."""

    subject: str
    outcomes: tuple[Outcome, ...]

    @property
    def ok(self) -> bool:
        """Whether every outcome is ok."""
        return all(outcome.ok for outcome in self.outcomes)

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the checks that failed, or passed unexpectedly, each once."""
        return tuple(dict.fromkeys(o.check for o in self.outcomes if not o.ok))

    def __str__(self) -> str:
        rows = [("case", "check", "verdict")]
        rows += [(o.case, o.check, o.verdict) for o in self.outcomes]
        widths = [max(len(row[at]) for row in rows) for at in range(3)]
        lines = ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)) for r in rows]
        notes = [f"{o.case}: {o.check}: {o.message}" for o in self.outcomes if o.message]
        wrong = sum(not o.ok for o in self.outcomes)
        verdict = (
            f"{wrong} of {len(self.outcomes)} checks failed"
            if wrong
            else (f"all {len(self.outcomes)} checks are as they should be")
        )
        text = [*(line.rstrip() for line in lines), "", *notes, f"{self.subject}: {verdict}"]
        lines = [line for part in text for line in part.splitlines() or [""]]
        return "\n".join(printable(line) if line else "" for line in lines)


def outcome_of(
    check: Check[Case], case: Case, *, name: str, expected: Mapping[str, str]
) -> Outcome:
    """Run one check on one case; the caller's random state does not change."""
    reason = expected.get(check.name)
    try:
        with torch.random.fork_rng(devices=()):
            check.run(case)
    except NotCheckedError as missing:
        return Outcome(name, check.name, check.claim, "not checked", str(missing))
    except Exception as failure:
        if reason is not None:
            return Outcome(name, check.name, check.claim, "expected failure", reason)
        return Outcome(name, check.name, check.claim, "failed", _message_of(failure))
    if reason is not None:
        message = f"expected to fail, as {reason!r}, and passes: take it out of expected_failures"
        return Outcome(name, check.name, check.claim, "passed unexpectedly", message)
    return Outcome(name, check.name, check.claim, "passed")


def run_checks(
    subject: str,
    tasks: Iterable[tuple[Check[Case], Case, str, Mapping[str, str]]],
    *,
    stop: bool,
) -> CheckReport:
    """Run `(check, case, name of the case, expected failures)` one after another.

    Raises:
        CheckFailedError: with `stop`, at the first outcome that is not ok.
    """
    outcomes: list[Outcome] = []
    for check, case, name, expected in tasks:
        outcomes.append(outcome_of(check, case, name=name, expected=expected))
        if stop and not outcomes[-1].ok:
            raise failure_of(subject, outcomes[-1])
    return CheckReport(subject, tuple(outcomes))


def failure_of(subject: str, outcome: Outcome) -> CheckFailedError:
    """The error for an outcome that is not ok."""
    return CheckFailedError(
        f"{subject}, {outcome.case}: the check {outcome.check!r} "
        f'("{outcome.claim}") {outcome.verdict}: {outcome.message}',
        check=outcome.check,
    )


def refuse_unknown(expected: Mapping[str, str], checks: Sequence[Check[Case]]) -> None:
    """Refuse an expected failure whose check does not exist, or does not apply.

    Raises:
        ValueError: names it, and the checks there are.
    """
    names = [check.name for check in checks]
    for name in expected:
        if name not in names:
            raise ValueError(
                f"expected_failures names {name!r}, which is not a check that runs here: "
                f"{', '.join(names)}"
            )


def _message_of(failure: Exception) -> str:
    message = str(failure)
    if not isinstance(failure, AssertionError):
        message = f"{type(failure).__name__}: {failure}"
    # Hypothesis puts the smallest failing example into the notes.
    return "\n".join([message, *getattr(failure, "__notes__", ())])
