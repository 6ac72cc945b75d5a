"""Dispatching: the only place that sees both the outbox and the network.

One thread turns: it records what came back and claims what is due, in one transaction, and hands the claims to the
sender. It claims only what may go at once, so that claimed and being sent are the same. The sender holds no transaction
and no session. Everything between the two is in memory and may be lost: what was claimed and not recorded is recovered
when its lease ends.
"""

import logging
import random
from datetime import datetime
from queue import Empty, SimpleQueue

from sqlalchemy import Connection, Engine

from portal import clock, outbox
from portal.config import Settings
from portal.database.db import AWAY, BUSY_TIMEOUT_SECONDS, looking
from portal.database.driver import apart
from portal.database.words import transaction_of_words
from portal.egress import Egress
from portal.outbox import Claim, Rules
from portal.vault import Vault
from portal.webhook import Outcome
from portal.worker.rounds import Round
from portal.worker.sender import Result, Sender
from portal.worker.shares import Shares

BATCH = 50  # results recorded in one transaction, at most
# How long a batch waits for more after its first result: what trickles in waits for no other to be replaced.
GATHER_SECONDS = 0.001
# The same where all receivers take their time: what a turn costs is not what holds these up, and each wait is.
BRIEF_SECONDS = 0.0001
# Where nothing waits for room, a turn begins no sooner after the one before: deliveries that come singly share commits.
PACE_SECONDS = 0.01
# The longest sleep between two looks at the outbox when nobody wakes the dispatcher: a net below ticks and rings.
LOOK_SECONDS = 5.0
# After so long without a look at the outbox something is wrong.
SILENT_SECONDS = LOOK_SECONDS + 2 * BUSY_TIMEOUT_SECONDS

logger = logging.getLogger(__name__)


class Dispatcher(Round):
    """Brings due deliveries to their endpoints, about `worker_threads` of them at the same time (`worker.shares`)."""

    def __init__(self, engine: Engine, settings: Settings, vault: Vault, egress: Egress) -> None:
        super().__init__("outbox")
        self._engine = engine
        # Kept while there is something to do: to take one for each turn takes as long as several statements.
        self._connection: Connection | None = None
        self._settings = settings
        self._shares = Shares(settings.endpoint_concurrency, senders=settings.worker_threads, rate=settings.rate_limit)
        # What came of a claim; a claim that was not sent; or nothing, to wake up.
        self._inbox: SimpleQueue[Result | Claim | None] = SimpleQueue()
        self._unrecorded: list[Result] = []
        self._unsent: list[Claim] = []
        self._look = True
        self._not_before = 0.0  # a turn has time until then
        self._woken = True  # somebody called, or a tick did: leases are looked after too
        self._clock = clock.StepWatch()
        self._mend_times = True  # a clock may have run ahead when what the outbox holds was written
        self._leases_hold_until = 0.0
        self._sender = Sender(settings, vault, egress, inbox=self._inbox, on_wrong_key=self._refuse_key)

    def wake(self) -> None:
        self._inbox.put(None)

    @property
    def is_well(self) -> bool:
        """Whether it reached the outbox lately."""
        return clock.monotonic() - self.turned_at < SILENT_SECONDS

    def run(self) -> None:
        """Dispatch until `stop`; then finish what is being sent, give back the rest, and return."""
        super().run()
        self._finish()
        self._disconnect()

    def turn(self) -> float:
        """Wait for results or a wake-up; record, recover and claim in one transaction; hand out the claims."""
        self._gather(self._shares.pause(LOOK_SECONDS))
        self._sender.put(self._exchange(claiming=True))
        return 0.0

    def mend(self, error: Exception) -> None:
        """Nothing of the exchange happened: leave out what cannot be recorded at all, and look again."""
        self._look = True
        self._disconnect()
        if not isinstance(error, AWAY):
            self._record_singly()

    def _record_singly(self) -> None:
        """Record each result by itself, so that one that the database does not take keeps no other from it."""
        for result in list(self._unrecorded):
            try:
                self._record_alone(*result)
            except AWAY:
                return
            except Exception:  # its lease ends, and its tries do too
                logger.exception("A result could not be recorded.", extra={"action": "outbox_refused"})
            self._unrecorded.remove(result)
            self._shares.done(result[0], None)

    def _record_alone(self, claim: Claim, outcome: Outcome) -> None:
        try:
            with self._engine.begin() as connection:
                outbox.settle(connection, [(claim, outcome)], self._rules())
        except AWAY:
            raise
        except Exception as error:
            with self._engine.begin() as connection:
                outbox.settle(connection, [(claim, Outcome.internal_error(url=claim.url, error=error))], self._rules())

    def _gather(self, timeout: float) -> None:
        """Take results and wake-ups from the inbox: wait for the first, then for what follows closely."""
        first_at = 0.0
        may_go = self._shares.look()
        silent = self._shares.under_way - may_go.expected
        more = BRIEF_SECONDS if self._shares.takes_time else GATHER_SECONDS
        is_busy = self._unrecorded or self._unsent or (self._look and may_go.free)
        if is_busy:
            self._keep_pace()
        wait = self._pause_for_more(silent, more) if is_busy else timeout
        try:
            while len(self._unrecorded) < BATCH:
                item = self._inbox.get(timeout=wait) if wait else self._inbox.get_nowait()
                if item is None:
                    self._look = self._woken = True
                elif isinstance(item, Claim):
                    self._unsent.append(item)
                else:
                    self._unrecorded.append(item)
                self._keep_pace()
                now = clock.monotonic()
                first_at = first_at or now
                wait = max(first_at + self._pause_for_more(silent, more) - now, 0.0)
        except Empty:
            self._woken = self._woken or wait == LOOK_SECONDS
            self._look = self._look or wait == timeout

    def _keep_pace(self) -> None:
        left = self._not_before - clock.monotonic()
        if left > 0:
            clock.sleep(left)

    def _pause_for_more(self, silent: int, seconds: float) -> float:
        """How long more is waited for after the first, if more is to come; for none of the `silent`."""
        is_expecting = self._shares.under_way - silent > len(self._unrecorded) + len(self._unsent)
        return seconds if is_expecting else 0.0

    def _exchange(self, *, claiming: bool) -> list[Claim]:
        """One transaction: record results, give back what was not sent, and claim what there is room for."""
        self._heed_clock()
        now, self._not_before = clock.utcnow(), clock.monotonic() + PACE_SECONDS
        done = [*self._unsent, *(claim for claim, _ in self._unrecorded)]
        look = claiming and bool(self._look or done)
        mend = look and (self._woken or self._mend_times)
        if not done and not (look and (self._mend_times or self._has_due(now))):
            self._look, self._woken = self._look and not look, self._woken and not look
            self._disconnect()
            return []
        rules = self._rules(now)
        claims: list[Claim] = []
        connection = self._connection = self._connection or self._engine.connect()
        with transaction_of_words(connection):
            outbox.release(connection, self._unsent)
            outbox.settle(connection, self._unrecorded, rules)
            if mend:
                with apart(connection):
                    self._mend(connection, rules)
            if look:
                may_go = self._shares.look({claim.delivery_id for claim in done})
                claims = outbox.claim_due(
                    connection,
                    now=now,
                    lease=self._settings.lease,
                    limit=may_go.free,
                    room_for=may_go.room_for,
                    goes_besides=may_go.goes_besides,
                    full=may_go.full,
                )
                if not may_go.had_more_room_than(claims):
                    self._not_before = 0.0  # what waits for room goes as soon as there is some
        self._mend_times, self._woken = self._mend_times and not mend, self._woken and not mend
        self._account(claims)
        if look:  # again where somebody has room left; with none left, only what is done makes some
            may_go = self._shares.look()
            self._look = any(may_go.room_for(each) for each in {claim.company_id for claim in claims})
        return claims

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _account(self, claims: list[Claim]) -> None:
        """What was returned is recorded now, and these claims go."""
        for claim in self._unsent:
            self._shares.done(claim, None)
        for claim, outcome in self._unrecorded:
            self._shares.done(claim, outcome)
        self._unrecorded, self._unsent = [], []
        self._shares.take(claims)

    def _rules(self, now: datetime | None = None) -> Rules:
        return Rules(self._settings.retry_schedule, now=now or clock.utcnow(), jitter=random.random)

    def _heed_clock(self) -> None:
        """A clock that was set makes leases look as if they had ended, or as if they never would."""
        step = self._clock.step()
        if step:
            logger.warning("The clock was set by %.0f seconds.", step, extra={"action": "clock_set"})
        if step > 0:
            self._leases_hold_until = clock.monotonic() + self._settings.lease.total_seconds()
        self._mend_times = self._mend_times or step < 0

    def _mend(self, connection: Connection, rules: Rules) -> None:
        """End the leases of the dead, after a leap of the clock only once the living could record; cancel strays."""
        lease = self._settings.lease
        if self._mend_times:
            outbox.pull_forward(connection, now=rules.now, longest=rules.schedule.longest, lease=lease)
        if not outbox.has_loose_ends(connection, now=rules.now):
            return
        if clock.monotonic() >= self._leases_hold_until:
            outbox.recover(connection, rules, lease=lease)
        outbox.cancel_strays(connection)

    def _has_due(self, now: datetime) -> bool:
        with looking(self._engine) as connection:
            return outbox.has_due(connection, now=now, full=self._shares.look().full)

    def _refuse_key(self) -> None:
        if not self.is_stopping:
            logger.critical(
                "A stored secret was encrypted with another secret key: this worker stops, and sends nothing. "
                "Start it with the key of the others.",
                extra={"action": "wrong_key"},
            )
        self.stop()

    def _finish(self) -> None:
        self._sender.stop()
        end = clock.monotonic() + self._settings.deadline + 1
        while self._shares.under_way and clock.monotonic() < end:
            self._look = False
            self._gather(0.1)
            with self.enduring():
                self._exchange(claiming=False)
