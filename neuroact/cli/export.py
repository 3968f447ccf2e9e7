"""`neuroact export`: write a report as CSV, Parquet or JSON."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from neuroact.cli.operations import operations_of
from neuroact.cli.options import input_file, output_file
from neuroact.cli.reading import read_report

EXAMPLES = """
neuroact export activity.json --out layers.csv
neuroact export activity.json --per neuron --out neurons.parquet
neuroact export activity.json --operations --out operations.csv
neuroact export all.nact --out activity.json
neuroact export activity.json > layers.csv
"""


def export(
    file: Annotated[Path, input_file("A report's JSON, or a recording.")],
    out: Annotated[
        Path | None,
        output_file(
            "The file to write. Its ending is the format: .csv, .parquet or .json. Default: "
            "CSV on standard output."
        ),
    ] = None,
    per: Annotated[
        Literal["layer", "neuron"],
        typer.Option(
            metavar="UNIT", help="What a row of CSV or Parquet is of: a layer or a neuron."
        ),
    ] = "layer",
    operations: Annotated[
        bool,
        typer.Option(
            "--operations",
            help="Write the synaptic operations instead of the activity, as CSV or Parquet: a row "
            "for each layer that was counted.",
        ),
    ] = False,
) -> None:
    """Write a report for other programs: a row per layer or neuron.

    JSON holds the whole report, and neuroact can read it again. Parquet needs the extra `parquet`.
    """
    ending = ".csv" if out is None else out.suffix.lower()
    if ending not in (".csv", ".parquet", ".json"):
        raise typer.BadParameter(
            f"expected a name that ends in .csv, .parquet or .json, came {str(out)!r}.",
            param_hint="--out",
        )
    for option, given in {"--per": per == "neuron", "--operations": operations}.items():
        if ending == ".json" and given:
            raise typer.BadParameter(
                "a report's JSON has layers, neurons and operations: leave this option out.",
                param_hint=option,
            )
    if operations and per == "neuron":
        raise typer.BadParameter(
            "operations are those of layers: leave this option out.", param_hint="--per"
        )
    from neuroact.printable import printable_lines
    from neuroact.table import is_terminal

    report = read_report(file)
    to_csv, to_parquet = partial(report.to_csv, per=per), partial(report.to_parquet, per=per)
    if operations:
        counted = operations_of(report, "--operations")
        to_csv, to_parquet = partial(counted.to_csv), partial(counted.to_parquet)
    if out is None:
        text = to_csv()
        # Not typer.echo: a program must get every name unchanged. On a terminal, escape codes in
        # names are made visible.
        sys.stdout.write(printable_lines(text) if is_terminal() else text)
        return
    if ending == ".csv":
        to_csv(out)
    elif ending == ".parquet":
        to_parquet(out)
    else:
        report.to_json(out)
    typer.echo(f"Written: {out}", err=True)
