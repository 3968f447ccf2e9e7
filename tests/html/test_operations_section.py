"""The section of synaptic operations in a page, in a real browser."""

from __future__ import annotations

from typing import Any

import pytest
from made_operations import FIGURES, connection, counted
from page_reports import HOSTILE, LONG, SCRIPT, mixed, of_layers
from pages import FAINT_TEXT, PAPER, PHONE, Open
from playwright.sync_api import Page

import neuroact
from neuroact import ActivityReport
from neuroact.energy import HOROWITZ_45NM_FP32
from neuroact.errors import MissingOperationsError
from neuroact.results.operations import Operations


def made(*names: str, not_counted: Any = None) -> ActivityReport:
    """A report of as many layers as names, each with operations of its own."""
    layers = [
        connection(name, dense=10**9 * (at + 1), macs=10**5 * at, acs=10**6 * (9 - at % 9))
        for at, name in enumerate(names)
    ]
    operations = Operations(layers, not_counted=not_counted)
    return ActivityReport(of_layers(max(len(names), 2)).values(), operations=operations)


def table(page: Page, caption: str = "Operations") -> list[dict[str, str]]:
    """The rows of a table as they are shown, by the column's head; the last row is the total's."""
    found = page.get_by_role("region", name=caption, exact=True)
    heads = [head.replace("↕", "") for head in found.locator("thead th").all_inner_texts()]
    rows = found.locator("tbody tr, tfoot tr").all()
    return [dict(zip(heads, row.locator("th, td").all_inner_texts(), strict=True)) for row in rows]


def test_the_table_has_the_whole_numbers_and_their_sums(opened: Open) -> None:
    rows = {row["layer"]: row for row in table(opened(counted().to_html()).page)}
    for name, figures in FIGURES.items():
        for head, figure in {"dense": "dense", "ACs": "acs", "MACs": "macs"}.items():
            assert rows[name][head] == f"{figures[figure]:,}"
    assert rows["total"]["dense"] == f"{sum(each['dense'] for each in FIGURES.values()):,}"


def test_what_is_not_counted_is_an_alarm_above_the_table(opened: Open) -> None:
    page = opened(made("fc", not_counted={"cell": "nobody knows"}).to_html()).page
    alarm = page.locator("#operations .alarm")
    assert alarm.inner_text().split("\n") == [
        "Not counted, and in no total",
        "cell",
        "nobody knows",
    ]
    below = page.get_by_role("region", name="Operations", exact=True).bounding_box()
    box = alarm.bounding_box()
    assert box is not None
    assert below is not None
    assert box["y"] + box["height"] <= below["y"]
    assert opened(made("fc").to_html()).page.locator("#operations .alarm").count() == 0


def test_a_head_sorts_by_number(opened: Open) -> None:
    page = opened(made(*"abcdefghijkl").to_html()).page
    page.locator("#operations").get_by_role("button", name="ACs", exact=True).click()
    *rows, _ = table(page)
    numbers = [int(row["ACs"].replace(",", "")) for row in rows]
    assert len(numbers) == 12
    assert numbers == sorted(numbers) != sorted(numbers, reverse=True)


def test_each_figure_is_explained_by_its_head_or_below(opened: Open) -> None:
    page = opened(counted().to_html()).page
    section = page.locator("#operations")
    section.get_by_role("button", name="density", exact=True).hover()
    assert page.get_by_role("tooltip").inner_text().startswith("share of the input's elements")
    section.locator("summary").click()
    terms = section.locator("dl.terms dt").all_inner_texts()
    assert {"fan-out", "dense", "MACs", "ACs"} <= set(terms)
    beside = section.locator("dl.beside dt").all_inner_texts()
    assert "total" in beside
    assert len({*terms, *beside}) == len(terms) + len(beside)


def test_the_bars_are_drawn(opened: Open) -> None:
    page = opened(counted().to_html()).page
    drawn = page.locator("#operations figure svg")
    assert drawn.count() == 1
    assert "not counted" in (drawn.text_content() or "")


def test_energy_is_there_if_costs_are_given_with_all_that_has_to_be_said(opened: Open) -> None:
    report = counted()
    assert "Estimated energy" not in report.to_html()
    page = opened(report.to_html(costs=HOROWITZ_45NM_FP32)).page
    rows = {row["layer"]: row for row in table(page, "Estimated energy")}
    for name, figures in FIGURES.items():
        assert float(rows[name]["pJ"]) == pytest.approx(
            0.9 * figures["acs"] + 4.6 * figures["macs"]
        )
    said = page.locator("#operations").inner_text()  # what is read without a click
    assert HOROWITZ_45NM_FP32.source in said
    assert HOROWITZ_45NM_FP32.left_out in said
    assert "does not predict what a device takes" in said


def test_costs_without_operations_are_an_error() -> None:
    with pytest.raises(MissingOperationsError):
        mixed().to_html(costs=HOROWITZ_45NM_FP32)
    assert 'id="operations"' not in mixed().to_html()


def test_nothing_of_a_name_or_a_reason_is_markup(opened: Open) -> None:
    report = made(*HOSTILE, not_counted={name + "!": name for name in HOSTILE})
    labels = ("first", SCRIPT)
    for text in (report.to_html(), neuroact.compare(report, report, labels=labels).to_html()):
        assert SCRIPT not in text
        page = opened(text).page
        assert page.locator("script").count() == 1
        assert page.locator("img, iframe, [onload], [onerror], [onmouseover]").count() == 0
        assert page.locator("#operations tbody th").first.inner_text() == SCRIPT
        assert SCRIPT in page.locator("#operations .alarm").inner_text()


def compared() -> str:
    """The page of three reports: the second of fewer weights over more data."""
    reports = counted(), counted(0.5, times=3), counted(0.2)
    return neuroact.compare(*reports, labels=("all", "pruned", "few")).to_html()


def test_a_comparisons_page_has_each_reports_operations_and_their_ratio(opened: Open) -> None:
    page = opened(compared()).page
    rows = table(page, "Operations in each report")
    assert [(row["layer"], row["report"], row["ACs"], row["ratio"]) for row in rows] == [
        ("fc1", "all", "2", ""),
        ("fc1", "pruned", "6", "1"),
        ("fc1", "few", "2", "1"),
        ("fc2", "all", "6", ""),
        ("fc2", "pruned", "12", "0.5000"),
        ("fc2", "few", "2", "0.1667"),
        ("total", "all", "8", ""),
        ("total", "pruned", "18", "0.6250"),
        ("total", "few", "4", "0.3750"),
    ]
    alarms = page.locator("#operations .alarm dt").all_inner_texts()
    assert alarms == ["own in all", "own in pruned", "own in few"]


PAGES = {
    "few": lambda: counted().to_html(costs=HOROWITZ_45NM_FP32),
    "many": lambda: made(*(f"{LONG}{n}" for n in range(40)), not_counted={LONG: LONG}).to_html(
        costs=HOROWITZ_45NM_FP32
    ),
    "unbroken": lambda: made("n" * 90, not_counted={"k" * 90: "k" * 90}).to_html(),
    "compared": compared,
}


@pytest.mark.parametrize("name", PAGES)
def test_phones_and_paper_show_it_whole_and_every_text_stands_out(name: str, opened: Open) -> None:
    text = PAGES[name]()
    for options in ({}, {"color_scheme": "dark"}, PHONE):
        page = opened(text, **options).page
        page.evaluate("document.querySelectorAll('details').forEach(found => {found.open = true})")
        assert page.evaluate(FAINT_TEXT) == []
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width == (390 if options is PHONE else 1280)
    page = opened(text, **PAPER).page
    page.emulate_media(media="print")
    paper = page.locator("main").bounding_box()
    assert paper is not None
    for drawn in page.locator("#operations table").all():
        box = drawn.bounding_box()
        assert box is not None
        assert box["width"] <= paper["width"]


@pytest.mark.parametrize("name", PAGES)
def test_what_a_screen_reader_goes_by_is_there(name: str, opened: Open) -> None:
    page = opened(PAGES[name]()).page
    assert page.locator("th:not([scope])").count() == 0
    assert all(page.locator("tbody th").all_inner_texts())
    ids = page.evaluate("Array.from(document.querySelectorAll('[id]'), found => found.id)")
    assert len(ids) == len(set(ids))
    named = page.evaluate(
        "Array.from(document.querySelectorAll('[aria-describedby]'), found => "
        "found.getAttribute('aria-describedby'))"
    )
    assert set(named) <= set(ids)
