"""Comparing reports: differences are checked with NumPy, distances with SciPy."""

from __future__ import annotations

import json
import math
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_layers import layer
from matplotlib.text import Text
from scipy.stats import wasserstein_distance

import neuroact
from neuroact import ActivityReport, LayerActivity, SignalKind
from neuroact.errors import ComparisonError, MissingExtraError, UnknownLayerError
from neuroact.plots import FORMATS
from neuroact.quantiles import tally
from neuroact.report.comparison import DIFFERENCES, Comparison, Difference
from neuroact.results.distance import wasserstein


def report(*layers: LayerActivity, **more: Any) -> ActivityReport:
    return ActivityReport(layers, **more)


events = st.lists(st.integers(0, 10), min_size=1, max_size=30)
values = st.lists(st.floats(-1e6, 1e6) | st.integers(-3, 3).map(float), min_size=1, max_size=30)

thousandths = st.lists(st.integers(-3000, 3000).map(lambda n: n / 1000), min_size=1, max_size=20)


@pytest.mark.parametrize("others", ["label\x1b]0;x\x07", "\x1b[31m"])
def test_labels_and_names_are_escaped_wherever_a_comparison_is_shown(others: str) -> None:
    first = report(layer("a\x1b[1m"), layer("only"), not_called=[others])
    second = report(layer(others, 1, 2, dt=0.1), not_called=[others])
    found = neuroact.compare(first, second, labels=["one", others], layers={"a\x1b[1m": others})
    for shown in (str(found), repr(found), found._repr_html_(), found.to_html(), found.to_json()):
        assert "\x1b" not in shown
        assert "\x07" not in shown
    with pytest.raises(UnknownLayerError) as caught:
        found["none"]
    assert "\x1b" not in str(caught.value)
    texts = [text.get_text() for text in found.plot().figure.findobj(Text)]
    assert not any("\x1b" in text for text in texts)


@given(values, values)
def test_the_distance_is_scipys(ours: list[float], theirs: list[float]) -> None:
    found = wasserstein(*tally(ours), *tally(theirs))
    expected = wasserstein_distance(ours, theirs)
    assert math.isclose(found, expected, rel_tol=1e-12, abs_tol=1e-9)


@given(values, st.integers(1, 5))
def test_the_same_distribution_is_no_distance_away_however_often_repeated(
    ours: list[float], times: int
) -> None:
    assert wasserstein(*tally(ours), *tally(ours * times)) == 0


@given(thousandths, thousandths)
def test_the_distance_is_symmetric_and_zero_only_for_the_same(
    ours: list[float], theirs: list[float]
) -> None:
    a, b = tally(ours), tally(theirs)
    assert wasserstein(*a, *b) == wasserstein(*b, *a)
    shares = [{v: n / sum(t[1]) for v, n in zip(*t, strict=True)} for t in (a, b)]
    assert (wasserstein(*a, *b) == 0) == (shares[0] == shares[1])


def test_counts_of_many_neurons_need_no_room() -> None:
    assert wasserstein([0.0, 1.0], [10**15, 10**15], [0.5], [3]) == 0.5


def test_no_values_are_at_no_distance() -> None:
    assert math.isnan(wasserstein([], [], [1.0], [1]))


@given(events, events)
def test_differences_are_those_of_numpys_results(before: list[int], after: list[int]) -> None:
    found = neuroact.compare(report(layer("lif", *before)), report(layer("lif", *after)))
    change = found["lif"].differences["2"]
    old, new = np.array(before) / 10, np.array(after) / 10
    assert change.mean == new.mean() - old.mean()
    assert change.std == new.std() - old.std()
    for name, q in {"q1": 0.25, "median": 0.5, "q3": 0.75}.items():
        assert getattr(change, name) == np.quantile(new, q) - np.quantile(old, q)
    assert change.sparsity == pytest.approx(old.mean() - new.mean(), abs=1e-12)
    assert change.dead == (new == 0).sum() - (old == 0).sum()
    assert change.saturated == (new == 1).sum() - (old == 1).sum()
    assert change.dead_share == (new == 0).sum() / new.size - (old == 0).sum() / old.size
    assert change.saturated_share == (new == 1).sum() / new.size - (old == 1).sum() / old.size
    assert change.distance == pytest.approx(wasserstein_distance(old, new), abs=1e-12)


@given(events)
def test_a_report_differs_from_itself_in_nothing(counts: list[int]) -> None:
    same = report(layer("lif", *counts))
    change = neuroact.compare(same, same)["lif"].differences["2"]
    assert all(getattr(change, name) == 0 for name in DIFFERENCES)


def test_several_reports_are_each_compared_with_the_first() -> None:
    reports = [report(layer("lif", n, 2 * n)) for n in (1, 2, 4)]
    found = neuroact.compare(*reports, labels=("a", "b", "c"))
    assert found.labels == ("a", "b", "c")
    assert [d.mean for d in found["lif"].differences.values()] == pytest.approx([0.15, 0.45])
    assert list(found["lif"].layers) == ["a", "b", "c"]


def test_a_loaded_report_is_as_good_as_a_live_one(tmp_path: Path) -> None:
    live = report(layer("lif", 1, 2, 3))
    live.to_json(tmp_path / "a.json")
    loaded = ActivityReport.from_json(tmp_path / "a.json")
    assert neuroact.compare(live, loaded)["lif"].differences["2"].distance == 0


def test_layers_are_matched_by_name_by_alias_and_by_a_map() -> None:
    first = report(layer("a"), layer("b"), layer("c"), layer("d"), layer("lonely"))
    other = report(layer("a"), layer("x", aliases=("b",)), layer("deep.c"), layer("d"), layer("z"))
    found = neuroact.compare(first, other, layers={"c": "deep.c", "d": "z"})
    names = {name: entry.layers["2"].name for name, entry in found.items()}
    assert names == {"a": "a", "b": "x", "c": "deep.c", "d": "z"}
    assert found.unmatched == {"1": ("lonely",), "2": ("d",)}


def test_layers_that_are_left_are_matched_as_nir_and_fx_write_their_names() -> None:
    first = report(
        layer("1"), layer("enc.1"), layer("a"), layer("x", aliases=("b.c",)), layer("_d")
    )
    other = report(layer("enc_1"), layer("_1"), layer("a"), layer("b_c"), layer("d"))
    found = neuroact.compare(first, other)
    names = {name: entry.layers["2"].name for name, entry in found.items()}
    assert names == {"1": "_1", "enc.1": "enc_1", "a": "a", "x": "b_c"}
    back = neuroact.compare(other, first)
    assert {entry.layers["2"].name: name for name, entry in back.items()} == names
    assert found.unmatched == {"1": ("_d",), "2": ("d",)}


def test_a_spelling_that_two_layers_have_matches_neither_and_the_very_name_goes_first() -> None:
    first = report(layer("a.b"), layer("a_b"), layer("c.d_e"), layer("c_d.e"), layer("same"))
    other = report(layer("a_b"), layer("c_d_e"), layer("same"))
    found = neuroact.compare(first, other)
    assert {name: entry.layers["2"].name for name, entry in found.items()} == {
        "a_b": "a_b",
        "same": "same",
    }
    assert found.unmatched == {"1": ("a.b", "c.d_e", "c_d.e"), "2": ("c_d_e",)}


def test_a_map_may_name_a_partner_for_each_report() -> None:
    reports = [report(layer(name)) for name in "abc"]
    found = neuroact.compare(*reports, layers={"a": ("b", "c")})
    assert [x.name for x in found["a"].layers.values()] == ["a", "b", "c"]


def test_a_layer_that_only_some_have_is_compared_with_those() -> None:
    a, b, c = report(layer("x"), layer("y")), report(layer("x")), report(layer("x"), layer("y"))
    found = neuroact.compare(a, b, c)
    assert list(found["y"].differences) == ["3"]
    assert found.unmatched == {}


@pytest.mark.parametrize(
    ("reports", "options", "message"),
    [
        ([report(layer())], {}, "two reports or more to compare, came one"),
        ([], {}, "two reports or more to compare, came none"),
        ([report(layer()), report(layer())], {"labels": ["a"]}, "2 different names"),
        ([report(layer()), report(layer())], {"labels": ["a", "a"]}, "2 different names"),
        (
            [report(layer("a")), report(layer("b"))],
            {},
            r"no layer of the first report.*layers=\{.*1 has a; 2 has b",
        ),
        (
            [report(layer("a"), layer("b")), report(layer("c"))],
            {"layers": {"a": "c", "b": "c"}},
            'gives the layer "c" to two',
        ),
        (
            [report(layer("a")), report(layer("a")), report(layer("a"))],
            {"layers": {"a": ["a"]}},
            'names 1 partners of the layer "a", expected one for each',
        ),
    ],
)
def test_what_cannot_be_compared_is_an_error_that_says_what_to_do(
    reports: list[ActivityReport], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ComparisonError, match=message):
        neuroact.compare(*reports, **options)


@pytest.mark.parametrize("layers", [{"nope": "lif"}, {"lif": "nope"}])
def test_a_map_of_layers_that_are_not_there_is_an_error(layers: dict[str, str]) -> None:
    with pytest.raises(UnknownLayerError, match="no layer 'nope'"):
        neuroact.compare(report(layer("lif")), report(layer("lif")), layers=layers)


def test_asking_for_a_layer_that_was_not_matched_shows_the_nearest() -> None:
    found = neuroact.compare(report(layer("lif1")), report(layer("lif1")))
    with pytest.raises(KeyError, match=r"no layer 'lif2' of the first report.*lif1"):
        found["lif2"]
    assert "lif2" not in found


def pair(**more: Any) -> Comparison:
    first = report(layer("lif", 0, 5, 9), layer("out", 1, 2), layer("gone", 1))
    other = report(layer("lif", 0, 0, 9, **more), layer("out", 1, 2), not_called=["gone"])
    return neuroact.compare(first, other, labels=("before", "after"))


def test_without_figures_in_one_there_are_no_differences() -> None:
    change = pair(nonfinite=True)["lif"].differences["after"]
    assert change.dead is change.saturated is None
    rest = [getattr(change, name) for name in DIFFERENCES if name not in ("dead", "saturated")]
    assert all(math.isnan(value) for value in rest)


def test_printing_says_the_figures_the_differences_and_what_was_matched_with_nothing() -> None:
    text = str(pair())
    lines = text.splitlines()
    assert lines[0].split()[:4] == ["layer", "report", "neurons", "mean"]
    assert lines[2].split()[:4] == ["lif", "before", "3", "0.4667"]
    assert lines[3].split()[:3] == ["after", "3", "-0.1667"]
    assert lines[3].split()[-1] == "0.1667"
    assert "differs most         lif, in after, by a distance of 0.1667" in text
    assert "only in before       gone" in text
    assert "not called in after  gone" in text


def test_a_narrow_table_says_in_each_of_its_parts_which_report_a_row_is_of() -> None:
    before, after = (report(layer("lif", events)) for events in ([1, 2], [3, 4]))
    comparison = neuroact.compare(before, after, labels=("before", "after"))
    text = comparison.table().text(50)
    heads = [line for line in text.splitlines() if line.startswith("layer")]
    assert len(heads) > 1
    assert all(line.split()[:2] == ["layer", "report"] for line in heads)
    assert text.count("after  ") == text.count("lif    before") == len(heads)
    wide = neuroact.compare(before, after, labels=("x" * 40, "y")).table().text(50)
    assert wide.count("report") == 1  # such labels leave no room for figures


def test_printing_says_what_makes_reports_hard_to_compare() -> None:
    spikes, other = report(layer("a")), report(layer("a", dt=0.01))
    values = report(layer("a", 1, kind=SignalKind.ANALOG, total=np.array([0.5])))
    assert "unlike values  a (analog, binary)" in str(neuroact.compare(spikes, values))
    assert "unlike steps  1 unknown; 2 0.01 s" in str(neuroact.compare(spikes, other))
    assert "unlike" not in str(neuroact.compare(spikes, spikes))
    assert "none: in every layer" in str(neuroact.compare(spikes, spikes))


def test_a_notebook_gives_the_same_texts_and_no_markup_of_a_name() -> None:
    evil = "<script>alert(1)</script>"
    found = neuroact.compare(report(layer(evil)), report(layer(evil)), labels=("<b>", "&"))
    html = found._repr_html_()
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)" in html
    cells = [re.sub("<.*?>", "", c) for c in re.findall("<td.*?</td>", pair()._repr_html_())]
    printed = str(pair()).split("\n\n")[0].splitlines()
    assert [c for c in cells if c] == " ".join(line for line in printed[2:]).split()


def test_json_has_every_figure_and_no_nan(tmp_path: Path) -> None:
    found = pair(nonfinite=True)
    document = json.loads(found.to_json(tmp_path / "a.json"))
    assert document == found.to_dict() == json.loads((tmp_path / "a.json").read_text())
    assert document["schema_version"] == 2
    assert document["unmatched"] == {"before": ["gone"]}
    assert [entry["report"]["not_called"] for entry in document["reports"]] == [[], ["gone"]]
    sick, well = (entry["differences"]["after"] for entry in document["layers"])
    assert set(sick) == set(DIFFERENCES)
    assert set(sick.values()) == {None}
    assert well["distance"] == 0


def test_a_frame_has_a_row_for_each_layer_and_report(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = pair().to_frame()
    assert list(frame["layer"]) == ["lif", "out"]
    assert list(frame["report"]) == ["after", "after"]
    assert list(frame.columns)[4:] == list(DIFFERENCES)
    assert frame["dead"].tolist() == [1, 0]
    for package in ("pandas", "polars"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"Comparison\.to_frame\(\) needs"):
        pair().to_frame()


def test_the_picture_has_a_box_for_each_report_in_its_colour(tmp_path: Path) -> None:
    found = pair()
    for ending in FORMATS:
        axes = found.plot(tmp_path / f"a.{ending}")
        assert (tmp_path / f"a.{ending}").stat().st_size
    assert [label.get_text() for label in axes.get_yticklabels()] == ["lif", "out"]
    assert len(axes.patches) == 4
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["before", "after"]
    colours = [patch.get_facecolor() for patch in axes.patches]
    assert colours[0] == colours[2] != colours[1] == colours[3]


def test_a_place_without_a_box_says_why() -> None:
    texts = [text.get_text() for text in pair(nonfinite=True).plot().texts]
    assert texts == ["no figures: NaN or infinity emitted"]


def test_a_difference_has_only_numbers_of_its_two_layers() -> None:
    change = Difference.between(layer("a", 0, 10), layer("b", 10, 10, 10, 10))
    assert (change.dead, change.dead_share, change.saturated, change.saturated_share) == (
        -1,
        -0.5,
        3,
        0.5,
    )
