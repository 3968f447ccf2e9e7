"""What recording costs, compared with other tools that watch layers: `make bench`.

Run: python tests/benchmarks/bench.py [part ...] [--network NAME] [--rounds N] [--write FILE]

Parts: forward, operations, compiled, memory, events, metric, report, import; all of them if none is
named. With --write the tables also replace the text between the markers in a document.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

FROM, TO = "<!-- make bench writes from here", "<!-- to here -->"
COMPILED = ("GSC", "Norse", "tiny snnTorch", "tiny SpikingJelly")
GROW = (
    "bare",
    "neuroact, default",
    "neuroact, all of them",
    "workshop metric",
    "NeuroBench ActivationSparsity",
    "SpikingJelly OutputMonitor",
    "SpikingJelly OutputMonitor, means",
    "snnTorch OutputMonitor",
    "sinabs analyzer's hook",
    "torchmetrics SumMetric",
)
MILLION = 1_000_000


def row(*cells: object) -> str:
    """One line of a table."""
    return f"| {' | '.join(map(str, cells))} |"


def head(*cells: str) -> Iterator[str]:
    """The head of a table, with numbers aligned right."""
    yield row(*cells)
    yield row("---", *["---:"] * (len(cells) - 1))


def forward(options: argparse.Namespace) -> Iterator[str]:
    """What each way adds to the forward pass of each network."""
    from ways import WAYS

    yield from side_by_side(options, WAYS)


def operations(options: argparse.Namespace) -> Iterator[str]:
    """What counting synaptic operations adds, beside a recording of the same layers' inputs."""
    from compiled import compiled_cost
    from ways import OPERATIONS

    yield from side_by_side(options, OPERATIONS)
    yield ""
    yield "The same with `operations=True` under `torch.compile`."
    yield ""
    yield from head("", "not recorded", "added, %", "graph breaks", "with operations")
    for name in ("GSC", "tiny snnTorch"):
        if options.network in (None, name):
            floor, more, before, after = compiled_cost(name, options.rounds, operations=True)
            yield row(name, f"{floor * 1e3:.0f} ms", more, before, after)


def side_by_side(options: argparse.Namespace, ways: Mapping[str, Any]) -> Iterator[str]:
    """A table of these ways on each network."""
    from networks import CASES, build
    from paired import costs

    names = [name for name in CASES if options.network in (None, name)]
    columns = {}
    for name in names:
        rounds = max(3, options.rounds // 2) if name.startswith("conv") else options.rounds
        columns[name] = costs(build(name), ways, rounds)
    yield "Percent added to the forward pass: median (quartiles) of paired rounds."
    yield ""
    yield from head("", *names)
    yield row("bare forward pass", *(f"{floor * 1e3:.0f} ms" for floor, _ in columns.values()))
    for way in ways:
        cells = [found[way] for _, found in columns.values()]
        yield row(way, *("fails" if isinstance(cell, Exception) else cell for cell in cells))


def compiled(options: argparse.Namespace) -> Iterator[str]:
    """What the default recording adds to a compiled step."""
    from compiled import compiled_cost

    yield "Default recording under `torch.compile`, over the compiled step that is not recorded."
    yield ""
    yield from head("", "not recorded", "added, %", "graph breaks", "with the recording")
    for name in COMPILED:
        if options.network in (None, name):
            floor, more, before, after = compiled_cost(name, options.rounds)
            yield row(name, f"{floor * 1e3:.0f} ms", more, before, after)


def memory(options: argparse.Namespace) -> Iterator[str]:
    """Peak memory after ever more batches, minus that after ten."""
    from growth import growth

    yield "Peak memory over that after 10 batches of 16 kB of spikes, each in a process of its own."
    yield ""
    yield from head("", "100 batches", "1,000 batches")
    for name in GROW:
        found = growth(name)
        cells = ("fails",) * 2 if found is None else (f"{more / 1e6:+.1f} MB" for more in found)
        yield row(name, *cells)


def events(options: argparse.Namespace) -> Iterator[str]:
    """What a list of events takes to count, beside the array of the same events."""
    from bench_events import EVENTS, NEURONS, STEPS, table

    yield f"`observe_events`: {EVENTS:,} events of {NEURONS:,} neurons in {STEPS:,} steps, until"
    yield "there is a report; and `observe`, of the same as an array, a thousand steps at a time."
    yield "Processor time, and peak memory over that before, each in a process of its own."
    yield ""
    yield from table()


def metric(options: argparse.Namespace) -> Iterator[str]:
    """The metric for NeuroBench compared with the workshop's, after 20 and 80 batches."""
    from bench_neurobench import table

    yield "`AverageActivityMetric` against the workshop's metric in NeuroBench's Benchmark."
    yield ""
    yield from table((20, 80))


def report(options: argparse.Namespace) -> Iterator[str]:
    """A report of a million neurons with all its figures."""
    import torch

    from neuroact import Recording

    recording = Recording()
    recording.observe("lif", (torch.rand(20, 1, MILLION) < 0.1).float())
    figures = ("min", "max", "mean", "std", "median", "q1", "q3")

    def once() -> float:
        began = time.process_time()
        layer = recording.report()["lif"]
        for name in figures:
            getattr(layer, name)
        return time.process_time() - began

    ours, numpys = [], []
    activity = recording.report()["lif"].activity
    for _ in range(options.rounds):
        ours.append(once())
        began = time.process_time()
        np.quantile(activity, [0, 0.25, 0.5, 0.75, 1])
        numpys.append(time.process_time() - began)
    yield f"Report of 10⁶ neurons, with {', '.join(figures)}: {milliseconds(ours)}; `np.quantile`"
    yield f"alone, of their activity: {milliseconds(numpys)}."


def milliseconds(seconds: list[float]) -> str:
    """Median and quartiles."""
    low, middle, high = 1e3 * np.quantile(seconds, [0.25, 0.5, 0.75])
    return f"{middle:.0f} ms ({low:.0f} to {high:.0f})"


def importing(options: argparse.Namespace) -> Iterator[str]:
    """Time to import neuroact when torch is already imported."""
    program = (
        "import time, torch; began = time.process_time(); import neuroact; "
        "print(time.process_time() - began)"
    )
    command = [sys.executable, "-c", program]
    found = [float(subprocess.check_output(command, text=True)) for _ in range(5)]
    yield f"`import neuroact`, torch being imported already: {milliseconds(found)}."


PARTS: dict[str, Callable[[argparse.Namespace], Iterator[str]]] = {
    "forward": forward,
    "operations": operations,
    "compiled": compiled,
    "memory": memory,
    "events": events,
    "metric": metric,
    "report": report,
    "import": importing,
}


def machine() -> str:
    """The machine of the measurement: its cores, its memory, and how busy it was."""
    import torch

    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{os.cpu_count()} {platform.machine()} cores, {memory:.0f} GiB, "
        f"torch {torch.__version__}, one thread; load average at the start {load}."
    )


def write(path: Path, lines: list[str]) -> None:
    """Put the tables between the document's markers."""
    text = path.read_text()
    before, rest = text.split(FROM)
    note, rest = rest.split("-->", 1)
    _, after = rest.split(TO)
    path.write_text(f"{before}{FROM}{note}-->\n\n" + "\n".join(lines) + f"\n\n{TO}{after}")


def main() -> None:
    """Print the tables as they come, and write them into a document if asked."""
    import torch
    from networks import CASES

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    parser.add_argument("--network", choices=CASES, help="one network only")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--write", type=Path, metavar="FILE")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"expected parts of {', '.join(PARTS)}, came {', '.join(sorted(unknown))}")
    warnings.simplefilter("ignore")  # the frameworks' own warnings
    torch.set_num_threads(1)
    lines = [machine()]
    print(lines[0])
    for part in options.parts or PARTS:
        lines.append("")
        print(flush=True)
        for line in PARTS[part](options):
            lines.append(line)
            print(line, flush=True)
    if options.write is not None:
        write(options.write, lines)


if __name__ == "__main__":
    main()
