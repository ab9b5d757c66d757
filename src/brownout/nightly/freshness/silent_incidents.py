"""Incidents of silence: a host that sends nothing any more, and a host whose guests are not measured."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from brownout.diagnosis.knowledge.evidence_rules import CauseRule
from brownout.domain.entities import EntityKind
from brownout.domain.findings import (
    UNKNOWN,
    Action,
    Cause,
    Diagnosis,
    Episode,
    Evidence,
    EvidenceRole,
    EvidenceState,
    Freshness,
    Shape,
    Silence,
    SuppressedEpisode,
)
from brownout.nightly.context import NightContext
from brownout.planning.actions import plan_diagnosis

__all__ = ["SilentIncidents", "silent_incidents"]

HOST_SILENT, GUESTS_SILENT = "MAINT-08", "MAINT-07"
SURE, HARDLY = 0.95, 0.05
"""Probability that a silence has its apparent cause, and that it has another."""
SEVERITY = 1.0
"""Severity of the silence of one entity: the alarm boundary; that of several is times the root of their number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SilentIncidents:
    """Incidents of silence with their episodes and what to do; ``suppressed`` are those that people called expected."""

    episodes: tuple[Episode, ...] = ()
    diagnoses: tuple[Diagnosis, ...] = ()
    actions: tuple[Action, ...] = ()
    suppressed: tuple[SuppressedEpisode, ...] = ()


def silent_incidents(context: NightContext, freshness: Freshness) -> SilentIncidents:
    """Incidents made of silences; none where all telemetry has stopped, since that is reported as a whole."""
    known = context.diagnoser.knowledge.causes  # a site may have switched one off
    grouped = () if freshness.stale else _grouped(context, freshness.unexpected)
    incidents = [(episode, known[cause], members) for episode, cause, members in grouped if cause in known]
    settled = replace(context.state, known=()).settle([episode for episode, *_ in incidents])
    shown = {episode.id for episode in settled.episodes}
    diagnoses = [_diagnosis(context, own, rule, members) for own, rule, members in incidents if own.id in shown]
    actions = [a for d in diagnoses for a in plan_diagnosis(d, (), context.topology, context.remedies)]
    return SilentIncidents(
        episodes=settled.episodes, diagnoses=tuple(diagnoses), actions=tuple(actions), suppressed=settled.suppressed
    )


def _grouped(context: NightContext, unexpected: Sequence[Silence]) -> Iterator[tuple[Episode, str, tuple[str, ...]]]:
    """An episode at each silent host, or host of silent guests, with its cause and what fell silent."""
    guests: dict[str, list[Silence]] = defaultdict(list)
    for silence in unexpected:
        kind = context.topology[silence.entity].kind
        if not silence.whole:
            continue
        if kind == EntityKind.HOST:
            yield _episode(context, silence.entity, silence), HOST_SILENT, (silence.entity, *silence.below)
        elif kind == EntityKind.VM and context.topology.root(silence.entity) != silence.entity:
            guests[context.topology.root(silence.entity)].append(silence)
    for host, silences in guests.items():
        members = tuple(name for silence in silences for name in (silence.entity, *silence.below))
        first = min(silences, key=lambda silence: silence.since)
        measured = host in context.store.spans()
        cause = GUESTS_SILENT if measured else HOST_SILENT
        yield _episode(context, host, first, len(members)), cause, (host, *members)


def _episode(context: NightContext, entity: str, silence: Silence, members: int = 0) -> Episode:
    members = members or len(silence.below) + 1
    return Episode(
        id=hashlib.sha256(f"silent\n{entity}\n{silence.since}".encode()).hexdigest()[:12],
        entity=entity,
        start=silence.since,
        end=context.span.end,
        open=True,
        severity=SEVERITY * float(np.sqrt(members)),
        movers=(),
        shape=Shape.DROPOUT,
    )


def _diagnosis(context: NightContext, episode: Episode, rule: CauseRule, members: tuple[str, ...]) -> Diagnosis:
    statement = _statement(context, episode, rule.id, members)
    evidence = Evidence(
        symptom=rule.evidence[0].symptom,
        role=EvidenceRole.NECESSARY,
        state=EvidenceState.PRESENT,
        strength=1.0,
        series=None,
        statement=statement,
        source="measured regularly before",
    )
    answer = Cause(
        id=rule.id, title=rule.title, family=rule.family, entity=episode.entity, probability=SURE, evidence=(evidence,)
    )
    unknown = Cause(id=UNKNOWN, title="Unknown", family=UNKNOWN, entity="", probability=HARDLY)
    return Diagnosis(
        id=episode.id,
        start=episode.start,
        end=episode.end,
        open=True,
        entities=tuple(dict.fromkeys((episode.entity, *members))),
        episodes=(episode.id,),
        causes=(answer, unknown),
        summary=f"{rule.title} at {episode.entity}: {statement}.",
    )


def _statement(context: NightContext, episode: Episode, cause: str, members: Sequence[str]) -> str:
    host, below = episode.entity, len(members) - 1
    things = f"{below} {'entity' if below == 1 else 'entities'} below it"
    if cause == GUESTS_SILENT:
        return f"{things} sent nothing any more, while {host} itself is still measured"
    measured = set(context.topology.descendants(host)) & context.store.spans().keys()
    going_on = len(measured - set(members))
    if going_on and not below:
        return f"{host} itself sends nothing any more, while {going_on} below it are still measured"
    return f"{host} and {things} send nothing any more" if below else f"{host} sends nothing any more"
