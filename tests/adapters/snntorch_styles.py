"""The ways in which users handle the state of a snnTorch step class."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from snntorch_cases import StepCase
from torch import Tensor, nn

States = tuple[Any, ...]


@dataclass(frozen=True)
class Style:
    """Whether the layer keeps its state, whether it returns it, and how it is passed back."""

    name: str
    hidden: bool
    output: bool = False
    by_keyword: bool = False

    def __str__(self) -> str:
        return self.name

    def build(self, case: StepCase) -> nn.Module:
        return case.build(init_hidden=self.hidden, output=self.output)

    def fresh(self, layer: Any, case: StepCase) -> States:
        """Reset the layer; gives the states to pass to its next call."""
        state = layer.reset_mem()
        if self.hidden:
            return ()
        return (state,) if len(case.names) == 1 else tuple(state)

    def step(
        self, layer: nn.Module, case: StepCase, current: Tensor, states: States
    ) -> tuple[Tensor, States]:
        """One call; gives its spikes, and the states to pass to the next call."""
        if self.by_keyword:
            returned = layer(current, **dict(zip(case.names, states, strict=False)))
        else:
            returned = layer(current, *states)
        spikes = case.spikes(self.hidden, self.output)(returned)
        return spikes, () if self.hidden else case.passed(returned)


STYLES = [
    Style("by hand", hidden=False),
    Style("by keyword", hidden=False, by_keyword=True),
    Style("by hand, output", hidden=False, output=True),
    Style("hidden", hidden=True),
    Style("hidden, output", hidden=True, output=True),
]


def run_batch(layer: nn.Module, case: StepCase, style: Style, steps: Iterable[Tensor]) -> None:
    """Reset the layer and run it over one batch."""
    states = style.fresh(layer, case)
    for current in steps:
        _, states = style.step(layer, case, current, states)
