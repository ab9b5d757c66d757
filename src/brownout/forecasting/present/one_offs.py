"""One-offs are no season: what an incident that is over did is left out, unless it returns with the days."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from brownout.domain.panel import Float, Marks, Panel
from brownout.numerics.order_statistics import median

__all__ = ["Spans", "without_one_offs"]

Spans = Mapping[str, Sequence[tuple[np.datetime64, np.datetime64]]]
"""By entity: start and end (exclusive) of incidents."""
MARGIN_H = 0.5
"""Hours before and after an incident that are looked at with it."""
FAR = 3.0
"""Values so many robust standard deviations from those of other days at the same time are not usual."""
RETURNS = 0.25
"""A deviation that as large a share of the other days show, half as far at least, returns with the days."""
LEAST = 3
"""Fewer slots far from the usual are noise."""
STAYS = 0.75
"""What has not come back is no one-off: so large a share of the slots since lie at least half as far away."""
WEEK = 7


def without_one_offs(panel: Panel, spans: Spans) -> Panel:
    """The panel without the values that were moved by incidents which are over by its end, and that do not return."""
    marked = _within(panel, spans)
    rows = np.flatnonzero(marked.any(axis=1))
    if not len(rows):
        return panel
    values = panel.values.copy()
    for row in rows.tolist():
        moved = _moved_once(values[row].T, marked[row], panel.slots_per_day)
        values[row][moved.T] = np.nan
    return replace(panel, values=values)


def _within(panel: Panel, spans: Spans) -> Marks:
    """Slots ``[entity, slot]`` of incidents that are over before the last slot."""
    marked = np.zeros(panel.values.shape[:2], bool)
    margin = np.timedelta64(round(MARGIN_H * 3_600_000), "ms")
    last = panel.values.shape[1] - 1
    for row, name in enumerate(panel.entity_ids):
        for start, end in spans.get(name, ()):
            first, until = (max(panel.slot(time), 0) for time in (start - margin, end + margin + panel.step))
            marked[row, first : min(until, last)] = True
    return marked


def _moved_once(series: Float, marked: Marks, season: int) -> Marks:
    """Marked slots ``[metric, slot]`` that lie far from the same time of other days, as few other days do."""
    slots = series.shape[1]
    days = -(-slots // season)
    padded = np.full((len(series), days * season), np.nan, np.float32)
    padded[:, :slots] = np.where(marked, np.nan, series)
    folded = padded.reshape(len(series), days, season)
    usual = median(folded, axis=1)
    spread = 1.4826 * np.nan_to_num(median(np.abs(folded - usual[:, None]).reshape(len(series), -1)))
    moved = np.zeros(series.shape, bool)
    for first, last in _stretches(marked):
        phase = np.arange(first, last) % season
        away = series[:, first:last] - usual[:, phase]
        far = np.abs(away) > FAR * np.maximum(spread, 1e-6)[:, None]
        size = np.nan_to_num(median(np.where(far, away, np.nan)))
        others = np.where(far[:, None], folded[:, :, phase] - usual[:, None, phase], np.nan)
        other = median(others.astype(np.float32))
        like = other * np.sign(size)[:, None] > np.abs(size)[:, None] / 2
        share = like.sum(axis=1) / np.maximum(np.isfinite(other).sum(axis=1), 1)
        stays = _stays(series[:, last:] - usual[:, np.arange(last, slots) % season], size)
        once = (share < RETURNS) & ~stays & ~_weekly(like, first // season) & (far.sum(axis=1) >= LEAST)
        moved[:, first:last] = once[:, None] & far
    return moved


def _stays(since: Float, size: Float) -> Marks:
    """Whether each metric lies as far from the usual in what follows ``[metric, slot]``: a store that fills on."""
    measured = np.isfinite(since).sum(axis=1)
    like = since * np.sign(size)[:, None] > np.abs(size)[:, None] / 2
    return np.asarray((measured >= LEAST) & (like.sum(axis=1) >= STAYS * measured))


def _weekly(like: Marks, day: int) -> Marks:
    """Whether the same day of the week before or after shows it too."""
    same = [one for one in range(day % WEEK, like.shape[1], WEEK) if one != day]
    return np.asarray(like[:, same].any(axis=1))


def _stretches(marked: Marks) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(marked.astype(np.int8), prepend=0, append=0))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
