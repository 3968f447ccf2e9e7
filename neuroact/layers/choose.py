"""Chooses which modules of a model are recorded, and which adapter reads each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import nn

from neuroact.errors import NoSpikingLayersError, NoSuchStateError, UnsupportedModelError
from neuroact.layers.adapter import Adapter, AdapterRegistry, InputAdapter, packages_in
from neuroact.layers.axes import DEFAULT_AXES, ArgumentReader
from neuroact.layers.layer_info import LayerInfo
from neuroact.layers.names import (
    ROOT_NAME,
    LayerChoice,
    LayerSelection,
    NamedModule,
    check_distinct,
    class_of,
    named_modules,
    select,
)
from neuroact.layers.other_names import other_names
from neuroact.layers.reading import Reading
from neuroact.layers.state_reader import state_reader
from neuroact.layers.stated import StatedAdapter
from neuroact.stream.chunk import SignalKind

GRADIENT = "grad"
"""`of=` for the gradient at a layer's output."""

Owner = tuple[Adapter, SignalKind]
"""An adapter that knows a module, and the kind that it says."""


@dataclass(frozen=True, slots=True)
class ChosenLayer:
    """A module to record, and the adapter that reads it.

    Attributes:
        info: the layer's name, type and kind.
        module: the module.
        adapter: the adapter that reads it.
        passed_by: True if an enclosing module may compute this module's output itself, without
            calling it. It does so only while this module has no forward hook.
        axes_assumed: True if the order of its dimensions is neither known nor stated.
        places: in how many places of the model it is called.
    """

    info: LayerInfo
    module: nn.Module
    adapter: Adapter
    passed_by: bool
    axes_assumed: bool
    places: int


def choose_layers(
    model: nn.Module,
    *,
    layers: LayerSelection = None,
    of: str = "output",
    reading: Reading | None = None,
    adapters: Sequence[Adapter] | None = None,
) -> tuple[ChosenLayer, ...]:
    """The layers that `neuroact.record` with these arguments records, in the model's order.

    Args:
        model: as in `record`.
        layers: as in `record`.
        of: as in `record`.
        reading: how modules are read that no adapter knows.
        adapters: as in `record`.
    """
    reading = Reading() if reading is None else reading
    if not isinstance(model, nn.Module):
        raise TypeError(f"expected a torch.nn.Module to record, came {type(model).__name__}")
    if not (isinstance(of, str) and of.isidentifier()):
        raise ValueError(
            'expected of= to be "output", "input", "grad", or the name of a state such as "mem", '
            f"came {of!r}"
        )
    _refuse_replicas(model)
    registry = AdapterRegistry(adapters)
    modules = named_modules(model)
    owners = {m.name: owner for m in modules if (owner := registry.owner(m.module)) is not None}
    spiking = {name for name, (_, kind) in owners.items() if kind is not SignalKind.ANALOG}
    own: dict[str, Reading] = {}
    if layers is None:
        chosen = tuple(m for m in modules if m.name in spiking)
        if not chosen:
            raise NoSpikingLayersError(_no_layers(modules, owners, registry))
    elif isinstance(layers, Mapping):
        _check_alone(reading)
        own = readings_by_name(modules, layers, known=set(owners), spiking=spiking)
        chosen = tuple(m for m in modules if m.name in own)
    else:
        chosen = select(modules, layers, known=set(owners), spiking=spiking)
    check_distinct(chosen)
    if of != "input" and reading.said:
        _check_used(reading, chosen, owners)
    passed_by = passed_by_modules(modules)
    find = _find(of)
    found, without = [], []
    for m in chosen:
        try:
            reads = find(m, owners.get(m.name), own.get(m.name), reading)
        except NoSuchStateError as cause:
            if layers is not None:
                raise
            without.append(cause)
        else:
            places = own.get(m.name, reading).places
            found.append(_chosen(m, reads, passed_by=id(m.module) in passed_by, places=places))
    if not found:
        raise without[0]
    recorded = {layer.info.name for layer in found}
    other = other_names(modules, [m.name for m in modules if m.name in spiking])
    return tuple(_also_named(layer, other.get(layer.info.name), recorded) for layer in found)


Reads = tuple[Adapter, SignalKind, str]
"""What reads a module, the kind of what it reads, and in words how it is read."""
Find = Callable[[NamedModule, Owner | None, Reading | None, Reading], Reads]


def _find(of: str) -> Find:
    """What finds the reader of a module, by the adapter that knows it and by its reading."""
    if of == "input":
        return _input_of
    if of == "output":
        return _output_of
    if of == GRADIENT:
        return _gradient_of
    return partial(_state_of, of)


def _gradient_of(
    named: NamedModule, owner: Owner | None, own: Reading | None, reading: Reading
) -> Reads:
    adapter, _, how = _output_of(named, owner, own, reading)
    return adapter, SignalKind.ANALOG, f"gradient of what is read {how}"


def _state_of(
    name: str, named: NamedModule, owner: Owner | None, own: Reading | None, reading: Reading
) -> Reads:
    known = owner is not None and (own is None or not own.said)
    adapter = owner[0] if owner is not None and known else None
    reader = state_reader(named.module, named.name, adapter, name, own or reading)
    return reader, SignalKind.ANALOG, f"its state {name!r}"


def readings_by_name(
    modules: Sequence[NamedModule],
    readings: Mapping[LayerChoice, Reading],
    *,
    known: set[str],
    spiking: set[str],
) -> dict[str, Reading]:
    """The reading of each module that a mapping given as `layers=` asks for, by the module's name.

    A module's own name, or the module itself, goes before a glob or a class.

    Args:
        modules: the model's modules.
        readings: the mapping.
        known: as in `select`.
        spiking: as in `select`.

    Raises:
        UnknownLayerError: a choice matches nothing.
        TypeError: a choice is none, or what it is mapped to is not a `Reading`.
        ValueError: the mapping is empty; or two choices, neither of them a module's own name, give
            one module different readings.
    """
    found: dict[str, tuple[bool, LayerChoice, Reading]] = {}
    if not readings:
        select(modules, (), known=known, spiking=spiking)  # which refuses it
    for choice, reading in readings.items():
        if not isinstance(reading, Reading):
            raise TypeError(
                f"layers={{{choice!r}: ...}} takes a neuroact.Reading, such as "
                f'neuroact.Reading(axes="TBN", kind="binary"), came {reading!r:.100}'
            )
        for m in select(modules, [choice], known=known, spiking=spiking):
            by_name = isinstance(choice, nn.Module) or choice in (m.name, *m.aliases)
            earlier = found.get(m.name)
            if earlier is None or (by_name and not earlier[0]):
                found[m.name] = by_name, choice, reading
            elif earlier[0] is by_name and earlier[2] != reading:
                raise ValueError(
                    f'layers= gives "{m.name}" two readings, by {earlier[1]!r} and by {choice!r}: '
                    "give it one of its own, by its name"
                )
    return {name: reading for name, (_, _, reading) in found.items()}


def passed_by_modules(modules: Sequence[NamedModule]) -> set[int]:
    """Modules that PyTorch's fast path for transformers does not call unless they have a hook."""
    layers = [m.module for m in modules if isinstance(m.module, nn.TransformerEncoderLayer)]
    return {id(part) for layer in layers for part in layer.modules() if part is not layer}


def _refuse_replicas(model: nn.Module) -> None:
    """Refuse DataParallel on several devices: each call runs copies of the layers in threads."""
    for _, module in model.named_modules():  # not `modules`, which Rockpool has a dict for
        if isinstance(module, nn.DataParallel) and len(module.device_ids) > 1:
            raise UnsupportedModelError(
                f"DataParallel runs copies of the model on {len(module.device_ids)} devices, which "
                "cannot be recorded. Record the model that it wraps, on one device; or use "
                "DistributedDataParallel, and neuroact.distributed.merge over its ranks."
            )


def _check_alone(reading: Reading) -> None:
    if reading.said:
        raise ValueError(
            f"with readings in layers=, say {reading.said[0]}= in each of them: "
            f"neuroact.Reading({reading.said[0]}=...)"
        )


def _check_used(
    reading: Reading, chosen: Sequence[NamedModule], owners: Mapping[str, Owner]
) -> None:
    """Refuse a reading that reads no layer, since nobody would notice."""
    if all(m.name in owners for m in chosen):
        first = chosen[0].name
        raise ValueError(
            f"{reading.said[0]}= says how modules are read that no adapter knows, and adapters "
            f'know all of these layers, as {owners[first][0].framework} does "{first}": name '
            "others in layers=, or say how to read a layer in place of its adapter: "
            f'layers={{"{first}": neuroact.Reading({reading.said[0]}=...)}}'
        )


def _output_of(
    named: NamedModule, owner: Owner | None, own: Reading | None, reading: Reading
) -> tuple[Adapter, SignalKind, str]:
    """What reads a module's output, its kind, and in words how it is read."""
    if owner is not None and (own is None or not own.said):
        return *owner, f"by the adapter of {owner[0].framework}"
    reading = own or reading
    adapter = StatedAdapter(reading)
    try:
        adapter.check(named.module)
    except ValueError as cause:
        raise ValueError(f'layer "{named.name}": {cause}') from cause
    return adapter, adapter.kind(named.module), _said(reading)


def _input_of(
    named: NamedModule, owner: Owner | None, own: Reading | None, reading: Reading
) -> tuple[Adapter, SignalKind, str]:
    reading = own or reading
    if reading.values is not None or reading.state is not None:
        raise ValueError(
            'of="input" reads the first argument, so values= and state=, which say where the '
            "values and the state are in the output, have no use"
        )
    axes, kind = reading.axes, reading.kind
    if owner is not None and axes is None:
        adapter = owner[0]
        if not isinstance(adapter, InputAdapter):
            raise ValueError(
                f'the adapter of "{named.name}" ({adapter.framework}) does not know the order of '
                'axes of its input: state it with axes=, such as axes="TBN"'
            )
        axes = adapter.input_axes(named.module)
    meaning = kind if isinstance(kind, SignalKind) else SignalKind.GRADED
    return ArgumentReader(axes, meaning), meaning, f"its input, {_said(Reading(axes, meaning))}"


def _said(reading: Reading) -> str:
    if reading.axes is not None:
        return str(reading)
    return ", ".join([f"axes {DEFAULT_AXES} assumed", *([str(reading)] if reading.said else [])])


def _chosen(
    named: NamedModule, reads: tuple[Adapter, SignalKind, str], *, passed_by: bool, places: int
) -> ChosenLayer:
    adapter, kind, read_as = reads
    if places > 1 and named.name == ROOT_NAME:
        raise ValueError(
            "places= counts the places of a module in a model, not of the model itself"
        )
    cls = class_of(named.module).__name__
    info = LayerInfo(named.name, named.aliases, adapter.framework, cls, kind, read_as)
    assumed = isinstance(adapter, StatedAdapter | ArgumentReader) and adapter.axes_assumed
    return ChosenLayer(info, named.module, adapter, passed_by, assumed, places)


def _also_named(layer: ChosenLayer, other: str | None, recorded: set[str]) -> ChosenLayer:
    if other is None or other in {*recorded, *layer.info.aliases}:
        return layer
    return replace(layer, info=replace(layer.info, aliases=(*layer.info.aliases, other)))


def _no_layers(
    modules: Sequence[NamedModule],
    owners: dict[str, Owner],
    registry: AdapterRegistry,
) -> str:
    parts = [f"found no spiking layer among the model's {len(modules)} modules."]
    if owners:
        names = ", ".join(owners)
        parts.append(
            f"These layers emit real values or encode data: {names}. They are recorded when "
            "named in layers=."
        )
    packages = [p for p in packages_in(m.module for m in modules) if p not in ("torch", "builtins")]
    parts.append(f"Its classes come from: {', '.join(packages) or 'torch alone'}.")
    parts.append(
        f"Adapters installed: {', '.join(registry.installed) or 'none'}. They also read a copy of "
        "a framework in another package, such as src.snntorch, if its modules kept their names."
    )
    if registry.broken:
        parts.append(f"Broken, see the warning above: {', '.join(registry.broken)}.")
    if any(isinstance(m.module, torch.jit.ScriptModule | torch.fx.GraphModule) for m in modules):
        parts.append(
            "neuroact cannot see into scripted, traced or exported modules: record the original."
        )
    parts.append(
        'More adapters come with a framework: pip install "neuroact[snntorch]" (or norse, '
        "spikingjelly, sinabs), or with a package that has an entry point in the group "
        '"neuroact.adapters". Modules of any other kind are recorded when named: '
        'neuroact.record(model, layers="name", axes="TBN", kind="binary").'
    )
    return " ".join(parts)
