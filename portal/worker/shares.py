"""How a worker's senders are shared out: nothing is claimed that would have to wait here."""

from collections.abc import Iterable, Sequence, Set
from math import inf

from portal import clock
from portal.outbox import Claim
from portal.rules.window import Window, after_answer, after_strain
from portal.webhook import Outcome

SLOW_SECONDS = 1.0
"""A receiver that takes longer is slow: a quarter of the senders is kept free of such, and of those never heard yet."""
STRAINED = (429, 503)
"""Statuses of a receiver that gets more than it can take."""
NEW_WEIGHT = 0.3
"""How much the last answer counts in the average of a receiver's pace."""
CATCH_UP_SECONDS = 0.05
"""A look at the outbox that comes so late is made up for, so that a rate of hundreds a second is reached."""


class Shares:
    """What is on its way of each company: as much as its receiver keeps pace with, at most `concurrency` at a time.

    A delivery is on its way from its claim until what came of it is recorded. Claimed is only what a sender is free
    for, so that the death of a worker leaves nothing in doubt but what was being sent, and repeats no more than that;
    while the database is away nothing more goes out. At most `rate` a second go. Belongs to one thread.
    """

    def __init__(self, concurrency: int, *, senders: int, rate: float | None = None) -> None:
        self._senders = senders
        self._concurrency = min(concurrency, senders)
        self._most_slow = max(1, senders - max(1, senders // 4))
        self._interval = 1 / rate if rate else 0.0
        self._under_way: dict[int, set[int]] = {}
        self._windows: dict[int, Window] = {}
        self._in_use: dict[int, int] = {}
        """How many of a company were on their way when it last got some."""
        self._pace: dict[int, float] = {}
        self._next_at: dict[int, float] = {}
        """When the rate lets the next of a company go."""
        self._look_at = inf
        """When the first of those goes whom the rate kept waiting."""

    @property
    def under_way(self) -> int:
        return sum(map(len, self._under_way.values()))

    def free(self, *, recorded: Set[int] = frozenset()) -> int:
        """How many senders have nothing to do once the deliveries in `recorded` are."""
        return self._senders - sum(len(ids - recorded) for ids in self._under_way.values())

    def room_for(self, company_id: int, *, recorded: Set[int] = frozenset(), lent: Sequence[Claim] = ()) -> int:
        """How many more of a company may go, once the deliveries in `recorded` are and those `lent` just now go too."""
        most = min(self._concurrency, int(self._windows.get(company_id, Window()).size))
        room = most - len(self._under_way.get(company_id, set()) - recorded)
        if self._interval:
            room = min(room, self._due_by_rate(company_id))
        if self._is_slow(company_id):
            slow = sum(len(ids - recorded) for each, ids in self._under_way.items() if self._is_slow(each))
            slow += sum(self._is_slow(claim.company_id) for claim in lent)
            room = min(room, self._most_slow - slow)
        return max(room, 0)

    def take(self, claims: Iterable[Claim]) -> None:
        """These go to the senders now."""
        for claim in claims:
            ids = self._under_way.setdefault(claim.company_id, set())
            ids.add(claim.delivery_id)
            self._in_use[claim.company_id] = len(ids)
            if self._interval:
                self._next_at[claim.company_id] = self._begin_of_rate(claim.company_id) + self._interval

    def done(self, claim: Claim, outcome: Outcome | None) -> None:
        """What came of a claim is recorded, if anything did."""
        company_id = claim.company_id
        ids = self._under_way.get(company_id, set())
        ids.discard(claim.delivery_id)
        if not ids:
            self._under_way.pop(company_id, None)
        if outcome is not None:
            seconds = (outcome.duration_ms or 0) / 1000
            average = self._pace.get(company_id, seconds)
            self._pace[company_id] = average + NEW_WEIGHT * (seconds - average)
            self._adapt(company_id, outcome, seconds)

    def _adapt(self, company_id: int, outcome: Outcome, seconds: float) -> None:
        """Let more go to a receiver that keeps pace, fewer to one that does not; other failures say nothing of it."""
        window, in_use = self._windows.get(company_id, Window()), self._in_use.get(company_id, 1)
        if outcome.delivered:
            window = after_answer(window, seconds, in_use=in_use, most=self._concurrency)
        elif outcome.status_code in STRAINED or (outcome.status_code is None and seconds > SLOW_SECONDS):
            window = after_strain(window, in_use=in_use)
        self._windows[company_id] = window

    def pause(self, longest: float) -> float:
        """In how many seconds the rate lets somebody go whom it kept waiting; at most `longest`."""
        pause = max(self._look_at - clock.monotonic(), 0.0)
        if not pause:
            self._look_at = inf  # said once
        return min(pause, longest)

    def _is_slow(self, company_id: int) -> bool:
        return self._pace.get(company_id, inf) > SLOW_SECONDS

    def _due_by_rate(self, company_id: int) -> int:
        begin = self._begin_of_rate(company_id)
        late = clock.monotonic() - begin
        if late < 0:
            self._look_at = min(self._look_at, begin)
            return 0
        return int(late / self._interval) + 1

    def _begin_of_rate(self, company_id: int) -> float:
        """When the next of a company is to go: what is a little late goes then all the same."""
        now = clock.monotonic()
        begin = self._next_at.get(company_id, now)
        return begin if begin > now - CATCH_UP_SECONDS else now
