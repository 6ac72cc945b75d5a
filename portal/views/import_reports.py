"""What an import did, or would do, as lists: the beginning of each on the page of its job, and all of it as CSV."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain, islice
from zoneinfo import ZoneInfo

from flask import Response
from flask.typing import ResponseReturnValue
from flask_babel import format_datetime
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy.orm import Session

from portal.contacts.items import DATE_FIELDS
from portal.contacts.listing import contacts_of
from portal.database.db import db, reading
from portal.importing import rehearsal
from portal.importing.findings import Finding, first_findings, read_findings
from portal.importing.missing import MISSING, read_missing
from portal.importing.order import KIND as IMPORT
from portal.importing.order import Order
from portal.importing.outcomes import ELSEWHERE, GROUPS, Outcome, first_outcomes, read_outcomes
from portal.importing.words import DIFFERENCE_WORDS, FIELD_WORDS, GROUP_WORDS, column_names, row_explainer
from portal.models import Company, Task
from portal.tasks import store
from portal.web import access
from portal.web.files import BATCH, attachment, write_row

KINDS = (IMPORT, rehearsal.KIND)
SHOWN_FINDINGS = 100
SHOWN_OUTCOMES = 20
# What the file of each list is called.
FILES = {
    "created": "novos",
    "changed": "alterados",
    "unchanged": "iguais",
    "elsewhere": "em-outra-campanha",
    "doubtful": "duvidosos",
    "kept": "niveis-mantidos",
    "renamed": "outro-nome",
    MISSING: "fora-do-arquivo",
}

bp = access.Pages("import_reports", __name__, url_prefix="/imports")


def report_of(task: Task) -> Mapping[str, object]:
    """How each list begins, who is where, and what became of each column, for the page of an import or a rehearsal."""
    order = Order.from_json(task.arguments)
    bad, warned = first_findings(db.engine, task.id, SHOWN_FINDINGS)
    fields = [FIELD_WORDS[field] if field else "" for field in order.columns]
    missing = list(islice(read_missing(db.engine, task.id), SHOWN_OUTCOMES))
    lists = first_outcomes(db.engine, task.id, task.counts, SHOWN_OUTCOMES)
    named = {number for rows in lists.values() for row in rows for number in (row.contact_id, row.alike_id) if number}
    return {
        "findings": bad,
        "warnings": warned,
        "columns": list(zip(column_names(order.layout.header), fields, strict=True)),
        "explain": row_explainer(),
        "lists": lists,
        "there": {contact.id for contact in contacts_of(db.session, task.company_id, sorted(named))},
        "missing": contacts_of(db.session, task.company_id, missing),
        "group_words": GROUP_WORDS,
        "elsewhere": elsewhere_of(task.counts),
        "say": sayer(task.company_id, format_datetime),
    }


def elsewhere_of(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """The other campaigns that have people of the file, with how many, most first."""
    found = [(name.removeprefix(ELSEWHERE), number) for name, number in counts.items() if name.startswith(ELSEWHERE)]
    return sorted(found, key=lambda each: -each[1])


def sayer(
    company_id: int, write: Callable[[datetime], str] = "{:%Y-%m-%d %H:%M}".format
) -> Callable[[str, str], tuple[str, str]]:
    """Returns a function that names a field and says its value as people read it, days in the company's time zone."""
    zone = ZoneInfo(db.session.get_one(Company, company_id).timezone)
    words = {name: str(word) for name, word in DIFFERENCE_WORDS.items()}

    def say(field: str, value: str) -> tuple[str, str]:
        if field in DATE_FIELDS and value:
            value = write(datetime.fromisoformat(value).astimezone(zone))
        return words.get(field, field), value

    return say


@bp.get("/<int:task_id>/bad-rows.csv", access="member")
def bad_rows(task_id: int) -> ResponseReturnValue:
    """The rows that were not imported, to be mended and imported again."""
    header = Order.from_json(get_report_or_404(task_id).arguments).layout.header
    explain = row_explainer()

    def row(finding: Finding) -> list[str]:
        padding = [""] * (len(header) - len(finding.cells))
        return [*finding.cells, *padding, str(finding.line), explain(finding)]

    found = (row(each) for each in read_findings(db.engine, task_id) if not each.is_warning)
    return _send(f"importacao-{task_id}", [*header, _("Linha"), _("Problema")], found)


@bp.get("/<int:task_id>/warnings.csv", access="member")
def warnings(task_id: int) -> ResponseReturnValue:
    """The cells that were left out or mended."""
    get_report_or_404(task_id)
    explain = row_explainer()

    def row(finding: Finding) -> list[str]:
        return [str(finding.line), finding.column, *(finding.cells or [""]), explain(finding)]

    found = (row(each) for each in read_findings(db.engine, task_id) if each.is_warning)
    return _send(f"avisos-{task_id}", [_("Linha"), _("Coluna"), _("Conteúdo"), _("Aviso")], found)


@bp.get(f"/<int:task_id>/<any({', '.join(GROUPS)}):group>.csv", access="member")
def rows(task_id: int, group: str) -> ResponseReturnValue:
    """One list of what became of the rows. A contact that changed has a line for each changed field."""
    say = sayer(get_report_or_404(task_id).company_id)

    def lines(outcome: Outcome) -> Iterator[list[str]]:
        facts = [str(outcome.line), outcome.name, str(outcome.contact_id or "")]
        more = [outcome.elsewhere or "", str(outcome.alike_id or ""), str(outcome.kept_level or "")]
        for field, old, new in outcome.differences or [("", "", "")]:
            name, before = say(field, old)
            yield [*facts, name, before, say(field, new)[1], *more]

    header = [_("Linha"), _("Nome"), _("Contato"), _("Campo"), _("Antes"), _("Depois")]
    header += [_("Outra campanha"), _("Outro contato"), _("Nível no arquivo")]
    found = (line for outcome in read_outcomes(db.engine, task_id, group) for line in lines(outcome))
    return _send(f"{FILES[group]}-{task_id}", header, found)


@bp.get("/<int:task_id>/missing.csv", access="member")
def missing(task_id: int) -> ResponseReturnValue:
    """Who was in the same file before, and is not any more."""
    company_id = get_report_or_404(task_id).company_id
    engine = db.engine

    def found() -> Iterator[list[str]]:
        numbers = read_missing(engine, task_id)
        while batch := list(islice(numbers, BATCH)):
            with reading(), Session(engine) as session:
                for contact in contacts_of(session, company_id, batch):
                    facts = (contact.name, contact.linkedin_public_id, contact.email, contact.current_company)
                    yield [str(contact.id), *(fact or "" for fact in facts)]

    header = [_("Contato"), _("Nome"), *(str(FIELD_WORDS[name]) for name in ("linkedin", "email", "current_company"))]
    return _send(f"{FILES[MISSING]}-{task_id}", header, found())


def get_report_or_404(task_id: int) -> Task:
    """The import or the rehearsal of the reader's company: nobody can forget to check whose it is."""
    return access.or_404(store.get_task(db.session, current_user.company_id, KINDS, task_id))


def _send(name: str, header: list[str], found: Iterable[list[str]]) -> Response:
    """The file, sent while it is read. The request's context is over by then."""
    return attachment(chain(["\ufeff"], map(write_row, chain([header], found))), f"{name}.csv", "text/csv")
