"""Having a program of `torch.compile` look again, before each call, whether two tensors are one.

Where traced code asks `a is b`, the program that comes of it asks again before each call, so that
another one is made where the answer changes. The compiler forgets to where it reached one of the
two from a local name and the other from a global one (`make_dupe_guard` in `torch._dynamo.guards`
says so itself): say, a state that a compiled function is passed and a model that it is not.

Imported while tracing, not before: it brings the whole compiler along.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor
from torch._dynamo.comptime import ComptimeContext, comptime


def same_at_each_call(given: tuple[Tensor, ...], kept: tuple[Tensor, ...]) -> None:
    """Have it looked at again that the tensors of `given` are those of `kept`; traced, not run."""
    comptime(_look_again)


def _look_again(context: ComptimeContext) -> None:
    try:
        _install(context)
    except Exception as cause:  # none of this is promised to stay
        # Right as well, since within its own frame a layer is reached from a local name.
        context.graph_break(f"neuroact cannot tell whether a sequence goes on: {cause!r}")


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
