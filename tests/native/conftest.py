"""Lets this folder's tests import its helpers, cores.py and layers.py."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
