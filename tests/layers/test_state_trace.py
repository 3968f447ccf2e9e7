"""Where a sequence starts, found from the state alone."""

from __future__ import annotations

import weakref
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from neuroact.layers.state_trace import StateTrace


class Nested(NamedTuple):
    v: Tensor
    inner: tuple[Tensor, ...]


def state() -> Nested:
    return Nested(torch.zeros(2, 3), (torch.zeros(2), torch.zeros(2, 3)))


def test_the_first_call_starts_a_sequence_whatever_it_is_given() -> None:
    mem = torch.zeros(2, 3)
    assert not StateTrace().continues(given=mem, left=mem)


def test_the_state_that_the_last_call_left_continues() -> None:
    trace, left = StateTrace(), state()
    trace.continues(given=None, left=left)
    assert trace.continues(given=left, left=state())


def test_a_detached_state_continues_in_place_or_not() -> None:
    trace = StateTrace()
    left = torch.ones(2, 3, requires_grad=True) * 2
    trace.continues(given=None, left=left)
    newer = torch.ones(2, 3, requires_grad=True) * 2
    assert trace.continues(given=left.detach(), left=newer)
    newer.detach_()
    assert trace.continues(given=newer, left=newer)


@pytest.mark.parametrize("given", [None, 0.0, (), (None, 0.0), {}])
def test_no_state_starts_a_sequence(given: object) -> None:
    trace, mem = StateTrace(), torch.zeros(2, 3)
    trace.continues(given=None, left=mem)
    assert not trace.continues(given=given, left=mem)


def test_a_layer_without_state_starts_a_sequence_with_each_call() -> None:
    trace = StateTrace()
    assert not any(trace.continues(given=None, left=None) for _ in range(3))


def test_one_part_replaced_starts_a_sequence() -> None:
    trace, left = StateTrace(), state()
    trace.continues(given=None, left=left)
    reset_in_part = left._replace(inner=(left.inner[0], torch.zeros(2, 3)))
    assert not trace.continues(given=reset_in_part, left=reset_in_part)


def test_equal_values_in_other_memory_are_another_state() -> None:
    trace, left = StateTrace(), torch.zeros(2, 3)
    trace.continues(given=None, left=left)
    assert not trace.continues(given=left.clone(), left=left)


def test_another_part_of_the_same_memory_is_another_state() -> None:
    trace, every_step = StateTrace(), torch.zeros(5, 2, 3)
    trace.continues(given=None, left=every_step[3])
    assert not trace.continues(given=every_step[2], left=every_step[3])
    assert trace.continues(given=every_step[3], left=every_step[4])


def test_a_state_that_changes_shape_in_the_call_was_not_used() -> None:
    trace, left = StateTrace(), torch.zeros(4, 3)
    trace.continues(given=None, left=left)
    assert not trace.continues(given=left, left=torch.zeros(2, 3))


def test_freed_memory_that_is_used_again_is_not_mistaken_for_the_old_state() -> None:
    """The allocator gives a freed block to the next tensor of that size, at the same address."""
    trace, addresses, continued = StateTrace(), set(), 0
    for _ in range(50):
        mem = torch.zeros(64, 64)
        addresses.add(mem.data_ptr())
        continued += trace.continues(given=mem, left=mem)
        del mem
    assert len(addresses) < 50, "no address was used again, so this proves nothing"
    assert continued == 0


def test_the_state_is_not_kept_alive() -> None:
    trace, left = StateTrace(), torch.zeros(2, 3)
    trace.continues(given=None, left=left)
    weak, storage = weakref.ref(left), weakref.ref(left.untyped_storage())
    del left
    assert weak() is None
    assert storage() is None


def test_sparse_states_are_recognised() -> None:
    trace, left = StateTrace(), torch.eye(3).to_sparse()
    trace.continues(given=None, left=left)
    assert trace.continues(given=left, left=left)
    assert not trace.continues(given=left.clone(), left=left)


def test_forget_makes_the_next_call_a_start() -> None:
    trace, left = StateTrace(), torch.zeros(2, 3)
    trace.continues(given=None, left=left)
    trace.forget()
    assert not trace.continues(given=left, left=left)
