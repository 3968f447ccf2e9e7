"""What compiled programs add a sequence's steps to, played by hand."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pytest
import torch
from torch import Tensor

from neuroact.compiled_window import Folded, PackedWindow, Window, window_for

INF, NAN = float("inf"), float("nan")
DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16, torch.bool, torch.int8]
both = pytest.mark.parametrize("kind", [Window, PackedWindow])


def folded(kind: type[Window], steps: Iterable[Tensor]) -> Folded:
    """What a window has counted after steps `[batch, *neurons]`."""
    steps = list(steps)
    window = kind(steps[0])
    for step in steps:
        window.add(step)
    return window.fold()


@both
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_a_window_counts_what_numpy_counts(kind: type[Window], dtype: torch.dtype) -> None:
    raw = np.random.default_rng(0).random((30, 4, 2, 3)) < 0.4
    found = folded(kind, (torch.tensor(step).to(dtype) for step in raw))
    assert found.events.tolist() == raw.sum((0, 1)).tolist()
    assert (int(found.steps), bool(found.odd)) == (30, False)


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning:torch", "ignore::UserWarning")
@both
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_programs_of_inductor_count_every_type_and_find_every_fault(
    kind: type[Window], dtype: torch.dtype
) -> None:
    """Of 37 neurons, so that the loop over vectors and the one over what is left both count."""
    torch._dynamo.reset()
    raw = np.random.default_rng(0).random((5, 3, 37)) < 0.4
    window = kind(torch.tensor(raw[0]))
    step_on = torch.compile(window.add, fullgraph=True)
    for step in raw:
        step_on(torch.tensor(step).to(dtype))
    found = window.fold()
    assert found.events.tolist() == raw.sum((0, 1)).tolist()
    assert not found.odd
    odd = [] if dtype == torch.bool else [2, -1] if dtype == torch.int8 else [0.5, 2, INF, NAN, -1]
    for value in odd:
        for at in (0, 36):
            bad = torch.tensor(raw[0]).to(dtype)
            bad[1, at] = value
            step_on(bad)
            step_on(torch.ones_like(bad))
            assert window.fold().odd, (value, at)
            step_on(torch.ones_like(bad))
            assert not window.fold().odd


@both
def test_what_was_folded_is_not_counted_again_and_the_window_goes_on(kind: type[Window]) -> None:
    window = kind(torch.ones(2, 3))
    for _ in range(4):
        window.add(torch.ones(2, 3))
    assert window.fold().events.tolist() == [8] * 3
    window.add(torch.ones(2, 3))
    found = window.fold()
    assert (found.events.tolist(), int(found.steps)) == ([2] * 3, 1)


@both
@pytest.mark.parametrize(
    "values",
    [
        [0.5, 0.5],
        [2, 0],
        [-1, 2],
        [-1, 1, 1],
        [2, 2],
        [INF, 0],
        [INF, -INF],
        [NAN],
        [NAN, NAN],
        [1e9],
    ],
    ids=str,
)
def test_no_value_other_than_0_and_1_slips_through(kind: type[Window], values: list[float]) -> None:
    """Also where the sum of several looks like a count."""
    assert folded(kind, [torch.tensor([[0.0, value]]) for value in values]).odd


@both
@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8, torch.int16, torch.int64], ids=str)
def test_no_whole_number_but_0_and_1_slips_through_in_any_type(
    kind: type[Window], dtype: torch.dtype
) -> None:
    """Also where their squares do not fit into the type."""
    most = min(torch.iinfo(dtype).max, 2**15)
    for value in (*range(-128, 260), most, most - 1):
        if torch.iinfo(dtype).min <= value <= most:
            found = folded(kind, [torch.full((1, 1), value, dtype=dtype)])
            assert bool(found.odd) == (value not in (0, 1)), value


@both
def test_the_values_next_to_0_and_1_are_found_in_every_type(kind: type[Window]) -> None:
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        for at in (0.0, 1.0):
            for towards in (-2.0, 2.0):
                step = torch.tensor(at, dtype=dtype).nextafter(torch.tensor(towards, dtype=dtype))
                if step.to(torch.float32).abs() < torch.finfo(torch.float32).tiny:
                    continue  # that some processors take for 0
                assert folded(kind, [step.reshape(1, 1)]).odd, (dtype, at, towards)


def nearly_full(kind: type[Window], step: Tensor) -> Window:
    """A window that has been told of 2^31 - 2 steps, in which all neurons fired."""
    window, told = kind(step), 2**31 - 2
    if isinstance(window, PackedWindow):
        window.counts.fill_(told << 32 | told)
    else:
        window.counts.fill_(told)
        window.steps.fill_(told)
    return window


@both
def test_counts_are_exact_up_to_the_last_that_a_window_holds(kind: type[Window]) -> None:
    window = nearly_full(kind, torch.ones(2, 3))
    window.add(torch.ones(2, 3))
    found = window.fold()
    assert found.events.tolist() == [2 * (2**31 - 1)] * 3
    assert (int(found.steps), bool(found.odd)) == (2**31 - 1, False)


@both
def test_more_steps_than_a_window_holds_are_a_fault(kind: type[Window]) -> None:
    step = torch.tensor([[1.0, 0.0]])
    window = nearly_full(kind, step)
    for _ in range(5):
        window.add(step)
    assert window.fold().odd


@both
@pytest.mark.parametrize("steps", [2**31, 2**32 - 2])
def test_a_fault_is_found_however_many_steps_come_after_it(kind: type[Window], steps: int) -> None:
    """Also where as many would lift it above zero again."""
    window = kind(torch.ones(2, 3))
    window.add(torch.full((2, 3), 0.5))
    if isinstance(window, PackedWindow):
        # What as many steps leave, since its sign is never written over.
        window.counts.fill_(-(2**63) | (steps + 1 << 32 & 2**63 - 1))
    else:
        window.counts.add_(2**31 - 1).add_(1)
        window.steps.add_(steps)
        assert not window.counts.any()
    window.add(torch.ones(2, 3))
    assert window.fold().odd


def test_small_layers_have_the_window_of_one_tensor() -> None:
    assert type(window_for(torch.ones(4, 100))) is PackedWindow
    assert type(window_for(torch.ones(64, 200))) is Window
    assert type(window_for(torch.ones(64, 0))) is Window  # in which no value can count the steps
