"""Checks a statistic's state before it is loaded. Anyone may have written the file it comes from.

Loading makes tensors of the sizes that the state states, so these are checked first. No tensor is
then larger than what the file itself holds. Open sequences are the exception: they take more, and
`working_memory` says how much.
"""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

import torch
from torch import Tensor

from neuroact.statistics.class_activity import ClassActivity
from neuroact.statistics.counting.exact_sums import (
    LEAST_TOP,
    MOST_TOP,
    SQUARE_DIGITS,
    SUM_DIGITS,
)
from neuroact.statistics.counting.real_bins import BINS
from neuroact.statistics.counting.stepwise import StepwiseStatistic
from neuroact.statistics.firing import Firing
from neuroact.statistics.raster import Raster
from neuroact.statistics.signal import Signal

MOST_COUNT = 2**62
"""Counts below it can be added to others without leaving int64."""
_MOST_SUM = torch.iinfo(torch.int64).max

_OPEN, _CLOCK = "open_", "open_clock"
_Form: TypeAlias = tuple[torch.dtype, Sequence[int | None]]
"""A tensor's dtype and shape; None if a dimension may have any size."""


def check_state(statistic: object, state: Mapping[str, Tensor], neurons: torch.Size | None) -> None:
    """Refuse a state that the statistic of a layer of these neurons cannot have given.

    Args:
        statistic: one of neuroact's own. The state of any other passes, since its form is unknown.
        state: empty if the statistic counted nothing.
        neurons: shape of the layer's neurons; None if the layer was never called.

    Raises:
        ValueError: says what was expected and what came.
    """
    if not isinstance(statistic, Firing | ClassActivity | Raster | Signal | StepwiseStatistic):
        return
    if neurons is None or not state:
        if state:
            raise ValueError("the layer was never called, but has counts")
        if neurons is not None and isinstance(statistic, Firing):
            raise ValueError("the layer was called, but has no counts")
        return
    if "shape" in state and (came := state["shape"].tolist()) != list(neurons):
        raise ValueError(f"expected neurons of shape {list(neurons)}, came {came}")
    if isinstance(statistic, Firing):
        _check_firing(state, neurons)
    elif isinstance(statistic, ClassActivity):
        _check_by_class(state, neurons)
    elif isinstance(statistic, Raster):
        _check_raster(state, neurons)
    elif isinstance(statistic, Signal):
        _check_signal(state, neurons)
    else:
        _check_stepwise(statistic, state, neurons)


def check_arrivals(
    state: Mapping[str, Tensor], elements: torch.Size | None, has_fans: bool
) -> tuple[str, ...]:
    """Refuse a state of `Arrivals`, with the fan-out beside it, that no recording can have written.

    Args:
        state: as `Arrivals.state_dict` gives it, and `connected` and `dense`.
        elements: shape of one input; None where the layer was never called.
        has_fans: whether the fan-out has to be there.

    Returns:
        The keys that are of the fan-out.

    Raises:
        ValueError: says what was expected and what came.
    """
    if elements is None:
        if state:
            raise ValueError("the layer was never called, but has counts")
        return ()
    counts = dict.fromkeys(("ones", "others", "magnitude"), (torch.int64, elements))
    fans = dict.fromkeys(("connected", "dense"), (torch.int64, elements))
    needed: dict[str, _Form] = {
        **counts, "observations": (torch.int64, ()), "unreliable": (torch.bool, (2,))
    }  # fmt: skip
    _check_tensors(state, needed | fans if has_fans else needed, {} if has_fans else fans)
    if (state["ones"] + state["others"] > state["observations"]).any():
        raise ValueError("an element has more events than observations")
    if int(state["observations"]) * elements.numel() > _MOST_SUM:
        raise ValueError("the sum of its events cannot be counted")
    if not fans.keys() <= state.keys():
        return ()
    if (state["connected"] > state["dense"]).any():
        raise ValueError("an element has more weights than connections")
    if elements.numel() and int(state["dense"].max()) * elements.numel() > _MOST_SUM:
        raise ValueError("the sum of its weights cannot be counted")
    return tuple(fans)


def working_memory(statistic: object, state: Mapping[str, Tensor]) -> int:
    """Bytes that a state takes beyond its own size, once it is loaded and its result is computed.

    An open sequence can have any number of steps, however small its state is. A histogram has a
    count for each step, and an open raster a byte for each step and neuron.

    Args:
        statistic: one of neuroact's own; for any other the answer is 0.
        state: one that `check_state` let pass.
    """
    if isinstance(statistic, StepwiseStatistic) and _CLOCK in state:
        steps = int(state[_CLOCK].max()) if len(state[_CLOCK]) else -1
        if "window" in state:
            steps = min(steps, int(state["window"]))
        return 2 * 8 * (steps // int(state.get("bin_width", 1)) + 1)
    if isinstance(statistic, Signal) and state:
        return 8 * BINS  # its histogram, of which a state has only the bins that hold a value
    if isinstance(statistic, Raster) and "open" in state:
        sequences = min(int(state["open"][2]), len(state["lengths"]))
        steps = int(state["events"][:, 1].max()) + 1 if len(state["events"]) else 0
        watched = min(math.prod(state["shape"].tolist()), int(state["limits"][2]))
        return int(sequences * (steps + 1) * watched)
    return 0


def _check_firing(state: Mapping[str, Tensor], neurons: torch.Size) -> None:
    _check_tensors(
        state,
        {
            "events": (torch.int64, neurons),
            "observations": (torch.int64, ()),
            "sequences": (torch.int64, ()),
            "faults": (torch.bool, (2,)),
        },
        {"total": (torch.float64, neurons), "pending": (torch.bool, (None,))},
    )
    if "total" in state and not (state["faults"][0] or state["total"].isfinite().all()):
        raise ValueError("total is not finite, but no value is marked as NaN or infinite")
    if (state["events"] > state["observations"]).any():
        raise ValueError("a neuron has more events than observations")


def _check_by_class(state: Mapping[str, Tensor], neurons: torch.Size) -> None:
    classes = _length(state, "class_observations")
    _check_tensors(
        state,
        {
            "class_observations": (torch.int64, (None,)),
            "class_events": (torch.int64, (classes, *neurons)),
            "class_total": (torch.float64, (classes, *neurons)),
        },
    )


def _check_raster(state: Mapping[str, Tensor], neurons: torch.Size) -> None:
    """Check only the sizes: `Raster.load_state_dict` checks the rest."""
    _check_tensors(
        state,
        {
            "events": (torch.int64, (None, 3)),
            "lengths": (torch.int64, (None,)),
            "begun": (torch.int64, ()),
            "limits": (torch.int64, (3,)),
            "shape": (torch.int64, (len(neurons),)),
        },
        {"open": (torch.int64, (3,)), "pending": (torch.bool, (None,))},
    )
    if {"open", "pending"} <= state.keys() and len(state["pending"]) != state["open"][0]:
        raise ValueError(f"expected pending of {int(state['open'][0])} samples")


def _check_signal(state: Mapping[str, Tensor], neurons: torch.Size) -> None:
    steps = _length(state, "step_observations")
    with_threshold: dict[str, _Form] = {
        "threshold": (torch.float64, ()),
        "above": (torch.int64, neurons),
    }
    _check_tensors(
        state,
        {
            "shape": (torch.int64, (len(neurons),)),
            "min": (torch.float64, neurons),
            "max": (torch.float64, neurons),
            "zeros": (torch.int64, neurons),
            "sums": (torch.int64, (SUM_DIGITS, *neurons)),
            "squares": (torch.int64, (SQUARE_DIGITS, *neurons)),
            "top": (torch.int64, ()),
            "bins": (torch.int64, (None,)),
            "bin_counts": (torch.int64, (_length(state, "bins"),)),
            "step_observations": (torch.int64, (None,)),
            "step_sums": (torch.int64, (SUM_DIGITS, steps)),
            "step_squares": (torch.int64, (SQUARE_DIGITS, steps)),
            "nonfinite": (torch.bool, ()),
            **(with_threshold if "threshold" in state else {}),
        },
        {"open_clock": (torch.int64, (None,))},
        signed=("sums", "squares", "step_sums", "step_squares", "top"),
    )
    if not LEAST_TOP <= int(state["top"]) <= MOST_TOP:
        raise ValueError(f"expected top from {LEAST_TOP} to {MOST_TOP}, came {int(state['top'])}")
    bins = state["bins"]
    if len(bins) and (int(bins[-1]) >= BINS or (bins.diff() < 1).any()):
        raise ValueError(f"bins: expected numbers of bins below {BINS}, ascending")
    if (state["bin_counts"] < 1).any():
        raise ValueError("bin_counts: a bin without a value")
    if "threshold" in state and not math.isfinite(state["threshold"]):
        raise ValueError("threshold is not a finite number")
    if "open_clock" in state and (state["open_clock"] > (steps or 0)).any():
        raise ValueError("an open sequence has more steps than were observed")
    if state["nonfinite"]:
        return
    observations = int(state["step_observations"].sum())
    if any((state[key] > observations).any() for key in ("zeros", "above") if key in state):
        raise ValueError("zeros, above: a neuron has more than it has values")
    if int(state["bin_counts"].sum()) != observations * neurons.numel():
        raise ValueError("bin_counts: another number of values than there were")


def _check_stepwise(
    statistic: StepwiseStatistic, state: Mapping[str, Tensor], neurons: torch.Size
) -> None:
    blank = type(statistic)()
    blank._configure(state)
    blank._prepare(neurons, torch.device("cpu"))
    opened = [key for key in state if key.startswith(_OPEN) and key != _CLOCK]
    needed: dict[str, _Form] = {"shape": (torch.int64, (len(neurons),))}
    needed |= dict.fromkeys(blank._settings, (torch.int64, ()))
    for key, total in blank._totals.items():
        needed[key] = (total.dtype, (None,) if key in blank._growing else total.shape)
    for key in opened:
        needed[_CLOCK] = (torch.int64, (None,))
        each = () if key.removeprefix(_OPEN) in blank._of_samples else neurons
        needed[key] = (state[key].dtype, (_length(state, _CLOCK), *each))
    amounts = "total" in blank._growing
    _check_tensors(state, needed, {"total": (torch.float64, (None,))} if amounts else {})
    for key in opened:
        steps = state[_CLOCK].reshape(-1, *(1,) * (state[key].ndim - 1))
        if key.removeprefix(_OPEN) in blank._of_samples:
            steps = steps * neurons.numel()  # of all neurons together
        # Spikes so far, steps since the last one, or whether there was one: at most one a step.
        if (state[key].to(torch.int64) > steps).any():
            raise ValueError(f"{key} holds more than its open sequences have steps")


def _length(state: Mapping[str, Tensor], key: str) -> int | None:
    return state[key].numel() if key in state else None


def _check_tensors(
    state: Mapping[str, Tensor],
    needed: Mapping[str, _Form],
    optional: Mapping[str, _Form] = MappingProxyType({}),
    signed: Container[str] = (),
) -> None:
    """Refuse other keys, dtypes and shapes than these, and counts below 0 or above the limit.

    Args:
        state: what to check.
        needed: dtype and shape by key.
        optional: likewise, of tensors that may be missing.
        signed: keys of int64 that are no counts and may have any value.
    """
    missing, unknown = needed.keys() - state.keys(), state.keys() - needed.keys() - optional.keys()
    if missing or unknown:
        raise ValueError(f"it lacks {sorted(missing)} and has the unknown {sorted(unknown)}")
    for key, tensor in state.items():
        dtype, shape = needed[key] if key in needed else optional[key]
        fits = len(shape) == tensor.ndim and all(
            size in (None, came) for size, came in zip(shape, tensor.shape, strict=True)
        )
        if tensor.dtype != dtype or not fits:
            expected = ["n" if size is None else size for size in shape]
            raise ValueError(
                f"expected {key} to be {dtype} of shape {expected}, came {tensor.dtype} of shape "
                f"{list(tensor.shape)}"
            )
        if dtype is torch.int64 and tensor.numel() and key not in signed:
            least, most = (int(end) for end in tensor.aminmax())
            if least < 0 or most >= MOST_COUNT:
                raise ValueError(f"{key} holds a count of {least if least < 0 else most}")
