"""A copy of a framework in another package is read as the framework.

For copies of SpikingJelly see apart/test_clock_driven.py. Release 2.0.0 cannot be imported twice in
one process, since it registers its operators with torch.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import neuroact
from neuroact import ActivityReport
from neuroact.errors import NoSpikingLayersError
from neuroact.layers.adapter import installed_adapters, load_adapter

Build = Callable[[Any], nn.Module]
COPIED: dict[str, tuple[str, Build]] = {
    "snntorch": ("snntorch._neurons.leaky", lambda m: m.Leaky(0.9, init_hidden=True)),
    "norse": ("norse.torch.module.iaf", lambda m: m.IAFCell()),
    "sinabs": ("sinabs.layers", lambda m: m.IAF()),
}


def recorded(net: nn.Module) -> ActivityReport:
    with neuroact.record(net) as recording:
        for x in torch.linspace(0, 3, 60).reshape(3, 4, 5):
            net(x)
    return recording.report()


@pytest.mark.parametrize("framework", COPIED)
def test_a_copy_is_found_and_has_the_figures_of_the_framework(framework: str, src: str) -> None:
    path, build = COPIED[framework]
    copied = build(importlib.import_module(f"{src}.{path}"))
    assert type(copied).__module__.startswith(f"src.{framework}.")
    theirs = recorded(nn.Sequential(build(importlib.import_module(path))))["0"]
    ours = recorded(nn.Sequential(copied))["0"]
    np.testing.assert_array_equal(ours.events, theirs.events)
    assert ours.events.sum() > 0
    assert (ours.framework, ours.kind, ours.observations) == (
        framework,
        theirs.kind,
        theirs.observations,
    )


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("models.spikingjelly.neuron", "LIFNode"),
        ("baselines.snntorch.model", "Leaky"),
        ("baselines.norse.model", "LIFCell"),
        ("models.sinabs", "StatefulLayer"),
        ("mine.bindsnet.layers", "Nodes"),
        ("mine.rockpool.layers", "TorchModule"),
        ("mine.matterhorn_pytorch.layers", "Soma"),
    ],
)
def test_a_package_that_only_has_a_frameworks_name_is_not_taken_for_a_copy(
    module: str, name: str
) -> None:
    own: type[nn.Module] = type(name, (nn.Module,), {"__module__": module})
    points = installed_adapters()
    for point in points.values():
        adapter = load_adapter(point)
        assert adapter is not None
        assert adapter.kind(own()) is None
    with pytest.raises(NoSpikingLayersError, match=r"copy of a framework .* src\.snntorch"):
        neuroact.record(own())
