"""A campaign, as a form."""

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import TextAreaField

from portal.contacts.checking import MAX_TEXT, InvalidContact
from portal.forms.contacts import INVALID_WORDS
from portal.forms.fields import at_most, line_field, strip, text_of
from portal.models import Campaign


def one_line_end(value: str | None) -> str | None:
    """The text with the line ends that it is stored with, whatever the browser sends."""
    return value and value.replace("\r\n", "\n")


class CampaignForm(FlaskForm):
    """A campaign's name and description, which every body of its contacts has."""

    name = line_field(_l("Nome"), 200)
    description = TextAreaField(_l("Descrição"), [at_most(MAX_TEXT)], filters=[strip, one_line_end])

    def show(self, campaign: Campaign) -> None:
        """Fill the fields with a campaign as it is."""
        self.name.data, self.description.data = campaign.name, campaign.description

    def said(self, campaign: Campaign) -> tuple[str, str | None]:
        """The name and the description; a text that nobody touched is the stored one, with its spaces and line ends."""
        shown = one_line_end(strip(campaign.description))
        is_same = self.description.data == shown
        name = campaign.name if self.name.data == strip(campaign.name) else text_of(self.name)
        return name, campaign.description if is_same else self.description.data

    def blame(self, error: InvalidContact) -> None:
        """Show at its field what the use case refused."""
        field = self.description if error.field == "campaign.description" else self.name
        message = INVALID_WORDS.get(error.problem, _l("Este valor não pode ser salvo."))
        field.errors = [*field.errors, message]
