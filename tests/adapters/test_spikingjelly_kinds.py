"""SpikingJelly: what values mean, the framework's own monitor, and a model left as it was."""

from __future__ import annotations

import copy
import importlib
import importlib.util
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from raw import assert_true_figures
from spikingjelly.activation_based import base, functional, layer, neuron, surrogate
from torch import Tensor, nn

import neuroact
from neuroact import SignalKind
from neuroact.errors import (
    AdapterReadError,
    LayerNotCalledWarning,
    NothingRecordedError,
    UnreliableLayerWarning,
)
from neuroact_adapters.spikingjelly import SpikingJellyAdapter

OLDER = not hasattr(neuron, "PSN")
if not OLDER:
    from spikingjelly.activation_based import memopt
STEPS, BATCH, NEURONS = 6, 3, 5
BINARY, GRADED, ANALOG = SignalKind.BINARY, SignalKind.GRADED, SignalKind.ANALOG

# Classes with a surrogate function; whether they use it in eval mode, in step modes s and m.
USES_SURROGATE_IN_EVAL = {
    "IFNode": (not OLDER, not OLDER),
    "LIFNode": (not OLDER, not OLDER),
    **dict.fromkeys(
        ("ParametricLIFNode", "QIFNode", "EIFNode", "IzhikevichNode", "KLIFNode"), (True, True)
    ),
}
if not OLDER:
    USES_SURROGATE_IN_EVAL |= {
        **dict.fromkeys(("SimpleIFNode", "HalfThresholdIFNode", "CUBALIFNode"), (True, True)),
        **dict.fromkeys(("ComplementaryLIFNode", "RAFNode", "SlidingPSN"), (True, True)),
        **dict.fromkeys(("ActivationAwareIFNode", "TernaryIFNode"), (True, True)),
        "SLTTLIFNode": (False, True),
        "OTTTLIFNode": (False, None),
    }
SMOOTH = [
    (name, mode, training, training or uses)
    for name, both in USES_SURROGATE_IN_EVAL.items()
    for mode, uses in zip("sm", both, strict=True)
    for training in (True, False)
    if uses is not None
]


def smooth(name: str, **options: Any) -> Any:
    fixed = {"k": 2} if name == "SlidingPSN" else {}
    return getattr(neuron, name)(
        surrogate_function=surrogate.Sigmoid(spiking=False), **fixed, **options
    )


def run(node: nn.Module, mode: str, x: Tensor) -> list[Tensor]:
    """What a node returns, without traces, in as many calls as its step mode needs."""
    outputs = [node(x)] if mode == "m" else [node(current) for current in x]
    return [output[0] if isinstance(output, list) else output for output in outputs]


def flat(outputs: list[Tensor], mode: str) -> Any:
    arrays = [output.detach().double().numpy() for output in outputs]
    if mode == "m":
        arrays = [array.reshape(-1, *array.shape[2:]) for array in arrays]
    return np.concatenate(arrays)


@pytest.mark.parametrize(("name", "mode", "training", "is_real"), SMOOTH)
def test_a_surrogate_function_that_does_not_spike_makes_values_real_where_it_is_used(
    name: str, mode: str, training: bool, is_real: bool
) -> None:
    torch.manual_seed(1)
    node = smooth(name).train(training)
    node.step_mode = mode
    with neuroact.record(nn.Sequential(node), layers="0") as recording:
        outputs = run(node, mode, torch.rand(STEPS, BATCH, NEURONS) * 4)
    values = flat(outputs, mode)
    assert (len(set(values.flat)) > 8) is is_real
    activity = recording.report()["0"]
    assert activity.kind is (ANALOG if is_real else BINARY)
    assert_true_figures(activity, values, sequences=BATCH)


def test_what_is_recorded_by_default_follows_the_mode_the_model_is_in() -> None:
    net = nn.Sequential(smooth("IFNode"), neuron.IFNode())
    assert list(neuroact.record(net.train()).layers) == ["1"]
    assert list(neuroact.record(net.eval()).layers) == (["0", "1"] if OLDER else ["1"])


def test_a_kind_that_changes_on_the_way_is_reported_as_the_more_general_one() -> None:
    torch.manual_seed(1)
    # A new object, since all nodes share the argument's default.
    node = neuron.IFNode(surrogate_function=surrogate.Sigmoid())
    outputs = []
    with neuroact.record(nn.Sequential(node)) as recording:
        outputs += run(node, "s", torch.rand(STEPS, BATCH, NEURONS))
        node.surrogate_function.set_spiking_mode(False)
        outputs += run(node, "s", torch.rand(STEPS, BATCH, NEURONS))
    activity = recording.report()["0"]
    assert activity.kind is ANALOG
    assert_true_figures(activity, flat(outputs, "s"), sequences=BATCH)


def test_a_subclass_of_the_users_own_is_read_like_its_base() -> None:
    class Mine(neuron.LIFNode):
        pass

    node = Mine(step_mode="m")
    with neuroact.record(nn.Sequential(node)) as recording:
        outputs = run(node, "m", torch.rand(STEPS, BATCH, NEURONS) * 4)
    activity = recording.report()["0"]
    assert (activity.layer_type, activity.kind) == ("Mine", BINARY)
    assert_true_figures(activity, flat(outputs, "m"), sequences=BATCH)


class Doubling(base.MemoryModule):
    """A user's neuron that derives from no neuron of SpikingJelly."""

    def __init__(self, level: float = 1.0) -> None:
        super().__init__()
        self.register_memory("membrane", None)
        self.surrogate_function = surrogate.ATan()
        self.level = level

    def single_step_forward(self, x: Tensor) -> Tensor:
        self.membrane = x if self.membrane is None else self.membrane * 0.5 + x
        return self.surrogate_function(self.membrane - 1) * self.level


def test_a_neuron_of_the_users_own_is_known_by_its_surrogate_function() -> None:
    net = nn.Sequential(Doubling())
    outputs = []
    with neuroact.record(net) as recording:
        for _ in range(2):
            functional.reset_net(net)
            outputs += run(net, "s", torch.rand(STEPS, BATCH, NEURONS) * 2)
    assert_true_figures(recording.report()["0"], flat(outputs, "s"), sequences=2 * BATCH)


def test_spikes_that_are_not_binary_are_found_out() -> None:
    net = nn.Sequential(Doubling(level=3.0))
    with neuroact.record(net) as recording:
        run(net, "s", torch.rand(STEPS, BATCH, NEURONS) * 4)
    with pytest.warns(UnreliableLayerWarning, match='layer "0"'):
        activity = recording.report()["0"]
    assert np.isnan(activity.mean)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("mode", ["s", "m"])
def test_spikes_of_any_precision_are_counted_exactly(dtype: torch.dtype, mode: str) -> None:
    node = neuron.IFNode(step_mode=mode).eval()
    with neuroact.record(nn.Sequential(node)) as recording:
        outputs = run(node, mode, (torch.rand(STEPS, BATCH, NEURONS) * 2).to(dtype))
    assert outputs[0].dtype == dtype
    assert_true_figures(recording.report()["0"], flat(outputs, mode), sequences=BATCH)


def conv_net(mode: str) -> nn.Sequential:
    net = nn.Sequential(
        layer.Conv2d(1, 4, 3),
        layer.BatchNorm2d(4),
        neuron.LIFNode(),
        layer.Dropout(0.3),
        layer.Flatten(),
        layer.Linear(64, 5),
        neuron.ParametricLIFNode(v_threshold=0.2),
    )
    functional.set_step_mode(net, mode)
    return net


def run_net(net: nn.Module, mode: str, x: Tensor) -> Tensor:
    functional.reset_net(net)
    return net(x) if mode == "m" else torch.stack([net(current) for current in x])


@pytest.fixture
def output_monitor(monkeypatch: pytest.MonkeyPatch) -> Any:
    """SpikingJelly's `OutputMonitor`.

    Its module imports a writer of TensorBoard's files, which 0.0.0.0.14 does not ask for when it
    is installed and which this monitor does not use.
    """
    if importlib.util.find_spec("tensorboard") is None:
        stub = types.ModuleType("torch.utils.tensorboard")
        stub.SummaryWriter = None  # type: ignore[attr-defined]  # made up
        monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", stub)
    return importlib.import_module("spikingjelly.activation_based.monitor").OutputMonitor


@pytest.mark.parametrize("mode", ["s", "m"])
def test_counts_equal_those_of_the_frameworks_own_monitor(output_monitor: Any, mode: str) -> None:
    torch.manual_seed(1)
    net = conv_net(mode)
    monitor = output_monitor(net, instance=base.MemoryModule)
    with neuroact.record(net) as recording:
        for batch in (4, 3):
            run_net(net, mode, torch.randn(STEPS, batch, 1, 6, 6) * 4)
    report = recording.report()
    assert set(report) == {"2", "6"}
    assert set(monitor.monitored_layers) == {"2", "3", "6"}, "it takes dropout for a neuron"
    for name in ("2", "6"):
        records = [record.detach() for record in monitor[name]]
        spikes = torch.cat([r.flatten(0, 1) for r in records] if mode == "m" else records)
        np.testing.assert_array_equal(report[name].events, spikes.sum(0).long().numpy())
        assert report[name].observations == len(spikes)
        assert report[name].events.sum() > 0
    monitor.remove_hooks()


def traces_of(net: nn.Module) -> list[Any]:
    return [
        (
            sorted(vars(module)),
            {k: list(v) for k, v in vars(module).items() if "hooks" in k and v is not None},
            sorted(vars(module).get("_memories", {})),
        )
        for module in net.modules()
    ]


@pytest.mark.parametrize("mode", ["s", "m"])
def test_the_model_is_left_as_it_was(mode: str) -> None:
    """Outputs, gradients, random numbers, state, attributes and hooks."""
    torch.manual_seed(1)
    net = conv_net(mode)
    twin = copy.deepcopy(net)
    x = torch.randn(STEPS, BATCH, 1, 6, 6) * 4
    found = []
    before = traces_of(net)
    for model in (net, twin):
        torch.manual_seed(7)
        if model is net:
            with neuroact.record(model):
                output = run_net(model, mode, x)
        else:
            output = run_net(model, mode, x)
        output.square().mean().backward()
        gradients = [p.grad.clone() for p in model.parameters()]
        found.append([output, *gradients, torch.rand(3), model[2].v, model[6].v])
    assert traces_of(net) == before
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
    assert list(net.state_dict()) == list(twin.state_dict())


def test_what_is_read_is_a_view_and_has_no_graph() -> None:
    chunks: list[neuroact.SpikeChunk] = []

    class Reading(SpikingJellyAdapter):
        def read(self, module: nn.Module, call: neuroact.LayerCall) -> neuroact.SpikeChunk:
            chunks.append(super().read(module, call))
            return chunks[-1]

    node = neuron.LIFNode(step_mode="m")
    with neuroact.record(nn.Sequential(node), adapters=[Reading()]):
        output = node(torch.rand(STEPS, BATCH, NEURONS, requires_grad=True))
    assert output.requires_grad
    assert not chunks[0].values.requires_grad
    assert chunks[0].values.data_ptr() == output.data_ptr()


@pytest.mark.parametrize("mode", ["s", "m"])
def test_without_a_batch_there_is_one_sample(mode: str) -> None:
    node = neuron.IFNode(step_mode=mode)
    with neuroact.record(nn.Sequential(node)) as recording:
        outputs = run(node, mode, torch.rand(STEPS, NEURONS) * 2)
    values = torch.stack(outputs).reshape(STEPS, NEURONS).double().numpy()
    assert_true_figures(recording.report()["0"], values, sequences=1)


if not OLDER:

    def test_a_surrogate_function_of_many_levels_makes_any_node_graded() -> None:
        node = neuron.IFNode(surrogate_function=surrogate.MultiLevelSpikeCount(3))
        with neuroact.record(nn.Sequential(node)) as recording:
            outputs = run(node, "s", torch.rand(STEPS, BATCH, NEURONS) * 6)
        values = flat(outputs, "s")
        assert set(values.flat) > {0.0, 1.0}
        activity = recording.report()["0"]
        assert activity.kind is GRADED
        assert_true_figures(activity, values, sequences=BATCH)

    def spike_and_silence(x: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        spike = (v + x >= 1).to(x)
        return spike, 1 - spike, v + x - spike

    def test_a_core_with_two_outputs_is_refused() -> None:
        net = nn.Sequential(neuron.FlexSN(spike_and_silence, 1))
        with (
            neuroact.record(net),
            pytest.raises(AdapterReadError, match="one tensor, came tuple") as caught,
        ):
            net(torch.rand(STEPS, BATCH, NEURONS))
        assert caught.value.layer == "0"

    def test_a_node_that_writes_into_its_input_refuses_to_have_it_recorded() -> None:
        net = nn.Sequential(neuron.ILCIFNode(2, 3))
        x = torch.rand(STEPS, BATCH, 6)
        kept = x.clone()
        net(x)
        assert not torch.equal(x, kept), "the framework's behaviour"
        with pytest.raises(ValueError, match="adds to its input in place"):
            neuroact.record(net, layers="0", of="input")

    def call_functionally(node: Any, x: Tensor) -> None:
        base.to_functional_forward(node)((x,), (torch.zeros_like(x),))

    @pytest.mark.parametrize(
        "call",
        [call_functionally, lambda node, x: node.single_step_forward(x)],
        ids=["to_functional_forward", "single_step_forward"],
    )
    def test_calls_that_run_no_hook_are_no_silent_zero(call: Callable[..., None]) -> None:
        node = neuron.IFNode()
        with neuroact.record(nn.Sequential(node)) as recording:
            call(node, torch.rand(BATCH, NEURONS))
        with pytest.raises(NothingRecordedError, match="another method"):
            recording.report()

    def test_a_node_that_memopt_runs_without_hooks_is_no_silent_zero() -> None:
        net = nn.Sequential(neuron.IFNode(), memopt.checkpoint_module(neuron.LIFNode()))
        with neuroact.record(net) as recording:
            net(torch.rand(BATCH, NEURONS))
        with pytest.warns(LayerNotCalledWarning, match="not called, so not in the report: 1"):
            assert list(recording.report()) == ["0"]
