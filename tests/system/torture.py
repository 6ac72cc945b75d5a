"""What a company and `/healthz` notice while another asks for the most work that a request may hold.

By hand: `python -m tests.system.torture --events 300 --attackers 4`. The requests are those of test_torture.py, sent to
a real `portal serve` over the wire; the neighbour's contacts are classified meanwhile, one after the other.
"""

import argparse
import http.client
import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from itertools import cycle
from pathlib import Path

from portal import create_app
from portal.database.db import db
from portal.demo.server import Receiver
from portal.people import tokens
from tests import factories
from tests.conftest import make_schema
from tests.system.black_hole import add_contacts, classify_each, p95
from tests.system.conftest import Portal
from tests.system.test_torture import CALLS, FIELD, FIELDS, PIECES, filled

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
PATHS = ("/contacts", "/contacts/assign", "/deliveries/resend", "/sync")
LOOK_SECONDS = 0.05

Wanted = tuple[str, bytes, str]
"""A path, what is posted to it, and its type."""


def requests() -> list[Wanted]:
    """Calls of a token, and what a stranger may post to pages."""
    bodies = [make() for make in CALLS.values()]
    calls = [(f"/api/v1{path}", body, JSON) for body in bodies for path in PATHS]
    pages = [path for path in FIELDS if not path.startswith("/contacts/1")]
    forms = [(path, f"{FIELDS[path][0]}={filled(piece, FIELD)}".encode(), FORM) for path in pages for piece in PIECES]
    return [each for pair in zip(calls, cycle(forms), strict=False) for each in pair]


class Torture:
    """Attackers that post without end, and a look at `/healthz` every moment."""

    def __init__(self, portal: Portal, token: str) -> None:
        self._portal, self._token = portal, token
        self._stop = threading.Event()
        self.statuses: Counter[int] = Counter()
        self.looks: list[tuple[float, float]] = []
        """What each look at `/healthz` took, and what processor the web process had meanwhile, in seconds."""

    @contextmanager
    def going(self, attackers: int) -> Iterator[None]:
        """Until the block ends."""
        threads = [threading.Thread(target=self._attack, args=(number,)) for number in range(attackers)]
        threads.append(threading.Thread(target=self._look))
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()

    def _attack(self, number: int) -> None:
        wanted = requests()
        for path, body, kind in cycle(wanted[number * 7 :] + wanted[: number * 7]):
            if self._stop.is_set():
                return
            self.statuses[self._ask("POST", path, body, {"Content-Type": kind})] += 1

    def _look(self) -> None:
        while not self._stop.is_set():
            begun, used = time.monotonic(), self._used()
            assert self._ask("GET", "/healthz", None, {}) == 200
            self.looks.append((time.monotonic() - begun, self._used() - used))
            time.sleep(LOOK_SECONDS)

    def _used(self) -> float:
        assert self._portal.process is not None
        fields = Path(f"/proc/{self._portal.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self._portal.port, timeout=60)
        try:
            connection.request(method, path, body, headers | {"Authorization": f"Bearer {self._token}"})
            return connection.getresponse().status
        finally:
            connection.close()


def measure(folder: Path, url: str, *, events: int, attackers: int) -> None:
    """Print the neighbour's p95 alone and beside the attackers, and what `/healthz` took meanwhile."""
    make_schema(url)
    networks = (ip_network(factories.LOOPBACK),)
    app = create_app(factories.settings_for(folder, database_url=url, allowed_networks=networks))
    portal = Portal(folder, PORTAL_DATABASE_URL=url)
    with app.app_context(), Receiver() as receiver:
        ids = add_contacts(factories.make_company("Vizinha", url=receiver.url), events)
        hostile = factories.make_user(factories.make_company("Hostil", url=receiver.url))
        torture = Torture(portal, tokens.create_token(db.session, hostile, label="torture"))
        db.session.commit()
        db.session.remove()
        portal.serve(ready=False)
        try:
            wait_for_start(portal)
            alone = p95(classify_each(ids, receiver))
            with torture.going(attackers):
                times = classify_each(ids, receiver)
        finally:
            portal.kill()
    beside, looks = p95(times), [took for took, _ in torture.looks]
    took, used = max(torture.looks)
    print(f"p95 from commit to receipt: {alone * 1000:.0f} ms alone, {beside * 1000:.0f} ms beside, ", end="")
    print(f"ratio {beside / alone:.2f}, longest {max(times):.2f} s")
    print(f"/healthz: {len(looks)} looks, p95 {p95(looks):.3f} s, longest {took:.3f} s, ", end="")
    print(f"of which the web process had a processor for {used:.2f} s")
    print(f"hostile requests by status: {dict(sorted(torture.statuses.items()))}")


def wait_for_start(portal: Portal) -> None:
    """A machine with much other work takes its time."""
    for tries_left in reversed(range(5)):
        try:
            portal.wait_until_ready()
        except AssertionError:
            if not tries_left:
                raise
        else:
            return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=300)
    parser.add_argument("--attackers", type=int, default=4)
    parser.add_argument("--database-url", help="a PostgreSQL that is empty; SQLite in a folder of its own without it")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = asked.database_url or f"sqlite:///{folder}/portal.db"
        measure(Path(folder), url, events=asked.events, attackers=asked.attackers)


if __name__ == "__main__":
    main()
