"""A note about a cause, as a form."""

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm

from portal.contacts.notes import MAX_NOTE
from portal.forms.fields import text_area


class NoteForm(FlaskForm):
    text = text_area(_l("Nota"), MAX_NOTE)
