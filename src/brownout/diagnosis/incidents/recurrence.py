"""Recurrence: what comes and goes at one place by one cause is one incident, not one for each time."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from brownout.diagnosis.evidence.observation import IncidentWindow
from brownout.domain.findings import UNKNOWN, Diagnosis, Episode

__all__ = ["Told", "joined"]

PAUSE = np.timedelta64(4 * 3_600_000, "ms")
"""Longest pause of a fault that comes and goes."""

Told = tuple[IncidentWindow, Diagnosis]
"""An incident and what was found out about it."""


def joined(found: Iterable[Told]) -> list[Told]:
    """Incidents in order of their start; those of the same cause at the same entity with short pauses are one.

    So are those of causes of one family at one entity that overlap: they are two names of one fault. The joined
    incident lasts from the first to the last of them and has the answer of the likeliest one.
    """
    kept: list[Told] = []
    for told in sorted(found, key=lambda told: (told[0].start, told[1].id)):
        place = next((place for place in reversed(range(len(kept))) if _belong(kept[place], told)), None)
        if place is None:
            kept.append(told)
        else:
            kept[place] = _one(kept[place], told)
    return kept


def _belong(earlier: Told, later: Told) -> bool:
    """Whether a later incident is the earlier one again, or overlaps it by another name."""
    (before, first), (after, second) = earlier, later
    if _place(before, first) == _place(after, second):
        return bool(after.start - before.end <= PAUSE)
    known = UNKNOWN not in {first.top.id, second.top.id} and first.top.artefact == second.top.artefact
    same = (first.top.entity, first.top.family) == (second.top.entity, second.top.family)
    return bool(known and same and after.start <= before.end)


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
