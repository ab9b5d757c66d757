"""Level shifts: a lasting change of a metric's level is accepted as its new normal after a stated time.

A metric has a new level when, for the stated time, its values have differed from those of the days before by about the
same amount. Then everything before is moved by that amount, so that what is expected, how far it usually deviates and
which values were ever measured are all stated for the new level, and the slots from then on are scored again.
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
"""Days before the shift that the values after it are compared with."""
STEADY = 0.25
"""Share of the shift by which the first and the second half of the time after it may differ."""
SIDE = 0.9
"""Share of samples that must have moved by at least half of the shift."""
MEASURED = 0.5
"""Share of slots that must have been measured."""
PASSES = 3
"""Passes over the scores: a level that shifts again after it was accepted is found by the next one."""


def lasting_shifts(episodes: Sequence[Episode], panel: Panel, hours: float) -> tuple[Shift, ...]:
    """Level shifts that began in an episode and have lasted for so many hours; at most one of each series.

    Two kinds are never accepted: a level beyond the metric's limit, and a level of something that should not be there
    and was not there before, such as the failed disks of an array.
    """
    width = nearest_slots(hours * HOUR_S, panel.interval_s, least=2)
    slack = np.timedelta64(round(EpisodeSettings().clear_minutes * 60_000), "ms")
    first: dict[Series, Shift] = {}
    for episode in sorted(episodes, key=lambda episode: episode.start):
        for mover in episode.movers:
            # A stray sample long before the episode is not where the level shifted.
            onset = max(mover.onset, episode.start - slack)
            shift = None if mover.series in first else _shift(panel, mover, onset, width)
            if shift is not None:
                first[mover.series] = shift
    return tuple(first.values())


def _shift(panel: Panel, mover: Mover, moved: np.datetime64, width: int) -> Shift | None:
    """The shift of a metric from ``moved`` on, by an amount or else by a factor; None where it did not last."""
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
    """The median of the changes ``[time]``; None where it is 0, the two halves differ, or too few samples moved."""
    halves = [half[np.isfinite(half)] for half in np.array_split(change, 2)]
    if min(len(half) for half in halves) < MEASURED * len(change) / 2:
        return None
    known = np.concatenate(halves)
    by, apart = float(np.median(known)), abs(float(np.median(halves[0]) - np.median(halves[1])))
    if by == 0 or apart > STEADY * abs(by) or (known / by >= 0.5).mean() < SIDE:
        return None
    return by


def _before(series: Float, onset: int, width: int, interval_s: int) -> Float:
    """Lower median of the same times of day on the days before the onset, ``[time]``."""
    day = slots_per_day(interval_s)
    first = -(-width // day)
    slots = np.arange(onset, onset + width)
    days = [slots - day * lag for lag in range(first, first + LAGS)]
    stack = np.stack([np.where(day_slots >= 0, series[np.maximum(day_slots, 0)], np.nan) for day_slots in days])
    return quantile(stack, 0.5, axis=0, method="lower")


def moved_to_new_level(panel: Panel, shifts: Sequence[Shift]) -> Panel:
    """The panel with everything before each shift moved to the level after it, the earliest shift first."""
    values = panel.values.copy()
    for shift in sorted(shifts, key=lambda shift: shift.onset):
        row, column = panel.entity_ids.index(shift.series.entity), panel.metric_names.index(shift.series.metric)
        history = values[row, : max(panel.slot(shift.onset), 0), column]
        if shift.factor:
            history *= shift.level / shift.usual
        else:
            history += shift.level - shift.usual
    return replace(panel, values=values)


def rescored_after_shifts(
    detector: IsolationForestDetector,
    scores: AnomalyScores,
    panel: Panel,
    shifts: Sequence[Shift],
    hours: float,
) -> tuple[AnomalyScores, tuple[Shift, ...]]:
    """Scores with the slots after each accepted shift scored again, and all shifts: those given and those found now."""
    known = [s for s in shifts if s.series.entity in panel.entity_ids and s.series.metric in panel.metric_names]
    current = scores if not known else _scored_again(detector, scores, panel, known)
    for _ in range(PASSES):
        new = [
            s
            for s in lasting_shifts(find_episodes(current, panel), panel, hours)
            if not any(_same(s, old) for old in known)
        ]
        if not new:
            break
        known += new
        current = _scored_again(detector, scores, panel, known)
    return current, tuple(known)


def with_accepted_shifts(episodes: Sequence[Episode], shifts: Sequence[Shift]) -> list[Episode]:
    """Episodes with the level shifts that began within them and have been accepted since."""
    slack = np.timedelta64(round(EpisodeSettings().clear_minutes * 60_000), "ms")

    def shifts_within(episode: Episode) -> tuple[Shift, ...]:
        return tuple(
            shift
            for shift in shifts
            if shift.series.entity == episode.entity and episode.start - slack <= shift.onset < episode.end
        )

    return [replace(episode, shifts=shifts_within(episode)) for episode in episodes]


def _same(shift: Shift, other: Shift) -> bool:
    """Whether two shifts are the same one; where the data begins elsewhere, its onset may be found elsewhere."""
    return shift.series == other.series and bool(shift.onset < other.at and other.onset < shift.at)


def _scored_again(
    detector: IsolationForestDetector, scores: AnomalyScores, panel: Panel, shifts: Sequence[Shift]
) -> AnomalyScores:
    """Scores in which the entities of each shift are, from its acceptance on, scored on the moved panel."""
    if scores.levels is None or not len(scores.times):
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
        moved = moved_to_new_level(panel, until).select(entities=rows)
        again = detector.score(moved, begin)
        levels[rows, begin - first :] = again.scores if again.levels is None else again.levels
        novelties[rows, begin - first :] = again.scores
        deviations[rows, begin - first :] = again.deviations
    return replace(scores, levels=levels, scores=novelties, deviations=deviations)
