"""What `portal doctor` looks at. Each check yields findings; none sends anything to a receiver, and none changes
anything.
"""

import os
import shutil
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError

from portal import audit, clock, mail
from portal.cli.errors import DAMAGED, MENDS, WRONG_KEY, explain_error
from portal.company.endpoint import state_of
from portal.company.sealed import prove_key, stored_secrets
from portal.config import Settings
from portal.database.backup import nightly
from portal.database.db import db
from portal.database.schema import SchemaError, check_schema
from portal.database.structure import find_flaws
from portal.database.troubles import find_trouble
from portal.database.upkeep import size_of
from portal.deliveries import figures
from portal.egress import AddressError
from portal.egress.advice import advise_checked
from portal.models import Company, Delivery, Endpoint
from portal.privacy import marks
from portal.privacy.marks import find_old_copies
from portal.runtime import Runtime
from portal.vault import DamagedSecret, WrongKey
from portal.web import origin
from portal.working_models import WorkerHeartbeat

MEGABYTE = 1_000_000
LITTLE_SPACE, VERY_LITTLE_SPACE = 1000 * MEGABYTE, 100 * MEGABYTE
LONG_LOG = 64 * MEGABYTE
LATE_SECONDS, VERY_LATE_SECONDS = 60, 600
CLOCK_TOLERANCE = timedelta(minutes=5)
OWN_SETTINGS = "(By this shell's environment and portal.cfg: those of the service may differ.)"


@dataclass(frozen=True)
class Finding:
    """What a check found: `level` is `ok`, `warn` or `fail`; the message says what is so, and what to do."""

    check: str
    level: str
    message: str


def check_instance(settings: Settings) -> Iterator[Finding]:
    """The folder, its secrets, and the room on its disk."""
    folder = settings.instance
    if not folder.exists():
        yield Finding("instance", "ok", f"{folder} does not exist: the database and the key are elsewhere")
        return
    mode = stat.S_IMODE(folder.stat().st_mode)
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield Finding("instance", "fail", _explain_locked(folder))
    elif mode & 0o007:
        yield Finding("instance", "warn", f"{folder} is open to every user of this machine: chmod 750 {folder}")
    else:
        yield Finding("instance", "ok", str(folder))
    key = folder / "secret.key"
    if key.exists() and stat.S_IMODE(key.stat().st_mode) & 0o077:
        yield Finding("instance", "fail", f"Others may read {key}: chmod 600 {key}")
    free = shutil.disk_usage(folder).free
    level = "fail" if free < VERY_LITTLE_SPACE else "warn" if free < LITTLE_SPACE else "ok"
    advice = "" if level == "ok" else ": make room before the database cannot be written any more"
    yield Finding("disk", level, f"{free // MEGABYTE} MB free{advice}")


def _explain_locked(folder: Path) -> str:
    """Why this user cannot write to a folder, and what to do."""
    owner, user = folder.stat().st_uid, os.geteuid()
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        return f"{folder} cannot be written: its disk is read-only. Mount it for writing; a defect may be behind it."
    if owner == user:
        return f"{folder} cannot be written by its own user: chmod u+rwx {folder}"
    return f"{folder} cannot be written. It belongs to user {owner}, and this is user {user}: chown it, or run as it."


def check_base_url(settings: Settings) -> Iterator[Finding]:
    """Whether links and cookies are right for people who come from elsewhere."""
    if settings.base_url is None:
        yield Finding("address", "warn", "PORTAL_BASE_URL is not set: links in invitations name this machine only.")
        return
    parts = urlsplit(settings.base_url)
    if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        yield Finding("address", "warn", f"{settings.base_url} is not https: passwords and cookies travel openly.")
    elif parts.scheme == "https" and settings.proxy_hops == 0:
        yield Finding("address", "warn", f"{settings.base_url} needs a proxy in front: set PORTAL_PROXY_HOPS=1.")
    else:
        yield Finding("address", "ok", settings.base_url)


def check_origins() -> Iterator[Finding]:
    """Whether forms were refused of late because headers and PORTAL_BASE_URL disagree."""
    now = clock.utcnow()
    for entry in audit.last_noted(db.session, origin.ACTION, since=now - audit.DAY)[:1]:
        advice = "set PORTAL_BASE_URL right, or have the proxy pass Origin and Host as they come"
        yield Finding(
            "address", "warn", f"A form was refused at {entry.created_at:%F %T} UTC ({entry.subject}): {advice}."
        )


def check_authorities(settings: Settings) -> Iterator[Finding]:
    """Which authorities a receiver's certificate may come from."""
    added = settings.ca_file
    own = f", and {len(added.certificates)} of PORTAL_CA_FILE ({added.file})" if added else ""
    yield Finding("authorities", "ok", f"The known certificate authorities{own}")


def check_database() -> Iterator[Finding]:
    """Whether it answers, fits this version, and is whole."""
    try:
        check_schema(db.engine, db.metadata)
    except SchemaError as error:
        yield Finding("database", "fail", str(error))
        return
    except SQLAlchemyError as error:
        yield Finding("database", "fail", explain_error(error) or f"It cannot be used: {type(error).__name__}.")
        return
    if (trouble := find_trouble(db.engine)) is not None:
        yield Finding("database", "fail", f"{trouble.title}. {MENDS[trouble.code]}")
        return
    if db.engine.dialect.name != "sqlite":
        yield Finding("database", "ok", "PostgreSQL, at this version's schema")
        return
    file = Path(str(db.engine.url.database))
    problem = db.session.execute(text("PRAGMA quick_check(1)")).scalar_one()
    if problem != "ok":
        said = " ".join(str(problem).split())
        yield Finding("database", "fail", f"{file} is damaged ({said}): stop the portal and restore a backup.")
        return
    size = (size_of(db.engine) or 0) / MEGABYTE
    yield Finding("database", "ok", f"{file}, {size:.1f} MB, whole, at this version's schema")
    log = file.with_name(f"{file.name}-wal")
    if log.exists() and log.stat().st_size > LONG_LOG:
        length = log.stat().st_size // MEGABYTE
        yield Finding("database", "warn", f"Its log has {length} MB: some program keeps a long transaction open.")


def check_structure() -> Iterator[Finding]:
    """Whether its indexes and constraints are there, and every row refers to one that is."""
    for flaw in find_flaws(db.session.connection(), db.metadata):
        yield Finding("database", "warn" if flaw.is_slow else "fail", flaw.message)


def check_backups(settings: Settings) -> Iterator[Finding]:
    """Whether the portal backs itself up, and when it last did."""
    if settings.backup_at is None:
        yield Finding("backups", "ok", "PORTAL_BACKUP_AT is off: the portal makes none by itself.")
        return
    if settings.backups.exists() and not settings.backups.is_dir():
        yield Finding("backups", "fail", f"{settings.backups} is no folder, so none can be made: move it away.")
        return
    if settings.backups.exists() and not os.access(settings.backups, os.W_OK | os.X_OK):
        yield Finding("backups", "fail", _explain_locked(settings.backups))
        return
    made_at = nightly.last_made_at(settings.backups)
    if made_at is None:
        yield Finding("backups", "warn", f"None is in {settings.backups} yet.")
        return
    is_overdue = clock.utcnow() - made_at > nightly.OVERDUE
    words = "The last one is old: see the worker's log and the disk." if is_overdue else "The last one:"
    yield Finding("backups", "warn" if is_overdue else "ok", f"{words} {made_at:%F %T} UTC, in {settings.backups}")


def check_copies(settings: Settings) -> Iterator[Finding]:
    """Whether a copy of the database may still hold somebody who was erased."""
    listed = settings.instance / marks.FILE
    if listed.exists() and not listed.is_file():
        yield Finding("copies", "fail", f"{listed} is no file, so who was erased is not noted there: move it away.")
        return
    old = find_old_copies(settings)
    if old is None:
        return
    since = "made before an erasure may still hold who was erased"
    if old.staying:
        yield Finding("copies", "warn", f"{len(old.staying)} {since}, and stay until you remove them: {old.command}")
    if old.passing:
        yield Finding("copies", "ok", f"{len(old.passing)} nightly ones {since}; they go by themselves within weeks.")


def check_key(held: Runtime) -> Iterator[Finding]:
    """Whether the key in use opens what the database holds."""
    try:
        prove_key(db.session, held.vault)
    except WrongKey:
        yield Finding("key", "fail", WRONG_KEY)
        return
    count = 0
    for stored in stored_secrets(db.session):
        count += 1
        try:
            stored.open(held.vault)
        except DamagedSecret:
            place = f"{stored.column.class_.__tablename__}.{stored.column.key}, row {stored.row_id}"
            yield Finding("key", "fail", f"{DAMAGED} ({place})")
    yield Finding("key", "ok", f"It is the key of the {count} secrets in the database.")


def check_clock() -> Iterator[Finding]:
    """Whether this machine's clock agrees with what was written, with the database's, and with no worker's ahead."""
    now = clock.utcnow()
    newest = db.session.scalar(select(func.max(Delivery.created_at)))
    beaten = db.session.scalar(select(func.max(WorkerHeartbeat.seen_at)))
    theirs = now
    if db.engine.dialect.name != "sqlite":
        theirs = db.session.execute(select(func.clock_timestamp())).scalar_one()
    if newest is not None and newest > now + CLOCK_TOLERANCE:
        yield Finding("clock", "fail", f"It says {now:%F %T} UTC, but a delivery was made later: set it right (NTP).")
    elif abs(theirs - now) > CLOCK_TOLERANCE:
        yield Finding("clock", "fail", f"It says {now:%F %T} UTC, the database {theirs:%F %T}: set both right (NTP).")
    elif beaten is not None and beaten > now + CLOCK_TOLERANCE:
        yield Finding("clock", "fail", f"It says {now:%F %T} UTC, a worker's {beaten:%F %T}: set both right (NTP).")
    else:
        yield Finding("clock", "ok", f"{now:%F %T} UTC")


def check_sending() -> Iterator[Finding]:
    """Whether a worker lives, and keeps up."""
    now = clock.utcnow()
    workers = figures.count_workers(db.session, now=now)
    if workers:
        yield Finding("worker", "ok", f"{workers} alive")
    else:
        yield Finding("worker", "fail", "None is alive, so nothing is sent: run `portal serve`, or `portal worker`.")
    late = figures.oldest_due_seconds(db.session, now=now)
    level = "fail" if late > VERY_LATE_SECONDS else "warn" if late > LATE_SECONDS else "ok"
    advice = "" if level == "ok" else ": is the worker alive, are PORTAL_WORKER_THREADS and PORTAL_RATE_LIMIT enough?"
    yield Finding("queue", level, f"The oldest due delivery waits for {late:.0f} s{advice}")


def check_endpoints(held: Runtime) -> Iterator[Finding]:
    """Each company's address and state. Names are looked up; nothing is sent."""
    rows = db.session.execute(
        select(Company.name, Endpoint).join(Endpoint, Endpoint.company_id == Company.id).order_by(Company.id)
    ).all()
    db.session.expunge_all()
    db.session.rollback()  # the name service may take its time
    for name, endpoint in rows:
        level, message = _judge_state(endpoint)
        yield Finding("webhook", level, f"{name}: {message}")
        if endpoint.url is not None:
            yield from _check_address(held, name, endpoint.url)


def check_mail(held: Runtime) -> Iterator[Finding]:
    """Whether notices can be handed over."""
    server = held.settings.smtp_url
    if server is None:
        yield Finding("mail", "ok", "PORTAL_SMTP_URL is not set: trouble is told on the pages only.")
        return
    try:
        mail.reach(server)
    except mail.MailError as error:
        yield Finding("mail", "fail", f"The mail server takes nothing: {error}. See PORTAL_SMTP_URL.")
        return
    yield Finding("mail", "ok", "The mail server answers.")


def _judge_state(endpoint: Endpoint) -> tuple[str, str]:
    state = state_of(endpoint)
    if state == "unset":
        return "warn", "no address is set, so nothing is sent: `portal webhook set URL`."
    if state == "failing":
        return "warn", "its receiver takes nothing; what waits goes out when it is back. See `portal deliveries list`."
    if state == "paused":
        return "warn", f"paused ({endpoint.paused_reason}): `portal webhook resume`, or an admin on the Webhook page."
    return "ok", "active"


def _check_address(held: Runtime, name: str, url: str) -> Iterator[Finding]:
    try:
        checked = held.egress.check(url)
    except AddressError as error:
        more = f" {OWN_SETTINGS}" if error.reason == "blocked_address" else ""
        yield Finding("webhook", "fail", f"{name}: {url}: {error.sentence}{more}")
        return
    for advice in advise_checked(checked):
        level = "ok" if advice.is_reminder else "warn"
        yield Finding("webhook", level, f"{name}: {url}: {advice.sentence}")
