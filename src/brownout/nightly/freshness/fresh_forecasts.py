"""What may be told as a forecast: nothing of what is silent, and nothing that lies before the clock."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from brownout.domain.findings import Freshness
from brownout.domain.forecasts import Breach

__all__ = ["only_future", "silent_entities"]


def silent_entities(freshness: Freshness) -> frozenset[str]:
    """Entities of which nothing is measured any more, whatever the reason."""
    return frozenset(name for s in freshness.silences if s.whole for name in (s.entity, *s.below))


def only_future(breaches: Iterable[Breach], freshness: Freshness) -> tuple[Breach, ...]:
    """Breaches of what is still measured, whose dates lie after the clock; none where all telemetry has stopped.

    Of a breach whose dates begin before the clock and end after it the earlier ones become the time of the clock.
    """
    if freshness.stale:
        return ()
    silent, gone = silent_entities(freshness), _silent_series(freshness)
    upcoming = []
    for breach in breaches:
        series = breach.series
        if series.entity in silent or (series.entity, series.metric) in gone:
            continue
        if breach.exceeded or breach.latest is None or breach.latest > freshness.at:
            upcoming.append(_clipped(breach, freshness.at))
    return tuple(upcoming)


def _silent_series(freshness: Freshness) -> frozenset[tuple[str, str]]:
    return frozenset((s.entity, metric) for s in freshness.silences if not s.whole for metric in s.metrics)


def _clipped(breach: Breach, at: np.datetime64) -> Breach:
    earliest, likely = (None if time is None else max(time, at) for time in (breach.earliest, breach.likely))
    return replace(breach, earliest=earliest, likely=likely)
