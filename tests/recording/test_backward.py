"""Recording a training step: the same gradients to the bit, no graph kept alive, nothing twice."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from alive import tensors_alive
from operations import id_of
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from toy import Net, Neuron, RawOutputs, ToyAdapter

import neuroact
from neuroact import InterspikeIntervals, Recording, SpikeCounts, Synchrony, TimeCourse

STATISTICS = [InterspikeIntervals, SpikeCounts, Synchrony, TimeCourse]


def record(net: nn.Module, **options: Any) -> Recording:
    return neuroact.record(net, adapters=[ToyAdapter()], **options)


def gradients(net: nn.Module) -> list[Tensor]:
    return [p.grad.clone() for p in net.parameters() if p.grad is not None]


def step(net: nn.Module, x: Tensor) -> None:
    net(x).square().sum().backward()


def accumulated(net: nn.Module, x: Tensor) -> None:
    for part in x.split(1, dim=1):
        step(net, part)


def autocast(net: nn.Module, x: Tensor) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = net(x).float().square().sum()
    loss.backward()


@pytest.mark.parametrize("train", [step, accumulated, autocast])
@pytest.mark.parametrize("statistics", [None, STATISTICS], ids=["default", "all"])
def test_gradients_are_the_same_to_the_bit_and_figures_are_those_of_the_raw_outputs(
    train: Callable[[nn.Module, Tensor], None], statistics: Any
) -> None:
    torch.manual_seed(0)
    bare, watched, x = Net(), Net(), torch.randn(9, 4, 5)
    watched.load_state_dict(bare.state_dict())
    train(bare, x)
    raw = RawOutputs(watched.lif2)
    with record(watched, statistics=statistics) as recording:
        train(watched, x)
    pairs = zip(gradients(bare), gradients(watched), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    values = raw.flat()
    layer = recording.report()["lif2"]
    assert layer.events.tolist() == (values != 0).sum(0).tolist()
    assert layer.observations == len(values)


class Checkpointed(nn.Module):
    """A model whose layers a checkpoint runs a second time in the backward pass."""

    def __init__(self, reentrant: bool) -> None:
        super().__init__()
        self.reentrant, self.runs = reentrant, 0
        self.fc, self.lif = nn.Linear(5, 7), Neuron()

    def part(self, x: Tensor) -> Tensor:
        self.runs += 1
        spikes, mem = self.lif(self.fc(x))
        return spikes + mem

    def forward(self, x: Tensor) -> Tensor:
        return checkpoint(self.part, x, use_reentrant=self.reentrant)


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_call_that_a_checkpoint_repeats_counts_once(reentrant: bool) -> None:
    net, x = Checkpointed(reentrant), torch.randn(4, 5, requires_grad=True)
    spikes, _ = net.lif(net.fc(x))
    for _ in range(3):
        step(net, x)
    expected = gradients(net)
    net.zero_grad()
    with record(net) as recording:
        for _ in range(3):
            step(net, x)
    assert net.runs == 12, "it would be counted twice a step"
    assert all(torch.equal(a, b) for a, b in zip(expected, gradients(net), strict=True))
    layer = recording.report()["lif"]
    assert (layer.observations, layer.sequences) == (3 * 4, 3 * 4)
    assert layer.events.tolist() == (3 * spikes.ne(0).sum(0)).tolist()


def on_a_module(net: nn.Module, x: Tensor, work: Callable[[], Any]) -> None:
    net.register_full_backward_hook(lambda *_: work())


def on_a_tensor(net: nn.Module, x: Tensor, work: Callable[[], Any]) -> None:
    x.register_hook(lambda grad: work())


def on_a_parameter(net: nn.Module, x: Tensor, work: Callable[[], Any]) -> None:
    next(net.parameters()).register_post_accumulate_grad_hook(lambda parameter: work())


@pytest.mark.parametrize("hook", [on_a_module, on_a_tensor, on_a_parameter])
@pytest.mark.parametrize("reentrant", [None, False, True])
def test_a_call_by_a_users_backward_hook_counts(
    hook: Callable[[nn.Module, Tensor, Callable[[], Any]], None], reentrant: bool | None
) -> None:
    net, x = Checkpointed(bool(reentrant)), torch.randn(4, 5, requires_grad=True)
    if reentrant is None:
        net.forward = net.part  # type: ignore[method-assign]
    probe = torch.ones(3, 7)

    def work() -> None:
        with torch.no_grad():
            net.lif(probe)

    hook(net, x, work)
    with record(net, layers="lif") as recording:
        for _ in range(2):
            step(net, x)
    assert recording.report()["lif"].observations == 2 * (4 + 3)


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_whole_training_step_within_a_backward_hook_counts_once(reentrant: bool) -> None:
    outer, inner = Checkpointed(reentrant), Checkpointed(reentrant)
    x, y = (torch.randn(4, 5, requires_grad=True) for _ in range(2))

    def work(grad: Tensor) -> None:
        with torch.enable_grad():
            step(inner, y)

    x.register_hook(work)
    with record(outer) as first, record(inner) as second:
        step(outer, x)
    assert inner.runs == 2, "it would be counted twice"
    assert [r.report()["lif"].observations for r in (first, second)] == [4, 4]


class Recomputing(torch.autograd.Function):
    """A user's own checkpoint: its backward runs the forward pass again."""

    @staticmethod
    def forward(ctx: Any, run: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        ctx.run = run
        ctx.save_for_backward(x)
        return run(x)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        (x,) = ctx.saved_tensors
        with torch.enable_grad():
            again = x.detach().requires_grad_()
            torch.autograd.backward(ctx.run(again), grads)
        return None, again.grad


def test_a_call_that_a_users_own_checkpoint_repeats_counts_once() -> None:
    net, x = Checkpointed(False), torch.randn(4, 5, requires_grad=True)
    with record(net, layers="lif") as recording:
        Recomputing.apply(net.part, x).sum().backward()
    assert net.runs == 2
    assert recording.report()["lif"].observations == 4


def truncated(net: nn.Sequential, batches: Tensor) -> None:
    fc, lif = net
    for batch in batches:
        mem = None
        for number, current in enumerate(batch):
            spikes, mem = lif(fc(current), mem)
            if number % 4 == 3:
                (spikes.sum() + mem.sum()).backward()
                mem = mem.detach()


def test_truncated_backpropagation_continues_its_sequences() -> None:
    net, batches = nn.Sequential(nn.Linear(5, 7), Neuron()), torch.randn(2, 12, 3, 5)
    raw = RawOutputs(net[1])
    truncated(net, batches)
    events, expected = (raw.flat() != 0).sum(0), gradients(net)
    net.zero_grad()
    with record(net) as recording:
        truncated(net, batches)
    assert all(torch.equal(a, b) for a, b in zip(expected, gradients(net), strict=True))
    layer = recording.report()["1"]
    assert (layer.sequences, layer.observations) == (2 * 3, 2 * 3 * 12)
    assert layer.events.tolist() == events.tolist()


class Saved:
    """The graph holds this in place of a tensor, so it lives as long as the graph does."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


@pytest.mark.parametrize("statistics", [None, STATISTICS], ids=["default", "all"])
@pytest.mark.parametrize("backward", [False, True])
def test_no_graph_and_no_tensor_of_the_step_outlives_it(statistics: Any, backward: bool) -> None:
    earlier = tensors_alive()
    net, x = Net(), torch.randn(6, 2, 5)
    saved: weakref.WeakSet[Saved] = weakref.WeakSet()

    def pack(tensor: Tensor) -> Saved:
        kept = Saved(tensor)
        saved.add(kept)
        return kept

    def run() -> None:
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda kept: kept.tensor):
            out = net(x).sum()
            assert len(saved) > 0
            if backward:
                out.backward()
        net.lif1.mem = None

    with record(net, statistics=statistics) as recording:
        run()
        recording.report()  # after the first report all counters exist
        held = len(tensors_alive())
        assert len(saved) == 0
        for _ in range(3):
            run()
        recording.report()
        assert len(tensors_alive()) == held
    state = [s.state_dict() for layer in recording._layers.values() for s in layer.statistics]
    assert not any(tensor.requires_grad for tensors in state for tensor in tensors.values())
    assert earlier is not None  # kept to here: if one were freed, it could hide a new one


def held() -> int:
    """Bytes of all tensors' memory. Sparse ones, which other tests may leave, are not counted."""
    dense = [x for x in tensors_alive() if x.layout is torch.strided]
    return sum({id_of(x): x.untyped_storage().nbytes() for x in dense}.values())


def added_by_a_step(net: nn.Module, x: Tensor) -> int:
    """Bytes that a training step adds at its peak, which is between its two passes."""
    before = held()
    with torch.autograd.graph.saved_tensors_hooks(Saved, lambda kept: kept.tensor):
        out = net(x).sum()
        most = held()
        out.backward()
    return most - before


@pytest.mark.parametrize("statistics", [None, STATISTICS], ids=["default", "all"])
def test_a_step_holds_no_more_at_its_peak_once_there_are_counters(statistics: Any) -> None:
    net, x = Net(), torch.randn(20, 4, 5)
    step(net, x)
    bare = added_by_a_step(net, x)
    with record(net, statistics=statistics):
        for _ in range(3):
            step(net, x)
        assert added_by_a_step(net, x) == bare
    assert bare > 20 * 4 * 7 * 4, "the graph of each step is held"
