"""The page of all classes says what the frameworks of this environment do."""

from __future__ import annotations

import importlib
from importlib.metadata import version

import pytest
from framework_rows import rows
from framework_table import APART, stored


@pytest.mark.parametrize("framework", APART)
def test_the_rows_are_what_the_framework_does(framework: str) -> None:
    known = stored(framework)
    assert version(framework) in known, "run tests/adapters/framework_table.py"
    assert known[version(framework)] == rows(framework)


@pytest.mark.parametrize("framework", APART)
def test_every_test_that_a_row_names_is_there(framework: str) -> None:
    for row in stored(framework)[version(framework)]:
        file, _, test = row["test"].partition("::")
        module = importlib.import_module(file.removeprefix("apart/").removesuffix(".py"))
        assert callable(getattr(module, test))
