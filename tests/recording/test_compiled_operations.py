"""A compiled model counts what arrives at its layers as an eager one does, without graph breaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch._dynamo.utils import counters
from torch.utils.checkpoint import checkpoint

import neuroact
from neuroact import LayerCall, Recording, SignalKind, SpikeChunk
from neuroact.layers.call_pattern import CallPattern

pytestmark = pytest.mark.usefixtures("fresh_compiler")


class ReluAdapter:
    """Reads ReLUs so that a compiled model can count them."""

    framework = "torch"

    def kind(self, module: nn.Module) -> SignalKind | None:
        return SignalKind.GRADED if isinstance(module, nn.ReLU) else None

    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        return SpikeChunk.of_step(call.output, SignalKind.GRADED, starts_sequence=True)

    def pattern(self, module: nn.Module) -> CallPattern:
        return CallPattern(SignalKind.GRADED, False, lambda x: x, lambda a, k: (), lambda x: ())


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(2, 3, 3, stride=2, padding=1)
        self.fc = nn.Linear(12, 4)
        self.out = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.out(self.fc(self.conv(x).relu().flatten(1)))
        return result


def record(model: nn.Module) -> Recording:
    return neuroact.record(model, adapters=[ReluAdapter()], operations=True)


def whole(model: nn.Module, *, dynamic: bool | None = None) -> Any:
    return torch.compile(model, backend="aot_eager", fullgraph=True, dynamic=dynamic)


def random(batch: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(3, (batch, 2, 4, 4), generator=generator).float()


def by_hand(net: Net, calls: list[Tensor]) -> tuple[int, int, int]:
    """ACs and MACs of the convolution, and its dense operations, tap by tap."""
    x: NDArray[Any] = torch.cat(calls).numpy()
    fan = np.zeros((4, 4), int)
    for out in np.ndindex(2, 2):
        for tap in np.ndindex(3, 3):
            row, column = (2 * o + t - 1 for o, t in zip(out, tap, strict=True))
            if 0 <= row < 4 and 0 <= column < 4:
                fan[row, column] += 3
    return int(((x == 1) * fan).sum()), int(((x > 1) * fan).sum()), int(fan.sum()) * 2 * len(x)


CALLS = [random(batch, seed) for seed, batch in enumerate((2, 3, 5, 2, 7))]


@pytest.mark.parametrize("dynamic", [None, True, False])
def test_calls_of_several_sizes_count_as_in_an_eager_model(dynamic: bool | None) -> None:
    net = Net()
    with record(net) as eager:
        for x in CALLS:
            net(x)
    with record(net) as recording:
        program = whole(net, dynamic=dynamic)
        for x in CALLS:
            program(x)
    assert not counters["graph_break"]
    operations = recording.report().operations
    assert operations == eager.report().operations
    conv = operations["conv"]
    assert (conv.acs, conv.macs, conv.dense) == by_hand(net, CALLS)
    if dynamic is not False:
        assert counters["stats"]["unique_graphs"] <= 3


def test_the_default_compiler_counts_alike() -> None:
    net = Net()
    with record(net) as recording:
        program = torch.compile(net, fullgraph=True)
        for x in CALLS[:3]:
            program(x).sum().backward()
    assert not counters["graph_break"]
    conv = recording.report().operations["conv"]
    assert (conv.acs, conv.macs, conv.dense) == by_hand(net, CALLS[:3])


def test_training_has_the_gradients_of_a_model_that_is_not_recorded() -> None:
    def gradients(recorded: bool) -> list[Tensor]:
        torch._dynamo.reset()
        net = Net()
        recording = record(net) if recorded else None
        program = whole(net)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for x in CALLS[:3]:
            optimizer.zero_grad()
            program(x).square().sum().backward()
            optimizer.step()
        if recording is not None:
            recording.close()
            assert recording.report().operations["conv"].observations == 10
        return [p.grad for p in net.parameters() if p.grad is not None]

    pairs = zip(gradients(True), gradients(False), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
    assert not counters["graph_break"]


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_what_a_checkpoint_computes_again_counts_once(backend: str) -> None:
    class Saving(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last, self.out = nn.Linear(4, 3), nn.Linear(3, 2), nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            y = checkpoint(lambda x: self.last(self.first(x).sigmoid()), x, use_reentrant=False)
            result: Tensor = self.out(y)
            return result

    net = Saving()
    with record(net) as recording:
        program = torch.compile(net, backend=backend, fullgraph=True)
        for batch in (2, 3):
            program(torch.ones(batch, 4, requires_grad=True)).sum().backward()
    assert not counters["graph_break"]
    operations = recording.report().operations
    assert (operations["first"].acs, operations["last"].macs) == (5 * 4 * 3, 5 * 3 * 2)


def test_reset_merge_save_and_pause_in_mid_run() -> None:
    net, (x, y, *_) = Net(), CALLS
    with record(net) as recording:
        program = whole(net)
        program(x)
        recording.reset()
        program(y)
        saved = Recording.from_bytes(recording.to_bytes())
        recording.merge(saved)
        recording.pause()
        program(x)
        recording.resume()
        program(x)
        net(x)
    assert not counters["graph_break"]
    conv = recording.report().operations["conv"]
    assert (conv.acs, conv.macs, conv.dense) == by_hand(net, [y, y, x, x])


class Up(nn.Module):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.up, self.out = layer, nn.ReLU()

    def forward(self, x: Tensor, *more: Any) -> Tensor:
        result: Tensor = self.out(self.up(x, *more).sum(-1))
        return result


@pytest.mark.parametrize(
    ("calls", "why"),
    [
        ([(torch.ones(1, 1, 4), [10])], "not of the shape that follows"),
        ([(torch.ones(1, 1, 4),), (torch.full((1, 1, 4), torch.inf),)], "a NaN or an infinity"),
    ],
)
@pytest.mark.filterwarnings("ignore::neuroact.errors.UnreliableLayerWarning")
def test_a_call_that_cannot_be_counted_is_named(calls: list[Any], why: str) -> None:
    net = Up(nn.ConvTranspose1d(1, 1, 3, stride=2))
    with record(net) as recording:
        program = whole(net)
        for call in calls:
            program(*call)
    assert not counters["graph_break"]
    assert why in recording.report().operations.not_counted["up"]


def test_a_layer_that_changes_its_input_counts_what_arrived() -> None:
    class Clears(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.zero_())

    for backend in ("eager", "aot_eager"):
        net = Up(Clears(4, 3))
        with torch.no_grad(), record(net) as recording:
            program = torch.compile(net, backend=backend, fullgraph=True)
            for _ in range(2):
                program(torch.ones(2, 4))
        assert recording.report().operations["up"].acs == 2 * 2 * 4 * 3


@pytest.mark.parametrize("backend", ["eager", "aot_eager", "inductor"])
def test_an_input_changed_afterwards_counts_as_it_arrived(backend: str) -> None:
    class Changes(Up):
        def forward(self, x: Tensor, *more: Any) -> Tensor:
            y = super().forward(x)
            x.mul_(0)
            return y

    net = Changes(nn.Linear(4, 3))
    with torch.no_grad(), record(net) as recording:
        program = torch.compile(net, backend=backend, fullgraph=True)
        for _ in range(2):
            program(torch.ones(2, 4))
    assert recording.report().operations["up"].acs == 2 * 2 * 4 * 3


def by_keyword(layer: nn.Linear, x: Tensor) -> Tensor:
    return layer(input=x)  # type: ignore[no-any-return]


def twice(layer: nn.Linear, x: Tensor) -> Tensor:
    return layer(x) + layer(x)  # type: ignore[no-any-return]


@pytest.mark.parametrize(("call", "times"), [(by_keyword, 1), (twice, 2)])
def test_calls_by_keyword_and_several_are_counted(call: Callable[..., Any], times: int) -> None:
    class Called(Up):
        def forward(self, x: Tensor, *more: Any) -> Tensor:
            result: Tensor = self.out(call(self.up, x))
            return result

    net = Called(nn.Linear(4, 3))
    with record(net) as recording:
        program = torch.compile(net, backend="aot_eager")
        for _ in range(2):
            program(torch.ones(2, 4))
    assert recording.report().operations["up"].acs == times * 2 * 2 * 4 * 3
    assert not counters["graph_break"]


def test_a_recording_of_inputs_does_not_break_the_graph_either() -> None:
    net = Net()
    with neuroact.record(net, layers="fc", of="input") as recording:
        program = whole(net)
        for x in CALLS:
            program(x)
    assert not counters["graph_break"]
    expected = sum((net.conv(x).relu().flatten(1) != 0).sum(0) for x in CALLS)
    assert recording.report()["fc"].events.tolist() == expected.tolist()  # type: ignore[union-attr]


def test_a_program_that_outlives_its_recording_goes_on() -> None:
    net, x = Net(), CALLS[0]
    recording = record(net)
    program = whole(net)
    expected = program(x)
    conv = recording.report().operations["conv"]
    recording.close()
    assert torch.equal(program(x), expected)
    assert recording.report().operations["conv"] == conv
