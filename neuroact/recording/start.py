"""`record` starts watching a model's layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from weakref import finalize, ref

from torch import nn

from neuroact.layers.adapter import Adapter
from neuroact.layers.choose import GRADIENT, ChosenLayer, choose_layers
from neuroact.layers.names import LayerSelection, unwrapped
from neuroact.layers.products import products_of
from neuroact.layers.reading import Reading, State, Values
from neuroact.recording.assumed_axes import AssumedAxes
from neuroact.recording.connections import watched_connections
from neuroact.recording.per_sample_model import WatchedModel
from neuroact.recording.places import Places
from neuroact.recording.pools import watched_pools
from neuroact.recording.recording import Recording
from neuroact.recording.threads import one_at_a_time
from neuroact.recording.watched_layer import Watched, WatchedLayer
from neuroact.recording.watched_products import WatchedProducts
from neuroact.report.provenance import provenance, selection_text
from neuroact.statistics.choice import StatisticSelection, with_signal
from neuroact.stream.chunk import SignalKind


def record(
    model: nn.Module,
    *,
    layers: LayerSelection = None,
    of: str = "output",
    axes: str | None = None,
    kind: SignalKind | str | None = None,
    values: Values | None = None,
    state: State | None = None,
    statistics: StatisticSelection = None,
    adapters: Sequence[Adapter] | None = None,
    dt: float | None = None,
    operations: bool = False,
) -> Recording:
    """Record what a model's spiking layers emit, until the recording is closed or nobody holds it.

    The model works as before, with the same outputs, gradients and random numbers. Meanwhile each
    recorded layer has a stand-in for its `forward`; nothing else is stored on the model. Copies of
    the model made meanwhile are not recorded. Compiled models are recorded without a graph break. A
    call that gradient checkpointing repeats counts once.

    Args:
        model: any `torch.nn.Module`.
        layers: None for every spiking layer. To choose others: a module's name, a glob, a class of
            modules, a module, a list of these, or a predicate `(name, module) -> bool`. A layer
            that emits real values (a leaky integrator, a ReLU) is recorded if it is named. A dict
            `{"enc.*": Reading(...), "dec": Reading(...)}` also says how each is read, in place of
            its adapter if it has one.
        of: "output" for what a layer's `forward` returns, before any forward hook replaces it.
            "input" for the first argument of its `forward`, as it is when it goes in. If a hook
            replaces an output, the replacement is the input of the next layer.
            The name of a state ("mem", "v", "v_mem"): that state after each step, such as the
            membrane potential, as the layer leaves it; of a module that no adapter knows, its
            attribute of that name.
            "grad" for the gradient at a layer's output, in every backward pass. A pass is one
            sequence. Its steps come in their order in the pass: step 0 is the last time step.
        axes: how modules are read that no adapter knows; as `kind`, `values` and `state`, see
            `Reading`. The order of the dimensions: `T` for time, `B` for the batch, `N` for all
            dimensions of the neurons ("TBN", "BTN", "BN", "(T=16 B)N"). "BN" if None.
        kind: what their values mean: "binary", "graded" or "analog". "analog" if None.
        values: where in the output they are: an index, a key, or a function of the output.
        state: what the module goes on from: an index of the output, an attribute of the module, …
        statistics: one or several to keep of each layer beside `Firing`, which is always kept, and
            `Signal`, which is kept of states and gradients:
            names ("TimeCourse"), classes, configured statistics (`Raster(3)`), or functions that
            build one.
        adapters: adapters to ask about every module before the installed ones.
        dt: seconds per time step.
        operations: also count the synaptic operations: record what arrives at the weights of the
            model, whatever `layers` says; see `ActivityReport.operations`.

    Returns:
        The recording, which is also a context manager that closes itself.

    Raises:
        NoSpikingLayersError: no adapter knows a spiking layer of the model; lists the adapters.
        UnknownLayerError: `layers` matches nothing; lists the names there are.
        LayerNameError: two layers would have one name.
        StatisticKindError: a statistic does not apply to what a layer emits.
        TypeError, ValueError: an argument has a wrong value, or no use; says what it may be.

    Warns:
        AssumedAxesWarning: while recording, a value of three or more dimensions came, of a module
            that no adapter knows, and `axes` is None.

    >>> import neuroact, torch
    >>> net = torch.nn.Sequential(torch.nn.ReLU())
    >>> with neuroact.record(net, layers="0") as recording:
    ...     _ = net(torch.tensor([[1.0, 0.0], [3.0, 0.0]]))
    >>> recording.report()["0"].activity.tolist()
    [2.0, 0.0]
    """
    if not isinstance(operations, bool):
        raise TypeError(f"expected operations= to be True or False, came {operations!r}")
    real = of not in ("output", "input")
    recording = Recording(statistics=with_signal(statistics) if real else statistics, dt=dt)
    if isinstance(layers, Iterator):
        layers = list(layers)
    reading, assumed = Reading(axes, kind, values, state), AssumedAxes()
    found = choose_layers(model, layers=layers, of=of, reading=reading, adapters=adapters)
    for chosen in found:
        for watched in _watched(recording, chosen, model, gradients=of == GRADIENT):
            watched.layer.assumed = assumed if chosen.axes_assumed else None
            recording._watched.append(watched)
    if operations:
        recording._connections, tied = watched_connections(model, adapters)
        for connection, module, reader, passed_by in tied:
            watched = WatchedLayer(connection.layer, module, reader, passed_by=passed_by)
            recording._watched.append(watched)
        products, others = products_of(model, adapters)
        recording._connections.not_counted |= others
        for multiplying in products:
            recording._watched.append(WatchedProducts(multiplying, recording._connections))
        fed = [(connection, module) for connection, module, *_ in tied]
        recording._connections.pools, seen = watched_pools(model, fed)
        recording._watched += seen
        samples = recording._connections.samples
        recording._watched.append(WatchedModel(model, samples, recording._layers, found))
    recording._origin = provenance(model, (info.framework for info in recording.layers.values()))
    asked = {"layers": selection_text(layers), "of": of, "axes": axes, "dt": recording.dt}
    if {*reading.said} - {"axes"}:
        asked["reading"] = str(reading)
    recording._origin["options"] = asked
    begin(recording)
    return recording


def begin(recording: Recording) -> None:
    """Watch the layers that a recording was tied to, until it is closed or nobody holds it."""
    # Weak on both sides: a model may hold its recording, and what is watched holds its layer.
    watched_weakly = [ref(each) for each in recording._watched]
    finalize(recording, one_at_a_time.when_free, partial(_let_go, watched_weakly)).atexit = False
    recording.resume()


def _watched(
    recording: Recording, chosen: ChosenLayer, model: nn.Module, *, gradients: bool
) -> Iterator[WatchedLayer]:
    """A chosen module with its layer in the recording; with one layer for each of its places."""
    info, module, passed_by = chosen.info, chosen.module, chosen.passed_by
    if chosen.places == 1:
        layer = recording._add(info)
        yield WatchedLayer(layer, module, chosen.adapter, passed_by=passed_by, gradients=gradients)
        return
    places = Places(info.name, module, unwrapped(model), chosen.places, passed_by=passed_by)
    for at in range(chosen.places):
        read_as = f"{info.read_as}, place {at + 1} of {chosen.places}"
        place = replace(info, name=f"{info.name}#{at + 1}", aliases=(), read_as=read_as)
        watch = partial(places.watch, at)
        layer = recording._add(place)
        yield WatchedLayer(layer, module, chosen.adapter, watch=watch, gradients=gradients)


def _let_go(watched_weakly: list[ref[Watched]]) -> None:
    for held in watched_weakly:
        watched = held()
        if watched is not None:
            watched.let_go()
