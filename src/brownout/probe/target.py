"""Consoles to probe, as an operator writes them."""

import re
import shlex
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from brownout.domain.errors import SettingsError

__all__ = ["Access", "Target", "parse_target", "read_targets"]

EXAMPLE = "Write vnc://HOST:PORT, spice://HOST:PORT or ws://HOST:PORT/PATH."
SCHEMES = {
    "vnc": ("vnc", "tcp"), "vnc+tls": ("vnc", "tls"), "vnc+unix": ("vnc", "unix"),
    "ws": ("vnc", "ws"), "wss": ("vnc", "ws"),
    "spice": ("spice", "tcp"), "spice+tls": ("spice", "tls"), "spice+unix": ("spice", "unix"),
    "spice+ws": ("spice", "ws"), "spice+wss": ("spice", "ws"),
}  # fmt: skip
"""Protocol and transport by scheme."""
NOVNC = re.compile(r"/(vnc|vnc_auto|vnc_lite|spice_auto)\.html$")
"""The page of noVNC or spice-html5 that OpenStack's console addresses lead to."""
FIRST_PORT = 5900
DISPLAYS = 100
"""``vnc://HOST:1``, as ``virsh domdisplay`` prints it, is a display's number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What opens a console once: a path with a ticket, headers, a password."""

    path: str = field(repr=False)
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A console.

    Attributes
    ----------
    protocol
        ``vnc`` or ``spice``.
    transport
        ``tcp``, ``tls`` (VeNCrypt for VNC), ``unix`` or ``ws``.
    host, port
        Address; for ``unix`` the host is the socket's path.
    secure
        Whether the websocket is inside TLS.
    path
        What the websocket asks for; it may hold a token and is shown nowhere.
    password_file
        File with the password of this console.
    modes
        What may be measured of it; None = whatever the run measures.
    access
        Called before each probe where a proxy wants a fresh ticket each time.
    """

    protocol: str
    transport: str
    host: str
    port: int
    secure: bool = False
    path: str = field(default="/", repr=False)
    domain_name: str = ""
    hypervisor: str = ""
    vantage: str = ""
    user: str = ""
    password_file: Path | None = None
    modes: frozenset[str] | None = None
    access: Callable[[], Awaitable[Access]] | None = field(default=None, repr=False, compare=False)

    @property
    def address(self) -> str:
        """For people and as a name of last resort; holds no secret."""
        if self.transport == "unix":
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def key(self) -> str:
        """Identity of a console: behind a proxy, many share one address. It holds the path: never show it."""
        return f"{self.address} {self.path} {self.domain_name}" if self.transport == "ws" else self.address

    @property
    def name(self) -> str:
        """The guest's name, else the address."""
        return self.domain_name or self.address


def parse_target(text: str) -> Target:
    """An address, then ``key=value`` of the guest: domain_name, hypervisor, vantage, modes, user, password_file.

    Raises SettingsError for what is none; a password in an address is refused and not repeated.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise SettingsError(f"The target {text!r} cannot be read: {error}.", remedy="Close the quotes.") from error
    if not words:
        raise SettingsError("A target is empty.", remedy=EXAMPLE)
    target = _address(words[0])
    for word in words[1:]:
        key, _, value = word.partition("=")
        target = _with(target, key, value)
    return target


def _with(target: Target, key: str, value: str) -> Target:
    match key:
        case "domain_name":
            return replace(target, domain_name=value)
        case "hypervisor":
            return replace(target, hypervisor=value)
        case "vantage":
            return replace(target, vantage=value)
        case "user":
            return replace(target, user=value)
        case "password_file":
            return replace(target, password_file=Path(value))
        case "modes":
            return replace(target, modes=frozenset(value.split(",")))
    msg = f"The target {target.address} has {key!r}, which means nothing."
    raise SettingsError(msg, remedy="Known are domain_name, hypervisor, vantage, modes, user and password_file.")


def read_targets(text: str, where: str) -> list[Target]:
    """Targets of a file or of what a command printed: one a line; what follows ``#`` at a line's start is a comment."""
    targets = []
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                targets.append(parse_target(line))
            except SettingsError as error:
                raise SettingsError(f"{where}, line {number}: {error.what}", remedy=error.remedy) from error
    return targets


def _address(text: str) -> Target:
    parts = urlsplit(text)
    scheme = parts.scheme
    if scheme in {"http", "https"} and NOVNC.search(parts.path):
        return _of_page(text)
    if scheme not in SCHEMES:
        raise SettingsError(f"The target begins with {scheme or text.partition(':')[0]!r}.", remedy=EXAMPLE)
    if parts.password:
        raise SettingsError(
            f"The address of {parts.hostname} holds a password.",
            remedy="Put it into a file (password_file=FILE) or into BROWNOUT_VNC_PASSWORD.",
        )
    protocol, transport = SCHEMES[scheme]
    if transport == "unix":
        return Target(protocol=protocol, transport=transport, host=unquote(parts.path), port=0)
    port = _port(text, protocol, scheme)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not path.isascii() or not path.isprintable() or " " in path:
        raise SettingsError(
            f"The path of the address at {parts.hostname} holds spaces or signs beyond ASCII.",
            remedy="Write them as %20 and so on.",
        )
    return Target(
        protocol=protocol,
        transport=transport,
        host=str(parts.hostname),
        port=port,
        secure=scheme.endswith("wss"),
        path=path,
        user=unquote(parts.username or ""),
    )


def _port(text: str, protocol: str, scheme: str) -> int:
    parts = urlsplit(text)
    try:
        port = parts.port
    except ValueError:
        port = -1
    if port is None and scheme.endswith(("ws", "wss")):
        port = 443 if scheme.endswith("wss") else 80
    elif port is not None and 0 <= port < DISPLAYS and scheme == "vnc":
        port += FIRST_PORT
    if not parts.hostname or port is None or not 0 < port < 65536:
        msg = f"The target {protocol}://{parts.hostname or ''} has no host and port that can be used."
        raise SettingsError(msg, remedy=EXAMPLE)
    return port


def _of_page(text: str) -> Target:
    """The websocket behind a page of noVNC: ``path`` says where, with the token in it."""
    parts = urlsplit(text)
    query = parse_qs(parts.query)
    path = query.get("path", ["websockify"])[0]
    if "token" in query and "token=" not in path:
        path += f"?token={query['token'][0]}"
    scheme = "wss" if parts.scheme == "https" else "ws"
    kind = "spice+" if "spice" in parts.path else ""
    return _address(f"{kind}{scheme}://{parts.netloc}/{path.removeprefix('/')}")
