"""What kind of address somebody gave, and what to mind about it. Advice only: nothing is refused here. Pure."""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from ipaddress import ip_address
from itertools import chain
from typing import NamedTuple
from urllib.parse import urlsplit

from flask_babel import lazy_gettext as _l

from portal.egress.address import is_local_name
from portal.egress.client import CheckedAddress
from portal.egress.networks import is_public
from portal.rules.reasons import explain_address_warning
from portal.rules.services import CRMS, LOGIN_HOSTS, crm_of, is_under

# Here an address without a path is a program, not a home page.
FUNCTION_HOSTS = ("workers.dev", "run.app", "on.aws", "deno.dev", "val.run")
# Pages of help of the services that are known; elsewhere a host of such a name may well receive.
DOCS_HOSTS = "docs.n8n.io help.zapier.com docs.zapier.com help.make.com developers.make.com www.make.com " + " ".join(
    f"{name}.{domain}" for domain in chain.from_iterable(CRMS.values()) for name in ("docs", "developer", "developers")
)


class Kind(NamedTuple):
    """A kind of address by its host and path. `.x` is x and all below it; `*` stands for anything; empty fits all."""

    code: str
    hosts: str = ""
    path: str = ""  # what the path has to contain, in any case: a regular expression
    name: str = ""  # what the sentence calls the service


# The first one that fits counts. CRMs follow (`rules.services`), then what is told by the kind of host or path.
KINDS = (
    Kind("own_inspector", path=r"/inspector/[a-z0-9_-]{32}\Z"),
    Kind("google_sheet", "docs.google.com drive.google.com", "/spreadsheets"),
    Kind("google_sheet", "sheets.google.com"),
    Kind("google_document", "docs.google.com drive.google.com forms.google.com forms.gle"),
    Kind("apps_script_dev", "script.google.com", r"/dev/?\Z"),
    Kind("apps_script", "script.google.com", r"/exec/?\Z"),
    Kind("apps_script_editor", "script.google.com script.googleusercontent.com"),
    Kind("office_file", "onedrive.live.com 1drv.ms .sharepoint.com excel.cloud.microsoft"),
    Kind("n8n_test", path="/webhook-test/"),
    Kind("editor", ".n8n.cloud", r"\A/(?!webhook|form)"),
    Kind("editor", "*n8n*", r"\A/workflow/"),
    Kind("editor", path=r"\A/workflow/(?-i:(?=[^/]*[a-z])(?=[^/]*[A-Z])[a-zA-Z0-9]{16})/?\Z"),
    Kind("zapier", "hooks.zapier.com"),
    Kind("make", "hook.make.com hook.*.make.com hook.integromat.com hook.make.celonis.com hook.*.make.celonis.com"),
    Kind("docs_page", DOCS_HOSTS),
    Kind("pipedream", ".m.pipedream.net"),
    Kind("editor", ".zapier.com .make.com .integromat.com .pipedream.com make.powerautomate.com flow.microsoft.com"),
    Kind("power_automate", ".logic.azure.com .powerplatform.com .powerautomate.com"),
    Kind("jira_automation", "api-private.atlassian.com automation.atlassian.com"),
    Kind("automation", "hooks.airtable.com", name="Airtable"),
    Kind("automation", "flow.zoho.*", "/webhook/", name="Zoho Flow"),
    Kind("automation", "services.leadconnectorhq.com", "/webhook-trigger/", name="HighLevel"),
    Kind("chat", ".slack.com", name="Slack"),
    Kind("chat", ".discord.com .discordapp.com", name="Discord"),
    Kind("chat", ".webhook.office.com outlook.office.com teams.microsoft.com teams.live.com", name="Teams"),
    Kind("chat", "chat.googleapis.com", name="Google Chat"),
    Kind("chat", "api.telegram.org", name="Telegram"),
    Kind("chat", "graph.facebook.com wa.me api.whatsapp.com", name="WhatsApp"),
    Kind("home_page", "webhook.site", r"\A/?\Z"),  # what is seen in a browser is an address of a view, behind a #
    Kind("inspector", ".webhook.site .beeceptor.com .requestcatcher.com .hookbin.com requestbin.com httpbin.org"),
    Kind("inspector", "ptsv3.com typedwebhook.tools postman-echo.com"),
    Kind("tunnel", ".ngrok-free.app .ngrok.app .ngrok.io .ngrok.dev .trycloudflare.com .loca.lt .serveo.net"),
    Kind("tunnel", ".devtunnels.ms .lhr.life"),
    Kind("short_link", "bit.ly tinyurl.com t.ly is.gd cutt.ly rebrand.ly encurtador.com.br"),
    Kind("login_page", " ".join(LOGIN_HOSTS)),
    Kind("login_page", path=r"/(wp-)?(log-?in|sign[-_]?in|entrar)(\.\w+)?/?\Z|/wp-admin(/(?!admin-)|\Z)"),
)

SENTENCES = {
    "google_sheet": _l(
        "Este é o link de uma planilha do Google: ela se abre, mas não recebe dados. Crie nela um Apps Script e use a "
        "URL dele, que termina em /exec; o código está na página Integração."
    ),
    "google_document": _l(
        "Este é o link de um arquivo ou formulário do Google, que não recebe webhooks. Use a URL de um Apps Script, "
        "que termina em /exec, ou a de um intermediário, como o Zapier."
    ),
    "office_file": _l(
        "Este é o link de um arquivo do OneDrive ou do SharePoint: ele se abre, mas não recebe dados. Para levar os "
        "contatos a uma planilha do Excel, crie um fluxo no Power Automate e use a URL dele."
    ),
    "apps_script_dev": _l(
        "Esta URL do Apps Script termina em /dev e exige o seu login. Use a da implantação, que termina em /exec."
    ),
    "apps_script_editor": _l(
        "Este é um endereço do editor ou de uma resposta do Apps Script. Em “Implantar”, “Gerenciar implantações”, "
        "copie a URL do app da Web, que termina em /exec."
    ),
    "apps_script": _l(
        "Apps Script: em “Quem pode acessar” precisa estar “Qualquer pessoa”, e cada mudança do código precisa de uma "
        "nova versão da implantação."
    ),
    "n8n_test": _l(
        "Esta é a URL de teste do n8n: só funciona enquanto o editor está escutando. Ative o fluxo e use a "
        "“Production URL”, com /webhook/ no lugar de /webhook-test/."
    ),
    "own_inspector": _l(
        "Este é o inspetor do portal: mostra o que chega e não leva nada ao CRM. Serve para testar; não o deixe aqui."
    ),
    "inspector": _l(
        "Este serviço só mostra o que chega, a quem tiver o link, e não leva nada ao CRM. Serve para ver um teste; não "
        "classifique contatos reais com ele."
    ),
    "docs_page": _l(
        "Esta parece uma página de documentação ou de ajuda, que não recebe dados. Use a URL que foi criada para "
        "receber webhooks."
    ),
    "tunnel": _l(
        "Este é um túnel até um computador: só funciona enquanto os dois estiverem ligados. Serve para testar; no dia "
        "a dia, use o endereço de um servidor."
    ),
    "short_link": _l(
        "Este é um link encurtado: responde com um desvio, que o portal não segue. Use o endereço inteiro a que ele "
        "leva."
    ),
    "editor": _l("Este parece o endereço da tela em que a automação é montada. Copie de dentro dela a URL do webhook."),
    "zapier": _l("Zapier: ele responde 200 também com o Zap desligado. Confira que o Zap está publicado e ligado."),
    "make": _l(
        "Make: mantenha o cenário ligado. Um webhook que fica dias sem cenário é desativado e passa a responder 410."
    ),
    "pipedream": _l(
        "Pipedream: publique o fluxo e faça o gatilho HTTP devolver uma resposta própria em texto; se a resposta for "
        "uma página HTML, a entrega conta como falha."
    ),
    "power_automate": _l(
        "Power Automate: o fluxo precisa da ação “Resposta” (Response) com o código 200. Sem ela responde 202, que não "
        "conta como entregue."
    ),
    "crm": _l(
        "Este é um endereço do %(name)s, que espera os dados em um formato próprio. Se o teste não salvar o contato, "
        "ponha um intermediário, como o Zapier, o Make ou o n8n."
    ),
    "jira_automation": _l(
        "Jira: o segredo da regra vai no cabeçalho fixo, com o nome X-Automation-Webhook-Token. A regra precisa estar "
        "ativada e não exigir um item do Jira nos dados."
    ),
    "automation": _l("%(name)s: mantenha a automação ligada. Desligada, ela não recebe nada."),
    "chat": _l(
        "Este é um endereço do %(name)s, que só aceita mensagens em um formato próprio. Receba os dados em um "
        "intermediário, como o Zapier, o Make ou o n8n, e dele envie a mensagem."
    ),
    "login_page": _l(
        "Esta parece uma tela de login, que não recebe dados. Use a URL criada para receber webhooks; se ela exigir "
        "uma chave, ponha-a no cabeçalho fixo."
    ),
    "local": _l(
        "Este endereço fica na rede interna: só funciona enquanto o portal estiver nela, e se a rede estiver liberada "
        "por quem opera o portal."
    ),
    "home_page": _l(
        "Esta parece a página inicial de um site, que responde 200 e não processa nada. Use a URL criada "
        "para receber webhooks."
    ),
}
# Kinds that are made for webhooks: there the advice is a reminder.
FINE = frozenset({"apps_script", "zapier", "make", "pipedream", "power_automate", "jira_automation", "automation"})


@dataclass(frozen=True)
class Advice:
    """A kind of address by its stable code, and the sentence about it, in the reader's language when it is read."""

    code: str
    sentence: str

    @property
    def is_reminder(self) -> bool:
        """Whether the address is of a right kind."""
        return self.code in FINE


def advise(url: str) -> tuple[Advice, ...]:
    """What to mind about an address: the first kind that fits, or nothing. Never raises."""
    try:
        parts = urlsplit(url.strip())
        host = (parts.hostname or "").rstrip(".")
    except ValueError:
        return ()
    if not host:
        return ()
    for kind in KINDS:
        if _fits(kind, host, parts.path):
            return _advice(kind.code, name=kind.name)
    if name := crm_of(host):
        return _advice("crm", name=name)
    if _is_local(host):
        return _advice("local")
    is_start = re.fullmatch(r"/?|/(index|default)\.(html?|php|aspx?)", parts.path, re.IGNORECASE)
    return _advice("home_page") if is_start and not parts.query and not is_under(host, FUNCTION_HOSTS) else ()


def advise_checked(checked: CheckedAddress) -> tuple[Advice, ...]:
    """What to mind about an address that was looked up, and which may be used."""
    warnings = tuple(Advice(code, explain_address_warning(code)) for code in checked.warnings)
    return warnings + advise(checked.address.url)


def _advice(code: str, **facts: str) -> tuple[Advice, ...]:
    return (Advice(code, str(SENTENCES[code]) % facts),)


def _fits(kind: Kind, host: str, path: str) -> bool:
    is_host = not kind.hosts or any(
        fnmatchcase(f".{host}", f"*{each}") if each.startswith(".") else fnmatchcase(host, each)
        for each in kind.hosts.split()
    )
    return is_host and bool(re.search(kind.path, path, re.IGNORECASE))


def _is_local(host: str) -> bool:
    try:
        return not is_public(ip_address(host))
    except ValueError:
        return is_local_name(host) or "." not in host
