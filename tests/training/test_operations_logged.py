"""A training logs the synaptic operations of each recorded step, and its history keeps them."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from made_operations import connection
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor, nn
from torch.utils.tensorboard import SummaryWriter

import neuroact
from neuroact import ActivityReport, History
from neuroact.results.operations import Operations
from neuroact.training import TrainingMonitor, scalars, tensorboard
from neuroact_adapters.demos import digits
from neuroact_adapters.demos.snntorch import DigitsNet

BATCH, EVERY = 16, 2
WIDTHS = {"fc1": digits.LAYERS[0], "fc2": digits.LAYERS[1], "fc3": digits.LAYERS[2]}


class Training:
    """A short training that counts the operations of each step itself, from the raw inputs."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.net = DigitsNet()
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=2e-3)
        self.seen: list[dict[str, int]] = []
        for name, width in WIDTHS.items():
            layer = self.net.get_submodule(name)
            layer.register_forward_pre_hook(
                lambda _m, args, name=name, width=width: self.count(name, width, args[0])
            )

    def count(self, name: str, width: int, inputs: Tensor) -> None:
        """Every weight is non-zero, so each event meets as many as there are outputs."""
        ones = int((inputs == 1).sum()) * width
        others = int(((inputs != 0) & (inputs != 1)).sum()) * width
        for figure, count in {"dense": inputs.numel() * width, "acs": ones, "macs": others}.items():
            tag = f"{figure}/{name}"
            self.seen[-1][tag] = self.seen[-1].get(tag, 0) + count

    def batches(self, count: int) -> Iterator[Any]:
        images, labels = digits.Digits.load().train.tensors
        for at in range(count):
            part = slice(at * BATCH, (at + 1) * BATCH)
            yield images[part], labels[part]

    def step(self, batch: Any) -> None:
        self.seen.append({})
        images, labels = batch
        loss = nn.functional.cross_entropy(self.net(digits.coded(images)).sum(0), labels)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch
        self.optimizer.step()

    def run(self, monitor: TrainingMonitor, steps: int = 4, epochs: int = 2) -> None:
        for _ in range(epochs):
            for batch in self.batches(steps):
                with monitor.step():
                    self.step(batch)
            monitor.end_epoch()


def total(figures: dict[str, int], name: str) -> int:
    return sum(count for tag, count in figures.items() if tag.startswith(f"{name}/"))


def test_each_recorded_step_is_logged_with_its_own_operations() -> None:
    logged: dict[int, dict[str, float]] = {}
    training = Training()
    log: Any = lambda report, step: logged.update({step: scalars(report)})  # noqa: E731
    with TrainingMonitor(training.net, log, every=EVERY, operations=True) as monitor:
        training.run(monitor)
    assert list(logged) == [0, 2, 4, 6]
    for step, numbers in logged.items():
        expected = training.seen[step]
        for tag, count in expected.items():
            assert numbers[f"operations_{tag}"] == count
        for name in ("dense", "acs", "macs"):
            assert numbers[f"operations_total/{name}"] == total(expected, name)
            assert numbers[f"operations_per_sample/{name}"] == total(expected, name) / BATCH
        done = total(expected, "acs") + total(expected, "macs")
        assert numbers["operations_total/effective"] == done
        assert numbers["operations_total/share"] == done / total(expected, "dense")
        assert numbers["operations_total/not_counted"] == 0
        assert numbers["operations_effective/fc1"] == expected["acs/fc1"] + expected["macs/fc1"]
    assert logged[0] != logged[6]


def test_the_history_keeps_the_operations_of_each_epoch_also_in_its_file() -> None:
    training = Training()
    with TrainingMonitor(training.net, every=EVERY, operations=True) as monitor:
        training.run(monitor)
    again = History.from_json(monitor.history.to_json())
    assert again == monitor.history
    for epoch, (_, report) in enumerate(again):
        steps = [4 * epoch, 4 * epoch + 2]
        for name in WIDTHS:
            for figure in ("dense", "acs", "macs"):
                expected = sum(training.seen[step][f"{figure}/{name}"] for step in steps)
                assert getattr(report.operations[name], figure) == expected


def test_a_training_resumed_in_mid_epoch_counts_on() -> None:
    whole = Training()
    with TrainingMonitor(whole.net, every=1, operations=True) as monitor:
        whole.run(monitor, epochs=1)
    stopped = Training()
    first, second = (TrainingMonitor(stopped.net, every=1, operations=True) for _ in range(2))
    for at, batch in enumerate(stopped.batches(4)):
        if at == 2:
            second.load_state_dict(first.state_dict())
        with (first if at < 2 else second).step():
            stopped.step(batch)
    report = second.end_epoch()
    assert report is not None
    assert report == monitor.history[0][1]
    assert report.operations.total.effective > 0


def test_the_event_file_holds_them(tmp_path: Path) -> None:
    training = Training()
    with SummaryWriter(str(tmp_path)) as writer:
        log = tensorboard(writer)
        with TrainingMonitor(training.net, log, every=EVERY, operations=True) as monitor:
            training.run(monitor, epochs=1)
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    for tag in ("acs/fc2", "macs/fc1"):
        logged = events.Scalars(f"operations_{tag}")
        assert [event.value for event in logged] == pytest.approx(
            [training.seen[step][tag] for step in (0, 2)],
            rel=2**-23,  # float32
        )


def test_a_training_that_is_not_asked_logs_none() -> None:
    training, logged = Training(), []
    with TrainingMonitor(training.net, lambda report, _: logged.extend(scalars(report))) as monitor:
        training.run(monitor, steps=1, epochs=1)
    assert logged
    assert not [tag for tag in logged if tag.startswith("operations")]


def test_an_unknown_number_of_samples_is_logged_as_nan_and_what_is_not_counted_as_a_number() -> (
    None
):
    recording = neuroact.Recording()
    recording.observe("a", torch.ones(3, 2, 4))
    recording.observe("b", torch.ones(3, 5, 4))
    operations = Operations([connection("fc", acs=3)], not_counted={"x": "why", "y": "why"})
    numbers = scalars(ActivityReport(recording.report().values(), operations=operations))
    assert math.isnan(numbers["operations_per_sample/acs"])
    assert math.isnan(numbers["operations_share/fc"])
    assert numbers["operations_total/acs"] == numbers["operations_acs/fc"] == 3
    assert numbers["operations_total/not_counted"] == 2


@pytest.mark.filterwarnings("ignore:The number of training batches .* is smaller than")
def test_lightnings_loggers_get_them_too(tmp_path: Path) -> None:
    from lightning.pytorch import LightningModule, Trainer
    from lightning.pytorch.loggers import CSVLogger
    from torch.utils.data import DataLoader

    from neuroact.training.lightning import ActivityCallback

    training = Training()

    class Module(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = training.net

        def training_step(self, batch: Any) -> Tensor:
            training.seen.append({})
            images, labels = batch
            return nn.functional.cross_entropy(self.net(digits.coded(images)).sum(0), labels)

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.parameters(), lr=2e-3)

    callback = ActivityCallback(every_n_steps=2, operations=True)
    trainer = Trainer(
        accelerator="cpu",
        max_epochs=1,
        limit_train_batches=4,
        callbacks=[callback],
        logger=CSVLogger(tmp_path, "", "csv"),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=1,
    )
    trainer.fit(Module(), DataLoader(digits.Digits.load().train, BATCH))
    with (tmp_path / "csv" / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["operations_acs/net.fc2"]]
    assert [float(row["operations_acs/net.fc2"]) for row in rows] == [
        training.seen[step]["acs/fc2"] for step in (0, 2)
    ]
    _, report = callback.history[0]
    expected = sum(training.seen[step]["macs/fc1"] for step in (0, 2))
    assert report.operations["net.fc1"].macs == expected
