"""Arrays of any library as a tensor, without a copy where a view is possible."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.dlpack import from_dlpack

from neuroact.errors import ChunkError
from neuroact.stream.chunk import dense


def as_tensor(values: Any) -> Tensor:
    """The values as a dense tensor.

    A dense tensor is returned as it is. NumPy's arrays, read-only ones too, are viewed; so are
    arrays of JAX, CuPy and others, on their own device, by DLPack. What torch has no view of is
    copied: lists, sparse arrays and tensors, another byte order, negative strides, and dtypes that
    torch lacks, such as int4.

    Raises:
        ChunkError: the values are not numbers, have no values yet (they are traced by JAX), have a
            dtype that cannot be read, or are not of one rectangular shape.

    >>> import numpy as np
    >>> from neuroact.stream import as_tensor
    >>> as_tensor(np.array([1, 0, 2], dtype=">i2")[::-1])
    tensor([2, 0, 1], dtype=torch.int16)
    """
    if isinstance(values, Tensor):
        return dense(values)
    if isinstance(values, np.ma.MaskedArray):
        raise ChunkError(
            "came a masked array: pass its `.data`, and valid=, False where a step is padding"
        )
    try:
        for name in ("toarray", "todense"):  # sparse ones, of SciPy and of JAX
            if hasattr(values, name):
                values = getattr(values, name)()
        shared = None if isinstance(values, np.ndarray) else _by_dlpack(values)
        # torch reads lists too, but not the arrays of other libraries.
        return _of_numpy(np.asarray(values)) if shared is None else shared
    except Exception as cause:  # an array of another library may raise anything
        raise ChunkError(_refusal(values, cause)) from cause


def _by_dlpack(array: Any) -> Tensor | None:
    """A view of the memory of another library's array; None if torch cannot have one."""
    # torch ends the process where a stride is negative.
    if not hasattr(array, "__dlpack__") or min(getattr(array, "strides", None) or (0,)) < 0:
        return None
    try:
        return from_dlpack(array)
    except Exception:  # a dtype, a device or a layout that it does not hand on
        return None


def _of_numpy(array: NDArray[Any]) -> Tensor:
    if array.dtype.name == "bfloat16":  # a dtype of JAX's, which torch does not know as NumPy's
        return _of_numpy(array.view(np.int16)).view(torch.bfloat16)
    if array.dtype.isbuiltin == 2:  # its others, of fewer bits
        array = array.astype(np.float32)
    if array.dtype.kind not in "biufc":
        convert = ", which .astype(float) converts" if array.dtype == object else ""
        raise TypeError(f"its dtype is {array.dtype}{convert}")
    if not array.dtype.isnative or min(array.strides, default=0) < 0:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.flags.writeable:
        return torch.from_numpy(array)
    shared = _by_dlpack(array)  # from_numpy warns of a read-only one
    return torch.from_numpy(array.copy()) if shared is None else shared


def _refusal(values: Any, cause: Exception) -> str:
    came = f"came {type(values).__name__}, which cannot be read as an array of numbers of one shape"
    if type(cause).__name__ == "TracerArrayConversionError":
        return (
            f"{came}: jax is tracing it (jit, scan, vmap), so it has no numbers yet. Observe what "
            "the function returns, or call observe in jax.debug.callback(…, ordered=True)"
        )
    dtype = getattr(values, "dtype", None)
    if getattr(dtype, "names", None):
        return f"{came}: its dtype is {dtype}. If it is a list of events, use observe_events"
    first, _, _ = str(cause).partition("\n")
    advice = ""
    if isinstance(values, list | tuple) or getattr(dtype, "kind", "") == "O":
        advice = ". Pad what has different lengths, with valid= False where a step is padding"
    return f"{came}: {first.rstrip('.')}{advice}"
