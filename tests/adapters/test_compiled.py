"""Recording models under `torch.compile` gives the figures of eager runs, without a graph break."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import norse.torch as norse
import pytest
import snntorch
import torch
from spikingjelly.activation_based import functional, layer, neuron
from torch import Tensor, nn
from torch._dynamo.utils import counters

import neuroact
from neuroact import ActivityReport, ClassActivity, InterspikeIntervals, SpikeCounts, TimeCourse
from neuroact.errors import UnsupportedModelError

Run = Callable[[Any, Tensor], object]
Case = Callable[[], tuple[nn.Module, Run]]


def snntorch_steps() -> tuple[nn.Module, Run]:
    net = nn.Sequential(
        nn.Linear(5, 7),
        snntorch.Leaky(beta=0.9, init_hidden=True, threshold=0.1),
        nn.Linear(7, 4),
        snntorch.Synaptic(alpha=0.9, beta=0.8, init_hidden=True, threshold=0.1),
    )

    def run(call: Any, x: Tensor) -> None:
        net[1].reset_mem()
        net[3].reset_mem()
        for step in x:
            call(step)

    return net, run


def snntorch_sequences() -> tuple[nn.Module, Run]:
    net = nn.Sequential(nn.Linear(5, 7), snntorch.StateLeaky(beta=0.9, channels=7, threshold=0.1))
    return net, lambda call, x: call(x)


class Cells(nn.Module):
    """Norse's cells, their states passed: without states their first step breaks the graph."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.lif = nn.Linear(5, 7), norse.LIFCell()

    def forward(self, x: Tensor, state: Any) -> Any:
        return self.lif(self.fc(x), state)


def norse_steps() -> tuple[nn.Module, Run]:
    net = Cells()

    def run(call: Any, x: Tensor) -> None:
        zeros = torch.zeros(x.shape[1], 7)
        state: Any = norse.LIFFeedForwardState(v=zeros, i=zeros.clone())
        for number, step in enumerate(x):
            _, state = call(step * 9, state)
            if number == 2:  # as in truncated backpropagation: other tensors on the same memory
                state = type(state)(*[part.detach() for part in state])

    return net, run


class Sequences(nn.Module):
    """Norse's sequence modules, their states passed by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.lif = nn.Linear(5, 7), norse.LIF()

    def forward(self, x: Tensor, state: Any) -> Any:
        return self.lif(self.fc(x), state)


def norse_sequences() -> tuple[nn.Module, Run]:
    net = Sequences()

    def run(call: Any, x: Tensor) -> None:
        zeros = torch.zeros(x.shape[1], 7)
        call(x * 9, norse.LIFFeedForwardState(v=zeros, i=zeros.clone()))

    return net, run


def spikingjelly(mode: str) -> tuple[nn.Module, Run]:
    net = nn.Sequential(
        layer.Linear(5, 7),
        neuron.LIFNode(v_threshold=0.1),
        layer.Linear(7, 4),
        neuron.IFNode(v_threshold=0.1),
    )
    functional.set_step_mode(net, mode)

    def run(call: Any, x: Tensor) -> None:
        functional.reset_net(net)
        for part in x if mode == "s" else [x]:
            call(part)

    return net, run


CASES: dict[str, Case] = {
    "snnTorch steps": snntorch_steps,
    "snnTorch sequences": snntorch_sequences,
    "Norse steps": norse_steps,
    "Norse sequences": norse_sequences,
    "SpikingJelly steps": lambda: spikingjelly("s"),
    "SpikingJelly sequences": lambda: spikingjelly("m"),
}
every_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
pytestmark = [
    pytest.mark.usefixtures("fresh_compiler"),
    # The compiler warns about its own code.
    pytest.mark.filterwarnings("ignore", "error::neuroact.errors.NeuroactWarning"),
]


def batches() -> list[Tensor]:
    torch.manual_seed(0)
    return [torch.rand(6, size, 5) * 2 for size in (4, 4, 3)]


def recorded(net: nn.Module, run: Run, call: Any, **options: Any) -> ActivityReport:
    with neuroact.record(net, **options) as recording:
        for x in batches():
            run(call, x)
    return recording.report()


def same_as_eager(case: Case, *, after: bool, backend: str = "aot_eager", **options: Any) -> bool:
    torch.manual_seed(1)
    net, run = case()
    eager = recorded(net, run, net, **options)
    compiled = torch.compile(net, fullgraph=True, backend=backend)
    if after:
        run(compiled, batches()[0])
    return recorded(net, run, compiled, **options) == eager


@every_case
@pytest.mark.parametrize(("after", "grad"), [(False, False), (True, True)], ids=["before", "after"])
def test_figures_are_those_of_an_eager_run_and_the_graph_is_whole(
    case: Case, after: bool, grad: bool
) -> None:
    """Whether recording begins before the first compiled call or after it."""
    with torch.set_grad_enabled(grad):
        assert same_as_eager(case, after=after)
    assert not counters["graph_break"]


@pytest.mark.parametrize("case", [norse_steps, lambda: spikingjelly("m")], ids=["steps", "all"])
def test_statistics_the_compiler_cannot_look_into_are_right_too(case: Case) -> None:
    statistics = [SpikeCounts, TimeCourse, InterspikeIntervals]
    with torch.no_grad():
        assert same_as_eager(case, after=False, statistics=statistics)
    assert not counters["graph_break"]


def test_inductors_programs_count_the_same() -> None:
    with torch.no_grad():
        assert same_as_eager(snntorch_steps, after=False, backend="inductor")


def test_a_long_run_makes_no_more_programs() -> None:
    net, run = snntorch_steps()
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    x = batches()[0]
    with torch.no_grad(), neuroact.record(net) as recording:
        run(compiled, x)
        run(compiled, x)
        made = counters["stats"]["unique_graphs"]
        for _ in range(20):
            run(compiled, x)
    assert counters["stats"]["unique_graphs"] == made
    assert recording.report()["1"].sequences == 22 * 4


def test_reports_in_between_and_eager_calls_in_between_change_nothing() -> None:
    net, run = spikingjelly("m")
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    with torch.no_grad():
        eager = recorded(net, run, net)
        with neuroact.record(net) as recording:
            for call, x in zip([compiled, net, compiled], batches(), strict=True):
                run(call, x)
                recording.report()
    assert recording.report() == eager


def test_inference_mode_and_normal_mode_take_turns() -> None:
    net, run = spikingjelly("m")
    compiled = torch.compile(net, backend="aot_eager")
    with torch.no_grad():
        eager = recorded(net, run, net)
    with neuroact.record(net) as recording:
        for mode, x in zip([torch.inference_mode, torch.no_grad] * 2, batches(), strict=False):
            with mode():
                run(compiled, x)
    assert recording.report() == eager


@pytest.mark.parametrize("statistics", [[], [ClassActivity]], ids=["default", "classes"])
def test_marks_padding_and_labels_by_hand_hold_in_compiled_models(statistics: list[Any]) -> None:
    net = nn.Sequential(nn.Linear(5, 7), nn.ReLU())
    compiled = torch.compile(net, backend="aot_eager")
    x = torch.rand(4, 3, 5)
    reports = []
    for call in (net, compiled):
        options: Any = {"layers": "1", "statistics": statistics}
        with torch.no_grad(), neuroact.record(net, **options) as recording:
            call(x[0])
            for _ in range(2):
                recording.new_sequence()
                for step in x:
                    call(step)
            labels = [0, 1, 0] if statistics else None
            with recording.batch(lengths=[4, 2, 0], labels=labels):
                for step in x:
                    call(step)
        reports.append(recording.report())
    assert reports[0] == reports[1]
    assert reports[0]["1"].observations == 3 + 2 * 12 + 6


class InTurn:
    """Alternates between eager and compiled calls."""

    def __init__(self, *ways: Any) -> None:
        self.ways, self.calls = ways, 0

    def __call__(self, *args: Any) -> Any:
        self.calls += 1
        return self.ways[self.calls % len(self.ways)](*args)


# What the compiler does behind Dynamo is tested above; here it would only take time.
steps_by_hand = pytest.mark.parametrize(
    "case",
    [snntorch_steps, norse_steps, lambda: spikingjelly("s")],
    ids=["snnTorch", "Norse", "SpikingJelly"],
)


@steps_by_hand
@pytest.mark.parametrize("turns", ["ce", "eecc"])
def test_a_sequence_goes_on_between_compiled_and_eager_calls(case: Case, turns: str) -> None:
    torch.manual_seed(1)
    net, run = case()
    with torch.no_grad():
        eager = recorded(net, run, net)
        compiled = torch.compile(net, backend="eager")
        ways = [compiled if turn == "c" else net for turn in turns]
        assert recorded(net, run, InTurn(*ways)) == eager


@steps_by_hand
@pytest.mark.parametrize("what", ["label", "valid", "reset", "new_sequence", "pause"])
def test_what_is_told_in_the_middle_of_a_sequence_means_the_same_in_compiled_calls(
    case: Case, what: str
) -> None:
    reports = []
    for compile_it in (False, True):
        torch.manual_seed(1)
        net, run = case()
        call: Any = torch.compile(net, backend="eager") if compile_it else net
        statistics = [ClassActivity] if what == "label" else []
        with torch.no_grad(), neuroact.record(net, statistics=statistics) as recording:
            calls, blocks = 0, ExitStack()

            def step(
                *args: Any, call: Any = call, recording: Any = recording, blocks: Any = blocks
            ) -> Any:
                nonlocal calls
                calls += 1
                if calls % 6 == 3 and what == "label":
                    labels = [0, 1, 0, 1][: len(args[0])]
                    blocks.enter_context(recording.batch(labels=labels))
                elif calls % 6 == 3 and what == "valid":
                    with recording.batch(valid=[True, False, True, True][: len(args[0])]):
                        return call(*args)
                elif calls % 6 == 3 and what == "pause":
                    recording.pause()
                elif calls % 6 == 3:
                    getattr(recording, what)()
                elif calls % 6 == 5:
                    blocks.close() if what == "label" else recording.resume()
                return call(*args)

            for x in batches():
                run(step, x)
        reports.append(recording.report())
    assert reports[0] == reports[1]


def test_an_adapter_that_has_no_pattern_breaks_the_graph_and_is_right() -> None:
    net, x = nn.LSTM(5, 7), batches()[0]
    compiled = torch.compile(net, backend="aot_eager")
    with torch.no_grad():
        with neuroact.record(net, layers="model") as recording:
            compiled(x)
        with neuroact.record(net, layers="model") as eager:
            net(x)
    assert recording.report() == eager.report()


def test_after_closing_nothing_is_left_in_the_program() -> None:
    net, run = spikingjelly("m")
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    with torch.no_grad():
        with neuroact.record(net) as recording:
            run(compiled, batches()[0])
        before = recording.report()
        run(compiled, batches()[1])
    assert recording.report() == before
    assert not any("forward" in vars(module) for module in net.modules())


@pytest.mark.parametrize("strict", [False, True])
def test_exporting_a_model_under_recording_is_refused(strict: bool) -> None:
    net, _ = spikingjelly("m")
    with (
        neuroact.record(net),
        pytest.raises(Exception, match=r"cannot go through torch\.export") as caught,
    ):
        torch.export.export(net, (batches()[0],), strict=strict)
    chain = [caught.value, caught.value.__cause__, caught.value.__context__]
    assert strict or any(isinstance(error, UnsupportedModelError) for error in chain)


def test_tracing_a_model_under_recording_is_refused() -> None:
    net, _ = spikingjelly("m")
    with (
        neuroact.record(net),
        pytest.raises(UnsupportedModelError, match=r"cannot go through torch\.jit\.trace"),
    ):
        torch.jit.trace(net, (batches()[0],))


def test_scripting_a_model_under_recording_is_refused() -> None:
    net = nn.Sequential(nn.Linear(5, 7), nn.ReLU())
    with (
        neuroact.record(net, layers="1"),
        pytest.raises(UnsupportedModelError, match=r"cannot go through .*torch\.jit\.script"),
    ):
        torch.jit.script(net)
    torch.jit.script(net)  # it works once the recording is closed


def test_a_scripted_layer_is_refused_by_what_to_do() -> None:
    net = nn.Sequential(torch.jit.script(nn.ReLU()))
    with pytest.raises(UnsupportedModelError, match="record the model that it was made from"):
        neuroact.record(net, layers="0")
