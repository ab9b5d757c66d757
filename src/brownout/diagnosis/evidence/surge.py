"""Surges: how far a series known by its role only rose, and stayed, above what its own baseline holds as long.

A surge is a difference of logarithms in units of what the metric does among the peers anyway: 0 is no more than usual.
Three things make surges of different metrics, entities and intervals comparable. The logarithm starts at a tenth of
what is usual among the peers, so that a service that idles does not surge by waking up. A rise counts only for as long
as it holds, in seconds, and what the baseline reaches now and then for as long is taken away. And detection may come
early or late: the slots just before an incident belong to it, not to its baseline, the first onset
is located, all before it is baseline, and what is early is told from it, not from the start that was given.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from brownout.domain.panel import Float, Index, Marks, Panel
from brownout.numerics.order_statistics import median, quantile, quantiles
from brownout.numerics.slots import nearest_slots, whole_slots

__all__ = ["Surge", "smooth", "surges"]

LATE_S = 150.0
"""How late detection may come: so long before an incident nothing is baseline, but at most a third of the past."""
HOLD_S = 30.0
"""A rise counts as far as it holds so long, at least two slots."""
HELD = 0.25
"""Share of the time held in which the level may be lower."""
SMOOTH_S = 15.0
"""Samples are medians over so long; so long before an onset is not baseline either."""
EARLY_S = 30.0
"""From the first onset on, movements within so long and a slot are early: what comes later may be a reaction."""
LEAST_BASELINE = 4
"""Values that make a baseline."""
REACH = 0.95
"""What the baseline exceeds for a twentieth of the time is what it reaches now and then."""
PEER_SHARE = 0.1
"""Share of the usual level of the peers at which the logarithm starts."""
IDLE_SHARE = 0.001
"""Share of the highest level up to which an entity idles, and is no peer."""
UNIT_SPREADS, LEAST_SPREAD = 5.0, 0.05
"""Spreads that make a unit, of the series or of a usual peer, whichever strays more, and the least spread."""
STRONGEST, ONSET_SHARE = 2.0, 0.5
"""Surges count towards the first onset from this share of the strongest on, which counts as no more than this."""
TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Surge:
    """``whole`` and ``early`` surge, and the value at the ``peak``; ``onset`` is when half of the surge was reached."""

    whole: float
    early: float
    peak: float
    onset: np.datetime64


@dataclass(frozen=True, eq=False)
class _Course:
    """Surge of each series of a panel at each time at which it may have begun, ``[entity, time, metric]``."""

    panel: Panel
    first: int
    surge: Float
    peak: Float
    seen: Marks

    @property
    def whole(self) -> Float:
        """Largest surge ``[entity, metric]``."""
        largest: Float = np.maximum(np.nan_to_num(quantile(self.surge, 1.0, method="lower")), 0)
        return largest

    @property
    def onsets(self) -> Index:
        """Slots ``[entity, metric]`` of the change points: from there on the series is most above half of its surge."""
        above = np.nan_to_num(self.surge - ONSET_SHARE * self.whole[:, None])
        onsets: Index = self.first + above[:, ::-1].cumsum(axis=1)[:, ::-1].argmax(axis=1)
        return onsets

    def time(self, slot: int) -> np.datetime64:
        """Time of a slot."""
        time: np.datetime64 = self.panel.start + slot * self.panel.step
        return time


def surges(panels: Sequence[Panel], start: np.datetime64, end: np.datetime64) -> Mapping[tuple[str, str], Surge]:
    """Surges by entity and metric of the metrics that no kind of entity carries by name."""
    parts = [part for panel in panels if (part := _generic(panel)) is not None]
    level = _peer_levels(parts, start)
    found = [_course(part, _earliest(part, start), end, level) for part in parts]
    first = _first_onset([course for course in found if course is not None])
    if first is not None:  # what lies before the onset is baseline, what lies after it is not
        found = [_course(part, max(_earliest(part, start), _just_before(part, first)), end, level) for part in parts]
    courses = [course for course in found if course is not None]
    table: dict[tuple[str, str], Surge] = {}
    for course in courses:
        table |= _told(course, first)
    return table


def _generic(panel: Panel) -> Panel | None:
    columns = [column for column, metric in enumerate(panel.metrics) if not metric.entity_kinds]
    return panel.select(metrics=columns) if columns and panel.entities else None


def _peer_levels(panels: Sequence[Panel], start: np.datetime64) -> Mapping[str, float]:
    """Median of the usual level of each metric over the entities that do not idle."""
    levels: dict[str, list[float]] = {}
    for panel in panels:
        usual = np.abs(quantile(panel.between(panel.start, start).values, 0.5, method="lower"))
        for column, name in enumerate(panel.metric_names):
            levels.setdefault(name, []).extend(usual[np.isfinite(usual[:, column]), column].tolist())
    return {name: _of_busy(np.array(values), np.array(values)) for name, values in levels.items()}


def _of_busy(values: Float, levels: Float) -> float:
    """Median of values ``[entity]`` over the entities that do not idle, 0 where there are none."""
    known = np.isfinite(values) & np.isfinite(levels)
    busy = known & (levels > IDLE_SHARE * np.max(levels, initial=0.0, where=known))
    return float(np.median(values[busy])) if busy.any() else 0.0


def _earliest(panel: Panel, start: np.datetime64) -> int:
    """The slot from which on an incident may have begun."""
    first = panel.slot(start)
    return first - min(-int(-LATE_S // panel.interval_s), max(first, 0) // 3)


def _just_before(panel: Panel, onset: np.datetime64) -> int:
    return panel.slot(onset) - whole_slots(SMOOTH_S, panel.interval_s)


def _course(panel: Panel, begin: int, end: np.datetime64, level: Mapping[str, float]) -> _Course | None:
    step = panel.interval_s
    values = smooth(panel.values, nearest_slots(SMOOTH_S, step) // 2)
    past, within = values[:, :begin], values[:, begin : max(panel.slot(end), begin + 1)]
    if begin < LEAST_BASELINE or not within.shape[1]:
        return None
    floor = np.array([PEER_SHARE * level[name] + TINY for name in panel.metric_names], np.float32)
    usual = np.maximum(quantile(past, 0.5, method="lower"), 0)
    base = usual + floor
    hold = min(nearest_slots(HOLD_S, step, least=2), within.shape[1], past.shape[1])
    usually, now = (_held(_log((np.maximum(part, 0) + floor) / base[:, None]), hold) for part in (past, within))
    low, reach = quantiles(usually, (1 - REACH, REACH), method="lower")
    spread = (reach - low) / 3.29
    peers = [_of_busy(*column) for column in zip(spread.T, usual.T, strict=True)]
    unit = UNIT_SPREADS * (np.fmax(spread, np.array(peers, np.float32))[:, None] + LEAST_SPREAD)
    seen = (np.isfinite(past).sum(axis=1) >= LEAST_BASELINE) & np.isfinite(within).any(axis=1)
    surge = ((now - np.maximum(reach, 0)[:, None]) / unit).astype(np.float32)
    return _Course(panel, begin, surge, quantile(within, 1.0, method="lower"), seen)


def _first_onset(courses: Sequence[_Course]) -> np.datetime64 | None:
    """When the first of the strong surges began; None where nothing surged."""
    wholes = [np.where(course.seen, np.minimum(course.whole, STRONGEST), 0) for course in courses]
    strongest = max((float(whole.max(initial=0.0)) for whole in wholes), default=0.0)
    if strongest <= 0:
        return None
    return min(
        course.time(int(course.onsets[whole >= ONSET_SHARE * strongest].min()))
        for course, whole in zip(courses, wholes, strict=True)
        if (whole >= ONSET_SHARE * strongest).any()
    )


def _told(course: _Course, first: np.datetime64 | None) -> Mapping[tuple[str, str], Surge]:
    panel, whole, onsets = course.panel, course.whole, course.onsets
    begin = course.first if first is None else panel.slot(first)
    last = begin - course.first + int(EARLY_S // panel.interval_s) + 1
    early = np.maximum(np.nan_to_num(quantile(course.surge[:, : max(last, 1)], 1.0, method="lower")), 0)
    return {
        (panel.entity_ids[row], panel.metric_names[column]): Surge(
            float(whole[row, column]),
            float(early[row, column]),
            float(course.peak[row, column]),
            course.time(int(onsets[row, column])),
        )
        for row, column in zip(*np.nonzero(course.seen), strict=True)
    }


def _held(values: Float, slots: int) -> Float:
    """What each slot and the ``slots`` - 1 after it hold: their lower median; windows lie within the values."""
    count = values.shape[1] - slots + 1
    return quantile(np.stack([values[:, k : k + count] for k in range(slots)]), HELD, axis=0, method="lower")


def smooth(values: Float, near: int = 1) -> Float:
    """Median over time of each slot and ``near`` on both sides, of what is measured; ``[entity, time, metric]``."""
    if near < 1:
        return values
    padded = np.pad(values, ((0, 0), (near, near), (0, 0)), constant_values=np.nan)
    return median(np.stack([padded[:, k : k + values.shape[1]] for k in range(2 * near + 1)]), axis=0)


def _log(ratio: Float) -> Float:
    return np.log(np.maximum(ratio, TINY)).astype(np.float32)
