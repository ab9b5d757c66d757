"""What a probe does, how often and how patiently."""

from dataclasses import dataclass, field

from brownout.domain.errors import SettingsError
from brownout.probe.link.connection import SECONDS

__all__ = ["MODES", "ProbeSettings"]

MODES = ("handshake", "update", "full", "window")
"""Modes that can be asked for; ``canary`` is asked for by naming guests that are prepared for keys."""
EVERY_S = {"handshake": 0.0, "update": 30.0, "full": 60.0, "window": 60.0, "canary": 60.0}
"""Seconds between two of a mode: each at least once a slot of the history."""
LONGEST_WINDOW_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeSettings:
    """Frozen settings of a run.

    Attributes
    ----------
    interval_s
        Seconds between two connections to one console.
    count
        Rounds; 0 = endless.
    modes
        What is measured, of ``MODES``.
    inject
        Names of guests that are prepared for a key being pressed in them; no other ever gets one.
    vantage, host
        Tags: where users sit, the machine that probes.
    concurrency
        Most connections at one time.
    """

    interval_s: float = 10.0
    count: int = 0
    timeout_s: float = SECONDS
    modes: frozenset[str] = frozenset({"handshake", "update"})
    inject: frozenset[str] = frozenset()
    window_s: float = 5.0
    vantage: str = ""
    host: str = ""
    password: str = field(default="", repr=False)
    anonymous_tls: bool = False
    concurrency: int = 128
    every_round: bool = False
    """Whether all modes are measured in every round, as a baseline wants it."""
    seed: int = 0

    def __post_init__(self) -> None:
        if unknown := sorted(self.modes - set(MODES)):
            raise SettingsError(f"The mode {unknown[0]!r} is unknown.", remedy=f"Choose of {', '.join(MODES)}.")
        if not 0 < self.timeout_s <= SECONDS:
            msg = f"A time-out of {self.timeout_s:g} s cannot be used."
            raise SettingsError(msg, remedy=f"Give more than 0 and at most {SECONDS:g} s: slower is a time-out.")
        if self.interval_s <= 0:
            raise SettingsError(f"An interval of {self.interval_s:g} s cannot be used.", remedy="Give more than 0 s.")
        if not 0 < self.window_s <= LONGEST_WINDOW_S:
            msg = f"A window of {self.window_s:g} s cannot be used."
            raise SettingsError(msg, remedy=f"Give more than 0 and at most {LONGEST_WINDOW_S:g} s.")

    def due(self, mode: str, number: int) -> bool:
        """Whether a mode is measured in a round, counted from 0; all are in the first."""
        if mode == "canary" or mode in self.modes:
            return self.every_round or number % max(1, round(EVERY_S[mode] / self.interval_s)) == 0
        return False
