"""Actions: what to do about a diagnosis or a forecast breach, and what it would change in console milliseconds."""

from collections.abc import Mapping, Sequence

import numpy as np

from brownout.domain.entities import Topology
from brownout.domain.findings import UNKNOWN, Action, Diagnosis, Effect
from brownout.domain.forecasts import Breach
from brownout.domain.metrics import Family, Metric, Role
from brownout.domain.panel import Panel
from brownout.planning.remedies import Remedies, Remedy, fill

__all__ = ["LATENCY", "plan_breach", "plan_diagnosis", "predict_effect"]

LATENCY = "console_update_ms"
"""The metric that "the console is laggy" means: from a request to the first update."""
RIVAL = 0.25
"""A second cause is planned for from this probability on: the operator should not stop at a wrong first."""


def plan_diagnosis(
    diagnosis: Diagnosis, panels: Sequence[Panel], topology: Topology, remedies: Remedies
) -> tuple[Action, ...]:
    """An action for the most probable cause, one for a close second; ``unknown`` is answered by measurements only."""
    rivals = [cause for cause in diagnosis.causes[1:2] if cause.probability >= RIVAL and cause.id != UNKNOWN]
    actions = []
    for cause in (diagnosis.top, *rivals):
        entity = cause.entity or topology.root(diagnosis.entities[0])
        remedy = remedies.of(cause.id, cause.family)
        effect = None if cause.id == UNKNOWN else predict_effect(diagnosis, entity, remedy, panels, topology)
        reason = "" if cause is diagnosis.top else "if the confirm command of the first action speaks against it"
        actions.append(_action(diagnosis.id, cause.id, entity, remedy, topology, effect=effect, reason=reason))
    return tuple(actions)


def plan_breach(breach: Breach, metrics: Mapping[str, Metric], topology: Topology, remedies: Remedies) -> Action:
    """An action before a limit is crossed; its effect in milliseconds is not known before anything is slow."""
    metric = metrics[breach.series.metric]
    remedy = remedies.of_metric(metric.name, metric.family.value)
    reason = f"{metric.label} of {breach.series.entity} is forecast to cross {breach.limit:g} {metric.unit}".rstrip()
    about = f"{breach.series.entity} {breach.series.metric}"
    return _action(about, remedy.id, breach.series.entity, remedy, topology, effect=None, reason=reason)


def predict_effect(
    diagnosis: Diagnosis, entity: str, remedy: Remedy, panels: Sequence[Panel], topology: Topology
) -> Effect | None:
    """Console latency now, and after the remedy has taken its share of the excess over the usual latency away.

    Medians over time, then over the consoles that the culprit reaches; None where no console was measured.
    ``panels`` hold
    the incident and its past. The shares are those of ``remedies.toml``: operating experience, not yet learned from
    what remedies really did.
    """
    above = remedy.reach == "host" or topology[entity].kind != "vm"
    reached = set(topology.descendants(topology.root(entity) if above else entity))
    now, usual = [], []
    for panel in panels:
        column = _latency_column(panel)
        rows = [i for i, name in enumerate(panel.entity_ids) if name in reached]
        if column is None or not rows:
            continue
        values = panel.select(entities=rows, metrics=[column])
        within = values.between(diagnosis.start, max(diagnosis.end, diagnosis.start + panel.step)).values[..., 0]
        before = values.between(panel.start, diagnosis.start).values[..., 0]
        seen = np.isfinite(within).any(axis=1) & np.isfinite(before).any(axis=1)
        now += np.nanmedian(within[seen], axis=1).tolist()
        usual += np.nanmedian(before[seen], axis=1).tolist()
    if not now:
        return None
    level = float(np.median(now))
    excess = max(level - float(np.median(usual)), 0.0)
    low, high = (level - share * excess for share in reversed(remedy.gain))
    return Effect(now_ms=level, low_ms=low, high_ms=high, consoles=len(now))


def _latency_column(panel: Panel) -> int | None:
    """The column of console latency: the canonical one, or one of that family and role."""
    names = panel.metric_names
    if LATENCY in names:
        return names.index(LATENCY)
    alike = [i for i, m in enumerate(panel.metrics) if m.family is Family.CONSOLE and m.role is Role.LATENCY]
    return alike[0] if alike else None


def _action(  # noqa: PLR0913 - what an action is about, and what it is made of
    about: str, cause: str, entity: str, remedy: Remedy, topology: Topology, *, effect: Effect | None, reason: str
) -> Action:
    return Action(
        about=about,
        cause=cause,
        entity=entity,
        title=remedy.title,
        command=fill(remedy.command, entity, topology),
        confirm=fill(remedy.confirm, entity, topology),
        verify=remedy.verify,
        risk=remedy.risk,
        rollback=fill(remedy.rollback, entity, topology),
        effect=effect,
        reason=reason,
    )
