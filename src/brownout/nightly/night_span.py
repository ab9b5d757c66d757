"""Spans of a night: how far back it looks, which window it searches, and where its data end."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from brownout.domain.errors import HistoryError
from brownout.domain.ports import SampleStore
from brownout.numerics.slots import days
from brownout.settings import Settings

__all__ = ["JUDGED_FROM", "LEARNED_SHARE", "SAME_HOURS_FROM", "NightSpan"]

LEARNED_SHARE = 0.3
"""Share of a short history that is only learned from, before the window searched for episodes begins."""
JUDGED_FROM = days(1)
"""History from which on anything is judged by its own past."""
SAME_HOURS_FROM = days(3)
"""History from which on an incident is compared with the same hours of earlier days."""


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
