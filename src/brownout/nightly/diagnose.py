"""Diagnosis of a night: from episodes to incidents, their causes, what to do about them, and charts that show them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from brownout.detection.alert_state import with_known_ids
from brownout.diagnosis.evidence.observation import IncidentWindow
from brownout.diagnosis.incidents.consequences import without_consequences
from brownout.diagnosis.incidents.going_on import filling_entities, own_span, with_own_span, with_rise_since
from brownout.diagnosis.incidents.grouping import group_episodes
from brownout.diagnosis.incidents.incident_core import LEAST_SLOTS, diagnose_phases
from brownout.diagnosis.incidents.recurrence import Told, joined
from brownout.diagnosis.incidents.separation import Sifted, sift
from brownout.diagnosis.incidents.shared_faults import one_for_all
from brownout.domain.findings import UNKNOWN, Action, Diagnosis, Episode, EvidenceState, SuppressedEpisode
from brownout.domain.forecasts import Series
from brownout.domain.night import Chart
from brownout.domain.panel import Panel
from brownout.nightly.context import NightContext
from brownout.numerics.slots import days
from brownout.planning.actions import plan_diagnosis
from brownout.reporting.charts import incident_charts, slowed_console
from brownout.store.shards import plan_shards

__all__ = ["BatchDiagnosis", "diagnose_batch", "group_incidents", "with_shared_faults_once", "without_diagnoses"]

ENTITIES_A_BATCH = 128
CHARTS_AN_INCIDENT = 4


@dataclass(slots=True, kw_only=True, eq=False)
class BatchDiagnosis:
    """What was found out about a batch of incidents.

    ``suppressed`` are the episodes that an artefact explains, ``artefacts`` the diagnoses that say so: no alarms.
    ``parts`` are the episodes of each diagnosis, without what other ones explain of them.
    """

    diagnoses: list[Diagnosis] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    charts: dict[str, Mapping[Series, Chart]] = field(default_factory=dict)
    suppressed: list[SuppressedEpisode] = field(default_factory=list)
    artefacts: list[Diagnosis] = field(default_factory=list)
    parts: dict[str, tuple[Episode, ...]] = field(default_factory=dict)


def group_incidents(context: NightContext, episodes: Sequence[Episode]) -> list[tuple[IncidentWindow, ...]]:
    """Incidents in batches that share what must be read: whole hosts, about 128 entities together."""
    topology = context.topology
    hosts: dict[str, list[IncidentWindow]] = {}
    for window in group_episodes([_noticed(episode, context.late_s) for episode in episodes], topology):
        hosts.setdefault(topology.root(window.entities[0]), []).append(window)
    batches: list[list[IncidentWindow]] = []
    room = 0
    for windows in hosts.values():
        if room < len(windows[0].entities):
            batches.append([])
            room = ENTITIES_A_BATCH
        batches[-1] += windows
        room -= len(windows[0].entities)
    return [tuple(batch) for batch in batches]


def _noticed(episode: Episode, late_s: float) -> Episode:
    """An episode whose begin nobody saw; one that was over by then is noticed as it ends."""
    if not late_s:
        return episode
    return replace(episode, start=min(episode.start + np.timedelta64(round(late_s * 1000), "ms"), episode.end))


def diagnose_batch(context: NightContext, batch: Sequence[IncidentWindow]) -> BatchDiagnosis:
    """Rank the causes of each incident, plan against them, and chart what shows them."""
    past = days(context.settings.diagnose.baseline_days)
    panels = _panels(context, batch, past)
    found = BatchDiagnosis()
    told: list[Told] = []
    for window in batch:
        own = [panel for panel in (_of(panel, window, past) for panel in panels) if panel.entities]
        sifted = _investigate(context, window, own)
        found.suppressed += sifted.suppressed
        found.artefacts += sifted.artefacts
        told += [
            (part, with_own_span(diagnosis, part, own))
            for part, diagnosis in zip(sifted.windows, sifted.diagnoses, strict=True)
        ]
    faults = [one for one in told if one[1].top.id != UNKNOWN]
    unknown = [one for one in told if one[1].top.id == UNKNOWN]
    incidents = joined(
        without_consequences(
            [*joined(faults, panels), *unknown], context.topology, context.diagnoser.knowledge, context.metrics, panels
        )
    )
    incidents = [(window, _with_rise_since(context, diagnosis, window, past)) for window, diagnosis in incidents]
    named = with_known_ids([diagnosis for _, diagnosis in incidents], context.state.incidents)
    for (window, _), diagnosis in zip(incidents, named, strict=True):
        own = [_of(panel, window, past) for panel in panels]
        until = [panel.between(panel.start, diagnosis.end) for panel in own]
        shown = _telling(context, diagnosis, window, own)
        found.diagnoses.append(diagnosis)
        found.parts[diagnosis.id] = window.episodes
        found.actions += plan_diagnosis(diagnosis, until, context.topology, context.remedies)
        found.charts[diagnosis.id] = incident_charts(diagnosis, panels, context.metrics, shown)
    return found


def with_shared_faults_once(context: NightContext, batches: Sequence[BatchDiagnosis]) -> list[BatchDiagnosis]:
    """Batches in which a fault of what several hosts share is told once, with all that it concerns."""
    shared = {rule.id for rule in context.diagnoser.knowledge.causes.values() if rule.shared}
    every = [diagnosis for batch in batches for diagnosis in batch.diagnoses]
    once = one_for_all(every, shared, context.state.incidents)
    gone = {diagnosis.id for diagnosis in every} - {diagnosis.id for diagnosis in once.values()}
    left = (without_diagnoses(batch, gone) for batch in batches)
    return [replace(batch, diagnoses=[once[diagnosis.id] for diagnosis in batch.diagnoses]) for batch in left]


def without_diagnoses(batch: BatchDiagnosis, left_out: Collection[str]) -> BatchDiagnosis:
    """A batch without some diagnoses, their actions and charts."""
    return replace(
        batch,
        diagnoses=[d for d in batch.diagnoses if d.id not in left_out],
        actions=[action for action in batch.actions if action.about not in left_out],
        charts={name: charts for name, charts in batch.charts.items() if name not in left_out},
    )


def _panels(context: NightContext, batch: Sequence[IncidentWindow], past: np.timedelta64) -> list[Panel]:
    """Everything that was measured of the entities of a batch, until half a day after its last incident."""
    entities = {entity for window in batch for entity in window.entities}
    start, end = min(window.start for window in batch) - past, max(window.end for window in batch) + days(0.5)
    return _read(context, entities, start, min(end, context.span.end))


def _read(context: NightContext, entities: Collection[str], start: np.datetime64, end: np.datetime64) -> list[Panel]:
    plans = plan_shards(context.store, size=context.settings.shard_size, start=start, end=end, entities=set(entities))
    return [context.shard(plan).panel for plan in plans]


def _with_rise_since(
    context: NightContext, diagnosis: Diagnosis, window: IncidentWindow, past: np.timedelta64
) -> Diagnosis:
    """The diagnosis, open where what filled up in it fills on until the end of the data, however long ago it ended."""
    entities = filling_entities(diagnosis, context.metrics)
    if diagnosis.open or not entities:
        return diagnosis
    return with_rise_since(diagnosis, window, _read(context, entities, window.start - past, context.span.end))


def _investigate(context: NightContext, window: IncidentWindow, panels: Sequence[Panel]) -> Sifted:
    """What a group of episodes is about; ``panels`` hold its own entities."""
    diagnose = partial(diagnose_phases, context.diagnoser, panels=panels, topology=context.topology, known={})
    span = partial(own_span, panels=panels)
    search = partial(
        sift, window, diagnose, context.diagnoser.knowledge, context.topology, context.metrics, own_span=span
    )
    return search() if context.kept_results is None else context.kept_results.sifted(window, panels, search)


def _of(panel: Panel, window: IncidentWindow, past: np.timedelta64) -> Panel:
    """The window's entities in a panel, from its past to a little after its end."""
    members = set(window.entities)
    rows = [row for row, name in enumerate(panel.entity_ids) if name in members]
    return panel.select(entities=rows).between(window.start - past, window.end + LEAST_SLOTS * panel.step)


def _telling(
    context: NightContext, diagnosis: Diagnosis, window: IncidentWindow, panels: Sequence[Panel]
) -> list[Series]:
    """Series worth looking at: the culprit's slowest console, what speaks for the top cause, and what moved most."""
    present = [e for e in diagnosis.top.evidence if e.state is EvidenceState.PRESENT and e.series is not None]
    culprit = diagnosis.top.entity or window.entities[0]
    wanted = [
        slowed_console(context.console_latency, diagnosis, context.topology.at(diagnosis.start), culprit, panels),
        *(evidence.series for evidence in present),
    ]
    movers = sorted((m for e in window.episodes for m in e.movers), key=lambda mover: -abs(mover.deviation))
    wanted += [mover.series for mover in movers]
    return list(dict.fromkeys(series for series in wanted if series is not None))[:CHARTS_AN_INCIDENT]
