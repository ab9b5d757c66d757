"""A real InfluxDB 1.x with authentication on, and a proxy that spoils its answers."""

import http.client
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from servers import free_port, served

from brownout.adapters.influx.http import Connection
from brownout.adapters.influx.influxql import InfluxQlDatabase

__all__ = ["HOW_TO_GET_IT", "PASSWORD", "Influx", "influxd", "spoiling"]

HOW_TO_GET_IT = "no influxd on this machine: apt install influxdb"
PASSWORD = "right-password-of-the-tests"  # noqa: S105 - of a server that lives for one test run

CONFIG = """
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
dir = "{folder}/meta"
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
max-series-per-database = 0
max-values-per-tag = 0
query-log-enabled = false
[coordinator]
query-timeout = "{query_timeout}"
[http]
bind-address = "127.0.0.1:{port}"
auth-enabled = true
log-enabled = false
[monitor]
store-enabled = false
"""


@dataclass(frozen=True)
class Influx:
    """A running server; ``admin`` may do anything, ``reader`` may read and ``stranger`` may do nothing."""

    url: str

    def ask(self, query: str) -> dict[str, object]:
        """Run a statement as the administrator."""
        answer = httpx.post(f"{self.url}/query", data={"q": query}, auth=("admin", PASSWORD), timeout=60)
        answer.raise_for_status()
        result: dict[str, object] = answer.json()
        assert "error" not in answer.text, answer.text
        return result

    def database(self, name: str, *, user: str = "admin", url: str = "", **options: float) -> InfluxQlDatabase:
        """A connection to a database, which is made if it is not there."""
        self.ask(f'CREATE DATABASE "{name}"')
        self.ask(f'GRANT READ ON "{name}" TO reader')
        connection = Connection(url=url or self.url, **options)  # type: ignore[arg-type]
        return InfluxQlDatabase(connection, database=name, user=user, password=PASSWORD, version="1.6.7")

    def count(self, database: str, measurement: str, field: str) -> int:
        """Number of points with a field."""
        form = {"q": f'SELECT count("{field}") FROM "{measurement}"', "db": database}
        answer = httpx.post(f"{self.url}/query", data=form, auth=("admin", PASSWORD), timeout=60)
        series = answer.json()["results"][0].get("series")
        return int(series[0]["values"][0][1]) if series else 0


@contextmanager
def influxd(folder: Path, *, query_timeout: str = "0s") -> Iterator[Influx]:
    """Start a server with users, which a folder that was served before has already, and stop it at the end."""
    program = shutil.which("influxd")
    assert program is not None
    port = free_port()
    config = folder / "influxdb.conf"
    config.write_text(CONFIG.format(folder=folder, port=port, rpc=free_port(), query_timeout=query_timeout))
    url = f"http://127.0.0.1:{port}"
    known = (folder / "meta").exists()
    with served([program, "-config", config], f"{url}/ping", folder / "log"):
        server = Influx(url)
        if known:
            yield server
            return
        first = f"CREATE USER admin WITH PASSWORD '{PASSWORD}' WITH ALL PRIVILEGES"
        httpx.post(f"{url}/query", data={"q": first}).raise_for_status()
        for user in ("reader", "stranger"):
            server.ask(f"CREATE USER {user} WITH PASSWORD '{PASSWORD}'")
        yield server


@dataclass(eq=False)
class Spoiler:
    """Forwards requests to a server and spoils answers as told: one plan for each request, then none."""

    url: str = ""
    plans: list[Callable[["Handler", int, bytes], None]] = field(default_factory=list)
    seen: list[str] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    """Forwards a request; the plan of the spoiler sends the answer."""

    protocol_version = "HTTP/1.1"
    upstream = ""
    spoiler: Spoiler

    def _forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.spoiler.seen.append(self.path)
        connection = http.client.HTTPConnection(urlsplit(self.upstream).netloc, timeout=60)
        connection.request(self.command, self.path, body, dict(self.headers))
        answer = connection.getresponse()
        status, content = answer.status, answer.read()
        connection.close()
        plan = self.spoiler.plans.pop(0) if self.spoiler.plans else whole
        plan(self, status, content)

    do_GET = do_POST = _forward  # noqa: N815 - http.server's names

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


def whole(handler: Handler, status: int, content: bytes) -> None:
    """The answer as it is."""
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


def cut(handler: Handler, status: int, content: bytes) -> None:
    """The connection breaks in the middle of the answer."""
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content[: len(content) // 2])
    handler.close_connection = True


def shortened(handler: Handler, status: int, content: bytes) -> None:
    """The answer ends early at the end of a row, and nothing says so."""
    part = content[: content.rfind(b"\n", 0, len(content) // 2) + 1]
    whole(handler, status, part)


def busy(handler: Handler, _status: int, _content: bytes) -> None:
    """The server asks for patience."""
    handler.send_response(503)
    handler.send_header("Retry-After", "0.2")
    handler.send_header("Content-Length", "4")
    handler.end_headers()
    handler.wfile.write(b"busy")


def garbled(handler: Handler, status: int, content: bytes) -> None:
    """A number in the middle is none."""
    middle = content.index(b"\n", len(content) // 2)
    start = content.rfind(b",", 0, middle) + 1
    whole(handler, status, content[:start] + b"12x4" + content[middle:])


@contextmanager
def spoiling(upstream: str) -> Iterator[Spoiler]:
    """A proxy before a server."""
    spoiler = Spoiler()
    handler = type("Own", (Handler,), {"upstream": upstream, "spoiler": spoiler})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    spoiler.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield spoiler
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
