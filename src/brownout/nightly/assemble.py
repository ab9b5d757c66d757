"""Conclude: put the findings of all shards together and write the report."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from brownout.domain.findings import Action, Diagnosis
from brownout.domain.forecasts import Breach, Series, Skill
from brownout.domain.metrics import Metric
from brownout.domain.night import Chart, ModelRecord, Night, Quality
from brownout.domain.panel import as_time
from brownout.domain.ports import SampleStore
from brownout.domain.repairs import Repairs
from brownout.domain.verdicts import Verdict
from brownout.nightly.calendars import calendar_of
from brownout.nightly.charts import latency_chart
from brownout.nightly.context import NightSpan, with_limits
from brownout.nightly.false_alarms import Sorted
from brownout.nightly.forecast import ShardFindings
from brownout.planning.actions import LATENCY, merged, plan_breach
from brownout.planning.remedies import Remedies
from brownout.reporting import render
from brownout.settings import Settings

__all__ = ["Findings", "conclude", "night_of"]

FORECAST_CHARTS = 24
"""Forecasts that a report shows: those of breaches first, then those nearest to their limits."""
INCIDENT_CHARTS = 24
"""Incidents whose charts a report shows: open ones first, then the worst."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Findings:
    """What the stages of a night found."""

    models: Sequence[ModelRecord]
    skills: Sequence[Skill]
    shards: Sequence[ShardFindings]
    told: Sorted
    verdicts: Sequence[Verdict] = ()


def conclude(store: SampleStore, settings: Settings, folder: Path, findings: Findings) -> Night:
    """Assemble the night and write ``index.html``, ``report.md`` and ``report.json`` into the folder."""
    night = night_of(store, settings, findings)
    render(night, folder)
    return night


def night_of(store: SampleStore, settings: Settings, findings: Findings) -> Night:
    """Everything that was found, most urgent first."""
    shards, investigations = findings.shards, findings.told.investigations
    span = NightSpan.of(store, settings)
    metrics = with_limits({metric.name: metric for metric in store.metrics}, settings.forecast)
    found = sorted((b for shard in shards for b in shard.breaches), key=lambda b: (-b.probability, b.series))
    quiet = [q for shard in shards for q in shard.suppressed] + [q for part in investigations for q in part.suppressed]
    quiet += findings.told.suppressed
    explained = {one.episode.id for one in quiet}
    episodes = sorted(
        (e for shard in shards for e in shard.episodes if e.id not in explained), key=lambda e: (e.start, e.entity)
    )
    severity = {episode.id: episode.severity for episode in episodes}
    diagnoses = sorted(
        (d for i in investigations for d in i.diagnoses),
        key=lambda d: (not d.open, -max(severity[episode] for episode in d.episodes), d.id),
    )
    latencies = [shard.latency for shard in shards if shard.latency is not None]
    order = {diagnosis.id: place for place, diagnosis in enumerate(diagnoses)}
    planned = sorted((a for i in investigations for a in i.actions), key=lambda action: order[action.about])
    return Night(
        source=store.name,
        created=as_time(datetime.now(UTC).isoformat(timespec="seconds")),
        start=span.window,
        end=span.end,
        interval_s=store.interval_s or min(s.interval_s for s in store.spans().values()),
        horizon_s=settings.forecast.steps * settings.forecast.step_minutes * 60.0,
        topology=store.topology,
        metrics=metrics,
        breaches=tuple(found),
        chronic=tuple(sorted(series for shard in shards for series in shard.chronic)),
        skills=tuple(findings.skills),
        episodes=tuple(episodes),
        diagnoses=tuple(diagnoses),
        actions=(*_for_breaches(found, diagnoses, metrics, store), *planned),
        forecasts=_nearest(shards, found),
        charts={
            d.id: charts for d in diagnoses[:INCIDENT_CHARTS] for i in investigations if (charts := i.charts.get(d.id))
        },
        models=tuple(findings.models),
        quality=_quality(store, span, shards),
        latency=latency_chart(latencies, metrics.get(LATENCY)),
        consoles=tuple(sorted((c for s in shards for c in s.consoles), key=lambda c: (-c.now, c.series))),
        series=sum(shard.series for shard in shards),
        suppressed=tuple(sorted(quiet, key=lambda one: (one.episode.start, one.episode.entity))),
        verdicts=tuple(findings.verdicts),
        shifts=tuple(sorted((s for shard in shards for s in shard.shifts), key=lambda one: (one.at, one.series))),
        maintenance=calendar_of(settings).announced(store.topology, span.window, span.end),
    )


def _for_breaches(
    found: Sequence[Breach], diagnoses: Sequence[Diagnosis], metrics: Mapping[str, Metric], store: SampleStore
) -> list[Action]:
    """One action for each breach that no incident still open on its host already explains."""
    topology, remedies = store.topology, Remedies.load()
    explained = {
        topology.root(entity) for d in diagnoses if d.open and d.top.id != "unknown" for entity in d.entities[:1]
    }
    actions = [
        plan_breach(breach, metrics, topology, remedies)
        for breach in found
        if topology.root(breach.series.entity) not in explained
    ]
    return list(merged(actions))


def _nearest(shards: Sequence[ShardFindings], found: Sequence[Breach]) -> dict[Series, Chart]:
    charts = {series: chart for shard in shards for series, chart in shard.charts.items()}
    closeness = {series: near for shard in shards for series, near in shard.closeness.items()}
    ordered = [breach.series for breach in found] + sorted(closeness, key=lambda s: (-closeness[s], s))
    return {series: charts[series] for series in list(dict.fromkeys(ordered))[:FORECAST_CHARTS]}


def _quality(store: SampleStore, span: NightSpan, shards: Iterable[ShardFindings]) -> Quality:
    present, slots = Counter[str](), Counter[str]()
    repairs = Repairs()
    for shard in shards:
        repairs += shard.repairs
        for name, (seen, possible) in shard.measured.items():
            present[name] += seen
            slots[name] += possible
    spans = store.spans()
    silent = [entity.id for entity in store.topology if entity.id not in spans or spans[entity.id].last < span.window]
    return Quality(
        by_peers=tuple(sorted({name for shard in shards for name in shard.by_peers})),
        repairs=repairs,
        coverage={name: present[name] / slots[name] for name in sorted(slots) if slots[name]},
        silent=tuple(np.unique(silent).tolist()),
    )
