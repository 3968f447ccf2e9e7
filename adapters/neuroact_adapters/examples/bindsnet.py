"""Models of BindsNET, and what is true of them by hand."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from neuroact.testing import AdapterExample, ExpectedLayer, Limit


def _network() -> Any:
    from bindsnet.network import Network
    from bindsnet.network.nodes import DiehlAndCookNodes, Input, LIFNodes
    from bindsnet.network.topology import Connection

    network: Any = Network()
    layers = {"X": Input(4), "Y": LIFNodes(5), "Z": DiehlAndCookNodes(6)}
    for name, layer in layers.items():
        network.add_layer(layer, name)
    for source, target in ("XY", "YZ"):
        weights = torch.rand(layers[source].n, layers[target].n) * 40 - 5
        connection = Connection(layers[source], layers[target], w=weights)
        network.add_connection(connection, source, target)
    return network


def _run(model: Any, x: Tensor, state: Any) -> tuple[Any, Any]:
    model.run({"X": x}, time=len(x))
    return [layer.s for layer in model.layers.values()], True


def _reset(model: Any) -> None:
    model.reset_state_variables()


def _spikes(layer: Any) -> Any:
    return layer.s


EXAMPLES = (
    AdapterExample(
        name="network",
        model=_network,
        inputs=lambda steps, batch: torch.rand(steps, batch, 4) < 0.4,
        layers={
            "X": ExpectedLayer("BN", kept=_spikes, by_request=True),
            "Y": ExpectedLayer("BN", kept=_spikes),
            "Z": ExpectedLayer("BN", kept=_spikes),
        },
        run=_run,
        reset=_reset,
        limits={
            *(Limit.GRADIENTS, Limit.NO_SAMPLE, Limit.FLOAT64, Limit.FLOAT16, Limit.BFLOAT16),
        },
        expected_failures={"inference_mode": "in it nothing tells whether the state was reset"},
    ),
)
