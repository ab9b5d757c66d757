"""Episodes of single metrics: beyond a line that knowledge draws, or on their way to their limit, and unusual.

The forest weighs all metrics of an entity together. What one metric says by itself, as a table of connections that
fills, can stay below its boundary for hours.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from brownout.detection.detector_settings import EpisodeSettings
from brownout.detection.episodes.rule_measures import hours_left
from brownout.detection.episodes.segmentation import find_episodes
from brownout.domain.findings import AnomalyScores, Episode
from brownout.domain.metrics import Metric, Worse
from brownout.domain.panel import Float, Marks, Panel
from brownout.numerics.rolling import rolling_mean
from brownout.numerics.slots import HOUR_S, whole_slots

__all__ = ["Line", "line_episodes"]

MEAN_S = 900
"""Lines are compared with means over so many seconds."""
TREND_S = 12 * HOUR_S
"""Span whose trend says when a limit is reached."""
LATE = np.timedelta64(3_600_000, "ms")
"""What ends so soon after an episode of the same metric adds nothing to it."""
HORIZON_H = 7 * 24.0
"""A metric that will take longer is not on its way to its limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A value of a metric beyond which something is wrong, in the direction ``up`` or down."""

    metric: str
    value: float
    up: bool


def line_episodes(
    scores: AnomalyScores, panel: Panel, lines: Sequence[Line], found: Sequence[Episode]
) -> tuple[Episode, ...]:
    """Episodes of metrics that are out of their usual range and beyond a line, or on their way to their limit.

    ``panel`` holds the scored slots and the history before them. What ``found`` tells of the same metric until its end
    is not told again. The severity is what the forest says of the entity meanwhile: below 1 the episode is for its
    cause to judge.
    """
    settings = EpisodeSettings()
    told = [(e.entity, m.series.metric, e.start, e.end) for e in found for m in e.movers]
    episodes: dict[str, Episode] = {}
    for column, metric in enumerate(panel.metrics):
        for beyond in _beyond(scores, panel, column, lines, settings):
            levels = np.where(np.isfinite(scores.deviations[..., column]), beyond, np.nan).astype(np.float32)
            for episode in find_episodes(replace(scores, levels=levels), panel, settings):
                own = tuple(replace(m, share=1.0) for m in episode.movers if m.series.metric == metric.name)
                known = any(
                    (entity, name) == (episode.entity, metric.name) and start <= episode.end <= end + LATE
                    for entity, name, start, end in told
                )
                if own and not known:
                    name = hashlib.sha256(f"{episode.entity}\n{metric.name}\n{episode.start}".encode()).hexdigest()[:12]
                    severity = _severity(scores, episode)
                    whole = replace(episode, id=name, movers=own, onset=own[0].onset, severity=severity)
                    episodes.setdefault(name, whole)
    return tuple(episodes.values())


def _severity(scores: AnomalyScores, episode: Episode) -> float:
    """Highest level of the entity within an episode, at least 0."""
    levels = scores.scores if scores.levels is None else scores.levels
    within = (scores.times >= episode.start) & (scores.times < episode.end)
    return float(np.nanmax(levels[scores.entities.index(episode.entity), within], initial=0.0))


def _beyond(
    scores: AnomalyScores, panel: Panel, column: int, lines: Sequence[Line], settings: EpisodeSettings
) -> Iterator[Marks]:
    """Slots ``[entity, time]`` that are beyond any line of a metric, and those on their way to its limit."""
    if not len(scores.times):
        return
    metric, first = panel.metrics[column], panel.slot(scores.times[0])
    own = [line for line in lines if line.metric == metric.name]
    worse = metric.is_limited and metric.worse is not Worse.NONE
    if not own and not worse:
        return
    values = panel.values[..., column]
    deviations = scores.deviations[..., column]
    mean = rolling_mean(values[..., None], whole_slots(MEAN_S, panel.interval_s))[:, first:, 0]
    if own:
        marks = np.zeros(deviations.shape, bool)
        for line in own:
            sign = 1 if line.up else -1
            outside = sign * (mean - line.value) >= 0
            marks |= _held(outside & (sign * deviations >= settings.mover_from), outside)
        yield marks
    if worse:
        sign = 1 if metric.worse is Worse.UP else -1
        nearing = _hours_to_limit(values, metric, panel.interval_s)[:, first:] <= HORIZON_H
        yield nearing & (sign * deviations >= settings.mover_from)


def _held(begun: Marks, outside: Marks) -> Marks:
    """Slots outside of a line from where they were unusual too until they are inside again.

    What stays outside for days becomes usual, and is no less wrong for it.
    """
    slots = np.arange(outside.shape[1])
    last_inside = np.maximum.accumulate(np.where(outside, -1, slots), axis=1)
    last_begun = np.maximum.accumulate(np.where(begun, slots, -1), axis=1)
    held: Marks = outside & (last_begun > last_inside)
    return held


def _hours_to_limit(values: Float, metric: Metric, interval_s: int) -> Float:
    """Hours until a metric reaches its limit by its trend; infinite without one, or beyond the limit already."""
    limit = np.float32(metric.limit if metric.limit is not None else np.nan)
    room = limit - values if metric.worse is Worse.UP else values - limit
    return hours_left(room, interval_s, TREND_S)
