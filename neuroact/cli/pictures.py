"""Check the name of a picture's file before anything is drawn."""

from __future__ import annotations

from pathlib import Path

import typer


def check_ending(path: Path, option: str) -> None:
    """Check that a file name ends in a format of pictures.

    Raises:
        BadParameter: it does not. The message lists the endings.
    """
    from neuroact.plots import FORMATS

    if path.suffix.lower().removeprefix(".") not in FORMATS:
        endings = ", ".join(f".{form}" for form in FORMATS)
        raise typer.BadParameter(
            f"expected a name that ends in one of {endings}, came {str(path)!r}.",
            param_hint=option,
        )
