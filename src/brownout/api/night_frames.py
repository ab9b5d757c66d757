"""The results of a night as pandas frames: one row a result, times in UTC, units in a column of their own."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from brownout.domain.entities import Topology
from brownout.domain.forecasts import Series
from brownout.domain.metrics import Metric
from brownout.domain.night import Night

__all__ = [
    "action_frame",
    "breach_frame",
    "console_frame",
    "episode_frame",
    "evidence_frame",
    "forecast_frame",
    "incident_frame",
    "model_frame",
    "named_frame",
    "skill_frame",
    "topology_frame",
]


def incident_frame(night: Night) -> pd.DataFrame:
    """Incidents by their id, each with its most probable cause."""
    columns = ("start", "end", "open", "entity", "cause", "title", "family", "probability", "severity", "involved")
    severity = {episode.id: episode.severity for episode in night.episodes}
    rows = [
        (
            incident.id,
            incident.start,
            incident.end,
            incident.open,
            incident.top.entity or incident.entities[0],
            incident.top.id,
            incident.top.title,
            incident.top.family,
            incident.top.probability,
            max((severity[name] for name in incident.episodes if name in severity), default=np.nan),
            incident.entities,
            incident.summary,
        )
        for incident in night.diagnoses
    ]
    frame = named_frame(rows, ("incident", *columns, "summary"), times=("start", "end"), flags=("open",))
    return frame.set_index("incident")


def evidence_frame(night: Night) -> pd.DataFrame:
    """What speaks for and against each candidate cause of each incident, the most probable cause first."""
    columns = ("incident", "cause", "title", "entity", "probability", "role", "state", "strength", "statement")
    rows = [
        (
            incident.id,
            cause.id,
            cause.title,
            cause.entity,
            cause.probability,
            str(step.role) if step else "",
            str(step.state) if step else "",
            step.strength if step else np.nan,
            step.statement if step else "",
        )
        for incident in night.diagnoses
        for cause in incident.causes
        for step in (cause.evidence or (None,))
    ]
    return named_frame(rows, columns)


def episode_frame(night: Night) -> pd.DataFrame:
    """Spans in which an entity was abnormal, by their id, with their incident; suppressed ones too, with the reason."""
    columns = ("entity", "start", "end", "open", "severity", "metric", "shape", "onset", "incident", "suppressed")
    incident = {name: diagnosis.id for diagnosis in night.diagnoses for name in diagnosis.episodes}
    alarmed = [(episode, "", "") for episode in night.episodes]
    suppressed = [(one.episode, str(one.why), one.reason) for one in night.suppressed]
    rows = [
        (
            episode.id,
            episode.entity,
            episode.start,
            episode.end,
            episode.open,
            episode.severity,
            episode.lead,
            str(episode.shape or ""),
            episode.onset,
            incident.get(episode.id, ""),
            why,
            reason,
        )
        for episode, why, reason in (*alarmed, *suppressed)
    ]
    frame = named_frame(rows, ("episode", *columns, "reason"), times=("start", "end", "onset"), flags=("open",))
    return frame.set_index("episode")


def breach_frame(night: Night) -> pd.DataFrame:
    """Limits that will probably be crossed, or are exceeded already, most probable first."""
    columns = ("entity", "metric", "title", "unit", "limit", "now", "exceeded", "probability", "earliest", "likely")
    rows = [
        (
            *_named(breach.series, night.metrics),
            breach.limit,
            breach.now,
            breach.exceeded,
            breach.probability,
            breach.earliest,
            breach.likely,
            breach.latest,
            breach.duration_s,
            breach.maker,
        )
        for breach in night.breaches
    ]
    times = ("earliest", "likely", "latest")
    return named_frame(rows, (*columns, "latest", "duration_s", "maker"), times=times, flags=("exceeded",))


def forecast_frame(night: Night) -> pd.DataFrame:
    """The forecasts that the report draws: those of the breaches and of what comes nearest to its limit."""
    columns = ("entity", "metric", "title", "unit", "time", "low", "middle", "high", "naive", "limit", "maker")
    rows = [
        (*_named(series, night.metrics), *step, chart.limit, chart.maker)
        for series, chart in night.forecasts.items()
        for step in zip(chart.future, chart.low, chart.middle, chart.high, chart.naive, strict=True)
    ]
    return named_frame(rows, columns, times=("time",))


def action_frame(night: Night) -> pd.DataFrame:
    """What to do, most urgent first; ``now_ms``, ``low_ms`` and ``high_ms`` are milliseconds of console latency."""
    columns = ("about", "entity", "title", "cause", "risk", "now_ms", "low_ms", "high_ms", "confirm", "command")
    rows = [
        (
            action.about,
            action.entity,
            action.title,
            action.cause,
            str(action.risk),
            *((effect.now_ms, effect.low_ms, effect.high_ms) if (effect := action.effect) else (np.nan,) * 3),
            action.confirm,
            action.command,
            action.rollback,
        )
        for action in night.actions
    ]
    return named_frame(rows, (*columns, "rollback"))


def console_frame(night: Night) -> pd.DataFrame:
    """How slow each console is now, the slowest first."""
    rows = [(*_named(level.series, night.metrics), level.now, level.limit, level.exceeded) for level in night.consoles]
    return named_frame(rows, ("entity", "metric", "title", "unit", "now", "limit", "exceeded"), flags=("exceeded",))


def topology_frame(topology: Topology) -> pd.DataFrame:
    """Everything that is measured, by its id, with what it runs on."""
    rows = [(entity.id, entity.kind, entity.parent, topology.root(entity.id), entity.site) for entity in topology]
    return named_frame(rows, ("entity", "kind", "parent", "host", "site")).set_index("entity")


def model_frame(night: Night) -> pd.DataFrame:
    """Models that took part; ``scores`` are those on windows kept from training."""
    rows = [
        (model.name, model.uri, model.trained_from, model.trained_to, model.seed, model.lock, dict(model.scores))
        for model in night.models
    ]
    columns = ("model", "uri", "trained_from", "trained_to", "seed", "lock", "scores")
    return named_frame(rows, columns, times=("trained_from", "trained_to")).set_index("model")


def skill_frame(night: Night) -> pd.DataFrame:
    """Backtest of the forecaster by metric; errors are ratios to those of seasonal-naive, below 1 is better."""
    rows = [
        (
            skill.metric,
            skill.maker,
            skill.windows,
            skill.mase,
            skill.crps,
            skill.coverage,
            skill.brier,
            skill.brier_base,
            skill.note,
        )
        for skill in night.skills
    ]
    columns = ("metric", "maker", "windows", "mase", "crps", "coverage", "brier", "brier_base", "note")
    return named_frame(rows, columns)


def _named(series: Series, metrics: Mapping[str, Metric]) -> tuple[str, str, str, str]:
    """Entity, metric, and the metric's title and unit."""
    metric = metrics[series.metric]
    return series.entity, series.metric, metric.title, metric.unit


def named_frame(
    rows: Iterable[Sequence[Any]], columns: Sequence[str], *, times: Sequence[str] = (), flags: Sequence[str] = ()
) -> pd.DataFrame:
    """Rows with columns, of which ``times`` are UTC times; what has no time there is NaT.

    ``flags`` are true or false, also where there is no row: pandas cannot select by the negation of other columns.
    """
    frame = pd.DataFrame(list(rows), columns=list(columns))
    for name in times:
        frame[name] = pd.to_datetime(frame[name], utc=True)
    return frame.astype(dict.fromkeys(flags, bool))
