"""Names a model's modules as its author did, and selects those that `layers=` asks for."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, cast

from torch import nn

from neuroact.errors import LayerNameError, UnknownLayerError
from neuroact.layers.layer_info import LayerInfo
from neuroact.layers.reading import Reading
from neuroact.stream.chunk import SignalKind

ROOT_NAME = "model"
LayerPredicate = Callable[[str, nn.Module], bool]
LayerChoice = str | type[nn.Module] | nn.Module
LayerSelection = (
    LayerChoice | Iterable[LayerChoice] | Mapping[LayerChoice, Reading] | LayerPredicate | None
)

# The attribute that holds the wrapped module, by the wrapper's class name. Names, because importing
# FSDP only to recognise it would cost more than all of neuroact.
_WRAPPED_ATTRIBUTE = {
    "OptimizedModule": "_orig_mod",
    "DataParallel": "module",
    "DistributedDataParallel": "module",
    "FullyShardedDataParallel": "_fsdp_wrapped_module",
    "CheckpointWrapper": "_checkpoint_wrapped_module",
}
# `__module__` of the classes that PyTorch derives from a module's own class.
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

    def info(self, part: str = "") -> LayerInfo:
        """What is known of it, or of a part of it, as of a layer that graded values arrive at.

        The framework is the package of its class.
        """
        names = [f"{name}.{part}" if part else name for name in (self.name, *self.aliases)]
        cls = class_of(self.module)
        framework = cls.__module__.partition(".")[0]
        return LayerInfo(names[0], tuple(names[1:]), framework, cls.__name__, SignalKind.GRADED)


def named_modules(model: nn.Module) -> tuple[NamedModule, ...]:
    """Every module of the model once, in the model's order, without wrappers.

    The wrappers of `torch.compile`, DataParallel, DDP, FSDP and checkpointing do not appear, nor do
    their prefixes in the names.

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
    """The class that the module's author wrote.

    Wrappers are looked through. So are the classes that `fully_shard` and parametrizations derive
    from the module's own.

    >>> from torch import nn
    >>> layer = nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))
    >>> type(layer).__name__, class_of(layer).__name__
    ('ParametrizedLinear', 'Linear')
    """
    classes = type(unwrapped(model)).__mro__
    return next(c for c in classes if not c.__module__.startswith(_MADE_BY))


def unwrapped(module: nn.Module) -> nn.Module:
    """The module inside the wrappers of `torch.compile`, DDP and the like."""
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

    - A name selects the module of that name, whatever it is.
    - A module selects itself; a class selects all modules of that class.
    - A glob (`*`, `?`, `[...]`; `*` crosses dots) selects the layers that an adapter knows, whose
      names are `known`, and other modules without children. So it selects no container. It selects
      a module inside a known layer only if that module is `spiking` itself.
    - A predicate selects every module for which it is true.

    Raises:
        UnknownLayerError: a choice, or the predicate, matches nothing.
        TypeError: a choice is none of the above.
        ValueError: `layers` is empty.
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
    """The choices in `layers=` as a list, be it one or many.

    Raises:
        TypeError: a choice is not a name, a module or a class of modules.
        ValueError: there are no choices.
    """
    alone = isinstance(layers, str | bytes | type | nn.Module) or not isinstance(layers, Iterable)
    choices: list[Any] = [layers] if alone else list(cast("Iterable[Any]", layers))
    if not choices:
        raise ValueError(
            "layers= is empty, so there is nothing to record; None records all spiking layers"
        )
    for choice in choices:
        if not isinstance(choice, str | nn.Module | type):
            hint = f"; a name is a text: {str(choice)!r}" if isinstance(choice, int) else ""
            raise TypeError(
                "layers= takes a name, a glob, a module, a class of modules, a list of these, a "
                "dict from these to a neuroact.Reading, or a predicate (name, module) -> bool; "
                f"came {choice!r:.100}{hint}"
            )
    return choices


def check_distinct(modules: Iterable[NamedModule]) -> None:
    """Refuse two modules with the same reported name.

    Raises:
        LayerNameError: two modules have the same name, which the error tells.
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
    """A sentence that offers the names most like `name`; empty if none is similar."""
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
            f"{what} given as layers= is not in the model. There are: {_listed(there)}"
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
