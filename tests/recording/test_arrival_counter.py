"""A call like the last is counted at little cost, with the figures that a full reading gives."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
import torch
from operations import Operations
from torch import Tensor, nn
from with_core import with_core

import neuroact
from neuroact.errors import OtherThreadError, UnsupportedModelError
from neuroact.native import without_core


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(5, 3), nn.ReLU())


def record(model: nn.Module, **options: Any) -> neuroact.Recording:
    return neuroact.record(model, layers=nn.ReLU, operations=True, **options)


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randint(4, shape, generator=torch.Generator().manual_seed(seed)).float()


def figures(recording: neuroact.Recording) -> Any:
    layer = recording.report().operations["0"]
    return layer.acs, layer.macs, layer.weighted, layer.observations


def by_hand(*inputs: Tensor) -> Any:
    x = torch.cat([each.reshape(-1, 5) for each in inputs]).abs()
    ones, events = int((x == 1).sum()), int((x != 0).sum())
    return 3 * ones, 3 * (events - ones), 3 * int(x.sum()), len(x)


CALLS = [random(2, 5, seed=1), random(2, 5, seed=2), random(5), random(3, 2, 5), random(3, 2, 5)]


@pytest.mark.parametrize("order", [lambda x: x, lambda x: x.T.contiguous().T], ids=["plain", "t"])
def test_calls_alike_and_of_other_batches_are_counted(order: Callable[[Tensor], Tensor]) -> None:
    model, calls = net(), [order(x) if x.ndim == 2 else x for x in (*CALLS, *CALLS)]

    def recorded() -> neuroact.Recording:
        with record(model) as recording:
            model(calls[0])
            for x in calls:
                model[0](x)
        return recording

    assert figures(recorded()) == by_hand(calls[0], *calls)
    with without_core():
        slow = recorded()
    assert slow.report() == recorded().report()


@with_core
def test_a_call_like_the_last_takes_no_operation_of_torch() -> None:
    model, x = net(), CALLS[0]
    with torch.no_grad(), record(model) as recording:
        model[0](x)
        with Operations() as watched:
            model[0](x)
    with torch.no_grad(), Operations() as bare:
        model[0](x)
    assert watched.count == bare.count
    assert recording._connections.layers[0].statistics[0].result().observations == 4


def test_reset_and_pause_hold_for_the_next_call() -> None:
    model, (x, y) = net(), CALLS[:2]
    with record(model) as recording:
        model(x), model(x)
        recording.reset()
        model(y), model(y)
        recording.pause()
        model(x)
        recording.resume()
        model(y)
        assert figures(recording) == by_hand(y, y, y)


def test_an_input_that_the_layer_itself_changes_counts_as_it_arrived() -> None:
    class Clears(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x.zero_())

    def clears(x: Tensor) -> Tensor:
        return nn.functional.linear(x.zero_(), layer.weight)

    layer = nn.Linear(5, 3)
    layer.forward = clears  # type: ignore[method-assign]
    for model in (nn.Sequential(Clears(5, 3), nn.ReLU()), nn.Sequential(layer, nn.ReLU())):
        with torch.no_grad(), record(model) as recording:
            for x in CALLS[:2]:
                model(x.clone())
        assert figures(recording) == by_hand(*CALLS[:2])


def test_a_call_that_raises_is_not_counted() -> None:
    model = net()
    with record(model) as recording:
        model(CALLS[0])
        with pytest.raises(RuntimeError):
            model(CALLS[0].long())
        model(CALLS[0])
    assert figures(recording) == by_hand(CALLS[0], CALLS[0])


def test_a_nan_in_a_later_call_is_found() -> None:
    model, x = net(), CALLS[0]
    with record(model) as recording:
        model(x), model(x)
        model[0](torch.full_like(x, torch.nan))
        model(x)
    assert "a NaN or an infinity" in recording.report().operations.not_counted["0"]


def test_an_output_of_another_shape_in_a_later_call_is_found() -> None:
    class Odd(nn.Linear):
        short = False

        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x)[: 1 if self.short else None]

    model = nn.Sequential(Odd(5, 3), nn.ReLU())
    with record(model) as recording:
        model(CALLS[0])
        model[0].short = True
        model(CALLS[0])
    assert "not of the shape that follows" in recording.report().operations.not_counted["0"]


def test_a_transform_in_a_later_call_is_refused() -> None:
    model, x = net(), CALLS[0]
    with record(model) as recording:
        model(x), model(x)

        def loss(bias: Tensor) -> Tensor:
            return model[0](x).sum() + bias  # type: ignore[no-any-return]

        with pytest.raises(UnsupportedModelError, match=r'layer "0"'):
            torch.func.grad(loss)(torch.zeros(()))
    assert figures(recording) == by_hand(x, x)


def test_a_second_thread_in_a_later_call_is_refused() -> None:
    model, x, found = net(), CALLS[0], []

    def call() -> None:
        try:
            model[0](x)
        except OtherThreadError as error:
            found.append(error.layer)

    with record(model) as recording:
        model(x), model(x)
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
        assert found == ["0"]
        assert figures(recording) == by_hand(x, x)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_another_dtype_in_a_later_call_is_counted(dtype: torch.dtype) -> None:
    model, x = net(), CALLS[0]
    with torch.no_grad(), record(model) as recording:
        model(x)
        model.to(dtype)(x.to(dtype))
        model(x.to(dtype))
    assert figures(recording) == by_hand(x, x, x)
