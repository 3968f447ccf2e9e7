"""`neuroact show` and `neuroact merge` of recordings' files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner, Result

import neuroact
from neuroact import Recording, cli
from neuroact.table import table_text
from stored import Largest, fed, same
from strategies import Stream

# Stands for a machine that has neither the frameworks nor the plots.
BARE = (
    "import sys; sys.modules.update(dict.fromkeys("
    "['snntorch', 'norse', 'spikingjelly', 'sinabs', 'matplotlib', 'safetensors'])); "
    "sys.argv[0] = 'neuroact'; from neuroact.cli import main; main()"
)


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


def in_a_process(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", BARE, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def saved(path: Path, spikes: float = 1.0, name: str = "lif", **options: Any) -> Path:
    fed(Stream((np.full((5, 2, 3), spikes),), (3,)), name=name, **options).save(path)
    return path


def test_show_prints_the_table_of_a_recording_whatever_its_name(tmp_path: Path) -> None:
    path = saved(tmp_path / "all.json")
    assert invoke("show", path).output == table_text(Recording.load(path).report()) + "\n"


def test_merge_adds_up_parts_without_model_or_framework(tmp_path: Path) -> None:
    parts = [saved(tmp_path / f"part-{n}.nact", n % 2, f"lif{n // 2}") for n in range(4)]
    run = in_a_process("merge", *parts, "-o", tmp_path / "all.nact")
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout == f"4 recordings of 2 layers added up: {tmp_path / 'all.nact'}\n"
    expected = Recording()
    for part in parts:
        expected.merge(Recording.load(part))
    assert same(Recording.load(tmp_path / "all.nact"), expected)
    assert in_a_process("show", tmp_path / "all.nact").stdout.startswith("layer")


def test_no_file_is_counted_twice(tmp_path: Path) -> None:
    part, out = saved(tmp_path / "part.nact"), tmp_path / "all.nact"
    (tmp_path / "link.nact").symlink_to(part)
    for files in ([part, part, "-o", out], [part, tmp_path / "link.nact", "-o", out]):
        assert "is named twice" in str(invoke("merge", *files).exception)
    before = part.read_bytes()
    assert "is named twice" in str(invoke("merge", part, "-o", part).exception)
    assert part.read_bytes() == before
    assert not out.exists()


def test_parts_that_do_not_fit_are_one_line_with_file_and_layer_and_write_nothing(
    tmp_path: Path,
) -> None:
    parts = [saved(tmp_path / "a.nact"), saved(tmp_path / "b.nact", dt=0.1)]
    run = in_a_process("merge", *parts, "-o", tmp_path / "all.nact")
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == (
        f'neuroact: {parts[1]}: layer "lif" (observed by hand): cannot add figures recorded with '
        "dt=0.1 to figures recorded with dt=None\n"
    )
    assert not (tmp_path / "all.nact").exists()


@pytest.mark.parametrize("command", ["show", "merge"])
def test_a_damaged_recording_is_one_line_and_exit_code_2(command: str, tmp_path: Path) -> None:
    path = saved(tmp_path / "part.nact")
    path.write_bytes(path.read_bytes()[:-1])
    more = ["-o", tmp_path / "all.nact"] if command == "merge" else []
    run = in_a_process(command, path, *more)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr.startswith(f"neuroact: {path}: it is cut short")
    assert run.stderr.count("\n") == 1


def test_a_file_of_a_users_own_statistic_says_how_it_is_read(tmp_path: Path) -> None:
    run = in_a_process("show", saved(tmp_path / "part.nact", statistics=[Largest]))
    assert run.returncode == 2
    assert "statistic 'Largest', which is not one of neuroact's: pass its class" in run.stderr


def test_show_says_of_layers_without_figures_what_the_report_says(tmp_path: Path) -> None:
    net = nn.Sequential(nn.ReLU(), nn.Tanh())
    with neuroact.record(net, layers=["0", "1"]) as recording:
        net[0](torch.tensor([[1.0, float("nan")]]))
    recording.save(tmp_path / "run.nact")
    run = in_a_process("show", tmp_path / "run.nact")
    assert (run.returncode, run.stderr) == (0, "")
    assert "not called" in run.stdout
    assert "NaN or infinite values" in run.stdout
