"""The page of all classes says what the installed frameworks do, and misses no class."""

from __future__ import annotations

import importlib
from importlib.metadata import version
from pathlib import Path

import pytest
from framework_rows import rows
from framework_table import APART, FRAMEWORKS, PAGE, SOURCES, is_installed, page, stored

OLDER = version("snntorch").startswith("0.9")
# Some are in an environment of their own. That of the older generation has no sinabs.
ELSEWHERE = {*APART} - {"spikingjelly"} | ({"sinabs"} if OLDER else set())
HERE = [name for name in FRAMEWORKS if name not in ELSEWHERE]


def classes_of(framework: str) -> set[str]:
    """The layer classes that this version of the framework has, as its own tests find them."""
    tests = importlib.import_module(f"test_{framework}")
    if framework == "snntorch":
        return set(tests.NEURONS_OF_0_9_4 if OLDER else tests.NEURONS_OF_1_0_0)
    if framework == "norse":
        every = tests.OF_1_0 if OLDER else tests.OF_1_1
        return set(every) - tests.ABSTRACT - tests.NO_LAYERS_OF_1_1
    if framework == "sinabs":
        return set(tests.SPIKING_LAYERS | tests.LEAKY_LAYERS)
    # The older generation's LIAFNode cannot be built.
    neurons = tests.NEURONS_OF_0_0_0_0_14 - {"LIAFNode"} if OLDER else tests.NEURONS_OF_2_0_0
    return set(neurons | tests.RNNS | {f"{name}Cell" for name in tests.RNNS})


@pytest.mark.parametrize("framework", HERE)
def test_the_rows_are_what_the_framework_does(framework: str) -> None:
    assert is_installed(framework), f"{framework} must be installed for the tests"
    known = stored(framework)
    assert version(framework) in known, "run tests/adapters/framework_table.py"
    assert known[version(framework)] == rows(framework)


@pytest.mark.parametrize("framework", HERE)
def test_every_class_of_the_framework_has_a_row(framework: str) -> None:
    listed = {row["class"] for row in stored(framework)[version(framework)]}
    assert classes_of(framework) <= listed


def test_the_page_is_written_from_the_rows() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()


def test_every_source_has_rows_whose_tests_are_there() -> None:
    for package in SOURCES:
        for found in stored(package).values():
            for row in found:
                file, _, name = row["test"].partition("::")
                assert f"def {name}(" in Path(__file__).parent.joinpath(file).read_text()
        assert stored(package), package


def test_every_test_that_a_row_names_is_there() -> None:
    for name in HERE:
        for row in stored(name)[version(name)]:
            for shown_by in row["test"].split(" / "):
                file, _, test = shown_by.partition("::")
                module = importlib.import_module(file.removesuffix(".py"))
                assert callable(getattr(module, test))
