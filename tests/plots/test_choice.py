"""Which layers a picture shows, in which order and colours; and what it shows of classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from made_layers import layer
from made_operations import connection
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.legend import Legend

import neuroact
from neuroact import ActivityReport, ClassActivity, Recording
from neuroact.errors import UnknownLayerError
from neuroact.plots import class_plot, curve_plot, draw, neuron_map, neurons_by_class
from neuroact.results.operations import Operations

REPORT = ActivityReport(
    [
        layer("net.lif2", 1, 2),
        layer("net.lif10", 8, 9),
        layer("bad", nonfinite=True),
        layer("net.lif1", 3, 5),
    ],
    not_called=["idle"],
    operations=Operations([connection(n, dense=9, acs=3) for n in ("fc2", "fc10", "fc1")]),
)


def rows(axes: Axes) -> list[str]:
    return [label.get_text() for label in axes.get_yticklabels()]


@pytest.mark.parametrize(
    ("layers", "order", "shown"),
    [
        (None, "model", ["net.lif2", "net.lif10", "bad", "net.lif1", "idle"]),
        ("net.*", "model", ["net.lif2", "net.lif10", "net.lif1"]),
        (["bad", "net.lif1*"], "model", ["net.lif10", "bad", "net.lif1"]),
        ("net.*", "name", ["net.lif1", "net.lif2", "net.lif10"]),
        (None, "mean", ["net.lif10", "net.lif1", "net.lif2", "bad", "idle"]),
        ("idle", "model", ["idle"]),
    ],
)
def test_layers_are_chosen_by_name_or_glob_and_ordered(
    layers: Any, order: str, shown: list[str]
) -> None:
    assert rows(REPORT.plot(layers=layers, order=order)) == shown


def test_operations_are_chosen_and_ordered_too() -> None:
    assert rows(REPORT.plot(kind="operations", layers="fc1*", order="name")) == ["fc1", "fc10"]


def test_what_cannot_be_chosen_is_an_error() -> None:
    with pytest.raises(UnknownLayerError, match="no layer 'lif9'"):
        REPORT.plot(layers=["net.*", "lif9"])
    with pytest.raises(UnknownLayerError, match="lif9"):
        REPORT.plot(kind="operations", layers="lif9")
    with pytest.raises(ValueError, match="layer= or layers=, came both"):
        REPORT.plot(layer="bad", layers="bad")
    with pytest.raises(ValueError, match=r"order= to be one of model, name, mean, .*came 'size'"):
        REPORT.plot(order="size")
    with pytest.raises(ValueError, match="shows one layer"):
        REPORT.plot(kind="neurons", layers="net.*")


def legend(axes: Axes) -> Legend:
    found = axes.get_legend()
    assert found is not None
    return found


def fills(axes: Axes) -> list[str]:
    return [to_hex(patch.get_facecolor()) for patch in axes.patches]


def test_layers_have_the_colours_given_and_others_their_own() -> None:
    own = fills(REPORT.plot())[0]
    assert fills(REPORT.plot(colors="#112233")) == ["#112233"] * 3
    listed = ["#111111", "#222222", "#333333"]
    assert fills(REPORT.plot(colors=listed)) == listed
    named = {"net.lif1*": "#111111", "net.lif10": "#222222"}
    assert fills(REPORT.plot(colors=named)) == [own, "#222222", "#111111"]
    lines = REPORT.plot(kind="curve", colors=listed)
    assert [to_hex(patch.get_edgecolor()) for patch in lines.patches] == listed
    assert [to_hex(line.get_color()) for line in legend(lines).get_lines()] == listed


def test_colours_that_fit_nothing_are_an_error() -> None:
    with pytest.raises(ValueError, match="each of the 3 layers drawn, came 1"):
        REPORT.plot(colors=["red"])
    with pytest.raises(ValueError, match="came 'reddish'"):
        REPORT.plot(colors={"net.lif1": "reddish"})
    with pytest.raises(TypeError, match=r"expected colors= to be a colour, .*came 3"):
        REPORT.plot(colors=3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="whose colours have a meaning; they are for box"):
        REPORT.plot(kind="neurons", layer="net.lif1", colors="red")


def test_forty_curves_have_seven_names_and_say_how_they_were_chosen() -> None:
    report = ActivityReport([layer(f"block{n}.lif", n % 10, 5) for n in range(40)])
    axes = curve_plot(report)
    named = [text.get_text() for text in legend(axes).get_texts()]
    assert named == [f"block{n}.lif" for n in (0, 6, 13, 20, 26, 32, 39)]
    said = axes.get_title(loc="right")
    assert said == "named: 7 of 40 layers, evenly spaced in order; grey: the others"


def test_neurons_of_a_small_map_have_numbers() -> None:
    flat = neuron_map(layer("lif", *range(10)))
    assert [text.get_text() for text in flat.texts] == [str(n) for n in range(10)]
    grid = neuron_map(layer("lif", events=np.arange(12).reshape(3, 4)))
    assert rows(grid) == ["0", "1", "2"]
    assert not neuron_map(layer("lif", *([3] * 200))).texts


def by_class(spikes: Any, labels: Any) -> Any:
    recording = Recording(statistics=[ClassActivity])
    with recording.batch(labels=labels):
        recording.observe("lif", spikes)
    return recording.report()["lif"]


def test_activity_by_class_is_numpys_with_neurons_of_a_class_together() -> None:
    spikes, labels = np.random.default_rng(0).random((20, 6, 9)) < 0.3, np.array([0, 1, 1, 3, 3, 0])
    spikes[:, :, 4] = False
    of = by_class(spikes, labels)
    activity, order, shared = neurons_by_class(of["ClassActivity"])
    expected = np.array([spikes[:, labels == c].mean((0, 1)) for c in (0, 1, 3)]).T
    np.testing.assert_allclose(activity[:, [0, 1, 3]], expected[order])
    assert np.isnan(activity[:, 2]).all()
    best = expected[order].argmax(1)[:-1]
    assert best.tolist() == sorted(best)
    assert (order[-1], shared) == (4, 1)
    axes = class_plot(of)
    assert rows(axes) == [str(neuron) for neuron in order]
    np.testing.assert_array_equal(
        np.ma.filled(np.ma.asarray(axes.images[0].get_array()), np.nan), activity
    )


def test_many_neurons_share_rows_of_a_class_picture_and_it_says_so() -> None:
    spikes = np.random.default_rng(0).random((2, 4, 1001)) < 0.5
    of = by_class(spikes, [0, 1, 0, 1])
    activity, order, shared = neurons_by_class(of["ClassActivity"])
    assert (activity.shape, shared) == ((334, 2), 3)
    single = np.array([spikes[:, c::2].mean((0, 1)) for c in (0, 1)]).T[order]
    np.testing.assert_allclose(activity[1], single[3:6].mean(0))
    np.testing.assert_allclose(activity[-1], single[999:].mean(0))
    label = class_plot(of).get_ylabel()
    assert label == "1,001 neurons, by the class they prefer; a row is 3 neurons"


def test_without_a_label_there_is_no_picture_of_classes() -> None:
    recording = Recording(statistics=[ClassActivity])
    recording.observe("lif", np.ones((2, 2, 3)))
    with pytest.raises(ValueError, match="no sample had a label"):
        draw(recording.report(), "classes")


def test_what_are_no_axes_is_said_before_anything_is_drawn() -> None:
    history = neuroact.History([(0, REPORT)])
    for shown in (REPORT, neuroact.compare(REPORT, REPORT), history):
        with pytest.raises(TypeError, match=r"expected ax= to be axes of matplotlib, came 'x'"):
            shown.plot(ax="x")  # type: ignore[arg-type]
