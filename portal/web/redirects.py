"""Where a form sends people back to: only ever to a page of the portal."""

from pathlib import PurePosixPath
from urllib.parse import urlsplit

from flask import current_app, flash, redirect, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from portal.database.db import db


def is_local(target: str | None) -> bool:
    """Whether a browser takes `target` as a path on this host, however oddly it is written."""
    return bool(
        target
        and target.startswith("/")
        and not target.startswith("//")
        and "\\" not in target
        and all(character.isprintable() and not character.isspace() for character in target)
    )


def this_page() -> str:
    """The path, with its query, that was asked for, as a browser knows it."""
    return request.root_path + request.full_path.rstrip("?")


def page_before() -> str | None:
    """The page that a form or a script of ours was sent from: htmx names it, else the Referer; None if nobody does."""
    parts = urlsplit(request.headers.get("HX-Current-URL") or request.referrer or "")
    return page_at(f"{parts.path}?{parts.query}" if parts.query else parts.path)


def page_of_form() -> str | None:
    """The page that a form stood on: the one it was sent from, else the page of its own address, if there is one."""
    return page_before() or page_at(this_page())


def nearest_page() -> str | None:
    """The page that a form stood on; where nothing tells it, the nearest above the form's address."""
    above = PurePosixPath(request.root_path + request.path).parents
    return page_of_form() or next(filter(page_at, map(str, above)), None)


def page_at(target: str | None) -> str | None:
    """This path on this host, if a browser can open it as a page of the portal."""
    if not target or not is_local(target):
        return None
    path = urlsplit(target).path
    if not path.startswith(f"{request.root_path}/"):
        return None
    try:
        current_app.url_map.bind("portal").match(path.removeprefix(request.root_path), method="GET")
    except HTTPException:
        return None
    return target


def see_other(target: str) -> ResponseReturnValue:
    """Answer a POST: the browser opens `target`, and opening it again repeats nothing."""
    return redirect(target, code=303)


def back_or(target: str) -> ResponseReturnValue:
    """Back to the page the form names as `next`, else to `target`."""
    wanted = request.form.get("next")
    return see_other(wanted if wanted and is_local(wanted) else target)


def told(words: str, tone: str, target: str) -> ResponseReturnValue:
    """Answer a POST: the page `target`, which the browser opens, says these words."""
    flash(words, tone)
    return see_other(target)


def done(words: str, target: str, tone: str = "success") -> ResponseReturnValue:
    """Keep what was done; the page to which `back_or` leads says so."""
    db.session.commit()
    flash(words, tone)
    return back_or(target)
