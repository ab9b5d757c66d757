"""Investigate: from episodes to incidents, their causes and what to do about them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from brownout.diagnosis.evidence.observation import IncidentWindow
from brownout.diagnosis.incidents.artefacts import sift
from brownout.diagnosis.incidents.grouping import group_episodes
from brownout.diagnosis.incidents.incident_core import LEAST_SLOTS, diagnose_phases
from brownout.diagnosis.inference.cause_ranking import Diagnoser, Weights
from brownout.diagnosis.knowledge.knowledge_base import Knowledge
from brownout.domain.findings import Action, Diagnosis, Episode, EvidenceState, SuppressedEpisode
from brownout.domain.forecasts import Series
from brownout.domain.metrics import shipped_catalogue
from brownout.domain.night import Chart
from brownout.domain.panel import Panel
from brownout.domain.ports import SampleStore
from brownout.nightly.charts import incident_charts
from brownout.nightly.context import with_limits
from brownout.numerics.slots import days
from brownout.planning.actions import plan_diagnosis
from brownout.planning.remedies import Remedies
from brownout.settings import Settings
from brownout.store.shards import plan_shards, read_shard

__all__ = ["Investigation", "group_incidents", "investigate"]

ENTITIES_A_BATCH = 128
DOUBT = 1.0
"""Log-odds that episodes of our own add to ``unknown``: they are healthy more often than what somebody reports."""
CHARTS_AN_INCIDENT = 4


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Investigation:
    """What was found out about a batch of incidents.

    ``suppressed`` are the episodes that an artefact explains, ``artefacts`` the diagnoses that say so: no alarms.
    """

    diagnoses: tuple[Diagnosis, ...]
    actions: tuple[Action, ...]
    charts: Mapping[str, Mapping[Series, Chart]]
    suppressed: tuple[SuppressedEpisode, ...] = ()
    artefacts: tuple[Diagnosis, ...] = ()


def group_incidents(store: SampleStore, found: Sequence[Episode]) -> tuple[tuple[IncidentWindow, ...], ...]:
    """Incidents in batches that share what must be read: whole hosts, about 128 entities together."""
    windows: dict[str, list[IncidentWindow]] = {}
    topology = store.topology
    for window in group_episodes(found, topology):
        windows.setdefault(topology.root(window.entities[0]), []).append(window)
    batches: list[list[IncidentWindow]] = []
    room = 0
    for members in windows.values():
        if room < len(members[0].entities):
            batches.append([])
            room = ENTITIES_A_BATCH
        batches[-1] += members
        room -= len(members[0].entities)
    return tuple(tuple(batch) for batch in batches)


def investigate(store: SampleStore, batch: Sequence[IncidentWindow], settings: Settings) -> Investigation:
    """Rank the causes of each incident, plan against them, and chart what shows them."""
    past = days(settings.diagnose.baseline_days)
    entities = {entity for window in batch for entity in window.entities}
    start, end = min(window.start for window in batch) - past, max(window.end for window in batch) + days(0.5)
    plans = plan_shards(store, size=settings.shard_size, start=start, end=end, entities=entities)
    panels = [read_shard(store, plan).panel for plan in plans]
    diagnoser, remedies = _means()
    topology = store.topology
    diagnoses: list[Diagnosis] = []
    actions: list[Action] = []
    charts: dict[str, Mapping[Series, Chart]] = {}
    suppressed: list[SuppressedEpisode] = []
    artefacts: list[Diagnosis] = []
    metrics = with_limits({metric.name: metric for metric in store.metrics}, settings.forecast)
    for window in batch:
        own = [_of(panel, window, past) for panel in panels]
        measured = [panel for panel in own if panel.entities]
        then = topology.at(window.start)
        diagnose = partial(diagnose_phases, diagnoser, panels=measured, topology=then)
        sifted = sift(window, diagnose, diagnoser.knowledge, then)
        suppressed += sifted.suppressed
        artefacts += sifted.artefacts
        for part, diagnosis in zip(sifted.windows, sifted.diagnoses, strict=True):
            seen = [panel.between(panel.start, diagnosis.end) for panel in own]
            diagnoses.append(diagnosis)
            actions += plan_diagnosis(diagnosis, seen, topology, remedies)
            charts[diagnosis.id] = incident_charts(diagnosis, panels, metrics, _telling(diagnosis, part, own))
    return Investigation(
        diagnoses=tuple(diagnoses),
        actions=tuple(actions),
        charts=charts,
        suppressed=tuple(suppressed),
        artefacts=tuple(artefacts),
    )


@cache
def _means() -> tuple[Diagnoser, Remedies]:
    """Knowledge and remedies as they ship, read once for all batches."""
    return Diagnoser(Knowledge.load(), Weights(unknown=Weights.unknown + DOUBT)), Remedies.load()


def _of(panel: Panel, window: IncidentWindow, past: np.timedelta64) -> Panel:
    """The window's entities in a panel, from its past to a little after its end."""
    members = set(window.entities)
    rows = [row for row, name in enumerate(panel.entity_ids) if name in members]
    return panel.select(entities=rows).between(window.start - past, window.end + LEAST_SLOTS * panel.step)


def _telling(diagnosis: Diagnosis, window: IncidentWindow, panels: Sequence[Panel]) -> list[Series]:
    """Series worth looking at: the slowest console, what speaks for the top cause, and what moved most."""
    present = [e for e in diagnosis.top.evidence if e.state is EvidenceState.PRESENT and e.series is not None]
    wanted = [_slowest(window, panels), *(evidence.series for evidence in present)]
    movers = sorted((m for e in window.episodes for m in e.movers), key=lambda mover: -abs(mover.deviation))
    wanted += [mover.series for mover in movers]
    return list(dict.fromkeys(series for series in wanted if series is not None))[:CHARTS_AN_INCIDENT]


def _slowest(window: IncidentWindow, panels: Sequence[Panel]) -> Series | None:
    """Console latency where its median within the incident is highest."""
    latency = shipped_catalogue().console_latency
    found: list[tuple[float, Series]] = []
    for panel in panels:
        if latency not in panel.metric_names:
            continue
        values = panel.between(window.start, window.end).values[..., panel.metric_names.index(latency)]
        found += [
            (float(np.nanmedian(values[row])), Series(panel.entity_ids[row], latency))
            for row in np.flatnonzero(np.isfinite(values).any(axis=1)).tolist()
        ]
    return max(found, default=(0.0, None))[1]
