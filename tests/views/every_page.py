"""An address of every page, with something of every state on it."""

import time

from werkzeug.datastructures import Headers

from portal import clock
from portal.audit import Actor
from portal.company import inspector
from portal.contacts import syncing
from portal.database.db import db
from portal.demo.server import Reply
from portal.importing import rehearsal
from portal.models import Company, Delivery, Task, User
from portal.people import links, users
from portal.people.tokens import create_token
from portal.runtime import runtime
from portal.tasks import store
from portal.working_models import HeldDelivery, Outage
from tests.factories import (
    actor_of,
    classify_contact,
    make_bulk_classification,
    make_company,
    make_contact,
    make_delivery,
    make_import,
    make_user,
    save_many,
)
from tests.views.browser import Site

LINKS = ("/setup/{setup}", "/invitation/{invitation}", "/reset/{reset}")
PUBLIC = ("/login", "/forgotten", "/api/docs", "/api/docs/contacts", "/missing", *LINKS)


def page_urls(site: Site) -> list[str]:
    """What an admin sees."""
    company = make_company("Acme Prospecção")
    ids = deliveries_of_every_state(site, company)
    make_contact(company, name="Zoé")  # a namesake
    outage(company)
    return [
        "/",
        "/contacts",
        "/contacts?search=nobody",
        "/contacts/new",
        "/contacts/1",
        "/contacts/1/edit",
        "/contacts/1/erase",
        "/contacts/1/merge",
        "/contacts/1/merge?other=2",
        "/contacts/doubles",
        "/triage",
        "/triage/1",
        "/triage?level=3&search=Nada",
        "/campaigns",
        "/campaigns/1",
        "/contacts/classify/all",
        "/contacts/assign",
        "/contacts/assign?contact=1",
        f"/jobs/{finished(make_bulk_classification(make_contact(company)))}",
        "/deliveries",
        "/deliveries?status=cancelled",
        "/deliveries/resend?status=superseded",
        *(f"/deliveries/{webhook_id}" for webhook_id in ids),
        f"/deliveries/{ids[0]}/resend",
        f"/deliveries/{ids[-1]}/resend",
        "/report",
        "/report?since=2026-01-01&until=2026-12-31",
        "/webhook",
        "/webhook/link",
        inspector_with_arrivals(company),
        "/warnings",
        "/causes",
        "/sync",
        "/sync/contacts?data_changed=true",
        f"/jobs/{sync_job(company)}",
        "/imports",
        f"/imports/{make_import(company).id}",
        f"/jobs/{finished_import(company)}",
        f"/jobs/{finished_rehearsal(company)}",
        f"/imports/{finished_import(company, ANOTHER_FILE)}/undo",
        "/integration",
        f"/account/email/{link_of_admin(site)}",
        *administration(company),
    ]


def link_of_admin(site: Site) -> str:
    """What whoever is logged in confirms another e-mail by."""
    admin = db.session.query(User).filter_by(email=site.admin_email).one()
    token = links.create_link(db.session, purpose="email", user=admin, email="nova@example.com")
    db.session.commit()
    return token


def public_urls() -> list[str]:
    """What anybody with a link sees."""
    user = make_user(make_company("Acme Prospecção"), name="Nova", role=None)
    tokens = {
        purpose: links.create_link(db.session, purpose=purpose, user=None if purpose == "setup" else user)
        for purpose in ("setup", "invitation", "reset")
    }
    db.session.commit()
    return [url.format(**tokens) for url in PUBLIC]


def deliveries_of_every_state(site: Site, company: Company) -> list[str]:
    site.receiver.reply = Reply(500, b"<b>Warning</b>", "text/html")
    for level, name in enumerate(("Íris", "João", "Lia"), 1):
        classify_contact(make_contact(company, name=name), level)
    assert site.receiver.wait_for(3)
    site.receiver.reply = Reply(200, b"OK")
    delivered = make_delivery(make_contact(company, name="Zoé"), 3)
    assert delivered is not None
    assert site.receiver.wait_for(4)
    site.receiver.reply = Reply(200, b"Erro ao salvar")
    classify_contact(make_contact(company, name="Nina"), 2)
    assert site.receiver.wait_for(5)
    superseded = db.session.query(Delivery).order_by(Delivery.id).first()
    superseded.status = "superseded"
    db.session.commit()
    return [row.webhook_id for row in db.session.query(Delivery)]


def outage(company: Company) -> None:
    """A time in which the receiver took nothing, with one delivery that waited."""
    moment = clock.utcnow()
    facts = {"began_at": moment, "ended_at": moment, "reason": "server_error", "status_code": 503, "held": 1}
    row = Outage(company_id=company.id, **facts)
    db.session.add(row)
    db.session.flush()
    db.session.add(HeldDelivery(outage_id=row.id, delivery_id=db.session.query(Delivery.id).first()[0]))
    db.session.commit()


def administration(company: Company) -> list[str]:
    """Its pages, with somebody in every state, and a token."""
    states = [make_user(company, role="member"), make_user(company, role=None), make_user(company, role="member")]
    states[2].disabled_at = clock.utcnow()
    create_token(db.session, states[0], label="CRM")
    db.session.commit()
    lists = [f"/team?state={state}" for state in users.USER_STATES]
    return [
        *lists,
        "/account",
        "/account/second-factor",
        "/team/new",
        *(f"/team/{user.id}" for user in states),
        "/notices",
        "/tokens",
        "/company",
        "/company/close",
        "/privacy",
        "/audit",
        "/audit?actor=console",
    ]


def inspector_with_arrivals(company: Company) -> str:
    """Its page, with what somebody sent there."""
    inspector.open_inspector(db.session, company, actor_of(company, "test"))
    for headers in ({}, {"webhook-id": "msg_1"}):
        facts = {"headers": Headers(headers), "body": b'{"a": [1]}', "vault": runtime().vault, "now": clock.utcnow()}
        inspector.take(db.session, company.id, **facts)
    db.session.commit()
    return "/inspector"


def sync_job(company: Company) -> int:
    """Bringing a contact in sync, done."""
    return finished(syncing.prepare(db.session, Actor(company.id, "ana@example.com"), [1]))


ANOTHER_FILE = b"Nome,E-mail\nZuleica,zu@x.test\n"


def finished_import(company: Company, content: bytes = b"Nome,E-mail\nAna,arroba\nBia,bia@example.com\n") -> int:
    """An import that is done, with a warning to show."""
    task = make_import(company, content)
    store.start(db.session, task)
    return finished(task)


def finished_rehearsal(company: Company) -> int:
    """What an import would do, with something in every list."""
    nara = {"name": "Nara", "email": "nara@x.test", "linkedin_public_id": "nara"}
    otto = {"name": "Otto", "linkedin_public_id": "otto", "interest_level": 1}
    pia = {"contact": {"name": "Pia", "linkedin_public_id": "pia"}, "campaign": {"name": "Verão"}}
    save_many(company, [{"contact": nara}, {"contact": otto}, pia])
    header = "Nome,Perfil no LinkedIn,E-mail,Cargo,Nível de interesse\n"
    rows = "Nara,nara,nara@x.test,Gerente,2\nNara,nara-2,nara@x.test,,\nPia,pia,,,\nOtto,otto,,,3\n,ninguem,,,\n"
    draft = make_import(company, (header + rows).encode())
    return finished(rehearsal.queue(db.session, Actor(company.id, draft.actor), draft))


def finished(task: Task) -> int:
    """The task's id, once the worker has done it."""
    db.session.commit()
    task_id = task.id
    db.session.commit()
    end = time.monotonic() + 60
    while db.session.get_one(Task, task_id, populate_existing=True).status != "done" and time.monotonic() < end:
        db.session.commit()
        time.sleep(0.05)
    db.session.commit()
    return task_id
