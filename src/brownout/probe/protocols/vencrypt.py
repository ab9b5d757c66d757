"""VeNCrypt: TLS inside RFB, and what comes behind it."""

import struct
from dataclasses import dataclass, field

from brownout.probe.protocols.failures import AuthFailedError, ProtocolError
from brownout.probe.protocols.wire import Read, Secure, Steps, Write

__all__ = ["Login", "vencrypt"]

VERSION = b"\x00\x02"
X509_NONE, X509_VNC, X509_PLAIN = 260, 261, 262
TLS_NONE, TLS_VNC = 257, 258
NONE, VNC_AUTH, PLAIN = 1, 2, 256
INSIDE = {X509_NONE: NONE, X509_VNC: VNC_AUTH, X509_PLAIN: PLAIN, TLS_NONE: NONE, TLS_VNC: VNC_AUTH}
"""What follows inside TLS, by subtype."""


@dataclass(frozen=True, slots=True)
class Login:
    """Who the probe is; "" for nobody."""

    user: str = ""
    password: str = field(default="", repr=False)
    anonymous_tls: bool = False
    """Whether TLS without a certificate will do; a password never goes into one in the clear."""


def vencrypt(login: Login) -> Steps[int]:
    """Agree on a subtype and go into TLS; returns the security type that follows inside: 1, 2, or 256, done already."""
    if (yield Read(2)) < VERSION:
        raise ProtocolError("a VeNCrypt before 0.2")
    yield Write(VERSION)
    if (yield Read(1)) != b"\0":
        raise AuthFailedError("it does not speak VeNCrypt 0.2")
    (number,) = yield Read(1)
    offered = struct.unpack(f">{number}I", (yield Read(4 * number)) if number else b"")
    chosen = next((kind for kind in _acceptable(login) if kind in offered), 0)
    if not chosen:
        kinds = ", ".join(map(str, offered)) or "none"
        raise AuthFailedError(f"VeNCrypt subtypes offered: {kinds}; none of them can be used with what is known")
    yield Write(struct.pack(">I", chosen))
    if (yield Read(1)) != b"\x01":
        raise AuthFailedError(f"it took VeNCrypt subtype {chosen} back")
    yield Secure(verified=chosen >= X509_NONE)
    if INSIDE[chosen] == PLAIN:
        user, password = login.user.encode(), login.password.encode()
        yield Write(struct.pack(">II", len(user), len(password)) + user + password)
    return INSIDE[chosen]


def _acceptable(login: Login) -> list[int]:
    """Subtypes in order of preference."""
    kinds = [X509_NONE]
    if login.password:
        kinds.append(X509_VNC)
    if login.password and login.user:
        kinds.append(X509_PLAIN)
    if login.anonymous_tls:
        kinds.append(TLS_NONE)
        if login.password:
            kinds.append(TLS_VNC)
    return kinds
