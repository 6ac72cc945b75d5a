"""A campaign, as a form."""

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm

from portal.contacts.checking import MAX_TEXT, InvalidContact
from portal.forms.contacts import blame
from portal.forms.fields import line_field, one_line_end, strip, text_area, text_of
from portal.models import Campaign


class CampaignForm(FlaskForm):
    """A campaign's name and description, which every body of its contacts has."""

    name = line_field(_l("Nome"), 200)
    description = text_area(_l("Descrição"), MAX_TEXT)

    def show(self, campaign: Campaign) -> None:
        """Fill the fields with a campaign as it is."""
        self.name.data, self.description.data = campaign.name, campaign.description

    def said(self, campaign: Campaign) -> tuple[str, str | None]:
        """The name and the description; one that nobody touched is the stored one, with its spaces and line ends."""
        shown = one_line_end(strip(campaign.description))
        is_same = self.description.data == shown
        return text_of(self.name), campaign.description if is_same else self.description.data

    def blame(self, error: InvalidContact) -> None:
        """Show at its field what the use case refused."""
        blame(self.description if error.field == "campaign.description" else self.name, error)
