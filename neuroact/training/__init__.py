"""Records a training step now and then, at no cost in between.

`TrainingMonitor` is for your own training loop; `neuroact.training.lightning` does the same for
Lightning's Trainer.
"""

from neuroact.training.figures import histograms, quartiles, scalars, tensorboard
from neuroact.training.monitor import TrainingMonitor

__all__ = ["TrainingMonitor", "histograms", "quartiles", "scalars", "tensorboard"]
