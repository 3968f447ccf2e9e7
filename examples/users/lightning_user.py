"""A SpikingJelly user trains with Lightning, and wants to know when a layer dies.

The learning rate is far too high on purpose.

Run: python examples/users/lightning_user.py [FOLDER]
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from spikingjelly.activation_based import functional, layer, neuron, surrogate
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from neuroact.training.lightning import ActivityCallback


class Classifier(LightningModule):
    """Two layers of LIF neurons, the whole sequence in one call."""

    def __init__(self, learning_rate: float) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.net = nn.Sequential(
            layer.Linear(20, 50), lif(),
            layer.Linear(50, 10), lif(),
        )  # fmt: skip
        functional.set_step_mode(self.net, "m")

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """The loss of a batch `[batch, time, inputs]`."""
        inputs, labels = batch
        functional.reset_net(self.net)
        return nn.functional.cross_entropy(self.net(inputs.movedim(1, 0)).sum(0), labels)

    def configure_optimizers(self) -> Any:
        """Adam."""
        return torch.optim.Adam(self.parameters(), self.learning_rate)


def lif() -> nn.Module:
    """A layer with a surrogate gradient of its own: all nodes share SpikingJelly's default one."""
    return neuron.LIFNode(v_threshold=0.3, surrogate_function=surrogate.Sigmoid())


def main(folder: Path, learning_rate: float = 1.0) -> None:
    """Train until a layer is silent, and say when it died."""
    torch.manual_seed(0)
    data = TensorDataset(torch.rand(64, 15, 20), torch.randint(10, (64,)))
    told = []
    callback = ActivityCallback(
        every_n_steps=2, on_verdict=lambda verdict, step: told.append((step, str(verdict)))
    )
    trainer = Trainer(
        max_epochs=4, callbacks=[callback], logger=False, accelerator="cpu",
        enable_checkpointing=False, enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(Classifier(learning_rate), DataLoader(data, batch_size=8))

    for step, verdict in told:  # once for each layer and kind of trouble
        print(f"step {step}: {verdict}")
    print(callback.history)  # a table by epoch, and when each layer died
    callback.history.plot(folder / "history.png")
    callback.history.to_json(folder / "history.json")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path())
