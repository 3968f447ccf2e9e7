"""The command's help: what it loads, how it fits a terminal, and its reference in the documents."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap

import pytest
from command_page import PAGE, page
from typer.testing import CliRunner

from neuroact import cli

runner = CliRunner()


def commands() -> list[str]:
    """The names of all commands."""
    return [info.name or info.callback.__name__ for info in cli.app.registered_commands]


def help_of(*arguments: str, columns: int = 80) -> str:
    result = runner.invoke(cli.app, [*arguments, "--help"], env={"COLUMNS": str(columns)})
    assert result.exit_code == 0
    return result.output


def test_help_version_and_completion_load_nothing_heavy() -> None:
    program = """
        import contextlib, io, os, sys
        from neuroact.cli import app, main
        commands = [info.callback.__name__ for info in app.registered_commands]
        for words in (["--help"], ["--version"], *([name, "--help"] for name in commands)):
            sys.argv = ["neuroact", *words]
            with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
                main()
            assert out.getvalue(), words
        os.environ |= {
            "_NEUROACT_COMPLETE": "complete_bash", "COMP_WORDS": "neuroact sh", "COMP_CWORD": "1"
        }
        sys.argv = ["neuroact"]
        with contextlib.suppress(SystemExit):
            main()
        print(*sorted({"torch", "numpy", "rich", "pydantic"} & set(sys.modules)), "loaded")
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["show", "loaded"]


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_help_fits_the_terminal_and_cuts_no_sentence(columns: int) -> None:
    for arguments in ([], *([name] for name in commands())):
        text, _, examples = help_of(*arguments, columns=columns).partition("\n  Examples:\n")
        rest = text.partition("\n\n")[2]
        assert all(len(line) <= columns for line in rest.splitlines())
        assert "..." not in rest.replace("run ...", "")
        assert bool(examples) == bool(arguments)
    said = " ".join(help_of(columns=columns).split())
    assert "show Print the table of a report, a recording, a comparison or a history. plot" in said


def test_the_reference_has_every_command_and_option_that_help_has() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text == page(), "run: python tests/shared/command_page.py"
    sections = text.partition("## Every command and option")[2].split("\n### neuroact")[1:]
    for name, section in zip(["", *commands()], sections, strict=True):
        assert section.split()[0] == name or not name
        options = set(re.findall(r"--[a-z][a-z-]+", help_of(*filter(None, [name]))))
        assert {"--help"} < options <= set(re.findall(r"--[a-z][a-z-]+", section)) | {"--help"}
