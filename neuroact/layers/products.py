"""The modules of a model whose products of two activations an adapter reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import nn

from neuroact.layers.adapter import Adapter, AdapterRegistry, LayerCall
from neuroact.layers.choose import passed_by_modules
from neuroact.layers.layer_info import LayerInfo
from neuroact.layers.names import class_of, named_modules
from neuroact.stream.chunk import SignalKind
from neuroact.stream.product import SynapticProduct


@runtime_checkable
class ProductsAdapter(Protocol):
    """An adapter that sees which activations some modules multiply by others."""

    def has_products(self, module: nn.Module) -> bool:
        """Whether `products` reads the module's calls.

        It is asked once, when recording begins. It must not change the module.
        """

    def products(self, module: nn.Module, call: LayerCall) -> Mapping[str, SynapticProduct]:
        """What one call multiplied, by part: that of "scores" is reported as `name.scores`.

        Args:
            module: it was called.
            call: its arguments, copied before the call since it may change them; and its output.

        Raises:
            ValueError: the call is not as the adapter expects it; says what came. The module's
                products are then named as not counted, with this text.
        """


@dataclass(frozen=True, slots=True)
class Multiplying:
    """A module whose products an adapter reads.

    Attributes:
        info: name, class and framework of the module.
        module: the module.
        adapter: reads its calls.
        passed_by: whether a module around it may pass it by unless it has a hook.
    """

    info: LayerInfo
    module: nn.Module
    adapter: ProductsAdapter
    passed_by: bool


def products_of(model: nn.Module, adapters: Sequence[Adapter] | None = None) -> list[Multiplying]:
    """The modules whose products an adapter reads, in the model's order.

    Args:
        model: any module.
        adapters: are asked before the installed ones.
    """
    registry, modules = AdapterRegistry(adapters), named_modules(model)
    passed_by = passed_by_modules(modules)
    found = list[Multiplying]()
    for named in modules:
        module, cls = named.module, class_of(named.module)
        for adapter in registry.candidates(module):
            if isinstance(adapter, ProductsAdapter) and adapter.has_products(module):
                framework = cls.__module__.partition(".")[0]
                info = LayerInfo(
                    named.name, named.aliases, framework, cls.__name__, SignalKind.GRADED
                )
                found.append(Multiplying(info, module, adapter, id(module) in passed_by))
                break
    return found
