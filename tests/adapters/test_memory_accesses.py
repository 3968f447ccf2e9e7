"""Accesses to memory are those of SpikingJelly's profiler after Lemaire et al., where both agree.

They do where every tap of a kernel lies within the input and no weight is zero. SpikingJelly counts
the reads of biases too, which are as many as the additions.
"""

from __future__ import annotations

import pytest
import torch
from spikingjelly.activation_based import functional, layer, neuron
from spikingjelly.activation_based.op_counter import estimate_lemaire_energy
from torch import nn

import neuroact

WORD = 4  # bytes


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("mode", ["s", "m"])
def test_accesses_and_additions_are_those_of_spikingjelly(mode: str, bias: bool) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(
        layer.Conv2d(2, 3, 1, bias=bias, step_mode=mode),
        neuron.IFNode(v_threshold=0.3, step_mode=mode),
        layer.Linear(4, 5, bias=bias, step_mode=mode),
        neuron.IFNode(v_threshold=0.3, step_mode=mode),
    )
    x = (torch.rand(*([6] if mode == "m" else []), 2, 2, 4, 4) < 0.3).float()
    theirs = estimate_lemaire_energy(net, x).counts
    functional.reset_net(net)
    with torch.no_grad(), neuroact.record(net, operations=True) as recording:
        net(x)
    ours = recording.report().operations
    assert ours.neurons["1"].spikes
    assert theirs["read_in_bytes"] == ours.memory.input_reads * WORD
    assert theirs["read_potential_bytes"] == ours.memory.potential_reads * WORD
    assert theirs["write_potential_bytes"] == ours.memory.potential_writes * WORD
    assert theirs["write_out_bytes"] == ours.memory.output_writes * WORD
    biases = ours.total.bias_additions
    assert theirs["read_params_bytes"] == (ours.memory.weight_reads + biases) * WORD
    assert theirs["synop"] == ours.total.acs
    assert theirs["ac"] == ours.total.acs + biases + ours.memory.output_writes  # resets
    assert (biases > 0) == bias
