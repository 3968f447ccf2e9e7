"""Matterhorn: every soma is read, with what it returns."""

from __future__ import annotations

from typing import Any

import matterhorn_pytorch.snn as snn
import numpy as np
import pytest
import torch
from matterhorn_pytorch.snn import soma
from raw import RawCalls, assert_true_figures
from torch import Tensor, nn

import neuroact
from neuroact import SignalKind
from neuroact.errors import AdapterReadError, NoSpikingLayersError
from neuroact.testing import AdapterContract
from neuroact_adapters.examples.matterhorn import EXAMPLES
from neuroact_adapters.matterhorn import MatterhornAdapter

STEPS, BATCH = 6, 3
SOMATA = {"IF", "LIF", "QIF", "KLIF", "LIAF"}
OF_THE_WHOLE_INPUT = {"ExpIF", "Izhikevich"}
CASES = [
    *((name, {}) for name in sorted(SOMATA)),
    ("LIF", {"batch_first": True}),
    ("LIF", {"return_states": False}),
    ("IF", {"spiking_function": snn.Floor(), "hard_reset": False}),
    ("IF", {"spiking_function": snn.Sigmoid()}),
]


class TestMatterhornAdapter(AdapterContract):
    adapter = MatterhornAdapter()
    examples = EXAMPLES


def current(**options: Any) -> Tensor:
    return torch.rand(*((BATCH, STEPS) if options.get("batch_first") else (STEPS, BATCH)), 5) * 3


def kind_of(name: str, options: dict[str, Any]) -> SignalKind:
    if name == "LIAF":
        return SignalKind.ANALOG
    many = isinstance(options.get("spiking_function"), snn.Floor)
    return SignalKind.GRADED if many else SignalKind.BINARY


def test_every_soma_is_tested() -> None:
    ours = {cls.__name__ for cls in soma.Soma.__subclasses__()}
    assert ours == SOMATA | OF_THE_WHOLE_INPUT


@pytest.mark.parametrize(("name", "options"), CASES)
def test_figures_of_a_soma_equal_numpy_on_the_raw_outputs(
    name: str, options: dict[str, Any]
) -> None:
    torch.manual_seed(0)
    layer = getattr(snn, name)(**options)
    net, raw, state = nn.Sequential(layer), RawCalls(layer), None
    states = options.get("return_states", True)
    with neuroact.record(net, layers="0") as recording:
        for goes_on in (False, False, True):
            found = layer(current(**options), state if goes_on else None)
            state = found[1] if states else None

    def spikes(output: Any) -> Tensor:
        values = output[0] if states else output
        return values.transpose(0, 1) if options.get("batch_first") else values

    report = recording.report()["0"]
    assert report.kind is kind_of(name, options)
    values = raw.values(spikes, sequence=True)
    if report.kind is not SignalKind.ANALOG:
        assert_true_figures(report, values, sequences=BATCH * (2 if states else 3))
        assert (set(values.flat) == {0.0, 1.0}) is (report.kind is SignalKind.BINARY)
    np.testing.assert_allclose(report.total, values.sum(0), rtol=1e-12)


def test_a_container_passes_states_on_while_it_is_recorded() -> None:
    """It counts the arguments in the code of `forward`, so that a state is passed or not."""
    torch.manual_seed(0)
    net = snn.Sequential(snn.Linear(4, 5), snn.LIF(), snn.Linear(5, 6), snn.IF())
    plain, states = [], None
    inputs = torch.randn(3, STEPS, BATCH, 4) * 5
    for x in inputs:
        y, states = net(x, states)
        plain.append(y)
    states = None
    with neuroact.record(net) as recording:
        for x, expected in zip(inputs, plain, strict=True):
            y, states = net(x, states)
            assert torch.equal(y, expected)
    report = recording.report()
    assert list(report) == ["1", "3"]
    assert [layer.sequences for layer in report.values()] == [BATCH, BATCH]
    assert report["3"].events.sum() == sum(int(y.sum()) for y in plain) > 0


def test_the_somata_of_layers_that_learn_by_stdp_are_read() -> None:
    torch.manual_seed(0)
    # Its learning raises, recorded or not.
    layer, states, kept = snn.STDPLinear(snn.LIF(), 4, 5).eval(), None, []
    with neuroact.record(layer) as recording:
        for _ in range(2):
            spikes, states = layer((torch.rand(STEPS, BATCH, 4) < 0.7).float() * 3, states)
            kept.append(spikes)
    report = recording.report()
    assert list(report) == ["soma"]
    assert report["soma"].events.sum() == torch.cat(kept).sum() > 0
    assert report["soma"].sequences == BATCH


def test_an_analog_soma_is_recorded_by_request() -> None:
    with pytest.raises(NoSpikingLayersError, match="emit real values"):
        neuroact.record(nn.Sequential(snn.LIAF()))


@pytest.mark.parametrize("name", sorted(OF_THE_WHOLE_INPUT))
def test_the_output_of_a_soma_that_takes_the_whole_input_for_each_step_is_refused(
    name: str,
) -> None:
    layer = getattr(snn, name)()
    with (
        neuroact.record(layer),
        pytest.raises(AdapterReadError, match="the whole input for each step"),
    ):
        layer(current())
