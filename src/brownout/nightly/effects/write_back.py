"""Write-back: what a night found as points beside the telemetry, so that dashboards can show both.

Points carry the tags of their source, and times that follow from the data: the same night written twice leaves the same
points. See ``docs/influxdb.md`` for the measurements.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from brownout.domain.encoding import PointColumns, point_columns
from brownout.domain.entities import Topology
from brownout.domain.findings import AnomalyScores, Cause, Diagnosis, Episode
from brownout.domain.findings.experience import Experience
from brownout.domain.findings.service_levels import ConsoleService
from brownout.domain.forecasts import Breach, Forecasts
from brownout.domain.metrics import Metric
from brownout.domain.night import Night
from brownout.ingest.line_protocol import Points
from brownout.nightly.effects.alerting.night_alerts import alert_probabilities
from brownout.nightly.run import NightResult
from brownout.numerics.arrays import Index, Times

__all__ = ["Sink", "forecast_points", "night_points", "score_points", "write_back"]

Sink = Callable[[Iterable[Points]], int]
"""Takes points, returns the number of lines written."""

SCORE_SLOT_S = 300
"""Scores are written as the highest of five minutes."""


def write_back(result: NightResult, metrics: Mapping[str, Metric], sink: Sink) -> int:
    """Write forecasts, scores, breaches, episodes, causes and consoles; returns the number of lines."""
    return sink(_all_points(result, metrics))


def _all_points(result: NightResult, metrics: Mapping[str, Metric]) -> Iterator[Points]:
    topology = result.night.topology
    for shard in result.shards:
        if shard.forecast is not None and shard.forecast.forecasts is not None:
            yield forecast_points(shard.forecast.forecasts, metrics, topology)
        if shard.detection.scores is not None and len(shard.detection.scores.times):
            yield score_points(shard.detection.scores, topology)
    yield from night_points(result.night)


def forecast_points(forecasts: Forecasts, metrics: Mapping[str, Metric], topology: Topology) -> Points:
    """``brownout_forecast``: median and 10–90 % band of each series and slot, with its limit."""
    rows, steps = len(forecasts.series), forecasts.horizon
    tags = [
        _tags(topology, series.entity) | {"metric": series.metric, "unit": metrics[series.metric].unit}
        for series in forecasts.series
    ]
    first, last = forecasts.quantiles.index(0.1), forecasts.quantiles.index(0.9)
    middle = forecasts.quantiles.index(0.5)
    offsets = np.arange(1, steps + 1) * forecasts.interval_s * 1000
    limits = np.array([_or_nan(metrics[series.metric].limit) for series in forecasts.series])
    return Points(
        measurement="brownout_forecast",
        tags=tags,
        series=np.repeat(np.arange(rows), steps),
        times=(_ms(forecasts.origins)[:, None] + offsets).ravel(),
        fields={
            "yhat": forecasts.values[:, :, middle].astype(float).ravel(),
            "yhat_lower": forecasts.values[:, :, first].astype(float).ravel(),
            "yhat_upper": forecasts.values[:, :, last].astype(float).ravel(),
            "limit": np.repeat(limits, steps),
        },
        texts={"model": [maker for maker in forecasts.makers for _ in range(steps)]},
    )


def score_points(scores: AnomalyScores, topology: Topology) -> Points:
    """``brownout_anomaly``: highest score of each entity in five minutes; 1.0 is the alarm boundary."""
    factor = max(SCORE_SLOT_S // scores.interval_s, 1)
    slots = _ms(scores.times) // (factor * scores.interval_s * 1000)
    starts = np.flatnonzero(np.concatenate(([True], np.diff(slots) != 0)))
    peaks = np.fmax.reduceat(scores.scores, starts, axis=1)
    entities, slots_measured = np.nonzero(np.isfinite(peaks))
    return Points(
        measurement="brownout_anomaly",
        tags=[_tags(topology, entity) for entity in scores.entities],
        series=entities,
        times=(slots[starts] * factor * scores.interval_s * 1000)[slots_measured],
        fields={"score": peaks[entities, slots_measured].astype(float)},
    )


def night_points(night: Night) -> Iterator[Points]:
    """Breaches, episodes, causes and consoles: their fields are those of the results, see ``point_columns``."""
    if night.breaches:
        yield _breaches(night)
    if night.episodes or night.suppressed:
        yield _episodes(night)
    if night.diagnoses:
        yield _causes(night)
    if night.services:
        yield _consoles(night)


def _episodes(night: Night) -> Points:
    """Episodes with the incident they belong to; those that are not alarmed have ``alarm`` 0 and say why."""
    incident = {episode: diagnosis.id for diagnosis in night.diagnoses for episode in diagnosis.episodes}
    reasons = {suppressed.episode.id: suppressed.reason for suppressed in night.suppressed}
    episodes = [*night.episodes, *(suppressed.episode for suppressed in night.suppressed)]
    columns = point_columns(Episode, episodes, names={"id": "episode"}, leave_out=("entity", "start"))
    derived = PointColumns(
        {"alarm": np.array([int(episode.id not in reasons) for episode in episodes])},
        {
            "incident": [incident.get(episode.id, "") for episode in episodes],
            "moved": [", ".join(mover.series.metric for mover in episode.movers[:3]) for episode in episodes],
            "reason": [reasons.get(episode.id, "") for episode in episodes],
        },
    )
    tags = [_tags(night.topology, episode.entity) for episode in episodes]
    return _points("brownout_episode", tags, _ms([episode.start for episode in episodes]), columns | derived)


def _breaches(night: Night) -> Points:
    tags = [_tags(night.topology, breach.series.entity) | {"metric": breach.series.metric} for breach in night.breaches]
    times = _ms([night.end.astype("datetime64[s]")] * len(night.breaches))
    columns = point_columns(Breach, night.breaches, names={"maker": "model"})
    derived = PointColumns({"alert_probability": np.array(alert_probabilities(night), float)}, {})
    return _points("brownout_breach", tags, times, columns | derived)


def _causes(night: Night) -> Points:
    """The three most probable causes of each incident; ``incident`` is identified by its first entity and its start."""
    ranked = [(d, rank, cause) for d in night.diagnoses for rank, cause in enumerate(d.causes[:3], 1)]
    diagnoses = [diagnosis for diagnosis, _, _ in ranked]
    columns = point_columns(Diagnosis, diagnoses, names={"id": "incident"}, leave_out=("start",)) | point_columns(
        Cause, [cause for _, _, cause in ranked], names={"id": "cause", "entity": "culprit"}
    )
    tags = [_tags(night.topology, d.entities[0]) | {"rank": str(rank)} for d, rank, _ in ranked]
    return _points("brownout_cause", tags, _ms([diagnosis.start for diagnosis in diagnoses]), columns)


def _consoles(night: Night) -> Points:
    """How it was to work at each console on the last day."""
    columns = point_columns(ConsoleService, night.services, leave_out=("console", "experience", "failed"))
    columns |= point_columns(Experience, [service.experience for service in night.services])
    columns |= PointColumns({}, {"band": [service.experience.band for service in night.services]})
    tags = [_tags(night.topology, service.console) for service in night.services]
    times = _ms([night.end.astype("datetime64[s]")] * len(night.services))
    return _points("brownout_console", tags, times, columns)


def _points(measurement: str, tags: Sequence[Mapping[str, str]], times: Index, columns: PointColumns) -> Points:
    """Points of results, a series each."""
    return Points(
        measurement=measurement,
        tags=tags,
        series=np.arange(len(tags)),
        times=times,
        fields=columns.numbers,
        texts=columns.texts,
    )


def _tags(topology: Topology, entity: str) -> dict[str, str]:
    """The tags that name it in the source, and which entity it is to brownout."""
    known = topology[entity]
    names = known.named_by or tuple(known.labels)
    tags = {name: known.labels[name] for name in names if name in known.labels}
    return {**tags, "entity": known.id, "kind": known.kind}


def _ms(times: Sequence[np.datetime64] | Times) -> Index:
    millis: Index = np.asarray(times, "datetime64[ms]").astype(np.int64)
    return millis


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value
