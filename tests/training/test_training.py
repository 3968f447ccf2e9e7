"""Monitoring a training gives right figures, also in the event file, and does not change it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.tensorboard import SummaryWriter

import neuroact
from neuroact import ActivityReport, SpikeCounts, TimeCourse
from neuroact.errors import (
    LayerNotCalledWarning,
    MergeError,
    NoStepWarning,
    NothingRecordedError,
    TrainingStoppedError,
    VerdictWarning,
)
from neuroact.report.history import History, Steps
from neuroact.training import TrainingMonitor, histograms, quartiles, scalars, tensorboard
from neuroact_adapters.demos import digits
from neuroact_adapters.demos.snntorch import DigitsNet

EVERY, STEPS_PER_EPOCH, EPOCHS = 3, 5, 3
LAYERS = ["lif1", "lif2", "lif3"]


class Training:
    """A short training of the digits network, which can be interrupted and resumed."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.net = DigitsNet()
        self.optimizer = torch.optim.Adam(self.net.parameters(), lr=2e-3)
        self.order = torch.Generator().manual_seed(1)
        self.losses: list[float] = []
        self.spikes: list[dict[str, Tensor]] = []

    def batches(self) -> Iterator[Any]:
        data = digits.Digits.load().train
        loader: Any = DataLoader(data, 16, shuffle=True, generator=self.order)
        return islice(loader, STEPS_PER_EPOCH)

    def step(self, batch: Any) -> None:
        images, labels = batch
        loss = nn.functional.cross_entropy(self.net(digits.coded(images)).sum(0), labels)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch
        self.optimizer.step()
        self.losses.append(float(loss.detach()))

    def run(self, monitor: TrainingMonitor | None = None, epochs: int = EPOCHS) -> None:
        for _ in range(epochs):
            for batch in self.batches():
                with monitor.step() if monitor else nullcontext():
                    self.step(batch)
            if monitor:
                monitor.end_epoch()

    def keep_spikes(self) -> None:
        """The oracle: every step's spikes by the test's own hooks, one dict for each step."""

        def keep(name: str, spikes: Tensor) -> None:
            if name == "lif1" and self.times % digits.STEPS == 0:
                self.spikes.append({n: torch.zeros(0) for n in LAYERS})
            self.times += name == "lif1"
            events = spikes.detach().sum(0)
            kept = self.spikes[-1][name]
            self.spikes[-1][name] = kept + events if len(kept) else events

        self.times = 0
        for name in LAYERS:
            self.net.get_submodule(name).register_forward_hook(
                lambda module, args, output, name=name: keep(name, output[0])
            )


def test_losses_weights_and_random_state_are_the_same_to_the_bit() -> None:
    alone = Training()
    alone.run()
    state = torch.get_rng_state()
    watched = Training()
    with TrainingMonitor(watched.net, every=EVERY) as monitor:
        watched.run(monitor)
    assert torch.equal(torch.get_rng_state(), state)
    assert alone.losses == watched.losses
    for name, weight in alone.net.state_dict().items():
        assert torch.equal(weight, watched.net.state_dict()[name]), name


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Training, History, EventAccumulator]:
    """A training that was logged to TensorBoard, and its event file read back."""
    training, folder = Training(), tmp_path_factory.mktemp("runs")
    training.keep_spikes()
    with (
        SummaryWriter(str(folder)) as writer,
        TrainingMonitor(training.net, tensorboard(writer), every=EVERY) as monitor,
    ):
        training.run(monitor)
    events = EventAccumulator(str(folder), size_guidance={"histograms": 0, "scalars": 0})
    events.Reload()
    return training, monitor.history, events


DUE = [step for step in range(EPOCHS * STEPS_PER_EPOCH) if step % STEPS_PER_EPOCH % EVERY == 0]
LAST = [(epoch + 1) * STEPS_PER_EPOCH - 1 for epoch in range(EPOCHS)]


def test_the_event_file_holds_the_figures_of_each_nth_step(trained: Any) -> None:
    training, _, events = trained
    tags = {f"activity_{f}/{n}" for f in FIGURES for n in LAYERS}
    assert set(events.Tags()["scalars"]) == tags | {f"epoch_{tag}" for tag in tags}
    for figure, by_hand in FIGURES.items():
        for name in LAYERS:
            logged = events.Scalars(f"activity_{figure}/{name}")
            assert [event.step for event in logged] == DUE
            raw = [training.spikes[step][name].double().numpy() / SEEN for step in DUE]
            values = [event.value for event in logged]
            expected = [by_hand(activity) for activity in raw]
            np.testing.assert_allclose(values, expected, rtol=2**-24)  # the file holds float32


SEEN = 16 * digits.STEPS  # observations of each neuron in one training step
FIGURES: dict[str, Any] = {
    "mean": np.mean,
    "sparsity": lambda activity: 1 - activity.mean(),
    "dead_share": lambda activity: (activity == 0).mean(),
    "saturated_share": lambda activity: (activity == 1).mean(),
}


def test_the_event_files_histograms_count_every_neuron(trained: Any) -> None:
    training, _, events = trained
    tags = {f"activity/{name}" for name in LAYERS}
    assert set(events.Tags()["histograms"]) == tags | {f"epoch_{tag}" for tag in tags}
    for name in LAYERS:
        for event, step in zip(events.Histograms(f"activity/{name}"), DUE, strict=True):
            activity = training.spikes[step][name].double().numpy() / SEEN
            value = event.histogram_value
            assert (event.step, value.num) == (step, activity.size)
            assert (value.min, value.max) == (activity.min(), activity.max())
            assert value.sum == pytest.approx(activity.sum(), rel=1e-12)
            assert value.sum_squares == pytest.approx((activity**2).sum(), rel=1e-12)
            assert sum(value.bucket) == activity.size
            expected, edges = np.histogram(activity, len(value.bucket) - 1)
            np.testing.assert_array_equal(value.bucket[1:], expected)
            np.testing.assert_array_equal(value.bucket_limit, edges)


def test_the_event_file_holds_the_figures_of_each_epoch_too(trained: Any) -> None:
    _, history, events = trained
    for name in LAYERS:
        logged = events.Scalars(f"epoch_activity_dead_share/{name}")
        assert [event.step for event in logged] == LAST
        shares = [report[name].dead_share for _, report in history]
        np.testing.assert_allclose([event.value for event in logged], shares, rtol=2**-24)
        for event, (_, report) in zip(
            events.Histograms(f"epoch_activity/{name}"), history, strict=True
        ):
            counts, _ = report[name].histogram(len(event.histogram_value.bucket) - 1)
            np.testing.assert_array_equal(event.histogram_value.bucket[1:], counts)


def test_the_history_adds_up_the_recorded_steps_of_each_epoch(trained: Any) -> None:
    training, history, _ = trained
    assert [label for label, _ in history] == [0, 1, 2]
    for epoch, ((_, report), known) in enumerate(zip(history, history.steps, strict=True)):
        steps = [step for step in DUE if step // STEPS_PER_EPOCH == epoch]
        fired = {n: [s for s in steps if training.spikes[s][n].any()] for n in LAYERS}
        ends = {name: (s[0], s[-1]) for name, s in fired.items() if s}
        assert known == Steps(steps[0], steps[-1], ends)
        for name in LAYERS:
            counts = sum(training.spikes[step][name] for step in steps)
            np.testing.assert_array_equal(report[name].events, counts.numpy())
            assert report[name].observations == len(steps) * SEEN
        assert report.origin["model"] == "neuroact_adapters.demos.snntorch.DigitsNet"


def hooks(net: nn.Module) -> int:
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return sum(len(getattr(module, kind)) for module in net.modules() for kind in kinds)


def wrapped(net: nn.Module) -> list[str]:
    """Attributes of an instance that its class has too, such as a `forward`."""
    return [
        name for m in net.modules() for name in vars(m) if callable(getattr(type(m), name, None))
    ]


def test_between_recorded_steps_nothing_is_on_the_model() -> None:
    training = Training()
    untouched = wrapped(training.net)
    monitor = TrainingMonitor(training.net, every=2)
    assert (hooks(training.net), wrapped(training.net)) == (0, untouched)
    watched = []
    for batch in training.batches():
        with monitor.step():
            watched.append(hooks(training.net) > 0 or wrapped(training.net) != untouched)
            training.step(batch)
        assert (hooks(training.net), wrapped(training.net)) == (0, untouched)
    assert watched == [True, False, True, False, True]


def interrupted(training: Training, batch: Any) -> None:
    training.step(batch)
    raise ZeroDivisionError


def test_an_exception_in_a_step_stops_the_watching_and_drops_the_step() -> None:
    training = Training()
    monitor = TrainingMonitor(training.net, every=1)
    first, second, *_ = training.batches()
    with monitor.step():
        training.step(first)
    with pytest.raises(ZeroDivisionError), monitor.step():
        interrupted(training, second)
    assert hooks(training.net) == 0
    report = monitor.end_epoch()
    assert report is not None
    assert report["lif1"].observations == SEEN


def test_a_training_that_is_resumed_has_the_history_of_one_that_never_stopped(
    tmp_path: Path,
) -> None:
    whole = Training()
    with TrainingMonitor(whole.net, every=EVERY) as monitor:
        whole.run(monitor)
        expected = monitor.history

    seen: list[int] = []
    stopped = Training()
    with TrainingMonitor(stopped.net, lambda report, step: seen.append(step), every=EVERY) as one:
        stopped.run(one, epochs=1)
        batches = list(stopped.batches())
        for batch in batches[:3]:  # the checkpoint is in the middle of an epoch
            with one.step():
                stopped.step(batch)
        torch.save({"net": stopped.net.state_dict(), "monitor": one.state_dict()}, tmp_path / "c")
    checkpoint = torch.load(tmp_path / "c", weights_only=True)
    stopped.net = DigitsNet()
    stopped.net.load_state_dict(checkpoint["net"])
    parameters = stopped.optimizer.state_dict()
    stopped.optimizer = torch.optim.Adam(stopped.net.parameters(), lr=2e-3)
    stopped.optimizer.load_state_dict(parameters)
    with TrainingMonitor(stopped.net, lambda report, step: seen.append(step), every=EVERY) as two:
        two.load_state_dict(checkpoint["monitor"])
        for batch in batches[3:]:
            with two.step():
                stopped.step(batch)
        two.end_epoch()
        stopped.run(two, epochs=1)
    assert stopped.losses == whole.losses
    assert two.history == expected
    assert seen == DUE


def test_statistics_are_kept_over_an_epoch_and_a_checkpoint() -> None:
    kept = {"statistics": [SpikeCounts, TimeCourse], "layers": "lif1", "dt": 0.001, "every": 1}
    whole, stopped = Training(), Training()
    with TrainingMonitor(whole.net, **kept) as monitor:
        whole.run(monitor, epochs=1)
    batches = list(stopped.batches())
    first, second = (TrainingMonitor(stopped.net, **kept) for _ in range(2))
    for monitor_now, part in ((first, batches[:2]), (second, batches[2:])):
        if monitor_now is second:
            second.load_state_dict(first.state_dict())
        for batch in part:
            with monitor_now.step():
                stopped.step(batch)
    report = second.end_epoch()
    assert report is not None
    expected = monitor.history[0][1]["lif1"]
    for statistic in (SpikeCounts, TimeCourse):
        assert report["lif1"][statistic] == expected[statistic]
    assert report["lif1"][SpikeCounts].sequences == 16 * STEPS_PER_EPOCH
    again = History.from_json(second.history.to_json())
    assert again[0][1]["lif1"][SpikeCounts] == expected[SpikeCounts]


def test_a_state_of_other_layers_is_refused_and_nothing_is_loaded() -> None:
    net = DigitsNet()
    state = TrainingMonitor(net, layers="lif1").state_dict()
    monitor = TrainingMonitor(net)
    with pytest.raises(MergeError, match=r"of the layers lif1, lif2, lif3, came one of lif1"):
        monitor.load_state_dict(state)
    assert (monitor.steps, len(monitor.history)) == (0, 0)


def test_an_epoch_shorter_than_every_is_in_the_history() -> None:
    training = Training()
    with TrainingMonitor(training.net, every=2 * STEPS_PER_EPOCH) as monitor:
        training.run(monitor)
    assert [label for label, _ in monitor.history] == [0, 1, 2]
    assert [steps.first for steps in monitor.history.steps if steps] == [0, 5, 10]


class Two(nn.Module):
    """Two layers whose values are the inputs, so a test says what each does."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.ReLU(), nn.ReLU()

    def forward(self, a: Tensor, b: Tensor) -> None:
        self.a(a), self.b(b)


def monitor_of(*args: Any, **options: Any) -> tuple[TrainingMonitor, Callable[..., None]]:
    """A monitor of `Two`, and a function that runs a training step: so many neurons of b fire."""
    net = Two()
    read = {"layers": ["a", "b"], "axes": "TBN", "kind": "binary"}
    monitor = TrainingMonitor(net, *args, every=1, **read, **options)

    def step(b: int = 20) -> None:
        values = torch.zeros(2, 2, 1, 20)  # of both layers; in the second time step none fires
        values[0, 0] = values[1, 0, 0, :b] = 1
        with monitor.step():
            net(*values)

    return monitor, step


def test_steps_whose_epoch_was_never_ended_are_in_the_history_and_logged() -> None:
    ended: list[int] = []

    class Log:
        def __call__(self, report: ActivityReport, step: int) -> None: ...

        def end_epoch(self, report: ActivityReport, step: int) -> None:
            ended.append(step)

    monitor, step = monitor_of(Log())
    assert monitor.history == History()
    step()
    step()
    assert [report["a"].sequences for _, report in monitor.history] == [2]
    assert ended == []
    monitor.close()
    monitor.close()
    assert [report["a"].sequences for _, report in monitor.history] == [2]
    assert monitor.history.steps == (Steps(0, 1, {"a": (0, 1), "b": (0, 1)}),)
    assert ended == [1]


def test_an_epoch_without_a_step_is_an_error_and_a_monitor_without_one_a_warning() -> None:
    monitor, step = monitor_of()
    with pytest.raises(NothingRecordedError, match=r"put each of them inside `with monitor\.step"):
        monitor.end_epoch()
    with pytest.warns(NoStepWarning, match="put each training step inside"):
        monitor.close()
    monitor, step = monitor_of()
    step()
    monitor.end_epoch()
    with pytest.raises(NothingRecordedError):
        monitor.end_epoch()
    monitor.close()


def test_an_exception_before_the_first_step_is_not_hidden_by_a_warning() -> None:
    with pytest.raises(ZeroDivisionError), monitor_of()[0]:
        raise ZeroDivisionError


def test_a_verdict_is_told_once_for_each_layer_and_kind_also_after_a_checkpoint() -> None:
    told: list[tuple[str, str, int]] = []

    def tell(verdict: Any, step: int) -> None:
        told.append((verdict.layer, verdict.name, step))

    monitor, step = monitor_of(on_verdict=tell)
    for b in (20, 20, 0):
        step(b)
    assert told == []
    again, step = monitor_of(on_verdict=tell)
    again.load_state_dict(monitor.state_dict())
    for b in (0, 0, 20, 0, 0):
        step(b)
    assert told == [("b", "silent", 3)]
    third, step = monitor_of(on_verdict=tell)
    third.load_state_dict(again.state_dict())
    step(20)
    step(0)
    step(0)
    assert told == [("b", "silent", 3)]


def test_a_layer_that_has_not_fired_yet_is_told_of_when_the_epoch_ends() -> None:
    told: list[tuple[str, int]] = []
    monitor, step = monitor_of(on_verdict=lambda verdict, step: told.append((verdict.name, step)))
    step(0)
    step(0)
    assert told == []
    monitor.end_epoch()
    assert told == [("silent", 1)]


def test_neurons_that_are_dead_in_one_step_alone_are_no_verdict() -> None:
    told: list[tuple[str, int]] = []
    monitor, step = monitor_of(on_verdict=lambda verdict, step: told.append((verdict.name, step)))
    for b in (1, 20):
        step(b)
    monitor.end_epoch()
    assert told == []
    step(1)
    step(1)
    assert told == []
    monitor.end_epoch()
    assert ("dead", 3) in told


def test_a_verdict_warns_or_stops_the_training_after_the_step_is_done() -> None:
    monitor, step = monitor_of(on_verdict="warn")
    step()
    step(0)
    with pytest.warns(VerdictWarning, match="training step 2: b is silent"):
        step(0)
    assert repr(monitor).startswith("TrainingMonitor: 3 steps, 0 epochs\n  records  of each epoch")
    monitor, step = monitor_of(on_verdict="warn")
    step(0)
    with pytest.warns(VerdictWarning, match="training step 0: b is silent") as warned:
        monitor.end_epoch()
    assert warned[0].filename == __file__  # where the user ended the epoch
    logged: list[int] = []
    monitor, step = monitor_of(lambda report, step: logged.append(step), on_verdict="stop")
    stopping = pytest.raises(TrainingStoppedError, match="stopped at step 2: b is silent")
    with stopping as stopped, monitor:
        for b in (20, 0, 0, 0):
            step(b)
    assert (stopped.value.layer, stopped.value.step, logged) == ("b", 2, [0, 1, 2])
    assert [str(course) for course in monitor.history.diagnose()] == [
        "b went silent after step 0 (epoch 0)"
    ]


@pytest.mark.parametrize("wrong", ["shout", 3])
def test_on_verdict_is_one_of_three(wrong: Any) -> None:
    with pytest.raises(ValueError, match=f'to be "warn", "stop" or a function.*came {wrong!r}'):
        TrainingMonitor(DigitsNet(), on_verdict=wrong)


def test_a_first_step_that_calls_no_layer_is_an_error_and_a_later_one_a_warning() -> None:
    training = Training()
    (batch,) = islice(training.batches(), 1)
    monitor = TrainingMonitor(training.net, every=1)
    with pytest.raises(NothingRecordedError), monitor.step():
        pass
    with monitor.step():
        training.step(batch)
    with pytest.warns(LayerNotCalledWarning, match="a step was left out"), monitor.step():
        pass
    report = monitor.end_epoch()
    assert report is not None
    assert report["lif1"].observations == SEEN
    assert hooks(training.net) == 0


def test_every_must_be_a_number_of_steps() -> None:
    with pytest.raises(ValueError, match="every= to be 1 or more, came 0"):
        TrainingMonitor(DigitsNet(), every=0)


def test_a_closed_monitor_lets_go_of_the_model_and_keeps_its_history() -> None:
    training = Training()
    monitor = TrainingMonitor(training.net, every=1)
    training.run(monitor, epochs=1)
    monitor.close()
    assert len(monitor.history) == 1
    with pytest.raises(neuroact.errors.RecordingClosedError), monitor.step():
        pass


@pytest.fixture
def broken() -> ActivityReport:
    recording = neuroact.Recording()
    recording.observe("good", torch.tensor([[[0, 1, 1, 1]], [[0, 0, 1, 1]]]))
    recording.observe("bad", torch.tensor([[[torch.nan, 1.0]]]), kind="analog")
    with pytest.warns(neuroact.errors.UnreliableLayerWarning):
        return recording.report()


def test_a_layer_without_figures_is_logged_as_nan_and_has_no_histogram(
    broken: ActivityReport, tmp_path: Path
) -> None:
    numbers = scalars(broken)
    assert {tag: value for tag, value in numbers.items() if tag.endswith("/good")} == {
        "activity_mean/good": 0.625,
        "activity_sparsity/good": 0.375,
        "activity_dead_share/good": 0.25,
        "activity_saturated_share/good": 0.5,
    }
    assert all(np.isnan(value) for tag, value in numbers.items() if tag.endswith("/bad"))
    assert list(histograms(broken)) == ["activity/good"]
    with SummaryWriter(str(tmp_path)) as writer:
        tensorboard(writer)(broken, 7)
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert events.Tags()["histograms"] == ["activity/good"]
    assert np.isnan(events.Scalars("activity_mean/bad")[0].value)


def test_quartiles_stand_in_for_histograms(broken: ActivityReport) -> None:
    activity = np.array([0, 0.5, 1, 1])
    expected = dict(zip(("min", "q1", "median", "q3", "max"), [0, 0.25, 0.5, 0.75, 1], strict=True))
    for figure, q in expected.items():
        assert quartiles(broken)[f"activity_{figure}/good"] == np.quantile(activity, q)


def test_a_torch_buffer_of_a_checkpoint_holds_no_code() -> None:
    """`weights_only` accepts only tensors and plain values."""
    training = Training()
    with TrainingMonitor(training.net, every=1) as monitor:
        training.run(monitor, epochs=1)
    file = io.BytesIO()
    torch.save(monitor.state_dict(), file)
    file.seek(0)
    assert torch.load(file, weights_only=True)["steps"] == STEPS_PER_EPOCH
