"""The demonstration's story: a team with contacts and a webhook, and somebody who classifies one every few seconds."""

import random
import threading

from flask import Flask
from sqlalchemy import select

from portal import clock
from portal.audit import Actor
from portal.company import endpoint
from portal.contacts.classifying import classify
from portal.contacts.saving import save_items
from portal.database.db import db
from portal.demo.sample import COMPANY, TEAM, sample_items
from portal.models import LEVELS, Contact
from portal.people import users
from portal.runtime import runtime

CLASSIFIED_AT_FIRST = 12
PAUSE_SECONDS = 4.0


def prepare(app: Flask, *, url: str, password: str) -> None:
    """Make the company, its people and contacts, set its webhook, and classify some contacts."""
    with app.app_context():
        company = users.get_or_create_company(db.session, COMPANY, vault=runtime().vault)
        people = [
            users.add_user(db.session, company, name=name, email=email, role=role, password=password)
            for name, email, role in TEAM
        ]
        actor = Actor(company.id, TEAM[0][1])
        save_items(db.session, actor, sample_items(clock.utcnow()), default_owner=people[0])
        db.session.commit()
        actor, held = Actor(company.id, TEAM[0][1]), runtime()
        endpoint.set_address(db.session, actor, url, egress=held.egress, vault=held.vault)
        db.session.commit()
        contact_ids = db.session.scalars(select(Contact.id).order_by(Contact.id).limit(CLASSIFIED_AT_FIRST)).all()
    for number, contact_id in enumerate(contact_ids):
        classify_contact(app, contact_id, LEVELS[number % len(LEVELS)])


def classify_contact(app: Flask, contact_id: int, level: int) -> None:
    """Classify a contact as its owner would from the page."""
    with app.app_context():
        contact = db.session.get_one(Contact, contact_id)
        classify(db.session, Actor(contact.company_id, contact.owner.email), contact_id, level)
        db.session.commit()


class Story:
    """Classifies a contact every few seconds, in the background, between `start` and `stop`."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._tell, name="story", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _tell(self) -> None:
        with self._app.app_context():
            contact_ids = list(db.session.scalars(select(Contact.id)))
        while not self._stopping.wait(PAUSE_SECONDS):
            classify_contact(self._app, random.choice(contact_ids), random.choice(LEVELS))  # noqa: S311 - any will do
