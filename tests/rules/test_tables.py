"""Each part of a table or a pattern of the rules is needed by an example: what none needs is tested by nothing."""

from collections.abc import Iterable
from functools import partial
from types import ModuleType

import pytest

from portal.rules import clues, complaints, credentials, crm_link, error_words, escapes, identity, masking, services
from portal.rules.clues import find_clue
from portal.rules.complaints import without_echo
from portal.rules.verdict import judge
from tests.egress.test_clues import NO_CLUE, ROWS
from tests.rules import (
    test_complaints,
    test_credentials,
    test_crm_link,
    test_identity,
    test_masking,
    test_services,
    test_verdict,
)
from tests.tables import Example, examples_in, find_idle

ONLY_FASTER = {
    "portal.rules.identity": {r"(?:[a-z]{2,3}\.)?", "["},  # what they do not take is looked at closely
    "portal.rules.masking": {r"(?<![\w.+-])"},
}


def answers() -> Iterable[Example]:
    for body in (*test_complaints.GOOD, *test_complaints.COMPLAINTS):
        yield body, partial(judge, 200, body.encode())
    yield from ((name, partial(without_echo, sent, sent)) for name, sent in test_complaints.SENT_NAMES.items())
    texts = (
        test_verdict.test_harmless_json_has_no_warning,
        test_verdict.test_error_object_in_a_200_is_a_warning,
        test_verdict.test_words_of_an_error_are_a_warning,
        test_verdict.test_other_words_are_no_warning,
        test_verdict.test_a_script_that_is_shown_in_place_of_being_run_is_a_warning,
        test_verdict.test_json_that_does_not_parse_is_a_warning,
        test_verdict.test_a_line_of_a_log_is_no_json,
        test_complaints.test_a_complaint_is_told_from_its_nearest_neighbour,
    )
    names = {test.__name__ for test in texts}
    for module in (test_verdict, test_complaints):
        yield from examples_in(module, but={name for name in vars(module) if name not in names})


def of_services() -> Iterable[Example]:
    yield from examples_in(test_services)
    for row in (*ROWS, *NO_CLUE):
        headers = ", ".join(each for each in row.headers if "{" not in each).replace(": ", ":")
        outcome = test_services.Row(None, "", row.status, headers, row.body, f"http://{row.host}{row.path}").outcome
        yield str(row), partial(find_clue, outcome)


@pytest.mark.slow(20)
@pytest.mark.parametrize(
    ("module", "examples", "users"),
    [
        (error_words, answers(), ()),
        (complaints, answers(), ()),
        (services, of_services(), (clues,)),
        (clues, of_services(), ()),
        (identity, examples_in(test_identity), ()),
        (masking, examples_in(test_masking), ()),
        (escapes, examples_in(test_masking), ()),
        (credentials, examples_in(test_credentials), ()),
        (crm_link, examples_in(test_crm_link), ()),
    ],
)
def test_every_part_of_a_table_is_needed_by_an_example(
    module: ModuleType, examples: Iterable[Example], users: tuple[ModuleType, ...]
) -> None:
    idle = find_idle(module, list(examples), *users)
    assert [each for each in idle if each.partition(" ")[2] not in ONLY_FASTER.get(module.__name__, ())] == []
