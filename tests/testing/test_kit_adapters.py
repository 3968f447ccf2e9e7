"""The checks of adapters catch adapters that are wrong on purpose."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import right_adapter
import simulator_adapter
import torch
import unusual_adapter
from adapter_mutants import MUTANTS, OutputCopied
from right_adapter import QUICK, PatternedAdapter, RightAdapter
from simulator_adapter import InverseAdapter, SimulatorAdapter
from unusual_adapter import UnusualAdapter

from neuroact.errors import CheckFailedError
from neuroact.testing import ADAPTER_CHECKS, AdapterContract, AdapterExample, Limit, check_adapter

_, HELD, SEQUENCES = QUICK


class TestRightAdapter(AdapterContract):
    adapter = RightAdapter()
    examples = right_adapter.EXAMPLES


class TestUnusualAdapter(AdapterContract):
    adapter = UnusualAdapter()
    examples = unusual_adapter.EXAMPLES


class TestSimulatorAdapter(AdapterContract):
    adapter = SimulatorAdapter()
    examples = simulator_adapter.EXAMPLES


@pytest.mark.parametrize("example", simulator_adapter.EXAMPLES, ids=lambda example: example.name)
def test_spikes_that_are_kept_on_the_module_are_compared_too(example: AdapterExample) -> None:
    report = check_adapter(InverseAdapter(), [example], stop=False)
    assert {"values", "figures"} <= {*report.failed}


def test_a_right_adapter_passes_the_plain_function_too() -> None:
    report = check_adapter(PatternedAdapter(), right_adapter.EXAMPLES)
    assert report.ok
    assert not report.failed
    assert {o.check for o in report.outcomes} == {*ADAPTER_CHECKS} - {"true_limits"}


@pytest.mark.parametrize(
    ("mutant", "check"), MUTANTS.items(), ids=[mutant.__name__ for mutant in MUTANTS]
)
def test_a_wrong_adapter_is_caught_by_the_check_that_should(
    mutant: type[RightAdapter], check: str
) -> None:
    with pytest.raises(CheckFailedError) as caught:
        check_adapter(mutant(), QUICK)
    assert caught.value.check == check, str(caught.value)


def test_a_failure_tells_what_was_expected_what_came_and_where_to_look() -> None:
    mutant = next(mutant for mutant in MUTANTS if mutant.__name__ == "TimeAndBatchSwapped")
    with pytest.raises(CheckFailedError) as caught:
        check_adapter(mutant(), QUICK)
    told = str(caught.value)
    assert "TimeAndBatchSwapped, sequences: the check 'axes'" in told
    assert "[time, batch, *neurons] = [7, 3, 5], came [3, 7, 5]" in told
    assert "The sizes are right and their order is not" in told
    assert "Look at `read`" in told


def test_a_report_tells_of_every_check() -> None:
    report = check_adapter(OutputCopied(), [HELD], stop=False)
    assert not report.ok
    assert report.failed == ("view",)
    table = str(report)
    assert re.search(r"^states held +view +failed$", table, re.MULTILINE)
    assert "OutputCopied: 1 of" in table
    assert len(report.outcomes) > 25


def test_an_expected_failure_is_no_failure_until_it_passes() -> None:
    reasons = {"view": "its output is in pieces"}
    expecting = replace(HELD, expected_failures=reasons)
    assert check_adapter(OutputCopied(), [expecting]).ok
    with pytest.raises(CheckFailedError, match="'its output is in pieces', and passes"):
        check_adapter(RightAdapter(), [expecting])


def test_an_expected_failure_of_no_check_is_refused() -> None:
    with pytest.raises(ValueError, match="expected_failures names 'veiw', which is not a check"):
        check_adapter(RightAdapter(), [replace(HELD, expected_failures={"veiw": "misspelt"})])


@pytest.mark.parametrize("limit", [Limit.FLOAT16, Limit.NO_SAMPLE, Limit.INFERENCE, Limit.ONE_STEP])
def test_a_limit_that_is_none_is_found_out(limit: Limit) -> None:
    with pytest.raises(CheckFailedError, match=f"take Limit.{limit.name} out") as caught:
        check_adapter(RightAdapter(), [replace(HELD, limits={limit})])
    assert caught.value.check == "true_limits"


def test_an_example_that_proves_nothing_is_refused() -> None:
    silent = replace(SEQUENCES, inputs=lambda steps, batch: torch.zeros(batch, steps, 4))
    same = replace(HELD, steps=5)
    for example, why in ((silent, "values are zero"), (same, "not all different")):
        with pytest.raises(CheckFailedError, match=why) as caught:
            check_adapter(RightAdapter(), [example])
        assert caught.value.check == "telling_example"


def test_without_an_example_nothing_is_checked_and_that_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one AdapterExample"):
        check_adapter(RightAdapter(), [])


def test_checking_leaves_the_random_state() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    check_adapter(RightAdapter(), [SEQUENCES])
    assert torch.get_rng_state().equal(before)


def test_the_plain_function_works_without_pytest_and_hypothesis() -> None:
    program = (
        "import sys; sys.modules['pytest'] = sys.modules['hypothesis'] = None\n"
        "from neuroact.testing import check_adapter, AdapterContract\n"
        "import right_adapter as right\n"
        "print(check_adapter(right.RightAdapter(), right.QUICK[2:], stop=False).ok)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
        check=True,
    )
    assert run.stdout.strip() == "True"


SUITE = """
from dataclasses import replace
from adapter_mutants import OutputCopied, OutputMadeContiguous
from right_adapter import QUICK, RightAdapter
from neuroact.testing import AdapterContract

EXPECTING = [replace(QUICK[2], expected_failures={"view": "in pieces"})]

class TestWrong(AdapterContract):
    adapter, examples = OutputCopied(), QUICK[1:2]

class TestExpecting(AdapterContract):
    adapter, examples = OutputMadeContiguous(), EXPECTING

class TestExpectingInVain(AdapterContract):
    adapter, examples = RightAdapter(), EXPECTING
"""


def test_a_contract_shows_in_pytest_what_fails_and_what_was_expected_to(tmp_path: Path) -> None:
    (tmp_path / "test_suite.py").write_text(SUITE)
    paths = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
    (tmp_path / "conftest.py").write_text(paths)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", "--tb=line"]
    run = subprocess.run(
        [*command, "--rootdir", str(tmp_path), str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=False,
    )
    lines = [line.partition(" - ")[0] for line in run.stdout.splitlines()]
    assert "FAILED test_suite.py::TestWrong::test_adapter[states held-view]" in lines
    assert "PASSED test_suite.py::TestWrong::test_adapter[states held-axes]" in lines
    assert "XFAIL test_suite.py::TestExpecting::test_adapter[sequences-view]" in lines
    assert "FAILED test_suite.py::TestExpectingInVain::test_adapter[sequences-view]" in lines
    assert sum(line.startswith("FAILED") for line in lines) == 2
