"""A server that answers as it is told, where the real one cannot be had."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["Answer", "Script", "scripted"]


@dataclass(frozen=True)
class Answer:
    """Status, body and headers; with ``cut`` the connection breaks after so many bytes."""

    body: bytes = b""
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    cut: int | None = None


@dataclass(eq=False)
class Script:
    """Answers in the order of the requests, and what was asked."""

    url: str = ""
    answers: list[Answer] = field(default_factory=list)
    asked: list[tuple[str, bytes]] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    """Gives the next answer."""

    protocol_version = "HTTP/1.1"
    script: Script

    def _answer(self) -> None:
        self.script.asked.append((self.path, self.rfile.read(int(self.headers.get("Content-Length", 0)))))
        answer = self.script.answers.pop(0)
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body[: answer.cut])
        self.close_connection = answer.cut is not None

    do_GET = do_POST = _answer  # noqa: N815 - http.server's names

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@contextmanager
def scripted() -> Iterator[Script]:
    """A server on a free port."""
    script = Script()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Own", (Handler,), {"script": script}))
    script.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
