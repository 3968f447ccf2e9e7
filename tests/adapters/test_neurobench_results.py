"""What the metric gives NeuroBench: plain Python, computed late; and what is made of it."""

from __future__ import annotations

import ast
import copy
import csv
import json
import pickle
import pprint
import re
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
import torch
from command import neuroact as command
from matplotlib.figure import Figure
from neurobench.models import SNNTorchModel, TorchModel
from neurobench_cases import Batches, Explicit, WholeSequence, batches, bench, run
from printed import printed
from torch import Tensor, nn

import neuroact
from neuroact import ActivityReport, Raster, SpikeChunk, TimeCourse
from neuroact.errors import NothingRecordedError, ReportFileError
from neuroact_adapters.neurobench import AverageActivityMetric, report
from neuroact_adapters.neurobench.results import layer_entry

NAME = "AverageActivityMetric"


class Chunks:
    """A user's own statistic: how many steps came, and how many began a sequence."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.steps = self.begun = 0

    def update(self, chunk: SpikeChunk) -> None:
        self.steps += chunk.steps
        self.begun += chunk.starts_sequence

    def merge(self, other: Any) -> None:
        raise NotImplementedError

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: Any) -> None:
        raise NotImplementedError

    def result(self) -> dict[str, int]:
        return {"steps": self.steps, "begun": self.begun}


def explicit() -> dict[str, Any]:
    return run(SNNTorchModel(Explicit()), batches(4, 3), AverageActivityMetric)


def real_values() -> dict[str, Any]:
    """Results with layers of real values, one of them with a NaN."""
    model = TorchModel(nn.Sequential(nn.ReLU(), nn.Linear(2, 2), nn.Sigmoid()))
    nan = Batches(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.5, float("nan")]]))
    return run(model, nan, AverageActivityMetric)


@pytest.mark.parametrize("results_of", [explicit, real_values])
def test_results_are_saved_and_read_back_in_every_format(results_of: Any, tmp_path: Path) -> None:
    benchmark = bench(SNNTorchModel(Explicit()), batches(4), AverageActivityMetric)
    expected = results_of()
    for ending in ("json", "csv", "txt"):
        benchmark.results = results_of()  # not read yet
        benchmark.save_benchmark_results(str(tmp_path / "saved"), ending)
    assert json.loads((tmp_path / "saved.json").read_text()) == expected
    with (tmp_path / "saved.csv").open(newline="") as file:
        header, row = csv.reader(file)
    assert dict(zip(header, map(ast.literal_eval, row), strict=True)) == expected
    name, text = (tmp_path / "saved.txt").read_text().split(": ", 1)
    assert {name: ast.literal_eval(text)} == expected


READERS = {
    "json": lambda figures: json.loads(json.dumps(figures)),
    "json with indents": lambda figures: json.loads(json.dumps(figures, indent=4)),
    "json, sorted": lambda figures: json.loads(json.dumps(figures, sort_keys=True)),
    "repr": lambda figures: ast.literal_eval(repr(figures)),
    "str of what holds it": lambda figures: ast.literal_eval(str([figures]))[0],
    "pprint": lambda figures: ast.literal_eval(pprint.pformat(figures)),
    "dict": dict,
    "unpacking": lambda figures: {**figures},
    "update": lambda figures: {} | figures,
    "keys": lambda figures: {name: figures[name] for name in figures},
    "items": lambda figures: dict(figures.items()),
    "zip": lambda figures: dict(zip(figures.keys(), figures.values(), strict=True)),
    "get": lambda figures: {name: figures.get(name) for name in reversed(list(figures))},
    "pop": lambda figures: {name: figures.pop(name) for name in list(figures)},
    "copy": copy.copy,
    "method copy": lambda figures: figures.copy(),
    "deepcopy": copy.deepcopy,
    "pickle": lambda figures: pickle.loads(pickle.dumps(figures)),
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_an_unread_result_reads_like_a_plain_dict(read: Any) -> None:
    expected = dict(explicit()[NAME].items())
    assert type(expected["lif1"]) is dict
    assert read(explicit()[NAME]) == expected


def test_figures_are_worked_out_once_and_only_when_read(monkeypatch: pytest.MonkeyPatch) -> None:
    layers: list[str] = []

    def counted(layer: Any, **options: Any) -> Any:
        layers.append(layer.name)
        return layer_entry(layer, **options)

    monkeypatch.setattr("neuroact_adapters.neurobench.results.layer_entry", counted)
    results = run(SNNTorchModel(Explicit()), batches(4, 4, 3), AverageActivityMetric)
    assert not layers
    assert repr(results) == repr(results)
    assert results[NAME]["lif1"]["samples"] == 11
    assert layers == ["lif1", "lif2"]


def test_pprint_lays_it_out_as_it_does_a_dict() -> None:
    assert pprint.pformat(explicit()) == pprint.pformat({NAME: dict(explicit()[NAME])})


def test_unread_results_are_compared_by_their_figures() -> None:
    one, two, other = explicit(), explicit(), real_values()
    assert one == two
    assert one != other
    assert len(one[NAME]) == 2


def test_changing_it_changes_its_figures_alone() -> None:
    figures = explicit()[NAME]
    figures["lif1"] = None
    del figures["lif2"]
    assert figures == {"lif1": None}


def test_a_wrong_name_is_answered_with_the_right_ones() -> None:
    with pytest.raises(KeyError, match="'lif3'; there are: lif1, lif2"):
        explicit()[NAME]["lif3"]


def test_the_report_is_that_of_a_recording_of_the_same_run() -> None:
    model, loader = SNNTorchModel(WholeSequence(), custom_forward=True), batches(4, 3)
    with neuroact.record(model.net) as recording:
        results = run(model, loader, AverageActivityMetric)
    assert report(results) == recording.report()
    assert report(json.loads(json.dumps(results))) == recording.report()
    assert report(results[NAME]) == recording.report()


@pytest.mark.filterwarnings("ignore::neuroact.errors.UnreliableLayerWarning")
def test_the_report_keeps_real_values_and_what_is_wrong_with_them() -> None:
    live = report(json.loads(json.dumps(real_values())))
    assert live["0"].unreliable is not None
    model = TorchModel(nn.Sequential(nn.ReLU(), nn.Linear(2, 2), nn.Sigmoid()))
    with neuroact.record(model.net, layers=["0", "2"]) as recording:
        results = run(model, Batches(torch.rand(3, 2) - 0.5), AverageActivityMetric)
    assert report(json.loads(json.dumps(results))) == recording.report()


def test_configured_metrics_stand_side_by_side() -> None:
    first = AverageActivityMetric.configured(name="First", layers="lif1", dt=1e-3)
    small = AverageActivityMetric.configured(name="Small", per_neuron=False)
    own = AverageActivityMetric.configured(
        name="Own", statistics=[Chunks, Raster(3)], layers="lif2"
    )
    assert (first.__name__, small.__name__) == ("First", "Small")
    results = run(SNNTorchModel(Explicit()), batches(4, 3), first, small, own)
    assert list(results) == ["First", "Small", "Own"]
    assert list(results["First"]) == ["lif1"]
    assert results["First"]["lif1"]["dt"] == 1e-3
    assert report(results, name="First")["lif1"].dt == 1e-3
    assert "histogram" not in results["Small"]["lif1"]
    assert results["Small"]["lif1"]["mean"] == results["First"]["lif1"]["mean"]
    assert results["Own"]["lif2"]["Chunks"] == {"steps": 18, "begun": 2}
    assert len(results["Own"]["lif2"]["Raster"]["lengths"]) == 3
    with pytest.raises(ValueError, match="First, Small, Own"):
        report(results)
    with pytest.raises(ReportFileError, match="per_neuron=False"):
        report(results, name="Small")


def test_what_cannot_be_configured_is_refused_at_once() -> None:
    configured = AverageActivityMetric.configured
    with pytest.raises(ValueError, match="name="):
        configured(name="")
    with pytest.raises(ValueError, match="dt="):
        configured(name="X", dt=-1.0)
    with pytest.raises(ValueError, match=r"each at most once"):
        configured(name="X", axes="TTN")
    with pytest.raises(TypeError, match="statistics="):
        configured(name="X", statistics=[dict])
    with pytest.raises(TypeError, match="adapters="):
        configured(name="X", adapters=[object()])


@pytest.mark.parametrize(
    "statistics",
    ["TimeCourse", TimeCourse, TimeCourse(), lambda: TimeCourse(), (s for s in [TimeCourse])],
    ids=["name", "class", "configured", "function", "generator"],
)
def test_statistics_are_given_in_every_way_that_record_takes(statistics: Any) -> None:
    metric = AverageActivityMetric.configured(name="Own", statistics=statistics)
    results = run(SNNTorchModel(Explicit()), batches(4, 3), metric)
    assert [sum(layer["TimeCourse"]["observations"]) for layer in results["Own"].values()] == [
        layer["timesteps"] for layer in results["Own"].values()
    ]


@pytest.mark.parametrize("statistics", [3, [3], object()])
def test_what_is_no_statistic_is_refused_by_what_statistics_takes(statistics: Any) -> None:
    with pytest.raises(TypeError, match="statistics= takes names such as"):
        AverageActivityMetric.configured(name="X", statistics=statistics)


class Twice(nn.Module):
    """One activation function after two layers."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(5, 7), nn.Linear(7, width)
        self.activation, self.last = nn.ReLU(), nn.ReLU()

    def forward(self, x: Tensor) -> Any:
        return self.last(self.activation(self.fc2(self.activation(self.fc1(x)))))


def test_a_module_that_is_used_in_two_places_says_so_and_what_to_do() -> None:
    loader = Batches(torch.rand(4, 5), torch.rand(3, 5))
    with pytest.warns(neuroact.errors.NeuroactWarning, match="used in two places of the network"):
        results = run(TorchModel(Twice(3)), loader, AverageActivityMetric)
    told = results[NAME]["activation"]["error"]
    for part in (
        "used in two places",
        "a module of its own",
        "configured(layers=",
        "Reading(places=2)",
    ):
        assert part in told
    assert results[NAME]["last"]["timesteps"] == 7  # the other layers are still counted
    # Its advice works.
    net = Twice(3)
    readings = {"activation": neuroact.Reading(places=2), "last": neuroact.Reading()}
    of_places = AverageActivityMetric.configured(name="OfPlaces", layers=readings)
    with neuroact.record(net, layers=readings) as recording:
        results = run(TorchModel(net), loader, of_places)["OfPlaces"]
    assert list(results) == ["activation#1", "activation#2", "last"]
    for name, layer in recording.report().items():
        assert results[name]["histogram"] == layer.activity.tolist()
        assert results[name]["timesteps"] == layer.observations == 7
    wrong = {"activation": neuroact.Reading(places=3)}
    of_three = AverageActivityMetric.configured(name="OfThree", layers=wrong)
    with pytest.warns(neuroact.errors.NeuroactWarning, match="places=3, and was called 2 times"):
        run(TorchModel(net), loader, of_three)


def test_a_module_that_is_used_in_two_places_of_one_width_is_counted_in_both() -> None:
    results = run(TorchModel(Twice(7)), Batches(torch.rand(4, 5)), AverageActivityMetric)
    assert results[NAME]["activation"]["timesteps"] == 8


def test_a_name_in_layers_that_matches_nothing_is_told() -> None:
    wrong = AverageActivityMetric.configured(name="Wrong", layers="lif9")
    with pytest.warns(neuroact.errors.NeuroactWarning, match=r"Wrong .*'lif9' matches no module"):
        results = run(SNNTorchModel(Explicit()), batches(4), wrong)
    assert list(results["Wrong"]) == ["error"]


def test_what_neurobench_made_of_an_exception_is_no_result() -> None:
    with pytest.raises(NothingRecordedError, match=r"not figures of neurons: 0\.0"):
        report({NAME: 0.0, "ActivationSparsity": 0.5}, name=NAME)
    with pytest.raises(NothingRecordedError, match="not figures of neurons"):
        AverageActivityMetric.plot_activity_distributions({NAME: 0.0})


def test_damaged_results_are_refused_by_the_layers_name() -> None:
    results = json.loads(json.dumps(explicit()))
    results[NAME]["lif1"]["histogram"].pop()
    with pytest.raises(ReportFileError, match='"lif1"'):
        report(results)


def saved(folder: Path, results: Any) -> Path:
    """The JSON file that NeuroBench itself writes of the results."""
    benchmark = bench(SNNTorchModel(Explicit()), batches(4), AverageActivityMetric)
    benchmark.results = results
    benchmark.save_benchmark_results(str(folder / "results"))
    return folder / "results.json"


@pytest.mark.filterwarnings("ignore::neuroact.errors.UnreliableLayerWarning")
@pytest.mark.parametrize("results_of", [explicit, real_values])
@pytest.mark.parametrize("kind", [str, Path])
def test_a_report_is_made_of_the_file_that_neurobench_writes(
    results_of: Any, kind: Any, tmp_path: Path
) -> None:
    results = {**results_of(), "ActivationSparsity": float("nan")}
    path = saved(tmp_path, results)
    assert report(kind(path)) == report(results)
    assert report(kind(path), name=NAME) == report(results)
    axes = AverageActivityMetric.plot_activity_distributions(kind(path))
    shown = [label.get_text().partition(" ")[0] for label in axes.get_yticklabels()]
    assert shown == list(results[NAME])
    mpl.pyplot.close(axes.figure)


def test_a_file_that_is_none_of_results_is_refused_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "results.txt"
    for text, problem in (("a: {'b': 1}", "not JSON"), ("[1]", "expected the results")):
        path.write_text(text)
        with pytest.raises(ReportFileError, match=rf"results\.txt: {problem}"):
            report(path)
    path.write_text("{}")
    with pytest.raises(NothingRecordedError, match="they hold nothing"):
        report(path)
    with pytest.raises(FileNotFoundError):
        report(tmp_path / "results")
    with pytest.raises(TypeError, match="or the path of its JSON file, came int"):
        report(3)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("timesteps", -1),
        ("timesteps", 2**70),
        ("timesteps", "ten"),
        ("samples", None),
        ("histogram", [0.1, 2.0, 0.5]),
        ("histogram", [0.1, None, 0.5]),
        ("histogram", [0.1, 1e300, 0.5]),
        ("histogram", {}),
        ("shape", [2**40, 2**40]),
        ("kind", "other"),
        ("aliases", 3),
        ("dt", 0),
    ],
)
def test_figures_that_no_run_gives_are_refused_by_the_layers_name(key: str, value: Any) -> None:
    results = json.loads(json.dumps(explicit()))
    results[NAME]["lif2"][key] = value
    with pytest.raises(ReportFileError, match=r'^layer "lif2": its figures are damaged: ') as error:
        report(results)
    assert error.value.layer == "lif2"


def test_the_plot_has_a_box_a_layer_and_fits_the_data() -> None:
    results = explicit()
    axes = AverageActivityMetric.plot_activity_distributions(results)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["lif1", "lif2"]
    assert axes.get_xlim()[1] >= max(layer["max"] for layer in results[NAME].values())
    mpl.pyplot.close(axes.figure)


def test_the_plot_takes_axes_results_of_a_file_and_many_layers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layer = json.loads(json.dumps(explicit()))[NAME]["lif1"]
    many = {NAME: {f"block{n}.lif": layer for n in range(40)}}
    monkeypatch.setattr("matplotlib.pyplot.show", None)
    given = Figure().add_subplot()
    assert AverageActivityMetric.plot_activity_distributions(many, given) is given
    assert len(given.get_yticks()) == 40
    axes = AverageActivityMetric.plot_activity_distributions(many)
    assert axes.figure.get_figheight() > 10
    mpl.pyplot.close(axes.figure)


def test_each_configured_metric_draws_its_own_figures() -> None:
    first = AverageActivityMetric.configured(name="First", layers="lif1")
    results = run(SNNTorchModel(Explicit()), batches(4), AverageActivityMetric, first)
    given = Figure().add_subplot()
    first.plot_activity_distributions(results, ax=given)
    assert [label.get_text() for label in given.get_yticklabels()] == ["lif1"]


def test_results_without_every_neurons_figure_are_drawn_from_the_others() -> None:
    small = AverageActivityMetric.configured(name="Small", per_neuron=False)
    results = json.loads(json.dumps(run(SNNTorchModel(Explicit()), batches(4), small)))
    axes = small.plot_activity_distributions(results)
    assert [label.get_text() for label in axes.get_xticklabels()] == ["lif1", "lif2"]
    assert axes.get_ylim()[1] >= max(layer["max"] for layer in results["Small"].values())
    mpl.pyplot.close(axes.figure)
    results["Small"]["lif2"] = {"error": "why", "framework": "snntorch", "layer_type": "Leaky"}
    given = Figure().add_subplot()
    assert small.plot_activity_distributions(results, given) is given


@pytest.mark.filterwarnings("ignore::neuroact.errors.UnreliableLayerWarning")
def test_the_command_reads_the_file_that_neurobench_writes(tmp_path: Path) -> None:
    results = {**explicit(), "ActivationSparsity": float("nan")}  # NaN as JSON has none
    path = saved(tmp_path, results)
    made = report(path)
    assert command("show", path) == (0, f"{printed(made)}\n", "")
    assert ActivityReport.from_dict(json.loads(command("show", path, "--json").out)) == made
    assert command("show", path, "--fail-on", "dead=0").code == 1
    assert command("html", path).code == command("plot", path).code == 0
    assert command("export", path).out == made.to_csv()
    made.to_json(tmp_path / "other.json")
    compared = neuroact.compare(made, made, labels=["results", "other"])
    assert command("compare", path, tmp_path / "other.json").out == f"{printed(compared)}\n"
    assert "results.json is a report, not a recording" in command("merge", path, "-o", "a").err


def test_results_that_the_command_cannot_take_say_why(tmp_path: Path) -> None:
    part = json.loads(json.dumps(explicit()[NAME]))
    summary = {
        name: {key: value for key, value in layer.items() if key != "histogram"}
        for name, layer in part.items()
    }
    for results, message in (
        ({"A": part, "B": part}, 'results of A, B. In Python, write .*, name="A"'),
        ({NAME: {"error": "no layer"}}, "NeuroBench's results: no layer"),
        ({NAME: summary}, "only the layers' figures"),
    ):
        result = command("show", saved(tmp_path, results))
        assert result.code == 2
        assert re.search(message, result.err)
