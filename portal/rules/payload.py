"""The fixed body of the webhook: from plain values to the exact bytes of the source document.

The bytes are those of PHP's `json_encode`: what receivers written for the original product have been fed.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from typing import Any

MAX_DEPTH = 512  # json_encode's default depth
DEL = "\x7f"  # PHP writes it as it is, Python's encoder escapes it
HALVES = "\\ud"  # how the encoder begins both halves of a surrogate pair, and one that is alone
LISTS = (list, tuple)  # a union is made anew each time that it is asked for
MIN_INT, MAX_INT = -(2**63), 2**63 - 1  # PHP_INT_MIN, PHP_INT_MAX


DATES = ("invite_date", "accept_date", "collect_date", "reply_date")
FACTS = (
    "id",
    "name",
    *DATES,
    "linkedin_public_id",
    "current_company",
    "current_company_link",
    "role",
    "location",
    "email",
    "phone",
    "interest_level",
)
# The contact's keys, in the order of the source document; so are the others.
CONTACT = (*FACTS, "skills", "experiences")
SKILL, EXPERIENCE = ("skill", "endorsements"), ("experience", "company_link")
PERSON, CAMPAIGN = ("id", "name", "email"), ("id", "name", "description")
# A message's columns, of which the last is written as `pending_message`, 0 or 1.
MESSAGE = ("sender_name", "message", "date", "pending")
Values = Mapping[str, Any]


class EncodingError(ValueError):
    """The value cannot be written as JSON: `field` is its path, `problem` a stable code.

    Codes: `not_finite`, `int_range`, `depth`, `type`, and for UnencodableText `surrogate`, `nul`, `bytes`.
    """

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field or 'value'}: {problem}")
        self.field = field
        self.problem = problem


class UnencodableText(EncodingError):
    """The text holds something that cannot be stored, or cannot be written as JSON."""


def build_payload(
    *, contact: Values, contact_owner: Values, campaign: Values, messages: Sequence[Values], timezone: tzinfo
) -> dict[str, Any]:
    """Build the object of the source document, its keys in the document's order, from values by the names of columns.

    What is absent is null, or an empty list. Dates are aware datetimes, written in `timezone`, the company's. Raises
    ValueError for a datetime without a zone.
    """
    return {
        "contact": {
            **{
                name: _local_date(contact.get(name), timezone) if name in DATES else contact.get(name) for name in FACTS
            },
            "skills": [_pick(each, SKILL) for each in contact.get("skills", ())],
            "experiences": [_pick(each, EXPERIENCE) for each in contact.get("experiences", ())],
        },
        "contact_owner": _pick(contact_owner, PERSON),
        "campaign": _pick(campaign, CAMPAIGN),
        "messages": [
            {
                "sender_name": message["sender_name"],
                "message": message["message"],
                "date": _local_date(message["date"], timezone),
                "pending_message": int(message["pending"]),
            }
            for message in messages
        ],
    }


def _pick(values: Values, names: Sequence[str]) -> dict[str, Any]:
    return {name: values.get(name) for name in names}


def _local_date(moment: datetime | None, timezone: tzinfo) -> str | None:
    if moment is None:
        return None
    if moment.tzinfo is None:
        raise ValueError("a date without a time zone cannot be sent")
    return moment.astimezone(timezone).replace(tzinfo=None).isoformat(sep=" ", timespec="seconds")


def sample_payload() -> dict[str, Any]:
    """Return a fresh copy of the source document's sample, which test sends carry."""
    moment = datetime(2021, 1, 22, 12, 28, 47, tzinfo=UTC)
    link = "http://linkpara.empresa.teste"
    return build_payload(
        contact={
            "id": 0,
            "name": "Contato Teste",
            **dict.fromkeys(("invite_date", "accept_date", "collect_date"), moment),
            "linkedin_public_id": "contato-teste",
            "current_company": "Empresa Teste",
            "current_company_link": link,
            "role": "Teste",
            "location": "São Paulo, Brasil",
            "email": "teste@empresateste.com",
            "interest_level": 2,
            "skills": [{"skill": "skill 1", "endorsements": 1}, {"skill": "skill 2", "endorsements": 2}],
            "experiences": [{"experience": "Experiência 1", "company_link": link}],
        },
        contact_owner={"id": 0, "name": "Usuário Teste", "email": "teste@teste.com"},
        campaign={"id": 0, "name": "Campanha Teste", "description": "Descrição da campanha teste"},
        messages=[{"sender_name": "Usuário Teste", "message": "mensagem de teste", "date": moment, "pending": False}],
        timezone=UTC,
    )


def check_text(value: str, field: str) -> str:
    """Return `value` unchanged when it may be stored; call it where text enters.

    Raises UnencodableText: `surrogate` for half a surrogate pair, which is no character and has no UTF-8 form;
    `nul` for U+0000, which PostgreSQL's text columns refuse.
    """
    if "\0" in value:
        raise UnencodableText(field, "nul")
    if not is_storable(value):
        raise UnencodableText(field, "surrogate")
    return value


def is_storable(value: str) -> bool:
    """Whether the text may be stored, as `check_text` says it."""
    return "\0" not in value and (value.isascii() or _is_encodable(value))


def encode_body(payload: Any) -> bytes:
    """Encode `payload` to the bytes that PHP 8's `json_encode` gives with default flags.

    Raises EncodingError, naming the path, for what json_encode refuses: lone surrogates, bytes, NaN, infinities,
    nesting beyond 512 levels; also for keys that are no text, and ints beyond 64 bits, which PHP does not have.
    """
    # A slash occurs in texts only, so that one pass at the end escapes them all.
    return _encode(payload, None, 0).replace("/", "\\/").encode("ascii")


# The way to a value, innermost step first: cheap to carry, written out only when something is refused.
_Path = tuple["_Path", str | int] | None


def _encode(value: Any, path: _Path, depth: int) -> str:
    # One frame a level, so that the depth limit is met long before Python's own.
    if value is None:
        return "null"
    if isinstance(value, str):
        return _encode_text(value, path)
    is_object = isinstance(value, dict)
    if not is_object and not isinstance(value, LISTS):
        return _encode_scalar(value, path)
    if depth == MAX_DEPTH:
        raise EncodingError(_path_name(path), "depth")
    parts = []
    for step, item in value.items() if is_object else enumerate(value):
        # A text or nothing, which most values are, needs no frame of its own.
        if type(item) is str:
            text = _encode_text(item, (path, step))
        else:
            text = "null" if item is None else _encode(item, (path, step), depth + 1)
        parts.append(f"{_encode_key(step)}:{text}" if is_object else text)
    return f"{{{','.join(parts)}}}" if is_object else f"[{','.join(parts)}]"


def _encode_scalar(value: Any, path: _Path) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        if not MIN_INT <= value <= MAX_INT:
            raise EncodingError(_path_name(path), "int_range")
        return str(int(value))
    if isinstance(value, float):
        return _encode_float(value, path)
    if isinstance(value, bytes | bytearray | memoryview):
        raise UnencodableText(_path_name(path), "bytes")
    raise EncodingError(_path_name(path), "type")


@lru_cache(maxsize=256)  # the fixed body has about 40 different keys
def _encode_key(key: Any) -> str:
    if not isinstance(key, str):
        raise EncodingError(repr(key), "type")
    return _encode_text(key, (None, key))


def _encode_text(value: str, path: _Path) -> str:
    text = encode_basestring_ascii(value)
    if HALVES in text and not _is_encodable(value):
        raise UnencodableText(_path_name(path), "surrogate")
    if DEL not in value:
        return text
    inner = DEL.join(encode_basestring_ascii(part)[1:-1] for part in value.split(DEL))
    return f'"{inner}"'


def _is_encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _encode_float(value: float, path: _Path) -> str:
    """Write a float as PHP does: shortest digits, `1` for 1.0, an exponent from 1.0e+17 up and below 0.0001."""
    if not math.isfinite(value):
        raise EncodingError(_path_name(path), "not_finite")
    sign, digit_tuple, exponent = Decimal(repr(value)).as_tuple()
    point = len(digit_tuple) + int(exponent)  # the value is 0.DIGITS times ten to the power of point
    digits = "".join(map(str, digit_tuple)).rstrip("0")
    return "-" * sign + (_place_point(digits, point) if digits else "0")


def _place_point(digits: str, point: int) -> str:
    if not -3 <= point <= 17:
        return f"{digits[0]}.{digits[1:] or '0'}e{point - 1:+d}"
    if point <= 0:
        return f"0.{'0' * -point}{digits}"
    if point >= len(digits):
        return digits.ljust(point, "0")
    return f"{digits[:point]}.{digits[point:]}"


def _path_name(path: _Path) -> str:
    steps: list[str] = []
    while path is not None:
        path, step = path
        steps.append(f"[{step}]" if isinstance(step, int) else f".{step}")
    return "".join(reversed(steps)).removeprefix(".")
