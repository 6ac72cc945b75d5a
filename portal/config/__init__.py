"""Settings: read from the environment and `instance/portal.cfg`, typed, and checked at the start.

A wrong value never becomes a default: it stops the start with one sentence that names the setting and the reason.
"""

import difflib
import io
import os
import re
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import time, timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any
from urllib.parse import urlsplit

from dotenv.parser import parse_stream

from portal.config.known import KNOWN, SECRETS
from portal.config.readers import Network, read_database_url, read_key
from portal.database.owning import hand_over
from portal.egress.authorities import Authorities
from portal.mail import MailServer
from portal.rules.reasons import Limits
from portal.rules.retry import DEFAULT_SCHEDULE, RetrySchedule, parse_schedule

# How much longer than the deadline a claim is kept: the time to record what the receiver answered.
LEASE_MARGIN = timedelta(seconds=5)

# What Kubernetes tells every container about services named `portal` or `portal-...`
# (https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables).
_KUBERNETES = re.compile(r"PORTAL(_[A-Z0-9]+)*_(SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)|PORT(_[0-9]+_(TCP|UDP)(_[A-Z]+)?)?)")


class SettingError(ValueError):
    """A setting has a value that cannot be used."""


class NoInstance(SettingError):
    """There is no portal where the settings look for one."""

    code = "no_portal"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Every setting of the portal, with the name it has in the environment less the `PORTAL_` prefix."""

    instance: Path
    database_url: str
    secret_key: str
    base_url: str | None = None
    trusted_hosts: tuple[str, ...] = ()
    proxy_hops: int = 0
    remote_user_header: str | None = None  # where a proxy that logs people in names their e-mail
    allowed_networks: tuple[Network, ...] = ()
    ca_file: Authorities | None = None  # certificate authorities that receivers may have besides the known ones
    require_https: bool = False
    retry_schedule: RetrySchedule = field(default_factory=lambda: parse_schedule(DEFAULT_SCHEDULE))
    connect_timeout: float = 5.0
    deadline: float = 10.0
    worker_threads: int = 64
    endpoint_concurrency: int = 16
    rate_limit: float | None = None  # deliveries a second to one endpoint, by one worker
    smtp_url: MailServer | None = None  # where notices are handed over; without it nobody gets any
    mail_from: str | None = None
    backup_at: time | None = None  # when a worker makes the day's backup, in the machine's local time; None: never
    log_format: str = "text"
    metrics_token: str | None = None  # what Prometheus shows to read `/metrics`; without it only this machine may

    @property
    def backups(self) -> Path:
        """The folder of the backups that the portal makes by itself."""
        return self.instance / "backups"

    @property
    def lease(self) -> timedelta:
        """How long a claimed delivery belongs to one worker: always longer than one try can take."""
        return timedelta(seconds=self.deadline) + LEASE_MARGIN

    @property
    def limits(self) -> Limits:
        """The times that a try is given, as its sentences name them."""
        return Limits(connect=self.connect_timeout, whole=self.deadline)

    @property
    def path(self) -> str:
        """Where on its host people find the portal: "" for the whole host, else such as `/portal`."""
        return urlsplit(self.base_url or "").path

    @property
    def secure_cookies(self) -> bool:
        """Whether people reach the portal by https only, as its base address says."""
        return bool(self.base_url) and urlsplit(self.base_url or "").scheme == "https"


def load_settings(
    environ: Mapping[str, str] | None = None, *, of_existing: bool = False, of_backup: bool = False
) -> Settings:
    """Read and check every setting; the environment goes before the file.

    Creates the instance folder, and in it the secret key, when they do not exist yet; with `of_existing` it creates
    nothing, and raises NoInstance when there is no database, or no key; with `of_backup` it makes no key either.
    Raises SettingError with one sentence that says which setting is wrong and why.
    """
    environ = os.environ if environ is None else environ
    named = [name for name in environ if name.startswith("PORTAL_") and not _KUBERNETES.fullmatch(name)]
    own = {name: environ[name] for name in named}
    _refuse_blank(own)
    instance = Path(own.get("PORTAL_INSTANCE", "instance")).absolute()
    given = {**_read_file(instance / "portal.cfg"), **own}
    _refuse_unknown(given)
    given = _resolve_secret_files(given)
    values: dict[str, Any] = {
        name.removeprefix("PORTAL_").lower(): _read_value(name, given[name].strip(), setting.read)
        for name, setting in KNOWN.items()
        if name in given
    }
    values.setdefault("database_url", f"sqlite:///{instance / 'portal.db'}")
    if of_existing:
        _require_database(instance, values["database_url"])
    if of_existing or of_backup:
        _require_key(instance, values)
    if not of_existing:
        _make_folder(instance)
    if values["database_url"].startswith("sqlite"):
        values.setdefault("backup_at", time(3))
    if "secret_key" not in values:
        values["secret_key"] = load_or_create_key(instance / "secret.key")
    settings = Settings(instance=instance, **values)
    if settings.connect_timeout > settings.deadline:
        raise SettingError("PORTAL_CONNECT_TIMEOUT: must not be longer than PORTAL_DEADLINE, which covers it.")
    if settings.remote_user_header and not settings.proxy_hops:
        raise SettingError("PORTAL_REMOTE_USER_HEADER: needs PORTAL_PROXY_HOPS, or anybody could send that header.")
    if settings.smtp_url is not None and settings.mail_from is None:
        raise SettingError("PORTAL_MAIL_FROM: must say, with PORTAL_SMTP_URL, from which address notices come.")
    return settings


def _require_database(instance: Path, url: str) -> None:
    """Raise NoInstance unless SQLite's file is there, or the database is PostgreSQL."""
    kind, _, name = url.partition(":///")
    if kind == "sqlite" and not (file := instance / name.partition("?")[0]).exists():
        raise NoInstance(
            f"There is no portal here: {file} does not exist. PORTAL_INSTANCE names the folder of another one; "
            "`portal serve` and `portal upgrade` make a new one."
        )


def _require_key(instance: Path, values: Mapping[str, Any]) -> None:
    """Raise NoInstance unless there is a key."""
    if "secret_key" not in values and not (key := instance / "secret.key").exists():
        raise NoInstance(f"PORTAL_SECRET_KEY: is not set, and {key} does not exist. It belongs to the database.")


def _make_folder(instance: Path) -> None:
    try:
        instance.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingError(f"PORTAL_INSTANCE: the folder {instance} cannot be made ({error.strerror}).") from error


def load_or_create_key(path: Path) -> str:
    """The secret key in `path`, made once: when several processes start at the same time they all read one key."""
    try:
        if not path.exists():
            _create_key(path)
        return read_key(path.read_text().strip())
    except OSError as error:
        raise SettingError(f"PORTAL_SECRET_KEY: {path} cannot be read or made ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise SettingError(f"PORTAL_SECRET_KEY: what is in {path} is no text.") from error
    except ValueError as error:
        raise SettingError(f"PORTAL_SECRET_KEY: the key in {path} {error}") from error


def _create_key(path: Path) -> None:
    with NamedTemporaryFile("w", prefix=f"{path.name}.", dir=path.parent) as fresh:  # for its owner's eyes only
        fresh.write(secrets.token_urlsafe(48))
        fresh.flush()
        os.fsync(fresh.fileno())
        hand_over(Path(fresh.name))
        with suppress(FileExistsError):  # another process was first: its key counts
            os.link(fresh.name, path)


def _read_file(path: Path) -> dict[str, str]:
    """The settings in the file. Raises SettingError that names the line that cannot be read."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingError(f"{path}: cannot be read ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise SettingError(f"{path}: is not written in UTF-8 (byte {error.start}).") from error
    values: dict[str, str] = {}
    for line in parse_stream(io.StringIO(text)):
        where = f"{path}, line {line.original.line}"
        if line.error or (line.key and line.value is None):
            raise SettingError(f"{where}: is no NAME=value, or its quotes are not closed.")
        if line.key in values:
            raise SettingError(f"{where}: {line.key} stands here for the second time.")
        if line.key:
            values[line.key] = line.value or ""
    _refuse_blank(values)
    if "PORTAL_INSTANCE" in values:
        raise SettingError(f"{path}: PORTAL_INSTANCE cannot stand in the file that it leads to.")
    return values


def _refuse_blank(given: Mapping[str, str]) -> None:
    for name, value in given.items():
        if not value.strip():
            raise SettingError(f"{name}: is empty. Give it a value, or leave it out.")


def _refuse_unknown(given: Mapping[str, str]) -> None:
    known = ["PORTAL_INSTANCE", *KNOWN, *(f"{name}_FILE" for name in SECRETS)]
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            raise SettingError(f"{name}: there is no such setting." + (f" Did you mean {near[0]}?" if near else ""))


def _resolve_secret_files(given: dict[str, str]) -> dict[str, str]:
    resolved = dict(given)
    for name in SECRETS:
        if (path := resolved.pop(f"{name}_FILE", None)) is not None:
            if name in resolved:
                raise SettingError(f"{name}: given twice, by itself and by {name}_FILE.")
            resolved[name] = _read_secret_file(name, path)
    return resolved


def _read_secret_file(name: str, path: str) -> str:
    try:
        held = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        raise SettingError(f"{name}_FILE: the file {path} cannot be read ({reason}).") from error
    if not held:
        raise SettingError(f"{name}_FILE: the file {path} is empty.")
    return held


def read_database_file(path: str) -> str:
    """The address of a database that a file holds. Raises SettingError, which names the file."""
    held = _read_secret_file("PORTAL_DATABASE_URL", path)
    try:
        return read_database_url(held)
    except ValueError as error:
        raise SettingError(f"{path}: what stands there {error}") from error


def _read_value(name: str, text: str, read: Callable[[str], Any]) -> Any:
    try:
        return read(text)
    except ValueError as error:
        shown = "" if name in SECRETS else f" {text!r}"
        raise SettingError(f"{name}:{shown} {error}") from error
