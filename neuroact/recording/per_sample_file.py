"""The operations of samples in a recording's file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from neuroact.errors import RecordingFileError
from neuroact.recording.per_sample import Samples
from neuroact.recording.per_sample_sums import SampleSums
from neuroact.results.spread import OperationSpread, check_spread

_FIGURES = ("least", "most", "sum", "exact")


def written_samples(
    samples: Samples, names: Sequence[str]
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What a file says of the samples of these connections, and its tensors."""
    entries, tensors = [], dict[str, Tensor]()
    with samples.lock:
        count, found = samples.count, samples.so_far()
    for name, key in _keys(names):
        spread, problem = found[name]
        entries.append({"problem": problem} | {f: getattr(spread, f) for f in _FIGURES})
        for part in ("values", "counts"):
            tensors[f"{key}.{part}"] = torch.tensor(getattr(spread, part), dtype=torch.int64)
    return {"count": count, "sums": entries}, tensors


def read_samples(
    document: Any, states: dict[str, dict[str, Tensor]], names: Sequence[str]
) -> Samples:
    """The samples that `written_samples` wrote; takes its tensors away from `states`.

    Raises:
        KeyError, TypeError, ValueError: it was not written so.
        RecordingFileError: names a layer whose figures are damaged.
    """
    samples = Samples()
    samples.count = _whole(document["count"])
    for (name, key), entry in zip(_keys(names), document["sums"], strict=True):
        sums = samples.total if name is None else samples.of.setdefault(name, SampleSums())
        sums.problem = entry["problem"]
        if not (sums.problem is None or type(sums.problem) is str):
            raise TypeError("a problem is no text")
        try:
            sums.spread = _spread(entry, states.pop(key, {}))
            if sums.spread.samples > samples.count:
                raise ValueError(f"it has {sums.spread.samples} samples of {samples.count}")
        except ValueError as cause:
            raise RecordingFileError(
                f"the operations per sample of {name or 'all layers'} are damaged: {cause}",
                layer=name,
            ) from cause
    return samples


def _keys(names: Sequence[str]) -> list[tuple[str | None, str]]:
    """Each connection's name, and what its tensors' names begin with; None for the total."""
    each = [(name, f"operations.samples{at}") for at, name in enumerate(names)]
    return [*each, (None, "operations.samples")]


def _spread(entry: Any, state: dict[str, Tensor]) -> OperationSpread:
    if state.keys() != {"values", "counts"} or any(
        tensor.dtype != torch.int64 or tensor.ndim != 1 for tensor in state.values()
    ):
        raise ValueError("expected values and counts, int64 [n]")
    if type(entry["exact"]) is not bool:
        raise ValueError("whether they are exact is neither true nor false")
    least, most, total = (_whole(entry[name]) for name in ("least", "most", "sum"))
    values, counts = (tuple(state[key].tolist()) for key in ("values", "counts"))
    return check_spread(OperationSpread(values, counts, least, most, total, entry["exact"]))


def _whole(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("a count is none")
    return value
