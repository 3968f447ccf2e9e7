"""The checks of statistics catch statistics that are wrong on purpose."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import Phase, settings
from right_statistic import Spread, expected
from statistic_mutants import MUTANTS

from neuroact.errors import CheckFailedError
from neuroact.recording import event_blocks
from neuroact.statistics.counting.step_block import StepBlock
from neuroact.testing import (
    STATISTIC_CHECKS,
    StatisticContract,
    check_statistic,
)
from neuroact.testing.statistic_checks import forms


@pytest.fixture
def unshrunk() -> Iterator[None]:
    """The same few examples each time, without shrinking, which would take most of the time."""
    current = settings.get_current_profile_name()
    few = settings(max_examples=40, derandomize=True, database=None, phases=[Phase.generate])
    settings.register_profile("unshrunk", few)
    settings.load_profile("unshrunk")
    yield
    settings.load_profile(current)


class TestRightStatistic(StatisticContract):
    statistic = Spread
    expected = staticmethod(expected)


@pytest.mark.usefixtures("unshrunk")
@pytest.mark.parametrize(
    ("mutant", "check"), MUTANTS.items(), ids=[mutant.__name__ for mutant in MUTANTS]
)
def test_a_wrong_statistic_is_caught_by_the_check_that_should(
    mutant: type[Spread], check: str
) -> None:
    with pytest.raises(CheckFailedError) as caught:
        check_statistic(mutant, expected=expected)
    assert caught.value.check == check, str(caught.value)


def test_each_check_has_a_mutant_that_it_alone_is_to_catch() -> None:
    assert set(MUTANTS.values()) == set(STATISTIC_CHECKS)


class NeedsTheCore(Spread):
    def count(self, block: StepBlock) -> None:
        raise RuntimeError("there is no core")


def test_blocks_that_cannot_be_counted_without_the_core_are_said_not_to_be_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(forms, "core", lambda: None)
    monkeypatch.setattr(forms, "why_missing", lambda: "no compiler here")
    monkeypatch.setattr(event_blocks, "core", lambda: None)
    report = check_statistic(NeedsTheCore, expected=expected)
    verdicts = {outcome.check: outcome.verdict for outcome in report.outcomes}
    assert verdicts.pop("blocks") == "not checked"
    assert set(verdicts.values()) == {"passed"}
    assert "blocks: counting blocks needs the compiled core, which is missing: no" in str(report)
