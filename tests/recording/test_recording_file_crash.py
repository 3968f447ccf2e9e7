"""If a process is killed while it saves, the file is the old one or the new one, whole."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch

from neuroact import Recording
from neuroact.atomic_file import write_bytes
from neuroact.errors import RecordingFileError

KILLS = 100

# One process forks the children to kill, since importing torch anew for each would take too long.
# A child saves a recording again and again, a step longer each time, and reports each save.
PROGRAM = textwrap.dedent("""
    import os, random, signal, sys, time
    from pathlib import Path
    import torch
    from neuroact import Recording

    path, kills, draw = Path(sys.argv[1]), int(sys.argv[2]), random.Random(0)
    neurons = 20_000

    def steps(loaded):
        layer = loaded.report()["lif"]
        assert (layer.events == layer.observations).all(), "a mixture of two files"
        return layer.observations

    def save_for_ever(start, report):
        recording = Recording()
        recording.observe("lif", torch.ones(start, 1, neurons))
        while True:
            recording.observe("lif", torch.ones(1, 1, neurons), starts_sequence=False)
            recording.save(path)
            os.write(report, b"x")

    known, hit = 0, 0
    for number in range(20 * kills):
        if number >= kills and hit > kills // 10:
            break  # on a busy machine, fewer kills come in the middle of a save
        hears, report = os.pipe()
        child = os.fork()
        if child == 0:
            save_for_ever(known, report)
        os.close(report)
        os.read(hears, 1)  # after the first save the child dies at any moment
        time.sleep(draw.random() * 0.01)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        saved = known + 1
        while more := os.read(hears, 4096):
            saved += len(more)
        os.close(hears)
        found = steps(Recording.load(path))
        assert saved <= found <= saved + 1, (saved, found)
        known = found
        hit += len(list(path.parent.glob(".*.part"))) > 0
        assert len(list(path.parent.iterdir())) <= 2, "one part for each kill, and no more"
        for part in path.parent.glob(".*.part"):
            part.unlink()
    print(hit)
""")


def test_killed_at_any_moment_the_file_is_whole_and_at_most_one_part_is_left(
    tmp_path: Path,
) -> None:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "run.nact"), str(KILLS)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    # Otherwise no kill came in the middle of a save, and nothing was tested.
    assert int(run.stdout) > KILLS // 10


def test_parts_left_behind_an_hour_ago_are_cleared_away_and_others_kept(tmp_path: Path) -> None:
    target = tmp_path / "run[1].nact"
    mine = [tmp_path / f".{target.name}.{random}.part" for random in ("a", "b")]
    others = [tmp_path / ".run1.nact.a.part", tmp_path / f"{target.name}.part"]
    for path in (*mine, *others):
        path.touch()
    for path in (mine[0], *others):
        an_hour_and_more = path.stat().st_mtime - 3700
        os.utime(path, (an_hour_and_more, an_hour_and_more))
    write_bytes(target, b"new")
    assert set(tmp_path.iterdir()) == {target, mine[1], *others}


def test_an_error_in_the_middle_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording, path = Recording(), tmp_path / "run.nact"
    recording.observe("lif", torch.ones(1, 1, 3))
    recording.save(path)
    before = path.read_bytes()
    recording.observe("x" * 5000, torch.ones(1, 1, 3))
    with pytest.raises(RecordingFileError, match="has 5,000 characters"):
        recording.save(path)
    monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_bytes(path, [b"some", b"more"])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
