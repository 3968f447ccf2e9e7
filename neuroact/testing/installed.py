"""Checks an installed adapter with its package's examples."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import entry_points

from neuroact.errors import UnknownAdapterError
from neuroact.layers.adapter import Adapter, installed_adapters
from neuroact.testing.adapter import check_adapter
from neuroact.testing.example import AdapterExample
from neuroact.testing.outcomes import CheckReport

EXAMPLES_ENTRY_POINT_GROUP = "neuroact.adapter_examples"


def check_installed_adapter(framework: str) -> CheckReport:
    """Run all checks of the adapter that is installed for a framework.

    Args:
        framework: its import name, which is the name of the adapter's entry point. An entry point
            of the same name in the group `neuroact.adapter_examples` leads to the examples, a
            sequence of `AdapterExample`.

    Raises:
        UnknownAdapterError: there is no adapter of that name, it has no examples, or its framework
            is not installed.
    """
    adapters = installed_adapters()
    examples = {point.name: point for point in entry_points(group=EXAMPLES_ENTRY_POINT_GROUP)}
    if framework not in adapters:
        raise UnknownAdapterError(
            f'no adapter for "{framework}" is installed; there are: {", ".join(sorted(adapters))}'
        )
    if framework not in examples:
        raise UnknownAdapterError(
            f'the adapter for "{framework}" ({adapters[framework].value}) brings no examples to '
            f'check it with: its package needs an entry point "{framework}" in the group '
            f'"{EXAMPLES_ENTRY_POINT_GROUP}" that leads to a sequence of AdapterExample'
        )
    try:
        adapter: Adapter = adapters[framework].load()()
        models: Sequence[AdapterExample] = examples[framework].load()
        for example in models:
            example.build()  # this may be what imports the framework
    except ImportError as cause:
        raise UnknownAdapterError(
            f'the adapter for "{framework}" cannot be checked without its framework: {cause}'
        ) from cause
    return check_adapter(adapter, models, stop=False)
