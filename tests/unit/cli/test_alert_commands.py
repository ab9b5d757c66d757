"""``brownout alerts``: what it lists and how it ends."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from nights import HOSTILE, night
from typer.testing import CliRunner

from brownout.cli import app
from brownout.domain.calendar import Calendar
from brownout.domain.night import Night
from brownout.nightly.effects import SideEffects
from brownout.nightly.effects.alerting import Alerting, send_alerts
from brownout.nightly.effects.report_archive import write_night_report
from brownout.settings import AlertSettings
from brownout.store.workspace import Workspace

QUIET = replace(night(), diagnoses=(), breaches=())
FORECAST = replace(night(), diagnoses=())


@pytest.mark.parametrize(("found", "code"), [(QUIET, 0), (FORECAST, 3), (night(), 4)])
def test_the_exit_code_says_how_severe_only_if_asked(found: Night, code: int, tmp_path: Path) -> None:
    send_alerts(found, Alerting(settings=AlertSettings()), Calendar(), Workspace(tmp_path), SideEffects())
    run = CliRunner().invoke
    assert run(app, ["alerts", "--out", str(tmp_path)]).exit_code == 0
    assert run(app, ["alerts", "--out", str(tmp_path), "--exit-code"]).exit_code == code


def test_the_list_is_worst_first_and_names_are_text(tmp_path: Path) -> None:
    found = night(f"{HOSTILE}\x1b[31m")
    send_alerts(found, Alerting(settings=AlertSettings()), Calendar(), Workspace(tmp_path), SideEffects())
    lines = CliRunner().invoke(app, ["alerts", "--out", str(tmp_path)]).stdout.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["critical", "warning"]
    assert all("\x1b" not in line for line in lines)
    rows = json.loads(CliRunner().invoke(app, ["alerts", "--out", str(tmp_path), "--json"]).stdout)
    assert [row["labels"]["alertname"] for row in rows] == ["BrownoutIncident", "BrownoutForecast"]
    assert rows[0]["since"] == "2026-03-16T20:00:00Z"


def test_trouble_in_old_data_fires_nothing_and_says_why(tmp_path: Path) -> None:
    """As in the demo, and after an outage of the telemetry: silence must not read as health."""
    late = replace(night(), created=night().end + np.timedelta64(2 * 86_400_000, "ms"))
    write_night_report(late, Workspace(tmp_path), keep_days=9)
    send_alerts(late, Alerting(settings=AlertSettings()), Calendar(), Workspace(tmp_path), SideEffects())
    result = CliRunner().invoke(app, ["alerts", "--out", str(tmp_path), "--exit-code"])
    assert (result.exit_code, result.stdout) == (0, "")
    assert "end at 2026-03-17T00:00Z, more than a day before" in result.stderr
    assert "(1 incidents open then" in result.stderr
    write_night_report(night(), Workspace(tmp_path), keep_days=9)
    assert CliRunner().invoke(app, ["alerts", "--out", str(tmp_path)]).stderr.strip().endswith("no alert fires")


def test_without_a_run_nothing_fires(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["alerts", "--out", str(tmp_path), "--exit-code"])
    assert (result.exit_code, result.stdout) == (0, "")
