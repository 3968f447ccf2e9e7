"""Recording a call that `torch.compile` cannot look into.

Imported while tracing, not before: what marks the function below brings the whole compiler along.
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
    """Run a call outside of the compiled program: a graph break, and right figures."""
    before, after = watcher.told
    given = before(args, kwargs)
    output = forward(*args, **kwargs)
    after(args, kwargs, output, given)
    return output
