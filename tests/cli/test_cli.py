"""The command line: what it prints and writes, and how it ends."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
import textwrap
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib.metadata import EntryPoint, version
from pathlib import Path
from typing import Any

import pytest
import snntorch
import torch
from command import neuroact as neuroact_command
from printed import printed
from typer.testing import CliRunner, Result

import neuroact
import neuroact.layers.adapter
from neuroact import ActivityReport, Recording, cli, native
from neuroact.cli import demo as demo_command

RUN = "import sys; sys.argv[0] = 'neuroact'; from neuroact.cli import main; main()"


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(cli.app, arguments)


@pytest.fixture
def report() -> ActivityReport:
    recording = Recording()
    recording.observe("lif", torch.tensor([[[1, 0, 1]], [[1, 0, 0]]]))
    return recording.report()


@dataclass
class Outcome:
    report: ActivityReport
    accuracy: float = 0.875
    samples: int = 1234


class Demo:
    """Stands in for an entry point of the group, and for its demo."""

    def __init__(self, report: ActivityReport, name: str = "snntorch") -> None:
        self.report = report
        self.name = name
        self.calls: list[tuple[int, int | None]] = []

    def load(self) -> Any:
        return self

    def __call__(
        self, *, seed: int, epochs: int | None, progress: demo_command.Progress
    ) -> Outcome:
        self.calls.append((seed, epochs))
        progress(1, 2, "loss 0.5")
        progress(2, 2, "loss 0.2")
        return Outcome(self.report)


@pytest.fixture
def demo(report: ActivityReport, monkeypatch: pytest.MonkeyPatch) -> Demo:
    found = Demo(report)
    monkeypatch.setattr(demo_command, "installed_demos", lambda: {found.name: found})
    return found


def test_the_version_is_the_packages() -> None:
    assert invoke("--version").output == f"neuroact {neuroact.__version__}\n"


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], ["demo", "--help"], ["show", "-h"]])
def test_help_is_plain_text_and_ends_well(arguments: list[str]) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 0
    assert result.output.startswith("Usage: ")
    assert result.output.isascii()


def test_each_commands_help_ends_with_examples_that_name_only_options_it_has() -> None:
    for name in commands():
        examples = invoke(name, "--help").output.partition("\n  Examples:\n")[2]
        lines = examples.strip().splitlines()
        assert lines, f"{name} has no examples"
        for line in lines:
            assert line.split()[:2] == ["neuroact", name]
            check_options(line)


def test_the_help_of_each_command_fits_a_line_of_the_list() -> None:
    assert "..." not in invoke("--help").output.partition("Commands:")[2]


def test_each_command_that_writes_takes_the_short_option_too() -> None:
    usages = {name: invoke(name, "--help").output for name in commands()}
    writes = {name for name, usage in usages.items() if " --out " in usage}
    assert writes == {"demo", "run", "plot", "html", "merge", "export"}
    assert all(" -o, --out " in usages[name] for name in writes)


def test_commands_in_the_documents_name_only_options_there_are() -> None:
    root = Path(__file__).parents[2]
    documents = [root / "README.md", *root.glob("docs/**/*.md"), *root.glob("adapters/*.md")]
    lines = [
        line.strip().split(" # ")[0]
        for path in documents
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith(("    neuroact ", "neuroact "))
    ]
    assert len(lines) > 20
    for line in lines:
        check_options(line)


def check_options(line: str) -> None:
    """Check that a line names an existing command and options that it has."""
    name = line.split()[1]
    usage = invoke(name, "--help").output.partition("\n  Examples:\n")[0]
    assert usage.startswith("Usage: "), f"there is no command {name}"
    for option in [word.partition("=")[0] for word in line.split() if word.startswith("-")]:
        assert re.search(rf"[ ,]{option}[ ,]", usage), f"{name} has no {option}"


def commands() -> list[str]:
    """The names of all commands."""
    names = [info.name or info.callback.__name__ for info in cli.app.registered_commands]
    assert names
    return names


def test_without_arguments_the_commands_are_listed() -> None:
    listed = " ".join(invoke().output.split())
    assert "show Print the table of a report, a recording, a comparison or a history." in listed


def test_show_prints_the_table_of_a_file(report: ActivityReport, tmp_path: Path) -> None:
    path = tmp_path / "{activity}.json"
    report.to_json(path)
    assert invoke("show", str(path)).output == printed(report) + "\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"schema": "neuroact.report", "schema_ver', "not JSON, or cut short"),
        ('{"schema": "other"}', "it is JSON of something else: expected a recording, or the JSON"),
        ("", "not JSON, or cut short"),
    ],
)
def test_a_damaged_file_is_one_line_on_standard_error_and_exit_code_2(
    text: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "activity.json"
    path.write_text(text)
    code, out, err = neuroact_command("show", path)
    assert (code, out) == (2, "")
    assert err.startswith(f"neuroact: {path}: {message}")
    assert err.count("\n") == 1


def test_a_message_prints_no_escape_codes_that_a_file_holds(
    report: ActivityReport, tmp_path: Path
) -> None:
    document = report.to_dict()
    document["layers"] = [{**document["layers"][0], "name": "a\x1b[31mb"}] * 2
    path = tmp_path / "activity.json"
    path.write_text(json.dumps(document))
    code, _, err = neuroact_command("show", path)
    assert code == 2
    assert r"a\x1b[31mb" in err


def test_a_missing_file_is_bad_use(tmp_path: Path) -> None:
    code, out, err = neuroact_command("show", tmp_path / "none.json")
    assert (code, out) == (2, "")
    assert "does not exist" in err


def test_the_demo_prints_and_writes_what_was_recorded(demo: Demo, tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder"
    result = invoke("demo", "--out", str(out), "--seed", "7", "--epochs", "2")
    assert result.exit_code == 0
    assert demo.calls == [(7, 2)]
    assert ActivityReport.from_json(out / "activity.json") == demo.report
    assert (out / "activity.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in out.iterdir()) == ["activity.json", "activity.png"]
    assert "87.5% of 1,234 test digits classified correctly." in result.stdout
    assert printed(demo.report) in result.stdout
    assert f"Written: {out / 'activity.json'}, {out / 'activity.png'}\n" in result.stdout
    assert "epoch 1/2: loss 0.5\nepoch 2/2: loss 0.2\n" in result.stderr


def test_the_demo_writes_beside_the_user_where_no_folder_is_named(
    demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert invoke("demo").exit_code == 0
    assert demo.calls == [(0, None)]
    assert (tmp_path / "neuroact-demo" / "activity.json").exists()


def test_the_five_lines_that_the_demo_ends_with_run(demo: Demo, tmp_path: Path) -> None:
    printed = invoke("demo", "--out", str(tmp_path)).stdout
    lines = textwrap.dedent(printed.partition("network of your own:\n")[2])
    assert sum(bool(line) for line in lines.splitlines()) == 5
    net = torch.nn.Sequential(snntorch.Leaky(beta=0.9, init_hidden=True))
    loader = [(torch.ones(2, 3), None)] * 4
    with redirect_stdout(io.StringIO()) as out:
        exec(lines, {"net": net, "loader": loader})
    assert out.getvalue().splitlines()[2].split()[:4] == ["0", "3", "3", "0.7500"]


def test_a_folder_that_cannot_be_made_is_told_before_the_training(
    demo: Demo, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    code, _, err = neuroact_command("demo", "--out", tmp_path / "file")
    assert code == 2
    assert "File exists" in err
    assert not demo.calls


@pytest.mark.parametrize("arguments", [["--epochs", "0"], ["--seed", "-1"], ["--seed", "x"]])
def test_numbers_out_of_range_are_bad_use(arguments: list[str], demo: Demo) -> None:
    assert invoke("demo", *arguments).exit_code == 2
    assert not demo.calls


def test_an_installation_without_demos_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(demo_command, "installed_demos", dict)
    code, _, err = neuroact_command("demo", "--out", tmp_path)
    assert code == 2
    assert "there is no demo" in err


def test_an_unknown_framework_is_bad_use_and_the_known_ones_are_listed(demo: Demo) -> None:
    result = invoke("demo", "--framework", "brian")
    assert result.exit_code == 2
    assert 'there is no demo for "brian". There are: snntorch, all.' in result.stderr
    assert not demo.calls


def test_all_frameworks_are_trained_alike_and_compared_with_the_first(
    report: ActivityReport, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = Recording()
    recording.observe("lif", torch.tensor([[[1, 1, 1]], [[1, 0, 0]]]))
    found = [Demo(recording.report(), "norse"), Demo(report, "snntorch")]
    monkeypatch.setattr(
        demo_command, "installed_demos", lambda: {demo.name: demo for demo in found}
    )
    result = invoke("demo", "--framework", "all", "--seed", "3", "--out", str(tmp_path))
    assert result.exit_code == 0
    assert [demo.calls for demo in found] == [[(3, None)]] * 2
    files = ["comparison.png", "norse.json", "norse.png", "snntorch.json", "snntorch.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == files
    assert "snntorch: 87.5% of 1,234 test digits classified correctly.\nnorse: 87" in result.stdout
    compared = neuroact.compare(report, found[0].report, labels=["snntorch", "norse"])
    assert printed(compared).rpartition("\nlegend")[0] in result.stdout
    assert compared["lif"].differences["norse"].dead == -1


@pytest.mark.parametrize(
    ("module", "package", "framework", "extra"),
    [
        ("sklearn", "scikit-learn", "snntorch", "demo"),
        ("snntorch", "snntorch", "snntorch", "demo"),
        ("matplotlib", "matplotlib", "snntorch", "demo"),
        ("norse", "norse", "norse", "norse"),
        ("spikingjelly", "spikingjelly", "all", "spikingjelly"),
    ],
)
def test_a_missing_package_names_the_extra_and_leaves_no_traceback(
    module: str, package: str, framework: str, extra: str, tmp_path: Path
) -> None:
    program = f"import sys; sys.modules[{module!r}] = None; {RUN}"
    options = ["--framework", framework, "--out", str(tmp_path / "out")]
    command = [sys.executable, "-c", program, "demo", *options]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert run.stdout == ""
    assert run.stderr.splitlines()[-1] == (
        f'neuroact: neuroact demo needs the package "{package}", which is not installed. '
        f'Install it with: pip install "neuroact[{extra}]"'
    )
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "out").exists()


def test_adapters_are_listed_with_versions_and_what_broke(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [
        EntryPoint("numpy", "nowhere:Adapter", "neuroact.adapters"),
        EntryPoint("torch", "toy:ToyAdapter", "neuroact.adapters"),
    ]
    monkeypatch.setattr(neuroact.layers.adapter, "entry_points", lambda group: points)
    result = invoke("adapters")
    header, _, numpy, torch_line, _, problem, *_, core = result.output.splitlines()
    assert result.exit_code == 0
    assert core.startswith("compiled core: there" if native.core() else "compiled core: missing")
    assert header.split() == ["framework", "installed", "tested", "status", "adapter"]
    assert numpy.split() == ["numpy", version("numpy"), "-", "broken", "nowhere:Adapter"]
    assert "No module named 'nowhere'" in problem
    assert torch_line.split() == ["torch", version("torch"), "-", "works", "toy:ToyAdapter"]


def test_an_unexpected_error_keeps_its_traceback_and_is_no_verdict(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "activity.json").write_text('{"schema": "neuroact.report"}')
    monkeypatch.setattr(ActivityReport, "from_dict", lambda document: 1 / 0)
    code, out, err = neuroact_command("show", tmp_path / "activity.json")
    assert (code, out) == (70, "")
    assert "ZeroDivisionError" in err


def test_adapters_are_listed_as_json_too() -> None:
    listed = {
        entry["framework"]: entry for entry in json.loads(invoke("adapters", "--json").output)
    }
    assert listed["torch"]["version"] == version("torch")
    assert {"norse", "sinabs", "snntorch", "spikingjelly"} <= set(listed)
    assert all(entry["status"] for entry in listed.values())


def test_python_dash_m_is_the_command() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "neuroact", "--version"], capture_output=True, text=True, check=True
    )
    assert run.stdout == f"neuroact {neuroact.__version__}\n"


def test_the_list_of_adapters_fits_a_narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = invoke("adapters").output
    monkeypatch.setattr("neuroact.table.layout.is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "50")
    narrow = invoke("adapters").output
    assert max(map(len, narrow.splitlines())) <= 50 < max(map(len, wide.splitlines()))
    assert set(wide.replace("-", " ").split()) - set(narrow.replace("-", " ").split()) <= {
        word for word in wide.split() if len(word) > 50 - len("spikingjelly  ")
    }
