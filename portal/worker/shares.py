"""How a worker's senders are shared out: nothing is claimed that would have to wait here."""

from collections import Counter
from collections.abc import Iterable, Sequence, Set
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
# A receiver that takes longer takes its time: its window holds it up, and not what recording its answers costs.
LEISURELY_SECONDS = 0.02
STRAINED = (429, 503)  # statuses of a receiver that gets more than it can take
NEW_WEIGHT = 0.3  # how much the last answer counts in the average of a receiver's pace
NEW_WINDOW = Window()
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
        self._company_of: dict[int, int] = {}  # whose each delivery on its way is
        self._young: dict[int, float] = {}  # when those began that have not waited for long; the oldest first
        self.number_of = Counter[int]()  # how many of a company are on their way
        self.silent_of = Counter[int]()  # how many of them have waited for long
        self.pace: dict[int, float] = {}  # in how many seconds a receiver answers, on an average
        self._windows: dict[int, Window] = {}
        self._in_use: dict[int, int] = {}  # how many of a company were on their way when it last got some
        self._next_at: dict[int, float] = {}  # when the rate lets the next of a company go
        self._look_at = inf  # when the first of those goes whom the rate kept waiting

    @property
    def under_way(self) -> int:
        return len(self._company_of)

    @property
    def takes_time(self) -> bool:
        """Whether each receiver that something is on its way to is leisurely, or worse."""
        return all(self.pace.get(each, 0.0) > LEISURELY_SECONDS for each in self.number_of)

    def look(self, recorded: Set[int] = frozenset()) -> "Look":
        """What may go now, once the deliveries in `recorded` are."""
        late = clock.monotonic() - SLOW_SECONDS
        while self._young and next(iter(self._young.values())) < late:
            number = next(iter(self._young))
            del self._young[number]
            self.silent_of[self._company_of[number]] += 1
        done = Counter(self._company_of[number] for number in recorded & self._company_of.keys())
        young = Counter(self._company_of[number] for number in self._young.keys() - recorded)
        return Look(self, done, young)

    def room_for(self, company_id: int, under_way: int) -> int:
        """How many more of a company its receiver and the rate take, while so many are on their way."""
        room = min(self._concurrency, int(self._windows.get(company_id, NEW_WINDOW).size)) - under_way
        return min(room, self._due_by_rate(company_id)) if self._interval else room

    def take(self, claims: Iterable[Claim]) -> None:
        """These go to the senders now."""
        now = clock.monotonic()
        for claim in claims:
            company_id = claim.company_id
            self._let_go(claim.delivery_id)  # it is here still, if its lease ended before anything came of it
            self._company_of[claim.delivery_id], self._young[claim.delivery_id] = company_id, now
            self.number_of[company_id] += 1
            self._in_use[company_id] = self.number_of[company_id]
            if self._interval:
                self._next_at[company_id] = self._begin_of_rate(company_id) + self._interval

    def done(self, claim: Claim, outcome: Outcome | None) -> None:
        """What came of a claim is recorded, if anything did."""
        company_id = claim.company_id
        self._let_go(claim.delivery_id)
        if outcome is not None:
            seconds = (outcome.duration_ms or 0) / 1000
            average = self.pace.get(company_id, seconds)
            self.pace[company_id] = average + NEW_WEIGHT * (seconds - average)
            self._adapt(company_id, outcome, seconds)

    def _let_go(self, number: int) -> None:
        """This delivery is on its way no longer, if it was."""
        company_id = self._company_of.pop(number, None)
        if company_id is not None:
            _take_one(self.number_of, company_id)
            if self._young.pop(number, None) is None:
                _take_one(self.silent_of, company_id)

    def _adapt(self, company_id: int, outcome: Outcome, seconds: float) -> None:
        """Let more go to a receiver that keeps pace, fewer to one that does not; other failures say nothing of it."""
        window, in_use = self._windows.get(company_id, NEW_WINDOW), self._in_use.get(company_id, 1)
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
        """Whether its receiver took long lately, or does so now."""
        return company_id in self.silent_of or self.pace.get(company_id, 0.0) > SLOW_SECONDS

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
    """What may go of each company at one moment, of which these are recorded, and these have not waited for long."""

    def __init__(self, shares: Shares, recorded: Counter[int], young: Counter[int]) -> None:
        self._shares, self._recorded = shares, recorded
        under_way = shares.under_way - recorded.total()
        quick = sum(number for company_id, number in young.items() if not self._is_doubtful(company_id))
        self._doubtful = under_way - quick
        self.expected = quick  # how many are likely to be answered soon
        self._besides = shares.senders + MOST_BESIDES - under_way
        held = quick + min(young.total() - quick, shares.most_slow)
        self.free = max(min(shares.senders - held, self._besides), 0)  # how many senders have nothing to do

    @property
    def full(self) -> list[int]:
        """The companies of which no more may go than is on its way."""
        none_is_left = self._doubtful >= self._shares.most_slow
        silent = [each for each in self._shares.silent_of if none_is_left and self._under_way(each)]
        rest = self._shares.number_of.keys() - silent
        return silent + [each for each in rest if not self.room_for(each)]

    def had_more_room_than(self, claims: Sequence[Claim]) -> bool:
        """Whether there was more room, of all and of each that is quick, than was taken: then nothing waits for any."""
        taken = Counter(claim.company_id for claim in claims)
        quick = (each for each in self._shares.number_of.keys() | taken if not self._shares.is_slow(each))
        room_left = (self.room_for(each) - taken[each] for each in quick)
        return self.free > len(claims) and all(left > 0 for left in room_left)

    def room_for(self, company_id: int, lent: Sequence[int] = ()) -> int:
        """How many more of a company may go when those of the companies `lent` go too."""
        room = self._shares.room_for(company_id, self._under_way(company_id))
        if room > 0 and self._is_doubtful(company_id):
            doubtful = self._doubtful + sum(map(self._is_doubtful, lent))
            room = min(room, max(self._shares.most_slow - doubtful, int(self.goes_besides(company_id, lent))))
        return max(room, 0)

    def goes_besides(self, company_id: int, lent: Sequence[int] = ()) -> bool:
        """Whether one of a company goes although no sender is free: it has none on its way, and is not known slow."""
        is_quiet = not self._under_way(company_id) and not self._shares.is_slow(company_id)
        return is_quiet and len(lent) < self._besides

    def _under_way(self, company_id: int) -> int:
        return self._shares.number_of[company_id] - self._recorded[company_id]

    def _is_doubtful(self, company_id: int) -> bool:
        """Whether its receiver is slow, or was never heard."""
        return company_id not in self._shares.pace or self._shares.is_slow(company_id)


def _take_one(counts: Counter[int], key: int) -> None:
    """One less of these; what there is none of is left out."""
    counts[key] -= 1
    if not counts[key]:
        del counts[key]
