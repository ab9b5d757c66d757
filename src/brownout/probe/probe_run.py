"""A run of the probe: consoles, rounds, its own lag, and where points go."""

import asyncio
import contextlib
import gc
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from brownout.domain.errors import BrownoutError, SettingsError
from brownout.probe.console_list import Consoles
from brownout.probe.lag import OwnLag
from brownout.probe.link.connection import Connector
from brownout.probe.link.resolver import Resolver
from brownout.probe.points import Point
from brownout.probe.probe_settings import ProbeSettings
from brownout.probe.prober import Prober
from brownout.probe.rounds import Rounds
from brownout.probe.stress import Step, StressSettings, stress

__all__ = ["Run"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Everything a run needs.

    Attributes
    ----------
    deliver
        Takes points as they come; must not wait.
    begin
        Waits for what begins a round and says whether there is one; None = the clock.
    trust
        Checks the certificates of TLS servers.
    """

    settings: ProbeSettings
    consoles: Consoles
    complain: Callable[[BrownoutError], None]
    trust: ssl.SSLContext
    deliver: Callable[[list[Point]], None]
    begin: Callable[[], Awaitable[bool]] | None = None

    async def stress(self, settings: StressSettings, tell: Callable[[Step], None]) -> list[Step]:
        """Open more and more sessions of the consoles that there are now."""
        await self.consoles.refresh(strict=True)
        targets = self.consoles.now()
        if not targets:
            raise SettingsError("No console is there that could be opened.", remedy="Give vnc://HOST:PORT or a file.")
        connector = Connector(trust=self.trust, resolver=Resolver(), seconds=self.settings.timeout_s)
        try:
            return await stress(Prober(self.settings, connector, self.complain).probe, targets, settings, tell)
        finally:
            connector.resolver.close()

    async def until(self, stop: asyncio.Event) -> None:
        """Run the rounds, or until ``stop`` is set."""
        await self.consoles.refresh(strict=True)
        if not self.consoles.now() and not self.consoles.sources:
            raise SettingsError("Nothing is named that could be probed.", remedy="Give vnc://HOST:PORT or a file.")
        if not self.consoles.now():
            self.complain(BrownoutError("No console is there that could be probed.", remedy="See that guests run."))
        connector = Connector(trust=self.trust, resolver=Resolver(), seconds=self.settings.timeout_s)
        lag = OwnLag(connector.connect)
        prober = Prober(self.settings, connector, self.complain, lambda: lag.latest_ms)
        rounds = Rounds(self.settings, prober.probe, self.consoles.now, self.deliver)
        gc.freeze()  # what was imported lives as long as this runs: collecting it again costs milliseconds each time
        helpers = [asyncio.create_task(lag.run()), asyncio.create_task(self.consoles.keep_fresh())]
        main, stopped = asyncio.create_task(rounds.run(self.begin)), asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({main, stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*helpers, stopped):
                task.cancel()
            if not main.done():
                main.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await main
            await rounds.stop()
            connector.resolver.close()
