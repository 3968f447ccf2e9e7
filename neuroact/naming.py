"""The modules of a model under the names their author gave them, and the choice among them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from torch import nn

from neuroact.errors import LayerNameError, UnknownLayerError

ROOT_NAME = "model"
LayerPredicate = Callable[[str, nn.Module], bool]
LayerSelection = str | Sequence[str] | LayerPredicate | None

# Attribute under which a wrapper keeps the one module it wraps, by the wrapper's class name. By
# name, because importing FSDP only to recognise it would cost more than all of neuroact.
_WRAPPED_ATTRIBUTE = {
    "OptimizedModule": "_orig_mod",
    "DataParallel": "module",
    "DistributedDataParallel": "module",
    "FullyShardedDataParallel": "_fsdp_wrapped_module",
    "CheckpointWrapper": "_checkpoint_wrapped_module",
}
# Where the classes that PyTorch derives from a module's own say that they come from.
_MADE_BY = ("torch.distributed.", "torch.nn.utils.parametrize")


@dataclass(frozen=True, slots=True)
class NamedModule:
    """A module, its reported name, and the other names it has in the model.

    Attributes:
        name: qualified name without wrappers' prefixes; "model" for the root.
        module: the module itself.
        aliases: its other names, in the model's order.
    """

    name: str
    module: nn.Module
    aliases: tuple[str, ...] = ()


def named_modules(model: nn.Module) -> tuple[NamedModule, ...]:
    """Every module of the model once, in the model's order, wrappers left out.

    `torch.compile`, DataParallel, DDP, FSDP and checkpoint wrappers are looked through and leave
    no trace in a name.

    >>> from torch import nn
    >>> shared = nn.ReLU()
    >>> [(m.name, m.aliases) for m in named_modules(nn.Sequential(shared, nn.Tanh(), shared))]
    [('model', ()), ('0', ('2',)), ('1', ())]
    """
    names: dict[int, list[str]] = {}
    modules: dict[int, nn.Module] = {}
    for name, module in _walk(model, "", ()):
        modules[id(module)] = module
        names.setdefault(id(module), []).append(name or ROOT_NAME)
    return tuple(
        NamedModule(first, modules[key], tuple(rest)) for key, (first, *rest) in names.items()
    )


def class_of(model: nn.Module) -> type:
    """The class that the author of a module wrote, whatever wraps it or was made of it.

    `fully_shard` and parametrizations give a module a class of their own, derived from its own.

    >>> from torch import nn
    >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))
    >>> type(layer).__name__, class_of(layer).__name__
    ('ParametrizedLinear', 'Linear')
    """
    while (inner := _wrapped_by(model)) is not None:
        model = inner
    return next(c for c in type(model).__mro__ if not c.__module__.startswith(_MADE_BY))


def select(
    modules: Sequence[NamedModule],
    layers: str | Sequence[str] | LayerPredicate,
    *,
    known: set[str],
    spiking: set[str],
) -> tuple[NamedModule, ...]:
    """The modules that `layers` asks for, in the model's order.

    A name takes the module of that name, whatever it is. A glob (`*`, `?`, `[...]`; `*` crosses
    dots) takes the layers an adapter knows, whose names are `known`, and other modules without
    children; so a pattern never takes a container, nor the inner parts of a known layer beside it,
    unless they are `spiking` themselves. A predicate takes every module for which it is true.

    Raises:
        UnknownLayerError: a name, a pattern or the predicate matches nothing.
    """
    if callable(layers):
        chosen = {m.name for m in modules if layers(m.name, m.module)}
        if not chosen:
            raise UnknownLayerError(
                f"the predicate given as layers= is true for none of the {len(modules)} modules: "
                + _listed(m.name for m in modules)
            )
    else:
        patterns = [layers] if isinstance(layers, str) else list(layers)
        layer_like = {
            m.name
            for m in modules
            if m.name in spiking
            or ((m.name in known or not m.module._modules) and not _is_inside(m.name, known))
        }
        chosen = {name for p in patterns for name in _matches(modules, p, layer_like)}
    return tuple(m for m in modules if m.name in chosen)


def check_distinct(modules: Iterable[NamedModule]) -> None:
    """Refuse two modules of one reported name.

    Raises:
        LayerNameError: names the layer.
    """
    seen: set[str] = set()
    for m in modules:
        if m.name in seen:
            raise LayerNameError(
                f'two layers would both be reported as "{m.name}" (the model itself is reported '
                f'as "{ROOT_NAME}"); rename one, or pick one of them with layers=',
                layer=m.name,
            )
        seen.add(m.name)


def nearest(name: str, names: Iterable[str]) -> str:
    """A sentence that offers the names most like `name`; empty where none is."""
    near = difflib.get_close_matches(name, list(names), n=3, cutoff=0.5)
    return f" Did you mean {' or '.join(repr(n) for n in near)}?" if near else ""


def _walk(module: nn.Module, name: str, above: tuple[int, ...]) -> Iterator[tuple[str, nn.Module]]:
    if id(module) in above:
        return  # a module that contains itself
    above = (*above, id(module))
    if (inner := _wrapped_by(module)) is not None:
        yield from _walk(inner, name, above)
        return
    yield name, module
    for child_name, child in module._modules.items():
        if child is not None:
            yield from _walk(child, f"{name}.{child_name}" if name else child_name, above)


def _wrapped_by(module: nn.Module) -> nn.Module | None:
    attribute = _WRAPPED_ATTRIBUTE.get(type(module).__name__)
    return None if attribute is None else module._modules.get(attribute)


def _matches(modules: Sequence[NamedModule], pattern: str, layers: set[str]) -> list[str]:
    exact = [m.name for m in modules if pattern in (m.name, *m.aliases)]
    if exact:
        return exact
    matched = [
        m.name
        for m in modules
        if m.name in layers and any(fnmatchcase(n, pattern) for n in (m.name, *m.aliases))
    ]
    if not matched:
        names = [n for m in modules for n in (m.name, *m.aliases)]
        raise UnknownLayerError(
            f"layers={pattern!r} matches no module of the model.{nearest(pattern, names)} "
            f"There are: {_listed(names)}"
        )
    return matched


def _is_inside(name: str, known: set[str]) -> bool:
    parts = name.split(".")
    return any(".".join(parts[:end]) in known for end in range(1, len(parts)))


def _listed(names: Iterable[str], most: int = 40) -> str:
    listed = list(names)
    more = f", and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more
