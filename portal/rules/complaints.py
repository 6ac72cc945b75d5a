"""What an answer that was accepted complains of: in the fields of its JSON, or in the words of its text. Pure."""

import json
import re
from collections.abc import Iterator
from typing import Any

_SOURCE_STARTS = ("<?php", "<?=", "<%", "#!/")
"""How the scripts of PHP, JSP, ASP and shells begin: a server that does not run them shows them."""
_JSON_START = re.compile(r"\{|\[\s*+(?:[\[{\"\]]|-?\d++\s*+[,\]])")
_ITEMS_READ, _DEPTH_READ, _WORDS_SEARCHED = 100, 4, 64 * 1024


def of_value(value: Any) -> str | None:
    """The warning of a JSON answer, or None."""
    if isinstance(value, str):
        inner = _unwrap(value)
        return ("error_words" if _has_error_words(value) else None) if isinstance(inner, str) else of_value(inner)
    objects = list(_objects_of(value))
    if any(_says_error(key, item) for facts in objects for key, item in facts) or _has_user_errors(value):
        return "error_in_json"
    return "error_words" if any(_has_error_message(facts) for facts in objects) else None


def of_text(text: str, content_type: str) -> str | None:
    """The warning of an answer in text, or None."""
    if text.startswith(_SOURCE_STARTS):
        return "source_code"
    if _has_error_words(text):
        return "error_words"
    media_type = content_type.partition(";")[0].strip().lower()
    return "invalid_json" if media_type.endswith(("/json", "+json")) or _JSON_START.match(text) else None


def parse_json(text: str) -> Any:
    """Parse strictly; ints become floats, because Python refuses to read very long ones."""
    return json.loads(text, parse_int=float, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


# --- JSON

# Keys are compared without case and signs, so that errorCode, error_code and Error-Code are one.
_ERROR_KEY = re.compile(
    r"(?:has|is|num|total|qtd|qtde)?(?:error|erro)s?(?:count|list)?|[a-z]+errors"
    r"|err|err(?:or)?(?:no|code|msg|messages?|description|details?|type)"
    r"|exceptions?|fault(?:code|string)?|fail(?:ed|ures?)(?:count)?|falhas?"
)
_SUCCESS_KEY = re.compile(
    r"(?:is|was)?(?:success|successful|succeeded|ok|accepted|received|saved|valid)"
    r"|sucesso|aceit[oa]|recebid[oa]|salv[oa]|status"
)
_STATUS_KEY = re.compile(r"(?:http)?(?:status|code)|statuscode|state|result|resultado|outcome|situacao")
_TYPE_KEY = re.compile(r"type|object|tipo")
_MESSAGE_KEY = re.compile(
    r"(?:status)?(?:message|msg|mensagem)|details?|title|description|descricao(?:status)?|reason|motivo"
)
_ERROR_STATUS = re.compile(
    r"(?<!no )(?<!not )(?<!sem )(?<!without )\b(?:errors?|erros?|fail|failed|failure|falha|falhou|exception|fatal"
    r"|ko|nok|not (?:ok|found|authori[sz]ed|allowed)|bad request|unauthori[sz]ed|forbidden|denied|negad[oa]|invalid"
    r"|inv[áa]lid[oa]|reject|rejected|rejeitad[oa]|recusad[oa]|refused)\b|^[45][0-9][0-9]$"
)
_ERROR_TYPE = re.compile(r"(?:\w* )?(?:error|erro|exception|fault)|[a-z]+(?:error|exception)")
_WRAPPERS = frozenset(
    ("body", "data", "payload", "resposta", "response", "responses", "result", "results", "resultado", "retorno")
)
"""Keys that answers put their whole content under."""
_NOTHING = re.compile(
    r"[\W_0]*|0\.0|n/?a|false|no|none|null|nil|undefined|não|nao|nenhum[a]?|200|ok|success|successful|sucesso"
    r"|(?:no|sem|nenhum|nenhuma|zero|without) (?:errors?|erros?|exceptions?|failures?|falhas?)[.!]?"
)
_FALSE = re.compile(r"false|no|0|não|nao")
_Facts = list[tuple[str, Any]]


def _objects_of(value: Any, depth: int = 0) -> Iterator[_Facts]:
    """The fields of the answer's own objects: its items, and what it wraps; a text that is JSON is read, too."""
    if depth > _DEPTH_READ:
        return
    value = _unwrap(value)
    if isinstance(value, list):
        for item in value[:_ITEMS_READ]:
            if isinstance(item, dict):
                yield from _objects_of(item, depth + 1)
    elif isinstance(value, dict):
        yield [(_fold(key), item) for key, item in value.items()]
        for key, item in value.items():
            if key.lower() in _WRAPPERS:
                yield from _objects_of(item, depth + 1)


def _has_user_errors(value: Any) -> bool:
    """Whether a call of GraphQL says why it did nothing: beside its errors, in the result of the mutation."""
    data = value.get("data") if isinstance(value, dict) else None
    results = [item for item in data.values() if isinstance(item, dict)] if isinstance(data, dict) else []
    return any(
        _fold(key).endswith("errors") and _says_something(item) for result in results for key, item in result.items()
    )


def _unwrap(value: Any) -> Any:
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return parse_json(value)
        except (ValueError, RecursionError):
            pass
    return value


def _fold(key: str) -> str:
    return re.sub(r"[^a-z]", "", key[:40].lower())


def _says_error(key: str, item: Any) -> bool:
    if _ERROR_KEY.fullmatch(key):
        return _says_something(item)
    word = re.sub(r"[\W_]+", " ", item[:80]).strip().lower() if isinstance(item, str) else ""
    if _TYPE_KEY.fullmatch(key):
        return _ERROR_TYPE.fullmatch(word) is not None
    if _STATUS_KEY.fullmatch(key) and (_ERROR_STATUS.search(word) or _is_error_number(item)):
        return True
    if _SUCCESS_KEY.fullmatch(key):
        # A status of 0 mostly means that all is well.
        return item is False or (key != "status" and (item == 0 or _FALSE.fullmatch(word) is not None))
    return False


def _says_something(item: Any, depth: int = 0) -> bool:
    """Whether what stands for an error is one: not 0, "none", "no errors", nor a list or an object of such things."""
    if isinstance(item, (list, dict)) and depth < _DEPTH_READ:
        inner = item.values() if isinstance(item, dict) else item
        return any(_says_something(each, depth + 1) for each in inner)
    if isinstance(item, str):
        return len(item) > 40 or not _NOTHING.fullmatch(item.strip().lower())
    return bool(item) and item != 200


def _has_error_message(facts: _Facts) -> bool:
    if any(item is True and _SUCCESS_KEY.fullmatch(key) for key, item in facts):
        return False
    return any(isinstance(item, str) and _has_error_words(item) for key, item in facts if _MESSAGE_KEY.fullmatch(key))


def _is_error_number(item: Any) -> bool:
    return isinstance(item, float) and 400 <= item <= 599


# --- text


def _any_accents(pattern: str) -> str:
    """The pattern, which finds words without their accents too, and those of Latin-1 that were read as UTF-8."""
    plain = {"ã": "a", "á": "a", "ç": "c", "é": "e", "í": "i", "ó": "o", "õ": "o", "ô": "o"}
    return "".join(f"[{each}{plain[each]}\ufffd]" if each in plain else each for each in pattern)


# An underscore parts words here (EVENT_ERROR), and a capital does for the names of exceptions (TypeError). A closing
# tag says nothing that its opening one did not.
_ERROR_WORDS = re.compile(
    _any_accents(
        r"""
    (?: (?<![^\W_])
        (?: errors? | erros? | exceptions? | exceç(?:ão|ões) | fatal | fail(?:s|ed|ures?)? | falh(?:as?|ou|aram)
          | faults? | faultstring | warnings? | denied | negad[oa] | unauthori[sz]ed | forbidden | rejected
          | rejeitad[oa] | refused | recusad[oa] | invalid | inválid[oa]s? | expired | expirad[oa] | expirou )
      | (?<=[a-z]) (?-i:Error|Exception) )
    (?![^\W_])
    (?! -free | \s{0,3}/> | ></ | =(?:&|\Z) | [ ]xsi:nil="true" | [ ]0(?![^\W_])
      | (?:[ _](?:found|count|code|number|encontrados))? ["']? \s{0,3} [:=>] \s{0,3}
        (?: ["']? (?: 0 | none | null | false | no | não | nenhum ) (?![^\W_]) | "" | '' | \[\s?\] | \{\s?\} ) )
    """
    ),
    re.IGNORECASE | re.VERBOSE,
)
_DENIED = re.compile(r"(?:\b(?:no|not|not an|0|zero|sem|nenhuma?|without(?: any)?) |</)\Z", re.IGNORECASE)
"""What stands before a word that speaks of no error."""
_LONGEST_DENIAL = len(" without any ")
_ERROR_PHRASES = re.compile(
    _any_accents(
        r"""(?<![^\W_])
    (?: traceback | sqlstate | nok | excedid[oa] | exceeded | unavailable | could[ ]not | couldn't | can't | cannot
      | not[ ](?:satisfied | authori[sz]ed | authenticated | found | allowed | supported | implemented | saved
          | processed | created | accepted | received | available | ok)
      | unable[ ]to | timed[ ]out | bad[ ]request | too[ ]many[ ]requests | went[ ]wrong | deu[ ]errado
      | não[ ](?:autorizad[oa] | autenticad[oa] | encontrad[oa] | permitid[oa] | foi[ ]possível
          | (?:foi | foram)[ ](?:salv | process | cri | receb | aceit | encontrad | registrad | inclu)[^\W_]*)
      | nada[ ]foi | (?:ocorreu | houve)[ ]um[ ]problema
      | log[ -]?in[ ]required | required[ ]log[ ]?in | please[ ](?:log|sign)[ -]?in | faça[ ]login
      | em[ ]manutenção | under[ ]maintenance | maintenance[ ]mode | account[ ](?:has[ ]been[ ]|is[ ])?suspended
      | (?:success | sucesso | ok)["']?\s{0,3}[:=>]\s{0,3}["']?(?:false | 0 | no | não) )
    (?![^\W_])"""
    ),
    re.IGNORECASE | re.VERBOSE,
)

# What PHP prints about a slip of a script, which has none of these words.
_PHP_NOTICE = re.compile(r"\b(?:Notice|Deprecated): .{1,300} on line \d")


def _has_error_words(text: str) -> bool:
    if text.strip(" \r\n.!").lower() in ("ko", "not ok", "timeout"):
        return True
    if any(each.search(text, 0, _WORDS_SEARCHED) for each in (_ERROR_PHRASES, _PHP_NOTICE)):
        return True
    words = (word.start() for word in _ERROR_WORDS.finditer(text, 0, _WORDS_SEARCHED))
    return any(not _DENIED.search(text, max(0, start - _LONGEST_DENIAL), start) for start in words)
