"""A real browser, and a fixture that opens pages in it. A page may fetch nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pages import Open, Opened
from playwright.sync_api import Browser, Route, sync_playwright

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")  # while it is open, no other test can run an event loop
def browser() -> Iterator[Browser]:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        missing = "these tests need Chromium, such as Debian's package chromium"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Opens a page's text as a file. A fetch or a message on the console fails the test."""
    found: list[Opened] = []

    def open_page(text: str, *, fragment: str = "", **options: Any) -> Opened:
        path = tmp_path / f"page{len(found)}.html"
        path.write_text(text, encoding="utf-8")
        context = browser.new_context(**({"viewport": {"width": 1280, "height": 800}} | options))
        context.set_default_timeout(10_000)
        result = Opened(context.new_page())
        found.append(result)

        def watch(route: Route) -> None:
            if route.request.url.partition("#")[0] == path.as_uri():
                route.continue_()
            else:
                result.fetched.append(route.request.url)
                route.abort()

        context.route("**/*", watch)
        page = result.page
        page.on("console", lambda message: result.complaints.append(message.text))
        page.on("pageerror", lambda error: result.complaints.append(str(error)))
        page.on("dialog", lambda dialog: result.complaints.append(f"dialog: {dialog.message}"))
        page.goto(path.as_uri() + fragment)
        return result

    yield open_page
    for result in found:
        result.page.context.close()
    assert [result.fetched for result in found] == [[]] * len(found)
    assert [result.complaints for result in found] == [[]] * len(found)
