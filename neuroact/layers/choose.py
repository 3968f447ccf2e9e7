"""Chooses which modules of a model are recorded, and which adapter reads each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import nn

from neuroact.errors import NoSpikingLayersError, NoSuchStateError, UnsupportedModelError
from neuroact.layers.adapter import Adapter, AdapterRegistry, InputAdapter, packages_in
from neuroact.layers.axes import ArgumentReader, TensorAdapter
from neuroact.layers.layer_info import LayerInfo
from neuroact.layers.names import (
    LayerSelection,
    NamedModule,
    check_distinct,
    class_of,
    named_modules,
    select,
)
from neuroact.layers.state_reader import state_reader
from neuroact.stream.chunk import SignalKind

GRADIENT = "grad"
"""`of=` for the gradient at a layer's output."""


@dataclass(frozen=True, slots=True)
class ChosenLayer:
    """A module to record, and the adapter that reads it.

    Attributes:
        info: the layer's name, type and kind.
        module: the module.
        adapter: the adapter that reads it.
        passed_by: True if an enclosing module may compute this module's output itself, without
            calling it. It does so only while this module has no forward hook.
    """

    info: LayerInfo
    module: nn.Module
    adapter: Adapter
    passed_by: bool


def choose_layers(
    model: nn.Module,
    *,
    layers: LayerSelection,
    of: str,
    axes: str | None,
    adapters: Sequence[Adapter] | None,
) -> tuple[ChosenLayer, ...]:
    """The layers that `neuroact.record` with these arguments records, in the model's order."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"expected a torch.nn.Module to record, came {type(model).__name__}")
    if not (isinstance(of, str) and of.isidentifier()):
        raise ValueError(
            'expected of= to be "output", "input", "grad", or the name of a state such as "mem", '
            f"came {of!r}"
        )
    _refuse_replicas(model)
    plain = TensorAdapter(axes)
    registry = AdapterRegistry(adapters)
    modules = named_modules(model)
    owners = {m.name: owner for m in modules if (owner := registry.owner(m.module)) is not None}
    spiking = {name for name, (_, kind) in owners.items() if kind is not SignalKind.ANALOG}
    if layers is None:
        chosen = tuple(m for m in modules if m.name in spiking)
        if not chosen:
            raise NoSpikingLayersError(_no_layers(modules, owners, registry))
    else:
        chosen = select(modules, layers, known=set(owners), spiking=spiking)
    check_distinct(chosen)
    passed_by = passed_by_modules(modules)
    read = _readers(of, plain, axes)
    found, without = [], []
    for m in chosen:
        try:
            found.append(_chosen(m, read(m, owners.get(m.name)), id(m.module) in passed_by))
        except NoSuchStateError as cause:
            if layers is not None:
                raise
            without.append(cause)
    if not found:
        raise without[0]
    return tuple(found)


Owner: TypeAlias = tuple[Adapter, SignalKind]


def _readers(
    of: str, plain: TensorAdapter, axes: str | None
) -> Callable[[NamedModule, Owner | None], Owner]:
    """What reads a module, by its name and the adapter that knows it, or None."""
    if of == "input":
        return lambda named, owner: _input_of(named, owner, axes)
    if of == "output":
        return lambda named, owner: owner or (plain, plain.kind(named.module))
    if of == GRADIENT:
        return lambda named, owner: (owner[0] if owner else plain, SignalKind.ANALOG)

    def state_of(named: NamedModule, owner: Owner | None) -> Owner:
        adapter = owner[0] if owner else None
        return state_reader(named.module, named.name, adapter, of, axes), SignalKind.ANALOG

    return state_of


def passed_by_modules(modules: Sequence[NamedModule]) -> set[int]:
    """Modules that PyTorch's fast path for transformers does not call unless they have a hook."""
    layers = [m.module for m in modules if isinstance(m.module, nn.TransformerEncoderLayer)]
    return {id(part) for layer in layers for part in layer.modules() if part is not layer}


def _refuse_replicas(model: nn.Module) -> None:
    """Refuse DataParallel on several devices: each call runs copies of the layers in threads."""
    for module in model.modules():
        if isinstance(module, nn.DataParallel) and len(module.device_ids) > 1:
            raise UnsupportedModelError(
                f"DataParallel runs copies of the model on {len(module.device_ids)} devices, which "
                "cannot be recorded. Record the model that it wraps, on one device; or use "
                "DistributedDataParallel, and neuroact.distributed.merge over its ranks."
            )


def _input_of(named: NamedModule, owner: Owner | None, axes: str | None) -> Owner:
    if owner is not None and axes is None:
        adapter = owner[0]
        if not isinstance(adapter, InputAdapter):
            raise ValueError(
                f'the adapter of "{named.name}" ({adapter.framework}) does not know the order of '
                'axes of its input: state it with axes=, such as axes="TBN"'
            )
        axes = adapter.input_axes(named.module)
    reader = ArgumentReader(axes)
    return reader, reader.kind(named.module)


def _chosen(named: NamedModule, owner: Owner, passed_by: bool) -> ChosenLayer:
    adapter, kind = owner
    info = LayerInfo(
        named.name, named.aliases, adapter.framework, class_of(named.module).__name__, kind
    )
    return ChosenLayer(info, named.module, adapter, passed_by)


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
    parts.append(f"Adapters installed: {', '.join(registry.installed) or 'none'}.")
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
        'neuroact.record(model, layers="name", axes="TBN").'
    )
    return " ".join(parts)
