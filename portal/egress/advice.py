"""What kind of address somebody gave, and what to mind about it. Advice only: nothing is refused here. Pure."""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from flask_babel import lazy_gettext as _l

from portal.egress.address import is_local_name
from portal.egress.client import CheckedAddress
from portal.egress.networks import is_public
from portal.rules.reasons import explain_address_warning
from portal.rules.services import crm_of, is_under

OFFICE_HOSTS = ("onedrive.live.com", "1drv.ms", "sharepoint.com", "excel.cloud.microsoft")
FUNCTION_HOSTS = ("m.pipedream.net", "workers.dev", "run.app", "on.aws", "deno.dev", "val.run")
"""Here an address without a path is a program, not a home page."""
INSPECTORS = ("webhook.site", "beeceptor.com", "requestcatcher.com", "hookbin.com")

_OWN_INSPECTOR = re.compile(r"/inspector/[\w-]{32}\Z", re.ASCII)

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
    "local": _l(
        "Este endereço fica na rede interna: só funciona enquanto o portal estiver nela, e se a rede estiver liberada "
        "por quem opera o portal."
    ),
    "home_page": _l(
        "Esta parece a página inicial de um site, que responde 200 e não processa nada. Use a URL criada "
        "para receber webhooks."
    ),
}
FINE = frozenset({"apps_script", "zapier", "make", "pipedream", "power_automate"})
"""Kinds that are made for webhooks: there the advice is a reminder."""


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
    for recognise in (_own_inspector, _google, _office, _automation, _inspector, _crm, _local, _home_page):
        if (advice := recognise(host, parts)) is not None:
            return (advice,)
    return ()


def advise_checked(checked: CheckedAddress) -> tuple[Advice, ...]:
    """What to mind about an address that was looked up, and which may be used."""
    warnings = tuple(Advice(code, explain_address_warning(code)) for code in checked.warnings)
    return warnings + advise(checked.address.url)


def _advice(code: str, **facts: str) -> Advice:
    sentence = SENTENCES[code]
    return Advice(code, str(sentence) % facts if facts else sentence)


def _own_inspector(_host: str, parts: SplitResult) -> Advice | None:
    return _advice("own_inspector") if _OWN_INSPECTOR.search(parts.path) else None


def _google(host: str, parts: SplitResult) -> Advice | None:
    path = parts.path.rstrip("/")
    if host in ("docs.google.com", "sheets.google.com", "drive.google.com", "forms.gle", "forms.google.com"):
        is_sheet = host.startswith("sheets") or "/spreadsheets" in path
        return _advice("google_sheet" if is_sheet else "google_document")
    if host == "script.googleusercontent.com":
        return _advice("apps_script_editor")
    if host == "script.google.com":
        kinds = {"dev": "apps_script_dev", "exec": "apps_script"}
        return _advice(kinds.get(path.rpartition("/")[2], "apps_script_editor"))
    return None


def _office(host: str, _parts: SplitResult) -> Advice | None:
    return _advice("office_file") if is_under(host, OFFICE_HOSTS) else None


def _automation(host: str, parts: SplitResult) -> Advice | None:
    path = parts.path
    if "/webhook-test/" in path:
        return _advice("n8n_test")
    if host == "hooks.zapier.com":
        return _advice("zapier")
    if host.startswith("hook.") and is_under(host, ("make.com", "integromat.com")):
        return _advice("make")
    if is_under(host, ("m.pipedream.net",)):
        return _advice("pipedream")
    if host in ("make.powerautomate.com", "flow.microsoft.com"):
        return _advice("editor")
    if is_under(host, ("logic.azure.com", "powerplatform.com", "powerautomate.com")):
        return _advice("power_automate")
    is_n8n_editor = is_under(host, ("n8n.cloud",)) and not path.startswith("/webhook")
    if is_n8n_editor or is_under(host, ("zapier.com", "make.com", "integromat.com", "pipedream.com")):
        return _advice("editor")
    return None


def _inspector(host: str, _parts: SplitResult) -> Advice | None:
    return _advice("inspector") if is_under(host, INSPECTORS) else None


def _crm(host: str, _parts: SplitResult) -> Advice | None:
    name = crm_of(host)
    return _advice("crm", name=name) if name else None


def _local(host: str, _parts: SplitResult) -> Advice | None:
    try:
        is_local = not is_public(ip_address(host))
    except ValueError:
        is_local = is_local_name(host) or "." not in host
    return _advice("local") if is_local else None


def _home_page(host: str, parts: SplitResult) -> Advice | None:
    is_home = parts.path in ("", "/") and not parts.query and not is_under(host, FUNCTION_HOSTS)
    return _advice("home_page") if is_home else None
