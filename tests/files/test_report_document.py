"""A report's JSON: its published schema, its older versions, and hostile files."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import report_schema
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from torch import nn
from toy import Net, ToyAdapter

import neuroact
from neuroact import (
    ActivityReport,
    LayerActivity,
    Recording,
    SignalKind,
    SpikeCounts,
    Synchrony,
    TimeCourse,
)
from neuroact.errors import ReportFileError
from neuroact.files.json_document import parse
from neuroact.files.layout import RESULTS
from neuroact.results.operations import LayerOperations, Operations

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs/reference/report.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
VERSION_1 = (ROOT / "tests/data/report-v1.json").read_text()
WITH_DEFAULTS = {"bin_width", "samples", "squares", "threshold", "window"}
FUZZED = settings(max_examples=max(1000, settings().max_examples))


def recorded(**options: Any) -> ActivityReport:
    net = Net()
    with neuroact.record(net, adapters=[ToyAdapter()], **options) as recording:
        net(torch.ones(4, 2, 5))
        recording.observe("chip <b>", torch.tensor([[[2.0, -1.0]]]), kind="graded")
    return recording.report()


@cache
def everything() -> ActivityReport:
    """A report with everything that a document can have."""
    binned = {
        "SpikeCounts": SpikeCounts(window=3),
        "Synchrony": Synchrony(bin_width=2),
        "TimeCourse": TimeCourse(bin_width=2),
    }
    kept = [binned.get(name, getattr(neuroact, name)) for name in RESULTS]
    recording = Recording(statistics=kept)
    spikes = np.random.default_rng(0).random((7, 2, 1, 3)) < 0.6
    with recording.batch(labels=[0, 1]):
        recording.observe("lif", spikes)
    layers = [
        LayerActivity(
            name=f"layer.{kind.value}",
            aliases=("other",),
            framework="toy",
            layer_type="Neuron",
            kind=kind,
            observations=7,
            sequences=2,
            events=np.array([[0, 3, 7]]),
            total=np.array([[0.0, -1.5, np.nan if kind is SignalKind.ANALOG else 9.0]]),
            nonfinite=kind is SignalKind.ANALOG,
            dt=0.001,
            results=recording.report()["lif"].results,
        )
        for kind in SignalKind
    ]
    origin = {"model": None, "versions": {"torch": "2"}, "run": {"deep": [1, 2.5, None, "x"]}}
    connections = [
        LayerOperations(
            name=f"fc.{weighted}",
            aliases=("tied",),
            framework="torch",
            layer_type="Linear",
            shape=(2, 3),
            output_shape=None if weighted is None else (2,),
            observations=7,
            events=9,
            ones=6,
            connections=12,
            parameters=14,
            dense=84,
            unpruned=20,
            acs=11,
            macs=5,
            weighted=weighted,
            bias_additions=14,
        )
        for weighted in (None, 23)
    ]
    operations = Operations(connections, not_counted={"cell": "it is an LSTMCell"})
    return ActivityReport(layers, origin=origin, not_called=["silent"], operations=operations)


@pytest.mark.parametrize("report", [everything(), ActivityReport([])], ids=["full", "empty"])
def test_what_is_written_is_what_the_published_schema_says(report: ActivityReport) -> None:
    VALIDATOR.check_schema(SCHEMA)
    document = json.loads(report.to_json())
    VALIDATOR.validate(document)
    assert document == report.to_dict()
    assert document["schema_version"] == max(versions())


@pytest.mark.parametrize("of", ["output", "input", "grad", "mem"])
def test_the_published_schema_knows_whatever_of_the_layers_is_recorded(of: str) -> None:
    class Neuron(nn.Module):
        mem = torch.ones(1, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 1

    net = nn.Sequential(Neuron())
    with neuroact.record(net, layers="0", of=of) as recording:
        net(torch.ones(1, 3, requires_grad=True)).sum().backward()
    document = recording.report().to_dict()
    assert document["origin"]["options"]["of"] == of
    VALIDATOR.validate(document)


def versions() -> list[int]:
    return list(SCHEMA["properties"]["schema_version"]["enum"])


def test_the_published_schema_is_made_of_the_classes_that_reading_checks_by() -> None:
    """`python tests/shared/report_schema.py` writes the file again."""
    assert report_schema.FILE.read_text() == report_schema.text()


def test_every_key_that_is_written_is_described() -> None:
    document = everything().to_dict()
    assert set(document) == set(SCHEMA["properties"])
    parts = SCHEMA["$defs"]
    assert set().union(*document["layers"]) == set(parts["Layer"]["properties"])
    assert set(document["layers"][0]["figures"]) == set(parts["Figures"]["required"])
    assert set(parts["Results"]["properties"]) == set(RESULTS)
    for name, entry in document["layers"][0]["results"].items():
        described, required = (set(parts[name][key]) for key in ("properties", "required"))
        assert required <= set(entry) <= described
        assert described - required <= WITH_DEFAULTS
    entries = {
        name: entry
        for part in (SCHEMA, *parts.values())
        for name, entry in part.get("properties", {}).items()
    }
    bare = {name for name, entry in entries.items() if not {"description", "$ref"} & entry.keys()}
    assert bare == {"schema", "schema_version", "axes"}


def test_a_file_of_version_1_still_loads_and_is_as_its_schema_says() -> None:
    document = json.loads(VERSION_1)
    assert document["schema_version"] == 1
    VALIDATOR.validate(document)
    report = ActivityReport.from_json(VERSION_1)
    assert list(report) == ["lif1", "fc", "lif2", "events <chip>", "broken"]
    assert report.not_called == ("unused",)
    for entry in document["layers"]:
        layer = report[entry["name"]]
        for name, value in entry["figures"].items():
            found = getattr(layer, name)
            assert found == value or (value is None and np.isnan(found))
        assert layer.events.ravel().tolist() == entry["events"]
        assert (layer.shape, layer.dt) == (tuple(entry["shape"]), entry["dt"])
    again = report.to_dict()
    assert again["schema_version"] == max(versions())
    VALIDATOR.validate(again)
    assert ActivityReport.from_dict(again) == report


def test_operations_are_read_back_and_divided_by_the_layers_of_the_report() -> None:
    report = everything()
    again = ActivityReport.from_json(report.to_json())
    assert again.operations == report.operations
    assert again.operations["fc.23"] == report.operations["fc.23"]
    assert dict(again.operations.not_counted) == {"cell": "it is an LSTMCell"}
    assert again.operations.per_sample["fc.23"].acs == 11 / 2
    assert again.operations.neurons == report.operations.neurons
    assert again.operations.per_sample.memory == report.operations.per_sample.memory
    assert "operations" not in ActivityReport([]).to_dict()


@pytest.mark.parametrize(
    ("figure", "value", "message"),
    [
        ("events", 43, '"fc.23" has more events than elements'),
        ("ones", 10, '"fc.23" has more ones than events'),
        ("acs", 16, '"fc.23" has more operations than connections'),
        ("dense", 19, '"fc.23" has more operations than connections'),
        ("macs", -1, "operations.layers.1..macs: .* came -1"),
        ("dense", 2**200, '"fc.23" has operations that cannot be counted'),
        ("bias_additions", 2**200, '"fc.23" has operations that cannot be counted'),
        ("parameters", None, "operations.layers.1..parameters: .* came None"),
        ("name", "fc.None", 'two layers are named "fc.None"'),
    ],
)
def test_operations_that_cannot_be_are_refused(figure: str, value: Any, message: str) -> None:
    document = everything().to_dict()
    document["operations"]["layers"][1][figure] = value
    with pytest.raises(ReportFileError, match=f"the report is damaged: .*{message}"):
        ActivityReport.from_dict(document)


def test_operations_beyond_int64_are_read_back() -> None:
    layer = replace(everything().operations["fc.23"], dense=2**70, unpruned=2**66, acs=2**65)
    report = ActivityReport([], operations=Operations([layer]))
    assert ActivityReport.from_json(report.to_json()) == report


def test_the_origin_tells_versions_model_options_statistics_and_definitions() -> None:
    report = recorded(layers=["lif*"], dt=0.002, statistics=[neuroact.SpikeCounts])
    document = json.loads(report.to_json())
    origin = document["origin"]
    assert origin["model"] == "toy.Net"
    assert {"python", "neuroact", "torch", "numpy"} <= set(origin["versions"])
    asked = {"layers": ["lif*"], "of": "output", "axes": None, "dt": 0.002}
    assert origin["options"] == asked
    assert set(origin["statistics"]) == {"Firing", "SpikeCounts"}
    assert all(origin["statistics"].values())
    layer = document["layers"][0]
    assert (layer["sequences"], layer["observations"]) == (2, 8)
    assert set(layer["figures"]) <= set(document["definitions"])
    doc = LayerActivity.sparsity.__doc__ or ""
    assert document["definitions"]["sparsity"].startswith("Share of values that are zero, 1 - ")
    assert doc.startswith("Share of values that are zero, `1 - ")
    assert all(document["definitions"].values())


@pytest.mark.parametrize(
    ("layers", "expected"),
    [
        (None, None),
        ("lif*", "lif*"),
        (("lif1", "lif2"), ["lif1", "lif2"]),
        (lambda name, module: "lif" in name, "predicate <lambda>"),
    ],
)
def test_the_origin_tells_which_layers_were_asked_for(layers: Any, expected: Any) -> None:
    assert recorded(layers=layers).origin["options"]["layers"] == expected


def test_a_layer_is_a_line() -> None:
    report = recorded()
    lines = report.to_json().splitlines()
    assert sum('"events": [' in line for line in lines) == len(report)
    assert ActivityReport([]).to_json().endswith(' "layers": []\n}\n')


def changed(path: tuple[Any, ...], value: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        *parents, last = path
        at: Any = document
        for key in parents:
            at = at[key]
        at[last] = value

    return change


def changed_count(
    statistic: str, name: str, place: int, count: int
) -> Callable[[dict[str, Any]], None]:
    return changed(("layers", 0, "results", statistic, name, place), count)


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


LAYER = ("layers", 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed(("schema_version",), True), "schema_version: expected `int`, came True"),
        (changed(("schema_version",), 0), "schema_version: invalid enum value 0"),
        (changed(("schema_version",), 10**4000), "reads up to 2: update neuroact"),
        (changed(("layers",), {}), "layers: expected `array`, came {}"),
        (changed(("layers",), ["x"]), "layer number 0: expected `object`, came 'x'"),
        (changed(("origin",), []), "origin: expected `object`, came"),
        (changed(("origin", "x"), nested(17)), "origin: nested deeper than 16"),
        (changed(("not_called",), [1]), r"not_called\[0\]: expected `str`, came 1"),
        (changed((*LAYER, "shape"), [10**18]), "3 values do not make the shape"),
        (changed((*LAYER, "shape"), [10**18] * 64), "3 values do not make the shape"),
        (
            changed((*LAYER, "shape"), [1] * 65),
            "shape: expected `array` of length <= 64",
        ),
        (changed((*LAYER, "shape"), [3, -1]), r"shape\[1\]: expected `int` >= 0, came -1"),
        (changed((*LAYER, "events"), "123"), "events: expected `array`, came '123'"),
        (changed((*LAYER, "events", 1), 1.0), r"events\[1\]: expected `int`, came 1\.0"),
        (changed((*LAYER, "events", 1), True), "expected `int`, came True"),
        (
            changed((*LAYER, "events", 1), 10**4000),
            "expected `int` <= 9223372.*, came 1000",
        ),
        (changed((*LAYER, "events", 1), 8), "a neuron has 8 events in 7 steps"),
        (changed((*LAYER, "observations"), 2**63 - 1), "of 3 neurons cannot be counted"),
        (changed((*LAYER, "dt"), 0), "dt: expected `float` > 0.0, came 0"),
        (changed((*LAYER, "dt"), False), r"dt: expected `float \| null`, came False"),
        (
            changed((*LAYER, "name"), "\ud800"),
            "expected a text of whole characters, came",
        ),
        (changed((*LAYER, "kind"), ["binary"]), "kind: expected `str`, came"),
        (changed(("layers", 1, "name"), "layer.binary"), 'two layers.* named "layer.binary"'),
        (
            changed_count("SpikeCounts", "histogram", 0, 99),
            "histogram: expected 12 numbers, came 1",
        ),
        (
            changed_count("SpikeCounts", "sums", 0, 0),
            "histogram: another sum than that of all neurons",
        ),
        (changed_count("SpikeCounts", "squares", 0, 99), "histogram: another sum of squares"),
        (changed_count("SpikeCounts", "squares", 0, 0), "squares: too small for these sums"),
        (changed_count("Synchrony", "events", 0, 15), "events: more than there were steps"),
        (changed_count("Synchrony", "events", 0, 0), "histogram: another sum than that of all"),
        (
            changed_count("InterspikeIntervals", "squares", 0, 0),
            "squares: too small for these sums",
        ),
        (
            changed_count("InterspikeIntervals", "pairs", 0, 99),
            "pairs: more than there are intervals",
        ),
        (
            changed_count("TimeCourse", "first_spikes", 0, 7),
            "first_spikes: more than there are events",
        ),
        (changed_count("TimeCourse", "events", 0, 0), "first_spikes: more than there are events"),
        (changed(("layers", 1, "total"), [1.0]), "total: 1 values do not make the shape"),
        (
            changed(("layers", 1, "total", 0), "1"),
            r"total\[0\]: expected `float.*, came '1'",
        ),
        (
            changed(("layers", 1, "total", 0), 10**400),
            r"total\[0\]: number out of range, came",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_layer_and_in_a_few_words(
    change: Callable[[dict[str, Any]], None], message: str
) -> None:
    document = everything().to_dict()
    change(document)
    for read in (ActivityReport.from_dict, lambda d: ActivityReport.from_json(json.dumps(d))):
        with pytest.raises(ReportFileError, match=message) as caught:
            read(document)
        assert len(str(caught.value)) < 400


def test_an_error_of_one_layer_keeps_its_name() -> None:
    document = everything().to_dict()
    document["layers"][1]["observations"] = -1
    with pytest.raises(ReportFileError, match=r'damaged: layer "layer\.graded": ') as caught:
        ActivityReport.from_dict(document)
    assert caught.value.layer == "layer.graded"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (everything().to_json().replace("-1.5", "NaN"), "NaN is not a number in JSON"),
        (everything().to_json().replace("-1.5", "-Infinity"), "-Infinity is not a number in JSON"),
        (everything().to_json().replace("-1.5", "1e999"), "expected `float` <= 1.79.*, came inf"),
        (everything().to_json().replace('"dt"', '"kind"'), "the key 'kind' comes twice"),
        ('{"schema": "neuroact.report", "schema": 1}', "the key 'schema' comes twice"),
        ('{"a": ' + "9" * 100_000 + "}", "not JSON, or cut short"),
        ('{"a": ' * 100_000, "not JSON, or cut short"),
        ("\x00" * 1000, "not JSON, or cut short"),
        ("[]", "this is something else"),
        ("null", "this is something else"),
    ],
)
def test_texts_that_are_no_strict_json_are_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "activity.json"
    path.write_text(text)
    with pytest.raises(ReportFileError, match=message) as caught:
        ActivityReport.from_json(path)
    assert str(path) in str(caught.value)


def test_a_gigabyte_that_is_only_promised_takes_no_memory() -> None:
    document = everything().to_dict()
    document["layers"][0]["shape"] = [2**30]
    text = json.dumps(document)
    tracemalloc.start()
    with pytest.raises(ReportFileError, match="do not make the shape"):
        ActivityReport.from_json(text)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-3, 10),
        st.integers(),
        st.sampled_from([2**31, 2**53, 2**63 - 1, 2**63, 2**64, 10**30, -(10**30), 0.5, 1e308]),
        st.floats(),
        st.text(max_size=8),
        st.sampled_from(["binary", "graded", "analog", "neuroact.report", "layer.binary"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths to all values of a document."""
    inside = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    found = [path] if path else []
    for key, item in inside:
        found += places(item, (*path, key))
    return found


PLACES = places(everything().to_dict())


@st.composite
def changed_documents(draw: st.DrawFn) -> dict[str, Any]:
    """A document with one to three values changed or removed."""
    document = everything().to_dict()  # a new one each time, so it may be changed
    for _ in range(draw(st.integers(1, 3))):
        *parents, last = draw(st.sampled_from(PLACES))
        at: Any = document
        try:
            for key in parents:
                at = at[key]
            if draw(st.booleans()):
                at[last] = draw(values)
            else:
                del at[last]
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change removed this place
    return document


@FUZZED
@given(changed_documents())
def test_any_change_of_a_document_gives_a_report_or_a_clear_error(document: dict[str, Any]) -> None:
    loads_or_says_why(json.dumps(document))


@settings(max_examples=100)
@given(changed_documents())
@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")  # totals of 1e308
def test_whatever_loads_has_a_page_and_rows(document: dict[str, Any]) -> None:
    try:
        report = ActivityReport.from_dict(document)
    except ReportFileError:
        return
    assert report.to_html().count('<details class="layer') == len(report)
    assert report.to_csv().count("\n") > len(report)
    neurons = sum(layer.neurons for layer in report.values())
    assert len(report.to_frame(per="neuron")) == neurons


@FUZZED
@given(st.data())
def test_any_damage_to_a_text_gives_a_report_or_a_clear_error(data: st.DataObject) -> None:
    text = everything().to_json().encode()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    loads_or_says_why(text[:start] + data.draw(st.binary(max_size=8)) + text[end:])


@FUZZED
@given(values.map(json.dumps) | st.text() | st.binary())
def test_anything_else_is_a_clear_error(text: str | bytes) -> None:
    with pytest.raises(ReportFileError):
        parse(text, "the text", ActivityReport.from_dict)


def test_cut_anywhere_a_text_is_a_clear_error() -> None:
    text = everything().to_json().rstrip()
    for end in range(len(text)):
        with pytest.raises(ReportFileError):
            parse(text[:end], "the text", ActivityReport.from_dict)


def loads_or_says_why(text: str | bytes) -> None:
    """If a text loads, the report can be shown and written, and is read back equal."""
    try:
        report = parse(text, "the text", ActivityReport.from_dict)
    except ReportFileError:
        return
    again = report.to_json()
    VALIDATOR.validate(json.loads(again) | {"origin": {}})  # an origin may hold any plain values
    assert ActivityReport.from_json(again) == report
    for layer in report.values():
        assert layer.dead + layer.saturated <= 2 * layer.neurons
        assert not layer.sparsity < 0
        for result in layer.results.values():
            for name in ("mean", "q1", "chi", "cv2", "fano_factor", "latency_mean", "activity"):
                getattr(result, name, None)
    str(report)
