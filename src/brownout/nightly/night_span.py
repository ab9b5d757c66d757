"""Spans of a night: how far back it looks, which window it searches, and where its data end."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

import numpy as np

from brownout.domain.errors import HistoryError
from brownout.domain.ports import SampleStore
from brownout.numerics.slots import days
from brownout.settings import Settings

__all__ = ["LEARNED_SHARE", "NightSpan"]

LEARNED_SHARE = 0.3
"""Share of a short history that is only learned from, before the window searched for episodes begins."""


AHEAD = days(1)
"""How far after what most entities have a sample must lie for its clock to be doubted."""
FEW = 0.1
"""Share of the entities that can be ahead of all others; more of them are right, and the others have stopped."""
CONTINUOUS = 0.5
"""Share of the samples due since then that tells an entity that goes on from one whose clock is ahead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NightSpan:
    """``first`` sample, start of the ``window`` searched for episodes, and ``end`` just after the last sample.

    ``ahead`` counts, by entity, rows after the end: single ones, long after everything else.
    """

    first: np.datetime64
    window: np.datetime64
    end: np.datetime64
    ahead: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, store: SampleStore, settings: Settings) -> Self:
        """Span of a store; raises HistoryError where it has no samples."""
        spans = store.spans()
        if not spans:
            raise HistoryError(f"The history of {store.name} has no samples.", remedy="Sync a source that has data.")
        first = min(span.first for span in spans.values())
        most = np.sort(np.array([span.last for span in spans.values()], "datetime64[ms]"))
        line = most[int((1 - FEW) * (len(most) - 1))]
        ahead = _ahead(store, line)
        end = max(span.last for name, span in spans.items() if name not in ahead) + np.timedelta64(1, "ms")
        ahead = {name: rows for name, rows in ahead.items() if spans[name].last >= end}
        learned = first + (end - first) * LEARNED_SHARE
        return cls(first=first, window=max(end - days(settings.detect.window_days), learned), end=end, ahead=ahead)


def _ahead(store: SampleStore, line: np.datetime64) -> dict[str, int]:
    """Rows after a line of entities that have a few samples more than a day after it, and not one in each interval."""
    doubted = {name: span for name, span in store.spans().items() if span.last > line + AHEAD}
    found = {}
    for name, span in doubted.items():
        rows = store.read([name], start=line + np.timedelta64(1, "ms")).num_rows
        due = (span.last - line) / np.timedelta64(span.interval_s, "s")
        if rows < CONTINUOUS * due:
            found[name] = rows
    return found
