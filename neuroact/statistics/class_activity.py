"""Activity for each class of samples, if labels are given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuroact.errors import MergeError
from neuroact.statistics.counting.core_loops import CountsBlocks
from neuroact.statistics.counting.parts import events_of, parts_of
from neuroact.statistics.counting.step_block import StepBlock
from neuroact.statistics.results import LayerResult, ratio
from neuroact.stream.chunk import SignalKind, SpikeChunk

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False, repr=False)
class ClassActivityResult(LayerResult):
    """What a layer's neurons did for each class of samples.

    Attributes:
        class_observations: number of (time step, sample) pairs, int64 `[classes]`.
        class_events: number of non-zero values, int64 `[classes, *neurons]`.
        class_total: sums of values, float64 `[classes, *neurons]`; equal to the events if binary.

    >>> import numpy as np
    >>> from neuroact.statistics import ClassActivityResult
    >>> by_class = ClassActivityResult(           # two classes, two neurons, two steps of each
    ...     class_observations=np.array([2, 2]), class_events=np.array([[2, 2], [0, 2]]),
    ...     class_total=np.array([[2.0, 2.0], [0.0, 2.0]]),
    ... )
    >>> by_class.activity.tolist(), by_class.selectivity.tolist()
    ([[1.0, 1.0], [0.0, 1.0]], [1.0, 0.0])
    """

    class_observations: Integers
    class_events: Integers
    class_total: Floats

    per_class: ClassVar[frozenset[str]] = frozenset({"class_events", "class_total"})

    @property
    def classes(self) -> int:
        """Number of classes: the largest label plus one, or `ClassActivity(classes)` if larger."""
        return len(self.class_observations)

    @property
    def activity(self) -> Floats:
        """Average activity per class, `total / observations`, float64 `[classes, *neurons]`.

        In spikes per neuron and time step. NaN for a class that was never observed.
        """
        seen = self.class_observations if self.unreliable is None else self.class_observations * 0
        return ratio(self.class_total, seen.reshape(-1, *(1,) * (self.class_total.ndim - 1)))

    @property
    def selectivity(self) -> Floats:
        """Class selectivity index per neuron, float64 `[*neurons]`.

        `(a - b) / (a + b)`: a is the neuron's largest activity for a class, b the mean of its
        activities for all other classes. 0 if all activities are equal, 1 if the neuron fires for
        one class only. NaN if it never fired, if fewer than two classes were observed, and if an
        activity is negative, since the index then has no meaning.

        Source: Leavitt and Morcos, Selectivity considered harmful, ICLR 2021, arXiv:2003.01262;
        without their small constant in the denominator.
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
        """The class for which each neuron is most active, int64 `[*neurons]`; of equals, the first.

        -1 if the neuron never fired, or nothing was observed.
        """
        activity = np.where(np.isnan(self.activity), -np.inf, self.activity)
        fired = np.asarray(self.class_events.sum(0) > 0) & (self.unreliable is None)
        if not len(activity):
            return np.full(fired.shape, -1, dtype=np.int64)
        return np.where(fired, activity.argmax(0), -1).astype(np.int64)


class ClassActivity(CountsBlocks):
    """Activity of each neuron for each class of samples.

    Only chunks with labels are counted. Padded steps are not counted. Applies to layers of every
    kind.

    Memory: two numbers for each class and neuron. The number of classes is the largest label plus
    one, or `classes` if that is larger.

    With zero spikes events and totals are zeros. Before any chunk there is no result. Before any
    label there are `classes` classes.

    Args:
        classes: the least number of classes.

    >>> import torch
    >>> from neuroact import ClassActivity, SignalKind, SpikeChunk
    >>> by_class = ClassActivity()
    >>> spikes = torch.tensor([[[1, 1], [0, 1]], [[1, 1], [0, 1]]])     # 2 steps of 2 samples
    >>> by_class.update(
    ...     SpikeChunk(spikes, SignalKind.BINARY, starts_sequence=True, labels=torch.tensor([0, 1]))
    ... )
    >>> by_class.result().activity.tolist()
    [[1.0, 1.0], [0.0, 1.0]]
    """

    def __init__(self, classes: int = 0) -> None:
        if not isinstance(classes, Integral) or classes < 0:
            raise ValueError(f"expected classes= to be a whole number from 0 on, came {classes!r}")
        self._classes: int = classes
        self.reset()

    def __repr__(self) -> str:
        return f"ClassActivity({self._classes or ''})"

    def reset(self) -> None:
        """Forget everything counted, the neurons' shape included."""
        # By the names in the result, with the dtypes and shapes of `state_dict`.
        self._counts: dict[str, Tensor] = {}

    def update(self, chunk: SpikeChunk) -> None:
        """Count the next chunk, if it has labels.

        Raises:
            ValueError: the chunk's neurons have another shape than those before.
        """
        self._admit(chunk.neurons, chunk.values.device)
        if chunk.labels is None:
            return
        self._make_room(1 + int(chunk.labels.max()) if chunk.batch else 0)
        # CUDA copies pageable memory before this returns, so there is no need to wait.
        labels = chunk.labels.to(chunk.values.device, non_blocking=True)
        seen = torch.full_like(labels, chunk.steps) if chunk.valid is None else chunk.valid.sum(0)
        self._counts["class_observations"].index_add_(0, labels, seen)
        for part in parts_of(chunk):
            events = events_of(part.values).sum(0).to(torch.int64)
            binary = chunk.kind is SignalKind.BINARY
            total = events.double() if binary else part.values.sum(0, dtype=torch.float64)
            self._counts["class_events"].index_add_(0, labels[part.samples], events)
            self._counts["class_total"].index_add_(0, labels[part.samples], total)

    def count(self, block: StepBlock) -> None:
        """Take the block's neurons. Nothing is counted, since a block has no labels."""
        self._admit(block.neurons, torch.device("cpu"))

    def merge(self, other: ClassActivity) -> None:
        """Add another's counts, exact in any order. Classes that only one of them has are kept.

        Raises:
            MergeError: the two counted layers whose neurons have different shapes.
        """
        theirs = other._counts
        if not theirs:
            return
        events = theirs["class_events"]
        if not self._counts:
            self._make(events.shape[1:], events.device)
        elif self._neurons != events.shape[1:]:
            raise MergeError(
                f"cannot add counts of neurons of shape {list(events.shape[1:])} to counts of "
                f"neurons of shape {list(self._neurons)}"
            )
        self._make_room(len(events))
        for name, counts in self._counts.items():
            counts[: len(events)].add_(theirs[name].to(counts.device))

    def state_dict(self) -> dict[str, Tensor]:
        """The counts as new tensors on the layer's device; empty before the first chunk.

        Keys: `class_events` int64 and `class_total` float64 `[classes, *neurons]`;
        `class_observations` int64 `[classes]`.
        """
        return {name: tensor.clone() for name, tensor in self._counts.items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Replace the counts by those that `state_dict` returned."""
        with torch.inference_mode(False):
            self._counts = {name: tensor.clone() for name, tensor in state.items()}

    def result(self) -> ClassActivityResult | None:
        """The counts so far; None before the first chunk."""
        counts: dict[str, Any] = {n: tensor.cpu().numpy() for n, tensor in self._counts.items()}
        return ClassActivityResult(**counts) if counts else None

    @property
    def _neurons(self) -> torch.Size:
        return self._counts["class_events"].shape[1:]

    def _admit(self, neurons: torch.Size, device: torch.device) -> None:
        if not self._counts:
            self._make(neurons, device)
        elif self._neurons != neurons:
            raise ValueError(
                f"expected neurons of shape {list(self._neurons)}, came {list(neurons)}"
            )
        elif self._counts["class_events"].device != device:
            self._counts = {name: t.to(device) for name, t in self._counts.items()}

    def _make(self, neurons: torch.Size, device: torch.device) -> None:
        with torch.inference_mode(False):
            observations = torch.zeros(self._classes, dtype=torch.int64, device=device)
            events = observations.new_zeros(self._classes, *neurons)
            self._counts = {
                "class_observations": observations,
                "class_events": events,
                "class_total": events.to(torch.float64),
            }

    def _make_room(self, classes: int) -> None:
        more = classes - len(self._counts["class_events"])
        if more > 0:
            with torch.inference_mode(False):
                for name, counts in self._counts.items():
                    rows = counts.new_zeros(more, *counts.shape[1:])
                    self._counts[name] = torch.cat([counts, rows])
