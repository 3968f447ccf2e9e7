"""Records a training step now and then, at no cost in between.

`TrainingMonitor` is for your own training loop; `neuroact.training.lightning` does the same for
Lightning's Trainer.
"""

from neuroact.training.figures import (
    EpochLog,
    histograms,
    of_epoch,
    quartiles,
    scalars,
    tensorboard,
)
from neuroact.training.monitor import TrainingMonitor

__all__ = [
    "EpochLog",
    "TrainingMonitor",
    "histograms",
    "of_epoch",
    "quartiles",
    "scalars",
    "tensorboard",
]
