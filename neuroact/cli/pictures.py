"""What a picture's file may be called, told before anything is drawn."""

from __future__ import annotations

from pathlib import Path

import typer


def check_ending(path: Path, option: str) -> None:
    """Refuse a name whose ending is no format of a picture.

    Raises:
        BadParameter: names the endings there are.
    """
    from neuroact.plots import FORMATS

    if path.suffix.lower().removeprefix(".") not in FORMATS:
        endings = ", ".join(f".{form}" for form in FORMATS)
        raise typer.BadParameter(
            f"expected a name that ends in one of {endings}, came {str(path)!r}.",
            param_hint=option,
        )
