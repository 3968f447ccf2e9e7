"""The page of a comparison in a real browser. It may fetch nothing."""

from __future__ import annotations

import numpy as np
import pytest
from page_reports import LONG, SCRIPT, hostile, layer, mixed, of_layers
from pages import FAINT_TEXT, PAPER, PHONE, Open, head

import neuroact
from neuroact import ActivityReport
from neuroact.report.comparison import Comparison


def pair() -> Comparison:
    after = [
        layer("encoder.lif1", [10, 20, 30, 41]),
        layer("encoder.lif2", [70, 80, 90, 5]),
        layer("encoder.lif10", [100, 90, 90, 3]),
        layer("new", [1]),
    ]
    labels = ("before", f"after {SCRIPT}")
    return neuroact.compare(mixed(), ActivityReport(after), labels=labels)


def test_what_differs_most_is_read_first(opened: Open) -> None:
    page = opened(pair().to_html()).page
    assert page.locator("h2").first.inner_text() == "encoder.lif2 differs most"
    far = page.locator("#verdicts .where").all_inner_texts()
    assert far == ["encoder.lif2", "encoder.lif10", "encoder.lif1"]
    card = page.locator("#verdicts li").first
    assert "dead 3 → 0" in card.inner_text()
    box = page.locator("#verdicts").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < 800


def test_what_matches_nothing_is_said(opened: Open) -> None:
    said = opened(pair().to_html()).page.locator("#verdicts").inner_text()
    assert "only in before" in said
    assert "readout, head" in said
    assert f"only in after {SCRIPT}" in said
    assert "new" in said
    assert "not called in before" in said


def test_the_table_sorts_and_filters_and_has_the_figures(opened: Open) -> None:
    comparison = pair()
    at = opened(comparison.to_html())
    assert at.layers() == list(comparison)
    head(at.page, "distance")
    assert head(at.page, "distance") == "descending"
    assert at.layers() == ["encoder.lif2", "encoder.lif10", "encoder.lif1"]
    less = comparison["encoder.lif2"].differences[f"after {SCRIPT}"]
    cells = at.page.locator("tbody tr").first.locator("td.right")
    values = [cells.nth(n).get_attribute("data-value") for n in range(cells.count())]
    names = ("distance", "mean", "dead", "saturated", "sparsity", "std", "median")
    assert [float(value or "nan") for value in values] == [getattr(less, n) for n in names]
    at.page.get_by_label("Filter").fill("lif10")
    assert at.layers() == ["encoder.lif10"]
    assert at.page.locator("#shown").inner_text() == "1 of 3 rows"


def test_the_picture_is_there_and_labels_are_text(opened: Open) -> None:
    page = opened(pair().to_html()).page
    assert page.locator("script").count() == 1
    assert page.locator("h1").inner_text() == f"before and after {SCRIPT}"
    assert page.locator("#plots .keys li").all_inner_texts() == ["before", f"after {SCRIPT}"]
    assert page.locator("#plots svg rect").count() == 6


@pytest.mark.parametrize("options", [{}, {"color_scheme": "dark"}], ids=["light", "dark"])
def test_all_text_stands_out_from_its_ground(options: dict[str, str], opened: Open) -> None:
    page = opened(pair().to_html(), **options).page
    page.evaluate("document.querySelectorAll('details').forEach(found => { found.open = true })")
    assert page.evaluate(FAINT_TEXT) == []


@pytest.mark.parametrize(
    "report",
    [mixed(), hostile(), of_layers(30, LONG), of_layers(3, "n" * 80)],
    ids=["mixed", "hostile", "long", "unbroken"],
)
def test_phones_and_paper_show_it_whole(report: ActivityReport, opened: Open) -> None:
    other = [layer(name, np.ravel(found.events)[::-1]) for name, found in report.items()]
    text = neuroact.compare(report, ActivityReport(other), labels=("a", "b" * 60)).to_html()
    assert opened(text, **PHONE).page.evaluate("document.documentElement.scrollWidth") == 390
    page = opened(text, **PAPER).page
    page.emulate_media(media="print")
    table, paper = page.locator("#layers").bounding_box(), page.locator("main").bounding_box()
    assert table is not None
    assert paper is not None
    assert table["width"] <= paper["width"]


def test_equal_reports_are_said_to_be_equal(opened: Open) -> None:
    page = opened(neuroact.compare(mixed(), mixed()).to_html()).page
    assert page.locator("#verdicts .where").count() == 0
