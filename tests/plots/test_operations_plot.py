"""The picture of operations: bars of the layers' own numbers, and a row for what is not counted."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_operations import FIGURES, connection, counted
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from neuroact import Recording
from neuroact.errors import MissingOperationsError, UnknownLayerError
from neuroact.plots import KINDS, operations_plot
from neuroact.results.operations import LayerOperations, Operations

LONG = "features.denseblock4.denselayer16.wrapped_module.inner_block.connection.conv"
MACS, ACS = "#d55e00", "#0072b2"


def bars(axes: Axes) -> list[tuple[str, float, float, float, float]]:
    """Colour, left end, length, top and bottom of each bar."""
    found = []
    for bar in axes.patches:
        assert isinstance(bar, Rectangle)
        ends = bar.get_y(), bar.get_y() + bar.get_height()
        found.append((to_hex(bar.get_facecolor()), bar.get_x(), bar.get_width(), *ends))
    return found


def coloured(axes: Axes, colour: str, row: int) -> list[tuple[float, float]]:
    """Left end and length of the bars of a colour in a row."""
    found = [bar for bar in bars(axes) if round((bar[3] + bar[4]) / 2) == row]
    return [(left, length) for of, left, length, *_ in found if of == colour]


def texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def names(axes: Axes) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]


alike = st.builds(
    lambda name, dense, macs, acs: connection(
        name, dense=dense, macs=dense * macs // 10, acs=dense * acs // 10
    ),
    st.sampled_from(["fc", LONG, "$x_{"]),
    st.integers(100, 1000),
    st.integers(1, 5),
    st.integers(1, 5),
)


@given(st.lists(alike, min_size=1, max_size=5))
def test_macs_and_acs_are_stacked_in_front_of_dense(layers: list[LayerOperations]) -> None:
    layers = [replace(layer, name=f"{layer.name}{n}") for n, layer in enumerate(layers)]
    axes = operations_plot(Operations(layers))
    assert axes.get_xscale() == "linear"
    for row, layer in enumerate(layers):
        assert coloured(axes, MACS, row) == [(0, layer.macs)]
        assert coloured(axes, ACS, row) == [(layer.macs, layer.acs)]
    assert [width for colour, _, width, *_ in bars(axes) if colour not in (MACS, ACS)] == [
        layer.dense for layer in layers
    ]
    assert axes.get_xlim()[1] > max(layer.dense for layer in layers)


def test_the_share_of_dense_stands_at_the_right_of_each_row() -> None:
    layers = [
        connection("a", dense=800, acs=100),
        connection("b", dense=700, macs=7, acs=7),
        connection("idle", dense=10),
        connection("none"),
    ]
    axes = operations_plot(Operations(layers))
    assert texts(axes) == ["12.5 %", "2 %", "0 %", "-"]
    assert [text.get_position()[1] for text in axes.texts] == [0, 1, 2, 3]


def test_where_layers_differ_much_every_bar_is_seen_and_none_is_stacked() -> None:
    big = connection("big", dense=10**9, macs=10**7, acs=10**8)
    small = connection("small", dense=1000, acs=30)
    axes = operations_plot(Operations([big, small]))
    assert axes.get_xscale() == "log"
    assert axes.get_xlabel().endswith(", logarithmic)")
    assert coloured(axes, MACS, 0) == [(0, 10**7)]
    assert coloured(axes, ACS, 0) == [(0, 10**8)]
    (macs,) = [bar for bar in bars(axes) if bar[0] == MACS]
    acs = next(bar for bar in bars(axes) if bar[0] == ACS)
    assert macs[4] == pytest.approx(acs[3])  # one ends where the other begins
    low, high = axes.get_xlim()
    assert 0 < low < 30
    assert high > 10**9


def test_what_is_not_counted_has_a_row_that_says_so() -> None:
    operations = Operations([connection("fc", dense=9, acs=3)], not_counted={"rnn\x1b": "why"})
    axes = operations_plot(operations)
    assert names(axes) == ["fc", r"rnn\x1b"]
    assert texts(axes) == ["33.3 %", "not counted"]


@pytest.mark.parametrize("count", [0, 1, 3, 40])
def test_any_number_of_layers_is_drawn_as_high_as_they_need(count: int, tmp_path: Path) -> None:
    layers = [connection(f"{LONG}{n}", dense=100, acs=n) for n in range(count)]
    axes = operations_plot(Operations(layers))
    assert len(names(axes)) == count
    axes.figure.savefig(tmp_path / "a.png")
    ends = [label.get_window_extent() for label in axes.get_yticklabels()]
    assert all(above.y0 >= below.y1 for above, below in pairwise(ends))


@pytest.mark.parametrize("dense", [10, 10**9])
def test_a_single_name_of_many_lines_has_its_room(dense: int) -> None:
    layers = [connection("n" * 160, dense=dense, acs=1)]
    operations_plot(Operations(layers)).figure.figure.draw_without_rendering()


def test_a_report_draws_its_own_numbers(tmp_path: Path) -> None:
    report = counted()
    assert "operations" in KINDS
    axes = report.plot(tmp_path / "kind.png", kind="operations")
    for row, figures in enumerate(FIGURES.values()):
        assert coloured(axes, MACS, row) == [(0, figures["macs"])]
        assert coloured(axes, ACS, row) == [(figures["macs"], figures["acs"])]
    assert names(axes) == ["fc1", "fc2", "own"]
    report.operations.plot(tmp_path / "verb.png")
    assert (tmp_path / "kind.png").read_bytes() == (tmp_path / "verb.png").read_bytes()


def test_one_layer_is_drawn_alone() -> None:
    report = counted()
    assert names(report.plot(kind="operations", layer="fc2")) == ["fc2"]
    with pytest.raises(UnknownLayerError, match='"own" is not counted'):
        report.plot(kind="operations", layer="own")


def test_a_report_without_operations_says_how_to_record_them() -> None:
    recording = Recording()
    recording.observe("lif", [[[0, 1]]])
    with pytest.raises(MissingOperationsError, match="operations=True"):
        recording.report().plot(kind="operations")


def test_it_is_drawn_into_axes_that_are_given() -> None:
    ax: Any = Figure().add_subplot()
    assert counted().operations.plot(ax=ax) is ax
