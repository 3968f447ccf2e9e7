"""Where NeuroBench's SynapticOperations is not right, shown by running it: ours is right there."""

from __future__ import annotations

from typing import Any

import pytest
import snntorch
import torch
from brute import Counts, counted
from neurobench.metrics.workload import SynapticOperations
from neurobench.models import TorchModel
from neurobench_cases import Batches, run
from norse.torch import LIFRecurrent, SequentialState
from spikingjelly.activation_based import layer
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune

from neuroact_adapters.neurobench import SynapticOperationsMetric

KEYS = ("Effective_MACs", "Effective_ACs", "Dense")


def figures(net: nn.Module, *inputs: Tensor, ours: Any = SynapticOperationsMetric) -> Any:
    """NeuroBench's MACs, ACs and dense (or its 0.0), ours, and what ours names."""
    with torch.no_grad():
        results = run(TorchModel(net), Batches(*inputs), SynapticOperations, ours)
    theirs, found = results["SynapticOperations"], results[ours.__name__]
    if theirs:
        theirs = tuple(theirs[key] for key in KEYS)
    return theirs, tuple(found[key] for key in KEYS), found.get("not_counted", {})


def exact(module: Any, *inputs: Tensor, samples: int, weight: Tensor | None = None) -> Any:
    """Brute force's MACs, ACs and dense of one layer, per sample."""
    found = counted(module, module.weight if weight is None else weight, *inputs)
    return tuple(figure / samples for figure in found)


def spikes(*shape: int) -> Tensor:
    return (torch.rand(shape) < 0.5).float()


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize(
    ("size", "theirs"), [(1, (0.75, 3.75, 6)), (2, (2.25, 2.25, 6)), (4, (4.5, 0, 6))]
)
def test_the_split_depends_on_the_size_of_a_batch(size: int, theirs: Any) -> None:
    net = nn.Sequential(nn.Linear(2, 3))
    x = torch.tensor([[1.0, 1.0], [1.0, 0.0], [1.0, 1.0], [2.0, 0.0]])
    assert figures(net, *x.split(size)) == (theirs, (0.75, 3.75, 6), {})
    assert exact(net[0], x, samples=4) == (0.75, 3.75, 6)


def test_a_pruning_mask_that_is_attached_undoes_its_flags() -> None:
    fc = nn.Linear(4, 3)
    mask = torch.tensor([[1, 1, 0, 0]] * 3)
    prune.custom_from_mask(fc, "weight", mask)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        fc.weight_orig.fill_(0.25)
    x = torch.ones(2, 4)
    theirs, ours, _ = figures(nn.Sequential(fc), x)
    assert theirs == (0, 1.5, 1.5)  # sums of weights, not of flags
    assert ours == exact(fc, x, samples=2, weight=mask) == (0, 6, 12)


def test_with_gradients_it_gives_0_for_a_pruned_layer() -> None:
    fc = nn.Linear(4, 3)
    prune.random_unstructured(fc, "weight", 0.5)  # type: ignore[no-untyped-call]
    x = torch.ones(2, 4)
    model = TorchModel(nn.Sequential(fc))
    results = run(model, Batches(x), SynapticOperations, SynapticOperationsMetric)
    assert results["SynapticOperations"] == 0.0
    assert results["SynapticOperationsMetric"]["Effective_ACs"] == 6


def test_a_weight_that_is_computed_undoes_its_flags() -> None:
    fc = parametrizations.weight_norm(nn.Linear(4, 3))
    with torch.no_grad():
        fc.parametrizations.weight.original0.fill_(-2.0)
        fc.parametrizations.weight.original1.fill_(1.0)
    x = torch.ones(2, 4)
    theirs, ours, named = figures(nn.Sequential(fc), x)
    assert theirs == (0, -12, -12)  # 12 weights of -1
    assert ours == exact(fc, x, samples=2) == (0, 12, 12)
    assert not named


def test_one_layer_in_two_places_counts_twice_or_is_an_error_that_becomes_0() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a = nn.Sequential(nn.Linear(3, 3))
            self.b = nn.Sequential(self.a[0])

        def forward(self, x: Tensor) -> Tensor:
            self.hidden: Tensor = self.a(x)
            result: Tensor = self.b(self.hidden)
            return result

    net, x = Twice(), spikes(4, 3)
    theirs, ours, named = figures(net, x)
    assert ours == exact(net.a[0], x, net.hidden, samples=4)
    assert theirs == tuple(2 * figure for figure in ours)
    assert not named
    with_gradients = run(TorchModel(net), Batches(x), SynapticOperations)
    assert with_gradients["SynapticOperations"] == 0.0


def test_an_input_given_by_keyword_is_an_error_that_becomes_0() -> None:
    class ByKeyword(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            result: Tensor = self.fc(input=x)
            return result

    net, x = ByKeyword(), spikes(2, 4)
    assert figures(net, x) == (0.0, exact(net.fc, x, samples=2), {})


def cell_with_state(build: Any) -> nn.Module:
    class Cell(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = build(10, 4)

        def forward(self, x: Tensor) -> Any:
            zeros = torch.zeros(len(x), 4)
            return self.cell(x, (zeros, zeros) if isinstance(self.cell, nn.LSTMCell) else zeros)

    return Cell()


# Effective and dense operations a sample, of 8 samples or of one sequence of 8 steps. Each of 10
# inputs and 4 states meets 4 outputs of each gate. A state of zeros is in `dense` alone: that of
# each sample, or of the first step.
X = torch.ones(8, 10)
RECURRENT: Any = {
    "RNN": (nn.Sequential(nn.RNN(10, 4)), "0", 0.0, (54, 56)),
    "LSTM": (nn.Sequential(nn.LSTM(10, 4)), "0", 0.0, (216, 224)),
    "GRU": (nn.Sequential(nn.GRU(10, 4)), "0", 0.0, (162, 168)),
    "LSTMCell without state": (nn.Sequential(nn.LSTMCell(10, 4)), "0", 0.0, (160, 224)),
    "GRUCell without state": (nn.Sequential(nn.GRUCell(10, 4)), "0", 0.0, (120, 168)),
    "RNNCell without state": (nn.Sequential(nn.RNNCell(10, 4)), "0", (5, 5), (40, 56)),
    "LSTMCell": (cell_with_state(nn.LSTMCell), "cell", (168, 168), (160, 224)),
    "GRUCell": (cell_with_state(nn.GRUCell), "cell", (128, 180), (120, 168)),
}


@pytest.mark.parametrize(("net", "name", "theirs", "right"), RECURRENT.values(), ids=RECURRENT)
def test_recurrent_layers_are_0_or_have_more_operations_than_products(
    net: nn.Module, name: str, theirs: Any, right: Any
) -> None:
    found, ours, named = figures(net, X)
    assert (found and (found[0] + found[1], found[2])) == theirs
    right_or_named(name, ours, named, right)


def right_or_named(name: str, ours: Any, named: Any, right: Any) -> None:
    """The layer is counted (effective, dense), or named without any figure."""
    if name in named:
        assert ours == (None, None, None)
    elif right is not None:
        assert (ours[0] + ours[1], ours[2]) == right


UNSEEN: Any = {
    "Bilinear": (nn.Bilinear(3, 3, 2), lambda m, x: m(x, x)),
    "MultiheadAttention": (nn.MultiheadAttention(3, 1), lambda m, x: m(x, x, x)),
    "Norse": (SequentialState(LIFRecurrent(3, 3)), lambda m, x: m(x.unsqueeze(0))),
    "DropConnectLinear": (layer.DropConnectLinear(3, 2), lambda m, x: m(x)),
}


@pytest.mark.parametrize(("module", "call"), UNSEEN.values(), ids=UNSEEN)
def test_weights_that_it_does_not_see_are_0_without_a_word(module: Any, call: Any) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = module

        def forward(self, x: Tensor) -> Any:
            return call(self.module, x)

    theirs, ours, named = figures(Net(), torch.ones(2, 3))
    assert theirs == (0, 0, 0)
    assert named or ours[2] > 0


def test_factors_of_snntorchs_recurrence_are_0_without_a_word() -> None:
    class TwoSteps(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lif = snntorch.RLeaky(beta=0.9, V=0.5, all_to_all=False, init_hidden=True)

        def forward(self, x: Tensor) -> Any:
            self.spikes = self.lif(x)
            return self.lif(x)

    # A neuron has one factor, that its spike of the step before meets: none before the first.
    net = TwoSteps()
    assert figures(net, torch.full((2, 3), 3.0)) == ((0, 0, 0), (0, 3, 6), {})
    assert net.spikes.eq(1).all()


def test_a_transposed_convolution_is_0_without_a_word() -> None:
    net = nn.Sequential(nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1))
    x = spikes(2, 2, 4, 4)
    theirs, ours, named = figures(net, x)
    assert theirs == (0, 0, 0)
    assert ours == exact(net[0], x, samples=2)
    assert not named


def test_a_network_that_is_one_layer_is_0_without_a_word() -> None:
    net, x = nn.Linear(4, 3), spikes(2, 4)
    assert figures(net, x) == ((0, 0, 0), exact(net, x, samples=2), {})


def test_an_input_that_is_changed_afterwards_is_counted_as_it_was_changed() -> None:
    class InPlace(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = nn.Linear(4, 3)

        def forward(self, x: Tensor) -> Tensor:
            spikes = x.clone()
            result: Tensor = self.fc(spikes)
            spikes.mul_(0)
            return result

    net, x = InPlace(), spikes(2, 4)
    theirs, ours, _ = figures(net, x)
    assert theirs == (0, 0, 12)
    assert ours == exact(net.fc, x, samples=2)
    assert ours[1] > 0


def test_a_shortcut_that_is_added_in_place_makes_macs_of_the_spikes_before() -> None:
    class Shortcut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(2, 2, 3, padding=1)

        def forward(self, x: Tensor) -> Tensor:
            spikes = x.clone()
            result: Tensor = self.conv(spikes)
            spikes += 1
            return result

    net, x = Shortcut(), spikes(2, 2, 4, 4)
    theirs, ours, _ = figures(net, x)
    right = exact(net.conv, x, samples=2)
    assert theirs == (right[2], 0, right[2])
    assert ours == right
    assert (ours[0], ours[1] > 0) == (0, True)


def test_data_with_time_in_front_is_divided_by_the_number_of_steps() -> None:
    net, x = nn.Sequential(nn.Linear(4, 3)), spikes(10, 5, 4)  # [time, batch, inputs]
    told = SynapticOperationsMetric.configured(name="Told", batch_dim=1)
    theirs, ours, _ = figures(net, x, ours=told)
    assert theirs == exact(net[0], x, samples=10)
    assert ours == exact(net[0], x, samples=5)


def test_more_operations_than_half_precision_holds_are_an_error_that_becomes_0() -> None:
    net = nn.Sequential(nn.Linear(60000, 2, bias=False)).half()
    with torch.no_grad():
        net[0].weight.fill_(1)
    x = torch.ones(1, 60000).half()
    theirs, ours, _ = figures(net, x)
    assert theirs == 0.0
    assert ours == exact(net[0], x, samples=1) == (0, 120_000, 120_000)


def test_a_sum_in_bfloat16_is_rounded() -> None:
    net = nn.Sequential(nn.Linear(1000, 3, bias=False)).bfloat16()
    with torch.no_grad():
        net[0].weight.fill_(1)
    x = torch.ones(1, 1000).bfloat16()
    theirs, ours, _ = figures(net, x)
    assert theirs == (0, 3008, 3008)
    assert ours == exact(net[0], x, samples=1) == (0, 3000, 3000)


def test_a_sum_in_float32_is_rounded_beyond_2_to_the_24() -> None:
    net, x = nn.Sequential(nn.Linear(2**12 + 1, 2**12 + 1, bias=False)), torch.ones(1, 2**12 + 1)
    with torch.no_grad():
        net[0].weight.fill_(1)
    theirs, ours, _ = figures(net, x)
    assert theirs[1] == 2**24 + 2**13  # not odd
    assert ours == (0, 2**24 + 2**13 + 1, 2**24 + 2**13 + 1)


def test_brute_force_is_right_where_one_can_count() -> None:
    fc = nn.Linear(3, 2)
    weight = torch.tensor([[1.0, 0.0, 2.0], [3.0, 4.0, 0.0]])
    assert counted(fc, weight, torch.tensor([[1.0, -1.0, 2.0]])) == Counts(1, 3, 6)
    conv = nn.Conv2d(1, 4, 3, padding=1)
    x = torch.zeros(1, 1, 6, 6)
    x[0, 0, 0, 0] = 1
    assert counted(conv, conv.weight, x) == Counts(0, 16, 4 * 16 * 16)
    back = nn.ConvTranspose2d(1, 1, 3, padding=1)
    assert counted(back, back.weight, x) == Counts(0, 4, 16 * 16)
