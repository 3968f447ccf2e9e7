"""`Steps` counts a call that continues the last one, and leaves all others to Python."""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from cores import find_core, taken
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from layers import SHAPE, Watched, run_at_once, spikes

core = find_core()


def state(*shape: int) -> Tensor:
    return torch.zeros(shape or SHAPE)


def test_before_begin_python_reads_every_call() -> None:
    watched, values = Watched(core), spikes()
    output = watched.call(values, state())
    assert output[0] is values
    assert (watched.counted, len(watched.finished), watched.steps.left) == (0, 1, 0)


def test_a_call_that_continues_is_counted_and_its_output_comes_out() -> None:
    watched, first = Watched(core, core.Bits(SHAPE)), state()
    assert watched.begin(first, most=100) is True
    came, before = [], first
    for number in range(60):
        came.append(spikes(number))
        after = state()
        output = watched.call(came[-1], before, after=[after])
        assert output[0] is came[-1]
        assert output[1] is after
        before = after
    assert (watched.finished, watched.steps.left) == ([], 40)
    expected = torch.stack(came).sum(2).int().numpy()
    np.testing.assert_array_equal(taken(watched.target)[4], expected)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_it_counts_whatever_number_of_states_there_is(count: int) -> None:
    watched, states = Watched(core), [state(n + 1, 2) for n in range(count)]
    assert watched.begin(*states)
    for _ in range(3):
        after = [state(n + 1, 2) for n in range(count)]
        watched.call(spikes(), *states, after=after)
        states = after
    assert (watched.counted, watched.finished) == (3, [])
    swapped = [*states[1:], states[0]]
    watched.call(spikes(), *swapped, after=states)
    assert (watched.counted, len(watched.finished)) == (3 + (count == 1), count > 1)


@pytest.mark.parametrize("kind", [tuple, list])
def test_states_are_tuples_or_lists(kind: Callable[[Any], Any]) -> None:
    watched, held = Watched(core), state()
    watched.steps.pattern(watched.values, lambda out: kind(out[1:]))
    assert watched.steps.begin(watched.target, watched.flush, kind([held]), 10)
    watched.steps((), {}, (spikes(), held), kind([held]))
    assert (watched.counted, watched.finished) == (1, [])


def test_a_detached_state_continues_and_a_copy_does_not() -> None:
    watched = Watched(core)
    held = nn.Parameter(torch.ones(SHAPE)) * 2
    assert watched.begin(held)
    watched.call(spikes(), held.detach(), after=[held])
    watched.call(spikes(), held.detach().requires_grad_(), after=[held])
    watched.call(spikes(), held.data, after=[held])
    assert (watched.counted, watched.finished) == (3, [])
    watched.call(spikes(), held.clone(), after=[held])
    assert (watched.counted, len(watched.finished)) == (3, 1)


def test_a_state_continues_if_only_its_storage_is_left() -> None:
    watched, held = Watched(core), state()
    assert watched.begin(held)
    detached = held.detach()
    del held
    watched.call(spikes(), detached)
    assert (watched.counted, watched.finished) == (1, [])


def test_an_absent_state_is_not_taken_for_a_freed_one() -> None:
    watched, held = Watched(core), state().requires_grad_()
    assert watched.begin(held)
    del held
    absent: Any = None
    watched.call(spikes(), absent, after=[state()])
    assert (watched.counted, len(watched.finished)) == (0, 1)
    assert watched.steps.stop() == [(None, None, 0)]


@given(st.data())
def test_a_call_is_counted_if_and_only_if_it_continues(data: st.DataObject) -> None:
    watched, memory = Watched(core), torch.zeros(4, 5)
    ways: dict[str, Callable[[Tensor], Tensor]] = {
        "the same": lambda tensor: tensor,
        "detached": Tensor.detach,
        "another": torch.clone,
        "at the start of its memory": lambda tensor: tensor.as_strided(SHAPE, (5, 1), 0),
        "further on": lambda tensor: memory[2:],
        "of another shape": lambda tensor: tensor.view(-1),
    }
    way = st.sampled_from(sorted(ways))
    last, kept, counted = memory[:2], [memory[:2]], 0
    assert watched.begin(last)
    for _ in range(data.draw(st.integers(1, 8))):
        start = last if data.draw(st.booleans()) else data.draw(st.sampled_from(kept))
        given_state = ways[data.draw(way, "given")](start)
        after = ways[data.draw(way, "left")](data.draw(st.sampled_from([given_state, *kept])))
        continues = given_state is last or (
            given_state.untyped_storage() is last.untyped_storage()
            and given_state.storage_offset() == last.storage_offset()
            and given_state.shape == last.shape
        )
        watched.call(spikes(), given_state, after=[after])
        kept += [given_state, after]
        if continues and after.shape == last.shape:
            counted, last = counted + 1, after
        assert watched.counted == counted
    [(tensor, storage, offset)] = watched.steps.stop()
    assert tensor is last
    assert storage is last.untyped_storage()
    assert offset == last.storage_offset()


def test_another_part_of_the_storage_is_another_state() -> None:
    watched, memory = Watched(core), torch.zeros(4, 5)
    assert watched.begin(memory[:2])
    watched.call(spikes(), memory[2:])
    assert (watched.counted, len(watched.finished)) == (0, 1)
    watched = Watched(core)
    assert watched.begin(memory[2:])
    watched.call(spikes(), memory[2:])
    assert (watched.counted, watched.finished) == (1, [])


def test_a_state_at_the_address_of_one_that_was_freed_is_another() -> None:
    watched, memory = Watched(core), np.zeros(SHAPE)  # like an allocator that reuses memory
    held = torch.from_numpy(memory).requires_grad_()  # a small one without would be held
    assert watched.begin(held)
    address, gone = held.data_ptr(), weakref.ref(held.untyped_storage())
    del held
    assert gone() is None
    again = torch.from_numpy(memory)
    assert again.data_ptr() == address
    watched.call(spikes(), again)
    assert (watched.counted, len(watched.finished)) == (0, 1)


def test_python_reads_a_state_of_another_shape() -> None:
    memory = torch.zeros(10)
    whole = memory.view(2, 5)
    for before, left in [
        ((whole,), (memory,)),  # the same state, but the call leaves another shape
        ((memory,), (whole,)),  # the same storage, but another shape
        ((whole, whole), (whole,)),
        ((whole,), (whole, whole)),
        ((), (whole,)),
        ((whole,), ()),
    ]:
        watched = Watched(core)
        assert watched.begin(whole)
        watched.call(spikes(), *before, after=left)
        assert (watched.counted, len(watched.finished)) == (0, 1)


@pytest.mark.parametrize(
    "values",
    [
        torch.zeros(3, 5),
        torch.zeros(5, 2).T,
        torch.zeros(SHAPE).to_sparse(),
        torch.zeros(SHAPE, device="meta"),
        None,
        "spikes",
    ],
    ids=["shape", "strides", "sparse", "meta", "none", "no tensor"],
)
def test_python_reads_values_that_cannot_be_read_here(values: Any) -> None:
    watched, held = Watched(core), state()
    assert watched.begin(held)
    assert watched.call(values, held)[0] is values
    [(args, kwargs, output, given)] = watched.finished
    assert args == output == (values, held)
    assert (kwargs, given) == ({}, (held,))
    assert (watched.counted, watched.steps.left) == (0, 1000)


@pytest.mark.parametrize("found", [None, 3, "ab", {}, [None], ["state"], (3.0,)], ids=str)
@pytest.mark.parametrize("which", ["given", "left"])
def test_python_reads_anything_but_a_state(found: Any, which: str) -> None:
    watched, held = Watched(core), state()
    left = watched.left if which == "given" else lambda output: found
    watched.steps.pattern(watched.values, left)
    assert watched.begin(held)
    watched.steps((), {}, (spikes(), held), found if which == "given" else [held])
    assert (watched.counted, len(watched.finished)) == (0, 1)


def test_python_reads_a_subclass_as_state_and_none_of_its_code_runs() -> None:
    class Asking(torch.Tensor):
        @classmethod
        def __torch_function__(cls, function: Any, *args: Any, **kwargs: Any) -> Any:
            raise AssertionError("it was asked")

    held, watched = state(), Watched(core)
    with torch._C.DisableTorchFunctionSubclass():
        other = state().as_subclass(Asking)
    assert watched.begin(other) is False
    assert watched.begin(held)
    watched.call(spikes(), other, after=[held])
    watched.call(spikes(), held, after=[other])
    assert (watched.counted, len(watched.finished)) == (0, 2)


@pytest.mark.parametrize(
    "left",
    [[], (), [None], None, 3, [torch.zeros(2).to_sparse()], [torch.zeros(2), 1.0], {"v": 1}],
    ids=str,
)
def test_a_state_that_cannot_be_recognised_does_not_begin(left: Any) -> None:
    watched, held = Watched(core), state()
    assert watched.begin(held)
    assert watched.steps.begin(watched.target, watched.flush, left, 10) is False
    assert watched.steps.left == 0
    watched.call(spikes(), held)
    assert len(watched.finished) == 1


def test_after_the_most_steps_python_reads_a_call() -> None:
    watched, held = Watched(core), state()
    assert watched.begin(held, most=3)
    for left in (2, 1, 0):
        watched.call(spikes(), held)
        assert watched.steps.left == left
    watched.call(spikes(), held)
    assert (watched.counted, len(watched.finished)) == (3, 1)


def test_a_full_target_is_emptied_and_the_step_goes_into_it() -> None:
    watched, held, taken_steps = Watched(core, core.Bits(SHAPE, 3)), state(), []

    def flush() -> None:
        taken_steps.append(taken(watched.target)[0])

    assert watched.steps.begin(watched.target, flush, [held], 100)
    for _ in range(8):
        watched.call(spikes(), held)
    assert (taken_steps, watched.counted, watched.finished) == ([3, 3], 2, [])


def test_python_reads_the_call_if_the_target_stays_full() -> None:
    watched, held = Watched(core, core.Bits(SHAPE, 1)), state()
    assert watched.begin(held)
    for _ in range(3):
        watched.call(spikes(), held)
    assert (watched.counted, watched.flushed, len(watched.finished)) == (1, 2, 2)


def test_padding_is_padding_here_too() -> None:
    watched, held = Watched(core, core.Bits(SHAPE)), state()
    watched.target.until(np.array([1, 2]))
    assert watched.begin(held)
    for _ in range(3):
        watched.call(torch.ones(SHAPE), held)
    assert taken(watched.target)[4].tolist() == [[5, 5], [0, 5], [0, 0]]


class FoundError(Exception):
    """An error that the functions raise."""


def raises(*args: object) -> Any:
    raise FoundError


@pytest.mark.parametrize("which", ["full", "finish"])
def test_what_is_raised_comes_out_and_the_next_call_is_counted(which: str) -> None:
    watched, held = Watched(core, core.Bits(SHAPE, 1)), state()
    armed = [False]

    def maybe(function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *args, **kwargs: raises() if armed[0] else function(*args, **kwargs)

    flush = (
        maybe(lambda: taken(watched.target)) if which == "full" else lambda: taken(watched.target)
    )
    steps = core.Steps(maybe(watched.finish))
    steps.pattern(watched.values, watched.left)
    assert steps.begin(watched.target, flush, [held], 100)
    steps((), {}, (spikes(), held), [held])
    armed[0] = True
    values = torch.zeros(1) if which == "finish" else spikes()
    with pytest.raises(FoundError):
        steps((), {}, (values, held), [held])
    assert (watched.counted, steps.left) == (0 if which == "finish" else 1, 99)
    armed[0] = False
    steps((), {}, (spikes(), held), [held])
    assert (watched.counted, steps.left, watched.finished) == (1, 98, [])


@pytest.mark.parametrize("which", ["values", "left"])
def test_python_reads_a_call_whose_parts_are_not_found_and_interrupts_come_out(which: str) -> None:
    watched, held = Watched(core), state()
    error: list[type[BaseException]] = [FoundError]

    def find(output: Any) -> Any:
        raise error[0]

    functions = {"values": watched.values, "left": watched.left, which: find}
    watched.steps.pattern(functions["values"], functions["left"])
    assert watched.begin(held)
    watched.call(spikes(), held)
    assert (watched.counted, len(watched.finished)) == (0, 1)
    error[0] = KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        watched.call(spikes(), held)
    assert (watched.counted, len(watched.finished)) == (0, 1)


def test_stop_stops_it_and_releases_the_target() -> None:
    watched, held = Watched(core), state()
    before = sys.getrefcount(watched.target)
    for stop in (watched.steps.stop, lambda: watched.steps.pattern(len, len)):
        assert watched.begin(held)
        begun = sys.getrefcount(watched.target)
        stop()
        stopped = sys.getrefcount(watched.target)
        assert (watched.steps.left, begun, stopped) == (0, before + 1, before)
        watched.call(spikes(), held)
    assert (watched.counted, len(watched.finished)) == (0, 2)


@pytest.mark.parametrize("at", ["forward", "given", "values", "left", "full"])
@pytest.mark.parametrize("what", ["stop", "pattern", "begin", "call", "again"])
def test_whatever_happens_during_a_call_it_is_counted_once_or_left_to_python(
    at: str, what: str
) -> None:
    watched, held, other = Watched(core, core.Bits(SHAPE, 2)), state(), state()
    inside, calls = [False], [0]

    def disturb() -> None:
        if inside[0]:
            return
        inside[0] = True
        if what == "stop":
            watched.steps.stop()
        elif what == "pattern":
            watched.steps.pattern(watched.values, watched.left)
        elif what == "begin":
            watched.steps.begin(core.Sums(SHAPE), lambda: None, [other], 5)
        elif what == "call":
            watched.call(spikes(1), held, after=[other])
            calls[0] += 1
        else:
            watched.steps.begin(watched.target, flush, [held], 5)
        inside[0] = False

    def disturbing(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def disturbed(*args: Any, **kwargs: Any) -> Any:
            if name == at:
                disturb()
            return function(*args, **kwargs)

        return disturbed

    flushed = []

    def take() -> None:
        flushed.append(taken(watched.target)[0])

    flush = disturbing("full", take)
    for name in ("given", "forward", "values", "left"):
        setattr(watched, name, disturbing(name, getattr(watched, name)))
    watched.steps.pattern(watched.values, watched.left)
    assert watched.steps.begin(watched.target, flush, [held], 100)
    for _ in range(7):
        output = watched.call(spikes(), held)
        assert output[1] is held
        calls[0] += 1
    found = sum(flushed) + watched.counted + len(watched.finished)
    # Steps in the other target are not counted here.
    assert found <= calls[0] if what == "begin" else found == calls[0]


@pytest.mark.parametrize("with_gradients", [False, True])
def test_stop_returns_the_state_of_the_last_step(with_gradients: bool) -> None:
    watched, memory = Watched(core), torch.zeros(20)
    assert watched.steps.stop() == []

    def part(offset: int) -> Tensor:
        return memory.as_strided(SHAPE, (5, 1), offset).detach().requires_grad_(with_gradients)

    before, after = part(0), part(10)
    assert watched.begin(before)
    watched.call(spikes(), before, after=[after])
    [(tensor, storage, offset)] = watched.steps.stop()
    assert tensor is after
    assert storage is memory.untyped_storage()
    assert offset == 10
    assert watched.steps.stop() == []
    watched.call(spikes(), after)
    assert (watched.counted, len(watched.finished)) == (1, 1)


def test_stop_returns_none_for_a_freed_tensor_and_the_storage_that_is_left() -> None:
    watched, memory = Watched(core), torch.zeros(SHAPE)
    assert watched.begin(memory[1:], memory[:1])
    [first, second] = watched.steps.stop()
    assert first == (None, memory.untyped_storage(), 5)
    assert second == (None, memory.untyped_storage(), 0)


@pytest.mark.parametrize("with_gradients", [False, True])
def test_a_state_whose_memory_was_replaced_is_another_state(with_gradients: bool) -> None:
    def replaced() -> tuple[Watched, Tensor]:
        watched, held = Watched(core), state().requires_grad_(with_gradients)
        assert watched.begin(held)
        held.data = state()
        return watched, held

    watched, held = replaced()
    watched.call(spikes(), held.detach())
    assert (watched.counted, len(watched.finished)) == (0, 1)
    [(tensor, storage, _)] = watched.steps.stop()
    assert tensor is held
    assert storage is None
    watched, held = replaced()
    watched.call(spikes(), held)  # which it is by itself
    assert (watched.counted, watched.finished) == (1, [])


def test_in_another_thread_python_reads_a_detached_state_but_the_same_tensors_are_counted() -> None:
    watched, held = Watched(core), state()
    assert watched.begin(held)

    def there(given: Tensor) -> None:
        thread = threading.Thread(target=watched.call, args=(spikes(), given))
        thread.start()
        thread.join()

    there(held)
    assert (watched.counted, watched.finished) == (1, [])
    there(held.detach())
    assert (watched.counted, len(watched.finished)) == (1, 1)


def test_threads_that_call_at_once_have_every_call_counted_or_read() -> None:
    watched, held = Watched(core, core.Bits(SHAPE)), state()
    counted, read, lock = [], [], threading.Lock()

    def flush() -> None:
        with lock:
            if watched.target.steps == 64:
                counted.append(taken(watched.target)[0])

    def finish(*args: object) -> None:
        read.append(args)

    steps = core.Steps(finish)
    steps.pattern(watched.values, watched.left)
    assert steps.begin(watched.target, flush, [held], 10**6)

    def work() -> None:
        for _ in range(400):
            steps((), {}, (spikes(), held), [held])

    run_at_once(work)
    assert sum(counted) + watched.target.steps + len(read) == 1600
    assert steps.left == 10**6 - 1600 + len(read)


@pytest.mark.parametrize("began", [False, True])
def test_its_arguments_are_checked(began: bool) -> None:
    watched, held = Watched(core), state()
    if began:
        assert watched.begin(held)
    for arguments in [(), (1, 2, 3), (1, 2, 3, 4, 5)]:
        with pytest.raises(TypeError):
            watched.steps(*arguments)
    with pytest.raises(TypeError):
        watched.steps((), {}, (spikes(), held), given=[held])
    with pytest.raises(TypeError, match="target: expected Bits or Sums"):
        watched.steps.begin(held, watched.flush, [held], 1)
    with pytest.raises(TypeError):
        watched.steps.begin(watched.target, watched.flush, [held])
    with pytest.raises(TypeError):
        watched.steps.pattern(1, 2, 3)
    with pytest.raises(TypeError):
        core.Steps()
    with pytest.raises(RuntimeError, match="expected a pattern before begin"):
        core.Steps(len).begin(watched.target, watched.flush, [held], 1)
    assert watched.steps.left == (1000 if began else 0)
