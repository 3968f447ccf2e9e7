"""How many sequences began, where the caller passes the state, in the middle of other samples."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest
import snntorch
import torch
from emitting import Way
from torch import Tensor, nn
from toy import Neuron, ToyAdapter

import neuroact
from neuroact import LayerActivity, Raster, SpikeCounts, TimeCourse
from neuroact.native import without_core

NEURONS, STEPS = 7, 3

# The state that the next steps start from, of the one that was left, and the sequences that begin.
Turn = tuple[Callable[[Tensor], Tensor], int]
ZEROS: Turn = (lambda left: torch.zeros(4, NEURONS), 4)
STORIES: dict[str, list[Turn]] = {
    "given": [ZEROS],
    "goes on": [ZEROS, (lambda left: left, 0), (lambda left: left.detach(), 0)],
    "all of it": [ZEROS, (lambda left: left[:4], 0)],
    "the first samples": [ZEROS, (lambda left: left[:2], 2), (lambda left: left, 0)],
    "the last samples": [ZEROS, (lambda left: left[2:], 2)],
    "more samples": [ZEROS, (lambda left: torch.cat([left, left]), 8)],
    "to and fro": [
        *(ZEROS, (lambda left: left[:2], 2), (lambda left: torch.cat([left, left]), 4)),
        *((lambda left: left[:2], 2), (lambda left: left[:1], 1), ZEROS, ZEROS),
    ],
}
every_story = pytest.mark.parametrize("story", STORIES.values(), ids=STORIES.keys())


class Net(nn.Module):
    """A layer whose state is passed."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.fc, self.lif = nn.Linear(5, NEURONS), layer

    def forward(self, x: Tensor, state: Tensor) -> Any:
        return self.lif(self.fc(x), state)


def recorded(layer: nn.Module, story: list[Turn], statistics: Any, wrap: Any) -> LayerActivity:
    torch.manual_seed(0)
    net, state = Net(layer), torch.zeros(4, NEURONS)
    call, adapters = wrap(net), [ToyAdapter()] if isinstance(layer, Neuron) else None
    with torch.no_grad():
        with neuroact.record(net, statistics=statistics, adapters=adapters) as recording:
            for turn, _ in story:
                state = turn(state)
                for _ in range(STEPS):
                    _, state = call(torch.rand(len(state), 5), state)
        return recording.report()["lif"]


@pytest.mark.usefixtures("fresh_compiler")
@pytest.mark.filterwarnings("ignore", "error::neuroact.errors.NeuroactWarning")  # the compiler's
@every_story
@pytest.mark.parametrize(
    ("way", "compiled"),
    # A compiled program counts by PyTorch's operations, whatever core there is.
    [(nullcontext, False), (without_core, False), (nullcontext, True)],
    ids=["core", "no core", "compiled"],
)
@pytest.mark.parametrize(
    "layer", [Neuron, lambda: snntorch.Leaky(beta=0.9, threshold=0.1)], ids=["toy", "snnTorch"]
)
def test_every_statistic_counts_the_sequences_that_the_states_begin(
    way: Way, story: list[Turn], compiled: bool, layer: Any
) -> None:
    def wrap(net: nn.Module) -> Any:
        return torch.compile(net, backend="aot_eager") if compiled else net

    begun = sum(number for _, number in story)
    with way():
        alone = recorded(layer(), story, (), wrap)
        together = recorded(layer(), story, [SpikeCounts, TimeCourse, Raster], wrap)
    assert (alone.sequences, together.sequences) == (begun, begun)
    assert together[SpikeCounts].sequences == begun
    assert together[TimeCourse].observations[0] == begun
    assert together[Raster].begun == begun
