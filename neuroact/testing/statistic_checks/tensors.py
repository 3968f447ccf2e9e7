"""The checks of a statistic: modes of PyTorch, and layouts of tensors."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from neuroact.stream.chunk import SignalKind, SpikeChunk
from neuroact.testing.same import assert_same_state
from neuroact.testing.statistic_checks.case import LEVELS, StatisticCase, chunk, statistic_check
from neuroact.testing.strategies import SPIKE_DTYPES


@statistic_check()
def modes(case: StatisticCase) -> None:
    """Inference mode, no_grad and gradients may alternate."""
    for kind in case.kinds:
        around = itertools.cycle([torch.inference_mode, torch.enable_grad, torch.no_grad])
        statistic, plain = case.build(), case.build()
        rng = np.random.default_rng(1)
        for number, batch in enumerate((2, 2, 2, 3, 3, 3, 2, 2, 1)):
            values = rng.choice(LEVELS[kind], size=(3, batch, 5))
            valid = rng.random((3, batch)) < 0.7 if number % 2 else None
            with next(around)():
                statistic.update(chunk(values, kind, number % 4 == 0, valid))
                statistic = case.resumed(statistic) if number == 6 else statistic
                statistic.merge(case.resumed(statistic))
            plain.update(chunk(values, kind, number % 4 == 0, valid))
            plain.merge(case.resumed(plain))
        case.assert_same(statistic, plain, "in alternating modes and in one")


@statistic_check()
def layouts(case: StatisticCase) -> None:
    """The layout of values in memory, strides of 0 and the dtype do not matter."""
    rng = np.random.default_rng(0)
    valid = torch.from_numpy(rng.random((4, 3)) < 0.7)
    for kind in case.kinds:
        raw = torch.from_numpy(rng.choice(LEVELS[kind], size=(4, 3, 2, 5, 6)))
        for dtype in SPIKE_DTYPES if kind is SignalKind.BINARY else (torch.float32, torch.float64):
            for name, values, plain in _laid_out(raw.to(dtype)):
                for mask in (None, valid):
                    came, whole = case.build(), case.build()
                    for at in (slice(0, 1), slice(1, 2), slice(2, 4)):  # as steps, and as a chunk
                        piece = None if mask is None else mask[at]
                        came.update(SpikeChunk(values[at], kind, at.start == 0, piece))
                        whole.update(SpikeChunk(plain[at], kind, at.start == 0, piece))
                    what = f"values of {dtype}, {name}, and contiguous ones"
                    assert_same_state(came, whole, what)


def _laid_out(values: Tensor) -> Iterator[tuple[str, Tensor, Tensor]]:
    """The same values `[time, batch, channels, height, width]` in other layouts, and contiguous."""
    for one, other in ((0, 1), (1, 2), (3, 4)):
        turned = values.transpose(one, other).contiguous().transpose(one, other)
        yield f"dimensions {one} and {other} turned round", turned, values
    last = values.flatten(0, 1).to(memory_format=torch.channels_last)
    yield "channels last", last.view(values.shape), values
    wide = torch.zeros_like(values).repeat_interleave(2, -1)[..., ::2].copy_(values)
    yield "every other one of a larger tensor", wide, values
    for dim in range(values.ndim):
        broadcast = values.narrow(dim, 0, 1).expand_as(values)
        yield f"dimension {dim} of stride 0", broadcast, broadcast.contiguous()


CHECKS = (modes, layouts)
