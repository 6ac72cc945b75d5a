"""What the page of a task says, for each kind of task."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, NamedTuple

from flask import url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_babel import ngettext

from portal import importing
from portal.contacts import assigning, classifying, completing, syncing
from portal.contacts.listing import contacts_of
from portal.database.db import db
from portal.deliveries import resending
from portal.importing import rehearsal, undoing
from portal.importing.words import explain_file
from portal.models import OPEN_STATUSES, Task
from portal.tasks import store
from portal.views.import_reports import report_of

SHOWN_PRESENT = 100
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
    number: str = ""
    """What the address calls the task's own number, if it takes it."""
    needs: str = ""
    """What the task must have counted, if there is to be a link at all."""

    def url_for(self, task: Task) -> str:
        """Where the link leads on the page of this task."""
        values: dict[str, Any] = {**self.values, **({self.number: task.id} if self.number else {})}
        return url_for(self.view, **values)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What is said of one kind of task."""

    title: str
    back: Link
    symbol: str
    running: str
    unit: str
    """What the bar measures."""
    heading: str = _l("O que foi feito")
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


def assign_result(counts: Counts) -> Words:
    if counts["assigned"]:
        return ngettext("%(num)s contato mudou.", "%(num)s contatos mudaram.", counts["assigned"])
    return _("Nada mudou.")


def report_present(task: Task) -> Mapping[str, object]:
    """Who was not moved: the first of them."""
    first = list(islice(assigning.read_present(db.engine, task.id), SHOWN_PRESENT))
    return {"present": contacts_of(db.session, task.company_id, first)}


def import_result(counts: Counts) -> Words:
    if counts["bad"]:
        return ngettext("Pronto, menos %(num)s linha.", "Pronto, menos %(num)s linhas.", counts["bad"])
    if not counts["created"] and not counts["changed"]:
        return _("Pronto: nada mudou, o portal já tinha tudo.")
    return _("Pronto: todas as linhas foram importadas.")


def rehearsal_result(counts: Counts) -> Words:
    if not counts["created"] and not counts["changed"]:
        return _("Nada mudaria: o portal já tem tudo deste arquivo.")
    return _("Isto é o que a importação vai fazer. Nada foi gravado ainda.")


def count_undone(task: Task) -> Counts:
    """What went and what stayed, with what stayed from the beginning."""
    first = {name: task.arguments[name] for name in ("touched", "told")}
    return Counter(task.counts) + Counter(first)


def undo_result(counts: Counts) -> Words:
    if counts["removed"]:
        return ngettext("%(num)s contato apagado.", "%(num)s contatos apagados.", counts["removed"])
    return _("Nada foi apagado: o que a importação criou mudou depois.")


def note_told(counts: Counts) -> Words:
    """What the CRM keeps."""
    if counts["told"]:
        return ngettext(
            "O seu CRM já tinha recebido %(num)s deles, ou pode ter recebido: lá eles ficam.",
            "O seu CRM já tinha recebido %(num)s deles, ou pode ter recebido: lá eles ficam.",
            counts["told"],
        )
    return _("O seu CRM não tinha recebido nenhum deles.")


def note_foreseen(counts: Counts) -> Words:
    """How many webhooks an import would send."""
    if counts["sent"]:
        return ngettext(
            "Ela envia %(num)s webhook ao seu CRM.", "Ela envia %(num)s webhooks ao seu CRM.", counts["sent"]
        )
    return _("Ela não envia nada ao seu CRM.")


def report_rehearsal(task: Task) -> Mapping[str, object]:
    """What an import would do, and the draft that it would be, if that still waits."""
    draft = store.get_task(db.session, task.company_id, importing.KIND, task.arguments["file"])
    return {**report_of(task), "draft": draft if draft and draft.status == "draft" else None}


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

IMPORT_WORDS = {"created": _l("Novos"), "changed": _l("Alterados"), "unchanged": _l("Iguais")}
FINDING_WORDS = {"bad": _l("Com problema"), "warned": _l("Avisos")}

SYNC = Kind(
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
)

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
            _("Elas saem na ordem de cada contato, com o mesmo conteúdo e o mesmo código.") if counts["resent"] else ""
        ),
        links=(SEE_DELIVERIES, GO_HOME),
        is_for_admins=True,
    ),
    syncing.KIND: SYNC,
    completing.KIND: replace(
        SYNC,
        title=_l("Enviar os dados atuais"),
        back=Link("", "contacts.index", _l("Contatos")),
        running=_l("Enviando os dados atuais: %(position)s de %(total)s contatos"),
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
    assigning.KIND: Kind(
        title=_l("Mudar responsável ou campanha"),
        back=Link("", "contacts.index", _l("Contatos")),
        symbol="users",
        running=_l("Mudando: %(position)s de %(total)s contatos"),
        unit=_l("Contatos feitos"),
        words={
            "assigned": _l("Mudaram"),
            "unchanged": _l("Já estavam assim"),
            assigning.PRESENT: _l("Já estão na campanha"),
        },
        result=assign_result,
        note=lambda counts: (
            _("O CRM não é avisado: ele tem os dados de antes até alguém enviar os atuais.")
            if counts["assigned"]
            else ""
        ),
        links=(SEE_CONTACTS,),
        report_template="assigning/_present.html",
        report=report_present,
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
        words=IMPORT_WORDS | {"classified": _l("Classificados")} | FINDING_WORDS,
        result=import_result,
        note=note_sent,
        explain=explain_file,
        report_template="imports/_report.html",
        report=report_of,
        links=(
            SEE_CONTACTS._replace(number="import"),
            Link("upload", "imports.index", _l("Importar outro arquivo")),
            Link("trash", "import_undoing.confirm", _l("Desfazer a importação"), number="task_id", needs="created"),
        ),
    ),
    undoing.KIND: Kind(
        title=_l("Desfazer a importação"),
        back=Link("", "imports.index", _l("Importar contatos")),
        symbol="trash",
        running=_l("Desfazendo: %(position)s de %(total)s contatos"),
        unit=_l("Contatos feitos"),
        words={"removed": _l("Apagados"), "touched": _l("Mudaram e ficam"), "cancelled": _l("Webhooks cancelados")},
        count=count_undone,
        result=undo_result,
        note=note_told,
        links=(SEE_CONTACTS,),
    ),
    rehearsal.KIND: Kind(
        title=_l("Conferir a importação"),
        back=Link("", "imports.index", _l("Importar contatos")),
        symbol="eye",
        running=_l("Conferindo: %(position)s de %(total)s linhas"),
        unit=_l("Linhas conferidas"),
        heading=_l("O que a importação faz"),
        words=IMPORT_WORDS | {"sent": _l("Webhooks")} | FINDING_WORDS,
        result=rehearsal_result,
        note=note_foreseen,
        explain=explain_file,
        report_template="imports/_rehearsal.html",
        report=report_rehearsal,
        links=(),
    ),
}
