"""The modules of a model under the names their author gave them, and the choice among them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, cast

from torch import nn

from neuroact.errors import LayerNameError, UnknownLayerError

ROOT_NAME = "model"
LayerPredicate = Callable[[str, nn.Module], bool]
LayerChoice = str | type[nn.Module] | nn.Module
LayerSelection = LayerChoice | Iterable[LayerChoice] | LayerPredicate | None

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
    classes = type(unwrapped(model)).__mro__
    return next(c for c in classes if not c.__module__.startswith(_MADE_BY))


def unwrapped(module: nn.Module) -> nn.Module:
    """The module inside of `torch.compile`'s, DDP's and other wrappers."""
    while (inner := _wrapped_by(module)) is not None:
        module = inner
    return module


def select(
    modules: Sequence[NamedModule],
    layers: LayerChoice | Iterable[LayerChoice] | LayerPredicate,
    *,
    known: set[str],
    spiking: set[str],
) -> tuple[NamedModule, ...]:
    """The modules that `layers` asks for, in the model's order.

    A name takes the module of that name, whatever it is; a module itself; a class all modules of
    it. A glob (`*`, `?`, `[...]`; `*` crosses dots) takes the layers an adapter knows, whose names
    are `known`, and other modules without children; so a pattern never takes a container, nor the
    inner parts of a known layer beside it, unless they are `spiking` themselves. A predicate takes
    every module for which it is true.

    Raises:
        UnknownLayerError: one of them, or the predicate, matches nothing.
        TypeError: one of them is none of these.
        ValueError: there are none of them.
    """
    if not isinstance(layers, type | nn.Module) and callable(layers):
        chosen = {m.name for m in modules if layers(m.name, m.module)}
        if not chosen:
            raise UnknownLayerError(
                f"the predicate given as layers= is true for none of the {len(modules)} modules: "
                + _listed(m.name for m in modules)
            )
    else:
        choices = choices_in(layers)
        layer_like = {
            m.name
            for m in modules
            if m.name in spiking
            or ((m.name in known or not m.module._modules) and not _is_inside(m.name, known))
        }
        chosen = {name for choice in choices for name in _chosen(modules, choice, layer_like)}
    return tuple(m for m in modules if m.name in chosen)


def choices_in(layers: object) -> list[LayerChoice]:
    """What `layers=` lists, one or many.

    Raises:
        TypeError: one is neither a name nor a module nor a class of modules.
        ValueError: there are none.
    """
    alone = isinstance(layers, str | bytes | type | nn.Module) or not isinstance(layers, Iterable)
    choices: list[Any] = [layers] if alone else list(cast("Iterable[Any]", layers))
    if not choices:
        raise ValueError(
            "layers= is empty, so there is nothing to record; None is all spiking ones"
        )
    for choice in choices:
        if not isinstance(choice, str | nn.Module | type):
            hint = f"; names are texts: {str(choice)!r}" if isinstance(choice, int) else ""
            raise TypeError(
                "layers= takes a name, a glob, a module, a class of modules, a list of these, or a "
                f"predicate (name, module) -> bool; came {choice!r:.100}{hint}"
            )
    return choices


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


def _chosen(modules: Sequence[NamedModule], choice: LayerChoice, layers: set[str]) -> list[str]:
    if isinstance(choice, str):
        return _matches(modules, choice, layers)
    if isinstance(choice, type):
        found = [m.name for m in modules if isinstance(m.module, choice)]
        what = f"the class {choice.__name__}"
        there = dict.fromkeys(class_of(m.module).__name__ for m in modules)
    else:
        wanted = unwrapped(choice)
        found = [m.name for m in modules if m.module is wanted]
        what = f"this module, a {class_of(choice).__name__},"
        there = dict.fromkeys(m.name for m in modules)
    if not found:
        raise UnknownLayerError(
            f"{what} given as layers= is in no place of the model. There are: {_listed(there)}"
        )
    return found


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
