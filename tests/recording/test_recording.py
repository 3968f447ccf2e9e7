"""Recording a model gives true figures, and leaves the model as it was."""

from __future__ import annotations

import copy
import gc
import io
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from toy import Integrator, Net, Neuron, RawOutputs, ToyAdapter

import neuroact
from neuroact import LayerCall, Recording, SignalKind, SpikeChunk
from neuroact.errors import (
    AdapterReadError,
    LayerNameError,
    LayerNotCalledWarning,
    LayerShapeError,
    MergeError,
    NoSpikingLayersError,
    NothingRecordedError,
    RecordingClosedError,
    UnknownLayerError,
    UnreliableLayerWarning,
)
from neuroact.layers.reading import Reading
from neuroact.layers.stated import StatedAdapter

ADAPTERS = [ToyAdapter()]


def record(model: nn.Module, **options: Any) -> Recording:
    return neuroact.record(model, adapters=ADAPTERS, **options)


def traces_of(model: nn.Module) -> list[Any]:
    """All of a model's modules where recording could leave a trace."""
    return [
        (
            sorted(k for k in vars(module) if k != "mem"),
            {k: list(v) for k, v in vars(module).items() if "hooks" in k and v is not None},
            [name for name, _ in module.named_buffers()],
        )
        for module in model.modules()
    ]


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(0, 4)), min_size=1, max_size=4),
    st.integers(0, 2**31),
)
def test_figures_equal_numpy_on_the_raw_outputs(sizes: list[tuple[int, int]], seed: int) -> None:
    torch.manual_seed(seed)
    net = Net()
    raw = {name: RawOutputs(getattr(net, name)) for name in ("lif1", "lif2")}
    with record(net) as recording:
        for steps, batch in sizes:
            net(torch.randn(steps, batch, 5))
    report = recording.report()
    for name, kept in raw.items():
        layer, values = report[name], kept.flat()
        np.testing.assert_array_equal(layer.events, (values != 0).sum(0))
        assert layer.observations == len(values) == sum(t * b for t, b in sizes)
        assert layer.sequences == sum(b for _, b in sizes)
        if len(values):
            np.testing.assert_array_equal(layer.activity, values.mean(0))


def test_only_spiking_layers_are_recorded_unless_others_are_named() -> None:
    net = nn.Sequential(Integrator(), nn.Linear(5, 5), Neuron(hidden=True))
    with record(net) as recording:
        assert list(recording.layers) == ["2"]
    with record(net, layers=["0", "1"]) as recording:
        net(torch.ones(4, 5))
    report = recording.report()
    assert [(x.name, x.kind) for x in report.values()] == [
        ("0", SignalKind.ANALOG),
        ("1", SignalKind.ANALOG),
    ]
    assert report["0"].framework == "toy"
    assert report["1"].framework == "torch"


def test_the_input_of_named_layers_is_recorded() -> None:
    net = Net()
    raw = RawOutputs(net.lif1)
    with record(net, layers="fc2", of="input") as recording:
        net(torch.randn(6, 2, 5))
    layer = recording.report()["fc2"]
    np.testing.assert_array_equal(layer.total, raw.flat().sum(0))
    assert layer.kind is SignalKind.GRADED
    with pytest.raises(ValueError, match=r"adapter of \"lif1\" \(toy\) does not know the order"):
        record(net, layers="lif1", of="input")


@pytest.mark.parametrize(
    ("axes", "shape"), [("TBN", (4, 2, 3, 5)), ("BTN", (2, 4, 3, 5)), ("NBT", (3, 5, 2, 4))]
)
def test_axes_say_the_order_for_modules_no_adapter_knows(axes: str, shape: Any) -> None:
    values = torch.randn(shape)
    net = nn.Sequential(nn.ReLU())
    with record(net, layers="0", axes=axes) as recording:
        net(values)
    layer = recording.report()["0"]
    assert (layer.shape, layer.sequences, layer.observations) == ((3, 5), 2, 8)
    where = tuple({"TBN": (0, 1), "BTN": (0, 1), "NBT": (2, 3)}[axes])
    np.testing.assert_array_equal(layer.events, (values.numpy() > 0).sum(where))


@pytest.mark.parametrize(
    ("axes", "flatten", "shape"),
    [
        ("(T=4 B)N", lambda x: x.reshape(8, 3, 5), (4, 2, 3, 5)),
        ("(T B=2)N", lambda x: x.reshape(8, 15), (4, 2, 15)),
        ("(BT=4)N", lambda x: x.transpose(0, 1).reshape(8, 3, 5), (4, 2, 3, 5)),
        ("N(TB=2)", lambda x: x.reshape(8, 3, 5).permute(1, 2, 0), (4, 2, 3, 5)),
        ("(TB=30)", lambda x: x.reshape(120), (4, 30)),
    ],
)
def test_time_and_batch_in_one_dimension_are_parted(axes: str, flatten: Any, shape: Any) -> None:
    values = torch.randn(4, 2, 3, 5)
    adapter = StatedAdapter(Reading(axes))
    chunk = adapter.read(nn.Identity(), LayerCall((), {}, flatten(values)))
    assert torch.equal(chunk.values, values.reshape(shape))
    with pytest.raises(ValueError, match=r"expected the axes .* came a tensor of shape \[7, 3\]"):
        adapter.read(nn.Identity(), LayerCall((), {}, torch.zeros(7, 3)))


@pytest.mark.parametrize(
    ("axes", "shape", "came"),
    [
        ("TBN", (6, 3), (6, 1, 3)),
        ("BN", (3,), (1, 1, 3)),
        ("BTN", (6, 3), (6, 1, 3)),
        ("TB", (6,), (6, 1)),
    ],
)
def test_a_tensor_without_a_batch_is_a_batch_of_one(axes: str, shape: Any, came: Any) -> None:
    chunk = StatedAdapter(Reading(axes)).read(nn.Identity(), LayerCall((), {}, torch.zeros(shape)))
    assert chunk.values.shape == came


def test_time_and_batch_in_one_dimension_need_a_size() -> None:
    with pytest.raises(ValueError, match=r"either time or batch.*such as '\(T=16 B\)N'"):
        record(nn.ReLU(), layers="model", axes="(TB)N")


def test_marks_make_sequences_of_modules_without_state() -> None:
    net = Net()
    with record(net, layers="fc*") as recording:
        for _ in range(2):
            recording.new_sequence()
            net(torch.randn(6, 3, 5))
    layer = recording.report()["fc2"]
    assert (layer.sequences, layer.observations) == (6, 36)


@pytest.mark.parametrize("axes", ["", "TBNN", "XBN", "tbn", "(T=0 B)N", "(T=2 T)N"])
def test_invalid_axes_are_refused(axes: str) -> None:
    with pytest.raises(ValueError, match=r'such as "TBN", "BTN", "BN"'):
        record(nn.ReLU(), layers="model", axes=axes)


def test_axes_that_do_not_fit_the_shape_are_refused() -> None:
    net = nn.Sequential(nn.ReLU())
    with (
        record(net, layers="0", axes="TBN"),
        pytest.raises(
            AdapterReadError, match=r'layer "0".*\'TBN\', came a tensor of shape \[4\].* with axes='
        ) as caught,
    ):
        net(torch.ones(4))
    assert "correct the adapter" not in str(caught.value)
    with pytest.raises(TypeError, match=r"expected axes= to be a text .* came 3"):
        record(net, layers="0", axes=3)


def run(net: Net, x: torch.Tensor) -> tuple[Any, ...]:
    net.zero_grad()
    out = net(x)
    out.sum().backward()
    grads = [p.grad.clone() for p in net.parameters() if p.grad is not None]
    return out.detach(), grads, torch.rand(3)


def test_the_model_is_left_as_found() -> None:
    torch.manual_seed(0)
    net, x = Net(), torch.randn(6, 4, 5)
    before = traces_of(net)
    torch.manual_seed(1)
    plain = run(net, x)
    torch.manual_seed(1)
    with record(net) as recording:
        recorded = run(net, x)
    torch.manual_seed(1)
    after = run(net, x)
    for other in (recorded, after):
        assert torch.equal(plain[0], other[0])
        assert all(torch.equal(a, b) for a, b in zip(plain[1], other[1], strict=True))
        assert torch.equal(plain[2], other[2])
    assert traces_of(net) == before
    assert recording.report()["lif1"].observations == 24


def test_an_exception_inside_leaves_the_model_as_found_and_keeps_the_figures() -> None:
    net = Net()
    before = traces_of(net)
    error, recordings = RuntimeError("mine"), []

    def fail() -> None:
        with record(net) as recording:
            recordings.append(recording)
            net(torch.randn(3, 2, 5))
            raise error

    with pytest.raises(RuntimeError, match="mine") as caught:
        fail()
    assert caught.value is error
    assert traces_of(net) == before
    assert recordings[0].report()["lif2"].observations == 6


def test_two_recordings_at_once_are_both_right() -> None:
    net = Net()
    with record(net) as outer:
        net(torch.randn(3, 2, 5))
        with record(net, layers="lif*") as inner:
            net(torch.randn(4, 2, 5))
        net(torch.randn(5, 2, 5))
    assert [r.report()["lif1"].observations for r in (outer, inner)] == [24, 8]


def test_closing_twice_does_nothing_and_lets_the_model_go() -> None:
    net = Net()
    recording = record(net)
    net(torch.randn(3, 2, 5))
    recording.close()
    recording.close()
    gone = weakref.ref(net)
    del net
    gc.collect()
    assert gone() is None
    assert recording.report()["lif1"].observations == 6
    with pytest.raises(RecordingClosedError, match="cannot be resumed"):
        recording.resume()
    with pytest.raises(RecordingClosedError, match="cannot be fed"):
        recording.observe("x", torch.ones(1, 1, 1))


def test_pause_and_resume() -> None:
    net = Net()
    before = traces_of(net)
    with record(net) as recording:
        net(torch.randn(3, 2, 5))
        recording.pause()
        assert traces_of(net) == before
        net(torch.randn(30, 2, 5))
        recording.resume()
        recording.resume()
        net(torch.randn(4, 2, 5))
    assert recording.report()["lif1"].observations == 14


def test_reset_starts_from_nothing_and_takes_other_neurons() -> None:
    net = nn.Sequential(Neuron(hidden=True))
    with record(net) as recording:
        net(torch.ones(2, 3))
        recording.reset()
        net(torch.ones(4, 9))
    layer = recording.report()["0"]
    assert (layer.shape, layer.observations, layer.sequences) == ((9,), 4, 4)


def test_new_sequence_wins_over_what_state_says() -> None:
    net = nn.Sequential(Neuron(hidden=True))
    with record(net) as recording:
        for _ in range(3):
            net(torch.ones(2, 3))
        recording.new_sequence()
        for _ in range(3):
            net(torch.ones(2, 3))
    assert recording.report()["0"].sequences == 4


def test_a_report_in_mid_recording_changes_nothing() -> None:
    torch.manual_seed(0)
    net, x = Net(), torch.randn(8, 3, 5)
    with record(net) as asked, record(net) as left_alone:
        for _ in range(3):
            net(x)
            asked.report()
    assert asked.report() == left_alone.report()


def test_copies_made_while_recording_are_not_recorded() -> None:
    net = Net()
    with (
        record(net) as recording,
        torch.no_grad(),
    ):  # a membrane potential with a graph cannot be copied
        net(torch.randn(3, 2, 5))
        copied = copy.deepcopy(net)
        copied(torch.randn(3, 2, 5))
        saved = io.BytesIO()
        torch.save(net, saved)
        saved.seek(0)
        torch.load(saved, weights_only=False)(torch.randn(3, 2, 5))
    assert recording.report()["lif1"].observations == 6
    assert recording.report()["lif2"].observations == 6


def test_a_module_under_two_names_is_recorded_once() -> None:
    shared = Neuron(hidden=True)
    net = nn.Sequential(shared, nn.Identity(), shared)
    with record(net) as recording:
        net(torch.ones(2, 3))
    report = recording.report()
    assert (list(report), report["0"].aliases, report["0"].observations) == (["0"], ("2",), 4)
    assert report["2"] is report["0"]


def test_the_model_itself_may_be_the_layer() -> None:
    neuron = Neuron(hidden=True)
    with record(neuron) as recording:
        neuron(torch.ones(2, 3))
    assert list(recording.report()) == ["model"]


def test_two_layers_of_one_name_are_refused() -> None:
    class Clash(Neuron):
        def __init__(self) -> None:
            super().__init__(hidden=True)
            self.model = Neuron()

    with pytest.raises(LayerNameError, match='both be reported as "model"') as caught:
        record(Clash())
    assert caught.value.layer == "model"


def test_no_spiking_layer_says_what_there_is_and_how_to_get_more() -> None:
    with pytest.raises(NoSpikingLayersError) as caught:
        record(nn.Sequential(nn.Linear(2, 2), Integrator()))
    message = str(caught.value)
    assert "no spiking layer among the model's 3 modules" in message
    assert "emit real values or encode data: 1." in message
    assert "Adapters installed:" in message
    assert "snntorch" in message
    assert 'pip install "neuroact[' in message


def test_a_scripted_or_exported_model_is_refused_with_the_reason() -> None:
    example = torch.ones(2)
    traced = torch.jit.trace(nn.Sequential(nn.ReLU()), example)
    exported = torch.export.export(nn.Sequential(nn.ReLU()), (example,)).module()
    for program in (traced, exported):
        with pytest.raises(NoSpikingLayersError, match="cannot see into scripted, traced or exp"):
            neuroact.record(program)


def test_a_pattern_that_matches_nothing_shows_names_and_near_misses() -> None:
    with pytest.raises(UnknownLayerError, match=r"Did you mean 'lif1'.* There are: model, fc1"):
        record(Net(), layers="lf1")
    with pytest.raises(UnknownLayerError, match="predicate given as layers= is true for none"):
        record(Net(), layers=lambda name, module: False)


@pytest.mark.parametrize(
    ("layers", "found"),
    [
        ("lif*", ["lif1", "lif2"]),
        (["lif2", "lif1"], ["lif1", "lif2"]),
        (["lif2", "*2"], ["fc2", "lif2"]),
        (lambda name, module: isinstance(module, Neuron), ["lif1", "lif2"]),
        ("*", ["fc1", "lif1", "fc2", "lif2"]),
        (Neuron, ["lif1", "lif2"]),
        ([Neuron, "fc1"], ["fc1", "lif1", "lif2"]),
        ((nn.Linear, "l*1"), ["fc1", "lif1", "fc2"]),
        (iter(["lif1"]), ["lif1"]),
        ({"lif1", "lif2"}, ["lif1", "lif2"]),
    ],
)
def test_layers_are_chosen_by_name_glob_class_list_and_predicate(
    layers: Any, found: list[str]
) -> None:
    with record(Net(), layers=layers) as recording:
        assert list(recording.layers) == found


def test_layers_are_chosen_by_the_modules_themselves() -> None:
    net = Net()
    wrapped = nn.DataParallel(net.lif1)
    for layers, found in [
        (net.fc2, ["fc2"]),
        ([net.lif2, "lif1"], ["lif1", "lif2"]),
        (net, ["model"]),
        (wrapped, ["lif1"]),
    ]:
        with record(net, layers=layers) as recording:
            assert list(recording.layers) == found


@pytest.mark.parametrize(
    ("layers", "error", "message"),
    [
        (3, TypeError, r"came 3; a name is a text: '3'"),
        ([0, 1], TypeError, r"came 0; a name is a text: '0'"),
        (1.5, TypeError, r"layers= takes a name, a glob, a module, .* came 1\.5"),
        (b"lif1", TypeError, r"came b'lif1'"),
        (torch.ones(2), TypeError, r"came tensor\(1\.\)"),
        (Net().named_modules(), TypeError, r"came \('', Net\("),
        ([], ValueError, r"layers= is empty"),
        (nn.Conv2d, UnknownLayerError, r"the class Conv2d .* There are: Net, Linear, Neuron"),
        (nn.Linear(2, 2), UnknownLayerError, r"a Linear, .* is not in the model.*model, fc1"),
        (["lif1", nn.Tanh()], UnknownLayerError, r"a Tanh, .* is not in the model"),
    ],
)
def test_a_choice_of_no_layer_is_refused_in_one_sentence(
    layers: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        record(Net(), layers=layers)


@pytest.mark.parametrize("layers", [Neuron, [Neuron], Net().lif1, lambda name, module: True])
def test_the_choice_of_layers_is_written_down_as_text(layers: Any) -> None:
    net = Net()
    with record(net, layers=net.lif1 if isinstance(layers, nn.Module) else layers) as recording:
        net(torch.ones(2, 3, 5))
    report = neuroact.ActivityReport.from_json(recording.report().to_json())
    asked = report.origin["options"]["layers"]
    assert "Neuron" in str(asked) or "predicate" in asked


def test_a_report_before_any_call_names_the_layers_and_the_likely_causes() -> None:
    with (
        record(Net()) as recording,
        pytest.raises(NothingRecordedError, match=r"lif1, lif2.*Likely causes: the model was not"),
    ):
        recording.report()


def test_a_layer_never_called_is_named() -> None:
    net = Net()
    with record(net) as recording:
        net.lif1(torch.ones(2, 7))
    with pytest.warns(LayerNotCalledWarning, match=r"not in the report: lif2\."):
        report = recording.report()
    assert (list(report), report.not_called) == (["lif1"], ("lif2",))
    with pytest.raises(KeyError, match='layer "lif2" was recorded but never called'):
        report["lif2"]


def test_changed_neurons_are_refused_by_name_and_nothing_is_lost() -> None:
    net = Net()
    with record(net) as recording:
        net(torch.randn(3, 2, 5))
        before = recording.report()
        with pytest.raises(LayerShapeError, match=r'layer "lif1" \(toy Neuron\).*\(7,\).*\(6,\)'):
            net.lif1(torch.ones(2, 6))
        assert recording.report() == before


class Shared(nn.Module):
    """One activation in two places of different widths."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.fc2, self.activation = nn.Linear(5, 7), nn.Linear(7, 3), nn.ReLU()

    def forward(self, x: torch.Tensor) -> Any:
        return self.activation(self.fc2(self.activation(self.fc1(x))))


def test_a_module_used_in_two_places_is_refused_with_what_to_record_instead() -> None:
    net = Shared()
    advice = r'used in several places of the model, say in how many: .*places=2.*of="input"'
    with (
        record(net, layers="activation"),
        pytest.raises(LayerShapeError, match=r'layer "activation".*\(7,\).*\(3,\).*' + advice),
    ):
        net(torch.ones(2, 5))
    shared = nn.Sequential(relu := nn.ReLU(), nn.Linear(5, 3), relu)
    with (
        record(shared, layers=nn.ReLU),
        pytest.raises(LayerShapeError, match=r"several places of the model \(0, 2\), say in how"),
    ):
        shared(torch.ones(2, 5))
    with record(net, layers=["fc2"], of="input") as recording:
        net(torch.ones(2, 5))
    assert recording.report()["fc2"].shape == (7,)


class Wrong(ToyAdapter):
    """An adapter that returns what `answer` makes."""

    def __init__(self, answer: Callable[[SpikeChunk], Any]) -> None:
        self.answer = answer

    def read(self, module: nn.Module, call: Any) -> Any:
        return self.answer(super().read(module, call))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda c: SpikeChunk(c.values[0, 0], c.kind, True), r"expected real values of shape"),
        (lambda c: SpikeChunk(c.values * 1j, c.kind, True), r"came torch.complex64"),
        (lambda c: SpikeChunk(c.values, c.kind, True, torch.ones(3)), r"valid to be a bool tensor"),
        (lambda c: c.values, r"expected a SpikeChunk from read, came Tensor"),
        (lambda c: 1 / 0, r"division by zero"),
    ],
)
def test_a_wrong_chunk_names_layer_and_adapter(answer: Any, message: str) -> None:
    adapter = Wrong(lambda chunk: chunk)
    net = Net()
    with neuroact.record(net, adapters=[adapter]) as recording:
        net(torch.randn(3, 2, 5))
        before = recording.report()
        adapter.answer = answer
        with pytest.raises(AdapterReadError, match=message) as caught:
            net(torch.randn(3, 2, 5))
        assert caught.value.layer == "lif1"
        assert 'layer "lif1"' in str(caught.value)
        assert "adapter Wrong" in str(caught.value)
        assert recording.report() == before


@pytest.mark.parametrize(
    ("value", "message"),
    [(float("nan"), "NaN or infinite"), (0.5, "values other than 0 and 1")],
)
def test_values_that_cannot_be_trusted_give_nan_and_a_warning(value: float, message: str) -> None:
    adapter = Wrong(lambda c: SpikeChunk(c.values * 0 + value, c.kind, c.starts_sequence))
    net = Net()
    with neuroact.record(net, layers="lif1", adapters=[adapter]) as recording:
        net(torch.randn(3, 2, 5))
    with pytest.warns(UnreliableLayerWarning, match=f'layer "lif1".*{message}'):
        layer = recording.report()["lif1"]
    assert all(np.isnan([layer.mean, layer.median, layer.sparsity, *layer.activity]))
    assert (layer.dead, layer.saturated) == (0, 0)


def test_a_warning_says_which_values_of_an_observed_layer_are_not_binary() -> None:
    recording = Recording()
    recording.observe("chip", torch.full((1, 1, 2), 0.5))
    message = r'layer "chip".* 0 and 1 were observed in a layer that is said to be binary: .*kind='
    with pytest.warns(UnreliableLayerWarning, match=message) as caught:
        recording.report()
    assert "adapter" not in str(caught[0].message)
    assert "compiled" not in str(caught[0].message)


@pytest.mark.parametrize(
    ("dt", "error"),
    [
        (0, ValueError),
        (-1.0, ValueError),
        (float("nan"), ValueError),
        (float("inf"), ValueError),
        ("1ms", TypeError),
        (True, TypeError),
        ([1e-3], TypeError),
        (torch.tensor(1e-3), TypeError),
    ],
)
def test_a_dt_without_a_length_is_refused(dt: Any, error: type[Exception]) -> None:
    with pytest.raises(error, match="expected dt= to be a number of seconds"):
        record(Net(), dt=dt)


def test_dt_may_be_a_numpy_number() -> None:
    recording = Recording(dt=np.float32(0.5))
    recording.observe("x", torch.ones(2, 1, 1))
    assert neuroact.ActivityReport.from_json(recording.report().to_json())["x"].rate == 2.0


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match=r"expected a torch\.nn\.Module"):
        neuroact.record(lambda x: x)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="reads no states"):
        record(Net(), of="both")
    with pytest.raises(TypeError, match="pass an instance, not a class"):
        neuroact.record(Net(), adapters=[ToyAdapter])  # type: ignore[list-item]
    with pytest.raises(TypeError, match='statistics= takes names such as "TimeCourse", classes'):
        record(Net(), statistics=[dict])


def test_merging_equals_one_recording_over_all() -> None:
    torch.manual_seed(0)
    net, batches = Net(), [torch.randn(4, b, 5) for b in (2, 3, 1)]
    parts = []
    with record(net) as whole:
        for x in batches:
            with record(net) as part:
                net(x)
            parts.append(part)
    merged = Recording()
    for part in reversed(parts):
        kept = part.report()
        merged.merge(part)
        assert part.report() == kept
    assert merged.report() == whole.report()


@pytest.mark.parametrize("order", [("binary", "graded"), ("graded", "binary")])
def test_a_merge_has_the_more_general_kind(order: tuple[str, str]) -> None:
    merged = Recording()
    for kind in order:
        part = Recording()
        part.observe("a", torch.ones(1, 1, 3), kind=kind)
        merged.merge(part)
    assert merged.report()["a"].kind is SignalKind.GRADED


def test_recordings_that_do_not_fit_are_not_merged() -> None:
    ours, theirs = Recording(), Recording()
    ours.observe("a", torch.ones(1, 1, 3))
    theirs.observe("new", torch.ones(1, 1, 3))
    theirs.observe("a", torch.ones(1, 1, 4))
    with pytest.raises(MergeError, match=r'layer "a".*\[4\].*\[3\]') as caught:
        ours.merge(theirs)
    assert caught.value.layer == "a"
    assert list(ours.layers) == ["a"]
    with pytest.raises(MergeError, match=r"recorded with dt=0\.1 to figures recorded with dt=None"):
        ours.merge(Recording(dt=0.1))


class Steps:
    """A user's own statistic: counts the steps."""

    def __init__(self) -> None:
        self.reset()

    def update(self, chunk: SpikeChunk) -> None:
        self.steps += chunk.steps

    def merge(self, other: Steps) -> None:
        self.steps += other.steps

    def reset(self) -> None:
        self.steps = torch.tensor(0)

    def state_dict(self) -> dict[str, torch.Tensor]:
        return {"steps": self.steps.clone()}

    def load_state_dict(self, state: Any) -> None:
        self.steps = state["steps"].clone()

    def result(self) -> int:
        return int(self.steps)


def test_a_statistic_of_the_users_own_runs_beside_firing() -> None:
    net = Net()
    with record(net, statistics=[Steps]) as recording:
        net(torch.randn(6, 2, 5))
    assert recording.report()["lif1"].results == {"Steps": 6}


def test_measure_runs_batches_without_gradients() -> None:
    net, batches = Net(), [torch.randn(4, b, 5) for b in (2, 1)]
    grad_modes = []

    def run(model: nn.Module, batch: torch.Tensor) -> None:
        grad_modes.append(torch.is_grad_enabled())
        model(batch)

    by_run = neuroact.measure(net, batches, run=run, adapters=ADAPTERS)
    by_call = neuroact.measure(net, [(b, "label") for b in batches], adapters=ADAPTERS)
    assert by_run == by_call
    assert by_run["lif1"].observations == 12
    assert grad_modes == [False, False]
    with pytest.raises(NothingRecordedError):
        neuroact.measure(net, [], adapters=ADAPTERS)
