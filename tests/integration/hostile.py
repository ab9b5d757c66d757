"""A server that means harm, or is broken: each mode spoils the answer to a query in its own way."""

import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["MODES", "Hostile", "hostile"]

HEAD = b"name,tags,time,usage_idle\n"
ROWS = b"".join(b'cpu,"host=k%d",%d,5\n' % (n // 100, 1_772_409_600_000 + n % 100 * 1000) for n in range(20_000))
END = b"\nname,tags,name\ndatabases,,d\n"
FLUX = (
    b"#datatype,string,long,dateTime:RFC3339,double,string,string\r\n#group,false,false,false,false,true,true\r\n"
    b"#default,_result,,,,,\r\n,result,table,_time,_value,_field,host\r\n"
)
FLUX_ROWS = b",,0,2026-03-02T00:00:00Z,60,usage_idle,k1\r\n" * 20_000


@dataclass(eq=False)
class Hostile:
    """Where it is, and which headers of credentials it was sent."""

    url: str = ""
    asked: list[str] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    """Gives the answer of a mode."""

    protocol_version = "HTTP/1.1"
    mode: Callable[["Handler"], None]
    server_: Hostile

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server_.asked.append(str(self.headers.get("Authorization")))
        with suppress(OSError):
            type(self).mode(self)

    do_GET = do_POST = _answer  # noqa: N815 - http.server's names

    def begin(self, status: int = 200, **headers: str) -> None:
        """Head of an answer in chunks."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def chunk(self, data: bytes) -> None:
        """One chunk, the last one if empty."""
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def short(self, status: int, body: bytes, **headers: str) -> None:
        """A whole answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


def byte_a_second(handler: Handler) -> None:
    handler.begin()
    handler.chunk(HEAD)
    while True:
        handler.chunk(b" ")
        time.sleep(0.3)


def byte_of_the_head_a_second(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        handler.wfile.write(b"a")
        time.sleep(0.3)


def continued_without_end(handler: Handler) -> None:
    while True:
        handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n" * 100)


def rows_without_end(handler: Handler) -> None:
    handler.begin()
    handler.chunk(HEAD)
    while True:
        handler.chunk(ROWS)


def flux_without_end(handler: Handler) -> None:
    handler.begin()
    handler.chunk(FLUX)
    while True:
        handler.chunk(FLUX_ROWS)


def row_without_end(handler: Handler) -> None:
    handler.begin()
    handler.chunk(HEAD + b'cpu,"host=')
    while True:
        handler.chunk(b"x" * (1 << 20))


def zipped(handler: Handler, head: bytes, piece: bytes) -> None:
    """A head, then the same piece without end, compressed on the way: a few bytes make megabytes."""
    handler.begin(Content_Encoding="gzip")
    pressed = zlib.compressobj(1, wbits=31)
    handler.chunk(pressed.compress(head) + pressed.flush(zlib.Z_SYNC_FLUSH))
    while True:
        handler.chunk(pressed.compress(piece) + pressed.flush(zlib.Z_SYNC_FLUSH))


def bomb(handler: Handler) -> None:
    zipped(handler, HEAD, ROWS)


def bomb_of_nothing(handler: Handler) -> None:
    zipped(handler, b"", b"\n" * (1 << 24))


def error_without_end(handler: Handler) -> None:
    handler.begin(400)
    while True:
        handler.chunk(b"no " * 100_000)


def nested_json(handler: Handler) -> None:
    handler.short(200, b"[" * 1_000_000)


def many_small_values(handler: Handler) -> None:
    handler.short(200, b'{"results":[' + b"[]," * 1_300_000 + b"[]]}")


MODES: dict[str, Callable[[Handler], None]] = {
    mode.__name__: mode
    for mode in (
        byte_a_second,
        byte_of_the_head_a_second,
        continued_without_end,
        rows_without_end,
        flux_without_end,
        row_without_end,
        bomb,
        bomb_of_nothing,
        error_without_end,
        nested_json,
        many_small_values,
    )
}


@contextmanager
def hostile(mode: Callable[[Handler], None]) -> Iterator[Hostile]:
    """A server of one mode on a free port."""
    found = Hostile()
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), type("Own", (Handler,), {"mode": staticmethod(mode), "server_": found})
    )
    server.daemon_threads = True
    server.block_on_close = False
    found.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
