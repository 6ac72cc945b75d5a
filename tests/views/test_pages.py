"""Every page: no barrier, nothing over the edge, nothing heavy, in light and dark, on a desk and on a phone."""

import time

import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Page, expect

from portal.database.db import db
from portal.demo.server import Reply
from portal.models import Delivery, Endpoint, User
from portal.people import second_factor
from tests.factories import make_company, make_delivery, make_user, save, set_second_factor
from tests.views.browser import NARROW, NARROWEST, WIDE, Site, Watched
from tests.views.every_page import page_urls, public_urls

AXE = Axe()
FIND_BARRIERS = """(options) => axe.run(options).then(
    ({violations}) => violations.map(({id, nodes}) => [id, nodes[0].target, nodes[0].failureSummary]))"""
BUT_FAINT = {"resultTypes": ["violations"], "rules": {"color-contrast": {"enabled": False}}}
FIND_FAINT = """async ([judged, scheme]) => {
  for (let frame = 0; document.documentElement.dataset.bsTheme !== scheme; frame++) {
    if (frame === 1000) throw new Error("the page does not follow the scheme");
    await new Promise(requestAnimationFrame);
  }
  const known = new Set(judged);
  const looked = new Map([[null, {layers: "", floats: false}]]);
  const lookBehind = (element) => {
    if (!looked.has(element)) {
      const {backgroundColor, backgroundImage, opacity, filter, position} = getComputedStyle(element);
      const above = lookBehind(element.parentElement);
      const layers = [backgroundColor, backgroundImage, opacity, filter, above.layers].join();
      const isCovered = backgroundColor.startsWith("rgb(");
      const floats = !isCovered && (["absolute", "fixed"].includes(position) || above.floats);
      looked.set(element, {layers, floats});
    }
    return looked.get(element);
  };
  const pairing = (element) => {
    const {color, fontSize, fontWeight, textShadow} = getComputedStyle(element);
    const {layers, floats} = lookBehind(element);
    return floats ? null : [color, fontSize, fontWeight, textShadow, layers].join();
  };
  const isText = ({nodeType, data}) => nodeType === Node.TEXT_NODE && data.trim();
  const shows = (element) => [...element.childNodes].some(isText) || element.matches("input, textarea, select");
  const isForEyes = (element) => element.checkVisibility() && element.getBoundingClientRect().height > 1;
  const texts = [...document.body.querySelectorAll("*")].filter((each) => shows(each) && isForEyes(each));
  const include = texts.filter((each) => !known.has(pairing(each)));
  const exclude = texts.filter((each) => !include.includes(each) && include.some((other) => other.contains(each)));
  if (!include.length) return [[], []];
  const resultTypes = ["violations", "passes", "incomplete"];
  const found = await axe.run({include, exclude}, {runOnly: ["color-contrast"], elementRef: true, resultTypes});
  const isOnPicture = ({any}) => any.some(({data}) => data?.messageKey === "bgImage");
  const passed = found.passes.flatMap(({nodes}) => nodes);
  const passedOver = found.incomplete.flatMap(({nodes}) => nodes.filter(isOnPicture));
  return [
    found.violations.map(({id, nodes}) => [id, nodes[0].target, nodes[0].failureSummary]),
    [...passed, ...passedOver].map(({element}) => pairing(element)).filter(Boolean),
  ];
}"""
"""Of a text's looks with all that lies behind it, each pairing is judged until it passes, and then never again.

Nor is one that cannot be judged because a picture is among what lies behind. What may float over something else is
judged wherever it stands. A page follows a new scheme at one of its next frames.
"""
NO_PAGES = {
    "contacts.in_crm",
    "contacts.live",
    "deliveries.body",
    "deliveries.live",
    "deliveries.news",
    "person.download",
    "inspector.live",
    "jobs.progress",
    "audit.download",
    "exports.download_contacts",
    "exports.download_deliveries",
    "deliveries.hand_over",
    "report.download",
    "import_reports.bad_rows",
    "import_reports.missing",
    "import_reports.rows",
    "import_reports.warnings",
    "health.healthz",
    "health.readyz",
    "health.metrics",
    "company.download",
    "static",
    "auth.enter_code",  # `test_the_code_s_page_has_no_barrier` gets there
}
"""Parts of a page, downloads, and what machines ask."""
OF_NO_SECTION = ("/account",)


@pytest.fixture
def urls(site, app):
    return page_urls(site)


def views_at(app: Flask, urls: list[str]) -> set[str]:
    adapter = app.url_map.bind("localhost")
    return {adapter.match(url.partition("?")[0], method="GET")[0] for url in urls if url != "/missing"}


def test_the_lists_hold_every_page(app, urls):
    rules = [rule for rule in app.url_map.iter_rules() if "GET" in rule.methods and not rule.rule.startswith("/api/v1")]
    assert views_at(app, urls + public_urls()) == {rule.endpoint for rule in rules} - NO_PAGES


def test_no_page_has_a_barrier_or_runs_over_the_edge(chromium, site, urls):
    watched = Watched(chromium, site, reduced_motion="reduce")
    page, judged = watched.log_in(site.admin_email), set()
    for url in urls:
        page.goto(url)
        here = page.locator(".side-nav [aria-current]").count()
        assert here == 1 or url.startswith(OF_NO_SECTION), url
        check(page, judged)
    watched.close()
    visitor = Watched(chromium, site, reduced_motion="reduce")
    for url in public_urls():
        visitor.page.goto(url)
        check(visitor.page, judged)
    visitor.complaints = [text for text in visitor.complaints if "404" not in text]  # the console tells of /missing
    visitor.close()


def test_no_page_runs_over_the_edge_in_english(chromium, site, urls):
    """Its words are others, and some are longer."""
    db.session.query(User).filter_by(email=site.admin_email).one().locale = "en"
    db.session.commit()
    watched = Watched(chromium, site, reduced_motion="reduce", viewport=NARROWEST)
    page = watched.log_in(site.admin_email)
    for url in urls:
        page.goto(url)
        page.evaluate(UNFOLD)
        assert page.evaluate(BEYOND_THE_EDGE) <= 0, url
    assert page.evaluate("document.documentElement.lang") == "en"
    watched.close()


def test_the_code_s_page_has_no_barrier(chromium, site):
    user = make_user(db.session.query(User).first().company, email="guarded@example.com")
    set_second_factor(user, second_factor.new_secret())
    db.session.commit()
    watched = Watched(chromium, site, reduced_motion="reduce")
    watched.log_in("guarded@example.com")
    assert watched.page.url.partition("?")[0].endswith("/login/code")
    check(watched.page, set())
    watched.close()


def test_what_stops_the_portal_is_told_without_a_barrier(page):
    """The notice with its button, home, and where the address is mended."""
    page.emulate_media(reduced_motion="reduce")
    endpoint = db.session.query(Endpoint).one()
    endpoint.state, endpoint.paused_reason, judged = "paused", "gone", set()
    db.session.commit()
    for url in ("/contacts", "/", "/webhook"):
        page.goto(url)
        check(page, judged)


def test_the_keys_dialog_has_no_barrier(page):
    page.emulate_media(reduced_motion="reduce")
    page.keyboard.press("?")
    check(page, set())


BEYOND_THE_EDGE = "document.documentElement.scrollWidth - window.innerWidth"
UNFOLD = """() => {
  document.querySelectorAll("main details").forEach((part) => (part.open = true));
  document.querySelectorAll("[data-discloses]").forEach((button) => button.setAttribute("aria-expanded", "true"));
  document.querySelectorAll("[data-asked-unless]").forEach((part) => (part.hidden = false));
}"""


FIND_HASTY = """() => [...document.querySelectorAll("[data-dialog]")].flatMap((opener) => {
  const dialog = document.getElementById(opener.dataset.dialog);
  opener.click();
  const begun = document.activeElement;
  const isSafe = dialog.contains(begun) && begun.type !== "submit" && dialog.ariaLabelledByElements?.length;
  dialog.close();
  return isSafe ? [] : [dialog.id];
})"""
"""Dialogs that do not begin with a field or with the way back: Enter alone would act."""


def check(page: Page, judged: set[str]) -> None:
    """The page as it stands, with everything unfolded: on a desk and on a phone, in light and dark."""
    assert page.evaluate(FIND_HASTY) == [], page.url
    page.evaluate(UNFOLD)
    page.evaluate(AXE.axe_script)
    for viewport in (NARROWEST, WIDE, NARROW):
        page.set_viewport_size(viewport)
        assert page.evaluate(BEYOND_THE_EDGE) <= 0, (page.url, viewport)
        if viewport == NARROWEST:
            continue
        assert page.evaluate(FIND_BARRIERS, BUT_FAINT) == [], (page.url, viewport)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            faint, passed = page.evaluate(FIND_FAINT, [sorted(judged), scheme])
            assert faint == [], (page.url, viewport, scheme)
            judged.update(passed)


HOSTILE = {
    "markup": "<script>alert(1)</script><h1>Entregue</h1></td></tr></table><form action=//x.example>",
    "backwards": "Ana \u202eatnaS ed\u2066 \u2067abc",
    "escape": "\x1b[31mvermelho\x1b[0m\x07\x08\x7f",
    "endless": "A" * 10_000,
    "invisible": "A\u200b\u200d\ufeff\u2060na\u00ad",
    "heaped": "Z\u0335\u0321\u0322\u0323" * 200,
}
STRUCTURE = """() => [...document.querySelectorAll('body *:not(option, .page-head [rel], .page-head [rel] *)')]
    .map((part) => part.tagName).join(' ')"""
TURNED_ROUND = """() => [...document.querySelectorAll('body *')].filter((part) => {
    const next = part.nextElementSibling;
    const isBeside = next && part.offsetTop === next.offsetTop && part.closest('.thread-who');
    return getComputedStyle(part).direction !== 'ltr' || (isBeside && part.offsetLeft > next.offsetLeft);
}).map((part) => part.outerHTML.slice(0, 80))"""


def test_hostile_text_changes_neither_a_page_s_structure_nor_its_layout(chromium, site):
    plain, *hostile = [pages_about(site, text) for text in ("Ana", *HOSTILE.values())]
    watched = Watched(chromium, site, viewport=WIDE, reduced_motion="reduce")
    page = watched.log_in(site.admin_email)
    expected = [page.goto(url) and page.evaluate(STRUCTURE) for url in plain]
    for urls in hostile:
        for url, structure in zip(urls, expected, strict=True):
            page.goto(url)
            assert page.evaluate(STRUCTURE) == structure, url
            for viewport in (WIDE, NARROW):
                page.set_viewport_size(viewport)
                assert page.evaluate(BEYOND_THE_EDGE) <= 0, (url, viewport)
                assert page.evaluate(TURNED_ROUND) == [], (url, viewport)
    watched.close()


def test_names_without_a_space_make_no_list_wider_than_the_window(chromium, site):
    company, name = make_company("Acme Prospecção"), "W" * 200
    owner = {"name": name, "email": f"{'x' * 60}@{'y' * 60}.example"}
    make_user(company, name=name, role="member")
    make_delivery(save(company, {"contact": {"name": name}, "campaign": {"name": name}, "contact_owner": owner}), 3)
    db.session.commit()
    watched = Watched(chromium, site, reduced_motion="reduce")
    page = watched.log_in(site.admin_email)
    for url in ("/report", "/campaigns", "/team", "/team?state=without_login", "/contacts", "/deliveries", "/"):
        page.goto(url)
        expect(page.get_by_text(name).first).to_be_attached()
        for viewport in (NARROWEST, WIDE):
            page.set_viewport_size(viewport)
            assert page.evaluate(BEYOND_THE_EDGE) <= 0, (url, viewport)
    watched.close()


def pages_about(site: Site, text: str) -> list[str]:
    """The pages of a contact that says `text` wherever it may, and of its delivery, which the receiver answers so."""
    short = text[:200]
    company = make_company("Acme Prospecção")
    contact = save(
        company,
        {
            "contact": {
                "name": short,
                "linkedin_public_id": f"{text[:100]} {len(text)}",
                "role": short,
                "current_company": short,
                "location": short,
                "skills": [{"skill": short, "endorsements": 1}],
                "experiences": [{"experience": short, "company_link": short}],
            },
            "campaign": {"name": short},
            "messages": [{"sender_name": short, "message": text, "date": "2026-03-01 10:00:00", "pending_message": 1}],
        },
    )
    site.receiver.reply = Reply(500, text.encode() + b"\0", "text/html")
    delivery = make_delivery(contact, 2)
    webhook_id, contact_id = delivery.webhook_id, contact.id
    end = time.monotonic() + 60
    while not db.session.get_one(Delivery, delivery.id, populate_existing=True).reason and time.monotonic() < end:
        db.session.commit()
        time.sleep(0.02)
    delivery.status, delivery.next_attempt_at = "failed", None
    db.session.commit()
    return [f"/contacts/{contact_id}", f"/contacts/{contact_id}/edit", f"/deliveries/{webhook_id}"]
