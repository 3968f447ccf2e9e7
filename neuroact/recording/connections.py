"""All layers of a recording whose synaptic operations are counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Size, Tensor, from_numpy, nn

from neuroact.errors import RecordingFileError
from neuroact.layers.adapter import Adapter
from neuroact.layers.connections import connection_info, connections_of
from neuroact.layers.fan_out import FanOut
from neuroact.layers.layer_info import LayerInfo
from neuroact.recording.connection import Connection
from neuroact.recording.layer import LayerRecorder
from neuroact.recording.per_sample import Samples
from neuroact.recording.per_sample_calls import CallTally
from neuroact.recording.per_sample_file import read_samples, written_samples
from neuroact.recording.per_sample_sums import SampleSums
from neuroact.results.operations import LayerOperations, Operations
from neuroact.statistics.states import check_arrivals
from neuroact.stream.chunk import SignalKind


class Connections:
    """The layers whose operations are counted, by name, and what is named in place of others.

    Args:
        not_counted: why operations are not counted, by the name of each module that has weights.
    """

    def __init__(self, not_counted: Mapping[str, str] | None = None) -> None:
        self.by_name: dict[str, Connection] = {}
        self.not_counted = dict(not_counted or {})
        self.samples = Samples()

    @property
    def layers(self) -> list[LayerRecorder]:
        """What counts."""
        return [connection.layer for connection in self.by_name.values()]

    def reset(self) -> None:
        """Forget everything counted."""
        for connection in self.by_name.values():
            connection.reset()
        self.samples.forget()

    def let_go(self) -> None:
        """Hold the model no longer."""
        for connection in self.by_name.values():
            connection.let_go()

    def operations(self) -> Operations:
        """The operations so far."""
        found = {name: each.operations() for name, each in self.by_name.items()}
        not_counted = self.not_counted | {
            n: why for n, why in found.items() if isinstance(why, str)
        }
        counted = [each for each in found.values() if isinstance(each, LayerOperations)]
        effective = {each.name: each.effective for each in counted}
        spreads = {name: self.samples.spread_of(name, of) for name, of in effective.items()}
        return Operations(
            [replace(each, by_sample=spreads[each.name]) for each in counted],
            not_counted=not_counted,
            by_sample=self.samples.spread_of_total(effective),
        )

    def check(self, theirs: Connections) -> None:
        """Refuse what cannot be added.

        Raises:
            MergeError: a layer is of another class; names it.
        """
        for name, their in theirs.by_name.items():
            if name in self.by_name:
                self.by_name[name].check(their)

    def add(self, theirs: Connections) -> None:
        """Add what others, which `check` let pass, counted."""
        for name, their in theirs.by_name.items():
            ours = self.by_name.setdefault(name, Connection(their.layer.info))
            ours.add(their)
        self.samples.add(theirs.samples)
        for name, why in theirs.not_counted.items():
            self.not_counted[name] = min(why, self.not_counted.get(name, why))

    def document(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """What a file says of them, and their tensors: see `from_document`."""
        layers, tensors = [], dict[str, Tensor]()
        for number, connection in enumerate(self.by_name.values()):
            connection.settle(connection.layer.neurons)
            entry, state = _written(connection)
            layers.append(entry)
            tensors |= {f"operations.{number}.{key}": tensor for key, tensor in state.items()}
        samples, more = written_samples(self.samples, list(self.by_name))
        document = {"not_counted": self.not_counted, "layers": layers, "samples": samples}
        return document, tensors | more

    @classmethod
    def from_document(cls, document: Any, states: dict[str, dict[str, Tensor]]) -> Connections:
        """What `document` described; takes its tensors away from `states`.

        Raises:
            KeyError, TypeError, ValueError: it was not written so.
            RecordingFileError: names a layer whose figures are damaged.
        """
        if not all(type(text) is str for pair in document["not_counted"].items() for text in pair):
            raise TypeError("not_counted is none")
        connections = cls(document["not_counted"])
        for number, entry in enumerate(document["layers"]):
            connection = _read(entry, states.pop(f"operations.{number}", {}))
            name = connection.layer.info.name
            if connections.by_name.setdefault(name, connection) is not connection:
                raise RecordingFileError("operations of two layers of one name", layer=name)
        connections.samples = read_samples(document["samples"], states, list(connections.by_name))
        return connections


def watched_connections(
    model: nn.Module,
) -> tuple[Connections, list[tuple[Connection, nn.Module, Adapter, bool]]]:
    """The model's connections; and for `WatchedLayer` each one's module, reader and `passed_by`."""
    found = connections_of(model)
    connections = Connections(found.not_counted)
    tied: list[tuple[Connection, nn.Module, Adapter, bool]] = []
    for named in found.modules:
        connection = Connection(connection_info(named), named.module)
        connections.by_name[named.name] = connection
        _tell_samples(connection, connections.samples)
        passed_by = id(named.module) in found.passed_by
        tied.append((connection, named.module, connection.reader, passed_by))
    return connections, tied


def _tell_samples(connection: Connection, samples: Samples) -> None:
    def refuse(why: str) -> None:
        connection.problem = why

    sums = samples.of.setdefault(connection.layer.info.name, SampleSums())
    connection.reader.tally = CallTally(samples, sums, connection.first_fans, refuse)


def _written(connection: Connection) -> tuple[dict[str, Any], dict[str, Tensor]]:
    layer, fans = connection.layer, connection.fans
    with layer.at_rest() as (arrivals,):
        state = arrivals.state_dict()
    if fans is not None and layer.called:
        state |= {"connected": from_numpy(fans.connected), "dense": from_numpy(fans.dense)}
    info = layer.info
    entry = {
        "name": info.name,
        "aliases": list(info.aliases),
        "framework": info.framework,
        "layer_type": info.layer_type,
        "shape": None if layer.neurons is None else list(layer.neurons),
        "problem": connection.problem,
    }
    return entry, state


def _read(entry: Any, state: dict[str, Tensor]) -> Connection:
    texts = [entry["name"], entry["framework"], entry["layer_type"], *entry["aliases"]]
    problem, shape = entry["problem"], entry["shape"]
    if not all(type(text) is str for text in (*texts, "" if problem is None else problem)):
        raise TypeError("a name or a problem is no text")
    if not (shape is None or all(type(size) is int for size in shape)):
        raise TypeError("a shape is none")
    name, framework, layer_type, *aliases = texts
    info = LayerInfo(name, tuple(aliases), framework, layer_type, SignalKind.GRADED)
    connection = Connection(info)
    connection.problem = problem
    try:
        fans = check_arrivals(state, None if shape is None else Size(shape), problem is None)
    except ValueError as cause:
        raise RecordingFileError(
            f"{info}: its operations are damaged: {cause}", layer=name
        ) from cause
    if shape is not None:
        connection.layer.neurons = Size(shape)
        connection.layer.statistics[0].load_state_dict(
            {key: tensor for key, tensor in state.items() if key not in fans}
        )
        if fans:
            connection.fans = FanOut(*(state[key].numpy() for key in fans))
    return connection
