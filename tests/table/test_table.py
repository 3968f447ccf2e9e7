"""The table shows the report's numbers, at any width and with any names."""

from __future__ import annotations

import io
import json
import math
import re
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from made_layers import layer

import neuroact
from neuroact import ActivityReport, LayerActivity, Recording, SignalKind
from neuroact.errors import NeuroactError, NeuroactWarning
from neuroact.printable import printable
from neuroact.table import (
    NARROWEST,
    ReportTable,
    folded,
    number_text,
    print_table,
    table_text,
)
from neuroact.table.legend import MEANINGS
from neuroact.table.rows import table_rows
from neuroact.table.text import histogram_text, part_text

METRICS = ("mean", "std", "min", "q1", "median", "q3", "max", "sparsity")
NAME = "features.denseblock4.denselayer16.wrapped_module.inner_block.spike_generator.lif"


def graded(name: str, *total: float, kind: SignalKind = SignalKind.GRADED) -> LayerActivity:
    values = np.array(total)
    return layer(name, *(values != 0).astype(int), kind=kind, total=values)


def rows(text: str) -> dict[str, dict[str, str]]:
    """The cells of a table of natural width, by layer and column; without shares.

    No name may have a space.
    """
    lines = re.sub(r" +\([<>]?\d+ %\)", "", text.split("\n\n")[0]).splitlines()
    head = lines[0].split()
    found = {}
    for line in lines[1:]:
        cells = line.split()
        if len(cells) == len(head):
            found[cells[0]] = dict(zip(head, cells, strict=True))
        elif cells[0] == "total":
            found["total"] = dict(
                zip(("neurons", "sparsity", "dead", "saturated"), cells[1:], strict=True)
            )
    return found


names = st.text(min_size=1, max_size=90) | st.from_regex(r"[a-z.]{1,90}", fullmatch=True)


@st.composite
def reports(draw: st.DrawFn) -> ActivityReport:
    layers = []
    for name in draw(st.lists(names, unique=True, max_size=4)):
        shape = draw(st.lists(st.integers(0, 4), max_size=3))
        observations = draw(st.integers(0, 10**12))
        counts = st.integers(0, observations)
        events = draw(st.lists(counts, min_size=math.prod(shape), max_size=math.prod(shape)))
        kind = draw(st.sampled_from(SignalKind))
        scale = draw(st.floats(-1e9, 1e9))
        layers.append(
            LayerActivity(
                name=name,
                framework="toy",
                layer_type="Toy",
                kind=kind,
                observations=observations,
                sequences=draw(st.integers(0, observations)),
                events=np.array(events, dtype=np.int64).reshape(shape),
                total=scale * np.array(events, dtype=float).reshape(shape),
                nonfinite=draw(st.booleans()),
                dt=draw(st.none() | st.just(0.001)),
                aliases=tuple(draw(st.lists(names, max_size=1))),
            )
        )
    return ActivityReport(layers, not_called=draw(st.lists(names, max_size=2)))


@given(reports(), st.integers(NARROWEST, 200))
def test_no_line_is_longer_than_the_width_and_nothing_is_cut_off(
    report: ActivityReport, width: int
) -> None:
    from rich.cells import cell_len

    lines = table_text(report, width).splitlines()
    assert max(map(cell_len, lines)) <= width
    written = {c for name in (*report, *report.not_called) for c in name}
    assert "…" in written or not any("…" in line for line in lines)


@given(reports())
def test_only_characters_that_print_are_shown(report: ActivityReport) -> None:
    assert table_text(report).replace("\n", "").isprintable()


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=6))
def test_every_metric_of_the_report_is_in_its_row(events: list[int]) -> None:
    report = ActivityReport([layer("a", *events, observations=10**6), layer("b")])
    for name, cells in rows(table_text(report)).items():
        if name == "total":
            continue
        figures = report[name]
        assert cells["shape"] == str(figures.neurons)
        for head in ("neurons", "dead", "saturated"):
            assert int(cells[head].replace(",", "")) == getattr(figures, head)
        assert int(cells["steps"].replace(",", "")) == figures.observations
        assert [cells[head] for head in METRICS] == [
            number_text(getattr(figures, head)) for head in METRICS
        ]


@given(st.floats(-1e300, 1e300) | st.floats(-2, 2))
def test_a_number_is_rounded_and_0_and_1_stand_only_where_they_are_exact(value: float) -> None:
    text = number_text(value)
    if text == ">0.9999":
        assert 0.9999 < value < 1
    elif text in ("0", "1"):
        assert value == float(text)
    else:
        assert float(text) not in (0.0, 1.0) or value > 1
        assert math.isclose(float(text), value, rel_tol=0.05, abs_tol=5e-5)


def test_the_totals_are_of_all_values_together() -> None:
    wide, long = layer("wide", *[0] * 30, *[4] * 60), layer("long", 0, 900, 300, observations=900)
    totals = rows(table_text(ActivityReport([wide, long])))["total"]
    share = 1 - (240 + 1200) / (90 * 10 + 3 * 900)
    assert totals == {
        "neurons": "93",
        "sparsity": number_text(share),
        "dead": "31",
        "saturated": "1",
    }


def test_totals_leave_out_real_values_and_layers_without_figures_and_say_so() -> None:
    membrane = graded("membrane", 0.3, -0.2, kind=SignalKind.ANALOG)
    broken = layer("broken", 1, nonfinite=True)
    text = table_text(ActivityReport([layer("lif"), membrane, broken]), legend=True)
    assert rows(text)["total"]["neurons"] == "4"
    assert "total        of all layers but membrane, broken\n" in text


def test_totals_of_real_values_stand_where_there_are_no_others() -> None:
    voltage = graded("relu", 0.0, 2.5, kind=SignalKind.ANALOG)
    assert rows(table_text(ActivityReport([voltage])))["total"]["dead"] == "-"
    relu = replace(voltage, layer_type="ReLU")
    assert rows(table_text(ActivityReport([relu])))["total"]["dead"] == "1"


def test_eighty_columns_give_two_tables_counts_above_activity() -> None:
    report = ActivityReport([layer("encoder.lif1", *range(10)), layer("lif_out")])
    counts, activity, notes = table_text(report, 80).split("\n\n")
    assert counts.splitlines()[0].split() == [
        "layer", "verdict", "shape", "neurons", "sparsity", "dead", "saturated",
    ]  # fmt: skip
    assert activity.splitlines()[0].split() == [
        "layer", "mean", "std", "min", "q1", "median", "q3", "max", "histogram",
    ]  # fmt: skip
    assert notes.startswith("! ")


def test_a_long_name_is_broken_after_dots_and_whole() -> None:
    counts = table_text(ActivityReport([layer(NAME)]), 80).split("\n\n")[0].splitlines()
    parts = [line.split()[0] for line in counts[2:-2]]
    assert "".join(parts) == NAME
    assert "features.denseblock4." in parts


@given(names, st.integers(2, 40))
def test_a_folded_name_is_the_name(name: str, width: int) -> None:
    assert "".join(folded(printable(name), width)) == printable(name)


def test_an_escape_code_reaches_no_terminal_by_a_repr_a_verdict_an_error_or_a_warning(
    tmp_path: Path,
) -> None:
    name = "lif\x1b]0;x\x07"
    report = ActivityReport([layer(name, 0, 0, 0)], not_called=[name])
    recording = Recording()
    recording.observe(name, torch.full((2, 1, 3), torch.nan))
    with pytest.warns(NeuroactWarning) as warned:
        broken = recording.report()
    document = broken.to_dict()
    document["layers"][0]["events"] = [-1]
    (tmp_path / "activity.json").write_text(json.dumps(document))
    texts = [repr(report), *map(str, report.diagnose()), *(str(w.message) for w in warned)]
    for fail in (
        lambda: report["none"],
        lambda: report.plot(kind="time"),
        lambda: ActivityReport.from_json(tmp_path / "activity.json"),
        lambda: neuroact.compare(report, ActivityReport([layer("other")])),
    ):
        with pytest.raises(NeuroactError) as caught:
            fail()
        texts.append(str(caught.value))
    assert len(texts) == 7
    assert sum(r"lif\x1b]0;x\x07" in text for text in texts) >= 6
    assert all(line.isprintable() for text in texts for line in text.splitlines())


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("[red]x[/red]", "[red]x[/red]"),
        (":smile:", ":smile:"),
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("a\nb\tc\r", r"a\nb\tc\r"),
        ("a\u202eb\ud800", r"a\u202eb\ud800"),
        ("", '""'),
        ("схема.слой", "схема.слой"),
    ],
)
def test_a_name_is_text_and_neither_markup_nor_an_escape_code(name: str, shown: str) -> None:
    aliased = layer("lif", aliases=(name,))
    report = ActivityReport([layer(name), aliased], not_called=[name], origin={"model": name})
    text = table_text(report, legend=True)
    assert shown in rows(text)
    assert f"aliases      lif is also {shown}\n" in text
    assert f"not called   {shown}: recorded, but without figures\n" in text


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"nonfinite": True}, "NaN or infinite values were emitted"),
        ({"not_binary": True}, "values other than 0 and 1 were emitted"),
        ({"observations": 0}, "no step of it was observed"),
        ({"events": np.zeros((2, 0), np.int64)}, "it has no neurons"),
    ],
)
def test_a_layer_without_figures_shows_none_and_says_why(
    change: dict[str, Any], reason: str
) -> None:
    text = table_text(
        ActivityReport([replace(layer("sick"), **change), layer("well")]), legend=True
    )
    cells = rows(text)["sick"]
    assert {cells[head] for head in METRICS} == {"nan"}
    assert cells["dead"] == cells["saturated"] == "-"
    assert f"no figures   sick: {reason}" in text


def test_a_silent_layer_has_zeros_and_a_sparsity_of_one() -> None:
    cells = rows(table_text(ActivityReport([layer("lif", 0, 0, 0)])))["lif"]
    assert [cells[head] for head in METRICS] == ["0"] * 7 + ["1"]
    assert cells["dead"] == "3"


def test_signals_other_than_spikes_are_marked_and_explained() -> None:
    layers = [layer("lif"), graded("sum", 2.0, -1.0), graded("mem", 0.1, kind=SignalKind.ANALOG)]
    text = table_text(ActivityReport(layers), legend=True)
    assert [cells["kind"] for name, cells in rows(text).items() if name != "total"] == [
        "binary", "graded", "analog",
    ]  # fmt: skip
    assert "\ngraded       sum: few levels" in text
    assert "\nanalog       mem: real values, no spikes" in text
    assert "kind" not in table_text(ActivityReport([layer("lif")]))


def test_what_was_recorded_and_with_what_is_said() -> None:
    origin = {
        "model": "app.Net", "options": {"of": "input"},
        "versions": {"python": "3.11", "torch": "2.13"},
    }  # fmt: skip
    text = table_text(ActivityReport([layer("fc", dt=0.001)], origin=origin), legend=True)
    assert "\ntime step    0.001 s\n" in text
    assert "\nof input     the figures describe what goes into the layers" in text
    assert text.endswith("\nmodel        app.Net\nversions     python 3.11, torch 2.13")


@pytest.mark.parametrize("origin", [{}, {"versions": 3, "options": [], "model": {}}])
def test_an_origin_that_says_nothing_is_left_out(origin: dict[str, Any]) -> None:
    text = table_text(ActivityReport([layer("lif")], origin=origin), legend=True)
    assert text.splitlines()[-1].startswith("saturated ")


def test_a_report_without_layers_is_a_table_without_rows() -> None:
    assert rows(table_text(ActivityReport([])))["total"]["neurons"] == "0"


def test_printing_to_a_file_gives_the_natural_width_without_escape_codes() -> None:
    report = ActivityReport([layer(NAME, 0)])
    assert str(report) == table_text(report, 500)
    assert str(report).isascii()
    assert "\x1b" not in str(report)
    assert len(str(report).splitlines()[0]) > 150


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    for name, value in {"COLUMNS": "80", "TERM": "xterm-256color"}.items():
        monkeypatch.setenv(name, value)
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return Terminal()


def test_printing_to_a_terminal_fits_it_without_escape_codes(terminal: Terminal) -> None:
    report = ActivityReport([layer(NAME, 0)])
    with redirect_stdout(terminal):
        print(report)
    assert terminal.getvalue() == table_text(report, 80) + "\n"
    assert "\x1b" not in terminal.getvalue()


def test_the_command_line_colours_a_terminal_only(terminal: Terminal) -> None:
    report = ActivityReport([layer("lif", 0, 1)])
    with redirect_stdout(terminal):
        print_table(report)
    with redirect_stdout(io.StringIO()) as plain:
        print_table(report)
    assert "\x1b[33m" in terminal.getvalue()
    assert plain.getvalue() == table_text(report) + "\n"


def test_no_color_is_honoured(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    with redirect_stdout(terminal):
        print_table(ActivityReport([layer("lif", 0, 1)]))
    assert "\x1b[33m" not in terminal.getvalue()


def test_a_terminal_of_ten_columns_still_gets_every_figure(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "10")
    monkeypatch.setenv("NO_COLOR", "1")
    report = ActivityReport([layer(NAME, 0, 1, 7)])
    with redirect_stdout(terminal):
        print_table(report)
    assert "…" not in terminal.getvalue()
    assert number_text(report[NAME].std) in terminal.getvalue()


def deep(layers: int = 40) -> ActivityReport:
    rng = np.random.default_rng(0)
    return ActivityReport(
        [layer(f"net.block{n // 8}.{n % 8}.lif", *rng.integers(0, 9, 5 + n)) for n in range(layers)]
    )


def test_a_deep_network_is_folded_by_module_with_the_figures_of_all_its_neurons() -> None:
    report = deep()
    table = ReportTable(report)
    cells = {column.head: column.cells for column in table.columns}
    assert cells["layer"] == tuple(f"net.block{n}" for n in range(5))
    assert cells["shape"] == ("8 layers",) * 5
    assert "40 layers by module" in table.notes["folded"]
    for row in range(5):
        within = [x for name, x in report.items() if name.startswith(f"net.block{row}.")]
        activity = np.concatenate([x.activity for x in within])
        expected = {
            "neurons": str(activity.size),
            "mean": number_text(activity.mean()),
            "std": number_text(activity.std()),
            "min": number_text(activity.min()),
            "q1": number_text(np.quantile(activity, 0.25)),
            "median": number_text(np.median(activity)),
            "q3": number_text(np.quantile(activity, 0.75)),
            "max": number_text(activity.max()),
            "dead": part_text((int((activity == 0).sum()), activity.size)),
            "sparsity": number_text(1 - activity.mean()),
        }
        assert {head: " ".join(cells[head][row].split()) for head in expected} == expected
    totals = {column.head: column.total for column in table.columns}
    assert totals["neurons"] == str(sum(x.neurons for x in report.values()))


def test_folding_is_a_choice_and_loses_no_layer() -> None:
    report = deep()
    unfolded = table_text(report, fold=False)
    assert all(name in unfolded for name in report)
    assert "folded" not in unfolded
    assert "net.block0  " in table_text(deep(9), fold=True)
    assert "net.block0.0.lif" in table_text(deep(9))


@given(st.lists(st.lists(st.sampled_from("ab"), min_size=1, max_size=4), min_size=1, max_size=60))
def test_every_layer_is_in_one_row(paths: list[list[str]]) -> None:
    layers = [layer(".".join([*path, str(n)])) for n, path in enumerate(paths)]
    for fold in (None, True, False):
        found = [x.name for row in table_rows(layers, fold=fold) for x in row.layers]
        assert sorted(found) == sorted(x.name for x in layers)


def test_a_sick_layer_is_marked_and_a_well_one_is_not() -> None:
    sick, well = layer("sick", 0, 0, 0, 4), layer("well", 3, 4, 5)
    text = table_text(ActivityReport([sick, well]), legend=True)
    assert rows(text)["sick"]["verdict"] == "dead"
    assert rows(text)["well"]["verdict"] == "-"
    assert "! dead       75 % of sick never fired: 3 of its 4 neurons" in text
    assert "verdict" not in table_text(ActivityReport([well]))
    assert "! dead" not in table_text(ActivityReport([well]))


def test_a_module_says_how_many_of_its_layers_have_which_verdict() -> None:
    layers = [layer(f"a.{n}", 0, 0, 0, 4) for n in range(3)] + [layer("a.well", 3, 4)]
    table = ReportTable(ActivityReport([*layers, layer("b", 3, 4)]), fold=True)
    assert table.columns[1].cells == ("3 dead", "-")


def test_rates_in_hertz_stand_where_a_time_step_is_known() -> None:
    text = table_text(
        ActivityReport([layer("lif", 1, 2, 3, dt=0.001), layer("other", 1)]), legend=True
    )
    assert rows(text)["lif"]["Hz"] == "200"
    assert rows(text)["other"]["Hz"] == "-"
    assert "\nHz           mean firing rate" in text
    assert "Hz" not in table_text(ActivityReport([layer("lif", 1)]))


def test_counts_that_differ_are_columns_and_others_are_said_once() -> None:
    same = table_text(ActivityReport([layer("a"), layer("b")]))
    assert "\nobserved     10 steps, 1 sequence in each layer\n" in same
    assert "steps" not in rows(same)["a"]
    differ = table_text(ActivityReport([layer("a"), layer("b", observations=2000)]))
    assert [rows(differ)[name]["steps"] for name in "ab"] == ["10", "2,000"]


def test_a_count_of_neurons_has_its_share_beside_it() -> None:
    few, many = layer("few", 0, *[5] * 9), layer("many", *[0] * 60, *[10] * 40)
    lines = table_text(ActivityReport([few, many])).splitlines()
    assert lines[2].endswith("   1 (10 %)          0")
    assert lines[3].endswith("  60 (60 %)  40 (40 %)")
    assert lines[5].endswith("  61 (55 %)  40 (36 %)")


def test_the_words_are_explained_once_asked_and_else_it_is_said_how_to_ask() -> None:
    report = ActivityReport([layer("lif", dt=0.001)], origin={"versions": {"torch": "2"}})
    short, long = str(report), str(report.table(legend=True))
    assert short.partition("\n\n")[2].splitlines() == [
        "! saturated  25 % of lif fired at every step: 1 of its 4 neurons",
        "verdicts     report.diagnose() gives the thresholds, and what people do about it; "
        "the documentation's page on verdicts says what each means",
        "observed     10 steps, 1 sequence in each layer",
        "time step    0.001 s",
        "legend       report.table(legend=True) explains the words",
    ]
    assert "legend" not in long
    assert all(f"\n{term}  " in long for term in (*MEANINGS, "Hz", "versions"))
    assert repr(report.table(legend=True)) == long
    assert report.table()._repr_html_() == report._repr_html_()


def test_the_table_names_the_other_statistics_and_how_to_see_them() -> None:
    recording = Recording(statistics=["TimeCourse", "Synchrony"])
    recording.observe("lif", torch.ones(3, 1, 2))
    text = str(recording.report())
    assert '\nalso         TimeCourse, Synchrony: report["lif"]["TimeCourse"]\n' in text
    assert "also" not in str(ActivityReport([layer("lif")]))


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=50))
def test_the_small_histogram_shows_where_neurons_are_and_where_none_are(events: list[int]) -> None:
    figures = layer("a", *events, observations=10**6)
    text = histogram_text(*figures.activity_distribution)
    bins = np.histogram(figures.activity, 8)[0]
    assert len(text) == 8
    assert [block == "_" for block in text] == [count == 0 for count in bins]
    assert text[bins.argmax()] == "#"


class Utf8Terminal(Terminal):
    encoding = "utf-8"


def test_a_terminal_that_can_show_blocks_gets_them(terminal: Terminal) -> None:
    report = ActivityReport([layer("lif", 1, 2, 2)])
    with redirect_stdout(Utf8Terminal()) as utf8:
        print_table(report)
    with redirect_stdout(terminal):
        print_table(report)
    assert "█" in utf8.getvalue()
    assert "█" not in terminal.getvalue()


def test_a_notebook_gives_the_same_figures() -> None:
    report = ActivityReport([layer("lif", 0, 5, 9, dt=0.01), layer("sick", 0, 0, 1, dt=0.01)])
    html = report._repr_html_()
    shown = [
        [re.sub(r"<.*?>| \(\d+ %\)", "", cell) for cell in re.findall("<td.*?</td>", row)]
        for row in re.findall("<tr>.*?</tr>", html)[1:-1]
    ]
    for cells in shown:
        printed = rows(table_text(report))[cells[0]]
        heads = [head for head in printed if head != "histogram"]
        assert [cells[list(printed).index(head)] for head in heads] == [printed[h] for h in heads]
    assert len(shown) == 2
    assert "neurons that never" not in html
    assert "neurons whose values are all 0" in html


@given(names)
def test_a_notebook_shows_names_as_text(name: str) -> None:
    evil = f"<script>{name}</script><img src=x onerror=alert(1)>"
    html = ActivityReport([layer(evil)], not_called=[evil], origin={"model": evil})._repr_html_()
    assert "<script" not in html
    assert "<img" not in html
