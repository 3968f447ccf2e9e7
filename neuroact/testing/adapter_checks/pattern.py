"""The checks of an adapter: its pattern reads each call as `read` does."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from neuroact.layers.adapter import LayerCall
from neuroact.layers.call_pattern import CallPattern, PatternAdapter, has_pattern
from neuroact.layers.state_trace import StateTrace
from neuroact.stream.chunk import SpikeChunk, as_stream
from neuroact.testing.adapter_checks.check import adapter_check
from neuroact.testing.example import Limit
from neuroact.testing.playing import AdapterCase, Player, Run, state_of, usual_runs
from neuroact.testing.raw import module_of
from neuroact.testing.watching import see_calls


@adapter_check(applies=lambda case: has_pattern(case.adapter))
def pattern(case: AdapterCase) -> None:
    """The pattern of a layer reads every call as `read` does."""
    player = Player(case)
    for name in case.example.layers:
        _Twofold(case.adapter, name, module_of(player.model, name))
    player.play(usual_runs(case.example))
    if case.without(Limit.STATE, Limit.CARRY_ON):
        steps, batch = case.example.steps, case.example.samples
        player.play(
            [
                Run(steps, batch),
                Run(steps, batch, continues=True),
                Run(steps, batch, continues=True, detached=True),
            ]
        )


class _Twofold:
    """Reads each call of a layer twice, with `read` and with the pattern, and compares."""

    def __init__(self, adapter: Any, name: str, module: nn.Module) -> None:
        adapter.kind(module)
        self.name, self.adapter = name, adapter
        self.patterns: PatternAdapter = adapter
        self.by_read, self.by_pattern = StateTrace(), StateTrace()
        self.pattern: CallPattern | None = adapter.pattern(module)
        self.seen: tuple[object, Any] = (None, None)
        self.module = module
        see_calls(module, self.before, self.after)

    def before(self, args: Any, kwargs: Any) -> None:
        if self.pattern is None or not self.pattern.holds():
            self.pattern = self.patterns.pattern(self.module)
        given = None if self.pattern is None else self.pattern.given(args, kwargs)
        self.seen = state_of(self.adapter, self.module), given

    def after(self, args: Any, kwargs: Any, output: Any) -> None:
        state, given = self.seen
        read = self.adapter.read(self.module, LayerCall(args, kwargs, output, state, self.by_read))
        if self.pattern is not None:
            self._compare(self.pattern, read, output, given)

    def _compare(self, pattern: CallPattern, read: SpikeChunk, output: Any, given: Any) -> None:
        values: Tensor = as_stream(pattern.values(output).detach(), sequence=pattern.sequence)
        starts = not self.by_pattern.continues(given, pattern.left(output))
        for what, ours, theirs in (
            ("kind", pattern.kind, read.kind),
            ("shape", tuple(values.shape), tuple(read.values.shape)),
            ("values", True, torch.equal(values, read.values)),
            ("starts_sequence", starts, read.starts_sequence),
        ):
            assert ours == theirs, (
                f'layer "{self.name}": the pattern and `read` disagree about {what}: expected '
                f"{theirs}, as `read` says, came {ours}. Look at `pattern`, which neuroact uses in "
                "place of `read`."
            )


CHECKS = (pattern,)
