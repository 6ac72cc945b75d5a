"""The files for servers name settings, commands and limits that exist."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

from portal.cli.serve import serve
from portal.cli.worker import worker
from portal.config import KNOWN

ROOT = Path(__file__).parent.parent
FILES = [ROOT / "Dockerfile", ROOT / "compose.yaml", *sorted((ROOT / "deploy").iterdir())]
PROMTOOL = shutil.which("promtool")
SYSTEMD_ANALYZE = shutil.which("systemd-analyze")
UNITS = sorted((ROOT / "deploy").glob("*.service"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_setting_named_is_one(file: Path) -> None:
    assert set(re.findall(r"\bPORTAL_[A-Z_]+", file.read_text())) <= {"PORTAL_INSTANCE", *KNOWN}


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_every_unit_runs_a_command_that_exists(unit: Path) -> None:
    command, *options = re.findall(r"^ExecStart=/opt/portal/bin/portal (.*)$", unit.read_text(), re.M)[0].split()
    known = {name for option in {"serve": serve, "worker": worker}[command].params for name in option.opts}
    assert set(options) <= known


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_every_unit_shuts_itself_in(unit: Path) -> None:
    walls = {"NoNewPrivileges=yes", "ProtectSystem=strict", "UMask=0077", "CapabilityBoundingSet=", "User=portal"}
    assert walls <= set(unit.read_text().splitlines())


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_rates_every_unit_under_two_of_ten(unit: Path) -> None:
    assert SYSTEMD_ANALYZE, "systemd-analyze is not installed: see .ci/programs"
    command = [SYSTEMD_ANALYZE, "security", "--offline=true", "--threshold=20", unit]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def names_told(app: Flask) -> set[str]:
    """What Prometheus may ask for, as a scrape names it."""
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}
    families = text_string_to_metric_families(app.test_client().get("/metrics").text)
    return {f"{family.name}{suffix}" for family in families for suffix in suffixes.get(family.type, ("",))}


@pytest.mark.parametrize("name", ["prometheus-rules.yml", "prometheus-rules.test.yml", "grafana-dashboard.json"])
def test_every_metric_named_is_one(app: Flask, instance: Path, name: str) -> None:
    (instance / "backups").mkdir()
    (instance / "backups" / "nightly-2026-01-01.db").touch()
    named = set(re.findall(r"\bportal_[a-z_]+", (ROOT / "deploy" / name).read_text()))
    assert named
    assert named <= names_told(app)


@pytest.mark.slow
def test_the_alerts_do_what_they_say() -> None:
    assert PROMTOOL, "promtool is not installed: see .ci/programs"
    command = [PROMTOOL, "test", "rules", "prometheus-rules.test.yml"]
    done = subprocess.run(command, cwd=ROOT / "deploy", capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_panel_of_the_dashboard_has_its_place_and_a_query_that_prometheus_reads(tmp_path: Path) -> None:
    panels = json.loads((ROOT / "deploy" / "grafana-dashboard.json").read_text())["panels"]
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len({panel["id"] for panel in panels}) == len(panels)
    rules = [
        {"record": f"a:b{number}", "expr": target["expr"]}
        for number, target in enumerate(target for panel in panels for target in panel["targets"])
    ]
    (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "a", "rules": rules}]}))
    assert PROMTOOL, "promtool is not installed: see .ci/programs"
    done = subprocess.run([PROMTOOL, "check", "rules", tmp_path / "rules.yml"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
