"""What programs read by name never changes: each code, state and status stands here once more, as it was promised."""

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import portal
from portal.api.protocol import problems, sentences
from portal.company.refusals import Refusal
from portal.contacts import standing
from portal.importing import words
from portal.people import passwords, users

REFUSALS = {
    "BadSpan": "bad_span",
    "BodyPurged": "body_purged",
    "ChangedMeanwhile": "conflict",
    "HeaderRefused": "invalid_header",
    "LinkRefused": "invalid_link",
    "NeedsConfirmation": "confirmation_needed",
    "NoAddress": "webhook_unset",
    "NoLastDay": "no_last_day",
    "NoLevel": "no_level",
    "NoTarget": "no_target",
    "NotDelivered": "test_failed",
    "NotForTests": "test_delivery",
    "Overtaken": "overtaken",
    "OwnerGone": "owner_gone",
    "PersonErased": "person_erased",
    "SameContact": "same_contact",
    "TooManyTests": "too_many_tests",
    "TooManyTokens": "too_many_tokens",
}
WORDS = {
    "DETAILS": (
        "bad_request malformed_json not_utf8 too_deep missing_token invalid_token token_over scope_missing forbidden "
        "not_found method_not_allowed conflict request_under_way idempotency_key_reused webhook_unset "
        "secret_unreadable body_purged person_erased test_delivery request_too_large unsupported_media_type "
        "invalid_fields too_many_calls internal_error database_busy database_away disk_full disk_error "
        "database_read_only schema_mismatch database_damaged"
    ),
    "FIELD_SENTENCES": (
        "invalid required null unknown_field repeated_field unknown unknown_level unknown_value not_an_object "
        "not_a_list not_an_integer not_a_text not_a_count not_a_boolean not_a_flag not_a_date not_a_time not_an_email "
        "not_a_key out_of_range too_long too_many no_address nul surrogate bad_span invalid_cursor"
    ),
    "TITLES": "400 401 403 404 405 409 413 415 422 429 500 503",
    "KIND_WORDS": "linkedin hubspot pipedrive piperun rdstation portal generic jsonl",
    "PROBLEM_WORDS": (
        "required unknown_level not_a_phone rounded formula first_of_several told_before described_before first_email "
        "first_phone no_campaign "
        "marks_removed not_an_email example_email not_a_profile link_lost not_a_date not_a_text not_a_count not_a_list "
        "not_an_object too_long too_many unknown not_of_company unknown_owner thread_full name_hidden nul surrogate "
        "perhaps_title first_value not_a_site not_a_flag"
    ),
    "ROW_WORDS": (
        "unclosed_quote extra_cells line_too_long too_many_columns no_contact footer title repeated_header "
        "other_table of_other_table "
        "explains_columns example_row row_joined nuls_removed not_json repeated_field unknown_fields "
        "merged_away not_saved"
    ),
    "FILE_WORDS": (
        "empty zip compressed pdf vcard html xml broken_spreadsheet spreadsheet_too_large no_such_sheet no_such_column "
        "no_such_field no_columns no_encoding no_sheets binary undecodable json_list no_header too_many_columns "
        "too_many_rows too_many_files too_large no_name gone erased interrupted internal_error"
    ),
}
STATES = {
    "in_sync waiting out_of_sync never_sent": standing.SYNC_STATES,
    "in_sync data_changed with_warning level_removed waiting out_of_sync never_sent": standing.SHOWN_STATES,
    "active invited without_login disabled": users.USER_STATES,
    "too_short too_long too_common taken taken_here owns_contacts unchanged too_soon not_an_email last_admin": (
        passwords.ACCOUNT_WORDS
    ),
}


def kinds_of(refusal: type[Refusal]) -> Iterator[type[Refusal]]:
    for kind in refusal.__subclasses__():
        yield kind
        yield from kinds_of(kind)


def test_every_refusal_has_the_code_that_it_was_promised_and_words() -> None:
    for room in ("company", "contacts", "deliveries", "people", "report"):
        for module in pkgutil.iter_modules([f"{portal.__path__[0]}/{room}"], f"portal.{room}."):
            importlib.import_module(module.name)
    kinds = {kind for kind in kinds_of(Refusal) if kind.__module__.startswith("portal.") and hasattr(kind, "code")}
    assert {kind.__name__: kind.code for kind in kinds} == REFUSALS


@pytest.mark.parametrize("table", WORDS)
def test_every_code_of_the_api_and_of_imports_has_a_sentence(table: str) -> None:
    module = sentences if hasattr(sentences, table) else words
    assert sorted(map(str, getattr(module, table))) == sorted(WORDS[table].split())


def test_what_flask_refuses_has_a_code() -> None:
    assert problems.CODES == {
        400: "bad_request",
        404: "not_found",
        405: "method_not_allowed",
        413: "request_too_large",
        415: "unsupported_media_type",
    }


@pytest.mark.parametrize("names", STATES)
def test_states_are_those_that_pages_and_programs_name(names: str) -> None:
    assert list(STATES[names]) == names.split()


ACTIONS = """
act_unnoted backup_failed backup_made bell_unheard clock_set connections_refused email_notice_failed
erasures_unwritten host_refused instance_shared look_unnoted not_started notice_failed origin_refused
outbox_refused outbox_unreachable proxied_unknown report_failed request_conflict request_failed
reset_mail_dropped reset_mail_failed rewrite_skipped secret_unreadable send_failed serving task_failed
task_lost tasks_unreachable worker_died worker_killed worker_started worker_stopped
"""
LOGGING = {"debug", "info", "warning", "error", "exception"}


def calls_of_the_log() -> list[ast.Call]:
    files = sorted(Path(portal.__path__[0]).rglob("*.py"))
    calls = [node for file in files for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
    starts = {f"logger.{level}" for level in LOGGING} | {f"logging.getLogger(__name__).{level}" for level in LOGGING}
    return [call for call in calls if ast.unparse(call.func) in starts]


def test_every_line_of_the_log_says_what_happened_by_a_word_that_alerts_may_look_for() -> None:
    extras = [{each.arg: each.value for each in call.keywords}.get("extra") for call in calls_of_the_log()]
    assert len(extras) > 40
    assert None not in extras
    words = {
        value.value
        for extra in extras
        for each in ast.walk(extra or ast.Constant(None))
        if isinstance(each, ast.Dict)
        for key, value in zip(each.keys, each.values, strict=True)
        if isinstance(key, ast.Constant) and key.value == "action" and isinstance(value, ast.Constant)
    }
    assert words == set(ACTIONS.split())
