"""Actions: what to do about a diagnosis or a forecast breach, and what it would change in console milliseconds."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from brownout.domain.entities import EntityKind, Topology
from brownout.domain.findings import UNKNOWN, Action, Diagnosis, Effect
from brownout.domain.forecasts import Breach
from brownout.domain.metrics import Metric
from brownout.domain.panel import Panel
from brownout.planning.remedies import Remedies, Remedy

__all__ = ["action_of", "merged", "plan_breach", "plan_diagnosis", "predict_effect"]

MOSTLY = 0.5
"""Share of a rise from which one load is what to act on."""
RIVAL = 0.25
"""Probability from which a rival cause gets an action too: the operator should not stop at a wrong first."""


def plan_diagnosis(
    diagnosis: Diagnosis, panels: Sequence[Panel], topology: Topology, remedies: Remedies
) -> tuple[Action, ...]:
    """An action for each cause of the answer, one for a close rival; for ``unknown`` only measurements.

    Of an incident that is over only what keeps it from coming back. ``panels`` hold the incident and the baseline
    before it. The actions have no commands yet: see ``completed``.
    """
    if not diagnosis.open:
        return _prevention(diagnosis, remedies)
    answer = diagnosis.told
    nearest = diagnosis.causes[len(answer) : len(answer) + 1]
    rivals = [cause for cause in nearest if cause.probability >= RIVAL and cause.id != UNKNOWN]
    actions = []
    for cause in (*answer, *rivals):
        entity = cause.entity or topology.root(next(iter(diagnosis.entities), ""))
        remedy = remedies.of(cause.id, cause.family)
        effect = None if cause.id == UNKNOWN else predict_effect(diagnosis, entity, remedy, panels, topology)
        reason = "" if cause in answer else "if the confirm command of the first action speaks against it"
        actions.append(action_of(diagnosis.id, cause.id, entity, remedy, effect=effect, reason=reason))
    return tuple(actions)


def _prevention(diagnosis: Diagnosis, remedies: Remedies) -> tuple[Action, ...]:
    """Actions that prevent the known causes of a closed incident from coming back."""
    actions = []
    for cause in diagnosis.told:
        remedy = remedies.of(cause.id, cause.family)
        if cause.id != UNKNOWN and cause.entity and remedy.prevention:
            chosen = remedies.table[remedy.prevention]
            actions.append(
                action_of(diagnosis.id, cause.id, cause.entity, chosen, effect=None, reason="", prevention=True)
            )
    return tuple(actions)


def plan_breach(breach: Breach, metrics: Mapping[str, Metric], topology: Topology, remedies: Remedies) -> Action:
    """An action before a limit is crossed; its effect in milliseconds is not known before anything is slow.

    Where one load makes most of a rise of console latency, the action is about that load.
    """
    metric, entity = metrics[breach.series.metric], breach.series.entity
    reason = f"{metric.label} of {entity} is forecast to cross {breach.limit:g} {metric.unit}".rstrip()
    about = f"{entity} {metric.name}"
    driver = next((driver for driver in breach.drivers or () if driver.share >= MOSTLY), None)
    if driver is not None:
        metric, entity = metrics[driver.metric], driver.entity
        reason = f"{reason}, driven by {metric.label} of {entity}"
    remedy = remedies.of_metric(metric.name, metric.family.value, topology[entity].labels)
    target = topology.root(entity) if remedy.of_host else entity
    return action_of(about, remedy.id, target, remedy, effect=None, reason=reason)


def merged(actions: Sequence[Action]) -> tuple[Action, ...]:
    """One action where several say to do the same to the same entity: the first, which says how many more."""
    same: dict[tuple[str, str], list[Action]] = {}
    for action in actions:
        same.setdefault((action.entity, action.title), []).append(action)
    return tuple(
        replace(first, reason=f"{first.reason}, and {len(others)} more like it") if others else first
        for first, *others in same.values()
    )


def predict_effect(
    diagnosis: Diagnosis, entity: str, remedy: Remedy, panels: Sequence[Panel], topology: Topology
) -> Effect | None:
    """Console latency now, and after the remedy has taken its share of the excess over the usual latency away.

    Medians over time, then over the consoles that the culprit reaches; None where no console was measured. ``panels``
    hold the incident and the baseline before it. The shares are those of ``remedies.toml``: operating experience, not
    yet learned from what remedies really did.
    """
    above = remedy.reach == "host" or topology[entity].kind != EntityKind.VM
    then = topology.at(diagnosis.start)
    reached = set(then.descendants(then.root(entity) if above else entity))
    levels = [
        level
        for panel in panels
        for column in _latency_columns(panel)
        if (level := _levels(panel, column, reached, diagnosis)) is not None
    ]
    if not levels:
        return None
    metric, now, usual, consoles = max(levels, key=lambda level: level[1] - level[2])
    excess = max(now - usual, 0.0)
    low, high = (now - share * excess for share in reversed(remedy.gain))
    return Effect(metric=metric, now_ms=now, low_ms=low, high_ms=high, consoles=consoles)


def _levels(
    panel: Panel, column: int, reached: Collection[str], diagnosis: Diagnosis
) -> tuple[str, float, float, int] | None:
    """Name of a metric, its level in the incident and before it, and how many of the entities reached measure it."""
    rows = [i for i, name in enumerate(panel.entity_ids) if name in reached]
    values = panel.select(entities=rows, metrics=[column])
    within = values.between(diagnosis.start, max(diagnosis.end, diagnosis.start + panel.step)).values[..., 0]
    before = values.between(panel.start, diagnosis.start).values[..., 0]
    measured = np.isfinite(within).any(axis=1) & np.isfinite(before).any(axis=1)
    if not measured.any():
        return None
    now, usual = (float(np.median(np.nanmedian(part[measured], axis=1))) for part in (within, before))
    return panel.metric_names[column], now, usual, int(measured.sum())


def _latency_columns(panel: Panel) -> list[int]:
    """Columns of what a person at a console waits for."""
    return [i for i, m in enumerate(panel.metrics) if m.is_console_latency]


def action_of(  # noqa: PLR0913 - what an action is about, and what it is made of
    about: str, cause: str, entity: str, remedy: Remedy, *, effect: Effect | None, reason: str, prevention: bool = False
) -> Action:
    """An action without commands: those are made when all are known, since moves share the room that hosts have."""
    return Action(
        about=about,
        cause=cause,
        entity=entity,
        title=remedy.title,
        command="",
        confirm="",
        verify=remedy.verify,
        verify_title=remedy.verify_title,
        risk=remedy.risk,
        rollback="",
        effect=effect,
        reason=reason,
        prevention=prevention,
        remedy=remedy.id,
    )
