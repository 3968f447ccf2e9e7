"""Monitoring a model that Lightning's real Trainer trains."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import pytorch_lightning
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger, WandbLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset

from neuroact.errors import NothingRecordedError, UnfitPackageError, VerdictWarning
from neuroact.report.history import History
from neuroact.training import quartiles, scalars
from neuroact.training.lightning import ActivityCallback
from neuroact_adapters.demos import digits
from neuroact_adapters.demos.snntorch import DigitsNet

# Lightning's advice on logging intervals and folders does not matter in ten steps.
pytestmark = [
    pytest.mark.filterwarnings("ignore:The number of training batches .* is smaller than"),
    pytest.mark.filterwarnings("ignore:.*exists and is not empty"),
    pytest.mark.filterwarnings("ignore:You're resuming from a checkpoint that ended before"),
]

EVERY, STEPS_PER_EPOCH, EPOCHS, BATCH = 3, 5, 3, 16
SEEN = BATCH * digits.STEPS
DUE = [step for step in range(EPOCHS * STEPS_PER_EPOCH) if step % STEPS_PER_EPOCH % EVERY == 0]
LAYERS = ["net.lif1", "net.lif2", "net.lif3"]


class Module(LightningModule):
    """The digits network; keeps the raw spikes of each training step, and each loss."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.net = DigitsNet()
        self.losses: list[float] = []
        self.spikes: list[dict[str, Tensor]] = []
        self.hooked: list[bool] = []

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        self.hooked.append(hooks(self.net) > 0)
        images, labels = batch
        loss = nn.functional.cross_entropy(self.net(digits.coded(images)).sum(0), labels)
        self.losses.append(float(loss.detach()))
        self.log("loss", loss)
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        assert hooks(self.net) == 0  # Lightning may wrap the module
        self.net(digits.coded(batch[0]))

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.parameters(), lr=2e-3)

    def train_dataloader(self) -> Any:
        data = digits.Digits.load().train
        if self.trainer.world_size > 1:
            return DataLoader(Subset(data, range(BATCH * 10)), BATCH)
        # All batches are the same, since a training resumed in mid-epoch begins the loader anew.
        return DataLoader(Subset(data, [*range(BATCH)] * STEPS_PER_EPOCH), BATCH)

    def val_dataloader(self) -> Any:
        return DataLoader(Subset(digits.Digits.load().test, range(BATCH)), BATCH)


class Raw(Module):
    """The oracle: adds up every step's spikes itself, from the layers' outputs."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        self.spikes.append({})
        handles = [
            self.get_submodule(name).register_forward_hook(
                lambda module, args, output, name=name: self.add(name, output[0])
            )
            for name in LAYERS
        ]
        try:
            return super().training_step(batch, batch_idx)
        finally:
            for handle in handles:
                handle.remove()

    def add(self, name: str, spikes: Tensor) -> None:
        counts = self.spikes[-1]
        counts[name] = counts.get(name, torch.zeros(())) + spikes.detach().double().sum(0)


def hooks(module: nn.Module) -> int:
    """How many hooks and stand-ins for `forward` the modules have."""
    return sum(
        len(m._forward_hooks) + len(m._forward_pre_hooks) + ("forward" in vars(m))
        for m in module.modules()
    )


def fit(module: Module, folder: Path, *, checkpoint: str | None = None, **options: Any) -> Trainer:
    settings: dict[str, Any] = {
        "max_epochs": EPOCHS,
        "logger": False,
        "enable_checkpointing": False,
        "log_every_n_steps": 1,
    }
    trainer = Trainer(
        accelerator="cpu",
        default_root_dir=folder,
        enable_progress_bar=False,
        enable_model_summary=False,
        **(settings | options),
    )
    trainer.fit(module, ckpt_path=checkpoint)
    return trainer


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Raw, ActivityCallback, Path]:
    folder = tmp_path_factory.mktemp("lightning")
    module, callback = Raw(), ActivityCallback(every_n_steps=EVERY)
    loggers = [TensorBoardLogger(folder, "", "tensorboard"), CSVLogger(folder, "", "csv")]
    fit(module, folder, callbacks=[callback], logger=loggers)
    return module, callback, folder


def test_the_event_file_holds_each_nth_batchs_figures(trained: Any) -> None:
    module, _, folder = trained
    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"histograms": 0})
    events.Reload()
    for name in LAYERS:
        raw = [module.spikes[step][name].numpy() / SEEN for step in DUE]
        figures = {
            "mean": [activity.mean() for activity in raw],
            "sparsity": [1 - activity.mean() for activity in raw],
            "dead_share": [(activity == 0).mean() for activity in raw],
            "saturated_share": [(activity == 1).mean() for activity in raw],
        }
        for figure, expected in figures.items():
            logged = events.Scalars(f"activity_{figure}/{name}")
            assert [event.step for event in logged] == DUE
            np.testing.assert_allclose([e.value for e in logged], expected, rtol=2**-24)
        for event, activity in zip(events.Histograms(f"activity/{name}"), raw, strict=True):
            counts, edges = np.histogram(activity, len(event.histogram_value.bucket) - 1)
            np.testing.assert_array_equal(event.histogram_value.bucket[1:], counts)
            np.testing.assert_array_equal(event.histogram_value.bucket_limit, edges)


def test_an_epochs_figures_are_logged_when_it_ends(trained: Any) -> None:
    _, callback, folder = trained
    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"histograms": 0})
    events.Reload()
    ends = [4, 9, 14]
    means = [report["net.lif1"].mean for _, report in callback.history]
    logged = events.Scalars("epoch_activity_mean/net.lif1")
    assert [event.step for event in logged] == ends
    np.testing.assert_allclose([event.value for event in logged], means, rtol=2**-24)
    drawn = events.Histograms("epoch_activity/net.lif1")
    assert [event.step for event in drawn] == ends
    with (folder / "csv" / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["epoch_activity_mean/net.lif1"]]
    assert [float(row["epoch_activity_mean/net.lif1"]) for row in rows] == means
    assert [int(row["step"]) for row in rows] == ends


def test_figures_are_logged_at_the_steps_of_the_modules_own_metrics(trained: Any) -> None:
    module, _, folder = trained
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    losses = {event.step: event.value for event in events.Scalars("loss")}
    assert list(losses) == list(range(EPOCHS * STEPS_PER_EPOCH))
    assert losses[DUE[2]] == np.float32(module.losses[DUE[2]])


def test_a_logger_without_histograms_gets_the_quartiles(trained: Any) -> None:
    _, callback, folder = trained
    with (folder / "csv" / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["activity_mean/net.lif1"]]
    assert [int(row["step"]) for row in rows] == DUE
    figures = ("mean", "sparsity", "dead_share", "saturated_share", "min", "q1", "median", "q3")
    for figure in (*figures, "max"):
        assert all(row[f"activity_{figure}/net.lif2"] for row in rows)
    report = callback.history[0][1]
    assert set(scalars(report)) | set(quartiles(report)) <= set(rows[0])


def test_the_history_has_a_report_per_epoch_over_its_recorded_batches(trained: Any) -> None:
    module, callback, _ = trained
    assert [label for label, _ in callback.history] == [0, 1, 2]
    for epoch, (_, report) in enumerate(callback.history):
        steps = [step for step in DUE if step // STEPS_PER_EPOCH == epoch]
        for name in LAYERS:
            counts = sum(module.spikes[step][name] for step in steps)
            np.testing.assert_array_equal(report[name].events, counts.numpy())
            assert report[name].observations == len(steps) * SEEN


def test_losses_and_weights_are_the_same_to_the_bit(trained: Any, tmp_path: Path) -> None:
    alone = Module()
    fit(alone, tmp_path)
    assert alone.losses == trained[0].losses
    for name, weight in alone.state_dict().items():
        assert torch.equal(weight, trained[0].state_dict()[name]), name


def test_the_model_is_watched_in_the_recorded_batches_alone(tmp_path: Path) -> None:
    module = Module()
    fit(module, tmp_path, callbacks=[ActivityCallback(every_n_steps=EVERY)])
    assert [step for step, hooked in enumerate(module.hooked) if hooked] == DUE
    assert hooks(module) == 0


class Stopped(Module):
    """Fails in the middle of the second epoch."""

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> None:
        if len(self.losses) == STEPS_PER_EPOCH + 3:
            raise InterruptedError


def test_an_interrupted_training_leaves_the_model_as_found(tmp_path: Path) -> None:
    module, callback = Stopped(), ActivityCallback(every_n_steps=1)
    with pytest.raises(InterruptedError):
        fit(module, tmp_path, callbacks=[callback])
    assert hooks(module) == 0
    assert [label for label, _ in callback.history] == [0, 1]
    assert callback.history[-1][1]["net.lif1"].observations == 3 * SEEN


class Every(ModelCheckpoint):
    """Saves a checkpoint after each batch of the training."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "{step}", every_n_train_steps=1, save_top_k=-1)


def test_a_training_that_is_resumed_has_the_history_of_one_that_never_stopped(
    trained: Any, tmp_path: Path
) -> None:
    stopped, first = Stopped(), ActivityCallback(every_n_steps=EVERY)
    with pytest.raises(InterruptedError):
        fit(stopped, tmp_path, callbacks=[first, Every(tmp_path)], enable_checkpointing=True)
    module, callback = Raw(), ActivityCallback(every_n_steps=EVERY)
    fit(
        module,
        tmp_path,
        callbacks=[callback, Every(tmp_path)],
        enable_checkpointing=True,
        checkpoint=str(tmp_path / f"step={STEPS_PER_EPOCH + 3}.ckpt"),
    )
    assert stopped.losses + module.losses == trained[0].losses
    assert callback.history == trained[1].history


RANKS = """
import sys, warnings
from pathlib import Path
import conftest, torch
from lightning.pytorch.loggers import CSVLogger
from test_lightning import EVERY, LAYERS, Raw, fit
from neuroact.training.lightning import ActivityCallback

warnings.simplefilter("ignore")
folder, module, callback = Path(sys.argv[1]), Raw(), ActivityCallback(every_n_steps=EVERY)
trainer = fit(
    module, folder, callbacks=[callback], strategy="ddp", devices=2, max_epochs=1,
    logger=CSVLogger(folder, "", "csv"),
)
torch.save(module.spikes, folder / f"spikes-{trainer.global_rank}")
callback.history.to_json(folder / f"history-{trainer.global_rank}")
"""


def test_a_distributed_training_has_the_figures_of_all_ranks_on_each(tmp_path: Path) -> None:
    script, here = tmp_path / "script.py", Path(__file__).parent
    script.write_text(RANKS)
    folders = here, here.with_name("shared"), here.parent, os.environ.get("PYTHONPATH", "")
    path = os.pathsep.join(map(str, folders))
    # In a session of their own, so that no rank is left behind if one hangs.
    process = subprocess.Popen(
        [sys.executable, script, tmp_path],
        env={**os.environ, "PYTHONPATH": path},
        start_new_session=True,
    )
    try:
        assert process.wait(timeout=600) == 0
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    spikes = [torch.load(tmp_path / f"spikes-{rank}") for rank in (0, 1)]
    histories = [History.from_json(tmp_path / f"history-{rank}") for rank in (0, 1)]
    assert histories[0] == histories[1]
    ((_, report),) = histories[0]
    due = [step for step in range(len(spikes[0])) if step % EVERY == 0]
    assert not torch.equal(spikes[0][0]["net.lif1"], spikes[1][0]["net.lif1"])
    for name in LAYERS:
        counts = sum(rank[step][name] for rank in spikes for step in due)
        np.testing.assert_array_equal(report[name].events, counts.numpy())
    with (tmp_path / "csv" / "metrics.csv").open() as file:
        first = next(csv.DictReader(file))
    activity = (spikes[0][0]["net.lif1"] + spikes[1][0]["net.lif1"]).numpy() / (2 * SEEN)
    assert float(first["activity_mean/net.lif1"]) == pytest.approx(activity.mean(), rel=1e-12)


def test_gradient_accumulation_counts_batches_and_logs_optimizer_steps(tmp_path: Path) -> None:
    callback = ActivityCallback(every_n_steps=2)
    options = {"accumulate_grad_batches": 2, "max_epochs": 1}
    fit(Module(), tmp_path, callbacks=[callback], logger=CSVLogger(tmp_path, "", "csv"), **options)
    with (tmp_path / "csv" / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["activity_mean/net.lif1"]]
    assert [int(row["step"]) for row in rows] == [0, 1, 2]
    assert callback.history[0][1]["net.lif1"].observations == 3 * SEEN


class Skipping(Module):
    """Skips the rest of each epoch after two batches, in Lightning's own way."""

    def on_train_batch_start(self, batch: Any, batch_idx: int) -> int | None:
        return -1 if batch_idx == 2 else None


def test_a_batch_that_the_module_skips_is_not_recorded(tmp_path: Path) -> None:
    module, callback = Skipping(), ActivityCallback(every_n_steps=1)
    fit(module, tmp_path, callbacks=[callback])
    assert [r["net.lif1"].observations for _, r in callback.history] == [2 * SEEN] * EPOCHS
    assert hooks(module) == 0


class Dying(Module):
    """The first layer falls silent in the third batch."""

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        if len(self.losses) == 2:
            with torch.no_grad():
                self.net.fc1.bias.fill_(-100)
        return super().training_step(batch, batch_idx)


def test_a_training_stops_when_a_layer_falls_silent_and_says_when_it_died(tmp_path: Path) -> None:
    module = Dying()
    callback = ActivityCallback(every_n_steps=1, on_verdict="stop", layers=LAYERS[:2])
    with pytest.warns(VerdictWarning, match=r"stops after step 3: .*net\.lif1"):
        fit(module, tmp_path, callbacks=[callback])
    assert len(module.losses) == 4
    silent = [course for course in callback.history.diagnose() if course.kind == "silent"]
    assert any(LAYERS[0] in course.layers and course.step == 1 for course in silent)


def test_a_callback_is_told_once_for_each_layer_and_kind(tmp_path: Path) -> None:
    told: list[tuple[str, str, int]] = []

    def tell(verdict: Any, step: int) -> None:
        told.append((verdict.layer, verdict.name, step))

    callback = ActivityCallback(every_n_steps=1, on_verdict=tell, layers=LAYERS[0])
    fit(Dying(), tmp_path, callbacks=[callback])
    assert [each for each in told if each[1] == "silent"] == [(LAYERS[0], "silent", 3)]


class Idle(Module):
    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return self.net.fc1.weight.sum()


def test_a_module_that_calls_no_layer_is_an_error_at_the_first_batch(tmp_path: Path) -> None:
    module = Idle()
    with pytest.raises(NothingRecordedError, match="none of the 3 layers was called"):
        fit(module, tmp_path, callbacks=[ActivityCallback()])
    assert hooks(module) == 0


def test_two_callbacks_of_other_layers_keep_their_states_apart(tmp_path: Path) -> None:
    def callbacks() -> list[Any]:
        layers = [ActivityCallback(every_n_steps=1, layers=name) for name in LAYERS[:2]]
        return [*layers, Every(tmp_path)]

    first, second = callbacks(), callbacks()
    fit(Module(), tmp_path, max_epochs=1, callbacks=first, enable_checkpointing=True)
    last = str(tmp_path / f"step={STEPS_PER_EPOCH}.ckpt")
    options = {"callbacks": second, "enable_checkpointing": True, "checkpoint": last}
    fit(Module(), tmp_path, max_epochs=2, **options)
    for layer, before, after in zip(LAYERS[:2], first, second, strict=False):
        assert [label for label, _ in after.history] == [0, 1]
        assert [list(report) for _, report in after.history] == [[layer], [layer]]
        assert after.history[0] == before.history[0]


def test_a_fresh_callback_has_an_empty_history_and_an_empty_state() -> None:
    callback = ActivityCallback()
    callback.load_state_dict(callback.state_dict())
    assert callback.history == History()


def test_every_n_steps_must_be_a_number_of_steps() -> None:
    with pytest.raises(ValueError, match="every_n_steps= to be 1 or more, came 0"):
        ActivityCallback(every_n_steps=0)


class OtherModule(pytorch_lightning.LightningModule):
    """The digits network for `pytorch_lightning`, which has classes of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.net = DigitsNet()

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        return nn.functional.cross_entropy(self.net(digits.coded(batch[0])).sum(0), batch[1])

    configure_optimizers = Module.configure_optimizers


def test_lightning_by_its_other_name_logs_histograms_too(tmp_path: Path) -> None:
    callback = ActivityCallback(every_n_steps=2)
    trainer = pytorch_lightning.Trainer(
        accelerator="cpu",
        max_epochs=1,
        limit_train_batches=4,
        log_every_n_steps=1,
        callbacks=[callback],
        logger=pytorch_lightning.loggers.TensorBoardLogger(tmp_path, "", "tensorboard"),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(OtherModule(), DataLoader(digits.Digits.load().train, BATCH))
    events = EventAccumulator(str(tmp_path / "tensorboard"), size_guidance={"histograms": 0})
    events.Reload()
    assert [event.step for event in events.Histograms("activity/net.lif1")] == [0, 2]
    assert callback.history[0][1]["net.lif1"].observations == 2 * SEEN


class Offline(WandbLogger):
    """Weights & Biases' logger without its service: keeps what is logged."""

    def __init__(self) -> None:
        self.given: list[tuple[dict[str, Any], int | None]] = []

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        self.given.append((dict(metrics), step))

    def log_hyperparams(self, *args: Any, **options: Any) -> None: ...

    def save(self) -> None: ...

    def finalize(self, status: str) -> None: ...

    @property
    def experiment(self) -> None:
        return None

    @property
    def save_dir(self) -> None:
        return None

    @property
    def name(self) -> str:
        return "offline"

    @property
    def version(self) -> str:
        return "0"

    log_graph = after_save_checkpoint = log_hyperparams


def test_weights_and_biases_gets_histograms_of_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wandb: Any = ModuleType("wandb")
    wandb.Histogram = lambda np_histogram: np_histogram
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    module, logger = Raw(), Offline()
    options = {"callbacks": [ActivityCallback(every_n_steps=EVERY)], "logger": logger}
    fit(module, tmp_path, max_epochs=1, **options)
    given = [(metrics, step) for metrics, step in logger.given if "activity/net.lif1" in metrics]
    assert [step for _, step in given] == DUE[:2]
    for metrics, step in given:
        assert step is not None
        activity = module.spikes[step]["net.lif1"].numpy() / SEEN
        counts, edges = metrics["activity/net.lif1"]
        np.testing.assert_array_equal(counts, np.histogram(activity, len(counts))[0])
        assert (edges[0], edges[-1]) == (activity.min(), activity.max())
        assert metrics["activity_mean/net.lif1"] == activity.mean()


def test_without_lightning_the_error_names_the_extra() -> None:
    program = "import sys; sys.modules['lightning'] = None; import neuroact.training.lightning"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 1
    assert 'pip install "neuroact[lightning]"' in run.stderr.splitlines()[-1]


def test_a_torchvision_that_does_not_fit_torch_is_said_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Unfit:
        """Stands for torchvision's import, deep in Lightning's."""

        @staticmethod
        def find_spec(name: str, *_: Any) -> None:
            if name == "lightning.pytorch":
                raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr(sys, "meta_path", [Unfit, *sys.meta_path])
    for name in ("lightning.pytorch", "neuroact.training.lightning"):
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(UnfitPackageError, match=r"torchvision::nms .* pip uninstall torchvision,"):
        import_module("neuroact.training.lightning")
