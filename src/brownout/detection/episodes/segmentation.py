"""From scores to episodes: hysteresis, least evidence, and the metrics that moved."""

import hashlib

import numpy as np

from brownout.detection.detector_settings import EpisodeSettings
from brownout.detection.episodes.movement_shape import shape_of
from brownout.domain.findings import AnomalyScores, Episode, Mover, Shape
from brownout.domain.forecasts import Series
from brownout.domain.panel import Float, Panel
from brownout.numerics.arrays import Index, Marks

__all__ = ["find_episodes", "in_progress"]


def find_episodes(scores: AnomalyScores, panel: Panel, settings: EpisodeSettings | None = None) -> tuple[Episode, ...]:
    """Episodes of all entities, in order of start; ``panel`` holds the scored slots and the history before them."""
    settings = settings or EpisodeSettings()
    levels = _levels(scores)
    episodes = []
    for row in np.flatnonzero(np.nanmax(np.nan_to_num(levels, nan=-1.0), axis=1, initial=-1) >= 1.0).tolist():
        for first, last in _spans(levels[row], settings, scores.interval_s):
            episodes.append(_episode(scores, panel, row, (first, last), settings))
    return tuple(sorted(episodes, key=lambda episode: (episode.start, episode.entity)))


def in_progress(levels: Float, interval_s: int, settings: EpisodeSettings | None = None) -> Marks:
    """Slots ``[entity, time]`` at which an episode is known to be in progress, told without looking ahead.

    An episode is known from the slot on that gives it enough slots above the boundary, until its level has stayed below
    the clearing line for the clearing time.
    """
    settings = settings or EpisodeSettings()
    clearing = settings.clearing_slots(interval_s)
    marks = np.zeros(levels.shape, bool)
    for row in np.flatnonzero((np.nan_to_num(levels) >= 1.0).any(axis=1)).tolist():
        for first, last in _spans(levels[row], settings, interval_s):
            inside = levels[row, first:last]
            enough = np.cumsum(inside >= 1.0) >= settings.least_slots_of(interval_s)
            confirmed = first + int(np.argmax(enough | (inside >= settings.obvious)))
            marks[row, confirmed : last + clearing] = True
    return marks


def _levels(scores: AnomalyScores) -> Float:
    return scores.scores if scores.levels is None else scores.levels


def _spans(level: Float, settings: EpisodeSettings, interval_s: int) -> list[tuple[int, int]]:
    """First slot, and the slot after the last one, of each episode of one entity; gaps neither begin nor end one."""
    above = np.flatnonzero(level >= 1.0)
    high = np.flatnonzero(level >= settings.clear)
    # An episode lasts while the level reaches the clearing line at least once in each clearing time.
    parts = np.split(high, np.flatnonzero(np.diff(high) > settings.clearing_slots(interval_s)) + 1)
    spans = []
    for part in parts:
        if not len(part):
            continue
        alarms = above[(above >= part[0]) & (above <= part[-1])]
        if len(alarms) >= settings.least_slots_of(interval_s) or (
            len(alarms) and level[alarms].max() >= settings.obvious
        ):
            spans.append((int(alarms[0]), int(part[-1]) + 1))
    return spans


def _episode(
    scores: AnomalyScores, panel: Panel, row: int, span: tuple[int, int], settings: EpisodeSettings
) -> Episode:
    first, last = span
    entity = scores.entities[row]
    start = scores.times[first]
    movers = _movers(scores, panel, row, span, settings)
    onset, slack = _onset(scores, row, movers, settings)
    return Episode(
        id=hashlib.sha256(f"{entity}\n{start}".encode()).hexdigest()[:12],
        entity=entity,
        start=start,
        end=scores.times[last - 1] + panel.step,
        open=last + settings.clearing_slots(scores.interval_s) >= len(scores.times),
        severity=float(np.nanmax(_levels(scores)[row, first:last])),
        movers=movers,
        shape=_shape(scores, panel, row, span, movers[0], settings.mover_from) if movers else None,
        onset=onset,
        onset_slack_s=slack,
    )


def _shape(scores: AnomalyScores, panel: Panel, row: int, span: tuple[int, int], lead: Mover, line: float) -> Shape:  # noqa: PLR0913, PLR0917 - what every part of an episode is told from, and the mover asked about
    first, last = span
    column = scores.metrics.index(lead.series.metric)
    begin = panel.slot(scores.times[first])
    day = panel.slots_per_day
    series = panel.values[row, :, column]
    within, before = series[begin : begin + last - first], series[max(begin - day, 0) : begin]
    return shape_of(within, before, scores.deviations[row, first:last, column], line)


def _onset(
    scores: AnomalyScores, row: int, movers: tuple[Mover, ...], settings: EpisodeSettings
) -> tuple[np.datetime64 | None, float]:
    """When the first metric left its usual range, and how many seconds before that it was last well within it."""
    if not movers:
        return None, 0.0
    earliest = min(movers, key=lambda mover: mover.onset)
    slot = int((earliest.onset - scores.times[0]) / np.timedelta64(scores.interval_s * 1000, "ms"))
    deviation = np.abs(scores.deviations[row, : slot + 1, scores.metrics.index(earliest.series.metric)])
    usual = np.flatnonzero(deviation < settings.mover_from / 2)
    return earliest.onset, float((slot - usual[-1] if len(usual) else slot + 1) * scores.interval_s)


def _movers(
    scores: AnomalyScores, panel: Panel, row: int, span: tuple[int, int], settings: EpisodeSettings
) -> tuple[Mover, ...]:
    first, last = span
    begin = max(first - (last - first), 0)
    deviation = np.nan_to_num(scores.deviations[row, begin:last])
    peak = np.abs(deviation).argmax(axis=0)
    strength = np.abs(deviation)[peak, np.arange(deviation.shape[1])]
    ranked = [column for column in np.argsort(-strength).tolist() if strength[column] >= settings.mover_from]
    shift = panel.slot(scores.times[0])
    day = panel.slots_per_day
    past = panel.values[row, max(shift + begin - day, 0) : max(shift + begin, 1)]
    movers = []
    for column in ranked[: settings.most_movers]:
        moved = np.flatnonzero(np.abs(deviation[:, column]) >= settings.mover_from)
        onset = _run_begin(moved, int(peak[column]), settings.clearing_slots(scores.interval_s))
        usual = past[:, column][np.isfinite(past[:, column])]
        movers.append(
            Mover(
                series=Series(scores.entities[row], scores.metrics[column]),
                usual=float(np.median(usual)) if len(usual) else float("nan"),
                peak=float(panel.values[row, shift + begin + peak[column], column]),
                deviation=float(deviation[peak[column], column]),
                onset=scores.times[begin + onset],
            )
        )
    return tuple(movers)


def _run_begin(moved: Index, peak: int, gap: int) -> int:
    """First of the slots that moved without a pause of more than ``gap`` slots until the peak.

    What a metric did hours before, and was usual again, is not where its movement to the peak began.
    """
    before = moved[moved <= peak]
    pauses = np.flatnonzero(np.diff(before) > gap)
    return int(before[pauses[-1] + 1] if len(pauses) else before[0])
