"""What a page does with a job that it was asked to begin."""

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
