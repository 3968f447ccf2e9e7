"""`neuroact demo`: train a network, record it, and show the report."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol, cast

import typer

from neuroact.cli.operations import print_operations
from neuroact.errors import MissingExtraError, NeuroactError

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from neuroact.report.activity_report import ActivityReport

EXAMPLES = """
neuroact demo
neuroact demo --framework norse --out /tmp/demo
neuroact demo --framework all
"""
DEFAULT = "snntorch"
DEMO_ENTRY_POINTS = "neuroact.demos"
Progress = Callable[[int, int, str], None]

_INSTALLED_AS = {"sklearn": "scikit-learn"}
_EXTRAS = {"snntorch": "demo"}
_YOUR_OWN = """\
The same for a network of your own:

    import neuroact

    with neuroact.record(net) as recording:
        for x, _ in loader:
            net(x)
    print(recording.report())
"""


class DemoResult(Protocol):
    """What a demo returns."""

    @property
    def accuracy(self) -> float:
        """Share of the test samples classified correctly."""

    @property
    def samples(self) -> int:
        """Number of test samples."""

    @property
    def report(self) -> ActivityReport:
        """Activity over all test samples, and synaptic operations if the demo counts them."""


class Demo(Protocol):
    """An entry point of the group `neuroact.demos`. Its name is the framework's."""

    def __call__(self, *, seed: int, epochs: int | None, progress: Progress) -> DemoResult:
        """Train a network and record it. Call `progress(done, total, text)` after each epoch."""


def demo(
    framework: Annotated[
        str,
        typer.Option(metavar="NAME", help="snntorch, norse, spikingjelly, or all to compare them."),
    ] = DEFAULT,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            help="Folder for reports and pictures. It is created if missing.",
        ),
    ] = Path("neuroact-demo"),
    seed: Annotated[
        int, typer.Option(min=0, metavar="N", help="Seed of the weights and the order of samples.")
    ] = 0,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="N",
            help="Passes over the training digits. Default: the demo's own number.",
        ),
    ] = None,
) -> None:
    """Train a small spiking network and show what its neurons do.

    It learns the 1,797 handwritten digits of scikit-learn, in less than a minute on two cores, and
    is recorded on the digits held out, with its synaptic operations. The same seed gives the same
    figures. The network is the same in each framework: weights, neurons and order of samples.
    """
    runs = _load_demos(framework)
    out.mkdir(parents=True, exist_ok=True)
    results = {}
    for name, run in runs.items():
        typer.echo(f"Training a spiking network on handwritten digits ({name}).", err=True)
        with _progress_shown() as progress:
            results[name] = run(seed=seed, epochs=epochs, progress=progress)
    for name, result in results.items():
        typer.echo(
            f"{name}: {result.accuracy:.1%} of {result.samples:,} test digits classified correctly."
        )
    reports = {name: result.report for name, result in results.items()}
    written = _compared(reports, out) if len(reports) > 1 else _alone(reports[framework], out)
    typer.echo(f"\nWritten: {', '.join(map(str, written))}\n\n{_YOUR_OWN}")


def _alone(report: ActivityReport, out: Path) -> list[Path]:
    """Print the report and write it; return the files."""
    from neuroact.table import IN_COMMANDS, print_table

    typer.echo()
    print_table(report, hints=IN_COMMANDS)
    if report.recorded_operations is not None:
        typer.echo()
        print_operations(report.operations, None)
    return _written(report, out / "activity")


def _compared(reports: Mapping[str, ActivityReport], out: Path) -> list[Path]:
    """Print how the frameworks differ, and write each one's report; return the files."""
    from neuroact.report.comparison import compare
    from neuroact.table.comparison import print_comparison

    comparison = compare(*reports.values(), labels=list(reports))
    typer.echo()
    print_comparison(comparison, hint="neuroact compare FILE FILE --legend")
    picture = out / "comparison.png"
    comparison.plot(picture)
    return [
        *(file for name, report in reports.items() for file in _written(report, out / name)),
        picture,
    ]


def _written(report: ActivityReport, stem: Path) -> list[Path]:
    files = [stem.with_suffix(".json"), stem.with_suffix(".png")]
    report.to_json(files[0])
    report.plot(files[1])
    return files


def installed_demos() -> dict[str, EntryPoint]:
    """The entry points of the group `neuroact.demos`, by framework."""
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=DEMO_ENTRY_POINTS)}


def _load_demos(framework: str) -> dict[str, Demo]:
    """The demos asked for, by framework. All are loaded before the first one trains."""
    points = installed_demos()
    if not points:
        raise NeuroactError("there is no demo: the installation of neuroact is not complete")
    if framework not in (*points, "all"):
        there_are = ", ".join([*sorted(points), "all"])
        raise typer.BadParameter(
            f'there is no demo for "{framework}". There are: {there_are}.',
            param_hint="--framework",
        )
    # The default comes first: the others are compared with it.
    every = sorted(points, key=lambda name: (name != DEFAULT, name))
    names = every if framework == "all" else [framework]
    return {name: _load_demo(points[name]) for name in names}


def _load_demo(point: EntryPoint) -> Demo:
    try:
        import_module(
            "matplotlib.figure"
        )  # needed only at the end, but checked before the training
        return cast(Demo, point.load())
    except ModuleNotFoundError as cause:
        package = (cause.name or "").partition(".")[0]
        raise MissingExtraError(
            _INSTALLED_AS.get(package, package),
            # The extra `demo` brings snnTorch; the other frameworks' extras have their names.
            extra="demo" if package != point.name else _EXTRAS.get(package, package),
            purpose="neuroact demo",
        ) from cause


@contextmanager
def _progress_shown() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda done, total, text: typer.echo(f"epoch {done}/{total}: {text}", err=True)
        return
    columns = (
        TextColumn("epoch"),
        MofNCompleteColumn(),
        BarColumn(),
        TextColumn("{task.fields[text]}"),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("training", total=None, text="")
        yield lambda done, total, text: bar.update(task, completed=done, total=total, text=text)
