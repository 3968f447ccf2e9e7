"""Makes a chunk of what the user feeds by hand."""

from __future__ import annotations

from typing import Any

from neuroact.errors import ChunkError
from neuroact.layers.axes import Axes
from neuroact.layers.reading import kind_of
from neuroact.stream.chunk import SignalKind, SpikeChunk, as_tensor


def observed(
    name: str,
    values: Any,
    axes: str | None,
    kind: SignalKind | str,
    starts_sequence: bool,
    valid: Any,
) -> SpikeChunk:
    """A chunk of the layer `name`; arguments as in `Recording.observe`.

    Raises:
        ChunkError: the values or the mask cannot be read or do not fit; names the layer.
        TypeError, ValueError: `axes` or `kind` is not valid.
    """
    order = Axes("TBN" if axes is None else axes)
    meaning = kind_of(kind)
    try:
        tensor = as_tensor(values)
        if axes is None and tensor.ndim < 3:
            raise ChunkError(_which_axes(tuple(tensor.shape)))
        mask = None if valid is None else as_tensor(valid)
        return SpikeChunk(order.ordered(tensor), meaning, starts_sequence, mask)
    except ValueError as cause:
        raise ChunkError(f'layer "{name}": {cause}', layer=name) from cause


def _which_axes(shape: tuple[int, ...]) -> str:
    came = f"came values of shape {list(shape)}, without axes= to say what each dimension is"
    if len(shape) == 2:
        pairs = "; pairs such as (neuron, step) are not read: make an array of 0 and 1 of them"
        return (
            f'{came}: say axes="TN" for [time, neurons], "NT" for [neurons, time], "BN" for one '
            f'step of a batch or "TB" for a single neuron{pairs if shape[1] == 2 else ""}'
        )
    if len(shape) == 1:
        return f'{came}: say axes="N" for one step of many neurons, "T" for one neuron over time'
    return f"{came}: expected [time, batch, *neurons]"
