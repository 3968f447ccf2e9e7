"""Writes docs/reference/frameworks.md from what the installed frameworks do.

Run it in each environment, that of the newest frameworks and that of the older generation:

    python tests/adapters/framework_table.py [name ...]

In `.venv-apart`, name those that are only there:

    export PYTHONPATH=.:adapters NAMES="bindsnet matterhorn_pytorch rockpool spikingjelly brian2"
    .venv-apart/bin/python tests/adapters/framework_table.py $NAMES nest pynn jax spyx brainstate

Each run writes a JSON file for each framework and version, and makes the page from all of them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "docs/reference/frameworks"
PAGE = FOLDER.with_suffix(".md")
FRAMEWORKS = {
    "snntorch": "snnTorch",
    "norse": "Norse",
    "spikingjelly": "SpikingJelly",
    "sinabs": "sinabs",
    "bindsnet": "BindsNET",
    "rockpool": "Rockpool",
    "matterhorn_pytorch": "Matterhorn",
}
# Those of which a version is in an environment of its own, see .ci/constraints-apart.txt.
APART = ("bindsnet", "matterhorn_pytorch", "rockpool", "spikingjelly")
# What hands out events, and what hands out arrays: their names, and their distributions.
EVENTS = {
    "brian2": ("Brian 2", "Brian2"),
    "nest": ("NEST", "nest-simulator"),
    "pynn": ("PyNN", "PyNN"),
    "neo": ("neo", "neo"),
    "pynwb": ("NWB (pynwb)", "pynwb"),
    "spikeinterface": ("SpikeInterface", "spikeinterface"),
    "tonic": ("Tonic", "tonic"),
}
ARRAYS = {
    "jax": ("JAX", "jax"),
    "spyx": ("Spyx", "spyx"),
    "brainstate": ("BrainState", "brainstate"),
}
SOURCES = EVENTS | ARRAYS
COLUMNS = ("class", "versions", "a call is", "axes", "kind", "values", "state", "recorded", "test")
NOTES = {
    "snntorch": "Spikes are graded if `graded_spikes_factor` is learnable, per neuron or not 1. "
    "Where a row has two entries for values, the first holds for `init_hidden=False`. "
    "`AssociativeLeaky` emits spikes with `use_q_projection=False`. `StateLeaky` and `LinearLeaky` "
    "emit their membrane potential with `output=False`. State may also be passed, by position or "
    "by name.",
    "norse": "`Lift`, `SequentialState`, `RecurrentSequential` and `RegularizationCell` repeat "
    "what their children emit, so they are not layers. A layer that is passed no state starts a "
    "sequence with each call. The LIF of 1.0 fires a step later than that of 1.1: with a constant "
    "current of 15 a neuron spikes in 4 of the first 5 steps, not in all 5.",
    "spikingjelly": "Where a row has two entries, the first is for step mode `s` and the second "
    "for `m`, except for classes that have one mode or none. Layers of `layer.*` (Linear, Conv2d, "
    "…) and encoders are read by their step mode when they are named. Containers repeat what is in "
    "them, so they are not layers. A node of a NIR graph is a layer, `_NIRStatefulModule`: it runs "
    "the neuron in it without calling it, in either step mode; its state is passed. 0.0.0.0.12 has "
    "no step modes; its package is `clock_driven`, whose recurrent layers are recorded as modules "
    "that no adapter knows.",
    "sinabs": "The kind depends on `spike_fn`: graded with `MultiSpike` and `MaxSpike`, binary "
    "with `SingleSpike` and `MaxSpike(1)`, analog with None. `(BT)` is one dimension, batch first.",
    "bindsnet": "Connections have their layers as children, so each layer has aliases. `Input` and "
    "`PassThroughNodes` emit what they are given: booleans are binary, all else is graded.",
    "rockpool": "Where a row has two entries for the state, the first is for a batch and the "
    "second for one sample: Rockpool keeps the state of a batch's first sample alone. Spikes are "
    "binary with `max_spikes_per_dt=1`. Modules around spiking ones are not layers.",
    "matterhorn_pytorch": "State is passed with `return_states=True`. Spikes are graded with the "
    "firing functions `Floor`, `Ceil` and `Round`. `ExpIF` and `Izhikevich` of 2.0.0 take the "
    "whole input for each step, so they are refused.",
}

Row = dict[str, str]


def stored(framework: str) -> dict[str, list[Row]]:
    """All rows on disk, by version, the oldest first."""
    files = FOLDER.glob(f"{framework}-*.json")
    found = {path.stem.partition("-")[2]: json.loads(path.read_text()) for path in files}
    return dict(sorted(found.items(), key=lambda item: [int(n) for n in item[0].split(".")]))


def merged(by_version: dict[str, list[Row]]) -> list[Row]:
    """Rows that are alike in several versions are one row."""
    versions: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for number, rows in by_version.items():
        for row in rows:
            versions.setdefault(tuple(row.items()), []).append(number)
    rows = [{**dict(key), "versions": ", ".join(found)} for key, found in versions.items()]
    return sorted(rows, key=lambda row: (row.get("class", "").lower(), row["versions"]))


def page() -> str:
    """The whole page, from the rows on disk."""
    layers = (line for name in FRAMEWORKS for line in section(name))
    return "\n".join(
        [HEAD, *layers, OF_EVENTS, *of_sources(EVENTS), OF_ARRAYS, *of_sources(ARRAYS)]
    )


def of_sources(sources: Mapping[str, tuple[str, str]]) -> Iterable[str]:
    """One table for all of them."""
    head = False
    for package, (title, _) in sources.items():
        for row in merged(stored(package)):
            *columns, last = (column for column in row if column != "versions")
            if not head:
                yield "| " + " | ".join(["package", "versions", *columns, last]) + " |"
                yield "|" + "---|" * (len(columns) + 3)
                head = True
            cells = [title, row["versions"], *(row[column] for column in columns), link(row[last])]
            yield "| " + " | ".join(cells) + " |"
    yield ""


def section(framework: str) -> Iterable[str]:
    """A framework's heading, note and table."""
    by_version = stored(framework)
    yield f"## {FRAMEWORKS[framework]} {', '.join(by_version)}\n"
    yield f"{NOTES[framework]}\n"
    yield "| " + " | ".join(COLUMNS) + " |"
    yield "|" + "---|" * len(COLUMNS)
    for row in merged(by_version):
        links = ", ".join(map(link, row["test"].split(" / ")))
        yield "| " + " | ".join([*(row[column] for column in COLUMNS[:-1]), links]) + " |"
    yield ""


def link(test: str) -> str:
    """A test's claim, leading to its file."""
    file, _, name = test.partition("::")
    return f"[{name.removeprefix('test_').replace('_', ' ')}](../../tests/adapters/{file})"


HEAD = """# Which class is read how

`tests/adapters/framework_table.py` writes this page. It runs every class of every framework and
looks at its calls. A test compares the page with what the installed versions do, and fails if a
framework has a class that is not on the page.

- **a call is** one step, or a whole sequence.
- **axes**: the order of dimensions of the output: `T` time, `B` batch, `N` the neurons' dimensions.
- **kind**: `binary` 0 and 1, `graded` few levels, where zero is silent, `analog` real values.
- **values**: where the values are in the output of a call.
- **state**: where the state is that tells whether a call continues the last one.
- **recorded**: by default (yes), or only when named in `layers=`.

The figures mean the same in each framework, but the neurons differ. snnTorch and Norse fire above
the threshold; SpikingJelly and sinabs also fire at it. So a membrane potential of exactly 1 with a
threshold of 1 is a spike only in SpikingJelly and sinabs. Where the rules agree, the counts agree
too, neuron by neuron: [one network in three frameworks](../../examples/studies/same_network.py).

Models that snnTorch, Norse, sinabs or SpikingJelly read from a NIR graph are made of these classes:
[Did my network survive the trip?](../how-to/survive-the-trip.md).
"""


OF_EVENTS = """## Sources of events

`tests/adapters/source_rows.py` makes each source with the real package and reads it. *Its own* is
what the source says; the rest is [to be said](../how-to/simulators-and-recordings.md).
"""

OF_ARRAYS = """## Arrays of JAX

*Axes* is the order in which the array comes; *say* is what `observe` has to be told. How to get
hidden layers: [From JAX](../how-to/jax.md).
"""


def write(frameworks: Iterable[str]) -> None:
    """Measure what is installed of them, and write their rows and the page."""
    import framework_rows
    import source_rows

    FOLDER.mkdir(exist_ok=True)
    for framework in frameworks:
        rows = source_rows.rows if framework in SOURCES else framework_rows.rows
        lines = ",\n".join(json.dumps(row) for row in rows(framework))
        path = FOLDER / f"{framework}-{version(distribution(framework))}.json"
        path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")


def distribution(framework: str) -> str:
    """What a framework or a source is called where it is installed from."""
    return SOURCES[framework][1] if framework in SOURCES else framework


def is_installed(framework: str) -> bool:
    """Whether the framework, or the source, is in this environment."""
    try:
        return bool(version(distribution(framework)))
    except PackageNotFoundError:
        return False


if __name__ == "__main__":
    here = Path(__file__).parent
    sys.path[:0] = [str(here), str(here / "apart"), str(here.parent / "shared")]
    from importable import make_importable

    make_importable()
    every = (name for name in (*FRAMEWORKS, *SOURCES) if is_installed(name))
    write(sys.argv[1:] or every)
