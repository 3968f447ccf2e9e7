"""Operations of products of two activations are those that loops over every pair count."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import neuroact
from neuroact import Recording
from neuroact.errors import (
    ChunkError,
    LayerNameError,
    MergeError,
    MissingOperationsError,
    RecordingClosedError,
    RecordingFileError,
)


def by_loops(left: Tensor, right: Tensor) -> dict[str, int]:
    """Looks at every pair that `torch.matmul` multiplies."""
    leading = torch.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    left = left.expand(*leading, *left.shape[-2:]).reshape(-1, *left.shape[-2:])
    right = right.expand(*leading, *right.shape[-2:]).reshape(-1, *right.shape[-2:])
    found = dict.fromkeys(("dense", "acs", "macs", "weighted"), 0)
    for a, b in zip(left.tolist(), right.tolist(), strict=True):
        for row, inner in itertools.product(a, range(right.shape[1])):
            for other in b[inner]:
                one = row[inner]
                found["dense"] += 1
                if one and other:
                    found["acs" if 1 in (abs(one), abs(other)) else "macs"] += 1
                    found["weighted"] += int(abs(one) * abs(other))
    return found


def product(left: Any, right: Any, times: int = 1) -> Recording:
    recording = Recording()
    recording.observe("lif", torch.ones(1, 1, 1))
    for _ in range(times):
        recording.observe_product("scores", left, right)
    return recording


def figures(recording: Recording) -> dict[str, Any]:
    layer = recording.report().operations["scores"]
    return {name: getattr(layer, name) for name in ("dense", "acs", "macs", "weighted")}


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
    torch.manual_seed(draw(st.integers(0, 999)))
    n, k, m = (draw(st.integers(1, 3)) for _ in range(3))
    leading = draw(st.sampled_from([((), ()), ((2,), (2,)), ((3, 2), (2,)), ((2, 1), (1, 3))]))
    dtype = draw(st.sampled_from([torch.float32, torch.bfloat16, torch.int8, torch.float64]))
    left, right = (
        torch.randint(-2, 3, (*leading[0], n, k)),
        torch.randint(-1, 4, (*leading[1], k, m)),
    )
    return left.to(dtype), right.to(dtype)


@given(pairs(), st.integers(1, 2))
def test_a_product_counts_every_pair(drawn: tuple[Tensor, Tensor], times: int) -> None:
    found = figures(product(*drawn, times))
    assert found == {name: times * count for name, count in by_loops(*drawn).items()}


def test_a_product_of_the_spikes_of_attention() -> None:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.q, self.k = nn.Linear(4, 4), nn.Linear(4, 4)
            self.spike = nn.ReLU()
            self.recording: Recording | None = None

        def forward(self, x: Tensor) -> Tensor:
            q, k = self.spike(self.q(x)).gt(0).float(), self.k(x).gt(0).float()
            if self.recording is not None:
                self.recording.observe_product("scores", q, k.transpose(-2, -1))
            return q @ k.transpose(-2, -1)

    net, x = Attention(), torch.rand(2, 3, 4) - 0.5
    with torch.no_grad(), neuroact.record(net, layers="spike", operations=True) as recording:
        net.recording = recording
        scores = net(x)
        net.recording = None
    operations = recording.report().operations
    assert operations["scores"].acs == int(scores.sum())
    assert operations["scores"].observations == 2
    assert operations["scores"].layer_type == "product"
    assert operations["scores"].fan_out != operations["scores"].fan_out
    assert list(operations) == ["q", "k", "scores"]
    assert operations.total.dense == 2 * 6 * 16 + 2 * 3 * 3 * 4
    assert "scores" in str(operations)


def test_any_split_and_any_order_of_a_sum_are_the_whole() -> None:
    torch.manual_seed(0)
    left, right = torch.randint(0, 3, (6, 3, 4)), torch.randint(0, 3, (6, 4, 2))
    whole = product(left, right)
    parts = [product(a, b) for a, b in zip(left.split(2), right.split(2), strict=True)]  # type: ignore[no-untyped-call]
    for order in itertools.permutations(parts):
        merged = Recording()
        for part in order:
            merged.merge(Recording.from_bytes(part.to_bytes()))
        assert dict(merged.report().operations) == dict(whole.report().operations)
        report = merged.report()
        assert neuroact.ActivityReport.from_json(report.to_json()) == report


def test_a_product_takes_the_place_of_what_is_named_as_not_counted() -> None:
    net = nn.ModuleDict({"attention": nn.MultiheadAttention(4, 1), "act": nn.ReLU()})
    with neuroact.record(net, layers="act", operations=True) as recording:
        x = net["act"](torch.ones(2, 4))
        net["attention"](x, x, x)
        before = recording.report().operations
        recording.observe_product("attention.products", torch.ones(2, 4), torch.ones(4, 2))
    after = recording.report().operations
    assert "attention.products" in before.not_counted
    assert "attention.products" not in after.not_counted
    assert after["attention.products"].acs == 16


def test_a_reset_forgets_products() -> None:
    recording = product(torch.ones(1, 1), torch.ones(1, 1))
    recording.reset()
    recording.observe("lif", torch.ones(1, 1, 1))
    assert not recording.report().operations
    recording.observe_product("scores", torch.ones(1, 1), torch.ones(1, 1))
    assert figures(recording)["dense"] == 1


def test_values_that_are_not_whole_have_no_weighted_figure() -> None:
    assert figures(product([[0.5]], [[2.0]]))["weighted"] is None
    assert figures(product([[0.5]], [[2.0]]))["macs"] == 1
    huge = torch.full((1, 2), 2.0**24), torch.full((2, 1), 2.0**24)
    assert figures(product(*huge))["weighted"] == 2**49
    assert (
        figures(product(torch.full((99, 1), 2.0**24), torch.full((1, 99), 2.0**24)))["weighted"]
        is None
    )


def test_a_value_that_is_not_finite_is_named() -> None:
    operations = product([[float("inf")]], [[1.0]]).report().operations
    assert "a NaN or an infinity" in operations.not_counted["scores"]


@pytest.mark.parametrize(
    ("left", "right", "why"),
    [
        (torch.ones(2, 3), torch.ones(2, 3), r"\[\.\.\., n, k\] and right .* came \[2, 3\] and"),
        (torch.ones(3), torch.ones(3, 2), r"came \[3\] and \[3, 2\]"),
        (torch.ones(2, 1, 3), torch.ones(4, 3, 1), "can be broadcast"),
        (torch.ones(1, 1, dtype=torch.complex64), torch.ones(1, 1), "real numbers"),
        (object(), torch.ones(1, 1), "cannot be read as an array"),
    ],
)
def test_what_is_no_product_is_an_error_that_names_it(left: Any, right: Any, why: str) -> None:
    with pytest.raises(ChunkError, match=f'product "scores": .*{why}') as raised:
        product(left, right)
    assert raised.value.layer == "scores"


def test_a_product_where_it_cannot_be_counted_is_refused() -> None:
    net = nn.ModuleDict({"fc": nn.Linear(2, 2), "act": nn.ReLU()})
    one = torch.ones(2, 2)
    with neuroact.record(net, layers="act") as recording:
        with pytest.raises(MissingOperationsError):
            recording.observe_product("scores", one, one)
        with pytest.raises(TypeError, match="expected the name of a product, came 3"):
            recording.observe_product(3, one, one)  # type: ignore[arg-type]
    with neuroact.record(net, layers="act", operations=True) as recording:
        net["act"](one)
        with pytest.raises(LayerNameError, match='"fc" is a layer of the model'):
            recording.observe_product("fc", one, one)
    with pytest.raises(RecordingClosedError):
        recording.observe_product("scores", one, one)
    other = product(one, one)
    other._connections.products["fc"] = other._connections.products.pop("scores")  # type: ignore[union-attr]
    with pytest.raises(MergeError, match='of a product "fc" to those of a layer'):
        recording.merge(other)


@pytest.mark.parametrize("change", ["negative", "huge", "faster", "lost", "foreign", "wide"])
def test_a_damaged_product_in_a_file_is_refused(
    change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = product(torch.ones(2, 2), torch.ones(2, 2))
    connections: Any = recording._connections
    document, tensors = connections.document()
    if change == "negative":
        tensors["products.0.macs"] -= 1
    elif change == "huge":
        tensors["products.0.events"].fill_(2**62)
    elif change == "faster":
        tensors["products.0.acs"] += 1
    elif change == "lost":
        del tensors["products.0.acs"]
    elif change == "wide":
        tensors["products.0.unreliable"] = torch.zeros(3, dtype=torch.bool)
    else:
        tensors["products.0.acs"] = tensors["products.0.acs"].float()
    monkeypatch.setattr(connections, "document", lambda: (document, tensors))
    with pytest.raises(RecordingFileError):
        Recording.from_bytes(recording.to_bytes())


@pytest.mark.parametrize("names", [[3], ["scores", "scores"], ["fc"], 7])
def test_a_file_with_other_products_than_its_names_say_is_refused(
    names: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = nn.ModuleDict({"fc": nn.Linear(2, 2), "act": nn.ReLU()})
    with neuroact.record(net, layers="act", operations=True) as recording:
        net["act"](net["fc"](torch.ones(1, 2)))
        recording.observe_product("scores", torch.ones(2, 2), torch.ones(2, 2))
    connections: Any = recording._connections
    document, tensors = connections.document()
    document["products"] = names
    monkeypatch.setattr(connections, "document", lambda: (document, tensors))
    with pytest.raises(RecordingFileError):
        Recording.from_bytes(recording.to_bytes())
