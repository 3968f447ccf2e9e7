"""The table says what the report says, whatever the width and whatever the names."""

from __future__ import annotations

import io
import math
from contextlib import redirect_stdout
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neuroact import ActivityReport, LayerActivity, SignalKind
from neuroact.table import NARROWEST, figure_text, folded, print_table, printable, table_text

FIGURES = ("mean", "std", "min", "q1", "median", "q3", "max", "sparsity")
NAME = "features.denseblock4.denselayer16.wrapped_module.inner_block.spike_generator.lif"


def layer(name: str = "lif", *events: int, observations: int = 10, **more: Any) -> LayerActivity:
    settings = {"framework": "toy", "layer_type": "Toy", "kind": SignalKind.BINARY, "sequences": 2}
    counts = np.array(events or (0, 5, 10, 5), dtype=np.int64)
    return LayerActivity(
        name=name,
        events=counts,
        observations=observations,
        **(settings | more),  # type: ignore[arg-type]
    )


def graded(name: str, *total: float, kind: SignalKind = SignalKind.GRADED) -> LayerActivity:
    values = np.array(total)
    return layer(name, *(values != 0).astype(int), kind=kind, total=values)


def rows(text: str) -> dict[str, dict[str, str]]:
    """The cells of a table of natural width, by layer and column; no name may have a space."""
    lines = text.split("\n\n")[0].splitlines()
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
def test_every_figure_of_the_report_is_in_its_row(events: list[int]) -> None:
    report = ActivityReport([layer("a", *events, observations=10**6), layer("b")])
    for name, cells in rows(table_text(report)).items():
        if name == "total":
            continue
        figures = report[name]
        assert cells["shape"] == str(figures.neurons)
        for head in ("neurons", "sequences", "dead", "saturated"):
            assert int(cells[head].replace(",", "")) == getattr(figures, head)
        assert int(cells["steps"].replace(",", "")) == figures.observations
        assert [cells[head] for head in FIGURES] == [
            figure_text(getattr(figures, head)) for head in FIGURES
        ]


@given(st.floats(-1e300, 1e300) | st.floats(-2, 2))
def test_a_figure_is_rounded_and_0_and_1_stand_only_where_they_are_exact(value: float) -> None:
    text = figure_text(value)
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
        "sparsity": figure_text(share),
        "dead": "31",
        "saturated": "1",
    }


def test_totals_leave_out_real_values_and_layers_without_figures_and_say_so() -> None:
    membrane = graded("membrane", 0.3, -0.2, kind=SignalKind.ANALOG)
    broken = layer("broken", 1, nonfinite=True)
    text = table_text(ActivityReport([layer("lif"), membrane, broken]))
    assert rows(text)["total"]["neurons"] == "4"
    assert "total        of all layers but membrane, broken\n" in text


def test_totals_of_real_values_stand_where_there_are_no_others() -> None:
    analog = graded("relu", 0.0, 2.5, kind=SignalKind.ANALOG)
    assert rows(table_text(ActivityReport([analog])))["total"]["dead"] == "1"


def test_eighty_columns_give_two_tables_counts_above_activity() -> None:
    report = ActivityReport([layer("encoder.lif1", *range(10)), layer("lif_out")])
    counts, activity, notes = table_text(report, 80).split("\n\n")
    assert counts.splitlines()[0].split() == [
        "layer", "shape", "neurons", "sequences", "steps", "sparsity", "dead", "saturated",
    ]  # fmt: skip
    assert activity.splitlines()[0].split() == [
        "layer", "mean", "std", "min", "q1", "median", "q3", "max",
    ]  # fmt: skip
    assert notes.startswith("activity")


def test_a_long_name_is_broken_after_dots_and_whole() -> None:
    counts = table_text(ActivityReport([layer(NAME)]), 80).split("\n\n")[0].splitlines()
    parts = [line.split()[0] for line in counts[2:-2]]
    assert "".join(parts) == NAME
    assert "features." in parts


@given(names, st.integers(2, 40))
def test_a_folded_name_is_the_name(name: str, width: int) -> None:
    assert "".join(folded(printable(name), width)) == printable(name)


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
    text = table_text(report)
    assert shown in rows(text)
    assert f"aliases      lif is also {shown}\n" in text
    assert f"not called   {shown}: recorded, but without figures\n" in text


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"nonfinite": True}, "NaN or infinite values were emitted"),
        ({"not_binary": True}, "values other than 0 and 1 were emitted"),
        ({"observations": 0}, "no step of it was looked at"),
        ({"events": np.zeros((2, 0), np.int64)}, "it has no neurons"),
    ],
)
def test_a_layer_without_figures_shows_none_and_says_why(
    change: dict[str, Any], reason: str
) -> None:
    text = table_text(ActivityReport([replace(layer("sick"), **change), layer("well")]))
    cells = rows(text)["sick"]
    assert {cells[head] for head in FIGURES} == {"nan"}
    assert cells["dead"] == cells["saturated"] == "-"
    assert f"no figures   sick: {reason}" in text


def test_a_silent_layer_has_zeros_and_a_sparsity_of_one() -> None:
    cells = rows(table_text(ActivityReport([layer("lif", 0, 0, 0)])))["lif"]
    assert [cells[head] for head in FIGURES] == ["0"] * 7 + ["1"]
    assert cells["dead"] == "3"


def test_signals_other_than_spikes_are_marked_and_explained() -> None:
    layers = [layer("lif"), graded("sum", 2.0, -1.0), graded("mem", 0.1, kind=SignalKind.ANALOG)]
    text = table_text(ActivityReport(layers))
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
    text = table_text(ActivityReport([layer("fc", dt=0.001)], origin=origin))
    assert "\ntime step    0.001 s\n" in text
    assert "\nof input     the figures are of what goes into the layers" in text
    assert text.endswith("\nmodel        app.Net\nversions     python 3.11, torch 2.13")


@pytest.mark.parametrize("origin", [{}, {"versions": 3, "options": [], "model": {}}])
def test_an_origin_that_says_nothing_is_left_out(origin: dict[str, Any]) -> None:
    text = table_text(ActivityReport([layer("lif")], origin=origin))
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
    assert figure_text(report[NAME].std) in terminal.getvalue()
