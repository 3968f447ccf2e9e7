"""`neuroact run` records a user's own code, and ends at Ctrl-C."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from command import PROGRAM, Ended, neuroact

from neuroact import ActivityReport, Recording

MODULE = '''
import time
from pathlib import Path

import snntorch
import torch
from snntorch import utils
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(4, 6), snntorch.Leaky(0.9, init_hidden=True)
        self.fc2, self.lif2 = nn.Linear(6, 3), snntorch.Leaky(0.9, init_hidden=True)

    def forward(self, x):
        return self.lif2(self.fc2(self.lif1(self.fc1(x))))


def net_and_batches():
    torch.manual_seed(0)
    return Net(), 3 * torch.rand(12, 5, 8, 4)


def steps(net, batch):
    utils.reset(net)
    for step in batch:
        net(step)


def whole():
    return *net_and_batches(), steps


class Lif(nn.Module):
    def forward(self, x, mem):
        mem = 0.9 * mem + x
        spikes = (mem > 1).float()
        return spikes, mem * (1 - spikes)


def own():
    """A module that no adapter knows: it returns spikes and state."""

    def run(net, batch):
        mem = torch.zeros(8, 4)
        for step in batch:
            _, mem = net[0](step, mem)

    return nn.Sequential(Lif()), net_and_batches()[1], run


def first_member():
    net, batches = net_and_batches()
    return net, [(batch[0], "a label") for batch in batches]


def long():
    """Prints the number of batches after each one, and would run for minutes."""
    net, batches = net_and_batches()

    def run(net, batch):
        steps(net, batch)
        with Path("done").open("a") as file:
            file.write("x")
        time.sleep(0.05)

    return net, (batches[n % 12] for n in range(10_000)), run


def stuck():
    """A batch that never ends: it hangs after half of it was recorded."""
    net, batches = net_and_batches()

    def run(net, batch):
        net(batch[0])
        Path("done").write_text("x")
        time.sleep(600)

    return net, batches, run


def waiting():
    """Two batches, and a third that never comes."""
    net, batches = net_and_batches()

    def loader():
        yield from batches[:2]
        Path("done").write_text("x")
        time.sleep(600)

    return net, loader(), steps


def without_a_file():
    return Path("nowhere").read_text()


def broken():
    return 1 / 0


def ends_the_program():
    raise SystemExit(0)


def ends_it_half_way():
    net, batches = net_and_batches()
    return net, batches, lambda net, batch: exit(0)


def is_at_its_inputs_end():
    net, batches = net_and_batches()

    def run(net, batch):
        raise EOFError

    return net, batches, run


def loses_its_reader():
    raise BrokenPipeError(32, "Broken pipe")


def fails_half_way():
    net, batches = net_and_batches()
    return net, batches, lambda net, batch: 1 / 0


def alone():
    return net_and_batches()[0]


def no_model():
    return "net", []


def no_batches():
    return Net(), 3


def no_function():
    return Net(), [], "run"


def needs(path):
    pass


class Mean:
    """A user's own statistic."""

    def __init__(self):
        self.count = 0

    def update(self, chunk):
        self.count += chunk.steps

    def merge(self, other):
        self.count += other.count

    def reset(self):
        self.count = 0

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass

    def result(self):
        Path("statistic").write_text(str(self.count))
        return self.count
'''


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder with the user's module."""
    (tmp_path / "evaluation.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", sys.path.copy())
    yield tmp_path
    sys.modules.pop("evaluation", None)


def run(*arguments: str) -> Ended:
    return neuroact("run", *arguments)


def raw_events(batches: int | None = None) -> dict[str, np.ndarray]:
    """The oracle: events per neuron, counted by the test's own hooks."""
    import evaluation  # type: ignore[import-not-found]  # the user's module of the test
    import torch

    net, data, steps = evaluation.whole()
    found = {"lif1": np.zeros(6, np.int64), "lif2": np.zeros(3, np.int64)}
    for name, events in found.items():

        def count(module: object, args: object, output: torch.Tensor, to: np.ndarray) -> None:
            to += output.detach().numpy().astype(np.int64).sum(0)

        net.get_submodule(name).register_forward_hook(
            lambda m, a, o, to=events, count=count: count(m, a, o, to)
        )
    for number in range(len(data) if batches is None else batches):
        steps(net, data[number % len(data)])
    return found


def test_what_is_written_are_the_counts_of_the_raw_spikes(here: Path) -> None:
    result = run("evaluation:whole", "--dt", "0.001", "--out", "activity.json")
    assert result.code == 0
    report = ActivityReport.from_json(here / "activity.json")
    for name, events in raw_events().items():
        np.testing.assert_array_equal(report[name].events, events)
        assert report[name].observations == 12 * 5 * 8
        assert report[name].dt == 0.001
    assert report.origin["run"] == {
        "target": "evaluation:whole",
        "batches": 12,
        "interrupted": False,
    }
    assert result.out.splitlines()[0].split()[0] == "layer"
    assert result.err == "Written: activity.json\n"
    assert "dead       neurons whose values" not in result.out
    assert "neurons whose values are all 0" in run("evaluation:whole", "--legend").out


def test_a_recording_is_written_where_the_name_ends_so_and_can_be_merged(here: Path) -> None:
    for name in ("one.nact", "two.nact"):
        assert run("evaluation:whole", "--out", name).code == 0
    assert neuroact("merge", "one.nact", "two.nact", "-o", "both.nact").code == 0
    report = Recording.load("both.nact").report()
    for name, events in raw_events().items():
        np.testing.assert_array_equal(report[name].events, 2 * events)


def test_a_run_fails_on_the_verdicts_asked_for_after_writing_what_it_recorded(here: Path) -> None:
    result = run("evaluation:whole", "--fail-on", "dead=0.9", "--out", "a.json", "--layers", "lif2")
    assert result.code == 0
    result = run("evaluation:whole", "--fail-on", "dead=0.4", "--out", "b.json")
    assert result.code == 1
    assert "of lif2 never fired" in result.err
    assert (here / "b.json").exists()


def test_without_a_run_the_model_takes_each_batchs_first_member(here: Path) -> None:
    result = run("evaluation:first_member", "--json")
    report = ActivityReport.from_json(result.out)
    assert {layer.observations for layer in report.values()} == {12 * 8}


def test_layers_are_chosen_by_name_and_by_glob(here: Path) -> None:
    def layers(*chosen: str) -> list[str]:
        options = [word for name in chosen for word in ("--layers", name)]
        document = json.loads(run("evaluation:whole", "--json", *options).out)
        return [layer["name"] for layer in document["layers"]]

    assert layers() == ["lif1", "lif2"]
    assert layers("lif2") == ["lif2"]
    assert layers("fc*", "lif1") == ["fc1", "lif1", "fc2"]


def test_a_module_without_adapter_is_read_as_the_options_say(here: Path) -> None:
    said = ("--layers", "0", "--kind", "binary", "--values", "0", "--state", "1", "--axes", "BN")
    result = run("evaluation:own", *said, "--json")
    layer = ActivityReport.from_json(result.out)["0"]
    assert (layer.kind.value, layer.shape) == ("binary", (4,))
    assert (layer.sequences, layer.observations) == (12 * 8, 12 * 5 * 8)


def test_a_statistic_of_the_users_own_sees_every_step(here: Path) -> None:
    options = ["--statistics", "evaluation:Mean", "--layers", "lif1"]
    assert run("evaluation:whole", *options).code == 0
    assert (here / "statistic").read_text() == str(12 * 5)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("evaluation", "expected package.module:name, came 'evaluation'"),
        ("evaluation:", "expected package.module:name"),
        (
            "../evaluation:whole",
            "came '../evaluation:whole'. Did you mean evaluation:whole, in ..?",
        ),
        ("./evaluation.py:whole", "Did you mean evaluation:whole, in .?"),
        (".evaluation:whole", "expected package.module:name"),
        ("evaluation..x:whole", "expected package.module:name"),
        ("evaluation.py:whole", "there is no module 'evaluation.py'"),
        ("evaluation:whole.", "evaluation has no ''"),
        (":whole", "expected package.module:name"),
        ("a b:whole", "expected package.module:name"),
        ("evaluatoin:whole", "there is no module 'evaluatoin' in"),
        ("evaluation:hole", "evaluation has no 'hole'. Did you mean 'whole'?"),
        ("evaluation:MODULE", "evaluation has no 'MODULE'"),
        ("evaluation:needs", "evaluation:needs is <function needs"),
        ("evaluation:alone", "returned a value of type Net. Expected a function without"),
        ("evaluation:no_model", "returned a value of type str for its model."),
        ("evaluation:no_batches", "returned a value of type int for its batches."),
        ("evaluation:no_function", "returned a value of type str for its run."),
    ],
)
def test_a_target_that_is_none_is_bad_use_and_says_what_one_is(
    target: str, message: str, here: Path
) -> None:
    result = run(target)
    assert (result.code, result.out) == (2, "")
    assert message in " ".join(result.err.split())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--statistics", "Firnig"], "there is no statistic 'Firnig'. Did you mean 'Firing'?"),
        (["--statistics", "evaluation:Media"], "evaluation has no 'Media'"),
        (["--out", "no/folder.json"], "there is no folder 'no'"),
        (["--out", "folder.json"], "it is a folder"),
        (["--out", "activity.txt"], "expected a name that ends in .json or .nact"),
        (["--fail-on", "ded"], "there is no verdict 'ded'"),
        (["--kind", "spike"], 'for --kind: expected --kind to be "binary", "graded"'),
        (["--axes", "XY"], "Invalid value for --axes: expected --axes to hold T (time)"),
        (["--dt", "fast"], "Invalid value for '--dt'"),
        (["--dt", "0"], "Invalid value for --dt: expected seconds above 0, came 0."),
        (["--dt", "nan"], "expected seconds above 0, came nan"),
        (["--statistics", "../evaluation:Mean"], "expected package.module:name"),
        (["--fail-on", "dead=30"], "did you mean dead=0.3?"),
    ],
)
def test_options_that_cannot_be_are_told_before_anything_runs(
    options: list[str], message: str, here: Path
) -> None:
    (here / "folder.json").mkdir()
    result = run("evaluation:broken", *options)
    assert (result.code, result.out) == (2, "")
    assert message in " ".join(result.err.split())


@pytest.mark.parametrize(
    ("target", "options", "error"),
    [
        ("evaluation:broken", [], "ZeroDivisionError"),
        ("evaluation:fails_half_way", ["--out", "a.json"], "ZeroDivisionError"),
        ("evaluation:without_a_file", [], "FileNotFoundError"),
        ("imports_what_is_missing:x", [], "No module named 'not_there'"),
        ("ends_where_it_is_imported:x", [], "sys.exit(None): nothing was written"),
        ("evaluation:ends_the_program", [], "sys.exit(0): nothing was written"),
        ("evaluation:ends_it_half_way", ["--out", "a.json"], "sys.exit(0): nothing was written"),
        ("evaluation:is_at_its_inputs_end", ["--out", "a.json"], "EOFError"),
        ("evaluation:loses_its_reader", [], "BrokenPipeError"),
        ("evaluation:whole", ["--statistics", "evaluation:ends_the_program"], "sys.exit(0)"),
    ],
)
def test_an_error_in_the_users_code_keeps_its_traceback_and_writes_nothing(
    target: str, options: list[str], error: str, here: Path
) -> None:
    (here / "imports_what_is_missing.py").write_text("import not_there")
    (here / "ends_where_it_is_imported.py").write_text("import sys; sys.exit()")
    result = run(target, *options)
    assert (result.code, result.out) == (70, "")
    assert "Traceback" in result.err
    assert error in result.err
    assert not (here / "a.json").exists()


def started(here: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", PROGRAM, "run", *arguments]
    return subprocess.Popen(
        command, cwd=here, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for(path: Path, size: int, process: subprocess.Popen[str]) -> None:
    """Wait until a file has grown to a size. The process must not end before."""
    for _ in range(60_000):
        if path.exists() and path.stat().st_size >= size:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    raise AssertionError(f"{path} was not written")


def test_ctrl_c_finishes_the_batch_and_writes_what_was_recorded(here: Path) -> None:
    process = started(here, "evaluation:long", "--out", "activity.json")
    wait_for(here / "done", 3, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 130
    batches = (here / "done").stat().st_size
    report = ActivityReport.from_json(here / "activity.json")
    assert report.origin["run"]["batches"] == batches >= 3
    assert report.origin["run"]["interrupted"] is True
    sys.path.insert(0, str(here))
    for name, events in raw_events(batches).items():
        np.testing.assert_array_equal(report[name].events, events)
    assert "lif2" in out
    assert f"Ctrl-C: the figures are those of {batches} batches." in err
    assert "Traceback" not in err


def test_ctrl_c_while_a_batch_is_waited_for_ends_at_once(here: Path) -> None:
    process = started(here, "evaluation:waiting", "--json")
    wait_for(here / "done", 1, process)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=600)
    assert process.returncode == 130
    assert {layer.observations for layer in ActivityReport.from_json(out).values()} == {2 * 5 * 8}


def test_a_second_ctrl_c_drops_a_batch_that_does_not_end_and_writes_nothing(here: Path) -> None:
    process = started(here, "evaluation:stuck", "--out", "activity.json")
    wait_for(here / "done", 1, process)
    process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    assert process.stderr.readline().startswith("Ctrl-C: finishing this batch")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=600)
    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
    assert not (here / "activity.json").exists()


def test_ctrl_c_before_the_first_batch_says_that_nothing_was_recorded(here: Path) -> None:
    text = MODULE.replace("yield from batches[:2]", "pass") + "\n"
    (here / "evaluation.py").write_text(text.replace("time.sleep(600)", "time.sleep(600); yield"))
    process = started(here, "evaluation:waiting", "--out", "activity.json")
    wait_for(here / "done", 1, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=600)
    assert (process.returncode, out) == (130, "")
    assert "nothing was recorded" in err
    assert not (here / "activity.json").exists()


def test_on_a_terminal_progress_is_shown_on_standard_error_alone(here: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", PROGRAM, "run", "evaluation:whole", "--json"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    process = subprocess.Popen(
        command, cwd=here, stdout=subprocess.PIPE, stderr=theirs, env=environment
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # how Linux says that the other end is closed
            break
        if not part:
            break
        shown += part
    out, _ = process.communicate(timeout=600)
    os.close(ours)
    assert process.returncode == 0
    assert b"recording" in shown
    assert b"100%" in shown
    assert len(ActivityReport.from_json(out.decode())) == 2
