"""The overview of the fleet: a line for each host, or entity without a parent."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from brownout.domain.findings import Diagnosis, Freshness, Silence
from brownout.domain.forecasts import Breach
from brownout.domain.night import Night
from brownout.reporting.messages import Messages
from brownout.reporting.numbers import clock, span

__all__ = ["HALF", "Root", "fleet_of", "silence_sentences", "stale_headline"]

Status = Literal["incident", "breach", "over", "fine", "silent"]
FEW = 3
"""Sentences about what is silent."""
HALF = 0.5
"""Share of the fleet whose silence is told first."""
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
        incident: one is open; breach: one is forecast; silent: no data any more; over: an incident is over; fine:
        nothing.
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
    silent = _since(night, root)
    status: Status = "silent" if silent else "fine"
    note = silent
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


def _since(night: Night, root: str) -> str:
    """Since when a root is silent, as a note; empty where it is not."""
    freshness = night.freshness
    if freshness is not None:
        if freshness.stale:
            return f"no data since {clock(freshness.newest)} UTC, like everything"
        for silence in freshness.silences:
            if silence.whole and silence.entity == root:
                reason = f": {silence.expected}" if silence.expected else ""
                return f"no data since {clock(silence.since)} UTC{reason}"
    return "no data in the window" if root in night.quality.silent else ""


def stale_headline(freshness: Freshness, say: Messages) -> str:
    """What an operator must know first where all telemetry has stopped."""
    age = span(freshness.age_s, say.language)
    return say("No data since {time} UTC, {age}: nothing is known about now.", time=clock(freshness.newest), age=age)


def silence_sentences(freshness: Freshness, ongoing: int, say: Messages) -> list[str]:
    """What has fallen silent, as sentences; where all telemetry has stopped, what that means for the rest.

    ``ongoing`` is the number of incidents that were open at the end of the data.
    """
    sentences = []
    if freshness.stale:
        one, many = "{number} incident was going on then", "{number} incidents were going on then"
        sentences.append(
            say(
                "Everything below is of {time} UTC; {then}. Nothing is forecast. "
                "Check the collectors, the database and the clock of this machine.",
                time=clock(freshness.newest),
                then=say.plural(one, many, ongoing),
            )
        )
    unexpected = freshness.unexpected
    sentences += [_about(silence, say) for silence in unexpected[:FEW]]
    if len(unexpected) > FEW:
        more = "{number} more have fallen silent; all are in the section about data."
        sentences.append(say(more, number=len(unexpected) - FEW))
    return sentences


def _about(silence: Silence, say: Messages) -> str:
    since = clock(silence.since)
    if not silence.whole:
        return say.plural(
            "{number} metric of {entity} ({families}) not measured since {time} UTC.",
            "{number} metrics of {entity} ({families}) not measured since {time} UTC.",
            len(silence.metrics),
            entity=silence.entity,
            families=say(", ").join(say(family) for family in silence.families),
            time=since,
        )
    if not silence.below:
        return say("{entity}: no data since {time} UTC.", entity=silence.entity, time=since)
    return say.plural(
        "{entity} and one entity below it: no data since {time} UTC.",
        "{entity} and {number} entities below it: no data since {time} UTC.",
        len(silence.below),
        entity=silence.entity,
        time=since,
    )
