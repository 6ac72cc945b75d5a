"""What is wrong with the database itself, told from its error: a stable code, and words for people and for the log."""

import sqlite3
from dataclasses import dataclass

from flask_babel import lazy_gettext as _l
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from portal.database.db import AWAY, patience, writing


@dataclass(frozen=True)
class Trouble:
    """Nothing was written, and a code, a title and a sentence say why."""

    code: str
    title: str
    sentence: str


_ALL = (
    Trouble(
        "database_busy",
        _l("O portal está ocupado agora"),
        _l("O que você acabou de enviar não foi salvo. Espere alguns segundos e tente de novo."),
    ),
    Trouble(
        "database_away",
        _l("O banco de dados não responde"),
        _l(
            "Nada do que você enviou foi salvo. Quem opera o portal precisa conferir se o banco de dados está no ar e "
            "se o portal pode abri-lo: veja portal doctor. Depois disso tudo continua sozinho."
        ),
    ),
    Trouble(
        "disk_full",
        _l("O disco do portal está cheio"),
        _l(
            "Nada do que você enviou foi salvo. Quem opera o portal precisa liberar espaço no disco; "
            "depois disso tudo continua sozinho."
        ),
    ),
    Trouble(
        "disk_error",
        _l("O disco do portal não está gravando"),
        _l(
            "Nada do que você enviou foi salvo. Quem opera o portal precisa conferir o disco: um defeito, uma cota, "
            "ou um limite de tamanho de arquivo."
        ),
    ),
    Trouble(
        "database_read_only",
        _l("O portal não pode gravar"),
        _l(
            "O banco de dados está só para leitura, e nada foi salvo. Quem opera o portal precisa conferir as "
            "permissões da pasta e do arquivo, ou o disco: veja portal doctor."
        ),
    ),
    Trouble(
        "schema_mismatch",
        _l("O banco de dados não é desta versão do portal"),
        _l("Nada foi salvo. Quem opera o portal precisa rodar portal upgrade, ou restaurar a cópia de segurança."),
    ),
    Trouble(
        "database_damaged",
        _l("O arquivo do banco de dados está danificado"),
        _l("Nada foi salvo. Quem opera o portal precisa pará-lo e restaurar uma cópia de segurança (portal restore)."),
    ),
)
TROUBLES = {each.code: each for each in _ALL}

_BY_SQLITE = {
    sqlite3.SQLITE_FULL: "disk_full",
    sqlite3.SQLITE_IOERR: "disk_error",
    sqlite3.SQLITE_CANTOPEN: "database_away",
    sqlite3.SQLITE_READONLY: "database_read_only",
    sqlite3.SQLITE_CORRUPT: "database_damaged",
    sqlite3.SQLITE_NOTADB: "database_damaged",
}
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_BY_SQLSTATE = {
    "53100": "disk_full",
    "25006": "database_read_only",
    "42703": "schema_mismatch",
    "42P01": "schema_mismatch",
    "42701": "schema_mismatch",
    "42P07": "schema_mismatch",
    "XX001": "database_damaged",
    "XX002": "database_damaged",
}
PROBE_SECONDS = 2.0  # a database that others keep locked for longer is busy
_OTHER_TABLES = ("no such column", "no such table", "has no column named", "duplicate column", "already exists")


def name_trouble(error: SQLAlchemyError) -> Trouble | None:
    """What is wrong; None when the database is well, and the error is the fault of whoever asked it."""
    orig = getattr(error, "orig", None)
    code = _code_of(orig)
    if code is None and isinstance(error, AWAY):
        code = "database_away" if isinstance(orig, Exception) and _is_away(orig) else "database_busy"
    return TROUBLES[code] if code else None


def name_sqlite_trouble(error: sqlite3.Error) -> Trouble | None:
    """`name_trouble` for an error that SQLite's own module raised."""
    code = _code_of(error) or ("database_busy" if isinstance(error, sqlite3.OperationalError) else None)
    return TROUBLES[code] if code else None


def find_trouble(engine: Engine) -> Trouble | None:
    """What keeps the database from being written, tried by writing what stands there already."""
    try:
        with writing(), patience(PROBE_SECONDS), engine.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = version_num"))
    except SQLAlchemyError as error:
        return name_trouble(error)
    return None


def message_of(error: DBAPIError) -> str:
    """The driver's message in one line, for the log; it quotes no value."""
    return next(iter(str(error.orig).strip().splitlines()), type(error.orig).__name__)


def _code_of(error: BaseException | None) -> str | None:
    if isinstance(error, sqlite3.Error):
        if any(words in str(error) for words in _OTHER_TABLES):
            return "schema_mismatch"
        return _BY_SQLITE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
    return _BY_SQLSTATE.get(getattr(error, "sqlstate", ""))


def _is_away(error: Exception) -> bool:
    """Whether PostgreSQL could not be asked at all: nobody answered (None), it let nobody in, or it stops or starts."""
    sqlstate = getattr(error, "sqlstate", "")
    return sqlstate is None or sqlstate.startswith(("08", "28", "3D", "57P"))
