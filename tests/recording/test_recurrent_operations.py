"""Operations of torch's recurrent layers are what their equations, written out, multiply."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pairs import Tally, figures_of, operations_of_call, spikes, zeroed
from torch import Tensor, nn
from torch.nn.utils import prune
from torch.nn.utils.rnn import pack_padded_sequence

import neuroact

# So says torch of its own way to run them on some processors.
pytestmark = pytest.mark.filterwarnings("ignore:LSTM with projections is not supported")

CELLS: Any = {"RNN": nn.RNNCell, "LSTM": nn.LSTMCell, "GRU": nn.GRUCell}
SEQUENCES: Any = {"RNN": nn.RNN, "LSTM": nn.LSTM, "GRU": nn.GRU}


def state_of(kind: str, hidden: Tensor) -> Any:
    return (hidden, torch.rand_like(hidden)) if kind == "LSTM" else hidden


@given(
    st.sampled_from(sorted(CELLS)), st.booleans(), st.booleans(), st.booleans(), st.integers(0, 99)
)
def test_a_cell_counts_its_input_and_its_state(
    kind: str, batched: bool, stated: bool, bias: bool, seed: int
) -> None:
    cell = CELLS[kind](3, 2, bias=bias)
    zeroed(cell, seed)
    leading = (2,) if batched else ()
    x, hidden = spikes(*leading, 3), spikes(*leading, 2)
    args = (x, state_of(kind, hidden)) if stated else (x,)
    tally = Tally()
    for value, before in zip(x.reshape(-1, 3), hidden.reshape(-1, 2), strict=True):
        tally.meet(value, cell.weight_ih)
        tally.meet(before if stated else torch.zeros(2), cell.weight_hh)
    assert figures_of(operations_of_call(cell, *args)) == tally.figures


@st.composite
def sequences(draw: st.DrawFn) -> tuple[str, Any]:
    kind = draw(st.sampled_from(sorted(SEQUENCES)))
    torch.manual_seed(draw(st.integers(0, 99)))
    options = {
        "bidirectional": draw(st.booleans()),
        "batch_first": draw(st.booleans()),
        "bias": draw(st.booleans()),
    }
    if kind == "LSTM" and draw(st.booleans()):
        options["proj_size"] = 1
    if kind == "RNN":
        options["nonlinearity"] = draw(st.sampled_from(["tanh", "relu"]))
    module = SEQUENCES[kind](3, 2, **options)
    zeroed(module, draw(st.integers(0, 99)))
    return kind, module


def by_steps(kind: str, module: Any, x: Tensor, first: Any) -> Tally:
    """Runs each direction of one sample, `[time, inputs]`, step by step and looks at each pair."""
    tally = Tally()
    for at, end in enumerate(["l0", "l0_reverse"][: 1 + module.bidirectional]):
        single = SEQUENCES[kind](3, 2, bias=module.bias, **extra(kind, module))
        for name in dict(single.named_parameters()):
            own = getattr(module, name.removesuffix("l0") + end)
            getattr(single, name).data.copy_(own.data)
        hidden = None if first is None else tuple(part[at : at + 1] for part in first)
        for step in x if end == "l0" else x.flip(0):
            seen = torch.zeros(module.proj_size or 2) if hidden is None else hidden[0][0]
            tally.meet(step, getattr(module, f"weight_ih_{end}"))
            tally.meet(seen, getattr(module, f"weight_hh_{end}"))
            given: Any = hidden if hidden is None or kind == "LSTM" else hidden[0]
            _, left = single(step.unsqueeze(0), given)
            hidden = left if kind == "LSTM" else (left,)
    return tally


def extra(kind: str, module: Any) -> dict[str, Any]:
    if kind == "RNN":
        return {"nonlinearity": module.nonlinearity}
    return {"proj_size": module.proj_size} if kind == "LSTM" else {}


def added(tallies: list[Tally]) -> tuple[int, int, int]:
    whole = Tally()
    for tally in tallies:
        whole.add(tally)
    return whole.figures


def first_of(kind: str, module: Any, batch: int) -> Any:
    """A first state of whole numbers, as a tuple of parts."""
    ends = 1 + module.bidirectional
    hidden = spikes(ends, batch, module.proj_size or 2)
    return (hidden, torch.rand(ends, batch, 2)) if kind == "LSTM" else (hidden,)


@given(sequences(), st.booleans(), st.booleans())
def test_a_sequence_counts_what_each_step_is_given(
    drawn: tuple[str, Any], stated: bool, batched: bool
) -> None:
    kind, module = drawn
    steps, batch = 3, 2 if batched else 1
    x, first = spikes(steps, batch, 3), first_of(kind, module, batch)
    tallies = [
        by_steps(kind, module, x[:, b], tuple(p[:, b] for p in first) if stated else None)
        for b in range(batch)
    ]
    if not batched:
        x, first = x[:, 0], tuple(part[:, 0] for part in first)
    elif module.batch_first:
        x = x.transpose(0, 1)
    state = (first if kind == "LSTM" else first[0],) if stated else ()
    assert figures_of(operations_of_call(module, x, *state)) == added(tallies)


@given(sequences(), st.booleans(), st.permutations([1, 2, 4]))
def test_a_packed_sequence_counts_its_steps_alone(
    drawn: tuple[str, Any], stated: bool, lengths: list[int]
) -> None:
    kind, module = drawn
    x, first = spikes(4, 3, 3), first_of(kind, module, 3)
    tallies = [
        by_steps(kind, module, x[:length, b], tuple(p[:, b] for p in first) if stated else None)
        for b, length in enumerate(lengths)
    ]
    packed = pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False)
    state = (first if kind == "LSTM" else first[0],) if stated else ()
    operations = operations_of_call(module, packed, *state)
    assert figures_of(operations) == added(tallies)
    assert operations["it"].observations == sum(lengths)


def test_layers_on_top_of_each_other_are_named_with_what_to_do() -> None:
    operations = operations_of_call(nn.LSTM(3, 2, num_layers=2), torch.ones(4, 1, 3))
    assert not operations
    assert operations.not_counted == {
        "it": "what its 2 layers pass on to each other cannot be seen: make 2 LSTMs of one "
        "layer of it"
    }


def test_a_projection_is_named() -> None:
    operations = operations_of_call(nn.LSTM(3, 2, proj_size=1), torch.ones(4, 1, 3))
    assert list(operations) == ["it"]
    assert list(operations.not_counted) == ["it.weight_hr_l0"]
    assert "before its projection" in operations.not_counted["it.weight_hr_l0"]


def test_a_pruned_recurrent_weight_counts_as_its_mask_leaves_it() -> None:
    cell = nn.GRUCell(2, 1)
    mask = torch.tensor([[1, 0]] * 3)
    prune.custom_from_mask(cell, "weight_ih", mask)  # type: ignore[no-untyped-call]
    operations = operations_of_call(cell, torch.ones(1, 2), torch.zeros(1, 1))
    assert (operations["it"].acs, operations["it"].dense) == (3, 9)
    assert not operations.not_counted


def test_a_state_changed_in_place_by_the_call_counts_as_it_arrived() -> None:
    class Reset(nn.RNNCell):
        def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
            result = super().forward(input, hx)
            assert hx is not None
            hx.zero_()
            return result

    operations = operations_of_call(Reset(1, 2), torch.zeros(1, 1), torch.ones(1, 2))
    assert operations["it"].acs == 4


def test_gradients_and_outputs_of_a_recurrent_layer_are_as_without_recording() -> None:
    torch.manual_seed(0)
    net = nn.ModuleDict({"it": nn.LSTM(3, 2, bidirectional=True), "act": nn.ReLU()})
    x = torch.rand(4, 2, 3, requires_grad=True)

    def run() -> list[Tensor]:
        output, _ = net["it"](x)
        net["act"](output).sum().backward()
        assert x.grad is not None
        found = [output.detach(), x.grad.clone(), *(+p.grad for p in net.parameters())]
        net.zero_grad()
        x.grad = None
        return found

    expected = run()
    with neuroact.record(net, layers="act", operations=True) as recording:
        found = run()
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))
    assert recording.report().operations["it"].observations == 8


def test_calls_that_go_on_with_a_state_add_up_to_the_whole() -> None:
    torch.manual_seed(0)
    module, x = nn.GRU(3, 2), spikes(6, 2, 3)
    whole = figures_of(operations_of_call(module, x))
    net = nn.ModuleDict({"it": module, "act": nn.ReLU()})
    with neuroact.record(net, layers="act", operations=True) as recording:
        state = None
        for part in (x[:1], x[1:4], x[4:]):
            _, state = net["it"](part, state)
        net["act"](x)
    assert figures_of(recording.report().operations) == whole
