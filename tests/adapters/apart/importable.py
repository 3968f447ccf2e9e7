"""Makes frameworks importable without packages that they do not need here."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from types import ModuleType


def make_importable() -> None:
    """Stand in for samna, and for what BindsNET's own `__init__` imports.

    What PyPI has as samna runs pip when it is imported, to install another package. Rockpool
    imports samna if it is there.

    BindsNET's `__init__` imports its environments and data sets, and so gymnasium, torchvision,
    which has no build for this torch, and more. Its networks need none of them.
    """
    sys.modules.setdefault("samna", ModuleType("samna"))
    found = find_spec("bindsnet")
    if found is not None and "bindsnet" not in sys.modules:
        package = ModuleType("bindsnet")
        package.__path__ = list(found.submodule_search_locations or ())
        sys.modules["bindsnet"] = package
