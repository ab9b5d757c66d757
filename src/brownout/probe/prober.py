"""One console, probed: from a target and the modes that are due to points."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from brownout.domain.errors import BrownoutError
from brownout.probe.link.connection import Connector, Record
from brownout.probe.points import Point, points_of
from brownout.probe.probe_settings import ProbeSettings
from brownout.probe.protocols.rfb import Plan, RfbReport, rfb
from brownout.probe.protocols.spice import SpiceReport, spice
from brownout.probe.protocols.vencrypt import Login
from brownout.probe.protocols.wire import Conversation
from brownout.probe.target import Access, Target

__all__ = ["Prober"]

PAUSE_S = 600.0
"""After a refused password it is not tried again for so long: servers that count failures lock everybody out."""
COUNTED_S = 3600.0
"""A server that counts visits without a login as failures is left alone for so long: it locks out whole addresses."""
COUNTED = re.compile(r"too many (security|authentication) failures", re.IGNORECASE)
QEMU = "QEMU"
"""What the name of a screen of QEMU begins with."""
ACCESS_EVERY_S = 60.0
"""Seconds between two tickets for a console: a proxy that gives them out writes each into its log."""
ACCESS_S = 10.0
"""Longest time for a proxy to give out a ticket."""


@dataclass(slots=True)
class Prober:
    """Probes consoles and remembers which of them refused a password.

    Parameters
    ----------
    complain
        Told once about each console that could not be opened as wanted.
    lag_ms
        How late the probe itself is at the moment; NaN-free, None while unknown.
    """

    settings: ProbeSettings
    connector: Connector
    complain: Callable[[BrownoutError], None]
    lag_ms: Callable[[], float | None] = lambda: None
    _reported: set[tuple[str, str]] = field(default_factory=set)
    _paused: dict[str, float] = field(default_factory=dict)
    _next_ticket: dict[str, float] = field(default_factory=dict)
    _left_alone: dict[str, float] = field(default_factory=dict)

    async def probe(self, target: Target, number: int) -> list[Point]:
        """Points of one connection in round ``number``, counted from 0."""
        if self._left_alone.get(target.key, 0.0) > asyncio.get_running_loop().time():
            return []
        access = None
        if target.access is not None:
            access = await self._ticket(target, target.access)
            if access is None:
                return []
        report = RfbReport() if target.protocol == "vnc" else None
        plan = self._plan(target, number, access) if report else None
        steps = rfb(plan, report) if plan and report else spice(SpiceReport())
        record = await self.connector.probe(target, Conversation(steps, limit=self.connector.most), access)
        self._learn(target, record, report)
        common = {"host": self.settings.host, "vantage": "proxy" if target.transport == "ws" else self.settings.vantage}
        points = points_of(target, record, report, common)
        if (lag := self.lag_ms()) is not None:
            points = [replace(point, fields={**point.fields, "probe_lag_ms": lag}) for point in points]
        return points

    async def _ticket(self, target: Target, ask: Callable[[], Awaitable[Access]]) -> Access | None:
        """A ticket; None where it is too soon for another one, or the proxy gave none."""
        now = asyncio.get_running_loop().time()
        if now < self._next_ticket.get(target.key, 0.0):
            return None
        self._next_ticket[target.key] = now + ACCESS_EVERY_S - self.settings.interval_s / 2
        try:
            async with asyncio.timeout(ACCESS_S):
                return await ask()
        except (BrownoutError, TimeoutError) as error:
            self._tell(target, f"the proxy gave no ticket: {error}", "See that the token may open consoles.")
            return None

    def _plan(self, target: Target, number: int, access: Access | None) -> Plan:
        settings = self.settings
        tls = target.transport == "tls"
        if self._paused.get(target.key, 0.0) > asyncio.get_running_loop().time():
            return Plan(require_tls=tls)

        def due(mode: str) -> bool:
            return settings.due(mode, number) and (target.modes is None or mode in target.modes)

        return Plan(
            update=due("update"),
            full=due("full"),
            window_s=settings.window_s if due("window") else 0.0,
            inject=target.domain_name in settings.inject and settings.due("canary", number),
            require_tls=tls,
            login=Login(target.user, self._password(target, access), settings.anonymous_tls),
        )

    def _password(self, target: Target, access: Access | None) -> str:
        if access is not None:
            return access.password
        if target.password_file is None:
            return self.settings.password
        try:
            return target.password_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            self._tell(target, f"its password file cannot be read: {error}", "Create it, readable by this user only.")
            return ""

    def _learn(self, target: Target, record: Record, report: RfbReport | None) -> None:
        if record.result == "probe_error":
            self._tell(target, record.detail, "Raise the limits of this machine (ulimit -n), or probe fewer consoles.")
        if report is not None and report.locked:
            advice = "Only its handshake is measured; give password_file=FILE or vnc+tls:// where it may be opened."
            self._tell(target, report.locked, advice)
        if report is not None and report.name and not report.name.startswith(QEMU):
            advice = "It may be told to disconnect others whatever a viewer asks for: then write modes=handshake."
            self._tell(target, "it is a VNC server other than QEMU", advice)
        now = asyncio.get_running_loop().time()
        if record.result == "refused" and COUNTED.search(record.detail):
            self._left_alone[target.key] = now + COUNTED_S
            advice = f"It is left alone for {COUNTED_S / 60:g} minutes; give its password: then visits count as logins."
            self._tell(target, f"it counts handshakes as failed logins ({record.detail})", advice)
        if record.result == "auth_failed":
            self._paused[target.key] = now + PAUSE_S
            advice = f"Only its handshake is measured for {PAUSE_S / 60:g} minutes; correct password or certificates."
            self._tell(target, record.detail, advice)

    def _tell(self, target: Target, what: str, remedy: str) -> None:
        """Once for each console and kind of trouble."""
        if (target.key, remedy) not in self._reported:
            self._reported.add((target.key, remedy))
            self.complain(BrownoutError(f"{target.name}: {what}.", remedy=remedy))
