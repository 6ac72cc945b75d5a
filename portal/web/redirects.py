"""Where a form sends people back to: only ever to a page of the portal."""

from flask import redirect, request
from flask.typing import ResponseReturnValue


def is_local(target: str | None) -> bool:
    """Whether a browser takes `target` as a path on this host, however oddly it is written."""
    return bool(
        target
        and target.startswith("/")
        and not target.startswith("//")
        and "\\" not in target
        and all(character.isprintable() and not character.isspace() for character in target)
    )


def see_other(target: str) -> ResponseReturnValue:
    """Answer a POST: the browser opens `target`, and opening it again repeats nothing."""
    return redirect(target, code=303)


def back_or(target: str) -> ResponseReturnValue:
    """Back to the page the form names as `next`, else to `target`."""
    wanted = request.form.get("next")
    return see_other(wanted if wanted and is_local(wanted) else target)
