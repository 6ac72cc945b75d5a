"""When what waits is tried next: its own time alone does not tell, since its endpoint may be failing or paused."""

from dataclasses import dataclass
from datetime import datetime

from portal import clock
from portal.models import Delivery, Endpoint

WAITS_FOR = ("its_time", "probe", "resume")


@dataclass(frozen=True, slots=True)
class NextTry:
    """`waits_for` is its own time, the next probe of a failing endpoint, or that somebody resumes sending.

    `at` is never in the past; None while nobody knows.
    """

    waits_for: str
    at: datetime | None

    @property
    def is_held(self) -> bool:
        """Whether nobody's asking for this one makes it go: its endpoint has to take something first."""
        return self.waits_for != "its_time"


def next_try_at(endpoint: Endpoint, due_at: datetime | None) -> NextTry:
    """The next try of what is due then at an endpoint."""
    if endpoint.url is None or endpoint.state == "paused":
        return NextTry("resume", None)
    is_failing = endpoint.state == "failing"
    moment, now = endpoint.next_probe_at if is_failing else due_at, clock.utcnow()
    return NextTry("probe" if is_failing else "its_time", max(moment or now, now))


def next_try_of(delivery: Delivery) -> NextTry | None:
    """The next try of a delivery; None unless it waits."""
    return next_try_at(delivery.endpoint, delivery.next_attempt_at) if delivery.status == "pending" else None
