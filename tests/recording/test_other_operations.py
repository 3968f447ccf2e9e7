"""Operations of torch's embedding bags, bilinear layers and attention, by looking at each pair."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pairs import Tally, figures_of, operations_of_call, spikes, zeroed
from torch import nn

import neuroact

FLAG, SEED = st.booleans(), st.integers(0, 99)


@given(st.sampled_from(["sum", "mean"]), FLAG, FLAG, SEED)
def test_an_index_of_a_bag_adds_up_its_row(mode: str, flat: bool, pads: bool, seed: int) -> None:
    bag = nn.EmbeddingBag(5, 3, mode=mode, padding_idx=2 if pads else None)
    zeroed(bag, seed)
    indices = torch.randint(5, (2, 4))
    tally = Tally()
    for index in indices.flatten().tolist():
        if not (pads and index == 2):
            tally.meet(torch.ones(1), bag.weight[index].unsqueeze(1))
    args = (indices.flatten(), torch.tensor([0, 3])) if flat else (indices,)
    operations = operations_of_call(bag, *args)
    assert figures_of(operations) == tally.figures
    assert not operations.not_counted


def test_weights_per_sample_are_what_arrives_at_a_bag() -> None:
    bag = nn.EmbeddingBag(4, 3, mode="sum")
    indices, weights = torch.tensor([[0, 1, 1, 3]]), torch.tensor([[1.0, -1.0, 0.5, 0.0]])
    operations = operations_of_call(bag, indices, per_sample_weights=weights)
    assert figures_of(operations) == (6, 3, 12)
    assert operations["it"].weighted is None
    whole = operations_of_call(bag, indices, per_sample_weights=torch.tensor([[3.0, 1, 0, 0]]))
    assert whole["it"].weighted == 12


def test_a_bag_takes_memory_for_its_rows_and_not_for_each_index() -> None:
    bag = nn.EmbeddingBag(1_000_000, 2, mode="sum")
    found = operations_of_call(bag, torch.full((1, 100_000), 7))["it"]
    assert (found.acs, found.dense, found.observations) == (200_000, 200_000, 100_000)


def test_a_bag_whose_weights_per_sample_are_not_finite_is_named() -> None:
    weights = torch.tensor([[float("nan"), 1.0]])
    operations = operations_of_call(
        nn.EmbeddingBag(4, 3, mode="sum"), torch.tensor([[0, 1]]), per_sample_weights=weights
    )
    assert "a NaN or an infinity" in operations.not_counted["it"]


@pytest.mark.parametrize(
    ("module", "why"),
    [
        (
            nn.EmbeddingBag(4, 3, mode="max"),
            "it takes the largest of the rows, which is not linear",
        ),
        (nn.Embedding(4, 3), "a table that is read: no operation"),
    ],
)
def test_tables_that_are_not_linear_are_named(module: Any, why: str) -> None:
    operations = operations_of_call(module, torch.zeros(1, 2, dtype=torch.int64))
    assert operations.not_counted["it"].startswith(why)
    assert not operations


@given(FLAG, SEED)
def test_a_bilinear_layer_counts_each_product_of_its_inputs(bias: bool, seed: int) -> None:
    module = nn.Bilinear(2, 3, 4, bias=bias)
    zeroed(module, seed)
    one, two = spikes(2, 2, 2), spikes(2, 2, 3)
    tally = Tally()
    for a, b in zip(one.reshape(-1, 2), two.reshape(-1, 3), strict=True):
        tally.meet(torch.outer(a, b).flatten(), module.weight.reshape(4, 6))
    operations = operations_of_call(module, one, input2=two)
    assert figures_of(operations) == tally.figures
    assert not operations.not_counted


@given(FLAG, FLAG, FLAG, SEED)
def test_attention_counts_the_projections_of_its_inputs(
    apart: bool, batch_first: bool, bias: bool, seed: int
) -> None:
    sizes = {"kdim": 3, "vdim": 5} if apart else {}
    module = nn.MultiheadAttention(4, 2, bias=bias, batch_first=batch_first, **sizes)
    zeroed(module, seed)
    query, key, value = spikes(2, 2, 4), spikes(2, 2, 3 if apart else 4), spikes(2, 2, 5)
    if not apart:
        value = key
    operations = operations_of_call(module, query, key=key, value=value)
    weights = (
        [module.q_proj_weight, module.k_proj_weight, module.v_proj_weight]
        if apart
        else module.in_proj_weight.split(4)  # type: ignore[no-untyped-call]
    )
    for name, x, weight in zip(
        ("query", "key", "value"), (query, key, value), weights, strict=True
    ):
        tally = Tally()
        for each in x.reshape(-1, x.shape[-1]):
            tally.meet(each, weight)
        assert figures_of(operations, f"it.{name}") == tally.figures
    assert set(operations.not_counted) == {"it.products", "it.out_proj"}


def test_attention_of_other_keys_than_queries_and_keys_of_its_own() -> None:
    module = nn.MultiheadAttention(4, 2, add_bias_kv=True)
    operations = operations_of_call(module, torch.ones(3, 4), torch.ones(7, 4), torch.ones(7, 4))
    found = {name: each.observations for name, each in operations.items()}
    assert found == {"it.query": 3, "it.key": 7, "it.value": 7}
    assert set(operations.not_counted) == {"it.products", "it.out_proj"}


def test_an_encoder_whose_fast_path_passes_its_layers_by_counts_alike() -> None:
    net = nn.Sequential(nn.TransformerEncoderLayer(4, 1, 8, batch_first=True), nn.ReLU()).eval()
    x, found = torch.rand(2, 3, 4), []
    for mode in (torch.no_grad, torch.enable_grad):
        with mode(), neuroact.record(net, layers=nn.ReLU, operations=True) as recording:
            net(x)
        found.append(recording.report().operations)
    assert found[0] == found[1]
    assert found[0]["0.self_attn.query"].dense == 6 * 16
