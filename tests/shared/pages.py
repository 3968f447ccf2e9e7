"""A page opened in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from playwright.sync_api import Page

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
# A4 landscape between margins of 12 mm, at 96 pixels an inch.
PAPER = {"viewport": {"width": 1032, "height": 703}}

FAINT_TEXT = """() => {
  const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((x) => x / 255)
    .map((x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4))
    .reduce((sum, x, at) => sum + x * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const found = numbers(getComputedStyle(at).backgroundColor);
      if (found.length === 3 || found[3] === 1) return found;
    }
    return [255, 255, 255];
  };
  const faint = new Set();
  for (const element of document.querySelectorAll("main *:not(svg *)")) {
    const own = Array.from(element.childNodes).some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || !element.checkVisibility()) continue;
    const pair = [light(numbers(getComputedStyle(element).color)), light(ground(element))];
    const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    if (ratio < 4.5) faint.add(`${element.tagName}.${element.className} ${ratio.toFixed(2)}`);
  }
  return Array.from(faint);
}"""


@dataclass
class Opened:
    """A page in the browser, and what happened in it."""

    page: Page
    fetched: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def layers(self) -> list[str]:
        """The names in the table's visible rows, from the top."""
        return self.page.locator("tbody tr:visible > th").all_inner_texts()


Open = Callable[..., Opened]


def head(page: Page, title: str) -> str | None:
    """Click a column's head; gives how the column is then sorted."""
    button = page.get_by_role("button", name=title, exact=True)
    button.click()
    return button.locator("xpath=..").get_attribute("aria-sort")
