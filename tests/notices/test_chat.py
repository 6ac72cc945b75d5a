"""Notices in a chat: each host gets the body that it takes, once, by the guarded way out; a refusal is shown."""

import json
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from flask import Flask

from portal.company.asking import MAX_A_MINUTE
from portal.company.chat import get_chat, set_chat
from portal.database.db import db
from portal.demo.server import Receiver
from portal.egress import Egress
from portal.models import AuditEntry, Company
from portal.notices import chat as notices_chat
from portal.notices.chat import MOST_CHARACTERS, make_message, secrets_of
from portal.rules.credentials import blot
from portal.working_models import Chat
from tests import factories
from tests.conftest import BOTH, URL, MakeApp
from tests.factories import actor_of, endpoint_of, make_user
from tests.notices.conftest import MailHost
from tests.notices.test_notices import SENDER, break_down, set_endpoint, teller_of, wait
from tests.postgres import free_port
from tests.views.conftest import Person

CARD = "application/vnd.microsoft.card.adaptive"


def takes_text(body: Any) -> int:
    return 200 if set(body) == {"text"} and body["text"] else 400


def takes_content(body: Any) -> int:
    is_known = set(body) <= {"content", "allowed_mentions", "username", "avatar_url", "embeds", "tts"}
    return 204 if is_known and 0 < len(body["content"]) <= 2000 else 400


def takes_card(body: Any) -> int:
    (attachment,) = body["attachments"]
    card = attachment["content"]
    is_known = set(body) == {"type", "attachments"} and set(attachment) == {"contentType", "content"}
    is_card = (body["type"], attachment["contentType"], card["type"]) == ("message", CARD, "AdaptiveCard")
    blocks = all(set(block) == {"type", "text", "wrap"} and block["text"] for block in card["body"])
    return 202 if is_known and is_card and blocks and set(card) == {"$schema", "type", "version", "body"} else 400


HOSTS: dict[str, Callable[[Any], int]] = {
    "hooks.slack.com": takes_text,
    "chat.googleapis.com": takes_text,
    "chat.exemplo.com.br": takes_text,
    "discord.com": takes_content,
    "canary.discord.com": takes_content,
    "prod-01.brazilsouth.logic.azure.com": takes_card,
    "acme.webhook.office.com": takes_card,
}
"""What each host takes; a key that it does not know is an error to all of these."""


class ChatHosts:
    """All the hosts on one port of loopback; `status` and `words` are what they answer to what they take, when set.

    `meanwhile` is done before each answer.
    """

    def __init__(self) -> None:
        self.arrived: list[tuple[str, Any]] = []
        self.status: int | None = None
        self.words = "<b>no_service</b>"
        self.meanwhile: Callable[[], object] = lambda: None
        hosts = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                hosts.meanwhile()
                host = self.headers["Host"].partition(":")[0]
                status = HOSTS[host](body)
                if status < 300:
                    hosts.arrived.append((host, body))
                self.send_response(hosts.status or status)
                self.end_headers()
                self.wfile.write(b"" if status == 204 else hosts.words.encode() if hosts.status else b"ok")

            def log_message(self, *_args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)

    def url(self, host: str) -> str:
        return f"http://{host}:{self.server.server_address[1]}/services/T0/B0/secret"


@pytest.fixture
def chats() -> Iterator[ChatHosts]:
    hosts = ChatHosts()
    thread = threading.Thread(target=hosts.server.serve_forever, args=(0.05,))
    thread.start()
    yield hosts
    hosts.server.shutdown()
    thread.join()
    hosts.server.server_close()


@pytest.fixture
def app(make_app: MakeApp, mail_host: MailHost) -> Iterator[Flask]:
    app = make_app(smtp_url=mail_host.address, mail_from=SENDER, base_url="http://portal.example.com")
    means = app.extensions["portal"]
    egress = Egress(means.egress.policy, resolve=lambda _host, _port: ("127.0.0.1",))
    object.__setattr__(means, "egress", egress)
    with app.app_context():
        yield app
    egress.close()


@pytest.fixture
def company(app: Flask, receiver: Receiver) -> Company:
    company = factories.make_company(url=receiver.url)
    make_user(company, email="ana@example.com")
    return company


def give_chat(app: Flask, company: Company, url: str) -> Chat:
    set_chat(db.session, app.extensions["portal"], actor_of(company), url)
    db.session.commit()
    chat = get_chat(db.session, company.id)
    assert chat is not None
    return chat


def tell(app: Flask) -> bool:
    db.session.commit()
    is_done = teller_of(app).tell_due()
    db.session.expire_all()
    return is_done


@pytest.mark.parametrize("host", HOSTS)
def test_each_host_takes_the_words_of_the_letter(app, company, chats: ChatHosts, mail_host, host):
    give_chat(app, company, chats.url(host))
    break_down(company, wait(company, 3, 1)[0])
    assert tell(app)
    ((at, body),) = chats.arrived
    assert at == host
    told = json.dumps(body, ensure_ascii=False)
    letter = mail_host.messages[0].get_content()
    assert "1 contato de nível alto não chegou ao CRM desde" in told
    assert "respondeu com o código 500" in told
    assert all(" ".join(part.split()) in told for part in re.split(r"(?:\r?\n){2}", letter)[:3])
    assert tell(app)
    assert len(chats.arrived) == len(mail_host.messages) == 1


@BOTH
def test_without_mail_the_chat_is_told_and_once_of_the_recovery(make_app, app, company, chats, mail_host):
    chat = give_chat(app, company, chats.url("hooks.slack.com"))
    set_endpoint(company, state="failing", failing_since=factories.NOON, notified_state="failing")
    assert tell(app)
    assert len(chats.arrived) == 1
    assert chat.notified_state == "failing"
    chat.notified_at = endpoint_of(company).notified_at = factories.NOON
    set_endpoint(company, state="active", last_success_at=chat.notified_at.replace(hour=23))
    assert tell(app)
    assert "O CRM voltou a receber." in chats.arrived[1][1]["text"]
    assert chat.notified_state == "active"


@pytest.mark.parametrize(("status", "is_permanent"), [(404, True), (302, True), (429, False), (503, False)])
def test_a_refusal_is_shown_and_tried_again_where_that_may_help(app, company, chats, mail_host, status, is_permanent):
    chat = give_chat(app, company, chats.url("hooks.slack.com"))
    break_down(company, wait(company, 1)[0])
    chats.status = status
    assert tell(app) == is_permanent
    assert chat.notice_error == f"{status} <b>no_service</b>"
    assert len(mail_host.messages) == 1  # the mail waits for no chat
    chats.status = None
    assert tell(app)
    assert len(chats.arrived) == (1 if is_permanent else 2)
    assert (chat.notice_error is None) != is_permanent


def test_a_chat_that_is_away_or_whose_address_is_damaged_holds_up_no_other(app, company, receiver, chats, mail_host):
    others = [factories.make_company(name, url=receiver.url) for name in ("Outra", "Terceira")]
    away = give_chat(app, company, f"http://127.0.0.1:{free_port()}/")
    damaged = give_chat(app, others[0], chats.url("discord.com"))
    give_chat(app, others[1], chats.url("hooks.slack.com"))
    damaged.address_secret = damaged.address_secret[:-6] + "AAAAA="
    for each in (company, *others):
        break_down(each, wait(each, 1)[0])
    assert not tell(app)
    assert [host for host, _body in chats.arrived] == ["hooks.slack.com"]
    assert away.notice_error is not None
    assert "connection_refused" in away.notice_error
    assert damaged.notice_error is not None
    assert damaged.notice_error == "unreadable"


def test_a_chat_that_does_not_answer_is_waited_for_so_long(app, company, chats, mail_host, monkeypatch):
    give_chat(app, company, chats.url("hooks.slack.com"))
    break_down(company, wait(company, 1)[0])
    is_over = threading.Event()
    chats.meanwhile = lambda: is_over.wait(9)
    monkeypatch.setattr(notices_chat, "TIMEOUT_SECONDS", 0.1)
    is_told = tell(app)
    is_over.set()
    assert not is_told


def test_nobody_is_called_and_nothing_is_too_long() -> None:
    text = "<!channel> <users/all> @everyone " + "x" * 3000
    for host in HOSTS:
        told = json.dumps(make_message(f"https://{host}/", text), ensure_ascii=False)
        assert "<" not in told
        assert len(told) < MOST_CHARACTERS + 300
    assert make_message("https://discord.com/api/webhooks/1/x", text)["allowed_mentions"] == {"parse": []}


@pytest.mark.parametrize("url", ["ftp://example.com/", "http://169.254.169.254/", "nonsense"])
def test_an_address_that_may_not_be_used_is_refused_where_it_was_typed(app, company, url):
    admin = Person(app.test_client(), make_user(company, email="bia@example.com"))
    answer = admin.post("/notices/chat", {"url": url})
    assert answer.status_code == 422
    assert url in answer.text
    assert get_chat(db.session, company.id) is None


def test_an_admin_sets_tries_and_removes_it_and_nobody_sees_the_address(app, company, chats):
    admin = Person(app.test_client(), make_user(company, email="bia@example.com"))
    url = chats.url("hooks.slack.com")
    page = admin.get(admin.post("/notices/chat", {"url": url}).location).text
    assert "hooks.slack.com" in page
    assert "/services/" not in page
    assert "Enviamos uma mensagem de teste" in admin.get(admin.post("/notices/chat/test").location).text
    assert "Os avisos do Catacliente Portal chegam" in chats.arrived[0][1]["text"]
    chats.status = 404
    page = admin.get(admin.post("/notices/chat/test").location).text
    assert "A mensagem não chegou ao chat. A resposta foi: “404 &lt;b&gt;no_service" in page
    assert "crie outro lá e salve-o aqui." in page
    db.session.query(Chat).one().notice_error = "404"
    admin.post("/notices/chat", {"url": url})
    assert db.session.query(Chat).one().notice_error is None
    admin.post("/notices/chat/remove")
    assert "Nenhum chat está configurado." in admin.get(admin.post("/notices/chat/test").location).text
    entries = db.session.query(AuditEntry).order_by(AuditEntry.id)
    acts = [(entry.action, entry.subject) for entry in entries if "chat" in entry.action]
    assert acts == [(act, "hooks.slack.com") for act in ("chat.set", "chat.set", "chat.removed")]
    asked = [entry.subject for entry in db.session.query(AuditEntry) if entry.action == "webhook.address_checked"]
    assert asked == ["hooks.slack.com"] * 4
    assert "secret" not in "".join(entry.subject or "" for entry in db.session.query(AuditEntry))


@pytest.mark.parametrize(
    ("locale", "words"),
    [
        ("pt", "A mensagem não chegou ao chat. Conexão recusada. Detalhe técnico: "),
        ("en", "The message did not reach the chat. Connection refused. Technical detail: "),
    ],
)
def test_a_chat_that_is_away_is_told_in_the_readers_language(app, company, locale, words):
    user = make_user(company, email="bia@example.com")
    user.locale = locale
    db.session.commit()
    give_chat(app, company, f"http://127.0.0.1:{free_port()}/").notice_error = "connection_refused: 127.0.0.1"
    admin = Person(app.test_client(), user)
    assert words in admin.get(admin.post("/notices/chat/test").location).text
    assert f"{words.partition('. ')[2]}127.0.0.1." in admin.get("/notices").text


def test_an_address_that_cannot_be_read_is_said_in_words(app, company, chats):
    chat = give_chat(app, company, chats.url("hooks.slack.com"))
    chat.address_secret = chat.address_secret[:-6] + "AAAAA="
    admin = Person(app.test_client(), make_user(company, email="bia@example.com"))
    assert "não pode mais ser lido: salve-o de novo." in admin.get(admin.post("/notices/chat/test").location).text


def test_saving_and_trying_share_the_limit_of_looks_at_addresses(app, company, chats):
    factories.set_url(company, URL)
    admin = Person(app.test_client(), make_user(company, email="bia@example.com"))
    url = chats.url("hooks.slack.com")
    answers = [admin.post("/notices/chat", {"url": url}).status_code for _ in range(MAX_A_MINUTE - 1)]
    assert set(answers) == {303}  # the CRM's address was the first
    assert admin.post("/notices/chat/test").status_code == 429
    assert url in admin.post("/notices/chat", {"url": url}).text
    assert chats.arrived == []


def test_a_recipient_that_the_mail_server_refuses_is_shown_and_the_others_are_written_to_once(app, company, mail_host):
    make_user(company, email="bia@example.com")
    mail_host.refusals["bia@example.com"] = "550 no such user"
    break_down(company, wait(company, 1)[0])
    assert tell(app)
    assert tell(app)
    assert [envelope.rcpt_tos for envelope, _message in mail_host.arrived] == [["ana@example.com"]]
    assert endpoint_of(company).notice_error == "bia@example.com: 550 no such user"
    admin = Person(app.test_client(), make_user(company, email="caio@example.com"))
    assert "bia@example.com: 550 no such user" in admin.get("/notices").text


def test_a_refusal_that_repeats_the_address_tells_no_secret(app, company, chats, mail_host):
    chat = give_chat(app, company, chats.url("hooks.slack.com"))
    break_down(company, wait(company, 1)[0])
    chats.status, chats.words = 404, "Cannot POST /services/T0/B0/secret"
    assert tell(app)
    assert chat.notice_error == f"404 Cannot POST {'*' * len('/services/T0/B0/secret')}"


@pytest.mark.parametrize(
    "repeated",
    [
        "/v1/spaces/AAAA1234/messages?key=AIzaSy12&token=t0k%3Dn-9",
        r"\/v1\/spaces\/AAAA1234\/messages",
        *("AIzaSy12", "t0k%3Dn-9", "t0k=n-9", "AAAA1234"),
    ],
)
def test_no_part_of_an_address_is_told_in_any_form(repeated: str) -> None:
    url = "https://chat.googleapis.com/v1/spaces/AAAA1234/messages?key=AIzaSy12&token=t0k%3Dn-9"
    told = blot(f"no such {repeated}", secrets_of(url))
    assert not [part for part in ("AAAA1234", "AIzaSy12", "t0k%3Dn-9", "t0k=n-9") if part in told]


def test_a_chat_that_is_tried_holds_up_no_writer(app, company, chats):
    admin = Person(app.test_client(), make_user(company, email="bia@example.com"))
    admin.post("/notices/chat", {"url": chats.url("hooks.slack.com")})

    database = str(db.engine.url.database)

    def write() -> None:
        with closing(sqlite3.connect(database, timeout=0)) as other:
            other.execute("BEGIN IMMEDIATE")

    chats.meanwhile = write
    assert "Enviamos uma mensagem de teste" in admin.get(admin.post("/notices/chat/test").location).text
