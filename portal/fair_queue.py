"""Claimed jobs on their way to the sender threads: companies take turns, none takes more than its share."""

import threading
from collections import deque
from collections.abc import Iterable, Set

from portal import clock
from portal.outbox import Job

RATED_SECONDS = 1.0
"""Of a company with a rate, so much is held here: more would wait while another worker could send it."""
SLOW_SECONDS = 1.0
"""A receiver that takes longer is slow: a quarter of the senders is kept free of such."""
NEW_WEIGHT = 0.3
"""How much the last answer counts in the average of a receiver's pace."""


class FairQueue:
    """Jobs by company: of one, at most `concurrency` are on their way, and at most `rate` a second go out.

    A job is on its way from when a sender takes it until what came of it is recorded: should the process die, no more
    than that is sent twice, and while the database is away nothing more is sent. No more of a company is held here than
    may go at once, so that a death leaves few in doubt.
    """

    def __init__(self, concurrency: int, *, senders: int, rate: float | None = None) -> None:
        self._concurrency = min(concurrency, senders)
        self._most_slow = max(1, senders - max(1, senders // 4))
        self._interval = 1 / rate if rate else 0.0
        self._most_held = min(self._concurrency, max(1, round(RATED_SECONDS * rate))) if rate else self._concurrency
        self._waiting: dict[int, deque[Job]] = {}
        self._under_way: dict[int, set[int]] = {}
        """By company, the deliveries that a sender took and that are not recorded."""
        self._sending: dict[int, int] = {}
        """By company, how many senders are at it."""
        self._pace: dict[int, float] = {}
        self._not_before: dict[int, float] = {}
        self._turn: deque[int] = deque()
        self._closed = False
        self._changed = threading.Condition()

    def put(self, job: Job) -> None:
        with self._changed:
            if job.company_id not in self._waiting:
                self._waiting[job.company_id] = deque()
                self._turn.append(job.company_id)
            self._waiting[job.company_id].append(job)
            self._changed.notify()

    def take(self) -> Job | None:
        """The next job, once there is one that may be sent; None when the queue was closed."""
        with self._changed:
            while not self._closed:
                company_id, pause = self._next_company()
                if company_id is not None:
                    return self._lend(company_id)
                self._changed.wait(pause)
            return None

    def sent(self, job: Job, *, seconds: float) -> None:
        """The job is out of the sender's hands, after so long."""
        with self._changed:
            self._sending[job.company_id] -= 1
            average = self._pace.get(job.company_id, seconds)
            self._pace[job.company_id] = average + NEW_WEIGHT * (seconds - average)

    def done(self, jobs: Iterable[Job]) -> None:
        """What came of these jobs is recorded: others of their companies may go."""
        with self._changed:
            for job in jobs:
                under_way = self._under_way.get(job.company_id, set())
                under_way.discard(job.delivery_id)
                if not under_way:
                    self._under_way.pop(job.company_id, None)
                    self._sending.pop(job.company_id, None)
                self._changed.notify()

    @property
    def is_sending(self) -> bool:
        """Whether a sender is at work, so that a result may come at any moment."""
        with self._changed:
            return any(self._sending.values())

    def withdraw(self, company_ids: set[int]) -> list[Job]:
        """Take back what these companies still have waiting here."""
        with self._changed:
            withdrawn: list[Job] = []
            for company_id in company_ids & self._waiting.keys():
                withdrawn += self._waiting.pop(company_id)
                self._turn.remove(company_id)
            return withdrawn

    def close(self) -> list[Job]:
        """Let the senders go home after what they are at. Returns the jobs that nobody took."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            return [job for jobs in self._waiting.values() for job in jobs]

    def room_for(self, company_id: int, *, recorded: Set[int] = frozenset()) -> int:
        """How many more jobs of a company may be held here, once the deliveries in `recorded` are."""
        with self._changed:
            under_way = self._under_way.get(company_id, set()) - recorded
            return max(self._most_held - len(self._waiting.get(company_id, ())) - len(under_way), 0)

    def _next_company(self) -> tuple[int | None, float | None]:
        """The company whose turn it is; else in how many seconds the rate lets one go (None: nobody waits for it)."""
        soonest: float | None = None
        now = clock.monotonic()
        slow = sum(count for company_id, count in self._sending.items() if self._is_slow(company_id))
        for _ in range(len(self._turn)):
            company_id = self._turn[0]
            self._turn.rotate(-1)
            if len(self._under_way.get(company_id, ())) >= self._concurrency:
                continue
            if slow >= self._most_slow and self._is_slow(company_id):
                continue
            pause = self._not_before.get(company_id, 0.0) - now
            if pause <= 0:
                return company_id, None
            soonest = pause if soonest is None else min(soonest, pause)
        return None, soonest

    def _is_slow(self, company_id: int) -> bool:
        return self._pace.get(company_id, 0.0) > SLOW_SECONDS

    def _lend(self, company_id: int) -> Job:
        jobs = self._waiting[company_id]
        job = jobs.popleft()
        if not jobs:
            del self._waiting[company_id]
            self._turn.remove(company_id)
        self._under_way.setdefault(company_id, set()).add(job.delivery_id)
        self._sending[company_id] = self._sending.get(company_id, 0) + 1
        if self._interval:
            self._not_before[company_id] = clock.monotonic() + self._interval
        return job
