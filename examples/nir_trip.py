"""Did my network survive the trip? One network through NIR into four frameworks, and compared.

A network of SpikingJelly is exported to a NIR graph and written to a file. Each framework reads the
file and gets the same input. Its neurons are compared with those of the network before the trip.

SpikingJelly and sinabs fire at the threshold, the others only above it. Here no membrane potential
comes so near to it that this, or rounding, decides. So every difference is the importer's.

Run, with nir 1.0.8 and nirtorch 2.6: python examples/nir_trip.py
"""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nir
import norse.torch
import sinabs.nir
import snntorch.import_nir
import torch
from spikingjelly.activation_based import layer, neuron, nir_exchange
from torch import Tensor, nn

import neuroact
from neuroact import ActivityReport, Comparison

STEPS, BATCH, INPUTS, HIDDEN, OUTPUTS = 50, 8, 20, 30, 10
TAU, THRESHOLD = 10.0, 1.0303  # steps; of the membrane potential
DT = 1e-4  # seconds per step. snnTorch takes it to be this, whatever the file says.


def network(*, decay_input: bool) -> nn.Sequential:
    """A network of SpikingJelly.

    With `decay_input`, its neurons divide their input by the time constant: a resistance of 1 in
    NIR. Without, they take it as it is: a resistance of 10. Weights make up for that, so both fire
    alike.
    """
    draw = torch.Generator().manual_seed(0)
    net = nn.Sequential(
        layer.Linear(INPUTS, HIDDEN), neuron.LIFNode(TAU, decay_input, THRESHOLD),
        layer.Linear(HIDDEN, OUTPUTS), neuron.LIFNode(TAU, decay_input, THRESHOLD),
    )  # fmt: skip
    for connections in (net[0], net[2]):
        weights = torch.randint(-768, 1024, connections.weight.shape, generator=draw) / 1024
        connections.weight.data = weights * (TAU if decay_input else 1)
        connections.bias.data.zero_()
    return net


def by_steps(net: nn.Module, spikes: Tensor) -> None:
    """One step a call; the state is passed from call to call."""
    state = None
    for step in spikes:
        _, state = net(step, state)


def at_once(net: nn.Module, spikes: Tensor) -> None:
    """The whole sequence in one call, `[time, batch, *neurons]`."""
    net(spikes)


def samples_first(net: nn.Module, spikes: Tensor) -> None:
    """The steps of one sample after those of another, `[batch * time, *neurons]`."""
    net(spikes.transpose(0, 1).flatten(0, 1))


Reader = tuple[Callable[[nir.NIRGraph], Any], Callable[[nn.Module, Tensor], None]]
READERS: dict[str, Reader] = {
    "snnTorch": (snntorch.import_nir.import_from_nir, by_steps),
    "Norse": (lambda graph: norse.torch.from_nir(graph, dt=DT), by_steps),
    "sinabs": (lambda graph: sinabs.nir.from_nir(graph, batch_size=BATCH), samples_first),
    "SpikingJelly": (lambda graph: nir_exchange.import_from_nir(graph, dt=DT), by_steps),
    "SpikingJelly, m": (
        lambda graph: nir_exchange.import_from_nir(graph, dt=DT, step_mode="m"),
        at_once,
    ),
}


def recorded(net: nn.Module, run: Callable[[nn.Module, Tensor], None], x: Tensor) -> ActivityReport:
    """What the network does with the input."""
    with neuroact.record(net) as recording:
        run(net, x)
    return recording.report()


def trip(net: nn.Module, spikes: Tensor) -> Comparison:
    """The network before the trip, and what each framework made of it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "net.nir"
        nir_exchange.export_to_nir(net, spikes[0], file, dt=DT)
        # Read anew for each, since snnTorch changes the graph that it is given. It also prints.
        with contextlib.redirect_stdout(io.StringIO()):
            copies = {name: read(nir.read(file)) for name, (read, _) in READERS.items()}
    reports = {"before": recorded(net, lambda net, x: [net(step) for step in x], spikes)}
    for name, copy in copies.items():
        reports[name] = recorded(copy, READERS[name][1], spikes)
    return neuroact.compare(*reports.values(), labels=list(reports))


def main() -> None:
    """Print, for each framework and layer, how much it fires, and how many neurons as before."""
    draw = torch.Generator().manual_seed(9)
    spikes = (torch.rand(STEPS, BATCH, INPUTS, generator=draw) < 0.2).float()
    for resistance, decay_input in ((10, False), (1, True)):
        print(f"resistance {resistance}")
        comparison = trip(network(decay_input=decay_input), spikes)
        for label in comparison.labels:
            cells = []
            for entry in comparison.values():
                layer = entry.layers[label]
                same = (layer.total == entry.first.total).sum()
                fired = f"{layer.total.sum():7.0f} spikes"
                cells.append(f"{fired}, {same:2} of {layer.neurons} neurons as before")
            print(f"  {label:15}" + "   ".join(cells))


if __name__ == "__main__":
    main()
