"""A box shows the numbers that NumPy gives; the picture says what it leaves out."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_layers import analog, layer
from matplotlib.axes import Axes
from matplotlib.cbook import boxplot_stats
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from neuroact import ActivityReport
from neuroact.errors import MissingExtraError
from neuroact.plots import MOST_OUTLIERS, box_plot, box_stats, save_figure, violin_plot


def row_labels(axes: Axes) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]


def texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


events = st.lists(st.integers(0, 10), min_size=1, max_size=40)


@given(events)
def test_the_box_is_numpys_and_the_whiskers_are_matplotlibs(counts: list[int]) -> None:
    figures = layer("lif", *counts)
    stats = box_stats(figures)
    activity = np.array(counts) / 10
    assert [stats.q1, stats.median, stats.q3] == np.quantile(activity, [0.25, 0.5, 0.75]).tolist()
    assert stats.mean == activity.mean()
    expected = boxplot_stats(activity)[0]
    assert (stats.low, stats.high) == (expected["whislo"], expected["whishi"])
    np.testing.assert_array_equal(stats.outliers, np.unique(expected["fliers"]))


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40))
def test_whiskers_end_at_data_or_at_the_box_and_enclose_it(values: list[float]) -> None:
    stats = box_stats(analog("relu", values))
    assert min(values) <= stats.low <= stats.q1 <= stats.q3 <= stats.high <= max(values)
    assert stats.low in (*values, stats.q1)
    assert stats.high in (*values, stats.q3)


def test_of_many_outliers_a_hundred_are_drawn_from_end_to_end() -> None:
    far = np.arange(1000) + 10.0
    stats = box_stats(analog("relu", [*np.zeros(5000), *far]))
    assert len(stats.outliers) == MOST_OUTLIERS
    assert stats.outliers_left_out == 900
    assert (stats.outliers[0], stats.outliers[-1]) == (10, 1009)
    axes = box_plot(ActivityReport([analog("relu", [*np.zeros(5000), *far])]))
    assert axes.get_title(loc="right").endswith(f"at most {MOST_OUTLIERS} a layer")
    assert "at most" not in box_plot(ActivityReport([layer()])).get_title(loc="right")


def test_what_is_drawn_are_these_figures() -> None:
    figures = layer("lif", 1, 1, 2, 2, 3, 9)
    stats, axes = box_stats(figures), box_plot(ActivityReport([figures]))
    (box,) = axes.patches
    assert box.get_window_extent().width > 0
    ends = box.get_path().get_extents(box.get_patch_transform())
    assert (ends.x0, ends.x1) == pytest.approx((stats.q1, stats.q3))
    lines = [c for c in axes.collections if isinstance(c, LineCollection)]
    points = np.concatenate([segment for line in lines for segment in line.get_segments()])
    expected = [stats.low, stats.q1, stats.median, stats.q3, stats.high]
    np.testing.assert_allclose(np.unique(points[:, 0].round(9)), expected)
    mean, outliers = axes.lines
    assert mean.get_xdata() == pytest.approx([stats.mean])
    np.testing.assert_array_equal(outliers.get_xdata(), [0.9])


def test_layers_come_in_order_from_the_top() -> None:
    axes = box_plot(ActivityReport([layer("b"), layer("a"), layer("c")]))
    assert row_labels(axes) == ["b", "a", "c"]
    assert axes.yaxis_inverted()


def test_the_axis_says_its_unit() -> None:
    spikes = box_plot(ActivityReport([layer("lif")]))
    mixed = box_plot(ActivityReport([layer("lif"), analog("relu", [0.5])]))
    assert spikes.get_xlabel() == "average activity\n(spikes per neuron and time step)"
    assert mixed.get_xlabel() == "average activity\n(values per neuron and time step)"
    assert row_labels(mixed) == ["lif", "relu (analog)"]


@given(st.lists(events, max_size=4))
def test_the_axis_holds_everything_drawn_and_little_more(layers: list[list[int]]) -> None:
    report = ActivityReport([layer(str(n), *counts) for n, counts in enumerate(layers)])
    low, high = box_plot(report).get_xlim()
    activities = np.concatenate([x.activity for x in report.values()]) if report else np.ones(1)
    assert low < activities.min() <= activities.max() < high
    if np.ptp(activities):
        assert high - low < 1.1 * np.ptp(activities)


def test_layers_without_figures_keep_a_place_that_says_why() -> None:
    report = ActivityReport(
        [
            layer("nan", nonfinite=True),
            layer("odd", not_binary=True),
            layer("lif", 1, 5, 9),
            layer("unseen", 0, 0, observations=0),
        ],
        not_called=["idle"],
    )
    axes = box_plot(report)
    assert row_labels(axes) == ["nan", "odd", "lif", "unseen", "idle"]
    assert texts(axes) == [
        "no figures: NaN or infinity emitted",
        "no figures: not only 0 and 1 emitted",
        "no figures: nothing observed",
        "never called",
    ]
    assert len(axes.patches) == 1


@pytest.mark.parametrize("draw", [box_plot, violin_plot])
def test_a_sick_layer_is_marked_in_its_row(draw: Any) -> None:
    axes = draw(ActivityReport([layer("well", 3, 4, 5), layer("sick", 0, 0, 0, 10)]))
    (mark,) = axes.texts
    assert mark.get_text() == "dead\nsaturated"
    assert mark.get_position()[1] == 1


def test_a_report_without_layers_is_an_empty_picture(tmp_path: Path) -> None:
    ActivityReport([]).plot(tmp_path / "empty.png")
    assert (tmp_path / "empty.png").stat().st_size


@pytest.mark.parametrize("name", ["$x_{", r"$\frac{$", "$a$", "a_b^c %&#", "[red]", "<b>", "\\n"])
def test_a_name_is_text_and_not_mathtext(name: str, tmp_path: Path) -> None:
    axes = ActivityReport([layer(name)], not_called=[name]).plot(tmp_path / "a.svg")
    label = axes.get_yticklabels()[0]
    assert label.get_text() == name
    assert not label.get_parse_math()


def test_a_name_that_does_not_print_is_escaped() -> None:
    assert row_labels(box_plot(ActivityReport([layer("a\n\x1b[31m\u202e")]))) == [
        r"a\n\x1b[31m\u202e"
    ]


LONG = "features.denseblock4.denselayer16.wrapped_module.inner_block.spike_generator.lif"


@pytest.mark.parametrize(
    "report",
    [
        ActivityReport([layer()]),
        ActivityReport([layer("lif", 3)]),
        ActivityReport([layer(f"{n}.{LONG}", *range(11)) for n in range(60)]),
        ActivityReport([layer("big", *np.arange(10**6) % 11)]),
    ],
    ids=["one layer", "one neuron", "60 layers of long names", "a million neurons"],
)
def test_everything_drawn_is_inside_the_figure(report: ActivityReport) -> None:
    axes = report.plot()
    figure = axes.figure
    assert isinstance(figure, Figure)
    figure.draw_without_rendering()
    page = figure.bbox
    drawn = axes.get_tightbbox()
    assert drawn is not None
    assert page.x0 <= drawn.x0
    assert drawn.x1 <= page.x1
    assert page.y0 <= drawn.y0
    assert drawn.y1 <= page.y1
    boxes = [label.get_window_extent() for label in axes.get_yticklabels()]
    assert all(above.y0 > below.y1 for above, below in pairwise(boxes))


def test_axes_given_are_drawn_into_and_returned() -> None:
    left, right = Figure().subplots(1, 2)
    assert box_plot(ActivityReport([layer()]), ax=right) is right
    assert not left.patches


@pytest.mark.parametrize(
    ("ending", "start"),
    [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF"), ("PNG", b"\x89PNG")],
)
def test_the_ending_says_the_format_and_the_same_report_gives_the_same_file(
    ending: str, start: bytes, tmp_path: Path
) -> None:
    paths = [tmp_path / f"{n}.{ending}" for n in "ab"]
    for path in paths:
        ActivityReport([layer()]).plot(path)
    first, second = (path.read_bytes() for path in paths)
    assert first.startswith(start)
    assert first == second


@pytest.mark.parametrize("name", ["a.bmp", "a", "png", ".png"])
def test_another_ending_is_an_error_that_lists_those_there_are(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"ends in \.png or \.svg or \.pdf, came"):
        ActivityReport([layer()]).plot(tmp_path / name)


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r'there is no folder ".*nowhere"; make it first'):
        ActivityReport([layer()]).plot(tmp_path / "nowhere" / "a.png")


def test_a_picture_that_fails_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, axes = tmp_path / "a.png", box_plot(ActivityReport([layer()]))
    save_figure(axes, path)
    before = path.read_bytes()

    def half(self: Figure, file: Any, **options: Any) -> None:
        file.write(b"half")
        raise RuntimeError("out of ink")

    monkeypatch.setattr(Figure, "savefig", half)
    with pytest.raises(RuntimeError, match="out of ink"):
        save_figure(axes, path)
    assert [path] == list(tmp_path.iterdir())
    assert path.read_bytes() == before


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r'pip install "neuroact\[plots\]"') as caught:
        ActivityReport([layer()]).plot()
    assert caught.value.extra == "plots"
