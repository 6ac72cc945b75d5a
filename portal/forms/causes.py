"""A note about a cause, as a form."""

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import TextAreaField

from portal.contacts.notes import MAX_NOTE
from portal.forms.campaigns import one_line_end
from portal.forms.fields import at_most, strip


class NoteForm(FlaskForm):
    text = TextAreaField(_l("Nota"), [at_most(MAX_NOTE)], filters=[strip, one_line_end])
