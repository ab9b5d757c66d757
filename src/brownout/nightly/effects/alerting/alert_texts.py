"""What an alert says: values, probability, dates, cause and first action, in plain English and plain text."""

from collections.abc import Iterable, Sequence

from brownout.domain.encoding import visible
from brownout.domain.findings import UNKNOWN, Action, Diagnosis, Episode, Mover
from brownout.domain.findings.model_drift import Drift, DriftOf, ModelDrift
from brownout.domain.forecasts import Breach
from brownout.domain.night import Night
from brownout.reporting.numbers import clock, figure, percent

__all__ = ["about_breach", "about_drift", "about_incident"]

FEW = 3
"""Values and pieces of evidence that an alert shows; the report has all."""
LONGEST = 1000
"""Characters of an annotation."""
NAMES = ("domain_name", "name")
"""Labels that hold the name of a guest whose id is a UUID."""


def about_incident(diagnosis: Diagnosis, entity: str, episodes: Sequence[Episode], night: Night) -> dict[str, str]:
    """Annotations of an open incident; ``episodes`` are its own, most severe first."""
    top = diagnosis.top
    known = top.id != UNKNOWN
    name = _named(entity, night)
    title = top.title if known else "Abnormal, without a known cause,"
    sure = f" ({percent(top.probability)} sure)" if known else ""
    movers = sorted((m for e in episodes for m in e.movers), key=lambda mover: -abs(mover.deviation))
    action = next((action for action in night.actions if action.about == diagnosis.id), None)
    return _annotations(
        summary=f"{title} at {name} since {clock(diagnosis.start)} UTC{sure}",
        values="; ".join(_value(mover, night) for mover in movers[:FEW]),
        probability=percent(top.probability) if known else "",
        since=f"{clock(diagnosis.start)} UTC",
        cause=f"{top.title} ({top.id})" if known else "unknown",
        evidence="; ".join(_evidence(diagnosis)),
        decide=diagnosis.decider,
        action=_action(action, night),
        confirm=action.confirm if action else "",
    )


def about_breach(breach: Breach, action: Action | None, night: Night) -> dict[str, str]:
    """Annotations of a forecast breach."""
    metric = night.metrics[breach.series.metric]
    limit = figure(breach.limit, metric.unit)
    name = _named(breach.series.entity, night)
    when = _dates(breach)
    state = "is beyond" if breach.exceeded else "will probably cross"
    driver = breach.drivers[0] if breach.drivers else None
    return _annotations(
        summary=f"{metric.label} of {name} {state} {limit}{f' {when}' if when and not breach.exceeded else ''}",
        values=f"{metric.label} now {figure(breach.now, metric.unit)}, limit {limit}",
        probability=percent(breach.probability),
        dates=when,
        likely="" if breach.likely is None else f"{clock(breach.likely)} UTC",
        cause="" if driver is None else f"{night.metrics[driver.metric].label} of {_named(driver.entity, night)}",
        evidence=action.reason if action else "",
        action=_action(action, night),
        confirm=action.confirm if action else "",
    )


def _dates(breach: Breach) -> str:
    times = [clock(time) for time in (breach.earliest, breach.latest) if time is not None]
    if len(set(times)) == 2:
        return f"between {times[0]} and {times[1]} UTC"
    return f"from {times[0]} UTC on" if times else ""


def _value(mover: Mover, night: Night) -> str:
    metric = night.metrics[mover.series.metric]
    where = _named(mover.series.entity, night)
    return f"{metric.label} of {where} {figure(mover.peak, metric.unit)} (usually {figure(mover.usual, metric.unit)})"


def _evidence(diagnosis: Diagnosis) -> Iterable[str]:
    return [e.statement for e in diagnosis.top.evidence if e.state == "present"][:FEW]


def _action(action: Action | None, night: Night) -> str:
    return "" if action is None else f"{action.title}, at {_named(action.entity, night)} ({action.risk})"


def _named(entity: str, night: Night) -> str:
    labels = night.topology[entity].labels
    name = next((labels[key] for key in NAMES if labels.get(key) not in (None, "", entity)), "")
    return f"{name} ({entity})" if name else entity


def about_drift(drift: ModelDrift, night: Night) -> dict[str, str]:
    """Annotations of a drift of what the forecaster learned from."""
    moved = drift.drifted
    return _annotations(
        summary=f"What the forecaster learned from has drifted in {len(moved)} of {len(drift.drifts)} comparisons",
        values="; ".join(_moved(one, night) for one in moved[:FEW]),
        since=f"{clock(drift.trained_to)} UTC",
        cause="telemetry or load has changed since the training",
        action="Look at the models of the report; the next night trains again.",
    )


def _moved(one: Drift, night: Night) -> str:
    if one.of is DriftOf.INPUT:
        metric = night.metrics.get(one.name)
        unit, label = (metric.unit, metric.label) if metric else ("", one.name)
        return f"{label}: {figure(one.before, unit)} then, {figure(one.now, unit)} now"
    what = "loss beside seasonal-naive" if one.of is DriftOf.RESIDUAL else "share inside the 80 % interval"
    return f"{one.name}: {what} {figure(one.before)} then, {figure(one.now)} now"


def _annotations(**texts: str) -> dict[str, str]:
    """Without what is empty, each on one line, control characters as visible escapes."""
    flat = {name: visible(" ".join(text.split())) for name, text in texts.items()}
    return {name: text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…" for name, text in flat.items() if text}
