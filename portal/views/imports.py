"""Importing contacts: a file is sent, shown as it was understood, started, watched, reported on, and taken back."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from flask import flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy.orm import Session

from portal.audit import Actor
from portal.contacts.campaigns import campaigns_of
from portal.contacts.filtering import owner_id_of
from portal.database.db import db
from portal.database.paging import row_number
from portal.importing import examining, rehearsal, running, undoing, words
from portal.importing.chunks import ReadRow
from portal.importing.columns import FIELDS
from portal.importing.encoding import ENCODINGS, FileProblem
from portal.importing.mapping import choose, require_name
from portal.importing.order import KIND as IMPORT
from portal.importing.order import Order
from portal.importing.own import KIND as OWN_KIND
from portal.models import Task
from portal.people.users import people_of
from portal.tasks import slices, store
from portal.web import access, bodies
from portal.web.redirects import see_other

MAX_FILE_BYTES = 50 * 1024 * 1024
MAX_UPLOAD_BYTES = MAX_FILE_BYTES + 64 * 1024  # a file with the form around it
KINDS = (examining.KIND, IMPORT)
PREVIEW_ROWS = 20
MAX_CAMPAIGN = 200

bp = access.Pages("imports", __name__, url_prefix="/imports")


@bp.app_context_processor
def shared_names() -> dict[str, object]:
    return {"import_kinds": words.KIND_WORDS, "max_file_bytes": MAX_FILE_BYTES}


@bp.get("", access="member")
def index() -> ResponseReturnValue:
    return _show_index()


@bp.post("", access="member")
@bodies.up_to(bodies.FORM_BYTES, who_is_known=MAX_UPLOAD_BYTES)
def upload() -> ResponseReturnValue:
    file = request.files.get("file")
    if file is None or not file.filename:
        return _show_index(_("Escolha um arquivo."))
    db.session.commit()  # ends the transaction of the access check: reading a long file keeps nobody from writing
    try:
        file.stream.seek(0, 2)
        if file.stream.tell() > MAX_FILE_BYTES:
            raise FileProblem("too_large")
        actor = access.current_actor()
        task = examining.receive(db.session, actor, file.stream, user_id=current_user.id, filename=file.filename[-200:])
    except FileProblem as problem:
        return _show_index(words.explain_file(problem.reason))
    db.session.commit()
    return see_other(url_for("jobs.show", job_id=task.id))


@bp.get("/<int:task_id>", access="member")
def show(task_id: int) -> ResponseReturnValue:
    """The preview of a file; before it was examined, and once it was started, the page of the job."""
    task = get_task_or_404(task_id, KINDS)
    return _show_draft(task) if task.status == "draft" else see_other(url_for("jobs.show", job_id=task_id))


@bp.post("/<int:task_id>", access="member")
def start(task_id: int) -> ResponseReturnValue:
    """Keep what was chosen; then show it again, or start it. An import that was not counted yet is counted first."""
    task = get_task_or_404(task_id)
    if request.form.get("do") != "start":
        return _keep_choices(task, None)
    return _keep_choices(task, running.begin if _rehearsed_order(task) else rehearsal.queue)


@bp.post("/<int:task_id>/check", access="member")
def check(task_id: int) -> ResponseReturnValue:
    """Keep what was chosen, and count what the import would do."""
    return _keep_choices(get_task_or_404(task_id), rehearsal.queue)


@bp.post("/<int:task_id>/examine", access="member")
def examine_again(task_id: int) -> ResponseReturnValue:
    """Read the file again: in another encoding, another sheet of it, or without a header."""
    task = get_task_or_404(task_id)
    if task.status == "draft":
        layout, chosen = Order.from_json(task.arguments).layout, request.form
        sheet = next((name for name in layout.sheets if name == chosen.get("sheet")), layout.sheet)
        encoding = next((name for name in ENCODINGS if name == chosen.get("encoding") and sheet is None), None)
        has_header = chosen.get("header") != "none"
        examining.examine_again(db.session, task, encoding=encoding, sheet=sheet, has_header=has_header)
        db.session.commit()
    return see_other(url_for("jobs.show", job_id=task_id))


@bp.post("/<int:task_id>/discard", access="member")
def discard(task_id: int) -> ResponseReturnValue:
    """Forget a file that was not started."""
    if store.discard(db.session, get_task_or_404(task_id)):
        flash(_("O arquivo foi descartado; nada foi importado."), "success")
    db.session.commit()
    return see_other(url_for(".index"))


@bp.get("/<int:task_id>/undo", access="member")
def confirm_undo(task_id: int) -> ResponseReturnValue:
    """What would go and what stays, before anything does."""
    task = get_task_or_404(task_id)
    found = undoing.look(db.session, current_user.company_id, task_id)
    return render_template("imports/undo.html", task=task, found=found)


@bp.post("/<int:task_id>/undo", access="member")
def undo(task_id: int) -> ResponseReturnValue:
    job = undoing.start(db.session, access.current_actor(), get_task_or_404(task_id))
    db.session.commit()
    return see_other(url_for("jobs.show", job_id=job.id))


def get_task_or_404(task_id: int, kinds: Collection[str] = (IMPORT,)) -> Task:
    """The import of the reader's company: nobody can forget to check whose it is."""
    return access.or_404(store.get_task(db.session, current_user.company_id, kinds, task_id))


def _show_index(error: str | None = None) -> ResponseReturnValue:
    recent = store.recent_tasks(db.session, current_user.company_id, KINDS)
    undone = undoing.find_undone(db.session, current_user.company_id, [task.id for task in recent])
    return render_template("imports/index.html", recent=recent, undone=undone, error=error), 422 if error else 200


def _show_draft(task: Task, error: str | None = None) -> ResponseReturnValue:
    order = Order.from_json(task.arguments)
    blocks = partial(slices.read_blocks, db.engine, task.id, store.INPUT)
    rows = running.preview(db.session, task.company_id, order, blocks=blocks, count=PREVIEW_ROWS)
    columns = range(len(order.columns))
    warned = {each.says: each for row in reversed(rows) for each in row.findings}
    page = render_template(
        "imports/draft.html",
        task=task,
        order=order,
        rows=rows,
        first_warnings=warned.values(),
        examples=[_example(rows, index) for index in columns],
        taken=[index for index in columns if order.columns[index] or order.offers[index]],
        left_out=[index for index in columns if not (order.columns[index] or order.offers[index])],
        error=error,
        problem=words.explain_file(order.problem) if order.problem else None,
        explain=words.row_explainer(),
        fields={name: words.FIELD_WORDS[name] for name in FIELDS},
        encoding=words.ENCODING_WORDS[order.layout.encoding],
        encodings={name: words.ENCODING_WORDS[name] for name in ENCODINGS},
        delimiter=words.DELIMITER_WORDS.get(order.layout.delimiter or ""),
        campaigns=campaigns_of(db.session, task.company_id),
        people=people_of(db.session, task.company_id),
    )
    return page, 422 if error else 200


def _keep_choices(task: Task, then: Callable[[Session, Actor, Task], Task] | None) -> ResponseReturnValue:
    """Keep what the form says of a draft, and do what comes next with it, if it can be imported."""
    shown = task
    if task.status == "draft":
        order = _read_order(_rehearsed_order(task) or Order.from_json(task.arguments))
        task.arguments = order.as_json()
        db.session.flush()
        try:
            if then is not None:
                require_name(order)
        except FileProblem as problem:
            db.session.commit()
            return _show_draft(task, words.explain_problem(problem))
        shown = then(db.session, access.current_actor(), task) if then else task
        db.session.commit()
    return see_other(url_for(".show", task_id=task.id) if shown is task else url_for("jobs.show", job_id=shown.id))


def _rehearsed_order(task: Task) -> Order | None:
    """The order that the person saw counted, when the form starts that one."""
    rehearsed = store.get_task(
        db.session, task.company_id, rehearsal.KIND, request.form.get("rehearsal", 0, type=row_number)
    )
    if rehearsed is None or rehearsed.status != "done" or rehearsed.arguments["file"] != task.id:
        return None
    return Order.from_json(rehearsed.arguments)


def _read_order(order: Order) -> Order:
    """The order with what the form says; what it does not ask stays."""
    given: dict[str, Any] = {}
    if "rehearsal" not in request.form:  # it is the form of the draft
        chosen = [request.form.get(f"column-{index}") for index in range(len(order.layout.header))]
        if order.layout.kind != OWN_KIND:  # a file of ours is read to the letter, and has no columns to choose
            order = choose(order, [name if name in FIELDS else None for name in chosen])
        campaign = " ".join(request.form.get("campaign", "").split())[:MAX_CAMPAIGN]
        given.update(problem=None, campaign=campaign or None, is_sending="is_sending" in request.form)
        given.update(makes_owners="makes_owners" in request.form, user_id=_read_owner() or order.user_id)
    if "levels" in request.form:
        given["keeps_levels"] = request.form["levels"] != "replace"
    if "elsewhere" in request.form:
        given["updates_elsewhere"] = request.form["elsewhere"] == "update"
    return replace(order, **given)


def _read_owner() -> int | None:
    """The person of the company who was chosen to own contacts that name no owner."""
    try:
        return owner_id_of(db.session, current_user.company_id, row_number(request.form.get("owner", "")))
    except ValueError:
        return None


def _example(rows: Sequence[ReadRow], index: int) -> str:
    """The first value of a column."""
    cells = (row.record.cells[index : index + 1] for row in rows)
    return next((cell for each in cells for cell in each if cell.strip()), "")
