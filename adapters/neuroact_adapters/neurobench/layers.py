"""One benchmark run: the layers that are read, their adapters, and their counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from torch import Tensor, nn

from neuroact import Adapter, Recording, SignalKind, SpikeChunk, Statistic
from neuroact.errors import LayerShapeError, NeuroactError, NoSpikingLayersError
from neuroact.layers.adapter import AdapterRegistry
from neuroact.layers.choose import Owner, readings_by_name
from neuroact.layers.layer_info import LayerInfo
from neuroact.layers.names import (
    LayerSelection,
    NamedModule,
    check_distinct,
    class_of,
    named_modules,
    select,
)
from neuroact.layers.reading import Reading
from neuroact.layers.stated import StatedAdapter
from neuroact.recording.layer import LayerRecorder
from neuroact.statistics.choice import StatisticFactory, builders
from neuroact_adapters.neurobench.hooks import calls, live_hooks


@dataclass(frozen=True, slots=True)
class Options:
    """The arguments of `AverageActivityMetric.configured`."""

    layers: LayerSelection = None
    statistics: Sequence[StatisticFactory] = builders(None)
    per_neuron: bool = True
    dt: float | None = None
    reading: Reading = field(default_factory=Reading)
    adapters: Sequence[Adapter] = ()

    def check(self) -> None:
        """Refuse options that no run could use.

        Raises:
            TypeError: a statistic or an adapter is not one.
            ValueError: `dt` is not valid.
        """
        Recording(statistics=self.statistics, dt=self.dt)
        AdapterRegistry(self.adapters)

    def new_statistics(self) -> list[Statistic]:
        """One statistic of each kind, `Firing` first."""
        return [build() for build in self.statistics]


@dataclass(slots=True)
class Counted:
    """One layer's counts in a run, and why they cannot be used. Holds nothing of the model."""

    recorder: LayerRecorder
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A layer's module, the adapter that reads it, and its counts.

    Of a module in several places, each place is a layer. Its calls are every `places`-th, from the
    one with the number `place` on.
    """

    module: nn.Module
    adapter: Adapter
    counted: Counted
    place: int = 0
    places: int = 1

    def read(self, hook: Any, samples: int | None) -> None:
        """Count what the hook kept of a batch. Each batch starts sequences."""
        continues = False
        made = len(hook.activation_outputs)
        if made % self.places:
            raise ValueError(
                f"it is stated to have places={self.places}, and was called {made} times in a batch"
            )
        for call in islice(calls(hook), self.place, None, self.places):
            chunk = self.adapter.read(self.module, call)
            if chunk.batch != samples:
                self._check(chunk, samples)
            # The adapter of a layer without state starts a sequence with each call.
            if chunk.starts_sequence is continues:
                chunk = SpikeChunk(chunk.values, chunk.kind, not continues, chunk.valid)
            self.counted.recorder.take(chunk)
            continues = True

    def _check(self, chunk: SpikeChunk, samples: int | None) -> None:
        adapter = self.adapter
        if isinstance(adapter, StatedAdapter) and samples is not None:
            raise ValueError(
                f"read with axes {adapter.stated!r} it has {chunk.batch} samples where the batch "
                f'has {samples}: say the order of its dimensions, such as axes="TBN", in '
                "AverageActivityMetric.configured(...)"
            )


class Run:
    """The counts of one benchmark run.

    Attributes:
        layers: counts by the layers' full names, in the model's order.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        self.layers: dict[str, Counted] = {}
        self._failure: str | None = None
        self._sources: list[Source] | None = None

    @property
    def problem(self) -> str | None:
        """Why the whole run has no figures; None if it has."""
        return "no batch was run" if self._sources is None and not self._failure else self._failure

    def read(self, model: Any, batch: Any) -> None:
        """Count what the model's hooks kept of a batch. It never raises; it remembers the problem.

        Args:
            model: a NeuroBenchModel.
            batch: what the data loader gave, input first; it has the number of samples.
        """
        if self._failure is not None:
            return  # A run that missed a batch has no figures, even if the next batches are fine.
        try:
            if self._sources is None:
                self._sources = sources(model, self.options)
                self.layers = {s.counted.recorder.info.name: s.counted for s in self._sources}
            self._read(self._sources, model, _samples(batch))
        except Exception as cause:
            self._failure = message_of(cause)

    def problems(self) -> list[str]:
        """What is wrong; each entry names its layer."""
        if self.problem is not None:
            return [self.problem]
        return [f"{c.recorder.info}: {c.problem}" for c in self.layers.values() if c.problem]

    def _read(self, layers: list[Source], model: Any, samples: int | None) -> None:
        hooks = live_hooks(model)
        for source in layers:
            counted, hook = source.counted, hooks.get(id(source.module))
            if counted.problem is not None:
                continue
            if hook is None:
                counted.problem = _why_unhooked(model)
                continue
            try:
                source.read(hook, samples)
            except LayerShapeError:
                counted.problem = _USED_TWICE
            except Exception as cause:
                # One layer that cannot be read must not affect the others.
                counted.problem = message_of(cause)


def sources(model: Any, options: Options) -> list[Source]:
    """Every layer that NeuroBench hooks or that spikes; of these, the ones that `layers` names.

    Raises:
        NoSpikingLayersError: there are no such layers.
        UnknownLayerError: `layers` matches nothing.
        LayerNameError: two layers would have the same name.
    """
    hooks = live_hooks(model)
    modules = list(named_modules(model.__net__()))
    known = {id(named.module) for named in modules}
    modules += [NamedModule(h.name, h.layer) for key, h in hooks.items() if key not in known]
    registry = AdapterRegistry(options.adapters)
    owners = {id(m.module): owner for m in modules if (owner := registry.owner(m.module))}
    spiking = {key for key, (_, kind) in owners.items() if kind is not SignalKind.ANALOG}
    wanted = [m for m in modules if id(m.module) in spiking | set(hooks)]
    if not wanted:
        raise NoSpikingLayersError(
            f"NeuroBench hooks no layer of the {type(model.__net__()).__name__}, and no installed "
            f"adapter ({', '.join(registry.installed) or 'there is none'}) knows a spiking layer "
            "in it. Name the classes of activation layers with model.add_activation_module(cls), "
            "before you build the Benchmark"
        )
    names, own = {m.name for m in wanted}, dict[str, Reading]()
    if isinstance(options.layers, Mapping):
        own = readings_by_name(modules, options.layers, known=names, spiking=names)
        wanted = [m for m in modules if m.name in own]
    elif options.layers is not None:
        wanted = list(select(modules, options.layers, known=names, spiking=names))
    check_distinct(wanted)
    return [
        source
        for m in wanted
        for source in _sources(m, owners.get(id(m.module)), own.get(m.name), options)
    ]


def _sources(
    named: NamedModule, owner: Owner | None, own: Reading | None, options: Options
) -> Iterator[Source]:
    if owner is None or (own is not None and own.said):
        stated = StatedAdapter(own or options.reading)
        owner = stated, stated.kind(named.module)
    adapter, kind = owner
    info = LayerInfo(
        name=named.name,
        aliases=named.aliases,
        framework=adapter.framework,
        layer_type=class_of(named.module).__name__,
        kind=kind,
    )
    places = 1 if own is None else own.places
    for place in range(places):
        of_place = replace(info, name=f"{info.name}#{place + 1}", aliases=())
        recorder = LayerRecorder(info if places == 1 else of_place, options.new_statistics())
        yield Source(named.module, adapter, Counted(recorder), place, places)


def _samples(batch: Any) -> int | None:
    first = batch[0] if isinstance(batch, tuple | list) and batch else None
    return len(first) if isinstance(first, Tensor) and first.ndim else None


def message_of(cause: Exception) -> str:
    """What an exception says, with its class where it is none of ours."""
    ours = isinstance(cause, NeuroactError | ValueError | TypeError)
    return str(cause) if ours else f"{type(cause).__name__}: {cause}"


def _why_unhooked(model: Any) -> str:
    if not live_hooks(model):
        return (
            "NeuroBench's hooks are gone: deleting a Benchmark takes away those of every other "
            "Benchmark on the same model. Build the Benchmark again and run the new one"
        )
    return (
        "NeuroBench has no hook on it: it hooks the classes it knows, never the network itself, "
        "and nothing inside a layer that it hooks. Call "
        "neuroact_adapters.neurobench.add_spiking_layers(model) before the Benchmark is built, or "
        "leave the layer out with configured(layers=...)"
    )


_USED_TWICE = (
    "its neurons came in more than one shape, and a neuron's figures need one. Where the module is "
    "used in two places of the network, as one activation function after two layers is, say so: "
    'configured(layers={"its name": neuroact.Reading(places=2)}); or give each place a module of '
    "its own, before the Benchmark is built. Where inputs differ in shape, run those of each "
    "shape in a Benchmark of their own"
)
