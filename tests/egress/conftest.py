"""Senders that may reach loopback."""

from collections.abc import Callable, Iterator
from ipaddress import ip_network
from typing import Any

import pytest
from requests import PreparedRequest
from requests.structures import CaseInsensitiveDict

from portal.egress import AddressPolicy, Egress

LOOPBACK = AddressPolicy(allowed_networks=(ip_network("127.0.0.0/8"),))
DEADLINE = 0.6
"""Where it is to be missed."""
PATIENCE = 20 * DEADLINE
"""Where it is not, on a busy machine either."""

MakeEgress = Callable[..., Egress]


@pytest.fixture
def make_egress() -> Iterator[MakeEgress]:
    made: list[Egress] = []

    def make(policy: AddressPolicy = LOOPBACK, **options: Any) -> Egress:
        options = {"deadline": PATIENCE, "resolve": lambda host, port: ["127.0.0.1"]} | options
        made.append(Egress(policy, **options))
        return made[-1]

    yield make
    for egress in made:
        egress.close()


@pytest.fixture
def egress(make_egress: MakeEgress) -> Egress:
    return make_egress()


def prepare(url: str, body: bytes | None = b"{}", **headers: str) -> PreparedRequest:
    """A POST as the webhook module makes it: nothing re-read, nothing added. No body makes a GET."""
    prepared = PreparedRequest()
    prepared.method = "GET" if body is None else "POST"
    prepared.url, prepared.body = url, body
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    prepared.headers = CaseInsensitiveDict({"Content-Type": "application/json"} | fields)
    return prepared
