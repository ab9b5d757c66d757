"""Calendars: windows of maintenance, in which entities are neither learned from nor alarmed about."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from fnmatch import fnmatchcase
from typing import Protocol

import numpy as np

from brownout.domain.encoding import Instant
from brownout.domain.entities import Topology
from brownout.domain.panel import Marks, Panel

__all__ = ["Announced", "Calendar", "Listed", "Maintenance", "Weekday"]

Spans = list[tuple[np.datetime64, np.datetime64]]
Weekday = int
"""0 = Monday."""


class Listed(Protocol):
    """Events that another calendar lists."""

    def between(self, start: np.datetime64, end: np.datetime64) -> Sequence[tuple[np.datetime64, np.datetime64]]:
        """Spans that overlap start to end (exclusive), UTC, in order; each whole."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """A window of maintenance: once, on days of the week, on dates, or whenever another calendar lists an event.

    Attributes
    ----------
    entities
        Patterns of ids, ``*`` and ``?`` allowed; everything below an entity is covered with it.
    once
        Start and end (exclusive), UTC; None for a window that recurs.
    weekdays, dates
        Local days on which it begins at ``opens``; it ends at ``closes``, on the next day where that is not later.
    zone
        Time zone of the days and times.
    listed
        The events of another calendar, in place of all of these.
    """

    name: str
    entities: tuple[str, ...]
    once: tuple[np.datetime64, np.datetime64] | None = None
    weekdays: tuple[Weekday, ...] = ()
    dates: tuple[date, ...] = ()
    opens: time = time()
    closes: time = time()
    zone: tzinfo = UTC
    listed: Listed | None = None

    def spans(self, start: np.datetime64, end: np.datetime64) -> Spans:
        """Spans that overlap start to end (exclusive), UTC, in order; each whole."""
        if self.listed is not None:
            spans = list(self.listed.between(start, end))
        elif self.once is not None:
            spans = [self.once]
        else:
            day = start.astype("datetime64[D]").astype(date) - timedelta(days=2)
            last = end.astype("datetime64[D]").astype(date) + timedelta(days=1)
            days = [day + timedelta(days=n) for n in range((last - day).days + 1)]
            spans = [self._on(day) for day in days if day.weekday() in self.weekdays or day in self.dates]
        return [(first, over) for first, over in spans if first < end and over > start]

    def _on(self, day: date) -> tuple[np.datetime64, np.datetime64]:
        until = day + timedelta(days=self.closes <= self.opens)
        opens, closes = datetime.combine(day, self.opens, self.zone), datetime.combine(until, self.closes, self.zone)
        # A local time that the clocks skip or repeat has two readings: the window covers both.
        return min(_utc(opens), _utc(opens.replace(fold=1))), max(_utc(closes), _utc(closes.replace(fold=1)))

    def covers(self, entity: str, topology: Topology, time: np.datetime64 | None = None) -> bool:
        """Whether the window is for an entity or one of its ancestors (at a time, or now)."""
        names = (entity, *topology.ancestors(entity, time))
        return any(fnmatchcase(name, pattern) for name in names for pattern in self.entities)

    def unknown(self, topology: Topology) -> tuple[str, ...]:
        """Patterns that match no entity."""
        return tuple(p for p in self.entities if not any(fnmatchcase(entity.id, p) for entity in topology))


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """A span of maintenance: nothing in it is searched for incidents or learned from.

    Attributes
    ----------
    name
        What it is called.
    start
        When it begins.
    end
        When it ends (exclusive).
    entities
        How many entities it covers.
    unknown
        Its patterns that no entity has.
    """

    name: str
    start: Instant
    end: Instant
    entities: int
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Calendar:
    """All windows of maintenance."""

    windows: tuple[Maintenance, ...] = ()

    def without(self, panel: Panel, topology: Topology) -> Panel:
        """The panel with all values within a window of maintenance as if they had not been measured."""
        closed = self._closed(panel, topology)
        if not closed.any():
            return panel
        return replace(panel, values=np.where(closed[..., None], np.float32(np.nan), panel.values))

    def announced(self, topology: Topology, start: np.datetime64, end: np.datetime64) -> tuple[Announced, ...]:
        """Spans of maintenance between start and end, in order, each with the patterns that match nothing."""
        spans = []
        for window in self.windows:
            covered = sum(window.covers(entity.id, topology) for entity in topology)
            spans += [
                Announced(name=window.name, start=first, end=last, entities=covered, unknown=window.unknown(topology))
                for first, last in window.spans(start, end)
            ]
        return tuple(sorted(spans, key=lambda span: (span.start, span.name)))

    def _closed(self, panel: Panel, topology: Topology) -> Marks:
        """Slots ``[entity, time]`` that lie in a window at least in part."""
        closed = np.zeros(panel.values.shape[:2], bool)
        for window in self.windows:
            spans = window.spans(panel.start, panel.end)
            if not spans:
                continue
            inside = _inside(panel, spans)
            for row, name in enumerate(panel.entity_ids):
                for start, end in topology.stays(name, panel.start, panel.end):
                    if window.covers(name, topology, start):
                        stay = slice(panel.slot(start), panel.slot(end - np.timedelta64(1, "ms")) + 1)
                        closed[row, stay] |= inside[stay]
        return closed


def _inside(panel: Panel, spans: Sequence[tuple[np.datetime64, np.datetime64]]) -> Marks:
    slots = panel.values.shape[1]
    inside = np.zeros(slots, bool)
    for first, last in spans:
        inside[max(panel.slot(first), 0) : max(panel.slot(last - np.timedelta64(1, "ms")) + 1, 0)] = True
    return inside


def _utc(moment: datetime) -> np.datetime64:
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "ms")
