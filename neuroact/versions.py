"""Which version of a package is installed."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version


def installed_version(package: str) -> str | None:
    """Version of an installed distribution; None if it is not installed.

    One of another name than the package has, as NEST's, tells it if the package is imported.
    """
    try:
        return version(package)
    except PackageNotFoundError:
        found = getattr(sys.modules.get(package), "__version__", None)
        return None if found is None else str(found)
