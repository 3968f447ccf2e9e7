"""Norse: wrappers counted once, Norse's own instruments agree, the model is left as it was."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import norse.torch as snn
import pytest
import torch
from norse.torch.module.leaky_integrator import LICell
from raw import RawCalls, assert_true_figures
from torch import Tensor, nn

import neuroact
from neuroact import SignalKind

INPUTS, HIDDEN, STEPS, BATCH = 6, 4, 5, 3


def sequence(batch: int = BATCH) -> Tensor:
    return torch.rand(STEPS, batch, INPUTS) * 90


def by_steps(model: Any, x: Tensor) -> Tensor:
    state, outputs = None, []
    for current in x:
        output, state = model(current, state)
        outputs.append(output)
    return torch.stack(outputs)


def at_once(model: Any, x: Tensor) -> Tensor:
    output: Tensor = model(x)[0]
    return output


def excitation() -> Any:
    linear = nn.Linear(INPUTS, HIDDEN)
    nn.init.normal_(linear.weight, 5, 10)  # so that the next layer fires
    return linear


def cells() -> Any:
    return snn.SequentialState(snn.LIFCell(), excitation(), snn.LIFCell(), LICell())


def sequence_modules() -> Any:
    lifted = snn.Lift(excitation())
    return snn.SequentialState(snn.LIF(), lifted, snn.LIFEx(), snn.LI())


def cells_in_lift() -> Any:
    stack = snn.SequentialState(snn.LIFCell(), nn.Linear(INPUTS, HIDDEN))
    return nn.Sequential(snn.Lift(stack))


def cells_fed_back() -> Any:
    return snn.RecurrentSequential(snn.LIFCell(), nn.Linear(INPUTS, INPUTS))


def receptive_field() -> Any:
    return snn.TemporalReceptiveField(
        (INPUTS,),
        activation=snn.LIFBoxCell,
        activation_state_map=lambda t: snn.LIFBoxParameters(tau_mem_inv=t),
    )


def cuba_lif_of_nir() -> Any:
    from norse.torch.utils.import_nir import CubaLIF

    return nn.Sequential(CubaLIF(torch.tensor(2.0), snn.LIBoxCell(), 1.5, snn.LIFBoxCell()))


class Case(NamedTuple):
    """A model, how it is run, and by hand the names of its spiking layers."""

    build: Callable[[], Any]
    run: Callable[[Any, Tensor], Tensor]
    layers: set[str]
    needs: str = "SequentialState"


CASES = {
    "cells": Case(cells, by_steps, {"0", "2"}),
    "sequence modules": Case(sequence_modules, at_once, {"0", "2"}),
    "cells in Lift": Case(cells_in_lift, at_once, {"0.lifted_module.0"}, "RecurrentSequential"),
    "cells fed back": Case(cells_fed_back, by_steps, {"module.0"}, "RecurrentSequential"),
    "receptive field": Case(receptive_field, by_steps, {"neurons"}, "TemporalReceptiveField"),
    "CubaLIF of NIR": Case(
        cuba_lif_of_nir, lambda model, x: by_steps(model[0], x), {"0.lif"}, "LIBoxCell"
    ),
}
HERE = {name: case for name, case in CASES.items() if hasattr(snn, case.needs)}
every_model = pytest.mark.parametrize("case", HERE.values(), ids=HERE.keys())


@every_model
def test_spikes_are_counted_where_they_are_made_and_nowhere_else(case: Case) -> None:
    torch.manual_seed(0)
    model = case.build()
    raw = {name: RawCalls(model.get_submodule(name)) for name in case.layers}
    with neuroact.record(model) as recording:
        case.run(model, sequence())
        case.run(model, sequence(batch=2))
    report = recording.report()
    assert set(report) == case.layers
    for name, calls in raw.items():
        whole = case.run is at_once and len(calls.outputs) == 2
        values = calls.values(lambda output: output[0], sequence=whole)
        assert_true_figures(report[name], values, BATCH + 2)
        assert report[name].kind is SignalKind.BINARY
        assert 0 < report[name].mean < 1


def test_sequential_state_hands_back_the_very_list_it_was_given() -> None:
    """So a state kept from an earlier step of the whole model is that of the last step."""
    model = cells()
    _, state = model(sequence()[0])
    assert model(sequence()[1], state)[1] is state


def test_the_spike_accumulator_of_norse_counts_the_same() -> None:
    torch.manual_seed(0)
    layer, accumulator, state = snn.LIFCell(), snn.RegularizationCell(), None
    model = nn.ModuleDict({"lif": layer, "accumulator": accumulator})
    with neuroact.record(model) as recording:
        for current in sequence():
            spikes, state = layer(current, state)
            _, accumulated = accumulator(spikes, state)
    report = recording.report()
    assert list(report) == ["lif"]
    assert report["lif"].total.sum() == accumulated.item() > 0


def test_the_state_hooks_of_sequential_state_see_the_same_spikes() -> None:
    torch.manual_seed(0)
    model = cells()
    seen: dict[nn.Module, list[Tensor]] = {module: [] for module in model}

    def keep(module: nn.Module, args: Any, output: Any) -> None:
        seen[module].append(output[0].detach().clone())

    model.register_forward_state_hooks(keep)
    with neuroact.record(model) as recording:
        by_steps(model, sequence())
    model.remove_forward_state_hooks()
    for name, layer in recording.report().items():
        spikes = torch.stack(seen[model.get_submodule(name)])
        assert layer.events.tolist() == spikes.sum((0, 1)).tolist()


def trained_once(case: Case, model: Any) -> list[Tensor]:
    """Output, gradients, and the state of the random generator afterwards."""
    torch.manual_seed(7)
    output: Any = case.run(model, sequence())
    output.sum().backward()
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    return [output, *gradients, torch.get_rng_state()]


@every_model
def test_a_recorded_model_works_as_if_it_were_not(case: Case) -> None:
    torch.manual_seed(0)
    model = case.build()
    twin = copy.deepcopy(model)
    expected = trained_once(case, twin)
    attributes = {name: set(vars(module)) for name, module in twin.named_modules()}
    with neuroact.record(model):
        came = trained_once(case, model)
    for mine, theirs in zip(came, expected, strict=True):
        assert torch.equal(mine, theirs)
    assert {name: set(vars(module)) for name, module in model.named_modules()} == attributes
    assert not any(module._forward_hooks for module in model.modules())
    assert not any(module._forward_pre_hooks for module in model.modules())
    assert model.state_dict().keys() == twin.state_dict().keys()
