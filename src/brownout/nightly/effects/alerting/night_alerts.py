"""Which alerts follow from a night: one an open incident, and one a forecast breach whose forecasts have skill."""

import math
from collections.abc import Iterable, Iterator

import numpy as np

from brownout.domain.encoding import visible
from brownout.domain.entities import Topology
from brownout.domain.findings import UNKNOWN, Alert, Diagnosis, Severity
from brownout.domain.forecasts import Breach
from brownout.domain.night import Night
from brownout.nightly.effects.alerting.alert_texts import about_breach, about_drift, about_incident
from brownout.reporting.views.chance_skill import chance_is_told
from brownout.reporting.views.incident_order import episodes_of, first_mover

__all__ = ["alert_probabilities", "alerts_of"]

INCIDENT, FORECAST, DRIFT = "BrownoutIncident", "BrownoutForecast", "BrownoutModelDrift"
LONGEST_LABEL = 200
"""Characters of a label's value: names from telemetry may be of any length."""
SURE = 0.5
"""Probability from which a known cause makes an incident critical: more probable than everything else together."""


def alerts_of(night: Night, *, min_probability: float, report_url: str = "") -> tuple[Alert, ...]:
    """The alerts of a night, most severe first, each identity once.

    ``min_probability`` is the chance from which a breach begins an alert; below it, and once the limit is exceeded, a
    breach only keeps one going. A breach whose chances are no better than climatology stands in the report only.
    """
    alarmed = {episode.id for episode in night.episodes}
    incidents = (_incident(d, night, report_url) for d in night.diagnoses if d.open and alarmed & set(d.episodes))
    breaches = (
        _breach(breach, night, begins=breach.probability >= min_probability, report_url=report_url)
        for breach in night.breaches
        if breach.horizon_s <= night.horizon_s and chance_is_told(breach, night)
    )
    return _each_once((*incidents, *breaches, *_drift(night, report_url)))


def alert_probabilities(night: Night) -> tuple[float, ...]:
    """The chance of each breach of a night where it is one that may begin an alert, else 0.

    That is one with skill, within the horizon of the night, of a limit that is not exceeded yet.
    """
    return tuple(
        breach.probability
        if not breach.exceeded and breach.horizon_s <= night.horizon_s and chance_is_told(breach, night)
        else 0.0
        for breach in night.breaches
    )


def _incident(diagnosis: Diagnosis, night: Night, report_url: str) -> Alert:
    top, episodes = diagnosis.top, episodes_of(diagnosis, night)
    mover = first_mover(episodes, diagnosis)
    known = top.id != UNKNOWN
    severity = Severity.CRITICAL if known and top.probability >= SURE else Severity.WARNING
    first_entity = mover.series.entity if mover else diagnosis.entities[0]
    entity = top.entity if known and top.entity else first_entity
    return Alert(
        source=diagnosis.id,
        entity=entity,
        labels=_labels(
            night.topology,
            entity,
            alertname=INCIDENT,
            cause=top.id,
            metric=mover.series.metric if mover else "",
            severity=severity,
        ),
        annotations=about_incident(diagnosis, entity, episodes, night),
        severity=severity,
        weight=max((episode.severity for episode in episodes), default=0.0),
        starts=diagnosis.start,
        link=f"{report_url}#incident-{diagnosis.id}" if report_url else "",
    )


def _breach(breach: Breach, night: Night, *, begins: bool, report_url: str) -> Alert:
    series = breach.series
    about = f"{series.entity} {series.metric}"
    action = next((action for action in night.actions if action.about == about), None)
    cause = action.cause if action else str(night.metrics[series.metric].family)
    return Alert(
        source=about,
        entity=series.entity,
        labels=_labels(
            night.topology,
            series.entity,
            alertname=FORECAST,
            cause=cause,
            metric=series.metric,
            severity=Severity.WARNING,
        ),
        annotations=about_breach(breach, action, night),
        severity=Severity.WARNING,
        weight=breach.probability,
        starts=night.end,
        begins=begins and not breach.exceeded,
        link=f"{report_url}#forecast" if report_url else "",
    )


def _drift(night: Night, report_url: str) -> Iterator[Alert]:
    """One alert for all that has drifted: its labels do not change with what drifted most."""
    if night.drift is None or not night.drift.drifted:
        return
    labels = {"alertname": DRIFT, "cause": "model drift", "entity": night.source, "severity": Severity.WARNING}
    yield Alert(
        source="model drift",
        entity=night.source,
        labels={name: visible(value)[:LONGEST_LABEL] for name, value in labels.items()},
        annotations=about_drift(night.drift, night),
        severity=Severity.WARNING,
        weight=0.0,
        starts=night.drift.start,
        link=f"{report_url}#models" if report_url else "",
    )


def _labels(topology: Topology, entity: str, **others: str) -> dict[str, str]:
    """Identity: what is empty is left out, as Alertmanager does; a longer value is cut."""
    line = (entity, *topology.ancestors(entity))
    site = next((topology[name].site for name in line if topology[name].site), "")
    labels = {**others, "entity": entity, "site": site}
    return {name: visible(value)[:LONGEST_LABEL] for name, value in labels.items() if value}


def _each_once(alerts: Iterable[Alert]) -> tuple[Alert, ...]:
    """Two with the same labels are one: the most severe, since the earlier of both starts."""
    table: dict[str, Alert] = {}
    for alert in _worst_first(alerts):
        table.setdefault(alert.identity, alert)
    return tuple(table.values())


def _worst_first(alerts: Iterable[Alert]) -> Iterator[Alert]:
    def order(alert: Alert) -> tuple[int, float, np.datetime64, str]:
        weight = alert.weight if math.isfinite(alert.weight) else 0.0
        return -alert.severity.rank, -weight, alert.starts, alert.identity

    return iter(sorted(alerts, key=order))
