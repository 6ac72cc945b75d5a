"""The shapes of contacts: the body's own, as the source document has it."""

from marshmallow import fields
from marshmallow.validate import OneOf, Range

from portal.api.fields import EMAIL, DateText, ItemList, Object, StrictSchema, Text, WholeNumber, choice, key, level
from portal.contact_items import DATE_FIELDS, MAX_ITEMS, MAX_TEXT, TEXT_FIELDS

SYNC_STATES = ("in_sync", "waiting", "out_of_sync", "never_sent")

EXAMPLE = {
    "contact": {
        "name": "Maria Souza",
        "linkedin_public_id": "maria-souza",
        "current_company": "Empresa Exemplo",
        "role": "Diretora",
        "location": "São Paulo, Brasil",
        "email": "maria@example.com",
        "phone": None,
        "invite_date": "2026-01-22 12:28:47",
        "interest_level": 2,
        "skills": [{"skill": "Vendas", "endorsements": 12}],
        "experiences": [{"experience": "Gerente", "company_link": "https://example.com"}],
    },
    "contact_owner": {"name": "Ana Lima", "email": "ana@example.com"},
    "campaign": {"name": "Indústria 2026", "description": None},
    "messages": [
        {"sender_name": "Ana Lima", "message": "Olá, Maria!", "date": "2026-01-22 12:30:00", "pending_message": 0}
    ],
}


class SkillSchema(StrictSchema):
    skill = Text(300, allow_none=True)
    endorsements = WholeNumber(validate=Range(0, 2**31 - 1, error="not_a_count"), allow_none=True)


class ExperienceSchema(StrictSchema):
    experience = Text(1000, allow_none=True)
    company_link = Text(2000, allow_none=True)


FactsSchema = StrictSchema.from_dict(
    {
        "id": key(allow_none=True, metadata={"description": "An existing contact's number; it has to be known."}),
        **{name: Text(length, allow_none=name != "name") for name, length in TEXT_FIELDS.items()},
        **{name: DateText() for name in DATE_FIELDS},
        "interest_level": level(metadata={"description": "One that differs is a classification; null removes it."}),
        "skills": ItemList(Object(SkillSchema), length=MAX_ITEMS),
        "experiences": ItemList(Object(ExperienceSchema), length=MAX_ITEMS),
    },
    name="ContactFacts",
)


class OwnerSchema(StrictSchema):
    id = key(allow_none=True, metadata={"description": "Not used: owners are told apart by their e-mail."})
    name = Text(200, allow_none=True)
    email = Text(254, form=EMAIL, required=True)


class CampaignSchema(StrictSchema):
    id = key(allow_none=True, metadata={"description": "Not used: campaigns are told apart by their name."})
    name = Text(200, allow_none=True)
    description = Text(MAX_TEXT, allow_none=True)


class MessageSchema(StrictSchema):
    sender_name = Text(300)
    message = Text(MAX_TEXT)
    date = DateText()
    pending_message = WholeNumber(validate=OneOf((0, 1), error="not_a_flag"))


class ContactItemSchema(StrictSchema):
    """A contact to make or to change; what is absent stays as it is."""

    contact = Object(FactsSchema, required=True)
    contact_owner = Object(OwnerSchema)
    campaign = Object(CampaignSchema)
    messages = ItemList(Object(MessageSchema), length=MAX_ITEMS)


class ContactSchema(ContactItemSchema):
    """A contact as it is, in the body's shape."""

    sync = choice(SYNC_STATES, required=True)


class SavedSchema(StrictSchema):
    id = fields.Integer(required=True)
    created = fields.Boolean(required=True)
    delivery_id = fields.String(required=True, allow_none=True)


class ResultsSchema(StrictSchema):
    """One result for each contact sent, in the same order."""

    results = fields.List(fields.Nested(SavedSchema), required=True)


class LevelSchema(StrictSchema):
    interest_level = level(required=True)


class ClassifiedSchema(StrictSchema):
    contact_id = fields.Integer(required=True)
    interest_level = level(required=True)
    previous_level = level(required=True)
    delivery_id = fields.String(required=True, allow_none=True, metadata={"description": "null when no webhook fires."})
