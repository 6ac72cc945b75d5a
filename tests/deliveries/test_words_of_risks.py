"""What is said before and after a delivery is sent again: each sentence about its own risk or state."""

import pytest

from portal.database.db import db
from portal.deliveries.filtering import DeliveryFilter, select_deliveries
from portal.deliveries.resending import RISK_WORDS, RISKS, NeedsConfirmation, explain_under_way, risks_meant
from portal.models import Company
from tests.factories import make_contact, make_delivery

TELLS = {"delivered": "já recebeu", "older": "voltar atrás", "maybe_received": "pode ter recebido"}
DOUBLES = {"delivered", "maybe_received"}


@pytest.mark.parametrize("risk", RISKS)
def test_each_risk_is_told_by_its_own_title_and_whether_it_makes_doubles(risk: str) -> None:
    title = str(RISK_WORDS[risk][0])
    assert {name for name, words in TELLS.items() if words in title} == {risk}
    assert ("registro repetido" in NeedsConfirmation(risk).words) == (risk in DOUBLES)


@pytest.mark.parametrize(
    ("status", "meant"),
    [("delivered", {"delivered"}), ("superseded", {"older"}), ("failed", set()), ("cancelled", set()), (None, set())],
)
def test_a_program_that_names_a_status_means_its_risk(status: str | None, meant: set[str]) -> None:
    assert risks_meant(DeliveryFilter(status=status)) == meant
    assert risks_meant(DeliveryFilter(status=status), ["maybe_received"]) == meant | {"maybe_received"}


@pytest.mark.parametrize(("status", "words"), [("sending", "já está sendo enviada"), ("pending", "já está na fila")])
def test_what_is_under_way_is_said_as_it_is(company: Company, status: str, words: str) -> None:
    delivery = make_delivery(make_contact(company))
    delivery.status = status
    assert words in explain_under_way(delivery)


def test_an_id_is_found_by_the_six_at_its_beginning_and_at_its_end_and_no_others(company: Company) -> None:
    whole = "0f1e2d" + "a" * 19 + "ffffff" + "c"
    first, other = (make_delivery(make_contact(company, name=name)) for name in ("Ana", "Bia"))
    first.webhook_id, other.webhook_id = f"msg_{whole}", f"msg_{'b' * 32}"
    db.session.commit()

    def found(search: str) -> list[str]:
        query = select_deliveries(db.session, company.id, DeliveryFilter(search=search))
        return [row.webhook_id.removeprefix("msg_") for row in db.session.scalars(query)]

    for search in (whole, f"msg_{whole}", whole[:6], whole[-6:], f"msg_{whole[:5]}", f"msg_{whole[:-7]}"):
        assert found(search) == [whole], search
    for search in (whole[1:7], whole[-7:-1], f"msg_{whole[1:6]}", whole[:7]):
        assert found(search) == [], search
