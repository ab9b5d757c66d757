"""One connection to a console: a fresh socket, bounded in time and bytes, with the time of each stage."""

import asyncio
import socket
import ssl
import time
from dataclasses import dataclass, field

from websockets.uri import WebSocketURI

from brownout.probe.link.layers import Stack, TlsLayer, WebSocketLayer, anonymous_context
from brownout.probe.link.open_socket import connect
from brownout.probe.link.resolver import Resolver
from brownout.probe.link.stamps import Stopwatch, TcpInfo, receive, tcp_info
from brownout.probe.protocols.failures import ClosedError, ProbeFailure, TooMuchDataError, result_of
from brownout.probe.protocols.wire import Conversation, Mark, Stage
from brownout.probe.target import Access, Target

__all__ = ["BYTES", "SECONDS", "Connector", "Record"]

SECONDS = 2.0
"""Longest time of a connection, but for a window, which adds its own."""
BYTES = 10_000_000
"""Most bytes that a connection takes."""
FOLLOWING = {
    Stage.BANNER: "negotiate",
    Stage.NEGOTIATED: "auth",
    Stage.AUTHENTICATED: "init",
    Stage.INITIALISED: "update",
    Stage.REQUESTED: "update",
    Stage.FIRST_BYTE: "update",
    Stage.UPDATED: "update",
    Stage.FULL_REQUESTED: "full",
    Stage.FULL: "full",
    Stage.KEY_SENT: "echo",
    Stage.ECHO: "window",
    Stage.WINDOW: "window",
    Stage.FRAME: "window",
}
"""The wait that begins once a stage was reached."""


@dataclass(slots=True)
class Record:
    """The record of a connection. Times are seconds on a ``Stopwatch``; None = not come so far.

    Attributes
    ----------
    time_ns
        When it began, nanoseconds since the epoch, UTC.
    began, connected, opened
        Connect called, connection there, TLS and websocket there too (the same where there is neither).
    result
        A key of ``failures.CODES``, or ``probe_error``.
    failed_at
        The stage that was being waited for when it failed; "" for success.
    detail
        What went wrong, in words.
    """

    time_ns: int
    dns_ms: float | None = None
    began: float | None = None
    connected: float | None = None
    opened: float | None = None
    ended: float | None = None
    marks: list[Mark] = field(default_factory=list)
    bytes_received: int = 0
    tcp: TcpInfo | None = None
    result: str = "success"
    failed_at: str = ""
    detail: str = ""


@dataclass(slots=True)
class Connector:
    """Opens connections. ``trust`` checks the certificates of TLS servers."""

    trust: ssl.SSLContext
    resolver: Resolver
    seconds: float = SECONDS
    most: int = BYTES
    anonymous: ssl.SSLContext = field(default_factory=anonymous_context)

    async def probe(self, target: Target, conversation: Conversation, access: Access | None = None) -> Record:
        """Carry a conversation out; never raises for anything that a server or the network does."""
        record = Record(time_ns=time.time_ns())
        run = _Run(self, target, conversation, record)
        try:
            async with asyncio.timeout(self.seconds) as patience:
                await run.all(access or Access(path=target.path), patience)
        except (ProbeFailure, OSError) as error:
            # A window ends by time or volume, which is how it should.
            if conversation.softened is None or not isinstance(error, TimeoutError | TooMuchDataError):
                record.result = result_of(error)
                record.failed_at = run.awaited
                record.detail = str(error) or type(error).__name__
        record.ended = run.watch.reads(asyncio.get_running_loop().time())
        record.marks = conversation.marks
        return record

    async def connect(self, target: Target) -> float:
        """Seconds that a connection takes, and nothing behind it; raises OSError where there is none."""
        async with asyncio.timeout(self.seconds):
            connection = await connect(await self.resolver.addresses(target))
        connection.socket.close()
        return connection.connected - connection.began


@dataclass(slots=True)
class _Run:
    """One connection while it is open."""

    connector: Connector
    target: Target
    conversation: Conversation
    record: Record
    waiting_for: str = "dns"
    stack: Stack = field(default_factory=Stack)
    securing: bool = False
    watch: Stopwatch = field(default_factory=lambda: Stopwatch(0.0))

    @property
    def awaited(self) -> str:
        """The stage that is being waited for."""
        marks = self.conversation.marks
        return FOLLOWING[marks[-1].stage] if marks and not self.securing else self.waiting_for

    async def all(self, access: Access, patience: asyncio.Timeout) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        addresses = await self.connector.resolver.addresses(self.target)
        if self.target.transport != "unix":
            self.record.dns_ms = 1000 * (loop.time() - began)
        self.waiting_for = "connect"
        connection = await connect(addresses)
        self.record.began, self.record.connected = connection.began, connection.connected
        self.watch = Stopwatch(connection.connected, answered=False)
        try:
            self._wrap(access)
            await self._converse(connection.socket, patience)
        finally:
            if self.target.transport != "unix":
                self.record.tcp = tcp_info(connection.socket)
            connection.socket.close()

    def _wrap(self, access: Access) -> None:
        target = self.target
        if target.secure or (target.transport == "tls" and target.protocol == "spice"):
            self.waiting_for = "tls"
            self.stack.add(TlsLayer(self.connector.trust, target.host))
        if target.transport == "ws":
            self.waiting_for = "websocket"
            path, _, query = access.path.partition("?")
            uri = WebSocketURI(target.secure, target.host, target.port, path, query)
            self.stack.add(WebSocketLayer(uri, access.headers, most=self.connector.most))
        if self.stack.ready:
            self._opened(self.watch.last)

    def _opened(self, at: float) -> None:
        self.record.opened = at
        self.waiting_for = "banner" if self.target.protocol == "vnc" else "negotiate"
        self.conversation.start(at)

    async def _converse(self, connection: socket.socket, patience: asyncio.Timeout) -> None:
        loop = asyncio.get_running_loop()
        softened = False
        while True:
            if wire := self._outgoing():
                self.watch.sent(loop.time())
                await loop.sock_sendall(connection, wire)
            if self.conversation.done:
                return
            if self.conversation.softened is not None and not softened:
                softened = True
                patience.reschedule(loop.time() + self.conversation.softened)
            data, late = await receive(connection, self.conversation.appetite)
            now = self.watch.arrived(loop.time(), late)
            if not data:
                raise ClosedError("the server closed the connection")
            self.record.bytes_received += len(data)
            if self.record.bytes_received > self.connector.most:
                raise TooMuchDataError(f"more than {self.connector.most} bytes")
            self._incoming(data, now)
            # Where bytes are there already, nothing above waits: others get their turn, and the time-out its chance.
            await asyncio.sleep(0)

    def _incoming(self, data: bytes, now: float) -> None:
        data = self.stack.receive(data)
        if not self.stack.ready:
            return
        if self.record.opened is None:
            self._opened(now)
        if self.securing:
            self.securing = False
            self.conversation.secured(now)
        if data:
            self.conversation.receive(data, now)
        if self.conversation.secure is not None:
            self._secure(verified=self.conversation.secure.verified)

    def _secure(self, *, verified: bool) -> None:
        """Go into TLS, behind what was sent in the clear."""
        self._hand_over()
        self.waiting_for = "tls"
        self.securing = True
        context = self.connector.trust if verified else self.connector.anonymous
        self.stack.add(TlsLayer(context, self.target.host))

    def _outgoing(self) -> bytes:
        if not self.securing:
            self._hand_over()
        return self.stack.pending()

    def _hand_over(self) -> None:
        self.stack.send(bytes(self.conversation.outgoing))
        self.conversation.outgoing.clear()
