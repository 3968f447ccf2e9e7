"""Where the checks run, what their names are, and how recordings are compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from toy import ToyAdapter

from neuroact import Recording
from neuroact_adapters.norse import NorseAdapter
from neuroact_adapters.snntorch import SnnTorchAdapter
from neuroact_adapters.spikingjelly import SpikingJellyAdapter

CUDA, CPU, PRETENDED = "cuda", "cpu", "pretended"
# Passed by hand: on a bare machine neuroact is not installed, so its adapters are not found.
ADAPTERS: list[Any] = [ToyAdapter(), SnnTorchAdapter(), NorseAdapter(), SpikingJellyAdapter()]


@dataclass(frozen=True)
class Machine:
    """A device, and a block inside which waiting for it is an error."""

    device: torch.device
    no_waits: Callable[[], AbstractContextManager[None]] = nullcontext

    def of(self, x: Tensor) -> Tensor:
        """The part of a batch that is run step by step, with each step read in full."""
        return x if self.kind == CUDA else x[:6]

    @property
    def kind(self) -> str:
        """CUDA, CPU or PRETENDED."""
        return self.device.type


@dataclass(frozen=True)
class Check:
    """A claim. `run` gives the number behind it, and raises if the claim is false."""

    name: str
    on: Sequence[str]
    run: Callable[[Machine], str]


CHECKS: list[Check] = []


def check(
    name: str, *, on: Sequence[str] = (CUDA, CPU, PRETENDED)
) -> Callable[[Callable[[Machine], str]], Callable[[Machine], str]]:
    """Make a function a check, for these kinds of device."""

    def made(run: Callable[[Machine], str]) -> Callable[[Machine], str]:
        CHECKS.append(Check(name, on, run))
        return run

    return made


@contextmanager
def cuda_no_waits() -> Iterator[None]:
    """Inside the block PyTorch raises if an operation waits for the GPU."""
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


class Tape:
    """The oracle: keeps what layers emitted, by hooks that use nothing of neuroact.

    Args:
        layers: by reported name.
    """

    def __init__(self, layers: dict[str, nn.Module]) -> None:
        self._calls: dict[str, list[Tensor]] = {name: [] for name in layers}
        self._handles = [
            layer.register_forward_hook(self._keep(name)) for name, layer in layers.items()
        ]

    def _keep(self, name: str) -> Callable[..., None]:
        def keep(module: nn.Module, args: Any, output: Any) -> None:
            spikes = output[0] if isinstance(output, tuple) else output
            self._calls[name].append(spikes.detach().clone())

        return keep

    def take(self) -> dict[str, Tensor]:
        """Everything since the last time, `[time, batch, *neurons]`, on the CPU."""
        taken = {}
        for name, calls in self._calls.items():
            values = torch.stack(calls).cpu() if len(calls) > 1 else calls[0].cpu()
            taken[name] = values
            calls.clear()
        return taken

    def close(self) -> None:
        for handle in self._handles:
            handle.remove()


def states(recording: Recording) -> dict[str, dict[str, Tensor]]:
    """All counts, of each layer and statistic, on the CPU."""
    found = {}
    for name, layer in recording._layers.items():
        with layer.at_rest() as statistics:
            for statistic in statistics:
                state = {key: t.cpu() for key, t in statistic.state_dict().items()}
                found[f"{name} {type(statistic).__name__}"] = state
    return found


def check_same(recording: Recording, reference: Recording) -> int:
    """Raise unless both counted the same, to the bit; gives the number of events."""
    ours, theirs = states(recording), states(reference)
    assert ours.keys() == theirs.keys(), (list(ours), list(theirs))
    for name, state in ours.items():
        assert state.keys() == theirs[name].keys(), (name, list(state), list(theirs[name]))
        for key, tensor in state.items():
            other = theirs[name][key]
            assert tensor.shape == other.shape, (name, key, tensor.shape, other.shape)
            assert torch.equal(tensor, other), f"{name}, {key}: {tensor} is not {other}"
    return sum(int(s["events"].sum()) for name, s in ours.items() if name.endswith(" Firing"))
