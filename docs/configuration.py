"""Writes docs/configuration.md from what the portal itself knows of its settings.

python docs/configuration.py
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from portal.config.known import GROUPS, SECRETS, Setting

PAGE = Path(__file__).with_suffix(".md")
INTRODUCTION = f"""# Configuration

Settings are environment variables, or lines `NAME=value` in `portal.cfg` of the instance folder; the environment goes
first. A wrong value, an empty one, or a name that does not exist stops the start with one sentence that says which
and why: from `serve`, `worker`, `upgrade`, `doctor` and every other command alike. A setting never becomes its
default silently.

    # instance/portal.cfg
    PORTAL_BASE_URL=https://portal.example.com
    PORTAL_PROXY_HOPS=1
    PORTAL_MAIL_FROM="Portal <portal@example.com>"
    PORTAL_SMTP_URL_FILE=/run/secrets/portal-smtp

The file is UTF-8. A value with spaces at its ends or a `#` stands in quotes. Changes count from the next start.

`PORTAL_INSTANCE` is the folder of the database, the key, the backups and `portal.cfg`; it is `./instance` unless the
environment says otherwise, and cannot stand in the file that it leads to.

**Secrets** come from files too: {", ".join(f"`{name}_FILE`" for name in SECRETS)} name a file that holds the value. A
secret that is wrong is not shown.

**In Kubernetes** a Service named `portal` makes the cluster set `PORTAL_PORT`, `PORTAL_SERVICE_HOST`,
`PORTAL_PORT_8000_TCP` and the like in every container. These names are passed over.
"""


def page() -> str:
    tables = (line for title, settings in GROUPS.items() for line in (f"## {title}", "", *table(settings), ""))
    return "\n".join((INTRODUCTION, *tables))


def table(settings: Mapping[str, Setting]) -> Iterator[str]:
    yield "| setting | without it | what it does | for example |"
    yield "|---|---|---|---|"
    for name, setting in settings.items():
        yield f"| `{name}` | {setting.default} | {setting.does} | `{setting.example}` |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
