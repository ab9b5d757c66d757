"""The deployments of prefect.yaml on a real Prefect server, by the commands of the docs, run by a real worker.

The server keeps its runs in a real PostgreSQL where there is one, as several workers need it; else in SQLite.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import postgres
import pytest
from alert_servers import answering
from servers import free_port, served

ROOT = Path(__file__).parents[2]
NAB = ROOT / "tests" / "data" / "nab-aws"
PREFECT = Path(sys.executable).with_name("prefect")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder, port = tmp_path_factory.mktemp("prefect"), free_port()
    settings = {
        "PREFECT_HOME": str(folder),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PATH": f"{PREFECT.parent}{os.pathsep}{os.environ['PATH']}",
    }
    command = [PREFECT, "server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui"]
    with ExitStack() as stack:
        if postgres.BIN is not None:
            place = stack.enter_context(postgres.database("prefect", "of-one-test-run"))
            settings["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = f"postgresql+asyncpg://{place}"
        health = f"http://127.0.0.1:{port}/api/health"
        stack.enter_context(served(command, health, folder / "log", environment=settings))
        yield settings


def prefect(environment: dict[str, str], *arguments: str, cwd: Path) -> str:
    done = subprocess.run(
        [PREFECT, "--no-prompt", *arguments],
        env={**os.environ, **environment, "PWD": str(cwd)},
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def documented(*, containing: str) -> list[list[str]]:
    """Commands of the docs' shell blocks that hold some words, as a reader types them."""
    blocks = re.findall(r"```shell\n(.*?)```", (ROOT / "docs" / "prefect.md").read_text(), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if containing in line]
    return [line.removeprefix("prefect ").split() for line in lines]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a clone has, with a small data set in its settings."""
    folder = tmp_path_factory.mktemp("clone")
    for name in ("prefect.yaml", "pipelines", "examples"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    (folder / "examples" / "brownout.toml").write_text(f'dataset = "{NAB}"\n\n[forecast]\ntrain_steps = 20\n')
    return folder


@contextmanager
def worker(environment: dict[str, str], clone: Path, documented: list[str]) -> Iterator[None]:
    """The worker of the docs, in a process of its own; it looks for runs every second."""
    known = {**os.environ, **environment, "PWD": str(clone), "PREFECT_WORKER_QUERY_SECONDS": "1"}
    with (clone / "worker.log").open("wb") as log:
        process = subprocess.Popen([PREFECT, *documented], env=known, cwd=clone, stdout=log, stderr=log)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:  # it waits for its runs and for a server that is busy; not what is tested
                process.kill()
                process.wait(60)


def test_the_documented_commands_deploy_and_run_everything(environment: dict[str, str], clone: Path) -> None:
    (pool,), (deploy,) = documented(containing="work-pool create"), documented(containing="deploy --all")
    (start,) = documented(containing="worker start")
    prefect(environment, *pool, cwd=clone)
    prefect(environment, *deploy, cwd=clone)
    runs = documented(containing="deployment run")
    assert [run[2] for run in runs] == [
        "brownout-nightly/nightly",
        "brownout-retrain/retrain",
        "brownout-watch/watch",
        "brownout-monthly/monthly",
    ]
    scheduled = [row for row in listed(environment, "deployments") if row["schedules"]]
    crons = {row["name"]: row["schedules"][0]["schedule"]["cron"] for row in scheduled}
    assert (crons["nightly"], crons["watch"]) == ("15 2 * * *", "*/5 * * * *")
    assert all(comes_by_its_schedule(environment, row["id"]) for row in scheduled)
    for row in scheduled:  # the runs below are the only ones
        asked(environment, "PATCH", f"deployments/{row['id']}", {"paused": True})
    with worker(environment, clone, start):
        for run in runs[:-1]:
            prefect(environment, *run, "--watch", "--watch-interval", "1", cwd=clone)
        report = json.loads((clone / "nightly" / "report" / "report.json").read_text())
        assert report["series"] > 0
        (night,) = (clone / "nightly" / "archive").glob("*/report.json")  # the same night, whoever made it
        month = night.parent.name[:7]
        prefect(environment, *runs[-1][:-1], f"month={month}", "--watch", "--watch-interval", "1", cwd=clone)
    assert (clone / "nightly" / "monthly" / f"{month}.md").read_text().startswith(f"# {month}\n\n1 nights")
    ended = [run["state"]["type"] for run in listed(environment, "flow_runs")]
    assert ended == ["COMPLETED"] * len(runs)


def test_a_run_that_fails_is_told_to_people(environment: dict[str, str], clone: Path) -> None:
    """Deployed above, with its trigger."""
    (start,) = documented(containing="worker start")

    def take(handler: BaseHTTPRequestHandler, _body: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    with answering(take) as (url, told):
        alerts = {"BROWNOUT_ALERTS__APPRISE": json.dumps([url.replace("http", "json")])}
        with worker(environment | alerts, clone, start):
            failing = ("deployment", "run", "brownout-monthly/monthly", "--param", "month=none")
            prefect(environment, *failing, cwd=clone)
            deadline = time.monotonic() + 300
            while not told and time.monotonic() < deadline:
                time.sleep(0.5)
    message = json.loads(told[0][1])
    assert "failed" in message["title"]  # brackets are others in a chat
    assert "none" in message["message"]


def comes_by_its_schedule(environment: dict[str, str], deployment: str) -> bool:
    """Whether the server makes runs of a deployment ahead, as its scheduler does every minute."""
    wanted = {"deployments": {"id": {"any_": [deployment]}}, "flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}}
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        if asked(environment, "POST", "flow_runs/filter", wanted).json():
            return True
        time.sleep(1)
    return False


def asked(environment: dict[str, str], method: str, path: str, given: dict[str, Any]) -> httpx.Response:
    """An answer of the server that is no error; asked again while its database is busy, as Prefect's client does."""
    address = f"{environment['PREFECT_API_URL']}/{path}"
    for _ in range(60):
        answer = httpx.request(method, address, json=given, timeout=60, trust_env=False)
        if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
            break
        time.sleep(1)
    return answer.raise_for_status()


def listed(environment: dict[str, str], what: str) -> list[dict[str, Any]]:
    """What the server knows of a kind of thing."""
    found: list[dict[str, Any]] = asked(environment, "POST", f"{what}/filter", {}).json()
    return found
