"""Levels that have become usual: a lasting shift is accepted after a stated time, what follows is judged from there.

A metric whose values have differed from those of the days before by about the same amount for the stated time has a new
level. What lies before is moved by the difference, so that what is expected, how far it strays and what was ever seen
speak of the new level; scores from the acceptance on are made anew.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from brownout.detection.detector_settings import EpisodeSettings
from brownout.detection.episodes.segmentation import find_episodes
from brownout.detection.forest.detector import IsolationForestDetector
from brownout.domain.findings import AnomalyScores, Episode, Mover, Shift
from brownout.domain.forecasts import Series
from brownout.domain.metrics import Worse
from brownout.domain.panel import Float, Panel
from brownout.numerics.order_statistics import median, quantile
from brownout.numerics.slots import HOUR_S, nearest_slots, slots_per_day

__all__ = ["lasting_shifts", "moved_to_new_level", "rescored_after_shifts", "with_accepted_shifts"]

LAGS = 3
"""Days before the shift that its values are compared with."""
STEADY = 0.25
"""Share of the shift by which its two halves may differ."""
SIDE = 0.9
"""Share of samples that must lie beyond half of the shift."""
MEASURED = 0.5
"""Share of samples that must be there."""
PASSES = 3
"""A level that shifts again after it was accepted is found in another pass."""


def lasting_shifts(found: Sequence[Episode], panel: Panel, hours: float) -> tuple[Shift, ...]:
    """Shifts that began in an episode and have lasted so long.

    Never accepted are levels beyond their metric's limit, and levels of what there was nothing of before and should be
    nothing of: a degraded array does not become usual.
    """
    width = nearest_slots(hours * HOUR_S, panel.interval_s, least=2)
    slack = np.timedelta64(round(EpisodeSettings().clear_minutes * 60_000), "ms")
    first: dict[Series, Shift] = {}
    for episode in sorted(found, key=lambda one: one.start):
        for mover in episode.movers:
            # A stray sample long before the episode is not where the level shifted.
            onset = max(mover.onset, episode.start - slack)
            shift = None if mover.series in first else _shift(panel, mover, onset, width)
            if shift is not None:
                first[mover.series] = shift
    return tuple(first.values())


def _shift(panel: Panel, mover: Mover, moved: np.datetime64, width: int) -> Shift | None:
    """The shift of a metric from its onset on, by an amount or else by a factor, None where it did not last."""
    row, column = panel.entity_ids.index(mover.series.entity), panel.metric_names.index(mover.series.metric)
    onset, metric = panel.slot(moved), panel.metrics[column]
    within = panel.values[row, onset : onset + width, column]
    if onset < 0 or len(within) < width or np.isfinite(within).mean() < MEASURED:
        return None
    before = _before(panel.values[row, :, column], onset, width, panel.interval_s)
    level = float(median(within))
    by, factor = _steady(within - before), False
    if by is None and np.nanmin(within) > 0 and np.nanmin(before, initial=np.inf) > 0:
        by, factor = _steady(np.log(within) - np.log(before)), True
    if by is None or metric.exceeds(level):
        return None
    usual = level / float(np.exp(by)) if factor else level - by
    if metric.worse is Worse.UP and not median(before):
        return None
    at = moved + width * panel.step
    return Shift(series=mover.series, onset=moved, at=at, usual=usual, level=level, factor=factor)


def _steady(change: Float) -> float | None:
    """The median change ``[time]``, None where it is none or its halves or too many of its samples differ."""
    halves = [half[np.isfinite(half)] for half in np.array_split(change, 2)]
    if min(len(half) for half in halves) < MEASURED * len(change) / 2:
        return None
    known = np.concatenate(halves)
    by, apart = float(np.median(known)), abs(float(np.median(halves[0]) - np.median(halves[1])))
    if by == 0 or apart > STEADY * abs(by) or (known / by >= 0.5).mean() < SIDE:
        return None
    return by


def _before(series: Float, onset: int, width: int, interval_s: int) -> Float:
    """Median of the same times on the days before the onset, ``[time]``."""
    day = slots_per_day(interval_s)
    first = -(-width // day)
    slots = np.arange(onset, onset + width)
    days = [slots - day * lag for lag in range(first, first + LAGS)]
    stack = np.stack([np.where(place >= 0, series[np.maximum(place, 0)], np.nan) for place in days])
    return quantile(stack, 0.5, axis=0, method="lower")


def moved_to_new_level(panel: Panel, shifts: Sequence[Shift]) -> Panel:
    """The panel with all that lies before each shift moved to its level, the earliest shift first."""
    values = panel.values.copy()
    for shift in sorted(shifts, key=lambda one: one.onset):
        row, column = panel.entity_ids.index(shift.series.entity), panel.metric_names.index(shift.series.metric)
        past = values[row, : max(panel.slot(shift.onset), 0), column]
        past[:] = past * (shift.level / shift.usual) if shift.factor else past + (shift.level - shift.usual)
    return replace(panel, values=values)


def rescored_after_shifts(
    detector: IsolationForestDetector,
    scores: AnomalyScores,
    panel: Panel,
    shifts: Sequence[Shift],
    hours: float,
) -> tuple[AnomalyScores, tuple[Shift, ...]]:
    """Scores with those from each acceptance on made anew, and all shifts: those given and those found on the way."""
    known = [one for one in shifts if one.series.entity in panel.entity_ids and one.series.metric in panel.metric_names]
    found = scores if not known else _made_anew(detector, scores, panel, known)
    for _ in range(PASSES):
        new = [
            s
            for s in lasting_shifts(find_episodes(found, panel), panel, hours)
            if not any(_same(s, old) for old in known)
        ]
        if not new:
            break
        known += new
        found = _made_anew(detector, scores, panel, known)
    return found, tuple(known)


def with_accepted_shifts(found: Sequence[Episode], shifts: Sequence[Shift]) -> list[Episode]:
    """Episodes with the shifts that began within them and were accepted since."""
    slack = np.timedelta64(round(EpisodeSettings().clear_minutes * 60_000), "ms")

    def own(episode: Episode) -> tuple[Shift, ...]:
        return tuple(
            shift
            for shift in shifts
            if shift.series.entity == episode.entity and episode.start - slack <= shift.onset < episode.end
        )

    return [replace(episode, shifts=own(episode)) for episode in found]


def _same(one: Shift, other: Shift) -> bool:
    """Whether two shifts are the same: found from another begin of the data, the onset may differ."""
    return one.series == other.series and bool(one.onset < other.at and other.onset < one.at)


def _made_anew(
    detector: IsolationForestDetector, scores: AnomalyScores, panel: Panel, shifts: Sequence[Shift]
) -> AnomalyScores:
    """Scores of the entities of shifts, from each acceptance on by the panel with all shifts accepted until then."""
    if scores.levels is None:
        return scores
    levels, novelties, deviations = scores.levels.copy(), scores.scores.copy(), scores.deviations.copy()
    first = panel.slot(scores.times[0])
    for at in sorted({shift.at for shift in shifts}):
        until = [shift for shift in shifts if shift.at <= at]
        names = {shift.series.entity for shift in until if shift.at == at}
        rows = [row for row, name in enumerate(panel.entity_ids) if name in names]
        begin = max(panel.slot(at), first)
        if begin >= panel.values.shape[1]:
            continue
        own = moved_to_new_level(panel, until).select(entities=rows)
        again = detector.score(own, begin)
        levels[rows, begin - first :] = again.scores if again.levels is None else again.levels
        novelties[rows, begin - first :] = again.scores
        deviations[rows, begin - first :] = again.deviations
    return replace(scores, levels=levels, scores=novelties, deviations=deviations)
