"""Rows that reports put below their tables or between them, and that are no contacts."""

import re
from collections.abc import Sequence

from portal.importing.dates import is_period
from portal.importing.headings import NAMES, Cells, Reader, is_example, is_explanation
from portal.rules.folding import fold
from portal.rules.identity import email_address, linkedin_id

# How the lines begin that reports put below their table.
FOOTER = re.compile(
    r"(?:(?:sub|grand )?tota(?:l|is|les)\b|\d+ (?:records?|registros?|contat|contacts?|rows?|linhas?|results?|leads?)"
    r"|confiden[ct]ial\b|copyright\b|©|\(c\)|(?:generated|gerado|generado|exported|exportado|created|criado) "
    r"(?:by|on|at|from|por|em|el|de)\b|powered by\b|pag(?:e|ina) \d|end of|fim do|(?:fonte|source|fuente):"
    r"|filtered by\b|filtros?:|as of \d|not(?:es|as?):)"
)
# How a line begins that is the title of the rows below it; any other name that stands alone is somebody's.
GROUP = re.compile(
    r"(?:equipe|equipo|time|team|squad|turma|filial|regiao|regional|region|zona)\b.*\w|(?:quentes|mornos|frios)$"
    r"|(?:leads|prospects|clientes|contatos|contacts)\b"
    r"|(?:vendedora?|responsavel|consultora?|owner|carteira|grupo|segmento|setor|status|etapa|fase|origem|cidade|uf) ?:"
    r"|(?:legenda|legend|leyenda|obs|observac(?:ao|oes)|notas?|notes?|fonte|source|periodo|lista|base|canal|produto) ?:"
)
# What a report calls the figures of a row below its table.
FIGURE = re.compile(r"(?:media|average|soma|sum|promedio|contagem|count)(?: geral)?:?")
WORDS_OF_SENTENCE = 12  # a line of no more is somebody's name
TITLED = frozenset((*NAMES, "current_company"))  # the fields of the columns that titles are written into


def find_reason(cells: Sequence[str], names: Sequence[str], fields: Cells, readers: Sequence[Reader]) -> str | None:
    """Why a row is no contact: nothing in it is imported, it is the header again or explains it, a foot or a title.

    Nor is it one whose name is a number, and of whom nothing else tells.

    `names` are those of the header, in lower case; `fields` those that the row says something of, with what it says;
    `readers` read its columns, where it stands so near the header that it may explain it.
    """
    if not fields:
        return "no_contact"
    filled = list(filter(None, cells))
    is_like_header = filled[0].casefold() in names and len(filled) > 1
    if is_like_header and [cell.casefold() for cell in cells] == names:
        return "repeated_header"
    if readers and any(names) and is_example(fields):
        return "example_row"
    if readers and any(names) and is_explanation(fields, readers):
        return "explains_columns"
    is_alone = len(filled) == 1
    start = fold(filled[0])
    is_figure = FIGURE.fullmatch(start) or ("total" in start and FOOTER.match(start))
    is_foot = is_alone and (FOOTER.match(start) or _is_sentence(filled[0]))
    if (is_foot or is_figure) and not _tells_somebody(fields):
        return "footer"
    is_title = is_alone and fields.keys() <= TITLED and (is_period(filled[0]) or (names[1:] and GROUP.match(start)))
    if is_title:
        return "title"
    if not filled[0].isdecimal():
        return None
    called = [text for field in NAMES for _, text in fields.get(field, ())]
    is_number = called and all(map(str.isdecimal, called)) and "phone" not in fields
    return "no_contact" if is_number and not _tells_somebody(fields) else None


def may_be_title(text: str, *, has_short_names: bool) -> bool:
    """Whether a text that stands alone in its row is rather a title than a name: `Feira de negócios`, `Indústria`.

    One word is as well a name where others of the table are one: `Ana`.
    """
    words = text.split()
    has_small = words[0][:1].isupper() and any(word.islower() and len(word) > 3 for word in words)
    return (len(words) == 1 and not has_short_names) or has_small or any(map(str.isdecimal, text))


def _is_sentence(text: str) -> bool:
    """Whether a text of many words ends as a sentence does, or has several that no name has; names may be as long."""
    words = text.split()
    is_closed = text.endswith((".", "!", "?", ":"))
    return len(words) > WORDS_OF_SENTENCE and (is_closed or sum(word.islower() and len(word) > 3 for word in words) > 1)


def _tells_somebody(fields: Cells) -> bool:
    """Whether a row has somebody's e-mail or profile, and no more than a word or a number in their columns."""
    emails, links = ([text for _, text in fields.get(field, ())] for field in ("email", "linkedin"))
    return any(map(email_address, emails)) or any("/" in text and linkedin_id(text) for text in links)
