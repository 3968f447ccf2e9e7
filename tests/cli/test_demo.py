"""The demo learns, reports what it recorded, is reproducible, and leaves nothing behind."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import neuroact
from neuroact_adapters.demos import DemoResult, digits, norse, spikingjelly
from neuroact_adapters.demos import snntorch as snntorch_demo
from neuroact_adapters.demos.snntorch import DigitsNet, run

FRAMEWORKS = {"norse": norse, "snntorch": snntorch_demo, "spikingjelly": spikingjelly}
RUN = "import sys; sys.argv[0] = 'neuroact'; from neuroact.cli import main; main()"


def ignore(done: int, total: int, text: str) -> None:
    pass


@pytest.fixture(scope="module")
def trained() -> tuple[DemoResult, nn.Module, list[tuple[int, int, str]]]:
    """One epoch: the result, the recorded network, and the calls of `progress`."""
    nets: list[nn.Module] = []
    calls: list[tuple[int, int, str]] = []

    def build() -> nn.Module:
        nets.append(DigitsNet())
        return nets[0]

    result = digits.run(build, seed=3, epochs=1, progress=lambda *news: calls.append(news))
    return result, nets[0], calls


def test_a_fifth_is_held_out_with_the_same_share_of_each_digit() -> None:
    data = digits.Digits.load()
    (train, train_labels), (test, test_labels) = data.train.tensors, data.test.tensors
    assert (len(train), len(test)) == (1437, 360)
    assert train.min() == 0
    assert train.max() == 1
    share, test_share = (torch.bincount(x) / len(x) for x in (train_labels, test_labels))
    assert torch.allclose(share, test_share, atol=0.003)


def test_every_test_digit_is_recorded_once_the_short_last_batch_too(trained: Any) -> None:
    result, _, _ = trained
    assert result.samples % digits.BATCH
    assert list(result.report) == ["lif1", "lif2", "lif3"]
    assert [layer.shape for layer in result.report.values()] == [(128,), (64,), (10,)]
    for layer in result.report.values():
        assert layer.sequences == result.samples == 360
        assert layer.observations == 360 * digits.STEPS


def test_the_figures_are_those_of_the_raw_spikes(trained: Any) -> None:
    result, net, _ = trained
    seen: dict[str, list[Tensor]] = {name: [] for name in result.report}
    for name, spikes in seen.items():
        layer = net.get_submodule(name)
        layer.register_forward_hook(lambda _m, _a, output, to=spikes: to.append(output[0]))
    images, labels = digits.Digits.load().test.tensors
    with torch.no_grad():
        votes = [
            net(digits.coded(part)).sum(0).argmax(1) for part in torch.split(images, digits.BATCH)
        ]
    assert result.accuracy == float((torch.cat(votes) == labels).double().mean())
    for name, spikes in seen.items():
        counts = torch.cat(spikes).sum(0).numpy()
        np.testing.assert_array_equal(result.report[name].events, counts)


def test_progress_is_told_of_each_epoch(trained: Any) -> None:
    ((done, total, text),) = trained[2]
    assert (done, total) == (1, 1)
    assert re.fullmatch(r"loss \d\.\d{3}, training accuracy +\d+\.\d%", text)


def test_random_state_and_threads_are_left_as_found() -> None:
    threads, state = torch.get_num_threads(), torch.get_rng_state()
    with pytest.raises(InterruptedError):
        run(seed=0, epochs=1, progress=interrupt)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.get_rng_state(), state)


def interrupt(done: int, total: int, text: str) -> None:
    raise InterruptedError


def test_another_seed_gives_other_counts(trained: Any) -> None:
    other = run(seed=4, epochs=1, progress=ignore)
    assert other.report != trained[0].report


def test_the_command_finds_the_demos_by_their_entry_points() -> None:
    found = {point.name: point.load() for point in entry_points(group="neuroact.demos")}
    assert found == {name: module.run for name, module in FRAMEWORKS.items()}


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_the_digits_are_learned(name: str) -> None:
    assert FRAMEWORKS[name].run(seed=0, epochs=None, progress=ignore).accuracy >= 0.9


def emitted(net: Any, currents: Tensor) -> list[Any]:
    """The network in NumPy, in float64: spikes `[time, batch, ...]` of each layer."""
    spikes: Any = currents.double().numpy()
    layers = []
    for connections in (net.fc1, net.fc2, net.fc3):
        weight, bias = (p.detach().double().numpy() for p in connections.parameters())
        potential, emitted = 0.0, []
        for step in spikes:
            potential = digits.DECAY * potential + step @ weight.T + bias
            emitted.append((potential > digits.THRESHOLD).astype(float))
            potential = np.where(emitted[-1], 0.0, potential)
        spikes = np.stack(emitted)
        layers.append(spikes)
    return layers


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_each_frameworks_network_follows_the_rule_that_numpy_follows(name: str) -> None:
    images = digits.Digits.load().test.tensors[0][:64]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = FRAMEWORKS[name].DigitsNet()
    for connections in (net.fc1, net.fc2, net.fc3):
        connections.weight.data *= 3  # untrained, the last layer would be silent
    with neuroact.record(net) as recording, torch.no_grad():
        net(digits.coded(images))
    report = recording.report()
    for layer, spikes in zip(report.values(), emitted(net, digits.coded(images)), strict=True):
        counts = spikes.sum((0, 1))
        assert counts.sum() > 1000, "the test would prove little"
        # A potential this close to the threshold rounds to either side of it, once in a while.
        assert np.abs(layer.events - counts).sum() <= counts.sum() / 1000


def test_the_same_seed_trains_the_same_network_in_each_framework(trained: Any) -> None:
    """With gradients: after an epoch the counts equal the others' except for rounding."""
    for name in ("norse", "spikingjelly"):
        other = FRAMEWORKS[name].run(seed=3, epochs=1, progress=ignore)
        assert abs(other.accuracy - trained[0].accuracy) <= 2 / 360
        for layer, theirs in zip(trained[0].report.values(), other.report.values(), strict=True):
            assert layer.name == theirs.name
            difference = np.abs(layer.events - theirs.events).sum()
            assert difference <= layer.events.sum() / 100


def test_the_command_run_again_gives_the_same_file_but_for_its_time(tmp_path: Path) -> None:
    options = ["--epochs", "1", "--seed", "5", "--out", str(tmp_path)]
    command = [sys.executable, "-W", "error", "-c", RUN, "demo", *options]
    output = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Warning" not in output.stderr
    written = json.loads((tmp_path / "activity.json").read_text())
    again = run(seed=5, epochs=1, progress=ignore).report.to_dict()
    for document in (written, again):
        del document["origin"]["created"]
    assert written == again
