"""A rehearsal counts what the import then does, row by row, and leaves nothing behind."""

import csv
import io
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.audit import Actor
from portal.database.db import db
from portal.importing import chunks, rehearsal
from portal.importing.missing import read_missing
from portal.importing.order import Order
from portal.importing.outcomes import GROUPS, read_outcomes
from portal.models import Campaign, Classification, Company, Contact, Delivery, Task, User
from portal.privacy.erasing import erase_contact
from portal.runtime import runtime
from portal.tasks import store
from portal.worker.task_runner import TaskRunner
from portal.working_models import ImportedContact
from tests.conftest import BOTH
from tests.examples import examples
from tests.factories import classify_contact, do_tasks, make_company, make_import, make_user

COLUMNS = ("Nome", "LinkedIn", "E-mail", "Cargo", "Campanha", "Nível de interesse", "E-mail do responsável")


@pytest.fixture
def company(app, receiver) -> Company:
    company = make_company(url=receiver.url)
    make_user(company, email="dona@example.com")
    db.session.commit()
    return company


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK_ROWS", 3)


def table(*rows: tuple[str, ...]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([COLUMNS, *rows])
    return text.getvalue().encode()


def rehearse(file: Task) -> Task:
    rehearsal.queue(db.session, Actor(file.company_id, file.actor), file)
    return do_tasks()


def run(file: Task) -> Task:
    store.start(db.session, file)
    do_tasks()
    return db.session.get_one(Task, file.id)


def lists_of(task: Task) -> dict[str, list[tuple[Any, ...]]]:
    """What each list says of each row, but for numbers that only a rehearsal or only an import has."""
    found = {}
    for group in GROUPS:
        outcomes = list(read_outcomes(db.engine, task.id, group))
        found[group] = [
            (each.line, each.what, each.name, each.differences, each.elsewhere, each.alike_id is None, each.kept_level)
            for each in outcomes
        ]
    return found


def rows_of_everything() -> list[int]:
    tables = (Contact, Campaign, User, Delivery, Classification, ImportedContact)
    found = [db.session.query(each).count() for each in tables]
    db.session.commit()
    return found


names, people = st.sampled_from(["Ana", "Bia", ""]), st.sampled_from(["", "ana-1", "bia-2", "caio-3"])
a_row = st.tuples(
    names,
    people,
    st.sampled_from(["", "ana@x.test", "bia@x.test"]),
    st.sampled_from(["", "Gerente", "Diretora"]),
    st.sampled_from(["", "Verão", "Inverno"]),
    st.sampled_from(["", "1", "3", "Nenhum"]),
    st.sampled_from(["", "dona@example.com", "nova@example.com"]),
)


@BOTH
@settings(max_examples=examples(8), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    first=st.lists(a_row, max_size=8),
    second=st.lists(a_row, min_size=1, max_size=12).filter(lambda rows: any(map(any, rows))),  # else it is empty
    by_hand=st.sampled_from([None, 2]),
    choices=st.fixed_dictionaries({"keeps_levels": st.booleans(), "updates_elsewhere": st.booleans()}),
)
def test_a_rehearsal_says_what_the_import_does(company, small_chunks, first, second, by_hand, choices):
    run(make_import(company, table(("Zoé", "", "zoe@x.test", "", "", "", ""), *first)))
    for contact in db.session.query(Contact).limit(2):
        classify_contact(contact, by_hand)
    db.session.commit()
    before = rows_of_everything()
    file = make_import(company, table(*second), **choices)
    rehearsed = rehearse(file)
    assert rehearsed.status == "done"
    assert rows_of_everything() == before, "nothing was written"
    done = run(file)
    assert rehearsed.counts == done.counts
    assert lists_of(rehearsed) == lists_of(done)
    assert list(read_missing(db.engine, rehearsed.id)) == list(read_missing(db.engine, done.id))
    assert rows_of_everything()[3] - before[3] == rehearsed.counts.get("sent", 0)


@BOTH
def test_who_is_missing_is_told_by_what_is_stored_of_people_whom_the_file_does_not_name(company):
    run(make_import(company, table(("Ana B.", "bia-2", "ana@x.test", "", "Inverno", "", ""))))
    run(
        make_import(
            company, table(("Zoé", "zoe-1", "", "", "", "", ""), ("Ana", "ana-1", "ana@x.test", "", "", "", ""))
        )
    )
    file = make_import(company, table(("Ana B.", "bia-2", "", "", "Inverno", "", "")))
    rehearsed = rehearse(file)
    done = run(file)
    assert rehearsed.counts["missing"] == done.counts["missing"] == 1
    assert list(read_missing(db.engine, rehearsed.id)) == list(read_missing(db.engine, done.id))


def test_a_rehearsal_that_was_stopped_goes_on_and_counts_each_row_once(company, small_chunks, monkeypatch):
    content = table(*((f"Pessoa {number % 7}", f"pessoa-{number % 7}", "", "", "", "", "") for number in range(20)))
    file = make_import(company, content)
    rehearsal.queue(db.session, Actor(company.id, "ana"), file)
    db.session.commit()
    do_chunk = TaskRunner._do_chunk

    def stop_after(self, held, chunk):
        self.stop()
        return do_chunk(self, held, chunk)

    with monkeypatch.context() as patched:
        patched.setattr(TaskRunner, "_do_chunk", stop_after)
        TaskRunner(db.engine, on_due=lambda: None).run_one()
    rehearsed = do_tasks()
    assert (rehearsed.status, rehearsed.position) == ("done", 20)
    assert rehearsed.counts == {"created": 7, "unchanged": 13}
    assert [outcome.line for outcome in read_outcomes(db.engine, rehearsed.id, "created")] == [*range(2, 9)]


def test_the_rehearsal_of_a_file_that_was_discarded_ends(company):
    file = make_import(company)
    rehearsal.queue(db.session, Actor(company.id, "ana"), file)
    store.discard(db.session, file)
    done = do_tasks()
    assert (done.status, done.reason) == ("failed", "gone")


@BOTH
def test_who_is_not_in_the_file_any_more_is_named_and_stays(company):
    everybody = [(f"Pessoa {number}", f"pessoa-{number}", "", "", "", "", "") for number in range(6)]
    run(make_import(company, table(*everybody)))
    file = make_import(company, table(*everybody[2:], ("Nova", "nova", "", "", "", "", "")))
    rehearsed, done = rehearse(file), run(file)
    assert rehearsed.counts == done.counts == {"created": 1, "unchanged": 4, "missing": 2}
    missing = list(read_missing(db.engine, done.id))
    assert missing == list(read_missing(db.engine, rehearsed.id))
    found = db.session.query(Contact.name).filter(Contact.id.in_(missing)).order_by(Contact.id)
    assert [name for (name,) in found] == ["Pessoa 0", "Pessoa 1"]
    assert db.session.query(Contact).count() == 7


@BOTH
def test_who_went_to_another_campaign_is_in_the_file_still(company):
    people = [f"P {number},p-{number},p{number}@x.test" for number in range(4)]
    files = [
        "\n".join(
            ["Nome,LinkedIn,E-mail,Campanha", *(f"{each},{name}" for each, name in zip(people, names, strict=True))]
        )
        for names in (["A"] * 4, ["A", "A", "A", "B"])
    ]
    run(make_import(company, files[0].encode()))
    file = make_import(company, files[1].encode())
    rehearsed, done = rehearse(file), run(file)
    assert rehearsed.counts == done.counts == {"created": 1, "unchanged": 3, "elsewhere": 1, "elsewhere:A": 1}


def test_another_list_of_the_same_shape_misses_nobody(company):
    run(make_import(company, table(*((f"P {number}", f"p-{number}", "", "", "", "", "") for number in range(4)))))
    other = run(make_import(company, table(("P 0", "p-0", "", "", "", "", ""), ("Nova", "nova", "", "", "", "", ""))))
    assert "missing" not in other.counts


def test_an_import_remembers_whom_the_file_named(company):
    run(make_import(company, table(("Ana", "ana-1", "", "", "", "", ""))))
    again = run(
        make_import(
            company,
            table(
                ("Ana", "ana-1", "", "", "", "", ""),
                ("Bia", "bia-2", "", "", "", "", ""),
                ("Bia", "bia-2", "", "Gerente", "", "", ""),
            ),
        )
    )
    links = db.session.query(ImportedContact, Contact).join(Contact).filter(ImportedContact.task_id == again.id)
    assert {contact.name: (link.is_created, link.saved_at == contact.updated_at) for link, contact in links} == {
        "Ana": (False, False),
        "Bia": (True, True),
    }


def test_an_order_from_before_this_version_is_read(company):
    stored = make_import(company).arguments
    for name in ("keeps_levels", "updates_elsewhere"):
        del stored[name]
    order = Order.from_json(stored)
    assert (order.keeps_levels, order.updates_elsewhere) == (True, False)
    assert Counter(order.as_json())["columns"]


@BOTH
def test_who_is_erased_is_in_no_list_any_more(company):
    run(make_import(company, table(("Ana Lima", "ana-1", "ana@x.test", "", "", "", ""))))
    content = table(("Ana Lima", "ana-1", "ana@x.test", "Gerente", "", "", ""), ("Bia", "bia-2", "", "", "", "", ""))
    file = make_import(company, content)
    rehearsed, done = rehearse(file), run(file)
    contact = db.session.query(Contact).filter_by(linkedin_public_id="ana-1").one()
    erase_contact(db.session, contact, Actor(company.id, "ana"), vault=runtime().vault)
    db.session.commit()
    for task in (rehearsed, done):
        (changed,) = read_outcomes(db.engine, task.id, "changed")
        assert (changed.line, changed.name, list(changed.differences)) == (2, "", [])
        assert [outcome.name for outcome in read_outcomes(db.engine, task.id, "created")] == ["Bia"]
