"""Files written whole or not at all.

What is written goes into a file of its own beside the target, `.<name>.<random>.part`, which then
takes the target's place in one step. A process killed on the way leaves it there; the next write
of the same target, an hour later or more, clears it away.

A link is followed: what it names is replaced, and it stays. What is no file on a disk, a pipe or a
device such as `/dev/null`, is written to like any program does, for it has no content to replace.
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

_STALE_SECONDS = 3600
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def write_bytes(path: str | os.PathLike[str], data: bytes | Iterable[bytes | memoryview]) -> None:
    """Replace the file at `path` by `data`: a reader sees the old file or the new one, whole.

    Args:
        path: the file; its folder has to exist. Of a pipe or a device that takes characters, the
            data are sent there.
        data: all of it, or its pieces in order.

    Raises:
        OSError: the folder does not exist or cannot be written, or the path is a folder, a socket
            or a disk; the old file is intact.
    """
    target = Path(os.path.realpath(path))
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


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """As `write_bytes`, in UTF-8."""
    write_bytes(path, text.encode())


def _mode(target: Path) -> int | None:
    """What the target is and who may use it; None where there is nothing yet."""
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
        # By this name, as that of an error of the program's own output is taken for its end.
        raise OSError(errno.EIO, "nobody reads it any more", str(target)) from cause


@contextlib.contextmanager
def _replacing(target: Path, permissions: int | None) -> Iterator[BinaryIO]:
    """A new file that takes the target's place in the end, and is gone after an error.

    It has the permissions of the file replaced, or those that the system gives a new one.
    """
    part = target.parent / f".{target.name}.{secrets.token_hex(4)}.part"
    # Never more than the old file's, not for a moment: it may hold what others must not read.
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
    # By age, not by whether their process lives: it may run on another machine of a shared disk,
    # whose clock, not ours, dates the files. One in the writing is dated anew by each write.
    with contextlib.suppress(OSError):
        latest = target.stat().st_mtime - _STALE_SECONDS
        for part in target.parent.glob(f".{glob.escape(target.name)}.*.part"):
            if part.stat().st_mtime < latest:
                part.unlink()
