"""Prefect around a run: where its state lies, what its server survives, and a night without it."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from brownout.domain.errors import DataError, OrchestrationError
from brownout_pipelines.runtime import (
    PrefectRuntime,
    configured_server,
    prefect_environment,
    run_with_prefect_or_without,
)

FLOW = """
import os, sys, time
from pathlib import Path
from brownout_pipelines.runtime import prefect_environment
with prefect_environment(state=Path(sys.argv[1])) as runtime:
    if runtime.problem is not None:
        sys.exit(f"no server: {runtime.problem}")
    from prefect import flow, task
    @task
    def double(number: int) -> int:
        return 2 * number
    @flow(name="doubling")
    def doubling() -> int:
        print("at work", flush=True)
        time.sleep(float(sys.argv[2]))
        return sum(future.result() for future in double.map(range(3)))
    print(doubling(), flush=True)
"""


def environment(**changes: str) -> Mapping[str, str]:
    """The environment of a cron line, without anything of Prefect's."""
    plain = {key: value for key, value in os.environ.items() if "PREFECT" not in key and "proxy" not in key.lower()}
    return plain | changes


def started(state: Path, seconds: float, **changes: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", FLOW, state, str(seconds)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(**changes)
    )


def servers(state: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        known = process.info
        if "brownout_pipelines.server_process" in (known["cmdline"] or ()) and (known["environ"] or {}).get(
            "PREFECT_HOME"
        ) == str(state):
            found.append(process)
    return found


def add_old_run(state: Path) -> str:
    """A run of years ago beside those that are there; returns its id."""
    name = str(uuid4())
    with sqlite3.connect(state / "prefect.db") as database:
        database.execute("create temp table copy as select * from flow_run limit 1")
        times = "expected_start_time = '2020-01-01 00:00:00.000000', created = '2020-01-01 00:00:00.000000'"
        database.execute(f"update copy set id = ?, state_type = 'COMPLETED', state_id = null, {times}", (name,))
        database.execute("insert into flow_run select * from copy")
    assert name in ids(state)
    return name


def ids(state: Path) -> set[str]:
    with sqlite3.connect(state / "prefect.db") as database:
        return {row[0] for row in database.execute("select id from flow_run")}


def states(state: Path) -> list[str]:
    with sqlite3.connect(state / "prefect.db") as database:
        return [row[0] for row in database.execute("select state_type from flow_run order by created")]


BARE = {"HOME": "/proc/none", "http_proxy": "http://127.0.0.1:9", "all_proxy": "http://[::1]:9"}
"""Neither a home nor a way past the proxy: what a line of cron or a site's profile may leave a run with."""


def test_a_killed_run_takes_its_server_along_and_the_next_one_says_that_it_crashed(tmp_path: Path) -> None:
    """Neither needs a home, a way past the proxy, or, the first one, a database that is whole."""
    state = tmp_path / "a b?c#d" / "prefect"
    state.mkdir(parents=True)
    (state / "prefect.db").write_bytes(b"not a database" * 1000)
    killed = started(state, 60, **BARE)
    assert killed.stdout is not None
    assert killed.stdout.readline() == "at work\n"
    assert len(servers(state)) == 1
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    deadline = time.monotonic() + 20
    while servers(state) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert servers(state) == []
    assert states(state) == ["RUNNING"]
    old = add_old_run(state)
    again = started(state, 0, **BARE)
    said, talk = again.communicate()
    assert said == "at work\n6\n", talk
    for word in ("Traceback", "Error", "Warning", "View at"):
        assert word not in talk
    assert states(state) == ["CRASHED", "COMPLETED"]
    assert old not in ids(state), "a run of more than 30 days ago is forgotten"
    assert servers(state) == []
    assert {path.name for path in state.parent.iterdir()} == {"prefect"}


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with prefect_environment(state=tmp_path / "file" / "prefect") as runtime:
        assert runtime.problem is not None
        assert str(tmp_path / "file" / "prefect") in runtime.problem.what
        assert "--out" in runtime.problem.remedy


def test_a_server_of_the_operators_own_that_is_away_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    before = dict(os.environ)
    with prefect_environment(state=tmp_path / "prefect") as runtime:
        assert runtime.problem is not None
        assert "http://127.0.0.1:9/api" in runtime.problem.what
    assert list(tmp_path.iterdir()) == []
    assert dict(os.environ) == before


@pytest.mark.parametrize(
    "where", ["environment", "prefect.toml", "pyproject.toml", "profile", "other profile", "nowhere"]
)
def test_a_server_that_the_operator_configured_is_found(tmp_path: Path, where: str) -> None:
    url, home, folder = "http://prefect.example/api", tmp_path / "home", tmp_path / "folder"
    folder.mkdir()
    (home / ".prefect").mkdir(parents=True)
    profiles = f'active = "%s"\n[profiles.plain]\n[profiles.team]\nPREFECT_API_URL = "{url}"\n'
    (home / ".prefect" / "profiles.toml").write_text(profiles % ("team" if where == "profile" else "plain"))
    known = {"HOME": str(home)}
    if where == "environment":
        known["PREFECT_API_URL"] = url
    elif where == "prefect.toml":
        (folder / where).write_text(f'[api]\nurl = "{url}"\n')
    elif where == "pyproject.toml":
        (folder / where).write_text(f'[tool.prefect.api]\nurl = "{url}"\n')
    elif where == "other profile":
        known["PREFECT_PROFILE"] = "team"
    assert configured_server(known, folder) == ("" if where == "nowhere" else url)


class Night:
    """A flow that raises, the plain function, and what was told."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.told = error, list[OrchestrationError]()

    def run(self, runtime: PrefectRuntime) -> str:
        return run_with_prefect_or_without(runtime, flow=self._flow, plain=lambda: "plain", tell=self.told.append)

    def _flow(self) -> str:
        if self.error is not None:
            raise self.error
        return "flow"


def test_the_night_runs_without_prefect_and_says_so() -> None:
    import httpx
    from prefect.exceptions import CrashedRun

    away = OrchestrationError("No server.", remedy="Start one.")
    good, without = Night(), Night()
    assert (good.run(PrefectRuntime(url="http://x")), good.told) == ("flow", [])
    assert (without.run(PrefectRuntime(problem=away)), without.told) == ("plain", [away])
    for error in (httpx.ConnectError("gone"), CrashedRun("gone")):
        broken = Night(error)
        assert broken.run(PrefectRuntime(url="http://x")) == "plain"
        assert "gone" in broken.told[0].what
    with pytest.raises(DataError):
        Night(DataError("bad", remedy="mend")).run(PrefectRuntime(url="http://x"))
