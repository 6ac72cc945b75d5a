"""What a page does with a job that it was asked to begin."""

import pytest
from flask import Flask

from portal.database.db import db
from portal.models import Task
from portal.tasks import store
from portal.views.jobs import begin_job
from tests.factories import actor_of, make_company


def test_of_a_job_that_has_nothing_to_do_nothing_is_kept(app: Flask) -> None:
    company = make_company()
    with app.test_request_context():
        task = store.create(db.session, actor_of(company), "sync", total=0, arguments={})
        assert begin_job(task, instead="/sync").location == "/sync"
        db.session.commit()
    assert db.session.query(Task).count() == 0


@pytest.mark.parametrize(("kind", "status"), [("resend", 403), ("sync", 403), ("classify", 200)])
def test_what_only_admins_begin_only_they_watch(admin, member, company, kind, status):
    task = store.create(db.session, actor_of(company), kind, arguments={"level": 2})
    store.start(db.session, task)
    db.session.commit()
    for path in (f"/jobs/{task.id}", f"/jobs/{task.id}/progress"):
        assert (admin.get(path).status_code, member.get(path).status_code) == (200, status)
