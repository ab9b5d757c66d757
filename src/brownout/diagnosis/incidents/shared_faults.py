"""Shared faults: what stands between several hosts and their users fails for all of them at once, and is one fault."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from brownout.domain.findings import Diagnosis

__all__ = ["one_for_all"]

TOGETHER = np.timedelta64(3_600_000, "ms")
"""Incidents of a shared cause at different hosts are one where one begins no later than this after another's end."""


def one_for_all(
    diagnoses: Sequence[Diagnosis], shared: Collection[str], known: Collection[str]
) -> Mapping[str, Diagnosis]:
    """The diagnosis that stands for each one, by id: itself, or for ``shared`` causes one of those that began together.

    It is told under an id that is ``known`` from the night before, else under that of the likeliest, with all entities
    and episodes.
    """
    once = {diagnosis.id: diagnosis for diagnosis in diagnoses}
    ordered = sorted((d for d in diagnoses if d.top.id in shared), key=lambda d: (d.top.id, d.start, d.id))
    groups: list[list[Diagnosis]] = []
    for one in ordered:
        last = groups[-1] if groups else []
        near = last and last[0].top.id == one.top.id and one.start - max(other.end for other in last) <= TOGETHER
        groups = [*groups[:-1], [*last, one]] if near else [*groups, [one]]
    for group in groups:
        whole = _whole(group, known)
        once |= {one.id: whole for one in group}
    return once


def _whole(group: Sequence[Diagnosis], known: Collection[str]) -> Diagnosis:
    first = min(group, key=lambda one: (one.id not in known, -one.top.probability, one.id))
    return replace(
        first,
        start=min(one.start for one in group),
        end=max(one.end for one in group),
        open=any(one.open for one in group),
        entities=tuple(dict.fromkeys(entity for one in (first, *group) for entity in one.entities)),
        episodes=tuple(dict.fromkeys(episode for one in (first, *group) for episode in one.episodes)),
    )
