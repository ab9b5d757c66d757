"""Newcomers: what is new has no past of its own, so it is judged by that of its peers until it has.

Of each day that a newcomer lacks, the values of another peer stand in: the median of the same time of the last days is
then that of the peers, and the usual spread how far they lie apart. Its own days take their place one after the other.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from brownout.domain.findings import AnomalyScores
from brownout.domain.panel import DAY_S, Float, Panel
from brownout.domain.similarity import most_similar

__all__ = ["newcomers_in", "with_peer_history", "without_peer_slots"]

LEAST_DAYS = 0.5
"""Days of past that an entity must lack to be a newcomer."""


def newcomers_in(panel: Panel) -> Mapping[int, int]:
    """First measured slot of each newcomer, by row; what was never measured is none."""
    seen = np.logical_or.reduce(np.isfinite(panel.values), axis=2)
    first = np.where(seen.any(axis=1), seen.argmax(axis=1), 0)
    least = LEAST_DAYS * DAY_S / panel.interval_s
    return {row: int(first[row]) for row in np.flatnonzero(first >= least).tolist()}


def with_peer_history(panel: Panel, peers: Panel, newcomers: Mapping[int, int]) -> Panel:
    """The panel with the days before each newcomer's first slot taken from its peers, another one each day.

    ``peers`` has the interval of the panel; a slot that a peer lacks stays a gap.
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
    """Scores without those of slots that were lent; ``panel`` is the one that was scored."""
    if not newcomers or scores.levels is None:
        return scores
    begin = panel.slot(scores.times[0])
    levels, novelties = scores.levels.copy(), scores.scores.copy()
    for row, first in newcomers.items():
        levels[row, : max(first - begin, 0)] = np.nan
        novelties[row, : max(first - begin, 0)] = np.nan
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
