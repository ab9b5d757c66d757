"""Labelled incidents: what a diagnosis may see of each."""

import numpy as np

from brownout.diagnosis.observation import IncidentWindow
from brownout.domain.panel import Panel
from brownout.domain.truth import Incident
from brownout.telemetry.dataset import Dataset
from brownout.telemetry.grid import shards

__all__ = ["BASELINE", "panels_by_group", "window_of"]

BASELINE = np.timedelta64(7, "D")
"""How much of the past an incident is compared with."""


def panels_by_group(dataset: Dataset) -> dict[str, list[Panel]]:
    """Panels by group of entities; where an incident's group is no group of entities it sees all of them."""
    groups: dict[str, list[Panel]] = {}
    named = {entity.group for entity in dataset.topology}
    for shard in shards(dataset):
        members: dict[str, list[int]] = {}
        for row, entity in enumerate(shard.panel.entities):
            members.setdefault(entity.group, []).append(row)
        for group, rows in members.items():
            groups.setdefault(group, []).append(_trimmed(shard.panel.select(entities=rows)))
    everything = [panel for panels in groups.values() for panel in panels]
    for incident in dataset.incidents:
        if incident.group not in named:
            groups[incident.group] = everything
    return groups


def _trimmed(panel: Panel) -> Panel:
    """From the first to the last slot with any value: the other slots of a shard belong to other groups."""
    seen = np.flatnonzero(np.isfinite(panel.values).any(axis=(0, 2)))
    if not len(seen):
        return panel
    return panel.between(panel.start + seen[0] * panel.step, panel.start + (seen[-1] + 1) * panel.step).measured()


def window_of(incident: Incident, dataset: Dataset, delay_s: float) -> IncidentWindow:
    """The span and the entities to diagnose; ``delay_s`` pretends that detection came so much later."""
    start = incident.start + np.timedelta64(round(delay_s * 1000), "ms")
    members = [e.id for e in dataset.topology if e.group == incident.group]
    return IncidentWindow(
        id=incident.id,
        start=start,
        end=max(incident.end, start),
        entities=tuple(members or [e.id for e in dataset.topology]),
    )
