"""A write replaces a file whole; a pipe, device, socket or folder stays what it is."""

from __future__ import annotations

import ast
import os
import socket
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from neuroact import ActivityReport, Comparison, Recording, atomic_file
from neuroact.atomic_file import write_bytes, write_text


@pytest.fixture
def mask(request: pytest.FixtureRequest) -> Iterator[int]:
    """Sets the process's umask for one test."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.parametrize("path", [3, None, b"a.json", ["a.json"]])
def test_what_is_no_path_is_an_error_that_says_so_wherever_a_file_is_named(path: Any) -> None:
    recording = Recording()
    recording.observe("lif", torch.ones(2, 1, 3))
    report = recording.report()
    for write in (report.to_parquet, recording.save, lambda to: write_text(to, "text")):
        with pytest.raises(TypeError, match=r"expected the path of a file, .*, came"):
            write(path)
    for read in (ActivityReport.from_json, Comparison.from_json, Recording.load):
        with pytest.raises(TypeError, match=r"expected the path of a file, .*, came"):
            read(path)
    if path is not None:  # no file is written
        for method in (report.to_json, report.to_html, report.to_csv, report.plot):
            with pytest.raises(TypeError, match=r"expected the path of a file, .*, came"):
                method(path)


def permissions(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o000], indirect=True, ids=oct)
def test_a_new_file_has_the_permissions_that_open_gives(mask: int, tmp_path: Path) -> None:
    write_bytes(tmp_path / "ours", b"x")
    with (tmp_path / "opens").open("wb"):
        pass
    assert permissions(tmp_path / "ours") == permissions(tmp_path / "opens") == 0o666 & ~mask


@pytest.mark.parametrize("mask", [0o022, 0o077], indirect=True, ids=oct)
@pytest.mark.parametrize("kept", [0o600, 0o644, 0o666, 0o755], ids=oct)
def test_a_file_replaced_keeps_its_permissions(mask: int, kept: int, tmp_path: Path) -> None:
    path = tmp_path / "run.nact"
    path.touch()
    path.chmod(kept)
    write_bytes(path, b"x")
    assert (permissions(path), path.read_bytes()) == (kept, b"x")


def test_no_part_can_be_read_by_more_than_the_file_it_replaces(tmp_path: Path) -> None:
    path = tmp_path / "secret.json"
    path.touch()
    path.chmod(0o600)

    def pieces() -> Iterator[bytes]:
        [part] = set(tmp_path.iterdir()) - {path}
        assert permissions(part) == 0o600
        yield b"x"

    write_bytes(path, pieces())


def test_the_umask_of_the_process_is_left_alone() -> None:
    """It can be read only by setting it; files that other threads make meanwhile would be open."""
    tree = ast.parse(Path(atomic_file.__file__).read_text())
    assert "umask" not in {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def test_a_target_deleted_at_any_moment_is_written_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "run.nact"
    path.touch()

    def pieces() -> Iterator[bytes]:
        path.unlink()
        yield b"x"

    write_bytes(path, pieces())
    assert path.read_bytes() == b"x"


def test_a_target_that_disappears_after_the_first_look_is_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, real, looks = tmp_path / "run.nact", Path.stat, []
    path.touch()

    def gone(self: Path, **options: bool) -> os.stat_result:
        if self == path and not looks:
            looks.append(path.unlink())  # between one look and the next
        return real(self, **options)

    monkeypatch.setattr(Path, "stat", gone)
    write_bytes(path, b"x")
    assert path.read_bytes() == b"x"


def test_a_link_stays_and_what_it_names_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    link, target = tmp_path / "latest.json", tmp_path / "runs/3.json"
    link.symlink_to(target)
    for text in ("new", "newer"):  # the link leads to nothing at first, then to a file
        write_text(link, text)
        assert link.is_symlink()
        assert target.read_text() == text
    assert {path.name for path in tmp_path.rglob("*")} == {"latest.json", "runs", "3.json"}


def test_a_pipe_stays_one_and_gets_all_that_is_written(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    recording = Recording()
    recording.observe("lif", torch.ones(2, 1, 3))
    recording.save(tmp_path / "whole.nact")
    came: list[bytes] = []
    reader = threading.Thread(target=lambda: came.append(pipe.read_bytes()))
    reader.start()
    recording.save(pipe)
    reader.join()
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    assert came == [(tmp_path / "whole.nact").read_bytes()]
    assert {path.name for path in tmp_path.iterdir()} == {"pipe", "whole.nact"}


def test_a_character_device_stays_one(tmp_path: Path) -> None:
    device = tmp_path / "null"
    try:
        os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        device.write_bytes(b"")
    except OSError:  # without root no device can be made, and the real one cannot be replaced
        device.unlink(missing_ok=True)
        device.symlink_to(os.devnull)
    number = device.stat().st_rdev
    recording = Recording()
    recording.observe("lif", torch.ones(2, 1, 3))
    report = recording.report()
    for write in (recording.save, report.to_json, report.to_csv, report.to_html):
        write(device)
    assert stat.S_ISCHR(device.stat().st_mode)
    assert device.stat().st_rdev == number
    assert list(tmp_path.iterdir()) == [device]


def test_a_socket_and_a_folder_are_refused_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        (tmp_path / "folder").mkdir()
        for name in ("socket", "folder"):
            with pytest.raises(OSError, match=rf"cannot be written: it is a {name}: .*{name}"):
                write_bytes(name, b"x")
        assert stat.S_ISSOCK((tmp_path / "socket").stat().st_mode)
    assert {path.name for path in tmp_path.iterdir()} == {"socket", "folder"}
