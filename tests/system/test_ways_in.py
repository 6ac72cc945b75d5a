"""One classification through the page, the API and the console: the same delivery at a real PHP receiver."""

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from flask import Flask

from portal.database.db import db
from portal.models import Company
from portal.people import tokens
from tests import factories
from tests.system.conftest import Portal, free_port, only_delivery, wait_for_status

pytestmark = pytest.mark.slow

DATA = Path(__file__).parent.parent / "data"

CONTACT = {
    "contact": {
        "name": "João D'Ávila 😀",
        "invite_date": "2021-01-22 12:28:47",
        "accept_date": "2021-01-23 08:00:00",
        "collect_date": "2021-01-24 09:30:00",
        "reply_date": None,
        "linkedin_public_id": "joao-davila",
        "current_company": "Açúcar & Cia <b>",
        "current_company_link": "http://linkpara.empresa.teste/a/b",
        "role": "Gerente\tde\nVendas",
        "location": "São Paulo, Brasil",
        "email": "joao@empresateste.com",
        "phone": None,
        "skills": [{"skill": "negociação", "endorsements": 3}],
        "experiences": [{"experience": "Diretor / Sócio", "company_link": None}],
    },
    "contact_owner": {"name": "Usuário Teste", "email": "dono@example.com"},
    "campaign": {"name": "Campanha Teste", "description": "Descrição \\ da campanha"},
    "messages": [
        {"sender_name": "Usuário Teste", "message": "olá\u2028", "date": "2021-01-22 12:28:47", "pending_message": 0},
        {"sender_name": "João", "message": "", "date": None, "pending_message": 1},
    ],
}  # fmt: skip


class PhpReceiver:
    """The source document's own script under `php -S`; what reaches it is kept beside it."""

    def __init__(self, folder: Path) -> None:
        self.kept = folder / "bodies"
        prepended = folder / "keep.php"
        prepended.write_text(
            f"<?php file_put_contents('{self.kept}', file_get_contents('php://input') . \"\\n\", FILE_APPEND);"
        )
        self.port = free_port()
        command = ["php", "-d", f"auto_prepend_file={prepended}", "-S", f"127.0.0.1:{self.port}"]
        self.process = subprocess.Popen(command, cwd=DATA, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.url = f"http://127.0.0.1:{self.port}/receiver.php"

    def bodies(self) -> list[bytes]:
        return self.kept.read_bytes().splitlines() if self.kept.exists() else []

    def wait_for(self, count: int, *, seconds: float) -> None:
        end = time.monotonic() + seconds
        while len(self.bodies()) < count:
            assert time.monotonic() < end, "it did not arrive in time"
            time.sleep(0.01)


@pytest.fixture
def php(tmp_path: Path) -> Iterator[PhpReceiver]:
    receiver = PhpReceiver(tmp_path)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            requests.get(receiver.url, timeout=1)
            break
        except requests.ConnectionError:
            time.sleep(0.02)
    receiver.kept.unlink(missing_ok=True)
    yield receiver
    receiver.process.kill()
    receiver.process.wait()


@pytest.fixture
def served(app: Flask, portal: Portal, php: PhpReceiver) -> Portal:
    """A running portal that sends to PHP, with one contact and an admin who has a token."""
    company = db.session.query(Company).one()
    factories.set_url(company, php.url)
    user = factories.make_user(company, email="ana@example.com")
    factories.make_contact(company)  # so that the one below is not number 1
    portal.token = tokens.create_token(db.session, user, label="test")
    portal.contact_id = factories.save(company, CONTACT).id
    db.session.commit()
    db.session.remove()
    portal.serve()
    return portal


def php_json(value: object) -> bytes:
    """The bytes that PHP's json_encode gives for this value."""
    program = "echo json_encode(json_decode(file_get_contents('php://stdin')));"
    return subprocess.run(["php", "-r", program], input=json.dumps(value).encode(), capture_output=True).stdout


def expected_body(contact_id: int, level: int, owner_id: int, campaign_id: int) -> bytes:
    """The body of CONTACT, put together by hand in the source document's order and encoded by PHP."""
    facts = dict(CONTACT["contact"])
    skills, experiences = facts.pop("skills"), facts.pop("experiences")
    return php_json(
        {
            "contact": {
                "id": contact_id,
                **facts,
                "interest_level": level,
                "skills": skills,
                "experiences": experiences,
            },
            "contact_owner": {"id": owner_id, **CONTACT["contact_owner"]},
            "campaign": {"id": campaign_id, **CONTACT["campaign"]},
            "messages": CONTACT["messages"],
        }
    )


def by_api(portal: Portal, level: int) -> None:
    answer = requests.put(
        f"http://127.0.0.1:{portal.port}/api/v1/contacts/{portal.contact_id}/interest-level",
        json={"interest_level": level},
        headers={"Authorization": f"Bearer {portal.token}"},
        timeout=60,
    )
    assert answer.status_code == 200, answer.text


def by_console(portal: Portal, level: int) -> None:
    done = portal.run("classify", str(portal.contact_id), str(level))
    assert done.returncode == 0, done.stderr


def token_of(page: requests.Response) -> str:
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page.text)
    assert found, "the page has no form"
    return found[1]


def post_from(portal: Portal, page: str, target: str, **data: object) -> None:
    """Log in with a browser, open a page, and send its form to `target`."""
    browser, base = requests.Session(), f"http://127.0.0.1:{portal.port}"
    who = {"email": "ana@example.com", "password": factories.PASSWORD}
    login = browser.get(f"{base}/login", timeout=60)
    assert browser.post(f"{base}/login", data={"csrf_token": token_of(login)} | who, timeout=60).status_code == 200
    token = {"csrf_token": token_of(browser.get(f"{base}{page}", timeout=60))}
    answer = browser.post(f"{base}{target}", data=token | data, timeout=60)
    assert answer.status_code == 200, answer.text[:500]


def by_page(portal: Portal, level: int) -> None:
    contact = f"/contacts/{portal.contact_id}"
    post_from(portal, contact, f"{contact}/level", level=level)


def by_ticking(portal: Portal, level: int) -> None:
    post_from(portal, "/contacts", "/contacts/classify", level=level, contact=portal.contact_id)


def by_filter(portal: Portal, level: int) -> None:
    matching = "/contacts/classify/all?search=joao"
    post_from(portal, matching, matching, level=level, newest_id=portal.contact_id)


def by_saving(portal: Portal, level: int) -> None:
    answer = requests.post(
        f"http://127.0.0.1:{portal.port}/api/v1/contacts",
        json={"contact": {"id": portal.contact_id, "interest_level": level}},
        headers={"Authorization": f"Bearer {portal.token}", "Idempotency-Key": "once"},
        timeout=60,
    )
    assert answer.status_code == 200, answer.text


def by_import(portal: Portal, level: int) -> None:
    file = Path(portal.instance) / "contacts.jsonl"
    file.write_text(json.dumps({"contact": {"id": portal.contact_id, "interest_level": level}}))
    done = portal.run("import", str(file))
    assert done.returncode == 0, done.stderr


def by_spreadsheet(portal: Portal, level: int) -> None:
    file = Path(portal.instance) / "contacts.csv"
    row = [CONTACT["contact"]["name"], "joao-davila", ["", "baixo", "médio", "alto"][level], "Campanha Teste"]
    file.write_text("Nome,LinkedIn,Nível,Campanha\n" + ",".join(row))
    done = portal.run("import", str(file))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("way", "seconds"),
    [
        (by_page, 1),
        (by_ticking, 1),
        (by_api, 1),
        (by_saving, 1),
        (by_console, 1),
        (by_import, 1),
        (by_spreadsheet, 1),
        (by_filter, 5),  # a task, for which the worker looks every second
    ],
)
def test_a_classification_arrives_at_php_in_time_with_the_bytes_of_phps_own_encoder(
    app: Flask, served: Portal, php: PhpReceiver, way: Callable[[Portal, int], None], seconds: float
) -> None:
    way(served, 3)
    php.wait_for(1, seconds=seconds)
    delivery = wait_for_status(only_delivery().id, "delivered", seconds=5)
    assert php.bodies() == [
        expected_body(served.contact_id, 3, owner_id=delivery.owner_id, campaign_id=delivery.campaign_id)
    ]
    assert delivery.reason == "ok_text"
    assert delivery.attempts[0].response_body == b"Webhook recebido."
    assert ["Content-type", "text/html; charset=UTF-8"] in delivery.attempts[0].response_headers
