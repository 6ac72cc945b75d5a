"""What the page of a task says, for each kind of task."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext

from portal import importing
from portal.contacts import classifying, syncing
from portal.database.db import db
from portal.deliveries import resending
from portal.importing import Order
from portal.importing.words import FIELD_WORDS, explain_file, row_explainer
from portal.models import OPEN_STATUSES, Task

SHOWN_FINDINGS = 100

Counts = Counter[str]
Words = object
"""What flask_babel returns."""


def explain_failure(reason: str) -> Words:
    """Why a task went no further."""
    if reason == "webhook_unset":
        return _("A URL de destino foi removida no meio do caminho. Configure o webhook e comece de novo.")
    return _("Aconteceu algo que o portal não esperava. O que já foi feito vale, e começar de novo não repete nada.")


class Link(NamedTuple):
    """A way to another page: its symbol, the view's name, the words, and the values of its address."""

    symbol: str
    view: str
    words: str
    values: Mapping[str, str] = {}


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What is said of one kind of task."""

    title: str
    back: Link
    symbol: str
    running: str
    unit: str
    """What the bar measures."""
    words: Mapping[str, str]
    """The words for each thing that is counted, in the order of the page."""
    result: Callable[[Counts], Words]
    note: Callable[[Counts], Words] = lambda _counts: ""
    count: Callable[[Task], Mapping[str, int]] = lambda task: task.counts
    explain: Callable[[str], Words] = explain_failure
    links: tuple[Link, ...]
    """Where to go at the end."""
    is_for_admins: bool = False
    report_template: str | None = None
    """What else is shown, and `report` the values that it takes."""
    report: Callable[[Task], Mapping[str, object]] = lambda _task: {}


def count_sync(task: Task) -> Counts:
    """What became of the contacts: what was made has a way to go before they are in sync."""
    made = Counter(syncing.made_by(db.session, task))
    return Counter(
        arrived=made["delivered"],
        doubtful=made["doubtful"],
        coming=sum(made[status] for status in OPEN_STATUSES),
        lost=made["failed"] + made["cancelled"] + made["superseded"],
        unchanged=task.counts.get("unchanged", 0),
        sent=task.counts.get("sent", 0),
    )


def sync_result(counts: Counts) -> Words:
    if counts["coming"]:
        return ngettext(
            "%(num)s contato está na fila para o CRM.", "%(num)s contatos estão na fila para o CRM.", counts["coming"]
        )
    if counts["doubtful"]:
        return ngettext(
            "%(num)s contato foi recebido com aviso: confira no CRM.",
            "%(num)s contatos foram recebidos com aviso: confira no CRM.",
            counts["doubtful"],
        )
    if counts["arrived"]:
        return ngettext("%(num)s contato em dia.", "%(num)s contatos em dia.", counts["arrived"])
    if not counts["sent"]:
        return _("Nada foi preciso: o CRM já sabia, ou já ia saber.")
    return _("Nada chegou ao CRM.")


def resend_result(counts: Counts) -> Words:
    if counts["resent"]:
        return ngettext(
            "%(num)s entrega voltou para a fila.", "%(num)s entregas voltaram para a fila.", counts["resent"]
        )
    return _("Nada foi preciso: todas já estavam na fila.")


def classify_result(counts: Counts) -> Words:
    if counts["classified"]:
        return ngettext("%(num)s contato classificado.", "%(num)s contatos classificados.", counts["classified"])
    return _("Nada mudou: todos já estavam neste nível.")


def import_result(counts: Counts) -> Words:
    if counts["bad"]:
        return ngettext("Pronto, menos %(num)s linha.", "Pronto, menos %(num)s linhas.", counts["bad"])
    return _("Pronto: todas as linhas foram importadas.")


def report_import(task: Task) -> Mapping[str, object]:
    """The first rows that were not imported, the first that were mended, and where each column went, in words."""
    order = Order.from_json(task.arguments)
    findings, warnings = importing.first_findings(db.engine, task.id, SHOWN_FINDINGS)
    names = [name or _("Coluna %(number)d", number=number) for number, name in enumerate(order.layout.header, 1)]
    fields = [FIELD_WORDS[field] if field else "" for field in order.columns]
    columns = list(zip(names, fields, strict=True))
    return {"findings": findings, "warnings": warnings, "columns": columns, "explain": row_explainer()}


def note_sent(counts: Counts) -> Words:
    """Whether the CRM is told of the levels that were set."""
    if counts["sent"]:
        return ngettext(
            "%(num)s webhook está na fila ou já chegou ao CRM.",
            "%(num)s webhooks estão na fila ou já chegaram ao CRM.",
            counts["sent"],
        )
    return _("Os níveis foram salvos; nada foi enviado ao CRM.") if counts["classified"] else ""


SEE_DELIVERIES = Link("send", "deliveries.index", _l("Ver as entregas"))
SEE_CONTACTS = Link("users", "contacts.index", _l("Ver os contatos"))
GO_HOME = Link("home", "home.index", _l("Ir para o início"))

KINDS: Mapping[str, Kind] = {
    resending.KIND: Kind(
        title=_l("Reenvio"),
        back=Link("", "deliveries.index", _l("Entregas")),
        symbol="send",
        running=_l("Reenviando: %(position)s de %(total)s entregas"),
        unit=_l("Entregas feitas"),
        words={"resent": _l("Voltaram para a fila"), "unchanged": _l("Já estavam na fila")},
        result=resend_result,
        note=lambda counts: (
            _("Elas saem agora, na ordem de cada contato, com o mesmo conteúdo e o mesmo código.")
            if counts["resent"]
            else ""
        ),
        links=(SEE_DELIVERIES, GO_HOME),
        is_for_admins=True,
    ),
    syncing.KIND: Kind(
        title=_l("Colocar em dia"),
        back=Link("", "home.index", _l("Início")),
        symbol="send",
        running=_l("Colocando em dia: %(position)s de %(total)s contatos"),
        unit=_l("Contatos feitos"),
        words={
            "arrived": _l("Em dia"),
            "doubtful": _l("Recebidos, com aviso"),
            "coming": _l("Na fila"),
            "lost": _l("Não chegaram"),
            "unchanged": _l("Não precisavam mais"),
        },
        result=sync_result,
        note=lambda counts: _("O resultado aparece aqui conforme o CRM responde.") if counts["coming"] else "",
        count=count_sync,
        links=(SEE_DELIVERIES._replace(values={"trigger": "sync"}), GO_HOME),
        is_for_admins=True,
    ),
    classifying.KIND: Kind(
        title=_l("Classificar muitos"),
        back=Link("", "contacts.index", _l("Contatos")),
        symbol="users",
        running=_l("Classificando: %(position)s de %(total)s contatos"),
        unit=_l("Contatos feitos"),
        words={"classified": _l("Classificados"), "unchanged": _l("Já estavam assim"), "sent": _l("Webhooks")},
        result=classify_result,
        note=note_sent,
        links=(SEE_CONTACTS,),
    ),
    importing.EXAMINATION: Kind(
        title=_l("Importação"),
        back=Link("", "imports.index", _l("Importar contatos")),
        symbol="file-import",
        running=_l("Lendo o arquivo"),
        unit=_l("Quanto do arquivo foi lido"),
        words={},
        result=lambda _counts: "",
        explain=explain_file,
        links=(Link("upload", "imports.index", _l("Enviar outro arquivo")),),
    ),
    importing.KIND: Kind(
        title=_l("Importação"),
        back=Link("", "imports.index", _l("Importar contatos")),
        symbol="file-import",
        running=_l("Importando: %(position)s de %(total)s linhas"),
        unit=_l("Linhas importadas"),
        words={
            "created": _l("Criados"),
            "changed": _l("Alterados"),
            "unchanged": _l("Iguais"),
            "classified": _l("Classificados"),
            "bad": _l("Com problema"),
            "warned": _l("Avisos"),
        },
        result=import_result,
        note=note_sent,
        explain=explain_file,
        report_template="imports/_report.html",
        report=report_import,
        links=(SEE_CONTACTS, Link("upload", "imports.index", _l("Importar outro arquivo"))),
    ),
}
