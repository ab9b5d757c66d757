"""Assemble a night: the results of all shards and incidents as one, most urgent first."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from brownout.domain.findings import Action, Diagnosis, Episode, Freshness, Shift, SuppressedEpisode
from brownout.domain.findings.service_levels import ConsoleHistory, ConsoleService
from brownout.domain.forecasts import Breach, Series, Skill
from brownout.domain.night import Chart, ConsoleLevel, Night, Quality
from brownout.domain.panel import Panel
from brownout.domain.repairs import Repair, Repairs
from brownout.nightly.capacity.planned_moves import move_actions, plan_moves
from brownout.nightly.context import NightContext
from brownout.nightly.false_alarms import AlarmedIncidents
from brownout.nightly.forecast import ShardForecast
from brownout.nightly.freshness import SilentIncidents, only_future, silent_entities, silent_incidents
from brownout.nightly.night_span import waiting_for
from brownout.nightly.plan import plan_breaches, with_commands
from brownout.nightly.score_shard import ShardResult
from brownout.numerics.slots import days
from brownout.reporting.charts import latency_chart
from brownout.reporting.console_service import console_histories
from brownout.store.as_of import StoreAsOf
from brownout.store.history import History

__all__ = ["assemble_night"]

FORECAST_CHARTS = 24
"""Forecasts that a report shows: those of breaches first, then those nearest to their limits."""
DAY = days(1)
SELDOM = 2
"""Slots between two samples from which something is measured more seldom than the slot."""
INCIDENT_CHARTS = 24
"""Incidents whose charts a report shows: open ones first, then the worst."""


def assemble_night(
    context: NightContext, shards: Sequence[ShardResult], incidents: AlarmedIncidents, freshness: Freshness
) -> Night:
    """Everything that was found, most urgent first; nothing that is past or of what is silent stands as a forecast."""
    silence = silent_incidents(context, freshness)
    span, settings, store = context.span, context.settings, context.store
    forecasts = [shard.forecast for shard in shards if shard.forecast is not None]
    every = sorted((b for part in forecasts for b in part.breaches), key=lambda b: (-b.probability, b.series))
    breaches = only_future(every, freshness)
    suppressed = _suppressed(shards, incidents, silence)
    episodes = _episodes(shards, suppressed, silence)
    diagnoses = _diagnoses(incidents, silence, episodes)
    latencies = [shard.latency for shard in shards if shard.latency is not None]
    levels = tuple(sorted((one for s in shards for one in s.levels), key=lambda one: one.series))
    actions = (*plan_breaches(context, breaches, diagnoses), *_planned(incidents, silence, diagnoses))
    moves = plan_moves(context, [part.loads for part in forecasts], diagnoses, breaches, levels, freshness)
    actions = (*actions, *move_actions(context, moves, actions))
    return Night(
        source=store.name,
        created=context.created,
        start=span.window,
        end=span.end,
        interval_s=store.interval_s or min(s.interval_s for s in store.spans().values()),
        horizon_s=settings.forecast.steps * settings.forecast.step_minutes * 60.0,
        topology=context.topology,
        metrics=context.metrics,
        breaches=breaches,
        chronic=tuple(sorted(series for part in forecasts for series in part.chronic)),
        skills=_skills(context),
        episodes=episodes,
        diagnoses=diagnoses,
        actions=with_commands(context, actions, diagnoses, breaches, levels, plan=moves),
        forecasts=_nearest(forecasts, breaches, freshness),
        charts=_charts(incidents, diagnoses[:INCIDENT_CHARTS]),
        models=context.models.records,
        quality=_quality(context, shards),
        latency=latency_chart(latencies, context.metrics.get(context.console_latency)),
        consoles=_consoles(shards, freshness),
        services=_services(shards),
        histories=_histories(latencies),
        levels=levels,
        moves=moves,
        sizes=tuple(sorted((size for s in shards for size in s.sizes), key=lambda size: (size.guest, size.resource))),
        series=sum(part.series for part in forecasts),
        suppressed=suppressed,
        verdicts=context.state.verdicts,
        shifts=_shifts(shards),
        freshness=replace(freshness, withdrawn=len(every) - len(breaches)),
        maintenance=context.calendar.announced(context.topology, span.window, span.end),
    )


def _episodes(
    shards: Sequence[ShardResult], suppressed: Sequence[SuppressedEpisode], silence: SilentIncidents
) -> tuple[Episode, ...]:
    """Episodes that raise an alarm, in order of time."""
    left_out = {one.episode.id for one in suppressed}
    alarmed = (e for shard in shards for e in shard.detection.episodes if e.id not in left_out)
    return tuple(sorted((*alarmed, *silence.episodes), key=lambda e: (e.start, e.entity)))


def _diagnoses(
    incidents: AlarmedIncidents, silence: SilentIncidents, episodes: Sequence[Episode]
) -> tuple[Diagnosis, ...]:
    """Incidents, open ones first, then the worst."""
    severity = {episode.id: episode.severity for episode in episodes}
    diagnoses = (*(d for batch in incidents.batches for d in batch.diagnoses), *silence.diagnoses)
    return tuple(sorted(diagnoses, key=lambda d: (not d.open, -max(severity[episode] for episode in d.episodes), d.id)))


def _planned(incidents: AlarmedIncidents, silence: SilentIncidents, diagnoses: Sequence[Diagnosis]) -> list[Action]:
    """Actions about incidents, in their order."""
    order = {diagnosis.id: rank for rank, diagnosis in enumerate(diagnoses)}
    todo = (*(a for batch in incidents.batches for a in batch.actions), *silence.actions)
    return sorted(todo, key=lambda action: order[action.about])


def _consoles(shards: Sequence[ShardResult], freshness: Freshness) -> tuple[ConsoleLevel, ...]:
    """How slow consoles are now: nothing of what is silent."""
    silent = silent_entities(freshness)
    now = () if freshness.stale else (c for s in shards for c in s.consoles if c.series.entity not in silent)
    return tuple(sorted(now, key=lambda c: (-c.now, c.series)))


def _skills(context: NightContext) -> tuple[Skill, ...]:
    forecaster = context.models.forecaster
    return () if forecaster is None else tuple(forecaster.skills_)


def _charts(incidents: AlarmedIncidents, shown: Sequence[Diagnosis]) -> dict[str, Mapping[Series, Chart]]:
    """Charts of the incidents that are shown, by incident."""
    every = {name: charts for batch in incidents.batches for name, charts in batch.charts.items()}
    return {diagnosis.id: every[diagnosis.id] for diagnosis in shown if every.get(diagnosis.id)}


def _services(shards: Sequence[ShardResult]) -> tuple[ConsoleService, ...]:
    return tuple(sorted((c for shard in shards for c in shard.services), key=lambda c: c.console))


def _shifts(shards: Sequence[ShardResult]) -> tuple[Shift, ...]:
    """Levels that are accepted as usual, in order of time."""
    return tuple(sorted((s for shard in shards for s in shard.detection.shifts), key=lambda s: (s.at, s.series)))


def _histories(latencies: Sequence[Panel]) -> tuple[ConsoleHistory, ...]:
    histories = [history for latency in latencies for history in console_histories(latency)]
    return tuple(sorted(histories, key=lambda history: history.console))


def _suppressed(
    shards: Sequence[ShardResult], incidents: AlarmedIncidents, silence: SilentIncidents
) -> tuple[SuppressedEpisode, ...]:
    """Episodes that raise no alarm, whichever stage said so, in order of time.

    Of an episode in which two things happened one part may be quiet and the other told: then it is told.
    """
    diagnosed = {name for batch in incidents.batches for diagnosis in batch.diagnoses for name in diagnosis.episodes}
    suppressed = [one for shard in shards for one in shard.detection.suppressed]
    suppressed += [one for batch in incidents.batches for one in batch.suppressed]
    suppressed += (*incidents.suppressed, *silence.suppressed)
    quiet = (one for one in suppressed if one.episode.id not in diagnosed)
    return tuple(sorted(quiet, key=lambda one: (one.episode.start, one.episode.entity)))


def _nearest(
    forecasts: Sequence[ShardForecast], breaches: Sequence[Breach], freshness: Freshness
) -> dict[Series, Chart]:
    """Charts of breaches and of what comes nearest to its limit; no forecast of what is silent is drawn."""
    if freshness.stale:
        return {}
    silent = silent_entities(freshness)
    charts = {series: chart for part in forecasts for series, chart in part.charts.items()}
    closeness = {series: near for part in forecasts for series, near in part.closeness.items()}
    ordered = [breach.series for breach in breaches] + sorted(closeness, key=lambda s: (-closeness[s], s))
    shown = [series for series in dict.fromkeys(ordered) if series.entity not in silent]
    return {series: charts[series] for series in shown[:FORECAST_CHARTS]}


def _quality(context: NightContext, shards: Sequence[ShardResult]) -> Quality:
    present, slots = Counter[str](), Counter[str]()
    store = context.store.store if isinstance(context.store, StoreAsOf) else context.store
    # What sync repaired stands in the files; a shard that is read from them needs little repair itself.
    repairs = store.repairs(since=context.span.window) if isinstance(store, History) else Repairs()
    repairs += Repairs({(Repair.AHEAD, name): rows for name, rows in context.span.ahead.items()})
    for shard in shards:
        repairs += shard.repairs
        for name, (measured, possible) in shard.measured.items():
            present[name] += measured
            slots[name] += possible
    spans, window = context.store.spans(), context.span.window
    silent = [e.id for e in context.topology if e.id not in spans or spans[e.id].last < window]
    by_peers = {name for shard in shards if shard.forecast for name in shard.forecast.by_peers}
    rhythms = {name: rhythm for shard in shards for name, rhythm in shard.silent.rhythm_s.items()}
    return Quality(
        by_peers=tuple(sorted(by_peers)),
        waiting=waiting_for(context.span, by_peers),
        judged_from=_judged_from(context),
        seldom={name: s for name, s in sorted(rhythms.items()) if s >= SELDOM * spans[name].interval_s},
        repairs=repairs,
        coverage={name: present[name] / slots[name] for name in sorted(slots) if slots[name]},
        silent=tuple(np.unique(silent).tolist()),
    )


def _judged_from(context: NightContext) -> dict[str, np.datetime64]:
    """When entities without a day of past will have one, of kinds of which nobody has one."""
    end, topology = context.span.end, context.topology
    spans = {name: span for name, span in context.store.spans().items() if span.last + DAY > end}
    judged = {topology[name].kind for name, span in spans.items() if span.first + DAY <= end}
    return {name: span.first + DAY for name, span in sorted(spans.items()) if topology[name].kind not in judged}
