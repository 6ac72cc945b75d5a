"""How a worker's senders are shared out: nothing is claimed that would have to wait here."""

from collections import Counter
from collections.abc import Iterable, Sequence, Set
from functools import cache
from math import inf

from portal import clock
from portal.outbox import Claim
from portal.rules.window import Window, after_answer, after_strain
from portal.webhook import Outcome

# A receiver that takes longer is slow: a quarter of the senders is kept free of such, and of those never heard yet.
SLOW_SECONDS = 1.0
# How many more than there are senders may be on their way: each holds a descriptor and some memory. A thread is held by
# none but those whose name is being looked up, each name by one (`egress.resolver`).
MOST_BESIDES = 256
STRAINED = (429, 503)  # statuses of a receiver that gets more than it can take
NEW_WEIGHT = 0.3  # how much the last answer counts in the average of a receiver's pace
# A look at the outbox that comes so late is made up for, so that a rate of hundreds a second is reached.
CATCH_UP_SECONDS = 0.05


class Shares:
    """What is on its way of each company: as much as its receiver keeps pace with, at most `concurrency` at a time.

    A delivery is on its way from its claim until what came of it is recorded. Claimed is only what a sender is free
    for, so that the death of a worker leaves nothing in doubt but what was being sent, and repeats no more than that;
    while the database is away nothing more goes out. At most `rate` a second go. Belongs to one thread.

    Many receivers may die at one moment, and nothing tells before whose they are. So what has waited for long holds no
    sender, and one of a company that has none on its way goes although no sender is free.
    """

    def __init__(self, concurrency: int, *, senders: int, rate: float | None = None) -> None:
        self.senders = senders
        self._concurrency = min(concurrency, senders)
        self.most_slow = max(1, senders - max(1, senders // 4))
        self._interval = 1 / rate if rate else 0.0
        self.begun: dict[int, dict[int, float]] = {}  # when each delivery under way began, by company; the oldest first
        self._windows: dict[int, Window] = {}
        self._in_use: dict[int, int] = {}  # how many of a company were on their way when it last got some
        self._pace: dict[int, float] = {}
        self._next_at: dict[int, float] = {}  # when the rate lets the next of a company go
        self._look_at = inf  # when the first of those goes whom the rate kept waiting

    @property
    def under_way(self) -> int:
        return sum(map(len, self.begun.values()))

    def look(self, recorded: Set[int] = frozenset()) -> "Look":
        """What may go now, once the deliveries in `recorded` are."""
        return Look(self, recorded)

    def room_for(self, company_id: int, under_way: int) -> int:
        """How many more of a company its receiver and the rate take, while so many are on their way."""
        room = min(self._concurrency, int(self._windows.get(company_id, Window()).size)) - under_way
        return min(room, self._due_by_rate(company_id)) if self._interval else room

    def take(self, claims: Iterable[Claim]) -> None:
        """These go to the senders now."""
        now = clock.monotonic()
        for claim in claims:
            ids = self.begun.setdefault(claim.company_id, {})
            ids[claim.delivery_id] = now
            self._in_use[claim.company_id] = len(ids)
            if self._interval:
                self._next_at[claim.company_id] = self._begin_of_rate(claim.company_id) + self._interval

    def done(self, claim: Claim, outcome: Outcome | None) -> None:
        """What came of a claim is recorded, if anything did."""
        company_id = claim.company_id
        ids = self.begun.get(company_id, {})
        ids.pop(claim.delivery_id, None)
        if not ids:
            self.begun.pop(company_id, None)
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

    def is_slow(self, company_id: int) -> bool:
        """Whether its receiver took long lately, does so now, or was never heard."""
        oldest = next(iter(self.begun.get(company_id, {}).values()), inf)
        return max(self._pace.get(company_id, inf), clock.monotonic() - oldest) > SLOW_SECONDS

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


class Look:
    """What may go of each company at one moment: counted once, since a worker asks for every company in turn."""

    def __init__(self, shares: Shares, recorded: Set[int]) -> None:
        self._shares = shares
        self._under_way = {company_id: ids.keys() - recorded for company_id, ids in shares.begun.items()}
        self._is_slow = cache(shares.is_slow)
        self._slow = sum(len(ids) for company_id, ids in self._under_way.items() if self._is_slow(company_id))
        late = clock.monotonic() - SLOW_SECONDS
        young = sum(begun[number] >= late for each, begun in shares.begun.items() for number in self._under_way[each])
        self._besides = shares.senders + MOST_BESIDES - sum(map(len, self._under_way.values()))
        self.free = max(min(shares.senders - young, self._besides), 0)  # how many senders have nothing to do

    def had_more_room_than(self, claims: Sequence[Claim]) -> bool:
        """Whether there was more room, of all and of each company, than was taken: then nothing waits for any."""
        taken = Counter(claim.company_id for claim in claims)
        room_left = (self.room_for(each) - taken[each] for each in self._under_way.keys() | taken)
        return self.free > len(claims) and all(left > 0 for left in room_left)

    def room_for(self, company_id: int, lent: Sequence[int] = ()) -> int:
        """How many more of a company may go when those of the companies `lent` go too."""
        room = self._shares.room_for(company_id, len(self._under_way.get(company_id, ())))
        if room > 0 and self._is_slow(company_id):
            slow = self._slow + sum(map(self._is_slow, lent))
            room = min(room, self._shares.most_slow - slow)
        return max(room, 0)

    def goes_besides(self, company_id: int, lent: Sequence[int] = ()) -> bool:
        """Whether one of a company goes although no sender is free: it has none on its way, and is not known slow."""
        is_quiet = not self._under_way.get(company_id) and not self._is_slow(company_id)
        return is_quiet and len(lent) < self._besides
