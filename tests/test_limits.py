"""Every limit is tried at its last unit: so much is taken, and one more is not. A limit that stands in no row fails."""

import ast
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from portal.contacts import checking, filtering, matching, threads
from portal.contacts.body import search_name
from portal.contacts.items import InvalidContact
from portal.contacts.undoing import ACCEPTED, OFFERED
from portal.egress.address import AddressError, AddressPolicy, parse_address
from portal.models import Company, User
from portal.outbox import shapes
from portal.outbox.counting import bound_of
from portal.people import passwords
from portal.people.passwords import InvalidAccount
from portal.rules import circuit, credentials, crm_link, identity, payload, retry
from portal.rules.masking import Masker

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
ROOMS = ("contacts", "outbox", "people", "rules", "tasks", "egress/address.py")
NAMED = re.compile(r"^(FREE|KNOWN|LONGEST|MAX|MOST|SHORTEST)(_|$)")
ELSEWHERE = {
    **dict.fromkeys(("contacts/merging MOST_GROUPS", "contacts/merging MOST_LIKE_ONE"), "contacts/test_lists"),
    "contacts/merging MOST_OF_A_GROUP": "contacts/test_lists",
    "contacts/notes MAX_NOTE": "views/test_causes",
    "contacts/statements MOST_HOLDERS": "contacts/test_records",
    "outbox/outages LONGEST_TRY": "outbox/test_near_misses_on_the_way",
    **dict.fromkeys(("people/logging_in FREE_FAILURES", "people/tokens MOST_TOKENS"), "people/test_near_misses"),
    "people/tokens LONGEST": "people/test_tokens",
    "tasks/store MAX_TRIES": "tasks/test_near_misses",
    "rules/clues MAX_SHOWN": "egress/test_clues",
    **{f"rules/crm_link MAX_{name}": "rules/test_edges" for name in ("POINTER", "TEMPLATE", "VALUE")},
}
"""Limits that need a database or a file, and the tests of the room that try them."""
WORK_ONLY = {"rules/clues MAX_OFFERED", "rules/folding MAX_SHORT", "rules/masking MOST_WORDS"}
"""Beyond these the portal takes a shorter way."""


def is_taken(problem: type[Exception], act: Callable[..., object], *given: Any) -> bool:
    with suppress(problem):
        act(*given)
        return True
    return False


def takes(item: Mapping[str, Any]) -> bool:
    return is_taken(InvalidContact, checking.check_item, item, ZoneInfo("UTC"))


def skill_of(**facts: Any) -> dict[str, Any]:
    return {"contact": {"name": "A", "skills": [facts]}}


def keeps(messages: int) -> bool:
    given = [{"sender_name": "", "message": str(number), "date": None, "pending": False} for number in range(messages)]
    joined, more = threads.join_threads(given[:1], given)
    return threads.add_messages([], given)[1] == 0 and more == 0 and joined == given


def message_of(characters: int) -> dict[str, Any]:
    return {"sender_name": "", "message": "x" * characters, "date": None, "pending": False}


def messages_of(characters: int) -> list[dict[str, Any]]:
    whole, rest = divmod(characters, 20_000)
    return [message_of(20_000) for _ in range(whole)] + [message_of(rest)]


def sets_password(length: int) -> bool:
    company = Company(name="Acme")
    ana = User(name="Ana", email="ana@x.test", password_hash="old", session_version=1, company=company)
    return is_taken(InvalidAccount, passwords.set_password, ana, ("Aq1-" * 33)[:length])


def nested(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = [value]
    return value


def waits(seconds: int) -> bool:
    """Whether a receiver that asks for so long is heard, and no other try comes before."""
    wanted = timedelta(seconds=seconds)
    schedule = retry.parse_schedule("0s,1s")
    asked = retry.parse_retry_after(str(seconds), NOW)
    return asked == wanted == schedule.next_delay(1, retry_after=wanted, jitter=1.0)


def stays_active(failures: int) -> bool:
    state = circuit.Circuit()
    for number in range(failures):
        state = circuit.after_failure(state, number, reason="timeout", now=NOW, first_pause=timedelta(seconds=30))
    return state.state == "active"


def goes_on(microseconds: int) -> bool:
    """Whether an outage of three days, less or more so many microseconds, is still probed."""
    since = NOW - timedelta(days=3, microseconds=microseconds)
    failing = circuit.Circuit(state="failing", failing_since=since)
    return circuit.after_failed_probe(failing, now=NOW, first_pause=timedelta(seconds=30)).state == "failing"


def pauses(seconds: int) -> bool:
    failing = circuit.Circuit(state="failing", failing_since=NOW)
    after = circuit.after_failed_probe(
        failing, now=NOW, first_pause=timedelta(seconds=1), retry_after=timedelta(seconds=seconds)
    )
    return after.next_probe_at == NOW + timedelta(seconds=seconds)


def remembers(words: int) -> bool:
    known = None
    for number in range(words):
        known = shapes.remember(known, [str(number)])
    return (known or "").split() == [str(number) for number in range(words)]


def searched_for(words: int) -> bool:
    search = " ".join(f"x{number}" for number in range(words))
    return str(filtering.is_found_by(search)).count("contact.search_text") == words


def email_of(length: int) -> str:
    return "a@" + ("b" * 60 + ".") * 4 + "x" * (length - 246)


TRIES: Mapping[str, tuple[int, Callable[[int], bool]]] = {
    "contacts/items MAX_ITEMS": (
        2000,
        lambda most: takes({"contact": {"name": "A", "skills": [{"name": "x"}] * most}}),
    ),
    "contacts/items MAX_ITEMS of messages": (2000, keeps),
    "contacts/items MAX_THREAD": (500_000, lambda most: takes({"messages": messages_of(most)})),
    "contacts/items MAX_LIST": (
        100_000,
        lambda most: takes({"contact": {"skills": [{"skill": "x" * 250}] * 399 + [{"skill": "x" * (most - 99_750)}]}}),
    ),
    "contacts/items MAX_LIST of experiences": (
        100_000,
        lambda most: takes(
            {
                "contact": {
                    "experiences": [{"experience": "x" * 500, "company_link": "y" * (most - 99_500)}]
                    + [{"experience": "x" * 500, "company_link": "y" * 500}] * 99
                }
            }
        ),
    ),
    "contacts/items MAX_SENDER": (300, lambda most: takes({"messages": [{"sender_name": "x" * most}]})),
    "contacts/items MAX_TEXT": (20_000, lambda most: takes({"campaign": {"name": "A", "description": "x" * most}})),
    **{
        f"contacts/checking {name}": (
            length,
            lambda most, name=name: takes({"contact": {"name": "A"} | {name: "x" * most}}),
        )
        for name, length in {"name": 300, "role": 300, "location": 300, "current_company": 300, "phone": 100}.items()
    },
    "contacts/checking campaign": (
        200,
        lambda most: takes({"contact": {"name": "A"}, "campaign": {"name": "x" * most}}),
    ),
    "contacts/checking endorsements": (2**31 - 1, lambda most: takes(skill_of(endorsements=most))),
    "contacts/checking skill": (300, lambda most: takes(skill_of(skill="x" * most))),
    "contacts/checking owner": (254, lambda most: takes({"contact_owner": {"email": "x" * most}})),
    "contacts/checking owner's name": (200, lambda most: takes({"contact_owner": {"email": "x", "name": "x" * most}})),
    "contacts/body search_name": (300, lambda most: len(search_name("ß" * (most // 2) + "s" * (most % 2))) == most),
    "contacts/matching MAX_KEPT": (254, lambda most: matching.kept_value("x" * most) == "x" * most),
    "contacts/filtering MOST_WORDS": (12, searched_for),
    "egress/address MAX_URL_LENGTH": (
        2048,
        lambda most: is_taken(AddressError, parse_address, "https://x.test/".ljust(most, "a"), AddressPolicy()),
    ),
    "egress/address MAX_URL_LENGTH with what is not sent": (
        2048,
        lambda most: is_taken(AddressError, parse_address, "https://x.test/#".ljust(most, "a"), AddressPolicy()),
    ),
    "egress/address digits of a port": (
        16,
        lambda most: is_taken(
            AddressError, parse_address, f"https://x.test:{'443'.rjust(most, '0')}/", AddressPolicy()
        ),
    ),
    "outbox/shapes KNOWN": (8, remembers),
    "rules/circuit FAILURES_TO_OPEN": (4, stays_active),
    "rules/circuit GIVE_UP_AFTER": (-1, goes_on),
    "rules/circuit LONGEST_PAUSE": (900, pauses),
    "rules/credentials SHORTEST": (5, lambda most: credentials.credentials_of("x" * most) == ()),
    "rules/crm_link MOST_PLACES": (60, lambda most: len(crm_link.places_of(list(range(most)))) == most),
    "rules/identity MAX_EMAIL": (254, lambda most: identity.email_address(email_of(most)) == email_of(most)),
    "rules/identity MAX_EMAIL in capitals": (
        254,
        lambda most: identity.email_address(email_of(most).upper()) is not None,
    ),
    "rules/identity MAX_ID": (
        200,
        lambda most: identity.linkedin_id(f"https://linkedin.com/in/{'é' * most}") is not None,
    ),
    "rules/identity MAX_LOOKED_AT": (4000, lambda most: identity.email_address("a@x.test".ljust(most)) is not None),
    "rules/masking SHORTEST": (2, lambda most: Masker(b'{"k": "%s"}' % (b"a" * most)).mask("a" * most) == "a" * most),
    "rules/payload MAX_DEPTH": (512, lambda most: is_taken(payload.EncodingError, payload.encode_body, nested(most))),
    "rules/payload MAX_INT": (2**63 - 1, lambda most: is_taken(payload.EncodingError, payload.encode_body, most)),
    "rules/payload MAX_INT below nothing": (
        2**63,
        lambda most: is_taken(payload.EncodingError, payload.encode_body, -most),
    ),
    "people/passwords MAX_PASSWORD_LENGTH": (128, sets_password),
    "rules/retry MAX_PAUSE": (720, lambda most: is_taken(ValueError, retry.parse_schedule, f"0s,{most}h")),
    "rules/retry MAX_RETRY_AFTER": (86_400, waits),
    "rules/retry MAX_TRIES": (50, lambda most: is_taken(ValueError, retry.parse_schedule, ",".join(["1s"] * most))),
}
"""How much there may be of each, and whether so much is taken."""


@pytest.mark.parametrize("name", TRIES)
def test_so_much_is_taken_and_one_more_is_not(name: str) -> None:
    most, is_enough = TRIES[name]
    assert (is_enough(most), is_enough(most + 1)) == (True, False)


def test_every_limit_is_tried() -> None:
    portal = Path(__file__).parent.parent / "portal"
    files = [file for room in ROOMS for file in (sorted((portal / room).glob("*.py")) or [portal / room])]
    found = {
        f"{file.relative_to(portal).with_suffix('')} {name.id}"
        for file in files
        for statement in ast.parse(file.read_text()).body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        for name in ast.walk(target)
        if isinstance(name, ast.Name) and NAMED.match(name.id)
    }
    tried = {" ".join(name.split()[:2]) for name in TRIES}
    assert found - tried - ELSEWHERE.keys() - WORK_ONLY == set()
    assert len(found) > 20
    for test in {*ELSEWHERE.values()}:
        assert (Path(__file__).parent / f"{test}.py").exists(), test


def test_undoing_is_accepted_for_a_little_longer_than_it_is_offered() -> None:
    assert timedelta(seconds=10) == OFFERED
    assert timedelta(seconds=15) == ACCEPTED


@pytest.mark.parametrize("bound", [50, 100, 250, 500, 1000, 2500, 5000, 10_000])
def test_a_duration_counts_under_its_own_bound_and_one_more_under_the_next(bound: int) -> None:
    assert bound_of(bound) == bound < bound_of(bound + 1)
