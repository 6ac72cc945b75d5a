"""Receivers as people have them: installs and starts them, posts to each, and compares verdict and sentence.

    python -m tests.receivers [--folder FOLDER] [NAME ...]

Run by hand: what npm installs is heavy. `php` needs nginx and php-fpm of the system. It prints a table in Markdown, and
ends with exit code 1 when a receiver was judged otherwise than expected.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

from portal import create_app
from portal.egress import AddressPolicy, Egress
from portal.egress.authorities import read_authorities, write_bundle
from portal.i18n import speaking
from portal.rules.clues import find_clue
from portal.rules.payload import encode_body, sample_payload
from portal.rules.reasons import Limits, explain_attempt
from portal.webhook import Outcome, WebhookRequest, post
from tests.authority import Authority
from tests.factories import LOOPBACK, settings_for
from tests.receivers import django_server, express, n8n, node_red, php
from tests.receivers.running import Place

KINDS = {"express": express, "php": php, "django": django_server, "node-red": node_red, "n8n": n8n}
LIMITS = Limits(connect=2, whole=3)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.receivers", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", default=[], metavar="NAME", help=f"of {', '.join(KINDS)}; all without one")
    parser.add_argument("--folder", type=Path, help="keeps what is installed, for the next time")
    given = parser.parse_args()
    if unknown := set(given.names) - set(KINDS):
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory(prefix="portal-receivers-") as temporary:
        work = Path(temporary)
        work.chmod(0o755)  # the servers' own accounts pass through
        place = Place(given.folder or work / "installed", work, Authority(work))
        rows = [row for name in given.names or KINDS for row in judge_all(name, place)]
    print("| receiver | what it does | answer | verdict | clue or warning | as expected |\n|---|---|---|---|---|---|")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    return 0 if all(row[-1] == "yes" for row in rows) else 1


def judge_all(name: str, place: Place) -> Iterator[tuple[str, ...]]:
    """A row of the table for each case of a receiver."""
    app = create_app(settings_for(place.work))
    authorities = read_authorities(str(place.authority.file))
    egress = Egress(
        AddressPolicy(allowed_networks=(ip_network(LOOPBACK),)),
        connect_timeout=LIMITS.connect,
        deadline=LIMITS.whole,
        ca_file=write_bundle(authorities, place.work),
        resolve=lambda _host, _port: ["127.0.0.1"],
    )
    with KINDS[name].running(place) as (version, cases):
        for case in cases:
            outcome = post(request_to(case.url), egress)
            told = {}
            for language in ("pt_BR", "en"):
                with speaking(app, language, "UTC"):
                    told[language] = explain_attempt(outcome, LIMITS).message
            is_right = codes_of(outcome) == (case.reason, case.code) and case.words in told["pt_BR"]
            print(f"{name} {case.what}\n  {told['pt_BR']}\n  {told['en']}", file=sys.stderr)
            status = str(outcome.status_code or "none")
            reason, code = codes_of(outcome)
            yield version, case.what, status, f"`{reason}`", f"`{code}`" if code else "", "yes" if is_right else "NO"
    egress.close()


def request_to(url: str) -> WebhookRequest:
    """The source's sample, as every test of the webhook sends it."""
    secret = "whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0"
    return WebhookRequest(url=url, webhook_id="msg_receivers", body=encode_body(sample_payload()), secrets=(secret,))


def codes_of(outcome: Outcome) -> tuple[str, str]:
    """The reason, and the clue, else the warning."""
    clue = find_clue(outcome)
    return outcome.reason, clue.code if clue else outcome.warning or ""


if __name__ == "__main__":
    sys.exit(main())
