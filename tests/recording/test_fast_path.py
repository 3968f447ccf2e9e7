"""PyTorch's fast path for transformers does not call its parts; recorded parts are called."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import neuroact
from neuroact.errors import AdapterReadError, LayerNotCalledWarning

X = torch.randn(4, 5, 16, generator=torch.Generator().manual_seed(0))
PARTS = ["linear1", "linear2", "dropout", "norm1", "norm2", "dropout1", "dropout2"]


def layer() -> nn.TransformerEncoderLayer:
    torch.manual_seed(0)
    return nn.TransformerEncoderLayer(16, 4, 32, batch_first=True).eval()


class Own(nn.TransformerEncoderLayer):
    """A layer of the user's own."""


def encoder() -> nn.TransformerEncoder:
    return nn.TransformerEncoder(layer(), 2).eval()


def fast_path_is_taken(net: nn.Module) -> bool:
    with torch.no_grad(), torch.profiler.profile() as profile:
        net(X)
    return any("_transformer_encoder_layer_fwd" in event.name for event in profile.events())


def bypass_hooks(net: nn.Module) -> int:
    return sum(len(module._forward_hooks) for module in net.modules())


@pytest.mark.parametrize("part", PARTS)
def test_every_call_of_a_part_is_counted_with_gradients_and_without(part: str) -> None:
    net = layer()
    assert fast_path_is_taken(net), "nothing would be passed by"
    with neuroact.record(net, layers=part, axes="BTN") as recording:
        recorded = net(X)
        with torch.no_grad():
            net(X)
        with torch.inference_mode():
            net(X)
    assert recording.report()[part].observations == 3 * 4 * 5
    assert torch.equal(recorded, net(X))
    assert fast_path_is_taken(net)
    assert bypass_hooks(net) == 0


def test_attention_inside_is_counted_too() -> None:
    net = encoder()
    with neuroact.record(net, layers=nn.MultiheadAttention) as recording, torch.no_grad():
        net(X)
    assert [x.observations for x in recording.report().values()] == [20, 20]


@pytest.mark.parametrize(
    ("net", "name"),
    [
        (nn.Sequential(nn.Identity(), encoder()), "1.layers.1.linear1"),
        (Own(16, 4, 32, batch_first=True).eval(), "linear2"),
    ],
)
def test_a_part_is_found_at_any_depth(net: nn.Module, name: str) -> None:
    with neuroact.record(net, layers=name, axes="BTN") as recording, torch.no_grad():
        net(X)
    assert recording.report()[name].observations == 20


def test_only_parts_of_such_a_layer_get_a_hook_and_a_pause_takes_it_away() -> None:
    net = nn.Sequential(layer(), nn.Linear(16, 3))
    with neuroact.record(net, layers=["0", "1"], axes="BTN"):
        assert bypass_hooks(net) == 0
        assert fast_path_is_taken(net)
    first, second = (neuroact.record(net, layers="0.linear1", axes="BTN") for _ in range(2))
    assert bypass_hooks(net) == 2
    first.pause()
    assert bypass_hooks(net) == 1
    second.close()
    assert bypass_hooks(net) == 0
    first.resume()
    assert bypass_hooks(net) == 1
    del first
    assert bypass_hooks(net) == 0


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda net: pickle.loads(pickle.dumps(net))]
)
def test_a_copy_has_the_users_hooks_alone(copied: Callable[[Any], Any]) -> None:
    net = layer()
    net.linear1.register_forward_hook(_users)
    with neuroact.record(net, layers="linear1", axes="BTN"):
        twin = copied(net.linear1)
    assert list(twin._forward_hooks.values()) == [_users]
    assert list(net.linear1._forward_hooks.values()) == [_users]


def _users(*_: object) -> None:
    """A user's hook."""


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("name", ["layers.0", "layers.0.linear1"])
def test_a_nested_tensor_is_refused_with_what_to_do(name: str) -> None:
    net, padding = encoder(), torch.zeros(4, 5, dtype=torch.bool)
    padding[0, 3:] = True
    with (
        neuroact.record(net, layers=name, axes="BTN"),
        torch.no_grad(),
        pytest.raises(AdapterReadError, match=rf'layer "{name}".*enable_nested_tensor=False'),
    ):
        net(X, src_key_padding_mask=padding)


def test_a_part_that_no_hook_can_show_is_named_in_the_report() -> None:
    net = layer()
    with neuroact.record(net, layers=["linear1", "self_attn.out_proj"], axes="BTN") as recording:
        net(X)
    with pytest.warns(LayerNotCalledWarning, match=r"out_proj\. .* a module around it that reads"):
        recording.report()
