"""What may be said of a contact: as much as the limit is taken, and one more is refused with it."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from portal.contacts.checking import check_item
from portal.contacts.items import MAX_ITEMS, MAX_TEXT, TEXT_FIELDS, ContactItem, InvalidContact, OwnerItem

ZONE = ZoneInfo("UTC")


def text_of(length: int, field: str) -> str:
    """Such a long one that the field keeps."""
    return "a" * (length - len("@x.test")) + "@x.test" if field == "email" else "a" * length


def item(path: str, value: Any) -> dict[str, Any]:
    """An object that says only this, and of whom where it is about an owner."""
    for step in reversed(path.split(".")):
        value = [value] if step == "0" else {step: value}
    return {part: {"email": "dona@x.test"} | said if part == "contact_owner" else said for part, said in value.items()}


LENGTHS = {
    **{f"contact.{name}": length for name, length in TEXT_FIELDS.items() if name != "linkedin_public_id"},
    "contact_owner.email": 254,
    "contact_owner.name": 200,
    "campaign.name": 200,
    "campaign.description": MAX_TEXT,
    "messages.0.sender_name": 300,
    "messages.0.message": MAX_TEXT,
    "contact.skills.0.skill": 300,
    "contact.experiences.0.experience": 1000,
    "contact.experiences.0.company_link": 2000,
}


@pytest.mark.parametrize("path", LENGTHS)
def test_a_text_may_be_as_long_as_its_limit_and_no_longer(path: str) -> None:
    most, field = LENGTHS[path], path.rpartition(".")[2]
    check_item(item(path, text_of(most, field)), ZONE)
    if path == "contact.email":
        assert "email" not in check_item(item(path, text_of(most + 1, field)), ZONE).facts  # it names nobody
        return
    with pytest.raises(InvalidContact) as caught:
        check_item(item(path, text_of(most + 1, field)), ZONE)
    assert (caught.value.field, caught.value.problem, caught.value.most) == (path, "too_long", most)


@pytest.mark.parametrize("path", ["messages", "contact.skills", "contact.experiences"])
def test_a_list_may_have_as_many_items_as_its_limit_and_no_more(path: str) -> None:
    check_item(item(path, [{}] * MAX_ITEMS), ZONE)
    with pytest.raises(InvalidContact) as caught:
        check_item(item(path, [{}] * (MAX_ITEMS + 1)), ZONE)
    assert (caught.value.field, caught.value.problem, caught.value.most) == (path, "too_many", MAX_ITEMS)


@pytest.mark.parametrize(("number", "is_taken"), [(-1, False), (0, True), (2**31 - 1, True), (2**31, False)])
def test_confirmations_are_a_number_that_the_database_holds(number: int, is_taken: bool) -> None:
    given = item("contact.skills.0.endorsements", number)
    if is_taken:
        assert check_item(given, ZONE).facts["skills"][0]["endorsements"] == number
        return
    with pytest.raises(InvalidContact, match="not_a_count"):
        check_item(given, ZONE)


@pytest.mark.parametrize("year", ["0001", "9999"])
def test_a_day_that_some_zone_has_not_is_none(year: str) -> None:
    with pytest.raises(InvalidContact, match="not_a_date"):
        check_item(item("contact.reply_date", f"{year}-06-15 12:00:00"), ZONE)


@pytest.mark.parametrize(("said", "is_pending"), [(1, True), (True, True), (0, False), (None, False)])
def test_a_message_that_waits_is_told(said: Any, is_pending: bool) -> None:
    (message,) = check_item(item("messages.0.pending_message", said), ZONE).messages or ()
    assert message["pending"] is is_pending


WHOLE: dict[str, Any] = {
    "contact": {
        "id": 7,
        "name": " Ana  Lima\u200e",
        "linkedin_public_id": "https://www.linkedin.com/in/Ana-Lima/",
        "email": " Ana@X.test ",
        "phone": "um",
        "role": "dois",
        "current_company": "três",
        "current_company_link": "quatro",
        "location": "cinco",
        "invite_date": "2026-01-02 10:00:00",
        "accept_date": "2026-01-03T10:00:00+00:00",
        "collect_date": None,
        "reply_date": "",
        "skills": [{"skill": "Vendas", "endorsements": 2, "more": 1}, {}],
        "experiences": [{"experience": "Gerente", "company_link": "seis"}, {}],
        "interest_level": 3,
    },
    "contact_owner": {"name": "Bia", "email": " Bia@X.test"},
    "campaign": {"name": " Feira  Sul ", "description": " De março "},
    "messages": [{"sender_name": "Eva", "message": "Oi", "date": "2026-01-04 10:00:00", "pending_message": 1}, {}],
}


def test_an_object_that_says_all_is_taken_whole() -> None:
    found = check_item(WHOLE, ZoneInfo("America/Sao_Paulo"))
    said = {name: value for name, value in WHOLE["contact"].items() if name not in ("id", "interest_level")}
    read = {
        "name": "Ana Lima",
        "linkedin_public_id": "ana-lima",
        "email": "ana@x.test",
        "invite_date": datetime(2026, 1, 2, 13, tzinfo=UTC),
        "accept_date": datetime(2026, 1, 3, 10, tzinfo=UTC),
        "reply_date": None,
        "skills": [{"skill": "Vendas", "endorsements": 2}, {"skill": None, "endorsements": None}],
        "experiences": [*WHOLE["contact"]["experiences"][:1], {"experience": None, "company_link": None}],
    }
    message = {"sender_name": "Eva", "message": "Oi", "date": datetime(2026, 1, 4, 13, tzinfo=UTC), "pending": True}
    assert found == ContactItem(
        7,
        facts=said | read,
        owner=OwnerItem("bia@x.test", "Bia"),
        campaign="Feira Sul",
        campaign_facts={"description": " De março "},
        messages=[message, {"sender_name": "", "message": "", "date": None, "pending": False}],
        level=3,
        notes=found.notes,
    )
    assert [(note.field, note.problem) for note in found.notes] == [("contact.name", "marks_removed")]


def test_an_object_that_says_nothing_says_nothing() -> None:
    assert check_item({}, ZONE) == ContactItem(None)
    emptied: dict[str, Any] = {"contact": dict.fromkeys(("linkedin_public_id", "email", "phone"), "")}
    assert check_item(emptied, ZONE).facts == {"linkedin_public_id": None, "email": None, "phone": ""}


@pytest.mark.parametrize(
    ("path", "problem"), [("linkedin_public_id", "not_a_profile"), ("email", "not_an_email"), ("name", "marks_removed")]
)
def test_what_is_left_out_or_mended_is_said_of_its_field(path: str, problem: str) -> None:
    said = {"linkedin_public_id": "https://x.test/ana", "email": "arroba", "name": "Ana\u200e"}
    found = check_item({"contact": {path: said[path]}}, ZONE)
    assert [(note.field, note.problem) for note in found.notes] == [(f"contact.{path}", problem)]
    assert found.facts == ({"name": "Ana"} if path == "name" else {})
