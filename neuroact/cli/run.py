"""`neuroact run`: record a user's own model over the user's own batches."""

from __future__ import annotations

import math
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neuroact.cli.application import INTERRUPTED
from neuroact.cli.interrupt import Progress, run_each
from neuroact.cli.operations import Costs, costs_named, print_operations
from neuroact.cli.options import Legend, output_file
from neuroact.cli.reports import print_report
from neuroact.cli.target import statistic, subject, users_code
from neuroact.cli.verdicts import AsJson, FailOn, conditions, end_by_verdicts
from neuroact.errors import NeuroactError

if TYPE_CHECKING:
    from torch import nn

    from neuroact.recording.recording import Recording
    from neuroact.report.activity_report import ActivityReport

EXAMPLES = """
neuroact run evaluation:test_set
neuroact run my_package.evaluation:test_set --out activity.json
neuroact run my_package.evaluation:part_1 --out part-1.nact
neuroact run evaluation:test_set --layers 'encoder.*' --layers head.lif
neuroact run evaluation:test_set --layers '*.lif' --kind binary --values 0 --state 1
neuroact run evaluation:test_set --dt 0.001 --json
neuroact run evaluation:test_set --operations --costs HOROWITZ_45NM_FP32
neuroact run evaluation:test_set --fail-on dead=0.3
"""


def run(
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="package.module:function, see above.")
    ],
    layers: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A layer's name or a glob. May be given several times."),
    ] = None,
    axes: Annotated[
        str | None,
        typer.Option(
            metavar="ORDER",
            help="Order of the dimensions where no adapter knows the module, such as BTN.",
        ),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(metavar="KIND", help="What such a module emits: binary, graded or analog."),
    ] = None,
    values: Annotated[
        str | None,
        typer.Option(
            metavar="PLACE",
            help="Where in its output the values are: an index, or a key or an attribute.",
        ),
    ] = None,
    state: Annotated[
        str | None,
        typer.Option(
            metavar="PLACE",
            help="Its state: an index of the output, which comes back as an argument, or an "
            "attribute of the module.",
        ),
    ] = None,
    statistics: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A statistic to record beside the counts: one of neuroact's, or your own as "
            "package.module:Class. May be given several times.",
        ),
    ] = None,
    dt: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Length of a time step.")
    ] = None,
    operations: Annotated[
        bool,
        typer.Option(
            "--operations",
            help="Also count the synaptic operations: what arrives at each Linear and convolution.",
        ),
    ] = False,
    costs: Costs = None,
    out: Annotated[
        Path | None,
        output_file(
            "The file to write: the report if it ends in .json, or the recording, for "
            "`neuroact merge`, if it ends in .nact."
        ),
    ] = None,
    legend: Legend = False,
    as_json: AsJson = False,
    fail_on: FailOn = None,
) -> None:
    """Record your own model over your own batches.

    TARGET names your function, in a module of the working folder or an installed one. The function
    takes no arguments and returns (model, batches) or (model, batches, run).

    For each batch, run(model, batch) is called, and does the time steps and resets. If there is no
    run, the model is called with the batch's first member; if ClassActivity is recorded and a batch
    is a pair, its second member is then taken for the samples' labels if it is a tensor of whole
    numbers. The model stays in its mode, train or eval. No gradients are computed.

    Ctrl-C ends the run after the current batch. What was recorded is still shown and written, and
    the exit code is 130. A second Ctrl-C drops everything.
    """
    import torch

    from neuroact.recording.measure import run_batch, shown

    _check_can_be_written(out)
    if dt is not None and not 0 < dt < math.inf:
        raise typer.BadParameter(f"expected seconds above 0, came {dt:g}.", param_hint="--dt")
    asked, priced = conditions(fail_on), costs_named(costs, as_json=as_json)
    operations = operations or priced is not None
    kept = [statistic(name) for name in statistics or ()]
    reading = {"axes": axes, "kind": kind, "values": _place(values), "state": _place(state)}
    _check_reading(reading)
    model, batches, run_one = subject(target)
    options = {**reading, "statistics": kept, "dt": dt, "operations": operations}
    with users_code(), _begun(model, layers or None, options) as recording, torch.no_grad():
        progress = run_each(
            shown(batches), lambda batch: run_batch(recording, model, batch, run_one)
        )
    if progress.interrupted and not progress.batches:
        typer.echo("Ctrl-C came before the end of the first batch: nothing was recorded.", err=True)
        raise typer.Exit(INTERRUPTED)
    report = _with_origin(recording.report(), target, progress)
    print_report(report, asked, as_json=as_json, legend=legend)
    if operations and not as_json:
        typer.echo()
        print_operations(report.operations, priced, legend=legend)
    if out is not None:
        if out.suffix == ".nact":
            recording.save(out)
        else:
            report.to_json(out)
        typer.echo(f"Written: {out}", err=True)
    if progress.interrupted:
        typer.echo(f"Ctrl-C: the figures are those of {progress.batches:,} batches.", err=True)
        raise typer.Exit(INTERRUPTED)
    end_by_verdicts(report, asked)


def _begun(model: nn.Module, layers: list[str] | None, options: dict[str, Any]) -> Recording:
    from neuroact.recording.start import record

    try:
        return record(model, layers=layers, **options)
    except (TypeError, ValueError) as cause:
        if isinstance(cause, NeuroactError):
            raise
        raise typer.BadParameter(f"{cause}.") from cause


def _place(text: str | None) -> Any:
    """An index if it is a number, else the text itself."""
    return int(text) if text is not None and re.fullmatch(r"-?\d+", text) else text


def _check_reading(reading: dict[str, Any]) -> None:
    """Check the options before the user's code runs, not after."""
    from neuroact.layers.reading import Reading

    for option, value in reading.items():
        try:
            Reading(**{option: value})
        except ValueError as cause:
            raise typer.BadParameter(f"{cause}.", param_hint=f"--{option}") from cause


def _check_can_be_written(out: Path | None) -> None:
    """Check the file's name before hours of recording, not after."""
    if out is None:
        return
    problem = None
    if out.suffix not in (".json", ".nact"):
        problem = "expected a name that ends in .json or .nact"
    elif out.is_dir():
        problem = "it is a folder"
    elif not out.parent.is_dir():
        problem = f"there is no folder {str(out.parent)!r}"
    if problem is not None:
        raise typer.BadParameter(f"{str(out)!r}: {problem}.", param_hint="--out")


def _with_origin(report: ActivityReport, target: str, progress: Progress) -> ActivityReport:
    from neuroact.report.activity_report import ActivityReport

    run: dict[str, Any] = {"target": target, **asdict(progress)}
    return ActivityReport(
        report.values(),
        origin={**report.origin, "run": run},
        not_called=report.not_called,
        operations=report.recorded_operations,
    )
