"""How often somebody may do something: a bucket of tokens for each, kept in this process."""

import threading
from collections.abc import Hashable

from portal import clock


class RateLimit:
    """At most `burst` calls at once, and `per_second` for good; what is not used comes back at that pace.

    Each process counts for itself: several of them admit as many times as much.
    """

    def __init__(self, *, per_second: float, burst: int) -> None:
        self._seconds_each = 1 / per_second
        self._seconds_ahead = burst / per_second
        self._free_at: dict[Hashable, float] = {}
        self._lock = threading.Lock()

    def take(self, who: Hashable) -> float:
        """Seconds until `who` may call again; 0.0 when this call is admitted, and counts."""
        now = clock.monotonic()
        with self._lock:
            free_at = max(self._free_at.get(who, now), now) + self._seconds_each
            if free_at - now > self._seconds_ahead:
                return free_at - now - self._seconds_ahead
            self._free_at[who] = free_at
            return 0.0
