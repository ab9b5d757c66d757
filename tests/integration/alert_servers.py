"""What alerts are sent to in tests: a real Alertmanager, a real SMTP server, and a server that is slow or hostile."""

import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from servers import free_port, served

__all__ = ["HOW_TO_GET_IT", "RealAlertmanager", "alertmanager", "answering", "mailbox"]

HOW_TO_GET_IT = "needs Alertmanager: apt-get install prometheus-alertmanager"


@dataclass(frozen=True)
class RealAlertmanager:
    """A server and what its webhook was told."""

    url: str
    hooks: list[dict[str, Any]]

    def alerts(self, *, active: bool = True) -> list[dict[str, Any]]:
        """The alerts that it has."""
        with urlopen(f"{self.url}/api/v2/alerts?active={str(active).lower()}", timeout=10) as answer:  # noqa: S310
            return json.load(answer)

    def silence(self, name: str, value: str) -> None:
        """Silence what has a label."""
        matcher = {"name": name, "value": value, "isRegex": False, "isEqual": True}
        body = {"matchers": [matcher], "startsAt": "2020-01-01T00:00:00Z", "endsAt": "2099-01-01T00:00:00Z",
                "createdBy": "test", "comment": "test"}  # fmt: skip
        request = Request(  # noqa: S310
            f"{self.url}/api/v2/silences", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        with urlopen(request, timeout=10):  # noqa: S310
            pass

    def hooked(self, count: int) -> list[dict[str, Any]]:
        """What the webhook was told, once it was told so often."""
        deadline = time.monotonic() + 30
        while len(self.hooks) < count and time.monotonic() < deadline:
            time.sleep(0.1)
        return self.hooks


@contextmanager
def alertmanager(folder: Path) -> Iterator[RealAlertmanager]:
    """A real Alertmanager that groups by cause and tells a webhook."""
    hooks: list[dict[str, Any]] = []

    def keep(handler: BaseHTTPRequestHandler, body: bytes) -> None:
        hooks.append(json.loads(body))
        handler.send_response(200)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    program = shutil.which("prometheus-alertmanager")
    assert program is not None, HOW_TO_GET_IT
    with answering(keep) as (hook, _):
        config = folder / "alertmanager.yml"
        config.write_text(
            "route:\n  receiver: hook\n  group_by: [alertname, cause]\n  group_wait: 0s\n  group_interval: 1s\n"
            f"  repeat_interval: 1h\nreceivers:\n  - name: hook\n    webhook_configs:\n      - url: {hook}/\n",
            encoding="utf-8",
        )
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        command = [
            program, f"--config.file={config}", f"--storage.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=",
        ]  # fmt: skip
        with served(command, f"{url}/-/ready", folder / "alertmanager.log"):
            yield RealAlertmanager(url, hooks)


@dataclass
class Mailbox:
    """What a mail server took."""

    port: int
    mails: list[EmailMessage] = field(default_factory=list)

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep a mail."""
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))  # type: ignore[arg-type]
        return "250 OK"


@contextmanager
def mailbox() -> Iterator[Mailbox]:
    """A mail server without passwords."""
    box = Mailbox(free_port())
    controller = Controller(box, hostname="127.0.0.1", port=box.port)
    controller.start()
    try:
        yield box
    finally:
        controller.stop()


@contextmanager
def answering(
    answer: Callable[[BaseHTTPRequestHandler, bytes], None],
) -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """A server with an answer of its own; gives its address, and paths and bodies of what it was asked."""
    asked: list[tuple[str, bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked.append((self.path, body))
            with suppress(OSError):
                answer(self, body)

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
