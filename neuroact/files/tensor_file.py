"""Tensors and one text in a file of the safetensors format, read without trusting the file.

::

    8 bytes   length of the header, little-endian
    header    JSON: every tensor's dtype, shape and offsets; the text, under "__metadata__"
    data      the tensors' bytes, without gaps; the last tensor is a SHA-256 of all before it

The `safetensors` package reads the tensors. It checks the header against the file: dtypes, shapes,
offsets, overlaps, gaps, and the length. Three things are done here instead:

- Writing. The package would copy everything twice before it writes the first byte.
- Reading the text. The package reads the text of files only, not of bytes.
- Stricter checks. A header has at most 8 MiB (the package allows 100 MB), no key comes twice, and
  the checksum fits.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from neuroact.errors import RecordingFileError
from neuroact.files.strict_json import strict_json

PREFIX = 8
# A tensor takes about 80 bytes of the header. Reading a header of this size takes about a second,
# and up to 40 times its size in memory.
LARGEST_HEADER = 2**23
TEXT_KEY = "neuroact"
CHECKSUM_KEY = "sha256"

_NAMES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.bool: "BOOL",
    **{getattr(torch, f"int{bits}"): f"I{bits}" for bits in (8, 16, 32, 64)},
    **{getattr(torch, f"uint{bits}"): f"U{bits}" for bits in (8, 16, 32, 64)},
}

_DTYPES = {name: dtype for dtype, name in _NAMES.items()}


def pack(tensors: Mapping[str, Tensor], text: str) -> Iterator[bytes | memoryview]:
    """The pieces of a file, in order. Tensors on the CPU are not copied.

    Equal tensors and texts give equal bytes, whatever the order of the mapping.

    Raises:
        RecordingFileError: the format lacks a tensor's dtype, or the header is too large.
    """
    # Widest dtype first: so every tensor starts at a multiple of its item size.
    names = sorted(tensors, key=lambda name: (-tensors[name].itemsize, name))
    checksum = hashlib.sha256()
    header: dict[str, Any] = {"__metadata__": {TEXT_KEY: text}}
    at = 0
    for name in names:
        begin, at = at, at + tensors[name].nbytes
        header[name] = {
            "dtype": _dtype_name(name, tensors[name]),
            "shape": list(tensors[name].shape),
            "data_offsets": [begin, at],
        }
    header[CHECKSUM_KEY] = {"dtype": "U8", "shape": [32], "data_offsets": [at, at + 32]}
    yield (start := _header_bytes(header))
    checksum.update(start)
    for name in names:
        piece = _bytes_of(tensors[name])
        checksum.update(piece)
        yield piece
    yield checksum.digest()


def unpack(data: bytes) -> dict[str, Tensor]:
    """The tensors of a file that `pack` made, each in its own memory.

    Raises:
        RecordingFileError: header and data do not agree, or bytes were changed after writing.
    """
    from safetensors import SafetensorError, deserialize

    try:
        entries = deserialize(data)  # type: ignore[no-untyped-call]
        tensors = {name: _tensor(**entry) for name, entry in entries}
    except (SafetensorError, KeyError, OverflowError, RuntimeError, TypeError, ValueError) as cause:
        # The other errors: safetensors reads the dtype or shape, but torch or neuroact does not.
        reason, size = str(cause).partition("\n")[0][:200], f"{len(data):,}"
        raise RecordingFileError(
            f"it is cut short or damaged: its header does not fit its {size} bytes ({reason})"
        ) from None
    if tensors.pop(CHECKSUM_KEY, None) is None:
        raise RecordingFileError("expected a checksum at the end; there is none")
    whole = memoryview(data)
    if hashlib.sha256(whole[:-32]).digest() != whole[-32:]:
        raise RecordingFileError("its checksum differs: bytes were changed after it was written")
    return tensors


def text_of(start: bytes, size: int) -> str:
    """The text of a file that `pack` made.

    Args:
        start: the file's first bytes, with at least the whole header.
        size: bytes of the whole file.

    Raises:
        RecordingFileError: the header is damaged, or not neuroact's.
    """
    try:
        header = start[PREFIX : header_end(start, size)].decode()
    except UnicodeDecodeError:
        raise RecordingFileError("its header is not UTF-8: it is damaged or foreign") from None
    metadata = parse_json(header, "header").get("__metadata__")
    text = metadata.get(TEXT_KEY) if isinstance(metadata, dict) else None
    if not isinstance(text, str):
        raise RecordingFileError("a safetensors file, but not one that neuroact wrote")
    return text


def may_begin(prefix: bytes) -> bool:
    """Whether a file may be of this format, by its first bytes. A text never is: no byte is 0."""
    return len(prefix) == PREFIX and int.from_bytes(prefix, "little") <= LARGEST_HEADER


def header_end(start: bytes, size: int) -> int:
    """The end of the header, from the file's first bytes and its size.

    Raises:
        RecordingFileError: the file is too short, or the header too long.
    """
    prefix = start[:PREFIX]
    if len(prefix) < PREFIX:
        raise RecordingFileError(f"{size} bytes are too few for a recording: it is cut short")
    if not may_begin(prefix):
        raise RecordingFileError("it does not begin like a recording, or its header is damaged")
    end = PREFIX + int.from_bytes(prefix, "little")
    if end > size:
        raise RecordingFileError(f"it is cut short in its header, at {size} bytes")
    return end


def parse_json(text: str, what: str) -> dict[str, Any]:
    """Parse a JSON object, as `strict_json` does.

    Args:
        text: the JSON.
        what: what the text is, for the error.

    Raises:
        RecordingFileError: the text is not a JSON object, or nested too deep.
    """
    try:
        found = strict_json(text)
    except RecursionError:
        raise RecordingFileError(f"its {what} is nested too deep") from None
    except ValueError as cause:
        raise RecordingFileError(f"its {what} is not JSON: {str(cause)[:200]}") from None
    if not isinstance(found, dict):
        raise RecordingFileError(f"its {what} is no JSON object")
    return found


def _dtype_name(name: str, tensor: Tensor) -> str:
    if tensor.dtype not in _NAMES or tensor.layout is not torch.strided:
        raise RecordingFileError(
            f'"{name}" cannot be saved: expected a dense tensor of bool, integers or floats, came '
            f"{tensor.dtype}, {tensor.layout}"
        )
    return _NAMES[tensor.dtype]


def _tensor(dtype: str, shape: list[int], data: bytearray) -> Tensor:
    if not data:  # frombuffer refuses it
        return torch.zeros(shape, dtype=_DTYPES[dtype])
    return torch.frombuffer(data, dtype=_DTYPES[dtype]).reshape(shape)


def _header_bytes(header: Mapping[str, Any]) -> bytes:
    text = json.dumps(header, allow_nan=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % PREFIX)
    if len(text) > LARGEST_HEADER:
        raise RecordingFileError(
            f"the recording's names and shapes take {len(text):,} bytes, but a file holds at most "
            f"{LARGEST_HEADER:,}: record fewer layers at once"
        )
    return len(text).to_bytes(PREFIX, "little") + text


def _bytes_of(tensor: Tensor) -> memoryview:
    flat = tensor.detach().cpu().reshape(-1)
    if flat.stride(0) != 1:  # torch calls one element, or none, contiguous whatever its stride
        flat = flat.clone(memory_format=torch.contiguous_format)
    return flat.view(torch.uint8).numpy().data
