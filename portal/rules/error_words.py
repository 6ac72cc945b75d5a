"""Words by which an accepted answer speaks of an error, and those by which it denies one. Pure."""

import re
from dataclasses import dataclass


@dataclass
class Budget:
    """How much text of one answer is still searched, however many texts it has: the other answers wait meanwhile."""

    left: int = 64 * 1024

    def take(self, text: str) -> str:
        """As much of the text as may be searched."""
        taken = text[: self.left]
        self.left -= len(taken)
        return taken


def _any_accents(pattern: str) -> str:
    """The pattern, which finds words without their accents too, and those of Latin-1 that were read as UTF-8."""
    plain = {"ã": "a", "á": "a", "ç": "c", "é": "e", "í": "i", "ó": "o", "õ": "o", "ô": "o", "ú": "u", "ü": "u"}
    return "".join(f"[{each}{plain[each]}\ufffd]" if each in plain else each for each in pattern)


# After an error's name, that there is none: "errors: 0", "missing required fields: []".
_NOTHING_FOLLOWS = r"""
    (?:\(e?s\))?
    (?:[ _](?:found | count | code | number | encontrados | (?:required[ ])?(?:fields | keys | params | campos)))? ["']?
    \s{0,3} [:=>?] \s{0,3}
    (?: ["']? (?: 0 | cero | n(?=["'<]) | none | null | false
          | (?:no | não | nenhuma? | ningun[oa] | aucune? | keine?)(?![ ][^\W_]) )
        (?![^\W_]) | "" | '' | \[\s?\] | \{\s?\} )"""

# An underscore parts words here (EVENT_ERROR), and a capital does for the names of exceptions (TypeError). A closing
# tag says nothing that its opening one did not.
_ERROR_WORDS = re.compile(
    _any_accents(
        r"""
    (?: (?<![^\W_])
        (?: errors? | erros? | errores | err(?!-[0-9]) | exceptions? | exceç(?:ão|ões) | excepci(?:ón|ones) | fatal
          | fail(?:s|ed|ures?)? | falh(?:as?|ou|aram) | fall(?:ó|os?|aron|id[oa]) | faults? | faultstring
          | warning(?=(?:</b>)?:) | denied | (?:de)?negad[oa]
          | fehler | fehlgeschlagen | ungültige? | verweigert | erreurs? | échec | refusée? | invalides?
          | unauthori[sz]ed | unauthenticated | unprocessable | malformed | mismatch | aborted
          | abortad[oa] | caducad[oa] | deadlock | econn[a-z]+ | enotfound | etimedout | exhausted | esgotad[oa]s?
          | unreachable | insufficient | insuficientes? | incomplet(?:e | [oa]s?) | unsupported
          | violat(?:e[ds]|ion) | forbidden | rejected
          | rejeitad[oa] | rechazad[oa] | refused | recusad[oa] | invalid | inválid[oa]s? | incorrect
          | incorrec?t[oa]s? | expired | expirad[oa] | expir(?:ou|ó) )
      | (?<=[a-z]) (?-i:Errors?|Erros?|Exception) )
    (?![^\W_])
    (?! [ _-]free | ,?[ ](?:if[ ]any | se[ ]houver | si[ ](?:los[ ])?hay)(?![^\W_])
      | (?:[ ](?:de | of)[ ][^\W\d_]{1,20})?[ ](?:will[ ]be | ser(?:á | ão | án) | se[ ][^\W\d_]{2,12}rán?)(?![^\W_])
      | \s{0,3}/> | ></ | (?:_[a-z]{1,9})?=(?:[&;] | \Z)
      | [ ]xsi:nil="true" | [ ]0(?![^\W_]) |"""
        + _NOTHING_FOLLOWS
        + ")"
    ),
    re.IGNORECASE | re.VERBOSE,
)
# What stands before words that speak of no error, or of one that may come.
_DENIED = re.compile(
    _any_accents(
        r"""</[^\W_]{0,20}\Z | (?<![\w.,])
    (?: (?: 0 | no | none | nothing | zero | sem | nenhuma? | nada | cero | sin | ningún | ninguna | without
          | keine? | ohne | aucune? | sans )
        (?:[ ](?: further | more | other ))?
        (?:[ ](?: warnings? | avisos? | errors? | erros? | falhas? | fallos )[ ](?: or | nor | and | ou | nem | e | ni )
          | [ ](?!such)[^\W\d_]{1,20} )?
        (?:[ ](?: was | were | foi | foram | com | with | (?:de|of)[ ]\d{1,9} ))?
      | (?: not | never | não | no )
        (?:[ ](?: an? | any | há | houve | han? | se | ocorre[ur]\w{0,3} | está | foi | foram | será | be
          | tem | teve | existem? | (?:encontr | registr | detect | produ[cj] | present | report)[^\W\d_]{1,9} )){0,3}
      | (?: if | caso | case | se[ ](?:houver | ocorrer) | si[ ](?:hay | ocurre) )(?:[ ][^\W\d_]{1,12}){0,3}
      | se[ ][^\W\d_]{2,12}rán?[ ]l[oa]s
      | (?: if | caso | se | si )[ ][^.,;:!?\n]{1,30}, )
    [ ]\Z"""
    ),
    re.IGNORECASE | re.VERBOSE,
)
_LONGEST_DENIAL = 48
_NO_ERROR_FOLLOWS = r"(?![^\W_])(?![ ](?:(?:nenhuma?|ningún)[ ])?(?:erro|falha|problema))"


def _phrases(pattern: str) -> str:
    """The pattern of whole words, unless what follows says that no error is meant."""
    return _any_accents(rf"(?<![^\W_])(?: {pattern} ){_NO_ERROR_FOLLOWS}(?!{_NOTHING_FOLLOWS})")


_ERROR_PHRASES = re.compile(
    _phrases(
        r"""traceback | sqlstate | ora-[0-9]{5} | nok | excedid[oa] | exceeded | could[ ]not | couldn't
      | (?<!you[ ])(?:can't | cannot)
      | undefined[ ](?:index | variable | offset | property | array[ ]key):?
      | reset[ ]by[ ]peer | socket[ ]hang[ ]up | duplicate[ ]entry | too[ ](?:large | long | many)
      | not[ ]defined | has[ ]no[ ]attribute
      | unexpected[ ](?:token | end):? | missing[ ](?:required | param | field | header | token | key | api)[^\W_]*
      | (?:limite? | maximum | máximo)[ ](?:(?!(?:not|não)[ ])[^.\n]){0,40}(?:reached | atingid[oa])
      | (?:conta | account | usuário | user | empresa | plano | plan)[ ](?:is[ ] | has[ ]been[ ] | está[ ] | foi[ ])?
        (?:bloquead[oa] | blocked | suspens[oa] | suspended | disabled | inativ[oa] | inactive | desativad[oa])
      | (?:queue | fila | disk | disco)[ ](?:is[ ] | está[ ])?(?:full | chei[oa]) | out[ ]of[ ]memory
      | (?:sem | no | not[ ]have)[ ](?:permiss(?:ão | ion) | access | acesso | credits? | créditos?)
      | no[ ]such | (?:sin | no[ ]tienes?)[ ]permiso
      | sem[ ]sucesso | sin[ ]éxito | (?:no[ ]data | nothing)[ ](?:was[ ])?(?:received | saved)
      | nenhum[ ]dado[ ]recebido | bad[ ]gateway | gateway[ ]time-?out | not[ ](?:satisfied | authori[sz]ed
          | authenticated | allowed | supported | implemented | saved | processed | created | accepted | received
          | available | valid | ok)
      | unable[ ]to | timed[ ]out | bad[ ]request | went[ ]wrong | deu[ ]errado | salió[ ]mal
      | não[ ](?:deu[ ]certo | confere | conectou | salvou)
      | (?:não | no)[ ](?:autorizad[oa] | autenticad[oa] | permitid[oa] | permite) | não[ ]foi[ ]possível
      | no[ ](?:se(?:[ ]ha)? | fue)[ ](?:pod | pud | pued | posible | guard | cre | proces | recib | acept)[^\W_]*
      | (?:não | nada)[ ](?:(?:foi | foram)[ ])?(?:salv | grav | feit | process | cri | receb | aceit | registr | inclu)
        (?:[ia]d | íd)?[oa]s?
      | (?:(?:ocorreu | houve)[ ]um | (?:ocurrió | ocurrido | hubo)[ ]un | there[ ]was[ ]a)[ ]problema?
      | <status(?:code)?>[45][0-9]{2}< | database[ ]is[ ]locked | no[ ]space[ ]left
      | (?:não | no)[ ](?:(?:é | são | es | son)[ ])?válid[oa]s?
      | (?:success | sucesso | ok)["']?\s{0,3}[:=>]\s{0,3}["']?(?:false | 0 | no | não)"""
    ),
    re.IGNORECASE | re.VERBOSE,
)
# What a receiver says of a contact, too, when it names the state that it keeps it in.
_STATES = re.compile(
    _phrases(
        r"""bloquead[oa] | blocked | suspens[oa] | suspended | disabled | inativ[oa] | inactive | desativad[oa]
      | vencid[oa] | cancelad[oa] | cancell?ed | unknown | desconhecid[oa] | restrit[oa] | restricted | restringid[oa]
      | não[ ](?:(?:foi | foram | está)[ ])?(?!(?:alter | ating | bloque | duplic | modific | neg | recus
          | rejeit | repet)[ai]d)[^\W\d_]{2,12}[ai]d[oa]s? | no[ ](?:informad | registrad)[oa]s?"""
    ),
    re.IGNORECASE | re.VERBOSE,
)
# What a receiver says, too, that took the contact and says so: then it is no complaint.
_DOUBTFUL_PHRASES = re.compile(
    _phrases(
        r"""you[ ](?:can't | cannot) | (?:try | tente | intente)[ ](?:again | novamente | nuevamente)
      | (?:is | are | field | authentication | credentials | token | key)[ ]required
      | (?:bad | wrong)[ ](?:data | e-?mail | format | json | key | api | password | phone | token | value) | errad[oa]
      | missing | faltante | (?<!a[ ])falta(?:m | n | ndo)? | ausente | inexistente
      | obrigatóri[oa] | obligatori[oa] | requerid[oa] | no[ ][^\W\d_]{1,20}[ ](?:given | provided)
      | not[ ](?:[^\W\d_]{1,20}ly[ ])?(?:configured | connected | enabled | found | informed | provided | registered)
      | (?:não | no)[ ](?:(?:foi | foram)[ ])?encontrad[oa]s?
      | inform[ea][ ][oa]s?[ ](?:token | chave | senha | e-?mail | telefone | nome | campo)
      | (?:servicio | servidor | sistema)[ ](?:está[ ])?caído
      | (?:does[ ]not | doesn't)[ ]exist | (?:não | no)[ ]existe
      | (?:body | payload | corpo | cuerpo)[ ](?:is[ ] | está[ ])?(?:empty | vazio | vacío) | empty[ ](?:body | payload)
      | unavailable | indisponível | no[ ]disponible | fora[ ]do[ ]ar | de[ ]nuevo[ ]más[ ]tarde
      | log[ -]?in[ ]required | required[ ]log[ ]?in | (?:please | need[ ]to)[ ](?:log | sign)[ -]?in | faça[ ]login
      | not[ ]logged[ ]in | não[ ]logado | inici[ea][ ]sesión
      | em[ ]manutenção | under[ ]maintenance | maintenance[ ]mode"""
    ),
    re.IGNORECASE | re.VERBOSE,
)
# What says that the contact was taken; in "the key received is not known", the same word only names the key.
_TAKEN = re.compile(
    _any_accents(
        r"""\A\W*ok(?![^\W_]) | (?<![^\W_])(?<![dot][ ]be[ ])(?<!ser[ ])(?<!os[ ]dados[ ])(?<!the[ ]data[ ])
    (?: thanks | thank[ ]you | success(?:ful(?:ly)?)? | recebemos | obrigad[oa] | gracias | sucesso | éxito
      | (?: received | saved | stored | created | updated | added | imported | merged | moved | processed | accepted
          | registered | (?: recebid | recibid | aceit | salv | gravad | guardad | incluíd | inserid | criad | cread
          | cadastrad | registrad | atualizad | importad | mesclad | adicionad | processad | movid)[oa]s? )
        (?![ ](?:não | no | not | nunca | is | are | was | were | has | does | doesn't | está | é | foi
          | inexistente)(?![^\W_])) )
    (?![^\W_])"""
    ),
    re.IGNORECASE | re.VERBOSE,
)
# One clause that ends so speaks of what was done, whatever it was called.
_PLAIN_SUCCESS = re.compile(
    r"(?!(?:erro|error|falha|fallo|failed) (?:ao|al|to) )[^.,;:!\n]{0,200}"
    r"\b(?:com (?:sucesso|êxito)|con éxito|correctamente|successfully)[.!]?",
    re.IGNORECASE,
)

# What PHP prints about a slip of a script, which has none of these words.
_PHP_NOTICE = re.compile(r"\b(?:Notice|Deprecated)(?:</b>)?: .{1,300} on line (?:<b>)?\d")
_COMPLAINT_FIRST = re.compile(
    _any_accents(
        r"""\W*(?: (?:an[ ]|(?:ocorreu|houve|hubo|ha[ ]ocurrido)[ ]u(?:ma?|na?)[ ])?
        (?:error | erro | exception | exceção | fail(?:ed|ure)? | falha | fallo)(?:[ ][0-9]{1,5})?
            (?: \s?[:!-] | [ ](?:ao | na | no | em | intern[oa] | inesperad[oa] | to | while | when | in | during
              | occurred | al | en)(?![^\W_]) | [.!]?\Z )
      | não[ ]foi[ ]possível | could[ ]not | couldn't | unable[ ]to | no[ ]se[ ]pud | something[ ]went[ ]wrong )"""
    ),
    re.IGNORECASE | re.VERBOSE,
)

# Of a page, of a person, of a file, and of a channel (#crm-errors): their words are names.
_ADDRESS = re.compile(
    r"https?://[^\s\"'<>]+|[\w.+-]{1,64}@[\w.-]+|\./[\w./-]+|/[\w.-]+/[\w./-]*"
    r"|#[a-z]+(?:s|-[\w-]+)(?![\w-]|\s?[:=])"
)


def has_error_words(text: str, budget: Budget | None = None, *, is_state: bool = False) -> bool:
    """Whether a text speaks of an error, and neither denies it nor plainly says that it took what it was sent.

    What is a state may be the contact's own ("inactive"), and such a word is no error there.
    """
    text = _ADDRESS.sub("@", (budget or Budget()).take(text))
    if text.strip(" \r\n.!").lower() in ("ko", "not ok", "timeout") or _PHP_NOTICE.search(text):
        return True
    if _finds(_ERROR_PHRASES, text):
        return True
    if _PLAIN_SUCCESS.fullmatch(text.strip()):
        return False
    doubtful = (_DOUBTFUL_PHRASES,) if is_state else (_DOUBTFUL_PHRASES, _STATES)
    return _finds(_ERROR_WORDS, text) or (any(_finds(each, text) for each in doubtful) and not _finds(_TAKEN, text))


def says_taken(word: str) -> bool:
    """Whether a word says that the contact was taken, and nothing else."""
    return _TAKEN.fullmatch(word) is not None


def begins_with_error(text: str, budget: Budget) -> bool:
    """Whether a text begins by saying what went wrong ("Erro ao salvar"), and not with a name ("Erro Silva salvo")."""
    return _COMPLAINT_FIRST.match(text) is not None and has_error_words(text, budget)


def _finds(words: re.Pattern[str], text: str) -> bool:
    """Whether the words stand in the text, and nothing before them denies them."""
    starts = (found.start() for found in words.finditer(text))
    return any(not _DENIED.search(text, max(0, start - _LONGEST_DENIAL), start) for start in starts)


def denies_errors(text: str, budget: Budget) -> bool:
    """Whether a text says that there is no error: that all went well, or an error's word and what denies it."""
    text = budget.take(text)
    is_of_errors = _PLAIN_SUCCESS.fullmatch(text.strip()) or _ERROR_WORDS.search(text)
    return bool(is_of_errors) and not has_error_words(text)
