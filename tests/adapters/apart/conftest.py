"""Lets tests import this folder's files, and their frameworks."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from importable import make_importable

make_importable()
