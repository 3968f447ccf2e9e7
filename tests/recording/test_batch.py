"""`with recording.batch(...)` says something of the samples inside the block, and only there."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from toy import Net, ToyAdapter

import neuroact
from neuroact import ClassActivity, InterspikeIntervals, Recording, SpikeCounts


def steps(count: int, batch: int = 2) -> Tensor:
    return torch.ones(count, batch, 1)


def observed(recording: Recording) -> tuple[int, list[int]]:
    """The observations of each neuron, in all and by class."""
    layer = recording.report()["lif"]
    return layer.observations, layer[ClassActivity].class_observations.tolist()


def test_a_block_that_says_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"valid= or lengths=, labels="), Recording().batch():
        pass


def test_what_a_batch_cannot_be_is_refused_at_the_call_before_any_block_is_entered() -> None:
    """A call without `with` is of no use, and shall at least not hide a wrong argument."""
    with pytest.raises(ValueError, match=r"valid= or lengths=, labels="):
        Recording().batch()
    with pytest.raises(ValueError, match="none of the recording's statistics counts by class"):
        Recording().batch(labels=[0, 1])


def test_a_block_says_nothing_of_later_calls_also_if_it_raised() -> None:
    recording = Recording(statistics=ClassActivity)
    with suppress(KeyError), recording.batch(lengths=[3, 1], labels=[0, 1]):
        recording.observe("lif", steps(3))
        raise KeyError
    recording.observe("lif", steps(3, batch=5))
    assert observed(recording) == (4 + 15, [3, 1])


def test_where_the_inner_block_says_nothing_the_outer_one_holds() -> None:
    recording = Recording(statistics=ClassActivity)
    with recording.batch(lengths=[4, 1]):
        recording.observe("lif", steps(1))
        with recording.batch(labels=[0, 1]):
            recording.observe("lif", steps(2), starts_sequence=False)  # steps 1 and 2 of `lengths`
        recording.observe("lif", steps(1), starts_sequence=False)
    assert observed(recording) == (2 + 2 + 1, [2, 0])
    recording = Recording(statistics=ClassActivity)
    with recording.batch(labels=[0, 1]), recording.batch(valid=[True, False]):
        recording.observe("lif", steps(3))
    assert observed(recording) == (3, [3, 0])


PIECES = st.lists(st.integers(1, 30), min_size=2, max_size=4)


@given(PIECES, st.integers(1, 40), st.booleans(), st.booleans())
def test_after_an_inner_block_the_outer_one_continues_at_its_step(
    pieces: list[int], length: int, by_mask: bool, stepwise: bool
) -> None:
    """An inner batch with its own padding runs between two pieces of the outer batch."""
    total = sum(pieces)
    mask = torch.arange(total)[:, None] < torch.tensor([length, total])
    outer: Any = {"valid": mask} if by_mask else {"lengths": [length, total]}
    values = (torch.rand(total, 2, 3) < 0.5).float()
    recording, expected = (Recording(statistics=InterspikeIntervals) for _ in range(2))

    def feed(name: str, piece: Tensor) -> None:
        for step in piece.split(1) if stepwise else [piece]:
            recording.observe(name, step, starts_sequence=name != "lif")

    with recording.batch(**outer):
        for number, piece in enumerate(values.split(pieces)):
            if number:
                with recording.batch(lengths=[1, 0]):
                    feed("other", steps(2))
            feed("lif", piece)
    expected.observe("lif", values, starts_sequence=False, valid=mask)
    assert recording.report()["lif"] == expected.report()["lif"]
    assert recording.report()["other"].observations == len(pieces) - 1


def test_an_inner_batch_of_the_same_layer_leaves_the_outer_one_where_it_was() -> None:
    for outer in ({"lengths": [3, 1]}, {"valid": torch.tensor([[1, 1], [1, 0], [1, 0]]).bool()}):
        recording = Recording()
        with recording.batch(**outer):
            recording.observe("lif", steps(1))
            recording.observe("lif", steps(1), starts_sequence=False)
            with recording.batch(lengths=[9] * 5):
                recording.observe("lif", steps(9, batch=5))
            recording.observe("lif", steps(1))
        assert recording.report()["lif"].observations == 2 + 1 + 45 + 1


def test_a_layer_first_fed_inside_the_blocks_belongs_to_their_batch() -> None:
    recording = Recording(statistics=ClassActivity)
    with recording.batch(lengths=[2, 1]), recording.batch(labels=[0, 1]):
        recording.observe("lif", steps(3))
    assert observed(recording) == (3, [2, 1])


def test_a_merge_inside_the_block_does_not_change_where_it_ends() -> None:
    other, recording = Recording(), Recording()
    other.observe("lif", steps(3))
    with recording.batch(lengths=[1, 0]):
        recording.merge(other)
        recording.observe("lif", steps(3))
    recording.observe("lif", steps(3))
    assert recording.report()["lif"].observations == 6 + 1 + 6


def test_blocks_that_end_in_another_order_leave_nothing_behind() -> None:
    recording = Recording(statistics=ClassActivity)
    one, two = recording.batch(labels=[0, 0]), recording.batch(lengths=[1, 1])
    one.__enter__()
    two.__enter__()
    recording.observe("lif", steps(3))
    one.__exit__(None, None, None)
    recording.observe("lif", steps(3))  # all steps of the second block's batch have come
    two.__exit__(None, None, None)
    recording.observe("lif", steps(3))
    assert observed(recording) == (2 + 0 + 6, [2])


class FailsOnce(SpikeCounts):
    """Raises the first time that it counts."""

    failed = False

    def _fail_once(self) -> None:
        failed, self.failed = self.failed, True
        if not failed:
            raise KeyError("a statistic of the user's own")

    def update(self, chunk: Any) -> None:
        self._fail_once()
        super().update(chunk)

    def count(self, block: Any) -> None:
        self._fail_once()
        super().count(block)


def test_a_block_that_could_not_begin_leaves_nothing_behind() -> None:
    recording = Recording(statistics=[ClassActivity, FailsOnce])
    recording.observe("lif", steps(1))  # collected; counted when the block begins
    with pytest.raises(KeyError, match="user's own"), recording.batch(labels=[0, 1]):
        pytest.fail("the block began")
    recording.observe("lif", steps(1, batch=5))
    assert observed(recording) == (2 + 5, [])


def test_every_recorded_layer_of_a_model_belongs_to_the_batch() -> None:
    torch.manual_seed(0)
    net, x = Net(), torch.randn(8, 3, 5)
    with neuroact.record(net, adapters=[ToyAdapter()], statistics=[ClassActivity]) as recording:
        with recording.batch(lengths=[8, 5, 2], labels=[0, 1, 1]):
            net(x)
        net(x)
    for layer in recording.report().values():
        assert layer.observations == 15 + 24
        assert layer[ClassActivity].class_observations.tolist() == [8, 7]
