"""The address policy: one parser for what is saved, tested and sent, so that no two readers of an address disagree."""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_address
from urllib.parse import quote, urlsplit

import idna

from portal.egress.networks import IPAddress, IPNetwork, is_permitted
from portal.rules.reasons import explain_address

MAX_URL_LENGTH = 2048

DEFAULT_PORTS = {"http": 80, "https": 443}

# fmt: off
BLOCKED_PORTS = frozenset({
    # https://fetch.spec.whatwg.org/#port-blocking
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103,
    104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513,
    514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720,
    1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
    # Docker, MySQL, PostgreSQL, Redis, Elasticsearch, memcached, MongoDB: they act on what looks like HTTP.
    2375, 2376, 3306, 5432, 6379, 9200, 11211, 27017,
})
# fmt: on

LOCAL_NAMES = frozenset({"ip6-localhost", "ip6-loopback"})
LOCAL_SUFFIXES = frozenset(
    # RFC 6761, RFC 6762 with its appendix G, RFC 8375, and ICANN's .internal: none is ever a public name.
    ["localhost", "localdomain", "local", "internal", "intranet", "private", "corp", "home", "lan", "home.arpa"]
)

# Letters and marks that print nothing: Unicode's Default_Ignorable_Code_Point outside of category C, and the
# blank Braille pattern.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]"
)
_SCHEME_AGAIN = re.compile(r"https?:/", re.IGNORECASE | re.ASCII)
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PATH_SAFE = "!$%&'()*+,-./:;=?@[]_~"
_SPACES = "".join(each for each in map(chr, range(0x3001)) if unicodedata.category(each) == "Zs")


@dataclass(frozen=True)
class AddressPolicy:
    """What the operator permits beyond public addresses, and whether plain http is refused."""

    allowed_networks: tuple[IPNetwork, ...] = ()
    require_https: bool = False


@dataclass(frozen=True)
class Address:
    """An address that passed the policy. `url` is what is sent: normalised, without fragment."""

    url: str
    scheme: str
    host: str  # ASCII and lower case; an IPv6 address stands without brackets
    port: int
    target: str  # path and query, exactly as they go into the request line
    warnings: tuple[str, ...]

    @property
    def ip(self) -> IPAddress | None:
        """The host when it is a number, else None."""
        try:
            return ip_address(self.host)
        except ValueError:
            return None


class AddressError(ValueError):
    """An address that the policy refuses.

    `reason` is a contract code (`invalid_url` or `blocked_address`), `problem` the finer one that a page can advise on,
    `detail` a short technical text.
    """

    def __init__(self, problem: str, detail: str) -> None:
        super().__init__(detail)
        self.problem = problem
        self.detail = detail
        blocked = problem in ("port", "local_name", "not_public")
        self.reason = "blocked_address" if blocked else "invalid_url"

    @property
    def sentence(self) -> str:
        """Why the address is refused, and what to write instead, in the reader's language."""
        return explain_address(self.problem)


@lru_cache(maxsize=4096)
def origin_of(url: str) -> str:
    """Scheme, host and port of a normalised address: what one trusts when one trusts a server."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}:{parts.port or DEFAULT_PORTS[parts.scheme]}"


def parse_address(url: str, policy: AddressPolicy) -> Address:
    """Read and normalise an address; pure, no name is resolved.

    Raises AddressError with `problem` one of: scheme, https_required, character, userinfo, percent_host, no_host,
    bad_host, numeric_host, too_long, unparsable, port, local_name, not_public (a numeric host).
    """
    text = _strip_spaces(url)
    _refuse_characters(text)
    scheme, rest = _split_scheme(text, policy)
    authority, target = _split_authority(rest)
    host_text, port_text = _split_port(authority)
    host, literal = _normalise_host(host_text)
    port = _parse_port(port_text, scheme)
    if is_local_name(host) and not policy.allowed_networks:
        raise AddressError("local_name", f"{host} is a local name")
    if literal is not None and not is_permitted(literal, policy.allowed_networks):
        raise AddressError("not_public", f"{host} is not a public address")
    shown = f"[{host}]" if ":" in host else host
    suffix = "" if port == DEFAULT_PORTS[scheme] else f":{port}"
    normalised = f"{scheme}://{shown}{suffix}{target}"
    if len(normalised) > MAX_URL_LENGTH:
        raise AddressError("too_long", f"longer than {MAX_URL_LENGTH} characters")
    warnings = ("plain_http",) if scheme == "http" else ()
    return Address(normalised, scheme, host, port, target, warnings)


def check_answers(address: Address, answers: Iterable[str], policy: AddressPolicy) -> tuple[str, ...]:
    """The answers of a resolver that may be connected to, in their order and in canonical form.

    One bad answer refuses them all: an attacker's name mixes public and private ones. A local name (`localhost` answers
    127.0.0.1 and ::1) is answered by the machine itself, so there the bad ones are left out, as long as one remains.
    Raises AddressError (`not_public`).
    """
    given = list(map(_parse_answer, answers))
    good = [str(ip) for ip in given if ip is not None and is_permitted(ip, policy.allowed_networks)]
    if len(good) < len(given) and not (good and is_local_name(address.host)):
        # Which address it is stays unsaid: a member could read the operator's internal names off it.
        raise AddressError("not_public", f"{address.host} resolves to an address that is not public")
    return tuple(dict.fromkeys(good))


def is_local_name(host: str) -> bool:
    """Whether a host name is answered by the machine or the local network, never by the public DNS."""
    labels = host.split(".")
    endings = {labels[-1], ".".join(labels[-2:])}
    return host in LOCAL_NAMES or not endings.isdisjoint(LOCAL_SUFFIXES)


def _parse_answer(answer: str) -> IPAddress | None:
    try:
        ip = ip_address(answer)
    except ValueError:
        return None
    return None if isinstance(ip, IPv6Address) and ip.scope_id else ip


def _strip_spaces(url: str) -> str:
    # Not all that str.strip() takes: line ends and tabs are controls, which are refused wherever they stand.
    return url.strip(_SPACES)


def _refuse_characters(text: str) -> None:
    if len(text) > MAX_URL_LENGTH:
        raise AddressError("too_long", f"longer than {MAX_URL_LENGTH} characters")
    for character in text:
        # Categories C (control, format, surrogate, private, unassigned) and Z (separators).
        if character == "\\" or unicodedata.category(character)[0] in "CZ" or _INVISIBLE.match(character):
            raise AddressError("character", f"the character U+{ord(character):04X} is not allowed")


def _split_scheme(text: str, policy: AddressPolicy) -> tuple[str, str]:
    match = re.match(r"(https?)://", text, re.IGNORECASE | re.ASCII)
    if match is None:
        raise AddressError("scheme", "must begin with http:// or https://")
    scheme = match[1].lower()
    if policy.require_https and scheme != "https":
        raise AddressError("https_required", "must begin with https://")
    rest = text[match.end() :]
    if _SCHEME_AGAIN.match(rest):  # pasted behind one that stood there: else it would be a host that nobody has
        raise AddressError("unparsable", "http:// or https:// stands there twice")
    return scheme, rest


def _split_authority(rest: str) -> tuple[str, str]:
    without_fragment = rest.partition("#")[0]
    authority = re.split(r"[/?]", without_fragment, maxsplit=1)[0]
    target = without_fragment[len(authority) :]
    if not target.startswith("/"):
        target = "/" + target
    # Existing escapes stay as typed; what no URL may hold bare is escaped as UTF-8 (RFC 3986, 2.1 and 2.5).
    return authority, quote(target, safe=_PATH_SAFE)


def _split_port(authority: str) -> tuple[str, str]:
    if "@" in authority:
        raise AddressError("userinfo", "a user name or password before @ is not allowed")
    if "%" in authority:
        raise AddressError("percent_host", "a percent sign in the host is not allowed")
    if not authority:
        raise AddressError("no_host", "there is no host")
    match = re.fullmatch(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([^:\[\]]*))?", authority)
    if match is None:
        raise AddressError("unparsable", "the host and port cannot be read")
    if not match[1]:
        raise AddressError("no_host", "there is no host")
    return match[1], match[2] or ""


def _parse_port(text: str, scheme: str) -> int:
    if not text:
        return DEFAULT_PORTS[scheme]
    if not re.fullmatch(r"[0-9]{1,16}", text) or int(text) > 65535:
        raise AddressError("unparsable", "the port is not a number up to 65535")
    if int(text) in BLOCKED_PORTS:
        raise AddressError("port", f"port {int(text)} is not allowed")
    return int(text)


def _normalise_host(text: str) -> tuple[str, IPAddress | None]:
    if text.startswith("["):
        try:
            ip = IPv6Address(text[1:-1])
        except AddressValueError:
            raise AddressError("unparsable", "the host in brackets is not an IPv6 address") from None
        return str(ip), ip
    name = _lower_name(text)
    bare = name.removesuffix(".")
    if _NUMBER.fullmatch(bare.rpartition(".")[2]):  # an IPv4 address (WHATWG URL), here in its one canonical form only
        try:
            return name, IPv4Address(name)
        except AddressValueError:
            raise AddressError("numeric_host", "a numeric host must be four decimal numbers up to 255") from None
    labels = [_normalise_label(label) for label in bare.split(".")]
    host = ".".join(labels)
    if len(host) > 253:
        raise AddressError("bad_host", "the host name is too long")
    return host, None


def _lower_name(text: str) -> str:
    """Lower case and NFC (RFC 5895, steps 1 and 3), refusing what turns into ASCII: the Kelvin sign is no letter k."""
    if not text.isascii():
        for character in text:
            changed = unicodedata.normalize("NFC", character.lower())
            if not character.isascii() and any(part.isascii() for part in changed):
                raise AddressError("unparsable", f"the character U+{ord(character):04X} cannot stand in a host name")
    return unicodedata.normalize("NFC", text.lower())


def _normalise_label(label: str) -> str:
    if label.isascii() and not label.startswith("xn--"):
        # Plain DNS rules: IDNA would refuse the underscores and double hyphens that real host names have.
        if not _LABEL.fullmatch(label):
            raise AddressError("bad_host", "the host is not a valid name")
        return label
    try:
        return idna.alabel(label).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        raise AddressError("unparsable", "the host is not a valid international name (IDNA 2008)") from None
