"""The pictures of a page: what they draw, and how much; without a browser."""

from __future__ import annotations

import base64
import io
import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import imread
from page_reports import hostile, layer, mixed, of_layers, with_results

import neuroact
from neuroact import ActivityReport, Recording, Signal, SignalKind
from neuroact.html.charts import MOST_ROWS, chosen
from neuroact.html.pictures import draw_box
from neuroact.html.svg import NOTHING, Scale, image, round_numbers, shades
from neuroact.plots import box_stats


def pictures(page: str) -> list[ET.Element]:
    """The plots of a page. Each must be well formed by itself, and all its numbers finite."""
    found = re.findall(r'<svg class="(?:wide|small)".*?</svg>', page)
    for svg in found:
        assert not re.search(r'="(?!data:)[^"]*(?:nan|inf)', svg)  # pixels may spell anything
    return [ET.fromstring(svg) for svg in found]


def of_values() -> ActivityReport:
    recording = Recording(statistics=[Signal(0.5)])
    rng = np.random.default_rng(0)
    for n in range(9):
        recording.observe(f"mem{n}", 10.0 ** (n - 5) * rng.random((7, 2, 3)), kind="analog")
    return recording.report()


@pytest.mark.parametrize(
    ("report", "plots"),
    [
        (mixed(), 2 + 3),  # boxes and curves; a map of each layer of several neurons with figures
        (hostile(), 2 + 8),
        (with_results(), 6 + 2 * 3),
        (of_values(), 4 + 9),
        (ActivityReport([]), 0),
        (ActivityReport([layer("bad", [1], observations=0)]), 1),
    ],
    ids=["mixed", "hostile", "results", "values", "none", "no figures"],
)
def test_each_picture_is_there_and_well_formed(report: ActivityReport, plots: int) -> None:
    found = pictures(report.to_html())
    assert len(found) == plots
    for svg in found:
        assert svg.get("aria-label")


FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.tuples(FINITE, FINITE), min_size=1, max_size=9))
def test_values_of_any_size_are_drawn(pairs: list[tuple[float, float]]) -> None:
    layers = [
        layer(
            f"relu{n}",
            [int(value != 0) for value in values],
            kind=SignalKind.ANALOG,
            observations=1,
            total=np.array(values),
        )
        for n, values in enumerate(pairs)
    ]
    assert pictures(ActivityReport(layers).to_html())


def test_of_very_many_layers_a_picture_shows_sixty_and_a_hundred_have_their_own() -> None:
    report = of_layers(300)
    page = report.to_html()
    boxes = pictures(page)[0]
    names = [text.text for text in boxes.iter("text") if (text.text or "").startswith("backbone")]
    assert len(names) == MOST_ROWS
    sick = list(report)[-2]
    assert sick in names
    assert f"{MOST_ROWS} of 300 layers are drawn" in page
    assert page.count('<figure class="plot">') == 2 + 100
    details = page.partition('id="layer-298"')[2].partition("</details>")[0]
    assert "Activity of every neuron" in details
    assert len(page) / len(report) < 8_000


@given(st.integers(0, 500), st.sets(st.integers(0, 499), max_size=80))
def test_chosen_rows_are_in_order_and_hold_those_wanted(number: int, first: set[int]) -> None:
    wanted = sorted(at for at in first if at < number)
    found = chosen(number, wanted)
    assert found == sorted(set(found))
    assert len(found) == min(number, MOST_ROWS)
    assert set(wanted[:MOST_ROWS]) <= set(found)
    assert all(0 <= at < number for at in found)


def test_a_box_is_drawn_where_its_figures_are() -> None:
    stats = box_stats(layer("lif", [10, 10, 20, 20, 30, 90]))
    axis = Scale.linear(0.0, 1.0, 0.0, 1000.0)
    parts = [ET.fromstring(part) for part in draw_box(stats, 9.0, axis)]
    by_class = {part.get("class"): part for part in parts}
    box = by_class["fill"]
    left, width = (float(box.get(name) or "nan") for name in ("x", "width"))
    assert (left, left + width) == pytest.approx((1000 * stats.q1, 1000 * stats.q3))
    assert (by_class["median"].get("d") or "").startswith(f"M{1000 * stats.median:.1f} ")
    assert float(by_class["mean"].get("cx") or "nan") == pytest.approx(1000 * stats.mean, abs=0.1)
    assert by_class["outliers"].get("d") == "M900.0 9h0"


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6))
def test_ticks_are_within_the_ends_and_two_to_seven(low: float, span: float) -> None:
    high = low + span
    ticks = round_numbers(low, high)
    assert 2 <= len(ticks) <= 7
    around = 1e-6 * max(abs(low), abs(high))
    assert all(low - around <= tick <= high + around for tick in ticks)


@pytest.mark.parametrize("low", [-1.7e308, -1.0, 0.0, 5e-324])
@pytest.mark.parametrize("high", [1e-323, 1.0, 1.7e308])
def test_places_hold_at_the_ends_of_what_floats_can_be(low: float, high: float) -> None:
    values = np.array([low, low / 2 + high / 2, high, np.nan])
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        first, middle, last, nothing = shades(values, low, high).tolist()
        places = Scale.linear(low, high, 0.0, 100.0)(values[:3])
    assert (first, last, nothing) == (0, 249, NOTHING)
    assert first <= middle <= last
    assert (places[0], places[2]) == (0, 100)


def test_pages_hold_at_the_ends_of_what_floats_can_be() -> None:
    recording = Recording()
    for name, values in {"wide": [1.7e308, -1.7e308, 1.0], "small": [5e-324, 0.0, 1.0]}.items():
        recording.observe(name, np.array([[values]]), kind="analog")
    report = recording.report()
    history = neuroact.History([(0, report), (1, report)])
    for shown in (report, neuroact.compare(history), history):
        assert pictures(shown.to_html())


def test_an_image_holds_its_pixels() -> None:
    values = np.array([[0.0, 0.5], [np.nan, 1.0]])
    pixels = shades(values, 0.0, 1.0)
    assert pixels[1, 0] == NOTHING
    data = image(pixels).partition("base64,")[2]
    drawn = imread(io.BytesIO(base64.b64decode(data)))
    assert drawn.shape == (2, 2, 4)
    assert drawn[..., 3].tolist() == [[1, 1], [0, 1]]
    light = drawn[..., :3].sum(-1)
    assert light[0, 0] < light[0, 1] < light[1, 1]


def test_a_page_has_one_unit_of_activity() -> None:
    timed = with_results().to_html()
    assert "(Hz)" in timed
    assert not re.search(r"(?:spikes|values) per (?:neuron|step)", _shown(timed))
    plain = of_layers(3).to_html()
    assert "(spikes per step)" in plain
    assert not re.search(r"\bHz\b", _shown(plain))


def _shown(page: str) -> str:
    """What is above the definitions."""
    return page.partition("<main>")[2].partition('id="definitions"')[0]


def test_verdicts_come_by_severity_and_link_to_their_layer() -> None:
    fire, quiet = [30] * 40, [0] * 40
    layers = [
        layer("a", [0] * 36 + [30] * 4),
        layer("b", fire),
        layer("c", quiet),
        layer("d", quiet),
        layer("e", fire, nonfinite=True),
    ]
    page = ActivityReport(layers, not_called=["f"]).to_html()
    verdicts = page.partition('id="verdicts"')[2].partition("</section>")[0]
    cards = re.findall(r'<li class="(\w+)">.*?href="#([\w-]+)">(.*?)</a>', verdicts, re.DOTALL)
    assert cards == [
        ("severe", "layer-4", "e"),
        ("severe", "definitions", "f"),
        ("severe", "layer-2", "c"),
        ("warning", "layer-0", "a"),
    ]
    assert "5 of 6 layers need a look" in verdicts


def test_the_title_is_the_users_and_text() -> None:
    for report in (mixed(), neuroact.compare(mixed(), mixed())):
        page = report.to_html(title="Mine <b>\x1b")
        assert "<title>Mine &lt;b&gt;\\x1b · neuroact</title>" in page
        assert "Mine &lt;b&gt;" in page.partition("<h1>")[2].partition("</h1>")[0]


def test_the_list_of_contents_leads_to_every_section() -> None:
    for page in (with_results().to_html(), neuroact.compare(mixed(), mixed()).to_html()):
        contents = page.partition("<nav")[2].partition("</nav>")[0]
        links = re.findall(r'href="#([\w-]+)"', contents)
        assert links == re.findall(r'<(?:section|details class="block"|footer) id="([\w-]+)"', page)


def test_a_term_is_defined_once() -> None:
    for report in (with_results(), mixed(), of_values()):
        page = report.to_html().partition('id="definitions"')[2].partition("</details>")[0]
        terms = re.findall(r"<dt>(.*?)</dt>", page)
        assert len(terms) == len(set(terms)) > 10
