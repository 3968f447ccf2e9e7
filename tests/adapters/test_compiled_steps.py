"""Steps of a compiled layer with a state: what their window counts, and what it costs."""

from __future__ import annotations

import math
from typing import Any

import pytest
import snntorch
import torch
from torch import Tensor, nn
from torch._dynamo.eval_frame import _debug_get_cache_entry_list
from torch._dynamo.utils import counters

import neuroact
from neuroact import LayerCall, Recording
from neuroact.layers.call_pattern import CallPattern
from neuroact.layers.layer_info import LayerInfo
from neuroact.recording.compiled import window
from neuroact.recording.compiled.window import PackedWindow
from neuroact.recording.layer import LayerRecorder
from neuroact.recording.watched_layer import WatchedLayer
from neuroact.results.layer_activity import LayerActivity
from neuroact.statistics import Firing
from neuroact.statistics.counting.step_block import StepBlock
from neuroact.stream import SignalKind, SpikeChunk
from neuroact_adapters.snntorch import SnnTorchAdapter

pytestmark = [
    pytest.mark.usefixtures("fresh_compiler"),
    # The compiler warns about its own code.
    pytest.mark.filterwarnings("ignore"),
]


class Net(nn.Module):
    """A layer whose membrane potential is passed by hand."""

    def __init__(self) -> None:
        torch.manual_seed(1)
        super().__init__()
        self.fc, self.lif = nn.Linear(5, 7), snntorch.Leaky(beta=0.9, threshold=0.1)

    def forward(self, x: Tensor, membrane: Tensor) -> tuple[Tensor, Tensor]:
        spikes, membrane = self.lif(self.fc(x), membrane)
        return spikes, membrane


def play(call: Any, batch: Tensor) -> Tensor:
    """Run `[time, batch, 5]` from rest; gives the spikes that the network returned."""
    membrane, spikes = torch.zeros(batch.shape[1], 7), []
    for step in batch:
        out, membrane = call(step, membrane)
        spikes.append(out.detach())
    return torch.stack(spikes)


def batches(*sizes: int) -> list[Tensor]:
    torch.manual_seed(0)
    return [torch.rand(6, size, 5) * 2 for size in sizes]


def compiled(net: nn.Module, backend: Any = "aot_eager", *, fullgraph: bool = True) -> Any:
    return torch.compile(net, fullgraph=fullgraph, backend=backend)


def in_window(recording: Recording) -> tuple[list[Any], int]:
    """Events per sample and neuron that the window holds, and steps."""
    reader = recording._watched[0].reader
    assert reader is not None
    window = reader.compiled_counter._window
    assert window is not None
    if isinstance(window, PackedWindow):
        return (window.counts & 2**32 - 1).tolist(), int(window.counts[0, 0] >> 32)
    return window.counts.tolist(), int(window.steps)


def assert_counted(layer: LayerActivity, spikes: list[Tensor]) -> None:
    events = torch.stack([part.sum((0, 1)) for part in spikes]).sum(0)
    assert layer.events.tolist() == events.tolist()
    assert layer.observations == sum(len(part) * part.shape[1] for part in spikes)
    assert layer.sequences == sum(part.shape[1] for part in spikes)


@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
@pytest.mark.parametrize("grad", [False, True])
@pytest.mark.parametrize("largest_packed", [0, 4096])
def test_the_window_counts_what_the_network_returned(
    backend: str, grad: bool, largest_packed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window, "LARGEST_PACKED", largest_packed)
    net = Net()
    call = compiled(net, backend=backend)
    with torch.set_grad_enabled(grad), neuroact.record(net) as recording:
        spikes = [play(call, x) for x in batches(4, 4, 4)]
        # The window still holds all steps of the last sequence, and no others.
        assert in_window(recording) == (spikes[-1].sum(0).tolist(), 6)
    assert_counted(recording.report()["lif"], spikes)
    assert not counters["graph_break"]


@pytest.mark.parametrize(("largest_packed", "addition"), [(0, "add_"), (4096, "bitwise_or_")])
def test_a_step_that_continues_is_counted_without_a_sum_or_a_test_over_all_values(
    largest_packed: int, addition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would be loops of their own in the program; an addition joins the neuron's."""
    monkeypatch.setattr(window, "LARGEST_PACKED", largest_packed)
    graphs = []

    def look(graph: torch.fx.GraphModule, _: object) -> Any:
        graphs.append({getattr(node.target, "__name__", node.target) for node in graph.graph.nodes})
        return graph.forward

    net = Net()
    with torch.no_grad(), neuroact.record(net):
        play(compiled(net, backend=look), batches(4)[0])
    first, *_, last = graphs
    assert "observe" in str(first)
    assert addition in last
    assert not last & {"sum", "any", "logical_or_", "observe", "other_state"}


@pytest.mark.parametrize("marked", [False, True], ids=["automatic", "mark_dynamic"])
def test_other_batch_sizes_are_counted_too(marked: bool) -> None:
    """A program for all sizes must not be tied to the window's size: PyTorch would raise."""
    net = Net()
    call = compiled(net)

    def step(x: Tensor, membrane: Tensor) -> Any:
        if marked:
            torch._dynamo.mark_dynamic(x, 0)
            torch._dynamo.mark_dynamic(membrane, 0)
        return call(x, membrane)

    with torch.no_grad(), neuroact.record(net) as recording:
        spikes = [play(step, x) for x in batches(4, 4, 3, 5, 4)]
    assert_counted(recording.report()["lif"], spikes)


class Clocked(nn.Module):
    """A layer whose state, one number, says nothing of the batch; it may come back as it went."""

    def __init__(self, ticks: int) -> None:
        super().__init__()
        self.ticks = ticks

    def forward(self, x: Tensor, clock: Tensor) -> tuple[Tensor, Tensor]:
        return (x > 0.5).float(), clock + self.ticks if self.ticks else clock


class ClockedAdapter:
    """Reads it by a pattern, like the frameworks' adapters."""

    framework = "synthetic"

    def kind(self, module: nn.Module) -> SignalKind | None:
        return SignalKind.BINARY if isinstance(module, Clocked) else None

    def read(self, module: Any, call: LayerCall) -> SpikeChunk:
        starts = call.starts_sequence(given=call.argument(1, "clock"), left=call.output[1])
        return SpikeChunk.of_step(call.output[0], SignalKind.BINARY, starts_sequence=starts)

    def pattern(self, module: Any) -> CallPattern:
        return CallPattern(
            SignalKind.BINARY,
            False,
            lambda output: output[0],
            lambda args, kwargs: args[1:],
            lambda output: output[1:],
        )


@pytest.mark.parametrize("ticks", [0, 1], ids=["the same state", "a new state"])
@pytest.mark.parametrize(
    "sizes", [(4, 4, 4, 17, 17), (17, 17, 1, 1, 17, 1), (1, 1, 1, 17, 17, 1), (17, 4, 17, 17, 4)]
)
def test_another_batch_starts_sequences_where_the_state_says_nothing_of_it(
    sizes: tuple[int, ...], ticks: int
) -> None:
    net = Clocked(ticks)
    call = compiled(net)
    torch.manual_seed(0)
    with torch.no_grad(), neuroact.record(net, adapters=[ClockedAdapter()]) as recording:
        events = torch.zeros(3)
        for _ in range(2):
            clock = torch.zeros(1)
            for size in sizes:
                spikes, clock = call(torch.rand(size, 3), clock)
                events += spikes.sum(0)
    (layer,) = recording.report().values()
    assert layer.events.tolist() == events.tolist()
    assert layer.observations == 2 * sum(sizes)
    begun = [size for before, size in zip((0, *sizes), sizes, strict=False) if size != before]
    assert layer.sequences == 2 * sum(begun)
    assert not counters["graph_break"]


def test_a_reset_forgets_the_window_and_the_recording_goes_on() -> None:
    net = Net()
    call = compiled(net)
    with torch.no_grad(), neuroact.record(net) as recording:
        play(call, batches(4)[0])
        recording.reset()
        spikes = [play(call, x) for x in batches(4, 4)]
    assert_counted(recording.report()["lif"], spikes)


def test_marks_and_padding_hold_after_steps_that_had_none() -> None:
    net = Net()
    call = compiled(net, fullgraph=False)
    x = batches(4)[0]
    with torch.no_grad():
        reports = []
        for run in (net, call):
            with neuroact.record(net) as recording:
                spikes = [play(run, x)]
                with recording.batch(lengths=[6, 4, 0, 1]):
                    play(run, x)
                play(run, x)
                recording.new_sequence()
                play(run, x)
            reports.append(recording.report())
    assert reports[0] == reports[1]
    assert reports[1]["lif"].observations == 3 * spikes[0].shape[0] * 4 + 11


def test_a_program_that_goes_on_after_a_report_or_a_merge_counts_on() -> None:
    net = Net()
    call = compiled(net)
    with torch.no_grad(), neuroact.record(net) as recording:
        spikes = [play(call, x) for x in batches(4, 4)]
        recording.report()
        with neuroact.record(net) as other:
            more = play(call, batches(4)[0])
        spikes += [more, more]  # both recordings saw it
        recording.merge(other)
    assert_counted(recording.report()["lif"], spikes)


class Twice(Firing):
    """Counts each step twice."""

    def update(self, chunk: SpikeChunk) -> None:
        super().update(chunk)
        super().update(chunk)

    def count(self, block: StepBlock) -> None:
        super().count(block)
        super().count(block)


def test_a_subclass_that_counts_in_its_own_way_is_told_each_step() -> None:
    info = LayerInfo("lif", (), "snntorch", "Leaky", SignalKind.BINARY)
    net, own = Net(), Twice()
    layer = LayerRecorder(info, [own])
    watched = WatchedLayer(layer, net.lif, SnnTorchAdapter())
    watched.watch()
    with torch.no_grad():
        spikes = play(compiled(net), batches(4)[0])
        layer.flush()
    watched.unwatch()
    result = own.result()
    assert result is not None
    assert result.events.tolist() == (2 * spikes.sum((0, 1))).tolist()


@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
@pytest.mark.parametrize("largest_packed", [0, 4096])
def test_values_that_are_not_binary_make_the_layer_unreliable(
    largest_packed: int, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three mixtures of values whose sums look like counts."""
    monkeypatch.setattr(window, "LARGEST_PACKED", largest_packed)
    for bad in ([0.5, 0.5, 1, 0], [-1, 2, 0, 0], [2, -1, float("inf"), float("-inf")]):
        net = Scaled()
        call = compiled(net, backend)
        with torch.no_grad(), neuroact.record(net) as recording:
            membrane = torch.zeros(4, 7)
            for scale in (1, 1, 1, *bad, 1, 1):
                _, membrane = call(torch.ones(4, 5), membrane, torch.tensor(float(scale)))
        layer = recording.report()["lif"]
        assert layer.not_binary
        assert layer.unreliable is not None
        assert "values other than 0 and 1" in layer.unreliable
        assert layer.observations == 9 * 4
        assert math.isnan(layer.mean)


class Scaled(Net):
    """Emits its spikes times a number, if it spikes at each step."""

    def __init__(self) -> None:
        super().__init__()
        self.lif = Louder(beta=0.9, threshold=0.1)
        with torch.no_grad():
            self.fc.weight.fill_(1.0)

    def forward(self, x: Tensor, membrane: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        self.lif.scale = scale
        return super().forward(x, membrane)


class Louder(snntorch.Leaky):
    """A layer that has changed since its adapter read it."""

    scale: Tensor

    def forward(self, x: Tensor, membrane: Tensor) -> tuple[Tensor, Tensor]:
        spikes, membrane = super().forward(x, membrane)
        return spikes * self.scale, membrane


shared = Net()


def step_of_the_shared_net(x: Tensor, membrane: Tensor) -> tuple[Tensor, Tensor]:
    return shared(x, membrane)


@pytest.mark.parametrize("backend", ["aot_eager", "inductor"])
@pytest.mark.parametrize("passed", [True, False])
def test_sequences_are_told_apart_wherever_a_function_finds_the_model_and_the_state(
    passed: bool, backend: str
) -> None:
    """The model is a module's global name, the state is passed: PyTorch does not check them."""

    def step_of_a_passed_net(x: Tensor, membrane: Tensor, net: nn.Module = shared) -> Any:
        return net(x, membrane)

    function = step_of_a_passed_net if passed else step_of_the_shared_net
    call = torch.compile(function, fullgraph=True, backend=backend)
    with torch.no_grad(), neuroact.record(shared) as recording:
        spikes = [play(call, x) for x in batches(4, 4, 4, 4, 4)]
    assert_counted(recording.report()["lif"], spikes)


held: Tensor


def step_of_the_held_state(net: nn.Module, x: Tensor) -> Any:
    return net(x, held)


def test_sequences_are_told_apart_where_the_state_is_global_and_the_model_is_passed() -> None:
    global held
    net, call = Net(), torch.compile(step_of_the_held_state, fullgraph=True, backend="aot_eager")
    spikes = []
    with torch.no_grad(), neuroact.record(net) as recording:
        for x in batches(4, 4, 4, 4):
            held, steps = torch.zeros(4, 7), []
            for step in x:
                out, held = call(net, step)
                steps.append(out)
            spikes.append(torch.stack(steps))
    assert_counted(recording.report()["lif"], spikes)


def test_where_the_compiler_cannot_be_asked_a_graph_break_keeps_the_figures_right(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import neuroact.recording.compiled.guards as guards

    def unknown(context: Any) -> None:
        raise AttributeError("another release of PyTorch")

    monkeypatch.setattr(guards, "_install", unknown)
    call = torch.compile(step_of_the_shared_net, backend="aot_eager")
    with torch.no_grad(), neuroact.record(shared) as recording:
        spikes = [play(call, x) for x in batches(4, 4, 4, 4)]
    assert_counted(recording.report()["lif"], spikes)
    assert any("whether a sequence goes on" in reason for reason in counters["graph_break"])


@pytest.mark.parametrize("dropped", [True, False])
def test_a_step_looks_at_no_name_of_neuroacts_where_the_compiler_lets_go_of_them(
    dropped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such checks only cost time, so another release of PyTorch may make them."""
    import neuroact.recording.compiled.guards as guards

    def unknown() -> None:
        raise AttributeError("another release of PyTorch")

    if not dropped:
        monkeypatch.setattr(guards, "_drop_idle", unknown)
    net = Net()
    call = compiled(net)
    with torch.no_grad(), neuroact.record(net) as recording:
        spikes = [play(call, x) for x in batches(4, 4)]
        entries = _debug_get_cache_entry_list(Net.forward.__code__)
    looks = [str(entry.guard_manager) for entry in entries]
    (goes_on,) = [text for text in looks if "kept[0]" in text and "_window" in text][:1]
    assert ("__import_neuroact_" not in goes_on) == dropped
    assert_counted(recording.report()["lif"], spikes)
