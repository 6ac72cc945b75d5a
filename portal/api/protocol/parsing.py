"""Reading requests: strict JSON in UTF-8, known fields only, and errors that name the field."""

import json
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext
from http import HTTPStatus
from typing import Any, NoReturn, TypeVar

from flask import Request, request
from flask_smorest import Blueprint  # type: ignore[import-untyped]
from marshmallow import RAISE, Schema, ValidationError
from webargs import missing
from webargs.flaskparser import FlaskParser

from portal.api.protocol.fields import Object
from portal.api.protocol.problems import MAX_ERRORS, FieldError, Problem, flatten, refuse
from portal.api.protocol.unchanged import document_unchanged
from portal.web.access import Pages

# The statuses of every route, and of every one that takes JSON.
COMMON_PROBLEMS, BODY_PROBLEMS = {401, 429, 500, 503}, {400, 413, 415}
MOST_MEMBERS = 1000  # how many members an object may have; every schema has fewer
# In characters. Longer bodies are read one at a time: reading one holds up every thread of the process.
LARGE = 512 * 1024

_one_at_a_time = threading.Lock()

View = TypeVar("View", bound=Callable[..., Any])


class JsonParser(FlaskParser):
    """Takes `application/json` and nothing else; what a schema does not know is refused, in queries too."""

    DEFAULT_UNKNOWN_BY_LOCATION = FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION | {"json": RAISE, "query": RAISE}

    def parse(self, argmap: Any, req: Request | None = None, *, location: str | None = None, **options: Any) -> Any:
        """What comes in, as the schema has it. No header has to be there, and mostly none is: nothing is read then."""
        if location == "headers" and not any(
            (each.data_key or name) in request.headers for name, each in argmap.fields.items()
        ):
            return {}
        return super().parse(argmap, req, location=location, **options)

    def load_json(self, req: Request, schema: Schema) -> Any:
        """The body's value; nothing where the schema says `optional_body` and there is none. Raises Problem."""
        return missing if getattr(schema, "optional_body", False) and not req.get_data() else read_json(req)

    def load_querystring(self, req: Request, schema: Schema) -> Any:
        """The query's values, each of which stands there once. Raises Problem."""
        if repeated := [name for name, values in req.args.lists() if len(values) > 1]:
            refuse([(name, "repeated_field") for name in repeated])
        return super().load_querystring(req, schema)

    def handle_error(self, error: ValidationError, *_args: Any, **_kwargs: Any) -> NoReturn:
        """Answer 422. Webargs puts the messages below the name of the place that they are about."""
        refuse([found for messages in error.messages_dict.values() for found in flatten(messages)])


class ApiBlueprint(Pages, Blueprint):
    """Routes that are documented, and whose arguments are read by our rules."""

    ARGUMENTS_PARSER = JsonParser()

    def __init__(self, *given: Any, tag: str | None = None, **options: Any) -> None:
        super().__init__(*given, **options)
        self._tags = [tag]
        self._prepare_doc_cbks.append(document_unchanged)

    def route(self, rule: str, **options: Any) -> Callable[[View], View]:
        """`PUT /causes/<cause>/note`, and whom it admits; stands on top.

        The view's name is the operation's. `problems` are what it answers with besides what follows from its parts.
        """
        method, path = rule.split()
        problems = {*COMMON_PROBLEMS, *options.pop("problems", ())}
        if options["access"] == "admin":
            problems.add(HTTPStatus.FORBIDDEN)
        if "<" in path:
            problems.add(HTTPStatus.NOT_FOUND)
        register = super().route(path, methods=[method], tags=self._tags, **options)

        def decorate(view: View) -> View:
            statuses = sorted(problems | (BODY_PROBLEMS if takes_body(view) else set()))
            names = {status: HTTPStatus(status).name for status in statuses}
            documented: View = self.doc(operationId=camel_case(view.__name__), responses=names)(view)
            return register(documented)

        return decorate

    def arguments(self, schema: type[Schema], **options: Any) -> Any:
        """Describes what comes in. The view gets it as its first argument."""
        return super().arguments(schema(), **options)  # made once, and not for each call


def takes_body(view: Callable[..., Any]) -> bool:
    """Whether the arguments of a view come as JSON."""
    arguments = view._apidoc.get("arguments", {"parameters": ()})  # type: ignore[attr-defined]
    return any(each["in"] == "json" for each in arguments["parameters"])


def camel_case(name: str) -> str:
    """`listContacts` of `list_contacts`."""
    first, *others = name.split("_")
    return first + "".join(map(str.title, others))


def read_json(req: Request) -> Any:
    """The value of a JSON body. Raises Problem (400 or 415), and what Flask raises for a body that is too large."""
    if req.mimetype != "application/json":
        raise Problem(415, "unsupported_media_type")
    try:
        text = req.get_data().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Problem(400, "not_utf8") from error
    try:
        with _one_at_a_time if len(text) > LARGE else nullcontext():
            return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_make_object)
    except RecursionError as error:
        raise Problem(400, "too_deep") from error
    except ValueError as error:
        raise Problem(400, "malformed_json") from error


def load_many(form: Object, given: list[Any], *, most: int) -> tuple[dict[int, Any], dict[int, list[FieldError]]]:
    """What was sent, in the form's types, and each wrong field, both by place. Raises Problem for too many.

    It looks no further where there is more wrong than an answer lists.
    """
    if len(given) > most:
        refuse([("", f"too_many:{most}")])
    items: dict[int, Any] = {}
    errors: dict[int, list[FieldError]] = {}
    for place, item in enumerate(given):
        if sum(map(len, errors.values())) > MAX_ERRORS:
            break
        try:
            items[place] = form.deserialize(item)
        except ValidationError as error:
            errors[place] = list(flatten(error.messages))
    return items, errors


def _make_object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of a request. Refuses one that has more members than any schema, or one member twice."""
    if len(members) > MOST_MEMBERS:
        refuse([("", f"too_many:{MOST_MEMBERS}")])
    made = dict(members)
    if len(made) < len(members):
        names = Counter(name for name, _ in members)
        refuse([(name, "repeated_field") for name, times in names.items() if times > 1])
    return made


def _refuse_constant(name: str) -> NoReturn:
    """NaN and the infinities are Python's idea, not JSON's."""
    raise ValueError(f"{name} is not JSON")
