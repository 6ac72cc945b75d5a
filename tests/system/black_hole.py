"""What some companies notice of others whose receivers accept connections and never answer.

By hand: `python -m tests.system.black_hole --events 400 --rounds 5`, or with `--companies 100 --dead 99`. As a test:
faults/test_neighbours.py.
"""

import argparse
import socket
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from pathlib import Path

from flask import current_app

from portal import clock, create_app
from portal.database.db import db
from portal.demo.server import Receiver
from portal.models import Company, Contact
from tests import factories
from tests.conftest import make_schema, running_worker
from tests.system.faults.conftest import make_deliveries, statuses, wait_until

COMPANIES, PAUSE_SECONDS, HOLED = 20, 0.04, 100


@contextmanager
def black_hole() -> Iterator[str]:
    """An address that accepts connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/"


def add_contacts(company: Company, count: int) -> list[int]:
    items = [{"contact": {"name": f"Contato {number}"}} for number in range(count)]
    made = [saved.contact_id for saved in factories.save_many(company, items)]
    db.session.commit()
    return made


def classify_each(contact_ids: list[int], receiver: Receiver) -> list[float]:
    """Classify one contact after the other; the seconds from each commit to its receipt."""
    committed: dict[str, float] = {}
    seen = len(receiver.received)
    for contact_id in contact_ids:
        contact = db.session.get_one(Contact, contact_id)
        made = factories.make_delivery(contact, 1 + (contact.interest_level or 2) % 3)
        committed[made.webhook_id] = clock.utcnow().timestamp()
        db.session.remove()
        time.sleep(PAUSE_SECONDS)
    assert receiver.wait_for(seen + len(contact_ids))
    posts = [post for post in receiver.received if post.headers["webhook-id"] in committed]
    return [post.at.timestamp() - committed[post.headers["webhook-id"]] for post in posts]


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def compare(*, rounds: int, events: int, count: int = COMPANIES, dead: int = 1) -> list[tuple[float, float]]:
    """The others' p95 from commit to receipt in seconds, of each round: alone, and beside the black holes."""
    found = []
    with Receiver() as receiver, black_hole() as hole:
        companies = [factories.make_company(f"Empresa {each}", url=receiver.url) for each in range(count)]
        holed, others = companies[:dead], companies[dead:]
        ids = [add_contacts(company, events // len(others) + 1) for company in others]
        mixed = [group[number] for number in range(len(ids[0])) for group in ids][:events]
        db.session.remove()
        with running_worker(current_app._get_current_object()):  # type: ignore[attr-defined]
            for number in range(rounds):
                if number:
                    for company in holed:
                        factories.set_url(db.session.merge(company), receiver.url)
                    wait_until(lambda: statuses().keys() == {"delivered"}, seconds=60)
                alone = p95(classify_each(mixed, receiver))
                for company in holed:
                    factories.set_url(db.session.merge(company), hole)
                    make_deliveries(db.session.merge(company), max(1, HOLED // dead))
                time.sleep(0.2)  # its share of the senders is stuck
                beside = p95(classify_each(mixed, receiver))
                found.append((alone, beside))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--companies", type=int, default=COMPANIES)
    parser.add_argument("--dead", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/portal.db"
        make_schema(url)
        networks = (ip_network(factories.LOOPBACK),)
        with create_app(
            factories.settings_for(Path(folder), database_url=url, allowed_networks=networks)
        ).app_context():
            rounds = compare(rounds=asked.rounds, events=asked.events, count=asked.companies, dead=asked.dead)
    for alone, beside in rounds:
        print(
            f"p95 {alone * 1000:6.1f} ms alone  {beside * 1000:6.1f} ms beside a black hole  ratio {beside / alone:.2f}"
        )
    print(f"median ratio {statistics.median(beside / alone for alone, beside in rounds):.2f}")


if __name__ == "__main__":
    main()
