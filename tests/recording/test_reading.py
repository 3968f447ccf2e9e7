"""Modules without an adapter are read as the user says: kind, axes, values and state."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from own_modules import (
    BATCH,
    NEURONS,
    STATES,
    STEPS,
    InPlace,
    Pair,
    Passing,
    currents,
    kept_in_place,
    passed,
    spikes_of,
)
from torch import Tensor, nn
from with_core import with_core

import neuroact
from neuroact import Reading, SignalKind, record
from neuroact.errors import (
    AdapterReadError,
    AssumedAxesWarning,
    StatisticKindError,
    UnknownLayerError,
    UnreliableLayerWarning,
)
from neuroact.layers.axes import Axes


@pytest.mark.parametrize("case", STATES)
@pytest.mark.parametrize("native", [True, False])
def test_a_sequence_starts_where_the_stated_state_is_new(
    case: str, native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not native:
        monkeypatch.setattr("neuroact.recording.call_reader.core", lambda: None)
    build, run, reading = STATES[case]
    net, x = build(), currents()
    with record(net, layers={"model": reading}, statistics="TimeCourse") as recording:
        run(net, x)
    layer, truth = recording.report()["model"], spikes_of(x)
    if case == "dict":  # two states: another neuron, whose spikes are counted as they come
        assert (layer.sequences, layer.observations) == (2 * BATCH, 2 * STEPS * BATCH)
        return
    np.testing.assert_array_equal(layer.events, truth.sum((0, 1, 2)))
    assert (layer.sequences, layer.observations) == (2 * BATCH, 2 * STEPS * BATCH)
    course = layer[neuroact.TimeCourse]
    np.testing.assert_array_equal(course.events, truth.sum((0, 2, 3)))


@with_core
@pytest.mark.parametrize("case", STATES)
def test_most_steps_go_past_the_full_reading(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    build, run, reading = STATES[case]
    net = build()
    with record(net, layers={"model": reading}) as recording, torch.no_grad():
        reader, full = recording._watched[0].reader, []
        chunk = reader._chunk
        monkeypatch.setattr(reader, "_chunk", lambda *call: full.append(1) or chunk(*call))
        run(net, currents())
    # Each sequence begins with a call read in full, and so does the second, which continues it.
    assert len(full) <= 4


def test_the_arguments_of_record_are_the_reading_of_all_modules_without_adapter() -> None:
    net, x = Passing(), currents()
    with record(net, layers="model", kind="binary", values=0, state=1) as recording:
        passed(net, x)
    with record(net, layers={"model": Reading(None, "binary", 0, 1)}) as other:
        passed(net, x)
    assert recording.report() == other.report()
    assert recording.report().origin["options"]["reading"] == "binary, values at 0, state at 1"


@pytest.mark.parametrize("axes", ["TBN", "BTN", "NBT", "BN", "NB", "(T=2 B)N", "TN", "TB", "N"])
def test_a_stated_tuple_is_read_as_its_member_alone(axes: str) -> None:
    class Twice(nn.Module):
        def forward(self, x: Tensor) -> tuple[None, Tensor]:
            return None, x

    shape = {"TB": (4, 6), "N": (4,), "TN": (4, 6)}.get(axes, (4, 6, 8))
    x = (torch.rand(shape) > 0.5).float()
    net = Twice()
    with record(net, layers="model", axes=axes, kind="binary", values=1) as recording:
        net(x)
    layer, truth = recording.report()["model"], Axes(axes).ordered(x)
    assert layer.observations == truth.shape[0] * truth.shape[1]
    assert layer.shape == tuple(truth.shape[2:])
    np.testing.assert_array_equal(layer.events, truth.sum((0, 1)).numpy())


@pytest.mark.parametrize(
    ("output", "values"),
    [
        (lambda x: (x, None), 0),
        (lambda x: [None, x], -1),
        (lambda x: {"s": x}, "s"),
        (lambda x: Pair(x, None), "spikes"),
        (lambda x: Pair(x, None), 0),
        (lambda x: {"a": (x,)}, lambda out: out["a"][0]),
    ],
)
@pytest.mark.parametrize("side", ["plain", "axes"])
def test_values_are_found_where_they_are_said_to_be(output: Any, values: Any, side: str) -> None:
    class Wrapped(nn.Module):
        def forward(self, x: Tensor) -> Any:
            return output(x)

    net, x = Wrapped(), (torch.rand(3, 5) > 0.5).float()
    axes = None if side == "plain" else "TN"
    with record(net, layers="model", values=values, axes=axes, kind="binary") as recording:
        net(x)
    np.testing.assert_array_equal(recording.report()["model"].events, x.sum(0).numpy())


def test_a_kind_that_lies_is_found_out() -> None:
    net = nn.Sequential(nn.ReLU())
    with record(net, layers="0", kind="binary") as recording:
        net(torch.tensor([[0.0, 1.0, 0.5]]))
    with pytest.warns(UnreliableLayerWarning, match='layer "0"'):
        report = recording.report()
    assert np.isnan(report["0"].mean)


def test_a_stated_kind_opens_the_statistics_of_spikes() -> None:
    net = nn.Sequential(nn.Identity())
    with pytest.raises(StatisticKindError, match='say so, with kind="binary"'):
        record(net, layers="0", statistics="SpikeCounts")
    recording = record(net, layers="0", statistics="SpikeCounts", kind=SignalKind.BINARY)
    net(torch.eye(3))
    assert recording.report()["0"][neuroact.SpikeCounts].quantile(0.5) == 0
    with record(net, layers="0", of="input", kind="binary", statistics="SpikeCounts") as recording:
        net(torch.eye(3))
    assert recording.report()["0"].kind is SignalKind.BINARY


class Model(nn.Module):
    """A tuple, a [B, T, N] tensor and a plain layer."""

    def __init__(self) -> None:
        super().__init__()
        self.enc = nn.ModuleList([Passing(), Passing()])
        self.gate = nn.Sigmoid()
        self.dec = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.enc:
            x, _ = layer(x)
        gated: Tensor = self.dec((self.gate(x) > 0.6).float().expand(2, 7, -1, -1))
        return gated


def test_one_mapping_says_how_each_layer_is_read() -> None:
    net = Model()
    readings = {
        "enc.*": Reading(kind="binary", values=0),
        nn.Sigmoid: Reading(axes="BN"),
        net.dec: Reading(axes="BTN", kind="graded"),
    }
    with record(net, layers=readings) as recording:
        net(torch.rand(BATCH, NEURONS) * 2)
    layers = recording.report()
    assert [(x.name, x.kind.value, x.shape, x.observations) for x in layers.values()] == [
        ("enc.0", "binary", (NEURONS,), BATCH),
        ("enc.1", "binary", (NEURONS,), BATCH),
        ("gate", "analog", (NEURONS,), BATCH),
        ("dec", "graded", (BATCH, NEURONS), 14),
    ]
    assert layers.origin["options"]["layers"] == [
        "enc.*: binary, values at 0",
        "class torch.nn.modules.activation.Sigmoid: axes BN",
        "module of torch.nn.modules.linear.Identity: axes BTN, graded",
    ]


def test_a_layers_own_name_goes_before_a_glob() -> None:
    readings = {
        "enc.1": Reading(kind="graded", values=0),
        "enc.*": Reading(kind="binary", values=0),
    }
    for order in (readings, dict(reversed(readings.items()))):
        recording = record(Model(), layers=order)
        assert [info.kind.value for info in recording.layers.values()] == ["binary", "graded"]
    with pytest.raises(
        ValueError, match=r'gives "enc.1" two readings, by \'enc.\*\' and by \'\*1\''
    ):
        record(Model(), layers={"enc.*": Reading(values=0), "*1": Reading(values=1)})


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (
            {"kind": "spikes"},
            ValueError,
            'kind= to be "binary", "graded" or "analog", came .spikes',
        ),
        ({"kind": 1}, ValueError, "kind= to be"),
        ({"values": 0.5}, TypeError, "values= takes an index, a key or a function .* came 0.5"),
        ({"values": True}, TypeError, "values= takes an index, a key or a function"),
        ({"state": 0.5}, TypeError, "state= takes an index of the output, the name .* came 0.5"),
        ({"state": ("a", 1)}, TypeError, "state= takes an index of the output"),
        ({"state": ()}, TypeError, "state= takes an index of the output"),
        ({"state": {}}, TypeError, "state= takes an index of the output"),
        ({"state": {0: None}}, TypeError, "state= takes an index of the output"),
        ({"state": 1}, ValueError, r'"0": state= is to come back as the argument 1 .* has: input'),
        ({"state": {1: "mem"}}, ValueError, "the argument 'mem' of its forward, which has: input"),
        ({"axes": "XY"}, ValueError, "expected axes= to hold T"),
        ({"layers": {}}, ValueError, "layers= is empty"),
        ({"layers": {"0": "TBN"}}, TypeError, r"layers=\{'0': ...\} takes a neuroact.Reading"),
        ({"layers": {3: Reading()}}, TypeError, "layers= takes a name"),
        ({"layers": {"9": Reading()}}, UnknownLayerError, "layers='9' matches no module"),
        ({"layers": {"0": Reading()}, "kind": "binary"}, ValueError, r"neuroact.Reading\(kind="),
        ({"of": "input", "values": 0}, ValueError, r"values= and state=.* have no use"),
    ],
)
def test_bad_input_is_answered_by_one_sentence(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    net = nn.Sequential(nn.ReLU())
    before = dict(net[0].__dict__)
    with pytest.raises(error, match=message):
        record(net, **{"layers": "0", **arguments})
    assert net[0].__dict__ == before


def test_a_reading_that_reads_no_layer_is_refused() -> None:
    net = nn.Sequential(nn.RNN(3, 4))
    with pytest.raises(ValueError, match=r'as torch does "0": name others .*Reading\(kind=\.\.\.'):
        record(net, layers="0", kind="binary")
    own = Reading(axes="TBN", values=0, state={1: "hx"})
    with record(net, layers={"0": own}) as stated, record(net, layers="0") as known:
        state = None
        for _ in range(3):
            _, state = net[0](torch.rand(2, 5, 3), state)
    assert stated.report()["0"] == known.report()["0"]


@pytest.mark.parametrize(
    ("output", "reading", "message"),
    [
        ((torch.ones(2, 3), None), {}, r"a tuple of \(a tensor \[2, 3\], NoneType\).*values=0"),
        ({"out": 1}, {}, "a dict with out: say .* values='out'"),
        (None, {}, "came NoneType: say where .* values=lambda _: module.spikes"),
        (torch.ones(2, 3), {"values": 0}, r"a tensor at values=0, came a tensor \[2, 3\]"),
        ((torch.ones(2, 3),), {"values": 1}, r"a tensor at values=1, came a tuple of \(a"),
        ({"a": torch.ones(2)}, {"values": "b"}, "a tensor at values='b', came a dict with a"),
        ((3, 4), {"values": 0}, r"a tensor at values=0, came a tuple of \(int, int\)"),
        (torch.ones(2, 3), {"values": lambda out: None}, "values= to return one tensor, came None"),
        (torch.ones(2, 3), {"state": 1}, r"a tensor at state=1, came a tensor \[2, 3\]"),
        (torch.ones(2, 3), {"state": "mem"}, "has no attribute 'mem'"),
        ((torch.ones(2, 3), 1.5), {"values": 0, "state": 1}, "state, where state= says, to hold"),
        (torch.ones(2, 3), {"state": lambda module: {}["mem"]}, "'mem'"),
        (torch.ones(2, 3), {"state": "training"}, "state, where state= says, to hold a tensor"),
    ],
)
def test_what_is_not_where_it_was_said_to_be_is_an_error_that_names_the_layer(
    output: Any, reading: dict[str, Any], message: str
) -> None:
    class Fixed(nn.Module):
        def forward(self, x: Tensor, mem: Any = None) -> Any:
            return output

    net = nn.Sequential(Fixed())
    with (
        record(net, layers="0", **reading),
        pytest.raises(AdapterReadError, match=rf'layer "0" .*could not be read: .*{message}'),
    ):
        net(torch.ones(2, 3))


def test_an_assumed_order_of_three_dimensions_is_said_once() -> None:
    net = nn.Sequential(nn.ReLU(), nn.ReLU())
    with record(net, layers=nn.ReLU) as recording:
        said = r'layer "0" .* \[2, 7, 5\] is read as one step of 2 samples \(axes="BN"\)'
        with pytest.warns(AssumedAxesWarning, match=said) as caught:
            net(torch.rand(2, 7, 5))
        assert len(caught) == 1
        with warnings.catch_warnings(action="error"):
            net(torch.rand(2, 7, 5))
    assert recording.report()["0"].shape == (7, 5)


@pytest.mark.parametrize(("axes", "shape"), [("BN", (2, 7, 5)), ("TBN", (2, 7, 5)), (None, (7, 5))])
def test_a_stated_order_and_a_value_of_two_dimensions_are_read_without_a_word(
    axes: str | None, shape: tuple[int, ...], recwarn: pytest.WarningsRecorder
) -> None:
    net = nn.Sequential(nn.ReLU())
    with record(net, layers="0", axes=axes):
        net(torch.rand(shape))
    assert not recwarn.list


def test_the_model_is_left_as_found() -> None:
    for build, run, reading in STATES.values():
        net, plain, x = build(), build(), currents(3)
        with record(net, layers={"model": reading}), torch.no_grad():
            run(net, x)
        with torch.no_grad():
            run(plain, x)
        ours, theirs = (
            {k: v for k, v in vars(n).items() if isinstance(v, Tensor)} for n in (net, plain)
        )
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[k], theirs[k]) for k in ours)
        assert "forward" not in vars(net)


def test_a_state_written_to_in_inference_mode_starts_a_sequence() -> None:
    net = InPlace()
    with torch.inference_mode():
        net.mem = torch.zeros(BATCH, NEURONS)
        with record(net, layers="model", kind="binary", state="mem") as recording:
            kept_in_place(net, currents() + 0.01)
    assert recording.report()["model"].sequences == 2 * BATCH


def test_the_layers_print_as_a_table_before_a_run() -> None:
    readings = {"enc.*": Reading("BTN", "binary", 0, 1), "dec": Reading()}
    recording = record(Model(), layers=readings)
    assert str(recording.layers).splitlines() == [
        "layer  class     framework  kind    read",
        "-----  --------  ---------  ------  -----------------------------------------",
        "enc.0  Passing   torch      binary  axes BTN, binary, values at 0, state at 1",
        "enc.1  Passing   torch      binary  axes BTN, binary, values at 0, state at 1",
        "dec    Identity  torch      analog  axes BN assumed",
    ]
    assert list(recording.layers) == ["enc.0", "enc.1", "dec"]
    assert recording.layers["dec"].layer_type == "Identity"
    assert str(record(Model(), layers="gate", of="input").layers).endswith(
        "graded  its input, axes BN assumed, graded"
    )


def test_a_state_that_the_first_call_makes_may_be_found_by_any_function() -> None:
    class Held(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.held: dict[str, Tensor] = {}

        def forward(self, x: Tensor) -> Tensor:
            self.held["mem"] = self.held.get("mem", 0) + x
            return self.held["mem"]

    net = Held()
    with record(net, layers="model", state=lambda module: module.held["mem"]) as recording:
        for _ in range(4):
            net(torch.rand(2, 3))
    assert recording.report()["model"].sequences == 2


def test_measure_passes_what_is_said_on() -> None:
    net, batches = Passing(), 2 * currents().flatten(0, 1)
    report = neuroact.measure(net, list(batches), layers="model", kind="binary", values=0)
    np.testing.assert_array_equal(report["model"].events, (batches > 1).sum((0, 1)).numpy())
    by_mapping = neuroact.measure(net, list(batches), layers={"model": Reading(None, "binary", 0)})
    assert by_mapping == report
