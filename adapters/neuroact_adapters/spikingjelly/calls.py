"""What neuroact asks a SpikingJelly module at each call. It is written to be fast.

Asking a module for a submodule, such as its surrogate function, takes longer than counting a small
layer's spikes. So both functions look directly where PyTorch keeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from neuroact_adapters.spikingjelly.layers import (
    Layer,
    memories_of,
    never,
    surrogate_function,
)


def holder(module: Any, layer: Layer) -> Callable[..., Sequence[Any]]:
    """Makes the function that finds the state that the module holds, whatever its arguments."""

    def held(*_: Any) -> Any:
        state = layer.held(module)
        return (state,) if isinstance(state, Tensor) else state or ()

    def membrane(*_: Any) -> Any:
        potential = module.__dict__["_memories"].get("v")
        return (potential,) if isinstance(potential, Tensor) else held()

    return membrane if layer.held is memories_of and "_memories" in vars(module) else held


def same_options(module: Any, layer: Layer) -> Callable[[], bool]:
    """Makes the function that says whether the module's options are still the same."""
    own, modules = vars(module), module._modules
    surrogate = modules.get("surrogate_function")
    plain = layer.surrogate is surrogate_function and layer.real is never
    if not plain or surrogate is None or "_step_mode" not in own:
        options = _options(module, layer)
        return lambda: _options(module, layer) == options
    mode, training = own["_step_mode"], own["training"]
    spiking = vars(surrogate).get("spiking", True)
    return lambda: (
        module.__dict__["_step_mode"] == mode
        and module.__dict__["training"] is training
        and module._modules.get("surrogate_function") is surrogate
        and surrogate.__dict__.get("spiking", True) == spiking
    )


def _options(module: Any, layer: Layer) -> tuple[Any, ...]:
    surrogate = layer.surrogate(module)
    return (
        getattr(module, "step_mode", None),
        module.training,
        surrogate,
        getattr(surrogate, "spiking", True),
        layer.real(module),
    )
