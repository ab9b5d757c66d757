"""Assemble a night: the results of all shards and incidents as one, most urgent first."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from brownout.domain.findings import Action, Diagnosis, Episode, SuppressedEpisode
from brownout.domain.findings.service_levels import ConsoleHistory
from brownout.domain.forecasts import Breach, Series
from brownout.domain.night import Chart, Night, Quality
from brownout.domain.panel import Panel
from brownout.domain.repairs import Repairs
from brownout.nightly.context import NightContext
from brownout.nightly.false_alarms import AlarmedIncidents
from brownout.nightly.forecast import ShardForecast
from brownout.nightly.night_span import waiting_for
from brownout.nightly.plan import plan_breaches, with_commands
from brownout.nightly.score_shard import ShardResult
from brownout.reporting.charts import latency_chart
from brownout.reporting.console_service import console_histories
from brownout.store.history import History

__all__ = ["assemble_night"]

FORECAST_CHARTS = 24
"""Forecasts that a report shows: those of breaches first, then those nearest to their limits."""
INCIDENT_CHARTS = 24
"""Incidents whose charts a report shows: open ones first, then the worst."""


def assemble_night(context: NightContext, shards: Sequence[ShardResult], incidents: AlarmedIncidents) -> Night:
    """Everything that was found, most urgent first."""
    span, settings, store = context.span, context.settings, context.store
    forecasts = [shard.forecast for shard in shards if shard.forecast is not None]
    breaches = sorted((b for part in forecasts for b in part.breaches), key=lambda b: (-b.probability, b.series))
    suppressed = _suppressed(shards, incidents)
    left_out = {quiet.episode.id for quiet in suppressed}
    episodes = sorted(
        (e for shard in shards for e in shard.detection.episodes if e.id not in left_out),
        key=lambda e: (e.start, e.entity),
    )
    diagnoses = _worst_first(incidents, episodes)
    latencies = [shard.latency for shard in shards if shard.latency is not None]
    levels = tuple(sorted((one for s in shards for one in s.levels), key=lambda one: one.series))
    actions = (*plan_breaches(context, breaches, diagnoses), *_planned(incidents, diagnoses))
    charts = {name: charts for batch in incidents.batches for name, charts in batch.charts.items()}
    forecaster = context.models.forecaster
    return Night(
        source=store.name,
        created=context.created,
        start=span.window,
        end=span.end,
        interval_s=store.interval_s or min(s.interval_s for s in store.spans().values()),
        horizon_s=settings.forecast.steps * settings.forecast.step_minutes * 60.0,
        topology=context.topology,
        metrics=context.metrics,
        breaches=tuple(breaches),
        chronic=tuple(sorted(series for part in forecasts for series in part.chronic)),
        skills=() if forecaster is None else tuple(forecaster.skills_),
        episodes=tuple(episodes),
        diagnoses=tuple(diagnoses),
        actions=with_commands(context, actions, diagnoses, breaches, levels),
        forecasts=_nearest(forecasts, breaches),
        charts={d.id: charts[d.id] for d in diagnoses[:INCIDENT_CHARTS] if charts.get(d.id)},
        models=context.models.records,
        quality=_quality(context, shards),
        latency=latency_chart(latencies, context.metrics.get(context.console_latency)),
        consoles=tuple(sorted((c for s in shards for c in s.consoles), key=lambda c: (-c.now, c.series))),
        services=tuple(sorted((c for s in shards for c in s.services), key=lambda c: c.console)),
        histories=_histories(latencies),
        levels=levels,
        series=sum(part.series for part in forecasts),
        suppressed=suppressed,
        verdicts=context.state.verdicts,
        shifts=tuple(
            sorted((s for shard in shards for s in shard.detection.shifts), key=lambda quiet: (quiet.at, quiet.series))
        ),
        maintenance=context.calendar.announced(context.topology, span.window, span.end),
    )


def _worst_first(incidents: AlarmedIncidents, episodes: Sequence[Episode]) -> list[Diagnosis]:
    """Open incidents first, then the most severe."""
    severity = {episode.id: episode.severity for episode in episodes}
    return sorted(
        (d for batch in incidents.batches for d in batch.diagnoses),
        key=lambda d: (not d.open, -max(severity[episode] for episode in d.episodes), d.id),
    )


def _planned(incidents: AlarmedIncidents, diagnoses: Sequence[Diagnosis]) -> list[Action]:
    """Actions about incidents, in their order."""
    order = {diagnosis.id: place for place, diagnosis in enumerate(diagnoses)}
    return sorted((a for batch in incidents.batches for a in batch.actions), key=lambda action: order[action.about])


def _histories(latencies: Sequence[Panel]) -> tuple[ConsoleHistory, ...]:
    found = [history for latency in latencies for history in console_histories(latency)]
    return tuple(sorted(found, key=lambda history: history.console))


def _suppressed(shards: Sequence[ShardResult], incidents: AlarmedIncidents) -> tuple[SuppressedEpisode, ...]:
    """Episodes that raise no alarm, whichever stage said so, in order of time.

    Of an episode in which two things happened one part may be quiet and the other told: then it is told.
    """
    told = {name for batch in incidents.batches for diagnosis in batch.diagnoses for name in diagnosis.episodes}
    suppressed = [quiet for shard in shards for quiet in shard.detection.suppressed]
    suppressed += [quiet for batch in incidents.batches for quiet in batch.suppressed]
    suppressed += incidents.suppressed
    quiet = (one for one in suppressed if one.episode.id not in told)
    return tuple(sorted(quiet, key=lambda one: (one.episode.start, one.episode.entity)))


def _nearest(forecasts: Sequence[ShardForecast], breaches: Sequence[Breach]) -> dict[Series, Chart]:
    charts = {series: chart for part in forecasts for series, chart in part.charts.items()}
    closeness = {series: near for part in forecasts for series, near in part.closeness.items()}
    ordered = [breach.series for breach in breaches] + sorted(closeness, key=lambda s: (-closeness[s], s))
    return {series: charts[series] for series in list(dict.fromkeys(ordered))[:FORECAST_CHARTS]}


def _quality(context: NightContext, shards: Sequence[ShardResult]) -> Quality:
    present, slots = Counter[str](), Counter[str]()
    store = context.store
    # What sync repaired stands in the files; a shard that is read from them needs little repair itself.
    repairs = store.repairs(since=context.span.window) if isinstance(store, History) else Repairs()
    for shard in shards:
        repairs += shard.repairs
        for name, (measured, possible) in shard.measured.items():
            present[name] += measured
            slots[name] += possible
    spans, window = context.store.spans(), context.span.window
    silent = [e.id for e in context.topology if e.id not in spans or spans[e.id].last < window]
    by_peers = {name for shard in shards if shard.forecast for name in shard.forecast.by_peers}
    return Quality(
        by_peers=tuple(sorted(by_peers)),
        waiting=waiting_for(context.span, by_peers),
        repairs=repairs,
        coverage={name: present[name] / slots[name] for name in sorted(slots) if slots[name]},
        silent=tuple(np.unique(silent).tolist()),
    )
