"""Tensors and one text in the safetensors format, read as if a stranger had written them.

::

    8 bytes   length of the header, little-endian
    header    JSON: every tensor's dtype, shape and offsets; the text, under "__metadata__"
    data      the tensors' bytes, without gaps; the last tensor is a SHA-256 of all before it

The `safetensors` package reads such a file too. It is read here without it because everything a
header says has to be checked before it is believed, which leaves the package nothing to do.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from neuroact.errors import RecordingFileError

PREFIX = 8
# A tensor takes about 80 bytes of it. Reading JSON takes up to 40 times its size, and a second for
# this much.
LARGEST_HEADER = 2**23
MOST_DIMENSIONS = 64
TEXT_KEY = "neuroact"
CHECKSUM_KEY = "sha256"

_DTYPES = {
    "F64": torch.float64,
    "I64": torch.int64,
    "U64": torch.uint64,
    "F32": torch.float32,
    "I32": torch.int32,
    "U32": torch.uint32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I16": torch.int16,
    "U16": torch.uint16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


@dataclass(frozen=True, slots=True)
class _Entry:
    """Where a tensor lies in the data."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    begin: int
    end: int


def pack(tensors: Mapping[str, Tensor], text: str) -> Iterator[bytes | memoryview]:
    """The pieces of a file, in order; tensors on the CPU are not copied.

    Raises:
        RecordingFileError: a dtype that the format has not, or a header beyond its limit.
    """
    # The widest first, so that each lies on a multiple of its own size.
    names = sorted(tensors, key=lambda name: (-tensors[name].itemsize, name))
    header: dict[str, Any] = {"__metadata__": {TEXT_KEY: text}}
    at = 0
    for name in names:
        end = at + tensors[name].numel() * tensors[name].itemsize
        header[name] = _entry_document(name, tensors[name], at, end)
        at = end
    checksum = hashlib.sha256()
    header[CHECKSUM_KEY] = {
        "dtype": "U8",
        "shape": [checksum.digest_size],
        "data_offsets": [at, at + checksum.digest_size],
    }
    yield (start := _header_bytes(header))
    checksum.update(start)
    for name in names:
        piece = _bytes_of(tensors[name])
        checksum.update(piece)
        yield piece
    yield checksum.digest()


class TensorFile:
    """What `pack` made, its header checked; tensors are made when they are asked for.

    Args:
        header: the file's first bytes, at least all of its header.
        size: of the whole file, in bytes.

    Attributes:
        text: the text packed with the tensors.

    Raises:
        RecordingFileError: the header is damaged, foreign, or does not fit the size.
    """

    def __init__(self, header: bytes | memoryview, size: int) -> None:
        self._start = header_end(header, size)
        try:
            text = bytes(header[PREFIX : self._start]).decode()
        except UnicodeDecodeError:
            raise RecordingFileError("its header is not UTF-8: it is damaged or foreign") from None
        fields = parse_json(text, "header")
        self.text = _text(fields.pop("__metadata__", None))
        entries = {name: _entry(name, field) for name, field in fields.items()}
        _check_gapless(entries, size - self._start)
        checksum = entries.pop(CHECKSUM_KEY, None)
        if checksum is None or checksum.shape != (32,) or checksum.end != size - self._start:
            raise RecordingFileError("expected a checksum at the end; there is none")
        self._entries = entries

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the tensors, in no particular order."""
        return tuple(self._entries)

    def check(self, data: bytes | memoryview) -> None:
        """Compare the whole file with its checksum.

        Raises:
            RecordingFileError: they differ.
        """
        whole = memoryview(data)
        if hashlib.sha256(whole[:-32]).digest() != whole[-32:]:
            raise RecordingFileError(
                "its checksum differs: bytes were changed after it was written"
            )

    def tensor(self, name: str, data: bytes | memoryview) -> Tensor:
        """A tensor of the file, in memory of its own."""
        entry = self._entries[name]
        raw = bytearray(memoryview(data)[self._start + entry.begin : self._start + entry.end])
        if not raw:  # frombuffer refuses it
            return torch.zeros(entry.shape, dtype=entry.dtype)
        return torch.frombuffer(raw, dtype=entry.dtype).reshape(entry.shape)


def may_begin(prefix: bytes | memoryview) -> bool:
    """Whether a file that begins so may be one of these; no text does, as none has a zero byte."""
    return len(prefix) == PREFIX and int.from_bytes(prefix, "little") <= LARGEST_HEADER


def header_end(prefix: bytes | memoryview, size: int) -> int:
    """Where the header of a file of that size ends, told by its first bytes.

    Raises:
        RecordingFileError: the file is too short, or the header longer than one can be.
    """
    if len(prefix) < PREFIX:
        raise RecordingFileError(f"{size} bytes are too few for a recording: it is cut short")
    if not may_begin(prefix[:PREFIX]):
        raise RecordingFileError("it does not begin like a recording, or its header is damaged")
    length = int.from_bytes(prefix[:PREFIX], "little")
    if PREFIX + length > size:
        raise RecordingFileError(f"it is cut short in its header, at {size} bytes")
    return PREFIX + length


def parse_json(text: str, what: str) -> dict[str, Any]:
    """A JSON object, refusing what Python's reader lets pass: keys twice, NaN, deep nesting.

    Raises:
        RecordingFileError: it is none; says which part of the file `what` is.
    """
    try:
        found = json.loads(text, object_pairs_hook=_once_each, parse_constant=_refuse)
    except RecursionError:
        raise RecordingFileError(f"its {what} is nested too deep") from None
    except ValueError as cause:
        raise RecordingFileError(f"its {what} is not JSON: {str(cause)[:200]}") from None
    if not isinstance(found, dict):
        raise RecordingFileError(f"its {what} is no JSON object")
    return found


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")


def _entry_document(name: str, tensor: Tensor, begin: int, end: int) -> dict[str, Any]:
    if tensor.dtype not in _NAMES or tensor.layout is not torch.strided:
        raise RecordingFileError(
            f'"{name}" cannot be saved: expected a dense tensor of bool, integers or floats, came '
            f"{tensor.dtype}, {tensor.layout}"
        )
    return {
        "dtype": _NAMES[tensor.dtype],
        "shape": list(tensor.shape),
        "data_offsets": [begin, end],
    }


def _header_bytes(header: Mapping[str, Any]) -> bytes:
    text = json.dumps(header, allow_nan=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % PREFIX)
    if len(text) > LARGEST_HEADER:
        raise RecordingFileError(
            f"the recording's names and shapes take {len(text):,} bytes, a file holds up to "
            f"{LARGEST_HEADER:,}: record fewer layers at once"
        )
    return len(text).to_bytes(PREFIX, "little") + text


def _bytes_of(tensor: Tensor) -> memoryview:
    flat = tensor.detach().cpu().reshape(-1)
    if flat.stride(0) != 1:  # torch calls one element, or none, contiguous whatever its stride
        flat = flat.clone(memory_format=torch.contiguous_format)
    return flat.view(torch.uint8).numpy().data


def _text(metadata: Any) -> str:
    text = metadata.get(TEXT_KEY) if isinstance(metadata, dict) else None
    if not isinstance(text, str):
        raise RecordingFileError("a safetensors file, but not one that neuroact wrote")
    return text


def _entry(name: str, field: Any) -> _Entry:
    try:
        dtype, shape = _DTYPES[field["dtype"]], tuple(map(_size, field["shape"]))
        begin, end = map(_size, field["data_offsets"])
    except (KeyError, TypeError, ValueError):
        raise RecordingFileError(f"its header is damaged at the tensor {name[:80]!r}") from None
    # First the number of sizes: the product of many large ones would be a number of megabytes.
    if (
        len(shape) > MOST_DIMENSIONS
        or math.prod(size or 1 for size in shape) >= 2**63
        or math.prod(shape) * dtype.itemsize != end - begin
    ):
        raise RecordingFileError(
            f"the tensor {name[:80]!r} declares a shape that {end - begin} bytes do not fill"
        )
    return _Entry(dtype, shape, begin, end)


def _size(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError(f"expected a size, came {value!r}")
    return value


def _check_gapless(entries: Mapping[str, _Entry], size: int) -> None:
    at = 0
    for entry in sorted(entries.values(), key=lambda entry: (entry.begin, entry.end)):
        if entry.begin != at:
            raise RecordingFileError("its header is damaged: tensors overlap, or leave a gap")
        at = entry.end
    if at != size:
        more = "is cut short" if at > size else "goes on after its end"
        raise RecordingFileError(f"it {more}: expected {at:,} bytes of data, came {size:,}")
