"""Recording a call that `torch.compile` cannot trace.

Import this module only while tracing, since `torch.compiler.disable` imports the whole compiler.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch

from neuroact.recording.forward import Watcher


@torch.compiler.disable  # type: ignore[untyped-decorator]  # torch
def untraced(
    watcher: Watcher,
    forward: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
) -> Any:
    """Run and record a call outside of the compiled program, at the price of a graph break."""
    before, after = watcher.callbacks
    given = before(args, kwargs)
    output = forward(*args, **kwargs)
    after(args, kwargs, output, given)
    return output
