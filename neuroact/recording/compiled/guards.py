"""What a program of `torch.compile` looks at before each call: what it forgets, and what is idle.

Where traced code asks `a is b`, the program that comes of it asks again before each call, so that
another one is made where the answer changes. The compiler forgets to where it reached one of the
two from a local name and the other from a global one (`make_dupe_guard` in `torch._dynamo.guards`
says so itself): say, a state that a compiled function is passed and a model that it is not.

It looks again at what never changes, too: that a name in a module of neuroact's means the same, and
that the module which a watched `forward` runs is the one that it was found on. In a small layer
that costs more than the counting.

Imported while tracing, not before: it brings the whole compiler along.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import Any

from torch import Tensor
from torch._dynamo.comptime import ComptimeContext, comptime
from torch.fx.experimental.symbolic_shapes import statically_known_true


def look_before_each_call(given: tuple[Tensor, ...], kept: tuple[Tensor, ...]) -> None:
    """Have it looked at whether the tensors of `given` are those of `kept`; traced, not run.

    It comes last in what is traced of neuroact: it takes away what would be looked at in vain.
    """
    comptime(_look_again)


def are_known_to_be(sizes: Iterable[int], others: Iterable[int]) -> bool:
    """Whether these sizes are the same, without making the program one for these alone; traced."""
    return all(statically_known_true(a == b) for a, b in zip(sizes, others, strict=True))


def _look_again(context: ComptimeContext) -> None:
    try:
        _install(context)
    except Exception as cause:  # none of this is promised to stay
        # Right as well, since within its own frame a layer is reached from a local name.
        context.graph_break(f"neuroact cannot tell whether a sequence goes on: {cause!r}")
    with suppress(Exception):  # what is looked at in vain costs time alone
        _drop_idle()


def _install(context: ComptimeContext) -> None:
    from torch._dynamo.guards import GuardBuilder, install_guard
    from torch._dynamo.source import GetItemSource, is_from_local_source

    given, kept = (
        context.get_local(name)._i_will_not_complain_if_bc_breaks_VariableTracker()
        for name in ("given", "kept")
    )
    if kept.source is None:
        return  # made within the program, which knows it
    for at, tensor in enumerate(given.unpack_var_sequence(None)):
        assert tensor.source is not None  # as what was made within is in no kept state from before
        last = GetItemSource(kept.source, at)
        if is_from_local_source(tensor.source) != is_from_local_source(last):
            look = partial(GuardBuilder.DUPLICATE_INPUT, source_b=last)
            install_guard(tensor.source.make_guard(look))


def _drop_idle() -> None:
    from torch._guards import TracingContext

    guards: Any = TracingContext.get().guards_context.dynamo_guards
    guards.inner = type(guards.inner)(guard for guard in guards if not _is_idle(guard))


def _is_idle(guard: Any) -> bool:
    """Whether a guard is about a name in a module of ours, or a module found by its `forward`."""
    from torch._dynamo.source import AttrSource, GlobalSource
    from torch._guards import ChainedSource

    source = guard.originating_source
    ways = [source]
    while isinstance(source, ChainedSource):
        source = source.base
        ways.append(source)
    if isinstance(source, GlobalSource) and source.global_name.startswith("__import_neuroact_"):
        # No deeper than a function's code: what is reached by that may be the user's.
        return len(ways) <= 2 or (len(ways) == 3 and "__code__" in ways[0].name)
    same_as = getattr(guard.create_fn, "keywords", {}).get("source_b")
    return any(
        isinstance(way, AttrSource) and way.member == "forward" and way.base == same_as
        for way in ways
    )
