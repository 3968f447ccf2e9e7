"""Files written whole or not at all.

What is written goes into a file of its own beside the target, `.<name>.<random>.part`, which then
takes the target's place in one step. A process killed on the way leaves it there; the next write
of the same target, an hour later or more, clears it away.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

_STALE_SECONDS = 3600


def write_bytes(path: str | os.PathLike[str], data: bytes | Iterable[bytes | memoryview]) -> None:
    """Replace the file at `path` by `data`: a reader sees the old file or the new one, whole.

    Args:
        path: the file; its folder has to exist.
        data: all of it, or its pieces in order.

    Raises:
        OSError: the folder does not exist or cannot be written; the old file is intact.
    """
    target = Path(path)
    if not target.parent.is_dir():  # else the error would show the temporary file's name
        raise FileNotFoundError(errno.ENOENT, "no such folder", str(target.parent))
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines((data,) if isinstance(data, bytes) else data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(_permissions(target))
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    _clear_parts_left_behind(target)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """As `write_bytes`, in UTF-8."""
    write_bytes(path, text.encode())


def _permissions(target: Path) -> int:
    """Those of the file replaced, or what `open` would give: mkstemp's are the owner's alone."""
    if target.exists():
        return target.stat().st_mode & 0o777
    umask = os.umask(0)
    os.umask(umask)
    return 0o666 & ~umask


def _clear_parts_left_behind(target: Path) -> None:
    # By age, not by whether their process lives: it may run on another machine of a shared disk,
    # whose clock, not ours, dates the files. One in the writing is dated anew by each write.
    with contextlib.suppress(OSError):
        latest = target.stat().st_mtime - _STALE_SECONDS
        for part in target.parent.glob(f".{glob.escape(target.name)}.*.part"):
            if part.stat().st_mtime < latest:
                part.unlink()
