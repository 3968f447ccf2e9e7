"""Recording while a model learns: a step now and then, at no cost in between.

`TrainingMonitor` is for a training loop of your own; `neuroact.lightning` is the same for
Lightning's Trainer.
"""

from neuroact.training.figures import histograms, quartiles, scalars, tensorboard
from neuroact.training.monitor import TrainingMonitor

__all__ = ["TrainingMonitor", "histograms", "quartiles", "scalars", "tensorboard"]
