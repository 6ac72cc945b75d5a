"""The webhook's page says who gets notices and what is wrong with the mail; a trial goes the way notices go."""

from contextlib import ExitStack

import pytest

from tests.conftest import MakeApp
from tests.factories import endpoint_of, make_company, make_user
from tests.notices.conftest import MailHost
from tests.notices.test_notices import SENDER, server_at
from tests.postgres import free_port
from tests.views.conftest import Person


@pytest.fixture
def admin_of(make_app: MakeApp):
    with ExitStack() as contexts:

        def make(**settings):
            app = make_app(**settings)
            contexts.enter_context(app.app_context())
            return Person(app.test_client(), make_user(make_company("Ágil"), email="ana@example.com"))

        yield make


def test_a_trial_reaches_whoever_asks_for_it(admin_of, mail_host: MailHost):
    admin = admin_of(smtp_url=mail_host.address, mail_from=SENDER)
    assert "ana@example.com" in admin.get("/notices").text
    page = admin.get(admin.post("/notices/test").location).text
    assert "Enviamos um e-mail de teste a ana@example.com." in page
    ((envelope, message),) = mail_host.arrived
    assert envelope.rcpt_tos == ["ana@example.com"]
    assert "aos administradores de Ágil" in message.get_content()


def test_a_trial_that_is_not_taken_says_why(admin_of):
    admin = admin_of(smtp_url=server_at(free_port()), mail_from=SENDER)
    page = admin.get(admin.post("/notices/test").location).text
    assert "O e-mail não foi enviado. Conexão recusada. Detalhe técnico:" in page
    assert "refused" in page


def test_without_a_mail_server_the_page_says_what_is_missing(admin_of):
    admin = admin_of()
    assert "PORTAL_SMTP_URL" in admin.get("/notices").text
    assert "Nenhum servidor de e-mail está configurado." in admin.get(admin.post("/notices/test").location).text


def test_a_notice_that_could_not_be_sent_is_shown(admin_of, mail_host):
    admin = admin_of(smtp_url=mail_host.address, mail_from=SENDER)
    endpoint_of(make_company("Ágil")).notice_error = "535 <b>wrong</b> password"
    page = admin.get("/notices").text
    assert "O último aviso não chegou a todos." in page
    assert "535 &lt;b&gt;wrong" in page
