"""Models that come through NIR, in an environment of their own.

All four frameworks read and write NIR with nir 1.0.8 and nirtorch 2.6, but sinabs 3.1.3 says that
it needs nir <= 1.0.4, so pip does not install them beside each other.
"""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nir
import nirtorch
import norse.torch
import numpy as np
import pytest
import sinabs.layers
import sinabs.nir
import snippets
import snntorch
import torch
from raw import RawCalls, assert_true_figures
from snntorch.export_nir import export_to_nir as export_from_snntorch
from snntorch.import_nir import import_from_nir as import_to_snntorch
from spikingjelly.activation_based import functional, layer, neuron
from spikingjelly.activation_based.nir_exchange import export_to_nir, import_from_nir
from torch import Tensor, nn

import neuroact
from neuroact import ActivityReport, SignalKind
from neuroact.errors import AdapterReadError

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs/how-to/survive-the-trip.md"
STEPS, BATCH, INPUTS, NEURONS = 12, 3, 8, 6
DT, TAU, THRESHOLD = 1e-4, 10, 1.0303
pytestmark = pytest.mark.filterwarnings("ignore:.*nirtorch.load")


def affine(seed: int, inputs: int, outputs: int, scale: float = 1) -> nir.Affine:
    weights = np.random.default_rng(seed).integers(-4, 8, (outputs, inputs)) / 8 * scale
    return nir.Affine(weights.astype(np.float32), np.zeros(outputs, np.float32))


def of_each(**values: float) -> dict[str, Any]:
    return {name: np.full(NEURONS, value, np.float32) for name, value in values.items()}


def lif(r: float = TAU) -> nir.LIF:
    return nir.LIF(**of_each(tau=TAU * DT, r=r, v_leak=0, v_threshold=THRESHOLD, v_reset=0))


def cuba() -> nir.CubaLIF:
    return nir.CubaLIF(
        **of_each(tau_syn=5 * DT, tau_mem=TAU * DT, r=TAU, w_in=5),
        **of_each(v_leak=0, v_threshold=THRESHOLD, v_reset=0),
    )


def graph(neurons: Callable[[], nir.NIRNode]) -> nir.NIRGraph:
    """Two layers, `lif1` and `lif2`."""
    nodes = {
        "input": nir.Input({"input": np.array([INPUTS])}),
        "fc1": affine(0, INPUTS, NEURONS),
        "lif1": neurons(),
        "fc2": affine(1, NEURONS, NEURONS),
        "lif2": neurons(),
        "output": nir.Output({"output": np.array([NEURONS])}),
    }
    return nir.NIRGraph(nodes, list(zip(list(nodes)[:-1], list(nodes)[1:], strict=True)))


def recurrent(r: float = TAU) -> nir.NIRGraph:
    """One layer, `lif.lif`, which hears itself through `lif.w_rec`; snnTorch writes such names.

    It is the same for every resistance: weights make up for it.
    """
    nodes = {
        "input": nir.Input({"input": np.array([INPUTS])}),
        "fc": affine(0, INPUTS, NEURONS, TAU / r),
        "lif.lif": lif(r),
        "lif.w_rec": affine(2, NEURONS, NEURONS, TAU / r),
        "output": nir.Output({"output": np.array([NEURONS])}),
    }
    edges = [("input", "fc"), ("fc", "lif.lif"), ("lif.lif", "output")]
    return nir.NIRGraph(nodes, [*edges, ("lif.lif", "lif.w_rec"), ("lif.w_rec", "lif.lif")])


def spikes(steps: int = STEPS) -> Tensor:
    draw = torch.Generator().manual_seed(4)
    return (torch.rand(steps, BATCH, INPUTS, generator=draw) < 0.4).float()


READERS: dict[str, Callable[[nir.NIRGraph], Any]] = {
    "snntorch": import_to_snntorch,
    "norse": lambda graph: norse.torch.from_nir(graph, dt=DT),
    "sinabs": lambda graph: sinabs.nir.from_nir(graph, batch_size=BATCH),
    "spikingjelly": lambda graph: import_from_nir(graph, dt=DT),
}


def run(net: Any, framework: str, x: Tensor) -> Tensor:
    """Its output `[time, batch, *neurons]`; the state is passed, except in sinabs."""
    if framework == "sinabs":
        flat = net(x.transpose(0, 1).flatten(0, 1))[0]
        return flat.unflatten(0, (BATCH, -1)).transpose(0, 1)  # type: ignore[no-any-return]
    state, outputs = None, []
    for step in x:
        output, state = net(step, state)
        outputs.append(output)
    return torch.stack(outputs)


def report_of(framework: str, graph: nir.NIRGraph) -> ActivityReport:
    net = READERS[framework](graph)
    with neuroact.record(net) as recording:
        run(net, framework, spikes())
    return recording.report()


# By reader and graph: the modules that emit, and what the report calls them.
READ = {
    **{(name, "lif"): ["lif1", "lif2"] for name in READERS},
    **{(name, "cuba"): ["lif1", "lif2"] for name in ("snntorch", "spikingjelly")},
    ("norse", "cuba"): ["lif1.lif", "lif2.lif"],
    ("snntorch", "recurrent"): ["lif.lif_lif"],
    ("spikingjelly", "recurrent"): ["lif_lif"],
    ("norse", "recurrent, r = 1"): ["lif_lif"],
}
GRAPHS: dict[str, Callable[[], nir.NIRGraph]] = {
    "lif": lambda: graph(lif),
    "cuba": lambda: graph(cuba),
    "recurrent": recurrent,
    "recurrent, r = 1": lambda: recurrent(1),
}


@pytest.mark.parametrize(("framework", "case"), READ, ids=[", ".join(pair) for pair in READ])
def test_every_layer_is_recorded_as_a_hook_sees_it_and_no_other(framework: str, case: str) -> None:
    layers = READ[framework, case]
    report, output = checked(framework, GRAPHS[case](), layers)
    # What Norse returns of a recurrent graph is not the layer's, but went through its weights.
    same = report[layers[-1]].total.tolist() == output.sum((0, 1)).tolist()
    assert same is (framework != "norse" or not case.startswith("recurrent"))


def checked(
    framework: str, graph: nir.NIRGraph, layers: list[str]
) -> tuple[ActivityReport, Tensor]:
    """The report of what a framework makes of the graph, after a comparison with hooks."""
    net = READERS[framework](graph)
    raw = {name: RawCalls(net.get_submodule(name)) for name in layers}
    with neuroact.record(net) as recording:
        output = run(net, framework, spikes())
    report = recording.report()
    assert list(report) == layers
    assert report.not_called == ()
    for name in layers:
        values = raw[name].values(lambda out: out[0] if isinstance(out, tuple) else out)
        assert_true_figures(report[name], values, BATCH)
        assert report[name].framework == framework
        expected = SignalKind.GRADED if framework == "sinabs" else SignalKind.BINARY
        assert report[name].kind is expected
    assert report[layers[0]].total.sum() > 0
    return report, output


def connections() -> nn.Linear:
    linear = nn.Linear(INPUTS, NEURONS)
    linear.weight.data *= 8
    return linear


def leaky(**options: Any) -> nn.Module:
    """Exported only with a value for each neuron."""
    each = torch.ones(NEURONS)
    return snntorch.Leaky(0.9 * each, threshold=each, init_hidden=True, **options)


def from_snntorch(**options: Any) -> tuple[nir.NIRGraph, ActivityReport]:
    """The graph, and the report of the network that it was written from."""
    torch.manual_seed(0)
    net = nn.Sequential(connections(), leaky(**options))
    with neuroact.record(net) as recording:
        for step in spikes():
            net(step)
    return export_from_snntorch(net, spikes()[0, 0]), recording.report()


def from_sinabs(file: Path) -> nir.NIRGraph:
    torch.manual_seed(0)
    net = nn.Sequential(connections(), sinabs.layers.IAFSqueeze(batch_size=BATCH))
    net(spikes()[0])
    nir.write(file, sinabs.nir.to_nir(net, spikes()[0]))
    return nir.read(file)


@pytest.mark.parametrize("framework", READERS)
def test_what_snntorch_wrote_is_recorded_in_every_framework(framework: str) -> None:
    checked(framework, from_snntorch()[0], ["1"])


@pytest.mark.parametrize("framework", ["norse", "sinabs"])
def test_what_sinabs_wrote_is_recorded_where_it_can_be_read(framework: str, tmp_path: Path) -> None:
    checked(framework, from_sinabs(tmp_path / "net.nir"), ["1"])


@pytest.mark.parametrize("framework", ["snntorch", "spikingjelly"])
def test_snntorchs_reset_survives_only_to_zero_and_at_once(framework: str) -> None:
    graph, before = from_snntorch(reset_mechanism="zero", reset_delay=False)
    assert report_of(framework, graph)["1"].events.tolist() == before["1"].events.tolist()
    graph, before = from_snntorch()
    assert report_of(framework, graph)["1"].events.tolist() != before["1"].events.tolist()


def test_norse_writes_a_thousandth_of_a_time_constant() -> None:
    each = torch.ones(NEURONS)
    rule = norse.torch.LIFBoxParameters(tau_mem_inv=100 * each, v_th=each, v_leak=0 * each)
    net = norse.torch.SequentialState(connections(), norse.torch.LIFBoxCell(rule))
    written = norse.torch.to_nir(net, spikes()[0, 0])
    np.testing.assert_allclose(written.nodes["1"].tau, 0.01 / 1000)


@pytest.mark.parametrize(
    ("kind", "nodes"), [("cuba", ["lif1", "lif2"]), ("recurrent", ["lif_lif"])]
)
def test_layers_are_matched_by_the_graphs_nodes(kind: str, nodes: list[str]) -> None:
    cases = [(framework, name) for framework, name in READ if name.startswith(kind)]
    reports = [report_of(framework, GRAPHS[name]()) for framework, name in cases]
    assert len({tuple(report) for report in reports}) == 2, "the test would prove little"
    for first in reports:
        assert [first[node].name for node in nodes] == list(first)
        assert not neuroact.compare(first, *reports).unmatched


def test_a_node_with_two_layers_in_it_is_the_name_of_neither() -> None:
    pair = {nir.LIF: lambda node: nn.Sequential(neuron.IFNode(), neuron.IFNode())}
    net = nirtorch.nir_to_torch(graph(lif), pair)
    with neuroact.record(net) as recording:
        layers = recording.layers
    assert list(layers) == ["lif1.0", "lif1.1", "lif2.0", "lif2.1"]
    assert not any(info.aliases for info in layers.values())


def source() -> Any:
    torch.manual_seed(0)
    net = nn.Sequential(layer.Linear(INPUTS, 7), neuron.LIFNode(10.0, decay_input=False))
    net.extend([nn.Sequential(layer.Linear(7, 4), neuron.LIFNode(10.0, decay_input=False))])
    return net


@pytest.mark.parametrize("step_mode", ["s", "m"])
def test_spikingjelly_fires_after_the_trip_as_before_neuron_by_neuron(step_mode: str) -> None:
    net, x = source(), spikes() * 2
    written = export_to_nir(net, x[0], dt=DT)
    copy = import_from_nir(written, dt=DT, step_mode=step_mode)
    functional.reset_net(net)
    with neuroact.record(net) as before:
        for step in x:
            net(step)
    with neuroact.record(copy) as after:
        run(copy, "spikingjelly", x) if step_mode == "s" else copy(x)
    comparison = neuroact.compare(before.report(), after.report())
    assert not comparison.unmatched
    assert {name: entry.layers["2"].name for name, entry in comparison.items()} == {
        "1": "_1",
        "2.1": "_2_1",
    }
    for entry in comparison.values():
        first, second = entry.layers.values()
        assert first.events.tolist() == second.events.tolist()
        assert first.events.sum() > 0
        assert second.observations == STEPS * BATCH
        assert second.sequences == BATCH
        assert second.kind is SignalKind.BINARY


@pytest.mark.parametrize("step_mode", ["s", "m"])
def test_a_node_goes_on_with_the_state_it_is_given_and_starts_anew_without(step_mode: str) -> None:
    net = import_from_nir(graph(lif), dt=DT, step_mode=step_mode)
    with neuroact.record(net) as recording:
        _, state = net(spikes() if step_mode == "m" else spikes()[0])
        net(spikes() if step_mode == "m" else spikes()[0], state)
        assert recording.report()["lif1"].sequences == BATCH
        net(spikes() if step_mode == "m" else spikes()[0])
    assert recording.report()["lif1"].sequences == 2 * BATCH


def by_hand(*, through_recurrent_weights: bool) -> Any:
    """Spikes and membrane potentials `[time, batch, neurons]` of the recurrent layer, in NumPy."""
    into, back = (affine(seed, n, NEURONS).weight.T for seed, n in ((0, INPUTS), (2, NEURONS)))
    v = fired = np.zeros((BATCH, NEURONS))
    emitted, potentials = [], []
    for step in spikes().double().numpy():
        current = step @ into
        current = (current + fired) @ back if through_recurrent_weights else current + fired @ back
        v = v + current - v / TAU
        assert abs(v - THRESHOLD).min() > 1e-4, "rounding would decide"
        fired = np.float64(v > THRESHOLD)
        v = np.where(fired, 0, v)
        emitted.append(fired)
        potentials.append(v)
    return np.stack(emitted), np.stack(potentials)


@pytest.mark.parametrize(
    ("framework", "r", "through"),
    [("spikingjelly", TAU, False), ("norse", 1, False), ("snntorch", TAU, True)],
)
def test_recurrent_layers_fire_as_numpy_says(framework: str, r: float, through: bool) -> None:
    """The importer of snnTorch 1.0.0 leads the layer's input through its recurrent weights."""
    emitted, _ = by_hand(through_recurrent_weights=through)
    found = report_of(framework, recurrent(r))["lif_lif"]
    assert found.events.tolist() == emitted.sum((0, 1)).tolist()


def test_the_membrane_in_a_node_is_seen_after_each_step_and_not_within_a_sequence() -> None:
    net = import_from_nir(recurrent(), dt=DT)
    with neuroact.record(net, of="v") as recording:
        run(net, "spikingjelly", spikes())
    _, potentials = by_hand(through_recurrent_weights=False)
    report = recording.report()
    np.testing.assert_allclose(report["lif_lif"].activity, potentials.mean((0, 1)), rtol=1e-5)
    whole = import_from_nir(graph(lif), dt=DT, step_mode="m")
    refused = pytest.raises(AdapterReadError, match=r'"lif1".*In step mode "s" each step is seen')
    with neuroact.record(whole, of="v"), refused:
        whole(spikes())


@pytest.mark.parametrize("step_mode", ["s", "m"])
def test_what_arrives_at_a_node_is_read_by_its_step_mode(step_mode: str) -> None:
    net = import_from_nir(graph(lif), dt=DT, step_mode=step_mode)
    raw = RawCalls(net.fc1)
    with neuroact.record(net, of="input") as recording:
        run(net, "spikingjelly", spikes()) if step_mode == "s" else net(spikes())
    values = raw.values(lambda output: output, sequence=step_mode == "m")
    assert recording.report()["lif1"].observations == len(values) == STEPS * BATCH
    assert recording.report()["lif1"].total.tolist() == values.sum(0).tolist()


def test_a_recorded_copy_works_as_if_it_were_not() -> None:
    outputs = []
    for record in (False, True):
        net = import_from_nir(graph(cuba), dt=DT)
        with neuroact.record(net) if record else contextlib.nullcontext():
            outputs.append(run(net, "spikingjelly", spikes()))
        assert not any(module._forward_hooks for module in net.modules())
    assert torch.equal(*outputs)


def test_the_pages_snippets_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    snippets.run(PAGE)


def test_the_page_shows_what_the_example_prints(capsys: pytest.CaptureFixture[str]) -> None:
    spec = importlib.util.spec_from_file_location("nir_trip", ROOT / "examples/nir_trip.py")
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    example.main()
    assert f"```text\n{capsys.readouterr().out}```" in PAGE.read_text(encoding="utf-8")
