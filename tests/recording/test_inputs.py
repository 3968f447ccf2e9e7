"""A layer's input is the first argument by its signature, as it was when it went in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import neuroact
from neuroact.errors import AdapterReadError

X = torch.tensor([[-1.0, 0.0, 2.0], [3.0, -4.0, 0.0]])


class InPlace(nn.Module):
    """Changes its argument in place, and returns something else."""

    def forward(self, x: Tensor) -> Tensor:
        x.mul_(0)
        return torch.ones_like(x)


@pytest.mark.parametrize(
    "layer", [nn.ReLU(inplace=True), nn.Hardtanh(0, 1, inplace=True), InPlace()], ids=repr
)
@pytest.mark.parametrize("grad", [False, True])
def test_an_input_is_read_as_it_was_before_the_layer_changed_it(
    layer: nn.Module, grad: bool
) -> None:
    net = nn.Sequential(layer)
    with neuroact.record(net, layers="0", of="input") as recording:
        recorded = net(X.clone().requires_grad_(grad) * 1)
    found = recording.report()["0"]
    np.testing.assert_array_equal(found.total, X.sum(0))
    np.testing.assert_array_equal(found.events, (X != 0).sum(0))
    assert torch.equal(recorded, net(X.clone()))


@pytest.mark.usefixtures("fresh_compiler")
# The compiler's warnings are about itself.
@pytest.mark.filterwarnings("ignore", "error::neuroact.errors.NeuroactWarning")
@pytest.mark.parametrize(
    "layer", [nn.ReLU(inplace=True), nn.Hardtanh(0, 1, inplace=True), InPlace()], ids=repr
)
@pytest.mark.parametrize("grad", [False, True])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_an_input_is_read_as_it_was_in_a_compiled_model_too(
    layer: nn.Module, grad: bool, after: bool
) -> None:
    """This holds whether recording begins before the first compiled call or after it."""
    net = nn.Sequential(nn.Identity(), layer, nn.Identity())
    compiled = torch.compile(net, backend="aot_eager")
    if after:
        compiled(X.clone().requires_grad_(grad) * 1)
    with neuroact.record(net, layers="1", of="input") as recording:
        recorded = compiled(X.clone().requires_grad_(grad) * 1)
        compiled(X.clone().requires_grad_(grad) * 1)
    found = recording.report()["1"]
    np.testing.assert_array_equal(found.total, 2 * X.sum(0))
    np.testing.assert_array_equal(found.events, 2 * (X != 0).sum(0))
    assert torch.equal(recorded, net(X.clone()))


class Gate(nn.Module):
    """A layer with two arguments, of which the first is the input."""

    def forward(self, value: Tensor, gate: Tensor) -> Tensor:
        return value * gate


class Open(nn.Module):
    """A layer whose forward names no argument."""

    def forward(self, *args: Tensor, **kwargs: Tensor) -> Tensor:
        return sum(kwargs.values(), start=torch.zeros(()))


@pytest.mark.parametrize(
    "call",
    [
        lambda net: net(X, torch.ones(3)),
        lambda net: net(X, gate=torch.ones(3)),
        lambda net: net(value=X, gate=torch.ones(3)),
        lambda net: net(gate=torch.ones(3), value=X),
    ],
)
def test_the_input_is_the_first_argument_by_signature_however_it_is_passed(call: Any) -> None:
    net = Gate()
    with neuroact.record(net, layers="model", of="input") as recording:
        call(net)
    np.testing.assert_array_equal(recording.report()["model"].total, X.sum(0))


def test_the_only_keyword_of_a_forward_without_names_is_its_input_and_of_two_none_is() -> None:
    net = Open()
    with neuroact.record(net, layers="model", of="input") as recording:
        net(anything=X)
        with pytest.raises(AdapterReadError, match=r'"model".*input to be one tensor, came dict'):
            net(one=X, other=X)
    np.testing.assert_array_equal(recording.report()["model"].total, X.sum(0))


def test_an_output_that_a_users_hook_replaces_goes_replaced_into_the_next_layer() -> None:
    net, mask = nn.Sequential(nn.Identity(), nn.Identity()), torch.tensor([1.0, 1.0, 0.0])
    net[0].register_forward_hook(lambda module, args, output: output * mask)
    with (
        neuroact.record(net, layers="0") as emitted,
        neuroact.record(net, layers="1", of="input") as passed_on,
    ):
        net(X)
    np.testing.assert_array_equal(emitted.report()["0"].total, X.sum(0))
    np.testing.assert_array_equal(passed_on.report()["1"].total, (X * mask).sum(0))
