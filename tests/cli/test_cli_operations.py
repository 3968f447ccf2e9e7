"""Synaptic operations on the command line: shown, priced, drawn, written, and asked for in vain."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from command import Ended, neuroact
from made_operations import FIGURES, INPUT, Net, counted
from printed import printed
from torch import nn

from neuroact import ActivityReport, Comparison, Recording, compare, record
from neuroact.cli import demo as demo_command
from neuroact.energy import HOROWITZ_45NM_FP32, HOROWITZ_45NM_INT32, OperationCosts

COSTS = "HOROWITZ_45NM_FP32"
MINE = """
import made_operations
from neuroact.energy import OperationCosts

CHIP = OperationCosts(name="mine", ac=1.0, mac=100.0, source="my own synthesis")
OTHER = 3


def subject():
    return made_operations.Net(), [made_operations.INPUT] * 2
"""


@pytest.fixture(params=["activity.json", "activity.nact"])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A report's JSON or a recording, with operations."""
    path, net = tmp_path / str(request.param), Net()
    with record(net, layers=nn.ReLU, operations=True) as recording, torch.no_grad():
        net(INPUT)
    if path.suffix == ".nact":
        recording.save(path)
    else:
        recording.report().to_json(path)
    return path


@pytest.fixture
def without(tmp_path: Path) -> Path:
    """A report without operations."""
    path = tmp_path / "without.json"
    recording = Recording()
    recording.observe("lif", torch.ones(3, 2, 4))
    recording.report().to_json(path)
    return path


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder with a module of the user's, of costs and of a model."""
    (tmp_path / "mine.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(Path(__file__).parents[1] / "shared")])
    yield tmp_path
    sys.modules.pop("mine", None)


def said(ended: Ended) -> str:
    """What a command said when it failed by bad use, on one line."""
    assert (ended.code, ended.out) == (2, "")
    return " ".join(ended.err.split())


def test_show_prints_the_table_of_operations(file: Path) -> None:
    assert neuroact("show", file, "--operations") == (0, f"{printed(counted().operations)}\n", "")
    assert "MACs" not in neuroact("show", file).out


def test_show_adds_the_energy_by_the_costs_that_are_named(file: Path) -> None:
    operations = counted().operations
    for name, costs in {
        "HOROWITZ_45NM_FP32": HOROWITZ_45NM_FP32,
        "HOROWITZ_45NM_INT32": HOROWITZ_45NM_INT32,
    }.items():
        expected = f"{printed(operations)}\n\n{operations.energy(costs)}\n"
        assert neuroact("show", file, "--operations", "--costs", name) == (0, expected, "")
        assert neuroact("show", file, "--costs", name) == (0, expected, "")


def test_costs_may_be_the_users_own(file: Path, here: Path) -> None:
    costs = OperationCosts(name="mine", ac=1.0, mac=100.0, source="my own synthesis")
    out = neuroact("show", file, "--costs", "mine:CHIP").out
    assert out.endswith(f"\n\n{counted().operations.energy(costs)}\n")


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        ("LOIHI_9", "neuroact.energy has no costs 'LOIHI_9'. There are: HOROWITZ_"),
        ("OperationCosts", "neuroact.energy has no costs 'OperationCosts'"),
        ("mine:OTHER", "mine:OTHER is 3. There are:"),
        ("mine:NONE", "mine has no 'NONE'"),
        ("nobody:X", "there is no module 'nobody'"),
    ],
)
def test_costs_that_are_none_are_bad_use_and_those_there_are_are_listed(
    costs: str, message: str, file: Path, here: Path
) -> None:
    for command in ("show", "html"):
        found = said(neuroact(command, file, "--costs", costs))
        assert "Invalid value for --costs" in found
        assert message in found


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["show", "--operations"], "--operations"),
        (["show", "--operations", "--json"], "--operations"),
        (["show", "--costs", COSTS], "--costs"),
        (["html", "--costs", COSTS], "--costs"),
        (["plot", "--kind", "operations"], "--kind"),
        (["export", "--operations"], "--operations"),
    ],
)
def test_a_file_without_operations_says_how_to_record_them(
    arguments: list[str], option: str, without: Path
) -> None:
    found = said(neuroact(arguments[0], without, *arguments[1:]))
    assert f"Invalid value for {option}: FILE has no synaptic operations: record them by" in found
    assert "neuroact run TARGET --operations" in found
    assert [path.name for path in without.parent.iterdir()] == ["without.json"]


def test_json_is_the_report_which_holds_the_operations_and_no_estimate(file: Path) -> None:
    result = neuroact("show", file, "--operations", "--json")
    assert ActivityReport.from_json(result.out) == counted()
    assert result == neuroact("show", file, "--json")
    assert "leave --json out" in said(neuroact("show", file, "--costs", COSTS, "--json"))


def test_operations_are_drawn_and_a_layer_of_them_alone(file: Path) -> None:
    counted().operations.plot(file.with_name("expected.png"))
    assert neuroact("plot", file, "--kind", "operations").code == 0
    drawn = file.with_suffix(".png").read_bytes()
    assert drawn == file.with_name("expected.png").read_bytes()
    assert neuroact("plot", file, "--kind", "operations", "--layer", "fc2").code == 0
    assert file.with_suffix(".png").read_bytes() != drawn
    assert '"own" is not counted' in said(
        neuroact("plot", file, "--kind", "operations", "--layer", "own")
    )


def test_operations_are_exported_as_rows(file: Path) -> None:
    text = counted().operations.to_csv()
    assert neuroact("export", file, "--operations") == (0, text, "")
    out = file.with_suffix(".csv")
    assert neuroact("export", file, "--operations", "-o", out).err == f"Written: {out}\n"
    assert out.read_text() == text
    out = file.with_suffix(".parquet")
    assert neuroact("export", file, "--operations", "-o", out).code == 0
    assert out.read_bytes().startswith(b"PAR1")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "a.json"], "for --operations: a report's JSON has layers, neurons and"),
        (["--per", "neuron"], "for --per: operations are those of layers"),
    ],
)
def test_rows_of_operations_that_cannot_be_are_bad_use(
    options: list[str], message: str, file: Path
) -> None:
    assert message in said(neuroact("export", file, "--operations", *options))


def test_the_page_has_operations_and_energy_if_costs_are_named(file: Path) -> None:
    out = file.with_suffix(".html")
    assert neuroact("html", file).code == 0
    assert 'id="operations"' in out.read_text()
    assert "Estimated energy" not in out.read_text()
    assert neuroact("html", file, "--costs", COSTS).code == 0
    assert "Estimated energy" in out.read_text()
    assert HOROWITZ_45NM_FP32.source.split(",")[0] in out.read_text()


def test_compare_shows_operations_if_both_have_them(tmp_path: Path, without: Path) -> None:
    first, second = tmp_path / "ann.json", tmp_path / "pruned.json"
    counted().to_json(first)
    counted(0.5).to_json(second)
    expected = compare(counted(), counted(0.5), labels=("ann", "pruned"))
    assert neuroact("compare", first, second) == (0, f"{printed(expected)}\n", "")
    assert "MACs" in str(expected)
    assert Comparison.from_json(neuroact("compare", first, second, "--json").out) == expected
    mapped = neuroact("compare", first, second, "--map", "fc1=fc2", "--map", "fc2=fc1", "--json")
    found = Comparison.from_json(mapped.out).operations
    assert found["fc1"].layers["pruned"].name == "fc2"


def test_a_comparison_has_no_use_for_these_options(tmp_path: Path) -> None:
    path = tmp_path / "comparison.json"
    compare(counted(), counted(0.5)).to_json(path)
    for options in (["--operations"], ["--costs", COSTS]):
        assert f"for {options[0]}: FILE is a comparison" in said(neuroact("show", path, *options))
    assert "for --costs: FILE is a comparison" in said(neuroact("html", path, "--costs", COSTS))


RUN = ("run", "mine:subject", "--layers", "act*")


def test_a_run_records_and_prints_operations_if_asked_to(here: Path) -> None:
    report = counted(times=2)
    result = neuroact(*RUN, "--operations", "--out", "activity.json")
    assert result.code == 0
    assert result.out.endswith(f"\n\n{printed(report.operations)}\n")
    assert result.out.startswith("layer  ")
    read = ActivityReport.from_json("activity.json")
    assert read.operations == report.operations
    assert {n: read.operations[n].acs for n in FIGURES} == {
        n: 2 * figures["acs"] for n, figures in FIGURES.items()
    }


def test_a_run_with_costs_counts_too(here: Path) -> None:
    operations = counted(times=2).operations
    result = neuroact(*RUN, "--costs", COSTS, "--out", "activity.nact")
    assert result.out.endswith(
        f"{printed(operations)}\n\n{operations.energy(HOROWITZ_45NM_FP32)}\n"
    )
    assert Recording.load("activity.nact").report().operations == operations


def test_a_run_that_is_not_asked_counts_no_operations(here: Path) -> None:
    assert neuroact(*RUN, "--out", "activity.json").code == 0
    assert ActivityReport.from_json("activity.json").recorded_operations is None


def test_a_runs_json_holds_the_operations(here: Path) -> None:
    result = neuroact(*RUN, "--operations", "--json")
    assert ActivityReport.from_json(result.out).operations == counted(times=2).operations
    assert "leave --json out" in said(neuroact(*RUN, "--costs", COSTS, "--json"))


def test_costs_that_are_none_are_told_before_anything_runs(here: Path) -> None:
    (here / "mine.py").write_text("def subject(): open('ran', 'w')")
    assert "no costs 'X'" in said(neuroact(*RUN, "--costs", "X"))
    assert not (here / "ran").exists()


def test_the_demo_prints_the_operations_that_it_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Demo:
        name = "snntorch"
        report, accuracy, samples = counted(), 0.5, 2

        def load(self) -> Any:
            return lambda **options: self

    monkeypatch.setattr(demo_command, "installed_demos", lambda: {"snntorch": Demo()})
    result = neuroact("demo", "--out", tmp_path)
    assert f"{printed(Demo.report)}\n\n{printed(Demo.report.operations)}\n" in result.out
    assert ActivityReport.from_json(tmp_path / "activity.json") == Demo.report
