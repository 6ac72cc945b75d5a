"""What somebody asked to be imported, and how."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from portal.contacts.saved import FileRules
from portal.importing.layout import Examined, Layout
from portal.importing.own import KIND as OWN_KIND

KIND = "import"  # the kind of the task that does it


@dataclass(frozen=True, kw_only=True)
class Order:
    """What somebody asked to be imported, and how."""

    layout: Layout
    columns: tuple[str | None, ...]
    user_id: int  # who owns a contact that names no owner
    filename: str = ""
    # Whoever a row names as owner by an e-mail that nobody of the company has becomes a person without a log-in.
    makes_owners: bool = False
    campaign: str | None = None  # for rows that name none
    is_sending: bool = True
    keeps_levels: bool = True  # a level that somebody set stays, where the file says another
    updates_elsewhere: bool = False  # who is in another campaign is changed there, and not added
    # The field that each column might hold after all, where its name alone does not tell.
    offers: tuple[str | None, ...] = ()
    # The fields that somebody chose for columns, by number; None leaves one out.
    choices: Mapping[str, str | None] = field(default_factory=dict)
    is_remembered: bool = False  # some of the choices were made for an earlier file of the same header
    problem: str | None = None  # why the file could not be read in another way, which somebody asked for

    @property
    def sets_levels(self) -> bool:
        """Whether the file may hold levels that the CRM is told of."""
        return self.is_sending and (self.layout.delimiter is None or "interest_level" in self.columns)

    @property
    def rules(self) -> FileRules:
        is_whole = self.layout.delimiter is None or self.layout.kind == OWN_KIND
        return FileRules(
            keeps_levels=self.keeps_levels, updates_elsewhere=self.updates_elsewhere, adds_messages=not is_whole
        )

    @classmethod
    def of(cls, found: Examined, **choices: Any) -> "Order":
        """The order for a file as it was understood."""
        columns = tuple(each.field for each in found.columns)
        offers = tuple(each.offer for each in found.columns)
        return cls(layout=found.layout, columns=columns, offers=offers, **choices)

    def as_json(self) -> dict[str, Any]:
        return {**vars(self), "layout": self.layout.as_json()}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Order":
        known = {each.name: stored[each.name] for each in fields(cls) if each.name in stored}
        tuples = {name: tuple(stored.get(name, ())) for name in ("columns", "offers")}
        tuples["offers"] = tuples["offers"] or (None,) * len(tuples["columns"])
        return cls(**{**known, **tuples, "layout": Layout.from_json(stored["layout"])})
