"""Times that the probe's own lateness does not reach: the kernel's stamps, and a clock that runs while the probe waits.

A probe on a busy machine takes bytes later than they came, and answers later than it could. Linux says when a segment
came (``SO_TIMESTAMPNS``) and how long the SYN took (``TCP_INFO``); a ``Stopwatch`` leaves out the time between what
came and the answer to it.
"""

import asyncio
import socket
import struct
import time
from dataclasses import dataclass

__all__ = ["Stopwatch", "TcpInfo", "ask_for_stamps", "receive", "tcp_info"]

SO_TIMESTAMPNS = 35
"""Of Linux (asm-generic/socket.h); Python has no name for it."""
STAMP = struct.Struct("qq")
INFO_BYTES = 104
RTT, RETRANSMITS = 68, 100
"""Places in ``struct tcp_info`` of linux/tcp.h: round trip and its deviation in microseconds; segments sent again."""


@dataclass(frozen=True, slots=True)
class TcpInfo:
    """What the kernel measured: round trip and its deviation, milliseconds, and segments sent again."""

    rtt_ms: float
    rttvar_ms: float
    retransmits: int


@dataclass(slots=True)
class Stopwatch:
    """Turns times of the probe into those of the wire, in seconds; it stands while the probe keeps the server waiting.

    Parameters
    ----------
    last
        When something last came or went.
    """

    last: float
    own: float = 0.0
    answered: bool = True

    def arrived(self, now: float, late: float) -> float:
        """Bytes were taken ``late`` seconds after they came; returns when they came.

        A lateness that cannot be, because somebody set the clock, is taken for none.
        """
        came = now - late
        if not self.last <= came <= now:
            came = now
        self.last = came
        self.answered = False
        return came - self.own

    def sent(self, now: float) -> None:
        """An answer goes out."""
        if not self.answered:
            self.own += max(now - self.last, 0.0)
            self.answered = True
        self.last = now

    def reads(self, now: float) -> float:
        """The time now."""
        return now - self.own


def ask_for_stamps(connection: socket.socket) -> None:
    """Let the kernel stamp what comes, where it can."""
    try:
        connection.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    except OSError:
        return


async def receive(connection: socket.socket, size: int) -> tuple[bytes, float]:
    """Bytes, and for how many seconds the kernel had the last of them; 0 where it does not say."""
    loop = asyncio.get_running_loop()
    while True:
        try:
            data, more, _, _ = connection.recvmsg(size, 64)
        except (BlockingIOError, InterruptedError):
            await _readable(loop, connection)
            continue
        for level, kind, stamp in more:
            if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and len(stamp) == STAMP.size:
                seconds, nanoseconds = STAMP.unpack(stamp)
                return data, (time.time_ns() - seconds * 1_000_000_000 - nanoseconds) / 1e9
        return data, 0.0


def tcp_info(connection: socket.socket) -> TcpInfo | None:
    """TCP_INFO of Linux; None elsewhere and for what is no TCP."""
    try:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, INFO_BYTES)
    except (OSError, AttributeError):
        return None
    if len(info) < INFO_BYTES:
        return None
    rtt, rttvar = struct.unpack_from("=II", info, RTT)
    (retransmits,) = struct.unpack_from("=I", info, RETRANSMITS)
    return TcpInfo(rtt_ms=rtt / 1000, rttvar_ms=rttvar / 1000, retransmits=retransmits)


async def _readable(loop: asyncio.AbstractEventLoop, connection: socket.socket) -> None:
    waiting = loop.create_future()

    def wake() -> None:
        if not waiting.done():
            waiting.set_result(None)

    loop.add_reader(connection, wake)
    try:
        await waiting
    finally:
        loop.remove_reader(connection)
