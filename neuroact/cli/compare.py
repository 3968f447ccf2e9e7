"""`neuroact compare`: compare the reports in files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neuroact.cli.options import Legend, input_file
from neuroact.cli.pictures import check_ending
from neuroact.cli.reading import as_report, read_file
from neuroact.cli.reports import print_comparison

if TYPE_CHECKING:
    from neuroact.report.activity_report import ActivityReport
    from neuroact.report.history import History

EXAMPLES = """
neuroact compare before.json after.json
neuroact compare before.json after.json --plot difference.png --html difference.html
neuroact compare ann.json snn.json --map relu1=lif1 --map relu2=lif2
neuroact compare a.json b.json --label "before pruning" --label after --json
neuroact compare history.json
neuroact compare history.json other_history.json
"""


def compare(
    files: Annotated[
        list[Path],
        input_file(
            "Two or more reports' JSON files or recordings, all compared with the first. The "
            "history of a training is compared epoch by epoch if it is alone; beside others it "
            "stands for its last report."
        ),
    ],
    labels: Annotated[
        list[str] | None,
        typer.Option(
            "--label",
            metavar="TEXT",
            help="A name for each report, in order. Default: the files' names.",
        ),
    ] = None,
    layers: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="A=B",
            help="Match layer A of the first report with layer B of the others. May be given "
            "several times.",
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Also draw it, as PNG, SVG or PDF by the ending."),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write it as one page of HTML.")
    ] = None,
    legend: Legend = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the comparison as JSON instead of a table.")
    ] = False,
) -> None:
    """Compare reports layer by layer: what changed, and by how much.

    Layers are matched by name. Layers without a partner are listed. The models and their frameworks
    need not be installed.
    """
    from neuroact.report.comparison import compare as compared

    if plot is not None:
        check_ending(plot, "--plot")
    named = [_read(file, name) for file, name in zip(files, _labels(files), strict=True)]
    labels = labels or ([text for text, _ in named] if len(files) > 1 else None)
    comparison = compared(*(found for _, found in named), labels=labels, layers=_mapping(layers))
    print_comparison(comparison, as_json=as_json, legend=legend)
    for file, write in ((plot, comparison.plot), (html, comparison.to_html)):
        if file is not None:
            write(file)
            typer.echo(f"Written: {file}", err=True)


def _labels(files: list[Path]) -> list[str]:
    """The files' names; their paths if names are not unique; numbered if paths are not either."""
    for labels in ([file.stem for file in files], [str(file) for file in files]):
        if len(set(labels)) == len(labels):
            return labels
    return [f"{number}: {file}" for number, file in enumerate(files, start=1)]


def _read(file: Path, name: str) -> tuple[str, ActivityReport | History]:
    """A report or history, and its label beside others: a history stands for its last report."""
    from neuroact.report.history import History

    found = read_file(file)
    if not isinstance(found, History):
        return name, as_report(found, file)
    return f"{name} {found.entries[-1].name}" if found else name, found


def _mapping(pairs: list[str] | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in pairs or ():
        ours, _, theirs = pair.partition("=")
        if not ours or not theirs:
            raise typer.BadParameter(f"expected A=B, came {pair!r}.", param_hint="--map")
        found[ours] = theirs
    return found
