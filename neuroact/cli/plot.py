"""`neuroact plot`: draw a report, a comparison, or the history of a training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neuroact.cli.operations import operations_of
from neuroact.cli.options import input_file, output_file
from neuroact.cli.pictures import check_ending
from neuroact.cli.reading import read_file

if TYPE_CHECKING:
    from neuroact.report.activity_report import ActivityReport
    from neuroact.report.history import History

EXAMPLES = """
neuroact plot activity.json
neuroact plot activity.json --kind violin --out paper.pdf
neuroact plot activity.json --kind neurons --layer conv2.lif
neuroact plot activity.json --layers "conv*" --order mean
neuroact plot activity.json --kind operations
neuroact plot history.json --metric dead
neuroact plot comparison.json
"""


def plot(
    file: Annotated[
        Path,
        input_file(
            "The JSON file of a report, a comparison or a training's history, or a recording."
        ),
    ],
    out: Annotated[
        Path | None,
        output_file(
            "The picture to write, as PNG, SVG or PDF by its ending. Default: FILE with the "
            "ending .png."
        ),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="For a report: box (the default), violin, curve, time, intervals, signal, "
            "signal-time or operations. For one layer: neurons, raster or classes.",
        ),
    ] = None,
    layer: Annotated[str | None, typer.Option(metavar="NAME", help="Draw only this layer.")] = None,
    layers: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="For a report: draw only these layers, by name or glob. May be given several "
            "times.",
        ),
    ] = None,
    order: Annotated[
        str | None,
        typer.Option(
            metavar="ORDER",
            help="For a report: model (the default), name, or a figure such as mean or dead, the "
            "largest first.",
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            metavar="METRIC",
            help="For a history: mean (the default), median, std, min, q1, q3, max, sparsity, dead "
            "or saturated.",
        ),
    ] = None,
) -> None:
    """Draw a report as a box per layer, or as another kind of picture.

    Time courses, intervals, signals and rasters need a statistic, as in
    `neuroact run ... --statistics TimeCourse`, and operations need
    `--operations`. The history of a training is a grid of layers and epochs. A comparison is a box
    per layer and report. Needs the extra `plots`.
    """
    from neuroact.report.comparison import Comparison
    from neuroact.report.history import History

    picture = file.with_suffix(".png") if out is None else out
    found = read_file(file)
    if isinstance(found, History):
        _refuse({"--kind": kind}, "FILE is a history: it has one kind of picture, see --metric")
        _refuse({"--layers": layers, "--order": order}, "FILE is a history: it takes --layer")
        _draw_history(found, picture, layer, metric)
    elif isinstance(found, Comparison):
        given = {"--kind": kind, "--layer": layer, "--layers": layers, "--order": order}
        what = "FILE is a comparison: it has one picture, of all its layers"
        _refuse({**given, "--metric": metric}, what)
        check_ending(picture, "--out")
        found.plot(picture)
    else:
        _refuse({"--metric": metric}, "FILE is a report: only a history is drawn by metric")
        if layer is not None:
            _refuse({"--layers": layers}, "one layer is drawn, that of --layer")
        _draw_report(found, picture, kind or "box", layer, layers, order or "model")
    typer.echo(f"Written: {picture}", err=True)


def _draw_report(
    report: ActivityReport,
    out: Path,
    kind: str,
    layer: str | None,
    layers: list[str] | None,
    order: str,
) -> None:
    from neuroact.plots import KINDS
    from neuroact.plots.kinds import OF_LAYERS, ORDERS, chosen_layers

    check_ending(out, "--out")
    _one_of(kind, KINDS, "--kind")
    _one_of(order, ORDERS[:2] if kind == "operations" else ORDERS, "--order")
    if kind in OF_LAYERS and layer is None and len(chosen_layers(report, layers)) != 1:
        raise _wrong("--layer", f"{kind} shows one layer; there are: {', '.join(report)}")
    if kind == "operations":
        operations_of(report, "--kind")
    report.plot(out, kind=kind, layer=layer, layers=layers, order=order)


def _draw_history(history: History, out: Path, layer: str | None, metric: str | None) -> None:
    from neuroact.plots import HISTORY_METRICS

    check_ending(out, "--out")
    if not history:
        raise _wrong("FILE", "the history has no reports yet")
    metric = _one_of(metric or "mean", HISTORY_METRICS, "--metric")
    history.plot(out, metric=metric, layer=layer)


def _refuse(options: Mapping[str, Any], what: str) -> None:
    """Say that these options are not for such a file, if one is given."""
    for option, value in options.items():
        if value is not None:
            raise _wrong(option, what)


def _one_of(value: str, known: Iterable[str], option: str) -> str:
    if value not in known:
        raise _wrong(option, f"expected one of {', '.join(known)}, came {value!r}")
    return value


def _wrong(option: str, what: str) -> typer.BadParameter:
    return typer.BadParameter(f"{what}.", param_hint=option)
