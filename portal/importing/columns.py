"""What a file's columns mean: by their names, whatever the case and the accents, in Portuguese and in English."""

from collections.abc import Sequence

from portal.contacts import fold

FIELDS = {
    "name": "nome completo, nome do contato, contato, full name, contact name, contact, pessoa - nome, person - name",
    "first_name": "first name, firstname, given name, primeiro nome, nome proprio, person - first name, pessoa - primeiro nome",
    "last_name": "last name, lastname, surname, family name, sobrenome, ultimo nome, person - last name, pessoa - sobrenome",
    "linkedin": (
        "linkedin, linkedin url, url linkedin, url do linkedin, perfil do linkedin, perfil no linkedin, linkedin profile, "
        "linkedin profile url, linkedin_public_id, linkedin public id, identificador no linkedin, linkedin bio, profile url, "
        "person - linkedin, pessoa - linkedin, linkedin id, url"
    ),
    "email": (
        "email, e-mail, e-mail address, email address, endereco de e-mail, endereco de email, e-mail do contato, "
        "person - email - work, person - email - home, person - email - other, person - email, pessoa - e-mail - trabalho, "
        "pessoa - email - trabalho, pessoa - e-mail - residencial, pessoa - e-mail, pessoa - email, work email"
    ),
    "phone": (
        "phone, phone number, mobile phone number, mobile phone, mobile, telefone, telefone celular, celular, whatsapp, "
        "person - phone - work, person - phone - mobile, person - phone - home, person - phone - other, person - phone, "
        "pessoa - telefone - trabalho, pessoa - telefone - celular, pessoa - telefone - residencial, pessoa - telefone, fone"
    ),
    "current_company": (
        "company, company name, organization, organisation, associated company, current company, current_company, empresa, "
        "empresa atual, nome da empresa, organizacao, person - organization, pessoa - organizacao"
    ),
    "current_company_link": (
        "company url, company website, website, website url, current_company_link, site, site da empresa, link da empresa, "
        "endereco da empresa, url da empresa, organization - website"
    ),
    "role": "role, position, job title, title, cargo, funcao, posicao, person - job title, pessoa - cargo, job",
    "location": "location, localizacao, localidade, endereco, address, person - postal address",
    "city": "city, cidade, municipio",
    "state": "state, state/region, estado, uf, regiao",
    "country": "country, country/region, pais",
    "interest_level": (
        "interest level, interest_level, interest, level, nivel de interesse, nivel, interesse, grau de interesse, "
        "contact.interest_level"
    ),
    "owner_email": "owner email, owner e-mail, e-mail do responsavel, email do responsavel, contact_owner.email, e-mail do dono",
    "owner_name": (
        "owner, contact owner, owner name, responsavel, proprietario, proprietario do contato, dono, dono do contato, "
        "nome do responsavel, person - owner, pessoa - proprietario, contact_owner.name, vendedor"
    ),
    "campaign": "campaign, campaign name, campanha, nome da campanha, campaign.name",
    "invite_date": "invite date, invite_date, invited at, data do convite, convite enviado, convite enviado em",
    "accept_date": "accept date, accept_date, connected on, connected at, data da conexao, conectado em, convite aceito em",
    "collect_date": "collect date, collect_date, create date, data de criacao, created at, inserido no sistema em",
    "reply_date": "reply date, reply_date, replied at, data da resposta, respondeu em",
}  # fmt: skip
"""The fields of a contact that a column may hold, each with the names it is known by."""

SYNONYMS = {name.strip(): field for field, names in FIELDS.items() for name in names.split(",")}
AMBIGUOUS_NAME = "nome"
"""The whole name, or the first one where another column holds the last."""

KINDS = ("linkedin", "hubspot", "pipedrive", "rdstation", "generic", "jsonl")


def field_of(header: str) -> str | None:
    """The field that a column of this name holds, or None."""
    name = normalise(header)
    return "name" if name in (AMBIGUOUS_NAME, "name") else SYNONYMS.get(name)


def map_columns(header: Sequence[str]) -> tuple[str | None, ...]:
    """The field of each column, None for what is not imported."""
    fields = [field_of(name) for name in header]
    if "last_name" in fields and "first_name" not in fields and "name" in fields:
        fields[fields.index("name")] = "first_name"
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
