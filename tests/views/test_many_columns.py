"""The draft of a file with as many columns as a file may have: its page, and what somebody chooses on it."""

import time

from flask import Flask

from portal.database.db import db
from portal.importing.quoting import MAX_COLUMNS
from portal.models import Task
from tests.factories import make_company, make_import, make_user
from tests.views.conftest import Person


def test_a_draft_of_as_many_columns_as_may_be_is_shown_at_once_and_takes_what_is_chosen(app: Flask) -> None:
    company = make_company()
    person = Person(app.test_client(), make_user(company))
    names = ["Nome", "E-mail", *(f"Campo {number}" for number in range(2, MAX_COLUMNS))]
    cells = ["Ana", "ana@example.com", *(["x"] * (MAX_COLUMNS - 2))]
    task = make_import(company, "\n".join([",".join(names), ",".join(cells)]).encode())
    task_id = task.id
    begun = time.process_time()
    page = person.get(f"/imports/{task_id}")
    assert time.process_time() - begun < 1
    assert page.text.count('<select class="form-select" id="coluna-') == MAX_COLUMNS
    chosen = {f"column-{number}": "" for number in range(2, MAX_COLUMNS)}
    last = MAX_COLUMNS - 1
    choices = chosen | {"column-0": "name", "column-1": "email", f"column-{last}": "role", "do": "preview"}
    assert person.post(f"/imports/{task_id}", data=choices).status_code == 303
    db.session.expire_all()
    columns = db.session.get_one(Task, task_id).arguments["columns"]
    assert (columns[:2], columns[2:last], columns[last]) == (["name", "email"], [None] * (last - 2), "role")
