"""Recording on a GPU, as far as it can be tested without one.

On a GPU, `tests/device/run.py` runs the checks. Here they run on a CPU without the compiled core,
as on a GPU, and on a pretended device.
"""

from __future__ import annotations

import gc
import os
import re
import runpy
import subprocess
import sys
import weakref
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from toy import Neuron, ToyAdapter

import neuroact
from neuroact import ClassActivity, Recording, TimeCourse
from neuroact.errors import UnsupportedModelError
from neuroact.layers.call_pattern import CallPattern
from neuroact.recording.cuda_streams import StreamOrder
from neuroact.statistics import Firing
from neuroact.statistics.counting.event_counts import EventCounts

SCRIPT = Path(__file__).parents[1] / "device/run.py"
ONES = torch.ones(2, 3)


def needed_by(package: str) -> set[str]:
    """Names of the packages that it cannot be installed without."""
    lines = [line for line in metadata.requires(package) or () if "extra ==" not in line]
    return {re.split(r"[^\w-]", line)[0].lower() for line in lines}


def checks(device: str, out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the script without the packages that a machine for it lacks, see `prepare.py`."""
    fetched = runpy.run_path(str(SCRIPT.with_name("prepare.py")))
    there = {"torch", "numpy", *needed_by("torch"), *fetched["PURE"], *fetched["COMPILED"]}
    program = f"""if True:
        import runpy, sys
        sys.modules |= dict.fromkeys({needed_by("neuroact") - there})
        sys.argv[0] = {str(SCRIPT)!r}
        runpy.run_path(sys.argv[0], run_name="__main__")"""
    return subprocess.run(
        [sys.executable, "-c", program, "--device", device, "--seconds", "1e9", *options],
        env={**os.environ, "NEUROACT_NATIVE": "0", "OUT": str(out), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("device", ["cpu", "pretended"])
def test_the_checks_for_a_gpu_hold_on_any_device_that_can_run_them(
    device: str, tmp_path: Path
) -> None:
    done = checks(device, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    _, _, *rows = (tmp_path / "device.md").read_text(encoding="utf-8").splitlines()
    results = [row.split("|")[2].strip() for row in rows]
    assert results == ["", *["ok"] * (len(rows) - 2), ""]
    assert len(rows) > 20


@pytest.mark.parametrize("error", ["AssertionError", "torch.OutOfMemoryError"])
def test_a_check_that_raises_makes_the_script_fail(error: str) -> None:
    program = f"""if True:
        import sys, torch
        folders = "device", "shared"
        sys.path[:0] = [{str(SCRIPT.parents[1])!r} + "/" + each for each in folders]
        import run
        from machine import check

        @check("raises", on=("cpu",))
        def raises(machine): raise {error}

        @check("raises nothing", on=("cpu",))
        def raises_nothing(machine): return "all is well"

        sys.argv += ["--device", "cpu", "--only", "raises"]
        sys.exit(run.main())"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"FAILED    {error.rpartition('.')[2]}" in done.stdout
    assert "ok        all is well" in done.stdout


def test_a_run_that_checks_nothing_fails(tmp_path: Path) -> None:
    done = checks("cpu", tmp_path, "--only", "no such check")
    assert done.returncode == 1, done.stdout + done.stderr[-3000:]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_the_script_fails_and_says_so(tmp_path: Path) -> None:
    done = checks("cuda", tmp_path)
    assert done.returncode == 1
    assert "torch.cuda.is_available() is False" in done.stdout


def test_importing_neuroact_does_not_ask_for_a_gpu() -> None:
    """Forked processes cannot use a GPU after their parent asked for one."""
    program = (
        "import torch\n"
        "def asked(*_): raise AssertionError('asked')\n"
        "torch.cuda.is_available = torch.cuda.device_count = torch.cuda.init = asked\n"
        "import neuroact\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


class Stream:
    """Stands in for CUDA's stream."""

    def __init__(self) -> None:
        self.waited_for: list[Stream] = []

    def wait_stream(self, other: Stream) -> None:
        self.waited_for.append(other)


def test_a_stream_waits_for_the_one_that_counted_last(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two, current, synchronised = Stream(), Stream(), {}, []  # type: ignore[var-annotated]
    monkeypatch.setattr("torch.cuda.current_stream", lambda device: current[device])
    monkeypatch.setattr("torch.cuda.synchronize", synchronised.append)
    order, gpu = StreamOrder(), torch.device("cuda", 0)
    order.follow(torch.device("cpu"))
    order.follow_all()
    for stream in (one, one, two, two, one):
        current[gpu] = stream
        order.follow(gpu)
    current[gpu] = two
    order.follow_all()
    order.wait()
    assert (one.waited_for, two.waited_for) == ([two], [one, one])
    assert synchronised == [gpu]


# A capture, played by hand: each replay adds again what the captured call added to the counts.


def captured(recording: Recording, values: Tensor = ONES) -> EventCounts:
    """Count the layer's next call as if a CUDA graph captured it."""
    layer = recording._layers["0"]
    reader = recording._watched[0].reader
    reader.check_capture()
    counter, firing = reader.compiled_counter, layer.statistics[0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("neuroact.recording.compiled.counter.is_capturing", lambda: True)
        counter.count(pattern(), (), values, (ONES,))
    assert isinstance(firing, Firing)
    assert firing.counts is not None
    return firing.counts


def pattern() -> CallPattern:
    found = ToyAdapter().pattern(Neuron(hidden=True))
    assert found is not None
    return found


def replay(counts: EventCounts) -> None:
    counts.events.add_(2)  # two samples, in which each neuron fires
    counts.observed.add_(2)


def net() -> nn.Sequential:
    return nn.Sequential(Neuron(hidden=True))


def record(model: nn.Module, **options: Any) -> Recording:
    return neuroact.record(model, adapters=[ToyAdapter()], **options)


def started(model: nn.Module, recording: Recording) -> None:
    """Call the model once, and have the call counted."""
    model(2 * ONES)
    recording.report()


def test_a_graph_that_would_leave_counts_out_is_refused() -> None:
    for statistics, warm, why in (
        ((), False, r'layer "0".*as a warm-up'),
        ([TimeCourse], True, 'layer "0".*TimeCourse needs Python in each call'),
    ):
        model = net()
        with record(model, statistics=statistics) as recording:
            if warm:
                started(model, recording)
            with pytest.raises(UnsupportedModelError, match=why) as caught:
                captured(recording)
        assert caught.value.layer == "0"


def test_a_call_whose_counts_a_graph_cannot_add_to_is_refused() -> None:
    """Counted in Python, it would count once and not at each replay."""
    model = net()
    with record(model) as recording:
        started(model, recording)
        with pytest.raises(UnsupportedModelError, match=r'layer "0".*then capture') as caught:
            captured(recording, torch.ones(2, 5))
    assert caught.value.layer == "0"


def test_replays_and_eager_calls_add_to_the_same_counts() -> None:
    model = net()
    with record(model) as recording, torch.no_grad():
        started(model, recording)
        counts = captured(recording)
        replay(counts)
        model(2 * ONES)
        replay(counts)
        layer = recording.report()["0"]
    assert layer.events.tolist() == [2 * 5] * 3
    assert layer.observations == 2 * 5


def test_a_graphs_counts_are_not_moved_to_another_device(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Moved, the counts would go on there, and lose what the graph adds here."""
    model = net()
    with record(model) as recording, torch.no_grad():
        started(model, recording)
        counts = captured(recording)
        there = EventCounts.zeros(counts.events.shape, "meta")  # stands in for counts on a GPU
        counter = recording._watched[0].reader.compiled_counter
        monkeypatch.setattr(counter, "_in_graph", there)
        model[0].mem = None  # a model that is moved has lost its state
        with pytest.raises(UnsupportedModelError, match=r'layer "0".*on meta.*on cpu') as caught:
            model(2 * ONES)
        assert recording.report()["0"].observations == 4
    assert caught.value.layer == "0"


def test_after_a_reset_a_graph_counts_from_zero() -> None:
    model = net()
    with record(model) as recording, torch.no_grad():
        started(model, recording)
        counts = captured(recording)
        recording.reset()
        assert recording.report()["0"].observations == 0
        replay(counts)
        layer = recording.report()["0"]
    assert (layer.events.tolist(), layer.observations, layer.sequences) == ([2] * 3, 2, 2)


def test_a_graphs_counts_outlive_the_recording() -> None:
    """If their memory were reused, each replay would write into it."""
    kept = []
    for in_graph in (True, False):
        model = net()
        recording = record(model)
        started(model, recording)
        if in_graph:
            counts = captured(recording)
            kept.append(weakref.ref(counts.events))
            del counts
        else:
            kept.append(weakref.ref(recording._layers["0"].statistics[0].counts.events))  # type: ignore[attr-defined]
        recording.close()
        del recording, model
    gc.collect()
    assert [found() is not None for found in kept] == [True, False]


def test_labels_stay_as_given_when_their_tensor_changes() -> None:
    recording, labels = Recording(statistics=ClassActivity), torch.tensor([1, 0])
    with recording.batch(labels=labels):
        labels.zero_()
        recording.observe("lif", torch.ones(4, 2, 3))
    assert recording.report()["lif"].results["ClassActivity"].class_observations.tolist() == [4, 4]
