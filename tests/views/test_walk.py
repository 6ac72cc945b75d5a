"""Every page by Tab alone: all that acts is reached, is shown in a frame, and has a name; nothing is a trap."""

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.views.browser import Site
from tests.views.every_page import page_urls

MOST_STOPS = 400
ACTING = """() => {
  const isShown = (element) => element.checkVisibility({contentVisibilityAuto: true, visibilityProperty: true})
    && element.getClientRects().length > 0;
  const kinds = ["a[href]", "button", "input:not([type=hidden], [type=radio])", "select", "textarea", "summary"];
  return [...document.querySelectorAll(kinds.join())]
    .filter((element) => isShown(element) && !element.disabled && element.tabIndex >= 0)
    .map((element, place) => { element.dataset.place = place; return element.outerHTML.slice(0, 100); });
}"""
"""What can be acted on; of radio buttons Tab reaches one, and arrows the others."""
FOCUSED = """() => {
  const element = document.activeElement;
  if (!element || element === document.body) return null;
  const isFramed = (each) => {
    const style = getComputedStyle(each);
    return (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== "none";
  };
  const box = element.getBoundingClientRect();
  const labels = [...(element.labels || [])].map((label) => label.innerText).join(" ");
  return {
    markup: element.outerHTML.slice(0, 100),
    place: element.dataset.place,
    framed: [element, element.parentElement, ...element.children].some(isFramed),
    shown: box.width > 0 && box.height > 0,
    named: Boolean((element.getAttribute("aria-label") || element.innerText || labels || element.value || "").trim()),
  };
}"""


def walk(page: Page) -> list[str]:
    """Press Tab until the page is left; what is wrong with it."""
    acting = page.evaluate(ACTING)
    page.evaluate("document.activeElement.blur()")
    wrong, places, first, last = [], set(), "", None
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        stop: dict[str, Any] | None = page.evaluate(FOCUSED)
        if stop is None or (stop["markup"] != last and stop["place"] in places - {None}):
            break
        first, last = first or stop["markup"], stop["markup"]  # a date is several stops
        places.add(stop["place"])
        wrong += [f"not {fact}: {stop['markup']}" for fact in ("framed", "shown", "named") if not stop[fact]]
    else:
        wrong.append("no end")
    wrong += [f"not reached: {markup}" for place, markup in enumerate(acting) if str(place) not in places]
    return wrong if "skip" in first else [f"first is {first}", *wrong]


@pytest.mark.slow(60)
def test_every_page_is_walked_by_tab(page: Page, site: Site) -> None:
    found = {}
    for url in page_urls(site):
        page.goto(url)
        if wrong := walk(page):
            found[url] = wrong
    assert found == {}
