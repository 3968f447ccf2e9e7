"""The gallery draws every kind of picture from a real run."""

from __future__ import annotations

import runpy
from pathlib import Path

from neuroact.plots import KINDS

GALLERY = Path(__file__).parents[2] / "examples" / "gallery.py"


def test_the_gallery_has_a_picture_of_every_kind_and_more(tmp_path: Path) -> None:
    gallery = runpy.run_path(str(GALLERY))
    paths = gallery["make"](tmp_path / "new", epochs=1)
    names = [path.stem for path in paths]
    assert set(names) >= {*KINDS, "channels", "history", "comparison"}
    assert sorted((tmp_path / "new").iterdir()) == sorted(paths)
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in paths)
    assert len({path.read_bytes() for path in paths}) == len(paths)
