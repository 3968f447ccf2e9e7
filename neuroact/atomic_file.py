"""Writes a file whole or not at all.

The data go into a new file beside the target, `.<name>.<random>.part`. This file then takes the
target's place in one step. A process that is killed on the way leaves its part behind. Any later
write of the same target removes that part once it is an hour old.

A link is followed: the file that it names is replaced, and the link stays. A pipe, or a device such
as `/dev/null`, has no content to replace, so it is written to directly.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from neuroact.card import came

_STALE_SECONDS = 3600
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def write_bytes(path: str | os.PathLike[str], data: bytes | Iterable[bytes | memoryview]) -> None:
    """Replace the file at `path` by `data`: a reader sees the old file or the new one, whole.

    Args:
        path: the file; its folder must exist. A pipe or a character device gets the data sent.
        data: all bytes, or pieces of them in order.

    Raises:
        TypeError: the path is neither a text nor a path.
        OSError: the folder does not exist or cannot be written, or the path is a folder, a socket
            or a disk. The old file is intact.
    """
    target = Path(os.path.realpath(checked_path(path)))
    pieces = (data,) if isinstance(data, bytes) else data
    mode = _mode(target)
    if mode is not None and not stat.S_ISREG(mode):
        _send(target, mode, pieces)
        return
    if not target.parent.is_dir():  # else the error would show the temporary file's name
        raise FileNotFoundError(errno.ENOENT, "no such folder", str(target.parent))
    with _replacing(target, None if mode is None else mode & 0o777) as file:
        file.writelines(pieces)
        file.flush()
        os.fsync(file.fileno())
    _clear_parts_left_behind(target)


def checked_path(path: str | os.PathLike[str]) -> str | os.PathLike[str]:
    """The path of a file, as it is.

    Raises:
        TypeError: it is neither a text nor a path; says what came.

    >>> from neuroact.atomic_file import checked_path
    >>> checked_path(3)
    Traceback (most recent call last):
    TypeError: expected the path of a file, such as "report.json", came 3
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f'expected the path of a file, such as "report.json", came {came(path)}')
    return path


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """As `write_bytes`, in UTF-8."""
    write_bytes(path, text.encode())


def _mode(target: Path) -> int | None:
    """The target's type and permissions, `st_mode`; None if there is no such file yet."""
    try:
        return target.stat().st_mode
    except FileNotFoundError:
        return None


def _send(target: Path, mode: int, pieces: Iterable[bytes | memoryview]) -> None:
    if not (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)):
        kind = {stat.S_IFDIR: "a folder", stat.S_IFSOCK: "a socket", stat.S_IFBLK: "a disk"}
        what = kind.get(stat.S_IFMT(mode), "no file")
        raise OSError(errno.EINVAL, f"cannot be written: it is {what}", str(target))
    try:
        with target.open("wb") as there:
            there.writelines(pieces)
    except BrokenPipeError as cause:
        # No BrokenPipeError: the command line takes one for the end of its own output.
        raise OSError(errno.EIO, "nobody reads it any more", str(target)) from cause


@contextlib.contextmanager
def _replacing(target: Path, permissions: int | None) -> Iterator[BinaryIO]:
    """A new file that takes the target's place at the end; after an error it is removed.

    It gets the permissions of the file that it replaces, or else those of any new file.
    """
    part = target.parent / f".{target.name}.{secrets.token_hex(4)}.part"
    # From the start no more permissions than the old file has: the data may be secret.
    handle = os.open(part, _NEW, 0o666 if permissions is None else permissions)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        if permissions is not None:
            part.chmod(permissions)
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _clear_parts_left_behind(target: Path) -> None:
    # Age decides, not whether the process that wrote a part is alive: on a shared disk it may run
    # on another machine. The disk's clock dates both files, and each write dates a part anew.
    with contextlib.suppress(OSError):
        latest = target.stat().st_mtime - _STALE_SECONDS
        for part in target.parent.glob(f".{glob.escape(target.name)}.*.part"):
            if part.stat().st_mtime < latest:
                part.unlink()
