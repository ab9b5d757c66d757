"""Recurrence: what comes and goes at one place by one cause is one incident, not one for each time."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from brownout.diagnosis.evidence.observation import IncidentWindow
from brownout.domain.findings import UNKNOWN, Diagnosis, Episode, EvidenceRole, EvidenceState, Mover
from brownout.domain.forecasts import Series
from brownout.domain.metrics import Worse
from brownout.domain.panel import Panel

__all__ = ["PAUSE", "Told", "joined", "stayed_full"]

PAUSE = np.timedelta64(4 * 3_600_000, "ms")
"""Longest pause of a fault that comes and goes."""
EMPTIED = 0.1
"""Share of a pause nearer to its usual level from which on a store was emptied; less is its noise."""

Told = tuple[IncidentWindow, Diagnosis]
"""An incident and what was found out about it."""


def joined(found: Iterable[Told], panels: Sequence[Panel] = ()) -> list[Told]:
    """Incidents in order of their start; those of the same cause at the same entity with short pauses are one.

    A pause is of any length where what had filled up, as ``panels`` show it, was not emptied in it. Causes of one
    family at one entity that overlap, or of one that stayed full, are one too: they are two names of one fault. The
    joined incident lasts from the first to the last of them and has the answer of the likeliest one.
    """
    kept: list[Told] = []
    for told in sorted(found, key=lambda told: (told[0].start, told[1].id)):
        place = next((place for place in reversed(range(len(kept))) if _belong(kept[place], told, panels)), None)
        if place is None:
            kept.append(told)
        else:
            kept[place] = _one(kept[place], told)
    return kept


def _belong(earlier: Told, later: Told, panels: Sequence[Panel]) -> bool:
    """Whether a later incident is the earlier one again, or overlaps it by another name."""
    (before, first), (after, second) = earlier, later
    if _place(before, first) == _place(after, second):
        begun = min((episode.start for episode in after.episodes), default=after.start)
        return bool(min(begun, after.start) - before.end <= PAUSE) or stayed_full(earlier, after.start, panels)
    known = UNKNOWN not in {first.top.id, second.top.id} and first.top.artefact == second.top.artefact
    same = (first.top.entity, first.top.family) == (second.top.entity, second.top.family)
    return known and same and bool(after.start <= before.end or stayed_full(earlier, after.start, panels))


def stayed_full(earlier: Told, until: np.datetime64, panels: Sequence[Panel]) -> bool:
    """Whether what had filled up by the end of an incident was never emptied by half until a time."""
    before, diagnosis = earlier
    necessary = {
        e.series for e in diagnosis.top.evidence
        if e.role is EvidenceRole.NECESSARY and e.state is EvidenceState.PRESENT and e.series is not None
    }  # fmt: skip
    worst: dict[Series, Mover] = {}
    for mover in (mover for e in sorted(before.episodes, key=lambda e: e.start) for mover in e.movers):
        if mover.series in necessary:
            first = worst.get(mover.series, mover)
            peak = max(first.peak, mover.peak, key=lambda peak: abs(peak - first.usual))
            worst[mover.series] = replace(first, peak=peak)
    return any(_held(panel.between(before.end, until), mover) for mover in worst.values() for panel in panels)


def _held(pause: Panel, mover: Mover) -> bool:
    """Whether a metric that can fill up stayed nearer to its peak than to its usual level, but for its noise."""
    entity, name = mover.series.entity, mover.series.metric
    if entity not in pause.entity_ids or name not in pause.metric_names or pause.values.shape[1] == 0:
        return False
    metric = pause.metrics[pause.metric_names.index(name)]
    values = pause.values[pause.entity_ids.index(entity), :, pause.metric_names.index(name)]
    measured = values[np.isfinite(values)]
    if not (metric.worse is not Worse.NONE and metric.fills_up and len(measured)):
        return False
    halfway = (mover.usual + mover.peak) / 2
    back = measured < halfway if metric.worse is Worse.UP else measured > halfway
    return bool(back.mean() <= EMPTIED)


def _place(window: IncidentWindow, diagnosis: Diagnosis) -> tuple[str, str]:
    """Cause and entity; of an unknown cause the entity that deviated most."""
    if diagnosis.top.id != UNKNOWN or not window.episodes:
        return diagnosis.top.id, diagnosis.top.entity
    return UNKNOWN, max(window.episodes, key=lambda episode: episode.severity).entity


def _one(first: Told, second: Told) -> Told:
    """Two incidents as one, under the id of the first."""
    (window, diagnosis), (other_window, other) = first, second
    likelier = other if other.top.probability > diagnosis.top.probability else diagnosis
    episodes: dict[str, Episode] = {e.id: e for e in (*window.episodes, *other_window.episodes)}
    whole = replace(
        window,
        end=max(window.end, other_window.end),
        open=window.open or other_window.open,
        episodes=tuple(episodes.values()),
        entities=tuple(dict.fromkeys((*window.entities, *other_window.entities))),
    )
    answer = replace(
        likelier,
        id=diagnosis.id,
        start=min(diagnosis.start, other.start),
        end=max(diagnosis.end, other.end),
        open=diagnosis.open or other.open,
        episodes=tuple(dict.fromkeys((*diagnosis.episodes, *other.episodes))),
    )
    return whole, answer
