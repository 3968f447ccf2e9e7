"""The guards of a `torch.compile` program: a missing one is added, needless ones are taken away.

A guard is a check that a compiled program makes before each call. If it fails, the compiler makes
another program.

One is missing. Where traced code asks `a is b`, the compiler adds a guard that asks it again. It
leaves this guard out if it reached one of the two from a local name and the other from a global one
(`make_dupe_guard` in `torch._dynamo.guards` says so). An example: a compiled function is passed the
state, and finds the model among its globals.

Some are needless, since what they check never changes: that a name in a module of neuroact still
means the same, and that a watched `forward` still belongs to the module it was found on. In a small
layer they cost more than the counting.

Import this module only while tracing, since it imports the whole compiler.
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
    """Add the guard that the tensors of `given` are those of `kept`; traced, not run.

    Call it last in neuroact's traced code, since it also takes the needless guards away.
    """
    comptime(_look_again)


def are_known_to_be(sizes: Iterable[int], others: Iterable[int]) -> bool:
    """Whether these sizes are equal, without limiting the program to them; traced, not run."""
    return all(statically_known_true(a == b) for a, b in zip(sizes, others, strict=True))


def _look_again(context: ComptimeContext) -> None:
    try:
        _install(context)
    except Exception as cause:  # PyTorch may change any of this
        # A graph break is right too: in its own frame the layer is reached from a local name.
        context.graph_break(f"neuroact cannot tell whether a sequence goes on: {cause!r}")
    with suppress(Exception):  # needless guards cost nothing but time
        _drop_idle()


def _install(context: ComptimeContext) -> None:
    from torch._dynamo.guards import GuardBuilder, install_guard
    from torch._dynamo.source import GetItemSource, is_from_local_source

    given, kept = (
        context.get_local(name)._i_will_not_complain_if_bc_breaks_VariableTracker()
        for name in ("given", "kept")
    )
    if kept.source is None:
        return  # the program made it, and needs no guard
    for at, tensor in enumerate(given.unpack_var_sequence(None)):
        assert tensor.source is not None  # it was kept before, so the program did not make it
        last = GetItemSource(kept.source, at)
        if is_from_local_source(tensor.source) != is_from_local_source(last):
            look = partial(GuardBuilder.DUPLICATE_INPUT, source_b=last)
            install_guard(tensor.source.make_guard(look))


def _drop_idle() -> None:
    from torch._guards import TracingContext

    guards: Any = TracingContext.get().guards_context.dynamo_guards
    guards.inner = type(guards.inner)(guard for guard in guards if not _is_idle(guard))


def _is_idle(guard: Any) -> bool:
    """Whether a guard checks a name in a module of neuroact, or which module a `forward` is of."""
    from torch._dynamo.source import AttrSource, GlobalSource
    from torch._guards import ChainedSource

    source = guard.originating_source
    ways = [source]
    while isinstance(source, ChainedSource):
        source = source.base
        ways.append(source)
    if isinstance(source, GlobalSource) and source.global_name.startswith("__import_neuroact_"):
        # No deeper than a function's code: beyond it may be objects of the user's.
        return len(ways) <= 2 or (len(ways) == 3 and "__code__" in ways[0].name)
    same_as = getattr(guard.create_fn, "keywords", {}).get("source_b")
    return any(
        isinstance(way, AttrSource) and way.member == "forward" and way.base == same_as
        for way in ways
    )
