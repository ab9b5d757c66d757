"""Spans of a night: how far back it looks, which window it searches, where its data end, and what it waits for."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
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


AHEAD = days(1)
"""How far after what most entities have a sample must lie for its clock to be doubted."""
FEW = 0.1
"""Share of the entities that can be ahead of all others; more of them are right, and the others have stopped."""
CONTINUOUS = 0.5
"""Share of the samples due since then that tells an entity that goes on from one whose clock is ahead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NightSpan:
    """``first`` sample, start of the ``window`` searched for episodes, and ``end`` just after the last sample.

    ``ahead`` counts, by entity, rows after the end: single ones, long after everything else. ``looked_from`` is the end
    of the pass of watch that this one goes on from: how far back forecasts look follows from it.
    """

    first: np.datetime64
    window: np.datetime64
    end: np.datetime64
    ahead: Mapping[str, int] = field(default_factory=dict)
    looked_from: np.datetime64 | None = None

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


def waiting_for(span: NightSpan, newcomers: Collection[str] = ()) -> tuple[str, ...]:
    """Sentences for people, one for each part that waits; none once there is enough of the past.

    ``newcomers`` are entities whose own first day is not over, in a history that is older.
    """
    past = span.end - span.first
    sentences = []
    if past < JUDGED_FROM:
        sentences.append(
            f"Abnormal behaviour is searched for from {_clock(span.first + JUDGED_FROM)} on: the history is "
            f"{_hours(past)} h long, and a day is needed to compare with. Until then only crossed limits are told."
        )
    elif newcomers:
        sentences.append(
            f"{len(newcomers)} entities are less than a day old and judged by their like, or not at all: "
            f"{', '.join(sorted(newcomers)[:10])}."
        )
    if past < SAME_HOURS_FROM:
        sentences.append(
            "Incidents are compared with the same hours of earlier days from "
            f"{_clock(span.first + SAME_HOURS_FROM)} on."
        )
    if past < OUTLOOK_FROM:
        sentences.append(
            f"What fills up or leaks is forecast for days from {_clock(span.first + OUTLOOK_FROM)} on; until then the "
            "forecast reaches as far as half of the history."
        )
    return tuple(sentences)


def _clock(time: np.datetime64) -> str:
    return f"{str(time.astype('datetime64[m]')).replace('T', ' ')} UTC"


def _hours(span: np.timedelta64) -> str:
    return f"{span / np.timedelta64(3_600_000, 'ms'):.1f}"


def _ahead(store: SampleStore, line: np.datetime64) -> dict[str, int]:
    """Rows after a line of entities that have a few samples more than a day after it, and not one in each interval."""
    doubted = {name: span for name, span in store.spans().items() if span.last > line + AHEAD}
    rows_ahead = {}
    for name, span in doubted.items():
        rows = store.read([name], start=line + np.timedelta64(1, "ms")).num_rows
        due = (span.last - line) / np.timedelta64(span.interval_s, "s")
        if rows < CONTINUOUS * due:
            rows_ahead[name] = rows
    return rows_ahead
