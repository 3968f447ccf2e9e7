"""A call is counted whole or not at all, whatever is raised and whoever looks meanwhile."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from emitting import Way, each_way
from torch import Tensor, nn
from toy import Net, Neuron, ToyAdapter

import neuroact
from neuroact import (
    ClassActivity,
    InterspikeIntervals,
    Raster,
    Recording,
    SignalKind,
    SpikeChunk,
    SpikeCounts,
    Synchrony,
    TimeCourse,
)
from neuroact.errors import (
    AdapterReadError,
    ChunkError,
    NothingRecordedError,
    UnsupportedModelError,
)

ALL = [SpikeCounts, TimeCourse, InterspikeIntervals, Synchrony, Raster]
HOME = str(Path(neuroact.__file__).parent)


class Watched(nn.Module):
    """One layer, whose membrane potential the test passes by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.lif = Neuron()


def step(number: int) -> Tensor:
    return torch.arange(6.0).reshape(2, 3) / 3 * (number % 3)


def play(net: Watched, steps: int) -> None:
    mem = None
    for number in range(steps):
        _, mem = net.lif(step(number), mem)


def states(recording: Recording) -> list[dict[str, list[Any]]]:
    (layer,) = recording._layers.values()
    with layer.settled() as statistics:
        return [
            {name: tensor.tolist() for name, tensor in statistic.state_dict().items()}
            for statistic in statistics
        ]


def at_line(line: int, act: Callable[[], None]) -> Callable[..., Any]:
    """A trace function that acts once, at the `line`-th line that neuroact's code runs."""
    seen = 0

    def trace(frame: Any, event: str, _: Any) -> Any:
        nonlocal seen
        if not frame.f_code.co_filename.startswith(HOME):
            return None
        if event == "line":
            seen += 1
            if seen == line:
                sys.settrace(None)
                act()
        return trace

    return trace


@pytest.fixture(autouse=True)
def interrupts() -> Iterator[None]:
    """Ctrl-C raises, also where the tests run in a shell's background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(params=[[], ALL], ids=["alone", "all"])
def statistics(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.mark.parametrize("before", [0, 3], ids=["first call", "fourth call"])
@each_way
def test_an_interrupt_at_any_line_leaves_a_call_counted_whole_or_not_at_all(
    way: Way, before: int, statistics: list[Any]
) -> None:
    with way():
        _interrupt_at_any_line(before, statistics)


def _interrupt_at_any_line(before: int, statistics: list[Any]) -> None:
    net, allowed = Watched(), []
    for steps in (before, before + 1):
        with neuroact.record(net, adapters=[ToyAdapter()], statistics=statistics) as recording:
            play(net, steps)
        allowed.append(states(recording))
    interrupted, line = True, 0
    while interrupted:
        line += 1
        with neuroact.record(net, adapters=[ToyAdapter()], statistics=statistics) as recording:
            mem = None
            for number in range(before):
                _, mem = net.lif(step(number), mem)
            interrupted = False
            sys.settrace(at_line(line, lambda: signal.raise_signal(signal.SIGINT)))
            try:
                net.lif(step(before), mem)
            except KeyboardInterrupt:
                interrupted = True
            finally:
                sys.settrace(None)
            assert states(recording) in allowed, f"interrupted at line {line}"
            # Nothing is broken: after a reset, calls are counted from the start.
            recording.reset()
            play(net, before + 1)
            assert states(recording) == allowed[1], f"after an interrupt at line {line}"
    assert line > 4  # few, since the core reads a step that goes on, without an interrupt


@pytest.mark.parametrize("ask", ["report", "save", "merge"])
def test_an_interrupt_during_a_report_save_or_merge_changes_no_count(
    ask: str, statistics: list[Any], tmp_path: Path
) -> None:
    net = Watched()

    def recorded() -> Recording:
        with neuroact.record(net, adapters=[ToyAdapter()], statistics=statistics) as recording:
            play(net, 5)
        return recording

    def look(recording: Recording) -> object:
        if ask == "merge":
            return Recording(statistics=statistics).merge(recording)
        return recording.save(tmp_path / "r.nact") if ask == "save" else recording.report()

    expected = states(recorded())
    for line in (1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144):
        recording = recorded()
        sys.settrace(at_line(line, lambda: signal.raise_signal(signal.SIGINT)))
        try:
            look(recording)
        except KeyboardInterrupt:
            pass
        finally:
            sys.settrace(None)
        assert states(recording) == expected


def test_a_signal_that_waited_calls_the_users_handler_which_is_restored() -> None:
    came: list[int] = []
    mine = signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    handler = signal.getsignal(signal.SIGINT)
    net = Watched()
    try:
        with neuroact.record(net, adapters=[ToyAdapter()]) as recording:
            sys.settrace(at_line(30, lambda: signal.raise_signal(signal.SIGINT)))
            try:
                play(net, 4)
            finally:
                sys.settrace(None)
        assert came == [signal.SIGINT]
        assert signal.getsignal(signal.SIGINT) is handler
        assert recording.report()["lif"].observations == 8
    finally:
        signal.signal(signal.SIGINT, mine)


@pytest.mark.parametrize("what", ["report", "save", "merge"])
def test_another_thread_may_report_save_or_merge_at_any_time(
    what: str, statistics: list[Any], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    net, batches = Net(), torch.rand(40, 6, 4, 5)
    with torch.no_grad(), neuroact.record(net, adapters=[ToyAdapter()], statistics=ALL) as plain:
        for batch in batches:
            net(batch)
    expected = plain.report()
    done, problems = threading.Event(), []
    with neuroact.record(net, adapters=[ToyAdapter()], statistics=ALL) as recording:
        net(batches[0])

        def look() -> None:
            total = Recording(statistics=ALL)
            while not done.is_set():
                if what == "save":
                    recording.save(tmp_path / "r.nact")
                    found = Recording.load(tmp_path / "r.nact").report()
                elif what == "merge":
                    total = Recording(statistics=ALL)
                    total.merge(recording)
                    found = total.report()
                else:
                    found = recording.report()
                for layer in found.values():
                    course = layer[TimeCourse]
                    if layer.observations != course.observations.sum():
                        problems.append((layer.observations, int(course.observations.sum())))
                    if layer.events.sum() != course.events.sum():
                        problems.append((int(layer.events.sum()), int(course.events.sum())))

        thread = threading.Thread(target=look)
        thread.start()
        try:
            with torch.no_grad():
                for batch in batches[1:]:
                    net(batch)
        finally:
            done.set()
            thread.join()
    assert not problems
    assert recording.report() == expected


class Refusing:
    """A user's own statistic that raises in its second update."""

    def __init__(self) -> None:
        self.updates = 0

    def update(self, chunk: SpikeChunk) -> None:
        self.updates += 1
        if self.updates == 2:
            raise ZeroDivisionError("mine")

    def merge(self, other: Any) -> None: ...
    def reset(self) -> None: ...
    def state_dict(self) -> dict[str, Tensor]:
        return {}

    def load_state_dict(self, state: Any) -> None: ...
    def result(self) -> int:
        return self.updates


def test_if_a_users_statistic_raises_the_others_count_the_call_and_the_layer_is_named() -> None:
    recording = Recording(statistics=[Refusing, TimeCourse])
    chunk = torch.ones(3, 2, 4)
    recording.observe("lif", chunk, kind="graded")
    with pytest.raises(ZeroDivisionError, match="mine") as caught:
        recording.observe("lif", chunk, kind="graded")
    assert "Refusing raised this while counting" in "".join(caught.value.__notes__)
    layer = recording.report()["lif"]
    assert layer.observations == layer[TimeCourse].observations.sum() == 12


def test_torch_funcs_transforms_are_refused_with_the_layers_name_and_nothing_is_counted() -> None:
    net = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
    x = torch.rand(4, 3)
    calls: list[Callable[[], object]] = [
        lambda: torch.vmap(net)(x),
        lambda: torch.func.grad(lambda x: net(x).sum())(x),
        lambda: torch.func.jvp(net, (x,), (x,)),
        lambda: torch.func.hessian(lambda x: net(x).sum())(x),
        lambda: torch.vmap(torch.func.grad(lambda x: net(x).sum()))(x),
    ]
    with neuroact.record(net, layers="1") as recording:
        net(x)
        for call in calls:
            with pytest.raises(UnsupportedModelError, match=r'layer "1".*torch.func'):
                call()
        net(x)
    assert recording.report()["1"].observations == 8


TRANSFORMED: dict[str, Callable[[Any, Tensor, Tensor], object]] = {
    "vmap": lambda lif, x, mem: torch.vmap(lif)(x, mem),
    "vmap of x": lambda lif, x, mem: torch.vmap(lambda x: lif(x, mem))(x),
    "grad": lambda lif, x, mem: torch.func.grad(lambda x: lif(x, mem)[0].sum())(x),
    "vmap of grad": lambda lif, x, mem: torch.vmap(
        torch.func.grad(lambda x, mem: lif(x, mem)[1].sum())
    )(x, mem),
    "hessian": lambda lif, x, mem: torch.func.hessian(lambda x: lif(x, mem)[1].sum())(x),
    "hessian of the state": lambda lif, x, mem: torch.func.hessian(
        lambda mem: lif(x, mem)[1].sum()
    )(mem),
    "jvp": lambda lif, x, mem: torch.func.jvp(lambda x: lif(x, mem)[0], (x,), (x,)),
    "functionalize": lambda lif, x, mem: torch.func.functionalize(lambda x: lif(x, mem)[0])(x),
    "given nothing of it": lambda lif, x, mem: torch.func.grad(lambda y: lif(x, mem)[0].sum() * y)(
        torch.ones(())
    ),
}


@each_way
@pytest.mark.parametrize("kind", TRANSFORMED)
@pytest.mark.parametrize("steps", [1, 6])
def test_a_refused_transform_in_mid_sequence_does_not_break_the_sequence(
    way: Way, kind: str, steps: int, statistics: list[Any]
) -> None:
    net, expected = Watched(), []
    for transform in (None, TRANSFORMED[kind]):
        with (
            way(),
            neuroact.record(net, adapters=[ToyAdapter()], statistics=statistics) as recording,
        ):
            mem = None
            for number in range(2 * steps):
                if transform is not None and number == steps:
                    with pytest.raises(UnsupportedModelError, match=r'layer "lif".*torch.func'):
                        transform(net.lif, step(number), mem)
                _, mem = net.lif(step(number), mem)
        expected.append(states(recording))
        layer = recording.report()["lif"]
        assert (layer.observations, layer.sequences) == (4 * steps, 2)
    assert expected[0] == expected[1]


def test_a_tensor_without_values_is_refused_with_the_layers_name() -> None:
    from torch._subclasses import FakeTensorMode

    net = nn.Sequential(nn.ReLU())
    with neuroact.record(net, layers="0") as recording:
        net(torch.rand(4, 3))
        with pytest.raises(AdapterReadError, match=r'layer "0".*without values'):
            net(torch.rand(4, 3, device="meta"))
        with FakeTensorMode() as mode:
            fake = mode.from_tensor(torch.rand(4, 3))
            with pytest.raises(AdapterReadError, match=r'layer "0".*without values'):
                net(fake)
        net(torch.rand(4, 3))
    assert recording.report()["0"].observations == 8


@pytest.mark.parametrize("said", ["label", "valid"])
def test_a_first_call_that_is_refused_leaves_nothing_behind(said: str) -> None:
    recording = Recording()
    recording.new_sequence()
    wrong = torch.ones(1, 3, 4)
    if said == "valid":
        with recording.batch(lengths=[1, 1]), pytest.raises(ChunkError, match='layer "x"'):
            recording.observe("x", wrong)
    else:
        recording = Recording(statistics=[ClassActivity])
        recording.new_sequence()
        with recording.batch(labels=[0, 1]), pytest.raises(ChunkError, match='layer "x"'):
            recording.observe("x", wrong)
    with pytest.raises(NothingRecordedError):
        recording.report()
    recording.observe("x", torch.ones(1, 2, 5), starts_sequence=False)  # another shape
    layer = recording.report()["x"]
    assert (layer.shape, layer.sequences) == ((5,), 2)


def test_a_refused_call_does_not_move_the_position_in_the_mask() -> None:
    recording = Recording()
    mask = torch.tensor([[True, True], [True, False], [True, False]])
    with recording.batch(valid=mask):
        recording.observe("x", torch.ones(1, 2, 3))
        with pytest.raises(ChunkError, match='layer "x"'):
            recording.observe("x", torch.ones(1, 3, 3), starts_sequence=False)
        recording.observe("x", torch.ones(2, 2, 3), starts_sequence=False)
    assert recording.report()["x"].observations == 4


@each_way
def test_a_state_that_changes_its_shape_starts_a_sequence_at_each_step(way: Way) -> None:
    class Growing(nn.Module):
        def forward(self, x: Tensor, mem: Tensor | None = None) -> tuple[Tensor, Tensor]:
            grown = x if mem is None else torch.cat([mem, x], 1)
            return (x > 0).float(), grown

    class Adapter(ToyAdapter):
        def kind(self, module: nn.Module) -> SignalKind | None:
            return SignalKind.BINARY if isinstance(module, Growing) else None

        def pattern(self, module: nn.Module) -> Any:
            return super().pattern(Neuron())

        def read(self, module: nn.Module, call: Any) -> SpikeChunk:
            starts = call.starts_sequence(given=call.argument(1, "mem"), left=call.output[1])
            return SpikeChunk.of_step(call.output[0], SignalKind.BINARY, starts_sequence=starts)

    net = nn.Sequential(Growing())
    with way(), neuroact.record(net, adapters=[Adapter()]) as recording:
        mem = None
        for _ in range(20):
            _, mem = net[0](torch.ones(2, 1), mem)
    assert recording.report()["0"].sequences == 40
