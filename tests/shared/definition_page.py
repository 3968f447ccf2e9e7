"""Writes the pages of `docs/reference/definitions` from the docstrings: run it after changing one.

Run: python tests/shared/definition_page.py
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from neuroact import LayerActivity, SignalKind
from neuroact import statistics as stats
from neuroact.energy import OperationCosts
from neuroact.results.beside_operations import MemoryAccesses, NeuronUpdates
from neuroact.results.energy import Energy
from neuroact.results.folded import FoldedOperations
from neuroact.results.operations import LayerOperations, OperationCounts, Operations
from neuroact.results.spread import OperationSpread
from neuroact.statistics import BUILT_IN
from neuroact.statistics.results import CountedResult, LayerResult

FOLDER = Path(__file__).parents[2] / "docs/reference/definitions"
INDEX = FOLDER.with_suffix(".md")

HEAD = """# Definitions

These pages are written by `tests/shared/definition_page.py` from the docstrings: each figure is
defined beside the code that computes it; a test compares the two. Every statistic is held against
an independent oracle on raw spike trains: NumPy and, to 1e-12,
[elephant](../../tests/statistics/test_elephant.py) where it defines the same.

Common to all: an *event* is a value that is not zero. A sample's *sequence* is its steps from one
start to the next, padding left out. Counts are int64, so any split of the data, merged in any
order, gives the same bits. Without `dt`, times are in steps; with it there are ms and Hz
besides. Where a layer is `unreliable` (NaN among its values, or a binary layer that is not), every
figure is NaN.
"""

COUNTED = (
    "`SpikeCounts`, `InterspikeIntervals` and `Synchrony` count whole numbers in a histogram: "
    "spikes per sequence and neuron, steps per interval, spikes per step and sample. All three "
    "have these figures of it.\n"
)

# Results whose figures are defined once, above.
SHARED = (LayerResult, CountedResult)


def pages() -> dict[Path, str]:
    """The text of each page by its file, and of the one that leads to them."""
    parts = {slug: (title, "\n".join(text)) for slug, title, text in sections()}
    links = [f"- [{title}](definitions/{slug}.md)" for slug, (title, _) in parts.items()]
    links.append("- [Verdicts: `report.diagnose()`](verdicts.md)")
    toctree = [
        "",
        ":::{toctree}",
        ":hidden:",
        "",
        *(f"definitions/{slug}" for slug in parts),
        ":::",
    ]
    first = "\n".join([HEAD, *links, *toctree, "", *kinds_table()])
    return {INDEX: first} | {
        FOLDER / f"{slug}.md": f"# {title}\n\n{text}" for slug, (title, text) in parts.items()
    }


def sections() -> Iterator[tuple[str, str, Iterable[str]]]:
    """Each page's name, title and text."""
    yield "activity", "Activity of a layer", described(LayerActivity)
    yield "counted-numbers", "Figures of counted numbers", [COUNTED, *figures(CountedResult)]
    for name, cls in BUILT_IN.items():
        result = described(getattr(stats, f"{name}Result"), heading="###")
        found = [f"## What `{name}` finds\n", *result]
        yield slug_of(name), f"`{name}`", [markdown(cls), *found]
    yield from operation_sections()


def operation_sections() -> Iterator[tuple[str, str, Iterable[str]]]:
    """The pages of `report.operations`."""
    of_a_layer = ["## Of a layer alone\n", *described(LayerOperations, heading="###")]
    counts = [*described(OperationCounts), *of_a_layer]
    yield "operations", "Synaptic operations of a layer: `report.operations[name]`", counts
    total = "Synaptic operations of all layers: `report.operations`"
    yield "operations-in-all", total, described(Operations)
    yield "operations-over-samples", "Operations over samples: `spread`", described(OperationSpread)
    folded = "Operations with a pool folded in: `folded`"
    yield "operations-folded", folded, described(FoldedOperations)
    updates = "Updates of neurons: `report.operations.neurons`"
    yield "neuron-updates", updates, described(NeuronUpdates)
    accesses = "Accesses to memory: `report.operations.memory`"
    yield "memory-accesses", accesses, described(MemoryAccesses)
    costs = ["## Costs of operations\n", *described(OperationCosts, heading="###")]
    energy = [*described(Energy), *costs]
    yield "energy", "Energy: `report.operations.energy(costs)`", energy


def slug_of(name: str) -> str:
    """The name of a page's file: `TimeCourse` is on time-course.md."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", name).lower()


def kinds_table() -> Iterator[str]:
    """Which statistic applies to which kind of layer."""
    yield "## Which statistic applies to which kind of layer\n"
    yield "| statistic | " + " | ".join(f"`{kind.value}`" for kind in SignalKind) + " |"
    yield "|---|" + "---|" * len(SignalKind)
    for name, cls in BUILT_IN.items():
        kinds = getattr(cls, "kinds", frozenset(SignalKind))
        marks = ("yes" if kind in kinds else "no" for kind in SignalKind)
        yield f"| `{name}` | " + " | ".join(marks) + " |"
    yield (
        "\nOf a graded layer's spikes, events count, whatever their size; their sizes are in "
        "`total`. Real values are hardly ever exactly 0, so counting the others as spikes would "
        "count steps: asking for one of these statistics of an analog layer is a "
        "`StatisticKindError` that names the layer, before anything is recorded.\n"
    )


def described(cls: type, *, heading: str = "##") -> Iterator[str]:
    """A class's docstring and each of its figures."""
    yield markdown(cls)
    yield from figures(cls, heading=heading)


def figures(cls: type, *, heading: str = "##") -> Iterator[str]:
    """Each figure that the class itself defines."""
    for name, member in vars(cls).items():
        if name.startswith("_"):
            continue
        if isinstance(member, property | cached_property):
            yield f"{heading} `{name}`\n"
        elif inspect.isfunction(member) and cls not in (LayerResult,):
            yield f"{heading} `{name}{_arguments(member)}`\n"
        else:
            continue
        yield markdown(member)


def markdown(described: Any) -> str:
    """A docstring as Markdown: examples and tables as code, lists of arguments as lists."""
    text = inspect.getdoc(described) or ""
    blocks = re.split(r"\n\s*\n(?!\s{4,})", text)
    return "\n\n".join(_block(block) for block in blocks) + "\n"


def _block(block: str) -> str:
    head, _, rest = block.partition("\n")
    if head.startswith(">>>"):
        return f"```pycon\n{block}\n```"
    if head.startswith("==="):
        return f"```text\n{block}\n```"
    if head in ("Args:", "Attributes:", "Returns:", "Raises:"):
        return f"{head[:-1]}:\n\n" + "\n".join(_items(rest, listed=head != "Returns:"))
    return block


def _items(text: str, *, listed: bool) -> Iterable[str]:
    lines = inspect.cleandoc(text).splitlines()
    if not listed:
        return lines
    return (
        re.sub(r"^(\w+):", r"- `\1`:", line) if line[:1] != " " else "  " + line.lstrip()
        for line in lines
    )


def _arguments(function: Any) -> str:
    parameters = list(inspect.signature(function).parameters.values())[1:]
    return "(" + ", ".join(parameter.name for parameter in parameters) + ")"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for stale in FOLDER.glob("*.md"):
        stale.unlink()
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
