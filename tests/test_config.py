import re
import stat
import subprocess
import sys
from datetime import time, timedelta
from pathlib import Path

import pytest

from portal.application import trusted_hosts
from portal.config import KNOWN, SECRETS, SettingError, Settings, load_or_create_key, load_settings

WRONG_VALUES = [
    "\x00",
    "-",
    ",;,",
    "ç",
    "1e400",
    "nan",
    "-1",
    "9" * 5000,
    "http://",
    "://",
    "[",
    "%",
    "None",
    "null",
    "{}",
    "a b",
    "\u202e",
    "'",
    "\U0001f600",
    "a=b",
]
"""Of each setting, most are wrong. The first one cannot stand in an environment."""


def load(tmp_path: Path, **values: str) -> Settings:
    return load_settings({"PORTAL_INSTANCE": str(tmp_path / "instance"), **values})


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [
        ("PORTAL_REQUIRE_HTTPS", "perhaps", "neither 1 nor 0"),
        ("PORTAL_DEADLINE", "soon", "number of seconds"),
        ("PORTAL_DEADLINE", "0", "number of seconds"),
        ("PORTAL_DEADLINE", "nan", "number of seconds"),
        ("PORTAL_CONNECT_TIMEOUT", "11", "PORTAL_DEADLINE"),
        ("PORTAL_PROXY_HOPS", "-1", "whole number"),
        ("PORTAL_REMOTE_USER_HEADER", "Remote-Email", "PORTAL_PROXY_HOPS"),
        ("PORTAL_WORKER_THREADS", "0", "whole number"),
        ("PORTAL_RATE_LIMIT", "fast", "deliveries a second"),
        ("PORTAL_ALLOWED_NETWORKS", "10.0.0.0/33", "network"),
        ("PORTAL_ALLOWED_NETWORKS", "10.0.0.1/8", "network"),
        ("PORTAL_RETRY_SCHEDULE", "30s,x", "holds 'x', which is no pause;"),
        ("PORTAL_BASE_URL", "portal.example.com", "address"),
        ("PORTAL_DATABASE_URL", "mysql://x", "SQLite"),
        ("PORTAL_SECRET_KEY", "dev", "shorter"),
        ("PORTAL_LOG_FORMAT", "xml", "text nor json"),
        ("PORTAL_SMTP_URL", "mail.example.com", "no address such as smtps://"),
        ("PORTAL_SMTP_URL", "smtp://u:p@mail.example.com", "unencrypted"),
        ("PORTAL_SMTP_URL", "smtps://mail.example.com", "PORTAL_MAIL_FROM"),
        ("PORTAL_MAIL_FROM", "the portal", "no address such as portal@"),
        ("PORTAL_RETRY_SHEDULE", "0s", "PORTAL_RETRY_SCHEDULE"),
        ("PORTAL_SMTP_URL", "smtps://me:p#ss@mail.example.com", "%23"),
        ("PORTAL_SMTP_URL", "smtps://me:p/ss@mail.example.com:465", "%2F"),
        ("PORTAL_SMTP_URL", "smtps://me:p?s@mail.example.com", "%3F"),
        ("PORTAL_SMTP_URL", "smtps://me:p[ss@mail.example.com", "%5B"),
        ("PORTAL_SMTP_URL", "smtps://mail.example.com:first", "cannot be read"),
        ("PORTAL_BASE_URL", "https://portal.example.com:99999", "no address"),
        ("PORTAL_BASE_URL", "https://portal.example.com:0", "no address"),
        ("PORTAL_BASE_URL", "https://portal.example.com:web", "no address"),
        ("PORTAL_BASE_URL", "https://me@portal.example.com", "no address"),
        ("PORTAL_BASE_URL", "https://portal.example .com", "no address"),
        ("PORTAL_BASE_URL", "https://[portal", "no address"),
        ("PORTAL_TRUSTED_HOSTS", "https://portal.example.com", "no host name"),
        ("PORTAL_TRUSTED_HOSTS", "*.example.com", "no host name"),
        ("PORTAL_TRUSTED_HOSTS", "*", "no host name"),
        ("PORTAL_TRUSTED_HOSTS", "portal.example.com:443", "no host name"),
        ("PORTAL_TRUSTED_HOSTS", "portal.example.com, portal two", "'portal two'"),
        ("PORTAL_DATABASE_URL", "sqlite:///", "names no file"),
        ("PORTAL_DATABASE_URL", "sqlite://", "names no file"),
        ("PORTAL_DATABASE_URL", "sqlite:///:memory:", "names no file"),
        ("PORTAL_DATABASE_URL", "sqlite://srv/portal.db", "no address of SQLite"),
        ("PORTAL_DATABASE_URL", "postgresql://portal@db:first/portal", "no address of SQLite"),
        ("PORTAL_DATABASE_URL", "postgresql://portal:se@cret@db/portal", "write it as %40"),
        ("PORTAL_DATABASE_URL", "postgresql://portal:se@cr/et@db/portal", "write it as %40"),
        ("PORTAL_INSTANCE", "", "PORTAL_INSTANCE: is empty"),
    ],
)
def test_a_wrong_setting_says_which_and_why_in_one_sentence(tmp_path: Path, name: str, value: str, part: str) -> None:
    with pytest.raises(SettingError) as raised:
        load(tmp_path, **{name: value})
    assert name in str(raised.value)
    assert part in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ["PORTAL_INSTANCE", *KNOWN, *(f"{name}_FILE" for name in SECRETS)])
@pytest.mark.parametrize("blank", ["", "  "])
@pytest.mark.parametrize("in_file", [False, True])
def test_a_blank_setting_never_becomes_its_default(tmp_path: Path, name: str, blank: str, in_file: bool) -> None:
    given = {} if in_file else {name: blank}
    if in_file:
        (tmp_path / "instance").mkdir()
        (tmp_path / "instance" / "portal.cfg").write_text(f"{name}={blank}\n")
    with pytest.raises(SettingError, match=f"^{name}: is empty") as raised:
        load(tmp_path, **given)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("value", WRONG_VALUES)
def test_no_wrong_value_is_more_than_one_sentence(tmp_path: Path, name: str, value: str) -> None:
    sentence = refusal(tmp_path, name, value)
    assert sentence is None or (sentence.startswith(name) and "\n" not in sentence)


def refusal(tmp_path: Path, name: str, value: str) -> str | None:
    try:
        load(tmp_path, **{name: value})
    except SettingError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"PORTAL_DEADLINE=7\nPORTAL_REQUIRE_HTTPS\n", "line 2: is no NAME=value"),
        (b'PORTAL_MAIL_FROM="a@example.com\n', "line 1: is no NAME=value, or its quotes"),
        (b"PORTAL_DEADLINE: 7\n", "line 1: is no NAME=value"),
        (b"PORTAL_DEADLINE=7\nPORTAL_DEADLINE=8\n", "line 2: PORTAL_DEADLINE stands here for the second time"),
        ("PORTAL_MAIL_FROM=Jos\xe9 <a@example.com>\n".encode("latin-1"), "is not written in UTF-8"),
        ("PORTAL_DEADLINE=7\n".encode("utf-16"), "is not written in UTF-8"),
        (b"DEADLINE=7\n", "DEADLINE: there is no such setting"),
        (b"PORTAL_INSTANCE=/srv/portal\n", "PORTAL_INSTANCE cannot stand in the file that it leads to"),
    ],
)
def test_no_line_of_the_file_is_passed_over(tmp_path: Path, content: bytes, part: str) -> None:
    file = tmp_path / "instance" / "portal.cfg"
    file.parent.mkdir()
    file.write_bytes(content)
    with pytest.raises(SettingError) as raised:
        load(tmp_path)
    assert part in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "instance").mkdir()
    (tmp_path / "instance" / "portal.cfg").write_text("PORTAL_DEADLINE=7\n", encoding="utf-8-sig")
    assert load(tmp_path).deadline == 7


@pytest.mark.parametrize(
    "name",
    ["PORTAL_PORT", "PORTAL_SERVICE_HOST", "PORTAL_SERVICE_PORT", "PORTAL_SERVICE_PORT_HTTP", "PORTAL_PORT_8000_TCP",
     "PORTAL_PORT_8000_TCP_ADDR", "PORTAL_PORT_53_UDP_PROTO", "PORTAL_WEB_SERVICE_HOST", "PORTAL_WEB_PORT_80_TCP_PORT"],
)  # fmt: skip
def test_what_kubernetes_tells_its_containers_is_passed_over(tmp_path: Path, name: str) -> None:
    assert load(tmp_path, **{name: "tcp://10.0.0.1:8000"}) == load(tmp_path)


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize(
    ("content", "part"), [(b"", "is empty"), (b" \n", "is empty"), (b"\xff\xfe", "no text in UTF-8")]
)
def test_a_secret_file_that_holds_nothing_stops_the_start(tmp_path: Path, name: str, content: bytes, part: str) -> None:
    (tmp_path / "held").write_bytes(content)
    with pytest.raises(SettingError, match=part):
        load(tmp_path, **{f"{name}_FILE": str(tmp_path / "held")})


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (None, "cannot be read (No such file or directory)"),
        ("hello", "holds no certificate"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "certificate number 1 cannot be read"),
    ],
)
def test_a_bad_file_of_authorities_stops_the_start(tmp_path: Path, content: str | None, part: str) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingError) as raised:
        load(tmp_path, PORTAL_CA_FILE=str(file))
    assert str(raised.value).startswith(f"PORTAL_CA_FILE: '{file}' ")
    assert part in str(raised.value)


def test_a_wrong_secret_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(SettingError) as raised:
        load(tmp_path, PORTAL_SECRET_KEY="hunter2")
    assert "hunter2" not in str(raised.value)


def test_the_file_gives_what_the_environment_does_not(tmp_path: Path) -> None:
    instance = tmp_path / "instance"
    instance.mkdir()
    (instance / "portal.cfg").write_text('# ours\nPORTAL_DEADLINE=7\nPORTAL_WORKER_THREADS = "3"\n')
    settings = load_settings({"PORTAL_INSTANCE": str(instance), "PORTAL_DEADLINE": "8"})
    assert (settings.deadline, settings.worker_threads) == (8.0, 3)
    assert settings.lease == timedelta(seconds=13)


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("s" * 40 + "\n")
    settings = load_settings(
        {"PORTAL_INSTANCE": str(tmp_path / "instance"), "PORTAL_SECRET_KEY_FILE": str(tmp_path / "key")}
    )
    assert settings.secret_key == "s" * 40


def test_the_secret_key_is_made_once_and_only_for_its_owner(tmp_path: Path) -> None:
    first = load_settings({"PORTAL_INSTANCE": str(tmp_path)}).secret_key
    assert load_settings({"PORTAL_INSTANCE": str(tmp_path)}).secret_key == first
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600


@pytest.mark.parametrize("is_there", [True, False])
def test_a_key_that_cannot_be_read_or_made_is_one_sentence(tmp_path: Path, is_there: bool) -> None:
    path = tmp_path / "secret.key"
    if is_there:
        path.mkdir()
    else:
        path = tmp_path / ("k" * 250) / "secret.key"
    with pytest.raises(SettingError, match=r"^PORTAL_SECRET_KEY: .*secret.key cannot be read or made \("):
        load_or_create_key(path)


@pytest.mark.slow
def test_four_processes_starting_together_read_one_key(tmp_path: Path) -> None:
    program = "from portal.config import load_settings; print(load_settings().secret_key)"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            env={"PORTAL_INSTANCE": str(tmp_path / "instance")},
            stdout=subprocess.PIPE,
        )
        for _ in range(4)
    ]
    assert len({process.communicate()[0] for process in processes}) == 1


def test_who_makes_the_key_second_takes_the_firsts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, first = tmp_path / "secret.key", "f" * 48
    monkeypatch.setattr("os.fsync", lambda _: path.write_text(first))  # the other process, at the worst moment
    assert load_or_create_key(path) == path.read_text() == first
    assert list(tmp_path.iterdir()) == [path]


def test_every_setting_is_known_and_no_other(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert {name.removeprefix("PORTAL_").lower() for name in KNOWN} | {"instance"} == set(vars(settings))


@pytest.mark.parametrize("name", [name for name in KNOWN if re.fullmatch("(`[^`]*`)?", KNOWN[name].default)])
def test_the_default_that_the_docs_name_is_the_real_one(tmp_path: Path, name: str) -> None:
    real, said = getattr(load(tmp_path), name.removeprefix("PORTAL_").lower()), KNOWN[name].default.strip("`")
    assert real == KNOWN[name].read(said) if said else not real


def test_the_file_in_the_docs_is_read(tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent / "docs" / "configuration.md").read_text()
    text = "\n".join(re.findall(r"^    (.*)$", page, re.MULTILINE))
    (tmp_path / "smtp").write_text("smtp://localhost\n")
    (tmp_path / "instance").mkdir()
    (tmp_path / "instance" / "portal.cfg").write_text(text.replace("/run/secrets/portal-smtp", str(tmp_path / "smtp")))
    settings = load(tmp_path)
    assert (settings.proxy_hops, settings.mail_from) == (1, "Portal <portal@example.com>")
    assert settings.smtp_url is not None


@pytest.mark.parametrize("name", [name for name in KNOWN if name != "PORTAL_CA_FILE"])
def test_the_example_in_the_docs_may_be_set(name: str) -> None:
    KNOWN[name].read(KNOWN[name].example)


EDGES: dict[str, tuple[list[str], list[str]]] = {
    "PORTAL_PROXY_HOPS": (["0", "10"], ["-1", "11", "1.0"]),
    "PORTAL_WORKER_THREADS": (["1", "512"], ["0", "513"]),
    "PORTAL_ENDPOINT_CONCURRENCY": (["1", "512"], ["0", "513"]),
    "PORTAL_DEADLINE": (["0.001", "120"], ["0", "120.001", "inf"]),
    "PORTAL_CONNECT_TIMEOUT": (["0.001", "120"], ["0", "120.001"]),
    "PORTAL_RATE_LIMIT": (["0.01", "10000"], ["0.0099", "10000.1"]),
    "PORTAL_REMOTE_USER_HEADER": (["X", "X-" + "a" * 98], ["X-" + "a" * 99, "-X", "1X", "X_Y", "X:"]),
    "PORTAL_SECRET_KEY": (["k" * 32], ["k" * 31]),
    "PORTAL_METRICS_TOKEN": (["t" * 16], ["t" * 15, "ç" * 16, "t" * 16 + "\t"]),
    "PORTAL_BACKUP_AT": (["off", "0:00", "09:05", "19:59", "23:00"], ["24:00", "3:60", "03", "3:5", "OFF"]),
    "PORTAL_LOG_FORMAT": (["text", "json"], ["JSON"]),
    "PORTAL_TRUSTED_HOSTS": (["a", "A_1.b-c", ".x.test", "[::1]"], ["a.", "-a", "..a", "[x]", "[]"]),
    "PORTAL_BASE_URL": (
        ["http://x", "https://x:8443/portal", "HTTPS://x.test"],
        ["ftp://x", "https://", "https://x?a", "https://x#a", "https://a@x", "https://x:0", "https://x/ y"],
    ),
    "PORTAL_DATABASE_URL": (
        ["sqlite:///a.db", "postgresql://x/p", "postgres://x/p", "postgresql+psycopg://x/p"],
        ["sqlite://x/a.db", "sqlite:///:memory:", "postgresql+asyncpg://x/p", "mysql://x/p", "x"],
    ),
    "PORTAL_ALLOWED_NETWORKS": (["10.0.0.0/8", "10.1.2.3", "fd00::/8, ::1"], ["10.0.0.1/8", "x"]),
}
"""What may be set at most and at least, and what just may not."""


@pytest.mark.parametrize("name", EDGES)
def test_a_setting_is_taken_up_to_its_edges(name: str) -> None:
    taken, refused = EDGES[name]
    for text in taken:
        KNOWN[name].read(text)
    for text in refused:
        with pytest.raises(ValueError, match=r"\.$"):
            KNOWN[name].read(text)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        *(("PORTAL_REQUIRE_HTTPS", word, True) for word in ("1", "true", "yes", "on", "TRUE")),
        *(("PORTAL_REQUIRE_HTTPS", word, False) for word in ("0", "false", "no", "off", "Off")),
        ("PORTAL_BASE_URL", "https://x.test/portal/", "https://x.test/portal"),
        ("PORTAL_TRUSTED_HOSTS", " a , ,.b.test ", ("a", ".b.test")),
        ("PORTAL_DATABASE_URL", "postgres://x/p", "postgresql+psycopg://x/p"),
        ("PORTAL_DATABASE_URL", "postgresql://x/p", "postgresql+psycopg://x/p"),
        ("PORTAL_BACKUP_AT", "4:05", time(4, 5)),
        ("PORTAL_BACKUP_AT", "off", None),
        ("PORTAL_RATE_LIMIT", "0.5", 0.5),
        ("PORTAL_PROXY_HOPS", "3", 3),
    ],
)
def test_a_setting_is_read_as_what_it_means(tmp_path: Path, name: str, text: str, value: object) -> None:
    assert getattr(load(tmp_path, **{name: f" {text} "}), name.removeprefix("PORTAL_").lower()) == value


@pytest.mark.parametrize(
    ("base_url", "path", "is_secure"),
    [(None, "", False), ("http://x", "", False), ("https://x", "", True), ("https://x/portal", "/portal", True)],
)
def test_the_base_address_says_the_path_and_whether_cookies_are_secure(
    tmp_path: Path, base_url: str | None, path: str, is_secure: bool
) -> None:
    settings = load(tmp_path, **({"PORTAL_BASE_URL": base_url} if base_url else {}))
    assert (settings.path, settings.secure_cookies) == (path, is_secure)


def test_a_try_has_the_limits_that_were_set_and_a_day_its_backup_on_sqlite(tmp_path: Path) -> None:
    settings = load(tmp_path, PORTAL_DEADLINE="3", PORTAL_CONNECT_TIMEOUT="3")
    assert (settings.limits.connect, settings.limits.whole) == (3, 3)
    assert (settings.backup_at, settings.backups) == (time(3), tmp_path / "instance" / "backups")
    assert load(tmp_path, PORTAL_DATABASE_URL="postgresql://x/p").backup_at is None


@pytest.mark.parametrize(
    ("base_url", "host"),
    [("https://portal.example.com/portal", "portal.example.com"), ("http://[2001:db8::7]:8000", "[2001:db8::7]")],
)
def test_the_portal_answers_to_the_name_in_its_base_url(tmp_path: Path, base_url: str, host: str) -> None:
    settings = load_settings({"PORTAL_INSTANCE": str(tmp_path), "PORTAL_BASE_URL": base_url})
    assert trusted_hosts(settings)[-1] == host
