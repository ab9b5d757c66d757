"""What people said about episodes, and what follows from it for like ones."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from brownout.domain.encoding import Instant
from brownout.domain.findings import Episode

__all__ = ["ABOUT", "Said", "Verdict"]

MARGIN = 1.15
"""How much more severe than one called false an episode of its kind must be to be alarmed again."""
ABOUT = np.timedelta64(2 * 3_600_000, "ms")
"""How far from the time of day of an expected episode its like are expected."""


class Said(StrEnum):
    """What someone said about an episode."""

    FALSE = "false"
    TRUE = "true"
    EXPECTED = "expected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What someone said about an episode; a later verdict on the same episode replaces an earlier one.

    Attributes
    ----------
    episode
        The episode as it was known then.
    said
        What it was called: false, true or expected.
    at
        When it was said.
    """

    episode: Episode
    said: Said
    at: Instant

    @property
    def bar(self) -> float:
        """The severity that like episodes must reach after a false one; 1.0 = the alarm boundary."""
        return MARGIN * self.episode.severity

    @property
    def effect(self) -> str:
        """What follows for like episodes: the same metric of the same entity leads."""
        if self.said is Said.FALSE:
            return f"like ones must reach a severity of {self.bar:.2f}"
        if self.said is Said.EXPECTED:
            first, last = (str(self.episode.start + shift)[11:16] for shift in (-ABOUT, ABOUT))
            return f"like ones that begin between {first} and {last} UTC are not alarmed"
        return f"like ones from a severity of {self.episode.severity:.2f} on are alarmed whatever else was said"
