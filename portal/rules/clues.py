"""What an answer betrays about its cause, beyond its status: where it leads, who speaks, what it complains of. Pure."""

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Protocol
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from portal.rules import services
from portal.rules.verdict import DELIVERED_REASONS, decode, is_html_page

MAX_SHOWN = 300
MAX_OFFERED = 4000


class Answered(Protocol):
    """What an attempt and an outcome tell of an answer; nothing of it may be left, after its retention."""

    @property
    def url(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def status_code(self) -> int | None: ...
    @property
    def request_headers(self) -> Iterable[Sequence[str]]: ...
    @property
    def response_headers(self) -> Iterable[Sequence[str]]: ...
    @property
    def response_body(self) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class Clue:
    """A stable code, what its words name, and the address to use instead where the answer gives one."""

    code: str
    facts: Mapping[str, str] = field(default_factory=dict)
    offer: str | None = None


@dataclass(frozen=True)
class _Answer:
    given: Answered

    @cached_property
    def text(self) -> str:
        return decode(self.given.response_body or b"")

    @cached_property
    def is_page(self) -> bool:
        return is_html_page(self.text)

    @cached_property
    def headers(self) -> dict[str, str]:
        return {name.lower(): value for name, value, *_ in self.given.response_headers}

    @cached_property
    def url(self) -> SplitResult:
        return urlsplit(self.given.url)


# What a text that counts as delivered may betray: it is no page, so no page is told of.
_OF_A_TEXT = frozenset({"php_error", "php_warning", "hook_rules"})
_OF_A_PAGE = frozenset({"server_page", "parking_page", "login_page"})


def find_clue(given: Answered) -> Clue | None:
    """The first that fits. Never raises, and looks no further than the part of the answer that is kept."""
    answer, code = _Answer(given), given.status_code
    try:
        if given.reason == "redirect":
            return _find_redirect(answer)
        if code is None or given.reason in DELIVERED_REASONS - {"ok_text"}:
            return None
        found = _find_clues(answer, code)
        return next((clue for clue in found if given.reason != "ok_text" or clue.code in _OF_A_TEXT), None)
    except ValueError:  # an address that cannot be read leads nowhere
        return None


def _find_clues(answer: _Answer, status_code: int) -> Iterator[Clue]:
    for statuses, find in _FINDERS:
        if status_code in statuses and (clue := find(answer)) is not None:
            yield clue
    for codes, words, name in _COMPLAINTS:
        if status_code in codes and re.search(words, answer.text) and (name not in _OF_A_PAGE or answer.is_page):
            yield Clue(name)


# --- redirects

# What an address is written with (RFC 3986); the rest, bytes that are no ASCII too, browsers escape.
_OF_ADDRESSES = "%/:?#[]@!$&'()*+,;=~"


def _find_redirect(answer: _Answer) -> Clue | None:
    location = quote(answer.headers.get("location", ""), safe=_OF_ADDRESSES, encoding="latin-1")
    target = urlsplit(urljoin(answer.given.url, location))._replace(fragment="")  # no request carries one
    host = target.hostname or ""
    if not location or not host or target.scheme not in ("http", "https"):
        return None
    if services.is_under(host, services.LOGIN_HOSTS) or services.LOGIN_PATH.search(target.path):
        return Clue("redirect_login", {"host": host})
    if services.is_under(host, services.PARKING_HOSTS) or target.path.lower() in services.PARKING_PATHS:
        return Clue("redirect_parking", {"host": host})
    if target.geturl() == answer.url._replace(fragment="").geturl():
        return Clue("redirect_loop")
    code = _name_difference(answer.url, target)
    facts = {"target": _show(target)}
    is_usable = len(target.geturl()) <= MAX_OFFERED and code != "redirect_home"
    return Clue(code, facts, target.geturl() if is_usable else None)


def _name_difference(url: SplitResult, target: SplitResult) -> str:
    old, new = (url.hostname or ""), (target.hostname or "")
    is_same_name = old.removeprefix("www.") == new.removeprefix("www.")
    is_same_path = url.path.rstrip("/") == target.path.rstrip("/")
    if is_same_name and is_same_path and url.query == target.query:
        if url.scheme == "http" and target.scheme == "https":
            return "redirect_https"
        if old != new:
            return "redirect_www"
        if url.path != target.path and url.scheme == target.scheme:
            return "redirect_slash"
    return "redirect_home" if target.path in ("", "/") and not target.query else "redirect_moved"


def _show(target: SplitResult) -> str:
    """An address in a sentence, without its query, which may be a key."""
    address = target._replace(query="").geturl()
    shown = "".join(each for each in address if each.isascii() and each.isprintable())[:MAX_SHOWN]
    return f"{shown}?…" if target.query else shown


# --- who speaks


def _find_speaker(answer: _Answer, known: Sequence[tuple[str, str, str, str]], code: str) -> Clue | None:
    """Who of these has answered, told by a header and by words."""
    for header, start, words, name in known:
        value = answer.headers.get(header) if header else ""
        if value is not None and value.startswith(start) and re.search(words, answer.text):
            return Clue(code, {"name": name})
    return None


def _find_key(answer: _Answer) -> Clue | None:
    """Which key a 401 asks for. n8n names Basic for its JWT too, and only its words tell."""
    wanted = "bearer" if "No token provided" in answer.text else answer.headers.get("www-authenticate", "")
    scheme = wanted.partition(" ")[0].lower()
    crm = services.crm_of(answer.url.hostname or "")
    if crm:
        return Clue("crm_key_in_url" if crm in services.KEY_IN_ADDRESS else "crm_key", {"name": crm})
    return Clue({"basic": "basic_key", "bearer": "bearer_key"}[scheme]) if scheme in ("basic", "bearer") else None


def _find_size(answer: _Answer) -> Clue | None:
    size = next((each[1] for each in answer.given.request_headers if each[0].lower() == "content-length"), None)
    return Clue("body_too_long", {"size": size}) if size else None


def _find_https(answer: _Answer) -> Clue | None:
    if not _WANTS_HTTPS.search(answer.text) or answer.url.scheme != "http":
        return None
    return Clue("https_wanted", offer=answer.url._replace(scheme="https").geturl())


def _find_php(answer: _Answer) -> Clue | None:
    """What PHP prints about a script's fault, with its place (https://www.php.net/manual/en/errorfunc.constants.php)."""
    if " on line " not in answer.text:
        return None
    kinds = {match[1] for match in _PHP_FAULT.finditer(answer.text)}
    return Clue("php_error" if kinds & {"Fatal error", "Parse error"} else "php_warning") if kinds else None


def _find_cloudflare_dns(answer: _Answer) -> Clue | None:
    is_theirs = "cf-ray" in answer.headers or "Cloudflare" in answer.text
    found = is_theirs and re.search(r"(?:error code:|Error) 10(?:0[01]|16)\b", answer.text)
    return Clue("cloudflare_dns") if found else None


_PHP_FAULT = re.compile(r"\b(Fatal error|Parse error|Warning|Notice|Deprecated)(?:</b>)?: ")
_WANTS_HTTPS = re.compile(
    r"plain HTTP request was sent to HTTPS port|speaking plain HTTP to an SSL|HTTP request to an HTTPS server"
)
_FINDERS: tuple[tuple[tuple[int, ...], Callable[[_Answer], Clue | None]], ...] = (
    ((400,), _find_https),
    ((401,), _find_key),
    ((413,), _find_size),
    ((200, 202, 403, 405, 406, 429, 500, 503), partial(_find_speaker, known=services.BOT_WALLS, code="bot_wall")),
    ((200, 500), _find_php),
    ((404, 502, 503, 530), partial(_find_speaker, known=services.TUNNELS, code="tunnel_closed")),
    ((404,), partial(_find_speaker, known=services.APP_HOSTS, code="app_missing")),
    ((403, 409, 530), _find_cloudflare_dns),
)

# --- what it complains of

_ANY_FAILURE = range(400, 600)
# How "function" begins in the languages that Google answers in.
_FUNCTION = "(?:f[uo]n[cçkz]|функци|関数|函[数式]|함수)"
# Statuses, what stands in the kept part of the answer, and the clue.
_COMPLAINTS: tuple[tuple[Container[int], str, str], ...] = (
    ((200,), r"Hook rules were not satisfied", "hook_rules"),
    ((400,), r"[Nn]o required SSL certificate was sent|SSL certificate error", "client_certificate_wanted"),
    ((400, 403, 500), r"ALLOWED_HOSTS|DisallowedHost|<h1>Bad Request \(400\)</h1>", "host_refused"),
    ((400, 403), r"This host \([^)]{1,300}\) is not allowed|Invalid Host header", "host_refused"),
    ((403,), r"Blocked hosts?: ", "host_refused"),
    ((403,), r"CSRF verification failed", "django_csrf"),
    ((400, 403, 422), r"(?i)invalid csrf token|InvalidAuthenticityToken|The change you wanted was rejected", "csrf"),
    ((404,), r"requested webhook .{1,300}? is not registered", "n8n_inactive"),
    ((404,), r"webhook is not registered for POST requests", "n8n_method"),
    ((500,), r"No Respond to Webhook node found", "n8n_no_answer"),
    ((500,), r"Unused Respond to Webhook node found", "n8n_unused_answer"),
    ((403,), r"Authorization data is wrong!", "n8n_key"),
    ((403,), r"IP is not allowed to access the webhook", "n8n_address"),
    ((400,), r"Queue is full", "queue_full"),
    (
        _ANY_FAILURE,
        r"(?i)no scenario listening|WorkflowTriggerIsNotEnabled|Zap is not enabled|Project paused"
        r"|DEPLOYMENT_DISABLED"
        r"|(?:flow|scenario|service) (?:is |has been )?"
        r"(?:disabled|inactive|paused|suspended|switched off|not enabled|turned off)|web app is stopped",
        "flow_off",
    ),
    (
        (500, 502, 503, 504),
        r"Error in workflow|Workflow could not be started|Scenario failed to complete|error code: 110[12]"
        r"|\"code\"\s?:\s?\"NoResponse\"|FUNCTION_INVOCATION_|herokucdn\.com/error-pages/application-error",
        "flow_failed",
    ),
    ((401,), r"DirectApi[A-Za-z]{0,20}Authorization", "flow_private"),
    ((401, 403), r"Function URL authorization|does not have permission to get URL", "function_private"),
    ((403,), r"Missing Authentication Token", "aws_no_route"),
    ((401, 403), r"(?i)No API key found|Missing authorization header|missing api[ -_]?key", "key_wanted"),
    ((404,), r"rest_no_route", "wordpress_route"),
    ((200,), rf"(?i)>[^<>:]{{0,60}}{_FUNCTION}[^<>:]{{0,60}}: doPost(?:<|\Z)", "apps_script_no_post"),
    ((200,), r"\(\w{4,6} \d{1,6}, \w{4,8} &quot;", "apps_script_error"),
    (
        (200, 403, 404),
        r"<title>(?:Welcome to (?:nginx|OpenResty|CentOS)|Apache2 [^<]{1,40}Default Page|IIS Windows|Test Page for)"
        r"|<h1>It works!</h1>",
        "server_page",
    ),
    ((200,), r"To customize this response, check out our docs", "pipedream_page"),
    ((200, 403, 503), r"(?i)account (?:has been )?suspended|(?:site|conta) (?:foi )?suspens[ao]", "parking_page"),
    (
        (200, 401, 403),
        r"(?i)Vercel Authentication|<input[^>]{1,300}type=[\"']?password"
        r"|<title>[^<]{0,80}\b(?:log ?in|log-in|sign[ -]?in|logon|inici(?:a|e|ar) ses(?:s[ãa]o|i[óo]n))\b"
        r"|<title>(?:[^<]{0,80}[-|–—:·;])?\s{0,9}entrar(?:\s{0,9}[-|–—:·&<]|\sn[oa]\b)",
        "login_page",
    ),
    (
        (200,),
        r"(?i)domain (?:name )?(?:is|may be) for sale|sedoparking|hugedomains|domínio está à venda",
        "parking_page",
    ),
)
