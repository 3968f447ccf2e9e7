"""What people and machines read about the project agrees with it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

from neuroact_adapters.torch import TorchAdapter

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


INSTALLING = (ROOT / "docs/how-to/install.md").read_text(encoding="utf-8")
# What people install beside neuroact, in the order of the page's table.
TOGETHER = (
    *("torch", "torchvision", "torchaudio", "numpy"),
    *("snntorch", "norse", "spikingjelly", "sinabs", "neurobench", "lightning", "torchmetrics"),
    *("nir", "nirtorch", "tonic", "neo", "nest-simulator", "pynwb", "spikeinterface", "elephant"),
    *("matplotlib", "pandas", "polars", "pyarrow", "scikit-learn", "tensorboard", "ml_dtypes"),
)


def pinned(name: str) -> dict[str, str]:
    """The versions of a file of constraints, by package."""
    lines = (ROOT / ".ci" / name).read_text(encoding="utf-8").split()
    return {line.partition("==")[0].lower(): line.partition("==")[2] for line in lines}


def test_the_page_of_installing_has_the_versions_that_the_checks_install() -> None:
    older, newest = pinned("constraints-older.txt"), pinned("constraints.txt")
    apart = pinned("constraints-apart.txt")
    rows = [f"| {name} | {older[name]} | {newest[name]} |" for name in TOGETHER]
    rows.append(f"| Brian 2, apart, with numpy {apart['numpy']} | | {apart['brian2']} |")
    table = "\n".join(["| | older | newest |", "|---|---|---|", *rows])
    assert f"\n{table}\n" in INSTALLING, table


def test_the_page_of_installing_has_every_extra_and_what_neuroact_requires() -> None:
    for_developers = {"test", "docs", "lint"}
    for extra, brings in PROJECT["optional-dependencies"].items():
        row = f"| `{extra}` | {', '.join(brings)} | "
        assert (row in INSTALLING) == (extra not in for_developers), row
    required = dict(line.split(">=") for line in PROJECT["dependencies"])
    for name, bound in {
        "Python": PROJECT["requires-python"].removeprefix(">="),
        "PyTorch": required["torch"],
        "NumPy": required["numpy"],
    }.items():
        assert f"| {name} | {bound} or newer" in INSTALLING
    assert f"| {', '.join(TorchAdapter.tested)} |" in INSTALLING
