"""The overview of the fleet: a line for each host, or entity without a parent."""

from collections import Counter
from typing import Literal

from brownout.domain.night import Night
from brownout.reporting import schema

__all__ = ["fleet_of"]

Status = Literal["incident", "breach", "over", "fine", "silent"]
ORDER: tuple[Status, ...] = ("incident", "breach", "silent", "over", "fine")


def fleet_of(night: Night) -> list[schema.Root]:
    """One line for each root of the topology, worst first."""
    topology = night.topology
    roots = dict.fromkeys(topology.root(entity.id) for entity in topology)
    diagnoses: dict[str, list[int]] = {}
    for place, diagnosis in enumerate(night.diagnoses):
        diagnoses.setdefault(topology.root(diagnosis.entities[0]), []).append(place)
    breaches: dict[str, list[int]] = {}
    for place, breach in enumerate(night.breaches):
        breaches.setdefault(topology.root(breach.series.entity), []).append(place)
    silent = set(night.quality.silent)
    lines = [
        _line(night, root, diagnoses.get(root, []), breaches.get(root, []), silent=root in silent) for root in roots
    ]
    return sorted(lines, key=lambda line: (ORDER.index(line.status), -line.open, -line.breaches, line.entity))


def _line(night: Night, root: str, incidents: list[int], breaches: list[int], *, silent: bool) -> schema.Root:
    own = [night.diagnoses[place] for place in incidents]
    ongoing = [diagnosis for diagnosis in own if diagnosis.open]
    worst = night.breaches[breaches[0]] if breaches else None
    status: Status = "silent" if silent else "fine"
    note = "no data in the window" if silent else ""
    if ongoing:
        status, note = "incident", f"{ongoing[0].top.title} {ongoing[0].top.entity}".strip()
    elif worst is not None:
        metric = night.metrics[worst.series.metric]
        status, note = "breach", f"{metric.label} of {worst.series.entity}"
    elif own and not silent:
        status, note = "over", f"{own[0].top.title} {own[0].top.entity}".strip()
    return schema.Root(
        entity=root,
        kind=night.topology[root].kind,
        below=dict(Counter(night.topology[entity].kind for entity in night.topology.descendants(root))),
        status=status,
        incidents=len(own),
        open=len(ongoing),
        breaches=len(breaches),
        note=note,
    )
