"""NeuroBench's hooks: what they cut off is read too, and nothing of a batch is kept."""

from __future__ import annotations

import gc
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import snntorch
import torch
from alive import tensors_alive
from hypothesis import given
from hypothesis import strategies as st
from neurobench.models import SNNTorchModel, TorchModel
from neurobench_cases import Batches, Hidden, batches, bench, neurons_of, run, spikes_of
from raw import RawCalls, assert_true_figures
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef

from neuroact.errors import NeuroactWarning
from neuroact_adapters.neurobench import AverageActivityMetric, add_spiking_layers, report
from neuroact_adapters.neurobench.hooks import all_rows, running

NAME = "AverageActivityMetric"
STEPS, INPUTS = 6, 4

# Whether it returns a tuple or a tensor depends on the class and on `output`.
NEURONS: dict[str, Callable[..., nn.Module]] = {
    "Leaky": lambda **options: snntorch.Leaky(beta=0.9, **options),
    "Lapicque": lambda **options: snntorch.Lapicque(beta=0.9, threshold=0.01, **options),
    "Synaptic": lambda **options: snntorch.Synaptic(alpha=0.8, beta=0.9, **options),
    "Alpha": lambda **options: snntorch.Alpha(alpha=0.9, beta=0.8, **options),
    "RLeaky": lambda **options: snntorch.RLeaky(beta=0.9, linear_features=INPUTS, **options),
    "RSynaptic": lambda **options: snntorch.RSynaptic(
        alpha=0.8, beta=0.9, linear_features=INPUTS, **options
    ),
    "SLSTM": lambda **options: snntorch.SLSTM(INPUTS, INPUTS, threshold=0.05, **options),
    "graded": lambda **options: snntorch.Leaky(beta=0.9, graded_spikes_factor=2.0, **options),
}


class Stepped(nn.Module):
    """One neuron that keeps its state, run step by step over `[batch, time, features]`."""

    def __init__(self, neuron: nn.Module) -> None:
        super().__init__()
        self.neuron: Any = neuron
        self.inputs: tuple[int, ...] = (INPUTS,)

    def forward(self, data: Tensor) -> Tensor:
        (getattr(self.neuron, "reset_mem", None) or self.neuron.reset_hidden)()
        return torch.stack(
            [spikes_of(self.neuron(x.unflatten(-1, self.inputs) * 2)) for x in data.unbind(1)]
        )


def check(net: nn.Module, loader: Batches, *, sequence: bool = False) -> None:
    """The net's `neuron` is read like its raw outputs."""
    model = TorchModel(net)
    add_spiking_layers(model)
    raw = RawCalls(net.get_submodule("neuron"))
    layer = report(run(model, loader, AverageActivityMetric))["neuron"]
    assert layer.events.sum() > 0
    # The last bit of NumPy's mean depends on the order in memory.
    values = np.ascontiguousarray(raw.values(spikes_of, sequence=sequence))
    assert_true_figures(layer, values, len(loader.dataset))


@pytest.mark.parametrize("output", [True, False])
@pytest.mark.parametrize("build", NEURONS.values(), ids=NEURONS)
def test_every_neuron_class_is_read_whole(build: Any, output: bool) -> None:
    torch.manual_seed(0)
    net = Stepped(build(init_hidden=True, output=output))
    check(net, batches(4, 1, 3, steps=STEPS, features=INPUTS))


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_they_are_without_gradients_too(mode: Any) -> None:
    with mode():
        check(Stepped(NEURONS["Leaky"](init_hidden=True)), batches(4, 3, features=INPUTS))


def test_they_are_in_channels_last_memory() -> None:
    net = Stepped(NEURONS["Leaky"](init_hidden=True))
    net.inputs = (3, 2, 5)
    net.neuron.register_forward_pre_hook(
        lambda module, args: args[0].contiguous(memory_format=torch.channels_last)
    )
    check(net, batches(4, 2, features=30))


def test_the_whole_sequence_of_a_sequence_class_is_read() -> None:
    class Parallel(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.neuron = snntorch.LeakyParallel(INPUTS, 7, beta=0.9)

        def forward(self, data: Tensor) -> Tensor:
            spikes: Tensor = self.neuron(data.transpose(0, 1) * 5)
            return spikes

    check(Parallel(), batches(4, 3, features=INPUTS), sequence=True)


def test_hidden_layers_are_read_whole_in_a_whole_network() -> None:
    model, loader = SNNTorchModel(Hidden()), batches(4, 1, 3)
    raw = neurons_of(model.net)
    live = report(run(model, loader, AverageActivityMetric))
    for name, calls in raw.items():
        assert_true_figures(live[name], calls.values(spikes_of), 8)


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=4),
    st.randoms(use_true_random=False),
)
def test_any_dense_tensor_is_found_again_from_its_first_row(shape: list[int], random: Any) -> None:
    order = list(range(len(shape)))
    random.shuffle(order)
    back = [order.index(dim) for dim in range(len(shape))]
    whole = torch.rand([shape[dim] for dim in order]).permute(back)
    assert list(whole.shape) == shape
    assert torch.equal(all_rows(whole[0], len(whole)), whole)


def test_what_cannot_be_found_again_is_refused() -> None:
    spread = torch.rand(8, 6)[:4]
    with pytest.raises(ValueError, match="other 3 cannot be found"):
        all_rows(spread[0], 4)
    with pytest.raises(ValueError, match="cannot be found"):
        all_rows(torch.rand(4, 6)[1], 4)
    with pytest.raises(ValueError, match="cannot be found"):
        all_rows(torch.rand(4, 6)[:, ::2][0], 4)


def test_an_input_passed_by_keyword_is_refused_by_the_layers_name() -> None:
    class ByKeyword(Stepped):
        def forward(self, data: Tensor) -> Tensor:
            self.neuron.reset_mem()
            return torch.stack([self.neuron(input_=x)[0] for x in data.unbind(1)])

    model = TorchModel(ByKeyword(snntorch.Leaky(beta=0.9, init_hidden=True, output=True)))
    add_spiking_layers(model)
    with pytest.warns(NeuroactWarning, match=r'layer "neuron".*by position'):
        results = run(model, batches(4), AverageActivityMetric)
    assert "mean" not in results[NAME]["neuron"]


@pytest.mark.parametrize("gradients", [True, False])
def test_nothing_of_a_batch_is_kept(gradients: bool) -> None:
    net = Hidden()
    model, metric, batch = SNNTorchModel(net), AverageActivityMetric(), torch.rand(4, 5, 5)
    model.register_hooks()
    with torch.set_grad_enabled(gradients):
        model(batch)
    outputs = [output for hook in model.activation_hooks for output in hook.activation_outputs]
    memory = [StorageWeakRef(output.untyped_storage()) for output in outputs]
    result = metric(model, None, (batch,))
    assert result["0.lif"]["timesteps"] == 20
    del outputs
    model.reset_hooks()
    net.reset()  # the membrane potentials hold the graph
    gc.collect()
    assert len(memory) == 15
    assert all(part.expired() for part in memory)


def test_what_it_holds_does_not_grow_with_the_batches() -> None:
    model, metric = SNNTorchModel(Hidden()), AverageActivityMetric()
    model.register_hooks()
    earlier, held = tensors_alive(), []
    for batch in itertools.repeat(torch.rand(4, 5, 5), 5):
        with torch.no_grad():
            model(batch)
        metric(model, None, (batch,))
        model.reset_hooks()
        held.append(len(tensors_alive()))
    assert held[2:] == held[2:3] * 3
    assert earlier is not None  # kept until here: a new tensor must not take its place


def test_the_running_benchmark_is_found_from_within_a_run_alone() -> None:
    assert running() is None
    found = []

    class Finding(AverageActivityMetric):
        def reset(self) -> None:
            super().reset()
            found.append(running())

    model = SNNTorchModel(Hidden())
    benchmark = bench(model, batches(4), Finding)
    assert not found
    benchmark.run(quiet=True)
    benchmark.run(quiet=True, dataloader=batches(4, 3))
    assert [(each.model, each.batches) for each in found] == [(model, 1), (model, 2)]


def test_neurobenchs_hooks_stay_the_same_ones_where_none_is_lost() -> None:
    model = SNNTorchModel(Hidden())
    benchmark = bench(model, batches(4), AverageActivityMetric)
    hooks = list(model.activation_hooks)
    benchmark.run(quiet=True)
    assert model.activation_hooks == hooks
