"""A run's counts as NeuroBench's results: plain Python, computed when someone reads it."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

from neuroact import LayerActivity, SignalKind
from neuroact.errors import UnknownLayerError, UnreliableLayerWarning
from neuroact.recording.summary import report_of
from neuroact_adapters.neurobench.layers import Counted, Options

METRICS = ("min", "max", "mean", "std", "median", "q1", "q3")
NOT_CALLED = "it was never called"


class Computed(Protocol):
    """Figures that are computed when they are asked for."""

    @property
    def names(self) -> tuple[str, ...]:
        """Keys of the figures."""

    def figures(self) -> dict[str, Any]:
        """Plain figures by name; computed once."""


class Tally:
    """The counts from which a run's figures are computed. Holds nothing of the model."""

    def __init__(
        self, layers: Mapping[str, Counted], problem: str | None, options: Options
    ) -> None:
        self._layers = layers
        self._problem = problem
        self._options = options
        self._figures: dict[str, Any] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Keys of the figures."""
        return ("error",) if self._problem is not None else tuple(self._layers)

    def figures(self) -> dict[str, Any]:
        """Plain figures by layer; computed once."""
        if self._figures is None:
            self._figures = self._computed()
        return self._figures

    def _computed(self) -> dict[str, Any]:
        if self._problem is not None:
            return {"error": f"no figures: {self._problem}"}
        return {name: self._entry(counted) for name, counted in self._layers.items()}

    def _entry(self, counted: Counted) -> dict[str, Any]:
        problem = counted.problem or (None if counted.recorder.called else NOT_CALLED)
        if problem is not None:
            info = counted.recorder.info
            return {"error": problem, "framework": info.framework, "layer_type": info.layer_type}
        with warnings.catch_warnings():
            # The entry says it too, and NeuroBench cannot swallow that.
            warnings.simplefilter("ignore", UnreliableLayerWarning)
            report = report_of([counted.recorder], origin={}, dt=self._options.dt)
        return layer_entry(*report.values(), per_neuron=self._options.per_neuron)


def layer_entry(layer: LayerActivity, *, per_neuron: bool) -> dict[str, Any]:
    """A layer's figures as plain Python, as `AverageActivityMetric` describes them."""
    entry: dict[str, Any] = {name: _number(getattr(layer, name)) for name in METRICS}
    if per_neuron:
        entry["histogram"] = [_number(value) for value in layer.activity.ravel().tolist()]
    measured = entry["mean"] is not None
    entry |= {
        "neurons": layer.neurons,
        "shape": list(layer.shape),
        "samples": layer.sequences,
        "timesteps": layer.observations,
        "sparsity": _number(layer.sparsity),
        "dead": layer.dead if measured else None,
        "saturated": layer.saturated if measured else None,
        "kind": layer.kind.value,
        "framework": layer.framework,
        "layer_type": layer.layer_type,
        "aliases": list(layer.aliases),
    }
    if layer.dt is not None:
        entry["dt"] = layer.dt
    if per_neuron and layer.kind is not SignalKind.BINARY:
        # If values are not only 0 and 1, activity does not say how often they were not 0.
        entry["events"] = layer.events.ravel().tolist()
        entry["total"] = [_number(value) for value in layer.total.ravel().tolist()]
    if layer.unreliable is not None:
        entry |= {
            "error": layer.unreliable,
            "nonfinite": layer.nonfinite,
            "not_binary": layer.not_binary,
        }
    return entry | {name: plain(result) for name, result in layer.results.items()}


def plain(value: Any) -> Any:
    """A statistic's result as plain Python: dataclasses as dicts, arrays as lists, NaN as None.

    Raises:
        TypeError: it has no plain form.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return _number(float(value))
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    raise TypeError(f"a statistic's result holds a {type(value).__name__}, which is not plain data")


def _number(value: float) -> float | None:
    # NaN is not valid JSON, and not a Python literal in a csv or txt file; None is.
    return value if math.isfinite(value) else None


class _Unread:
    """Stands for an entry that is not computed yet. C code that bypasses dict's methods sees it."""

    __slots__ = ("name", "tally")

    def __init__(self, name: str, tally: Computed) -> None:
        self.name = name
        self.tally = tally

    def __repr__(self) -> str:
        return repr(self.tally.figures().get(self.name))


class Figures(dict[str, Any]):
    """A dict of a run's figures, computed when it is first read.

    It is a dict, since NeuroBench and `json` write no other mapping. It has its keys from the
    start, since `json` does not read an empty dict any further. Copies and pickles of it are plain
    dicts.
    """

    def __init__(self, tally: Computed) -> None:
        super().__init__({name: _Unread(name, tally) for name in tally.names})
        self._tally: Computed | None = tally

    def __missing__(self, name: str) -> Any:
        problem = self.get("error")
        reason = problem if isinstance(problem, str) else f"there are: {', '.join(self)}"
        raise MissingLayerError(f"no figures of a layer {name!r}; {reason}", layer=name)

    def __reduce__(self) -> tuple[Any, ...]:
        return dict, (dict(self),)

    def _fill(self) -> None:
        tally, self._tally = self._tally, None
        if tally is not None:
            figures = tally.figures()
            dict.clear(self)
            dict.update(self, figures)


class MissingLayerError(UnknownLayerError, KeyError):
    """The results have no figures of the layer that was asked for."""

    def __str__(self) -> str:
        return str(self.args[0])  # KeyError would put the message in quotes


def _filled_first(method: Callable[..., Any]) -> Callable[..., Any]:
    def call(self: Figures, *args: Any, **kwargs: Any) -> Any:
        for figures in (self, *args):  # the other side of == may be another one
            if isinstance(figures, Figures):
                figures._fill()
        return method(self, *args, **kwargs)

    call.__name__ = method.__name__
    return call


# Not __repr__: pprint lays out only what has dict's own, and _Unread makes that one work.
for _name in (
    *("__getitem__", "__iter__", "__reversed__", "__contains__", "__len__", "__eq__", "__ne__"),
    *("__or__", "__ror__", "__ior__", "__setitem__", "__delitem__"),
    *("get", "keys", "values", "items", "copy"),
    *("pop", "popitem", "setdefault", "update", "clear"),
):
    setattr(Figures, _name, _filled_first(getattr(dict, _name)))
