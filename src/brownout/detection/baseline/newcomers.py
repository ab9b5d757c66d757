"""Newcomers: entities with little history of their own are judged by that of their peers.

Each day that a newcomer lacks is filled with the values of another peer. The usual level at a time of day is then the
median of the peers, and the usual spread how far they differ. Days of the newcomer's own replace them one by one.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from brownout.domain.findings import AnomalyScores
from brownout.domain.panel import DAY_S, Float, Panel
from brownout.domain.similarity import most_similar

__all__ = ["newcomers_in", "with_peer_history", "without_first_day", "without_peer_slots"]

LEAST_DAYS = 0.5
"""Days of history that an entity must lack to be a newcomer."""


def newcomers_in(panel: Panel) -> Mapping[int, int]:
    """First measured slot of each newcomer by row of the panel; an entity that was never measured is no newcomer."""
    if not panel.values.shape[1]:
        return {}
    seen = np.logical_or.reduce(np.isfinite(panel.values), axis=2)
    first = np.where(seen.any(axis=1), seen.argmax(axis=1), 0)
    least = LEAST_DAYS * DAY_S / panel.interval_s
    return {row: int(first[row]) for row in np.flatnonzero(first >= least).tolist()}


def with_peer_history(panel: Panel, peers: Panel, newcomers: Mapping[int, int]) -> Panel:
    """The panel with the time before each newcomer's first slot filled from its peers, another peer each day.

    ``newcomers`` are rows and first slots as ``newcomers_in`` gives them; ``peers`` has the interval of the panel.
    Slots that a peer was not measured in stay gaps.
    """
    if not peers.entities or not newcomers:
        return panel
    table = _aligned(panel, peers)
    values = panel.values.copy()
    day = panel.slots_per_day
    ids = [entity.id for entity in peers.entities]
    for row, first in newcomers.items():
        chosen = [ids.index(entity.id) for entity in most_similar(panel.entities[row], peers.entities)]
        slots = np.arange(first)
        lender = np.array(chosen)[((first - 1 - slots) // day) % len(chosen)]
        carried = np.logical_or.reduce(np.isfinite(panel.values[row]), axis=0)
        values[row, :first] = np.where(carried, table[lender, slots], np.nan)
    return replace(panel, values=values)


def without_peer_slots(scores: AnomalyScores, panel: Panel, newcomers: Mapping[int, int]) -> AnomalyScores:
    """Scores and deviations without those of slots that were filled from peers: of a time before there was the entity.

    ``panel`` is the one that was scored.
    """
    if not newcomers or scores.levels is None or not len(scores.times):
        return scores
    begin = panel.slot(scores.times[0])
    lent = {row: slice(first - begin) for row, first in newcomers.items() if first > begin}
    if not lent:
        return scores
    levels, novelties, deviations = scores.levels.copy(), scores.scores.copy(), scores.deviations.copy()
    for row, slots in lent.items():
        levels[row, slots] = novelties[row, slots] = deviations[row, slots] = np.nan
    return replace(scores, levels=levels, scores=novelties, deviations=deviations)


def without_first_day(scores: AnomalyScores, panel: Panel) -> AnomalyScores:
    """Scores without those of the first day that is known of each entity, which has no baseline to be judged by.

    What is beyond a limit needs none: slots at which a metric exceeds its limit keep their scores. ``panel`` is the one
    that was scored: history that was filled from peers counts as known.
    """
    if scores.levels is None or not scores.levels.size:
        return scores
    measured = np.logical_or.reduce(np.isfinite(panel.values), axis=2)
    known_since = np.where(measured.any(axis=1), measured.argmax(axis=1), panel.values.shape[1])
    begin = panel.slot(scores.times[0])
    part = panel.values[:, begin : begin + len(scores.times)]
    exceeded = np.zeros(part.shape[:2], bool)
    for column, metric in enumerate(panel.metrics):
        exceeded |= metric.exceeds(part[..., column])
    slots = begin + np.arange(part.shape[1])
    unjudged = (slots[None] < known_since[:, None] + panel.slots_per_day) & ~exceeded
    levels, novelties = (np.where(unjudged, np.float32(np.nan), kept) for kept in (scores.levels, scores.scores))
    return replace(scores, levels=levels, scores=novelties)


def _aligned(panel: Panel, peers: Panel) -> Float:
    """Values of the peers ``[peer, time, metric]`` on the panel's slots and metrics, NaN where there are none."""
    table = np.full((len(peers.entities), *panel.values.shape[1:]), np.nan, np.float32)
    shift = panel.slot(peers.start)
    first, last = max(shift, 0), min(shift + peers.values.shape[1], panel.values.shape[1])
    if last <= first:
        return table
    for column, name in enumerate(panel.metric_names):
        if name in peers.metric_names:
            own = peers.metric_names.index(name)
            table[:, first:last, column] = peers.values[:, first - shift : last - shift, own]
    return table
