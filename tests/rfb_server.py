"""What a VNC server says, as bytes and as a server on a socket, for tests of the probe."""

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from socket import SHUT_RDWR, create_server, socket
from threading import Thread

from brownout.probe.protocols.wire import Conversation, Steps

__all__ = ["Heard", "converse", "frame", "init", "listening", "session"]

FORMAT = struct.pack(">BBBBHHHBBBxxx", 32, 24, 0, 1, 255, 255, 255, 16, 8, 0)


def init(width: int = 64, height: int = 48, name: bytes = b"QEMU (vm01)") -> bytes:
    return struct.pack(">HH", width, height) + FORMAT + struct.pack(">I", len(name)) + name


def frame(width: int = 16, height: int = 16, number: int = 1) -> bytes:
    rectangle = struct.pack(">HHHHi", 0, 0, width, height, 0) + bytes(4 * width * height)
    return struct.pack(">BxH", 0, number) + rectangle * number


def session(*frames: bytes, types: bytes = b"\x01", version: bytes = b"RFB 003.008\n") -> bytes:
    """Everything that a server without a password says, one after the other."""
    return version + bytes([len(types)]) + types + bytes(4) + init() + b"".join(frames or (frame(),))


@dataclass
class Heard:
    """What came of feeding bytes: what the client sent, and the conversation."""

    conversation: Conversation
    sent: bytearray = field(default_factory=bytearray)

    @property
    def stages(self) -> list[str]:
        return [str(mark.stage) for mark in self.conversation.marks]


def converse(steps: Steps[None], said: bytes, cuts: Iterator[int] | None = None, *, limit: int = 10_000_000) -> Heard:
    """Feed bytes in pieces of the given sizes, or at once; the clock counts pieces."""
    heard = Heard(Conversation(steps, limit=limit))
    heard.conversation.start(0.0)
    position, tick = 0, 0.0
    while True:
        heard.sent += heard.conversation.outgoing
        heard.conversation.outgoing.clear()
        if heard.conversation.done or position >= len(said):
            return heard
        size = next(cuts, len(said)) if cuts else len(said)
        tick += 1
        heard.conversation.receive(said[position : position + size], tick)
        position += size


@contextmanager
def listening(serve: Callable[[socket], None]) -> Iterator[int]:
    """A server that treats each connection with ``serve``, in a thread; gives its port."""
    with create_server(("127.0.0.1", 0), backlog=256) as listener:

        def accept() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                Thread(target=treat, args=(connection,), daemon=True).start()

        def treat(connection: socket) -> None:
            with connection:
                try:
                    serve(connection)
                except OSError:
                    return

        Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(SHUT_RDWR)
