"""The overview of the fleet: a line for each host, or entity without a parent."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from brownout.domain.findings import Diagnosis
from brownout.domain.forecasts import Breach
from brownout.domain.night import Night

__all__ = ["Root", "fleet_of"]

Status = Literal["incident", "breach", "over", "fine", "silent"]
ORDER: tuple[Status, ...] = ("incident", "breach", "silent", "over", "fine")


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """A host with all that belongs to it, or an entity without a parent.

    Attributes
    ----------
    entity
        Id of the host or entity.
    kind
        What it is.
    below
        Number of entities below it, by kind.
    status
        incident: one is open; breach: one is forecast; silent: no data; over: an incident is over; fine: nothing.
    incidents
        Incidents on it.
    open
        Those of them that are open.
    breaches
        Breaches of it and of what is below it.
    note
        What is worst about it.
    """

    entity: str
    kind: str
    below: Mapping[str, int]
    status: Status
    incidents: int
    open: int
    breaches: int
    note: str


def fleet_of(night: Night) -> tuple[Root, ...]:
    """One line for each root of the topology, worst first."""
    topology = night.topology
    roots = dict.fromkeys(topology.root(entity.id) for entity in topology)
    diagnoses = defaultdict[str, list[Diagnosis]](list)
    for diagnosis in night.diagnoses:
        diagnoses[topology.root(diagnosis.entities[0])].append(diagnosis)
    breaches = defaultdict[str, list[Breach]](list)
    for breach in night.breaches:
        breaches[topology.root(breach.series.entity)].append(breach)
    lines = [_line(night, root, diagnoses[root], breaches[root]) for root in roots]
    return tuple(sorted(lines, key=lambda line: (ORDER.index(line.status), -line.open, -line.breaches, line.entity)))


def _line(night: Night, root: str, diagnoses: Sequence[Diagnosis], breaches: Sequence[Breach]) -> Root:
    ongoing = [diagnosis for diagnosis in diagnoses if diagnosis.open]
    silent = root in night.quality.silent
    status: Status = "silent" if silent else "fine"
    note = "no data in the window" if silent else ""
    if ongoing:
        status, note = "incident", f"{ongoing[0].top.title} {ongoing[0].top.entity}".strip()
    elif breaches:
        series = breaches[0].series
        status, note = "breach", f"{night.metrics[series.metric].label} of {series.entity}"
    elif diagnoses and not silent:
        status, note = "over", f"{diagnoses[0].top.title} {diagnoses[0].top.entity}".strip()
    return Root(
        entity=root,
        kind=night.topology[root].kind,
        below=Counter(night.topology[entity].kind for entity in night.topology.descendants(root)),
        status=status,
        incidents=len(diagnoses),
        open=len(ongoing),
        breaches=len(breaches),
        note=note,
    )
