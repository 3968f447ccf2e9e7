"""SpikingJelly: containers, what they do to the time axis, and layers recorded when named."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from raw import assert_true_figures
from spikingjelly.activation_based import base, encoding, functional, layer, neuron, surrogate
from spikingjelly.activation_based.model import parametric_lif_net
from torch import Tensor, nn

import neuroact
from neuroact import SignalKind
from neuroact.errors import AdapterReadError
from neuroact_adapters.spikingjelly import SpikingJellyAdapter

OLDER = not hasattr(neuron, "PSN")
STEPS, BATCH, NEURONS = 6, 3, 4

CONTAINERS = {
    *("MultiStepContainer", "SeqToANNContainer", "StepModeContainer"),
    *("ElementWiseRecurrentContainer", "LinearRecurrentContainer"),
} | (set() if OLDER else {"TLastMultiStepContainer", "TLastSeqToANNContainer"})
# Made of layers, or without a step mode that tells the axes of their output.
NO_LAYERS = {"PrintShapeModule"}
if not OLDER:
    NO_LAYERS |= {
        *("SpikingSelfAttention", "QKAttention", "TokenQKAttention", "ChannelQKAttention"),
        *("SpikeDrivenSelfAttention", "GradwithTrace", "SpikeTraceOp", "OTTTSequential"),
    }


def in_dimensions(name: str, dimensions: str = "123") -> set[str]:
    return {f"{name}{d}d" for d in dimensions}


BY_REQUEST = {
    *("Linear", "Flatten", "GroupNorm", "Dropout", "Dropout2d", "DropConnectLinear", "NeuNorm"),
    *("SynapseFilter", "VotingLayer", "Delay"),
    *in_dimensions("Conv"),
    *in_dimensions("ConvTranspose"),
    *in_dimensions("BatchNorm"),
    *in_dimensions("MaxPool"),
    *in_dimensions("AvgPool"),
    *in_dimensions("AdaptiveAvgPool"),
    *in_dimensions("ThresholdDependentBatchNorm"),
}
if not OLDER:
    BY_REQUEST |= {
        *("Upsample", "WSConv2d", "WSLinear", "SpikeCountToBinary", "TemporalBinSum"),
        *("TemporalWiseAttention", "MultiDimensionalAttention"),
        *in_dimensions("MaxUnpool"),
        *in_dimensions("BatchNormThroughTime"),
        *in_dimensions("TemporalEffectiveBatchNorm"),
    }


def outputs_of(module: nn.Module) -> list[Tensor]:
    """Copies of what a module returns in each call, kept by a hook of the test's own."""
    outputs: list[Tensor] = []
    module.register_forward_hook(lambda m, args, output: outputs.append(output.detach().clone()))
    return outputs


def flat(outputs: list[Tensor], *, sequence: bool) -> Any:
    """All values `[steps * batch, *neurons]` as NumPy."""
    arrays = [output.double().numpy() for output in outputs]
    if sequence:
        arrays = [array.reshape(-1, *array.shape[2:]) for array in arrays]
    return np.concatenate(arrays)


def time_last(x: Tensor) -> Tensor:
    return x.movedim(0, -1)


def per_step(container: nn.Module, x: Tensor) -> Tensor:
    return torch.stack([container(current) for current in x])


def stepping_containers() -> dict[str, tuple[Callable[[Any], nn.Module], Any]]:
    """Containers that run a node step by step: how to build one around it, and how to run it."""

    def step_mode(stateful: bool, mode: str) -> Callable[[Any], nn.Module]:
        def build(node: Any) -> nn.Module:
            # The second argument is a step mode in 2.0.0, and a module in 0.0.0.0.14.
            some = layer.StepModeContainer(stateful, *(() if OLDER else ("s",)), node)
            some.step_mode = mode
            return some

        return build

    def recurrent(mode: str) -> dict[str, tuple[Callable[[Any], nn.Module], Any]]:
        run = per_step if mode == "s" else nn.Module.__call__
        return {
            f"ElementWiseRecurrentContainer {mode}": (
                lambda node: layer.ElementWiseRecurrentContainer(node, torch.add, mode),
                run,
            ),
            f"LinearRecurrentContainer {mode}": (
                lambda node: layer.LinearRecurrentContainer(node, NEURONS, NEURONS, True, mode),
                run,
            ),
        }

    found: dict[str, tuple[Callable[[Any], nn.Module], Any]] = {
        "MultiStepContainer": (layer.MultiStepContainer, nn.Module.__call__),
        "StepModeContainer stateful m": (step_mode(True, "m"), nn.Module.__call__),
        "StepModeContainer stateful s": (step_mode(True, "s"), per_step),
        "StepModeContainer stateless s": (step_mode(False, "s"), per_step),
        **recurrent("s"),
        **recurrent("m"),
    }
    if not OLDER:
        found["TLastMultiStepContainer"] = (
            layer.TLastMultiStepContainer,
            lambda container, x: container(time_last(x)),
        )
    return found


every_stepping_container = pytest.mark.parametrize(
    ("build", "run"), stepping_containers().values(), ids=stepping_containers().keys()
)


def folding_containers() -> dict[str, Callable[..., Any]]:
    """Containers that hide the time axis from what is inside."""

    def stateless(node: Any) -> nn.Module:
        some = layer.StepModeContainer(False, *(() if OLDER else ("s",)), node)
        some.step_mode = "m"
        return some

    found = {"SeqToANNContainer": layer.SeqToANNContainer, "StepModeContainer": stateless}
    if not OLDER:
        found["TLastSeqToANNContainer"] = layer.TLastSeqToANNContainer
    return found


every_folding_container = pytest.mark.parametrize(
    "build", folding_containers().values(), ids=folding_containers().keys()
)


@every_stepping_container
def test_a_node_in_a_container_is_read_once_and_step_by_step(build: Any, run: Any) -> None:
    torch.manual_seed(1)
    node = neuron.IFNode()
    container = build(node)
    net = nn.Sequential(container)
    outputs = outputs_of(node)
    with neuroact.record(net) as recording:
        (name,) = recording.layers
        assert name != "0", "the container is no layer"
        for batch in (BATCH, BATCH - 1):
            functional.reset_net(net)
            run(container, torch.rand(STEPS, batch, NEURONS))
    values = flat(outputs, sequence=False)
    assert len(outputs) == 2 * STEPS
    assert set(values.flat) == {0.0, 1.0}
    assert_true_figures(recording.report()[name], values, sequences=2 * BATCH - 1)


@every_stepping_container
def test_a_container_repeats_the_spikes_of_its_node(build: Any, run: Any) -> None:
    """The framework's behaviour that makes a container not a layer."""
    torch.manual_seed(1)
    container = build(neuron.IFNode())
    with neuroact.record(nn.Sequential(container)) as recording:
        returned = run(container, torch.rand(STEPS, BATCH, NEURONS))
    (activity,) = recording.report().values()
    assert int(activity.events.sum()) == int(returned.sum()) > 0


# PyTorch 2.14 warns that mapping SpikingJelly's own operation over samples is slow.
@pytest.mark.filterwarnings("ignore:There is a performance drop because")
@every_folding_container
def test_a_node_that_is_left_no_time_axis_is_refused_by_name(build: Any) -> None:
    net = nn.Sequential(layer.Linear(NEURONS, NEURONS), build(nn.Sequential(neuron.IFNode())))
    with neuroact.record(net) as recording:
        assert list(recording.layers) == ["1.0.0"]
        with pytest.raises(AdapterReadError, match="takes the time axis away") as caught:
            net[1](torch.rand(STEPS, BATCH, NEURONS))
    assert caught.value.layer == "1.0.0"


@every_folding_container
def test_a_container_is_recorded_by_name_with_axes(build: Any) -> None:
    """The advice of the refusal works."""
    torch.manual_seed(1)
    net = nn.Sequential(build(layer.Linear(NEURONS, NEURONS)))
    is_last = type(net[0]).__name__.startswith("TLast")
    x = torch.rand(STEPS, BATCH, NEURONS)
    with pytest.raises(ValueError, match='axes="BNT"' if is_last else 'axes="TBN"'):
        neuroact.record(net, layers="0.0", of="input")
    with neuroact.record(net, layers="0", axes="BNT" if is_last else "TBN") as recording:
        returned = net(time_last(x) if is_last else x).detach()
    in_order = returned.movedim(-1, 0) if is_last else returned
    assert_true_figures(recording.report()["0"], flat([in_order], sequence=True), BATCH)


def test_functions_that_fold_time_without_a_container_cannot_be_seen() -> None:
    """As the adapter's docstring says: steps count as samples, the sums are right."""
    node = neuron.IFNode()
    with neuroact.record(nn.Sequential(node)) as recording:
        returned = functional.seq_to_ann_forward(torch.rand(STEPS, BATCH, NEURONS) * 2, [node])
    activity = recording.report()["0"]
    assert (activity.observations, activity.sequences) == (STEPS * BATCH, STEPS * BATCH)
    assert int(activity.events.sum()) == int(returned.sum()) > 0


def test_a_node_in_step_mode_s_takes_a_whole_sequence_for_one_step() -> None:
    """As the adapter's docstring says: neither the node nor its adapter can tell."""
    node = neuron.IFNode(step_mode="s")
    with neuroact.record(nn.Sequential(node)) as recording:
        node(torch.full((STEPS, BATCH, NEURONS), 0.75))
    activity = recording.report()["0"]
    assert (activity.shape, activity.observations) == ((BATCH, NEURONS), STEPS)
    assert activity.events.sum() == 0
    assert neuron.IFNode(step_mode="m")(torch.full((STEPS, BATCH, NEURONS), 0.75)).sum() > 0


def test_set_step_mode_makes_the_node_of_a_container_take_samples_for_steps_in_0_14() -> None:
    torch.manual_seed(1)
    net = nn.Sequential(layer.MultiStepContainer(neuron.IFNode()))
    functional.set_step_mode(net, "m")
    x = torch.full((STEPS, BATCH, NEURONS), 0.75)
    right = neuron.IFNode(step_mode="m")(x)
    assert net[0][0].step_mode == ("m" if OLDER else "s")
    assert torch.equal(net(x), right) is not OLDER
    functional.reset_net(net)
    with neuroact.record(net) as recording:
        if OLDER:
            with pytest.raises(AdapterReadError, match="takes samples for time steps") as caught:
                net(x)
            assert caught.value.layer == "0.0"
            net[0][0].step_mode = "s"
            functional.reset_net(net)
        net(x)
    assert recording.report()["0.0"].events.sum() == right.sum()


@every_stepping_container
def test_a_node_that_takes_sequences_is_refused_in_a_container(build: Any, run: Any) -> None:
    container = build(neuron.IFNode())
    (node,) = (m for m in container.modules() if isinstance(m, neuron.IFNode))
    node.step_mode = "m"
    with (
        neuroact.record(nn.Sequential(container)),
        pytest.raises(AdapterReadError, match="takes samples for time steps"),
    ):
        run(container, torch.rand(STEPS, BATCH, NEURONS))


def networks() -> dict[str, tuple[Callable[[], Any], tuple[int, ...]]]:
    """Networks of the framework's own in step mode m, and the shape of a sample."""
    some: dict[str, tuple[Callable[[], Any], tuple[int, ...]]] = {
        "MNISTNet": (
            lambda: parametric_lif_net.MNISTNet(8, neuron.ParametricLIFNode, v_threshold=0.2),
            (1, 28, 28),
        ),
    }
    if not OLDER:
        some["SpikingSelfAttention"] = (lambda: layer.SpikingSelfAttention(16, 4), (16, 9))
        some["SpikeDrivenSelfAttention"] = (
            lambda: layer.SpikeDrivenSelfAttention(16, 4),
            (16, 3, 3),
        )
    return some


@pytest.mark.parametrize(("build", "shape"), networks().values(), ids=networks().keys())
def test_a_network_of_the_frameworks_own_is_recorded_node_by_node(
    build: Callable[[], Any], shape: tuple[int, ...]
) -> None:
    torch.manual_seed(1)
    net = build()
    functional.set_step_mode(net, "m")
    nodes = {name: m for name, m in net.named_modules() if isinstance(m, neuron.BaseNode)}
    assert len(nodes) >= 3
    for node in nodes.values():
        node.v_threshold = 0.1  # otherwise most neurons would rest
    outputs = {name: outputs_of(node) for name, node in nodes.items()}
    with neuroact.record(net) as recording, torch.no_grad():
        for batch in (2, 1):
            functional.reset_net(net)
            net(torch.randn(STEPS, batch, *shape) * 4)
    report = recording.report()
    assert list(report) == list(nodes)
    assert sum(int(figures.events.sum()) > 0 for figures in report.values()) >= 3
    for name, kept in outputs.items():
        assert_true_figures(report[name], flat(kept, sequence=True), sequences=3)


def test_a_block_with_time_steps_of_its_own_runs_in_a_container() -> None:
    """Ten inner steps for each outer one: the inner node has a time axis of its own."""

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.node = neuron.IFNode(step_mode="m")

        def forward(self, x: Tensor) -> Tensor:
            functional.reset_net(self)
            return self.node(x.expand(10, *x.shape)).mean(0)

    net = nn.Sequential(layer.MultiStepContainer(Block()))
    outputs = outputs_of(net[0][0].node)
    with neuroact.record(net) as recording:
        net(torch.rand(STEPS, BATCH, NEURONS))
    values = flat(outputs, sequence=True)
    assert_true_figures(recording.report()["0.0.node"], values, sequences=STEPS * BATCH)


def test_every_layer_class_of_the_framework_is_known() -> None:
    """If a release has a class that no list names, this fails."""
    classes = {
        name: cls
        for name, cls in vars(layer).items()
        if inspect.isclass(cls) and issubclass(cls, nn.Module)
        if cls.__module__.startswith("spikingjelly") and not name.startswith("_")
    }
    assert set(classes) == CONTAINERS | NO_LAYERS | BY_REQUEST
    encoders = {name for name, cls in vars(encoding).items() if inspect.isclass(cls)} - {"Tensor"}
    bases = {"StatelessEncoder", "StatefulEncoder"}
    of_older = {"PeriodicEncoder", "LatencyEncoder", "PoissonEncoder", "WeightedPhaseEncoder"}
    pop = {"PopEncoder", "PopSpikeEncoderDeterministic", "PopSpikeEncoderRandom"}
    assert encoders - bases == of_older | (set() if OLDER else pop)


SPIKES = (torch.arange(STEPS * BATCH * 16) % 3 == 0).float().reshape(STEPS, BATCH, 16)
IMAGES = SPIKES.reshape(STEPS, BATCH, 1, 4, 4)
LAYERS: dict[str, tuple[Callable[..., Any], Tensor]] = {
    "Linear": (lambda: layer.Linear(16, 5), SPIKES),
    "Conv2d": (lambda: layer.Conv2d(1, 2, 3), IMAGES),
    "BatchNorm2d": (lambda: layer.BatchNorm2d(1), IMAGES),
    "MaxPool2d": (lambda: layer.MaxPool2d(2), IMAGES),
    "Flatten": (layer.Flatten, IMAGES),
    "Dropout": (layer.Dropout, SPIKES),
    "VotingLayer": (lambda: layer.VotingLayer(4), SPIKES),
    "SynapseFilter": (layer.SynapseFilter, SPIKES),
    "PoissonEncoder": (encoding.PoissonEncoder, SPIKES * 0.5),
}
every_layer = pytest.mark.parametrize(("build", "x"), LAYERS.values(), ids=LAYERS.keys())
every_mode = pytest.mark.parametrize("mode", ["s", "m"])


def layer_net(build: Callable[..., Any], mode: str) -> nn.Sequential:
    net = nn.Sequential(build())
    net[0].step_mode = mode
    return net


def run_in(mode: str, net: nn.Module, x: Tensor) -> None:
    if mode == "m":
        net(x)
    else:
        per_step(net, x)


@every_mode
@every_layer
def test_layers_and_encoders_are_recorded_by_request_alone(
    build: Any, x: Tensor, mode: str
) -> None:
    torch.manual_seed(1)
    net = layer_net(build, mode).append(neuron.IFNode(step_mode=mode))
    outputs = outputs_of(net[0])
    with neuroact.record(net) as by_default, neuroact.record(net, layers="0") as by_request:
        assert list(by_default.layers) == ["1"]
        run_in(mode, net, x)
    values = flat(outputs, sequence=mode == "m")
    carries = isinstance(net[0], layer.SynapseFilter | layer.Dropout)
    calls = 1 if mode == "m" or carries else STEPS
    activity = by_request.report()["0"]
    assert_true_figures(activity, values, sequences=BATCH * calls)
    encodes = isinstance(net[0], encoding.PoissonEncoder)
    assert activity.kind is (SignalKind.BINARY if encodes else SignalKind.ANALOG)
    assert activity.framework == "spikingjelly"


@every_mode
@every_layer
def test_what_goes_into_a_layer_has_the_axes_of_its_step_mode(
    build: Any, x: Tensor, mode: str
) -> None:
    net = layer_net(build, mode)
    with neuroact.record(net, layers="0", of="input") as recording:
        run_in(mode, net, x)
    activity = recording.report()["0"]
    values = x.double().numpy().reshape(STEPS * BATCH, *x.shape[2:])
    assert_true_figures(activity, values, sequences=BATCH * (1 if mode == "m" else STEPS))
    assert activity.kind is SignalKind.GRADED


@pytest.mark.parametrize("build", [encoding.LatencyEncoder, encoding.WeightedPhaseEncoder])
def test_an_encoder_goes_on_through_the_steps_of_its_code(build: Any) -> None:
    net = nn.Sequential(build(STEPS))
    outputs = outputs_of(net[0])
    with neuroact.record(net, layers="0") as recording:
        for _ in range(2):
            functional.reset_net(net)
            x = torch.rand(BATCH, NEURONS) * 0.9
            for _ in range(STEPS):
                net(x)
    values = flat(outputs, sequence=False)
    assert set(values.flat) == {0.0, 1.0}
    assert_true_figures(recording.report()["0"], values, sequences=2 * BATCH)
    assert recording.layers["0"].kind is SignalKind.BINARY


def test_surrogate_functions_and_dropout_are_never_counted() -> None:
    net = nn.Sequential(neuron.KLIFNode(), layer.Dropout(0.5), neuron.IFNode())
    fired: list[str] = []
    for name, module in net.named_modules():
        module.register_forward_hook(lambda m, args, output, name=name: fired.append(name))
    with neuroact.record(net) as recording:
        assert list(recording.layers) == ["0", "2"]
        net(torch.rand(BATCH, NEURONS))
    assert "0.surrogate_function" in fired, "its hook would have been called"


def test_a_block_of_the_users_own_with_a_step_mode_is_no_layer() -> None:
    """Otherwise a pattern would match the block, and not the layers inside."""

    class Block(base.MemoryModule):
        def __init__(self) -> None:
            super().__init__()
            self.surrogate_function = surrogate.ATan()  # by itself this would make it a neuron
            self.conv = layer.Linear(NEURONS, NEURONS)
            self.node = neuron.IFNode(surrogate_function=self.surrogate_function)

        def forward(self, x: Tensor) -> Tensor:
            return self.node(self.conv(x))

    net = nn.Sequential(Block(), Block())
    assert SpikingJellyAdapter().kind(net[0]) is None
    assert list(neuroact.record(net).layers) == ["0.node", "1.node"]
    assert list(neuroact.record(net, layers="*conv").layers) == ["0.conv", "1.conv"]


if not OLDER:

    def test_a_node_that_knows_no_step_mode_is_refused_in_a_container_too() -> None:
        """It would take the samples of a batch, or all steps of all samples, for its time steps."""
        for container in (layer.MultiStepContainer, layer.SeqToANNContainer):
            net = nn.Sequential(container(neuron.NonSpikingIFNode("max-mem")))
            with (
                neuroact.record(net, layers="0.0"),
                pytest.raises(AdapterReadError, match="takes samples for time steps"),
            ):
                net[0][0](torch.rand(BATCH, NEURONS))

    def test_a_module_in_vmap_is_refused() -> None:
        net = nn.Sequential(layer.Linear(NEURONS, NEURONS))
        with (
            neuroact.record(net, layers="0"),
            pytest.raises(AdapterReadError, match=r"inside torch\.vmap"),
        ):
            functional.t_last_seq_to_ann_forward(torch.rand(BATCH, NEURONS, STEPS), net)

    def online_net() -> nn.Sequential:
        return layer.OTTTSequential(
            layer.Linear(NEURONS, 8),
            neuron.OTTTLIFNode(v_threshold=0.25),
            layer.Linear(8, 5),
            neuron.OTTTLIFNode(v_threshold=0.25),
        )

    @pytest.mark.parametrize("train", [True, False])
    def test_nodes_trained_online_are_counted_once(train: bool) -> None:
        torch.manual_seed(1)
        net = online_net().train(train)
        kept: dict[str, list[Tensor]] = {"1": [], "3": []}
        for name in kept:
            net.get_submodule(name).register_forward_hook(
                lambda m, args, output, name=name: kept[name].append(
                    (output[0] if train else output).detach().clone()
                )
            )
        with neuroact.record(net) as recording:
            for x in torch.rand(STEPS, BATCH, NEURONS) * 9:
                net(x)
        for name, outputs in kept.items():
            values = flat(outputs, sequence=False)
            assert set(values.flat) == {0.0, 1.0}
            assert_true_figures(recording.report()[name], values, sequences=BATCH)

    def test_a_layer_that_online_training_calls_twice_is_refused() -> None:
        net = online_net().train()
        calls = outputs_of(net[2])
        with neuroact.record(net, layers="2") as recording:
            with pytest.raises(AdapterReadError, match="calls it twice a step"):
                net(torch.rand(BATCH, NEURONS))
            recording.pause()
            net(torch.rand(BATCH, NEURONS))
            assert len(calls) == 2, "the framework's behaviour, the first run being refused"
            recording.resume()
            functional.reset_net(net.eval())
            net(torch.rand(BATCH, NEURONS))
        assert recording.report()["2"].observations == BATCH
