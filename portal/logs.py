"""Log lines on standard error, as text for people or as one JSON object a line for machines.

Both name the action (`extra={"action": ...}`); no line holds a body, a secret or a contact's data.
"""

import json
import logging
import sys
from datetime import UTC, datetime

STANDARD_ATTRIBUTES = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class TextFormatter(logging.Formatter):
    """`2026-01-31T12:00:00Z INFO message action=... key=value`, always one line but for tracebacks."""

    def format(self, record: logging.LogRecord) -> str:
        extra = "".join(f" {name}={value}" for name, value in extra_of(record).items())
        line = f"{timestamp_of(record)} {record.levelname} {record.getMessage()}{extra}"
        line = "".join(character if character.isprintable() else repr(character)[1:-1] for character in line)
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(logging.Formatter):
    """One JSON object a line: `time`, `level`, `logger`, `message`, the extra fields, `error` with the traceback."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "time": timestamp_of(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **extra_of(record),
        }
        if record.exc_info:
            entry["error"] = self.formatException(record.exc_info)
        return json.dumps(entry, default=str)


def configure(log_format: str) -> None:
    """Send the portal's log lines to standard error in this format (`text` or `json`)."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    for name, level in (("portal", logging.INFO), ("waitress", logging.WARNING), ("apscheduler", logging.WARNING)):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(level)


def writes_json() -> bool:
    """Whether `configure` was last told so."""
    return any(isinstance(handler.formatter, JsonFormatter) for handler in logging.getLogger("portal").handlers)


def extra_of(record: logging.LogRecord) -> dict[str, object]:
    """What the caller added with `extra=`."""
    return {name: value for name, value in vars(record).items() if name not in STANDARD_ATTRIBUTES}


def timestamp_of(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
