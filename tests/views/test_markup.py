"""The markup of every page: each id once, references that lead somewhere, no empty address, no button in a link, and
without scripts nothing that does nothing.
"""

from collections import Counter
from html.parser import HTMLParser

import pytest

from portal.database.db import db
from portal.models import User
from tests.views.every_page import page_urls, public_urls

REFERENCES = ("for", "form", "aria-describedby", "aria-labelledby", "aria-controls", "headers")
ADDRESSES = ("href", "action", "formaction", "src")
ACTING = {"a", "button", "select", "textarea", "label"}
EMPTY = {"input", "br", "img", "link", "meta", "hr", "use", "path", "wbr"}


class Markup(HTMLParser):
    """Gathers what a validator would complain of."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.ids: Counter[str] = Counter()
        self.references: set[str] = set()
        self.open: list[str] = []
        self.away: list[bool] = []
        """Whether each of the open elements is there only with scripts."""

    def handle_starttag(self, tag, attrs):
        names = Counter(name for name, _ in attrs)
        values = {name: value or "" for name, value in attrs}
        self.found += [f"{tag} has {name} twice" for name, count in names.items() if count > 1]
        self.found += [f"{tag} has an empty {name}" for name in ADDRESSES if values.get(name) == "" and name in values]
        self.found += [
            f"{tag} in {outer}" for outer in self.open if tag in ACTING - {"label"} and outer in {"a", "button"}
        ]
        self.found += ["form in form"] if tag == "form" and "form" in self.open else []
        is_away = tag == "dialog" or "needs-js" in values.get("class", "").split()
        if tag == "button" and values.get("type") == "button" and not (is_away or any(self.away)):
            self.found.append("a button that does nothing without scripts")
        self.ids.update([values["id"]] if "id" in values else [])
        for name in REFERENCES:
            self.references.update(values.get(name, "").split())
        if values.get("href", "").startswith("#"):
            self.references.add(values["href"][1:])
        if tag not in EMPTY:
            self.open.append(tag)
            self.away.append(is_away)

    def handle_endtag(self, tag):
        if tag in EMPTY:
            return
        if tag not in self.open:
            self.found.append(f"{tag} ends and was not begun")
            return
        while self.away.pop() is not None and self.open.pop() != tag:
            pass

    def complaints(self) -> list[str]:
        twice = [f"the id {name!r} {count} times" for name, count in self.ids.items() if count > 1 or not name]
        lost = [f"nothing has the id {name!r}" for name in self.references - set(self.ids)]
        return sorted({*self.found, *twice, *lost})


def complaints_about(text: str) -> list[str]:
    markup = Markup()
    markup.feed(text)
    return markup.complaints()


def test_every_page_is_well_made(site, person):
    urls = page_urls(site)
    admin = person(db.session.query(User).filter_by(email=site.admin_email).one())
    for url in urls:
        answer = admin.get(url)
        assert answer.status_code == 200, url
        assert complaints_about(answer.text) == [], url


def test_every_page_for_anybody_is_well_made(app, nobody):
    for url in public_urls():
        assert complaints_about(nobody.get(url).text) == [], url


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("<p id=a></p><p id=a></p>", "the id 'a' 2 times"),
        ("<form action=''></form>", "form has an empty action"),
        ("<label for=b></label>", "nothing has the id 'b'"),
        ("<a href=x><button></button></a>", "button in a"),
        ("<form><form></form></form>", "form in form"),
        ("</p>", "p ends and was not begun"),
    ],
)
def test_what_is_badly_made_is_seen(text, complaint):
    assert complaint in complaints_about(text)
