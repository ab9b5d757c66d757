"""Protocols without input and output: a protocol is a generator of steps, and a conversation feeds it bytes.

A protocol says what it wants next (``Read``, ``Skip``, ``Write``, ``Reached`` …) and never sees a socket or a clock. So
the same code runs against a server, a test's bytes and a fuzzer, however the bytes are cut.
"""

from collections.abc import Generator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from brownout.probe.protocols.failures import ProtocolError, TooMuchDataError

__all__ = ["Conversation", "Mark", "Reached", "Read", "Secure", "Skip", "Soften", "Stage", "Step", "Steps", "Write"]

T = TypeVar("T")

SMALL, LARGE = 4_096, 65_536


class Stage(StrEnum):
    """What a conversation has come to; the order is that of a VNC connection."""

    BANNER = "banner"
    NEGOTIATED = "negotiate"
    AUTHENTICATED = "auth"
    INITIALISED = "init"
    REQUESTED = "request"
    FIRST_BYTE = "first_byte"
    UPDATED = "update"
    FULL_REQUESTED = "full_request"
    FULL = "full"
    WINDOW = "window"
    FRAME = "frame"
    KEY_SENT = "key"
    ECHO = "echo"


@dataclass(frozen=True, slots=True)
class Read:
    """Wait for so many bytes and hand them over."""

    size: int


@dataclass(frozen=True, slots=True)
class Skip:
    """Wait for so many bytes and forget them: pixels, texts."""

    size: int


@dataclass(frozen=True, slots=True)
class Write:
    """Send bytes."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Reached:
    """A stage is complete."""

    stage: Stage


@dataclass(frozen=True, slots=True)
class Secure:
    """TLS from here on; ``verified`` is whether the server has a certificate, which is then checked."""

    verified: bool


@dataclass(frozen=True, slots=True)
class Soften:
    """From here on the conversation goes on for so many seconds, and its end by time or volume is no failure."""

    seconds: float


Step = Read | Skip | Write | Reached | Secure | Soften
Steps = Generator[Step, bytes, T]


@dataclass(frozen=True, slots=True)
class Mark:
    """A stage, when it was reached (seconds, monotonic), and how many bytes had been taken from the server by then."""

    stage: Stage
    at: float
    bytes_read: int


class Conversation:
    """Feeds bytes to a protocol and collects what it wants to send.

    Parameters
    ----------
    steps
        The protocol.
    limit
        Bytes that a server may send; announcing more is a failure at once, not when they have come.

    Attributes
    ----------
    outgoing
        Bytes to send; whoever sends them clears it.
    secure
        Set while the protocol waits for TLS.
    softened
        Seconds that the protocol asked to go on for, once it has.
    """

    def __init__(self, steps: Steps[None], *, limit: int) -> None:
        self.outgoing = bytearray()
        self.marks: list[Mark] = []
        self.done = False
        self.secure: Secure | None = None
        self.softened: float | None = None
        self._steps = steps
        self._limit = limit
        self._bytes_read = 0
        self._buffer = bytearray()
        self._wanted: Read | Skip | None = None
        self._skipped = 0

    @property
    def appetite(self) -> int:
        """Bytes to take at once: many where they are skipped, else few: a flood of small messages holds nobody up."""
        return LARGE if isinstance(self._wanted, Skip) else SMALL

    def start(self, at: float) -> None:
        """Run until the protocol wants bytes."""
        self._go(b"", at)

    def receive(self, data: bytes, at: float) -> None:
        """Bytes that came at a time.

        Raises ProbeFailure where the server breaks the protocol, refuses, or sends more than the limit.
        """
        self._buffer += data
        self._proceed(at)

    def secured(self, at: float) -> None:
        """TLS stands: go on. Bytes sent in the clear behind the request for TLS are no part of what follows."""
        if self._buffer:
            raise ProtocolError("bytes in the clear where TLS begins")
        self.secure = None
        self._go(b"", at)

    def _proceed(self, at: float) -> None:
        while not self.done and self._wanted is not None:
            if isinstance(self._wanted, Skip):
                part = min(self._wanted.size - self._skipped, len(self._buffer))
                del self._buffer[:part]
                self._bytes_read += part
                self._skipped += part
                if self._skipped < self._wanted.size:
                    return
                self._go(b"", at)
            else:
                size = self._wanted.size
                if len(self._buffer) < size:
                    return
                data = bytes(self._buffer[:size])
                del self._buffer[:size]
                self._bytes_read += size
                self._go(data, at)

    def _go(self, data: bytes, at: float) -> None:
        """Hand bytes over and carry out steps until the next one that has to wait."""
        self._wanted = None
        while True:
            try:
                step = self._steps.send(data) if data else next(self._steps)
            except StopIteration:
                self.done = True
                return
            data = b""
            match step:
                case Write():
                    self.outgoing += step.data
                case Reached():
                    self.marks.append(Mark(step.stage, at, self._bytes_read))
                case Soften():
                    self.softened = step.seconds
                case Secure():
                    self.secure = step
                    return
                case Read() | Skip():
                    if self._bytes_read + step.size > self._limit:
                        raise TooMuchDataError(f"{self._bytes_read + step.size} bytes announced, {self._limit} allowed")
                    if step.size:
                        self._wanted, self._skipped = step, 0
                        return
