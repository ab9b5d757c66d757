"""Spans of a night: how far back it looks, which window it searches, where its data end, and what it waits for."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Self

import numpy as np

from brownout.domain.errors import HistoryError
from brownout.domain.ports import SampleStore
from brownout.numerics.slots import days
from brownout.settings import Settings

__all__ = ["JUDGED_FROM", "LEARNED_SHARE", "SAME_HOURS_FROM", "NightSpan", "waiting_for"]

LEARNED_SHARE = 0.3
"""Share of a short history that is only learned from, before the window searched for episodes begins."""
JUDGED_FROM = days(1)
"""History from which on anything is judged by its own past."""
SAME_HOURS_FROM = days(3)
"""History from which on an incident is compared with the same hours of earlier days."""

OUTLOOK_FROM = days(2)
"""An outlook reaches as far as half of the history: from here on it is of a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NightSpan:
    """``first`` sample, start of the ``window`` searched for episodes, and ``end`` just after the last sample."""

    first: np.datetime64
    window: np.datetime64
    end: np.datetime64

    @classmethod
    def of(cls, store: SampleStore, settings: Settings) -> Self:
        """Span of a store; raises HistoryError where it has no samples."""
        spans = store.spans().values()
        if not spans:
            raise HistoryError(f"The history of {store.name} has no samples.", remedy="Sync a source that has data.")
        first = min(span.first for span in spans)
        end = max(span.last for span in spans) + np.timedelta64(1, "ms")
        learned = first + (end - first) * LEARNED_SHARE
        return cls(first=first, window=max(end - days(settings.detect.window_days), learned), end=end)


def waiting_for(span: NightSpan, newcomers: Collection[str] = ()) -> tuple[str, ...]:
    """Sentences for people, one for each part that waits; none once there is enough of the past.

    ``newcomers`` are entities whose own first day is not over, in a history that is older.
    """
    past = span.end - span.first
    found = []
    if past < JUDGED_FROM:
        found.append(
            f"Abnormal behaviour is searched for from {_clock(span.first + JUDGED_FROM)} on: the history is "
            f"{_hours(past)} h long, and a day is needed to compare with. Until then only crossed limits are told."
        )
    elif newcomers:
        found.append(
            f"{len(newcomers)} entities are less than a day old and judged by their like, or not at all: "
            f"{', '.join(sorted(newcomers)[:10])}."
        )
    if past < SAME_HOURS_FROM:
        found.append(
            "Incidents are compared with the same hours of earlier days from "
            f"{_clock(span.first + SAME_HOURS_FROM)} on."
        )
    if past < OUTLOOK_FROM:
        found.append(
            f"What fills up or leaks is forecast for days from {_clock(span.first + OUTLOOK_FROM)} on; until then the "
            "forecast reaches as far as half of the history."
        )
    return tuple(found)


def _clock(time: np.datetime64) -> str:
    return f"{str(time.astype('datetime64[m]')).replace('T', ' ')} UTC"


def _hours(span: np.timedelta64) -> str:
    return f"{span / np.timedelta64(3_600_000, 'ms'):.1f}"
