"""The modules of a model whose products of two activations an adapter reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import nn

from neuroact.layers.adapter import Adapter, AdapterRegistry, LayerCall
from neuroact.layers.choose import passed_by_modules
from neuroact.layers.layer_info import LayerInfo
from neuroact.layers.names import named_modules
from neuroact.stream.product import SynapticProduct

_SHARED = "what shows its products is a part of another module too, and cannot be told apart"


@runtime_checkable
class ProductsAdapter(Protocol):
    """An adapter that sees which activations some modules multiply by others."""

    def products_at(self, module: nn.Module) -> nn.Module | None:
        """The module whose calls show what this one multiplies; None if none does.

        That is this one; or one within it that nothing else calls, such as the neurons that emit
        queries, keys and values. It is asked once, when recording begins, and must change nothing.
        """

    def products(self, module: nn.Module, call: LayerCall) -> Mapping[str, SynapticProduct]:
        """What one call multiplied, by part: that of "scores" is reported as `name.scores`.

        Args:
            module: it multiplies.
            call: of what `products_at` returned: its arguments, copied before the call since it may
                change them; and its output.

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
        at: the module whose calls show the products.
        adapter: reads these calls.
        passed_by: whether a module around `at` may pass it by unless it has a hook.
    """

    info: LayerInfo
    module: nn.Module
    at: nn.Module
    adapter: ProductsAdapter
    passed_by: bool


def products_of(
    model: nn.Module, adapters: Sequence[Adapter] | None = None
) -> tuple[list[Multiplying], dict[str, str]]:
    """The modules whose products an adapter reads, in the model's order; and why others' are not.

    Args:
        model: any module.
        adapters: are asked before the installed ones.
    """
    registry, modules = AdapterRegistry(adapters), named_modules(model)
    passed_by = passed_by_modules(modules)
    found = list[Multiplying]()
    for named in modules:
        module = named.module
        for adapter in registry.candidates(module):
            if not isinstance(adapter, ProductsAdapter):
                continue
            if (at := adapter.products_at(module)) is not None:
                passed = id(at) in passed_by
                found.append(Multiplying(named.info(), module, at, adapter, passed))
                break
    owners = Counter(id(each.at) for each in found)
    # A call of what two modules share shows the products of one of them; nobody sees of which.
    return [each for each in found if owners[id(each.at)] == 1], {
        f"{each.info.name}.products": _SHARED for each in found if owners[id(each.at)] > 1
    }
