"""Labelled incidents: what a diagnosis may see of each."""

import numpy as np

from brownout.diagnosis.evidence.observation import IncidentWindow
from brownout.domain.panel import Panel
from brownout.domain.truth import Incident
from brownout.evaluation.alarm_tracks import AFTER
from brownout.store.dataset import Dataset
from brownout.store.shards import plan_shards, read_shard

__all__ = ["BASELINE", "GroupPanels", "healthy_window", "window_of"]

BASELINE = np.timedelta64(7, "D")
"""How much of the past an incident is compared with."""


class GroupPanels:
    """Panels of all that has ever been of a group, read when asked for; where nothing has, of all entities."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self._members: dict[str, list[str]] = {}
        for entity in dataset.topology:
            for group in dataset.topology.groups(entity.id):
                self._members.setdefault(group, []).append(entity.id)
        self._last: tuple[str | None, list[Panel]] = (None, [])

    def __getitem__(self, group: str) -> list[Panel]:
        """Read a group; the last one is kept, since the incidents of a group usually follow each other."""
        key = group if group in self._members else None
        if self._last[0] != key or not self._last[1]:
            plans = plan_shards(self._dataset, entities=None if key is None else self._members[key])
            self._last = (key, [_trimmed(read_shard(self._dataset, plan).panel) for plan in plans])
        return self._last[1]


def _trimmed(panel: Panel) -> Panel:
    """The panel from the first to the last slot with any value."""
    measured = np.flatnonzero(np.isfinite(panel.values).any(axis=(0, 2)))
    if not len(measured):
        return panel
    return panel.between(
        panel.start + measured[0] * panel.step, panel.start + (measured[-1] + 1) * panel.step
    ).measured()


def window_of(incident: Incident, dataset: Dataset, delay_s: float) -> IncidentWindow:
    """The span and the entities to diagnose; ``delay_s`` pretends that detection came so much later."""
    start = incident.start + np.timedelta64(round(delay_s * 1000), "ms")
    members = _members(incident, dataset, start)
    return IncidentWindow(id=incident.id, start=start, end=max(incident.end, start), entities=members)


def healthy_window(incident: Incident, dataset: Dataset, first: np.datetime64) -> IncidentWindow | None:
    """The window just before an incident, as long as it, but at most half of the time since ``first``.

    None where it is empty or meets another incident of the group, or the half hour after one.
    """
    start = incident.start - min(incident.end - incident.start, (incident.start - first) // 2)
    others = (other for other in dataset.incidents if other.group == incident.group and other.id != incident.id)
    if start >= incident.start or any(o.start < incident.start and o.end + AFTER > start for o in others):
        return None
    members = _members(incident, dataset, start)
    return IncidentWindow(id=f"before {incident.id}", start=start, end=incident.start, entities=members)


def _members(incident: Incident, dataset: Dataset, time: np.datetime64) -> tuple[str, ...]:
    """The entities of an incident's group at a time; where none has it, all."""
    members = tuple(e.id for e in dataset.topology.at(time) if e.group == incident.group)
    return members or tuple(e.id for e in dataset.topology)
