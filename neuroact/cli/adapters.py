"""`neuroact adapters`: which there are, and which of them work."""

from __future__ import annotations

import typer

EXAMPLES = "neuroact adapters"


def adapters() -> None:
    """List the adapters installed here: their framework's version, and whether they work.

    A version outside the range that an adapter was tested with may work all the same. A broken
    adapter hurts no other.
    """
    from neuroact.adapter_status import adapter_statuses
    from neuroact.table import printable

    rows = [("framework", "installed", "tested", "adapter", "status")]
    for status in adapter_statuses():
        tested = " to ".join(dict.fromkeys(status.tested or ("-",)))
        rows.append(
            (status.framework, status.version or "-", tested, status.source, status.verdict)
        )
        if status.problem is not None and status.version is not None:
            rows.append(("", "", "", "", status.problem))
    widths = [max(len(row[at]) for row in rows) for at in range(4)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        typer.echo(printable("  ".join([*cells, row[4]]).rstrip()))
