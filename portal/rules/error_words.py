"""Words by which an accepted answer speaks of an error, and those by which it denies one. Pure."""

import re

_WORDS_SEARCHED = 64 * 1024


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
    (?! [ _-]free | \s{0,3}/> | ></ | =(?:&|\Z) | [ ]xsi:nil="true" | [ ]0(?![^\W_])
      | (?:[ _](?:found|count|code|number|encontrados))? ["']? \s{0,3} [:=>] \s{0,3}
        (?: ["']? (?: 0 | none | null | false | (?:no | não | nenhuma?)(?![ ][^\W_]) ) (?![^\W_])
          | "" | '' | \[\s?\] | \{\s?\} ) )
    """
    ),
    re.IGNORECASE | re.VERBOSE,
)
_DENIED = re.compile(
    _any_accents(
        r"""</\Z | (?<![\w.,])
    (?: (?: 0 | no | none | nothing | zero | sem | nenhuma? | nada | without ) (?:[ ](?!such)[^\W\d_]{1,20})?
        (?:[ ](?: was | were | foi | foram | com | with | (?:de|of)[ ]\d{1,9} ))?
      | (?: not | never | não )
        (?:[ ](?: an? | any | há | houve | ocorre[ur]\w{0,3} | foi | foram | será | be | tem | teve | existem?
          | (?:encontr | registr | detect)[^\W\d_]{1,9} | nenhuma? )){0,3}
      | (?: if | caso | case | se[ ](?:houver | ocorrer) )(?:[ ][^\W\d_]{1,12}){1,3} )
    [ ]\Z"""
    ),
    re.IGNORECASE | re.VERBOSE,
)
"""What stands before words that speak of no error, or of one that may come."""
_LONGEST_DENIAL = 48
_NO_ERROR_FOLLOWS = r"(?![^\W_])(?![ ](?:(?:nenhuma?|any)[ ])?(?:erros?|errors?|falhas?|failures?|problemas?))"
_ERROR_PHRASES = re.compile(
    _any_accents(
        r"""(?<![^\W_])
    (?: traceback | sqlstate | nok | excedid[oa] | exceeded | could[ ]not | couldn't | (?<!you[ ])(?:can't | cannot)
      | not[ ](?:satisfied | authori[sz]ed | authenticated | allowed | supported | implemented | saved
          | processed | created | accepted | received | available | ok)
      | unable[ ]to | timed[ ]out | bad[ ]request | too[ ]many[ ]requests | went[ ]wrong | deu[ ]errado
      | não[ ](?:autorizad[oa] | autenticad[oa] | permitid[oa] | foi[ ]possível)
      | (?:não | nada)[ ](?:foi | foram)[ ](?:salv | grav | feit | process | cri | receb | aceit | registr | inclu)
        [^\W_]*
      | (?:ocorreu | houve)[ ]um[ ]problema | account[ ](?:has[ ]been[ ]|is[ ])?suspended
      | (?:success | sucesso | ok)["']?\s{0,3}[:=>]\s{0,3}["']?(?:false | 0 | no | não) )
    """
        + _NO_ERROR_FOLLOWS
    ),
    re.IGNORECASE | re.VERBOSE,
)
_DOUBTFUL_PHRASES = re.compile(
    _any_accents(
        r"""(?<![^\W_])
    (?: you[ ](?:can't | cannot) | unavailable | not[ ]found | não[ ](?:(?:foi | foram)[ ])?encontrad[oa]s?
      | log[ -]?in[ ]required | required[ ]log[ ]?in | please[ ](?:log|sign)[ -]?in | faça[ ]login
      | em[ ]manutenção | under[ ]maintenance | maintenance[ ]mode )
    """
        + _NO_ERROR_FOLLOWS
    ),
    re.IGNORECASE | re.VERBOSE,
)
"""What a receiver says, too, that took the contact and says so: then it is no complaint."""
_TAKEN = re.compile(
    _any_accents(
        r"(?<!not )(?<!t be )(?<!não )(?<!não foi )(?<![^\W_])(?:received|saved|created|added|processed|thanks"
        r"|thank you|success(?:fully)?|recebemos|obrigad[oa]|(?:recebid|salv|criad|cadastrad)[oa]s?|sucesso)(?![^\W_])"
    ),
    re.IGNORECASE,
)
_PLAIN_SUCCESS = re.compile(r"[^.,;:!\n]{0,200}\b(?:com (?:sucesso|êxito)|successfully)[.!]?", re.IGNORECASE)
"""One clause that ends so speaks of what was done, whatever it was called."""

# What PHP prints about a slip of a script, which has none of these words.
_PHP_NOTICE = re.compile(r"\b(?:Notice|Deprecated): .{1,300} on line \d")


def has_error_words(text: str) -> bool:
    """Whether a text speaks of an error, and neither denies it nor plainly says that it took what it was sent."""
    if text.strip(" \r\n.!").lower() in ("ko", "not ok", "timeout") or _PHP_NOTICE.search(text, 0, _WORDS_SEARCHED):
        return True
    if _finds(_ERROR_PHRASES, text):
        return True
    if _PLAIN_SUCCESS.fullmatch(text.strip()):
        return False
    return _finds(_ERROR_WORDS, text) or (
        _finds(_DOUBTFUL_PHRASES, text) and not _TAKEN.search(text, 0, _WORDS_SEARCHED)
    )


def _finds(words: re.Pattern[str], text: str) -> bool:
    """Whether the words stand in the text, and nothing before them denies them."""
    starts = (found.start() for found in words.finditer(text, 0, _WORDS_SEARCHED))
    return any(not _DENIED.search(text, max(0, start - _LONGEST_DENIAL), start) for start in starts)


def denies_errors(text: str) -> bool:
    """Whether a text says that there is no error: that all went well, or an error's word and what denies it."""
    is_of_errors = _PLAIN_SUCCESS.fullmatch(text.strip()) or _ERROR_WORDS.search(text)
    return bool(is_of_errors) and not has_error_words(text)
