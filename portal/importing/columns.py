"""What a file's columns mean: by their names, whatever the case and the accents, in Portuguese and in English."""

import re
from collections.abc import Sequence

from portal.rules.folding import fold

FIELDS = {
    "name": "nome completo, nome do contato, contato, full name, contact name, contact",
    "first_name": "first name, firstname, given name, primeiro nome, nome proprio",
    "last_name": "last name, lastname, surname, family name, sobrenome, ultimo nome",
    "linkedin": """linkedin, linkedin url, url linkedin, url do linkedin, perfil do linkedin, perfil no linkedin,
        linkedin profile, linkedin profile url, linkedin_public_id, linkedin public id, identificador no linkedin,
        linkedin bio, linkedin id, profile url""",
    "email": """email, e-mail, email address, e-mail address, endereco de e-mail, endereco de email, work email,
        e-mail do contato, email do contato""",
    "phone": """phone, phone number, mobile, mobile phone, mobile phone number, telefone, telefone celular, celular,
        fone, whatsapp""",
    "current_company": """company, company name, organization, organisation, associated company, current company,
        current_company, empresa, empresa atual, nome da empresa, organizacao""",
    "current_company_link": """company url, company website, website, website url, current_company_link, site,
        site da empresa, link da empresa, endereco da empresa, url da empresa""",
    "role": "role, position, job title, job, title, cargo, funcao, posicao",
    "location": "location, localizacao, localidade, endereco, address, postal address",
    "city": "city, cidade, municipio",
    "state": "state, state/region, estado, uf, regiao",
    "country": "country, country/region, pais",
    "interest_level": """interest level, interest_level, interest, level, nivel de interesse, nivel, interesse,
        grau de interesse""",
    "owner_email": """owner email, owner e-mail, contact_owner.email, e-mail do responsavel, email do responsavel,
        e-mail do dono""",
    "owner_name": """owner, contact owner, owner name, contact_owner.name, responsavel, proprietario,
        proprietario do contato, dono, dono do contato, nome do responsavel, vendedor""",
    "campaign": "campaign, campaign name, campaign.name, campanha, nome da campanha",
    "invite_date": "invite date, invite_date, invited at, data do convite, convite enviado, convite enviado em",
    "accept_date": """accept date, accept_date, connected on, connected at, data da conexao, conectado em,
        convite aceito em""",
    "collect_date": """collect date, collect_date, create date, created at, data de criacao, data de criacao do contato,
        inserido no sistema em""",
    "reply_date": "reply date, reply_date, replied at, data da resposta, respondeu em",
}
"""The fields of a contact that a column may hold, each with the names it is known by."""

SYNONYMS = {" ".join(name.split()): field for field, names in FIELDS.items() for name in names.split(",")}
WHOLE_OR_FIRST = ("name", "nome")
"""The whole name, or the first one where another column holds the last."""
DECORATION = re.compile(
    r"^(person|pessoa|contact\.) ?-? ?| - (work|home|mobile|other|trabalho|residencial|celular|outros?)$"
)
"""What Pipedrive and exports of objects put around a name."""


def map_columns(header: Sequence[str]) -> tuple[str | None, ...]:
    """The field of each column, None for what is not imported."""
    fields = [_field_of(name) for name in header]
    if "last_name" in fields and "first_name" not in fields and "name" in fields:
        fields[fields.index("name")] = "first_name"
    if "linkedin" not in fields and recognise_kind(header) == "linkedin":
        fields = ["linkedin" if normalise(name) == "url" else field for name, field in zip(header, fields, strict=True)]
    return tuple(fields)


def recognise_kind(header: Sequence[str]) -> str:
    """Whose export this is, as far as the names of its columns tell."""
    names = {normalise(name) for name in header}
    if {"first name", "last name", "connected on"} <= names:
        return "linkedin"
    if "record id" in names or {"lifecycle stage", "lead status"} & names:
        return "hubspot"
    if any(name.startswith(("person - ", "pessoa - ")) for name in names):
        return "pipedrive"
    if {"nome", "empresa", "cargo"} <= names and names & {"email", "e-mail"}:
        return "rdstation"
    return "generic"


def normalise(header: str) -> str:
    """A column's name without case, accents and needless space."""
    return " ".join(fold(header.replace("\ufeff", "")).split())


def _field_of(header: str) -> str | None:
    name = normalise(header)
    plain = DECORATION.sub("", name)
    if name in SYNONYMS or plain in SYNONYMS:
        return SYNONYMS.get(name) or SYNONYMS[plain]
    return "name" if plain in WHOLE_OR_FIRST else None
