"""Rockpool: every layer of spiking neurons is read, with what Rockpool itself records."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from raw import RawCalls, assert_true_figures
from rockpool.nn.combinators import Residual, Sequential
from rockpool.nn.modules import torch as layers
from torch import Tensor, nn

import neuroact
from neuroact import SignalKind
from neuroact.errors import NoSpikingLayersError
from neuroact.testing import AdapterContract, Limit
from neuroact_adapters.examples.rockpool import EXAMPLES
from neuroact_adapters.rockpool import RockpoolAdapter

STEPS, BATCH = 9, 3
BINARY, GRADED, ANALOG = SignalKind.BINARY, SignalKind.GRADED, SignalKind.ANALOG
ONCE = {"max_spikes_per_dt": torch.tensor(1.0)}
CASES: list[tuple[str, dict[str, Any], SignalKind]] = [
    ("LIFTorch", {}, GRADED),
    ("LIFTorch", ONCE, BINARY),
    ("LIFTorch", {"has_rec": True}, GRADED),
    ("aLIFTorch", {}, GRADED),
    ("LIFBitshiftTorch", {}, GRADED),
    ("LIFNeuronTorch", {}, GRADED),
    ("LIFNeuronTorch", ONCE, BINARY),
    ("UpDownTorch", {"thr_up": 0.3, "thr_down": 0.3}, GRADED),
    ("RateTorch", {}, ANALOG),
    ("ExpSynTorch", {}, ANALOG),
]
BY_REQUEST = {"UpDownTorch", "RateTorch", "ExpSynTorch"}
# They have no neurons, or are deprecated.
OTHERS = {"LinearTorch", "BooleanState", "TimeStepDropout", "UnitDropout", "TorchModule", "LowPass"}


class TestRockpoolAdapter(AdapterContract):
    adapter = RockpoolAdapter()
    # To compile the loop over the steps of each layer takes nine seconds an example.
    examples = tuple(replace(e, limits={*e.limits, Limit.COMPILE}) for e in EXAMPLES)


def build(name: str, options: dict[str, Any]) -> Any:
    return getattr(layers, name)(5, **options)


def drive(batch: int = BATCH) -> Tensor:
    return torch.rand(batch, STEPS, 5) * 2


def test_every_class_of_layers_is_tested() -> None:
    modules = vars(layers).values()
    ours = {m.__name__ for m in modules if isinstance(m, type) and issubclass(m, nn.Module)}
    assert ours - OTHERS - {"LIFBaseTorch"} == {name for name, *_ in CASES}


@pytest.mark.parametrize(("name", "options", "kind"), CASES)
def test_figures_of_a_layer_equal_numpy_on_the_raw_outputs(
    name: str, options: dict[str, Any], kind: SignalKind
) -> None:
    torch.manual_seed(0)
    layer = build(name, options)
    net, raw = Sequential(layer), RawCalls(layer)
    with torch.no_grad(), neuroact.record(net, layers=f"0_{name}") as recording:
        for batch in (BATCH, 1, 2):
            net(drive(batch))
            net.reset_state()
    report = recording.report()[f"0_{name}"]
    values = raw.values(lambda output: output.transpose(0, 1), sequence=True)
    assert report.kind is kind
    assert values.any()
    if kind is ANALOG:
        np.testing.assert_allclose(report.total, values.sum(0), rtol=1e-12)
    else:
        assert_true_figures(report, values, sequences=BATCH + 1 + 2)
    if name in BY_REQUEST:
        with pytest.raises(NoSpikingLayersError, match="emit real values"):
            neuroact.record(net)
    else:
        assert list(neuroact.record(net).layers) == [f"0_{name}"]


def test_spikes_are_those_of_rockpools_own_record() -> None:
    torch.manual_seed(0)
    net = Sequential(layers.LinearTorch((5, 6)), layers.LIFTorch(6))
    with torch.no_grad(), neuroact.record(net) as recording:
        _, _, kept = net(drive(), record=True)
    spikes = kept["1_LIFTorch"]["spikes"].numpy()
    assert recording.report()["1_LIFTorch"].total.tolist() == spikes.sum((0, 1)).tolist()
    assert spikes.max() > 1


def test_a_sequence_of_one_sample_goes_on_until_the_state_is_reset() -> None:
    net, found = Sequential(layers.LIFTorch(5)), []
    with torch.no_grad(), neuroact.record(net) as recording:
        for reset in (False, False, True, False):
            if reset:
                net.reset_state()
            net(drive(1))
            found.append(recording.report()["0_LIFTorch"].sequences)
    assert found == [1, 1, 2, 2]


def test_batches_start_sequences_since_only_the_first_samples_state_is_kept() -> None:
    net, found = Sequential(layers.LIFTorch(5)), []
    with torch.no_grad(), neuroact.record(net) as recording:
        for batch in (3, 3, 1, 1, 2, 1):
            net(drive(batch))
            found.append(recording.report()["0_LIFTorch"].sequences)
    assert found == [3, 6, 7, 7, 9, 10]


def test_modules_around_spiking_ones_are_no_layers() -> None:
    inner = Residual(layers.LinearTorch((5, 5)), layers.LIFTorch(5))
    found = list(neuroact.record(Sequential(inner, layers.LIFTorch(5))).layers)
    assert [name.rpartition("_")[2] for name in found] == ["LIFTorch", "LIFTorch"]


def test_a_network_called_as_one_of_torch_is_read_the_same() -> None:
    torch.manual_seed(0)
    net = Sequential(layers.LIFTorch(5)).to_torch()
    with torch.no_grad(), neuroact.record(net) as recording:
        spikes = net(drive())
    assert recording.report()["0_LIFTorch"].total.sum() == spikes.sum() > 0


def test_a_membrane_potential_is_what_rockpool_records() -> None:
    net = Sequential(layers.LIFTorch(5))
    with torch.no_grad(), neuroact.record(net, of="vmem") as recording:
        _, _, kept = net(drive(), record=True)
        with pytest.raises(neuroact.errors.AdapterReadError, match="record=True"):
            net(drive())
    kept = kept["0_LIFTorch"]["vmem"].double().numpy()
    np.testing.assert_allclose(recording.report()["0_LIFTorch"].total, kept.sum((0, 1)), rtol=1e-12)


def test_weights_that_rockpool_multiplies_by_itself_are_named_as_not_counted() -> None:
    net = Sequential(layers.LinearTorch((5, 6)), layers.LIFTorch(6))
    with torch.no_grad(), neuroact.record(net, operations=True) as recording:
        net(drive())
    assert "0_LinearTorch" in recording.report().operations.not_counted
