"""A Prefect server for the length of a run: all its state in one folder, its talk in a file, its end with the run's."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import httpx

from brownout.domain.errors import OrchestrationError

__all__ = [
    "DATABASE",
    "OWN_DATABASE",
    "ServerEndedError",
    "TemporaryServer",
    "crash_dead_runs",
    "forget_old_runs",
    "remove_database",
    "temporary_server",
]

LOG = "server.log"
DATABASE = "prefect.db"
LARGEST_DATABASE = 32_000_000
"""Bytes after which the record of past runs starts anew: about a hundred nights."""
KEPT_DAYS = 30
"""Days after which the record of a run is removed."""
SERVER_ENVIRONMENT = {"PREFECT_UI_ENABLED": "0", "PREFECT__SERVER_EPHEMERAL": "1", "PREFECT__SERVER_FINAL": "1"}
STOP_S = 10.0
OWN_DATABASE = ("PREFECT_SERVER_DATABASE_CONNECTION_URL", "PREFECT_API_DATABASE_CONNECTION_URL")
"""Where an operator names a database for temporary servers; it is then left alone."""


class ServerEndedError(OrchestrationError):
    """The server's process ended before it answered."""


class TemporaryServer:
    """A server that was started but may not answer yet; ``url`` is the address of its API."""

    def __init__(self, state: Path) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(128)
            self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/api"
            self.log = state / LOG
            command = [sys.executable, "-P", "-m", "brownout_pipelines.server_process", str(listener.fileno())]
            with self.log.open("wb") as log:
                self._process = subprocess.Popen(  # noqa: S603 - this interpreter and a module of ours
                    command,
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    pass_fds=[listener.fileno()],
                    env=_server_environment(state),
                    start_new_session=True,  # Ctrl-C is for the run, which then stops its server
                )

    def wait(self, timeout_s: float) -> None:
        """Until it answers; raises OrchestrationError where it ends before, or does not in time."""
        deadline = time.monotonic() + timeout_s
        with httpx.Client(trust_env=False, timeout=2.0) as client:
            while time.monotonic() < deadline:
                if self._process.poll() is not None:
                    msg = f"Prefect's temporary server ended with code {self._process.returncode}: {self._last_line()}"
                    raise ServerEndedError(msg, remedy=f"See {self.log}, and check that its folder can be written to.")
                with suppress(httpx.TransportError):
                    if client.get(f"{self.url}/health").status_code == httpx.codes.OK:
                        return
                time.sleep(0.1)
        msg = f"Prefect's temporary server did not answer on {self.url} within {timeout_s:.0f} s."
        remedy = f"See {self.log}; a slow machine needs a larger PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS."
        raise OrchestrationError(msg, remedy=remedy)

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    def stop(self) -> None:
        """End it and wait for its end."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _last_line(self) -> str:
        with suppress(OSError):
            lines = self.log.read_text(encoding="utf-8", errors="replace").split("\n")
            return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing.")
        return "its log cannot be read."


def _server_environment(state: Path) -> dict[str, str]:
    """The run's environment for its server, which is a client of nobody and quotes no path by itself."""
    plain = {key: value for key, value in os.environ.items() if key != "PREFECT_API_URL"}
    known = {} if any(name in plain for name in OWN_DATABASE) else {OWN_DATABASE[0]: _database_url(state / DATABASE)}
    return {**plain, **known, **SERVER_ENVIRONMENT, "PREFECT_HOME": str(state)}


def _database_url(path: Path) -> str:
    return f"sqlite+aiosqlite:///file:{quote(str(path), safe='/')}?uri=true"


@contextmanager
def temporary_server(state: Path) -> Iterator[TemporaryServer]:
    """Start a server with its state in a folder; raises OrchestrationError where that cannot be written to."""
    try:
        state.mkdir(parents=True, exist_ok=True)
        if (state / DATABASE).exists() and (state / DATABASE).stat().st_size > LARGEST_DATABASE:
            remove_database(state)
        server = TemporaryServer(state)
    except OSError as error:
        msg = f"Prefect's temporary server cannot keep its state in {state}: {error}."
        raise OrchestrationError(msg, remedy="Give an --out that can be written to.") from error
    try:
        yield server
    finally:
        server.stop()


def remove_database(state: Path) -> None:
    """Forget past runs; the write-ahead log and the note of what the file was filled with go before the file."""
    for name in (f"{DATABASE}-wal", f"{DATABASE}-shm", "memo_store.toml", DATABASE):
        (state / name).unlink(missing_ok=True)


def crash_dead_runs(url: str) -> int:
    """Mark runs that a kill left as running as crashed; returns how many. Nothing else may use the server yet."""
    unfinished = {"flow_runs": {"state": {"type": {"any_": ["RUNNING", "PENDING", "SCHEDULED"]}}}, "limit": 200}
    crashed = {"state": {"type": "CRASHED", "message": "Its process ended before it did."}, "force": True}
    with httpx.Client(base_url=url, trust_env=False, timeout=30.0) as client:
        runs = client.post("/flow_runs/filter", json=unfinished).raise_for_status().json()
        for run in runs:
            client.post(f"/flow_runs/{run['id']}/set_state", json=crashed).raise_for_status()
    return len(runs)


def forget_old_runs(url: str, *, now: datetime | None = None) -> int:
    """Remove the record of runs that began more than 30 days before now (UTC); returns how many."""
    before = (now or datetime.now(UTC)) - timedelta(days=KEPT_DAYS)
    old = {"flow_runs": {"expected_start_time": {"before_": before.isoformat()}}, "limit": 200}
    with httpx.Client(base_url=url, trust_env=False, timeout=30.0) as client:
        runs = client.post("/flow_runs/filter", json=old).raise_for_status().json()
        for run in runs:
            client.delete(f"/flow_runs/{run['id']}").raise_for_status()
    return len(runs)
