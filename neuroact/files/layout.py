"""The layout of the JSON of reports, histories and comparisons.

Each document is declared once, as a class. Writing creates objects of these classes, reading checks
a document against them, and `report.schema.json` is generated from them. A field that its class
does not describe here is described where it is measured, such as in `LayerActivity`.
"""

from __future__ import annotations

import sys
from dataclasses import MISSING, fields
from typing import Annotated, Any, ClassVar, Literal, get_args

from msgspec import UNSET, Meta, Struct, UnsetType, defstruct, field

from neuroact.files.json_document import Document
from neuroact.statistics import (
    ClassActivityResult,
    InterspikeIntervalsResult,
    RasterResult,
    SignalResult,
    SpikeCountsResult,
    SynchronyResult,
    TimeCourseResult,
)
from neuroact.statistics.results import LayerResult
from neuroact.stream.chunk import SignalKind

MOST = 2**63 - 1
"""The largest count: the largest int64."""
_LARGEST = sys.float_info.max

Count = Annotated[int, Meta(ge=0, le=MOST)]
Whole = Annotated[int, Meta(ge=0)]
"""A product of counts, which may leave int64."""
Finite = Annotated[float, Meta(ge=-_LARGEST, le=_LARGEST)]
Seconds = Annotated[float, Meta(gt=0, le=_LARGEST)]
# JSON can hold half of a surrogate pair. A text file cannot.
Text = Annotated[str, Meta(pattern=r"^[^\uD800-\uDFFF]*$")]

Leaf = Text | int | Finite | bool | None
"""A value in an origin that is neither an object nor an array."""

Counts = list[Count]
Numbers = list[Finite | None]
"""Null stands for a number that is not finite."""

# Results of a user's own statistic are not here: only its author can write and read them.
# `Firing` is not here either: its counts are the layer's own.
RESULTS: dict[str, type[LayerResult]] = {
    "ClassActivity": ClassActivityResult,
    "InterspikeIntervals": InterspikeIntervalsResult,
    "Raster": RasterResult,
    "Signal": SignalResult,
    "SpikeCounts": SpikeCountsResult,
    "Synchrony": SynchronyResult,
    "TimeCourse": TimeCourseResult,
}
_FORMS: dict[str, Any] = {"Integers": Counts, "Floats": Numbers, "int": Count}
_FORMS |= {f"{name} | None": form for name, form in _FORMS.items()}
_FORMS["float | None"] = Finite | None
_OF_LAYER = ("dt", "unreliable")


def entries_of(statistic: str) -> dict[str, Any]:
    """A result's entries with their types. Its `dt` and `unreliable` come from the layer.

    Entries with a default are left out of a file where they are None, and of older files.
    """
    found = [f for f in fields(RESULTS[statistic]) if f.name not in _OF_LAYER]
    return {
        f.name: _FORMS[str(f.type)] if f.default is MISSING else _FORMS[str(f.type)] | UnsetType
        for f in found
        if str(f.type) in _FORMS
    }


def _result(name: str, cls: type[LayerResult]) -> Any:
    entries: list[Any] = [
        (entry, form, UNSET) if UnsetType in get_args(form) else (entry, form)
        for entry, form in entries_of(name).items()
    ]
    return defstruct(name, entries, namespace={"__doc__": cls.__doc__}, kw_only=True)


Results: Any = defstruct(
    "Results",
    [(name, _result(name, cls) | UnsetType, UNSET) for name, cls in RESULTS.items()],
    forbid_unknown_fields=True,
    namespace={
        "__doc__": "Results of the statistics beside Firing, by class name. Values per neuron are "
        "in row-major order of the shape; values per class follow class by class. Results of a "
        "user's own statistics are not written."
    },
)


class Figures(Struct):
    """For readers without neuroact. They follow from the counts.

    Null stands for NaN, and for what says nothing of real values: `LayerActivity.has_meaning`.
    """

    mean: float | None
    std: float | None
    min: float | None
    q1: float | None
    median: float | None
    q3: float | None
    max: float | None
    sparsity: float | None
    dead: Count | None
    saturated: Count | None


METRICS = Figures.__struct_fields__
"""The metrics of a layer in JSON, in data frames and in CSV."""
COUNTS = ("neurons", "sequences", "observations", "events", "total", "activity")


class Layer(Struct, kw_only=True):
    """What was counted in a layer.

    Attributes:
        shape: shape of the layer's neurons, without time and batch.
        figures: not read back: they follow from the counts.
        events: non-zero values per neuron, in row-major order of the shape.
        total: sum of values per neuron, in the same order; null if it is not finite. Missing in a
            binary layer, where it equals the events.
        results: since version 2.
        of: what of the layer was recorded: "output", "input", "grad", or the name of a state.
    """

    name: Text
    aliases: list[Text]
    framework: Text
    layer_type: Text
    kind: SignalKind
    shape: Annotated[list[Count], Meta(max_length=64)]  # as many as NumPy allows
    dt: Seconds | None
    observations: Count
    sequences: Count
    nonfinite: bool
    not_binary: bool
    figures: Annotated[Any, Meta(extra_json_schema={"$ref": "#/$defs/Figures"})]
    events: Counts
    total: Numbers | UnsetType = UNSET
    results: Results = field(default_factory=Results)
    of: Text = "output"


class SpreadOverSamples(Struct):
    """How many samples took how many effective operations.

    Attributes:
        values: different numbers of operations, ascending; lower ends of bins where not `exact`.
        counts: how many samples have each.
    """

    values: list[Count]
    counts: list[Count]
    least: Count
    most: Count
    sum: Whole
    exact: bool


class OperationsFolded(Struct):
    """The synaptic operations of a layer with the average pool in front folded into it."""

    pool: Text
    events: Count
    dense: Whole
    acs: Whole
    macs: Whole


class OperationsOfLayer(Struct, kw_only=True):
    """The synaptic operations of a layer that is linear in its input."""

    name: Text
    aliases: list[Text]
    framework: Text
    layer_type: Text
    shape: Annotated[list[Count], Meta(max_length=64)]
    output_shape: Annotated[list[Count], Meta(max_length=64)] | None
    observations: Count
    events: Count
    ones: Count
    connections: Count
    parameters: Count
    dense: Whole
    unpruned: Whole
    acs: Whole
    macs: Whole
    weighted: Whole | None
    bias_additions: Whole
    by_sample: SpreadOverSamples | Text
    folded: OperationsFolded | None = None


class SynapticOperations(Struct):
    """Synaptic operations, as integers over everything recorded.

    Attributes:
        layers: the layers that were counted, in the model's order. Names are unique.
        not_counted: why operations are not counted, by the name of each other module with weights.
        by_sample: of all layers together, as in each layer; a text says why it is not known.
    """

    layers: list[OperationsOfLayer]
    not_counted: dict[Text, Text]
    by_sample: SpreadOverSamples | Text


class Options(Struct):
    """The arguments of `neuroact.record`.

    Attributes:
        layers: since version 2. Null means every spiking layer.
        reading: in words, how modules were read that no adapter knows, if that was stated.
    """

    layers: str | list[str] | UnsetType | None = UNSET
    of: str | UnsetType = UNSET
    axes: str | UnsetType | None = UNSET
    dt: float | UnsetType | None = UNSET
    reading: str | UnsetType = UNSET


class Origin(Struct):
    """Where the report comes from. Other keys are allowed, and are read back too.

    Attributes:
        created: when recording began; UTC, ISO 8601.
        model: the model's class; null if spikes were fed by hand.
        versions: versions of python, neuroact, torch, numpy and the layers' frameworks.
        statistics: since version 2. The recorded statistics: class name, and what it is.
    """

    created: str | UnsetType = UNSET
    model: str | UnsetType | None = UNSET
    versions: dict[str, str] | UnsetType = UNSET
    options: Options | UnsetType = UNSET
    statistics: dict[str, str] | UnsetType = UNSET


# Each layer is checked separately, so that an error can name it.
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

    Version 2 is written; versions 1 and 2 are read. Other keys are allowed, and are ignored.

    Attributes:
        definitions: since version 2. What each figure of a layer means, by name. Not read back.
        not_called: names of layers that were recorded but never called.
        layers: the layers in the model's order. Names are unique.
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
    """A report and its label: an epoch's number, or a text."""

    label: int | Text
    report: Any


class TrainingSteps(Struct):
    """The training steps that a history's report is of: the `Steps` of `neuroact.results.history`.

    Attributes:
        first: the first recorded step.
        last: the last recorded step.
        fired: the first and the last recorded step in which a layer had an event, by its name.
    """

    first: Count
    last: Count
    fired: dict[Text, tuple[Count, Count]]


class HistoryEntry(LabelledReport):
    """A report of a history.

    Attributes:
        steps: the training steps that it is of; only where they are known.
    """

    steps: TrainingSteps | UnsetType = UNSET


class History(Document, kw_only=True, tag="neuroact.history"):
    """What History.to_json writes: reports in the order in which they were made."""

    newest: ClassVar[Literal[1]] = 1
    schema_version: Literal[1]
    reports: list[HistoryEntry]


class ComparedLayer(Struct):
    """A layer of the first report, and how the other reports differ from it.

    Attributes:
        name: the layer's name in the first report.
        names: the layer's name in each report that has it, by the report's label.
        differences: not read back: they follow from the reports.
    """

    name: Text
    names: Annotated[dict[Text, Text], Meta(min_length=2)]
    differences: Any


class Comparison(Document, kw_only=True, tag="neuroact.comparison"):
    """What Comparison.to_json writes. Version 1 is not read: it did not hold the reports.

    Attributes:
        reports: the reports. The first is the one that the others are compared with.
        unmatched: layers without a partner, by the label of their report. Not read back.
        layers: the matched layers.
        operations: the matched layers whose synaptic operations were counted; only where they are
            compared.
    """

    oldest: ClassVar = 2
    newest: ClassVar[Literal[2]] = 2
    schema_version: Literal[2]
    reports: Annotated[list[LabelledReport], Meta(min_length=2)]
    unmatched: Any
    layers: Annotated[list[ComparedLayer], Meta(min_length=1)]
    operations: list[ComparedLayer] | UnsetType = UNSET
