"""From a night to its report, to the text of ``report.json``, and back."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import brownout
from brownout.domain.encoding import decode, decode_json, encode, json_schema
from brownout.domain.errors import DataError
from brownout.domain.findings import Action, Diagnosis, SuppressionReason
from brownout.domain.forecasts import Breach, Series
from brownout.domain.night import Chart, Night
from brownout.domain.verdicts import Verdict
from brownout.reporting.anchors import action_anchor, anchor
from brownout.reporting.messages import Language, Messages
from brownout.reporting.report import (
    READABLE_VERSIONS,
    SCHEMA_ID,
    ActionView,
    BreachView,
    ChronicSeries,
    Incident,
    QualityView,
    Report,
    VerdictView,
    Window,
    extended,
)
from brownout.reporting.views.breach_incident import in_agreement, incident_of
from brownout.reporting.views.capacity import capacity_of
from brownout.reporting.views.chance_skill import chance_is_told, chance_skill
from brownout.reporting.views.changes import changes_of
from brownout.reporting.views.first_actions import first_actions
from brownout.reporting.views.first_screen import first_screen
from brownout.reporting.views.fleet_overview import fleet_of
from brownout.reporting.views.incident_order import abnormal_entities, episodes_of, first_mover
from brownout.reporting.views.judgement import judgement_of
from brownout.reporting.views.objectives import objectives_of
from brownout.reporting.views.summary import outlook_of, summary_of
from brownout.store.plain_json import read_json

__all__ = ["load_night", "report_json", "report_of", "report_schema"]

DIGITS = 4
"""Significant digits of the numbers of a report: more than a chart can show."""
REPAIRED_MOST = 10
ALL_METRICS = "All metrics"
WINDOW = ("start", "end", "interval_s", "horizon_s")


def report_of(night: Night, language: Language = "en") -> Report:
    """The report of a night: all of it, and the views of the page.

    ``language`` is that of its sentences. Numbers are rounded first, so that a report made from a stored night says the
    same to the last digit.
    """
    night = _with_present(decode_json(Night, encode(night, digits=DIGITS, indent=None)))
    actions: dict[str, list[Action]] = {}
    for action in night.actions:
        actions.setdefault(action.about, []).append(action)
    incidents = tuple(_incident(diagnosis, night, actions.pop(diagnosis.id, [])) for diagnosis in night.diagnoses)
    ahead = tuple(_action(action, "forecast") for members in actions.values() for action in members)
    repairs = Counter(night.quality.repairs.by_entity())
    latency = None if night.latency is None else replace(night.latency, id="latency")
    return extended(
        Report,
        night,
        version=brownout.__version__,
        window=Window(**{name: getattr(night, name) for name in WINDOW}),
        language=language,
        summary=summary_of(night, Messages.of(language)),
        who=first_screen(night, Messages.of(language)),
        changes=changes_of(night),
        objectives=objectives_of(night),
        capacity=capacity_of(night),
        fleet=fleet_of(night),
        breaches=tuple(_breach(breach, night) for breach in night.breaches),
        chronic=tuple(extended(ChronicSeries, s, limit=night.metrics[s.metric].limit) for s in night.chronic),
        incidents=incidents,
        first=first_actions(incidents, ahead, night.breaches),
        actions=ahead,
        forecasts=_named(night.forecasts, "f"),
        latency=latency,
        verdicts=tuple(_verdict(verdict, night) for verdict in night.verdicts),
        quality=extended(QualityView, night.quality, repaired_most=dict(repairs.most_common(REPAIRED_MOST))),
        judgement=judgement_of(night.skills, night.metrics),
    )


def report_json(report: Report) -> str:
    """The text of ``report.json``."""
    labels = {name: (metric.label, metric.unit) for name, metric in report.metrics.items()}
    return encode(report, digits=DIGITS, labels={"": (ALL_METRICS, ""), **labels})


def report_schema(*, earlier: bool = False) -> dict[str, Any]:
    """The JSON schema of ``report.json``, with a description of every field.

    ``earlier`` is that of any release which wrote this version: keys that came later may be missing.
    """
    return json_schema(Report, identity=SCHEMA_ID, earlier=earlier)


def load_night(path: Path) -> Night:
    """The night of a stored ``report.json``; raises DataError where it is missing, damaged or of another version."""
    try:
        stored: Any = read_json(path)
    except (OSError, ValueError) as error:
        msg = f"{path} cannot be read: {error}."
        raise DataError(msg, remedy="Give the report.json of a night that brownout wrote.") from error
    version = stored.get("schema_version") if isinstance(stored, Mapping) else None
    if version not in READABLE_VERSIONS:
        readable = " and ".join(map(str, READABLE_VERSIONS))
        msg = f"{path} has schema_version {version!r}, and this release reads {readable}."
        raise DataError(msg, remedy="Make the night again with `brownout watch --as-of`, or use the release of then.")
    try:
        return decode(Night, _as_night(stored))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        msg = f"{path} is damaged: {type(error).__name__} {error}."
        raise DataError(msg, remedy="Give the report.json of a night that brownout wrote.") from error


def _as_night(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A document with what it holds within the window and the incidents in the places of a night."""
    incidents = stored.get("incidents", ())
    theirs = [action for incident in incidents for action in incident["actions"]]
    return {
        **stored,
        **stored.get("window", {}),
        "diagnoses": incidents,
        "actions": [*stored.get("actions", ()), *theirs],
        "charts": {incident["id"]: incident["charts"] for incident in incidents if incident["charts"]},
    }


def _with_present(night: Night) -> Night:
    """The night whose breaches have the level of now of their consoles, and drivers that agree with its incidents."""
    levels = {level.series: level for level in night.consoles}
    present = tuple(
        replace(breach, now=level.now, exceeded=level.exceeded) if (level := levels.get(breach.series)) else breach
        for breach in night.breaches
    )
    return replace(night, breaches=tuple(in_agreement(breach, night) for breach in present))


def _named(charts: Mapping[Series, Chart], prefix: str) -> dict[Series, Chart]:
    """The charts with their anchors."""
    return {series: replace(chart, id=f"{prefix}{number}") for number, (series, chart) in enumerate(charts.items())}


def _incident(diagnosis: Diagnosis, night: Night, actions: Iterable[Action]) -> Incident:
    episodes = episodes_of(diagnosis, night)
    state = "open" if diagnosis.open else "over"
    return extended(
        Incident,
        diagnosis,
        severity=max((episode.severity for episode in episodes), default=0.0),
        abnormal=abnormal_entities(episodes, diagnosis),
        first=first_mover(episodes, diagnosis),
        actions=tuple(_action(action, state) for action in actions),
        charts=tuple(_named(night.charts.get(diagnosis.id, {}), f"{diagnosis.id}-").values()),
    )


def _action(action: Action, state: str) -> ActionView:
    return extended(ActionView, action, state=state, link=action_anchor(action.about, action.title, action.entity))


def _breach(breach: Breach, night: Night) -> BreachView:
    link = anchor("b", f"{breach.series.entity} {breach.series.metric}")
    incident = incident_of(breach, night)
    known = "" if incident is None else incident.id
    return extended(
        BreachView,
        breach,
        outlook=outlook_of(breach, night),
        link=link,
        incident=known,
        skill=chance_skill(breach.series.metric, night),
        told=chance_is_told(breach, night),
    )


def _verdict(verdict: Verdict, night: Night) -> VerdictView:
    episode = verdict.episode
    muted = [s for s in night.suppressed if s.why is SuppressionReason.FEEDBACK and s.because == episode.id]
    computed = {"entity": episode.entity, "metric": episode.lead, "effect": verdict.effect, "muted": len(muted)}
    return extended(VerdictView, verdict, **computed)
