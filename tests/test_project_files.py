"""What people and machines read about the project agrees with it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def read(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def test_the_workflow_runs_all_checks_on_every_python_from_3_11_to_3_14() -> None:
    [job] = read(".github/workflows/ci.yml")["jobs"].values()
    assert job["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13", "3.14"]
    assert job["container"] == "python:${{ matrix.python }}"
    assert [step["run"] for step in job["steps"] if step.get("run") == ".ci/run"] == [".ci/run"]
    assert PROJECT["requires-python"] == ">=3.11"


def test_all_checks_build_the_site_and_test_the_wheel() -> None:
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    stages = re.findall(r'^stage "([^"]+)" (.+)$', script, re.MULTILINE)
    assert ("docs", "make docs") in stages
    assert ("wheel: tests, without the sources", "wheel_tests") in stages


def test_the_citation_is_of_this_version_under_this_licence() -> None:
    citation = read("CITATION.cff")
    required = {"cff-version", "title", "message", "authors"}
    assert required <= citation.keys()
    assert (citation["title"], citation["version"], citation["license"]) == (
        PROJECT["name"],
        PROJECT["version"],
        PROJECT["license"],
    )


def test_the_newest_version_of_the_changelog_is_this_one() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## (\d+\.\d+\.\d+)", changelog, re.MULTILINE)
    assert versions[0] == PROJECT["version"]


def test_every_package_installed_by_the_checks_has_one_exact_version() -> None:
    files = list((ROOT / ".ci").glob("constraints*.txt"))
    assert len(files) >= 4
    for file in files:
        lines = file.read_text(encoding="utf-8").splitlines()
        packages = [line.partition("==")[0].lower() for line in lines]
        assert len(set(packages)) == len(packages)
        assert all(re.fullmatch(r"[\w.-]+==[\w.+-]+", line) for line in lines)
