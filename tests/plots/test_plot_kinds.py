"""Each picture shows the numbers that NumPy gives, says its units, and fits a paper's column."""

from __future__ import annotations

import math
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from made_layers import analog, layer
from made_operations import connection
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.text import Text
from numpy.typing import NDArray

import neuroact
from neuroact import (
    ActivityReport,
    ClassActivity,
    InterspikeIntervals,
    Raster,
    Recording,
    Signal,
    TimeCourse,
)
from neuroact.errors import MissingStatisticError, UnknownLayerError, UnreliableLayerWarning
from neuroact.plots import (
    FORMATS,
    HISTORY_METRICS,
    KINDS,
    curve_plot,
    draw,
    history_plot,
    image_bytes,
    neuron_map,
    raster_plot,
    silhouette,
    sorted_activity,
    time_plot,
    violin_plot,
)
from neuroact.plots.curve import MOST_STEPS
from neuroact.plots.intervals import interval_density
from neuroact.plots.kinds import OF_LAYERS, OF_REPORTS
from neuroact.plots.violin import MOST_BINS
from neuroact.results.operations import Operations

STATISTICS = [TimeCourse, InterspikeIntervals, Raster, Signal, ClassActivity]
LONG = "features.denseblock4.denselayer16.wrapped_module.inner_block.spike_generator.lif"


def recorded(*names: str, dt: float | None = None, **spikes: Any) -> ActivityReport:
    """A report with operations and results, from random spikes or the given ones."""
    draws = torch.Generator().manual_seed(0)
    recording = Recording(statistics=STATISTICS, dt=dt)
    made = {name: (torch.rand(12, 5, 6, generator=draws) < 0.4).float() for name in names}
    for name, values in (made | spikes).items():
        with recording.batch(labels=torch.arange(values.shape[1])):
            recording.observe(name, values)
    operations = Operations([connection(name, dense=9, acs=3) for name in names])
    return ActivityReport(recording.report().values(), operations=operations)


counts = st.lists(st.integers(0, 200), min_size=1, max_size=60)
names = st.sampled_from(["lif", LONG, "$x_{", "a_b^c"])


@given(counts, st.integers(200, 300))
def test_a_silhouette_counts_every_neuron_in_the_bin_of_its_activity(
    events: list[int], observations: int
) -> None:
    figures = layer("lif", *events, observations=observations)
    shape = silhouette(figures)
    np.testing.assert_array_equal(shape.counts, np.histogram(figures.activity, bins=shape.edges)[0])
    assert shape.counts.sum() == figures.neurons
    assert len(shape.counts) <= MOST_BINS
    steps = np.diff(shape.edges) * observations
    np.testing.assert_allclose(steps, steps[0].round(), rtol=1e-9)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60))
def test_a_silhouette_of_real_values_counts_every_neuron(values: list[float]) -> None:
    shape = silhouette(analog("relu", values))
    assert shape.counts.sum() == len(values)
    assert shape.edges[0] <= min(values) <= max(values) <= shape.edges[-1]


def test_a_violin_says_its_unit_and_why_a_place_is_empty() -> None:
    bad = layer("bad", nonfinite=True)
    axes = violin_plot(ActivityReport([layer("lif", 1, 5, 9), bad], not_called=["idle"]))
    assert axes.get_xlabel() == "average activity\n(spikes per neuron and time step)"
    assert [text.get_text() for text in axes.texts] == [
        "no figures: NaN or infinity emitted",
        "never called",
    ]
    assert len(axes.patches) == 1


@given(counts)
def test_sorted_activity_is_numpys(events: list[int]) -> None:
    figures = layer("lif", *events, observations=200)
    activities, shares = sorted_activity(figures)
    repeats = np.diff(shares) * figures.neurons
    np.testing.assert_allclose(repeats, repeats.round(), atol=1e-9)
    expected = np.sort(figures.activity)[::-1]
    np.testing.assert_array_equal(np.repeat(activities, repeats.round().astype(int)), expected)
    assert (shares[0], shares[-1]) == (0, 1)


def test_a_curve_of_very_many_activities_has_a_bounded_number_of_steps() -> None:
    activities, shares = sorted_activity(analog("relu", np.arange(1, 50_001)))
    assert len(activities) == MOST_STEPS == len(shares) - 1
    assert (activities[0], activities[-1], shares[-1]) == (50_000, 1, 1)


def test_curves_are_named_and_what_has_none_is_said() -> None:
    report = ActivityReport(
        [layer("a"), layer("b"), layer("bad", nonfinite=True)], not_called=["idle"]
    )
    axes = curve_plot(report)
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b"]
    assert axes.get_title(loc="right") == "without a line: bad, idle"
    many = curve_plot(ActivityReport([layer(str(n)) for n in range(20)]))
    assert len(many.patches) == 20
    legend = many.get_legend()
    assert legend is not None
    named = [text.get_text() for text in legend.get_texts()]
    assert named == ["0", "3", "6", "10", "13", "16", "19"]
    grey = [patch for patch in many.patches if patch.get_edgecolor()[:3] == (0.8, 0.8, 0.8)]
    assert len(grey) == 13
    assert many.get_title(loc="right").startswith("named: 7 of 20 layers, evenly spaced")


def pixels(axes: Axes) -> NDArray[np.float64]:
    (image,) = axes.images
    return np.asarray(image.get_array())


ORANGE, PINK, WHITE = to_rgba("#D55E00"), to_rgba("#CC79A7"), (1, 1, 1, 1)


def marked(axes: Axes, colour: tuple[float, ...]) -> list[list[int]]:
    return np.argwhere((pixels(axes) == np.array(colour)).all(-1)).tolist()


def test_neurons_stand_where_they_are_and_sick_ones_are_marked() -> None:
    grid = np.full((3, 4), 5)
    grid[1, 2], grid[0, 3] = 0, 10
    axes = neuron_map(layer("grid", events=grid))
    assert pixels(axes).shape == (3, 4, 4)
    assert marked(axes, ORANGE) == [[1, 2]]
    assert marked(axes, PINK) == [[0, 3]]
    assert axes.get_xlabel() == "dead (orange): 1; saturated (pink): 1"


@given(st.integers(1, 9), st.integers(2, 5), st.integers(2, 5), st.data())
def test_each_channel_is_a_map_of_its_own(
    channels: int, height: int, width: int, data: st.DataObject
) -> None:
    place = tuple(data.draw(st.integers(0, n - 1)) for n in (channels, height, width))
    events = np.full((channels, height, width), 5)
    events[place] = 0
    axes = neuron_map(layer("conv", events=events))
    ((row, column),) = marked(axes, ORANGE)
    if channels == 1:
        assert (row, column) == place[1:]
    else:
        assert (row % (height + 1), column % (width + 1)) == place[1:]
        firsts = [int(label.get_text()) for label in axes.get_yticklabels()]
        across = (pixels(axes).shape[1] + 1) // (width + 1)
        assert firsts[row // (height + 1)] + column // (width + 1) == place[0]
        assert firsts == list(range(0, channels, across))
    blank = pixels(axes).shape[0] * pixels(axes).shape[1] - events.size
    assert len(marked(axes, WHITE)) == blank


@pytest.mark.parametrize("shape", [(), (1,), (7,), (7, 1), (1, 7), (1, 1, 7)])
def test_neurons_without_places_are_filled_in_row_by_row(shape: tuple[int, ...]) -> None:
    events = np.full(math.prod(shape), 5)
    events[-1] = 0
    axes = neuron_map(layer("flat", events=events.reshape(shape)))
    width = pixels(axes).shape[1]
    assert width == math.ceil(math.sqrt(events.size))
    assert marked(axes, ORANGE) == [list(divmod(events.size - 1, width))]


def test_a_map_without_figures_is_an_error_that_says_why() -> None:
    with pytest.raises(ValueError, match='layer "bad" cannot be drawn: NaN or infinite'):
        neuron_map(layer("bad", nonfinite=True))


def test_activity_over_time_is_the_mean_and_the_spread_over_samples() -> None:
    rng = np.random.default_rng(0)
    spikes = (rng.random((9, 20, 8)) < 0.3).astype(float)
    axes = time_plot(recorded(lif=spikes))
    line, band = (patch.get_data() for patch in axes.patches)
    shares = spikes.mean(2)
    np.testing.assert_allclose(line.values, shares.mean(1))
    np.testing.assert_allclose(band.values, shares.mean(1) + shares.std(1))
    np.testing.assert_allclose(band.baseline, np.maximum(shares.mean(1) - shares.std(1), 0))
    assert axes.get_xlabel() == "time (steps)"
    assert "one standard deviation over samples" in axes.get_title(loc="right")


def test_time_is_in_seconds_and_activity_in_hertz_where_dt_is_known() -> None:
    spikes = torch.ones(10, 2, 3)
    axes = time_plot(recorded(lif=spikes, dt=0.002))
    line = axes.patches[0].get_data()
    np.testing.assert_allclose(line.values, 500)
    np.testing.assert_allclose(line.edges, np.arange(11) * 2)
    assert axes.get_xlabel() == "time (ms)"
    assert axes.get_ylabel() == "average firing rate of a neuron (Hz)"
    assert time_plot(recorded(lif=spikes, dt=0.2)).get_xlabel() == "time (s)"


def test_many_layers_over_time_are_rows() -> None:
    report = recorded(*(f"lif{n}" for n in range(12)))
    axes = time_plot(report)
    values = pixels(axes)
    for row, figures in enumerate(report.values()):
        np.testing.assert_array_equal(values[row], figures.results["TimeCourse"].activity)
    assert [label.get_text() for label in axes.get_yticklabels()] == list(report)


def test_graded_layers_have_no_band() -> None:
    recording = Recording(statistics=STATISTICS)
    recording.observe("sum", torch.full((4, 2, 3), 2.0), kind="graded")
    axes = time_plot(recording.report())
    assert len(axes.patches) == 1
    assert axes.get_title(loc="right") == ""


@given(st.lists(st.integers(0, 9), min_size=1, max_size=80), st.booleans())
def test_intervals_are_each_in_the_bin_of_its_length(counts: list[int], log: bool) -> None:
    histogram = np.array([0, *counts])
    heights, edges = interval_density(histogram, logarithmic=log)
    intervals = np.repeat(np.arange(len(histogram)), histogram)
    expected = np.histogram(intervals, bins=edges)[0]
    np.testing.assert_allclose(heights * np.diff(edges), expected)
    assert expected.sum() == len(intervals)


def test_intervals_are_drawn_in_steps_or_seconds_and_gaps_say_why() -> None:
    lif = np.zeros((9, 1, 2))
    lif[[1, 4, 8], :, 0] = 1
    axes = draw(recorded(lif=lif, idle=lif[:2], dt=0.01), "intervals")
    drawn = axes.patches[0].get_data()
    np.testing.assert_allclose(drawn.edges, [5, 15, 25, 35, 45])
    assert (drawn.values - drawn.baseline > 0).tolist() == [False, False, True, True]
    assert axes.get_xlabel() == "interspike interval (ms)"
    assert [text.get_text() for text in axes.texts] == ["no neuron fired twice"]
    far = np.zeros((200, 1, 1))
    far[[0, 1, 150]] = 1
    axes = draw(recorded(lif=far), "intervals")
    assert axes.get_xscale() == "log"
    assert axes.get_xlabel() == "interspike interval (steps)"


def test_a_raster_shows_every_spike_of_the_sequence_and_says_which_it_is() -> None:
    rng = np.random.default_rng(0)
    spikes = (rng.random((15, 3, 8)) < 0.3).astype(float)
    axes = raster_plot(recorded(lif=spikes)["lif"])
    (marks,) = axes.lines
    steps, neurons = np.nonzero(spikes[:, 0])
    np.testing.assert_array_equal(np.asarray(marks.get_xdata()) - 0.5, steps)
    np.testing.assert_array_equal(marks.get_ydata(), neurons)
    assert axes.get_title() == "lif\nsequence 1 of 3, the only one kept"
    with pytest.raises(IndexError, match="sequence 1 was not kept"):
        raster_plot(recorded(lif=spikes)["lif"], sequence=1)


def test_a_raster_says_what_it_leaves_out() -> None:
    recording = Recording(statistics=[Raster], dt=0.001)
    recording.observe("lif", torch.zeros(1200, 1, 3000))
    axes = raster_plot(recording.report()["lif"])
    assert axes.get_title().endswith("\none neuron in 3 and the first 1,000 steps")
    assert axes.get_xlabel() == "time (s)"


def test_a_training_run_is_a_row_per_layer_and_a_column_per_report() -> None:
    reports = [ActivityReport([layer("a", n, n), layer("b", 0, n)]) for n in (1, 4)]
    partly = ActivityReport([layer("a", 8, 0), layer("c", nonfinite=True)])
    history = list(enumerate([*reports, partly]))
    for metric in HISTORY_METRICS:
        values = np.ma.filled(pixels(history_plot(history, metric)), np.nan)
        assert values.shape == (3, 3)
        scale = 2 if metric in ("dead", "saturated") else 1
        assert values[0, 2] == getattr(partly["a"], metric) / scale
        assert values[1, 1] == getattr(reports[1]["b"], metric) / scale
        assert np.isnan(values[[1, 2, 2], [2, 2, 0]]).all()
    assert history_plot(history).get_xlabel() == "epoch"
    assert [t.get_text() for t in history_plot(history).get_yticklabels()] == ["a", "b", "c"]


def test_a_history_by_label_is_as_good_and_an_empty_or_unknown_one_an_error() -> None:
    report = ActivityReport([layer()])
    axes = history_plot({"before": report, "after\x1b": report})
    assert [t.get_text() for t in axes.get_xticklabels()] == ["before", r"after\x1b"]
    with pytest.raises(ValueError, match="at least one report"):
        history_plot([])
    with pytest.raises(ValueError, match=r"metric= to be one of mean, median.*came 'mode'"):
        history_plot([("a", report)], "mode")


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_gives_the_picture_of_the_live_report_in_every_format(kind: str) -> None:
    live = recorded("lif1", "lif2")
    loaded = ActivityReport.from_json(live.to_json())
    drawn = [report.plot(kind=kind, layer="lif2") for report in (live, loaded)]
    for form in FORMATS:
        first, second = (image_bytes(axes, form) for axes in drawn)
        assert first == second


def test_another_kind_is_an_error_that_lists_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"box, violin, curve, .*operations, came 'pie'"):
        ActivityReport([layer()]).plot(kind="pie")


def test_the_docstring_lists_every_kind() -> None:
    text = ActivityReport.plot.__doc__ or ""
    assert [kind for kind in KINDS if f"`{kind}`" not in text] == []


@pytest.mark.parametrize("kind", ["neurons", "raster"])
def test_a_picture_of_one_layer_asks_which(kind: str) -> None:
    report = recorded("lif1", "lif2")
    with pytest.raises(ValueError, match=f'"{kind}" shows one layer.*one of lif1, lif2'):
        draw(report, kind)
    with pytest.raises(UnknownLayerError, match="no layer 'lif3'"):
        draw(report, kind, layer="lif3")
    draw(recorded("lif1"), kind)


def test_a_picture_of_all_layers_can_be_of_one() -> None:
    axes = draw(recorded("lif1", "lif2"), "box", layer="lif2")
    assert [label.get_text() for label in axes.get_yticklabels()] == ["lif2"]


@pytest.mark.parametrize(
    ("kind", "statistic"),
    [("time", "TimeCourse"), ("intervals", "InterspikeIntervals"), ("raster", "Raster")],
)
def test_a_missing_statistic_is_an_error_that_says_how_to_record_it(
    kind: str, statistic: str
) -> None:
    with pytest.raises(MissingStatisticError, match=rf"statistics=\[neuroact\.{statistic}\]"):
        ActivityReport([layer()]).plot(kind=kind)


def pictures(report: ActivityReport) -> dict[str, Axes]:
    first = next(iter(report))
    found = {kind: draw(report, kind) for kind in OF_REPORTS}
    found |= {kind: draw(report, kind, layer=first) for kind in OF_LAYERS}
    found["history"] = history_plot([(1, report), (2, report)])
    found["comparison"] = neuroact.compare(report, report).plot()
    return found


def sizes(figure: Figure) -> set[float]:
    texts = figure.findobj(lambda x: isinstance(x, Text) and x.get_text() and x.get_visible())
    return {text.get_fontsize() for text in texts if isinstance(text, Text)}


def test_pictures_are_as_wide_as_a_papers_column_and_their_type_is_legible() -> None:
    for kind, axes in pictures(recorded("encoder.lif1", "encoder.lif2", dt=0.001)).items():
        figure = axes.figure
        assert isinstance(figure, Figure)
        figure.draw_without_rendering()
        assert figure.get_figwidth() == pytest.approx(3.3), kind
        assert min(sizes(figure)) >= 6, kind


CASES: dict[str, Callable[[], ActivityReport]] = {
    "one neuron": lambda: recorded(lif=torch.eye(5).reshape(5, 5, 1)),
    "long names": lambda: recorded(*(f"{n}.{LONG}" for n in range(3))),
    "24 layers": lambda: recorded(*(f"features.block{n // 9}.{n % 9}.lif" for n in range(24))),
    "silent": lambda: recorded(lif=torch.zeros(4, 2, 3)),
    "mathtext": lambda: recorded("$x_{", "a_b^c"),
    "one step": lambda: recorded(lif=torch.ones(1, 1, 1)),
}


@pytest.mark.parametrize("case", CASES)
def test_everything_drawn_is_inside_the_figure(case: str) -> None:
    for kind, axes in pictures(CASES[case]()).items():
        figure = axes.figure
        assert isinstance(figure, Figure)
        figure.draw_without_rendering()
        page, drawn = figure.bbox, figure.get_tightbbox()
        inches = page.x1 / figure.dpi, page.y1 / figure.dpi
        assert drawn.x0 >= -0.02, kind
        assert drawn.y0 >= -0.02, kind
        assert drawn.x1 <= inches[0] + 0.02, kind
        assert drawn.y1 <= inches[1] + 0.02, kind


def odd(**spikes: Any) -> ActivityReport:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnreliableLayerWarning)
        return recorded(**spikes)


ODD: dict[str, Callable[[], ActivityReport]] = {
    "no layers": lambda: ActivityReport([], not_called=["idle"]),
    "no neurons": lambda: odd(lif=torch.zeros(4, 2, 0)),
    "no steps": lambda: odd(lif=torch.zeros(0, 2, 3)),
    "nan": lambda: odd(bad=torch.full((4, 2, 3), math.nan), lif=torch.ones(4, 2, 3)),
    "nan alone": lambda: odd(bad=torch.full((4, 2, 3), math.nan)),
}


@pytest.mark.parametrize("case", ODD)
def test_what_has_no_figures_is_an_empty_place(case: str) -> None:
    report = ODD[case]()
    kinds = OF_REPORTS if report else ("box", "violin", "curve")
    for axes in [*(draw(report, kind) for kind in kinds), history_plot([(1, report)])]:
        figure = axes.figure
        assert isinstance(figure, Figure)
        figure.draw_without_rendering()


@pytest.mark.parametrize("kind", OF_LAYERS)
def test_a_layer_whose_values_cannot_be_trusted_is_not_drawn(kind: str) -> None:
    with pytest.raises(ValueError, match=r'layer "bad" cannot be drawn: .*NaN'):
        draw(ODD["nan"](), kind, layer="bad")


PROGRAM = """
import sys, warnings
warnings.simplefilter("error")
import neuroact
from neuroact import plots
from neuroact.results.operations import Operations
statistics = ["TimeCourse", "InterspikeIntervals", "Raster", "Signal", "ClassActivity"]
recording = neuroact.Recording(statistics=statistics)
with recording.batch(labels=[0]):
    recording.observe("lif", [[[0, 1, 1]], [[0, 0, 1]]])
layers = recording.report().values()
report = neuroact.ActivityReport(layers, operations=Operations([]))
for kind in plots.KINDS:
    report.plot(sys.argv[1] + "/a.svg", kind=kind)
for ending in ("png", "svg", "pdf"):
    report.plot(sys.argv[1] + "/a." + ending)
axes = plots.history_plot([(1, report)])
plots.save_figure(axes, sys.argv[1] + "/a.png")
neuroact.compare(report, report).plot(sys.argv[1] + "/a.pdf")
print("matplotlib.pyplot" in sys.modules)
"""


def test_no_picture_imports_pyplot(tmp_path: Path) -> None:
    run = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    done = subprocess.run(run, capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    assert not done.stderr
