"""The words for every reason, warning and refused address: made once here, the same on pages, API, e-mail and CLI.

Each text is in the reader's language at the moment it is asked for.
"""

from dataclasses import dataclass
from typing import Protocol

from flask_babel import format_decimal, gettext

from portal.rules.clues import Answered, Clue, find_clue
from portal.rules.reasons.addresses import PROBLEMS, WARNINGS
from portal.rules.reasons.answers import ANSWER_WARNINGS, ANSWERS, WARNING_TITLES
from portal.rules.reasons.clues import CLUES
from portal.rules.reasons.connections import CONNECTIONS
from portal.rules.reasons.statuses import ADVICE_BY_STATUS
from portal.rules.reasons.words import MAY_HAVE_ARRIVED

WORDS = ANSWERS | CONNECTIONS  # by reason code: all that the contract has
# The reasons without a whole answer, after which the receiver may have what was sent.
LEAVING_DOUBT = frozenset(reason for reason, words in WORDS.items() if words.leaves_doubt)


@dataclass(frozen=True, slots=True)
class Limits:
    """The times that a try is given, in seconds, as the sentences name them."""

    connect: float = 5.0  # for the name look-up, and for the connection with its TLS
    whole: float = 10.0


@dataclass(frozen=True, slots=True)
class Explanation:
    """What became of an attempt, in words: a title for lists, then whole sentences."""

    title: str
    seen: str
    rule: str
    advice: str  # what to do; of a delivered answer with a warning, what is odd about it and what to look at
    detail: str | None
    has_warning: bool
    offer: str | None  # the address to use instead, where the answer gave one

    @property
    def message(self) -> str:
        """All sentences in their order: what was seen, which rule decided, what to do."""
        return " ".join(part for part in (self.seen, self.rule, self.advice, self.detail) if part)


class Judged(Answered, Protocol):
    """What an attempt and an outcome have in common."""

    @property
    def warning(self) -> str | None: ...
    @property
    def detail(self) -> str | None: ...
    @property
    def request_sent(self) -> bool: ...


def explain_attempt(attempt: Judged, limits: Limits) -> Explanation:
    """Put what came of an attempt into words. Raises KeyError for a reason or warning that is not in the contract.

    A clue, else the status, chooses the advice; a warning stands in its place. The technical detail is shown last. A
    failure without a whole answer to what was sent says that the receiver may have got it all the same.
    """
    reason, status, warning = attempt.reason, attempt.status_code, attempt.warning
    words, clue = WORDS[reason], find_clue(attempt)
    facts = {
        "status": gettext("desconhecido") if status is None else status,
        "connect": f"{limits.connect:g}",
        "seconds": f"{limits.whole:g}",
    }
    advice = str(ADVICE_BY_STATUS.get((reason, status), words.advice)) % facts
    if warning:
        advice = " ".join((explain_warning(warning), *([explain_clue(clue)] if clue else [])))
    elif clue:
        advice = explain_clue(clue)
    if words.leaves_doubt and attempt.request_sent:
        advice = f"{advice} {MAY_HAVE_ARRIVED}"
    detail = attempt.detail and gettext("Detalhe técnico: %(detail)s.", detail=attempt.detail.rstrip("."))
    return Explanation(
        title=title_of(reason, warning),
        seen=str(words.seen) % facts,
        rule=str(words.rule) % facts,
        advice=advice,
        detail=detail or None,
        has_warning=warning is not None,
        offer=clue.offer if clue else None,
    )


# Reasons of which only another address, or a mended one, is the end: sending again brings nothing.
NOBODY_THERE = frozenset({"gone", "redirect", "invalid_url", "blocked_address", "dns_failure"})
NO_SUCH_PAGE = (404, 405, 410)


def is_dead_address(reason: str, status_code: int | None) -> bool:
    """Whether such an outcome says that the address itself is wrong."""
    return reason in NOBODY_THERE or (reason == "client_error" and status_code in NO_SUCH_PAGE)


def title_of(reason: str, warning: str | None = None) -> str:
    """The reason in one to four words, for lists; or what a delivered answer warns of. Raises KeyError."""
    if warning:
        return str(gettext("Respondeu 200, com um aviso: %(warning)s", warning=warning_title(warning)))
    return str(WORDS[reason].title)


def warning_title(warning: str) -> str:
    """The warning in a few words. Raises KeyError for an unknown code."""
    return str(WARNING_TITLES[warning])


def explain_clue(clue: Clue) -> str:
    """What to do about what an answer betrays. Raises KeyError for an unknown code."""
    facts = dict(clue.facts)
    if "size" in facts:
        facts["size"] = format_decimal(facts["size"])
    return str(CLUES[clue.code]) % facts


def explain_warning(warning: str) -> str:
    """What is odd about a delivered answer, and what to look at. Raises KeyError for an unknown code."""
    return str(ANSWER_WARNINGS[warning])


def explain_address(problem: str) -> str:
    """Why an address is refused (`AddressError.problem`), and what to write instead. Raises KeyError."""
    return str(PROBLEMS[problem])


def explain_address_warning(warning: str) -> str:
    """What is odd about an address that may be used all the same: `plain_http`, `unresolved`. Raises KeyError."""
    return str(WARNINGS[warning])
