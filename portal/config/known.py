"""Every setting: how it is read, and what it does, in the words of docs/configuration.md."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from portal.config import readers
from portal.egress.authorities import read_authorities
from portal.mail import ESCAPES, parse_mail_server, parse_sender
from portal.rules.retry import DEFAULT_SCHEDULE, parse_schedule


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is known of one setting before anybody gives it a value."""

    read: Callable[[str], Any]  # raises ValueError with what follows the setting's name in its sentence
    does: str
    example: str
    default: str = ""  # what holds without it, as the page shows it: a value in backticks, or words
    is_secret: bool = False  # whether it may come from a file that the same name with `_FILE` names, and is never shown


PLACES = {
    "PORTAL_DATABASE_URL": Setting(
        read=readers.read_database_url,
        does="The database: a file of SQLite (`sqlite:////srv/portal.db` by its whole path, `sqlite:///portal.db` in "
        "the instance folder), or PostgreSQL.",
        example="postgresql://portal:password@db.example.com/portal",
        default="SQLite: `portal.db` in the instance folder",
        is_secret=True,
    ),
    "PORTAL_SECRET_KEY": Setting(
        read=readers.read_key,
        does="Signs sessions and encrypts the webhook secrets; at least 32 characters. Every machine of one portal has "
        "the same. Keep a copy elsewhere: it is in no backup.",
        example="at-least-32-characters-that-nobody-guesses",
        default="made once: `secret.key` in the instance folder",
        is_secret=True,
    ),
}
REACHING = {
    "PORTAL_BASE_URL": Setting(
        read=readers.read_base_url,
        does="The address under which people reach the portal, with a path where it has one. It stands in letters and "
        "links; `https://` makes cookies secure.",
        example="https://example.com/portal",
    ),
    "PORTAL_TRUSTED_HOSTS": Setting(
        read=readers.read_hosts,
        does="Further host names that the portal answers to, with commas; `.example.com` is every name below it.",
        example="portal.internal, .example.com",
    ),
    "PORTAL_PROXY_HOPS": Setting(
        read=readers.whole_number(0, 10),
        does="How many proxies in front may be believed about the client's address, from 0 to 10.",
        example="1",
        default="`0`",
    ),
    "PORTAL_REMOTE_USER_HEADER": Setting(
        read=readers.read_header_name,
        does="The header in which a proxy that logs people in (Authelia, Authentik, oauth2-proxy) names their e-mail. "
        "Only with `PORTAL_PROXY_HOPS`.",
        example="Remote-Email",
    ),
}
SENDING = {
    "PORTAL_ALLOWED_NETWORKS": Setting(
        read=readers.read_networks,
        does="Private networks that webhooks may go to, with commas. Without it they go to public addresses only.",
        example="10.0.0.0/8, fd00::/8",
    ),
    "PORTAL_REQUIRE_HTTPS": Setting(
        read=readers.read_bool, does="`1` refuses webhook addresses without https.", example="1", default="`0`"
    ),
    "PORTAL_CA_FILE": Setting(
        read=read_authorities,
        does="A PEM file of certificate authorities that receivers may have besides the known ones, such as your "
        "company's.",
        example="/etc/ssl/certs/our-company.pem",
    ),
    "PORTAL_RETRY_SCHEDULE": Setting(
        read=parse_schedule,
        does="The pause before each try, the first one included.",
        example="0s,1m,10m,1h,1d",
        default=f"`{DEFAULT_SCHEDULE}`",
    ),
    "PORTAL_CONNECT_TIMEOUT": Setting(
        read=readers.read_seconds, does="Seconds to connect; at most the deadline.", example="3", default="`5`"
    ),
    "PORTAL_DEADLINE": Setting(
        read=readers.read_seconds,
        does="Seconds for the whole request, from the name look-up to the last byte of the answer; at most 120.",
        example="20",
        default="`10`",
    ),
    "PORTAL_WORKER_THREADS": Setting(
        read=readers.whole_number(1, 512),
        does="Deliveries that a worker sends at the same time, besides those that have waited for more than a second "
        "and one of each company that has no other on its way; at most 256 besides.",
        example="32",
        default="`64`",
    ),
    "PORTAL_ENDPOINT_CONCURRENCY": Setting(
        read=readers.whole_number(1, 512),
        does="Of these, at most to one company's address: it begins with 4, gets more while it keeps pace, and fewer "
        "when it slows. No more than these can be received twice when a worker dies.",
        example="4",
        default="`16`",
    ),
    "PORTAL_RATE_LIMIT": Setting(
        read=readers.read_rate,
        does="At most so many deliveries a second for each company, from 0.01 to 10000, by each worker.",
        example="0.5",
        default="no limit",
    ),
}
NOTICES = {
    "PORTAL_SMTP_URL": Setting(
        read=parse_mail_server,
        does="The mail server for notices and one-time links. `smtps://` speaks TLS from the first byte, `?starttls` "
        f"turns it on. {ESCAPES}",
        example="smtps://user:p%40ss@mail.example.com:465",
        default="no mail is sent",
        is_secret=True,
    ),
    "PORTAL_MAIL_FROM": Setting(
        read=parse_sender,
        does="The sender of notices; needed with `PORTAL_SMTP_URL`.",
        example="Portal <portal@example.com>",
    ),
}
UPKEEP = {
    "PORTAL_BACKUP_AT": Setting(
        read=readers.read_time_of_day,
        does="When a worker backs the database up each day, in the machine's time; `off` for never.",
        example="04:30",
        default="`03:00` on SQLite, `off` on PostgreSQL",
    ),
    "PORTAL_LOG_FORMAT": Setting(
        read=readers.read_log_format,
        does="`text` or `json`, on standard error, from the first line on.",
        example="json",
        default="`text`",
    ),
    "PORTAL_METRICS_TOKEN": Setting(
        read=readers.read_token,
        does="What Prometheus shows (`Authorization: Bearer`) to read `/metrics`; at least 16 characters. Without it "
        "only this machine may.",
        example="16-characters-or-more",
        is_secret=True,
    ),
}
# What may be set besides `PORTAL_INSTANCE`, which says where the rest is read from.
GROUPS = {
    "Where things lie": PLACES,
    "How it is reached": REACHING,
    "Sending": SENDING,
    "Mail": NOTICES,
    "Upkeep": UPKEEP,
}
KNOWN = {name: setting for group in GROUPS.values() for name, setting in group.items()}
SECRETS = tuple(name for name, setting in KNOWN.items() if setting.is_secret)
