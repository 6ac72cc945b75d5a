"""The shapes of contacts: the body's own, as the source document has it."""

from marshmallow import fields

from portal.api.examples import CONTACT_ITEM
from portal.api.protocol.fields import (
    EMAIL,
    KEY_TEXT,
    PAGE_NOTE,
    AnswerSchema,
    DateText,
    FilterSchema,
    Flag,
    Ignored,
    ItemList,
    ListQuerySchema,
    NumberParameter,
    Object,
    StrictSchema,
    Text,
    WholeNumber,
    about,
    choice,
    key,
    level,
)
from portal.contacts.filtering import ASKED_LEVELS
from portal.contacts.items import DATE_FIELDS, MAX_ITEMS, MAX_LIST, MAX_SENDER, MAX_TEXT, MAX_THREAD, TEXT_FIELDS
from portal.contacts.standing import SHOWN_STATES, SYNC_STATES
from portal.rules.verdict import WARNINGS

CRM_URL = "The contact's record in the CRM, where a company has said how its answers tell."
IMPORT_NOTE = about("The contacts that this import named.")
LIST_NOTE = about(f"{MAX_LIST:,} characters in all at most.")
THREAD_NOTE = about(f"{MAX_THREAD:,} characters in all at most.")
MAX_CONTACTS = 1000  # contacts that one request saves at most


class SkillSchema(StrictSchema):
    skill = Text(300, allow_none=True)
    endorsements = WholeNumber(range(2**31), error="not_a_count", allow_none=True)


class ExperienceSchema(StrictSchema):
    experience = Text(1000, allow_none=True)
    company_link = Text(2000, allow_none=True)


FactsSchema = StrictSchema.from_dict(
    {
        "id": key(allow_none=True, metadata=about("An existing contact's number; it has to be known.")),
        **{name: Text(length, allow_none=name != "name") for name, length in TEXT_FIELDS.items()},
        **{name: DateText() for name in DATE_FIELDS},
        "interest_level": level(metadata=about("One that differs is a classification; null removes it.")),
        "skills": ItemList(Object(SkillSchema), length=MAX_ITEMS, metadata=LIST_NOTE),
        "experiences": ItemList(Object(ExperienceSchema), length=MAX_ITEMS, metadata=LIST_NOTE),
    },
    name="ContactFacts",
)


class OwnerSchema(StrictSchema):
    id = key(allow_none=True, metadata=about("Not used: owners are told apart by their e-mail."))
    name = Text(200, allow_none=True)
    email = Text(254, form=EMAIL, required=True)


class CampaignSchema(StrictSchema):
    id = key(allow_none=True, metadata=about("Not used: campaigns are told apart by their name."))
    name = Text(200, allow_none=True)
    description = Text(MAX_TEXT, allow_none=True)


class MessageSchema(StrictSchema):
    sender_name = Text(MAX_SENDER)
    message = Text(MAX_TEXT)
    date = DateText()
    pending_message = WholeNumber((0, 1), error="not_a_flag")


class BodySchema(StrictSchema):
    contact = Object(FactsSchema, required=True)
    contact_owner = Object(OwnerSchema)
    campaign = Object(CampaignSchema)
    messages = ItemList(
        Object(MessageSchema), length=MAX_ITEMS, metadata=about(f"{MAX_THREAD:,} characters in all at most.")
    )


class ContactItemSchema(BodySchema):
    """A contact to make or to change; what is absent stays as it is."""

    sync, warning, data_changed, crm_url = (
        Ignored(allow_none=True, load_only=True, metadata=about("Not used: what an answer says of it."))
        for _ in range(4)
    )


class ContactSchema(BodySchema):
    """A contact as it is, in the body's shape."""

    sync = choice(SYNC_STATES, required=True)
    warning = choice(
        WARNINGS,
        required=True,
        allow_none=True,
        metadata=about("Of the last answer that was accepted; null when there is none, or it was settled."),
    )
    data_changed = fields.Boolean(
        required=True,
        metadata=about(
            "Whether contact, owner or campaign changed since the body was made that the receiver took "
            "last. The level, `collect_date` and messages do not count."
        ),
    )
    crm_url = fields.String(required=True, allow_none=True, metadata=about(CRM_URL))


class ContactFilterSchema(FilterSchema):
    """The filters of `listContacts`, as an object."""

    owner = Text(254, metadata=about("An owner's e-mail or number; `me`: whose token it is."))
    search = Text(200, metadata=about("A part of the contact's name."))
    level = choice(tuple(ASKED_LEVELS), metadata=about("`none`: contacts without a level."))
    replied = choice(("yes", "since"), metadata=about("`since`: after the level was set, or there is none yet."))
    sync = choice(SYNC_STATES, metadata=about("Whether the CRM knows the contact's level."))
    data_changed = choice(("true", "false"), metadata=about("Whether the receiver has the old data."))
    state = choice(
        SHOWN_STATES,
        metadata=about("As pages show it: `sync`, or what is told in the place of `in_sync`."),
    )
    warning = choice(WARNINGS, metadata=about("Open warnings of that kind."))
    import_id: fields.Integer = key(data_key="import", attribute="import", metadata=IMPORT_NOTE)
    reached = Text(
        100,
        metadata=about(
            "Who reached a level since then and before: `level,since,until`, and perhaps `in_crm`, "
            "`with_warning` or `missing`, as `getReport` counts them."
        ),
    )


class ContactQuerySchema(ListQuerySchema, ContactFilterSchema):
    """The same in a query, where numbers are texts."""

    import_id = NumberParameter(data_key="import", attribute="import", metadata=IMPORT_NOTE)


class ContactPageSchema(AnswerSchema):
    items = fields.List(fields.Nested(ContactSchema))
    next_cursor = fields.String(allow_none=True, metadata=PAGE_NOTE)


class NoteSchema(StrictSchema):
    field = fields.String(required=True)
    problem = fields.String(required=True)


class SavedSchema(StrictSchema):
    id = fields.Integer(required=True)
    created = fields.Boolean(required=True)
    delivery_id = fields.String(required=True, allow_none=True)
    notes = fields.List(
        fields.Nested(NoteSchema), metadata=about("What was left out or mended; absent when nothing was.")
    )


class SentSchema(AnswerSchema):
    contact_id = fields.Integer()
    delivery_id = fields.String(allow_none=True, metadata=about("null when the receiver has it all, or it is queued."))


class SendCurrentSchema(StrictSchema):
    filter = Object(ContactFilterSchema, required=True, metadata=about("Empty: every contact."))
    dry_run = Flag(load_default=False, metadata=about("Only count; nothing is sent."))


class MergeSchema(StrictSchema):
    contact_id: fields.Integer = key(required=True, metadata=about("The contact that is gone after it."))


class RepeatableSchema(StrictSchema):
    """The header of a call that may be repeated."""

    idempotency_key = Text(
        255,
        form=KEY_TEXT,
        data_key="Idempotency-Key",
        metadata=about("Makes the call safe to repeat for 24 hours, such as a UUID."),
    )


class ResultsSchema(AnswerSchema):
    """One result for each contact sent, in the same order."""

    results = fields.List(fields.Nested(SavedSchema))


class LevelSchema(StrictSchema):
    interest_level = level(required=True)


class ClassifiedSchema(AnswerSchema):
    contact_id = fields.Integer()
    interest_level = level()
    previous_level = level()
    delivery_id = fields.String(allow_none=True, metadata=about("null when no webhook fires."))


# What the OpenAPI document says of saving: one contact, or a list of them.
SAVE_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "oneOf": [ContactItemSchema, {"type": "array", "items": ContactItemSchema, "maxItems": MAX_CONTACTS}]
            },
            "example": CONTACT_ITEM,
        }
    },
}
