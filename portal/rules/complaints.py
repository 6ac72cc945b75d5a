"""What an answer that was accepted complains of: in the fields of its JSON, or in the words of its text. Pure."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from portal.rules.error_words import Budget, begins_with_error, denies_errors, has_error_words, says_taken
from portal.rules.folding import fold, word_set

# How the scripts of PHP, JSP, ASP and shells begin: a server that does not run them shows them.
_SOURCE_STARTS = ("<?php", "<?=", "<%", "#!/")
_JSON_START = re.compile(r"\{|\[\s*+(?:[\[{\"\]]|-?\d++\s*+[,\]])")
_SENT_NAMES = ("name", "current_company", "role", "sender_name", "experience")  # those that are rather repeated first
_MOST_NAMES = 50  # each is looked for in the whole answer, and a body may have thousands
_ITEMS_READ, _DEPTH_READ, _STATUS_READ = 100, 4, 120


def of_value(value: Any) -> str | None:
    """The warning of a JSON answer, or None."""
    if isinstance(value, str):
        inner = _unwrap(value)
        return ("error_words" if has_error_words(value) else None) if isinstance(inner, str) else of_value(inner)
    budget = Budget()
    objects = list(_objects_of(value))
    if any(_has_error(facts, budget) for facts in objects) or _has_user_errors(value, budget):
        return "error_in_json"
    return "error_words" if any(_has_error_message(facts, budget) for facts in objects) else None


def of_text(text: str, content_type: str) -> str | None:
    """The warning of an answer in text, or None."""
    if text.startswith(_SOURCE_STARTS):
        return "source_code"
    if _JSON_START.match(text) and (lines := _read_lines(text)):
        return of_value(lines)
    if has_error_words(text):
        return "error_words"
    media_type = content_type.partition(";")[0].strip().lower()
    return "invalid_json" if media_type.endswith(("/json", "+json")) or _JSON_START.match(text) else None


def _read_lines(text: str) -> list[Any]:
    """The values of a text that has one JSON value on each line; none of any other text."""
    with suppress(ValueError, RecursionError):
        return [parse_json(line) for line in text.splitlines() if line.strip()]
    return []


def without_echo(answer: bytes, sent: bytes) -> bytes:
    """The answer without the names of people, companies, jobs and campaigns that it repeats of what was sent.

    Only those of two words and more: "Erro ao salvar" repeats nobody called Erro.
    """
    names: dict[str, int] = {}
    try:
        json.loads(sent, object_pairs_hook=lambda pairs: names.update(_names_in(pairs)))
    except (ValueError, RecursionError):
        return answer
    likely = sorted(names, key=names.__getitem__)[:_MOST_NAMES]
    for name in sorted(likely, key=len, reverse=True):
        for form in {name.encode(), json.dumps(name)[1:-1].encode()}:
            answer = answer.replace(form, b"x")
    return answer


def _names_in(pairs: list[tuple[str, Any]]) -> dict[str, int]:
    """The names in an object, with how far behind others their kind stands."""
    return {
        item: _SENT_NAMES.index(key)
        for key, item in pairs
        if key in _SENT_NAMES and isinstance(item, str) and " " in item.strip()
    }


def parse_json(text: str) -> Any:
    """Parse strictly; ints become floats, because Python refuses to read very long ones."""
    return json.loads(text, parse_int=float, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


# --- JSON

# Keys are compared without case and signs, so that errorCode, error_code and Error-Code are one.
_OF_ERRORS = (
    "has|is|with|houve|tem|teve|possui|com|num|total|qtde?|count|list|code?|codigo|msgs?|messages?|mensagem|mensaje"
    "|desc|description|descricao|details?|detalhes?|type|tipo"
)
_ERROR_KEY = re.compile(
    rf"(?:{_OF_ERRORS})?(?:err|(?:error|erro|errore|erreur|fehler)s?)(?:{_OF_ERRORS}|no)?"
    r"|(?!no(?:errors|failures))[a-z]+(?:errors|failures)"
    r"|exceptions?|fault(?:code|string)?|fail(?:ed|ures?)(?:count)?|falhas?|fallos?"
)
_REFUSED_KEY = re.compile(r"(?:rejected|invalid|rejeitad[oa]s?|recusad[oa]s?|invalid[oa]s?)(?:count)?")
_SUCCESS_KEY = re.compile(r"(?:is|was)?(?:success|successful|succeeded|ok)|sucesso|exito")
_TAKEN_KEY = re.compile(
    r"(?:is|was)?(?:accepted|received|saved)|aceit[oa]|recebid[oa]|recibid[oa]|salv[oa]|guardad[oa]|status"
)
_STATUS_KEY = re.compile(
    r"(?:http)?(?:status|code)|statuscode|state|result|resultado|response|resposta|return|retorno|outcome|situacao"
    r"|estado"
)
_NUMBER_KEY = re.compile(r"(?:http|response)?(?:status|code)|statuscode")
_TYPE_KEY = re.compile(r"type|object|tipo|severity|level")
_MESSAGE_KEY = re.compile(r"(?:status)?(?:message|msg|mensagem|mensaje)|descricaostatus")
_TITLE_KEY = re.compile(r"details?|title|description|descricao|reason|motivo")
_OF_RECORDS = "lead|contact|contato|contacto|deal|negocio|card|pessoa|person|cliente?|customer"
# What a contact or a deal has: there a refusal, a title or a state is the record's own, and no complaint.
_RECORD_KEY = re.compile(rf"(?:uu|gu|{_OF_RECORDS})?id|id(?:{_OF_RECORDS})|name|nome")
_FAILURE = re.compile(r"(?:errors?|erros?|fail|failed|failure|falha|falhou|exception|fatal)(?::.*)?")
_ERROR_TYPE = re.compile(r"(?!no )(?:\w*[ :])?(?:error|erro|exception|fault)|[a-z]+(?:error|exception)")
# Keys that answers put their whole content under.
_WRAPPERS = word_set(
    "body d data detail json meta output payload resposta response responses result results resultado retorno retornos"
)
_FORM_FIELDS = word_set("body campaign cargo company contact contato email empresa name nome phone role telefone url")
_ZERO_CODE = re.compile(r"0+ ?[-:] ?[^\W\d]")  # what codes of errors begin with when all is well: "00 - Aprovado"
_NOTHING = re.compile(
    r"[\W_0]*(?:[nf]|n/?a|false|no|none|null|nil|undefined|não|nao|nenhuma?|ningun[oa]?|aucune?|keine?|200|ok|success"
    r"|successful|sucesso)?[.!]?"
)
_FALSE = re.compile(r"f|false|no?|não|nao")
_TRUE = re.compile(r"[tv]|true|yes|sim?|s|y|1")
_ERROR_NAME = re.compile(r"[A-Z][A-Za-z]+(?:Error|Exception)")
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


def _has_user_errors(value: Any, budget: Budget) -> bool:
    """Whether a call of GraphQL says that it did nothing: beside its errors, in the result of the mutation."""
    data = value.get("data") if isinstance(value, dict) else None
    results = [item for item in data.values() if isinstance(item, dict)] if isinstance(data, dict) else []
    return any(
        (_fold(key).endswith("errors") and _says_something(item, budget))
        or (item is False and _SUCCESS_KEY.fullmatch(_fold(key)))
        for result in results
        for key, item in result.items()
    )


def _unwrap(value: Any) -> Any:
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        with suppress(ValueError, RecursionError):
            return parse_json(value)
    return value


def _fold(key: str) -> str:
    return re.sub(r"[^a-z]", "", fold(key[:40]))


def _is_record(facts: _Facts) -> bool:
    return any(bool(item) and _RECORD_KEY.fullmatch(key) for key, item in facts)


def _has_error(facts: _Facts, budget: Budget) -> bool:
    is_record = _is_record(facts)
    return any(_says_error(key, item, budget, is_record=is_record) for key, item in facts) or _is_of_forms(
        facts, budget
    )


def _is_of_forms(facts: _Facts, budget: Budget) -> bool:
    """Whether these are a form's complaints by field: {"email": ["This field is required."]}."""
    is_theirs = all(isinstance(item, list) and all(isinstance(each, str) for each in item) for _, item in facts)
    of_fields = (each for key, item in facts if key in _FORM_FIELDS for each in item) if is_theirs else ()
    return any(" " in each and has_error_words(each, budget) for each in of_fields)


def _says_error(key: str, item: Any, budget: Budget, *, is_record: bool) -> bool:
    if _ERROR_KEY.fullmatch(key):
        return _says_something(item, budget)
    word = _word_of(item)
    if key == "name" and isinstance(item, str) and _ERROR_NAME.fullmatch(item[:_STATUS_READ]):
        return True
    if _TYPE_KEY.fullmatch(key):
        return _ERROR_TYPE.fullmatch(word) is not None
    if _SUCCESS_KEY.fullmatch(key):
        return item in (False, "0") or bool(_FALSE.fullmatch(word) or _FAILURE.fullmatch(word))
    if _STATUS_KEY.fullmatch(key) and _FAILURE.fullmatch(word) and has_error_words(word, budget):
        return True
    if _NUMBER_KEY.fullmatch(key) and _is_error_number(item) and not (is_record and key == "code"):
        return True
    if is_record:
        return False
    if _REFUSED_KEY.fullmatch(key) and _says_something(item, budget):
        return True
    if _TAKEN_KEY.fullmatch(key) and (item is False or (key != "status" and _FALSE.fullmatch(word))):
        return True
    return _STATUS_KEY.fullmatch(key) is not None and has_error_words(word, budget, is_state=True)


def _word_of(item: Any) -> str:
    """A text that may be a word or a few, underscores and hyphens as spaces; none of what is JSON within JSON."""
    is_text = isinstance(item, str) and isinstance(_unwrap(item), str)
    return re.sub(r"[\s_-]+", " ", item[:_STATUS_READ]).strip(" .!").lower() if is_text else ""


def _says_something(item: Any, budget: Budget, depth: int = 0) -> bool:
    """Whether what stands for an error is one: not 0, "none", "no errors", nor a list or an object of such things."""
    if isinstance(item, (list, dict)) and depth < _DEPTH_READ:
        inner = item.values() if isinstance(item, dict) else item
        return any(_says_something(each, budget, depth + 1) for each in inner)
    if isinstance(item, str):
        return len(item) > _STATUS_READ or not (
            _NOTHING.fullmatch(item.strip().lower())
            or denies_errors(item, budget)
            or (_ZERO_CODE.match(item) and not has_error_words(item, budget))
        )
    return bool(item) and item != 200


def _has_error_message(facts: _Facts, budget: Budget) -> bool:
    is_complaint = begins_with_error if any(_says_success(key, item) for key, item in facts) else has_error_words
    keys = (_MESSAGE_KEY,) if _is_record(facts) else (_MESSAGE_KEY, _TITLE_KEY)
    return any(
        isinstance(item, str) and is_complaint(item, budget)
        for key, item in facts
        if any(each.fullmatch(key) for each in keys)
    )


def _says_success(key: str, item: Any) -> bool:
    if item is True:
        return bool(_SUCCESS_KEY.fullmatch(key) or _TAKEN_KEY.fullmatch(key))
    if item is False:
        return _ERROR_KEY.fullmatch(key) is not None
    word = _word_of(item)
    return bool(
        (_STATUS_KEY.fullmatch(key) and says_taken(word)) or (_SUCCESS_KEY.fullmatch(key) and _TRUE.fullmatch(word))
    )


def _is_error_number(item: Any) -> bool:
    if isinstance(item, str):
        return re.fullmatch("[45][0-9][0-9]", item.strip()) is not None
    return isinstance(item, float) and 400 <= item <= 599
