"""Makes a function a check of an adapter."""

from __future__ import annotations

from collections.abc import Callable

from neuroact.testing.example import Limit
from neuroact.testing.outcomes import Check
from neuroact.testing.playing import AdapterCase

Function = Callable[[AdapterCase], None]


def adapter_check(
    *limits: Limit, applies: Callable[[AdapterCase], bool] = lambda case: True
) -> Callable[[Function], Check[AdapterCase]]:
    """Make a function a check. Its claim is the first line of the docstring.

    Args:
        *limits: leave the check out for examples with one of these limits.
        applies: leave the check out where this is false.
    """

    def made(run: Function) -> Check[AdapterCase]:
        claim = (run.__doc__ or "").strip().splitlines()[0].rstrip(".")
        return Check(run.__name__, claim, run, lambda case: case.without(*limits) and applies(case))

    return made
