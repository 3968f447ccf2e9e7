"use strict";
document.documentElement.classList.add("scripted");

const all = (selector, within = document) => Array.from(within.querySelectorAll(selector));

// Sorting: a head's button switches from ascending to descending to the model's order.
for (const table of all("table")) {
  const body = table.tBodies[0];
  const rows = Array.from(body.rows);
  const heads = all("thead th", table);
  const text = new Intl.Collator(undefined, { numeric: true });

  const compare = (at) => (a, b) => {
    const [x, y] = [a.cells[at].dataset.value, b.cells[at].dataset.value];
    if (x === "" || y === "") return 0;
    const difference = Number(x) - Number(y);
    return Number.isNaN(difference) ? text.compare(x, y) : difference;
  };

  const sort = (at, order) => {
    const sorted = rows.slice();
    if (order !== "none") {
      const known = sorted.filter((row) => row.cells[at].dataset.value !== "");
      const unknown = sorted.filter((row) => row.cells[at].dataset.value === "");
      const sign = order === "ascending" ? 1 : -1;
      const by = compare(at);
      known.sort((a, b) => sign * by(a, b));
      sorted.splice(0, sorted.length, ...known, ...unknown);
    }
    body.append(...sorted);
    for (const head of heads) {
      if (head.hasAttribute("aria-sort")) head.setAttribute("aria-sort", "none");
    }
    heads[at].setAttribute("aria-sort", order);
  };

  heads.forEach((head, at) => {
    const button = head.querySelector("button.sort");
    if (!button) return;
    const next = { none: "ascending", ascending: "descending", descending: "none" };
    button.addEventListener("click", () => sort(at, next[head.getAttribute("aria-sort")]));
  });
}

// Filtering: every word must be in a layer's text.
const field = document.getElementById("filter");
const marked = document.getElementById("marked");
const shown = document.getElementById("shown");

const filter = () => {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  const layers = all("[data-text]");
  for (const layer of layers) {
    const found = words.every((word) => layer.dataset.text.toLowerCase().includes(word));
    layer.hidden = !found || (marked?.checked && !("marked" in layer.dataset));
    if (layer.tagName === "TR" && !layer.hidden) count += 1;
  }
  const total = layers.filter((layer) => layer.tagName === "TR").length;
  shown.textContent = `${count} of ${total} ${shown.dataset.noun}${total === 1 ? "" : "s"}`;
};
field?.addEventListener("input", filter);
marked?.addEventListener("change", filter);
if (field) filter(); // the browser's Back keeps the typed text

// A link to a layer opens its details.
const open = () => {
  const target = document.getElementById(location.hash.slice(1));
  if (!(target instanceof HTMLDetailsElement)) return;
  if (target.hidden) {
    field.value = "";
    if (marked) marked.checked = false;
    filter();
  }
  target.open = true;
  target.scrollIntoView();
};
addEventListener("hashchange", open);
for (const link of all('a[href^="#"]')) link.addEventListener("click", () => setTimeout(open));
open();

// Tooltips, for pointer and keyboard. Escape hides them.
const tip = document.getElementById("tip");
let described = null;
const place = () => {
  if (!described) return;
  const at = described.getBoundingClientRect();
  const size = tip.getBoundingClientRect();
  const above = at.top - size.height - 6;
  tip.style.left = `${Math.max(Math.min(at.left, innerWidth - size.width - 8), 8)}px`;
  tip.style.top = `${above >= 0 ? above : at.bottom + 6}px`;
};
const told = (target) => target.dataset.tip ?? (target.dataset.term
  ? document.getElementById(`term-${target.dataset.term}`)?.textContent : target.ariaLabel) ?? "";
const TOLD = "[data-tip], [data-term], .shares, .strip";
const describe = (target) => {
  described = target;
  tip.hidden = !target;
  if (target) tip.textContent = told(target);
  place();
};
const over = (event) => describe(event.target.closest?.(TOLD) ?? null);
const away = () => describe(null);
document.addEventListener("mouseover", over);
document.addEventListener("focusin", over);
document.addEventListener("focusout", away);
document.addEventListener("keydown", (event) => { if (event.key === "Escape") away(); });
addEventListener("scroll", place, true);
