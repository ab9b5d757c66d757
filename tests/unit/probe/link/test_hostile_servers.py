"""Servers that mean harm, on real sockets: a bound on time and bytes, and one point that says what failed."""

import asyncio
import socket as socket_module
import ssl
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from socket import SHUT_WR, SO_LINGER, SOL_SOCKET, socket
from types import SimpleNamespace

import pytest
from rfb_server import frame, init, listening, session

from brownout.probe.link import open_socket
from brownout.probe.link.connection import BYTES, SECONDS, Connector, Record
from brownout.probe.link.resolver import Resolver
from brownout.probe.points import Point, line, points_of
from brownout.probe.protocols.rfb import Plan, RfbReport, rfb
from brownout.probe.protocols.spice import SpiceReport, spice
from brownout.probe.protocols.wire import Conversation
from brownout.probe.target import Target, parse_target

SLACK_S = 0.5
"""What a busy machine may add."""
EVERYTHING = Plan(update=True, full=True)


def probed(target: Target, plan: Plan = EVERYTHING) -> tuple[Record, list[Point]]:
    report = RfbReport() if target.protocol == "vnc" else None
    steps = rfb(plan, report) if report else spice(SpiceReport())

    async def once() -> Record:
        connector = Connector(trust=ssl.create_default_context(), resolver=Resolver())
        return await connector.probe(target, Conversation(steps, limit=connector.most))

    began = time.monotonic()
    record = asyncio.run(once())
    assert time.monotonic() - began < SECONDS + SLACK_S
    points = points_of(target, record, report, {"host": "here", "vantage": "here"})
    assert [point.mode for point in points].count("handshake") == 1
    assert all(" " in line(point) for point in points)
    return record, points


def hear(client: socket) -> None:
    """Until the client goes, so that closing resets nothing."""
    with suppress(OSError):
        client.settimeout(3)
        while client.recv(65_536):
            pass


def says(data: bytes, *, times: int = 1, pause: float = 0.0, then_close: bool = False) -> Callable[[socket], None]:
    def serve(client: socket) -> None:
        for _ in range(times):
            client.sendall(data)
            time.sleep(pause)
        if then_close:
            client.shutdown(SHUT_WR)
        hear(client)

    return serve


def reset(client: socket) -> None:
    time.sleep(0.05)
    client.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))


HEAD = b"RFB 003.008\n"
OPEN = HEAD + b"\x01\x01" + bytes(4) + init()
CASES = {
    "says nothing": (says(b""), "timeout", "banner"),
    "endless banner": (says(b"A" * 65_536, times=1000), "protocol_error", "banner"),
    "a web server": (says(b"HTTP/1.1 400 Bad Request\r\n\r\n", then_close=True), "protocol_error", "banner"),
    "one byte a second": (says(b"R", times=4, pause=1.0), "timeout", "banner"),
    "closes at once": (says(b"", then_close=True), "reset", "banner"),
    "closes within the banner": (says(HEAD[:5], then_close=True), "reset", "banner"),
    "resets": (reset, "reset", "banner"),
    "no security types": (says(HEAD + b"\0" + struct.pack(">I", 3) + b"no!"), "refused", "negotiate"),
    "giant reason": (says(HEAD + b"\0" + b"\xff" * 4), "protocol_error", "negotiate"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_handshake_that_fails_is_one_point(name: str) -> None:
    serve, result, stage = CASES[name]
    with listening(serve) as port:
        record, points = probed(parse_target(f"vnc://127.0.0.1:{port}"))
    assert (record.result, record.failed_at) == (result, stage)
    assert [(point.mode, point.result) for point in points] == [("handshake", result)]
    assert points[0].fields["result_code"] != 0
    assert points[0].fields["failed_at"] == stage
    assert float(points[0].fields["tcp_connect_ms"]) >= 0


LATER = {
    "closes after the shared flag": (says(OPEN[:-37], then_close=True), "reset"),
    "never draws": (says(OPEN), "timeout"),
    "giant pixels": (says(OPEN + struct.pack(">BxHHHHHi", 0, 1, 0, 0, 65535, 65535, 0)), "protocol_error"),
    "endless bells": (says(OPEN + b"\x02" * 60_000, times=1), "timeout"),
    "flood of bells": (says(OPEN, times=1), "timeout"),
    "garbage": (says(OPEN + bytes(range(3, 255))), "protocol_error"),
    "endless rectangles": (says(OPEN + (struct.pack(">BxH", 0, 65535) + bytes(12 * 65535))), "timeout"),
}


@pytest.mark.parametrize("name", LATER)
def test_a_session_that_fails_leaves_the_handshake_as_it_was(name: str) -> None:
    serve, result = LATER[name]
    with listening(serve) as port:
        record, points = probed(parse_target(f"vnc://127.0.0.1:{port}"))
    assert record.bytes_received <= BYTES
    assert [(point.mode, point.result) for point in points] == [("handshake", "success"), ("update", result)]


def test_a_flood_ends_at_the_limit_of_bytes_or_time_and_leaves_others_their_turn() -> None:
    def flood(client: socket) -> None:
        client.sendall(OPEN)
        while True:
            client.sendall(b"\x02" * 65_536)

    async def beside(target: Target) -> tuple[Record, float]:
        connector = Connector(trust=ssl.create_default_context(), resolver=Resolver())
        task = asyncio.create_task(connector.probe(target, Conversation(rfb(EVERYTHING, RfbReport()), limit=BYTES)))
        worst = 0.0
        while not task.done():
            began = time.monotonic()
            await asyncio.sleep(0.005)
            worst = max(worst, time.monotonic() - began)
        return task.result(), worst

    with listening(flood) as port:
        record, worst = asyncio.run(beside(parse_target(f"vnc://127.0.0.1:{port}")))
    assert record.result in {"protocol_error", "timeout"}
    assert record.bytes_received <= BYTES + 65_536
    assert worst < SLACK_S


def test_a_full_frame_that_never_comes_is_a_time_out_of_its_own_mode() -> None:
    with listening(says(session(frame()))) as port:
        _, points = probed(parse_target(f"vnc://127.0.0.1:{port}"))
    assert [(p.mode, p.fields["result_code"]) for p in points] == [("handshake", 0), ("update", 0), ("full", 1)]


@pytest.mark.parametrize(
    ("serve", "result"),
    [
        (says(b""), "timeout"),
        (says(b"RFB 003.008\n" * 2), "protocol_error"),
        (says(b"REDQ" + struct.pack("<III", 2, 2, 2**32 - 1)), "protocol_error"),
        (says(b"REDQ" + struct.pack("<III", 2, 2, 186), then_close=True), "reset"),
        (says(b"REDQ" + struct.pack("<IIII", 2, 2, 182, 7) + bytes(178)), "refused"),
    ],
    ids=["silent", "vnc", "giant", "cut", "denied"],
)
def test_spice_that_fails_is_one_point(serve: Callable[[socket], None], result: str) -> None:
    with listening(serve) as port:
        _, points = probed(parse_target(f"spice://127.0.0.1:{port}"))
    assert [(point.mode, point.result) for point in points] == [("handshake", result)]


WEB = {
    "says nothing": (says(b""), "timeout", "websocket"),
    "not found": (says(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"), "refused", "websocket"),
    "forbidden": (says(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"), "auth_failed", "websocket"),
    "endless header": (says(b"HTTP/1.1 101 Switching\r\n" + b"A" * 60_000, times=100), "protocol_error", "websocket"),
    "rfb": (says(session()), "protocol_error", "websocket"),
    "slow header": (says(b"H", times=3, pause=1), "timeout", "websocket"),
}


@pytest.mark.parametrize("name", WEB)
def test_a_proxy_that_fails_is_one_point(name: str) -> None:
    serve, result, stage = WEB[name]
    with listening(serve) as port:
        record, points = probed(parse_target(f"ws://127.0.0.1:{port}/?token=x"))
    assert (record.result, record.failed_at) == (result, stage)
    assert [(point.mode, point.result, point.tags["transport"]) for point in points] == [("handshake", result, "ws")]


def test_tls_that_is_none_is_one_point() -> None:
    with listening(says(b"no TLS at all, but long enough to be a record" * 10)) as port:
        record, points = probed(parse_target(f"spice+tls://127.0.0.1:{port}"))
    assert (record.result, record.failed_at) == ("protocol_error", "tls")
    assert len(points) == 1


@pytest.mark.parametrize(
    ("address", "result", "stage"),
    [
        ("vnc://127.0.0.1:1", "refused", "connect"),
        ("vnc://no-such-host.invalid:5900", "unresolved", "dns"),
        ("vnc+unix:///nowhere/console.sock", "refused", "connect"),
    ],
)
def test_nobody_there_is_one_point(address: str, result: str, stage: str) -> None:
    record, points = probed(parse_target(address))
    assert (record.result, record.failed_at) == (result, stage)
    assert len(points) == 1


def test_what_this_machine_lacks_is_no_failure_of_the_console(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(open_socket, "socket", SimpleNamespace(**{**vars(socket_module), "socket": full}))
    record, points = probed(parse_target("vnc://127.0.0.1:5900"))
    assert record.result == "probe_error"
    assert "result_code" not in points[0].fields
    assert points[0].fields
