"""Write and read the JSON documents of histories and comparisons: reports with labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

from msgspec import UNSET, UnsetType, to_builtins

from neuroact.errors import ReportFileError
from neuroact.files.json_document import opened
from neuroact.files.layout import (
    ComparedLayer,
    Comparison,
    History,
    HistoryEntry,
    LabelledReport,
    TrainingSteps,
)
from neuroact.files.report_document import finite_or_none, to_document
from neuroact.files.report_reader import from_document
from neuroact.results.compared_layers import ComparedLayers, LayerComparison
from neuroact.results.compared_operations import ComparedOperations, OperationsComparison
from neuroact.results.history import Entry, Steps
from neuroact.results.layers import Layers

Labelled = list[tuple[int | str, Layers]]
Named = TypeVar("Named")


def history_document(entries: Iterable[Entry[Layers]]) -> dict[str, Any]:
    """A history's reports as plain JSON values."""
    document: dict[str, Any] = to_builtins(
        History(
            schema_version=History.newest,
            reports=[
                HistoryEntry(entry.label, to_document(entry.layers), _training_steps(entry.steps))
                for entry in entries
            ],
        )
    )
    return document


def history_from(document: Any) -> list[Entry[Layers]]:
    """Read the reports of a history's document.

    Raises:
        ReportFileError: it is not a history, or damaged. The message says which report is damaged.
    """
    found = opened(document, History).reports
    return [
        Entry(label, layers, _steps(entry.steps, number))
        for number, (entry, (label, layers)) in enumerate(
            zip(found, _reports(found, "history"), strict=True)
        )
    ]


def _training_steps(steps: Steps | None) -> TrainingSteps | UnsetType:
    return UNSET if steps is None else TrainingSteps(steps.first, steps.last, dict(steps.fired))


def _steps(steps: TrainingSteps | UnsetType, number: int) -> Steps | None:
    if isinstance(steps, UnsetType):
        return None
    for first, last in ((steps.first, steps.last), *steps.fired.values()):
        if not steps.first <= first <= last <= steps.last:
            raise ReportFileError(
                f"the history is damaged: reports[{number}].steps: expected steps from "
                f"{steps.first} to {steps.last}, came {first} to {last}"
            )
    return Steps(steps.first, steps.last, steps.fired)


def comparison_document(compared: ComparedLayers) -> dict[str, Any]:
    """A comparison with its reports as plain JSON values."""
    document: dict[str, Any] = to_builtins(
        Comparison(
            schema_version=Comparison.newest,
            reports=_entries(compared.reports.items()),
            unmatched={label: list(names) for label, names in compared.unmatched.items()},
            layers=[_compared_layer(layer) for layer in compared.values()],
            operations=_compared_operations(compared.recorded_operations),
        )
    )
    return document


def comparison_from(document: Any) -> ComparedLayers:
    """Read a comparison's document.

    Raises:
        ReportFileError: it is not a comparison, or damaged.
    """
    found = opened(document, Comparison)
    reports = {str(label): report for label, report in _reports(found.reports, "comparison")}
    try:
        if len(reports) < len(found.reports):
            raise ValueError("two of its reports have the same label")
        layers = [LayerComparison(*pair) for pair in _matched(found.layers, reports)]
        operations = _operations(found.operations, reports)
    except ValueError as cause:
        raise ReportFileError(f"the comparison is damaged: {cause}") from cause
    return ComparedLayers(reports, layers, operations)


def _entries(reports: Iterable[tuple[int | str, Layers]]) -> list[LabelledReport]:
    return [LabelledReport(label, to_document(report)) for label, report in reports]


def _reports(entries: Sequence[LabelledReport], what: str) -> Labelled:
    found: Labelled = []
    for number, entry in enumerate(entries):
        try:
            found.append((entry.label, from_document(entry.report)))
        except ReportFileError as cause:
            message = f"report {number} of the {what}: {cause}"
            raise ReportFileError(message, layer=cause.layer) from cause
    return found


def _compared_layer(layer: LayerComparison) -> ComparedLayer:
    return ComparedLayer(
        name=layer.name,
        names={label: partner.name for label, partner in layer.layers.items()},
        differences={
            label: {
                name: None if value is None else finite_or_none(value)
                for name, value in asdict(difference).items()
            }
            for label, difference in layer.differences.items()
        },
    )


def _compared_operations(compared: ComparedOperations | None) -> list[ComparedLayer] | UnsetType:
    if compared is None:
        return UNSET
    first, *_ = compared.reports
    return [
        ComparedLayer(
            name=name,
            names={label: layer.name for label, layer in entry.layers.items()},
            differences={
                label: {"ratio": finite_or_none(compared.ratio(label, name))}
                for label in entry.layers
                if label != first
            },
        )
        for name, entry in compared.items()
    ]


def _operations(
    entries: list[ComparedLayer] | UnsetType, reports: Mapping[str, Layers]
) -> ComparedOperations | None:
    if isinstance(entries, UnsetType):
        return None
    found = {label: report.recorded_operations for label, report in reports.items()}
    counted = {label: each for label, each in found.items() if each is not None}
    if len(counted) < 2 or next(iter(reports)) not in counted:
        raise ValueError("it compares operations that its reports have not")
    pairs = _matched(entries, counted)
    return ComparedOperations(counted, (OperationsComparison(*pair) for pair in pairs))


def _matched(
    entries: list[ComparedLayer], reports: Mapping[str, Mapping[str, Named]]
) -> list[tuple[str, dict[str, Named]]]:
    """The layers of the first report, by name, and in each report that has them, by label."""
    if len({entry.name for entry in entries}) < len(entries):
        raise ValueError("a layer of the first report comes twice")
    return [(entry.name, _found(entry, reports)) for entry in entries]


def _found(entry: ComparedLayer, reports: Mapping[str, Mapping[str, Named]]) -> dict[str, Named]:
    first, *_ = reports
    for label, name in entry.names.items():
        if name not in reports.get(label, ()):
            raise ValueError(f"no report {label!r} with a layer {name!r} is in it")
    if entry.names.get(first) != entry.name:
        raise ValueError(f"the layer {entry.name!r} has another name in the first report")
    # In the order of the reports, so the first report comes first.
    return {label: reports[label][entry.names[label]] for label in reports if label in entry.names}
