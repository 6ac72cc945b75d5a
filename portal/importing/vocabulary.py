"""The words by which columns are known, in Portuguese, English and Spanish, some in French, German and Italian; folded.

A name is a set of words: `URL do LinkedIn` and `linkedin_url` are the same one.
"""

from portal.rules.folding import word_set

# The fields of a contact that a column may hold, each with the names that need no look at the cells.
SURE = {
    "name": """nome completo, full name, nombre completo, contact name, nome contato, nome pessoa, nombre contacto,
        deal contact person, contact person, pessoa contato, negocio pessoa contato,
        persona contacto, primary contact name, main contact name,
        razao contato, nom complet, name surname, nome sobrenome,
        nombre apellido""",
    "first_name": """first name, given name, primeiro nome, nome proprio, prenome, primer nombre,
        forename, prenom, vorname""",
    "middle_name": "middle name, additional name, nome do meio, nome meio, segundo nome, segundo nombre",
    "last_name": """last name, surname, family name, sobrenome, ultimo nome, apellido,
        primer apellido, segundo apellido, apellido paterno, apellido materno, segundo sobrenome, second last name,
        nome familia, apelido familia, nom famille, nachname, familienname, cognome""",
    "linkedin": """linkedin, linkedin url, linkedin perfil, linkedin profile, linkedin profile url, linkedin perfil url,
        linkedin public id, public id, linkedin public identifier, linkedin identificador, linkedin bio, linkedin id,
        linkedin link, linkedin profile link, linkedin perfil link, linkedin endereco, linkedin usuario,
        linkedin handle,
        linkedin username, linkedin account, linkedin conta, linkedin contact profile url, profile url, profile link,
        public profile url, default profile url, public identifier, perfil url, perfil link, vanity name""",
    "email": """email, email address, email endereco, endereco eletronico, correo, correo electronico, email direccion,
        direccion correo electronico, correo electronico direccion, correio eletronico, mail, email contato,
        courriel, adresse email, email adresse, indirizzo email""",
    "phone": """phone, phone number, telephone, mobile, mobile number, mobile phone, mobile phone number, cell,
        cell phone, telefone, telefone numero, telefone celular, celular, celular numero, fone, tel,
        whatsapp,
        whatsapp numero, whatsapp number, whatsapp telefone, telefone ddd, celular ddd, whatsapp ddd,
        telefono, telefono movil, movil, telefono numero, telemovel, telemovel numero,
        telefon, handy, mobiltelefon, sms, whats, zap, wpp, cel""",
    "area_code": "ddd, area code, codigo area",
    "current_company": """company, companies, company name, company name cleaned, organization, organisation,
        organization name, organisation name,
        associated company, empresa associada, empresa asociada, company account, empresa conta,
        empresa, empresa nome, nombre empresa, organizacao,
        organizacao nome, organizacion, organizacion nombre, nome fantasia, empresa nome fantasia, empresa razao
        social, empresa instituicao, compania, employer, empregador, deal organization,
        negocio organizacao, negocio empresa, oportunidade empresa, entreprise, societe, nom entreprise, nom societe,
        unternehmen, firmenname, azienda""",
    "current_company_link": """company url, company website, company site, company link, company profile,
        company profile url, company linkedin, company linkedin url, company linkedin profile, current company link,
        website, website url, website address, web page, web site, site, site empresa, link empresa, empresa linkedin,
        empresa linkedin url, pagina empresa, endereco empresa, url empresa, empresa website, sitio web, pagina web,
        pagina web empresa, organization website, organizacao site, company page, corporate website,
        website corporativo, site corporativo""",
    "role": """role, position, job title, job, job position, cargo, cargo atual, funcao, posicao, puesto,
        puesto trabajo,
        organization title, company position, designation, cargo contato, fonction, berufsbezeichnung,
        posizione""",
    "location": """location, localizacao, localidade, ubicacion, city state, cidade estado, cidade uf, localizacion,
        geographic location, geography, location name, city state country""",
    "city": "city, cidade, municipio, ciudad, ville, stadt, address city, endereco cidade, direccion ciudad",
    "state": """state, state region, estado, uf, provincia, province, region, regiao, state province, estado uf,
        address state, address region, endereco estado, direccion provincia""",
    "country": """country, country region, pais, country code, pays, pais regiao, address country, endereco pais,
        pais regiao endereco, pais region, direccion pais""",
    "interest_level": "interest level, nivel interesse, grau interesse, nivel interes, grado interes, level interest",
    "owner_email": """owner email, email responsavel, email dono, email proprietario, email vendedor, email responsable,
        owner email address""",
    "owner_name": """owner, owner name, owner full name, responsavel, nome responsavel, proprietario, dono, nome dono,
        vendedor, nome vendedor, account owner, account manager, sales owner, usuario responsavel, responsible,
        responsible user, responsavel nome, responsable, propietario, assigned to, atribuido, atribuido a, asignado a,
        deal owner, opportunity owner, dono oportunidade, oportunidade responsavel, negocio responsavel, dono negocio,
        negocio proprietario, sales rep, consultor""",
    "campaign": "campaign, campaign name, campanha, campanha nome, campanha prospeccao, campana, campana nombre",
    "campaign_description": "campaign description, campanha descricao, campana descripcion",
    "message": "message text, message content, message body, mensagem texto, mensagem conteudo, mensaje texto",
    "message_date": "message date, message sent at, mensagem data, data envio mensagem, mensaje fecha",
    "message_sender": """message sender, sender, sender name, mensagem remetente, remetente, remetente nome,
        mensaje remitente, remitente""",
    "invite_date": """invite date, invited at, invited on, invitation date, invitation sent, invitation sent at,
        connection sent at, connection sent on, connection sent date, invite sent, invite sent at, invite sent date,
        invitation sent date, date invited, connection request date, connection request sent,
        connection request sent at, connection requested at, data convite, convite enviado, convite enviado em,
        data envio convite, data convite enviado,
        fecha invitacion, invitacion enviada""",
    "accept_date": """accept date, accepted at, accepted on, acceptance date, date accepted, date connected,
        connected on, connected at, connected since, connection since, connection date, connection at, data conexao,
        conectado em, conectado desde, convite aceito, convite aceito em, data convite aceito, data aceite,
        data aceite convite, invite accepted date, invite accepted at, invitation accepted date,
        invitation accepted at, aceito em, conectado el,
        fecha conexion, connecte le, date connexion, verbunden am, vernetzt am, data collegamento""",
    "collect_date": """collect date, create date, created at, created on, created time, created date, creation date,
        date created, data criada, data criacao, data cadastro, data entrada, data coleta, coletado em, collected at,
        criado em, cadastrado em, inserido sistema, fecha creacion, creado el, date added, added on, added at,
        adicionado em""",
    "reply_date": """reply date, replied at, replied on, date replied, data resposta, respondeu em, respondido em,
        fecha respuesta, last reply, last reply date""",
}

# Names that are taken only where no surer column is there, and as far as the cells allow.
MAYBE = {
    "name": """name, nome, nombre, contact, contato, contacto, lead, pessoa, person, persona, cliente, prospect,
        nom, main contact, primary contact, associated contact, contato associado,
        contacto asociado, contato principal, contato primario, contacto principal, decisor,
        decision maker, socio, socio administrador, representante legal, contato comercial,
        contacto comercial, participante, participant, attendee, candidato,
        candidate, display name, nome exibicao""",
    "last_name": "apelido",
    "linkedin": "url, link, profile, perfil, social, rede social, redes sociais",
    "role": "title, titulo, headline, poste, occupation, ocupacao, ocupacion, profissao",
    "current_company": """account, account name, conta, conta nome, business,
        firma, cuenta, razao social, instituicao, entidade, institucion,
        entidad""",
    "location": "address, endereco, postal address, direccion",
    "interest_level": "level, nivel, interest, interesse, interes, grau, lead level",
    "accept_date": """connected, conectado, conexao, connection, aceito, accepted, aceite, invite accepted,
        invitation accepted""",
    "invite_date": "invited, invite, invitation, convite, invitacion",
    "reply_date": "replied, reply, resposta, respondeu, respuesta",
    "collect_date": "created, criado, cadastro",
    "message": """message, mensagem, mensaje, last message, ultima mensagem, ultimo mensaje, message sent,
        mensagem enviada, mensaje enviado, linkedin message, linkedin mensagem""",
    "message_date": """last message date, last message at, data ultima mensagem, fecha ultimo mensaje,
        mensagem enviada em""",
}

# The whole name, or the first one where another column holds the last.
WHOLE_OR_FIRST = frozenset(("name", "nome", "nombre"))
# The whole name, or the last one where the other word names the column of the first.
WHOLE_OR_LAST = {"nom": "prenom", "name": "vorname"}

# Words that join others.
FILLING = word_set(
    """de do da dos das of the el la los las del no na nos nas em on in at a o os as e y and or ou para por for by
    com with onde donde where
    relacionado relacionada que pelo pela
    your you seu sua su tu le les du des l d s what which qual quais is are eh please informe digite insira escreva
    enter favor voce usted trabalha atua custom personalizado personalizada properties"""
)
# Words that say below a header of which kind a column is, or whether it must be filled.
EXPLAINING = word_set(
    """obrigatorio obrigatoria obligatorio obligatoria requerido requerida opcional required mandatory optional
    text texto string varchar integer number numero numerico date datetime fecha boolean picklist lookup field campo
    tipo type formato format single line"""
)
# Words that the name of a column of names has, and no person.
NAMING = word_set(
    "name nome nombre surname sobrenome apellido firstname lastname forename prenome nom prenom vorname nachname"
)
# What is called so may be the one that the row is about, or somebody beside that one.
GUESTS = word_set(
    """convidado convidada invitee guest inscrito inscrita subscriber assinante aluno aluna comprador compradora"""
)
# What an export calls the one that the row is about.
PERSONS = GUESTS | word_set(
    """contact contato contacto person pessoa persona lead prospect member membro individual people pessoal decisor
    decisora dm socio socia candidate candidato candidata participant participante attendee"""
)
# Those of them whose level is how interested they are, and not how far they have come.
RATED = word_set("contact contato contacto person pessoa persona lead prospect")
# Words of names of columns that hold no company, as the name of a lead may be one.
SURELY_PERSONS = word_set("contact contato contacto person pessoa persona decisor socio display exibicao")
# Whom a deal is made with: more than one has columns of several.
OF_DEALS = word_set("contatos contacts contactos pessoas personas")
# Which one of several a column holds.
KINDS = word_set(
    """principal primary main preferred work home business office personal pessoal profissional professional corporativo
    corporate comercial commercial trabalho trabajo laboral particular private privado privada residencial residencia
    casa direct direto other outro otro fixo landline
    value valor secondary secundario secundaria mailing default padrao atual current actual best valid default number
    numero pro perso"""
)
# The fields that there may be several of.
OF_SEVERAL = word_set("email phone linkedin location city state country role current_company owner_email")
# Words of names whose cells say something of somebody else than the contact.
OTHERS = word_set(
    """from owner responsavel vendedor proprietario dono created criado criador creator author autor assigned atribuido
    modified modificado alterado updated user usuario sender remetente sdr manager gerente rep company empresa by
    colega referral indicado indicacao indicou indicador assistant assistente emergency emergencia spouse conjuge"""
)
