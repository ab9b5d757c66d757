"""From a night to the data of its report."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping

import numpy as np

import brownout
from brownout.domain import findings, forecasts, night
from brownout.domain.panel import Float, Times
from brownout.reporting import schema, skill_schema
from brownout.reporting.episode_views import (
    episode_of,
    first_of,
    maintenance_of,
    mover_of,
    quiet_of,
    shift_of,
    verdict_of,
)
from brownout.reporting.fleet_overview import fleet_of
from brownout.reporting.judgement import judgement_of
from brownout.reporting.numbers import iso, known
from brownout.reporting.summary import summary_of

__all__ = ["report_of"]


def report_of(found: night.Night) -> schema.Report:
    """The data of ``report.json``; HTML and Markdown are made from it."""
    actions: dict[str, list[schema.Action]] = {}
    for action in found.actions:
        actions.setdefault(action.about, []).append(_action(action))
    ids = {diagnosis.id for diagnosis in found.diagnoses}
    return schema.Report(
        format=schema.FORMAT,
        source=found.source,
        created=iso(found.created),
        version=brownout.__version__,
        window=schema.Window(
            start=iso(found.start), end=iso(found.end), interval_s=found.interval_s, horizon_s=found.horizon_s
        ),
        summary=summary_of(found),
        fleet=fleet_of(found),
        breaches=[_breach(breach, found) for breach in found.breaches],
        chronic=[
            schema.Chronic(
                entity=series.entity,
                metric=series.metric,
                title=found.metrics[series.metric].label,
                unit=found.metrics[series.metric].unit,
                limit=found.metrics[series.metric].limit,
            )
            for series in found.chronic
        ],
        forecasts=[_chart(chart, found, f"f{place}") for place, chart in enumerate(found.forecasts.values())],
        incidents=[_incident(diagnosis, found, actions.get(diagnosis.id, [])) for diagnosis in found.diagnoses],
        actions=[action for about, members in actions.items() if about not in ids for action in members],
        episodes=[episode_of(episode, found) for episode in found.episodes],
        suppressed=[quiet_of(one, found) for one in found.suppressed],
        shifts=[shift_of(shift, found) for shift in found.shifts],
        verdicts=[verdict_of(verdict, found) for verdict in found.verdicts],
        maintenance=[maintenance_of(window) for window in found.maintenance],
        latency=None if found.latency is None else _chart(found.latency, found, "latency"),
        skills=[_skill(skill, found) for skill in found.skills],
        judgement=judgement_of(found.skills, found.metrics),
        series=found.series,
        quality=_quality(found.quality),
        models=[_model(model) for model in found.models],
    )


def _chart(chart: night.Chart, found: night.Night, identity: str) -> schema.Chart:
    metric = found.metrics[chart.series.metric]
    return schema.Chart(
        id=identity,
        entity=chart.series.entity,
        metric=metric.name,
        title=metric.label,
        unit=metric.unit,
        limit=chart.limit,
        maker=chart.maker,
        times=_seconds(chart.times),
        values=_values(chart.values),
        future=_seconds(chart.future),
        low=_values(chart.low),
        middle=_values(chart.middle),
        high=_values(chart.high),
        naive=_values(chart.naive),
        marks=[(_second(start), _second(end)) for start, end in chart.marks],
    )


def _incident(diagnosis: findings.Diagnosis, found: night.Night, actions: Iterable[schema.Action]) -> schema.Incident:
    own = {episode.id: episode for episode in found.episodes}
    episodes = sorted((own[name] for name in diagnosis.episodes), key=lambda episode: -episode.severity)
    charts = found.charts.get(diagnosis.id, {}).values()
    first = first_of(episodes)
    named = [] if first is None else [first.series.entity]
    return schema.Incident(
        id=diagnosis.id,
        start=iso(diagnosis.start),
        end=iso(diagnosis.end),
        open=diagnosis.open,
        severity=round(max((episode.severity for episode in episodes), default=0.0), 3),
        entities=list(dict.fromkeys([*named, *(episode.entity for episode in episodes)])),
        first=None if first is None else mover_of(first, found),
        episodes=list(diagnosis.episodes),
        causes=[_cause(cause) for cause in diagnosis.causes],
        summary=diagnosis.summary,
        decider=diagnosis.decider,
        actions=list(actions),
        charts=[_chart(chart, found, f"{diagnosis.id}-{place}") for place, chart in enumerate(charts)],
    )


def _cause(cause: findings.Cause) -> schema.Cause:
    return schema.Cause(
        id=cause.id,
        title=cause.title,
        family=cause.family,
        entity=cause.entity,
        probability=round(cause.probability, 4),
        counter_evidence=cause.counter_evidence,
        contributing=cause.contributing,
        artefact=cause.artefact,
        evidence=[
            schema.Evidence(
                symptom=e.symptom,
                role=e.role.value,
                state=e.state.value,
                strength=e.strength,
                entity=None if e.series is None else e.series.entity,
                metric=None if e.series is None else e.series.metric,
                statement=e.statement,
                source=e.source,
            )
            for e in cause.evidence
        ],
    )


def _action(action: findings.Action) -> schema.Action:
    effect = action.effect
    return schema.Action(
        about=action.about,
        cause=action.cause,
        entity=action.entity,
        title=action.title,
        command=action.command,
        confirm=action.confirm,
        verify=action.verify,
        risk=action.risk.value,
        rollback=action.rollback,
        effect=None
        if effect is None
        else schema.Effect(
            metric=effect.metric,
            now_ms=round(effect.now_ms, 1),
            low_ms=round(effect.low_ms, 1),
            high_ms=round(effect.high_ms, 1),
            consoles=effect.consoles,
        ),
        reason=action.reason,
    )


def _breach(breach: forecasts.Breach, found: night.Night) -> schema.Breach:
    metric = found.metrics[breach.series.metric]
    return schema.Breach(
        entity=breach.series.entity,
        metric=metric.name,
        title=metric.label,
        unit=metric.unit,
        limit=breach.limit,
        now=known(breach.now),
        probability=round(breach.probability, 3),
        earliest=None if breach.earliest is None else iso(breach.earliest),
        likely=None if breach.likely is None else iso(breach.likely),
        latest=None if breach.latest is None else iso(breach.latest),
        duration_s=round(breach.duration_s),
        maker=breach.maker,
        exceeded=breach.exceeded,
        drivers=None if breach.drivers is None else [_driver(driver, found) for driver in breach.drivers],
    )


def _driver(driver: forecasts.Driver, found: night.Night) -> skill_schema.Driver:
    metric = found.metrics[driver.metric]
    return skill_schema.Driver(
        entity=driver.entity,
        resource=driver.resource,
        metric=metric.name,
        title=metric.label,
        unit=metric.unit,
        share=round(driver.share, 3),
        forecast=known(driver.forecast),
        usual=known(driver.usual),
        daily=driver.daily,
    )


def _skill(skill: forecasts.Skill, found: night.Night) -> schema.Skill:
    metric = found.metrics.get(skill.metric)
    return schema.Skill(
        metric=skill.metric,
        title=metric.label if metric else "All metrics",
        maker=skill.maker,
        windows=skill.windows,
        mase=known(skill.mase),
        crps=known(skill.crps),
        coverage=known(skill.coverage),
        note=skill.note,
        coverage_50=known(skill.coverage_50),
        coverage_90=known(skill.coverage_90),
        brier=known(skill.brier),
        brier_base=known(skill.brier_base),
    )


def _quality(quality: night.Quality) -> schema.Quality:
    kinds = quality.repairs.by_kind()
    return schema.Quality(
        coverage={name: round(share, 4) for name, share in quality.coverage.items()},
        repairs=[schema.Repair(kind=repair.name, meaning=repair.value, rows=rows) for repair, rows in kinds.items()],
        repaired_most=dict(Counter(quality.repairs.by_entity()).most_common(10)),
        silent=list(quality.silent),
        by_peers=list(quality.by_peers),
    )


def _model(model: night.ModelRecord) -> schema.Model:
    parameters: Mapping[str, object] = model.parameters
    return schema.Model(
        name=model.name,
        uri=model.uri,
        trained_from=iso(model.trained_from),
        trained_to=iso(model.trained_to),
        seed=model.seed,
        lock=model.lock,
        parameters={key: str(value) for key, value in parameters.items()},
        scores={key: value for key, value in model.scores.items() if math.isfinite(value)},
    )


def _second(time: np.datetime64) -> int:
    return int(time.astype("datetime64[s]").astype(np.int64))


def _seconds(times: Times) -> list[int]:
    seconds: list[int] = times.astype("datetime64[s]").astype(np.int64).tolist()
    return seconds


def _values(values: Float) -> list[float | None]:
    """Four significant digits: more than a chart can show."""
    return [float(f"{value:.4g}") if math.isfinite(value) else None for value in values.tolist()]
