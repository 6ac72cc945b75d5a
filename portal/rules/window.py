"""How many deliveries may be on their way to one endpoint: more while it keeps its pace, fewer when it slows.

Additive increase, multiplicative decrease, as TCP does it (RFC 5681): a window begins small and doubles with each round
of answers until the first late one; then it grows by one a round. A late answer took longer than twice the receiver's
best: so a slow receiver that serves many at once gets many, and one that serves them in turn is not flooded.
"""

from typing import NamedTuple

FIRST = 4.0
LATE_FACTOR = 2.0
GRACE_SECONDS = 0.1  # what an answer may take besides: our own load and the network's moods
# How much of the distance to each answer the best pace gives up: a receiver that became slower for good is that.
FORGETTING = 0.01


class Window(NamedTuple):
    """`best_seconds` is the receiver's pace at its best, None before its first answer."""

    size: float = FIRST
    best_seconds: float | None = None
    is_doubling: bool = True
    unheeded: int = 0  # answers that are still to come from before the window fell: they say nothing new


def after_answer(window: Window, seconds: float, *, in_use: int, most: int) -> Window:
    """The window after an answer in so many seconds, `in_use` being on their way: it grows only when used."""
    best = window.best_seconds
    is_late = best is not None and seconds > best * LATE_FACTOR + GRACE_SECONDS
    best = seconds if best is None else min(seconds, best + FORGETTING * (seconds - best))
    if is_late:
        return after_strain(window._replace(best_seconds=best), in_use=in_use)
    step = 1.0 if window.is_doubling else 1.0 / window.size
    size = window.size + step if in_use * 2 >= window.size else window.size
    return Window(min(size, float(most)), best, window.is_doubling, max(window.unheeded - 1, 0))


def after_strain(window: Window, *, in_use: int) -> Window:
    """The window after an answer that came late, or a refusal for want of strength: half as large, but at least 1."""
    if window.unheeded:
        return window._replace(unheeded=window.unheeded - 1)
    return window._replace(size=max(window.size / 2, 1.0), is_doubling=False, unheeded=max(in_use - 1, 0))
