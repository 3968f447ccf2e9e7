"""Lets tests import this folder's helpers, raw.py and the case files."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
