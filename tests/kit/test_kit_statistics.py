"""The checks of statistics, proved by statistics that are wrong on purpose."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import Phase, settings
from right_statistic import Spread, expected
from statistic_mutants import MUTANTS

from neuroact.errors import CheckFailedError
from neuroact.testing import STATISTIC_CHECKS, StatisticContract, check_statistic


@pytest.fixture
def unshrunk() -> Iterator[None]:
    """The same few examples each time, not made smaller: that takes most of the time."""
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
    assert set(MUTANTS.values()) == set(STATISTIC_CHECKS) - {"traced"}
