"""Every page and call that can be looked at, and the lists with each of their filters: what pages.py asks for."""

from collections.abc import Iterator, Mapping
from itertools import combinations, product

from flask import Flask

from portal.contacts.filtering import ContactFilter
from portal.contacts.listing import SORTS
from portal.database.filters import Filter, choices_of
from portal.deliveries.filtering import DeliveryFilter

Values = Mapping[str, list[str]]

EXACT = {
    "/company/close": "it counts all that would go",
    "/company/data.zip": "all that there is of the company",
    "/contacts/assign": "it counts all that would be changed",
    "/contacts/classify/all": "the same",
    "/contacts/doubles": "it compares all contacts",
    "/deliveries/resend": "it counts all that would be sent again",
    "/sync/contacts": "it counts all that would be sent",
}
"""What reads everything, when somebody asks for it."""
OF_ITEMS = (
    "/deliveries/{delivery}",
    "/deliveries/{delivery}/body",
    "/deliveries/{delivery}/support.txt",
    "/deliveries/{delivery}/resend",
    "/deliveries/resend?status=failed",
    "/deliveries/live?id={delivery}",
    "/deliveries/news?than={middle}",
    "/contacts/{contact}",
    "/contacts/{contact}/edit",
    "/contacts/{contact}/erase",
    "/contacts/{contact}/merge",
    "/contacts/{contact}/person.json",
    "/contacts/live?id={contact}",
    "/triage/{contact}",
    "/campaigns/{rare}",
    "/team/{rare}",
    "/report?month=2020-01",
    "/api/v1/deliveries/{delivery}",
    "/api/v1/contacts/{contact}",
    *("/report?since={old}&until={" + end + "}" for end in ("next_day", "ten_days", "thirty_days")),
    *(
        "/api/v1/report?since={old}T00:00:00Z&until={" + end + "}T00:00:00Z"
        for end in ("next_day", "ten_days", "thirty_days")
    ),
)
OF_LOG: Values = {
    "campaign": ["3", "{rare}"],
    "owner": ["4", "{rare}"],
    "contact": ["{contact}"],
    "reason": ["ok_json", "ok_text", "timeout", "gone"],
    "search": ["pessoa", "pessoa+421", "nobody", "404", "abcdef"],
    "since": ["{old}", "{lately}"],
    "until": ["{old}", "{lately}"],
}
OF_CONTACTS: Values = {
    "campaign": ["3", "{rare}"],
    "owner": ["4", "{rare}"],
    "search": ["pessoa", "pessoa+421", "nobody", "9999"],
    "reached": ["3,{old}T00:00:00Z,{next_day}T00:00:00Z,missing"],
}
PLACES = ["cursor={middle}", "cursor={first}"]
"""Deep in the log, and at its end."""
OF_TIME = ("since", "until")
NUMBERED = {"contact": "contact_id", "outage": "outage_id"}
"""What calls name otherwise."""


def addresses(app: Flask) -> list[str]:
    """All of them, with the placeholders that `long_log.words_of` fills."""
    log, contacts = values_of(DeliveryFilter, OF_LOG), values_of(ContactFilter, OF_CONTACTS)
    log.pop("outage")  # there was none
    contacts.pop("import")
    of_log = [*singles(log), *PLACES, "since={old}&until={next_day}", "since={old}&until={thirty_days}"]
    of_contacts = [*singles(contacts), "cursor={contact}"]
    return [
        *plain(app),
        *OF_ITEMS,
        *(f"/deliveries?{asked}" for asked in [*of_log, *pairs(log)]),
        *(f"/api/v1/deliveries?{in_call(asked)}" for asked in of_log),
        *(f"/contacts?{asked}" for asked in [*of_contacts, *pairs(contacts)]),
        *(f"/contacts?sort={sort}&{asked}" for sort, asked in product(set(SORTS) - {"name"}, of_contacts)),
        *(f"/api/v1/contacts?{asked}" for asked in of_contacts),
    ]


def plain(app: Flask) -> list[str]:
    """The addresses that name nothing, but for what is `EXACT`, or is of nobody."""
    rules = [rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ()) and not rule.arguments]
    return sorted({rule.rule for rule in rules} - set(EXACT) - {"/healthz", "/readyz"})


def values_of(kind: type[Filter], given: Values) -> dict[str, list[str]]:
    """Values of each field of a filter: some that much matches, and some that hardly anything does."""
    return {name: given.get(name) or [str(each) for each in values or ()] for name, values in choices_of(kind).items()}


def singles(values: Values) -> Iterator[str]:
    yield ""
    for name, each in values.items():
        yield from (f"{name}={value}" for value in each)


def pairs(values: Values) -> Iterator[str]:
    """The first value of each field beside the first and the last of each other one."""
    for (name, first), (other, second) in combinations(values.items(), 2):
        yield from (f"{name}={first[0]}&{other}={value}" for value in dict.fromkeys((second[0], second[-1])))


def in_call(asked: str) -> str:
    """The same of a call: its names, and days as times."""
    parts = (part.partition("=") for part in filter(None, asked.split("&")))
    return "&".join(
        f"{NUMBERED.get(name, name)}={value}{'T00:00:00Z' if name in OF_TIME else ''}" for name, _, value in parts
    )
