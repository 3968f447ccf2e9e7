"""All layers of a recording whose synaptic operations are counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from torch import Size, Tensor, from_numpy, nn

from neuroact.errors import LayerNameError, MergeError, RecordingFileError
from neuroact.layers.adapter import Adapter, AdapterRegistry
from neuroact.layers.connections import connections_of
from neuroact.layers.fan_out import FanOut
from neuroact.layers.layer_info import LayerInfo
from neuroact.recording.connection import Connection, Outputs
from neuroact.recording.layer import LayerRecorder
from neuroact.recording.per_sample import Samples
from neuroact.recording.per_sample_calls import CallTally
from neuroact.recording.per_sample_file import read_samples, written_samples
from neuroact.recording.per_sample_sums import SampleSums
from neuroact.recording.pool import Pool
from neuroact.recording.product import Product
from neuroact.results.folded import FoldedOperations
from neuroact.results.operations import LayerOperations, Operations
from neuroact.statistics.states import MOST_COUNT, check_arrivals
from neuroact.stream.chunk import SignalKind
from neuroact.stream.product import SynapticProduct

_NO_PRODUCT = "no call of it was seen to multiply two activations"


@dataclass(slots=True)
class ByAdapter:
    """Products of one module, which its adapter reads.

    Attributes:
        problem: why they cannot be counted; None while they can.
        names: of the products so far.
    """

    problem: str | None = None
    names: set[str] = field(default_factory=set)


class Connections:
    """The layers whose operations are counted, by name, and what is named in place of others.

    Args:
        not_counted: why operations are not counted, by the name of each module that has weights.
    """

    def __init__(self, not_counted: Mapping[str, str] | None = None) -> None:
        self.by_name: dict[str, Connection] = {}
        self.products: dict[str, Product] = {}
        self.groups: dict[str, ByAdapter] = {}  # by the name that they have in `not_counted`
        self.pools: dict[str, Pool] = {}
        self.not_counted = dict(not_counted or {})
        self.samples = Samples()

    @property
    def layers(self) -> list[LayerRecorder]:
        """What counts."""
        counted = [each for connection in self.by_name.values() for each in connection.sizes]
        return [each.layer for each in counted] + [pool.layer for pool in self.pools.values()]

    def reset(self) -> None:
        """Forget everything counted."""
        for connection in self.by_name.values():
            connection.reset()
        for product in self.products.values():
            product.reset()
        for group in self.groups.values():
            group.problem = None
        for pool in self.pools.values():
            pool.reset()
        self.samples.forget()

    def let_go(self) -> None:
        """Hold the model no longer."""
        for connection in self.by_name.values():
            connection.let_go()

    def operations(self) -> Operations:
        """The operations so far. What was fed by hand is not also named as not counted."""
        found = {name: each.operations() for name, each in self.by_name.items()}
        broken = {n for each in self.groups.values() if each.problem for n in each.names}
        products = {n: each.operations() for n, each in self.products.items() if n not in broken}
        found |= {name: each for name, each in products.items() if each is not None}
        why_not = self.not_counted | {
            name: each.problem or _NO_PRODUCT
            for name, each in self.groups.items()
            if not each.names & found.keys()
        }
        not_counted = {name: why for name, why in why_not.items() if name not in found}
        not_counted |= {name: why for name, why in found.items() if isinstance(why, str)}
        counted = [each for each in found.values() if isinstance(each, LayerOperations)]
        effective = {each.name: each.effective for each in counted}
        spreads = {name: self.samples.spread_of(name, of) for name, of in effective.items()}
        return Operations(
            [
                replace(each, by_sample=spreads[each.name], folded=self._folded(each))
                for each in counted
            ],
            not_counted=not_counted,
            by_sample=self.samples.spread_of_total(effective),
        )

    def _folded(self, layer: LayerOperations) -> FoldedOperations | None:
        """The layer's operations with the one pool that feeds it folded into it."""
        fed = self.by_name.get(layer.name)
        pools = [pool for pool in self.pools.values() if pool.feeds == layer.name]
        if fed is None or fed.fans is None or fed.others.by_shape or len(pools) != 1:
            return None
        return pools[0].folded(layer, fed.fans)

    def observe(self, name: str, product: SynapticProduct) -> None:
        """Count a product of two activations.

        Raises:
            LayerNameError: a layer has that name, or a product that an adapter reads.
        """
        if name in self.by_name or any(name in each.names for each in self.groups.values()):
            raise LayerNameError(
                f'"{name}" is a layer of the model, or a product that its adapter reads: give the '
                "product another name",
                layer=name,
            )
        self.products.setdefault(name, Product(name)).observe(product)

    def by_adapter(self, module: str) -> ByAdapter:
        """The products of the module of that name, which its adapter reads."""
        self.not_counted.pop(f"{module}.products", None)
        return self.groups.setdefault(f"{module}.products", ByAdapter())

    def observe_parts(self, module: str, parts: Mapping[str, SynapticProduct]) -> None:
        """Count what one call of a module multiplied, by part.

        Raises:
            LayerNameError: a part has the name of a layer, or of a product fed by hand.
        """
        ours = self.groups[f"{module}.products"].names
        named = {f"{module}.{part}": product for part, product in parts.items()}
        taken = self.by_name.keys() | (self.products.keys() - ours)
        if both := sorted(named.keys() & taken):
            raise LayerNameError(f'"{both[0]}" is counted already, not by it', layer=both[0])
        for name, product in named.items():
            ours.add(name)
            self.products.setdefault(name, Product(name)).observe(product)

    def check(self, theirs: Connections) -> None:
        """Refuse what cannot be added.

        Raises:
            MergeError: a layer is of another class, or one is a product; names it.
        """
        for one, two in ((self, theirs), (theirs, self)):
            if both := sorted(one.by_name.keys() & two.products.keys()):
                raise MergeError(
                    f'cannot add operations of a product "{both[0]}" to those of a layer',
                    layer=both[0],
                )
        for name, their in theirs.by_name.items():
            if name in self.by_name:
                self.by_name[name].check(their)

    def add(self, theirs: Connections) -> None:
        """Add what others, which `check` let pass, counted."""
        for name, their in theirs.by_name.items():
            ours = self.by_name.setdefault(name, Connection(their.layer.info))
            ours.add(their)
        for name, product in theirs.products.items():
            self.products.setdefault(name, Product(name)).add(product)
        for name, other in theirs.groups.items():
            group = self.groups.setdefault(name, ByAdapter())
            group.names |= other.names
            group.problem = min(filter(None, (group.problem, other.problem)), default=None)
        for name, pool in theirs.pools.items():
            self.pools.setdefault(name, Pool(pool.layer.info, pool.windows)).add(pool)
        self.samples.add(theirs.samples)
        for name, why in theirs.not_counted.items():
            self.not_counted[name] = min(why, self.not_counted.get(name, why))

    def document(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """What a file says of them, and their tensors: see `from_document`."""
        layers, tensors = [], dict[str, Tensor]()
        counted = [each for connection in self.by_name.values() for each in connection.sizes]
        for number, connection in enumerate(counted):
            connection.settle(connection.layer.neurons)
            entry, state = _written(connection)
            layers.append(entry)
            tensors |= {f"operations.{number}.{key}": tensor for key, tensor in state.items()}
        samples, more = written_samples(self.samples, list(self.by_name))
        document: dict[str, Any] = {
            "not_counted": self.not_counted,
            "layers": layers,
            "samples": samples,
        }
        if self.products:
            document["products"] = list(self.products)
            for number, product in enumerate(self.products.values()):
                state = product.state_dict()
                tensors |= {f"products.{number}.{key}": tensor for key, tensor in state.items()}
        if self.groups:
            document["by_adapter"] = {
                name: [each.problem, sorted(each.names)] for name, each in self.groups.items()
            }
        if self.pools:
            document["pools"] = []
            for number, pool in enumerate(self.pools.values()):
                entry, counts = pool.document()
                document["pools"].append(entry)
                tensors |= {f"pools.{number}.{key}": tensor for key, tensor in counts.items()}
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
            first = connections.by_name.setdefault(name, connection)
            if first is not connection:  # the same layer, of inputs of another size
                shape, known = connection.layer.neurons, {e.layer.neurons for e in first.sizes}
                if shape is None or known & {None, shape}:
                    raise RecordingFileError("operations of two layers of one name", layer=name)
                first.others.by_shape[tuple(shape)] = connection
        for number, name in enumerate(document.get("products", ())):
            if type(name) is not str or name in connections.by_name or name in connections.products:
                raise ValueError("a product has the name of another, or none")
            product = connections.products[name] = Product(name)
            if state := states.pop(f"products.{number}", {}):
                product.load_state_dict(state)
        for name, (problem, names) in document.get("by_adapter", {}).items():
            if type(problem) is not str and problem is not None:
                raise TypeError("a problem is no text")
            if not set(names) <= connections.products.keys():
                raise ValueError("an adapter read products that are not there")
            connections.groups[name] = ByAdapter(problem, set(names))
        for number, entry in enumerate(document.get("pools", ())):
            pool = Pool.from_document(entry, states.pop(f"pools.{number}", {}))
            if connections.pools.setdefault(pool.layer.info.name, pool) is not pool:
                raise RecordingFileError("two pools of one name", layer=pool.layer.info.name)
        connections.samples = read_samples(document["samples"], states, list(connections.by_name))
        return connections


def watched_connections(
    model: nn.Module, adapters: Sequence[Adapter] | None = None
) -> tuple[Connections, list[tuple[Connection, nn.Module, Adapter, bool]]]:
    """The model's connections; and for `WatchedLayer` each one's module, reader and `passed_by`."""
    found = connections_of(model, AdapterRegistry(adapters))
    connections = Connections(found.not_counted)
    tied: list[tuple[Connection, nn.Module, Adapter, bool]] = []
    for each in found.counted:
        connection = Connection(each.info, each.synapses)
        connections.by_name[each.info.name] = connection
        _tell_samples(connection, connections.samples)
        tied.append((connection, each.module, connection.reader, each.passed_by))
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
    entry: dict[str, Any] = {
        "name": info.name,
        "aliases": list(info.aliases),
        "framework": info.framework,
        "layer_type": info.layer_type,
        "shape": None if layer.neurons is None else list(layer.neurons),
        "problem": connection.problem,
        "outputs": None if connection.outputs is None else asdict(connection.outputs),
    }
    if fans is not None and fans.at_once is not None:
        entry["at_once"] = fans.at_once
    return entry, state


def _read(entry: Any, state: dict[str, Tensor]) -> Connection:
    texts = [entry["name"], entry["framework"], entry["layer_type"], *entry["aliases"]]
    problem, shape, at_once = entry["problem"], entry["shape"], entry.get("at_once")
    if not all(type(text) is str for text in (*texts, "" if problem is None else problem)):
        raise TypeError("a name or a problem is no text")
    if not (shape is None or all(type(size) is int for size in shape)):
        raise TypeError("a shape is none")
    if not (at_once is None or (type(at_once) is int and 0 <= at_once < MOST_COUNT)):
        raise TypeError("the operations of one input are no number")
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
            connection.fans = FanOut(state["connected"].numpy(), state["dense"].numpy(), at_once)
            connection.outputs = _outputs(entry["outputs"])
    return connection


def _outputs(entry: Any) -> Outputs:
    shape, *numbers = entry["shape"], entry["bias_additions"], entry["parameters"]
    sizes = [*numbers, *(() if shape is None else shape)]
    if not all(type(size) is int and 0 <= size < MOST_COUNT for size in sizes):
        raise TypeError("what a layer makes of an input is no numbers")
    return Outputs(None if shape is None else tuple(shape), *numbers)
