"""Which open incident a breach is part of, so that the forecast gives no other reason for it."""

from dataclasses import replace

from brownout.domain.findings import UNKNOWN, Diagnosis
from brownout.domain.forecasts import Breach
from brownout.domain.night import Night

__all__ = ["in_agreement", "incident_of"]


def incident_of(breach: Breach, night: Night) -> Diagnosis | None:
    """The open incident with a known cause at the entity of a breach, at its guest, or at the host of both."""
    entity = breach.series.entity
    explained = [diagnosis for diagnosis in night.diagnoses if diagnosis.open and diagnosis.top.id != UNKNOWN]
    own = [diagnosis for diagnosis in explained if entity in diagnosis.entities]
    for name in (entity, night.topology[entity].parent, night.topology.root(entity)):
        own += [diagnosis for diagnosis in explained if diagnosis.top.entity == name]
    return own[0] if own else None


def in_agreement(breach: Breach, night: Night) -> Breach:
    """The breach with the drivers at the place that its incident blames; all of them where it is part of none."""
    incident = incident_of(breach, night) if breach.drivers else None
    if incident is None or breach.drivers is None:
        return breach
    return replace(breach, drivers=tuple(d for d in breach.drivers if d.entity == incident.top.entity))
