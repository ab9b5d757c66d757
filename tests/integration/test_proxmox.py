"""Proxmox' API, as its documentation describes it, in front of a real console and a real websocket proxy."""

import asyncio
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import create_connection
from typing import Any, ClassVar

import pytest
from console_servers import certificates, qemu, websockify

from brownout.adapters.proxmox import TOKEN, proxmox_source
from brownout.domain.errors import BrownoutError, SettingsError
from brownout.probe.link.connection import Connector
from brownout.probe.link.resolver import Resolver
from brownout.probe.probe_settings import ProbeSettings
from brownout.probe.prober import Prober

SECRET = "probe@pve!console=0000-1111"  # noqa: S105 - of an API that lives for one test
TICKET = "PVEVNC:64:abc+/=="


class Api(BaseHTTPRequestHandler):
    """The calls that are needed, and the websocket, handed on to a real proxy."""

    args: ClassVar[str] = ""
    proxy: ClassVar[int] = 0
    seen: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.seen.append(self.path)
        if self.headers["Authorization"] != f"PVEAPIToken={SECRET}":
            self.send_error(401)
        elif "/vncwebsocket" in self.path:
            self._hand_on()
        else:
            guests = [
                {"type": "qemu", "vmid": 100, "name": "web01", "node": "pve1", "status": "running"},
                {"type": "qemu", "vmid": 101, "name": "off", "node": "pve1", "status": "stopped"},
                {"type": "lxc", "vmid": 102, "name": "box", "node": "pve1", "status": "running"},
            ]
            path = self.path.partition("?")[0].removeprefix("/api2/json")
            self._answer({
                "/cluster/status": [{"type": "node", "name": "pve1", "ip": "127.0.0.1"}],
                "/cluster/resources": guests,
                "/nodes/pve1/qemu/100/config": {"args": self.args},
            }[path])  # fmt: skip

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._answer({"port": "5900", "ticket": TICKET})

    def log_message(self, *_: object) -> None:
        """Nothing."""

    def _answer(self, data: Any) -> None:
        body = json.dumps({"data": data}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _hand_on(self) -> None:
        with create_connection(("127.0.0.1", self.proxy)) as onward:
            head = "".join(f"{name}: {value}\r\n" for name, value in self.headers.items())
            onward.sendall(f"GET / HTTP/1.1\r\n{head}\r\n".encode())
            back = threading.Thread(target=pipe, args=(onward, self.connection), daemon=True)
            back.start()
            while data := self.connection.recv(65_536):
                onward.sendall(data)
        self.close_connection = True


def pipe(source: Any, sink: Any) -> None:
    try:
        while data := source.recv(65_536):
            sink.sendall(data)
    except OSError:
        return


@contextmanager
def api(folder: Path, *, args: str = "", proxy: int = 0) -> Iterator[tuple[str, Path]]:
    pki = certificates(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki / "server-cert.pem", pki / "server-key.pem")
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Own", (Api,), {"args": args, "proxy": proxy, "seen": []}))
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"proxmox://127.0.0.1:{server.server_address[1]}", pki / "ca-cert.pem"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN, SECRET)


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ("-vnc 0.0.0.0:77", ("127.0.0.1", 5977)),
        ("-cpu host -vnc 10.0.0.9:3,password=on", ("10.0.0.9", 5903)),
        ("-vnc :5", ("127.0.0.1", 5905)),
    ],
)
def test_guests_that_listen_themselves_are_probed_there(tmp_path: Path, args: str, expected: tuple[str, int]) -> None:
    with api(tmp_path, args=args) as (address, ca):
        (target,) = proxmox_source(address, ca)()
    assert (target.transport, target.host, target.port) == ("tcp", *expected)
    assert (target.domain_name, target.hypervisor) == ("web01", "pve1")


def test_other_guests_are_probed_through_the_proxy_with_a_ticket_each(tmp_path: Path) -> None:
    """The ticket is the password too, of which VNC takes eight characters."""
    secret = ("-object", f"secret,id=s0,data={TICKET[:8]}")
    with (
        qemu(tmp_path, vnc="password-secret=s0", more=secret) as console,
        websockify(tmp_path, console) as proxy,
        api(tmp_path, proxy=proxy) as (address, ca),
    ):
        (target,) = proxmox_source(address, ca)()

        async def once() -> list[Any]:
            trust = ssl.create_default_context(cafile=str(ca))
            connector = Connector(trust=trust, resolver=Resolver())
            prober = Prober(ProbeSettings(), connector, lambda error: pytest.fail(str(error)))
            return [*await prober.probe(target, 0), *await prober.probe(target, 1)]

        points = asyncio.run(once())
    # The second time is too soon for another ticket.
    assert [(point.mode, point.result) for point in points] == [("handshake", "success"), ("update", "success")]
    assert {point.tags["transport"] for point in points} == {"ws"}
    assert "0000-1111" not in repr(target) + repr(points)


def test_what_goes_wrong_is_told_without_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with api(tmp_path) as (address, ca):
        with pytest.raises(BrownoutError, match="certificate"):
            proxmox_source(address)()
        monkeypatch.setenv(TOKEN, "wrong")
        with pytest.raises(BrownoutError, match="401"):
            proxmox_source(address, ca)()
    monkeypatch.delenv(TOKEN)
    with pytest.raises(SettingsError, match="token"):
        proxmox_source(address, ca)
    with pytest.raises(SettingsError):
        proxmox_source("proxmox://user:secret@host", ca)
