"""A module that is called in several places of a model is recorded as a layer for each."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest
import torch
from own_modules import Passing
from torch import Tensor, nn

import neuroact
from neuroact import Reading, record
from neuroact.errors import LayerShapeError, UnsupportedModelError


class Shared(nn.Module):
    """One ReLU after three layers, two of them of one width; `steps` repeats the whole."""

    def __init__(self, steps: int = 1) -> None:
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(4, 6), nn.Linear(6, 6), nn.Linear(6, 3)
        self.relu, self.steps = nn.ReLU(), steps

    def forward(self, x: Tensor) -> Any:
        return [self.once(x) for _ in range(self.steps)]

    def once(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        first = self.relu(self.fc1(x))
        second = self.relu(self.fc2(first))
        return first, second, self.relu(self.fc3(second))


READINGS = {"relu": Reading(axes="BN", places=3)}


def assert_each_place_has_its_own(report: neuroact.ActivityReport, outputs: list[Any]) -> None:
    assert list(report) == ["relu#1", "relu#2", "relu#3"]
    for layer, values in zip(report.values(), zip(*outputs, strict=True), strict=True):
        truth = torch.cat(values).detach().double().numpy()
        assert layer.observations == len(truth)
        np.testing.assert_array_equal(layer.events, (truth != 0).sum(0))


@pytest.mark.parametrize("steps", [1, 4])
def test_each_place_has_the_figures_of_its_own_calls(steps: int) -> None:
    net, outputs = Shared(steps), []
    with record(net, layers=READINGS) as recording:
        for _ in range(3):
            outputs += net(torch.randn(5, 4))
        outputs.append(net.once(torch.randn(5, 4)))  # past the model's forward, in turn too
        recording.pause()
        net.once(torch.randn(5, 4))
        recording.resume()
        outputs += net(torch.randn(5, 4))
    assert_each_place_has_its_own(recording.report(), outputs)
    assert "forward" not in vars(net)
    assert "forward" not in vars(net.relu)


def test_a_forward_that_broke_off_does_not_mix_up_the_places() -> None:
    net = Shared()
    with record(net, layers=READINGS) as recording:
        handle = net.fc3.register_forward_pre_hook(lambda *_: 1 / 0)  # type: ignore[arg-type,return-value]
        with pytest.raises(ZeroDivisionError):
            net(torch.randn(5, 4))
        handle.remove()
        recording.reset()
        outputs = net(torch.randn(5, 4))
    assert_each_place_has_its_own(recording.report(), outputs)


def test_places_are_told_apart_in_a_compiled_program() -> None:
    net, outputs = Shared(2), []
    torch._dynamo.reset()
    with record(net, layers=READINGS) as recording:
        call: Any = torch.compile(net, backend="eager", fullgraph=True)
        for _ in range(3):
            outputs += call(torch.randn(5, 4))
    assert_each_place_has_its_own(recording.report(), outputs)


def test_a_layer_with_state_goes_on_in_each_place() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lif = Passing()

        def forward(self, x: Tensor, mems: Any) -> Any:
            spikes, first = self.lif(x, mems[0])
            _, second = self.lif(spikes.repeat(1, 2), mems[1])
            return first, second

    net = Twice()
    reading = Reading(kind="binary", values=0, state=1, places=2)
    with record(net, layers={"lif": reading}) as recording:
        for _ in range(2):
            mems = (None, None)
            for _ in range(9):
                mems = net(torch.rand(5, 4), mems)
    figures = [(layer.shape, layer.sequences) for layer in recording.report().values()]
    assert figures == [((4,), 10), ((8,), 10)]


def test_a_layer_that_an_adapter_knows_is_read_by_it_in_each_place() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = nn.RNN(4, 4)

        def forward(self, x: Tensor) -> Any:
            return self.rnn(self.rnn(x)[0])

    net = Twice()
    with record(net, layers={"rnn": Reading(places=2)}) as recording:
        net(torch.rand(6, 5, 4))
    assert [info.read_as for info in recording.layers.values()] == [
        "by the adapter of torch, place 1 of 2",
        "by the adapter of torch, place 2 of 2",
    ]
    assert [layer.observations for layer in recording.report().values()] == [30, 30]


@pytest.mark.parametrize("places", [2, 4])
def test_a_wrong_number_of_places_is_an_error_that_names_the_layer(places: int) -> None:
    net = Shared()
    net.fc3 = nn.Linear(6, 6)
    with (
        record(net, layers={"relu": Reading(places=places)}),
        pytest.raises(
            UnsupportedModelError, match=f'layer "relu" .*places={places}.*reset'
        ) as told,
    ):
        net(torch.randn(5, 4))
    assert told.value.layer == "relu"


def test_a_second_width_says_what_to_do() -> None:
    net = Shared()
    with (
        record(net, layers="relu"),
        pytest.raises(LayerShapeError, match=r'layer "relu".*neuroact.Reading\(places=2\)'),
    ):
        net(torch.randn(5, 4))


@pytest.mark.parametrize("places", [0, -1, 1.5, True, "two"])
def test_bad_numbers_of_places_are_answered_by_one_sentence(places: Any) -> None:
    with pytest.raises(ValueError, match="places= takes a whole number from 1, came"):
        Reading(places=places)
    with pytest.raises(ValueError, match="not of the model"):
        record(nn.ReLU(), layers={"model": Reading(places=2)})


def test_nothing_is_kept_of_a_recording_that_nobody_holds() -> None:
    net = Shared()
    recording = record(net, layers=READINGS)
    net(torch.randn(5, 4))
    gone = weakref.ref(recording._watched[0].reader)
    del recording
    gc.collect()
    assert "forward" not in vars(net)
    assert gone() is None
