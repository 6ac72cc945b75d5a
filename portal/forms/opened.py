"""Forms of what is saved: whoever opened the page before somebody else saved undoes nothing of it unseen."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flask_babel import gettext as _
from flask_wtf import FlaskForm
from wtforms import HiddenField

MAX_TOLD = 200  # characters of a saved value that are told


class OpenedForm(FlaskForm):
    """A form that carries, for each field, a mark of what was saved when its page was opened."""

    opened = HiddenField()

    def open_with(self, saved: Mapping[str, Any]) -> None:
        """Note what is saved, by the names of the fields, unless the page was opened before."""
        self.opened.data = self.opened.data or marks_of(saved)

    def is_as_opened(self, name: str) -> bool:
        """Whether nobody touched the field since the page was opened."""
        return self._marks().get(name) == mark(self.held(name))

    def agrees_with(self, saved: Mapping[str, Any]) -> bool:
        """Take over what was saved since the page was opened, in the fields that nobody touched here.

        A field that was changed here as well says what is saved now; sent once more, the form has its way.
        """
        marks, both = self._marks(), []
        for name, value in saved.items():
            if marks.get(name, mark(value)) == mark(value):
                continue
            if self.is_as_opened(name):
                self[name].process(None, value)
                self[name].raw_data = None  # else a date or a number would show what was sent
            elif mark(self.held(name)) != mark(value):
                both.append(name)
        for name in both:
            self.tell_changed(name, saved[name])
        if both:
            self.opened.data = marks_of(saved)
        return not both

    def held(self, name: str) -> Any:
        """What the field holds, to be compared with what is saved."""
        return self[name].data

    def tell_changed(self, name: str, value: Any) -> None:
        """Say at the field that somebody else changed it."""
        words = _(
            "Depois que você abriu esta página, alguém salvou aqui “%(saved)s”. Para trocar pelo que está no campo, "
            "salve de novo.",
            saved=str(plain(value))[:MAX_TOLD],
        )
        self[name].errors = [*self[name].errors, words]

    def _marks(self) -> dict[str, str]:
        pairs = (part.partition("=") for part in (self.opened.data or "").split())
        return {name: value for name, _equals, value in pairs}


def plain(value: Any) -> Any:
    """The value as a browser sends it back when nobody typed anything."""
    if isinstance(value, datetime):
        return value.replace(tzinfo=None, microsecond=0)
    return "\n".join((value or "").strip().splitlines()) if value is None or isinstance(value, str) else value


def mark(value: Any) -> str:
    """A few letters that stand for the value."""
    text = json.dumps(plain(value), default=str, sort_keys=True)
    return hashlib.blake2s(text.encode(), digest_size=8).hexdigest()


def marks_of(saved: Mapping[str, Any]) -> str:
    """The mark of each value, by its name, as one line."""
    return " ".join(f"{name}={mark(value)}" for name, value in saved.items())
