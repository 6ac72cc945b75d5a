"""How many connections a drain opens over http and over TLS, and what TLS costs. On SQLite, about two minutes.

    python -m benchmarks.tls [--count 10000]

The receiver is nginx with a certificate made for the run, one address of loopback for each origin. It prints rows of a
table, as `goals.py` does.
"""

import argparse
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.error import URLError
from urllib.request import urlopen

from benchmarks.drain import drain, fill
from benchmarks.ending import run_until_told
from benchmarks.goals import IN_FLIGHT, add_company, installed
from portal.audit import Actor
from portal.company import endpoint as endpoints
from portal.database.db import db
from portal.runtime import runtime

ORIGINS = (1, 8, 100)
PORTS = {"http": 9873, "https": 9874}
STATUS_PORT = 9875
COUNT = 10_000
# A body is read to its end, whenever the answer is sent: else the connection would not be kept.
CONFIGURATION = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
worker_processes 1;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  client_body_buffer_size 64k;
  keepalive_requests 1000000;
  keepalive_timeout 75s;
  ssl_certificate {folder}/certificate.pem;
  ssl_certificate_key {folder}/key.pem;
  server {{
    {listens}
    default_type text/plain;
    return 200 "OK";
  }}
  server {{ listen 127.0.0.1:{status_port}; location / {{ stub_status; }} }}
}}
"""


@contextmanager
def nginx(folder: Path) -> Iterator[Path]:
    """A receiver at as many addresses as there may be origins; returns the authority to trust, its own certificate."""
    for program in ("nginx", "openssl"):
        if not shutil.which(program):
            raise SystemExit(f"The receiver needs {program}, which is missing (on Debian, apt-get install {program}).")
    certificate = make_certificate(folder)
    listens = "".join(
        f"listen 127.0.0.{place}:{port}{' ssl' if scheme == 'https' else ''};\n"
        for scheme, port in PORTS.items()
        for place in range(1, max(ORIGINS) + 1)
    )
    configuration = folder / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(folder=folder, listens=listens, status_port=STATUS_PORT))
    process = subprocess.Popen(["nginx", "-e", str(folder / "nginx.log"), "-c", str(configuration)])
    try:
        wait_for(process)
        yield certificate
    finally:
        process.terminate()
        process.wait()


def make_certificate(folder: Path) -> Path:
    """A certificate of every address that vouches for itself, with its key beside it."""
    addresses = ",".join(f"IP:127.0.0.{place}" for place in range(1, max(ORIGINS) + 1))
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", str(folder / "key.pem")]
    names = ["-subj", "/CN=benchmark", "-addext", f"subjectAltName={addresses}"]
    files = ["-days", "1", "-out", str(folder / "certificate.pem")]
    subprocess.run(["openssl", "req", "-x509", *key, *names, *files], check=True, capture_output=True)
    return folder / "certificate.pem"


def wait_for(process: "subprocess.Popen[bytes]") -> None:
    for _ in range(100):
        try:
            accepted_count()
        except URLError:
            if process.poll() is not None:
                raise SystemExit("nginx did not start.") from None
            time.sleep(0.05)
        else:
            return
    raise SystemExit("nginx does not answer.")


def accepted_count() -> int:
    """How many connections nginx accepted so far; to ask is one of them."""
    with urlopen(f"http://127.0.0.1:{STATUS_PORT}/", timeout=5) as answer:
        found = re.search(r"\n\s*(\d+) \d+ \d+", answer.read().decode())
    if found is None:
        raise SystemExit("nginx does not tell how many connections it accepted.")
    return int(found[1])


def measure_tls(count: int) -> Iterator[str]:
    """As many companies, each with an origin of its own, over http and then over TLS: what each opens, and its cost."""
    with TemporaryDirectory() as folder, nginx(Path(folder)) as authority, installed() as held:
        _, environment, company_id, body = held
        environment["PORTAL_CA_FILE"] = str(authority)
        companies = [company_id]
        for origins in ORIGINS:
            companies += [add_company(place) for place in range(len(companies) + 1, origins + 1)]
            plain = 0.0
            for scheme in PORTS:
                point_at(scheme, companies)
                fill(companies, body, count)
                before = accepted_count()
                rate, cpu, _ = drain(environment, workers=1, count=count)
                opened, most = accepted_count() - before - 1, min(origins * IN_FLIGHT, count)
                plain = plain or cpu
                yield (
                    f"{scheme}, origins: {origins}, {count:,} deliveries to nginx | {opened} connections "
                    f"({opened / most:.2f} times {IN_FLIGHT} for each origin), {rate:,.0f} a second, "
                    f"{cpu:.2f} ms of CPU each, {cpu / plain:.2f} times that over http"
                )


def point_at(scheme: str, companies: list[int]) -> None:
    """Each company sends to its own address from now on."""
    for place, company_id in enumerate(companies, 1):
        url = f"{scheme}://127.0.0.{place}:{PORTS[scheme]}/hook"
        endpoints.set_address(db.session, runtime(), Actor(company_id, "benchmark"), url)
        db.session.commit()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=COUNT)
    for row in measure_tls(parser.parse_args().count):
        print(f"| {row} |", flush=True)


if __name__ == "__main__":
    run_until_told(main)
