"""Hosts, ports and faults are told apart by tables: each row by an example, and each part needed by one."""

import errno
import sys
from collections.abc import Iterable
from types import ModuleType

import pycurl
import pytest

from portal.egress import address, advice, faults, networks
from portal.egress.address import AddressError, AddressPolicy, check_answers, parse_address
from portal.egress.advice import Advice, advise
from portal.egress.faults import Fault
from tests.egress import test_address, test_answer, test_networks
from tests.tables import Example, examples_in, find_idle

PORTS = """
0 1 7 9 11 13 15 17 19 20 21 22 23 25 37 42 43 53 69 77 79 87 95 101 102 103 104 109 110 111 113 115 117 119 123 135 137
139 143 161 179 389 427 465 512 513 514 515 526 530 531 532 540 548 554 556 563 587 601 636 989 990 993 995 1719 1720
1723 2049 3659 4045 4190 5060 5061 6000 6566 6665 6666 6667 6668 6669 6679 6697 10080 2375 2376 3306 5432 6379 9200
11211 27017
"""
"""https://fetch.spec.whatwg.org/#port-blocking, and databases that act on what looks like HTTP."""
LOCAL = """
localhost crm.localhost crm.localdomain crm.local crm.internal crm.intranet crm.private crm.corp crm.home crm.lan
crm.home.arpa ip6-localhost ip6-loopback
"""
NOT_LOCAL = "mylocalhost.test crm.lan.test arpa.test crm.arpa homes.test local.test ip6-localhost.test"
HOSTS = """
own_inspector crm.test/inspector/0123456789abcdef_0123456789-abcd
google_sheet docs.google.com/spreadsheets drive.google.com/spreadsheets sheets.google.com/x
google_document docs.google.com/d drive.google.com/file forms.google.com/x forms.gle/x
apps_script_dev script.google.com/macros/s/A/dev
apps_script script.google.com/macros/s/A/exec
apps_script_editor script.google.com/home script.googleusercontent.com/macros
office_file onedrive.live.com/x 1drv.ms/x acme.sharepoint.com/x excel.cloud.microsoft/x
n8n_test n8n.acme.test/webhook-test/1
editor acme.app.n8n.cloud/home n8n.acme.test/workflow/1 zapier.com/editor eu1.make.com/1 integromat.com/x
editor pipedream.com/x
editor make.powerautomate.com/x flow.microsoft.com/x flows.acme.test/workflow/aB3dE5fG7hJ9kL1m
zapier hooks.zapier.com/hooks/catch/1
make hook.make.com/a hook.eu1.make.com/a hook.integromat.com/a hook.make.celonis.com/a hook.eu1.make.celonis.com/a
docs_page docs.n8n.io/x help.zapier.com/x docs.zapier.com/x help.make.com/x developers.make.com/x www.make.com/en
docs_page docs.pipedrive.com/x developer.zendesk.com/x developers.hubspot.com/x
pipedream eo1.m.pipedream.net/x eo1.m.pipedream.net
power_automate prod.logic.azure.com/x default.environment.api.powerplatform.com/x acme.powerautomate.com/x
jira_automation api-private.atlassian.com/x automation.atlassian.com/x
automation hooks.airtable.com/x flow.zoho.com/1/webhook/x services.leadconnectorhq.com/hooks/a/webhook-trigger/b
chat acme.slack.com/x discord.com/x discordapp.com/x acme.webhook.office.com/x outlook.office.com/x
chat teams.microsoft.com/x teams.live.com/x chat.googleapis.com/x api.telegram.org/x graph.facebook.com/x wa.me/x
chat api.whatsapp.com/x
inspector webhook.site/x acme.beeceptor.com/x a.requestcatcher.com/x hookbin.com/x requestbin.com/x httpbin.org/x
inspector ptsv3.com/x typedwebhook.tools/x postman-echo.com/x
tunnel a.ngrok-free.app/x a.ngrok.app/x a.ngrok.io/x a.ngrok.dev/x a.trycloudflare.com/x a.loca.lt/x a.serveo.net/x
tunnel a.devtunnels.ms/x a.lhr.life/x
short_link bit.ly/x tinyurl.com/x t.ly/x is.gd/x cutt.ly/x rebrand.ly/x encurtador.com.br/x
login_page accounts.google.com/x login.microsoftonline.com/x login.live.com/x crm.test/login crm.test/log-in
login_page crm.test/sign-in crm.test/sign_in crm.test/signin crm.test/entrar crm.test/wp-login.php crm.test/wp-admin
login_page crm.test/wp-admin/index.php
crm acme.pipedrive.com/x flow.zoho.com/x
local intranet/x crm.lan/x 10.0.0.5/x
home_page crm.test crm.test/ crm.test/index.php crm.test/default.aspx crm.test/index.htm crm.test/index.html
home_page crm.test/default.asp webhook.site webhook.site/#!/view/1
none crm.test/dev crm.test/exec services.leadconnectorhq.com/x crm.test/webhook-trigger/b
none crm.test/workflow/ABCDEFGHIJ012345 crm.test/workflow/abcdefghij012345
none a.workers.dev a.run.app a.on.aws a.deno.dev a.val.run crm.test/hook crm.test/wp-admin/admin-post.php
none acme.app.n8n.cloud/webhook/1 acme.app.n8n.cloud/form/1 crm.test/workflow/1 crm.test/workflow/0123456789abcdef
none crm.test/workflow/ABCDEFGHIJ0123456 crm.test/?x=1 notslack.com/x notlhr.life/x crm.test/indexes.php
"""
NAMES = {
    "hooks.airtable.com/x": "Airtable",
    "flow.zoho.com/1/webhook/x": "Zoho Flow",
    "services.leadconnectorhq.com/hooks/a/webhook-trigger/b": "HighLevel",
    "acme.slack.com/x": "Slack",
    "discord.com/x": "Discord",
    "teams.live.com/x": "Teams",
    "chat.googleapis.com/x": "Google Chat",
    "api.telegram.org/x": "Telegram",
    "wa.me/x": "WhatsApp",
}
GIVEN = [(line.split()[0], host) for line in HOSTS.strip().splitlines() for host in line.split()[1:]]
REMINDERS = ("apps_script", "zapier", "make", "pipedream", "power_automate", "jira_automation", "automation")


def problem_of(url: str) -> str | None:
    try:
        parse_address(url, AddressPolicy())
    except AddressError as error:
        return error.problem
    return None


@pytest.mark.parametrize("port", PORTS.split())
def test_a_port_of_another_service_is_refused_and_the_next_free_one_is_not(port: str) -> None:
    assert problem_of(f"https://hook.test:{port}/") == "port"


@pytest.mark.parametrize("port", [80, 443, 8080, 8443, 3000, 5000, 5678, 8000, 9000, 10443, 65535])
def test_a_port_of_the_web_is_not_refused(port: int) -> None:
    assert problem_of(f"https://hook.test:{port}/") is None


@pytest.mark.parametrize(("host", "problem"), [*((host, "local_name") for host in LOCAL.split()),
                                               *((host, None) for host in NOT_LOCAL.split())])  # fmt: skip
def test_a_name_is_local_by_its_ending(host: str, problem: str | None) -> None:
    assert problem_of(f"https://{host}/") == problem


@pytest.mark.parametrize(
    "mark", "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180f\u2800\u3164\ufe00\ufe0f\uffa0\U000e0000\U000e0fff"
)
def test_what_prints_nothing_stands_in_no_address(mark: str) -> None:
    assert problem_of(f"https://hook.test/a{mark}") == "character"


def test_the_answers_about_a_name_keep_their_order() -> None:
    answers = ("93.184.216.34", "2606:2800:220:1::1", "8.8.8.8", "93.184.216.34", "1.1.1.1")
    found = check_answers(parse_address("https://hook.test/", AddressPolicy()), answers, AddressPolicy())
    assert found == ("93.184.216.34", "2606:2800:220:1::1", "8.8.8.8", "1.1.1.1")


@pytest.mark.parametrize(("code", "host"), GIVEN)
def test_an_address_is_known_by_its_host_and_path(code: str, host: str) -> None:
    found = advise(f"https://{host}")
    assert [each.code for each in found] == ([] if code == "none" else [code])
    assert all(NAMES.get(host, "") in each.sentence for each in found)


@pytest.mark.parametrize("code", sorted({code for code, _ in GIVEN}))
def test_what_is_made_for_webhooks_is_only_reminded_of(code: str) -> None:
    assert Advice(code, "").is_reminder == (code in REMINDERS)


def fault(code: int, message: str = "", **facts: int) -> Fault:
    given = {
        "os_error": 0,
        "verify_result": 0,
        "is_connected": True,
        "request_sent": True,
        "has_headers": False,
    } | facts
    return Fault(code, message, **given)  # type: ignore[arg-type]


TLS, VERIFY, TIMEOUT = pycurl.E_SSL_CONNECT_ERROR, pycurl.E_PEER_FAILED_VERIFICATION, pycurl.E_OPERATION_TIMEDOUT
FAULTS = [
    (fault(pycurl.E_COULDNT_RESOLVE_HOST), "dns_failure"),
    (fault(pycurl.E_COULDNT_CONNECT, os_error=errno.ECONNREFUSED), "connection_refused"),
    (fault(pycurl.E_COULDNT_CONNECT, os_error=errno.ECONNRESET), "connection_reset"),
    (fault(pycurl.E_COULDNT_CONNECT, os_error=errno.ECONNABORTED), "connection_reset"),
    (fault(pycurl.E_COULDNT_CONNECT, os_error=errno.EPIPE), "connection_reset"),
    (fault(pycurl.E_COULDNT_CONNECT, os_error=errno.EHOSTUNREACH), "unreachable"),
    (fault(TIMEOUT), "timeout"),
    (fault(TIMEOUT, request_sent=0), "tls_timeout"),
    (fault(TIMEOUT, request_sent=0, is_connected=0), "not_connected"),
    (fault(pycurl.E_UNSUPPORTED_PROTOCOL), "protocol_error"),
    (fault(8), "protocol_error"),
    (fault(100), "protocol_error"),
    (fault(pycurl.E_BAD_CONTENT_ENCODING), "undecodable"),
    (fault(pycurl.E_RECV_ERROR), "connection_failed"),
    (fault(pycurl.E_RECV_ERROR, has_headers=1), "incomplete"),
    (fault(pycurl.E_RECV_ERROR, "alert certificate required"), "tls_client_certificate"),
    *((fault(code), "tls_failure") for code in (
        TLS, VERIFY, pycurl.E_SSL_CERTPROBLEM, pycurl.E_SSL_CACERT_BADFILE, pycurl.E_SSL_CIPHER,
        pycurl.E_SSL_ISSUER_ERROR, pycurl.E_SSL_INVALIDCERTSTATUS)),
    *((fault(VERIFY, verify_result=number), reason) for number, reason in {
        9: "tls_not_yet_valid", 10: "tls_expired", 18: "tls_self_signed", 19: "tls_untrusted",
        20: "tls_incomplete_chain", 21: "tls_incomplete_chain", 22: "tls_failure"}.items()),
    (fault(TLS, verify_result=10), "tls_failure"),
    *((fault(TLS, words), reason) for words, reason in {
        "no alternative certificate subject name matches target": "tls_wrong_name",
        "certificate does not match target host": "tls_wrong_name",
        "error: wrong version number": "tls_missing",
        "error: packet length too long": "tls_missing",
        "alert protocol version": "tls_version",
        "error: unsupported protocol": "tls_version",
        "tlsv13 alert certificate required": "tls_client_certificate",
        "error: certificate required": "tls_client_certificate",
        "alert bad certificate": "tls_client_certificate",
        "alert handshake failure": "tls_refused",
        "tls: unrecognized name": "tls_refused",
        "something else": "tls_failure"}.items()),
]  # fmt: skip


@pytest.mark.parametrize(("given", "reason"), FAULTS, ids=str)
def test_a_fault_has_the_reason_that_fits_it(given: Fault, reason: str) -> None:
    assert given.reason == reason


@pytest.mark.parametrize(
    ("code", "message", "is_malformed"),
    [
        (8, "", True),
        (pycurl.E_RECV_ERROR, "chunk hex-length char not a hex digit: 0x7a", True),
        (pycurl.E_RECV_ERROR, "Recv failure: Connection reset by peer", False),
        (TIMEOUT, "Operation timed out within a chunk", False),
    ],
)
def test_a_body_that_breaks_the_rules_is_told_from_one_that_was_cut(
    code: int, message: str, is_malformed: bool
) -> None:
    assert faults.is_malformed(code, message) == is_malformed


def test_a_timeout_tells_how_far_the_answer_came() -> None:
    of_libcurl = "Operation timed out after 9999 milliseconds with 0 bytes received"
    assert fault(TIMEOUT, of_libcurl, has_headers=1).detail == "the headers were not complete in time"
    assert fault(TIMEOUT, of_libcurl).detail == "no line of an answer came in time"
    assert fault(TIMEOUT, "Connection timed out", request_sent=0).detail == "Connection timed out"


OWN = sys.modules[__name__]


@pytest.mark.slow(10)
@pytest.mark.parametrize(
    ("module", "examples", "users"),
    [
        (address, examples_in(OWN, test_address, test_answer), ()),
        (networks, examples_in(test_networks), ()),
        (advice, examples_in(OWN), ()),
        (faults, examples_in(OWN), ()),
    ],
)
def test_every_part_of_a_table_is_needed_by_an_example(
    module: ModuleType, examples: Iterable[Example], users: tuple[ModuleType, ...]
) -> None:
    assert find_idle(module, list(examples), *users) == []
