"""snnTorch: a call continues the last one if its state is the one that the last call left."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import snntorch as snn
import torch
from snntorch import functional, utils
from snntorch_cases import SEQUENCE_CASES, STEP_CASES, STEPS, SequenceCase, StepCase, currents
from snntorch_styles import STYLES, Style, run_batch
from torch import Tensor, nn

import neuroact

# If a class forgets its state at every call, its sequences have one step.
LASTING = {name: case for name, case in STEP_CASES.items() if not case.forgets}
every_lasting_case = pytest.mark.parametrize("case", LASTING.values(), ids=LASTING.keys())
every_way_to_detach = pytest.mark.parametrize(
    "detach",
    [lambda state: state.detach(), lambda state: state.detach_(), lambda state: state.data],
    ids=["detach", "detach_", "data"],
)

BATCH = 3


@pytest.fixture(autouse=True)
def forget_instances() -> Iterator[None]:
    """A list of snnTorch's has every neuron ever built, and resets all of them at once."""
    snn.SpikingNeuron.instances.clear()
    yield
    snn.SpikingNeuron.instances.clear()


class Counted:
    """Counts the sequences of one layer."""

    def __init__(self, recording: neuroact.Recording) -> None:
        self._recording = recording

    @property
    def sequences(self) -> int:
        return self._recording.report()["0"].sequences


@contextmanager
def counting(layer: nn.Module) -> Iterator[Counted]:
    with neuroact.record(nn.Sequential(layer)) as recording:
        yield Counted(recording)


def in_every_style(case: StepCase, run: Callable[[Any, Style], None]) -> set[int]:
    """The numbers of sequences counted over a run in each style of keeping state."""
    layers = nn.ModuleDict({style.name: style.build(case) for style in STYLES})
    with neuroact.record(layers) as recording:
        for style in STYLES:
            run(layers[style.name], style)
    return {layer.sequences for layer in recording.report().values()}


def current(batch: int = BATCH, features: int = 5) -> Tensor:
    return torch.randn(batch, features) + 0.5


@every_lasting_case
def test_each_reset_batch_is_one_sequence_a_sample_however_often_memory_is_reused(
    case: StepCase,
) -> None:
    """The allocator may give a freed batch's memory to the next state. That continues nothing."""

    def run(layer: Any, style: Style) -> None:
        for _ in range(15):
            run_batch(layer, case, style, currents(case, BATCH))

    assert in_every_style(case, run) == {15 * BATCH}


@every_lasting_case
def test_without_a_reset_the_sequence_goes_on(case: StepCase) -> None:
    def run(layer: Any, style: Style) -> None:
        states = style.fresh(layer, case)
        for each in currents(case, BATCH):
            _, states = style.step(layer, case, each, states)

    assert in_every_style(case, run) == {BATCH}


@every_lasting_case
@every_way_to_detach
def test_it_goes_on_over_windows_of_truncated_backpropagation(
    case: StepCase, detach: Callable[[Tensor], Tensor]
) -> None:
    weight = torch.ones((), requires_grad=True)

    def run(layer: Any, style: Style) -> None:
        states = style.fresh(layer, case)
        for _ in range(3):
            loss = torch.zeros(())
            for each in currents(case, BATCH):
                spikes, states = style.step(layer, case, each * weight, states)
                loss = loss + spikes.sum()
            loss.backward()  # type: ignore[no-untyped-call]  # torch
            states = tuple(each_detached(states, detach))
            if style.hidden:
                for name in case.names:
                    setattr(layer, name, detach(getattr(layer, name)))

    assert in_every_style(case, run) == {BATCH}


def each_detached(states: Any, detach: Callable[[Tensor], Tensor]) -> Iterator[Any]:
    """DeltaLeaky's states come as a pair."""
    for state in states:
        yield tuple(map(detach, state)) if isinstance(state, tuple) else detach(state)


@pytest.mark.parametrize(
    "name", [name for name, case in LASTING.items() if hasattr(getattr(snn, case.cls), "init")]
)
@pytest.mark.parametrize("output", [False, True])
def test_snntorchs_own_detach_and_reset_of_hidden_states(name: str, output: bool) -> None:
    """`detach_hidden` continues a sequence; `reset_hidden` and `utils.reset` start one."""
    case = LASTING[name]
    layer: Any = case.build(init_hidden=True, output=output)
    net = nn.Sequential(layer)
    with counting(layer) as count:
        found = []
        for between in (layer.detach_hidden, layer.reset_hidden, lambda: utils.reset(net)):
            for each in currents(case, BATCH):
                layer(each)
            between()
            layer(next(currents(case, BATCH)))
            found.append(count.sequences)
    assert found == [BATCH, 2 * BATCH, 3 * BATCH]


def test_the_reset_of_rsynaptic_that_leaves_its_spikes_begins_anew() -> None:
    layer = snn.RSynaptic(0.5, 0.6, linear_features=5, init_hidden=True)
    with counting(layer) as count:
        layer(current())
        spikes = layer.spk
        layer.reset_hidden()
        assert layer.spk is spikes, "snnTorch left them when this was written"
        layer(current())
    assert count.sequences == 2 * BATCH


@pytest.mark.parametrize("name", ["Leaky", "Lapicque"])
def test_a_state_reset_by_its_deprecated_name(name: str) -> None:
    layer: Any = STEP_CASES[name].build()
    with counting(layer) as count:
        for _ in range(4):
            mem = getattr(layer, f"init_{name.lower()}")()
            for _ in range(3):
                _, mem = layer(current(), mem)
    assert count.sequences == 4 * BATCH


@every_lasting_case
def test_another_batch_size_begins_anew(case: StepCase) -> None:
    """Zeros silently replace a state of another shape; DeltaLeaky raises."""

    def run(layer: Any, style: Style) -> None:
        states, last = style.fresh(layer, case), 4
        for size in (4, 4, 2, 4, 4):
            if case.cls == "DeltaLeaky" and size != last:
                states = style.fresh(layer, case)
            last = size
            _, states = style.step(layer, case, next(currents(case, size)), states)

    assert in_every_style(case, run) == {4 + 2 + 4}


@pytest.mark.parametrize("name", ["Leaky", "Synaptic", "Alpha", "RLeaky-linear", "RSynaptic"])
def test_a_state_left_out_or_none_goes_on_from_the_one_held(name: str) -> None:
    """This is what snnTorch does, also without init_hidden."""
    case = STEP_CASES[name]
    layer: Any = case.build()
    with counting(layer) as count:
        layer(current())
        held = layer.mem
        layer(current())
        layer(current(), *[None for _ in case.names])
        layer(current(), **dict.fromkeys(case.names))
    assert layer.mem is not held
    assert count.sequences == BATCH


def test_going_on_from_a_state_left_out_shows_in_the_membrane() -> None:
    """The framework's behaviour behind the claim above."""
    layer = snn.Leaky(0.5, reset_mechanism="none")
    one = torch.ones(1, 1)
    layer(one)
    assert layer(one)[1].item() == 1.5
    assert layer(one, mem=None)[1].item() == 1.75


@pytest.mark.parametrize("by_keyword", [False, True])
def test_a_state_passed_wins_over_the_one_held(by_keyword: bool) -> None:
    layer = snn.Leaky(0.9)
    fresh = torch.zeros(BATCH, 5)
    with counting(layer) as count:
        layer(current())
        layer(current(), mem=fresh) if by_keyword else layer(current(), fresh)
        assert count.sequences == 2 * BATCH
        layer(current())
    assert count.sequences == 2 * BATCH


def test_the_input_may_come_by_keyword_too() -> None:
    layer = snn.Leaky(torch.rand(5))
    with counting(layer) as count:
        for _ in range(3):
            layer(input_=current())
        assert count.sequences == BATCH
        for _ in range(3):
            layer(input_=current(1, features=1))  # larger than the input: it is forgotten
    assert count.sequences == BATCH + 3


def test_one_state_of_several_replaced_begins_anew() -> None:
    layer = snn.Synaptic(0.5, 0.6)
    with counting(layer) as count:
        _, syn, mem = layer(current())
        _, syn, mem = layer(current(), syn, mem)
        layer(current(), syn, torch.zeros_like(mem))
    assert count.sequences == 2 * BATCH


def test_an_earlier_state_begins_anew() -> None:
    layer = snn.Leaky(0.9)
    with counting(layer) as count:
        _, earlier = layer(current())
        _, mem = layer(current(), earlier)
        layer(current(), mem)
        layer(current(), earlier)
    assert count.sequences == 2 * BATCH


@every_lasting_case
def test_silence_is_no_reset(case: StepCase) -> None:
    """An all-zero state is not a new one, although it looks like one."""

    def run(layer: Any, style: Style) -> None:
        states = style.fresh(layer, case)
        for each in currents(case, BATCH):
            _, states = style.step(layer, case, each * 0, states)

    assert in_every_style(case, run) == {BATCH}


def test_a_state_that_snntorch_forgets_at_every_call_is_a_sequence_each() -> None:
    """SLSTM compares its hidden state with its input, which may have another size."""
    torch.manual_seed(0)
    layer = snn.SLSTM(4, 5)
    x = torch.randn(BATCH, 4)
    with counting(layer) as count:
        first = layer(x)[2]
        second = layer(x)[2]
        third = layer(x, *layer(x)[1:])[2]
    assert first.equal(second), "it would differ if snnTorch went on"
    assert first.equal(third)
    assert count.sequences == 4 * BATCH


def test_a_state_that_outgrows_the_input_is_forgotten_at_every_call() -> None:
    """For example one input, and a beta for each of five neurons."""
    layer = snn.Leaky(torch.linspace(0.1, 0.9, 5), reset_mechanism="none")
    one = torch.ones(BATCH, 1)
    with counting(layer) as count:
        mem = None
        for _ in range(3):
            _, mem = layer(one, mem)
    assert mem is not None
    assert mem.equal(torch.ones(BATCH, 5)), "it would grow if snnTorch went on"
    assert count.sequences == 3 * BATCH


@pytest.mark.parametrize("case", SEQUENCE_CASES.values(), ids=SEQUENCE_CASES.keys())
def test_each_call_of_a_sequence_class_is_a_sequence_of_its_own(case: SequenceCase) -> None:
    layer = case.build()
    x = torch.randn(7, BATCH, case.inputs)
    with counting(layer) as count:
        first = case.spikes(layer(x))
        again = case.spikes(layer(x))
    assert first.equal(again), "it would differ if a state were kept"
    assert count.sequences == 2 * BATCH


if hasattr(snn, "DeltaLeaky"):  # from 1.0.0 on

    def test_a_delta_leaky_starts_from_the_pair_passed_whose_second_member_it_never_reads() -> None:
        layer = snn.DeltaLeaky(beta=0.9)
        x = current()
        with counting(layer) as count:
            _, (mem, _) = layer(x, (None, None))
            assert count.sequences == BATCH
            spikes, pair = layer(x, (mem, None))
            assert count.sequences == BATCH
            assert layer(x, mem=(mem, torch.randn(BATCH, 5)))[0].equal(spikes)
            assert count.sequences == 2 * BATCH, "the state given was not the last one left"
            layer(x, mem=pair)
            layer(x, (torch.zeros(BATCH, 5), None))
        assert count.sequences == 4 * BATCH

    def test_a_hidden_delta_leaky_goes_on_from_what_it_holds_whatever_is_passed() -> None:
        layer = snn.DeltaLeaky(beta=0.9, init_hidden=True)
        with counting(layer) as count:
            layer(current())
            held = layer.mem
            returned = layer(current() * 0, (torch.zeros(BATCH, 5), None))
            assert returned[1][0].equal(held * 0.9), "it would be zero if it took what was passed"
            assert count.sequences == BATCH
            layer.reset_mem()
            layer(current(2))
            utils.reset(nn.Sequential(layer))
            layer(current(2))
        assert count.sequences == BATCH + 2 + 2

    def test_a_delta_leaky_whose_state_was_broadcast_to_a_batch_begins_anew() -> None:
        layer = snn.DeltaLeaky(beta=0.9, init_hidden=True)
        with counting(layer) as count:
            layer(current(1))
            layer(current(3))
        assert count.sequences == 1 + 3


def _training_net() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(5, 4),
        snn.Leaky(0.9, init_hidden=True),
        nn.Linear(4, 3),
        snn.Leaky(0.9, init_hidden=True, output=True),
    )


@pytest.mark.filterwarnings("ignore:The module snntorch.backprop")
@pytest.mark.parametrize("window", [None, 1, 3])
def test_snntorchs_training_loops_begin_a_sequence_a_batch(window: int | None) -> None:
    """Backpropagation through time, whole or in windows of K steps."""
    backprop = importlib.import_module("snntorch.backprop")
    torch.manual_seed(0)
    net = _training_net()
    batches = [(torch.rand(size, 5), torch.zeros(size, dtype=torch.long)) for size in (4, 2)]
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    options = {"optimizer": optimizer, "criterion": functional.ce_rate_loss(), "time_var": False}
    with neuroact.record(net) as recording:
        if window is None:
            backprop.BPTT(net, batches, **options, num_steps=STEPS)
        else:
            backprop.TBPTT(net, batches, **options, num_steps=STEPS, K=window)
    report = recording.report()
    assert [layer.sequences for layer in report.values()] == [6, 6]
    assert [layer.observations for layer in report.values()] == [6 * STEPS, 6 * STEPS]
