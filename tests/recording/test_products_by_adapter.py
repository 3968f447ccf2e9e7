"""An adapter says what a module multiplies; the figures are those of loops and those by hand."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.utils import counters
from torch.utils.checkpoint import checkpoint

import neuroact
from neuroact import LayerCall, Recording, SignalKind, SpikeChunk, SynapticProduct
from neuroact.errors import (
    LayerNameError,
    OtherProcessError,
    RecordingFileError,
    UnsupportedModelError,
)
from neuroact.recording.watched_products import WatchedProducts

FIGURES = ("dense", "acs", "macs", "weighted", "events", "ones", "observations")


class Attention(nn.Module):
    """Spikes in. It clears what it was given, unless a backward pass needs that."""

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        scores = q @ k.transpose(-2, -1)
        if not v.requires_grad:
            q.zero_()
        return scores @ v


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention, self.act = Attention(), nn.ReLU()

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return self.act(self.attention(q + 0, k, v=v))  # type: ignore[no-any-return]


class Adapter:
    """Knows how `Attention` multiplies."""

    framework = "mine"

    def __init__(self) -> None:
        self.fails: str | None = None

    def kind(self, module: nn.Module) -> SignalKind | None:
        return SignalKind.GRADED if isinstance(module, nn.ReLU) else None

    def read(self, module: nn.Module, call: LayerCall) -> SpikeChunk:
        values = call.output.flatten(0, -2)
        return SpikeChunk.of_step(values, SignalKind.GRADED, starts_sequence=True)

    def products_at(self, module: nn.Module) -> nn.Module | None:
        return module if isinstance(module, Attention) else None

    def products(self, module: nn.Module, call: LayerCall) -> Mapping[str, SynapticProduct]:
        if self.fails is not None:
            raise ValueError(self.fails)
        q, k, v = call.args[0], call.argument(1, "k"), call.argument(2, "v")
        scores = SynapticProduct(q, k.transpose(-2, -1))
        return {"scores": scores, "weighted": SynapticProduct(q @ k.transpose(-2, -1), v)}


def spikes(seed: int = 0, batch: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    q, k, v = torch.randint(0, 3, (3, batch, 4, 5), generator=generator).sub(1).float()
    return q, k, v


def record(model: nn.Module, adapter: Any = None) -> Recording:
    return neuroact.record(model, adapters=[adapter or Adapter()], operations=True)


def figures(recording: Recording) -> dict[str, tuple[Any, ...]]:
    operations = recording.report().operations
    return {name: tuple(getattr(operations[name], f) for f in FIGURES) for name in operations}


def by_hand(*calls: tuple[Tensor, Tensor, Tensor]) -> dict[str, tuple[Any, ...]]:
    recording = Recording()
    recording.observe("act", torch.ones(1, 1, 1))
    for q, k, v in calls:
        scores = q @ k.transpose(-2, -1)
        recording.observe_product("attention.scores", q, k.transpose(-2, -1))
        recording.observe_product("attention.weighted", scores, v)
    return figures(recording)


def effective_by_loops(left: Tensor, right: Tensor) -> tuple[int, int]:
    """ACs and MACs, by looking at every pair."""
    acs = macs = 0
    for a, b in zip(left.tolist(), right.tolist(), strict=True):
        for row, inner, column in itertools.product(a, range(len(b)), range(len(b[0]))):
            one, other = row[inner], b[inner][column]
            if one and other:
                acs += 1 in (abs(one), abs(other))
                macs += 1 not in (abs(one), abs(other))
    return acs, macs


def test_the_figures_are_those_of_loops_and_those_by_hand() -> None:
    net, calls = Net(), [spikes(0), spikes(1, batch=3)]
    with record(net) as recording:
        for call in calls:
            net(*call)
    assert figures(recording) == by_hand(*calls)
    for part in ("scores", "weighted"):
        found = [0, 0]
        for q, k, v in calls:
            left, right = (
                (q, k.transpose(-2, -1)) if part == "scores" else (q @ k.transpose(-2, -1), v)
            )
            acs, macs = effective_by_loops(left, right)
            found = [found[0] + acs, found[1] + macs]
        layer = recording.report().operations[f"attention.{part}"]
        assert [layer.acs, layer.macs] == found
    assert not recording.report().operations.not_counted


def test_the_model_works_as_before_and_is_left_as_found() -> None:
    net, call = Net(), spikes()
    held, before = dict(vars(net.attention)), net(*call)
    state = torch.get_rng_state()
    with record(net):
        assert torch.equal(net(*call), before)
        assert "forward" not in vars(copy.deepcopy(net).attention)
    assert torch.equal(torch.get_rng_state(), state)
    assert vars(net.attention) == held


def test_gradients_and_what_a_checkpoint_repeats() -> None:
    net, (q, k, v) = Net(), spikes()
    q, k, v = (each.requires_grad_() for each in (q, k, v))
    net(q, k, v).sum().backward()
    assert v.grad is not None
    expected, v.grad = v.grad, None
    for reentrant in (True, False):
        with record(net) as recording:
            checkpoint(net, q, k, v, use_reentrant=reentrant).sum().backward()  # type: ignore[no-untyped-call]
        assert torch.equal(v.grad, expected)
        v.grad = None
        assert figures(recording) == by_hand((q, k, v))


def test_calls_in_inference_mode_count() -> None:
    net = Net()
    with torch.inference_mode(), record(net) as recording:
        net(*spikes())
    net(*spikes())
    assert figures(recording) == by_hand(spikes())


def test_pause_resume_reset_and_close() -> None:
    net = Net()
    recording = record(net)
    net(*spikes(0))
    recording.pause()
    net(*spikes(1))
    recording.resume()
    net(*spikes(2))
    assert figures(recording) == by_hand(spikes(0), spikes(2))
    recording.reset()
    net(*spikes(3))
    recording.close()
    net(*spikes(4))
    assert figures(recording) == by_hand(spikes(3))


def test_any_split_and_order_merged_from_files_are_the_whole() -> None:
    net, parts = Net(), []
    for seed in range(3):
        with record(net) as part:
            net(*spikes(seed))
        parts.append(part)
    for order in itertools.permutations(parts):
        merged = Recording()
        for part in order:
            merged.merge(Recording.from_bytes(part.to_bytes()))
        assert figures(merged) == by_hand(*map(spikes, range(3)))
        with pytest.raises(LayerNameError, match=r"attention\.scores"):
            merged.observe_product("attention.scores", torch.ones(1, 1), torch.ones(1, 1))


def test_an_error_names_the_module_and_the_model_runs_on() -> None:
    net, adapter = Net(), Adapter()
    good = record(net)
    net(*spikes(0))
    good.close()
    with record(net, adapter) as recording:
        net(*spikes(0))
        adapter.fails = "q has no heads"
        before = torch.equal(net(*spikes(1)), Net()(*spikes(1)))
        adapter.fails = None
        net(*spikes(2))
    assert before
    for ours, theirs in ((recording, good), (good, recording)):
        merged = Recording.from_bytes(ours.to_bytes())
        merged.merge(Recording.from_bytes(theirs.to_bytes()))
        for each in (recording, merged):
            operations = each.report().operations
            assert list(operations) == []
            assert list(operations.not_counted) == ["attention.products"]
            assert "q has no heads" in operations.not_counted["attention.products"]


def test_a_reset_forgets_an_error() -> None:
    net, adapter = Net(), Adapter()
    with record(net, adapter) as recording:
        adapter.fails = "once"
        net(*spikes(0))
        recording.reset()
        adapter.fails = None
        net(*spikes(1))
    assert figures(recording) == by_hand(spikes(1))


@pytest.mark.parametrize("wrong", [None, {"scores": 3}, {3: SynapticProduct([[1]], [[1]])}])
def test_what_is_no_product_is_named(wrong: Any) -> None:
    class Wrong(Adapter):
        def products(self, module: nn.Module, call: LayerCall) -> Any:
            return wrong

    net = Net()
    with record(net, Wrong()) as recording:
        net(*spikes())
    assert (
        "could not read a call" in recording.report().operations.not_counted["attention.products"]
    )


def test_a_module_that_was_not_called_is_named() -> None:
    net = Net()
    with record(net) as recording:
        net.act(torch.ones(2, 2))
    why = recording.report().operations.not_counted
    assert why == {"attention.products": "no call of it was seen to multiply two activations"}


def test_products_are_read_where_a_module_within_shows_them() -> None:
    class Outer(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: Tensor) -> Tensor:
            q: Tensor = self.inner(x)
            return q @ q.transpose(-2, -1)

    class Within(Adapter):
        def products_at(self, module: nn.Module) -> nn.Module | None:
            return module.inner if isinstance(module, Outer) else None

        def products(self, module: nn.Module, call: LayerCall) -> Mapping[str, SynapticProduct]:
            return {"scores": SynapticProduct(call.output, call.output.transpose(-2, -1))}

    x, acts = spikes()[0][..., :4], [nn.ReLU(), nn.ReLU()]
    with record(net := nn.Sequential(*map(Outer, acts)), Within()) as recording:
        net(x)
    first, second = acts[0](x), acts[1](acts[0](x) @ acts[0](x).transpose(-2, -1))
    for name, q in (("0.scores", first), ("1.scores", second)):
        found = recording.report().operations[name]
        assert (found.acs, found.macs) == effective_by_loops(q, q.transpose(-2, -1))

    with record(net := nn.Sequential(*map(Outer, acts[:1] * 2)), Within()) as recording:
        net(x)
    operations = recording.report().operations
    assert list(operations) == []
    assert list(operations.not_counted) == ["0.products", "1.products"]
    assert "cannot be told apart" in operations.not_counted["0.products"]


def test_a_name_that_is_counted_already_is_not_counted_twice() -> None:
    net = Net()
    with record(net) as recording:
        recording.observe_product("attention.scores", torch.ones(1, 1), torch.ones(1, 1))
        net(*spikes())
    operations = recording.report().operations
    assert operations["attention.scores"].dense == 1
    assert "counted already" in operations.not_counted["attention.products"]


def test_it_takes_the_place_of_what_neuroact_cannot_see() -> None:
    class OfTorch(Adapter):
        def products_at(self, module: nn.Module) -> nn.Module | None:
            return module if isinstance(module, nn.MultiheadAttention) else None

        def products(self, module: nn.Module, call: LayerCall) -> Mapping[str, SynapticProduct]:
            return {"scores": SynapticProduct(call.args[0], call.args[1].transpose(-2, -1))}

    net = nn.ModuleDict({"attention": nn.MultiheadAttention(4, 1), "act": nn.ReLU()})
    q = torch.ones(3, 4)
    with record(net, OfTorch()) as recording:
        net["act"](net["attention"](q, q, q)[0])
    operations = recording.report().operations
    assert operations["attention.scores"].acs == 3 * 3 * 4
    assert "attention.products" not in operations.not_counted


def test_a_compiled_model_counts_them_outside_of_its_program() -> None:
    net = Net()
    compiled = torch.compile(net, backend="aot_eager")
    counters.clear()
    with record(compiled) as recording:
        for seed in range(2):
            assert torch.equal(compiled(*spikes(seed)), Net()(*spikes(seed)))
    assert sum(counters["graph_break"].values())
    assert figures(recording) == by_hand(spikes(0), spikes(1))


def test_a_call_within_a_transform_is_named() -> None:
    attention = nn.ModuleDict({"attention": Attention(), "act": nn.ReLU()})
    with record(attention) as recording:
        attention["act"](torch.ones(1, 1))
        torch.func.vmap(lambda q, k, v: attention["attention"](q * 1, k, v))(*spikes())
    why = recording.report().operations.not_counted["attention.products"]
    assert "torch.func" in why


def test_what_cannot_be_counted_is_refused() -> None:
    net = Net()
    with record(net) as recording:
        (watched,) = (w for w in recording._watched if isinstance(w, WatchedProducts))
        with pytest.raises(UnsupportedModelError, match='"attention"') as raised:
            watched.check_capture()
        assert raised.value.layer == "attention"
        watched.refuse()
        with pytest.raises(OtherProcessError, match='"attention"'):
            net.attention(*spikes())
    assert "forward" not in vars(net.attention)


@pytest.mark.parametrize("entry", [[3, []], [None, ["lost"]], [None], 7])
def test_a_damaged_file_is_refused(entry: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    net = Net()
    with record(net) as recording:
        net(*spikes())
    connections: Any = recording._connections
    document, tensors = connections.document()
    document["by_adapter"] = {"attention.products": entry}
    monkeypatch.setattr(connections, "document", lambda: (document, tensors))
    with pytest.raises(RecordingFileError):
        Recording.from_bytes(recording.to_bytes())
