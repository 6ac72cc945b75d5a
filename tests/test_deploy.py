"""The files for servers name settings, commands and limits that exist."""

import re
from pathlib import Path

import pytest

from portal.cli.serve import serve
from portal.cli.worker import worker
from portal.config import READERS
from portal.views.imports import MAX_UPLOAD_BYTES

ROOT = Path(__file__).parent.parent
FILES = [ROOT / "Dockerfile", ROOT / "compose.yaml", *sorted((ROOT / "deploy").iterdir())]
UNITS = sorted((ROOT / "deploy").glob("*.service"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_setting_named_is_one(file: Path) -> None:
    assert set(re.findall(r"\bPORTAL_[A-Z_]+", file.read_text())) <= {"PORTAL_INSTANCE", *READERS}


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_every_unit_runs_a_command_that_exists(unit: Path) -> None:
    command, *options = re.findall(r"^ExecStart=/opt/portal/bin/portal (.*)$", unit.read_text(), re.M)[0].split()
    known = {name for option in {"serve": serve, "worker": worker}[command].params for name in option.opts}
    assert set(options) <= known


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_every_unit_shuts_itself_in(unit: Path) -> None:
    walls = {"NoNewPrivileges=yes", "ProtectSystem=strict", "UMask=0077", "CapabilityBoundingSet=", "User=portal"}
    assert walls <= set(unit.read_text().splitlines())


def test_a_proxy_lets_through_what_an_import_may_hold() -> None:
    nginx = re.findall(r"client_max_body_size (\d+)m", (ROOT / "deploy" / "nginx.conf").read_text())
    caddy = re.findall(r"max_size (\d+)MB", (ROOT / "deploy" / "Caddyfile").read_text())
    assert int(nginx[0]) * 1024**2 >= MAX_UPLOAD_BYTES
    assert int(caddy[0]) * 1000**2 >= MAX_UPLOAD_BYTES
