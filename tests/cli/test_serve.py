"""The whole portal as people start it: web and worker in processes of their own."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from portal.cli.serve import hold_instance
from portal.database.db import db
from portal.demo.server import Receiver
from portal.models import AccessLink, Delivery
from portal.people import links
from portal.working_models import WorkerHeartbeat
from tests.cli.conftest import EXTRA_SECONDS, STOP_SECONDS, Run, Running, Start
from tests.factories import make_company, make_contact, make_delivery, make_user
from tests.programs import be_new

ADDRESS = r"The portal is at (http://127\.0\.0\.1:\d+)"
READY = "The worker is ready"
"""What no stop takes, however busy the machine is: two seconds are its deadline, the rest is two Pythons that end."""


def get(url: str) -> tuple[int, str]:
    with urllib.request.urlopen(url, timeout=EXTRA_SECONDS) as answer:
        return answer.status, answer.read().decode()


def serve(start: Start, *options: str, **environ: str) -> tuple[Running, str]:
    running = start("serve", "--port", "0", *options, **environ)
    return running, running.wait_for(ADDRESS)[1]


def only(pids: list[int]) -> int:
    [pid] = pids
    return pid


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def ends_within(pid: int, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return not is_alive(pid)


def statuses() -> list[str]:
    db.session.rollback()
    found = list(db.session.scalars(select(Delivery.status)))
    db.session.rollback()
    return found


def test_an_empty_installation_gets_its_tables_and_a_link_to_set_it_up(start: Start, instance: Path) -> None:
    running, address = serve(start, "--no-worker")
    link = running.wait_for(r"once: (\S+)")[1]
    assert link.startswith(f"{address}/setup/")
    assert get(f"{address}/healthz")[0] == 200
    status, page = get(link)
    assert status == 200
    assert "<form" in page
    assert (instance / "portal.db").exists()


def test_the_link_is_new_at_every_start_and_the_older_one_is_void(app: Flask, start: Start) -> None:
    tokens = []
    for _ in range(2):
        running, _address = serve(start, "--no-worker")
        tokens.append(running.wait_for(r"/setup/(\S+)")[1])
        running.stop()
    first, second = tokens
    assert links.find_link(db.session, first, purpose="setup") is None
    assert links.find_link(db.session, second, purpose="setup") is not None


def test_an_installation_with_people_gets_no_link(app: Flask, start: Start) -> None:
    make_user(make_company())
    running, _address = serve(start, "--no-worker")
    assert running.stop()[0] == 0
    assert "/setup/" not in running.output
    assert not db.session.scalars(select(AccessLink)).all()


def test_it_delivers_and_stops_cleanly(app: Flask, start: Start, receiver: Receiver) -> None:
    make_delivery(make_contact(make_company(url=receiver.url)))
    running = start("serve", "--port", "0", act=be_new)
    assert receiver.wait_for(1, timeout=EXTRA_SECONDS)
    worker = only(running.process.children())
    code, took = running.stop()
    assert code == 0
    assert took < STOP_SECONDS
    assert not is_alive(worker)
    assert statuses() == ["delivered"]
    assert not db.session.scalars(select(WorkerHeartbeat)).all()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_leaves_nothing_in_sending(app: Flask, start: Start, number: int) -> None:
    """One is under way to a receiver that takes its time, more of them wait for their turn."""
    with Receiver(delay=1.0) as receiver:
        company = make_company(url=receiver.url)
        for _ in range(30):
            make_delivery(make_contact(company))
        running, _address = serve(start)
        assert receiver.wait_for(1, timeout=EXTRA_SECONDS)
        code, took = running.stop(number)
    assert code == 0
    assert took < STOP_SECONDS
    assert set(statuses()) == {"delivered", "pending"}


def test_a_request_under_way_is_answered_before_the_stop(app: Flask, start: Start, run: Run) -> None:
    with Receiver(delay=1.0) as receiver:
        user = make_user(make_company(url=receiver.url))
        email = user.email
        db.session.rollback()
        token = run("token", "add", "--email", email, "--label", "test").stdout.strip()
        running, address = serve(start, "--no-worker")
        request = urllib.request.Request(
            f"{address}/api/v1/webhook/test", b"{}",
            {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )  # fmt: skip
        receiver_is_asked = lambda _: os.kill(running.process.pid, signal.SIGTERM)  # noqa: E731
        receiver._on_request = receiver_is_asked
        with urllib.request.urlopen(request, timeout=EXTRA_SECONDS) as answer:
            assert answer.status == 200
        assert running.process.wait(EXTRA_SECONDS) == 0
    assert statuses() == ["delivered"]


def test_a_worker_that_is_killed_is_started_again(app: Flask, start: Start, receiver: Receiver) -> None:
    company = make_company(url=receiver.url)
    running, address = serve(start)
    running.wait_for(READY)
    first = only(running.process.children())
    os.kill(first, signal.SIGKILL)
    running.wait_for(f"action=worker_died exit_code=-9(.|\n)*{READY}")
    assert only(running.process.children()) != first
    make_delivery(make_contact(company))
    assert receiver.wait_for(1, timeout=EXTRA_SECONDS)
    assert get(f"{address}/healthz")[0] == 200
    assert running.stop()[0] == 0


def test_the_worker_stops_when_its_parent_is_killed(app: Flask, start: Start) -> None:
    running, _address = serve(start)
    running.wait_for(READY)
    worker = only(running.process.children())
    running.process.kill()
    assert ends_within(worker, STOP_SECONDS)
    running.wait_for("The worker has stopped")
    assert not db.session.scalars(select(WorkerHeartbeat)).all()


def test_no_worker_means_no_worker(app: Flask, start: Start) -> None:
    running, _address = serve(start, "--no-worker")
    assert running.process.children() == []


def test_a_port_in_use_is_one_sentence(start: Start, receiver: Receiver, sqlite_url: str) -> None:
    running = start("serve", "--port", str(receiver.port))
    assert running.process.wait(EXTRA_SECONDS) == 1
    running.wait_for(rf"Error: Port {receiver.port} of 127\.0\.0\.1 cannot be listened on")
    assert "Traceback" not in running.output
    assert READY not in running.output


@pytest.mark.parametrize(
    ("host", "sentence"),
    [
        ("no such host", "Error: --host: 'no such host' is no address of this machine"),
        ("192.0.2.1", r"another with --host\."),
    ],
)
def test_an_address_that_is_not_this_machines_is_one_sentence(start: Start, host: str, sentence: str) -> None:
    running = start("serve", "--host", host, "--port", "0", PORTAL_BASE_URL="http://portal.example.com")
    assert running.process.wait(EXTRA_SECONDS) == 1
    running.wait_for(sentence)
    assert "Traceback" not in running.output


NO_THREADS = """
import threading

def refuse(thread):
    raise RuntimeError("can't start new thread")  # as CPython says it when the system gives none

threading.Thread.start = refuse
from portal.__main__ import main
main()
"""
STUCK_THREAD = "import threading; threading.Thread(target=threading.Event().wait).start()" + NO_THREADS
THREADS_THAT_DIE = """
import threading

threading.Thread._bootstrap = lambda thread: None  # as without memory: it never says that it began
from portal.worker import starting
starting.START_SECONDS = 1.0
from portal.__main__ import main
main()
"""


@pytest.mark.slow
@pytest.mark.parametrize("program", [NO_THREADS, STUCK_THREAD, THREADS_THAT_DIE], ids=["none", "a stuck one", "dying"])
def test_a_machine_that_gives_no_more_threads_is_one_sentence(
    environ: dict[str, str], sqlite_url: str, program: str
) -> None:
    command = [sys.executable, "-c", program, "serve", "--port", "0"]
    done = subprocess.run(command, env=os.environ | environ, capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr[:60]) == (1, "Error: This machine gives the portal no more memory or threa")


def test_it_refuses_to_listen_to_others_without_a_name(run: Run) -> None:
    result = run("serve", "--host", "0.0.0.0")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: Listening on 0.0.0.0 lets other machines in: set PORTAL_BASE_URL")


def test_with_a_name_it_listens_to_others_and_answers_only_to_that_name(start: Start) -> None:
    running = start(
        "serve", "--host", "0.0.0.0", "--port", "0", "--no-worker", PORTAL_TRUSTED_HOSTS="portal.example.com"
    )
    port = running.wait_for(r"The portal is at http://portal\.example\.com:(\d+)")[1]
    request = urllib.request.Request(f"http://127.0.0.1:{port}/healthz", headers={"Host": "evil.example.com"})
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(request, timeout=EXTRA_SECONDS)
    assert get(f"http://127.0.0.1:{port}/healthz")[0] == 200


@pytest.mark.parametrize("command", [("serve", "--port", "0"), ("worker",)], ids=["serve", "worker"])
def test_another_key_than_the_stored_secrets_stops_the_start(
    app: Flask, start: Start, command: tuple[str, ...]
) -> None:
    make_company()
    running = start(*command, PORTAL_SECRET_KEY="x" * 48)
    assert running.process.wait(EXTRA_SECONDS) == 1
    running.wait_for(r"Error: .*Put back the secret\.key")


def test_a_worker_refuses_a_database_without_tables(start: Start) -> None:
    running = start("worker")
    assert running.process.wait(EXTRA_SECONDS) == 1
    running.wait_for("portal upgrade")


def test_a_worker_alone_delivers_until_it_is_stopped(app: Flask, start: Start, receiver: Receiver) -> None:
    make_delivery(make_contact(make_company(url=receiver.url)))
    running = start("worker")
    assert receiver.wait_for(1, timeout=EXTRA_SECONDS)
    code, took = running.stop()
    assert code == 0
    assert took < STOP_SECONDS
    assert statuses() == ["delivered"]


def test_web_and_worker_run_apart_on_postgresql(
    start: Start, run: Run, receiver: Receiver, postgres_url: str, make_app: object
) -> None:
    app = make_app(database_url=postgres_url)  # type: ignore[operator]
    with app.app_context():
        contact = make_contact(make_company(url=receiver.url))
        contact_id = contact.id
    start("worker", PORTAL_DATABASE_URL=postgres_url).wait_for(READY)
    _running, address = serve(start, "--no-worker", PORTAL_DATABASE_URL=postgres_url)
    assert run("classify", contact_id, 2, PORTAL_DATABASE_URL=postgres_url).exit_code == 0
    assert receiver.wait_for(1, timeout=EXTRA_SECONDS)
    assert get(f"{address}/readyz")[0] == 200


def test_a_second_serve_on_the_same_instance_says_so(start: Start) -> None:
    first, _ = serve(start, "--no-worker")
    second, _ = serve(start, "--no-worker")
    assert f"Another `portal serve` (process {first.process.pid}) has this instance, too." in second.output
    assert "Another" not in first.output
    for running in (first, second):
        running.stop()
    third, _ = serve(start, "--no-worker")
    assert "Another" not in third.output


def test_a_full_disk_has_no_room_for_the_mark_of_a_process(instance: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fill_up(_descriptor: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "write", fill_up)
        held = hold_instance(instance)
    assert held is not None
    held.close()
    assert (instance / "serve.lock").read_text() == ""


def test_the_mark_of_a_process_is_written_through_no_link(instance: Path, tmp_path: Path) -> None:
    """Whose folder it is might let root empty a file of root's."""
    other = tmp_path / "other"
    other.write_text("root's")
    (instance / "serve.lock").symlink_to(other)
    assert hold_instance(instance) is None
    assert other.read_text() == "root's"


@pytest.mark.parametrize("command", ["serve", "worker"])
def test_with_a_json_log_every_line_is_json_from_the_first_to_the_last(start: Start, command: str) -> None:
    as_json = {"PORTAL_LOG_FORMAT": "json"}
    start("upgrade").process.wait(EXTRA_SECONDS)
    running = start(command, *(["--port", "0"] if command == "serve" else []), **as_json)
    running.wait_for(READY)
    running.stop()
    lines = [json.loads(line) for line in running.output.splitlines()]
    assert {"worker_started", "worker_stopped"} <= {line.get("action") for line in lines}
    assert any("The portal is at" in line["message"] for line in lines) is (command == "serve")


@pytest.mark.parametrize(
    "wrong", [{"PORTAL_DEADLINE": "soon"}, {"PORTAL_DATABASE_URL": "sqlite:////nowhere/at/all.db"}]
)
def test_with_a_json_log_a_start_that_fails_is_a_line_of_it(start: Start, wrong: dict[str, str]) -> None:
    running = start("serve", "--port", "0", PORTAL_LOG_FORMAT="json", **wrong)
    assert running.process.wait(EXTRA_SECONDS) == 1
    running.close()
    (line,) = [json.loads(line) for line in running.output.splitlines()]
    assert (line["level"], line["action"]) == ("ERROR", "not_started")


def test_what_the_portal_writes_is_nobody_elses_whatever_the_folder_is(instance: Path, start: Start) -> None:
    instance.mkdir(mode=0o755, exist_ok=True)
    instance.chmod(0o755)
    serve(start)
    files = [path for path in instance.rglob("*") if path.is_file()]
    assert instance / "portal.db" in files
    assert [path for path in files if path.stat().st_mode & 0o077] == []
