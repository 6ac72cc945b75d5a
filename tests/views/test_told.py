"""What a page says after each act, how gravely, and where it leads; and the same when it was so already."""

import pytest
from flask import Flask

from portal.database.db import db
from portal.models import Company, User
from portal.people import tokens
from tests.conftest import URL
from tests.factories import make_company, make_contact, make_delivery, make_user, save
from tests.views.conftest import Person


@pytest.fixture
def company(app: Flask) -> Company:
    return make_company("Ágil", url=URL)


class Acts:
    """An admin, and what there is to be changed: each has the number by which addresses name it."""

    def __init__(self, company: Company, admin: Person) -> None:
        self.admin = admin
        self.zoe, self.rui = (save(company, {"contact": {"name": name}}).id for name in ("Zoé", "Rui"))
        self.me = admin.email
        self.ana = make_delivery(make_contact(company, name="Ana"), 2).contact_id
        self.campaign = save(company, {"contact": {"name": "Eva"}, "campaign": {"name": "Feira"}}).campaign_id
        self.bia = make_user(company, role="member", name="Bia").id
        tokens.create_token(db.session, db.session.get_one(User, self.bia), label="CRM")
        db.session.commit()

    def told(self, act: str) -> list[str]:
        """Where the act leads, and what the next page says."""
        path, _, data = act.format(**vars(self)).partition(" ")
        answer = self.admin.post(path, dict(part.split("=") for part in data.split("&") if part))
        with self.admin.client.session_transaction() as session:
            said = session.pop("_flashes", [])
        return [answer.location or str(answer.status_code), *(f"{tone}: {words}" for tone, words in said)]


@pytest.fixture
def acts(company: Company, admin: Person) -> Acts:
    return Acts(company, admin)


SAVED, OVER = (
    "success: Alterações salvas.",
    "success: URL removida. As classificações continuam sendo salvas, mas nada é enviado.",
)
ALL_SENT = "info: Nada foi enviado: o CRM já tem os dados atuais, ou eles já estão na fila."
SAME = "info: Nada mudou: os contatos marcados já estavam neste nível."
TOLD: dict[str, list[list[str]]] = {
    "/account name=Ana&language=pt_BR": [["/account", SAVED]],
    "/company name=Ágil&timezone=Recife": [["/company", SAVED]],
    "/privacy keep_bodies_days=1&keep_log_days=2&keep_audit_days=3": [
        ["/privacy", "success: Prazos salvos. A próxima limpeza já segue estes prazos."]
    ],
    "/campaigns/{campaign} name=Nova": [
        ["/campaigns", "success: Campanha salva."],
        ["/campaigns", "success: Nada mudou na campanha."],
    ],
    "/contacts/{zoe}/level level=3": [["/contacts/{zoe}", "success: Nível de Zoé salvo."]],
    "/contacts/{zoe}/level level=none": [["/contacts/{zoe}", "success: Nível de Zoé salvo."]],
    "/contacts/{ana}/send": [["/contacts/{ana}", ALL_SENT]],
    "/contacts/send contact={ana}": [["/contacts", ALL_SENT]],
    "/contacts/classify level=2": [["/contacts", "info: Nenhum contato foi marcado."]],
    "/contacts/classify level=1&contact={rui}": [
        ["/contacts", "success: 1 contato classificado."],
        ["/contacts", SAME],
    ],
    "/contacts/classify level=2&contact={ana}": [["/contacts", SAME]],
    "/contacts/undo contact={zoe}": [
        ["/contacts", "warning: Nada foi desfeito: o prazo passou, ou o nível mudou de novo."]
    ],
    "/contacts/{zoe}/settle": [["/contacts/{zoe}"]],
    "/contacts/{zoe}/merge other={rui}": [
        ["/contacts/{zoe}", "success: Os dois contatos agora são um. Nada foi enviado."],
        ["404"],
    ],
    "/contacts/{zoe}/merge other={zoe}": [
        ["/contacts/{zoe}/merge", "error: São o mesmo contato: escolha outro para unir."]
    ],
    "/contacts/{zoe}/erase": [
        [
            "/contacts",
            "success: Os dados da pessoa foram apagados. No registro fica só a prova do envio, sem os dados.",
        ],
        ["404"],
    ],
    "/webhook/pause": [["/webhook", "success: Envio em pausa. O que for classificado espera aqui, e nada se perde."]],
    "/webhook/remove": [["/webhook", f"{OVER} 1 entrega cancelada."], ["/webhook", OVER]],
    "/team/{bia}/role role=admin": [["/team/{bia}", "success: Papel de Bia salvo."]],
    "/team/{bia}/disable": [["/team/{bia}", "success: Bia não entra mais no portal."]],
    "/team/{bia}/enable": [["/team/{bia}", "success: Bia pode entrar de novo."]],
    "/tokens/1/revoke": [["/tokens", "success: O token “CRM” não vale mais."]],
    "/report/mail every=week": [["/report", "success: O relatório vai para {me} às segundas-feiras."]],
    "/report/mail every=month": [["/report", "success: O relatório vai para {me} no dia 1º de cada mês."]],
    "/report/mail": [["/report", "success: O relatório não vai mais por e-mail."]],
    "/notices/test": [["/notices", "error: Nenhum servidor de e-mail está configurado."]],
    "/notices/chat/test": [["/notices", "error: Nenhum chat está configurado."]],
    "/notices/chat/remove": [["/notices", "success: Chat removido. Os avisos não vão mais para lá."]],
}
"""What each act is answered with, and the same once more, where that is another answer."""


@pytest.mark.parametrize("act", TOLD)
def test_an_act_leads_on_and_says_what_it_did(acts: Acts, act: str) -> None:
    first, *again = [[each.format(**vars(acts)) for each in answer] for answer in TOLD[act]]
    assert acts.told(act) == first
    assert acts.told(act) == (again or [first])[0]
