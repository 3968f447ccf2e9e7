"""Whether a state could be one that a statistic gave: it may come from a file that anyone wrote.

Loading a state makes tensors of the sizes it tells, so these are checked first: none is larger
than what the file itself holds, but for what its open sequences take, which `working_memory` tells.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from neuroact.statistics.class_activity import ClassActivity
from neuroact.statistics.counting.stepwise import StepwiseStatistic
from neuroact.statistics.firing import Firing
from neuroact.statistics.raster import Raster

MOST_COUNT = 2**62
"""Counts below it can be added to others without leaving int64."""

_OPEN, _CLOCK = "open_", "open_clock"


def check_state(statistic: object, state: Mapping[str, Tensor], neurons: torch.Size | None) -> None:
    """Refuse a state that the statistic of a layer of these neurons cannot have given.

    Args:
        statistic: one of neuroact's own; nothing is known of others, so they pass.
        state: empty where it was never fed.
        neurons: shape of the layer's neurons; None where the layer was never called.

    Raises:
        ValueError: says what was expected and what came.
    """
    if not isinstance(statistic, Firing | ClassActivity | Raster | StepwiseStatistic):
        return
    if neurons is None or not state:
        if state:
            raise ValueError("the layer was never called, and has figures")
        if neurons is not None and isinstance(statistic, Firing):
            raise ValueError("the layer was called, and has no figures")
    elif isinstance(statistic, Firing):
        _check_firing(state, neurons)
    elif isinstance(statistic, ClassActivity):
        _check_by_class(state, neurons)
    elif isinstance(statistic, Raster):
        _check_raster(state, neurons)
    else:
        _check_totals(statistic, state, neurons)
        _check_open(state, neurons)


def working_memory(statistic: object, state: Mapping[str, Tensor]) -> int:
    """Bytes that a state takes beyond its own, once it is loaded and its figures are asked for.

    A sequence that may still go on can be of any number of steps, whatever its state's size: a
    histogram has a count for each of them, and an open raster a byte for each step and neuron.

    Args:
        statistic: one of neuroact's own; nothing is known of others.
        state: one that `check_state` let pass.
    """
    if isinstance(statistic, StepwiseStatistic) and _CLOCK in state:
        return 2 * 8 * (int(state[_CLOCK].max()) + 1) if len(state[_CLOCK]) else 0
    if isinstance(statistic, Raster) and "open" in state:
        sequences = min(int(state["open"][2]), len(state["lengths"]))
        steps = int(state["events"][:, 1].max()) + 1 if len(state["events"]) else 0
        watched = min(math.prod(state["shape"].tolist()), int(state["limits"][2]))
        return int(sequences * (steps + 1) * watched)
    return 0


def _check_firing(state: Mapping[str, Tensor], neurons: torch.Size) -> None:
    needed = ("events", "observations", "sequences", "faults")
    _check_keys(state, needed, (*needed, "total", "pending"))
    if "pending" in state:
        _check_tensor("pending", state, torch.bool, None)
    _check_tensor("events", state, torch.int64, neurons)
    _check_tensor("observations", state, torch.int64, ())
    _check_tensor("sequences", state, torch.int64, ())
    _check_tensor("faults", state, torch.bool, (2,))
    if "total" in state:
        _check_tensor("total", state, torch.float64, neurons)
        if not (state["faults"][0] or state["total"].isfinite().all()):
            raise ValueError("total is not finite, and all values are said to be")
    if (state["events"] > state["observations"]).any():
        raise ValueError("a neuron has more events than it was looked at")


def _check_by_class(state: Mapping[str, Tensor], neurons: torch.Size) -> None:
    keys = ("class_events", "class_total", "class_observations")
    _check_keys(state, keys, keys)
    _check_tensor("class_observations", state, torch.int64, None)
    classes = len(state["class_observations"])
    _check_tensor("class_events", state, torch.int64, (classes, *neurons))
    _check_tensor("class_total", state, torch.float64, (classes, *neurons))


def _check_raster(state: Mapping[str, Tensor], neurons: torch.Size) -> None:
    """What makes it large: the rest is checked where it is loaded."""
    needed = ("events", "lengths", "begun", "limits", "shape")
    _check_keys(state, needed, (*needed, "open", "pending"))
    _check_shape(state, neurons)
    _check_tensor("lengths", state, torch.int64, None)
    _check_tensor("events", state, torch.int64, (len(state["events"].reshape(-1)) // 3, 3))
    _check_tensor("begun", state, torch.int64, ())
    _check_tensor("limits", state, torch.int64, (3,))
    if "open" in state:
        _check_tensor("open", state, torch.int64, (3,))
        if "pending" in state:
            _check_tensor("pending", state, torch.bool, (int(state["open"][0]),))


def _check_totals(
    statistic: StepwiseStatistic, state: Mapping[str, Tensor], neurons: torch.Size
) -> None:
    _check_shape(state, neurons)
    blank = type(statistic)()
    blank._prepare(neurons, torch.device("cpu"))
    totals = dict(blank._totals)
    if "total" in blank._growing:
        totals["total"] = torch.zeros(0, dtype=torch.float64)
    opened = {key for key in state if key.startswith(_OPEN)}
    _check_keys(state, blank._totals, {"shape", *totals, *opened})
    for name, total in totals.items():
        if name in state:
            shape = None if name in blank._growing else total.shape
            _check_tensor(name, state, total.dtype, shape)


def _check_open(state: Mapping[str, Tensor], neurons: torch.Size) -> None:
    opened = {key for key in state if key.startswith(_OPEN)} - {_CLOCK}
    if not opened and _CLOCK not in state:
        return
    _check_keys(state, (_CLOCK,), state)
    _check_tensor(_CLOCK, state, torch.int64, None)
    clock = state[_CLOCK]
    batch = len(clock)
    if not opened:
        raise ValueError("sequences are open, and nothing tells how far they are")
    for key in opened:
        _check_tensor(key, state, state[key].dtype, (batch, *neurons))
        # Spikes so far, steps since the last one, whether there was one: at most one a step each.
        if (state[key].to(torch.int64) > clock.reshape(-1, *(1,) * len(neurons))).any():
            raise ValueError(f"{key} holds more than its open sequences have steps")


def _check_shape(state: Mapping[str, Tensor], neurons: torch.Size) -> None:
    _check_tensor("shape", state, torch.int64, (len(neurons),))
    came = state["shape"].tolist()
    if came != list(neurons):
        raise ValueError(f"expected neurons of shape {list(neurons)}, came {came}")


def _check_keys(state: Mapping[str, Tensor], needed: Iterable[str], known: Iterable[str]) -> None:
    missing, unknown = {*needed} - state.keys(), state.keys() - {*known}
    if missing or unknown:
        raise ValueError(f"it lacks {sorted(missing)} and has the unknown {sorted(unknown)}")


def _check_tensor(
    key: str, state: Mapping[str, Tensor], dtype: torch.dtype, shape: Sequence[int] | None
) -> None:
    """A tensor of that dtype and shape, of one dimension where that is None; no count below 0."""
    if key not in state:
        raise ValueError(f"it lacks {key}")
    tensor = state[key]
    fits = tensor.ndim == 1 if shape is None else list(tensor.shape) == list(shape)
    if tensor.dtype != dtype or not fits:
        expected = "[n]" if shape is None else list(shape)
        raise ValueError(
            f"expected {key} to be {dtype} of shape {expected}, came {tensor.dtype} of shape "
            f"{list(tensor.shape)}"
        )
    if dtype is torch.int64 and tensor.numel():
        least, most = (int(end) for end in tensor.aminmax())
        if least < 0 or most >= MOST_COUNT:
            raise ValueError(f"{key} holds a count of {least if least < 0 else most}")
