"""What came of one try, for people to read in a terminal: the same sentences as on the pages."""

from portal.models import Attempt
from portal.webhook import Outcome


def explain_attempt(attempt: Attempt | Outcome) -> str:
    return attempt.reason


def show_attempt(attempt: Attempt | Outcome) -> None:
    print(attempt.reason)
