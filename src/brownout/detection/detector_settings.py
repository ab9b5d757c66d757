"""Settings of detection."""

from dataclasses import dataclass

from brownout.domain.errors import SettingsError
from brownout.numerics.slots import nearest_slots

__all__ = ["DetectorSettings", "EpisodeSettings"]


@dataclass(frozen=True, kw_only=True)
class DetectorSettings:
    """Size of the forest, and how often it may alarm.

    Attributes
    ----------
    trees, samples
        Trees of the forest and rows that each one sees.
    rows
        Most rows of features used for training, whatever the size of the fleet.
    level_alarms_per_day, margin
        An episode begins ``margin`` times as far from the median as the level that an entity exceeds so often on normal
        days. The rate is one that a few weeks of history can tell; rarer ones would have to be extrapolated.
    new_alarms_per_day
        How often a day a novelty score may raise a new alarm of an entity on normal days.
    """

    trees: int = 100
    samples: int = 512
    rows: int = 40_000
    level_alarms_per_day: float = 0.1
    margin: float = 1.1
    new_alarms_per_day: float = 0.2
    seed: int = 0

    def __post_init__(self) -> None:
        if (
            min(self.trees, self.samples, self.rows) < 1
            or min(self.level_alarms_per_day, self.new_alarms_per_day, self.margin) <= 0
        ):
            msg = f"A forest of {self.trees} trees, {self.samples} samples and {self.rows} rows cannot be grown."
            raise SettingsError(msg, remedy="Give positive numbers.")


@dataclass(frozen=True, kw_only=True)
class EpisodeSettings:
    """When slots above the alarm boundary become an episode.

    Attributes
    ----------
    clear
        An episode ends when the score stays below this share of the boundary for ``clear_minutes``.
    least_slots, least_minutes
        Slots above the boundary that an episode must have, as many and so long, unless one of them reaches ``obvious``.
    obvious
        Score from which one slot alone makes an episode.
    mover_from, most_movers
        Deviation, in usual spreads, from which a metric counts as one that moved, and how many of them are named.
    """

    clear: float = 0.8
    clear_minutes: float = 30.0
    least_slots: int = 3
    least_minutes: float = 3.0
    obvious: float = 1.6
    mover_from: float = 4.0
    most_movers: int = 8

    def least_slots_of(self, interval_s: int) -> int:
        """Number of slots above the boundary that an episode must have."""
        return nearest_slots(self.least_minutes * 60, interval_s, least=self.least_slots)

    def clearing_slots(self, interval_s: int) -> int:
        """Number of slots below the clearing line after which an episode is over."""
        return nearest_slots(self.clear_minutes * 60, interval_s)
