"""Products of SpikingJelly's attention are those that it multiplies while it runs."""

from __future__ import annotations

from typing import Any

import torch
from spikingjelly.activation_based import functional, layer
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

import neuroact

SSA: Any = layer.SpikingSelfAttention


class Multiplied(TorchFunctionMode):
    """Keeps what `@` is given."""

    def __init__(self) -> None:
        super().__init__()
        self.pairs: list[tuple[Tensor, Tensor]] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func in (Tensor.matmul, Tensor.__matmul__, torch.matmul):
            self.pairs.append(tuple(each.detach().clone() for each in args))
        return func(*args, **(kwargs or {}))


def acs_and_macs(pairs: list[tuple[Tensor, Tensor]]) -> tuple[int, int]:
    acs = macs = 0
    for left, right in pairs:
        one, other = left.abs().unsqueeze(-1), right.abs().unsqueeze(-3)
        both = (one != 0) & (other != 0)
        adds = both & ((one == 1) | (other == 1))
        acs += int(adds.sum())
        macs += int(both.sum() - adds.sum())
    return acs, macs


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.attention = SSA(8, num_heads=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.attention(x)  # type: ignore[no-any-return]


def test_the_products_of_spiking_self_attention_are_those_that_run() -> None:
    net = Net()
    plain = []
    with torch.no_grad():
        for seed in range(2):
            torch.manual_seed(seed)
            x = (torch.rand(3, 2, 8, 5) < 0.7).float() * 4
            with Multiplied() as multiplied:
                net(x)
            functional.reset_net(net)
            plain.append((x, multiplied.pairs))
        with neuroact.record(net, operations=True) as recording:
            for x, _ in plain:
                net(x)
                functional.reset_net(net)
    operations = recording.report().operations
    assert all(len(pairs) == 2 for _, pairs in plain)
    for at, part in enumerate(("value_key", "value_key_query")):
        found = operations[f"attention.{part}"]
        expected = acs_and_macs([pairs[at] for _, pairs in plain])
        assert (found.acs, found.macs) == expected
        assert found.acs > 0
        assert found.observations == 2 * 3 * 2 * 2  # calls, time, batch, heads
    assert "attention.products" not in operations.not_counted


def test_a_subclass_that_multiplies_in_another_way_is_named() -> None:
    class Other(SSA):  # type: ignore[misc]  # as above
        @staticmethod
        def _ssa_kernel_torch(qkv: Tensor, scale: float) -> Tensor:
            return qkv[:, :, 0] * scale

    net = nn.ModuleDict({"attention": Other(8, num_heads=2)})
    with torch.no_grad(), neuroact.record(net, operations=True) as recording:
        net["attention"](torch.ones(3, 2, 8, 5))
    operations = recording.report().operations
    assert "cannot be seen" in operations.not_counted["attention.products"]
    assert not [name for name in operations if "value" in name]


def test_a_subclass_that_adds_nothing_is_counted() -> None:
    class Mine(SSA):  # type: ignore[misc]  # as above
        pass

    net = nn.ModuleDict({"attention": Mine(8, num_heads=2)})
    with torch.no_grad(), neuroact.record(net, operations=True) as recording:
        net["attention"](torch.ones(3, 2, 8, 5))
    assert "attention.value_key" in recording.report().operations
