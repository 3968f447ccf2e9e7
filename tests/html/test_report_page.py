"""The page of a report in a real browser. It may fetch nothing and print no message."""

from __future__ import annotations

import numpy as np
import pytest
from page_reports import HOSTILE, LONG, SCRIPT, hostile, layer, mixed, of_layers, with_results
from pages import FAINT_TEXT, PAPER, PHONE, Open, head
from playwright.sync_api import Browser

from neuroact import ActivityReport, LayerActivity


def test_what_is_wrong_is_read_before_anything_is_scrolled(opened: Open) -> None:
    page = opened(of_layers(60).to_html()).page
    verdicts = page.locator("#verdicts")
    assert page.get_by_role("heading", name="1 of 60 layers needs a look").is_visible()
    box = verdicts.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < 800
    assert verdicts.locator(".where").all_inner_texts() == ["backbone.stage14.lif58"]
    assert page.locator("#verdicts, #table").first.get_attribute("id") == "verdicts"


def test_a_layer_with_a_note_looks_like_the_others_and_a_sentence_keeps_its_name(
    opened: Open,
) -> None:
    channels = np.ones((3, 2, 2), int)
    channels[1] = 0
    page = opened(ActivityReport([layer("net.a", channels), layer("b", [5])]).to_html()).page
    widths = "all => all.map(each => [each.offsetWidth, getComputedStyle(each).fontSize])"
    noted, plain = page.locator("details.layer").evaluate_all(widths)
    assert noted == plain
    said = page.locator("#verdicts li").inner_text()
    assert "1 of the 3 channels of net.a never fired: 1" in said
    dead = ActivityReport([layer("net.a", [0])]).to_html()
    assert "net.a is silent: its neuron never fired" in dead


def test_a_head_sorts_up_then_down_then_as_the_model_has_it(opened: Open) -> None:
    report = mixed()
    at = opened(report.to_html())
    assert at.layers() == list(report)
    measured = [name for name in report if name != "readout"]
    rising = sorted(measured, key=lambda name: report[name].mean)
    assert head(at.page, "mean") == "ascending"
    assert at.layers() == [*rising, "readout"]
    assert head(at.page, "mean") == "descending"
    assert at.layers() == [*rising[::-1], "readout"]
    assert head(at.page, "mean") == "none"
    assert at.layers() == list(report)


def test_names_sort_with_their_numbers_in_order_and_by_one_column_at_a_time(opened: Open) -> None:
    at = opened(mixed().to_html())
    head(at.page, "mean")
    head(at.page, "layer")
    assert at.layers() == ["encoder.lif1", "encoder.lif2", "encoder.lif10", "head", "readout"]
    assert at.page.locator('th[aria-sort="ascending"]').count() == 1


def test_sorting_works_by_keyboard(opened: Open) -> None:
    at = opened(mixed().to_html())
    at.page.get_by_role("button", name="saturated", exact=True).focus()
    at.page.keyboard.press("Enter")
    at.page.keyboard.press("Space")
    assert at.layers()[0] == "encoder.lif10"


def test_the_filter_takes_words_and_hides_the_details_too(opened: Open) -> None:
    at = opened(mixed().to_html())
    search = at.page.get_by_label("Filter")
    search.fill("LIF snn")
    assert at.layers() == ["encoder.lif1", "encoder.lif2", "encoder.lif10"]
    assert at.page.locator("details.layer:visible").count() == 3
    assert at.page.locator("#shown").inner_text() == "3 of 5 layers"
    search.fill("shared")  # an alias
    assert at.layers() == ["encoder.lif1"]
    search.fill("nothing like that")
    assert at.layers() == []
    search.fill("")
    at.page.get_by_label("only layers with a verdict").check()
    assert at.layers() == ["encoder.lif2", "encoder.lif10", "readout"]


def test_details_open_by_click_key_and_link(opened: Open) -> None:
    at = opened(mixed().to_html())
    details = at.page.locator("details.layer")
    assert [details.nth(n).get_attribute("open") for n in range(5)] == [None] * 5
    details.nth(0).locator("summary").click()
    assert details.nth(0).get_by_text("1 ms").is_visible()
    details.nth(4).locator("summary").press("Enter")
    assert details.nth(4).get_by_text("norse Leaky", exact=True).is_visible()
    at.page.locator("tbody").get_by_role("link", name="encoder.lif2").click()
    assert details.nth(1).get_by_text("(0), (1), (2)").is_visible()
    assert details.nth(2).get_attribute("open") is None


def test_a_link_to_a_layer_opens_it_even_where_the_filter_hides_it(opened: Open) -> None:
    at = opened(mixed().to_html(), fragment="#layer-2")
    assert at.page.locator("#layer-2").get_attribute("open") is not None
    at.page.get_by_label("Filter").fill("lif10")
    at.page.locator("#verdicts").get_by_role("link", name="encoder.lif2").click()
    at.page.wait_for_selector("#layer-1[open]")
    assert at.page.locator("#layer-1 .inside").first.is_visible()


def test_what_statistics_found_is_told_and_drawn(opened: Open) -> None:
    report = with_results()
    page = opened(report.to_html(), color_scheme="dark").page
    drawn = page.locator("#plots figcaption").all_inner_texts()
    assert len(drawn) == len(set(drawn)) == 6
    assert page.locator("#plots text").count() > 50
    page.locator("#layer-1 > summary").click()
    details = page.locator("#layer-1")
    titles = details.locator("h4").all_inner_texts()
    assert len(titles) == len(report["fc"].results)
    assert "Interspike intervals" in titles
    term = details.get_by_text("synchrony index χ")
    shown = term.locator("xpath=following-sibling::dd").inner_text()
    assert float(shown) == pytest.approx(report["fc"]["Synchrony"].chi, abs=5e-5)
    term.hover()
    assert page.get_by_role("tooltip").inner_text().startswith("Synchrony index χ of Golomb")
    assert details.locator("figure.plot svg").count() == 3
    assert page.evaluate(FAINT_TEXT) == []


def test_a_definition_shows_on_hover_and_focus_and_goes_with_escape(opened: Open) -> None:
    page = opened(mixed().to_html()).page
    tip = page.get_by_role("tooltip")
    doc = " ".join((LayerActivity.median.__doc__ or "").split()) + " In values per step."
    button = page.get_by_role("button", name="median", exact=True)
    button.hover()
    assert tip.inner_text() == doc
    page.keyboard.press("Escape")
    assert not tip.is_visible()
    button.focus()
    assert tip.inner_text() == doc
    described = button.get_attribute("aria-describedby")
    assert page.locator(f"#{described}").text_content() == doc


def test_hostile_names_are_shown_as_text(opened: Open) -> None:
    at = opened(hostile().to_html())
    assert at.layers() == [*HOSTILE, r"x\x1b[31m\u202eexe.png"]
    assert at.page.locator("h1").inner_text() == SCRIPT
    assert at.page.title() == f"{SCRIPT} · neuroact"
    for summary in at.page.locator("summary").all():
        summary.click()
    assert at.page.locator("script").count() == 1
    assert at.page.locator("img, textarea, iframe, object, embed, [onload], [onerror]").count() == 0
    assert at.page.locator("[onmouseover]").count() == 0
    links = at.page.evaluate("Array.from(document.links, link => link.getAttribute('href'))")
    assert all(link.startswith("#") for link in links)
    drawn = at.page.locator("#plots svg").first.text_content() or ""
    assert SCRIPT in "".join(drawn.split())  # a long name takes two lines


def test_a_script_that_gets_in_all_the_same_does_not_run(browser: Browser) -> None:
    text = mixed().to_html().replace("</main>", "<script>window.ran = 1</script></main>")
    page = browser.new_page()
    page.set_content(text.replace("<main>", "<main><img src=x onerror='window.ran = 1'>"))
    assert page.evaluate("document.documentElement.className") == "scripted"
    assert page.evaluate("window.ran") is None
    page.close()


@pytest.mark.parametrize("options", [{}, {"color_scheme": "dark"}], ids=["light", "dark"])
def test_all_text_stands_out_from_its_ground(options: dict[str, str], opened: Open) -> None:
    page = opened(mixed().to_html(), **options).page
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 26)"
    assert dark == ("color_scheme" in options)
    page.evaluate("document.querySelectorAll('details').forEach(found => { found.open = true })")
    assert page.evaluate(FAINT_TEXT) == []


@pytest.mark.parametrize(
    "report",
    [
        of_layers(3),
        of_layers(60),
        of_layers(3, prefix=LONG),
        of_layers(3, prefix="n" * 80),
        mixed(),
        hostile(),
        with_results(),
    ],
    ids=["3", "60", "long", "unbroken", "mixed", "hostile", "results"],
)
def test_a_phone_never_scrolls_the_page_sideways(report: ActivityReport, opened: Open) -> None:
    page = opened(report.to_html(), **PHONE).page
    page.evaluate("document.querySelectorAll('details').forEach(found => { found.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    page.get_by_role("button", name="dead", exact=True).click()


@pytest.mark.parametrize("prefix", ["backbone.stage", LONG])
def test_paper_shows_the_whole_table_and_what_is_folded_up_and_matters(
    prefix: str, opened: Open
) -> None:
    page = opened(of_layers(60, prefix).to_html(), **PAPER).page
    page.emulate_media(media="print")
    assert not page.get_by_label("Filter").is_visible()
    table, paper = page.locator("#layers").bounding_box(), page.locator("main").bounding_box()
    assert table is not None
    assert paper is not None
    assert table["width"] <= paper["width"]
    cut = "(found) => found.scrollHeight > found.clientHeight || found.scrollWidth > innerWidth"
    assert not page.locator("#table .scroll").evaluate(cut)
    assert page.locator("#definitions dt").first.is_visible()
    assert page.locator("#layer-58 .histogram").is_visible()  # the one with a verdict
    assert not page.locator("#layer-3").is_visible()
    assert not page.locator("nav").is_visible()
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")


@pytest.mark.parametrize("report", [of_layers(3, prefix=LONG), mixed()], ids=["long", "mixed"])
def test_the_table_fits_1280_pixels_and_plots_stand_side_by_side(
    report: ActivityReport, opened: Open
) -> None:
    page = opened(report.to_html()).page
    assert page.evaluate("document.documentElement.scrollWidth") == 1280
    fits = "found => found.scrollWidth <= found.clientWidth"
    assert page.locator("#table .scroll").evaluate(fits)
    left, right = (page.locator("#plots figure").nth(n).bounding_box() for n in (0, 1))
    assert left is not None
    assert right is not None
    assert left["y"] == right["y"]


CUT = """() => Array.from(document.querySelectorAll("#plots svg text")).filter(text => {
  const own = text.getBoundingClientRect(), frame = text.ownerSVGElement.getBoundingClientRect();
  return own.left < frame.left || own.right > frame.right || own.bottom > frame.bottom + 1;
}).map(text => text.textContent)"""


@pytest.mark.parametrize(
    "report", [of_layers(3, prefix="mmmm.WWWW.oooo"), with_results()], ids=["broad", "results"]
)
def test_no_label_of_a_picture_is_cut(report: ActivityReport, opened: Open) -> None:
    page = opened(report.to_html()).page
    page.evaluate("document.querySelectorAll('details').forEach(found => { found.open = true })")
    assert page.evaluate(CUT.replace("#plots svg", ".plot svg")) == []


def test_without_scripts_all_figures_are_there_and_details_open(opened: Open) -> None:
    at = opened(mixed().to_html(), java_script_enabled=False)
    assert at.layers() == list(mixed())
    assert not at.page.get_by_label("Filter").is_visible()
    at.page.locator("#layer-0 summary").click()
    assert at.page.locator("#layer-0").get_by_text("1 ms").is_visible()


def test_what_a_screen_reader_goes_by_is_there(opened: Open) -> None:
    page = opened(mixed().to_html()).page
    assert page.locator("th:not([scope])").count() == 0
    assert page.locator("thead button").count() == page.locator("th[aria-sort]").count() > 7
    assert page.locator("html[lang]").count() == 1
    assert page.locator("h1").count() == 1
    ids = page.evaluate("Array.from(document.querySelectorAll('[id]'), found => found.id)")
    assert len(ids) == len(set(ids))
    named = page.evaluate(
        "Array.from(document.querySelectorAll('[aria-describedby], [aria-labelledby]'), found => "
        "found.getAttribute('aria-describedby') ?? found.getAttribute('aria-labelledby'))"
    )
    assert set(named) <= set(ids)
    unnamed = "svg:not([aria-label]):not(svg svg), .scroll:not([aria-label]):not([aria-labelledby])"
    assert page.locator(unnamed).count() == 0


def test_one_neuron_and_a_million_make_pages_alike(opened: Open) -> None:
    import numpy as np

    million = np.random.default_rng(0).integers(0, 100, (1000, 1000))
    texts = [ActivityReport([layer("lif", events)]).to_html() for events in (3, million)]
    assert len(texts[1]) < 1_000_000  # the picture of the neurons is most of it
    for text in texts:
        at = opened(text)
        at.page.locator("details.layer summary").click()
        assert at.page.locator("details.layer .histogram svg").is_visible()
