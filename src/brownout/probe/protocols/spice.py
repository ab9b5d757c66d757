"""SPICE: the link message and its reply, and nothing behind: a client that authenticates would throw the user out.

By ``spice/protocol.h`` of spice-protocol 0.14: little-endian, a header before each message.
"""

import struct
from dataclasses import dataclass

from brownout.probe.protocols.failures import ProtocolError, RefusedError
from brownout.probe.protocols.wire import Reached, Read, Skip, Stage, Steps, Write

__all__ = ["SpiceReport", "spice"]

MAGIC = b"REDQ"
MAJOR, MINOR = 2, 2
MAIN_CHANNEL = 1
CAPABILITIES = 0b1011
"""Selection of authentication, SPICE's own authentication, short headers: what every client says."""
REPLY = 178
"""Bytes of a reply before its capabilities: error, public key of 162 bytes, two counts, offset."""
LONGEST_REPLY = 65_536
ERRORS = {1: "error", 2: "invalid magic", 3: "invalid data", 4: "version mismatch", 5: "it wants TLS",
          6: "it wants no TLS", 7: "permission denied", 8: "bad connection", 9: "channel not available"}  # fmt: skip


@dataclass(slots=True)
class SpiceReport:
    """Facts that the server sent."""

    major: int = 0
    minor: int = 0


def spice(report: SpiceReport) -> Steps[None]:
    """Ask for the main channel and read the answer; the ticket that would open it is never sent."""
    message = struct.pack("<IBBIIII", 0, MAIN_CHANNEL, 0, 1, 0, 18, CAPABILITIES)
    yield Write(MAGIC + struct.pack("<III", MAJOR, MINOR, len(message)) + message)
    magic, major, minor, size = struct.unpack("<4sIII", (yield Read(16)))
    if magic != MAGIC:
        raise ProtocolError(f"{magic!r} instead of SPICE's magic")
    if not 4 <= size <= LONGEST_REPLY:
        raise ProtocolError(f"a reply of {size} bytes")
    report.major, report.minor = major, minor
    (error,) = struct.unpack("<I", (yield Read(4)))
    yield Skip(size - 4)
    yield Reached(Stage.NEGOTIATED)
    if error:
        raise RefusedError(ERRORS.get(error, f"error {error}"))
    if size < REPLY:
        raise ProtocolError(f"a reply of {size} bytes without a key")
