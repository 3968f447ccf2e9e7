"""What is in the JSON of reports, histories and comparisons: each document declared once.

Writing makes these classes, reading checks a document by them, and `report.schema.json` is made of
them. Names in a class's docstring that are no fields of it are described where they are measured.
"""

from __future__ import annotations

import sys
from dataclasses import fields
from typing import Annotated, Any, ClassVar, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, defstruct, field

from neuroact.files.json_document import Document
from neuroact.statistics import (
    ClassActivityResult,
    InterspikeIntervalsResult,
    RasterResult,
    SpikeCountsResult,
    SynchronyResult,
    TimeCourseResult,
)
from neuroact.statistics.results import LayerResult
from neuroact.stream.chunk import SignalKind

MOST = 2**63 - 1
"""The largest count: that of an int64."""
_LARGEST = sys.float_info.max

Count = Annotated[int, Meta(ge=0, le=MOST)]
Finite = Annotated[float, Meta(ge=-_LARGEST, le=_LARGEST)]
Seconds = Annotated[float, Meta(gt=0, le=_LARGEST)]
# Half a surrogate pair can be in JSON, but in no file of text.
Text = Annotated[str, Meta(pattern=r"^[^\uD800-\uDFFF]*$")]

Leaf = Text | int | Finite | bool | None
"""What an origin is made of, beside objects and arrays."""

Counts = list[Count]
Numbers = list[Finite | None]
"""Null where it is no finite number."""

# A statistic of the user's own has a result that only its author can write and read.
# `Firing` has no result here: its counts are the layer's own.
RESULTS: dict[str, type[LayerResult]] = {
    "ClassActivity": ClassActivityResult,
    "InterspikeIntervals": InterspikeIntervalsResult,
    "Raster": RasterResult,
    "SpikeCounts": SpikeCountsResult,
    "Synchrony": SynchronyResult,
    "TimeCourse": TimeCourseResult,
}
_FORMS: dict[str, Any] = {"Integers": Counts, "Floats": Numbers, "int": Count}


def entries_of(statistic: str) -> dict[str, Any]:
    """What a result holds, and how; the layer tells its time step, and whether to trust it."""
    found = {f.name: str(f.type) for f in fields(RESULTS[statistic])}
    return {name: _FORMS[form] for name, form in found.items() if form in _FORMS}


def _result(name: str, cls: type[LayerResult]) -> Any:
    return defstruct(name, list(entries_of(name).items()), namespace={"__doc__": cls.__doc__})


Results: Any = defstruct(
    "Results",
    [(name, _result(name, cls) | UnsetType, UNSET) for name, cls in RESULTS.items()],
    forbid_unknown_fields=True,
    namespace={
        "__doc__": "What statistics beside Firing found, by class name: per neuron in row-major "
        "order of the shape, per class one class after the other. Results of a user's own "
        "statistics are not written."
    },
)


class Figures(Struct):
    """For those who read the file without neuroact, which derives them anew; null for NaN."""

    mean: float | None
    std: float | None
    min: float | None
    q1: float | None
    median: float | None
    q3: float | None
    max: float | None
    sparsity: float | None
    dead: Count
    saturated: Count


FIGURES = Figures.__struct_fields__
COUNTS = ("neurons", "sequences", "observations", "events", "total", "activity")


class Layer(Struct, kw_only=True):
    """What was counted in a layer.

    Attributes:
        shape: of its neurons, without time and batch.
        figures: not read back: they follow from the counts.
        events: non-zero values per neuron, in row-major order of the shape.
        total: sum of values per neuron, in the same order; null where it is no finite number.
            Only where the kind is not binary: there it equals the events.
        results: since version 2.
    """

    name: Text
    aliases: list[Text]
    framework: Text
    layer_type: Text
    kind: SignalKind
    shape: Annotated[list[Count], Meta(max_length=64)]  # what NumPy has at most
    dt: Seconds | None
    observations: Count
    sequences: Count
    nonfinite: bool
    not_binary: bool
    figures: Annotated[Any, Meta(extra_json_schema={"$ref": "#/$defs/Figures"})]
    events: Counts
    total: Numbers | UnsetType = UNSET
    results: Results = field(default_factory=Results)


class OperationsOfLayer(Struct, kw_only=True):
    """The synaptic operations of a layer that is linear in its input."""

    name: Text
    aliases: list[Text]
    framework: Text
    layer_type: Text
    shape: Annotated[list[Count], Meta(max_length=64)]
    observations: Count
    events: Count
    connections: Count
    dense: Count
    unpruned: Count
    acs: Count
    macs: Count
    weighted: Count | None


class SynapticOperations(Struct):
    """Synaptic operations, as integers over everything recorded.

    Attributes:
        layers: the layers that were counted, in the model's order. Names are unique.
        not_counted: why operations are not counted, by the name of each other module with weights.
    """

    layers: list[OperationsOfLayer]
    not_counted: dict[Text, Text]


class Options(Struct):
    """What `neuroact.record` was asked for.

    Attributes:
        layers: since version 2. Null for every spiking layer.
    """

    layers: str | list[str] | UnsetType | None = UNSET
    of: Literal["output", "input"] | UnsetType = UNSET
    axes: str | UnsetType | None = UNSET
    dt: float | UnsetType | None = UNSET


class Origin(Struct):
    """Where the figures come from. Anything else may be there, and is read back too.

    Attributes:
        created: when recording began; UTC, ISO 8601.
        model: the model's class; null where spikes were fed by hand.
        versions: of python, neuroact, torch, numpy and the frameworks of the layers.
        statistics: since version 2. What was kept of each layer's stream: class name, and what it
            is.
    """

    created: str | UnsetType = UNSET
    model: str | UnsetType | None = UNSET
    versions: dict[str, str] | UnsetType = UNSET
    options: Options | UnsetType = UNSET
    statistics: dict[str, str] | UnsetType = UNSET


# A layer is looked at by itself, so that an error can name it.
_LayerEntry = Annotated[
    Any,
    Meta(
        extra_json_schema={
            "$ref": "#/$defs/Layer",
            "if": {"properties": {"kind": {"const": "binary"}}},
            "else": {"required": ["total"]},
        }
    ),
]


class Report(Document, kw_only=True, tag="neuroact.report"):
    """What ActivityReport.to_json writes.

    Version 2 is written; versions 1 and 2 are read. Keys that are not described here may be there
    and are not read.

    Attributes:
        definitions: since version 2. What the figures of a layer mean, by name. Not read back.
        not_called: names of layers that were recorded but never called.
        layers: in the model's order. Names are unique.
        operations: only where they were recorded.
    """

    newest: ClassVar[Literal[2]] = 2
    schema_version: Literal[1, 2]
    origin: Annotated[dict[str, Any], Meta(extra_json_schema={"$ref": "#/$defs/Origin"})]
    definitions: dict[str, str] | UnsetType = UNSET
    not_called: list[Text]
    layers: list[_LayerEntry]
    operations: SynapticOperations | UnsetType = UNSET


class LabelledReport(Struct):
    """A report and its label: the number of an epoch, or a text."""

    label: int | Text
    report: Any


class History(Document, kw_only=True, tag="neuroact.history"):
    """What History.to_json writes: reports in the order in which they were made."""

    newest: ClassVar[Literal[1]] = 1
    schema_version: Literal[1]
    reports: list[LabelledReport]


class ComparedLayer(Struct):
    """A layer of the first report, and what the others differ by.

    Attributes:
        name: in the first report.
        names: its name in each report that has it, by the report's label.
        differences: not read back: they follow from the reports.
    """

    name: Text
    names: Annotated[dict[Text, Text], Meta(min_length=2)]
    differences: Any


class Comparison(Document, kw_only=True, tag="neuroact.comparison"):
    """What Comparison.to_json writes; version 1 had no reports in it, and is not read.

    Attributes:
        reports: the reports, the one that the others are compared with first.
        unmatched: layers without a partner, by the label of their report. Not read back.
        layers: the layers that were matched.
    """

    oldest: ClassVar = 2
    newest: ClassVar[Literal[2]] = 2
    schema_version: Literal[2]
    reports: Annotated[list[LabelledReport], Meta(min_length=2)]
    unmatched: Any
    layers: Annotated[list[ComparedLayer], Meta(min_length=1)]
