"""RFB, the protocol of VNC: how far a probe goes and how, by rfbproto 3.3 to 3.8 and QEMU's ``ui/vnc.c``.

A probe never disconnects a user: it always asks for a shared session, and it goes no further than the list of security
types where it may not or cannot log in. It sends keys only where a guest was prepared for it (``Plan.inject``).
"""

import re
import struct
from dataclasses import dataclass, field

from brownout.probe.protocols.failures import AuthFailedError, ProtocolError, RefusedError
from brownout.probe.protocols.vencrypt import Login, vencrypt
from brownout.probe.protocols.vnc_password import respond
from brownout.probe.protocols.wire import Reached, Read, Skip, Soften, Stage, Steps, Write

__all__ = ["Plan", "RfbReport", "rfb"]

BANNER = re.compile(rb"RFB (\d{3})\.(\d{3})\n")
NONE, VNC_AUTH, VENCRYPT = 1, 2, 19
LONGEST_TEXT = 65_536
"""Bytes of a reason or of a screen's name; no server has longer ones."""
SHARED = b"\x01"
"""ClientInit: leave the others connected."""
RAW, ZRLE = 0, 16
SMALL = 16
"""Pixels of an edge of the first update: little to encode and to send, so that what is measured is the way there."""
LARGEST_FRAME = 4_000_000
"""Bytes of a request for the whole screen; of a larger screen the upper part is asked for."""
KEY_SPACE, KEY_BACKSPACE = 0x0020, 0xFF08


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How far a probe goes. ``window_s`` 0 = no window; ``inject`` = the guest is prepared for keys."""

    update: bool = False
    full: bool = False
    window_s: float = 0.0
    inject: bool = False
    require_tls: bool = False
    login: Login = field(default_factory=Login)

    @property
    def opens(self) -> bool:
        """Whether a session is opened, rather than only offered."""
        return self.update or self.full or self.inject or self.window_s > 0


@dataclass(slots=True)
class RfbReport:
    """Facts that the server sent, filled in as the conversation goes on."""

    width: int = 0
    height: int = 0
    rects: int = 0
    encoding: int = RAW
    name: str = ""
    locked: str = ""
    """Why no session was opened, though one was planned; "" where it was."""


def rfb(plan: Plan, report: RfbReport) -> Steps[None]:
    """The whole conversation."""
    version, types = yield from _negotiate()
    if not plan.opens:
        return
    if not (yield from _log_in(plan, report, version, types)):
        return
    depth = yield from _open(report)
    if not (report.width and report.height):
        report.locked = "the screen has no pixels"
        return
    pixels = _Screen(report, depth)
    yield from _first_update(pixels)
    if plan.full:
        yield Reached(Stage.FULL_REQUESTED)
        rows = max(1, min(report.height, LARGEST_FRAME // (report.width * depth)))
        yield _request(report.width, rows)
        yield from pixels.update()
        yield Reached(Stage.FULL)
    if plan.inject:
        yield from _echo(pixels)
    if plan.window_s:
        yield from _window(pixels, plan.window_s)


def _negotiate() -> Steps[tuple[int, bytes]]:
    """Minor version (3, 7 or 8) and security types; the first of them is chosen by the server in version 3.3."""
    banner = yield Read(12)
    version = BANNER.fullmatch(banner)
    if not version:
        raise ProtocolError(f"{banner!r} instead of an RFB version")
    yield Reached(Stage.BANNER)
    offered = (int(version[1]), int(version[2]))
    minor = 8 if offered >= (3, 8) else 7 if offered == (3, 7) else 3
    yield Write(b"RFB 003.%03d\n" % minor)
    if minor == 3:
        (chosen,) = struct.unpack(">I", (yield Read(4)))
        if not chosen:
            raise RefusedError((yield from _text()))
        types = bytes([chosen]) if chosen < 256 else b""
    else:
        (number,) = yield Read(1)
        if not number:
            raise RefusedError((yield from _text()))
        types = yield Read(number)
    yield Reached(Stage.NEGOTIATED)
    return minor, types


def _log_in(plan: Plan, report: RfbReport, version: int, types: bytes) -> Steps[bool]:
    """Whether the server let us in; False, with the reason in the report, where there is no way that we may go."""
    kind = _choose(plan, types)
    if not kind:
        report.locked = _why_locked(plan, types)
        return False
    if version > 3:
        yield Write(bytes([kind]))
    if kind == VENCRYPT:
        kind = yield from vencrypt(plan.login)
    if kind == VNC_AUTH:
        challenge = yield Read(16)
        yield Write(respond(challenge, plan.login.password))
    # Before 3.8 nobody says anything about a session without authentication.
    if version >= 8 or kind != NONE:
        (refused,) = struct.unpack(">I", (yield Read(4)))
        if refused:
            raise AuthFailedError((yield from _text()) if version >= 8 else "the server did not say why")
    yield Reached(Stage.AUTHENTICATED)
    return True


def _choose(plan: Plan, types: bytes) -> int:
    """The security type to take; 0 for none of them."""
    if plan.require_tls:
        return VENCRYPT if VENCRYPT in types else 0
    if NONE in types:
        return NONE
    return VNC_AUTH if VNC_AUTH in types and plan.login.password else 0


def _why_locked(plan: Plan, types: bytes) -> str:
    if plan.require_tls:
        return "it offers no VeNCrypt"
    if VNC_AUTH in types:
        return "it wants a password"
    if VENCRYPT in types:
        return "it wants TLS"
    return f"it offers security types {', '.join(map(str, types))} only"


def _open(report: RfbReport) -> Steps[int]:
    """Open the session; returns bytes a pixel."""
    yield Write(SHARED)
    width, height, bits, length = struct.unpack(">HHB15xI", (yield Read(24)))
    if bits not in {8, 16, 32}:
        raise ProtocolError(f"{bits} bits a pixel")
    if length > LONGEST_TEXT:
        raise ProtocolError(f"a screen's name of {length} bytes")
    report.name = ((yield Read(length)) if length else b"").decode("utf-8", "replace")
    report.width, report.height = width, height
    yield Reached(Stage.INITIALISED)
    return int(bits) // 8


def _first_update(pixels: "_Screen") -> Steps[None]:
    yield _encodings(RAW)
    yield Reached(Stage.REQUESTED)
    yield _request(min(SMALL, pixels.report.width), min(SMALL, pixels.report.height))
    yield from pixels.update(first=Stage.FIRST_BYTE)
    pixels.report.rects = pixels.rects
    yield Reached(Stage.UPDATED)


def _echo(pixels: "_Screen") -> Steps[None]:
    """A key, what it changes, and the key that takes it back."""
    yield _request(pixels.report.width, pixels.report.height, incremental=True)
    yield Reached(Stage.KEY_SENT)
    yield Write(_key(KEY_SPACE))
    yield from pixels.update()
    yield Reached(Stage.ECHO)
    yield Write(_key(KEY_BACKSPACE))


def _window(pixels: "_Screen", seconds: float) -> Steps[None]:
    """Frames as they come, compressed, until time or volume are used up."""
    yield _encodings(ZRLE, RAW)
    yield Soften(seconds)
    yield Reached(Stage.WINDOW)
    while True:
        yield _request(pixels.report.width, pixels.report.height, incremental=True)
        yield from pixels.update()
        yield Reached(Stage.FRAME)


class _Screen:
    """Reads what a server sends about its screen."""

    def __init__(self, report: RfbReport, depth: int) -> None:
        self.report = report
        self.rects = 0
        self._depth = depth

    def update(self, first: Stage | None = None) -> Steps[None]:
        """Everything up to the end of an update that has pixels in it; ``first`` is marked at its head."""
        drawn = False
        while not drawn:
            (kind,) = yield Read(1)
            match kind:
                case 0:
                    (number,) = struct.unpack(">xH", (yield Read(3)))
                    if first:
                        yield Reached(first)
                        first = None
                    drawn = yield from self._rectangles(number)
                case 1:
                    (number,) = struct.unpack(">3xH", (yield Read(5)))
                    yield Skip(6 * number)
                case 2:
                    pass
                case 3:
                    (length,) = struct.unpack(">3xI", (yield Read(7)))
                    yield Skip(length)
                case _:
                    raise ProtocolError(f"a message of type {kind}")

    def _rectangles(self, number: int) -> Steps[bool]:
        drawn = False
        for _ in range(number):
            width, height, encoding = struct.unpack(">4xHHi", (yield Read(12)))
            match encoding:
                case 0:  # raw
                    yield Skip(width * height * self._depth)
                case 1:  # copied from elsewhere on the screen
                    yield Skip(4)
                case 16:  # ZRLE
                    (length,) = struct.unpack(">I", (yield Read(4)))
                    yield Skip(length)
                case _:
                    raise ProtocolError(f"a rectangle in encoding {encoding}, which was not asked for")
            self.report.encoding = encoding
            drawn = drawn or width * height > 0
        self.rects = number
        return drawn


def _text() -> Steps[str]:
    """A reason, with its length before it."""
    (length,) = struct.unpack(">I", (yield Read(4)))
    if length > LONGEST_TEXT:
        raise ProtocolError(f"a reason of {length} bytes")
    reason = (yield Read(length)) if length else b""
    return reason.decode("utf-8", "replace")


def _encodings(*wanted: int) -> Write:
    return Write(struct.pack(f">BxH{len(wanted)}i", 2, len(wanted), *wanted))


def _request(width: int, height: int, *, incremental: bool = False) -> Write:
    return Write(struct.pack(">BBHHHH", 3, incremental, 0, 0, width, height))


def _key(symbol: int) -> bytes:
    """Down and up."""
    return struct.pack(">BBxxIBBxxI", 4, 1, symbol, 4, 0, symbol)
