"""Makes a report of the running counts."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from neuroact.errors import LayerNotCalledWarning, NothingRecordedError, UnreliableLayerWarning
from neuroact.recording.layer import LayerRecorder
from neuroact.report.activity_report import ActivityReport, LayerActivity
from neuroact.results.definitions import headline
from neuroact.results.layer_activity import OBSERVED
from neuroact.results.operations import Operations
from neuroact.statistics import FiringResult

_CAUSES = (
    "Likely causes: the model was not run while recording; something else than the layer's forward "
    "does its work (another method, a function, or a module around it that reads its weights), "
    "which nothing can see; the model runs scripted, traced or exported code made before; it uses "
    "other modules than those found. For calls that cannot be seen there is "
    "recording.observe(name, values). Of gradients: no backward pass reached what it returned."
)


def report_of(
    layers: Iterable[LayerRecorder],
    *,
    origin: Mapping[str, Any],
    dt: float | None,
    operations: Operations | None = None,
) -> ActivityReport:
    """The report of the layers called so far; warns of the others, and of unreliable layers."""
    recorders = list(layers)
    of = _recorded(origin)
    found = {layer.info.name: _activity(layer, dt, of) for layer in recorders}
    activities = [activity for activity in found.values() if activity is not None]
    not_called = tuple(name for name, activity in found.items() if activity is None)
    if not activities:
        raise NothingRecordedError(
            f"nothing was recorded: none of the {len(recorders)} layers was called "
            f"({', '.join(not_called) or 'there are none'}). {_CAUSES}"
        )
    if not_called:
        warnings.warn(
            f"not called, so not in the report: {', '.join(not_called)}. {_CAUSES}",
            LayerNotCalledWarning,
            stacklevel=3,
        )
    for activity in activities:
        if activity.unreliable is not None:
            warnings.warn(
                f'layer "{activity.name}" ({activity.framework} {activity.layer_type}): '
                f"{activity.unreliable}; its figures are NaN",
                UnreliableLayerWarning,
                stacklevel=3,
            )
    kept = {type(statistic) for recorder in recorders for statistic in recorder.statistics}
    statistics = {cls.__name__: headline(cls) for cls in sorted(kept, key=lambda cls: cls.__name__)}
    return ActivityReport(
        activities,
        origin={**origin, "statistics": statistics},
        not_called=not_called,
        operations=operations,
    )


def _recorded(origin: Mapping[str, Any]) -> str:
    """What of the layers was recorded, the option `of` of `record`."""
    options = origin.get("options")
    of = options.get("of") if isinstance(options, Mapping) else None
    return of if isinstance(of, str) else "output"


def _activity(layer: LayerRecorder, dt: float | None, of: str) -> LayerActivity | None:
    """A layer's figures; None if it was not called."""
    with layer.at_rest() as statistics:
        if not layer.called:
            return None
        firing, *others = [statistic.result() for statistic in statistics]
    assert isinstance(firing, FiringResult)
    names = (type(statistic).__name__ for statistic in layer.statistics[1:])
    results = dict(zip(names, others, strict=True))
    return LayerActivity(
        name=layer.info.name,
        aliases=layer.info.aliases,
        framework=layer.info.framework,
        layer_type=layer.info.layer_type,
        kind=layer.info.kind,
        dt=dt,
        results=results,
        of="output" if layer.info.framework == OBSERVED else of,
        **{f.name: getattr(firing, f.name) for f in fields(firing)},
    )
