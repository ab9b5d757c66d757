"""Why a probe of a console failed, each with the value of the tag ``result`` and of ``result_code``."""

import errno
import socket
import ssl

__all__ = [
    "CODES",
    "AuthFailedError",
    "ClosedError",
    "ProbeFailure",
    "ProtocolError",
    "RefusedError",
    "TooMuchDataError",
    "result_of",
]

CODES = {
    "success": 0,
    "timeout": 1,
    "refused": 2,
    "reset": 3,
    "auth_failed": 4,
    "protocol_error": 5,
    "unresolved": 6,
    "unreachable": 7,
}
"""``result_code`` by ``result``. What failed in the probe itself (``probe_error``) has none: not of the console."""

UNREACHABLE = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN})


class ProbeFailure(Exception):  # noqa: N818 - the base of what a probe reports, not an error of this program
    """The server did something else than open a console."""

    result = "protocol_error"


class ProtocolError(ProbeFailure):
    """Bytes that are not of the protocol."""


class TooMuchDataError(ProbeFailure):
    """More bytes than a probe takes."""


class RefusedError(ProbeFailure):
    """The server said no, in the words of its protocol."""

    result = "refused"


class ClosedError(ProbeFailure):
    """The server closed the connection before the probe was done."""

    result = "reset"


class AuthFailedError(ProbeFailure):
    """Password, certificate or kind of authentication were not accepted."""

    result = "auth_failed"


def result_of(error: Exception) -> str:
    """The tag ``result`` of an error; ``probe_error`` where it is the probing machine that lacks something."""
    if isinstance(error, ProbeFailure):
        return error.result
    if isinstance(error, OSError) and error.errno in UNREACHABLE:
        return "unreachable"
    return next((result for kind, result in RESULTS if isinstance(error, kind)), "probe_error")


RESULTS: tuple[tuple[type[Exception], str], ...] = (
    (TimeoutError, "timeout"),
    (socket.gaierror, "unresolved"),
    (ConnectionRefusedError, "refused"),
    (FileNotFoundError, "refused"),
    (ConnectionError, "reset"),
    (ssl.SSLCertVerificationError, "auth_failed"),
    (ssl.SSLError, "protocol_error"),
)
"""The first kind that an error is of says its result."""
