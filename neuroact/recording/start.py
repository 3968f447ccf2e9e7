"""`record` starts watching a model's layers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from weakref import finalize, ref

from torch import nn

from neuroact.layers.adapter import Adapter
from neuroact.layers.choose import GRADIENT, choose_layers
from neuroact.layers.names import LayerSelection
from neuroact.recording.connections import watched_connections
from neuroact.recording.recording import Recording
from neuroact.recording.threads import one_at_a_time
from neuroact.recording.watched_layer import WatchedLayer
from neuroact.report.provenance import provenance, selection_text
from neuroact.statistics.choice import StatisticSelection


def record(
    model: nn.Module,
    *,
    layers: LayerSelection = None,
    of: str = "output",
    axes: str | None = None,
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
            that emits real values (a leaky integrator, a ReLU) is recorded if it is named.
        of: "output" for what a layer's `forward` returns, before any forward hook replaces it.
            "input" for the first argument of its `forward`, as it is when it goes in. If a hook
            replaces an output, the replacement is the input of the next layer.
            The name of a state ("mem", "v", "v_mem"): that state after each step, such as the
            membrane potential, as the layer leaves it; of a module that no adapter knows, its
            attribute of that name.
            "grad" for the gradient at a layer's output, in every backward pass. A pass is one
            sequence. Its steps come in their order in the pass: step 0 is the last time step.
        axes: order of the dimensions where no adapter knows the module: `T` for time, `B` for the
            batch, `N` for all dimensions of the neurons ("TBN", "BTN", "BN", "(T=16 B)N"). "BN"
            if None.
        statistics: one or several to keep of each layer beside `Firing`, which is always kept:
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
        TypeError, ValueError: an argument has a wrong value; says what it may be.

    >>> import neuroact, torch
    >>> net = torch.nn.Sequential(torch.nn.ReLU())
    >>> with neuroact.record(net, layers="0") as recording:
    ...     _ = net(torch.tensor([[1.0, 0.0], [3.0, 0.0]]))
    >>> recording.report()["0"].activity.tolist()
    [2.0, 0.0]
    """
    if not isinstance(operations, bool):
        raise TypeError(f"expected operations= to be True or False, came {operations!r}")
    recording = Recording(statistics=statistics, dt=dt)
    if isinstance(layers, Iterator):
        layers = list(layers)
    for chosen in choose_layers(model, layers=layers, of=of, axes=axes, adapters=adapters):
        layer = recording._add(chosen.info)
        watched = WatchedLayer(
            layer,
            chosen.module,
            chosen.adapter,
            passed_by=chosen.passed_by,
            gradients=of == GRADIENT,
        )
        recording._watched.append(watched)
    if operations:
        recording._connections, tied = watched_connections(model, adapters)
        for connection, module, reader, passed_by in tied:
            watched = WatchedLayer(connection.layer, module, reader, passed_by=passed_by)
            recording._watched.append(watched)
    recording._origin = provenance(model, (info.framework for info in recording.layers.values()))
    asked = {"layers": selection_text(layers), "of": of, "axes": axes, "dt": recording.dt}
    recording._origin["options"] = asked
    begin(recording)
    return recording


def begin(recording: Recording) -> None:
    """Watch the layers that a recording was tied to, until it is closed or nobody holds it."""
    # Weak on both sides: a model may hold its recording, and what is watched holds its layer.
    watched_weakly = [ref(watched) for watched in recording._watched]
    finalize(recording, one_at_a_time.when_free, partial(_let_go, watched_weakly)).atexit = False
    recording.resume()


def _let_go(watched_weakly: list[ref[WatchedLayer]]) -> None:
    for held in watched_weakly:
        watched = held()
        if watched is not None:
            watched.let_go()
