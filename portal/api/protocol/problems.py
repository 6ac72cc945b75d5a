"""What went wrong, as RFC 9457 says it: `application/problem+json` with a stable code and a sentence for people."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn, TypeVar

from flask import Blueprint, Response, json, request
from flask_babel import format_decimal
from sqlalchemy.exc import DBAPIError, IntegrityError
from werkzeug.exceptions import HTTPException, InternalServerError, default_exceptions

from portal.api.protocol.sentences import DETAILS, FIELD_SENTENCES, QUERY_REFUSED, TITLES
from portal.company.refusals import HeaderRefused, NotDelivered, Refusal, TooManyTests
from portal.contacts.classifying import ContactGone
from portal.database.db import db
from portal.database.filters import Filter
from portal.database.paging import InvalidCursor
from portal.egress import AddressError
from portal.vault import SecretError
from portal.web.errors import RETRY_AFTER_SECONDS, note_failure, note_trouble, note_unreadable

PROBLEM_TYPE = "application/problem+json"
MAX_ERRORS = 100  # field errors that one answer lists at most
MAX_PATH = 200

# The codes of what Flask itself refuses.
CODES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "request_too_large",
    415: "unsupported_media_type",
}

# Where (`3.contact.name`), and a stable code, with the limits that it speaks of: `too_long:300`.
FieldError = tuple[str, str]
F = TypeVar("F", bound=Filter)

logger = logging.getLogger(__name__)


class Problem(Exception):
    """The request ends here. `code` is the stable code, from which the sentence follows unless `detail` is given."""

    def __init__(
        self,
        status: int,
        code: str,
        *,
        detail: str | None = None,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
        **extra: str,
    ) -> None:
        super().__init__(code)
        self.status, self.code, self.detail = status, code, detail
        self.errors, self.headers, self.extra = errors, headers or {}, extra


def init_blueprint(blueprint: Blueprint) -> None:
    """Answer every error of the blueprint with a problem.

    Each status is named: Flask prefers an application's handler for one status to a blueprint's for all of them.
    """
    for status in default_exceptions:
        blueprint.register_error_handler(status, answer_http_error)
    blueprint.register_error_handler(HTTPException, answer_http_error)
    blueprint.register_error_handler(InternalServerError, answer_failure)
    blueprint.register_error_handler(Problem, answer_problem)
    blueprint.register_error_handler(DBAPIError, answer_trouble)
    blueprint.register_error_handler(IntegrityError, answer_conflict)
    blueprint.register_error_handler(SecretError, answer_unreadable)
    blueprint.register_error_handler(ContactGone, answer_gone)
    blueprint.register_error_handler(Refusal, answer_refusal)
    blueprint.register_error_handler(AddressError, answer_address)
    blueprint.register_error_handler(InvalidCursor, answer_cursor)


def answer_problem(problem: Problem) -> Response:
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": str(TITLES[problem.status]),
        "status": problem.status,
        "detail": problem.detail or str(DETAILS[problem.code]),
        "code": problem.code,
        **problem.extra,
    }
    if problem.errors:
        body["errors"] = list(problem.errors)
    response = Response(json.dumps(body), status=problem.status, content_type=PROBLEM_TYPE)
    response.headers.update(problem.headers)
    return response


def answer_http_error(error: HTTPException) -> Response:
    """What Flask or werkzeug refused; its headers, such as `Allow`, stay."""
    status = error.code if error.code in CODES else 400
    headers = {name: value for name, value in error.get_headers() if name.lower() != "content-type"}
    return answer_problem(Problem(status, CODES[status], headers=headers))


def answer_failure(error: InternalServerError) -> Response:
    """A fault of ours: the log has the details, under an id that the answer names."""
    return answer_problem(Problem(500, "internal_error", error_id=note_failure(error)))


def answer_trouble(error: DBAPIError) -> Response:
    """The database is locked, full, damaged or away: nothing was written, and the answer says by which cause."""
    trouble = note_trouble(error)
    detail, headers = str(trouble.sentence), {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return answer_problem(Problem(503, trouble.code, detail=detail, headers=headers))


def answer_conflict(error: IntegrityError) -> Response:
    """Two requests made the same thing at the same moment; nothing of this one was written."""
    db.session.rollback()
    logger.warning("Two requests met: %s", type(error.orig).__name__, extra={"action": "request_conflict"})
    return answer_problem(Problem(409, "conflict"))


def answer_unreadable(error: SecretError) -> Response:
    """A stored secret cannot be opened: people can mend that."""
    note_unreadable(error)
    return answer_problem(Problem(409, "secret_unreadable"))


def answer_gone(_error: ContactGone) -> Response:
    """The contact was erased while the request was under way: nothing of it was written."""
    db.session.rollback()
    return answer_problem(Problem(404, "not_found"))


def answer_refusal(refusal: Refusal) -> Response:
    """What a room refuses to do, in its own words."""
    db.session.rollback()
    status, facts = 409, dict[str, Any]()
    if isinstance(refusal, TooManyTests):
        status, facts = 429, {"headers": {"Retry-After": str(refusal.wait_seconds)}}
    elif isinstance(refusal, HeaderRefused):
        wrong = {"path": f"header.{refusal.part}", "code": refusal.problem, "message": refusal.sentence}
        status, facts = 422, {"errors": [wrong]}
    elif isinstance(refusal, NotDelivered):
        facts = {"reason": refusal.outcome.reason, "delivery_id": refusal.webhook_id}
    return answer_problem(Problem(status, refusal.code, detail=refusal.sentence, **facts))


def answer_address(error: AddressError) -> Response:
    """An address that the portal does not send to."""
    errors = [{"path": "url", "code": error.problem, "message": error.sentence}]
    return answer_problem(Problem(422, error.reason, detail=error.sentence, errors=errors, problem=error.problem))


def answer_cursor(_error: InvalidCursor) -> Response:
    """A cursor that no page has given."""
    return answer_problem(_refusal_of([("cursor", "invalid_cursor")]))


def refuse(errors: Sequence[FieldError]) -> NoReturn:
    """End the request with 422, naming the fields. Raises Problem."""
    raise _refusal_of(errors[:MAX_ERRORS])


def refuse_unknown(wanted: F, given: Mapping[str, Any], *, within: str = "") -> F:
    """Returns the filter that was read of these fields. Raises Problem when a field asks for what does not exist."""
    if wanted.unknown:
        names = (name if name in given else f"{name}_id" for name in wanted.unknown)
        refuse([(within + name, "unknown_value") for name in names])
    return wanted


def _refusal_of(errors: Sequence[FieldError]) -> Problem:
    detail = str(QUERY_REFUSED) if request.method in ("GET", "HEAD") else None
    return Problem(422, "invalid_fields", detail=detail, errors=[_field_error(*error) for error in errors])


def _field_error(path: str, code: str) -> dict[str, str]:
    """One field that is not accepted. What it may be at most, and at least, follows its code: `too_long:300`."""
    name, *limits = code.split(":")
    most_and_least = zip(("most", "least"), map(format_decimal, map(int, reversed(limits))), strict=False)
    sentence = str(FIELD_SENTENCES.get(name, FIELD_SENTENCES["invalid"])) % dict(most_and_least)
    return {"path": path[:MAX_PATH], "code": name, "message": sentence}


def flatten(messages: Any, path: str = "") -> Iterator[FieldError]:
    """Marshmallow's nested messages, which are codes here, as paths with their codes."""
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            yield from flatten(inner, path if key == "_schema" else f"{path}.{key}" if path else str(key))
    elif isinstance(messages, str):
        yield path, messages
    else:
        for inner in messages:
            yield from flatten(inner, path)
