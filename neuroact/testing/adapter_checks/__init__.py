"""The checks of an adapter, in the order in which they run."""

from collections.abc import Mapping

from neuroact.testing.adapter_checks import (
    calls,
    layers,
    lifetime,
    limits,
    modes,
    pattern,
    reading,
    recordings,
    sequences,
    untouched,
)
from neuroact.testing.outcomes import Check
from neuroact.testing.playing import AdapterCase

ADAPTER_CHECKS: Mapping[str, Check[AdapterCase]] = {
    check.name: check
    for module in (
        layers,
        reading,
        sequences,
        calls,
        pattern,
        untouched,
        lifetime,
        modes,
        recordings,
        limits,
    )
    for check in module.CHECKS
}
"""Every check of an adapter by its name, in the order in which they run."""
