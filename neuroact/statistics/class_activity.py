"""Activity per class of the samples: what `Firing` counts besides where labels are given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuroact.statistics.counted import LayerResult, ratio

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ClassActivityResult(LayerResult):
    """What a layer's neurons did for each class of samples, as `recording.label` told them.

    Attributes:
        class_observations: (time step, sample) pairs of each class, int64 `[classes]`.
        class_events: non-zero values, int64 `[classes, *neurons]`.
        class_total: sums of values, float64 `[classes, *neurons]`; the events where binary.

    >>> import torch
    >>> from neuroact import Recording
    >>> recording = Recording()
    >>> recording.label([0, 1])
    >>> recording.observe("lif", torch.tensor([[[1, 1], [0, 1]], [[1, 1], [0, 1]]]))
    >>> by_class = recording.report()["lif"]["ClassActivity"]
    >>> by_class.activity.tolist(), by_class.selectivity.tolist()
    ([[1.0, 1.0], [0.0, 1.0]], [1.0, 0.0])
    """

    class_observations: Integers
    class_events: Integers
    class_total: Floats

    per_class: ClassVar[frozenset[str]] = frozenset({"class_events", "class_total"})

    @property
    def classes(self) -> int:
        """Number of classes: the largest label and one, or what `label(classes=)` said."""
        return len(self.class_observations)

    @property
    def activity(self) -> Floats:
        """Average activity per class, `total / observations`, float64 `[classes, *neurons]`.

        In spikes per neuron and time step. NaN for a class of which nothing was observed.
        """
        seen = self.class_observations if self.fault is None else self.class_observations * 0
        return ratio(self.class_total, seen.reshape(-1, *(1,) * (self.class_total.ndim - 1)))

    @property
    def selectivity(self) -> Floats:
        """Class selectivity index per neuron, float64 `[*neurons]`.

        `(a - b) / (a + b)`: a is the activity for the class that excites the neuron most, b the
        mean of its activities for all other classes. 0 where all are alike, 1 where it fires for
        one class alone. NaN where it never fired, where fewer than two classes were observed, and
        where activities are negative, for which it has no meaning.

        Source: Leavitt and Morcos, Selectivity considered harmful, ICLR 2021, arXiv:2003.01262;
        their small constant in the denominator is left out.
        """
        seen = self.activity[self.class_observations > 0]
        if len(seen) < 2:
            return np.full(seen.shape[1:], np.nan)
        best = seen.max(0)
        others = (seen.sum(0) - best) / (len(seen) - 1)
        meant = (seen >= 0).all(0)
        return ratio(best - others, np.where(meant, best + others, 0.0))

    @property
    def preferred(self) -> Integers:
        """The class that excites each neuron most, the first of equals, int64 `[*neurons]`.

        -1 where the neuron never fired, or nothing was observed.
        """
        activity = np.where(np.isnan(self.activity), -np.inf, self.activity)
        fired = np.asarray(self.class_events.sum(0) > 0) & (self.fault is None)
        if not len(activity):
            return np.full(fired.shape, -1, dtype=np.int64)
        return np.where(fired, activity.argmax(0), -1).astype(np.int64)


@dataclass(slots=True)
class ClassCounts:
    """The running tensors: int64 and float64 of neurons times classes."""

    events: Tensor  # int64 [classes, *neurons]
    total: Tensor  # float64 [classes, *neurons]
    observations: Tensor  # int64 [classes]
    labels: Tensor | None = field(default=None)  # int64 [batch], of the samples that come

    @classmethod
    def zeros(cls, neurons: torch.Size, device: torch.device) -> ClassCounts:
        """Nothing counted, of no class."""
        with torch.inference_mode(False):
            return cls(
                events=torch.zeros(0, *neurons, dtype=torch.int64, device=device),
                total=torch.zeros(0, *neurons, dtype=torch.float64, device=device),
                observations=torch.zeros(0, dtype=torch.int64, device=device),
            )

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor]) -> ClassCounts:
        """What `state` gave."""
        with torch.inference_mode(False):
            return cls(*(state[f"class_{n}"].clone() for n in ("events", "total", "observations")))

    def state(self) -> dict[str, Tensor]:
        """The counts, as tensors of their own."""
        return {f"class_{n}": getattr(self, n).clone() for n in ("events", "total", "observations")}

    def expect(self, labels: Tensor, classes: int) -> None:
        """Say of which class the samples are that come, and how many classes there are."""
        self._make_room(classes)
        self.labels = labels.to(self.events.device)

    def add(self, events: Tensor, total: Tensor, observations: Tensor | int) -> None:
        """Add what each sample did.

        Args:
            events: int64 `[batch, *neurons]`.
            total: float64 `[batch, *neurons]`.
            observations: of each sample, int64 `[batch]`; one number where all have the same.
        """
        labels = self.labels
        assert labels is not None
        if isinstance(observations, int):
            observations = torch.full_like(labels, observations)
        self.events.index_add_(0, labels, events)
        self.total.index_add_(0, labels, total)
        self.observations.index_add_(0, labels, observations)

    def merge(self, other: ClassCounts) -> None:
        """Add another's counts; classes that only one has are kept."""
        classes = len(other.observations)
        self._make_room(classes)
        device = self.events.device
        self.events[:classes].add_(other.events.to(device))
        self.total[:classes].add_(other.total.to(device))
        self.observations[:classes].add_(other.observations.to(device))

    def _make_room(self, classes: int) -> None:
        more = classes - len(self.observations)
        if more > 0:
            with torch.inference_mode(False):
                for name in ("events", "total", "observations"):
                    counts: Tensor = getattr(self, name)
                    rows = counts.new_zeros(more, *counts.shape[1:])
                    setattr(self, name, torch.cat([counts, rows]))
