"""English is complete: every string of the code has its translation, and the compiled catalogue is the written one.

After a change of strings: `make strings`, translate what is new in `messages.po`, and `make strings` once more.
"""

import io
import re
from pathlib import Path

import pytest
from babel.messages import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import render_template_string

import portal
from portal.database.db import db
from portal.i18n import ngettext, speaking
from portal.models import Delivery, User
from tests.factories import classify_contact, make_contact, make_import, set_url

ROOT = Path(portal.__file__).parent.parent
PO = ROOT / "portal/translations/en/LC_MESSAGES/messages.po"


@pytest.fixture(scope="module")
def catalogue() -> Catalog:
    return read_po(io.BytesIO(PO.read_bytes()), locale="en", domain="messages")


def strings_in_code() -> set[str]:
    with (ROOT / "babel.cfg").open() as file:
        mapping, options = parse_mapping_cfg(file)
    found = extract_from_dir(ROOT, mapping, options, keywords={**DEFAULT_KEYWORDS, "_l": None})
    return {identity(message) for _, _, message, _, _ in found}


def identity(message_id: str | tuple[str, ...] | list[str]) -> str:
    return message_id if isinstance(message_id, str) else message_id[0]


def translated(catalogue: Catalog) -> list[Message]:
    return [message for message in catalogue if message.id]


def test_every_string_has_its_translation_and_no_other(catalogue):
    assert strings_in_code() == {identity(message.id) for message in translated(catalogue)}


def test_no_translation_is_empty_or_a_guess(catalogue):
    for message in translated(catalogue):
        texts = [message.string] if isinstance(message.string, str) else message.string
        assert all(texts), message.id
        assert not message.fuzzy, message.id


def test_translations_keep_their_placeholders(catalogue):
    for message in translated(catalogue):
        if isinstance(message.id, str):
            assert placeholders(message.id) == placeholders(str(message.string)), message.id
        else:
            assert placeholders(message.id[1]) == placeholders(message.string[1]), message.id


def placeholders(text: str) -> list[str]:
    return sorted(re.findall(r"%\(\w+\)[sd]", text))


def test_the_compiled_catalogue_is_current(catalogue):
    compiled = io.BytesIO()
    write_mo(compiled, catalogue)
    assert PO.with_suffix(".mo").read_bytes() == compiled.getvalue()


def test_pages_in_english_hold_no_portuguese(admin, company, receiver, catalogue):
    set_url(company, receiver.url)
    contact = make_contact(company, name="Ann", campaign={"name": "Spring"})
    classify_contact(contact, 3)
    db.session.get(User, admin.id).locale = "en"
    webhook_id = db.session.query(Delivery).one().webhook_id
    portuguese = [
        text for text in (identity(m.id) for m in translated(catalogue)) if len(text) > 7 and "%(" not in text
    ]
    same = {m.id for m in translated(catalogue) if m.id == m.string}
    for url in ("/", "/contacts", f"/contacts/{contact.id}", "/contacts/new", "/deliveries", "/webhook", "/missing",
                "/inspector", "/imports", f"/imports/{make_import(company).id}",
                "/integration", f"/deliveries/{webhook_id}", f"/deliveries/{webhook_id}/resend"):  # fmt: skip
        words = re.sub(r"<[^>]*>", "|", admin.get(url, headers={"Accept-Language": "en"}).text)
        assert [text for text in portuguese if f"|{text}|" in words and text not in same] == [], url


@pytest.mark.parametrize(("language", "written"), [("pt_BR", "10.026 contatos"), ("en", "10,026 contacts")])
def test_a_number_in_a_sentence_is_written_as_the_reader_writes_it(app, language, written):
    shown = "{{ ngettext('%(num)s contato', '%(num)s contatos', count) }}"
    with speaking(app, language, "UTC"):
        assert ngettext("%(num)s contato", "%(num)s contatos", 10026) == written
        assert render_template_string(shown, count=10026) == written
        assert ngettext("%(num)s contato", "%(num)s contatos", 1).startswith("1 conta")
