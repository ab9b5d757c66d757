"""The main job on a real InfluxDB 1.x: filled by a simulated fleet, read by a night, findings written back."""

import json
import os
import subprocess
import sys
from pathlib import Path

import grafana
import httpx
import numpy as np
import pytest
from conftest import invoke
from influx import PASSWORD, Influx

import brownout
from brownout.bootstrap import clock, doctor_services
from brownout.operate.checks import State
from brownout.operate.doctor import examine
from brownout.settings import Settings, load_settings
from brownout.store.workspace import Workspace

BROWNOUT = Path(sys.executable).with_name("brownout")
MEASUREMENTS = {
    "brownout_forecast": "yhat",
    "brownout_anomaly": "score",
    "brownout_breach": "probability",
    "brownout_episode": "severity",
    "brownout_cause": "probability",
}


def ran(*arguments: str | Path, code: int = 0) -> "subprocess.CompletedProcess[str]":
    """Run a command in this process, but for the main job, which is run as cron runs it."""
    if arguments[0] != "nightly":
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("BROWNOUT_INFLUXDB_PASSWORD", PASSWORD)
            return invoke(*arguments, expect=code)
    done = subprocess.run(
        [BROWNOUT, *arguments], capture_output=True, text=True, check=False, timeout=500,
        env={**os.environ, "BROWNOUT_INFLUXDB_PASSWORD": PASSWORD},
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done


@pytest.fixture(scope="module")
def config(influx: Influx, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Settings of a server that ten days of a small fleet in trouble were written to."""
    influx.database("telegraf")
    folder = tmp_path_factory.mktemp("night")
    path = folder / "brownout.toml"
    path.write_text(
        f'[influxdb]\nurl = "{influx.url}"\nuser = "admin"\nhistory_days = 10\n'
        "interval_s = 300\n[forecast]\ntrain_steps = 20\nmin_probability = 0.01\n[forecast.limits]\n"
        "vm_cpu_pct = 20.0\nhost_cpu_busy_pct = 20.0\n[detect]\nwindow_days = 6\n"
    )
    size = "--hosts 2 --vms 3 --days 10 --interval 300 --faults 5 --seed 3"
    ran("simulate", "--to-influxdb", path, *size.split())
    return path


@pytest.fixture(scope="module")
def night(config: Path) -> tuple[Path, str]:
    """A finished night: its output folder and everything that it said."""
    out = config.parent / "out"
    done = ran("nightly", "--config", config, "--out", out)
    return out, done.stdout + done.stderr


def test_the_night_reports_what_telegraf_wrote(night: tuple[Path, str]) -> None:
    report = json.loads((night[0] / "report" / "report.json").read_text())
    assert report["source"] == "InfluxDB database telegraf"
    assert {entity["kind"] for entity in report["fleet"]} == {"host"}
    assert report["incidents"]
    assert report["series"] > 20
    text = (night[0] / "report" / "report.md").read_text()
    assert "vm0" in text


def test_a_second_night_reads_hours_and_leaves_the_same_points(
    influx: Influx, config: Path, night: tuple[Path, str]
) -> None:
    out, _ = night
    counts = {name: influx.count("telegraf", name, field) for name, field in MEASUREMENTS.items()}
    assert counts["brownout_forecast"] > 1000
    assert counts["brownout_anomaly"] > 1000
    assert counts["brownout_episode"] > 0
    assert counts["brownout_cause"] > 0
    ran("watch", "--config", config, "--out", out)
    assert {name: influx.count("telegraf", name, field) for name, field in MEASUREMENTS.items()} == counts
    again = json.loads(ran("sync", "--config", config, "--out", out, "--json").stdout)
    assert again["slices"] <= 2


def test_a_notebook_reads_the_same_straight_from_the_database(
    config: Path, night: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROWNOUT_INFLUXDB_PASSWORD", PASSWORD)
    kept, read = brownout.load(night[0]), brownout.load(config)
    assert read.entities.index.tolist() == kept.entities.index.tolist()
    found, expected = (fleet.measured("vm001")["vm_cpu_pct"] for fleet in (read, kept))
    both = found.index.intersection(expected.index)
    assert len(both) > 2000
    assert found[both].equals(expected[both])


def test_what_is_written_back_carries_the_tags_of_its_source(influx: Influx, night: tuple[Path, str]) -> None:
    del night
    database = influx.database("telegraf")
    schemas = database.schemas()
    assert {"entity", "kind", "metric", "host", "domain_name"} <= set(schemas["brownout_forecast"].tags)
    assert {"yhat", "yhat_lower", "yhat_upper", "limit"} <= set(schemas["brownout_forecast"].fields)
    assert {"score"} == set(schemas["brownout_anomaly"].fields)
    newest = database.newest("brownout_forecast", ("yhat",))
    assert newest is not None
    assert newest > clock() + np.timedelta64(20, "h")


def test_every_panel_of_grafana_has_something_to_show(influx: Influx, night: tuple[Path, str]) -> None:
    del night
    empty = []
    for name, target in grafana.targets("influxdb1"):
        query = grafana.filled(target["query"], {"guest": "vm001", "host": "kvm01"}).replace("3d", "6d")
        form = {"q": query, "db": "telegraf", "epoch": "ms"}
        answer = httpx.post(f"{influx.url}/query", data=form, auth=("admin", PASSWORD), timeout=60)
        (result,) = answer.json()["results"]
        assert "error" not in result, (name, result)
        empty += [] if result.get("series") else [name]
    assert empty == []
    for board in grafana.boards("influxdb1"):
        for variable in board["templating"]["list"][1:]:
            (values,) = httpx.post(
                f"{influx.url}/query", data={"q": variable["query"], "db": "telegraf"}, auth=("admin", PASSWORD)
            ).json()["results"]
            assert len(values["series"][0]["values"]) in (2, 3), variable["query"]


def test_nothing_that_a_night_leaves_holds_the_password(night: tuple[Path, str]) -> None:
    out, said = night
    assert PASSWORD not in said
    for path in out.rglob("*"):
        if path.is_file():
            assert PASSWORD.encode() not in path.read_bytes(), path


def checks(settings: Settings, now: np.datetime64) -> dict[str, list[tuple[State, str, str]]]:
    found: dict[str, list[tuple[State, str, str]]] = {}
    for check in examine(settings, doctor_services(), now):
        found.setdefault(check.about, []).append((check.state, check.found, check.do))
    return found


def test_the_doctor_finds_a_complete_server_healthy(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROWNOUT_INFLUXDB_PASSWORD", PASSWORD)
    filled = np.datetime64(config.stat().st_mtime_ns // 1_000_000, "ms")  # a night of a busy machine takes long
    found = checks(load_settings(config), filled)
    assert [row for rows in found.values() for row in rows if row[0] is not State.GOOD] == []
    assert "1.6.7" in found["server"][0][1]
    assert "✔" in ran("doctor", "--config", config).stdout


def test_the_doctor_says_what_to_change_in_telegraf(influx: Influx, tmp_path: Path) -> None:
    now = int(clock().astype(np.int64))
    database = influx.database("poor")
    lines = [
        f"cpu,cpu=cpu-total,host=kvm1 usage_idle=50,usage_iowait=1 {now}",
        f"mem,host=kvm1 available_percent=50 {now - 7_200_000}",
        f"system,host=kvm1 load1=1,n_cpus=4i {now + 3_600_000}",
        f"libvirt_balloon,host=kvm1,domain_name=vm1 current=1i,maximum=1i {now}",
        f'ping,host=p,url=u average_response_ms="fast",percent_packet_loss=0 {now}',
    ]
    database.write(["\n".join(lines) + "\n"])
    secret = tmp_path / "secret"
    secret.write_text(PASSWORD + "\n")
    own = {"url": influx.url, "database": "poor", "user": "reader", "secret_file": secret}
    found = checks(Settings(influxdb=own), clock())  # type: ignore[arg-type]
    ((state, text, _),) = found["cpu"]  # one line a source: how fresh it is, and what it lacks
    assert state is State.WARNING
    assert "newest sample is" in text
    assert "usage_softirq" in text
    assert "2 h old" in found["mem"][0][1]
    assert "in the future" in found["system"][0][1]
    assert "chronyc" in found["system"][0][2]
    assert any("is not polled" in text and "dommemstat" in do for _, text, do in found["libvirt balloon"])
    assert any(state is State.BAD and "average_response_ms" in text for state, text, _ in found["ping"])
    assert found["write"][0][0] is State.BAD
    said = ran("doctor", "--telegraf-conf").stdout
    assert 'collect = ["psi"]' in said
    assert "domains = []" in said
    assert "inputs.nstat" in said


def test_the_doctor_fails_where_a_night_would(influx: Influx, tmp_path: Path) -> None:
    path = tmp_path / "brownout.toml"
    path.write_text(f'[influxdb]\nurl = "{influx.url}"\nuser = "stranger"\n')
    said = json.loads(ran("doctor", "--config", path, "--json", code=1).stdout)
    assert [check["about"] for check in said if check["state"] == "bad"] == ["server"]


def test_the_history_has_the_topology_that_the_tags_name(night: tuple[Path, str]) -> None:
    topology = Workspace(night[0]).open_history().topology
    assert topology["vm001/console"].parent == "vm001"
    assert topology["kvm01:/var/lib/libvirt/images"].parent == topology["vm001"].parent == "kvm01"
    assert topology["probe>kvm02"].kind == "link"
