"""What the night before found, in short: what a report compares itself with."""

from dataclasses import dataclass

from brownout.domain.encoding import Instant
from brownout.domain.forecasts import Series

__all__ = ["EarlierIncident", "EarlierNight"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierIncident:
    """An incident as the night before told it.

    Attributes
    ----------
    id
        Its id, which is the same in both nights.
    title
        Title of its most probable cause.
    entity
        Where that sat.
    open
        Whether it was going on.
    """

    id: str
    title: str
    entity: str
    open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierNight:
    """The night before, in short.

    Attributes
    ----------
    end
        End of its data.
    incidents
        What it told.
    breaches
        Limits that it said would be crossed, or were.
    slow
        Consoles that were too slow then.
    """

    end: Instant
    incidents: tuple[EarlierIncident, ...]
    breaches: tuple[Series, ...]
    slow: tuple[str, ...]
