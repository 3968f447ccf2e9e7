"""The checks of an adapter: wrong outputs, inputs, and what reading a call costs."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

import neuroact
from neuroact.layers.adapter import Adapter, InputAdapter, LayerCall
from neuroact.stream.chunk import SpikeChunk
from neuroact.testing.adapter_checks.check import adapter_check
from neuroact.testing.asserting import described
from neuroact.testing.playing import AdapterCase, Player, ReadCall, usual_runs
from neuroact.testing.raw import RawRecorder, in_order, module_of


@adapter_check()
def wrong_output(case: AdapterCase) -> None:
    """The adapter raises an error for an output that it does not know; it never guesses."""
    player = Player(case).watch()
    calls = {call.layer: call for call in player.play(usual_runs(case.example)[:1])}
    for name, (module, call) in player.last.items():
        wrong: list[Any] = [None, "spikes", object(), torch.zeros(3, 4, dtype=torch.complex64)]
        if "T" in case.example.layers[name].axes:
            wrong.append(torch.zeros(()))
        for output in wrong:
            _assert_refused(case.adapter, module, call, output, calls[name])


def _assert_refused(
    adapter: Adapter, module: nn.Module, call: LayerCall, output: Any, right: ReadCall
) -> None:
    try:
        read = adapter.read(module, LayerCall(call.args, call.kwargs, output, call.state))
    except Exception:
        return
    # An adapter that reads from the module, not from the output, still reads the right values.
    same = isinstance(read, SpikeChunk) and np.array_equal(read.values.cpu().numpy(), right.truth)
    assert same, (
        f'layer "{right.layer}": given the output {described(output)}, read returned '
        f"{described(read)}. It has to raise an error that says what it expected and what came."
    )


@adapter_check(applies=lambda case: isinstance(case.adapter, InputAdapter))
def input_axes(case: AdapterCase) -> None:
    """`input_axes` says the order of dimensions of a layer's input."""
    player = Player(case)
    names = list(case.example.layers)
    with (
        RawRecorder(player.model, names) as raw,
        neuroact.record(
            player.model, layers=names, of="input", adapters=[case.adapter]
        ) as recording,
    ):
        player.play(usual_runs(case.example))
    report = recording.report()
    for name, layer in case.example.layers.items():
        given = [layer.given((*c.args, *c.kwargs.values())[0]) for c in raw.calls[name]]
        true = [in_order(tensor, layer.takes or layer.axes) for tensor in given]
        events = sum((np.count_nonzero(each, axis=(0, 1)) for each in true), start=np.array(0))
        seen = sum(each.shape[0] * each.shape[1] for each in true)
        stated = f'layer "{name}", input_axes {case.adapter.input_axes(_at(player, name))!r}'  # type: ignore[attr-defined]
        assert report[name].observations == seen, (
            f"{stated}: expected {seen} (time step, sample) pairs, came {report[name].observations}"
        )
        samples = sum(each.shape[1] for each in true)
        assert report[name].sequences == samples, (
            f"{stated}: expected {samples} samples over all calls, came {report[name].sequences}; "
            f"by the example the layer takes {layer.takes or layer.axes!r}"
        )
        assert np.array_equal(report[name].events, events), (
            f"{stated}: the non-zero inputs per neuron are not those of {layer.takes or layer.axes}"
        )


def _at(player: Player, name: str) -> nn.Module:
    return module_of(player.model, name)


@adapter_check()
def view(case: AdapterCase) -> None:
    """Chunks are views of what the layer returned, not copies."""
    for call in Player(case).watch().play(usual_runs(case.example)):
        assert call.chunk.values.numel() == 0 or call.shares, (
            f"{call}: the chunk's values lie in memory of their own. Copying costs as much as "
            "the layer itself: look in `read` for clone, contiguous, reshape after a transpose, "
            "to(dtype), cat or stack. If the output is in pieces or sparse, so that no view is "
            "possible, put this check into expected_failures."
        )


@adapter_check()
def no_host_sync(case: AdapterCase) -> None:
    """Nothing in `read` or `state` waits for a device."""
    for call in Player(case).watch().play(usual_runs(case.example)):
        assert call.chunk is not None
        assert not call.syncs, (
            f"{call}: on a GPU {', '.join(dict.fromkeys(call.syncs))} waits for the device, at "
            "each call. Look in `read` and `state` for item(), bool() or `if` of a tensor, "
            "tolist, cpu, numpy, indexing by a mask. Decide in `kind` what never changes."
        )


CHECKS = (wrong_output, input_axes, view, no_host_sync)
