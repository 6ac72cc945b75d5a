"""What the page of a task says, for each kind of task."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.contacts import assigning, classifying, completing, syncing
from portal.contacts.listing import contacts_of
from portal.database.db import db
from portal.deliveries import resending
from portal.i18n import ngettext
from portal.importing import examining, rehearsal, undoing
from portal.importing.order import KIND as IMPORT
from portal.importing.words import explain_file
from portal.models import OPEN_STATUSES, Task
from portal.tasks import slices, store
from portal.views.import_reports import report_of
from portal.views.job_page import Counts, Kind, Link, Words, say

SHOWN_PRESENT = 100


def count_sync(task: Task) -> Counts:
    """What became of the contacts. A contact is in sync when its delivery has arrived."""
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
        return _("Não foi preciso enviar nada: o CRM já sabia, ou já ia saber.")
    return _("Nada chegou ao CRM.")


def report_present(task: Task) -> Mapping[str, object]:
    """Who was not moved: the first of them."""
    first = list(islice(slices.read_numbers(db.engine, task.id, assigning.PRESENT), SHOWN_PRESENT))
    return {"present": contacts_of(db.session, task.company_id, first)}


def count_import(task: Task) -> Counts:
    """What was done; whether it was taken back, and else how many contacts may be."""
    is_undone = task.id in undoing.find_undone(db.session, task.company_id, [task.id])
    made = Counter(undone=1) if is_undone else Counter(undoable=task.counts.get("created", 0))
    return Counter(task.counts) + made


def import_result(counts: Counts) -> Words:
    if counts["undone"]:
        return _("Esta importação foi desfeita.")
    if counts["bad"]:
        return ngettext("Pronto, menos %(num)s linha.", "Pronto, menos %(num)s linhas.", counts["bad"])
    if not counts["created"] and not counts["changed"]:
        return _("Pronto: nada mudou, o portal já tinha tudo.")
    return _("Pronto: todas as linhas do arquivo foram importadas.")


def import_note(counts: Counts) -> Words:
    if counts["undone"]:
        return _("O que ela criou e ninguém mudou depois foi apagado.")
    return note_sent(counts)


def rehearsal_result(counts: Counts) -> Words:
    if not counts["created"] and not counts["changed"]:
        return _("Nada mudaria: o portal já tem tudo deste arquivo.")
    return _("Isto é o que a importação vai fazer. Nada foi gravado ainda.")


def count_undone(task: Task) -> Counts:
    """What was removed and what stayed, those included that were left out from the beginning."""
    first = {name: task.arguments[name] for name in ("touched", "told")}
    return Counter(task.counts) + Counter(first)


def report_rehearsal(task: Task) -> Mapping[str, object]:
    """What an import would do, and its draft, if that still waits."""
    draft = store.get_task(db.session, task.company_id, IMPORT, task.arguments["file"])
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
    words={
        "arrived": _l("Em dia"),
        "doubtful": _l("Recebidos, com aviso"),
        "coming": _l("Na fila"),
        "lost": _l("Não chegaram"),
        "unchanged": _l("Não precisavam mais"),
    },
    result=sync_result,
    note=say("coming", lambda _num: _("O resultado aparece aqui conforme o CRM responde.")),
    count=count_sync,
    links=(SEE_DELIVERIES._replace(values={"trigger": "sync"}), GO_HOME),
    is_for_admins=True,
)

EXAMINATION = Kind(
    title=_l("Importação"),
    back=Link("", "imports.index", _l("Importar contatos")),
    symbol="file-import",
    running=_l("Lendo o arquivo"),
    unit=_l("Quanto do arquivo foi lido"),
    words={},
    explain=explain_file,
    links=(Link("upload", "imports.index", _l("Enviar outro arquivo")),),
)

KINDS: Mapping[str, Kind] = {
    resending.KIND: Kind(
        title=_l("Reenvio"),
        back=Link("", "deliveries.index", _l("Entregas")),
        symbol="send",
        running=_l("Reenviando: %(position)s de %(total)s entregas"),
        unit=_l("Entregas feitas"),
        words={"resent": _l("Voltaram para a fila"), "unchanged": _l("Já estavam na fila")},
        result=say(
            "resent",
            lambda num: ngettext("%(num)s entrega voltou para a fila.", "%(num)s entregas voltaram para a fila.", num),
            _l("Não foi preciso reenviar nada: todas já estavam na fila."),
        ),
        note=say(
            "resent", lambda _num: _("Elas saem na ordem de cada contato, com o mesmo conteúdo e o mesmo código.")
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
        words={"classified": _l("Classificados"), "unchanged": _l("Já estavam assim"), "sent": _l("Webhooks")},
        result=say(
            "classified",
            lambda num: ngettext("%(num)s contato classificado.", "%(num)s contatos classificados.", num),
            _l("Nada mudou: todos já estavam neste nível."),
        ),
        note=note_sent,
        links=(SEE_CONTACTS, SEE_DELIVERIES._replace(needs="sent")),
    ),
    assigning.KIND: Kind(
        title=_l("Mudar responsável ou campanha"),
        back=Link("", "contacts.index", _l("Contatos")),
        symbol="users",
        running=_l("Mudando: %(position)s de %(total)s contatos"),
        words={
            "assigned": _l("Mudaram"),
            "unchanged": _l("Já estavam assim"),
            assigning.PRESENT: _l("Já estão na campanha"),
        },
        result=say(
            "assigned",
            lambda num: ngettext("%(num)s contato mudou.", "%(num)s contatos mudaram.", num),
            _l("Nada mudou."),
        ),
        note=say(
            "assigned", lambda _num: _("O CRM não é avisado: ele tem os dados de antes até alguém enviar os atuais.")
        ),
        links=(SEE_CONTACTS,),
        report_template="bulk/_present.html",
        report=report_present,
    ),
    examining.KIND: EXAMINATION,
    IMPORT: replace(
        EXAMINATION,
        running=_l("Importando: %(position)s de %(total)s linhas"),
        unit=_l("Linhas importadas"),
        words=IMPORT_WORDS | {"classified": _l("Classificados")} | FINDING_WORDS,
        result=import_result,
        note=import_note,
        count=count_import,
        report_template="imports/_report.html",
        report=report_of,
        links=(
            SEE_CONTACTS._replace(number="import"),
            Link("upload", "imports.index", _l("Importar outro arquivo")),
            Link("trash", "imports.confirm_undo", _l("Desfazer a importação"), number="task_id", needs="undoable"),
        ),
    ),
    undoing.KIND: Kind(
        title=_l("Desfazer a importação"),
        back=Link("", "imports.index", _l("Importar contatos")),
        symbol="trash",
        running=_l("Desfazendo: %(position)s de %(total)s contatos"),
        words={"removed": _l("Apagados"), "touched": _l("Mudaram e ficam"), "cancelled": _l("Webhooks cancelados")},
        count=count_undone,
        result=say(
            "removed",
            lambda num: ngettext("%(num)s contato apagado.", "%(num)s contatos apagados.", num),
            _l("Nada foi apagado: o que a importação criou mudou depois."),
        ),
        note=say(
            "told",
            lambda num: ngettext(
                "O seu CRM já tinha recebido %(num)s deles, ou pode ter recebido: lá eles ficam.",
                "O seu CRM já tinha recebido %(num)s deles, ou pode ter recebido: lá eles ficam.",
                num,
            ),
            _l("O seu CRM não tinha recebido nenhum deles."),
        ),
        links=(SEE_CONTACTS,),
    ),
    rehearsal.KIND: replace(
        EXAMINATION,
        title=_l("Conferir a importação"),
        symbol="eye",
        running=_l("Conferindo: %(position)s de %(total)s linhas"),
        unit=_l("Linhas conferidas"),
        heading=_l("O que a importação faz"),
        words=IMPORT_WORDS | {"sent": _l("Webhooks")} | FINDING_WORDS,
        result=rehearsal_result,
        note=say(
            "sent",
            lambda num: ngettext(
                "Ela envia %(num)s webhook ao seu CRM.", "Ela envia %(num)s webhooks ao seu CRM.", num
            ),
            _l("Ela não envia nada ao seu CRM."),
        ),
        report_template="imports/_rehearsal.html",
        report=report_rehearsal,
        links=(),
    ),
}
